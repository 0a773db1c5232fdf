//! Renewals written: guarded by the version that was read, with one timeline entry for each state reached.

use inkan_core::ports::{RenewalChange, RenewalCreation, Versioned};
use inkan_model::directive::Generation;
use inkan_model::event::Happening;
use inkan_model::renewal::{PersonTask, Renewal, RenewalState, Requester};
use inkan_model::sync::SpoolPosition;
use inkan_model::{HostId, OperatorId, VendorId};

use super::{due_at, lists};
use crate::sqlite::checkups;
use crate::sqlite::events::{self, Moment};
use crate::sqlite::fault::Fault;
use crate::sqlite::rollups;
use crate::sqlite::rows::{Origin, json};
use crate::sqlite::writer::WriteConnection;

pub(super) async fn create(db: &mut WriteConnection, renewal: &Renewal) -> Result<RenewalCreation, Fault> {
    let live = lists::list_live(db, renewal.host).await?.into_iter().map(|versioned| versioned.value);
    let same = |other: &Renewal| other.location == renewal.location && other.old == renewal.old;
    if let Some(live) = live.into_iter().find(same) {
        return Ok(RenewalCreation::Live(live));
    }
    let clinic: Option<Vec<u8>> = sqlx::query_scalar("SELECT clinic FROM host WHERE id = $1 AND vendor = $2")
        .bind(renewal.host.as_bytes().as_slice())
        .bind(renewal.vendor.as_bytes().as_slice())
        .fetch_optional(&mut **db)
        .await?;
    let clinic = clinic.ok_or_else(|| Fault::conflict("the host"))?;
    insert(db, renewal, &clinic).await?;
    rollups::count_renewal(db, renewal.vendor, renewal.state.name(), 1).await?;
    let by = match renewal.requested_by {
        Requester::Operator(operator) => Some(operator),
        Requester::Planner => None,
    };
    let moment = Moment { vendor: renewal.vendor, host: renewal.host, at: renewal.created_at, by };
    events::record(db, &moment, &moved(renewal)).await?;
    Ok(RenewalCreation::Created)
}

async fn insert(db: &mut WriteConnection, renewal: &Renewal, clinic: &[u8]) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO renewal (id, vendor, clinic, host, location, old_certificate, requested_by, reason, created_at,
                              failures, state, state_facts, is_over, due_at, version, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1, $9)",
    )
    .bind(renewal.id.as_bytes().as_slice())
    .bind(renewal.vendor.as_bytes().as_slice())
    .bind(clinic)
    .bind(renewal.host.as_bytes().as_slice())
    .bind(json(&renewal.location)?)
    .bind(renewal.old.as_bytes().as_slice())
    .bind(json(&renewal.requested_by)?)
    .bind(renewal.reason.as_deref())
    .bind(renewal.created_at.as_unix_millis())
    .bind(i64::from(renewal.failures))
    .bind(renewal.state.name())
    .bind(json(&renewal.state)?)
    .bind(i64::from(renewal.state.is_over()))
    .bind(due_at(&renewal.state).map(inkan_model::Timestamp::as_unix_millis))
    .execute(&mut **db)
    .await?;
    Ok(())
}

fn moved(renewal: &Renewal) -> Happening {
    let why = match &renewal.state {
        RenewalState::Failed { why, .. }
        | RenewalState::Abandoned { why, .. }
        | RenewalState::NeedsPerson {
            what: PersonTask::StepRefused { why, .. } | PersonTask::RepeatedFailure { why },
            ..
        } => Some(why.clone()),
        _ => None,
    };
    Happening::RenewalMoved { renewal: renewal.id, state: renewal.state.name().to_owned(), why }
}

#[derive(sqlx::FromRow)]
struct HostRow {
    vendor: Vec<u8>,
    spool_epoch: i64,
    spool_sequence: i64,
    generation: i64,
    applied_generation: i64,
}

pub(super) async fn record(db: &mut WriteConnection, host: HostId, change: &RenewalChange) -> Result<(), Fault> {
    let sql = "SELECT vendor, spool_epoch, spool_sequence, generation, applied_generation FROM host WHERE id = $1";
    let row: Option<HostRow> = sqlx::query_as(sql).bind(host.as_bytes().as_slice()).fetch_optional(&mut **db).await?;
    let row = row.ok_or_else(|| Fault::conflict("the host"))?;
    let vendor: VendorId = Origin::new("host", &host).id("vendor", &row.vendor)?;
    let moment = Moment { vendor, host, at: change.now, by: change.by };
    for one in &change.moved {
        move_one(db, &moment, one).await?;
    }
    checkups::record_answers(db, host, &change.checkups, change.now).await?;
    update_host(db, host, &row, change).await
}

async fn move_one(db: &mut WriteConnection, moment: &Moment, one: &Versioned<Renewal>) -> Result<(), Fault> {
    let Versioned { version, value: renewal } = one;
    let state = json(&renewal.state)?;
    let sql = "SELECT state, state_facts FROM renewal WHERE id = $1 AND host = $2 AND version = $3";
    let expected = i64::try_from(*version).unwrap_or(i64::MAX);
    let before: Option<(String, String)> = sqlx::query_as(sql)
        .bind(renewal.id.as_bytes().as_slice())
        .bind(moment.host.as_bytes().as_slice())
        .bind(expected)
        .fetch_optional(&mut **db)
        .await?;
    let (name_before, state_before) = before.ok_or_else(|| Fault::conflict("the renewal"))?;
    sqlx::query(
        "UPDATE renewal SET failures = $2, state = $3, state_facts = $4, is_over = $5, due_at = $6,
                version = version + 1, updated_at = $7
         WHERE id = $1",
    )
    .bind(renewal.id.as_bytes().as_slice())
    .bind(i64::from(renewal.failures))
    .bind(renewal.state.name())
    .bind(state.as_str())
    .bind(i64::from(renewal.state.is_over()))
    .bind(due_at(&renewal.state).map(inkan_model::Timestamp::as_unix_millis))
    .bind(moment.at.as_unix_millis())
    .execute(&mut **db)
    .await?;
    if state == state_before {
        return Ok(());
    }
    rollups::count_renewal(db, moment.vendor, &name_before, -1).await?;
    rollups::count_renewal(db, moment.vendor, renewal.state.name(), 1).await?;
    events::record(db, &Moment { by: person(renewal).or(moment.by), ..*moment }, &moved(renewal)).await
}

/// The person whom the state itself names.
const fn person(renewal: &Renewal) -> Option<OperatorId> {
    match renewal.state {
        RenewalState::Abandoned { by, .. } => by,
        _ => None,
    }
}

async fn update_host(
    db: &mut WriteConnection,
    host: HostId,
    row: &HostRow,
    change: &RenewalChange,
) -> Result<(), Fault> {
    let spool = SpoolPosition { epoch: row.spool_epoch.cast_unsigned(), sequence: row.spool_sequence.cast_unsigned() };
    let generation = Generation(row.generation.cast_unsigned());
    let applied = Generation(row.applied_generation.cast_unsigned());
    let next_generation = match change.generation {
        None => generation,
        Some((expected, next)) if expected == generation => next,
        Some(_) => return Err(Fault::conflict("the host's directives")),
    };
    // What was acknowledged once stays acknowledged, whatever a late message says.
    let next_spool = change.acknowledged.map_or(spool, |position| position.max(spool));
    let next_applied = change.applied.unwrap_or(applied);
    if (next_spool, next_generation, next_applied) == (spool, generation, applied) {
        return Ok(());
    }
    let sql = "UPDATE host SET spool_epoch = $2, spool_sequence = $3, generation = $4, applied_generation = $5
               WHERE id = $1";
    sqlx::query(sql)
        .bind(host.as_bytes().as_slice())
        .bind(next_spool.epoch.cast_signed())
        .bind(next_spool.sequence.cast_signed())
        .bind(next_generation.0.cast_signed())
        .bind(next_applied.0.cast_signed())
        .execute(&mut **db)
        .await?;
    Ok(())
}
