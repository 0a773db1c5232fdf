//! Bringing a file to the newest schema.
//!
//! Migrations are embedded, run in order, each in a transaction of its own, and remembered with their checksums. A file
//! of a newer release is refused: this build does not know what its columns mean.

use std::path::Path;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection as _, SqliteConnection};

use super::{OpenError, create_file, writing_options};

static MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");

/// The version of the schema that this build works on.
pub fn newest_schema_version() -> i64 {
    MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// Creates the file where there is none, and brings its schema to the newest version. Says that version.
///
/// # Errors
/// When the file cannot be opened, was changed by a newer release, or a migration fails.
pub async fn migrate(path: &Path) -> Result<i64, OpenError> {
    create_file(path)?;
    let mut db = SqliteConnection::connect_with(&writing_options(path)).await.map_err(OpenError::Connect)?;
    let migrated = run(&mut db).await;
    db.close().await.map_err(OpenError::Connect)?;
    migrated.map(|()| newest_schema_version())
}

/// Runs the migrations that are missing.
pub(crate) async fn run(db: &mut SqliteConnection) -> Result<(), OpenError> {
    MIGRATIONS.run_direct(None, db, false).await.map_err(|cause| match cause {
        MigrateError::VersionMissing(found) => OpenError::NewerSchema { found, known: newest_schema_version() },
        cause => OpenError::Migrate(cause),
    })
}

/// The newest migration that a file has.
pub(crate) async fn applied_version(db: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let newest: Option<i64> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations WHERE success").fetch_one(db).await?;
    Ok(newest.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn schema(path: &Path) -> Vec<(String, Option<String>)> {
        let mut db = SqliteConnection::connect_with(&writing_options(path)).await.unwrap();
        let sql = "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY name";
        let rows = sqlx::query_as(sql).fetch_all(&mut db).await.unwrap();
        db.close().await.unwrap();
        rows
    }

    #[tokio::test]
    async fn a_file_of_the_first_migration_reaches_the_newest_schema() {
        let folder = tempfile::tempdir().unwrap();
        let (old, fresh) = (folder.path().join("old.db"), folder.path().join("fresh.db"));
        create_file(&old).unwrap();
        let mut db = SqliteConnection::connect_with(&writing_options(&old)).await.unwrap();
        MIGRATIONS.run_to(1, &mut db).await.unwrap();
        assert_eq!(applied_version(&mut db).await.unwrap(), 1);
        db.close().await.unwrap();

        assert_eq!(migrate(&old).await.unwrap(), newest_schema_version());
        migrate(&fresh).await.unwrap();
        assert_eq!(schema(&old).await, schema(&fresh).await);
    }

    #[tokio::test]
    async fn migrating_twice_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("twice.db");
        migrate(&path).await.unwrap();
        let before = schema(&path).await;
        migrate(&path).await.unwrap();
        assert_eq!(schema(&path).await, before);
    }

    #[tokio::test]
    async fn a_file_of_a_newer_release_is_refused_with_both_versions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("newer.db");
        migrate(&path).await.unwrap();
        let mut db = SqliteConnection::connect_with(&writing_options(&path)).await.unwrap();
        let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
                   VALUES (9999, 'later', TRUE, x'00', 0)";
        sqlx::query(sql).execute(&mut db).await.unwrap();
        db.close().await.unwrap();
        let error = migrate(&path).await.unwrap_err();
        assert!(matches!(error, OpenError::NewerSchema { found: 9999, .. }), "{error}");
    }

    #[test]
    fn migrations_are_numbered_without_gaps() {
        let versions: Vec<_> = MIGRATIONS.iter().map(|migration| migration.version).collect();
        assert_eq!(versions, (1..=newest_schema_version()).collect::<Vec<_>>());
    }
}
