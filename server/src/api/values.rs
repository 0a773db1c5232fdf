//! The small values of the API: words out of a list, moments, places and names, each with its schema.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use inkan_core::ports::Page;
use inkan_model::clinic::{self, ClinicCode, ClinicKind};
use inkan_model::finding::{Rule, Urgency};
use inkan_model::host::HostState;
use inkan_model::locale::Locale;
use inkan_model::operator::Role;
use inkan_model::store::{KeyPresence, ReadErrorKind, Scope, StoreKind};
use inkan_model::{ClinicId, Fingerprint, HostId, Timestamp, store};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct PageOf<T: ToSchema> {
    /// The items, in the list's order.
    items: Vec<T>,
    /// What to give as `cursor` for the next page; null on the last one.
    next: Option<String>,
}

impl<T: ToSchema> PageOf<T> {
    pub(super) fn of<R>(page: Page<R>, turn: impl FnMut(R) -> T) -> Self {
        let Page { items, next } = page.map(turn);
        Self { items, next: next.map(|cursor| cursor.0) }
    }

    /// A list that is never longer than one page.
    pub(super) const fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }
}

/// A type whose values have names.
pub(super) trait Named: Copy + 'static {
    /// What the schema is called.
    const SCHEMA: &'static str;
    /// All values.
    const ALL: &'static [Self];

    /// The value's name.
    fn name(self) -> &'static str;
}

/// A value that travels as its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Word<T>(pub(super) T);

impl<T: Named> FromStr for Word<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = T::ALL.iter().find(|value| value.name() == text);
        found.map(|value| Self(*value)).ok_or_else(|| {
            let names: Vec<_> = T::ALL.iter().map(|value| value.name()).collect();
            format!("one of {} is expected", names.join(", "))
        })
    }
}

impl<T: Named> Serialize for Word<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de, T: Named> Deserialize<'de> for Word<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl<T: Named> PartialSchema for Word<T> {
    fn schema() -> RefOr<Schema> {
        let names = T::ALL.iter().map(|value| value.name());
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(names)).into()
    }
}

impl<T: Named> ToSchema for Word<T> {
    fn name() -> Cow<'static, str> {
        T::SCHEMA.into()
    }
}

// The schema's derive looks at the generics of a field's type; these names have none.
pub(super) type UrgencyWord = Word<Urgency>;
pub(super) type RuleWord = Word<Rule>;
pub(super) type HostStateWord = Word<HostState>;
pub(super) type ClinicKindWord = Word<ClinicKind>;
pub(super) type RoleWord = Word<Role>;
pub(super) type LocaleWord = Word<Locale>;

impl Named for Urgency {
    const SCHEMA: &'static str = "Urgency";
    const ALL: &'static [Self] = &[Self::Now, Self::Soon, Self::Watch];

    fn name(self) -> &'static str {
        Self::name(self)
    }
}

impl Named for Rule {
    const SCHEMA: &'static str = "Rule";
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        Self::name(self)
    }
}

impl Named for ClinicKind {
    const SCHEMA: &'static str = "ClinicKind";
    const ALL: &'static [Self] = &Self::ALL;

    fn name(self) -> &'static str {
        Self::name(self)
    }
}

impl Named for HostState {
    const SCHEMA: &'static str = "HostState";
    const ALL: &'static [Self] = &[Self::Active, Self::Banned, Self::ReportOnly, Self::Retired, Self::Suspended];

    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Banned => "banned",
            Self::ReportOnly => "report_only",
            Self::Retired => "retired",
            Self::Suspended => "suspended",
        }
    }
}

impl Named for Role {
    const SCHEMA: &'static str = "Role";
    const ALL: &'static [Self] = &[Self::Owner, Self::Operator];

    fn name(self) -> &'static str {
        Self::name(self)
    }
}

impl Named for Locale {
    const SCHEMA: &'static str = "Locale";
    const ALL: &'static [Self] = &[Self::Ja, Self::En];

    fn name(self) -> &'static str {
        self.tag()
    }
}

/// Whether a private key is there, by name.
pub(super) fn key_name(key: KeyPresence) -> Cow<'static, str> {
    match key {
        KeyPresence::NotExpected => "not_expected".into(),
        KeyPresence::Absent => "absent".into(),
        KeyPresence::Present => "present".into(),
        KeyPresence::Unknown => "unknown".into(),
        KeyPresence::Unrecognized(number) => format!("unrecognized_{number}").into(),
    }
}

/// A moment, in UTC, as RFC 3339 says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(pub(super) Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = OffsetDateTime::parse(text, &Rfc3339);
        parsed.map(|moment| Self(moment.into())).map_err(|_| "a moment such as 2026-11-20T00:00:00Z is expected")
    }
}

impl PartialSchema for Moment {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl ToSchema for Moment {}

/// A prefecture in the three ways in which people and certificates write it.
#[derive(Serialize, ToSchema)]
pub(super) struct Prefecture {
    /// Its number of JIS X 0401, 1 (Hokkaido) to 47 (Okinawa).
    #[schema(minimum = 1, maximum = 47)]
    number: u8,
    /// Its full name.
    #[schema(example = "石川県")]
    name: String,
    /// Its name in romaji.
    #[schema(example = "ishikawa")]
    romaji: &'static str,
}

impl From<clinic::Prefecture> for Prefecture {
    fn from(prefecture: clinic::Prefecture) -> Self {
        Self { number: prefecture.number(), name: prefecture.full_name(), romaji: prefecture.romaji() }
    }
}

/// A clinic where another thing names it.
#[derive(Clone, Serialize, ToSchema)]
pub(super) struct ClinicRef {
    /// Which clinic.
    #[schema(value_type = String, format = "uuid")]
    pub(super) id: ClinicId,
    /// Its name.
    pub(super) name: String,
}

/// A host where another thing names it.
#[derive(Serialize, ToSchema)]
pub(super) struct HostRef {
    /// Which host.
    #[schema(value_type = String, format = "uuid")]
    pub(super) id: HostId,
    /// Its name.
    pub(super) name: String,
}

/// A clinic as a caller names it: by identifier or by 10-digit code.
#[derive(Clone, Debug)]
pub(super) enum ClinicName {
    Code(ClinicCode),
    Id(ClinicId),
}

impl FromStr for ClinicName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let by_id = text.parse().map(Self::Id).ok();
        let named = by_id.or_else(|| text.parse().map(Self::Code).ok());
        named.ok_or("neither the identifier of a clinic nor a 10-digit institution code")
    }
}

/// A store of a host, and where it is.
#[derive(Serialize, ToSchema)]
pub(super) struct Location {
    /// The kind of store, such as `directory`, `local_anchors` or `windows_store`.
    pub(super) kind: Cow<'static, str>,
    /// Whose it is; null for the machine's.
    pub(super) user: Option<String>,
    /// Its path or name.
    pub(super) path: String,
}

impl From<store::Location> for Location {
    fn from(location: store::Location) -> Self {
        let store::Location { kind, scope, path } = location;
        let user = match scope {
            Scope::Machine => None,
            Scope::User(name) => Some(name),
        };
        Self { kind: store_kind_name(kind), user, path }
    }
}

const STORE_KINDS: [(StoreKind, &str); 8] = [
    (StoreKind::SystemTrust, "system_trust"),
    (StoreKind::LocalAnchors, "local_anchors"),
    (StoreKind::Directory, "directory"),
    (StoreKind::UserDirectory, "user_directory"),
    (StoreKind::WindowsStore, "windows_store"),
    (StoreKind::Nss, "nss"),
    (StoreKind::Java, "java"),
    (StoreKind::Keychain, "keychain"),
];

fn store_kind_name(kind: StoreKind) -> Cow<'static, str> {
    if let StoreKind::Unrecognized(number) = kind {
        return format!("unrecognized_{number}").into();
    }
    STORE_KINDS.iter().find(|(known, _)| *known == kind).map_or("unrecognized", |(_, name)| name).into()
}

/// A kind of store as a caller names it.
pub(super) struct StoreKindName(pub(super) StoreKind);

impl FromStr for StoreKindName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = STORE_KINDS.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind);
        let number = || text.strip_prefix("unrecognized_")?.parse().ok().map(StoreKind::Unrecognized);
        known.or_else(number).map(Self).ok_or("not a kind of store: give the kind that the list of locations shows")
    }
}

pub(super) fn read_error_name(kind: ReadErrorKind) -> Cow<'static, str> {
    match kind {
        ReadErrorKind::AccessDenied => "access_denied".into(),
        ReadErrorKind::NotFound => "not_found".into(),
        ReadErrorKind::TimedOut => "timed_out".into(),
        ReadErrorKind::TooLarge => "too_large".into(),
        ReadErrorKind::PasswordNeeded => "password_needed".into(),
        ReadErrorKind::Malformed => "malformed".into(),
        ReadErrorKind::Other => "other".into(),
        ReadErrorKind::Unrecognized(number) => format!("unrecognized_{number}").into(),
    }
}

/// A certificate's fingerprint: 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub(super) struct Sha256Text(pub(super) Fingerprint);

impl PartialSchema for Sha256Text {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9a-f]{64}$")).into()
    }
}

impl ToSchema for Sha256Text {
    fn name() -> Cow<'static, str> {
        "Sha256".into()
    }
}

impl fmt::Display for Sha256Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        fn check<T: Named + PartialEq + fmt::Debug>() {
            for value in T::ALL {
                assert_eq!(value.name().parse::<Word<T>>(), Ok(Word(*value)));
            }
        }
        check::<Urgency>();
        check::<Rule>();
        check::<ClinicKind>();
        check::<HostState>();
        check::<Role>();
        check::<Locale>();
        for kind in STORE_KINDS.iter().map(|(kind, _)| *kind).chain([StoreKind::Unrecognized(-3)]) {
            let name: StoreKindName = store_kind_name(kind).parse().unwrap();
            assert_eq!(name.0, kind);
        }
    }

    #[test]
    fn a_name_out_of_the_list_is_refused_with_the_list() {
        assert_eq!("later".parse::<Word<Urgency>>().unwrap_err(), "one of now, soon, watch is expected");
    }

    #[test]
    fn a_clinic_is_named_by_identifier_or_code() {
        assert!(matches!("1710119153".parse(), Ok(ClinicName::Code(_))));
        assert!(matches!("019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11".parse(), Ok(ClinicName::Id(_))));
        assert!("さくら".parse::<ClinicName>().is_err());
    }
}
