//! Between columns and the model's types: every value that is read goes through here, and a value that no version of
//! inkan writes becomes an error that names table, row and column.

use std::fmt;

use data_encoding::HEXLOWER;
use inkan_core::ports::{DbError, DbResult};
use inkan_model::clinic::{Clinic, ClinicProfile, Prefecture};
use inkan_model::finding::{Detail, Diagnosis, Subject, Urgency};
use inkan_model::host::HostState;
use inkan_model::id::{Id, Kind};
use inkan_model::store::{KeyPresence, Location};
use inkan_model::{CertificateFacts, Fingerprint, SetDigest, StateDigest, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;

/// Which row a value is read from.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'r> {
    table: &'static str,
    row: RowId<'r>,
}

/// What a row is called in its table.
#[derive(Clone, Copy)]
pub(crate) enum RowId<'r> {
    Bytes(&'r [u8]),
    Number(i64),
}

impl<'r> From<&'r Vec<u8>> for RowId<'r> {
    fn from(bytes: &'r Vec<u8>) -> Self {
        Self::Bytes(bytes)
    }
}

impl<'r, K> From<&'r Id<K>> for RowId<'r> {
    fn from(id: &'r Id<K>) -> Self {
        Self::Bytes(id.as_bytes())
    }
}

impl From<i64> for RowId<'_> {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl fmt::Display for RowId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(bytes) => f.write_str(&HEXLOWER.encode(bytes)),
            Self::Number(number) => number.fmt(f),
        }
    }
}

impl<'r> Origin<'r> {
    pub(crate) fn new(table: &'static str, row: impl Into<RowId<'r>>) -> Self {
        Self { table, row: row.into() }
    }

    pub(crate) fn inconsistent(&self, column: &'static str) -> DbError {
        DbError::Inconsistent { table: self.table, column, id: self.row.to_string() }
    }

    pub(crate) fn id<K: Kind>(&self, column: &'static str, bytes: &[u8]) -> DbResult<Id<K>> {
        Id::from_slice(bytes).map_err(|_| self.inconsistent(column))
    }

    pub(crate) fn array<const N: usize>(&self, column: &'static str, bytes: &[u8]) -> DbResult<[u8; N]> {
        bytes.try_into().map_err(|_| self.inconsistent(column))
    }

    pub(crate) fn fingerprint(&self, column: &'static str, bytes: &[u8]) -> DbResult<Fingerprint> {
        self.array(column, bytes).map(Fingerprint::from_bytes)
    }

    pub(crate) fn set_digest(&self, column: &'static str, bytes: &[u8]) -> DbResult<SetDigest> {
        self.array(column, bytes).map(SetDigest::from_bytes)
    }

    pub(crate) fn state_digest(&self, column: &'static str, bytes: &[u8]) -> DbResult<StateDigest> {
        self.array(column, bytes).map(StateDigest::from_bytes)
    }

    /// A number that fits its type: a count that went below zero does not.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str, number: i64) -> DbResult<T> {
        T::try_from(number).map_err(|_| self.inconsistent(column))
    }

    pub(crate) fn flag(&self, column: &'static str, number: i64) -> DbResult<bool> {
        match number {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.inconsistent(column)),
        }
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str, text: &str) -> DbResult<T> {
        serde_json::from_str(text).map_err(|_| self.inconsistent(column))
    }

    /// The opposite of [`code`].
    pub(crate) fn code<T: DeserializeOwned>(&self, column: &'static str, text: &str) -> DbResult<T> {
        if text.starts_with('{') {
            return self.json(column, text);
        }
        serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|_| self.inconsistent(column))
    }

    pub(crate) fn prefecture(&self, number: i64) -> DbResult<Prefecture> {
        let number: u8 = self.number("prefecture", number)?;
        Prefecture::try_from(number).map_err(|_| self.inconsistent("prefecture"))
    }

    /// The opposite of [`urgency_code`].
    pub(crate) fn urgency(&self, column: &'static str, number: i64) -> DbResult<Urgency> {
        match number {
            0 => Ok(Urgency::Now),
            1 => Ok(Urgency::Soon),
            2 => Ok(Urgency::Watch),
            _ => Err(self.inconsistent(column)),
        }
    }

    /// The worst of several urgencies, or that there is none.
    pub(crate) fn worst(&self, number: i64) -> DbResult<Option<Urgency>> {
        if number == NO_URGENCY { Ok(None) } else { self.urgency("worst", number).map(Some) }
    }

    /// The opposite of [`key_code`].
    pub(crate) fn key(&self, number: i64) -> DbResult<KeyPresence> {
        i32::try_from(number).map(KeyPresence::from_number).map_err(|_| self.inconsistent("key_presence"))
    }

    /// What a certificate says, from its DER: there is one source of truth, which no later field of the facts outdates.
    pub(crate) fn facts(&self, der: &[u8]) -> DbResult<CertificateFacts> {
        CertificateFacts::read(der).map_err(|_| self.inconsistent("der"))
    }

    /// The opposite of [`chain_bytes`].
    pub(crate) fn chain(&self, mut bytes: &[u8]) -> DbResult<Vec<Vec<u8>>> {
        let mut chain = Vec::new();
        while !bytes.is_empty() {
            let split = bytes
                .split_first_chunk::<4>()
                .and_then(|(length, rest)| rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?));
            let (one, rest) = split.ok_or_else(|| self.inconsistent("chain"))?;
            chain.push(one.to_vec());
            bytes = rest;
        }
        Ok(chain)
    }
}

/// What stands for "no open finding" in a column of urgencies.
pub(crate) const NO_URGENCY: i64 = 3;

pub(crate) const fn urgency_code(urgency: Urgency) -> i64 {
    match urgency {
        Urgency::Now => 0,
        Urgency::Soon => 1,
        Urgency::Watch => 2,
    }
}

pub(crate) const fn key_code(key: KeyPresence) -> i64 {
    key.number() as i64
}

/// Whether a host in this state is one that somebody still looks after.
pub(crate) const fn is_in_service(state: HostState) -> bool {
    !matches!(state, HostState::Retired | HostState::Banned)
}

/// A value as JSON.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(|cause| Fault::Other(Box::new(cause)))
}

/// An enumeration as a person would look for it: its name alone, or JSON where it carries something.
pub(crate) fn code<T: Serialize>(value: T) -> Result<String, Fault> {
    match serde_json::to_value(value).map_err(|cause| Fault::Other(Box::new(cause)))? {
        serde_json::Value::String(name) => Ok(name),
        other => Ok(other.to_string()),
    }
}

/// A chain as one value: each certificate's length as four bytes, then its DER.
pub(crate) fn chain_bytes(chain: &[Vec<u8>]) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    for one in chain {
        let length = u32::try_from(one.len()).map_err(|cause| Fault::Other(Box::new(cause)))?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(one);
    }
    Ok(bytes)
}

/// The day of a moment in Japan's calendar, counted from 1970-01-01. Japan has had one offset and no summer time since.
pub(crate) const fn japanese_day(moment: Timestamp) -> i64 {
    moment.as_unix_millis().saturating_add(JAPAN_OFFSET_MILLIS).div_euclid(DAY_MILLIS)
}

/// The first moment of a day of Japan's calendar.
pub(crate) const fn first_moment(japanese_day: i64) -> Timestamp {
    Timestamp::from_unix_millis(japanese_day.saturating_mul(DAY_MILLIS).saturating_sub(JAPAN_OFFSET_MILLIS))
}

const JAPAN_OFFSET_MILLIS: i64 = 9 * 3_600_000;
const DAY_MILLIS: i64 = 86_400_000;

pub(crate) const fn moment(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

/// The columns of a clinic, named so that they can stand beside those of another table.
#[derive(sqlx::FromRow)]
#[expect(clippy::struct_field_names, reason = "columns of a join need names of their own")]
pub(crate) struct ClinicColumns {
    pub(crate) clinic_id: Vec<u8>,
    pub(crate) clinic_vendor: Vec<u8>,
    pub(crate) clinic_code: String,
    pub(crate) clinic_name: String,
    pub(crate) clinic_kind: String,
    pub(crate) clinic_prefecture: i64,
    pub(crate) clinic_contact: Option<String>,
    pub(crate) clinic_phone: Option<String>,
    pub(crate) clinic_mail: Option<String>,
}

impl TryFrom<ClinicColumns> for Clinic {
    type Error = DbError;

    fn try_from(row: ClinicColumns) -> DbResult<Self> {
        let origin = Origin::new("clinic", &row.clinic_id);
        let profile = ClinicProfile {
            code: row.clinic_code.parse().map_err(|_| origin.inconsistent("code"))?,
            kind: origin.code("kind", &row.clinic_kind)?,
            prefecture: origin.prefecture(row.clinic_prefecture)?,
            name: row.clinic_name,
            contact: row.clinic_contact,
            phone: row.clinic_phone,
            mail: row.clinic_mail,
        };
        Ok(Self { id: origin.id("id", &row.clinic_id)?, vendor: origin.id("vendor", &row.clinic_vendor)?, profile })
    }
}

/// The columns of a finding that make its diagnosis.
pub(crate) fn diagnosis(origin: Origin<'_>, subject: &str, urgency: i64, detail: &str) -> DbResult<Diagnosis> {
    let subject: Subject = origin.json("subject", subject)?;
    let detail: Detail = origin.json("detail", detail)?;
    Ok(Diagnosis { subject, urgency: origin.urgency("urgency", urgency)?, detail })
}

/// The location that a subject is about, where it is about one.
pub(crate) const fn location_of(subject: &Subject) -> Option<&Location> {
    match subject {
        Subject::CertificateExpired { location, .. }
        | Subject::CertificateExpiring { location, .. }
        | Subject::KeyMissing { location, .. }
        | Subject::ChainIncomplete { location, .. }
        | Subject::WeakAlgorithm { location, .. } => Some(location),
        Subject::HostSilent | Subject::ClockWrong => None,
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::store::{Scope, StoreKind};
    use proptest::prelude::*;

    use super::*;

    const ORIGIN: Origin<'static> = Origin { table: "test", row: RowId::Number(7) };

    #[test]
    fn enumerations_are_stored_by_name_and_read_back() {
        assert_eq!(code(StoreKind::SystemTrust).unwrap(), "system_trust");
        for kind in [StoreKind::SystemTrust, StoreKind::Nss, StoreKind::Unrecognized(99)] {
            assert_eq!(ORIGIN.code::<StoreKind>("kind", &code(kind).unwrap()).unwrap(), kind);
        }
        for scope in [Scope::Machine, Scope::User("山田 {太郎}".to_owned())] {
            assert_eq!(ORIGIN.code::<Scope>("scope", &code(&scope).unwrap()).unwrap(), scope);
        }
    }

    #[test]
    fn a_value_that_nobody_writes_is_named_with_its_row_and_column() {
        let error = ORIGIN.urgency("urgency", 9).unwrap_err().to_string();
        assert_eq!(error, "table test, row 7: column urgency is inconsistent");
        assert!(ORIGIN.key(i64::MAX).is_err());
        assert!(ORIGIN.number::<u32>("hosts", -1).is_err());
        assert!(ORIGIN.prefecture(48).is_err());
        assert!(ORIGIN.chain(&[0, 0, 0, 9, 1]).is_err());
    }

    #[test]
    fn a_day_begins_at_midnight_in_japan() {
        // 2026-11-20T00:00:00+09:00
        let midnight = Timestamp::from_unix_seconds(1_795_100_400);
        let day = japanese_day(midnight);
        assert_eq!(first_moment(day), midnight);
        assert_eq!(japanese_day(Timestamp::from_unix_millis(midnight.as_unix_millis() - 1)), day - 1);
    }

    proptest! {
        #[test]
        fn a_chain_reads_back(chain in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..5)) {
            prop_assert_eq!(ORIGIN.chain(&chain_bytes(&chain).unwrap()).unwrap(), chain);
        }

        #[test]
        fn any_bytes_of_a_chain_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = ORIGIN.chain(&bytes);
        }
    }
}
