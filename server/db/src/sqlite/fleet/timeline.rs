//! The timeline of one host, newest first.

use inkan_core::ports::{DbResult, Page, PageRequest};
use inkan_model::event::Event;
use inkan_model::{EventId, HostId, VendorId};
use sqlx::SqliteConnection;

use crate::sqlite::cursor::Paging;
use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{Origin, moment};
use crate::sqlite::statement::Statement;

#[derive(sqlx::FromRow)]
struct Row {
    id: Vec<u8>,
    host: Vec<u8>,
    vendor: Vec<u8>,
    at: i64,
    by_operator: Option<Vec<u8>>,
    what: String,
}

impl TryFrom<Row> for Event {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let origin = Origin::new("event", &row.id);
        Ok(Self {
            id: origin.id("id", &row.id)?,
            vendor: origin.id("vendor", &row.vendor)?,
            host: origin.id("host", &row.host)?,
            at: moment(row.at),
            by: row.by_operator.map(|by| origin.id("by_operator", &by)).transpose()?,
            what: origin.json("what", &row.what)?,
        })
    }
}

pub(super) async fn list(
    db: &mut SqliteConnection,
    vendor: VendorId,
    host: HostId,
    request: &PageRequest,
) -> Result<Page<Event>, Fault> {
    let (paging, after) = Paging::read::<EventId>("events", request)?;
    let rows: Vec<Row> = page_statement(vendor, host, after, paging.rows()).fetch(db).await?;
    let events: Vec<Event> = rows.into_iter().map(Event::try_from).collect::<DbResult<_>>()?;
    paging.page(events, |last| last.id, Ok)
}

pub(in crate::sqlite) fn page_statement(
    vendor: VendorId,
    host: HostId,
    after: Option<EventId>,
    rows: i64,
) -> Statement {
    let mut statement =
        Statement::new("SELECT e.id, e.host, e.vendor, e.at, e.by_operator, e.what FROM event e WHERE e.host = ");
    statement.bind(host.as_bytes().as_slice()).push(" AND e.vendor = ").bind(vendor.as_bytes().as_slice());
    if let Some(after) = after {
        statement.push(" AND e.id < ").bind(after.as_bytes().as_slice());
    }
    statement.push(" ORDER BY e.id DESC LIMIT ").bind(rows);
    statement
}
