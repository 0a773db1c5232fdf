//! A PC joins: token, host and identity in one transaction.

use inkan_core::ports::{EnrolmentRecord, NewEnrolment, TokenRefusal};
use inkan_core::search::fold;
use inkan_model::event::Happening;
use inkan_model::host::HostState;
use inkan_model::identity::{ENROLMENT_RETRY, RECOVERY_LIMIT};
use inkan_model::{ClinicId, HostId, Timestamp, VendorId};

use crate::sqlite::events::{self, Moment};
use crate::sqlite::fault::Fault;
use crate::sqlite::rollups::{self, HostBucket};
use crate::sqlite::rows::{NO_URGENCY, Origin, chain_bytes, code, is_in_service, json, moment};
use crate::sqlite::writer::WriteConnection;

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: Vec<u8>,
    vendor: Vec<u8>,
    clinic: Vec<u8>,
    expires_at: i64,
    uses: i64,
    used: i64,
    approve: i64,
    revoked_at: Option<i64>,
    prefecture: i64,
    search_text: String,
}

#[derive(sqlx::FromRow)]
struct EarlierUse {
    host: Vec<u8>,
    used_at: i64,
    chain: Vec<u8>,
    state: String,
}

/// Where the new host will stand.
struct Place {
    vendor: VendorId,
    clinic: ClinicId,
    prefecture: i64,
    state: HostState,
    search_text: String,
}

pub(super) async fn record(db: &mut WriteConnection, enrolment: &NewEnrolment) -> Result<EnrolmentRecord, Fault> {
    let now = enrolment.identity.issued_at;
    let Some(token) = find_token(db, enrolment.token_hash).await? else {
        return Ok(EnrolmentRecord::Refused(TokenRefusal::Unknown));
    };
    if is_banned(db, enrolment.spki_sha256).await? {
        return Ok(EnrolmentRecord::Refused(TokenRefusal::Banned));
    }
    // Before the token's own state: the answer to the first request may have been lost just before the token ended.
    if let Some(repeated) = find_repetition(db, &token, enrolment, now).await? {
        return Ok(repeated);
    }
    if let Some(refusal) = refusal(&token, now) {
        return Ok(EnrolmentRecord::Refused(refusal));
    }
    let origin = Origin::new("join_token", &token.id);
    let place = Place {
        vendor: origin.id("vendor", &token.vendor)?,
        clinic: origin.id("clinic", &token.clinic)?,
        prefecture: token.prefecture,
        state: if origin.flag("approve", token.approve)? { HostState::Active } else { HostState::ReportOnly },
        search_text: format!("{}\n{}", fold(&enrolment.facts.host_name), token.search_text),
    };
    insert_host(db, enrolment, &place).await?;
    insert_use(db, &token.id, enrolment).await?;
    let Place { vendor, clinic, prefecture, state, .. } = place;
    rollups::add_host(db, &HostBucket { vendor, clinic, prefecture, state, worst: NO_URGENCY }).await?;
    events::record(db, &Moment { vendor, host: enrolment.host, at: now, by: None }, &Happening::Enrolled).await?;
    Ok(EnrolmentRecord::Enrolled { host: enrolment.host, state })
}

async fn find_token(db: &mut WriteConnection, hash: [u8; 32]) -> Result<Option<TokenRow>, Fault> {
    let sql = "SELECT t.id, t.vendor, t.clinic, t.expires_at, t.uses, t.approve, t.revoked_at,
                      (SELECT count(*) FROM join_token_use u WHERE u.token = t.id) AS used,
                      c.prefecture, c.search_text
               FROM join_token t JOIN clinic c ON c.id = t.clinic
               WHERE t.hash = $1";
    Ok(sqlx::query_as(sql).bind(hash.as_slice()).fetch_optional(&mut **db).await?)
}

async fn is_banned(db: &mut WriteConnection, spki_sha256: [u8; 32]) -> Result<bool, Fault> {
    let sql = "SELECT EXISTS (SELECT 1 FROM host WHERE spki_sha256 = $1 AND state = $2)";
    let found: i64 = sqlx::query_scalar(sql)
        .bind(spki_sha256.as_slice())
        .bind(code(HostState::Banned)?)
        .fetch_one(&mut **db)
        .await?;
    Ok(found != 0)
}

async fn find_repetition(
    db: &mut WriteConnection,
    token: &TokenRow,
    enrolment: &NewEnrolment,
    now: Timestamp,
) -> Result<Option<EnrolmentRecord>, Fault> {
    let sql = "SELECT u.host, u.used_at, u.chain, h.state
               FROM join_token_use u JOIN host h ON h.id = u.host
               WHERE u.token = $1 AND u.spki_sha256 = $2
               ORDER BY u.used_at DESC LIMIT 1";
    let earlier: Option<EarlierUse> = sqlx::query_as(sql)
        .bind(token.id.as_slice())
        .bind(enrolment.spki_sha256.as_slice())
        .fetch_optional(&mut **db)
        .await?;
    let Some(earlier) = earlier else { return Ok(None) };
    if now.since(moment(earlier.used_at)) > ENROLMENT_RETRY {
        return Ok(None);
    }
    let origin = Origin::new("join_token_use", &earlier.host);
    Ok(Some(EnrolmentRecord::Repeated {
        host: origin.id("host", &earlier.host)?,
        state: origin.code("state", &earlier.state)?,
        chain: origin.chain(&earlier.chain)?,
    }))
}

fn refusal(token: &TokenRow, now: Timestamp) -> Option<TokenRefusal> {
    if token.revoked_at.is_some() {
        return Some(TokenRefusal::Revoked);
    }
    if moment(token.expires_at) < now {
        return Some(TokenRefusal::Expired);
    }
    (token.used >= token.uses).then_some(TokenRefusal::UsedUp)
}

async fn insert_host(db: &mut WriteConnection, enrolment: &NewEnrolment, place: &Place) -> Result<(), Fault> {
    let NewEnrolment { host, spki_sha256, machine_binding, facts, identity, .. } = enrolment;
    let now = identity.issued_at.as_unix_millis();
    sqlx::query(
        "INSERT INTO host (id, vendor, clinic, prefecture, state, in_service, name, os, agent_version, search_text,
                           facts, enrolled_at, spki_sha256, machine_binding, current_serial, current_issued_at,
                           current_not_after, recovery_limit, next_review)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .bind(host.as_bytes().as_slice())
    .bind(place.vendor.as_bytes().as_slice())
    .bind(place.clinic.as_bytes().as_slice())
    .bind(place.prefecture)
    .bind(code(place.state)?)
    .bind(i64::from(is_in_service(place.state)))
    .bind(facts.host_name.as_str())
    .bind(facts.os.as_str())
    .bind(facts.agent_version.as_str())
    .bind(place.search_text.as_str())
    .bind(json(facts)?)
    .bind(now)
    .bind(spki_sha256.as_slice())
    .bind(machine_binding.as_slice())
    .bind(identity.serial.as_slice())
    .bind(now)
    .bind(identity.not_after.as_unix_millis())
    .bind(i64::from(RECOVERY_LIMIT))
    .bind(now)
    .execute(&mut **db)
    .await?;
    insert_presence(db, *host, place, now).await
}

async fn insert_presence(db: &mut WriteConnection, host: HostId, place: &Place, now: i64) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO presence (host, vendor, in_service, last_seen, clock_offset_ms) VALUES ($1, $2, $3, $4, 0)",
    )
    .bind(host.as_bytes().as_slice())
    .bind(place.vendor.as_bytes().as_slice())
    .bind(i64::from(is_in_service(place.state)))
    .bind(now)
    .execute(&mut **db)
    .await?;
    Ok(())
}

async fn insert_use(db: &mut WriteConnection, token: &[u8], enrolment: &NewEnrolment) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO join_token_use (token, host, spki_sha256, used_at, source, chain) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(token)
    .bind(enrolment.host.as_bytes().as_slice())
    .bind(enrolment.spki_sha256.as_slice())
    .bind(enrolment.identity.issued_at.as_unix_millis())
    .bind(enrolment.source.to_string())
    .bind(chain_bytes(&enrolment.identity.chain)?)
    .execute(&mut **db)
    .await?;
    Ok(())
}
