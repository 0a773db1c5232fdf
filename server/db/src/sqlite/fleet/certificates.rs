//! One certificate, and the hosts that hold it.

use inkan_core::ports::{DbResult, HolderRow, Page, PageRequest};
use inkan_model::{Certificate, Fingerprint, HostId, VendorId};
use sqlx::SqliteConnection;

use crate::sqlite::cursor::Paging;
use crate::sqlite::fault::Fault;
use crate::sqlite::rows::Origin;
use crate::sqlite::statement::Statement;

/// A certificate with so many holders at most is looked up from its own side and its holders sorted; one with more is
/// looked for in host after host, by name, where a page is soon full.
const FEW_HOLDERS: i64 = 2_000;

pub(super) async fn find(
    db: &mut SqliteConnection,
    vendor: VendorId,
    certificate: Fingerprint,
) -> Result<Option<Certificate>, Fault> {
    let sql = "SELECT c.der FROM certificate c
               WHERE c.sha256 = $1
                 AND EXISTS (SELECT 1 FROM set_entry e, host_location l
                             WHERE e.certificate = c.id AND l.set_id = e.set_id AND l.vendor = $2)";
    let der: Option<Vec<u8>> = sqlx::query_scalar(sql)
        .bind(certificate.as_bytes().as_slice())
        .bind(vendor.as_bytes().as_slice())
        .fetch_optional(db)
        .await?;
    let Some(der) = der else { return Ok(None) };
    let found = Certificate::read(der);
    if found.fingerprint != certificate {
        return Err(Origin::new("certificate", &certificate.as_bytes().to_vec()).inconsistent("der").into());
    }
    Ok(Some(found))
}

#[derive(sqlx::FromRow)]
struct Row {
    host: Vec<u8>,
    host_name: String,
    clinic_name: Option<String>,
    location_id: i64,
    location: String,
}

impl TryFrom<&Row> for HolderRow {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: &Row) -> DbResult<Self> {
        let origin = Origin::new("host_location", row.location_id);
        Ok(Self {
            host: origin.id("host", &row.host)?,
            host_name: row.host_name.clone(),
            clinic_name: row.clinic_name.clone().ok_or_else(|| origin.inconsistent("host"))?,
            location: origin.json("location", &row.location)?,
        })
    }
}

/// The sort key of a holder: host's name, host, row of the location.
pub(in crate::sqlite) type HolderKey = (String, HostId, i64);

pub(super) async fn list_holders(
    db: &mut SqliteConnection,
    vendor: VendorId,
    certificate: Fingerprint,
    request: &PageRequest,
) -> Result<Page<HolderRow>, Fault> {
    let (paging, after) = Paging::read::<HolderKey>("holders", request)?;
    let found: Option<i64> = sqlx::query_scalar("SELECT id FROM certificate WHERE sha256 = $1")
        .bind(certificate.as_bytes().as_slice())
        .fetch_optional(&mut *db)
        .await?;
    let Some(certificate) = found else { return Ok(Page { items: Vec::new(), next: None }) };
    let held: i64 = sqlx::query_scalar(COUNT_HOLDERS)
        .bind(certificate)
        .bind(vendor.as_bytes().as_slice())
        .bind(FEW_HOLDERS + 1)
        .fetch_one(&mut *db)
        .await?;
    let rows: Vec<Row> =
        page_statement(vendor, certificate, held <= FEW_HOLDERS, after, paging.rows()).fetch(db).await?;
    let keyed: Vec<(i64, HolderRow)> =
        rows.iter().map(|row| Ok((row.location_id, row.try_into()?))).collect::<DbResult<_>>()?;
    paging.page(keyed, |(location, last)| (last.host_name.clone(), last.host, *location), |(_, row)| Ok(row))
}

pub(in crate::sqlite) const COUNT_HOLDERS: &str = "SELECT count(*) FROM
     (SELECT 1 FROM set_entry e, host_location l
      WHERE e.certificate = $1 AND l.set_id = e.set_id AND l.vendor = $2 LIMIT $3) AS held";

const COLUMNS: &str = "SELECT h.id AS host, h.name AS host_name, l.id AS location_id, l.location,
            (SELECT c.name FROM clinic c WHERE c.id = h.clinic) AS clinic_name
     FROM ";

pub(in crate::sqlite) fn page_statement(
    vendor: VendorId,
    certificate: i64,
    few: bool,
    after: Option<HolderKey>,
    rows: i64,
) -> Statement {
    let mut statement = Statement::new(COLUMNS);
    // A left join fixes which side is gone through first.
    if few {
        statement.push("host_location l LEFT JOIN host h ON h.id = l.host WHERE l.vendor = ");
        statement.bind(vendor.as_bytes().as_slice());
        statement.push(" AND l.set_id IN (SELECT e.set_id FROM set_entry e WHERE e.certificate = ");
        statement.bind(certificate).push(")");
    } else {
        statement
            .push("host h LEFT JOIN host_location l ON l.host = h.id WHERE h.vendor = ")
            .bind(vendor.as_bytes().as_slice());
        statement.push(" AND EXISTS (SELECT 1 FROM set_entry e WHERE e.certificate = ");
        statement.bind(certificate).push(" AND e.set_id = l.set_id)");
    }
    statement.push(" AND h.in_service = 1");
    if let Some((name, host, location)) = after {
        statement.push(" AND h.name >= ").bind(name.clone());
        statement.push(" AND (h.name, h.id, l.id) > (").bind(name).push(", ");
        statement.bind(host.as_bytes().as_slice()).push(", ").bind(location).push(")");
    }
    statement.push(" ORDER BY h.name, h.id, l.id LIMIT ").bind(rows);
    statement
}
