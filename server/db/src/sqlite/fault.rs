//! Errors on their way out: what SQLite or a row said, before it is known which step of which use case failed.

use std::error::Error;

use inkan_core::ports::DbError;

/// Something that went wrong inside of a transaction. Becomes a [`DbError`] at the edge, where the step has a name.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Already says all that there is to say.
    Known(DbError),
    /// Anything else, such as a value that has no JSON.
    Other(Box<dyn Error + Send + Sync>),
    /// The driver's error.
    Sql(sqlx::Error),
}

impl Fault {
    /// Somebody else changed `what` first, or it is not there any more.
    pub(crate) const fn conflict(what: &'static str) -> Self {
        Self::Known(DbError::Conflict { what })
    }

    /// The error to hand out, for the step that failed.
    pub(crate) fn at(self, step: &'static str) -> DbError {
        match self {
            Self::Known(known) => known,
            Self::Other(cause) => DbError::Query { step, cause },
            Self::Sql(sqlx::Error::PoolClosed) => DbError::Closed,
            Self::Sql(cause) => DbError::Query { step, cause: Box::new(cause) },
        }
    }

    /// Whether a row with the same key is there already.
    pub(crate) fn is_duplicate(&self) -> bool {
        let Self::Sql(cause) = self else { return false };
        cause.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(cause: sqlx::Error) -> Self {
        Self::Sql(cause)
    }
}

impl From<DbError> for Fault {
    fn from(known: DbError) -> Self {
        Self::Known(known)
    }
}

/// Names the step at which something failed.
pub(crate) trait At<T> {
    /// The same result for the outside.
    fn at(self, step: &'static str) -> Result<T, DbError>;
}

impl<T, E: Into<Fault>> At<T> for Result<T, E> {
    fn at(self, step: &'static str) -> Result<T, DbError> {
        self.map_err(|fault| fault.into().at(step))
    }
}
