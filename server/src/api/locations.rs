//! The stores of a PC, and what each holds.

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use data_encoding::HEXLOWER;
use inkan_core::Core;
use inkan_core::ports::{LocationEntry, LocationRow};
use inkan_model::properties::{EntryProperties, TrustFlags, TrustLevel};
use inkan_model::store::{self, ReadError, Scope};
use inkan_model::{HostId, SetDigest};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::caller::Caller;
use super::certificates::Facts;
use super::extract::{List, NoFilter, Paging, Params, Segment, parsed, parsed_text};
use super::problem::Answer;
use super::values::{Location, Moment, PageOf, Sha256Text, StoreKindName, key_name, read_error_name};

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(list_locations)).routes(routes!(list_location_entries))
}

/// A store of a PC in numbers.
#[derive(Serialize, ToSchema)]
pub(super) struct LocationItem {
    #[serde(flatten)]
    location: Location,
    /// Stands for its content: equal ones hold the same.
    #[schema(value_type = Sha256Text)]
    set: SetDigest,
    /// Certificates in it.
    certificates: u32,
    /// Entries that could not be read.
    unreadable: u32,
    /// What kept it from being read whole.
    errors: Vec<ReadProblem>,
    /// Since when it has been as it is.
    since: Moment,
}

/// Something that kept a store from being read whole.
#[derive(Serialize, ToSchema)]
pub(super) struct ReadProblem {
    /// The kind of trouble: `access_denied`, `not_found`, `timed_out`, `too_large`, `password_needed`, `malformed`,
    /// `other`; more may come.
    kind: Cow<'static, str>,
    /// The file or part that it concerns; empty for the store as a whole.
    item: String,
    /// The operating system's or the parser's words.
    detail: String,
}

impl From<LocationRow> for LocationItem {
    fn from(row: LocationRow) -> Self {
        let LocationRow { location, set, certificates, unreadable, errors, since } = row;
        let told = |error| {
            let ReadError { kind, item, detail } = error;
            ReadProblem { kind: read_error_name(kind), item, detail }
        };
        Self {
            location: location.into(),
            set,
            certificates,
            unreadable,
            errors: errors.into_iter().map(told).collect(),
            since: Moment(since),
        }
    }
}

/// List a host's stores
#[utoipa::path(
    get, path = "/hosts/{id}/locations", tag = "hosts", operation_id = "list_locations",
    params(("id" = String, Path, format = "uuid")),
    responses((status = 200, description = "All stores of the host", body = PageOf<LocationItem>)),
)]
async fn list_locations(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<HostId>,
    Params(NoFilter {}): Params<NoFilter>,
) -> Answer<Json<PageOf<LocationItem>>> {
    let view = core.view(&caller.operator)?;
    view.host(id).await?;
    let locations = view.locations(id).await?;
    Ok(Json(PageOf::whole(locations.into_iter().map(Into::into).collect())))
}

/// Which store of a host is meant.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct WhichLocation {
    /// The kind of store, as the list of stores shows it.
    #[serde(deserialize_with = "parsed_text")]
    #[param(value_type = String, example = "directory")]
    kind: StoreKindName,
    /// Whose it is; absent for the machine's.
    #[serde(default, deserialize_with = "parsed")]
    #[param(value_type = Option<String>)]
    user: Option<String>,
    /// Its path or name.
    path: String,
}

/// Something that a store holds: `entry` says which.
#[derive(Serialize, ToSchema)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub(super) enum Entry {
    /// A certificate.
    Certificate {
        /// Which one.
        certificate: Sha256Text,
        /// What it says; null when its DER could not be read.
        facts: Option<Facts>,
        /// Whether its private key is there: `present`, `absent`, `not_expected` (an anchor) or `unknown`.
        key: Cow<'static, str>,
        /// File name or friendly name.
        name: Option<String>,
        /// What else the store says about it; null where it says nothing.
        properties: Option<Properties>,
    },
    /// Something that could not be read.
    Unreadable {
        /// SHA-256 over its bytes, where they could be read.
        sha256: Option<Sha256Text>,
        /// File name or friendly name.
        name: Option<String>,
        /// Why.
        why: String,
    },
}

/// What a store says about an entry beyond the certificate itself.
#[derive(Serialize, ToSchema)]
pub(super) struct Properties {
    /// The provider that keeps the key, as the platform names it.
    key_provider: Option<String>,
    /// Whether the platform would give the key out; null where there is no key or it cannot be told.
    key_exportable: Option<bool>,
    /// The purposes to which the store limits it, as object identifiers; null is no limit, an empty list is for nothing.
    purposes: Option<Vec<String>>,
    /// The names to which the store limits what it may vouch for: NameConstraints (RFC 5280) as DER, in hexadecimal.
    name_constraints: Option<String>,
    /// What the store trusts it for, where it says so by purpose (NSS).
    trust: Option<Trust>,
}

/// Trust by purpose: `unset`, `anchor`, `peer`, `distrusted` or `must_verify`; more may come.
#[derive(Serialize, ToSchema)]
pub(super) struct Trust {
    /// For servers' certificates.
    server: Cow<'static, str>,
    /// For clients' certificates.
    client: Cow<'static, str>,
    /// For e-mail.
    email: Cow<'static, str>,
    /// For signed code.
    code: Cow<'static, str>,
}

impl Properties {
    fn of(properties: EntryProperties) -> Option<Self> {
        if properties.is_empty() {
            return None;
        }
        let EntryProperties { key_provider, key_exportable, purposes, name_constraints, trust } = properties;
        let trust = trust.map(|TrustFlags { server, client, email, code }| Trust {
            server: trust_name(server),
            client: trust_name(client),
            email: trust_name(email),
            code: trust_name(code),
        });
        let name_constraints = name_constraints.map(|der| HEXLOWER.encode(&der));
        Some(Self { key_provider, key_exportable, purposes, name_constraints, trust })
    }
}

fn trust_name(level: TrustLevel) -> Cow<'static, str> {
    match level {
        TrustLevel::Unset => "unset".into(),
        TrustLevel::Anchor => "anchor".into(),
        TrustLevel::Peer => "peer".into(),
        TrustLevel::Distrusted => "distrusted".into(),
        TrustLevel::MustVerify => "must_verify".into(),
        TrustLevel::Unrecognized(number) => format!("unrecognized_{number}").into(),
    }
}

impl From<LocationEntry> for Entry {
    fn from(entry: LocationEntry) -> Self {
        match entry {
            LocationEntry::Certificate { certificate, facts, key, name, properties } => Self::Certificate {
                certificate: Sha256Text(certificate),
                facts: facts.map(Into::into),
                key: key_name(key),
                name,
                properties: Properties::of(properties),
            },
            LocationEntry::Unreadable { sha256, name, why } => {
                Self::Unreadable { sha256: sha256.map(Sha256Text), name, why }
            }
        }
    }
}

/// List what a store holds
#[utoipa::path(
    get, path = "/hosts/{id}/locations/entries", tag = "hosts", operation_id = "list_location_entries",
    params(("id" = String, Path, format = "uuid"), WhichLocation, Paging),
    responses((status = 200, description = "Entries, by name", body = PageOf<Entry>)),
)]
async fn list_location_entries(
    State(core): State<Core>,
    caller: Caller,
    Segment(id): Segment<HostId>,
    List { filter: WhichLocation { kind, user, path }, page }: List<WhichLocation>,
) -> Answer<Json<PageOf<Entry>>> {
    let view = core.view(&caller.operator)?;
    view.host(id).await?;
    let scope = user.map_or(Scope::Machine, Scope::User);
    let location = store::Location { kind: kind.0, scope, path };
    Ok(Json(PageOf::of(view.location_entries(id, &location, &page).await?, Into::into)))
}

#[cfg(test)]
mod tests {
    use inkan_model::Fingerprint;
    use inkan_model::store::KeyPresence;
    use serde_json::{Value, json};

    use super::*;

    fn shown(properties: EntryProperties) -> Value {
        let (certificate, key) = (Fingerprint::of(b"x"), KeyPresence::Present);
        let entry = LocationEntry::Certificate { certificate, facts: None, key, name: None, properties };
        serde_json::to_value(Entry::from(entry)).unwrap()["properties"].clone()
    }

    #[test]
    fn what_a_store_says_of_an_entry_is_shown_and_nothing_is_null() {
        assert_eq!(shown(EntryProperties::default()), Value::Null);
        let trust = TrustFlags {
            server: TrustLevel::Anchor,
            client: TrustLevel::Unset,
            email: TrustLevel::MustVerify,
            code: TrustLevel::Unrecognized(9),
        };
        let properties = EntryProperties {
            key_provider: Some("Microsoft Software Key Storage Provider".to_owned()),
            key_exportable: Some(false),
            purposes: Some(Vec::new()),
            name_constraints: Some(vec![0x30, 0]),
            trust: Some(trust),
        };
        let expected = json!({
            "key_provider": "Microsoft Software Key Storage Provider", "key_exportable": false, "purposes": [],
            "name_constraints": "3000",
            "trust": { "server": "anchor", "client": "unset", "email": "must_verify", "code": "unrecognized_9" },
        });
        assert_eq!(shown(properties), expected);
    }
}
