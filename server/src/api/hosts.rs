//! PCs: lists, one in detail, its timeline, and what it may do.

use axum::Json;
use axum::extract::State;
use inkan_core::Core;
use inkan_core::ports::{HostDetail, HostQuery, HostRow};
use inkan_model::event::{self, Happening};
use inkan_model::host::HostFacts;
use inkan_model::{HostId, OperatorId, RenewalId, clinic};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::clinics::{Clinic, find_clinic_id, parsed_prefecture};
use super::extract::{Body, List, NoFilter, Paging, Params, Segment, parsed};
use super::findings::Diagnosis;
use super::language::Language;
use super::problem::Answer;
use super::values::{
    ClinicName, ClinicRef, HostStateWord, LocaleWord, Location, Moment, PageOf, Prefecture, RuleWord, Sha256Text,
    UrgencyWord, Word,
};

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new()
        .routes(routes!(list_hosts))
        .routes(routes!(show_host))
        .routes(routes!(list_events))
        .routes(routes!(set_host_state))
}

/// A PC with its numbers.
#[derive(Serialize, ToSchema)]
pub(super) struct HostItem {
    /// Which one.
    #[schema(value_type = String, format = "uuid")]
    id: HostId,
    /// Its name.
    name: String,
    /// Operating system in words.
    os: String,
    /// Version of the agent.
    agent_version: String,
    /// What it may do.
    state: HostStateWord,
    /// Last sign of life.
    last_seen: Moment,
    /// The clinic.
    clinic: ClinicRef,
    /// The clinic's prefecture.
    prefecture: Prefecture,
    /// Installations: certificates with their own key or purpose.
    installations: u32,
    /// The soonest end of validity of its installations.
    next_expiry: Option<Moment>,
    /// Open findings.
    findings: u32,
    /// The worst urgency of them.
    worst: Option<UrgencyWord>,
}

impl From<HostRow> for HostItem {
    fn from(row: HostRow) -> Self {
        let HostRow {
            id,
            name,
            os,
            agent_version,
            state,
            last_seen,
            clinic,
            clinic_name,
            prefecture,
            installations,
            next_expiry,
            findings,
            worst,
        } = row;
        Self {
            id,
            name,
            os,
            agent_version,
            state: Word(state),
            last_seen: Moment(last_seen),
            clinic: ClinicRef { id: clinic, name: clinic_name },
            prefecture: prefecture.into(),
            installations,
            next_expiry: next_expiry.map(Moment),
            findings,
            worst: worst.map(Word),
        }
    }
}

/// Which hosts are wanted. All conditions must hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct HostFilter {
    /// Words to find in the PC's name, or the clinic's name or code; width, case and kana do not matter.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    search: Option<String>,
    /// Of this clinic: identifier or 10-digit institution code.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    clinic: Option<ClinicName>,
    /// In this prefecture: its number, or its name in Japanese or romaji.
    #[serde(default, deserialize_with = "parsed_prefecture")]
    #[param(value_type = Option<String>, example = "石川県")]
    prefecture: Option<clinic::Prefecture>,
    /// With an open finding of this rule.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<RuleWord>)]
    rule: Option<RuleWord>,
    /// With an open finding of this urgency.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<UrgencyWord>)]
    urgency: Option<UrgencyWord>,
    /// In this state; when absent, all but retired and banned ones.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<HostStateWord>)]
    state: Option<HostStateWord>,
    /// Not heard of since this moment.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<Moment>)]
    silent_since: Option<Moment>,
}

/// List hosts
#[utoipa::path(
    get, path = "/hosts", tag = "hosts", operation_id = "list_hosts", params(HostFilter, Paging),
    responses((status = 200, description = "Hosts, most urgent first, then by name", body = PageOf<HostItem>)),
)]
async fn list_hosts(
    State(core): State<Core>,
    caller: Caller,
    List { filter, page }: List<HostFilter>,
) -> Answer<Json<PageOf<HostItem>>> {
    let view = core.view(&caller.operator)?;
    let HostFilter { search, clinic, prefecture, rule, urgency, state, silent_since } = filter;
    let query = HostQuery {
        search,
        clinic: find_clinic_id(&view, clinic).await?,
        prefecture,
        rule: rule.map(|word| word.0),
        urgency: urgency.map(|word| word.0),
        state: state.map(|word| word.0),
        silent_since: silent_since.map(|moment| moment.0),
    };
    Ok(Json(PageOf::of(view.hosts(&query, &page).await?, Into::into)))
}

/// A PC in detail.
#[derive(Serialize, ToSchema)]
pub(super) struct Host {
    /// Which one.
    #[schema(value_type = String, format = "uuid")]
    id: HostId,
    /// Its name.
    name: String,
    /// The clinic.
    clinic: Clinic,
    /// What it may do.
    state: HostStateWord,
    /// When it joined.
    enrolled_at: Moment,
    /// Last sign of life.
    last_seen: Moment,
    /// How far the PC's clock is ahead of the server's, in milliseconds.
    clock_offset_ms: i64,
    /// When its report last changed; null before the first one.
    reported_at: Option<Moment>,
    /// Last moment of its agent's identity.
    identity_not_after: Moment,
    /// The newest generation of its directives.
    generation: u64,
    /// The newest generation that its agent has.
    applied_generation: u64,
    /// What the PC says of itself.
    facts: Facts,
    /// Open findings, most urgent first.
    findings: Vec<Diagnosis>,
}

/// What a PC says of itself.
#[derive(Serialize, ToSchema)]
pub(super) struct Facts {
    os: String,
    os_version: String,
    kernel: String,
    architecture: String,
    agent_version: String,
    model: Option<String>,
    cores: u32,
    memory_mib: u64,
    users: Vec<String>,
    time_zone: Option<String>,
}

fn host_of(detail: HostDetail, locale: inkan_model::locale::Locale, now: inkan_model::Timestamp) -> Host {
    let HostDetail {
        id,
        clinic,
        facts,
        state,
        enrolled_at,
        last_seen,
        clock_offset_ms,
        reported_at,
        identity_not_after,
        generation,
        applied_generation,
        findings,
    } = detail;
    let HostFacts {
        host_name,
        os,
        os_version,
        kernel,
        architecture,
        agent_version,
        model,
        cores,
        memory_mib,
        users,
        time_zone,
    } = facts;
    Host {
        id,
        name: host_name,
        clinic: clinic.into(),
        state: Word(state),
        enrolled_at: Moment(enrolled_at),
        last_seen: Moment(last_seen),
        clock_offset_ms,
        reported_at: reported_at.map(Moment),
        identity_not_after: Moment(identity_not_after),
        generation: generation.0,
        applied_generation: applied_generation.0,
        facts: Facts {
            os,
            os_version,
            kernel,
            architecture,
            agent_version,
            model,
            cores,
            memory_mib,
            users,
            time_zone,
        },
        findings: findings.into_iter().map(|diagnosis| Diagnosis::of(diagnosis, locale, now)).collect(),
    }
}

/// In which language words are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Wording {
    /// The language of statements and remedies; else `Accept-Language`, else the operator's own.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<LocaleWord>)]
    pub(super) lang: Option<LocaleWord>,
}

/// Show a host
#[utoipa::path(
    get, path = "/hosts/{id}", tag = "hosts", operation_id = "show_host",
    params(("id" = String, Path, format = "uuid"), Wording),
    responses((status = 200, description = "The host", body = Host)),
)]
async fn show_host(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<HostId>,
    language: Language,
    Params(Wording { lang }): Params<Wording>,
) -> Answer<Json<Host>> {
    let detail = core.view(&caller.operator)?.host(id).await?;
    Ok(Json(host_of(detail, language.unless(lang), core.now())))
}

/// What a host is to do from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewHostState {
    /// `active` approves it, `suspended` holds directives back, `retired` takes it out of service, `banned` is for good.
    state: HostStateWord,
}

/// Change what a host may do
///
/// Approves, suspends, retires or bans it.
#[utoipa::path(
    post, path = "/hosts/{id}/state", tag = "hosts", operation_id = "set_host_state", request_body = NewHostState,
    params(("id" = String, Path, format = "uuid"), Wording),
    responses((status = 200, description = "Changed", body = Host)),
)]
async fn set_host_state(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<HostId>,
    language: Language,
    Params(Wording { lang }): Params<Wording>,
    Body(new): Body<NewHostState>,
) -> Answer<Json<Host>> {
    core.set_host_state(&caller.operator, id, new.state.0).await?;
    let detail = core.view(&caller.operator)?.host(id).await?;
    Ok(Json(host_of(detail, language.unless(lang), core.now())))
}

/// An entry of a host's timeline. Which fields are there depends on `what`.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct Event {
    /// Which one; sorts by time.
    id: String,
    /// When, by the server's clock.
    #[schema(format = DateTime)]
    at: String,
    /// The operator who did it, where a person did.
    #[schema(value_type = Option<String>, format = "uuid")]
    by: Option<OperatorId>,
    /// What happened: `enrolled`, `state_changed`, `certificate_appeared`, `certificate_disappeared`, `store_changed`,
    /// `finding_opened`, `finding_closed`, `renewal_moved`, `identity_renewed`, `identity_recovered`,
    /// `identity_conflict`; more may come.
    what: &'static str,
    /// The state that a host or a renewal reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// The certificate that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<Sha256Text>,
    /// The certificate's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// The store.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
    /// Certificates that came.
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<u32>,
    /// Certificates that went.
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<u32>,
    /// The finding's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<RuleWord>,
    /// The renewal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    renewal: Option<RenewalId>,
    /// Why it failed or was given up.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl From<event::Event> for Event {
    fn from(event: event::Event) -> Self {
        let event::Event { id, vendor: _, host: _, at, by, what } = event;
        let told = Self { id: id.to_string(), at: at.to_string(), by, ..Self::default() };
        match what {
            Happening::Enrolled => Self { what: "enrolled", ..told },
            Happening::StateChanged { to } => {
                Self { what: "state_changed", state: Some(super::values::Named::name(to).to_owned()), ..told }
            }
            Happening::CertificateAppeared { certificate, name, location } => Self {
                what: "certificate_appeared",
                certificate: Some(Sha256Text(certificate)),
                name: Some(name),
                location: Some(location.into()),
                ..told
            },
            Happening::CertificateDisappeared { certificate, name, location } => Self {
                what: "certificate_disappeared",
                certificate: Some(Sha256Text(certificate)),
                name: Some(name),
                location: Some(location.into()),
                ..told
            },
            Happening::StoreChanged { location, added, removed } => Self {
                what: "store_changed",
                location: Some(location.into()),
                added: Some(added),
                removed: Some(removed),
                ..told
            },
            Happening::FindingOpened { subject } => told.about(&subject, "finding_opened"),
            Happening::FindingClosed { subject } => told.about(&subject, "finding_closed"),
            Happening::RenewalMoved { renewal, state, why } => {
                Self { what: "renewal_moved", renewal: Some(renewal), state: Some(state), why, ..told }
            }
            Happening::IdentityRenewed => Self { what: "identity_renewed", ..told },
            Happening::IdentityRecovered => Self { what: "identity_recovered", ..told },
            Happening::IdentityConflict => Self { what: "identity_conflict", ..told },
            Happening::Unrecognized => Self { what: "unrecognized", ..told },
        }
    }
}

impl Event {
    fn about(self, subject: &inkan_model::finding::Subject, what: &'static str) -> Self {
        let certificate = subject.certificate().map(Sha256Text);
        Self { what, rule: Some(Word(subject.rule())), certificate, ..self }
    }
}

/// List a host's timeline
#[utoipa::path(
    get, path = "/hosts/{id}/events", tag = "hosts", operation_id = "list_host_events",
    params(("id" = String, Path, format = "uuid"), Paging),
    responses((status = 200, description = "What happened, newest first", body = PageOf<Event>)),
)]
async fn list_events(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<HostId>,
    List { filter: NoFilter {}, page }: List<NoFilter>,
) -> Answer<Json<PageOf<Event>>> {
    let view = core.view(&caller.operator)?;
    view.host(id).await?;
    Ok(Json(PageOf::of(view.events(id, &page).await?, Into::into)))
}
