//! What a use case can answer instead of a result. One vocabulary, turned into HTTP, HTML or gRPC only at the edge.

use inkan_model::operator::Permission;

use crate::ports::{AuthorityError, DbError};

/// Why a use case did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certification authority failed.
    #[error("could not have a certificate issued")]
    Authority(#[source] AuthorityError),
    /// What is asked does not fit what is there.
    #[error("{why}")]
    Conflict {
        /// What does not fit, and what to do.
        why: String,
    },
    /// The database failed.
    #[error("could not use the database")]
    Db(#[source] DbError),
    /// This operator's role does not allow it.
    #[error("your role does not allow this")]
    Forbidden {
        /// What would be needed.
        needs: Permission,
    },
    /// A value from outside is wrong.
    #[error("{field}: {why}")]
    Invalid {
        /// Which field.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no such thing, or it is another tenant's, which is the same.
    #[error("no such {what}")]
    NotFound {
        /// What was looked for.
        what: &'static str,
    },
    /// Too many tries; wait.
    #[error("too many tries: wait a minute")]
    TooManyTries,
    /// Mail, password or code is wrong; which one is not said.
    #[error("mail address, password or code is wrong")]
    WrongCredentials,
}

impl Error {
    /// Names a field and what is wrong with it.
    pub fn invalid(field: impl Into<String>, why: impl ToString) -> Self {
        Self::Invalid { field: field.into(), why: why.to_string() }
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::Conflict { what } => {
                Self::Conflict { why: format!("{what} was changed by somebody else meanwhile: look again") }
            }
            DbError::InvalidCursor => Self::invalid("cursor", "not a cursor of this list"),
            other => Self::Db(other),
        }
    }
}

impl From<AuthorityError> for Error {
    fn from(error: AuthorityError) -> Self {
        Self::Authority(error)
    }
}

/// Why an agent is not served.
#[derive(Debug, thiserror::Error)]
pub enum AgentRefusal {
    /// A certification authority failed.
    #[error("could not have an identity issued")]
    Authority(#[source] AuthorityError),
    /// The database failed.
    #[error("could not use the database")]
    Db(#[source] DbError),
    /// A value is wrong.
    #[error("{field}: {why}")]
    Invalid {
        /// Which field, as a dotted path.
        field: String,
        /// What is wrong with it.
        why: String,
    },
    /// The identity is not one that may speak (any more).
    #[error("this identity is not accepted: {why}")]
    NotAccepted {
        /// Why, for the agent's log.
        why: &'static str,
    },
    /// The join token does not allow it.
    #[error(transparent)]
    Token(crate::ports::TokenRefusal),
    /// Too many wrong tokens from this address; wait.
    #[error("too many tries: wait a minute")]
    TooManyTries,
}

impl AgentRefusal {
    pub(crate) fn invalid(field: impl Into<String>, why: impl ToString) -> Self {
        Self::Invalid { field: field.into(), why: why.to_string() }
    }
}

impl From<DbError> for AgentRefusal {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<AuthorityError> for AgentRefusal {
    fn from(error: AuthorityError) -> Self {
        Self::Authority(error)
    }
}
