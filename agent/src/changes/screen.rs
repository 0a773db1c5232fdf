//! What may become an anchor by a command on this PC: the plain nonsense is refused here, with words for the person.
//!
//! This is the door for files that a person names. It is not the judgement of signed manifests, which is `inkan-trust`'s
//! and much stricter: here nobody has signed anything, and the person at the PC decides. Pure: bytes and a time go in.

use inkan_model::certificate::{KeyAlgorithm, SignatureHash};
use inkan_model::{CertificateFacts, Fingerprint, Timestamp, limits};
use pem::Pem;

use super::refusal::{AnchorProblem, FileProblem, Refusal};

/// Bytes of a file with anchors.
pub const FILE_BYTES: usize = 4 * 1024 * 1024;
/// Certificates of one file.
const CERTIFICATES: usize = 500;
/// Bits of the weakest RSA key.
const RSA_BITS: u32 = 2_048;
/// How far in the future a certificate may begin: clocks differ.
const AHEAD: time::Duration = time::Duration::DAY;

/// Reads a file with anchors: certificates in PEM, or one in DER. Each one once, in the order of the file.
pub fn read_anchors(bytes: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
    if bytes.len() > FILE_BYTES {
        return Err(FileProblem::TooLarge { limit: FILE_BYTES });
    }
    if bytes.is_empty() {
        return Err(FileProblem::Empty);
    }
    if holds_wide_armour(bytes) {
        return Err(FileProblem::Utf16);
    }
    let found = if holds_armour(bytes) { read_pem(bytes)? } else { vec![read_der(bytes)?] };
    let mut once: Vec<Vec<u8>> = Vec::new();
    for der in found {
        if !once.contains(&der) {
            once.push(der);
        }
    }
    match once.len() {
        0 => Err(FileProblem::Empty),
        1..=CERTIFICATES => Ok(once),
        _ => Err(FileProblem::TooMany { limit: CERTIFICATES }),
    }
}

fn holds_armour(bytes: &[u8]) -> bool {
    bytes.windows(11).any(|window| window == b"-----BEGIN ")
}

/// An editor's "Unicode" puts a zero beside each letter.
fn holds_wide_armour(bytes: &[u8]) -> bool {
    bytes.windows(12).any(|window| window == b"-\0-\0B\0E\0G\0I\0" || window == b"\0-\0-\0B\0E\0G\0I")
}

fn read_pem(bytes: &[u8]) -> Result<Vec<Vec<u8>>, FileProblem> {
    // Even a block that is damaged otherwise betrays a key by its label.
    if String::from_utf8_lossy(bytes).contains("PRIVATE KEY-----") {
        return Err(FileProblem::PrivateKey);
    }
    let blocks = pem::parse_many(bytes).map_err(|error| FileProblem::Unreadable { why: error.to_string() })?;
    let certificate = |block: Pem| match block.tag() {
        "CERTIFICATE" | "X509 CERTIFICATE" => Ok(block.into_contents()),
        "PKCS7" | "CMS" => Err(FileProblem::Pkcs7),
        other => {
            let tag = limits::tame_text(other, limits::SHORT_TEXT);
            Err(FileProblem::Unreadable { why: format!("{tag} is no certificate") })
        }
    };
    blocks.into_iter().map(certificate).collect()
}

fn read_der(bytes: &[u8]) -> Result<Vec<u8>, FileProblem> {
    if is_private_key(bytes) {
        return Err(FileProblem::PrivateKey);
    }
    if is_pkcs12(bytes) {
        return Err(FileProblem::Pkcs12);
    }
    if is_pkcs7(bytes) {
        return Err(FileProblem::Pkcs7);
    }
    CertificateFacts::read(bytes).map_err(|error| FileProblem::Unreadable { why: error.why })?;
    Ok(bytes.to_vec())
}

/// Whether this is a private key as DER: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017 §A.1.2) or SEC 1 (RFC 5915). All three begin
/// with a small version number, where a certificate has a sequence.
fn is_private_key(bytes: &[u8]) -> bool {
    match fields(bytes).as_deref() {
        Some([(0x02, [0 | 1]), (0x30, _), (0x04, _), ..]) => true,
        Some([(0x02, [0 | 1]), rest @ ..]) if rest.len() >= 8 => rest.iter().take(8).all(|(tag, _)| *tag == 0x02),
        Some([(0x02, [1]), (0x04, _), ..]) => true,
        // Encrypted (RFC 5958 §3): an algorithm whose identifier begins with PKCS#5's or PKCS#12's, and octets.
        Some([(0x30, algorithm), (0x04, _)]) => algorithm.starts_with(&[0x06]),
        _ => false,
    }
}

/// Whether this is a PKCS#12 file (RFC 7292 §4): version 3, then an object that is named by its kind.
fn is_pkcs12(bytes: &[u8]) -> bool {
    matches!(fields(bytes).as_deref(), Some([(0x02, [3]), (0x30, content), ..]) if content.starts_with(&[0x06]))
}

/// Whether this is a PKCS#7 file (RFC 5652 §3 and §5.1): signed data, in which authorities hand out chains. Its length may
/// be left open, which certificates' never is.
fn is_pkcs7(bytes: &[u8]) -> bool {
    const SIGNED_DATA: [u8; 11] = [0x06, 9, 42, 134, 72, 134, 247, 13, 1, 7, 2];
    let content = match bytes {
        [0x30, 0..=0x80, rest @ ..] => rest,
        [0x30, more @ 0x81..=0x84, rest @ ..] => rest.get(usize::from(more - 0x80)..).unwrap_or_default(),
        _ => return false,
    };
    content.starts_with(&SIGNED_DATA)
}

/// Tag and content.
type Field<'b> = (u8, &'b [u8]);

/// The fields of a DER sequence, as long as they are whole; enough to tell kinds of files apart.
fn fields(bytes: &[u8]) -> Option<Vec<Field<'_>>> {
    let ((0x30, mut content), _) = field(bytes)? else { return None };
    let mut found = Vec::new();
    while let Some((one, rest)) = field(content) {
        found.push(one);
        content = rest;
        if found.len() == 16 {
            break;
        }
    }
    Some(found)
}

/// The first field, and what follows it.
fn field(bytes: &[u8]) -> Option<(Field<'_>, &[u8])> {
    let [tag, first, rest @ ..] = bytes else { return None };
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some(((*tag, content), rest))
}

/// Refuses what can do no good as an anchor, whoever asks for it.
pub fn check_anchor(der: &[u8], now: Timestamp) -> Result<CertificateFacts, Refusal> {
    let refused = |problem| Refusal::Anchor { certificate: Fingerprint::of(der), problem };
    let facts = CertificateFacts::read(der).map_err(|error| refused(AnchorProblem::Unreadable { why: error.why }))?;
    match find_problem(&facts, now) {
        Some(problem) => Err(refused(problem)),
        None => Ok(facts),
    }
}

fn find_problem(facts: &CertificateFacts, now: Timestamp) -> Option<AnchorProblem> {
    let is_servers_own = facts.is_self_issued() && facts.server_auth != Some(false);
    if !(facts.is_ca || is_servers_own) {
        return Some(AnchorProblem::NoAuthority { subject: facts.subject.clone() });
    }
    if facts.not_after < now {
        return Some(AnchorProblem::Expired { not_after: facts.not_after });
    }
    if facts.not_before > now.plus(AHEAD) {
        return Some(AnchorProblem::NotYetValid { not_before: facts.not_before });
    }
    if let KeyAlgorithm::Rsa { bits } = facts.key
        && bits < RSA_BITS
    {
        return Some(AnchorProblem::WeakKey { bits });
    }
    // The signature of a self-signed anchor proves nothing to anybody, so its hash does not matter.
    let is_broken = matches!(facts.signature, SignatureHash::Md5 | SignatureHash::Sha1);
    (is_broken && !facts.is_self_issued()).then_some(AnchorProblem::WeakSignature)
}

#[cfg(test)]
mod tests;
