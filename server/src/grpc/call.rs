//! What holds for every call: one too many is refused at once, a slow one ends, all are counted.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};
use tonic::{Code, Status};
use tracing::{Instrument as _, debug, debug_span};

use super::peer::Peer;
use crate::telemetry;

/// Limits of the calls of one listener.
#[derive(Clone)]
pub(super) struct CallLimits {
    pub(super) calls: Arc<Semaphore>,
    pub(super) timeout: Duration,
    pub(super) upload_timeout: Duration,
}

/// The methods by their paths; a path from outside never becomes a label.
const METHODS: [(&str, &str); 7] = [
    ("/inkan.v1.Agent/RenewIdentity", "RenewIdentity"),
    ("/inkan.v1.Agent/Sync", "Sync"),
    ("/inkan.v1.Agent/Upload", UPLOAD),
    ("/inkan.v1.Agent/Watch", "Watch"),
    ("/inkan.v1.Enrolment/BeginRecovery", "BeginRecovery"),
    ("/inkan.v1.Enrolment/Enroll", "Enroll"),
    ("/inkan.v1.Enrolment/Recover", "Recover"),
];
const UPLOAD: &str = "Upload";

/// Carries out one call within the limits.
pub(super) async fn limit_call(State(limits): State<CallLimits>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let path = request.uri().path();
    let method = METHODS.iter().find(|(known, _)| *known == path).map_or("unknown", |(_, method)| method);
    let response = carry_out(&limits, method, request, next).instrument(debug_span!("rpc", method)).await;
    // Refusals carry their status in the head of the response; a call that succeeded has it at the end.
    let status = response.headers().get("grpc-status");
    let code = status.map_or(Code::Ok, |status| Code::from_bytes(status.as_bytes()));
    let seconds = begun.elapsed().as_secs_f64();
    debug!(method, code = name_of(code), seconds, "answered a call");
    telemetry::count_rpc(method, name_of(code), seconds);
    response
}

async fn carry_out(limits: &CallLimits, method: &str, request: Request, next: Next) -> Response {
    let Some(peer) = request.extensions().get::<Peer>().cloned() else {
        return refuse(Status::internal("the connection is not known"));
    };
    let Ok(_one_of_connection) = peer.calls.try_acquire() else {
        return refuse(Status::resource_exhausted("too many calls at once on this connection"));
    };
    let Ok(_one_of_all) = limits.calls.try_acquire() else {
        return refuse(Status::unavailable("the server is busy: try again later"));
    };
    let most = if method == UPLOAD { limits.upload_timeout } else { limits.timeout };
    match timeout(most, next.run(request)).await {
        Ok(response) => response,
        Err(_) => refuse(Status::deadline_exceeded("the call took too long")),
    }
}

fn refuse(status: Status) -> Response {
    status.into_http::<Body>()
}

/// The code as in the gRPC documentation.
const fn name_of(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_protocol_has_a_label() {
        use prost::Message as _;
        let files = prost_types::FileDescriptorSet::decode(inkan_wire::FILE_DESCRIPTOR_SET).unwrap();
        let mut paths = Vec::new();
        for service in files.file.iter().flat_map(|file| &file.service) {
            paths.extend(service.method.iter().map(|m| format!("/inkan.v1.{}/{}", service.name(), m.name())));
        }
        paths.sort();
        assert_eq!(paths, METHODS.map(|(path, _)| path.to_owned()));
    }
}
