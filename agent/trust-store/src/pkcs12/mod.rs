//! PKCS#12 files on their way into a key store: what certification authorities and portals hand out.
//!
//! The library behind this decodes a file whole. Before it, the file is bounded and brought to DER (NSS writes BER);
//! after it, each key is brought together with the certificate that carries its public half, because names and
//! identifiers in such files are often missing or shared. A key goes on in wiped memory only. The library's own
//! copies are let go at once, but it has no way to wipe them.
//!
//! Must never show a key or a password, and never take a key for a certificate's that it was not computed to be.

mod ber;
mod frame;
pub(crate) mod key;
pub(crate) mod patience;
#[cfg(test)]
mod tests;
pub(crate) mod tlv;

use std::borrow::Cow;

use inkan_model::{Certificate, CertificateFacts, limits};
use p12_keystore::error::Error;
use p12_keystore::{CertificateBag, Pkcs12Archive, PrivateKeyBag};
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use self::frame::Frame;
use self::key::KeyMaterial;
use self::patience::Opened;
use crate::KeyedCertificate;

/// Bytes of one file. Real ones have some kilobytes.
pub const FILE_BYTES: usize = 4 * 1024 * 1024;
/// Certificates of one file.
const CERTIFICATES: usize = 200;
/// Keys of one file.
const KEYS: usize = 20;

/// A PKCS#12 file that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Pkcs12Error {
    /// It is not PKCS#12, or it is damaged.
    #[error("not a readable PKCS#12 file: {why}")]
    Malformed {
        /// What is wrong with it.
        why: String,
    },
    /// It has keys, and none of its certificates is for one of them.
    #[error("the PKCS#12 file has a key and no certificate for it")]
    NoCertificate,
    /// It has no key that could be brought into a store.
    #[error("the PKCS#12 file has no private key")]
    NoKey,
    /// It is larger than any real one.
    #[error("the PKCS#12 file has {count} {what}, more than {limit}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there is.
        count: usize,
        /// The most that is taken in.
        limit: usize,
    },
    /// It is protected in a way that is not known here.
    #[error("the PKCS#12 file uses what is not supported: {what}; write it anew with AES-256 and SHA-256")]
    Unsupported {
        /// What is not known.
        what: String,
    },
    /// The password does not open it. Of a file without a MAC, it may be damaged instead.
    #[error("the password does not open the PKCS#12 file")]
    WrongPassword,
}

/// Opens a file and gives each key with the certificate that it belongs to and that certificate's issuers, in the
/// order of the keys. There is at least one.
///
/// # Errors
/// Says why the file cannot be used.
pub fn open(bytes: &[u8], password: &str) -> Result<Vec<KeyedCertificate>, Pkcs12Error> {
    let Pkcs12Archive { keys, certs, secrets: _ } = decode(bytes, password)?;
    if keys.is_empty() {
        return Err(Pkcs12Error::NoKey);
    }
    let certificates: Vec<_> = certs.iter().map(|bag| Certificate::read(bag.cert.as_der().to_vec())).collect();
    let mut opened: Vec<KeyedCertificate> = Vec::new();
    for bag in &keys {
        let pkcs8 = Zeroizing::new(bag.key.as_der().to_vec());
        let Some(leaf) = find_leaf(bag, &pkcs8, &certs) else { continue };
        let name = certs[leaf].friendly_name.as_ref().or(bag.friendly_name.as_ref());
        let name = name.map(|name| limits::tame_text(name, limits::SHORT_TEXT)).filter(|name| !name.trim().is_empty());
        opened.push(KeyedCertificate { pkcs8, chain: chain_of(leaf, &certificates), name });
    }
    if opened.is_empty() { Err(Pkcs12Error::NoCertificate) } else { Ok(opened) }
}

/// Decodes a file whole. It may come from anybody, so a panic of the library counts as a broken file, and so does work
/// without end.
pub(crate) fn decode(bytes: &[u8], password: &str) -> Result<Pkcs12Archive, Pkcs12Error> {
    within("bytes", bytes.len(), FILE_BYTES)?;
    let outer = ber::to_der(bytes).map_err(|error| malformed(error.to_string()))?;
    let frame = Frame::read(&outer).ok_or_else(|| malformed("its outermost structure is another"))?;
    let whole = match ber::to_der(frame.safe).map_err(|error| malformed(error.to_string()))? {
        Cow::Borrowed(_) => Cow::Borrowed(&*outer),
        Cow::Owned(safe) => {
            frame.check_mac(password)?;
            Cow::Owned(frame::without_mac(&safe))
        }
    };
    let archive = match patience::open(&whole, password) {
        Opened::Archive(archive) => archive,
        Opened::Refused(error) => return Err(refusal(error, frame.has_mac())),
        Opened::Panicked => return Err(malformed("its content is beyond the parser")),
        Opened::TooLong => return Err(malformed("opening it takes too long")),
    };
    within("keys", archive.keys.len(), KEYS)?;
    within("certificates", archive.certs.len(), CERTIFICATES)?;
    Ok(archive)
}

fn refusal(error: Error, has_mac: bool) -> Pkcs12Error {
    match error {
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm => {
            Pkcs12Error::Unsupported { what: "its encryption".to_owned() }
        }
        Error::UnsupportedContentType | Error::UnsupportedCertificateType => {
            Pkcs12Error::Unsupported { what: error.to_string() }
        }
        // What a wrong password decrypts to is noise, and without a MAC it shows here at the earliest.
        Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError => Pkcs12Error::WrongPassword,
        Error::DerError(_) | Error::InvalidPrivateKey | Error::InvalidLength | Error::X509Error(_) if !has_mac => {
            Pkcs12Error::WrongPassword
        }
        error => malformed(error.to_string()),
    }
}

/// The certificate of a key: the one that the file says, where that is so, else the first that carries its public half.
fn find_leaf(bag: &PrivateKeyBag, pkcs8: &[u8], certs: &[CertificateBag]) -> Option<usize> {
    let said = |cert: &CertificateBag| match (&bag.local_key_id, &cert.local_key_id) {
        (Some(key), Some(cert)) => key.as_ref() == cert.as_slice(),
        (None, _) | (_, None) => false,
    };
    let material = KeyMaterial::read(pkcs8)?;
    let belongs = |at: &usize| spki_of(certs[*at].cert.as_der()).is_some_and(|spki| material.belongs_to(spki));
    let (first, second): (Vec<_>, Vec<_>) = (0..certs.len()).partition(|at| said(&certs[*at]));
    first.into_iter().chain(second).find(belongs)
}

/// The public key of a certificate, as it stands there.
pub(crate) fn spki_of(certificate: &[u8]) -> Option<&[u8]> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate.subject_pki.raw)
}

/// The certificate and its issuers as far as the file has them, each one once.
fn chain_of(leaf: usize, certificates: &[Certificate]) -> Vec<Vec<u8>> {
    let mut chain = vec![&certificates[leaf]];
    while let Some(Ok(last)) = chain.last().map(|last| &last.facts)
        && chain.len() < limits::CHAIN_CERTIFICATES
        && !last.is_self_issued()
    {
        let issues = |issuer: &CertificateFacts| issuer.is_ca && last.may_be_issued_by(issuer);
        let next = certificates.iter().find(|candidate| {
            candidate.facts.as_ref().is_ok_and(issues)
                && chain.iter().all(|one| one.fingerprint != candidate.fingerprint)
        });
        let Some(next) = next else { break };
        chain.push(next);
    }
    chain.into_iter().map(|certificate| certificate.der.clone()).collect()
}

fn within(what: &'static str, count: usize, limit: usize) -> Result<(), Pkcs12Error> {
    if count > limit { Err(Pkcs12Error::TooLarge { what, count, limit }) } else { Ok(()) }
}

fn malformed(why: impl Into<String>) -> Pkcs12Error {
    let why: String = why.into();
    Pkcs12Error::Malformed { why: limits::tame_text(&why, limits::SHORT_TEXT) }
}
