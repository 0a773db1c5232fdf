//! Findings: what is wrong, and what to do, in words.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use inkan_core::Core;
use inkan_core::ports::{FindingQuery, FindingRow};
use inkan_model::finding;
use inkan_model::locale::Locale;
use inkan_model::{FindingId, HostId, RenewalId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::clinics::{Clinic, find_clinic_id};
use super::extract::{List, Paging, parsed};
use super::language::Language;
use super::problem::Answer;
use super::values::{
    ClinicName, HostRef, LocaleWord, Location, Moment, PageOf, RuleWord, Sha256Text, UrgencyWord, Word,
};

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(list_findings))
}

/// Something wrong with one PC, in words.
#[derive(Serialize, ToSchema)]
pub(super) struct Diagnosis {
    /// The rule that was applied.
    rule: RuleWord,
    /// How soon somebody has to act.
    urgency: UrgencyWord,
    /// What is wrong, in one sentence.
    statement: String,
    /// What to do next, in one sentence.
    remedy: String,
    /// The certificate that it is about.
    certificate: Option<Sha256Text>,
    /// Where that certificate is.
    location: Option<Location>,
}

impl Diagnosis {
    pub(super) fn of(diagnosis: finding::Diagnosis, locale: Locale, now: Timestamp) -> Self {
        let statement = diagnosis.statement(now).in_locale(locale).to_owned();
        let remedy = diagnosis.remedy().in_locale(locale).to_owned();
        let finding::Diagnosis { subject, urgency, detail: _ } = diagnosis;
        let (rule, certificate) = (Word(subject.rule()), subject.certificate().map(Sha256Text));
        let location = location_of(subject).map(Into::into);
        Self { rule, urgency: Word(urgency), statement, remedy, certificate, location }
    }
}

fn location_of(subject: finding::Subject) -> Option<inkan_model::store::Location> {
    match subject {
        finding::Subject::CertificateExpired { location, .. }
        | finding::Subject::CertificateExpiring { location, .. }
        | finding::Subject::KeyMissing { location, .. }
        | finding::Subject::ChainIncomplete { location, .. }
        | finding::Subject::WeakAlgorithm { location, .. } => Some(location),
        finding::Subject::HostSilent | finding::Subject::ClockWrong => None,
    }
}

/// An open finding.
#[derive(Serialize, ToSchema)]
pub(super) struct Finding {
    /// Which one.
    #[schema(value_type = String, format = "uuid")]
    id: FindingId,
    #[serde(flatten)]
    diagnosis: Diagnosis,
    /// Since when.
    opened_at: Moment,
    /// On which PC.
    host: HostRef,
    /// At which clinic, and whom to call there.
    clinic: Clinic,
    /// The renewal that is under way for the certificate.
    #[schema(value_type = Option<String>, format = "uuid")]
    live_renewal: Option<RenewalId>,
}

impl Finding {
    fn of(row: FindingRow, locale: Locale, now: Timestamp) -> Self {
        let FindingRow { id, diagnosis, opened_at, host, host_name, clinic, live_renewal } = row;
        Self {
            id,
            diagnosis: Diagnosis::of(diagnosis, locale, now),
            opened_at: Moment(opened_at),
            host: HostRef { id: host, name: host_name },
            clinic: clinic.into(),
            live_renewal,
        }
    }
}

/// Which findings are wanted. All conditions must hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct FindingFilter {
    /// Of this rule.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<RuleWord>)]
    rule: Option<RuleWord>,
    /// Of this urgency.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<UrgencyWord>)]
    urgency: Option<UrgencyWord>,
    /// Of this clinic: identifier or 10-digit institution code.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    clinic: Option<ClinicName>,
    /// Of this host.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, format = "uuid")]
    host: Option<HostId>,
    /// The language of statements and remedies; else `Accept-Language`, else the operator's own.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<LocaleWord>)]
    lang: Option<LocaleWord>,
}

/// List findings
#[utoipa::path(
    get, path = "/findings", tag = "findings", operation_id = "list_findings", params(FindingFilter, Paging),
    responses((status = 200, description = "Open findings, most urgent first", body = PageOf<Finding>)),
)]
async fn list_findings(
    State(core): State<Core>,
    caller: Caller,
    language: Language,
    List { filter, page }: List<FindingFilter>,
) -> Answer<Response> {
    let view = core.view(&caller.operator)?;
    let FindingFilter { rule, urgency, clinic, host, lang } = filter;
    let clinic = find_clinic_id(&view, clinic).await?;
    let (rule, urgency) = (rule.map(|word| word.0), urgency.map(|word| word.0));
    let findings = view.findings(&FindingQuery { rule, urgency, clinic, host }, &page).await?;
    let (locale, now) = (language.unless(lang), core.now());
    let page = PageOf::of(findings, |row| Finding::of(row, locale, now));
    let headers = [
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(locale.tag())),
        (header::VARY, HeaderValue::from_static("Accept-Language")),
    ];
    Ok((headers, Json(page)).into_response())
}
