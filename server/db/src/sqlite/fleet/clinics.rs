//! Clinics: imported and changed by code, listed with their numbers.

use inkan_core::ports::{ClinicChanges, ClinicQuery, ClinicRow, DbResult, NewClinic, Page, PageRequest};
use inkan_core::search::fold;
use inkan_model::clinic::{Clinic, ClinicProfile};
use inkan_model::finding::Urgency;
use inkan_model::{ClinicId, HostId, VendorId};
use sqlx::SqliteConnection;

use super::push_search;
use crate::sqlite::cursor::Paging;
use crate::sqlite::fault::Fault;
use crate::sqlite::rollups;
use crate::sqlite::rows::{ClinicColumns, Origin, code};
use crate::sqlite::statement::Statement;
use crate::sqlite::writer::WriteConnection;

const COLUMNS: &str = "SELECT c.id AS clinic_id, c.vendor AS clinic_vendor, c.code AS clinic_code,
            c.name AS clinic_name, c.kind AS clinic_kind, c.prefecture AS clinic_prefecture,
            c.contact AS clinic_contact, c.phone AS clinic_phone, c.mail AS clinic_mail,
            c.hosts, c.hosts_now, c.hosts_soon, c.hosts_watch
     FROM clinic c WHERE c.vendor = ";

#[derive(sqlx::FromRow)]
struct CountedClinic {
    #[sqlx(flatten)]
    clinic: ClinicColumns,
    hosts: i64,
    hosts_now: i64,
    hosts_soon: i64,
    hosts_watch: i64,
}

impl TryFrom<CountedClinic> for ClinicRow {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: CountedClinic) -> DbResult<Self> {
        let hosts = Origin::new("clinic", &row.clinic.clinic_id).number("hosts", row.hosts)?;
        let worst = worst_of([row.hosts_now, row.hosts_soon, row.hosts_watch]);
        Ok(Self { clinic: row.clinic.try_into()?, hosts, worst })
    }
}

/// The worst urgency of which there is a host, from the counts of hosts whose worst is now, soon, watch.
pub(super) fn worst_of(hosts: [i64; 3]) -> Option<Urgency> {
    let urgencies = [Urgency::Now, Urgency::Soon, Urgency::Watch];
    urgencies.into_iter().zip(hosts).find(|(_, hosts)| *hosts > 0).map(|(urgency, _)| urgency)
}

pub(super) async fn find(
    db: &mut SqliteConnection,
    vendor: VendorId,
    clinic: ClinicId,
) -> Result<Option<Clinic>, Fault> {
    let mut statement = Statement::new(COLUMNS);
    statement.bind(vendor.as_bytes().as_slice()).push(" AND c.id = ").bind(clinic.as_bytes().as_slice());
    let found: Option<CountedClinic> = statement.fetch(db).await?.pop();
    Ok(found.map(|row| row.clinic.try_into()).transpose()?)
}

pub(super) async fn find_by_code(
    db: &mut SqliteConnection,
    vendor: VendorId,
    code: &str,
) -> Result<Option<Clinic>, Fault> {
    let mut statement = Statement::new(COLUMNS);
    statement.bind(vendor.as_bytes().as_slice()).push(" AND c.code = ").bind(code);
    let found: Option<CountedClinic> = statement.fetch(db).await?.pop();
    Ok(found.map(|row| row.clinic.try_into()).transpose()?)
}

pub(super) async fn list(
    db: &mut SqliteConnection,
    vendor: VendorId,
    query: &ClinicQuery,
    request: &PageRequest,
) -> Result<Page<ClinicRow>, Fault> {
    let (paging, after) = Paging::read::<String>("clinics", request)?;
    let rows: Vec<CountedClinic> = page_statement(vendor, query, after, paging.rows())?.fetch(db).await?;
    paging.page(rows, |last| last.clinic.clinic_code.clone(), ClinicRow::try_from)
}

pub(in crate::sqlite) fn page_statement(
    vendor: VendorId,
    query: &ClinicQuery,
    after: Option<String>,
    rows: i64,
) -> Result<Statement, Fault> {
    let ClinicQuery { search, kind, prefecture } = query;
    let mut statement = Statement::new(COLUMNS);
    statement.bind(vendor.as_bytes().as_slice());
    if let Some(prefecture) = prefecture {
        statement.push(" AND c.prefecture = ").bind(i64::from(prefecture.number()));
    }
    if let Some(kind) = kind {
        statement.push(" AND c.kind = ").bind(code(kind)?);
    }
    push_search(&mut statement, "c.search_text", search.as_deref());
    if let Some(after) = after {
        statement.push(" AND c.code > ").bind(after);
    }
    statement.push(" ORDER BY c.code LIMIT ").bind(rows);
    Ok(statement)
}

pub(super) async fn record(
    db: &mut WriteConnection,
    vendor: VendorId,
    clinics: &[NewClinic],
) -> Result<ClinicChanges, Fault> {
    let mut changes = ClinicChanges::default();
    for NewClinic { id, profile } in clinics {
        match find_by_code(db, vendor, profile.code.as_str()).await? {
            None => {
                insert(db, vendor, *id, profile).await?;
                changes.created += 1;
            }
            Some(known) if known.profile == *profile => changes.unchanged += 1,
            Some(known) => {
                update(db, &known, profile).await?;
                changes.changed += 1;
            }
        }
    }
    Ok(changes)
}

fn search_text(profile: &ClinicProfile) -> String {
    fold(&format!("{} {}", profile.code, profile.name))
}

async fn insert(
    db: &mut WriteConnection,
    vendor: VendorId,
    id: ClinicId,
    profile: &ClinicProfile,
) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO clinic (id, vendor, code, name, kind, prefecture, contact, phone, mail, search_text)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(id.as_bytes().as_slice())
    .bind(vendor.as_bytes().as_slice())
    .bind(profile.code.as_str())
    .bind(profile.name.as_str())
    .bind(code(profile.kind)?)
    .bind(i64::from(profile.prefecture.number()))
    .bind(profile.contact.as_deref())
    .bind(profile.phone.as_deref())
    .bind(profile.mail.as_deref())
    .bind(search_text(profile))
    .execute(&mut **db)
    .await?;
    rollups::count_prefecture(db, vendor, i64::from(profile.prefecture.number()), [1, 0, 0, 0]).await
}

async fn update(db: &mut WriteConnection, known: &Clinic, profile: &ClinicProfile) -> Result<(), Fault> {
    sqlx::query(
        "UPDATE clinic SET name = $2, kind = $3, prefecture = $4, contact = $5, phone = $6, mail = $7, search_text = $8
         WHERE id = $1",
    )
    .bind(known.id.as_bytes().as_slice())
    .bind(profile.name.as_str())
    .bind(code(profile.kind)?)
    .bind(i64::from(profile.prefecture.number()))
    .bind(profile.contact.as_deref())
    .bind(profile.phone.as_deref())
    .bind(profile.mail.as_deref())
    .bind(search_text(profile))
    .execute(&mut **db)
    .await?;
    if known.profile.prefecture != profile.prefecture {
        move_prefecture(db, known, profile).await?;
    }
    if known.profile.name != profile.name || known.profile.prefecture != profile.prefecture {
        update_hosts(db, known, profile).await?;
    }
    Ok(())
}

/// The clinic and its hosts count in another prefecture from now on.
async fn move_prefecture(db: &mut WriteConnection, known: &Clinic, profile: &ClinicProfile) -> Result<(), Fault> {
    let (now, soon, watch): (i64, i64, i64) =
        sqlx::query_as("SELECT hosts_now, hosts_soon, hosts_watch FROM clinic WHERE id = $1")
            .bind(known.id.as_bytes().as_slice())
            .fetch_one(&mut **db)
            .await?;
    let (from, to) = (known.profile.prefecture.number(), profile.prefecture.number());
    rollups::count_prefecture(db, known.vendor, i64::from(from), [-1, -now, -soon, -watch]).await?;
    rollups::count_prefecture(db, known.vendor, i64::from(to), [1, now, soon, watch]).await
}

/// Hosts repeat what lists filter by.
async fn update_hosts(db: &mut WriteConnection, known: &Clinic, profile: &ClinicProfile) -> Result<(), Fault> {
    let hosts: Vec<(Vec<u8>, String)> = sqlx::query_as("SELECT id, name FROM host WHERE vendor = $1 AND clinic = $2")
        .bind(known.vendor.as_bytes().as_slice())
        .bind(known.id.as_bytes().as_slice())
        .fetch_all(&mut **db)
        .await?;
    for (id, name) in hosts {
        let id: HostId = Origin::new("host", &id).id("id", &id)?;
        sqlx::query("UPDATE host SET prefecture = $2, search_text = $3 WHERE id = $1")
            .bind(id.as_bytes().as_slice())
            .bind(i64::from(profile.prefecture.number()))
            .bind(format!("{}\n{}", fold(&name), search_text(profile)))
            .execute(&mut **db)
            .await?;
    }
    Ok(())
}
