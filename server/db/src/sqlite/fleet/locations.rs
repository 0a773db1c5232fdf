//! The Locations of a host, and what they hold.

use inkan_core::ports::{DbResult, LocationEntry, LocationRow, Page, PageRequest};
use inkan_model::store::Location;
use inkan_model::{HostId, VendorId};
use sqlx::SqliteConnection;

use crate::sqlite::cursor::Paging;
use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{Origin, json, moment};

const LIST: &str = "SELECT l.id, l.location, l.errors, l.since, s.digest, s.certificates, s.unreadable
     FROM host_location l LEFT JOIN cert_set s ON s.id = l.set_id
     WHERE l.host = $1 AND l.vendor = $2
     ORDER BY l.location";

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    location: String,
    errors: String,
    since: i64,
    digest: Vec<u8>,
    certificates: i64,
    unreadable: i64,
}

impl TryFrom<Row> for LocationRow {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let origin = Origin::new("host_location", row.id);
        Ok(Self {
            location: origin.json("location", &row.location)?,
            set: origin.set_digest("set_id", &row.digest)?,
            certificates: origin.number("certificates", row.certificates)?,
            unreadable: origin.number("unreadable", row.unreadable)?,
            errors: origin.json("errors", &row.errors)?,
            since: moment(row.since),
        })
    }
}

pub(super) async fn list(db: &mut SqliteConnection, vendor: VendorId, host: HostId) -> Result<Vec<LocationRow>, Fault> {
    let rows: Vec<Row> =
        sqlx::query_as(LIST).bind(host.as_bytes().as_slice()).bind(vendor.as_bytes().as_slice()).fetch_all(db).await?;
    Ok(rows.into_iter().map(LocationRow::try_from).collect::<DbResult<_>>()?)
}

/// A set is bounded, so sorting its entries costs the same on every page and is fine.
const LIST_ENTRIES: &str = "SELECT e.place, e.key_presence, e.name, e.properties, e.why, e.sha256 AS unreadable_sha256,
            c.sha256 AS certificate, c.der,
            COALESCE(c.common_name, e.name, '') AS shown
     FROM set_entry e LEFT JOIN certificate c ON c.id = e.certificate
     WHERE e.set_id = $1 AND (COALESCE(c.common_name, e.name, ''), e.place) > ($2, $3)
     ORDER BY shown, e.place LIMIT $4";

#[derive(sqlx::FromRow)]
struct EntryRow {
    place: i64,
    key_presence: i64,
    name: Option<String>,
    properties: Option<String>,
    why: Option<String>,
    unreadable_sha256: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    der: Option<Vec<u8>>,
    shown: String,
}

impl TryFrom<EntryRow> for LocationEntry {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: EntryRow) -> DbResult<Self> {
        let origin = Origin::new("set_entry", row.place);
        match (row.certificate, row.der, row.why) {
            (Some(certificate), Some(der), None) => Ok(Self::Certificate {
                certificate: origin.fingerprint("certificate", &certificate)?,
                facts: inkan_model::CertificateFacts::read(&der).ok(),
                key: origin.key(row.key_presence)?,
                name: row.name,
                properties: row
                    .properties
                    .map(|text| origin.json("properties", &text))
                    .transpose()?
                    .unwrap_or_default(),
            }),
            (None, None, Some(why)) => {
                let sha256 = row.unreadable_sha256.map(|sha256| origin.fingerprint("sha256", &sha256)).transpose()?;
                Ok(Self::Unreadable { sha256, name: row.name, why })
            }
            _ => Err(origin.inconsistent("certificate")),
        }
    }
}

pub(super) async fn list_entries(
    db: &mut SqliteConnection,
    vendor: VendorId,
    host: HostId,
    location: &Location,
    request: &PageRequest,
) -> Result<Page<LocationEntry>, Fault> {
    let (paging, after) = Paging::read::<(String, i64)>("location_entries", request)?;
    let sql = "SELECT set_id FROM host_location WHERE host = $1 AND location = $2 AND vendor = $3";
    let set: Option<i64> = sqlx::query_scalar(sql)
        .bind(host.as_bytes().as_slice())
        .bind(json(location)?)
        .bind(vendor.as_bytes().as_slice())
        .fetch_optional(&mut *db)
        .await?;
    let Some(set) = set else { return Ok(Page { items: Vec::new(), next: None }) };
    let (shown, place) = after.unwrap_or((String::new(), -1));
    let rows: Vec<EntryRow> =
        sqlx::query_as(LIST_ENTRIES).bind(set).bind(shown).bind(place).bind(paging.rows()).fetch_all(db).await?;
    paging.page(rows, |last| (last.shown.clone(), last.place), LocationEntry::try_from)
}
