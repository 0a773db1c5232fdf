//! The outermost layer of a PKCS#12 file (RFC 7292 §4): whether it has a MAC, and the MAC itself for files whose inside
//! has to be brought to DER. The MAC covers the inside as it was, so it is checked before and left out after.

use std::num::NonZeroU32;

use ring::{digest, hmac};
use zeroize::Zeroizing;

use super::Pkcs12Error;
use super::tlv::{self, CONTEXT_0, Elements, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};

/// `id-data` (RFC 5652 §4).
const DATA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];
/// SHA-1 (RFC 3279 §2.1).
const SHA1: [u8; 5] = [0x2b, 0x0e, 0x03, 0x02, 0x1a];
/// SHA-256, SHA-384 and SHA-512 up to their last octet (RFC 5754 §2).
const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
/// Rounds of a key derivation that are carried out for a file.
const ROUNDS: u32 = 1_000_000;
/// What RFC 7292 appendix B.3 fills the first block with to make the key of a MAC.
const MAC_KEY: u8 = 3;

/// A PKCS#12 file in DER, taken apart.
pub(super) struct Frame<'d> {
    /// The authenticated safe: what the MAC covers.
    pub(super) safe: &'d [u8],
    mac: Option<&'d [u8]>,
}

impl<'d> Frame<'d> {
    pub(super) fn read(der: &'d [u8]) -> Option<Self> {
        let mut pfx = Elements::new(tlv::only(der, SEQUENCE)?);
        if pfx.take(INTEGER)? != [3] {
            return None;
        }
        let mut content = Elements::new(pfx.take(SEQUENCE)?);
        if content.take(OBJECT_IDENTIFIER)? != DATA {
            return None;
        }
        let safe = tlv::only(content.take(CONTEXT_0)?, OCTET_STRING)?;
        let mac = if pfx.is_empty() { None } else { Some(pfx.take(SEQUENCE)?) };
        (content.is_empty() && pfx.is_empty()).then_some(Self { safe, mac })
    }

    pub(super) const fn has_mac(&self) -> bool {
        self.mac.is_some()
    }

    /// Checks the MAC, where there is one.
    pub(super) fn check_mac(&self, password: &str) -> Result<(), Pkcs12Error> {
        let Some(mac) = self.mac else { return Ok(()) };
        let mac = Mac::read(mac)?;
        let key = Zeroizing::new(mac.key(password));
        let key = hmac::Key::new(mac.hmac, &key);
        hmac::verify(&key, self.safe, mac.value).map_err(|_| Pkcs12Error::WrongPassword)
    }
}

/// A file without a MAC around this authenticated safe.
pub(super) fn without_mac(safe: &[u8]) -> Vec<u8> {
    let octets = tlv::write(CONTEXT_0, &[&tlv::write(OCTET_STRING, &[safe])]);
    let content = tlv::write(SEQUENCE, &[&tlv::write(OBJECT_IDENTIFIER, &[&DATA]), &octets]);
    tlv::write(SEQUENCE, &[&[INTEGER, 1, 3], &content])
}

struct Mac<'d> {
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    value: &'d [u8],
    salt: &'d [u8],
    rounds: NonZeroU32,
}

impl<'d> Mac<'d> {
    fn read(mac: &'d [u8]) -> Result<Self, Pkcs12Error> {
        let malformed = || Pkcs12Error::Malformed { why: "its MAC is not readable".to_owned() };
        let mut mac = Elements::new(mac);
        let mut info = Elements::new(mac.take(SEQUENCE).ok_or_else(malformed)?);
        let mut algorithm = Elements::new(info.take(SEQUENCE).ok_or_else(malformed)?);
        let (digest, hmac) = algorithms_of(algorithm.take(OBJECT_IDENTIFIER).ok_or_else(malformed)?)?;
        let value = info.take(OCTET_STRING).ok_or_else(malformed)?;
        let salt = mac.take(OCTET_STRING).ok_or_else(malformed)?;
        let rounds = if mac.is_empty() { Some(1) } else { mac.magnitude().and_then(number) };
        let rounds = rounds.and_then(NonZeroU32::new).filter(|rounds| rounds.get() <= ROUNDS);
        Ok(Self { digest, hmac, value, salt, rounds: rounds.ok_or_else(malformed)? })
    }

    /// RFC 7292 appendix B.2. The key is as long as one digest, so it needs the first round of that method only.
    fn key(&self, password: &str) -> Vec<u8> {
        let block = self.digest.block_len();
        let filled = |text: &[u8]| -> Vec<u8> {
            let length = text.len().div_ceil(block) * block;
            text.iter().copied().cycle().take(length).collect()
        };
        let password: Zeroizing<Vec<u8>> =
            Zeroizing::new(password.encode_utf16().chain([0]).flat_map(u16::to_be_bytes).collect());
        let mut context = digest::Context::new(self.digest);
        context.update(&vec![MAC_KEY; block]);
        context.update(&filled(self.salt));
        context.update(&Zeroizing::new(filled(&password)));
        let mut key = context.finish();
        for _ in 1..self.rounds.get() {
            key = digest::digest(self.digest, key.as_ref());
        }
        key.as_ref().to_vec()
    }
}

fn algorithms_of(oid: &[u8]) -> Result<(&'static digest::Algorithm, hmac::Algorithm), Pkcs12Error> {
    match oid.split_last() {
        _ if oid == SHA1 => Ok((&digest::SHA1_FOR_LEGACY_USE_ONLY, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY)),
        Some((1, SHA2)) => Ok((&digest::SHA256, hmac::HMAC_SHA256)),
        Some((2, SHA2)) => Ok((&digest::SHA384, hmac::HMAC_SHA384)),
        Some((3, SHA2)) => Ok((&digest::SHA512, hmac::HMAC_SHA512)),
        _ => Err(Pkcs12Error::Unsupported { what: "the MAC's algorithm".to_owned() }),
    }
}

fn number(magnitude: &[u8]) -> Option<u32> {
    if magnitude.len() > 4 {
        return None;
    }
    Some(magnitude.iter().fold(0, |number, octet| number << 8 | u32::from(*octet)))
}
