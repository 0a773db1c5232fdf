//! Checkups: a PC's doctor asked, and what it found.

use axum::Json;
use axum::extract::State;
use inkan_core::Core;
use inkan_core::checkups::HostCheckups;
use inkan_model::checkup::{self, CheckStatus};
use inkan_model::locale::Locale;
use inkan_model::programme;
use inkan_model::{CheckupId, HostId, OperatorId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::extract::{Body, NoFilter, Params, Segment};
use super::hosts::Wording;
use super::language::Language;
use super::problem::Answer;
use super::values::{Moment, PageOf};

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(show_checkup, request_checkup)).routes(routes!(list_programmes))
}

/// A system that PCs can be examined for.
#[derive(Serialize, ToSchema)]
pub(super) struct Programme {
    /// What it is called in requests.
    #[schema(example = "common-ca")]
    id: String,
    /// What people call it.
    name: String,
}

/// List the systems that PCs can be examined for
#[utoipa::path(
    get, path = "/programmes", tag = "hosts", operation_id = "list_programmes", params(Wording),
    responses((status = 200, description = "All of them", body = PageOf<Programme>)),
)]
async fn list_programmes(
    State(core): State<Core>,
    caller: Caller,
    language: Language,
    Params(Wording { lang }): Params<Wording>,
) -> Answer<Json<PageOf<Programme>>> {
    core.view(&caller.operator)?;
    let locale = language.unless(lang);
    let item = |programme: &programme::Programme| Programme {
        id: programme.id.to_string(),
        name: programme.names.in_locale(locale).to_owned(),
    };
    Ok(Json(PageOf::whole(core.programmes().iter().map(item).collect())))
}

/// What a PC's doctor was asked, and what it found.
#[derive(Serialize, ToSchema)]
pub(super) struct Checkup {
    /// Which one.
    #[schema(value_type = String, format = "uuid")]
    id: CheckupId,
    /// The system that the PC should be fit for; null for the checks that every PC has to pass.
    programme: Option<String>,
    /// The operator who asked.
    #[schema(value_type = String, format = "uuid")]
    requested_by: OperatorId,
    /// When it was asked for.
    requested_at: Moment,
    /// When the PC was examined, by its own clock; null while it waits.
    examined_at: Option<Moment>,
    /// When the server learnt of it; null while it waits.
    received_at: Option<Moment>,
    /// The worst status of its results: `now`, `soon`, `unknown` or `well`; null while it waits.
    worst: Option<&'static str>,
    /// What was found, in the order in which to show it; none when the PC could not be examined.
    results: Vec<CheckResult>,
}

/// One statement of a check.
#[derive(Serialize, ToSchema)]
pub(super) struct CheckResult {
    /// Which check, such as `clock` or `tls_versions`; more may come.
    check: &'static str,
    /// What it looks at, in a word or two.
    title: String,
    /// `now`: something to do today; `soon`: in the coming weeks; `unknown`: it cannot be told; `well`.
    status: &'static str,
    /// What was found.
    statement: String,
    /// What to do, where there is something to do.
    remedy: Option<String>,
}

/// A PC's checkups.
#[derive(Serialize, ToSchema)]
pub(super) struct Checkups {
    /// Those that wait for the PC, newest first.
    waiting: Vec<Checkup>,
    /// The newest that was answered.
    last: Option<Checkup>,
}

impl Checkup {
    fn of(checkup: checkup::Checkup, locale: Locale) -> Self {
        let checkup::Checkup { id, vendor: _, host: _, programme, requested_by, requested_at, finding } = checkup;
        let said = |result: checkup::CheckResult| CheckResult {
            check: result.name.name(),
            title: result.name.title().in_locale(locale).to_owned(),
            status: result.status.name(),
            statement: result.statement.in_locale(locale).to_owned(),
            remedy: result.remedy.map(|remedy| remedy.in_locale(locale).to_owned()),
        };
        let worst = finding.as_ref().map(|finding| checkup::worst(&finding.results)).map(CheckStatus::name);
        let moments = finding.as_ref().map(|finding| (finding.examined_at, finding.received_at));
        Self {
            id,
            programme: programme.map(|programme| programme.id.to_string()),
            requested_by,
            requested_at: Moment(requested_at),
            examined_at: moments.map(|(examined, _)| Moment(examined)),
            received_at: moments.map(|(_, received)| Moment(received)),
            worst,
            results: finding.into_iter().flat_map(|finding| finding.results).map(said).collect(),
        }
    }
}

impl Checkups {
    fn of(found: HostCheckups, locale: Locale) -> Self {
        let HostCheckups { waiting, last } = found;
        Self {
            waiting: waiting.into_iter().map(|checkup| Checkup::of(checkup, locale)).collect(),
            last: last.map(|checkup| Checkup::of(checkup, locale)),
        }
    }
}

/// Show what a host's doctor found
#[utoipa::path(
    get, path = "/hosts/{id}/checkup", tag = "hosts", operation_id = "show_checkup",
    params(("id" = String, Path, format = "uuid"), Wording),
    responses((status = 200, description = "What waits, and the newest answer", body = Checkups)),
)]
async fn show_checkup(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<HostId>,
    language: Language,
    Params(Wording { lang }): Params<Wording>,
) -> Answer<Json<Checkups>> {
    let view = core.view(&caller.operator)?;
    view.host(id).await?;
    Ok(Json(Checkups::of(view.checkups(id).await?, language.unless(lang))))
}

/// What a PC is to be examined for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewCheckup {
    /// One of the systems that the list of programmes names; absent for the checks that every PC has to pass.
    #[serde(default)]
    #[schema(example = "common-ca")]
    programme: Option<String>,
}

/// Have a host examined
///
/// Nothing is changed on the PC. One that is off is examined when it comes back. Asking again while it waits changes
/// nothing.
#[utoipa::path(
    post, path = "/hosts/{id}/checkup", tag = "hosts", operation_id = "request_checkup", request_body = NewCheckup,
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "Asked for, or waiting already", body = Checkup)),
)]
async fn request_checkup(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<HostId>,
    Params(NoFilter {}): Params<NoFilter>,
    language: Language,
    Body(new): Body<NewCheckup>,
) -> Answer<Json<Checkup>> {
    let asked = core.request_checkup(&caller.operator, id, new.programme.as_deref()).await?;
    Ok(Json(Checkup::of(asked, language.unless(None))))
}
