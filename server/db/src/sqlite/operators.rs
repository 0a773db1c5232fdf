//! People: operators, their sessions, and the one-time setup.

use async_trait::async_trait;
use inkan_core::ports::{
    DbResult, IdempotentRequest, IdempotentState, Login, NewOperator, Operators, Session, SessionKind,
};
use inkan_model::locale::Locale;
use inkan_model::operator::{Operator, Role, Vendor};
use inkan_model::{OperatorId, Timestamp, VendorId};
use time::Duration;
use tracing::instrument;

use super::SqliteDatabase;
use super::fault::{At as _, Fault};
use super::rows::{Origin, moment};
use super::writer::WriteConnection;

/// For how long a request that was begun and not answered keeps others with its key waiting.
const UNDER_WAY: Duration = Duration::minutes(1);

#[async_trait]
impl Operators for SqliteDatabase {
    #[instrument(name = "db.setup.find", level = "debug", skip_all)]
    async fn is_set_up(&self) -> DbResult<bool> {
        let step = "find out whether setup is over";
        let mut db = self.reader().await.at(step)?;
        let found: i64 = sqlx::query_scalar(ANY_OPERATOR).fetch_one(&mut *db).await.at(step)?;
        Ok(found != 0)
    }

    #[instrument(name = "db.setup.record_link", level = "debug", skip_all)]
    async fn record_setup_link(&self, hash: [u8; 32], expires_at: Timestamp) -> DbResult<bool> {
        let operation = self.writer.run("store the setup link", move |db| {
            Box::pin(async move { record_setup_link(db, hash, expires_at).await })
        });
        operation.await
    }

    #[instrument(name = "db.setup.find_link", level = "debug", skip_all)]
    async fn is_setup_link(&self, hash: [u8; 32], now: Timestamp) -> DbResult<bool> {
        let step = "find the setup link";
        let mut db = self.reader().await.at(step)?;
        let found: i64 = sqlx::query_scalar(FIND_LINK)
            .bind(hash.as_slice())
            .bind(now.as_unix_millis())
            .fetch_one(&mut *db)
            .await
            .at(step)?;
        Ok(found != 0)
    }

    #[instrument(name = "db.setup.complete", level = "debug", skip_all)]
    async fn complete_setup(
        &self,
        link: [u8; 32],
        vendor: &Vendor,
        owner: &NewOperator,
        now: Timestamp,
    ) -> DbResult<bool> {
        let (vendor, owner) = (vendor.clone(), owner.clone());
        let operation = self.writer.run("complete setup", move |db| {
            Box::pin(async move { complete_setup(db, link, &vendor, &owner, now).await })
        });
        operation.await
    }

    #[instrument(name = "db.vendor.create", level = "debug", skip_all)]
    async fn create_vendor(&self, vendor: &Vendor, now: Timestamp) -> DbResult<()> {
        let vendor = vendor.clone();
        let operation = self
            .writer
            .run("create a vendor", move |db| Box::pin(async move { insert_vendor(db, &vendor, now).await }));
        operation.await
    }

    #[instrument(name = "db.vendor.list", level = "debug", skip_all)]
    async fn list_vendors(&self) -> DbResult<Vec<Vendor>> {
        let step = "list vendors";
        let mut db = self.reader().await.at(step)?;
        let rows: Vec<VendorRow> =
            sqlx::query_as("SELECT id, name FROM vendor ORDER BY name, id").fetch_all(&mut *db).await.at(step)?;
        rows.into_iter().map(Vendor::try_from).collect()
    }

    #[instrument(name = "db.vendor.find", level = "debug", skip_all)]
    async fn find_vendor(&self, vendor: VendorId) -> DbResult<Option<Vendor>> {
        let step = "find a vendor";
        let mut db = self.reader().await.at(step)?;
        let row: Option<VendorRow> = sqlx::query_as("SELECT id, name FROM vendor WHERE id = $1")
            .bind(vendor.as_bytes().as_slice())
            .fetch_optional(&mut *db)
            .await
            .at(step)?;
        row.map(Vendor::try_from).transpose()
    }

    #[instrument(name = "db.operator.create", level = "debug", skip_all)]
    async fn create_operator(&self, operator: &NewOperator, now: Timestamp) -> DbResult<()> {
        let operator = operator.clone();
        let operation = self
            .writer
            .run("create an operator", move |db| Box::pin(async move { insert_operator(db, &operator, now).await }));
        operation.await
    }

    #[instrument(name = "db.operator.find_login", level = "debug", skip_all)]
    async fn find_login(&self, mail: &str) -> DbResult<Option<Login>> {
        let step = "find an operator";
        let mut db = self.reader().await.at(step)?;
        let sql = "SELECT o.id, o.vendor, o.mail, o.name, o.role, o.locale, o.password_hash, o.totp_sealed
                   FROM operator o WHERE o.mail = $1";
        let row: Option<LoginRow> =
            sqlx::query_as(sql).bind(mail.to_lowercase()).fetch_optional(&mut *db).await.at(step)?;
        let Some(row) = row else { return Ok(None) };
        let LoginRow { operator, password_hash, totp_sealed } = row;
        Ok(Some(Login { operator: operator.try_into()?, password_hash, totp_sealed }))
    }

    #[instrument(name = "db.operator.list", level = "debug", skip_all)]
    async fn list_operators(&self, vendor: VendorId) -> DbResult<Vec<Operator>> {
        let step = "list operators";
        let mut db = self.reader().await.at(step)?;
        let sql = "SELECT id, vendor, mail, name, role, locale FROM operator WHERE vendor = $1 ORDER BY mail";
        let rows: Vec<OperatorColumns> =
            sqlx::query_as(sql).bind(vendor.as_bytes().as_slice()).fetch_all(&mut *db).await.at(step)?;
        rows.into_iter().map(Operator::try_from).collect()
    }

    #[instrument(name = "db.operator.use_totp_step", level = "debug", skip_all)]
    async fn use_totp_step(&self, operator: OperatorId, step: u64) -> DbResult<bool> {
        let operation = self
            .writer
            .run("use a one-time password", move |db| Box::pin(async move { use_totp_step(db, operator, step).await }));
        operation.await
    }

    #[instrument(name = "db.operator.set_locale", level = "debug", skip_all)]
    async fn set_locale(&self, operator: OperatorId, locale: Locale) -> DbResult<()> {
        let operation = self.writer.run("change an operator's language", move |db| {
            Box::pin(async move { set_locale(db, operator, locale).await })
        });
        operation.await
    }

    #[instrument(name = "db.session.create", level = "debug", skip_all)]
    async fn create_session(&self, session: &Session) -> DbResult<()> {
        let session = session.clone();
        let operation =
            self.writer.run("begin a session", move |db| Box::pin(async move { insert_session(db, &session).await }));
        operation.await
    }

    #[instrument(name = "db.session.find_operator", level = "debug", skip_all)]
    async fn find_operator_session(&self, hash: [u8; 32], now: Timestamp) -> DbResult<Option<(Session, Operator)>> {
        let step = "find a session";
        let mut db = self.reader().await.at(step)?;
        let row: Option<SessionRow> = sqlx::query_as(FIND_OPERATOR_SESSION)
            .bind(hash.as_slice())
            .bind(now.as_unix_millis())
            .fetch_optional(&mut *db)
            .await
            .at(step)?;
        row.map(|row| row.fold(hash)).transpose()
    }

    #[instrument(name = "db.session.delete", level = "debug", skip_all)]
    async fn delete_session(&self, hash: [u8; 32]) -> DbResult<()> {
        let operation = self.writer.run("end a session", move |db| {
            Box::pin(async move {
                sqlx::query("DELETE FROM session WHERE hash = $1").bind(hash.as_slice()).execute(&mut **db).await?;
                Ok(())
            })
        });
        operation.await
    }

    #[instrument(name = "db.idempotency.begin", level = "debug", skip_all)]
    async fn begin_idempotent(&self, request: &IdempotentRequest) -> DbResult<IdempotentState> {
        let request = request.clone();
        let operation = self.writer.run("begin an idempotent request", move |db| {
            Box::pin(async move { begin_idempotent(db, &request).await })
        });
        operation.await
    }

    #[instrument(name = "db.idempotency.finish", level = "debug", skip_all)]
    async fn finish_idempotent(&self, operator: OperatorId, key: &str, status: u16, body: &str) -> DbResult<()> {
        let (key, body) = (key.to_owned(), body.to_owned());
        let operation = self.writer.run("store an answer", move |db| {
            Box::pin(async move { finish_idempotent(db, operator, &key, status, &body).await })
        });
        operation.await
    }
}

const ANY_OPERATOR: &str = "SELECT EXISTS (SELECT 1 FROM operator)";
const FIND_LINK: &str = "SELECT EXISTS (SELECT 1 FROM setup_link WHERE hash = $1 AND expires_at > $2
                                        AND NOT EXISTS (SELECT 1 FROM operator))";
pub(super) const FIND_OPERATOR_SESSION: &str =
    "SELECT s.kind, s.created_at, s.expires_at, o.id, o.vendor, o.mail, o.name, o.role, o.locale
     FROM session s JOIN operator o ON o.id = s.operator
     WHERE s.hash = $1 AND s.expires_at > $2";

#[derive(sqlx::FromRow)]
struct VendorRow {
    id: Vec<u8>,
    name: String,
}

impl TryFrom<VendorRow> for Vendor {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: VendorRow) -> DbResult<Self> {
        Ok(Self { id: Origin::new("vendor", &row.id).id("id", &row.id)?, name: row.name })
    }
}

#[derive(sqlx::FromRow)]
struct OperatorColumns {
    id: Vec<u8>,
    vendor: Vec<u8>,
    mail: String,
    name: String,
    role: String,
    locale: String,
}

impl TryFrom<OperatorColumns> for Operator {
    type Error = inkan_core::ports::DbError;

    fn try_from(row: OperatorColumns) -> DbResult<Self> {
        let origin = Origin::new("operator", &row.id);
        Ok(Self {
            id: origin.id("id", &row.id)?,
            vendor: origin.id("vendor", &row.vendor)?,
            role: Role::from_name(&row.role).ok_or_else(|| origin.inconsistent("role"))?,
            locale: Locale::from_tag(&row.locale).ok_or_else(|| origin.inconsistent("locale"))?,
            mail: row.mail,
            name: row.name,
        })
    }
}

#[derive(sqlx::FromRow)]
struct LoginRow {
    #[sqlx(flatten)]
    operator: OperatorColumns,
    password_hash: String,
    totp_sealed: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct SessionRow {
    kind: String,
    created_at: i64,
    expires_at: i64,
    #[sqlx(flatten)]
    operator: OperatorColumns,
}

impl SessionRow {
    fn fold(self, hash: [u8; 32]) -> DbResult<(Session, Operator)> {
        let operator = Operator::try_from(self.operator)?;
        let kinds = [SessionKind::Browser, SessionKind::Token];
        let kind = kinds.into_iter().find(|kind| kind.name() == self.kind);
        let session = Session {
            hash,
            operator: operator.id,
            // The row is named by its operator: not even a hash of a secret belongs in an error.
            kind: kind.ok_or_else(|| Origin::new("session", &operator.id).inconsistent("kind"))?,
            created_at: moment(self.created_at),
            expires_at: moment(self.expires_at),
        };
        Ok((session, operator))
    }
}

async fn any_operator(db: &mut WriteConnection) -> Result<bool, Fault> {
    let found: i64 = sqlx::query_scalar(ANY_OPERATOR).fetch_one(&mut **db).await?;
    Ok(found != 0)
}

async fn record_setup_link(db: &mut WriteConnection, hash: [u8; 32], expires_at: Timestamp) -> Result<bool, Fault> {
    if any_operator(db).await? {
        return Ok(false);
    }
    let sql = "INSERT INTO setup_link (one, hash, expires_at) VALUES (1, $1, $2)
               ON CONFLICT (one) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at";
    sqlx::query(sql).bind(hash.as_slice()).bind(expires_at.as_unix_millis()).execute(&mut **db).await?;
    Ok(true)
}

async fn complete_setup(
    db: &mut WriteConnection,
    link: [u8; 32],
    vendor: &Vendor,
    owner: &NewOperator,
    now: Timestamp,
) -> Result<bool, Fault> {
    let waiting: i64 =
        sqlx::query_scalar(FIND_LINK).bind(link.as_slice()).bind(now.as_unix_millis()).fetch_one(&mut **db).await?;
    if waiting == 0 {
        return Ok(false);
    }
    insert_vendor(db, vendor, now).await?;
    insert_operator(db, owner, now).await?;
    sqlx::query("DELETE FROM setup_link").execute(&mut **db).await?;
    Ok(true)
}

async fn insert_vendor(db: &mut WriteConnection, vendor: &Vendor, now: Timestamp) -> Result<(), Fault> {
    sqlx::query("INSERT INTO vendor (id, name, created_at) VALUES ($1, $2, $3)")
        .bind(vendor.id.as_bytes().as_slice())
        .bind(vendor.name.as_str())
        .bind(now.as_unix_millis())
        .execute(&mut **db)
        .await?;
    Ok(())
}

async fn insert_operator(db: &mut WriteConnection, new: &NewOperator, now: Timestamp) -> Result<(), Fault> {
    let NewOperator { operator, password_hash, totp_sealed } = new;
    let inserted = sqlx::query(
        "INSERT INTO operator (id, vendor, mail, name, role, locale, password_hash, totp_sealed, totp_step, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)",
    )
    .bind(operator.id.as_bytes().as_slice())
    .bind(operator.vendor.as_bytes().as_slice())
    .bind(operator.mail.to_lowercase())
    .bind(operator.name.as_str())
    .bind(operator.role.name())
    .bind(operator.locale.tag())
    .bind(password_hash.as_str())
    .bind(totp_sealed.as_slice())
    .bind(now.as_unix_millis())
    .execute(&mut **db)
    .await;
    match inserted.map_err(Fault::from) {
        Ok(_) => Ok(()),
        Err(fault) if fault.is_duplicate() => Err(Fault::conflict("an operator with this mail address")),
        Err(fault) => Err(fault),
    }
}

async fn use_totp_step(db: &mut WriteConnection, operator: OperatorId, step: u64) -> Result<bool, Fault> {
    let done = sqlx::query("UPDATE operator SET totp_step = $2 WHERE id = $1 AND totp_step < $2")
        .bind(operator.as_bytes().as_slice())
        .bind(i64::try_from(step).unwrap_or(i64::MAX))
        .execute(&mut **db)
        .await?;
    Ok(done.rows_affected() == 1)
}

async fn set_locale(db: &mut WriteConnection, operator: OperatorId, locale: Locale) -> Result<(), Fault> {
    let done = sqlx::query("UPDATE operator SET locale = $2 WHERE id = $1")
        .bind(operator.as_bytes().as_slice())
        .bind(locale.tag())
        .execute(&mut **db)
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Fault::conflict("the operator")) }
}

async fn insert_session(db: &mut WriteConnection, session: &Session) -> Result<(), Fault> {
    sqlx::query("INSERT INTO session (hash, operator, kind, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)")
        .bind(session.hash.as_slice())
        .bind(session.operator.as_bytes().as_slice())
        .bind(session.kind.name())
        .bind(session.created_at.as_unix_millis())
        .bind(session.expires_at.as_unix_millis())
        .execute(&mut **db)
        .await?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct IdempotencyRow {
    request_sha256: Vec<u8>,
    begun_at: i64,
    status: Option<i64>,
    body: Option<String>,
}

async fn begin_idempotent(db: &mut WriteConnection, request: &IdempotentRequest) -> Result<IdempotentState, Fault> {
    let IdempotentRequest { operator, key, request_sha256, now } = request;
    let sql = "SELECT request_sha256, begun_at, status, body FROM idempotency WHERE operator = $1 AND request_key = $2";
    let known: Option<IdempotencyRow> =
        sqlx::query_as(sql).bind(operator.as_bytes().as_slice()).bind(key.as_str()).fetch_optional(&mut **db).await?;
    if let Some(row) = known {
        let origin = Origin::new("idempotency", operator);
        if row.request_sha256 != request_sha256 {
            return Ok(IdempotentState::Mismatch);
        }
        match (row.status, row.body) {
            (Some(status), Some(body)) => {
                return Ok(IdempotentState::Answered { status: origin.number("status", status)?, body });
            }
            (None, None) if now.since(moment(row.begun_at)) < UNDER_WAY => return Ok(IdempotentState::UnderWay),
            // Whoever began it is gone; this one begins it anew.
            (None, None) => {}
            _ => return Err(origin.inconsistent("body").into()),
        }
    }
    let sql = "INSERT INTO idempotency (operator, request_key, request_sha256, begun_at) VALUES ($1, $2, $3, $4)
               ON CONFLICT (operator, request_key) DO UPDATE SET begun_at = excluded.begun_at";
    sqlx::query(sql)
        .bind(operator.as_bytes().as_slice())
        .bind(key.as_str())
        .bind(request_sha256.as_slice())
        .bind(now.as_unix_millis())
        .execute(&mut **db)
        .await?;
    Ok(IdempotentState::New)
}

async fn finish_idempotent(
    db: &mut WriteConnection,
    operator: OperatorId,
    key: &str,
    status: u16,
    body: &str,
) -> Result<(), Fault> {
    let sql = "UPDATE idempotency SET status = $3, body = $4 WHERE operator = $1 AND request_key = $2";
    let done = sqlx::query(sql)
        .bind(operator.as_bytes().as_slice())
        .bind(key)
        .bind(i64::from(status))
        .bind(body)
        .execute(&mut **db)
        .await?;
    if done.rows_affected() == 1 { Ok(()) } else { Err(Fault::conflict("the idempotency key")) }
}
