//! What only SQLite can show: that a quiet host writes nothing, that impossible rows are named, that backups open.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkan_core::ports::{DbError, HostQuery, PageRequest, Upkeep as _};
use inkan_db::{SqliteDatabase, SqliteOptions};
use inkan_model::store::KeyPresence;
use inkan_model::sync::state_digest;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use crate::kit::{Authority, Counting, DAY, Stage, Store, noon};

/// A fresh database in a folder of its own.
pub(crate) async fn open() -> Stage {
    let folder = tempfile::tempdir().unwrap();
    let db = open_file(&folder.path().join("inkan.db")).await;
    Stage { db, keep: Box::new(folder) }
}

async fn open_file(path: &Path) -> Arc<SqliteDatabase> {
    SqliteDatabase::open(path, SqliteOptions::new(Arc::new(Counting::default()))).await.unwrap()
}

fn file_of(stage: &Stage) -> PathBuf {
    stage.keep.downcast_ref::<tempfile::TempDir>().unwrap().path().join("inkan.db")
}

async fn beside(stage: &Stage) -> SqliteConnection {
    SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(file_of(stage))).await.unwrap()
}

#[tokio::test]
async fn a_report_that_is_known_writes_nothing() {
    let stage = open().await;
    let member = stage.member().await;
    let leaf = Authority::root("Root").leaf("leaf", noon().plus(DAY));
    let report = stage.prepare("PC", &[Store::new("MY", &[(&leaf, KeyPresence::Present)])]).await;
    let digest = state_digest(&report);
    let mut beside = beside(&stage).await;
    let mut version =
        async || -> i64 { sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut beside).await.unwrap() };
    let empty = version().await;
    stage.db.record_report(member.host, &report, digest, noon()).await.unwrap();
    let written = version().await;
    assert_ne!(empty, written);
    for _ in 0..3 {
        stage.db.record_report(member.host, &report, digest, noon().plus(DAY)).await.unwrap();
    }
    assert_eq!(version().await, written);
}

#[tokio::test]
async fn an_impossible_row_is_named_and_nothing_panics() {
    let stage = open().await;
    let member = stage.member().await;
    let list = async || stage.db.list_hosts(member.vendor, &HostQuery::default(), &PageRequest::first(5)).await;
    assert_eq!(list().await.unwrap().items.len(), 1);
    let mut beside = beside(&stage).await;
    sqlx::query("UPDATE host SET state = 'flying'").execute(&mut beside).await.unwrap();
    let error = list().await.unwrap_err();
    assert!(matches!(error, DbError::Inconsistent { table: "host", column: "state", .. }), "{error}");
    assert!(matches!(stage.db.find_session(member.host).await, Err(DbError::Inconsistent { .. })));
    sqlx::query("UPDATE host SET state = 'active', current_serial = x'00'").execute(&mut beside).await.unwrap();
    assert!(matches!(stage.db.find_session(member.host).await, Err(DbError::Inconsistent { .. })));
    sqlx::query("UPDATE rollup_host SET hosts = -1").execute(&mut beside).await.unwrap();
    assert!(matches!(stage.db.find_overview(member.vendor, noon()).await, Err(DbError::Inconsistent { .. })));
    sqlx::query("UPDATE event SET what = '{'").execute(&mut beside).await.unwrap();
    let events = stage.db.list_events(member.vendor, member.host, &PageRequest::first(5)).await;
    assert!(matches!(events, Err(DbError::Inconsistent { table: "event", .. })));
}

#[tokio::test]
async fn an_event_that_this_build_does_not_know_is_shown_as_such() {
    let stage = open().await;
    let member = stage.member().await;
    let mut beside = beside(&stage).await;
    sqlx::query("UPDATE event SET what = '{\"what\":\"moon_landing\"}'").execute(&mut beside).await.unwrap();
    let events = stage.db.list_events(member.vendor, member.host, &PageRequest::first(5)).await.unwrap().items;
    assert_eq!(events[0].what, inkan_model::event::Happening::Unrecognized);
}

#[tokio::test]
async fn a_backup_is_a_database_of_its_own() {
    let stage = open().await;
    let member = stage.member().await;
    let copy = file_of(&stage).with_file_name("copy.db");
    stage.db.backup_to(&copy).await.unwrap();
    let restored = open_file(&copy).await;
    restored.check().await.unwrap();
    assert_eq!(restored.schema_version().await.unwrap(), inkan_db::newest_schema_version());
    let hosts = inkan_core::ports::Fleet::count_hosts(&*restored, member.vendor, &HostQuery::default()).await.unwrap();
    assert_eq!(hosts, 1);
    restored.close().await;

    let before = std::fs::read(&copy).unwrap();
    assert!(stage.db.backup_to(&copy).await.is_err(), "an existing file is never written over");
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    assert!(stage.db.backup_to(&copy.with_file_name("no/such/folder.db")).await.is_err());
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt as _;

    let stage = open().await;
    stage.member().await;
    let copy = file_of(&stage).with_file_name("copy.db");
    stage.db.backup_to(&copy).await.unwrap();
    for file in std::fs::read_dir(copy.parent().unwrap()).unwrap() {
        let file = file.unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", file.file_name());
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_opening_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("inkan.db");
    let db = open_file(&path).await;
    let stage = Stage { db: db.clone(), keep: Box::new(()) };
    let member = stage.member().await;
    db.close().await;
    assert!(matches!(stage.db.find_session(member.host).await, Err(DbError::Closed)));
    assert!(matches!(stage.db.record_identity_conflict(member.host, noon()).await, Err(DbError::Closed)));
    db.close().await;
    let again = open_file(&path).await;
    let session = inkan_core::ports::Enrolments::find_session(&*again, member.host).await.unwrap();
    assert_eq!(session.unwrap().vendor, member.vendor);
}

/// The road for certificates with many holders is another one than for those with few.
#[tokio::test]
async fn a_certificate_with_very_many_holders_is_listed_alike() {
    let stage = open().await;
    let member = stage.member().await;
    let root = Authority::root("Root").certificate;
    stage.report(member, "PC", &[Store::new("Root", &[(&root, KeyPresence::NotExpected)])], noon()).await;
    let mut beside = beside(&stage).await;
    let sql = "INSERT INTO host_location (host, vendor, kind, scope, path, location, set_id, errors, since)
               WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2100)
               SELECT host, vendor, kind, scope, path, replace(location, 'Root', 'Root' || i), set_id, errors, since
               FROM host_location, n";
    sqlx::query(sql).execute(&mut beside).await.unwrap();
    let holders = crate::kit::all_pages(500, |page| {
        let (db, root) = (&stage.db, root.fingerprint);
        async move { db.list_certificate_holders(member.vendor, root, &page).await }
    });
    assert_eq!(holders.await.len(), 2101);
}
