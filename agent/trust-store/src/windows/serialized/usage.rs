//! Lists of purposes as Windows keeps them beside a certificate: `CTL_USAGE`, a DER sequence of object identifiers.

use std::str::FromStr;

use inkan_model::limits;
use x509_parser::asn1_rs::{FromDer, Oid, Sequence};

/// DER's tag of an object identifier.
const OBJECT_IDENTIFIER: u8 = 0x06;
/// DER's tag of a sequence.
const SEQUENCE: u8 = 0x30;

/// Reads a list of purposes, sorted, each one once; `None` where it is not one.
pub(super) fn read(der: &[u8]) -> Option<Vec<String>> {
    let (rest, sequence) = Sequence::from_der(der).ok()?;
    let mut inner: &[u8] = &sequence.content;
    let mut purposes = Vec::new();
    while !inner.is_empty() {
        let (behind, oid) = Oid::from_der(inner).ok()?;
        // An identifier with larger arcs has no dotted form that could be written back.
        let arcs: Vec<String> = oid.iter()?.map(|arc| arc.to_string()).collect();
        purposes.push(arcs.join("."));
        inner = behind;
        if purposes.len() > limits::PURPOSES {
            return None;
        }
    }
    let short = purposes.iter().all(|purpose| !purpose.is_empty() && purpose.len() <= limits::SHORT_TEXT);
    purposes.sort_unstable();
    purposes.dedup();
    (rest.is_empty() && short).then_some(purposes)
}

/// Writes a list of purposes; `None` where one is not an object identifier.
pub(super) fn write(purposes: &[String]) -> Option<Vec<u8>> {
    let mut inner = Vec::new();
    for purpose in purposes {
        let oid = Oid::from_str(purpose).ok().filter(|oid| oid.to_id_string() == *purpose)?;
        inner.extend(tagged(OBJECT_IDENTIFIER, oid.as_bytes())?);
    }
    tagged(SEQUENCE, &inner)
}

/// DER's tag, length and content, for content of less than 64 KiB.
fn tagged(tag: u8, content: &[u8]) -> Option<Vec<u8>> {
    let [high, low] = u16::try_from(content.len()).ok()?.to_be_bytes();
    let mut der = match content.len() {
        0..=127 => vec![tag, low],
        128..=255 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    der.extend(content);
    Some(der)
}
