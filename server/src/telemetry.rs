//! Logs and metrics: every name of a metric or label that this program makes, in one place, and where they go.
//!
//! Labels are constants of the program, never a host, a clinic or a text from outside, so that the number of series does
//! not grow with the fleet.

use std::io::IsTerminal as _;
use std::sync::OnceLock;

use inkan_core::ports::Gauges;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use crate::config::LogFormat;
use crate::listener::Closed;

/// Hosts whose agents watch for nudges here.
pub const AGENTS_CONNECTED: &str = "inkan_agents_connected";
/// Distinct certificates that are stored.
pub const CERTIFICATES: &str = "inkan_certificates";
/// Connections that ended, by listener and reason.
pub const CONNECTIONS_CLOSED: &str = "inkan_connections_closed_total";
/// Open findings.
pub const FINDINGS_OPEN: &str = "inkan_findings_open";
/// Hosts that are not retired.
pub const HOSTS: &str = "inkan_hosts";
/// HTTP requests, by status class.
pub const HTTP_REQUESTS: &str = "inkan_http_requests_total";
/// How long HTTP requests took.
pub const HTTP_REQUEST_DURATION: &str = "inkan_http_request_duration_seconds";
/// Installations that are stored.
pub const INSTALLATIONS: &str = "inkan_installations";
/// Renewals that are not over.
pub const RENEWALS_LIVE: &str = "inkan_renewals_live";
/// Calls of the agents' protocol, by method and gRPC status.
pub const RPCS: &str = "inkan_rpcs_total";
/// How long calls of the agents' protocol took, by method.
pub const RPC_DURATION: &str = "inkan_rpc_duration_seconds";
/// Distinct store contents.
pub const SETS: &str = "inkan_store_sets";
/// Runs of background tasks that failed, by task; counted in the core.
pub const TASK_FAILURES: &str = "inkan_task_failures_total";
/// How long background tasks took, by task; measured in the core.
pub const TASK_DURATION: &str = "inkan_task_duration_seconds";
/// When the certificate of the agents' and enrolment listeners ends, in seconds since 1970.
pub const TLS_NOT_AFTER: &str = "inkan_tls_certificate_not_after_seconds";

/// Upper bounds of the buckets of durations, in seconds.
const BUCKETS: [f64; 11] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0];

/// The recorder is the process's: the metrics facade knows only one, and servers that share a process share it.
static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// What the metrics endpoint shows; `None` when the process already had a recorder of somebody else's.
pub(crate) fn recorder() -> Option<&'static PrometheusHandle> {
    RECORDER.get_or_init(install_recorder).as_ref()
}

fn install_recorder() -> Option<PrometheusHandle> {
    let durations = Matcher::Suffix("_duration_seconds".to_owned());
    let builder = PrometheusBuilder::new().set_buckets_for_metric(durations, &BUCKETS);
    let installed = builder.and_then(PrometheusBuilder::install_recorder);
    match installed {
        Ok(handle) => {
            describe();
            Some(handle)
        }
        Err(cause) => {
            tracing::warn!(error = &cause as &dyn std::error::Error, "metrics are not recorded");
            None
        }
    }
}

fn describe() {
    describe_gauge!(AGENTS_CONNECTED, "Hosts whose agents watch for nudges here");
    describe_gauge!(CERTIFICATES, "Distinct certificates that are stored");
    describe_counter!(CONNECTIONS_CLOSED, "Connections that ended, by listener and reason");
    describe_gauge!(FINDINGS_OPEN, "Open findings");
    describe_gauge!(HOSTS, "Hosts that are not retired");
    describe_counter!(HTTP_REQUESTS, "HTTP requests, by status class");
    describe_histogram!(HTTP_REQUEST_DURATION, Unit::Seconds, "How long HTTP requests took");
    describe_gauge!(INSTALLATIONS, "Installations that are stored");
    describe_gauge!(RENEWALS_LIVE, "Renewals that are not over");
    describe_counter!(RPCS, "Calls of the agents' protocol, by method and gRPC status");
    describe_histogram!(RPC_DURATION, Unit::Seconds, "How long calls of the agents' protocol took, by method");
    describe_gauge!(SETS, "Distinct store contents");
    describe_counter!(TASK_FAILURES, "Runs of background tasks that failed, by task");
    describe_histogram!(TASK_DURATION, Unit::Seconds, "How long background tasks took, by task");
    describe_gauge!(TLS_NOT_AFTER, Unit::Seconds, "When the listeners' certificate ends, since 1970");
}

/// Counts a connection that ended.
pub(crate) fn count_closed(listener: &'static str, closed: Closed) {
    counter!(CONNECTIONS_CLOSED, "listener" => listener, "reason" => closed.name()).increment(1);
}

/// Counts a call of the agents' protocol.
pub(crate) fn count_rpc(method: &'static str, code: &'static str, seconds: f64) {
    counter!(RPCS, "method" => method, "code" => code).increment(1);
    histogram!(RPC_DURATION, "method" => method).record(seconds);
}

/// Counts an HTTP request.
pub(crate) fn count_http(class: &'static str, seconds: f64) {
    counter!(HTTP_REQUESTS, "class" => class).increment(1);
    histogram!(HTTP_REQUEST_DURATION).record(seconds);
}

/// Shows what the database counts.
pub(crate) fn show_gauges(stored: Gauges, agents_connected: usize) {
    let Gauges { hosts, certificates, sets, installations, findings, live_renewals } = stored;
    let figures = [
        (HOSTS, hosts),
        (CERTIFICATES, certificates),
        (SETS, sets),
        (INSTALLATIONS, installations),
        (FINDINGS_OPEN, findings),
        (RENEWALS_LIVE, live_renewals),
        (AGENTS_CONNECTED, u64::try_from(agents_connected).unwrap_or(u64::MAX)),
    ];
    for (name, figure) in figures {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53, far beyond any fleet")]
        gauge!(name).set(figure as f64);
    }
}

/// Shows when the listeners' certificate ends.
pub(crate) fn show_tls_end(not_after: inkan_model::Timestamp) {
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below 2^53")]
    gauge!(TLS_NOT_AFTER).set(not_after.as_unix_seconds() as f64);
}

/// Sends logs to standard error. What is logged can be chosen by `RUST_LOG`, as in `info,inkan_server=debug`.
///
/// # Errors
/// When the process has a subscriber already.
pub fn init_logs(format: LogFormat) -> Result<(), TryInitError> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let registry = tracing_subscriber::registry().with(filter);
    let layer =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    match format {
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
        LogFormat::Text => registry.with(layer.with_target(false)).try_init(),
    }
}
