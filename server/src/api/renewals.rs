//! Renewals: asked for, watched, given up.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use inkan_core::Core;
use inkan_core::hosts::FleetView;
use inkan_core::ports::{RenewalQuery, RenewalRow};
use inkan_core::renewals::RenewalOrder;
use inkan_model::renewal::{self, PersonTask, RenewalState, RenewalStep, Requester};
use inkan_model::{Fingerprint, HostId, OperatorId, RenewalId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::clinics::find_clinic_id;
use super::extract::{Body, List, Paging, Segment, parsed, parsed_text};
use super::problem::Answer;
use super::values::{ClinicName, HostRef, Location, Moment, PageOf, Sha256Text};

/// The names of [`RenewalState::name`].
const STATES: [&str; 10] = [
    "planned",
    "directed",
    "requested",
    "issued",
    "installed",
    "proven",
    "closed",
    "needs_person",
    "failed",
    "abandoned",
];

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new()
        .routes(routes!(list_renewals, request_renewal))
        .routes(routes!(show_renewal))
        .routes(routes!(abandon_renewal))
}

/// A certificate's way to its successor.
#[derive(Serialize, ToSchema)]
pub(super) struct Renewal {
    /// Which one.
    #[schema(value_type = String, format = "uuid")]
    id: RenewalId,
    /// On which PC.
    host: HostRef,
    /// In which store.
    location: Location,
    /// The certificate to succeed.
    certificate: Sha256Text,
    /// Its successor, once there is one.
    new_certificate: Option<Sha256Text>,
    /// The operator who asked for it; null when the planner did.
    #[schema(value_type = Option<String>, format = "uuid")]
    requested_by: Option<OperatorId>,
    /// Why it was asked for.
    reason: Option<String>,
    /// When it was asked for.
    created_at: Moment,
    /// Times it failed so far.
    failures: u32,
    /// `planned`, `directed`, `requested`, `issued`, `installed`, `proven`, `closed`; or `needs_person`, `failed`,
    /// `abandoned`.
    state: &'static str,
    /// Since when it has been so.
    since: Moment,
    /// How far along: 0 planned … 6 closed; null beside the straight way.
    progress: Option<u8>,
    /// Whether nothing more will happen.
    over: bool,
    /// What failed: the step; only when `failed`.
    step: Option<String>,
    /// Why it failed or was given up, or what a person has to deal with.
    why: Option<String>,
    /// Not to be tried again before; only when `failed`.
    retry_at: Option<Moment>,
    /// What a person has to do: `issuer_unreachable`, `step_refused` or `repeated_failure`; only when `needs_person`.
    task: Option<&'static str>,
    /// The operator who gave it up.
    #[schema(value_type = Option<String>, format = "uuid")]
    abandoned_by: Option<OperatorId>,
    /// What the configured site said to the new certificate, once it was asked.
    probe: Option<Probe>,
}

/// What a site said to a new certificate.
#[derive(Serialize, ToSchema)]
pub(super) struct Probe {
    /// Host and port that were asked.
    target: String,
    /// Whether it accepted.
    accepted: bool,
    /// TLS version and server's certificate, or the error.
    detail: String,
}

/// What a state tells beside its name.
#[derive(Default)]
struct StateFacts {
    since: Option<inkan_model::Timestamp>,
    step: Option<String>,
    why: Option<String>,
    retry_at: Option<inkan_model::Timestamp>,
    task: Option<&'static str>,
    abandoned_by: Option<OperatorId>,
    probe: Option<renewal::ProbeResult>,
}

/// Requests, chains, challenges and signatures stay inside: nobody outside can do anything with them.
fn facts_of(state: RenewalState) -> StateFacts {
    let none = StateFacts::default();
    match state {
        RenewalState::Planned { not_before: at }
        | RenewalState::Directed { at, .. }
        | RenewalState::Requested { at, .. }
        | RenewalState::Issued { at, .. }
        | RenewalState::Installed { at, .. } => StateFacts { since: Some(at), ..none },
        RenewalState::Proven { at, new: _, proof } | RenewalState::Closed { at, new: _, proof } => {
            StateFacts { since: Some(at), probe: proof.probe, ..none }
        }
        RenewalState::NeedsPerson { at, what } => {
            let (task, why) = task_of(what);
            StateFacts { since: Some(at), task: Some(task), why: Some(why), ..none }
        }
        RenewalState::Failed { at, step, why, retry_at, resume: _ } => StateFacts {
            since: Some(at),
            step: Some(step_name(step)),
            why: Some(why),
            retry_at: Some(retry_at),
            ..none
        },
        RenewalState::Abandoned { at, by, why } => {
            StateFacts { since: Some(at), why: Some(why), abandoned_by: by, ..none }
        }
    }
}

fn task_of(task: PersonTask) -> (&'static str, String) {
    match task {
        PersonTask::IssuerUnreachable { issuer } => ("issuer_unreachable", issuer),
        PersonTask::StepRefused { why, .. } => ("step_refused", why),
        PersonTask::RepeatedFailure { why } => ("repeated_failure", why),
    }
}

fn step_name(step: RenewalStep) -> String {
    match step {
        RenewalStep::Request => "request".to_owned(),
        RenewalStep::Issue => "issue".to_owned(),
        RenewalStep::Install => "install".to_owned(),
        RenewalStep::Prove => "prove".to_owned(),
        RenewalStep::ArchiveOld => "archive_old".to_owned(),
        RenewalStep::Unrecognized(number) => format!("unrecognized_{number}"),
    }
}

impl Renewal {
    fn of(renewal: renewal::Renewal, host_name: String) -> Self {
        let renewal::Renewal { id, vendor: _, host, location, old, requested_by, reason, created_at, failures, state } =
            renewal;
        let (name, progress, over, new) = (state.name(), state.progress(), state.is_over(), state.new_certificate());
        let StateFacts { since, step, why, retry_at, task, abandoned_by, probe } = facts_of(state);
        let probe = probe.map(|renewal::ProbeResult { target, accepted, detail }| Probe { target, accepted, detail });
        let requested_by = match requested_by {
            Requester::Operator(operator) => Some(operator),
            Requester::Planner => None,
        };
        Self {
            id,
            host: HostRef { id: host, name: host_name },
            location: location.into(),
            certificate: Sha256Text(old),
            new_certificate: new.map(Sha256Text),
            requested_by,
            reason,
            created_at: Moment(created_at),
            failures,
            state: name,
            since: Moment(since.unwrap_or(created_at)),
            progress,
            over,
            step,
            why,
            retry_at: retry_at.map(Moment),
            task,
            abandoned_by,
            probe,
        }
    }
}

/// A renewal with the names that a list shows.
#[derive(Serialize, ToSchema)]
pub(super) struct RenewalItem {
    #[serde(flatten)]
    renewal: Renewal,
    /// The clinic's name.
    clinic_name: String,
    /// The old certificate's name, where it could be read.
    certificate_name: Option<String>,
    /// When it last changed.
    updated_at: Moment,
}

impl From<RenewalRow> for RenewalItem {
    fn from(row: RenewalRow) -> Self {
        let RenewalRow { renewal, host_name, clinic_name, certificate_name, updated_at } = row;
        let renewal = Renewal::of(renewal, host_name);
        Self { renewal, clinic_name, certificate_name, updated_at: Moment(updated_at) }
    }
}

/// The name of a renewal's state.
pub(super) struct StateName(&'static str);

impl std::str::FromStr for StateName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = STATES.iter().find(|name| **name == text);
        found.map(|name| Self(name)).ok_or_else(|| format!("one of {} is expected", STATES.join(", ")))
    }
}

/// Which renewals are wanted. All conditions must hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct RenewalFilter {
    /// Of this host.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, format = "uuid")]
    host: Option<HostId>,
    /// Of this clinic: identifier or 10-digit institution code.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    clinic: Option<ClinicName>,
    /// In this state.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, example = "needs_person")]
    state: Option<StateName>,
    /// `false`: only those under way; `true`: only those that are over.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<bool>)]
    over: Option<bool>,
    /// Of this certificate.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<Sha256Text>)]
    certificate: Option<Fingerprint>,
}

/// List renewals
#[utoipa::path(
    get, path = "/renewals", tag = "renewals", operation_id = "list_renewals", params(RenewalFilter, Paging),
    responses((status = 200, description = "Renewals, newest first", body = PageOf<RenewalItem>)),
)]
async fn list_renewals(
    State(core): State<Core>,
    caller: Caller,
    List { filter, page }: List<RenewalFilter>,
) -> Answer<Json<PageOf<RenewalItem>>> {
    let view = core.view(&caller.operator)?;
    let RenewalFilter { host, clinic, state, over, certificate } = filter;
    let clinic = find_clinic_id(&view, clinic).await?;
    let query = RenewalQuery { host, clinic, state: state.map(|name| name.0.to_owned()), over, old: certificate };
    Ok(Json(PageOf::of(view.renewals(&query, &page).await?, Into::into)))
}

/// What is to be renewed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRenewal {
    /// On which PC.
    #[serde(deserialize_with = "parsed_text")]
    #[schema(value_type = String, format = "uuid")]
    host: HostId,
    /// Which certificate.
    #[serde(deserialize_with = "parsed_text")]
    #[schema(value_type = Sha256Text)]
    certificate: Fingerprint,
    /// Why, in words; goes into the record.
    #[serde(default)]
    reason: Option<String>,
}

/// Ask for a renewal
///
/// Asking again while one is under way for the same certificate answers with that one.
#[utoipa::path(
    post, path = "/renewals", tag = "renewals", operation_id = "request_renewal", request_body = NewRenewal,
    responses((status = 202, description = "Under way; watch it under `Location`", body = Renewal)),
)]
async fn request_renewal(
    State(core): State<Core>,
    caller: Caller,
    Body(new): Body<NewRenewal>,
) -> Answer<(StatusCode, [(header::HeaderName, String); 1], Json<Renewal>)> {
    let NewRenewal { host, certificate, reason } = new;
    let renewal = core.request_renewal(&caller.operator, RenewalOrder { host, certificate, reason }).await?;
    let location = [(header::LOCATION, format!("/api/v1/renewals/{}", renewal.id))];
    let shown = with_host_name(&core.view(&caller.operator)?, renewal).await?;
    Ok((StatusCode::ACCEPTED, location, Json(shown)))
}

async fn with_host_name(view: &FleetView, renewal: renewal::Renewal) -> Answer<Renewal> {
    let host = view.host(renewal.host).await?;
    Ok(Renewal::of(renewal, host.facts.host_name))
}

/// Show a renewal
#[utoipa::path(
    get, path = "/renewals/{id}", tag = "renewals", operation_id = "show_renewal",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "The renewal", body = Renewal)),
)]
async fn show_renewal(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<RenewalId>,
) -> Answer<Json<Renewal>> {
    let view = core.view(&caller.operator)?;
    let renewal = view.renewal(id).await?;
    Ok(Json(with_host_name(&view, renewal).await?))
}

/// Why a renewal is given up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Abandonment {
    /// Why, in words; goes into the record.
    why: String,
}

/// Give a renewal up
///
/// The old certificate stays as it is; what the PC made for the new one is taken back.
#[utoipa::path(
    post, path = "/renewals/{id}/abandon", tag = "renewals", operation_id = "abandon_renewal",
    request_body = Abandonment, params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "Given up", body = Renewal)),
)]
async fn abandon_renewal(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<RenewalId>,
    Body(Abandonment { why }): Body<Abandonment>,
) -> Answer<Json<Renewal>> {
    core.abandon_renewal(&caller.operator, id, why).await?;
    let view = core.view(&caller.operator)?;
    let renewal = view.renewal(id).await?;
    Ok(Json(with_host_name(&view, renewal).await?))
}
