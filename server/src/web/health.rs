//! Whether the server lives and can do its work, for balancers and watchdogs; and its figures.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use inkan_core::Core;
use inkan_model::Timestamp;
use inkan_wire::pb::agent_server::SERVICE_NAME;
use serde_json::json;
use tokio::time::timeout;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::{HealthServer, SERVICE_NAME as HEALTH};
use tonic_health::server::{HealthReporter, HealthService};
use tower::ServiceExt as _;
use tracing::error;

use crate::deployment::Deployment;
use crate::telemetry;

/// A clock that shows a moment before this is wrong: 2026-01-01. Certificates issued by it would be, too.
pub(crate) const EARLIEST_NOW: Timestamp = Timestamp::from_unix_seconds(1_767_225_600);
/// A database that does not answer within this is not ready.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is looked at.
pub(crate) struct Health {
    core: Core,
    deployment: Arc<Deployment>,
    reporter: HealthReporter,
}

/// What the looks found; `None` is fine.
struct Trouble {
    database: Option<&'static str>,
    authority: Option<&'static str>,
    clock: Option<&'static str>,
}

impl Health {
    pub(crate) fn new(core: Core, deployment: Arc<Deployment>) -> Self {
        Self { core, deployment, reporter: HealthReporter::new() }
    }

    /// Tells those who watch by gRPC whether agents are served.
    pub(crate) async fn report(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status("", status).await;
        self.reporter.set_service_status(SERVICE_NAME, status).await;
    }

    /// `grpc.health.v1`.
    pub(super) fn grpc(&self) -> Router {
        let service = HealthServer::new(HealthService::from_health_reporter(self.reporter.clone()));
        let service = service.map_request(|request: axum::extract::Request| request.map(tonic::body::Body::new));
        Router::new().route_service(&format!("/{HEALTH}/{{*method}}"), service)
    }

    async fn look(&self) -> Trouble {
        let database = match timeout(PATIENCE, self.core.db().check()).await {
            Ok(Ok(())) => None,
            Ok(Err(cause)) => {
                error!(error = &cause as &dyn std::error::Error, "the database is not ready");
                Some("fails")
            }
            Err(_) => Some("does not answer"),
        };
        let now = self.core.now();
        let authority = if !self.deployment.is_readable() {
            Some("cannot be read")
        } else if self.deployment.agent_ca.not_after() < now {
            Some("has expired")
        } else {
            None
        };
        let clock = (now < EARLIEST_NOW).then_some("is wrong");
        Trouble { database, authority, clock }
    }
}

/// The process answers; that is all.
pub(super) async fn answer_live() -> &'static str {
    "ok\n"
}

/// Database, authority and clock.
pub(super) async fn answer_ready(State(health): State<Arc<Health>>) -> Response {
    let Trouble { database, authority, clock } = health.look().await;
    let is_ready = database.or(authority).or(clock).is_none();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let word = |trouble: Option<&'static str>| trouble.unwrap_or("ok");
    let body = json!({ "database": word(database), "authority": word(authority), "clock": word(clock) });
    (status, axum::Json(body)).into_response()
}

/// Figures in the text format of Prometheus.
pub(super) async fn show_metrics(State(health): State<Arc<Health>>) -> Response {
    let Some(recorder) = telemetry::recorder() else {
        return (StatusCode::NOT_FOUND, "metrics are not recorded\n").into_response();
    };
    let mut text = String::new();
    match health.core.db().gauges(health.core.now()).await {
        Ok(stored) => telemetry::show_gauges(stored, health.core.nudges().watched()),
        Err(cause) => {
            error!(error = &cause as &dyn std::error::Error, "could not count what is stored");
            let _ = writeln!(text, "# the database could not be counted");
        }
    }
    recorder.run_upkeep();
    text.push_str(&recorder.render());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}
