//! Entries of timelines, written in the transaction that makes them true.

use inkan_model::event::Happening;
use inkan_model::id::Event;
use inkan_model::{HostId, OperatorId, Timestamp, VendorId};

use super::fault::Fault;
use super::rows::json;
use super::writer::WriteConnection;

/// Whose timeline, when, and by whom.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) vendor: VendorId,
    pub(crate) host: HostId,
    pub(crate) at: Timestamp,
    pub(crate) by: Option<OperatorId>,
}

/// Adds an entry to a timeline.
pub(crate) async fn record(db: &mut WriteConnection, moment: &Moment, what: &Happening) -> Result<(), Fault> {
    let id = db.new_id::<Event>(moment.at);
    let by = moment.by.map(|operator| operator.as_bytes().to_vec());
    sqlx::query("INSERT INTO event (host, id, vendor, at, by_operator, what) VALUES ($1, $2, $3, $4, $5, $6)")
        .bind(moment.host.as_bytes().as_slice())
        .bind(id.as_bytes().as_slice())
        .bind(moment.vendor.as_bytes().as_slice())
        .bind(moment.at.as_unix_millis())
        .bind(by)
        .bind(json(what)?)
        .execute(&mut **db)
        .await?;
    Ok(())
}
