//! Certificates: where they are installed, what they say, and who holds them.

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use data_encoding::HEXLOWER;
use inkan_core::Core;
use inkan_core::hosts::FleetView;
use inkan_core::ports::{HolderRow, InstallationQuery, InstallationRow, PageRequest};
use inkan_model::certificate::{KeyAlgorithm, SignatureHash};
use inkan_model::{Certificate, CertificateFacts, Fingerprint, HostId, RenewalId, Timestamp};
use serde::{Deserialize, Serialize};
use time::Duration;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::clinics::find_clinic_id;
use super::extract::{List, NoFilter, Paging, Segment, parsed};
use super::problem::{Answer, Problem};
use super::values::{ClinicName, ClinicRef, HostRef, Location, Moment, PageOf, Sha256Text, key_name};

/// The furthest that `expiring_within_days` looks: ten years.
const FURTHEST_DAYS: u16 = 3_650;

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new()
        .routes(routes!(list_installations))
        .routes(routes!(list_host_certificates))
        .routes(routes!(show_certificate))
        .routes(routes!(download_certificate))
        .routes(routes!(list_holders))
}

/// A certificate with its own key or purpose, at one place of one PC.
#[derive(Serialize, ToSchema)]
pub(super) struct Installation {
    /// Which certificate.
    certificate: Sha256Text,
    /// The subject's common name.
    common_name: String,
    /// The issuer's common name.
    issuer_common_name: String,
    /// First moment of validity.
    not_before: Moment,
    /// Last moment of validity.
    not_after: Moment,
    /// Whole days until then: 0 on the last day, negative once it is past.
    days_left: i64,
    /// Where it is.
    location: Location,
    /// Whether its private key is there: `present`, `absent`, `not_expected` (an anchor) or `unknown`.
    key: Cow<'static, str>,
    /// File name or friendly name.
    name: Option<String>,
    /// Since when it has been there.
    first_seen: Moment,
    /// On which PC.
    host: HostRef,
    /// At which clinic.
    clinic: ClinicRef,
    /// The renewal that is under way for it.
    #[schema(value_type = Option<String>, format = "uuid")]
    live_renewal: Option<RenewalId>,
}

impl Installation {
    fn of(row: InstallationRow, now: Timestamp) -> Self {
        let InstallationRow {
            certificate,
            facts,
            location,
            key,
            name,
            first_seen,
            host,
            host_name,
            clinic,
            clinic_name,
            live_renewal,
        } = row;
        Self {
            certificate: Sha256Text(certificate),
            common_name: facts.common_name,
            issuer_common_name: facts.issuer_common_name,
            not_before: Moment(facts.not_before),
            not_after: Moment(facts.not_after),
            days_left: facts.not_after.days_from(now),
            location: location.into(),
            key: key_name(key),
            name,
            first_seen: Moment(first_seen),
            host: HostRef { id: host, name: host_name },
            clinic: ClinicRef { id: clinic, name: clinic_name },
            live_renewal,
        }
    }
}

/// Which installations are wanted. All conditions must hold.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct InstallationFilter {
    /// That end within so many days, 0 to 3650; those that have ended are among them.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<u16>, minimum = 0, maximum = 3650)]
    expiring_within_days: Option<u16>,
    /// That end before this moment.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<Moment>)]
    expires_before: Option<Moment>,
    /// That end at or after this moment.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline, value_type = Option<Moment>)]
    expires_from: Option<Moment>,
    /// Of this host.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>, format = "uuid")]
    host: Option<HostId>,
    /// Of this clinic: identifier or 10-digit institution code.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    clinic: Option<ClinicName>,
    /// Words to find in subject, host or clinic; width, case and kana do not matter.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    search: Option<String>,
}

impl InstallationFilter {
    /// Before which moment they must end, as far as the filter says.
    fn expires_before(&self, now: Timestamp) -> Answer<Option<Timestamp>> {
        let before = self.expires_before.map(|moment| moment.0);
        match self.expiring_within_days {
            None => Ok(before),
            Some(days) if days > FURTHEST_DAYS => {
                Err(Problem::invalid("expiring_within_days", format!("0 to {FURTHEST_DAYS} are possible")))
            }
            Some(days) => {
                let within = now.plus(Duration::days(days.into()));
                Ok(Some(before.map_or(within, |before| before.min(within))))
            }
        }
    }
}

/// List certificates
///
/// Certificates with their own key or purpose, wherever they are installed.
#[utoipa::path(
    get, path = "/certificates", tag = "certificates", operation_id = "list_certificates",
    params(InstallationFilter, Paging),
    responses((status = 200, description = "Installations, soonest expiry first", body = PageOf<Installation>)),
)]
async fn list_installations(
    State(core): State<Core>,
    caller: Caller,
    List { filter, page }: List<InstallationFilter>,
) -> Answer<Json<PageOf<Installation>>> {
    let view = core.view(&caller.operator)?;
    let expires_before = filter.expires_before(core.now())?;
    let InstallationFilter { expiring_within_days: _, expires_before: _, expires_from, host, clinic, search } = filter;
    let clinic = find_clinic_id(&view, clinic).await?;
    let expires_from = expires_from.map(|moment| moment.0);
    let query = InstallationQuery { host, clinic, expires_before, expires_from, search };
    list(&core, &view, &query, &page).await
}

async fn list(
    core: &Core,
    view: &FleetView,
    query: &InstallationQuery,
    page: &PageRequest,
) -> Answer<Json<PageOf<Installation>>> {
    let now = core.now();
    let installations = view.installations(query, page).await?;
    Ok(Json(PageOf::of(installations, |row| Installation::of(row, now))))
}

/// List a host's certificates
#[utoipa::path(
    get, path = "/hosts/{id}/certificates", tag = "hosts", operation_id = "list_host_certificates",
    params(("id" = String, Path, format = "uuid"), Paging),
    responses((status = 200, description = "Installations, soonest expiry first", body = PageOf<Installation>)),
)]
async fn list_host_certificates(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<HostId>,
    List { filter: NoFilter {}, page }: List<NoFilter>,
) -> Answer<Json<PageOf<Installation>>> {
    let view = core.view(&caller.operator)?;
    view.host(id).await?;
    let query = InstallationQuery { host: Some(id), ..InstallationQuery::default() };
    list(&core, &view, &query, &page).await
}

/// What a certificate says.
#[derive(Serialize, ToSchema)]
#[schema(as = CertificateFacts)]
pub(super) struct Facts {
    /// Subject in the order of the certificate.
    subject: String,
    /// Issuer, in the same form.
    issuer: String,
    /// The subject's last common name, else its whole text.
    common_name: String,
    /// The issuer's last common name, else its whole text.
    issuer_common_name: String,
    /// Serial number in hexadecimal.
    serial: String,
    /// First moment of validity.
    not_before: Moment,
    /// Last moment of validity.
    not_after: Moment,
    /// The public key's kind and strength, such as `RSA 2048` or `EC 256`.
    key_algorithm: String,
    /// The hash behind the issuer's signature: `md5`, `sha1`, `strong` (SHA-2 and the like), or an object identifier.
    signature_hash: String,
    /// SHA-256 over the SubjectPublicKeyInfo.
    spki_sha256: String,
    /// Subject key identifier in hexadecimal.
    subject_key_id: Option<String>,
    /// Key identifier of the authority in hexadecimal.
    authority_key_id: Option<String>,
    /// Whether it is a certification authority's.
    is_ca: bool,
    /// Whether it allows TLS client authentication; null when it does not say.
    client_auth: Option<bool>,
    /// Whether it allows TLS server authentication; null when it does not say.
    server_auth: Option<bool>,
    /// DNS names.
    dns_names: Vec<String>,
}

impl From<CertificateFacts> for Facts {
    fn from(facts: CertificateFacts) -> Self {
        let CertificateFacts {
            subject,
            issuer,
            subject_digest: _,
            issuer_digest: _,
            common_name,
            issuer_common_name,
            serial,
            not_before,
            not_after,
            key,
            signature,
            spki_sha256,
            subject_key_id,
            authority_key_id,
            is_ca,
            client_auth,
            server_auth,
            dns_names,
        } = facts;
        Self {
            subject,
            issuer,
            common_name,
            issuer_common_name,
            serial,
            not_before: Moment(not_before),
            not_after: Moment(not_after),
            key_algorithm: key_words(key),
            signature_hash: hash_words(signature),
            spki_sha256: HEXLOWER.encode(&spki_sha256),
            subject_key_id: subject_key_id.map(|id| HEXLOWER.encode(&id)),
            authority_key_id: authority_key_id.map(|id| HEXLOWER.encode(&id)),
            is_ca,
            client_auth,
            server_auth,
            dns_names,
        }
    }
}

fn key_words(key: KeyAlgorithm) -> String {
    match key {
        KeyAlgorithm::Ec { bits } => format!("EC {bits}"),
        KeyAlgorithm::Ed25519 => "Ed25519".to_owned(),
        KeyAlgorithm::Rsa { bits } => format!("RSA {bits}"),
        KeyAlgorithm::Other { oid } => oid,
    }
}

fn hash_words(hash: SignatureHash) -> String {
    match hash {
        SignatureHash::Md5 => "md5".to_owned(),
        SignatureHash::Sha1 => "sha1".to_owned(),
        SignatureHash::Strong => "strong".to_owned(),
        SignatureHash::Other { oid } => oid,
    }
}

/// A certificate that some PC holds.
#[derive(Serialize, ToSchema)]
pub(super) struct CertificateShown {
    /// Which one.
    sha256: Sha256Text,
    /// What it says; null when its DER could not be read.
    facts: Option<Facts>,
    /// Why its DER could not be read.
    unreadable: Option<String>,
    /// Bytes of its DER.
    bytes: usize,
}

/// Show a certificate
#[utoipa::path(
    get, path = "/certificates/{sha256}", tag = "certificates", operation_id = "show_certificate",
    params(("sha256" = String, Path, pattern = "^[0-9a-f]{64}$")),
    responses((status = 200, description = "The certificate", body = CertificateShown)),
)]
async fn show_certificate(
    State(core): State<Core>,
    caller: Caller,
    Segment(sha256): Segment<Fingerprint>,
) -> Answer<Json<CertificateShown>> {
    let Certificate { fingerprint, der, facts } = core.view(&caller.operator)?.certificate(sha256).await?;
    let (facts, unreadable) = match facts {
        Ok(facts) => (Some(facts.into()), None),
        Err(error) => (None, Some(error.why)),
    };
    Ok(Json(CertificateShown { sha256: Sha256Text(fingerprint), facts, unreadable, bytes: der.len() }))
}

/// Download a certificate
#[utoipa::path(
    get, path = "/certificates/{sha256}/der", tag = "certificates", operation_id = "download_certificate",
    params(("sha256" = String, Path, pattern = "^[0-9a-f]{64}$")),
    responses((status = 200, description = "Its DER, exactly as found", content_type = "application/pkix-cert", body = Vec<u8>)),
)]
async fn download_certificate(
    State(core): State<Core>,
    caller: Caller,
    Segment(sha256): Segment<Fingerprint>,
) -> Answer<Response> {
    let certificate = core.view(&caller.operator)?.certificate(sha256).await?;
    let disposition = format!("attachment; filename=\"{}.cer\"", certificate.fingerprint.short());
    let headers =
        [(header::CONTENT_TYPE, "application/pkix-cert".to_owned()), (header::CONTENT_DISPOSITION, disposition)];
    Ok((headers, certificate.der).into_response())
}

/// A PC that holds a certificate.
#[derive(Serialize, ToSchema)]
pub(super) struct Holder {
    /// Which PC.
    host: HostRef,
    /// The clinic's name.
    clinic_name: String,
    /// Where on the PC.
    location: Location,
}

impl From<HolderRow> for Holder {
    fn from(row: HolderRow) -> Self {
        let HolderRow { host, host_name, clinic_name, location } = row;
        Self { host: HostRef { id: host, name: host_name }, clinic_name, location: location.into() }
    }
}

/// List who holds a certificate
#[utoipa::path(
    get, path = "/certificates/{sha256}/holders", tag = "certificates", operation_id = "list_certificate_holders",
    params(("sha256" = String, Path, pattern = "^[0-9a-f]{64}$"), Paging),
    responses((status = 200, description = "Hosts, by name", body = PageOf<Holder>)),
)]
async fn list_holders(
    State(core): State<Core>,
    caller: Caller,
    Segment(sha256): Segment<Fingerprint>,
    List { filter: NoFilter {}, page }: List<NoFilter>,
) -> Answer<Json<PageOf<Holder>>> {
    let holders = core.view(&caller.operator)?.holders(sha256, &page).await?;
    Ok(Json(PageOf::of(holders, Into::into)))
}
