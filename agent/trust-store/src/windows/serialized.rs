//! The form in which Windows writes one certificate with its properties: as the value `Blob` of a registry key, and as
//! the files of a user's own certificates.
//!
//! A list of properties, each of them `{id, encoding, length, data}` with little-endian numbers of 32 bits; the
//! certificate itself is one of them. Pure functions over bytes that any user of the PC may have written: nothing
//! panics, each pass is linear, and a property that cannot be read is named and does not hide the certificate.

mod key_link;
mod usage;

use inkan_model::limits;

pub use self::key_link::KeyLink;

/// Bytes of one certificate with its properties.
pub(crate) const BLOB_BYTES: usize = 512 * 1024;
/// Properties of one certificate.
const PROPERTIES: usize = 256;
/// What stands in each property between its identifier and its length: the certificate's encoding.
const ENCODING: u32 = 1;
/// Bytes before each property's data.
const HEADER: usize = 12;

/// The property that says where the private key is (`CERT_KEY_PROV_INFO_PROP_ID`).
const KEY_PROVIDER: u32 = 2;
/// The property with the SHA-1 over the certificate, which is also its name in the registry.
const SHA1: u32 = 3;
/// The property that limits the purposes (`CERT_ENHKEY_USAGE_PROP_ID`).
pub(crate) const USAGE: u32 = 9;
/// The property with the friendly name.
const FRIENDLY_NAME: u32 = 11;
/// The mark of a certificate that applications are not shown any more (`CERT_ARCHIVED_PROP_ID`).
pub(crate) const ARCHIVED: u32 = 19;
/// The certificate itself (`CERT_CERT_PROP_ID`).
const CERTIFICATE: u32 = 32;
/// The property that limits the names (`CERT_ROOT_PROGRAM_NAME_CONSTRAINTS_PROP_ID`).
pub(crate) const NAME_CONSTRAINTS: u32 = 84;

/// Bytes that are not a certificate with properties.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidBlob {
    /// It is larger than any certificate with its properties.
    #[error("has {0} bytes, more than {BLOB_BYTES}")]
    TooLarge(usize),
    /// It has more properties than any certificate.
    #[error("has more than {PROPERTIES} properties")]
    TooMany,
    /// It ends within a property.
    #[error("ends within the property at byte {0}")]
    Truncated(usize),
    /// None of the properties is a certificate.
    #[error("has no certificate among its properties")]
    NoCertificate,
}

/// Where the private key of a certificate is said to be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KeyReference {
    /// Nowhere: it has none here.
    None,
    /// In this container.
    Link(KeyLink),
    /// Somewhere, in a form that cannot be read.
    Unreadable,
}

/// One certificate with its properties.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SerializedCertificate {
    /// The certificate as DER, as far as the store can be believed.
    pub der: Vec<u8>,
    /// The friendly name.
    pub name: Option<String>,
    /// Where its private key is.
    pub key: KeyReference,
    /// The purposes to which it is limited, as dotted object identifiers, sorted.
    pub purposes: Option<Vec<String>>,
    /// The names to which it is limited, as DER.
    pub name_constraints: Option<Vec<u8>>,
    /// The SHA-1 that the store says the certificate has.
    pub sha1: Option<Vec<u8>>,
    /// Properties that are there and cannot be read.
    pub unreadable: Vec<&'static str>,
    /// All properties that have no field of their own here, as they are: identifier and data.
    pub others: Vec<(u32, Vec<u8>)>,
}

impl SerializedCertificate {
    /// A certificate without properties.
    pub const fn new(der: Vec<u8>) -> Self {
        Self {
            der,
            name: None,
            key: KeyReference::None,
            purposes: None,
            name_constraints: None,
            sha1: None,
            unreadable: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Reads the bytes of a registry value or file. Of a property that stands there twice, the last one counts.
    ///
    /// # Errors
    /// Says why the bytes are not a certificate with properties.
    pub fn read(bytes: &[u8]) -> Result<Self, InvalidBlob> {
        if bytes.len() > BLOB_BYTES {
            return Err(InvalidBlob::TooLarge(bytes.len()));
        }
        let mut read = Self::new(Vec::new());
        for (number, property) in (Properties { bytes, at: 0 }).enumerate() {
            if number >= PROPERTIES {
                return Err(InvalidBlob::TooMany);
            }
            let (id, data) = property?;
            read.take(id, data);
        }
        if read.der.is_empty() { Err(InvalidBlob::NoCertificate) } else { Ok(read) }
    }

    /// Whether Windows shows it to applications only when they ask for archived ones.
    pub fn is_archived(&self) -> bool {
        self.others.iter().any(|(id, _)| *id == ARCHIVED)
    }

    fn take(&mut self, id: u32, data: &[u8]) {
        match id {
            CERTIFICATE => self.der = data.to_vec(),
            FRIENDLY_NAME => self.name = Some(text(data)).filter(|name| !name.is_empty()),
            KEY_PROVIDER => self.key = KeyLink::read(data).map_or(KeyReference::Unreadable, KeyReference::Link),
            SHA1 => self.sha1 = Some(data.to_vec()),
            USAGE => {
                self.purposes = usage::read(data);
                self.readable("purposes", self.purposes.is_some());
            }
            NAME_CONSTRAINTS => {
                let fits = data.len() <= limits::CERTIFICATE_BYTES;
                self.name_constraints = fits.then(|| data.to_vec());
                self.readable("name constraints", fits);
            }
            _ => self.others.push((id, data.to_vec())),
        }
    }

    fn readable(&mut self, property: &'static str, readable: bool) {
        self.unreadable.retain(|unreadable| *unreadable != property);
        if !readable {
            self.unreadable.push(property);
        }
    }

    /// The bytes as Windows would write them, limits before the certificate. `None` where a purpose is not an object
    /// identifier. A key that could not be read is left out.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let Self { der, name, key, purposes, name_constraints, sha1, unreadable: _, others } = self;
        let mut bytes = Vec::new();
        let mut put = |id: u32, data: &[u8]| {
            bytes.extend(id.to_le_bytes());
            bytes.extend(ENCODING.to_le_bytes());
            bytes.extend(u32::try_from(data.len()).ok()?.to_le_bytes());
            bytes.extend(data);
            Some(())
        };
        for (id, data) in others {
            put(*id, data)?;
        }
        if let KeyReference::Link(link) = key {
            put(KEY_PROVIDER, &link.to_bytes()?)?;
        }
        if let Some(sha1) = sha1 {
            put(SHA1, sha1)?;
        }
        if let Some(purposes) = purposes {
            put(USAGE, &usage_der(purposes)?)?;
        }
        if let Some(name) = name {
            put(FRIENDLY_NAME, &terminated(name))?;
        }
        if let Some(name_constraints) = name_constraints {
            put(NAME_CONSTRAINTS, name_constraints)?;
        }
        put(CERTIFICATE, der)?;
        (bytes.len() <= BLOB_BYTES).then_some(bytes)
    }
}

/// `CTL_USAGE` of purposes: a sequence of object identifiers as DER. `None` where one is not an object identifier.
pub(crate) fn usage_der(purposes: &[String]) -> Option<Vec<u8>> {
    usage::write(purposes)
}

/// The purposes in a `CTL_USAGE`, sorted; `None` where it cannot be read.
#[cfg(windows)]
pub(crate) fn usage_purposes(der: &[u8]) -> Option<Vec<String>> {
    usage::read(der)
}

/// The properties of a blob, in their order, up to the first that is cut short.
struct Properties<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Iterator for Properties<'b> {
    type Item = Result<(u32, &'b [u8]), InvalidBlob>;

    fn next(&mut self) -> Option<Self::Item> {
        let rest = self.bytes.get(self.at..).filter(|rest| !rest.is_empty())?;
        let property = || {
            let (id, length) = (word(rest, 0)?, usize::try_from(word(rest, 8)?).ok()?);
            Some((id, rest.get(HEADER..HEADER.checked_add(length)?)?))
        };
        let Some((id, data)) = property() else {
            let at = std::mem::replace(&mut self.at, self.bytes.len());
            return Some(Err(InvalidBlob::Truncated(at)));
        };
        self.at += HEADER + data.len();
        Some(Ok((id, data)))
    }
}

/// The number of 32 bits at an offset.
fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

/// UTF-16 text up to its first NUL, where it has one.
pub(crate) fn text(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
    let units: Vec<u16> = units.take_while(|unit| *unit != 0).collect();
    String::from_utf16_lossy(&units)
}

/// UTF-16 text with a NUL at its end.
fn terminated(text: &str) -> Vec<u8> {
    let units = text.encode_utf16().filter(|unit| *unit != 0).chain([0]);
    units.flat_map(u16::to_le_bytes).collect()
}

#[cfg(test)]
mod tests;
