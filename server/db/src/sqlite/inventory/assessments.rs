//! What the rules found: findings open and close by themselves, and the host's own counts follow.

use std::collections::BTreeMap;

use inkan_core::ports::AssessmentRecord;
use inkan_model::event::Happening;
use inkan_model::finding::Diagnosis;
use inkan_model::id::Finding;
use inkan_model::{HostId, Timestamp};

use crate::sqlite::events::{self, Moment};
use crate::sqlite::fault::Fault;
use crate::sqlite::rollups::{self, HostBucket};
use crate::sqlite::rows::{NO_URGENCY, Origin, is_in_service, json, location_of, urgency_code};
use crate::sqlite::writer::WriteConnection;

pub(in crate::sqlite) const LIST_TO_REVIEW: &str =
    "SELECT id FROM host WHERE next_review <= $1 ORDER BY next_review, id LIMIT $2";

#[derive(sqlx::FromRow)]
struct OpenRow {
    id: Vec<u8>,
    rule: String,
    subject: String,
    urgency: i64,
    detail: String,
}

/// The host that is assessed.
struct Patient {
    host: HostId,
    bucket: HostBucket,
    clinic_code: String,
    now: Timestamp,
}

impl Patient {
    const fn moment(&self) -> Moment {
        Moment { vendor: self.bucket.vendor, host: self.host, at: self.now, by: None }
    }

    async fn count(&self, db: &mut WriteConnection, rule: &str, urgency: i64, by: i64) -> Result<(), Fault> {
        if is_in_service(self.bucket.state) {
            rollups::count_finding(db, self.bucket.vendor, rule, urgency, by).await?;
        }
        Ok(())
    }
}

pub(super) async fn record(
    db: &mut WriteConnection,
    host: HostId,
    diagnoses: &[Diagnosis],
    next_review: Timestamp,
    now: Timestamp,
) -> Result<AssessmentRecord, Fault> {
    let bucket = rollups::find_bucket(db, host).await?.ok_or_else(|| Fault::conflict("the host"))?;
    let clinic_code = sqlx::query_scalar("SELECT code FROM clinic WHERE id = $1")
        .bind(bucket.clinic.as_bytes().as_slice())
        .fetch_one(&mut **db)
        .await?;
    let patient = Patient { host, bucket, clinic_code, now };
    let mut done = AssessmentRecord::default();
    let mut wanted = by_subject(diagnoses)?;
    let worst = wanted.values().map(|diagnosis| urgency_code(diagnosis.urgency)).min().unwrap_or(NO_URGENCY);
    let findings = i64::try_from(wanted.len()).unwrap_or(i64::MAX);
    for row in find_open(db, host).await? {
        match wanted.remove(&row.subject) {
            None => {
                close(db, &patient, &row).await?;
                done.closed += 1;
            }
            Some(stays) => done.changed += u32::from(update(db, &patient, &row, stays).await?),
        }
    }
    for (subject, diagnosis) in wanted {
        open(db, &patient, &subject, diagnosis).await?;
        done.opened += 1;
    }
    update_host(db, &patient, worst, findings, next_review).await?;
    Ok(done)
}

/// Diagnoses by their subject's JSON. Where one subject was diagnosed twice, the more urgent one counts.
fn by_subject(diagnoses: &[Diagnosis]) -> Result<BTreeMap<String, &Diagnosis>, Fault> {
    let mut wanted: BTreeMap<String, &Diagnosis> = BTreeMap::new();
    for diagnosis in diagnoses {
        let known = wanted.entry(json(&diagnosis.subject)?).or_insert(diagnosis);
        if diagnosis.urgency < known.urgency {
            *known = diagnosis;
        }
    }
    Ok(wanted)
}

async fn find_open(db: &mut WriteConnection, host: HostId) -> Result<Vec<OpenRow>, Fault> {
    let sql = "SELECT id, rule, subject, urgency, detail FROM finding WHERE host = $1 AND closed_at IS NULL";
    Ok(sqlx::query_as(sql).bind(host.as_bytes().as_slice()).fetch_all(&mut **db).await?)
}

async fn close(db: &mut WriteConnection, patient: &Patient, row: &OpenRow) -> Result<(), Fault> {
    sqlx::query("UPDATE finding SET closed_at = $2 WHERE id = $1")
        .bind(row.id.as_slice())
        .bind(patient.now.as_unix_millis())
        .execute(&mut **db)
        .await?;
    patient.count(db, &row.rule, row.urgency, -1).await?;
    let subject = Origin::new("finding", &row.id).json("subject", &row.subject)?;
    events::record(db, &patient.moment(), &Happening::FindingClosed { subject }).await
}

/// Whether anything changed.
async fn update(
    db: &mut WriteConnection,
    patient: &Patient,
    row: &OpenRow,
    diagnosis: &Diagnosis,
) -> Result<bool, Fault> {
    let (urgency, detail) = (urgency_code(diagnosis.urgency), json(&diagnosis.detail)?);
    if urgency == row.urgency && detail == row.detail {
        return Ok(false);
    }
    sqlx::query("UPDATE finding SET urgency = $2, detail = $3 WHERE id = $1")
        .bind(row.id.as_slice())
        .bind(urgency)
        .bind(detail)
        .execute(&mut **db)
        .await?;
    if urgency != row.urgency {
        patient.count(db, &row.rule, row.urgency, -1).await?;
        patient.count(db, &row.rule, urgency, 1).await?;
    }
    Ok(true)
}

async fn open(db: &mut WriteConnection, patient: &Patient, subject: &str, diagnosis: &Diagnosis) -> Result<(), Fault> {
    let id = db.new_id::<Finding>(patient.now);
    let (rule, urgency) = (diagnosis.subject.rule().name(), urgency_code(diagnosis.urgency));
    let HostBucket { vendor, clinic, state, .. } = &patient.bucket;
    sqlx::query(
        "INSERT INTO finding (id, vendor, clinic, clinic_code, host, in_service, rule, subject, certificate, location,
                              urgency, detail, opened_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind(id.as_bytes().as_slice())
    .bind(vendor.as_bytes().as_slice())
    .bind(clinic.as_bytes().as_slice())
    .bind(patient.clinic_code.as_str())
    .bind(patient.host.as_bytes().as_slice())
    .bind(i64::from(is_in_service(*state)))
    .bind(rule)
    .bind(subject)
    .bind(diagnosis.subject.certificate().map(|certificate| certificate.as_bytes().to_vec()))
    .bind(location_of(&diagnosis.subject).map(json).transpose()?)
    .bind(urgency)
    .bind(json(&diagnosis.detail)?)
    .bind(patient.now.as_unix_millis())
    .execute(&mut **db)
    .await?;
    patient.count(db, rule, urgency, 1).await?;
    let what = Happening::FindingOpened { subject: diagnosis.subject.clone() };
    events::record(db, &patient.moment(), &what).await
}

async fn update_host(
    db: &mut WriteConnection,
    patient: &Patient,
    worst: i64,
    findings: i64,
    next_review: Timestamp,
) -> Result<(), Fault> {
    // A report that came after the assessment began was not looked at yet: its review stays due.
    let sql = "UPDATE host
               SET worst = $2, findings = $3,
                   next_review = CASE WHEN reported_at > $5 AND next_review < $4 THEN next_review ELSE $4 END
               WHERE id = $1";
    sqlx::query(sql)
        .bind(patient.host.as_bytes().as_slice())
        .bind(worst)
        .bind(findings)
        .bind(next_review.as_unix_millis())
        .bind(patient.now.as_unix_millis())
        .execute(&mut **db)
        .await?;
    rollups::move_host(db, &patient.bucket, &HostBucket { worst, ..patient.bucket.clone() }).await
}
