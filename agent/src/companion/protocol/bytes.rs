//! Bytes in messages: base64, shown to nobody.

use std::fmt;

use data_encoding::BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// Bytes, as base64. Only their number is shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Bytes(pub Vec<u8>);

/// Bytes that are wiped when they are dropped, as base64. Nothing of them is shown.
#[derive(Clone)]
pub struct Secret(pub Zeroizing<Vec<u8>>);

/// Each of them as a message carries it.
pub fn to_bytes(chain: &[Vec<u8>]) -> Vec<Bytes> {
    chain.iter().cloned().map(Bytes).collect()
}

/// The opposite of [`to_bytes`].
pub fn from_bytes(chain: Vec<Bytes>) -> Vec<Vec<u8>> {
    chain.into_iter().map(|bytes| bytes.0).collect()
}

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text).map(Self)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(BASE64.encode(&self.0)))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text).map(Zeroizing::new).map(Self)
    }
}

/// Reads base64 from the message's own bytes, without a copy of the text.
struct Text;

impl serde::de::Visitor<'_> for Text {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vec<u8>, E> {
        // The decoder's own words would show a character.
        BASE64.decode(text.as_bytes()).map_err(|_| E::custom("not base64"))
    }
}
