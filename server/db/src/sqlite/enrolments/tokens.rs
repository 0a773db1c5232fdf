//! Join tokens as rows.

use inkan_core::ports::{DbResult, Page, PageRequest};
use inkan_model::join_token::JoinToken;
use inkan_model::{HostId, JoinTokenId, Timestamp, VendorId};
use sqlx::SqliteConnection;

use crate::sqlite::cursor::Paging;
use crate::sqlite::fault::Fault;
use crate::sqlite::rows::{Origin, moment};
use crate::sqlite::statement::{CHUNK, Statement};
use crate::sqlite::writer::WriteConnection;

const COLUMNS: &str = "SELECT t.id, t.vendor, t.clinic, t.created_by, t.created_at, t.expires_at, t.uses, t.approve,
            t.revoked_at
     FROM join_token t WHERE ";

#[derive(sqlx::FromRow)]
struct TokenRow {
    id: Vec<u8>,
    vendor: Vec<u8>,
    clinic: Vec<u8>,
    created_by: Vec<u8>,
    created_at: i64,
    expires_at: i64,
    uses: i64,
    approve: i64,
    revoked_at: Option<i64>,
}

impl TokenRow {
    /// Folds the row; `uses` are (token, host), oldest first.
    fn fold(self, uses: &[(Vec<u8>, Vec<u8>)]) -> DbResult<JoinToken> {
        let origin = Origin::new("join_token", &self.id);
        let mine = uses.iter().filter(|(token, _)| *token == self.id);
        let used_by: Vec<HostId> = mine.map(|(_, host)| origin.id("host", host)).collect::<DbResult<_>>()?;
        Ok(JoinToken {
            id: origin.id("id", &self.id)?,
            vendor: origin.id("vendor", &self.vendor)?,
            clinic: origin.id("clinic", &self.clinic)?,
            created_by: origin.id("created_by", &self.created_by)?,
            created_at: moment(self.created_at),
            expires_at: moment(self.expires_at),
            uses: origin.number("uses", self.uses)?,
            used_by,
            approve: origin.flag("approve", self.approve)?,
            revoked_at: self.revoked_at.map(moment),
        })
    }
}

pub(super) async fn create(db: &mut WriteConnection, token: &JoinToken, hash: [u8; 32]) -> Result<(), Fault> {
    sqlx::query(
        "INSERT INTO join_token (id, hash, vendor, clinic, created_by, created_at, expires_at, uses, approve,
                                 revoked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(token.id.as_bytes().as_slice())
    .bind(hash.as_slice())
    .bind(token.vendor.as_bytes().as_slice())
    .bind(token.clinic.as_bytes().as_slice())
    .bind(token.created_by.as_bytes().as_slice())
    .bind(token.created_at.as_unix_millis())
    .bind(token.expires_at.as_unix_millis())
    .bind(i64::from(token.uses))
    .bind(i64::from(token.approve))
    .bind(token.revoked_at.map(Timestamp::as_unix_millis))
    .execute(&mut **db)
    .await?;
    Ok(())
}

pub(super) async fn find(db: &mut SqliteConnection, hash: [u8; 32]) -> Result<Option<JoinToken>, Fault> {
    let mut statement = Statement::new(COLUMNS);
    statement.push("t.hash = ").bind(hash.as_slice());
    let rows = statement.fetch(db).await?;
    Ok(with_uses(db, rows).await?.pop())
}

pub(super) async fn list(
    db: &mut SqliteConnection,
    vendor: VendorId,
    request: &PageRequest,
) -> Result<Page<JoinToken>, Fault> {
    let (paging, after) = Paging::read::<JoinTokenId>("join_tokens", request)?;
    let rows = page_statement(vendor, after, paging.rows()).fetch(db).await?;
    let tokens = with_uses(db, rows).await?;
    paging.page(tokens, |last| last.id, Ok)
}

pub(in crate::sqlite) fn page_statement(vendor: VendorId, after: Option<JoinTokenId>, rows: i64) -> Statement {
    let mut statement = Statement::new(COLUMNS);
    statement.push("t.vendor = ").bind(vendor.as_bytes().as_slice());
    if let Some(after) = after {
        statement.push(" AND t.id < ").bind(after.as_bytes().as_slice());
    }
    statement.push(" ORDER BY t.id DESC LIMIT ").bind(rows);
    statement
}

async fn with_uses(db: &mut SqliteConnection, rows: Vec<TokenRow>) -> Result<Vec<JoinToken>, Fault> {
    let mut tokens = Vec::with_capacity(rows.len());
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let some: Vec<_> = rows.by_ref().take(CHUNK).collect();
        let mut statement = Statement::new("SELECT token, host FROM join_token_use WHERE token IN ");
        statement.bind_list(some.iter().map(|row| row.id.as_slice()));
        statement.push(" ORDER BY used_at, host");
        let uses: Vec<(Vec<u8>, Vec<u8>)> = statement.fetch_once(db).await?;
        for row in some {
            tokens.push(row.fold(&uses)?);
        }
    }
    Ok(tokens)
}

pub(super) async fn revoke(
    db: &mut WriteConnection,
    vendor: VendorId,
    token: JoinTokenId,
    at: Timestamp,
) -> Result<bool, Fault> {
    // The first withdrawal counts.
    let sql = "UPDATE join_token SET revoked_at = COALESCE(revoked_at, $3) WHERE id = $1 AND vendor = $2";
    let done = sqlx::query(sql)
        .bind(token.as_bytes().as_slice())
        .bind(vendor.as_bytes().as_slice())
        .bind(at.as_unix_millis())
        .execute(&mut **db)
        .await?;
    Ok(done.rows_affected() > 0)
}
