//! What a host may do, changed by an operator.

use inkan_model::event::Happening;
use inkan_model::host::HostState;
use inkan_model::{HostId, OperatorId, Timestamp, VendorId};

use crate::sqlite::events::{self, Moment};
use crate::sqlite::fault::Fault;
use crate::sqlite::rollups::{self, HostBucket};
use crate::sqlite::rows::{code, is_in_service};
use crate::sqlite::writer::WriteConnection;

pub(super) async fn set(
    db: &mut WriteConnection,
    vendor: VendorId,
    host: HostId,
    to: HostState,
    by: OperatorId,
    now: Timestamp,
) -> Result<bool, Fault> {
    let before = rollups::find_bucket(db, host).await?.filter(|bucket| bucket.vendor == vendor);
    let Some(before) = before else { return Ok(false) };
    if before.state == to {
        return Ok(true);
    }
    let (was, is) = (is_in_service(before.state), is_in_service(to));
    // An operator has looked at a conflict once they give the host another state; the next one is news again, and the
    // host may recover by its key as often as a new one.
    let sql =
        "UPDATE host SET state = $2, in_service = $3, next_review = $4, identity_conflict_at = NULL, recoveries = 0
               WHERE id = $1";
    sqlx::query(sql)
        .bind(host.as_bytes().as_slice())
        .bind(code(to)?)
        .bind(i64::from(is))
        .bind(now.as_unix_millis())
        .execute(&mut **db)
        .await?;
    if was != is {
        rollups::move_in_or_out_of_service(db, vendor, host, is).await?;
    }
    rollups::move_host(db, &before, &HostBucket { state: to, ..before.clone() }).await?;
    events::record(db, &Moment { vendor, host, at: now, by: Some(by) }, &Happening::StateChanged { to }).await?;
    Ok(true)
}
