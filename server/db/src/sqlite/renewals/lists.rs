//! Renewals read: one, a page, those of a host, and hosts that have work.

use inkan_core::ports::{DbResult, Page, PageRequest, RenewalQuery, RenewalRow, Versioned};
use inkan_model::renewal::Renewal;
use inkan_model::{HostId, RenewalId, Timestamp, VendorId};
use sqlx::SqliteConnection;

use super::RenewalColumns;
use crate::sqlite::cursor::Paging;
use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{Origin, moment};
use crate::sqlite::statement::Statement;

const FIND: &str = "SELECT r.id, r.vendor, r.host, r.location, r.old_certificate, r.requested_by, r.reason,
            r.created_at, r.failures, r.state, r.state_facts, r.version
     FROM renewal r WHERE r.id = $1 AND r.vendor = $2";

pub(in crate::sqlite) const LIST_LIVE: &str =
    "SELECT r.id, r.vendor, r.host, r.location, r.old_certificate, r.requested_by, r.reason, r.created_at,
            r.failures, r.state, r.state_facts, r.version
     FROM renewal r WHERE r.host = $1 AND r.is_over = 0 ORDER BY r.id";

/// A planned one can only be moved on where the host gets directives; it must not keep others waiting until then.
pub(in crate::sqlite) const LIST_WORK: &str = "SELECT r.host FROM renewal r
     WHERE r.due_at <= $1
       AND (r.state <> 'planned' OR EXISTS (SELECT 1 FROM host h WHERE h.id = r.host AND h.state = 'active'))
     ORDER BY r.due_at, r.host LIMIT $2";

pub(super) async fn find(
    db: &mut SqliteConnection,
    vendor: VendorId,
    renewal: RenewalId,
) -> Result<Option<Versioned<Renewal>>, Fault> {
    let row: Option<RenewalColumns> = sqlx::query_as(FIND)
        .bind(renewal.as_bytes().as_slice())
        .bind(vendor.as_bytes().as_slice())
        .fetch_optional(db)
        .await?;
    Ok(row.map(Versioned::try_from).transpose()?)
}

pub(in crate::sqlite) async fn list_live(
    db: &mut SqliteConnection,
    host: HostId,
) -> Result<Vec<Versioned<Renewal>>, Fault> {
    let rows: Vec<RenewalColumns> = sqlx::query_as(LIST_LIVE).bind(host.as_bytes().as_slice()).fetch_all(db).await?;
    Ok(rows.into_iter().map(Versioned::try_from).collect::<DbResult<_>>()?)
}

pub(super) async fn list_work(db: &mut SqliteConnection, now: Timestamp, limit: u32) -> Result<Vec<HostId>, Fault> {
    let rows: Vec<Vec<u8>> =
        sqlx::query_scalar(LIST_WORK).bind(now.as_unix_millis()).bind(i64::from(limit)).fetch_all(db).await?;
    let mut hosts: Vec<HostId> = Vec::new();
    for id in rows {
        let host = Origin::new("renewal", &id).id("host", &id)?;
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    Ok(hosts)
}

const COLUMNS: &str = "SELECT r.id, r.vendor, r.host, r.location, r.old_certificate, r.requested_by, r.reason,
            r.created_at, r.failures, r.state, r.state_facts, r.version, r.updated_at,
            (SELECT h.name FROM host h WHERE h.id = r.host) AS host_name,
            (SELECT c.name FROM clinic c WHERE c.id = r.clinic) AS clinic_name,
            (SELECT o.common_name FROM certificate o WHERE o.sha256 = r.old_certificate) AS certificate_name
     FROM renewal r WHERE r.vendor = ";

#[derive(sqlx::FromRow)]
struct ListedRenewal {
    #[sqlx(flatten)]
    renewal: RenewalColumns,
    updated_at: i64,
    host_name: Option<String>,
    clinic_name: Option<String>,
    certificate_name: Option<String>,
}

impl TryFrom<ListedRenewal> for RenewalRow {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: ListedRenewal) -> DbResult<Self> {
        let origin = Origin::new("renewal", &row.renewal.id);
        let host_name = row.host_name.ok_or_else(|| origin.inconsistent("host"))?;
        let clinic_name = row.clinic_name.ok_or_else(|| origin.inconsistent("clinic"))?;
        Ok(Self {
            renewal: Versioned::try_from(row.renewal)?.value,
            host_name,
            clinic_name,
            certificate_name: row.certificate_name,
            updated_at: moment(row.updated_at),
        })
    }
}

pub(super) async fn list(
    db: &mut SqliteConnection,
    vendor: VendorId,
    query: &RenewalQuery,
    request: &PageRequest,
) -> Result<Page<RenewalRow>, Fault> {
    let (paging, after) = Paging::read::<RenewalId>("renewals", request)?;
    let rows: Vec<ListedRenewal> = page_statement(vendor, query, after, paging.rows()).fetch(db).await?;
    let rows: Vec<RenewalRow> = rows.into_iter().map(RenewalRow::try_from).collect::<DbResult<_>>()?;
    paging.page(rows, |last| last.renewal.id, Ok)
}

pub(in crate::sqlite) fn page_statement(
    vendor: VendorId,
    query: &RenewalQuery,
    after: Option<RenewalId>,
    rows: i64,
) -> Statement {
    let RenewalQuery { host, clinic, state, over, old } = query;
    let mut statement = Statement::new(COLUMNS);
    statement.bind(vendor.as_bytes().as_slice());
    if let Some(host) = host {
        statement.push(" AND r.host = ").bind(host.as_bytes().as_slice());
    }
    if let Some(clinic) = clinic {
        statement.push(" AND r.clinic = ").bind(clinic.as_bytes().as_slice());
    }
    if let Some(state) = state {
        statement.push(" AND r.state = ").bind(state.clone());
    }
    match over {
        Some(true) => statement.push(" AND r.is_over = 1"),
        Some(false) => statement.push(" AND r.is_over = 0"),
        None => &mut statement,
    };
    if let Some(old) = old {
        statement.push(" AND r.old_certificate = ").bind(old.as_bytes().as_slice());
    }
    if let Some(after) = after {
        statement.push(" AND r.id < ").bind(after.as_bytes().as_slice());
    }
    statement.push(" ORDER BY r.id DESC LIMIT ").bind(rows);
    statement
}
