//! The list of hosts, and how many there are.

use inkan_core::ports::{DbResult, HostQuery, HostRow, Page, PageRequest};
use inkan_model::{HostId, VendorId};
use sqlx::SqliteConnection;

use super::push_search;
use crate::sqlite::cursor::Paging;
use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{Origin, code, is_in_service, moment, urgency_code};
use crate::sqlite::statement::Statement;

/// Rows of a page are found in the index alone; clinic and presence are looked up for those that are shown.
const COLUMNS: &str = "SELECT h.id, h.name, h.os, h.agent_version, h.state, h.clinic, h.prefecture, h.installations,
            h.next_expiry, h.findings, h.worst,
            (SELECT p.last_seen FROM presence p WHERE p.host = h.id) AS last_seen,
            (SELECT c.name FROM clinic c WHERE c.id = h.clinic) AS clinic_name
     FROM host h WHERE ";

#[derive(sqlx::FromRow)]
struct Row {
    id: Vec<u8>,
    name: String,
    os: String,
    agent_version: String,
    state: String,
    clinic: Vec<u8>,
    prefecture: i64,
    installations: i64,
    next_expiry: Option<i64>,
    findings: i64,
    worst: i64,
    last_seen: Option<i64>,
    clinic_name: Option<String>,
}

impl TryFrom<Row> for HostRow {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: Row) -> DbResult<Self> {
        let origin = Origin::new("host", &row.id);
        Ok(Self {
            id: origin.id("id", &row.id)?,
            state: origin.code("state", &row.state)?,
            last_seen: row.last_seen.map(moment).ok_or_else(|| origin.inconsistent("id"))?,
            clinic: origin.id("clinic", &row.clinic)?,
            clinic_name: row.clinic_name.ok_or_else(|| origin.inconsistent("clinic"))?,
            prefecture: origin.prefecture(row.prefecture)?,
            installations: origin.number("installations", row.installations)?,
            next_expiry: row.next_expiry.map(moment),
            findings: origin.number("findings", row.findings)?,
            worst: origin.worst(row.worst)?,
            name: row.name,
            os: row.os,
            agent_version: row.agent_version,
        })
    }
}

/// The sort key of a host: worst urgency, name, identifier.
pub(in crate::sqlite) type HostKey = (i64, String, HostId);

pub(super) async fn list(
    db: &mut SqliteConnection,
    vendor: VendorId,
    query: &HostQuery,
    request: &PageRequest,
) -> Result<Page<HostRow>, Fault> {
    let (paging, after) = Paging::read::<HostKey>("hosts", request)?;
    let rows: Vec<Row> = page_statement(vendor, query, after, paging.rows())?.fetch(db).await?;
    let keyed: Vec<(i64, HostRow)> =
        rows.into_iter().map(|row| Ok((row.worst, row.try_into()?))).collect::<DbResult<_>>()?;
    paging.page(keyed, |(worst, last)| (*worst, last.name.clone(), last.id), |(_, row)| Ok(row))
}

pub(in crate::sqlite) fn page_statement(
    vendor: VendorId,
    query: &HostQuery,
    after: Option<HostKey>,
    rows: i64,
) -> Result<Statement, Fault> {
    let mut statement = Statement::new(COLUMNS);
    push_conditions(&mut statement, vendor, query)?;
    if let Some((worst, name, id)) = after {
        statement.push(" AND (h.worst, h.name, h.id) > (").bind(worst).push(", ").bind(name).push(", ");
        statement.bind(id.as_bytes().as_slice()).push(")");
    }
    statement.push(" ORDER BY h.worst, h.name, h.id LIMIT ").bind(rows);
    Ok(statement)
}

pub(super) async fn count(db: &mut SqliteConnection, vendor: VendorId, query: &HostQuery) -> Result<u64, Fault> {
    let statement = match rollup_statement(vendor, query)? {
        Some(statement) => statement,
        None => count_statement(vendor, query)?,
    };
    let counted: i64 = statement.fetch::<(i64,)>(db).await?.iter().map(|(hosts,)| hosts).sum();
    Ok(Origin::new("rollup_host", &vendor).number("hosts", counted)?)
}

fn count_statement(vendor: VendorId, query: &HostQuery) -> Result<Statement, Fault> {
    let mut statement = Statement::new("SELECT count(*) FROM host h WHERE ");
    push_conditions(&mut statement, vendor, query)?;
    Ok(statement)
}

/// The rollup that has the answer, where the filter is one that it can answer.
fn rollup_statement(vendor: VendorId, query: &HostQuery) -> Result<Option<Statement>, Fault> {
    let HostQuery { search, clinic, prefecture, rule, urgency, state, silent_since } = query;
    let filters = clinic.is_some() || prefecture.is_some() || rule.is_some() || urgency.is_some();
    if filters || silent_since.is_some() || search.as_deref().is_some_and(|text| !text.trim().is_empty()) {
        return Ok(None);
    }
    let mut statement = Statement::new("SELECT hosts FROM rollup_host WHERE vendor = ");
    statement.bind(vendor.as_bytes().as_slice());
    match state {
        Some(state) => statement.push(" AND state = ").bind(code(state)?),
        None => statement.push(" AND state NOT IN ('retired', 'banned')"),
    };
    Ok(Some(statement))
}

fn push_conditions(statement: &mut Statement, vendor: VendorId, query: &HostQuery) -> Result<(), Fault> {
    let HostQuery { search, clinic, prefecture, rule, urgency, state, silent_since } = query;
    let in_service = state.is_none_or(is_in_service);
    statement.push("h.vendor = ").bind(vendor.as_bytes().as_slice());
    statement.push(if in_service { " AND h.in_service = 1" } else { " AND h.in_service = 0" });
    if let Some(state) = state {
        statement.push(" AND h.state = ").bind(code(state)?);
    }
    if let Some(clinic) = clinic {
        statement.push(" AND h.clinic = ").bind(clinic.as_bytes().as_slice());
    }
    if let Some(prefecture) = prefecture {
        statement.push(" AND h.prefecture = ").bind(i64::from(prefecture.number()));
    }
    if let Some(urgency) = urgency {
        // The first condition lets the index leave out hosts that cannot have one.
        statement.push(" AND h.worst <= ").bind(urgency_code(*urgency));
        statement.push(" AND EXISTS (SELECT 1 FROM finding f WHERE f.vendor = h.vendor AND f.host = h.id");
        statement.push(" AND f.closed_at IS NULL AND f.urgency = ").bind(urgency_code(*urgency)).push(")");
    }
    if let Some(rule) = rule {
        statement.push(" AND h.worst < 3");
        statement.push(" AND EXISTS (SELECT 1 FROM finding f WHERE f.vendor = h.vendor AND f.host = h.id");
        statement.push(" AND f.closed_at IS NULL AND f.rule = ").bind(rule.name()).push(")");
    }
    if let Some(since) = silent_since {
        statement.push(" AND EXISTS (SELECT 1 FROM presence p WHERE p.host = h.id AND p.last_seen <= ");
        statement.bind(since.as_unix_millis()).push(")");
    }
    push_search(statement, "h.search_text", search.as_deref());
    Ok(())
}
