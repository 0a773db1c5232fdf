//! Checks of single fields. Each refusal names its field by the path from the message's root, such as
//! `report.locations[3].set`: a conversion names its own fields, and whoever calls it puts its own name before them.

use std::fmt::Display;

use inkan_model::digest::InvalidDigest;
use inkan_model::limits;
use tonic::Status;

/// A message from outside that is refused, with the field that is to blame.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct InvalidMessage {
    /// Dotted path of the field, such as `report.locations[3].set`.
    pub field: String,
    /// What is wrong with it, in English. Never repeats a value that could be secret.
    pub why: String,
}

impl InvalidMessage {
    /// Refuses `field`.
    pub(crate) fn new(field: impl Into<String>, why: impl Display) -> Self {
        Self { field: field.into(), why: why.to_string() }
    }

    /// Refuses the value itself, whose name only the caller knows.
    pub(crate) fn unnamed(why: impl Display) -> Self {
        Self::new("", why)
    }

    /// The same refusal as seen from the message that has this one as its field `parent`.
    pub(crate) fn within(self, parent: &str) -> Self {
        let Self { field, why } = self;
        let field = if field.is_empty() { parent.to_owned() } else { format!("{parent}.{field}") };
        Self { field, why }
    }
}

impl From<InvalidMessage> for Status {
    fn from(refused: InvalidMessage) -> Self {
        Self::invalid_argument(refused.to_string())
    }
}

/// A message that must be there, converted.
pub(crate) fn message<P, M>(field: &str, found: Option<P>) -> Result<M, InvalidMessage>
where
    M: TryFrom<P, Error = InvalidMessage>,
{
    optional(field, found)?.ok_or_else(|| InvalidMessage::new(field, "is missing"))
}

/// A message that may be absent, converted.
pub(crate) fn optional<P, M>(field: &str, found: Option<P>) -> Result<Option<M>, InvalidMessage>
where
    M: TryFrom<P, Error = InvalidMessage>,
{
    found.map(M::try_from).transpose().map_err(|refused| refused.within(field))
}

/// A repeated field of at most `limit` items, each one converted.
pub(crate) fn each<P, M>(
    field: &str,
    items: Vec<P>,
    limit: usize,
    mut convert: impl FnMut(P) -> Result<M, InvalidMessage>,
) -> Result<Vec<M>, InvalidMessage> {
    count(field, items.len(), limit)?;
    let named = |(index, item)| convert(item).map_err(|refused| refused.within(&format!("{field}[{index}]")));
    items.into_iter().enumerate().map(named).collect()
}

/// Refuses more than `limit` items.
pub(crate) fn count(field: &str, length: usize, limit: usize) -> Result<(), InvalidMessage> {
    if length > limit {
        return Err(InvalidMessage::new(field, format!("has {length} items, more than {limit}")));
    }
    Ok(())
}

/// A text within `limit` characters; it may be empty.
pub(crate) fn text(field: &str, text: String, limit: usize) -> Result<String, InvalidMessage> {
    limits::check_text(&text, limit).map_err(|why| InvalidMessage::new(field, why))?;
    Ok(text)
}

/// As [`text`], for a field that may be absent.
pub(crate) fn optional_text(
    field: &str,
    found: Option<String>,
    limit: usize,
) -> Result<Option<String>, InvalidMessage> {
    found.map(|found| text(field, found, limit)).transpose()
}

/// As [`text`], and something must stand there.
pub(crate) fn name(field: &str, text: String, limit: usize) -> Result<String, InvalidMessage> {
    limits::check_name(&text, limit).map_err(|why| InvalidMessage::new(field, why))?;
    Ok(text)
}

/// Between one byte and `limit` of them, as an item of a repeated field.
pub(crate) fn item_bytes(bytes: Vec<u8>, limit: usize) -> Result<Vec<u8>, InvalidMessage> {
    match bytes.len() {
        0 => Err(InvalidMessage::unnamed("is empty")),
        length if length > limit => Err(InvalidMessage::unnamed(format!("has {length} bytes, more than {limit}"))),
        _ => Ok(bytes),
    }
}

/// Between one byte and `limit` of them.
pub(crate) fn bytes(field: &str, bytes: Vec<u8>, limit: usize) -> Result<Vec<u8>, InvalidMessage> {
    item_bytes(bytes, limit).map_err(|refused| refused.within(field))
}

/// A certificate chain: at least one certificate, leaf first.
pub(crate) fn chain(field: &str, chain: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>, InvalidMessage> {
    if chain.is_empty() {
        return Err(InvalidMessage::new(field, "is empty"));
    }
    each(field, chain, limits::CHAIN_CERTIFICATES, |der| item_bytes(der, limits::CERTIFICATE_BYTES))
}

/// A digest, read by `read` from exactly 32 bytes.
pub(crate) fn digest<D>(
    field: &str,
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Result<D, InvalidDigest>,
) -> Result<D, InvalidMessage> {
    read(bytes).map_err(|_| InvalidMessage::new(field, wrong_length(bytes.len())))
}

/// A repeated field of at most `limit` digests.
pub(crate) fn digests<D>(
    field: &str,
    items: Vec<Vec<u8>>,
    limit: usize,
    read: impl Fn(&[u8]) -> Result<D, InvalidDigest>,
) -> Result<Vec<D>, InvalidMessage> {
    each(field, items, limit, |bytes| read(&bytes).map_err(|_| InvalidMessage::unnamed(wrong_length(bytes.len()))))
}

/// Exactly 32 bytes that are no digest of a kind of their own.
pub(crate) fn bytes_32(field: &str, bytes: &[u8]) -> Result<[u8; 32], InvalidMessage> {
    bytes.try_into().map_err(|_| InvalidMessage::new(field, wrong_length(bytes.len())))
}

fn wrong_length(found: usize) -> String {
    format!("has {found} bytes where 32 are expected")
}
