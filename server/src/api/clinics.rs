//! Clinics: one by one, and as lists in CSV.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use inkan_core::Core;
use inkan_core::clinics::{ImportReport, LARGEST_LIST};
use inkan_core::hosts::FleetView;
use inkan_core::ports::{ClinicChanges, ClinicQuery, ClinicRow};
use inkan_model::ClinicId;
use inkan_model::clinic::{self, ClinicProfile, InvalidClinic};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::extract::{Body, List, Paging, Params, Segment, parsed, require_media_type};
use super::problem::{Answer, Problem};
use super::values::{ClinicKindWord, ClinicName, PageOf, Prefecture, UrgencyWord, Word};

/// Bytes of the largest body of [`import_routes`].
pub(super) const LARGEST_IMPORT: usize = LARGEST_LIST;

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new()
        .routes(routes!(list_clinics, save_clinic))
        .routes(routes!(export_clinics))
        .routes(routes!(show_clinic))
}

/// The route whose body may be larger than others.
pub(super) fn import_routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(import_clinics))
}

/// A medical institution.
#[derive(Serialize, ToSchema)]
pub(super) struct Clinic {
    /// Which one.
    #[schema(value_type = String, format = "uuid")]
    id: ClinicId,
    /// Its 10-digit institution code (医療機関コード).
    #[schema(example = "1710119153")]
    code: String,
    /// Its name.
    name: String,
    /// Its kind.
    kind: ClinicKindWord,
    /// Where it is.
    prefecture: Prefecture,
    /// The person to ask for.
    contact: Option<String>,
    /// Telephone number.
    phone: Option<String>,
    /// Mail address.
    mail: Option<String>,
}

impl From<clinic::Clinic> for Clinic {
    fn from(clinic: clinic::Clinic) -> Self {
        let clinic::Clinic { id, vendor: _, profile } = clinic;
        let ClinicProfile { code, name, kind, prefecture, contact, phone, mail } = profile;
        Self { id, code: code.into(), name, kind: Word(kind), prefecture: prefecture.into(), contact, phone, mail }
    }
}

/// A clinic with its numbers.
#[derive(Serialize, ToSchema)]
pub(super) struct ClinicItem {
    #[serde(flatten)]
    clinic: Clinic,
    /// Its PCs that are not retired.
    hosts: u64,
    /// The worst urgency of an open finding there.
    worst: Option<UrgencyWord>,
}

impl From<ClinicRow> for ClinicItem {
    fn from(row: ClinicRow) -> Self {
        let ClinicRow { clinic, hosts, worst } = row;
        Self { clinic: clinic.into(), hosts, worst: worst.map(Word) }
    }
}

/// Which clinics are wanted. All conditions must hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ClinicFilter {
    /// Words to find in code or name; width, case and kana do not matter.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    search: Option<String>,
    /// Of this kind.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<ClinicKindWord>)]
    kind: Option<ClinicKindWord>,
    /// In this prefecture: its number, or its name in Japanese or romaji.
    #[serde(default, deserialize_with = "parsed_prefecture")]
    #[param(value_type = Option<String>, example = "石川県")]
    prefecture: Option<clinic::Prefecture>,
}

impl From<ClinicFilter> for ClinicQuery {
    fn from(filter: ClinicFilter) -> Self {
        let ClinicFilter { search, kind, prefecture } = filter;
        Self { search, kind: kind.map(|word| word.0), prefecture }
    }
}

/// Reads a prefecture, with the error that a form would show.
pub(super) fn parsed_prefecture<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<clinic::Prefecture>, D::Error> {
    let text: Option<String> = parsed(deserializer)?;
    let parse = |text: String| text.parse().map_err(|_| InvalidClinic::Prefecture(text));
    text.map(parse).transpose().map_err(|error| serde::de::Error::custom(split_field(&error).1))
}

/// The clinic that a caller names.
pub(super) async fn find_clinic(view: &FleetView, name: ClinicName) -> Answer<clinic::Clinic> {
    Ok(match name {
        ClinicName::Code(code) => view.clinic_by_code(code.as_str()).await?,
        ClinicName::Id(id) => view.clinic(id).await?,
    })
}

/// The identifier of the clinic that a filter names, if it names one.
pub(super) async fn find_clinic_id(view: &FleetView, name: Option<ClinicName>) -> Answer<Option<ClinicId>> {
    match name {
        Some(ClinicName::Id(id)) => Ok(Some(id)),
        Some(name) => find_clinic(view, name).await.map(|clinic| Some(clinic.id)),
        None => Ok(None),
    }
}

/// List clinics
#[utoipa::path(
    get, path = "/clinics", tag = "clinics", operation_id = "list_clinics", params(ClinicFilter, Paging),
    responses((status = 200, description = "Clinics, by code", body = PageOf<ClinicItem>)),
)]
async fn list_clinics(
    State(core): State<Core>,
    caller: Caller,
    List { filter, page }: List<ClinicFilter>,
) -> Answer<Json<PageOf<ClinicItem>>> {
    let clinics = core.view(&caller.operator)?.clinics(&filter.into(), &page).await?;
    Ok(Json(PageOf::of(clinics, Into::into)))
}

/// What a clinic is, as an operator enters it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewClinic {
    /// 10-digit institution code (医療機関コード).
    #[schema(example = "1710119153")]
    code: String,
    /// Its name.
    name: String,
    /// Its kind: `medical` (医科), `dental` (歯科), `pharmacy` (薬局) or `nursing` (訪問看護).
    kind: String,
    /// Its prefecture: the number, or the name in Japanese or romaji.
    #[schema(example = "石川県")]
    prefecture: String,
    /// The person to ask for.
    #[serde(default)]
    contact: Option<String>,
    /// Telephone number.
    #[serde(default)]
    phone: Option<String>,
    /// Mail address.
    #[serde(default)]
    mail: Option<String>,
}

impl NewClinic {
    fn parse(&self) -> Answer<ClinicProfile> {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let Self { code, name, kind, prefecture, contact, phone, mail } = self;
        ClinicProfile::parse(code, name, kind, prefecture, &text(contact), &text(phone), &text(mail)).map_err(|error| {
            let (field, why) = split_field(&error);
            Problem::invalid(field, why)
        })
    }
}

/// An [`InvalidClinic`] prints as "field: why".
fn split_field(error: &InvalidClinic) -> (String, String) {
    let text = error.to_string();
    text.split_once(": ")
        .map_or_else(|| (String::new(), text.clone()), |(field, why)| (field.to_owned(), why.to_owned()))
}

/// Create or change a clinic
///
/// Clinics are told apart by their code. What is absent is emptied.
#[utoipa::path(
    post, path = "/clinics", tag = "clinics", operation_id = "save_clinic", request_body = NewClinic,
    responses(
        (status = 200, description = "Changed", body = Clinic),
        (status = 201, description = "Created", body = Clinic),
    ),
)]
async fn save_clinic(
    State(core): State<Core>,
    caller: Caller,
    Body(new): Body<NewClinic>,
) -> Answer<(StatusCode, Json<Clinic>)> {
    let profile = new.parse()?;
    let before = core.view(&caller.operator)?.clinic_by_code(profile.code.as_str()).await;
    let status = match before {
        Ok(_) => StatusCode::OK,
        Err(inkan_core::Error::NotFound { .. }) => StatusCode::CREATED,
        Err(error) => return Err(error.into()),
    };
    let saved = core.save_clinic(&caller.operator, profile).await?;
    Ok((status, Json(saved.into())))
}

/// Show a clinic
#[utoipa::path(
    get, path = "/clinics/{clinic}", tag = "clinics", operation_id = "show_clinic",
    params(("clinic" = String, Path, description = "Identifier or 10-digit institution code")),
    responses((status = 200, description = "The clinic", body = Clinic)),
)]
async fn show_clinic(
    State(core): State<Core>,
    caller: Caller,
    Segment(name): Segment<ClinicName>,
) -> Answer<Json<Clinic>> {
    let view = core.view(&caller.operator)?;
    Ok(Json(find_clinic(&view, name).await?.into()))
}

/// What an import changed.
#[derive(Serialize, ToSchema)]
pub(super) struct ImportResult {
    /// New clinics.
    created: u32,
    /// Clinics that are different now.
    changed: u32,
    /// Clinics that stayed as they were.
    unchanged: u32,
}

/// Import clinics
///
/// A list in CSV (UTF-8, at most 8 MiB) with a head line that names the columns `code`, `name`, `kind`, `prefecture`,
/// and where wanted `contact`, `phone`, `mail`. All or nothing: with one wrong line nothing is stored, and every wrong
/// line is named in `errors`.
#[utoipa::path(
    post, path = "/clinics/import", tag = "clinics", operation_id = "import_clinics",
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, description = "Stored", body = ImportResult)),
)]
async fn import_clinics(
    State(core): State<Core>,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Answer<Json<ImportResult>> {
    require_media_type(&headers, "text/csv")?;
    match core.import_clinics(&caller.operator, &body?).await? {
        ImportReport::Stored(ClinicChanges { created, changed, unchanged }) => {
            Ok(Json(ImportResult { created, changed, unchanged }))
        }
        ImportReport::Refused(errors) => Err(Problem::invalid_list(errors)),
    }
}

/// Export clinics
///
/// A list in CSV that can be imported again.
#[utoipa::path(
    get, path = "/clinics/export.csv", tag = "clinics", operation_id = "export_clinics", params(ClinicFilter),
    responses((status = 200, description = "The list", body = String, content_type = "text/csv")),
)]
async fn export_clinics(
    State(core): State<Core>,
    caller: Caller,
    Params(filter): Params<ClinicFilter>,
) -> Answer<Response> {
    let csv = core.export_clinics(&caller.operator, &filter.into()).await?;
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"clinics.csv\""),
    ];
    Ok((headers, csv).into_response())
}
