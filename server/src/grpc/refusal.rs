//! The one map from what a use case refuses to gRPC. What went wrong inside is logged under a number, and only the number
//! is told.

use std::sync::atomic::{AtomicU64, Ordering};

use inkan_core::AgentRefusal;
use inkan_core::ports::DbError;
use tonic::Status;
use tracing::{debug, error};

/// Incidents since the process began.
static INCIDENTS: AtomicU64 = AtomicU64::new(0);

/// Says a refusal in gRPC.
pub(super) fn to_status(refusal: AgentRefusal) -> Status {
    debug!(error = &refusal as &dyn std::error::Error, "refused an agent");
    match refusal {
        AgentRefusal::Authority(_) => Status::internal(note(&refusal)),
        // Trying again helps, or will once the database is back.
        AgentRefusal::Db(DbError::Closed | DbError::Conflict { .. }) => Status::unavailable("try again later"),
        AgentRefusal::Db(_) => Status::unavailable(note(&refusal)),
        AgentRefusal::Invalid { .. } => Status::invalid_argument(refusal.to_string()),
        AgentRefusal::NotAccepted { .. } => Status::unauthenticated(refusal.to_string()),
        AgentRefusal::Token(_) => Status::permission_denied(refusal.to_string()),
        AgentRefusal::TooManyTries => Status::resource_exhausted(refusal.to_string()),
    }
}

/// Logs an incident, and makes the words that may leave the server.
fn note(refusal: &AgentRefusal) -> String {
    let incident = INCIDENTS.fetch_add(1, Ordering::Relaxed) + 1;
    error!(incident, error = refusal as &dyn std::error::Error, "could not serve an agent");
    format!("something went wrong in the server (incident {incident})")
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn what_went_wrong_inside_is_not_told() {
        let cause = Box::new(std::io::Error::other("secret path"));
        let status = to_status(AgentRefusal::Db(DbError::Query { step: "find a host", cause }));
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("incident") && !status.message().contains("find a host"), "{status}");
    }

    #[test]
    fn a_wrong_field_is_named() {
        let status = to_status(AgentRefusal::Invalid { field: "csr".to_owned(), why: "is empty".to_owned() });
        assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "csr: is empty"));
    }
}
