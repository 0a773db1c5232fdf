//! Digests that stand for contents: of one certificate, of one store's set, of everything a host reported.
//!
//! All are SHA-256. Equal digests mean equal contents, so a quiet host sends 32 bytes and not its inventory.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER_PERMISSIVE;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// A text or byte string that should have been a SHA-256 and is not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a SHA-256: 32 bytes, or 64 hexadecimal digits, are expected")]
pub struct InvalidDigest;

macro_rules! digests {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes a digest that was made before.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self { Self(bytes) }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] { &self.0 }

            /// Reads 32 bytes.
            ///
            /// # Errors
            /// When there are not exactly 32 of them.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, InvalidDigest> {
                bytes.try_into().map(Self).map_err(|_| InvalidDigest)
            }

            /// The first eight hexadecimal digits, enough for a person to tell two apart.
            pub fn short(&self) -> String { HEXLOWER_PERMISSIVE.encode(&self.0[..4]) }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&HEXLOWER_PERMISSIVE.encode(&self.0)) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl FromStr for $name {
            type Err = InvalidDigest;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let plain: String = text.chars().filter(|c| *c != ':' && !c.is_whitespace()).collect();
                let bytes = HEXLOWER_PERMISSIVE.decode(plain.as_bytes()).map_err(|_| InvalidDigest)?;
                Self::from_slice(&bytes)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> { serializer.collect_str(self) }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

digests! {
    /// SHA-256 over one certificate's DER; what a certificate is called everywhere.
    Fingerprint;
    /// SHA-256 over the sorted content of one store, as one scan saw it. See [`crate::store::StoreSet::digest`].
    SetDigest;
    /// SHA-256 over everything a host reports: its facts and each Location's set. See [`crate::sync::state_digest`].
    StateDigest;
}

impl Fingerprint {
    /// Fingerprints bytes that are, or claim to be, one certificate.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

/// Feeds a digest with fields that cannot run into each other: each one is preceded by its length.
#[derive(Clone, Default)]
pub(crate) struct FieldHasher(Sha256);

impl FieldHasher {
    /// Starts with a label, so that digests of different things never coincide.
    pub(crate) fn new(label: &str) -> Self {
        let mut hasher = Self::default();
        hasher.field(label.as_bytes());
        hasher
    }

    pub(crate) fn field(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.field(&number.to_be_bytes());
    }

    pub(crate) fn code(&mut self, code: i32) {
        self.field(&code.to_be_bytes());
    }

    pub(crate) fn optional(&mut self, text: Option<&str>) {
        match text {
            Some(text) => {
                self.number(1);
                self.field(text.as_bytes());
            }
            None => self.number(0),
        }
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_reads_back_from_its_text_with_or_without_colons() {
        let fingerprint = Fingerprint::of(b"certificate");
        let text = fingerprint.to_string();
        assert_eq!(text.parse(), Ok(fingerprint));
        let colons: Vec<_> =
            text.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair).to_uppercase()).collect();
        assert_eq!(colons.join(":").parse(), Ok(fingerprint));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let digest = |fields: &[&str]| {
            let mut hasher = FieldHasher::new("test");
            for field in fields {
                hasher.field(field.as_bytes());
            }
            hasher.finish()
        };
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }
}
