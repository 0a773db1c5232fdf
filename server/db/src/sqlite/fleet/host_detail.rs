//! One host in detail.

use inkan_core::ports::{DbResult, HostDetail};
use inkan_model::directive::Generation;
use inkan_model::{HostId, VendorId};
use sqlx::SqliteConnection;

use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{ClinicColumns, Origin, diagnosis, moment};

const FIND: &str = "SELECT h.facts, h.state, h.enrolled_at, p.last_seen, p.clock_offset_ms, h.reported_at,
            h.current_not_after, h.generation, h.applied_generation,
            c.id AS clinic_id, c.vendor AS clinic_vendor, c.code AS clinic_code, c.name AS clinic_name,
            c.kind AS clinic_kind, c.prefecture AS clinic_prefecture, c.contact AS clinic_contact,
            c.phone AS clinic_phone, c.mail AS clinic_mail
     FROM host h JOIN clinic c ON c.id = h.clinic JOIN presence p ON p.host = h.id
     WHERE h.id = $1 AND h.vendor = $2";

const LIST_FINDINGS: &str = "SELECT f.id, f.subject, f.urgency, f.detail FROM finding f
     WHERE f.vendor = $1 AND f.host = $2 AND f.closed_at IS NULL
     ORDER BY f.urgency, f.clinic_code, f.id";

#[derive(sqlx::FromRow)]
struct Row {
    facts: String,
    state: String,
    enrolled_at: i64,
    last_seen: i64,
    clock_offset_ms: i64,
    reported_at: Option<i64>,
    current_not_after: i64,
    generation: i64,
    applied_generation: i64,
    #[sqlx(flatten)]
    clinic: ClinicColumns,
}

#[derive(sqlx::FromRow)]
struct FindingRow {
    id: Vec<u8>,
    subject: String,
    urgency: i64,
    detail: String,
}

pub(super) async fn find(
    db: &mut SqliteConnection,
    vendor: VendorId,
    host: HostId,
) -> Result<Option<HostDetail>, Fault> {
    let row: Option<Row> = sqlx::query_as(FIND)
        .bind(host.as_bytes().as_slice())
        .bind(vendor.as_bytes().as_slice())
        .fetch_optional(&mut *db)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let findings: Vec<FindingRow> = sqlx::query_as(LIST_FINDINGS)
        .bind(vendor.as_bytes().as_slice())
        .bind(host.as_bytes().as_slice())
        .fetch_all(db)
        .await?;
    let folded = findings
        .iter()
        .map(|row| diagnosis(Origin::new("finding", &row.id), &row.subject, row.urgency, &row.detail))
        .collect::<DbResult<_>>()?;
    let origin = Origin::new("host", &host);
    Ok(Some(HostDetail {
        id: host,
        clinic: row.clinic.try_into()?,
        facts: origin.json("facts", &row.facts)?,
        state: origin.code("state", &row.state)?,
        enrolled_at: moment(row.enrolled_at),
        last_seen: moment(row.last_seen),
        clock_offset_ms: row.clock_offset_ms,
        reported_at: row.reported_at.map(moment),
        identity_not_after: moment(row.current_not_after),
        generation: Generation(row.generation.cast_unsigned()),
        applied_generation: Generation(row.applied_generation.cast_unsigned()),
        findings: folded,
    }))
}
