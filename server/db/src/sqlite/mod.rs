//! The database on SQLite: one file, one writer, many readers.
//!
//! The file is in WAL mode, so readers see the last committed state and never wait for the writer, and
//! `synchronous=FULL`, so what was acknowledged survives a power cut. Readers are opened read-only: no statement of a
//! `find_` or `list_` can write. SQLite keeps no planner statistics here, so that plans are those that were tested.

mod checkups;
mod cursor;
mod enrolments;
mod events;
mod examine;
mod fault;
mod fleet;
mod inventory;
mod migrate;
mod operators;
#[cfg(test)]
mod plans;
mod renewals;
mod rollups;
mod rows;
mod statement;
mod upkeep;
mod writer;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use inkan_core::ports::Entropy;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};

pub use self::examine::{Examination, examine};
pub use self::migrate::{migrate, newest_schema_version};
use self::writer::{WriteConnection, Writer};

/// How a database is opened.
#[derive(Clone)]
pub struct SqliteOptions {
    /// Where chance for the identifiers of events and findings comes from.
    pub entropy: Arc<dyn Entropy>,
    /// Connections that read.
    pub readers: u32,
}

impl SqliteOptions {
    /// The usual: as many readers as a small server has use for.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { entropy, readers: 4 }
    }
}

/// A database that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file could not be created.
    #[error("could not create {}", path.display())]
    Create {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// SQLite could not open the file.
    #[error("could not open the database file")]
    Connect(#[source] sqlx::Error),
    /// A migration failed, or one that ran before was changed since.
    #[error("could not migrate the database")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A newer release has changed the file.
    #[error("the database has schema {found} of a newer release; this one knows schemas up to {known}")]
    NewerSchema {
        /// A version in the file.
        found: i64,
        /// The newest version that this build knows.
        known: i64,
    },
}

/// The database on SQLite.
pub struct SqliteDatabase {
    readers: SqlitePool,
    writer: Writer,
}

impl SqliteDatabase {
    /// Opens the file, creating it where there is none, and migrates it to the newest schema.
    ///
    /// # Errors
    /// When the file cannot be opened, was changed by a newer release, or a migration fails.
    pub async fn open(path: &Path, options: SqliteOptions) -> Result<Arc<Self>, OpenError> {
        create_file(path)?;
        let mut db = SqliteConnection::connect_with(&writing_options(path)).await.map_err(OpenError::Connect)?;
        migrate::run(&mut db).await?;
        let SqliteOptions { entropy, readers } = options;
        let readers = SqlitePoolOptions::new()
            .max_connections(readers.max(1))
            .min_connections(1)
            // The file is local: a reader that was fine when it was put back is fine when it is taken.
            .test_before_acquire(false)
            .connect_with(reading_options(path))
            .await
            .map_err(OpenError::Connect)?;
        Ok(Arc::new(Self { readers, writer: Writer::start(WriteConnection::new(db, entropy)) }))
    }

    /// The version of the schema that the file has.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn schema_version(&self) -> inkan_core::ports::DbResult<i64> {
        use self::fault::At as _;

        let step = "read the schema's version";
        let mut db = self.reader().await.at(step)?;
        migrate::applied_version(&mut db).await.at(step)
    }

    /// Carries out what waits to be written, and closes the file. Whatever is asked afterwards is `Closed`.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }

    /// A connection for one read.
    async fn reader(&self) -> Result<PoolConnection<Sqlite>, sqlx::Error> {
        self.readers.acquire().await
    }

    /// A connection for reads that belong together: they all see the same moment.
    async fn snapshot(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.readers.begin().await
    }
}

/// Creates the file so that only its owner can read it: it holds password hashes and sealed secrets. SQLite gives its
/// companions (`-wal`, `-shm`) the same permissions.
fn create_file(path: &Path) -> Result<(), OpenError> {
    let created = owner_only().create_new(true).write(true).open(path);
    match created {
        Ok(_) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(cause) => Err(OpenError::Create { path: path.to_owned(), cause }),
    }
}

/// Options for a file that only its owner can read, where the operating system knows such a thing by mode.
fn owner_only() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Elsewhere the folder's access list is inherited.
    options.truncate(false);
    options
}

fn writing_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .page_size(8_192)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(300)
}

fn reading_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(Duration::from_secs(10))
        .statement_cache_capacity(300)
}
