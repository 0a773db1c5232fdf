//! Java's own keystore formats, JKS and JCEKS, as far as certificates go.
//!
//! A file is a header, entries one after the other, and a keyed SHA-1 over all of it that only who knows the password can
//! check or make. Certificates stand in the open; keys are ciphertext and stay the bytes that they are. Changing a file
//! means leaving out or adding whole entries, so that everything else survives as it was, and a change that is taken
//! back gives the same file again. Nothing here trusts a length that it has not compared with what is there.

use inkan_model::{Fingerprint, limits};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use zeroize::Zeroizing;

use super::serialized;

const JKS_MAGIC: u32 = 0xFEED_FEED;
const JCEKS_MAGIC: u32 = 0xCECE_CECE;
/// What Java mixes into the digest between the password and the content.
const WHITENER: &[u8] = b"Mighty Aphrodite";
/// Bytes of the digest at the end.
const DIGEST_BYTES: usize = 20;
/// Certificates of one key's chain.
const CHAIN: u32 = 100;

const KEY: u32 = 1;
const TRUSTED: u32 = 2;
const SECRET: u32 = 3;

/// A keystore file that could be read to its end.
pub(super) struct Jks {
    magic: u32,
    version: u32,
    pub(super) entries: Vec<Entry>,
    digest: [u8; DIGEST_BYTES],
}

/// One entry, with the bytes that it came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) alias: String,
    pub(super) content: Content,
    raw: Vec<u8>,
}

/// What an entry holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Content {
    /// A private key, never looked at, and its certificates, its own first.
    Key { chain: Vec<Vec<u8>> },
    /// A secret key, never looked at.
    Secret,
    /// A certificate that Java trusts.
    Trusted(Vec<u8>),
}

/// Where a file stops making sense. What stands before can be read all the same.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{field} at byte {at} is not what it should be")]
pub(super) struct Broken {
    pub(super) field: &'static str,
    pub(super) at: usize,
}

/// Whether a file begins as one of these formats does.
pub(super) fn is_jks(bytes: &[u8]) -> bool {
    let magic = bytes.first_chunk().map(|magic| u32::from_be_bytes(*magic));
    matches!(magic, Some(JKS_MAGIC | JCEKS_MAGIC))
}

/// Reads a file. On failure the entries before the break come with it.
pub(super) fn read(bytes: &[u8]) -> Result<Jks, (Vec<Entry>, Broken)> {
    let mut cursor = Cursor { bytes, at: 0 };
    let mut entries = Vec::new();
    let read = cursor.file(&mut entries);
    match read {
        Ok((magic, version, digest)) => Ok(Jks { magic, version, entries, digest }),
        Err(broken) => Err((entries, broken)),
    }
}

impl Entry {
    /// Stands for the entry in comparisons.
    pub(super) fn digest(&self) -> Fingerprint {
        Fingerprint::of(&self.raw)
    }
}

impl Jks {
    /// Whether the digest at the end is this password's: the file is as somebody left it who knows the password.
    pub(super) fn is_sealed_by(&self, password: &str) -> bool {
        self.digest_under(password) == self.digest
    }

    /// Adds a trusted certificate at the end. Java finds aliases in lower case only, so that is what it must be in.
    pub(super) fn add_trusted(&mut self, alias: &str, der: &[u8]) {
        // The date of an entry means nothing to Java. One that follows from the certificate makes the same file each time.
        let first = inkan_model::Certificate::read(der.to_vec()).facts.map(|facts| facts.not_before.as_unix_millis());
        let created = first.ok().and_then(|millis| u64::try_from(millis).ok()).unwrap_or(0);
        let mut raw = TRUSTED.to_be_bytes().to_vec();
        push_text(&mut raw, alias);
        raw.extend(created.to_be_bytes());
        if self.version == 2 {
            push_text(&mut raw, "X.509");
        }
        raw.extend(u32::try_from(der.len()).unwrap_or(u32::MAX).to_be_bytes());
        raw.extend(der);
        self.entries.push(Entry { alias: alias.to_owned(), content: Content::Trusted(der.to_vec()), raw });
    }

    /// Takes each trusted entry of this certificate away.
    pub(super) fn remove_trusted(&mut self, certificate: Fingerprint) {
        let meant =
            |entry: &Entry| matches!(&entry.content, Content::Trusted(der) if Fingerprint::of(der) == certificate);
        self.entries.retain(|entry| !meant(entry));
    }

    /// The file, sealed by this password.
    pub(super) fn write(&self, password: &str) -> Vec<u8> {
        let mut bytes = self.body();
        bytes.extend(self.digest_under(password));
        bytes
    }

    fn body(&self) -> Vec<u8> {
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        let mut bytes: Vec<u8> = [self.magic, self.version, count].into_iter().flat_map(u32::to_be_bytes).collect();
        for entry in &self.entries {
            bytes.extend(&entry.raw);
        }
        bytes
    }

    fn digest_under(&self, password: &str) -> [u8; DIGEST_BYTES] {
        let mut units = Zeroizing::new(Vec::with_capacity(password.len() * 2));
        for unit in password.encode_utf16() {
            units.extend(unit.to_be_bytes());
        }
        let mut context = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
        for part in [units.as_slice(), WHITENER, &self.body()] {
            context.update(part);
        }
        let mut digest = [0; DIGEST_BYTES];
        digest.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
        digest
    }
}

/// Java's length-prefixed text. An alias that is too long for the prefix is refused long before it gets here.
fn push_text(bytes: &mut Vec<u8>, text: &str) {
    // Java's form of UTF-8 differs for characters outside of the first plane: each surrogate is encoded for itself.
    let mut encoded = Vec::with_capacity(text.len());
    for unit in text.encode_utf16() {
        match unit {
            1..=0x7F => encoded.push(unit.to_le_bytes()[0]),
            0 | 0x80..=0x7FF => encoded.extend([0xC0 | low(unit >> 6), 0x80 | low(unit & 0x3F)]),
            _ => encoded.extend([0xE0 | low(unit >> 12), 0x80 | low((unit >> 6) & 0x3F), 0x80 | low(unit & 0x3F)]),
        }
    }
    bytes.extend(u16::try_from(encoded.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(encoded);
}

const fn low(unit: u16) -> u8 {
    unit.to_le_bytes()[0]
}

/// Reads Java's form of UTF-8; what is broken becomes a replacement character.
fn text_of(bytes: &[u8]) -> String {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let (unit, used) = match *rest {
            [] => return String::from_utf16_lossy(&units),
            [a, ..] if a < 0x80 => (u16::from(a), 1),
            [a, b, ..] if a & 0xE0 == 0xC0 && b & 0xC0 == 0x80 => (u16::from(a & 0x1F) << 6 | u16::from(b & 0x3F), 2),
            [a, b, c, ..] if a & 0xF0 == 0xE0 && b & 0xC0 == 0x80 && c & 0xC0 == 0x80 => {
                (u16::from(a & 0x0F) << 12 | u16::from(b & 0x3F) << 6 | u16::from(c & 0x3F), 3)
            }
            _ => (0xFFFD, 1),
        };
        units.push(unit);
        rest = rest.get(used..).unwrap_or_default();
    }
}

struct Cursor<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Cursor<'b> {
    fn file(&mut self, entries: &mut Vec<Entry>) -> Result<(u32, u32, [u8; DIGEST_BYTES]), Broken> {
        let magic = self.number("the magic number")?;
        if !matches!(magic, JKS_MAGIC | JCEKS_MAGIC) {
            return Err(Broken { field: "the magic number", at: 0 });
        }
        let version = self.number("the version")?;
        if !matches!(version, 1 | 2) {
            return Err(Broken { field: "the version", at: 4 });
        }
        let count = self.number("the number of entries")?;
        if usize::try_from(count).map_or(true, |count| count > limits::SET_ENTRIES) {
            return Err(Broken { field: "the number of entries", at: 8 });
        }
        for _ in 0..count {
            entries.push(self.entry(magic, version)?);
        }
        let at = self.at;
        let digest = self.take(DIGEST_BYTES, "the digest")?;
        let digest = digest.first_chunk().filter(|_| self.at == self.bytes.len());
        Ok((magic, version, *digest.ok_or(Broken { field: "the end of the file", at })?))
    }

    fn entry(&mut self, magic: u32, version: u32) -> Result<Entry, Broken> {
        let start = self.at;
        let tag = self.number("the kind of an entry")?;
        let alias = text_of(self.text("an alias")?);
        self.take(8, "a date")?;
        let content = match tag {
            KEY => {
                self.counted("a key")?;
                let count = self.number("the length of a chain")?;
                if count > CHAIN {
                    return Err(Broken { field: "the length of a chain", at: self.at });
                }
                let chain: Result<_, _> = (0..count).map(|_| self.certificate(version)).collect();
                Content::Key { chain: chain? }
            }
            TRUSTED => Content::Trusted(self.certificate(version)?),
            SECRET if magic == JCEKS_MAGIC => {
                let rest = self.bytes.get(self.at..).unwrap_or_default();
                let length = serialized::length(rest).ok_or(Broken { field: "a secret key", at: self.at })?;
                self.take(length, "a secret key")?;
                Content::Secret
            }
            _ => return Err(Broken { field: "the kind of an entry", at: start }),
        };
        let raw = self.bytes.get(start..self.at).unwrap_or_default().to_vec();
        Ok(Entry { alias, content, raw })
    }

    fn certificate(&mut self, version: u32) -> Result<Vec<u8>, Broken> {
        if version == 2 {
            self.text("the type of a certificate")?;
        }
        self.counted("a certificate").map(<[u8]>::to_vec)
    }

    fn counted(&mut self, field: &'static str) -> Result<&'b [u8], Broken> {
        let length = self.number(field)?;
        self.take(usize::try_from(length).unwrap_or(usize::MAX), field)
    }

    fn text(&mut self, field: &'static str) -> Result<&'b [u8], Broken> {
        let length = self.take(2, field)?.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        self.take(length, field)
    }

    fn number(&mut self, field: &'static str) -> Result<u32, Broken> {
        Ok(self.take(4, field)?.iter().fold(0, |number, byte| number << 8 | u32::from(*byte)))
    }

    fn take(&mut self, length: usize, field: &'static str) -> Result<&'b [u8], Broken> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(Broken { field, at: self.at })?;
        self.at += length;
        Ok(taken)
    }
}
