//! Installations, soonest expiry first, and how many there are.

use inkan_core::ports::{DbResult, InstallationQuery, InstallationRow, Page, PageRequest};
use inkan_model::{HostId, VendorId};
use sqlx::SqliteConnection;

use super::overview::count_ending_before;
use crate::sqlite::cursor::Paging;
use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{Origin, moment};
use crate::sqlite::statement::{Statement, like_pattern};

/// Everything but the installation itself is looked up for the rows that are shown.
const COLUMNS: &str = "SELECT i.id, i.host, i.clinic, i.key_presence, i.name, i.not_after, i.first_seen,
            c.sha256, c.der, l.location, h.name AS host_name,
            (SELECT k.name FROM clinic k WHERE k.id = i.clinic) AS clinic_name,
            (SELECT r.id FROM renewal r
             WHERE r.host = i.host AND r.location = l.location AND r.old_certificate = c.sha256 AND r.is_over = 0)
                AS live_renewal
     FROM installation i LEFT JOIN certificate c ON c.id = i.certificate
                         LEFT JOIN host_location l ON l.id = i.location
                         LEFT JOIN host h ON h.id = i.host
     WHERE ";

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    host: Vec<u8>,
    clinic: Vec<u8>,
    key_presence: i64,
    name: Option<String>,
    not_after: i64,
    first_seen: i64,
    sha256: Vec<u8>,
    der: Vec<u8>,
    location: String,
    host_name: String,
    clinic_name: Option<String>,
    live_renewal: Option<Vec<u8>>,
}

impl TryFrom<Row> for InstallationRow {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let origin = Origin::new("installation", row.id);
        Ok(Self {
            certificate: origin.fingerprint("certificate", &row.sha256)?,
            facts: Origin::new("certificate", &row.sha256).facts(&row.der)?,
            location: origin.json("location", &row.location)?,
            key: origin.key(row.key_presence)?,
            name: row.name,
            first_seen: moment(row.first_seen),
            host: origin.id("host", &row.host)?,
            host_name: row.host_name,
            clinic: origin.id("clinic", &row.clinic)?,
            clinic_name: row.clinic_name.ok_or_else(|| origin.inconsistent("clinic"))?,
            live_renewal: row.live_renewal.map(|id| Origin::new("renewal", &id).id("id", &id)).transpose()?,
        })
    }
}

/// The sort key of an installation: end of validity, host, row. Many certificates end at the same moment (a fiscal
/// year's), so the host stands in between: SQLite does not seek by a row's number.
pub(in crate::sqlite) type InstallationKey = (i64, HostId, i64);

pub(super) async fn list(
    db: &mut SqliteConnection,
    vendor: VendorId,
    query: &InstallationQuery,
    request: &PageRequest,
) -> Result<Page<InstallationRow>, Fault> {
    let (paging, after) = Paging::read::<InstallationKey>("installations", request)?;
    let rows: Vec<Row> = page_statement(vendor, query, after, paging.rows()).fetch(db).await?;
    let keyed: Vec<((i64, i64), InstallationRow)> =
        rows.into_iter().map(|row| Ok(((row.not_after, row.id), row.try_into()?))).collect::<DbResult<_>>()?;
    paging.page(keyed, |((not_after, id), last)| (*not_after, last.host, *id), |(_, row)| Ok(row))
}

pub(in crate::sqlite) fn page_statement(
    vendor: VendorId,
    query: &InstallationQuery,
    after: Option<InstallationKey>,
    rows: i64,
) -> Statement {
    let mut statement = Statement::new(COLUMNS);
    push_conditions(&mut statement, vendor, query);
    if let Some((not_after, host, id)) = after {
        statement.push(" AND (i.not_after, i.host, i.id) > (").bind(not_after).push(", ");
        statement.bind(host.as_bytes().as_slice()).push(", ").bind(id).push(")");
    }
    statement.push(" ORDER BY i.not_after, i.host, i.id LIMIT ").bind(rows);
    statement
}

pub(super) async fn count(
    db: &mut SqliteConnection,
    vendor: VendorId,
    query: &InstallationQuery,
) -> Result<u64, Fault> {
    let InstallationQuery { host, clinic, expires_before, expires_from, search } = query;
    let searched = search.as_deref().is_some_and(|text| !text.trim().is_empty());
    let counted = if host.is_some() || clinic.is_some() || searched {
        let mut statement = Statement::new("SELECT count(*) FROM installation i WHERE ");
        push_conditions(&mut statement, vendor, query);
        statement.fetch::<(i64,)>(db).await?.iter().map(|(installations,)| installations).sum()
    } else {
        let until = count_ending_before(db, vendor, *expires_before).await?;
        let from = match expires_from {
            Some(from) => count_ending_before(db, vendor, Some(*from)).await?,
            None => 0,
        };
        // The two bounds may be the wrong way round.
        (until - from).max(0)
    };
    Ok(Origin::new("rollup_expiry", &vendor).number("installations", counted)?)
}

fn push_conditions(statement: &mut Statement, vendor: VendorId, query: &InstallationQuery) {
    let InstallationQuery { host, clinic, expires_before, expires_from, search } = query;
    statement.push("i.vendor = ").bind(vendor.as_bytes().as_slice());
    match host {
        // A host's own page shows what it holds even when it is out of service.
        Some(host) => statement.push(" AND i.host = ").bind(host.as_bytes().as_slice()),
        None => statement.push(" AND i.in_service = 1"),
    };
    if let Some(clinic) = clinic {
        statement.push(" AND i.clinic = ").bind(clinic.as_bytes().as_slice());
    }
    if let Some(from) = expires_from {
        statement.push(" AND i.not_after >= ").bind(from.as_unix_millis());
    }
    if let Some(before) = expires_before {
        statement.push(" AND i.not_after < ").bind(before.as_unix_millis());
    }
    for word in search.as_deref().map(inkan_core::search::words).unwrap_or_default() {
        let pattern = like_pattern(&word);
        // Both are looked for once, in an index each, whatever number of installations is walked through.
        statement.push(" AND (i.host IN (SELECT s.id FROM host s WHERE s.vendor = ");
        statement.bind(vendor.as_bytes().as_slice()).push(" AND s.search_text LIKE ").bind(pattern.clone());
        statement.push(" ESCAPE '\\') OR i.certificate IN (SELECT s.id FROM certificate s WHERE s.search_text LIKE ");
        statement.bind(pattern).push(" ESCAPE '\\'))");
    }
}
