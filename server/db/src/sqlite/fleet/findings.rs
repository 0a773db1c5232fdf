//! Open findings, most urgent first.

use inkan_core::ports::{DbResult, FindingQuery, FindingRow, Page, PageRequest};
use inkan_model::{FindingId, HostId, VendorId};
use sqlx::SqliteConnection;

use crate::sqlite::cursor::Paging;
use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{ClinicColumns, Origin, diagnosis, moment, urgency_code};
use crate::sqlite::statement::Statement;

const COLUMNS: &str = "SELECT f.id, f.host, f.subject, f.urgency, f.detail, f.opened_at,
            (SELECT h.name FROM host h WHERE h.id = f.host) AS host_name,
            (SELECT r.id FROM renewal r
             WHERE r.host = f.host AND r.location = f.location AND r.old_certificate = f.certificate
               AND r.is_over = 0) AS live_renewal,
            c.id AS clinic_id, c.vendor AS clinic_vendor, c.code AS clinic_code, c.name AS clinic_name,
            c.kind AS clinic_kind, c.prefecture AS clinic_prefecture, c.contact AS clinic_contact,
            c.phone AS clinic_phone, c.mail AS clinic_mail
     FROM finding f LEFT JOIN clinic c ON c.id = f.clinic
     WHERE f.closed_at IS NULL AND f.vendor = ";

#[derive(sqlx::FromRow)]
struct Row {
    id: Vec<u8>,
    host: Vec<u8>,
    subject: String,
    urgency: i64,
    detail: String,
    opened_at: i64,
    host_name: Option<String>,
    live_renewal: Option<Vec<u8>>,
    #[sqlx(flatten)]
    clinic: ClinicColumns,
}

impl TryFrom<Row> for FindingRow {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let origin = Origin::new("finding", &row.id);
        Ok(Self {
            id: origin.id("id", &row.id)?,
            diagnosis: diagnosis(origin, &row.subject, row.urgency, &row.detail)?,
            opened_at: moment(row.opened_at),
            host: origin.id("host", &row.host)?,
            host_name: row.host_name.ok_or_else(|| origin.inconsistent("host"))?,
            live_renewal: row.live_renewal.map(|id| Origin::new("renewal", &id).id("id", &id)).transpose()?,
            clinic: row.clinic.try_into()?,
        })
    }
}

/// The sort key of a finding: urgency, the clinic's code, host, identifier.
pub(in crate::sqlite) type FindingKey = (i64, String, HostId, FindingId);

pub(super) async fn list(
    db: &mut SqliteConnection,
    vendor: VendorId,
    query: &FindingQuery,
    request: &PageRequest,
) -> Result<Page<FindingRow>, Fault> {
    let (paging, after) = Paging::read::<FindingKey>("findings", request)?;
    let rows: Vec<Row> = page_statement(vendor, query, after, paging.rows()).fetch(db).await?;
    let rows: Vec<FindingRow> = rows.into_iter().map(FindingRow::try_from).collect::<DbResult<_>>()?;
    let key = |last: &FindingRow| {
        (urgency_code(last.diagnosis.urgency), last.clinic.profile.code.to_string(), last.host, last.id)
    };
    paging.page(rows, key, Ok)
}

pub(in crate::sqlite) fn page_statement(
    vendor: VendorId,
    query: &FindingQuery,
    after: Option<FindingKey>,
    rows: i64,
) -> Statement {
    let FindingQuery { rule, urgency, clinic, host } = query;
    let mut statement = Statement::new(COLUMNS);
    statement.bind(vendor.as_bytes().as_slice());
    match host {
        // A host's own page shows what is open even when it is out of service.
        Some(host) => statement.push(" AND f.host = ").bind(host.as_bytes().as_slice()),
        None => statement.push(" AND f.in_service = 1"),
    };
    if let Some(clinic) = clinic {
        statement.push(" AND f.clinic = ").bind(clinic.as_bytes().as_slice());
    }
    if let Some(rule) = rule {
        statement.push(" AND f.rule = ").bind(rule.name());
    }
    if let Some(urgency) = urgency {
        statement.push(" AND f.urgency = ").bind(urgency_code(*urgency));
    }
    if let Some((urgency, code, host, id)) = after {
        statement.push(" AND (f.urgency, f.clinic_code, f.host, f.id) > (").bind(urgency).push(", ").bind(code);
        statement.push(", ").bind(host.as_bytes().as_slice()).push(", ").bind(id.as_bytes().as_slice()).push(")");
    }
    statement.push(" ORDER BY f.urgency, f.clinic_code, f.host, f.id LIMIT ").bind(rows);
    statement
}
