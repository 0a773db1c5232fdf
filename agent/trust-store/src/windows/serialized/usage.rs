//! Lists of purposes as Windows keeps them beside a certificate: `CTL_USAGE`, a DER sequence of object identifiers.

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
        purposes.push(dotted(oid.as_bytes())?);
        inner = behind;
        if purposes.len() > limits::PURPOSES {
            return None;
        }
    }
    purposes.sort_unstable();
    purposes.dedup();
    rest.is_empty().then_some(purposes)
}

/// Writes a list of purposes; `None` where one is not an object identifier.
pub(super) fn write(purposes: &[String]) -> Option<Vec<u8>> {
    let mut inner = Vec::new();
    for purpose in purposes {
        inner.extend(tagged(OBJECT_IDENTIFIER, &encoded(purpose)?)?);
    }
    tagged(SEQUENCE, &inner)
}

/// An object identifier in its dotted form (X.690 §8.19); `None` where it is not one, or has numbers of more than 64 bits.
fn dotted(bytes: &[u8]) -> Option<String> {
    let mut numbers = Vec::new();
    let mut number: Option<u64> = None;
    for byte in bytes {
        if number.is_none() && *byte == 0x80 {
            return None;
        }
        let more = number.unwrap_or(0).checked_mul(128)? | u64::from(byte & 0x7f);
        number = (byte & 0x80 != 0).then_some(more);
        if number.is_none() {
            numbers.push(more);
        }
    }
    let (first, rest) = numbers.split_first().filter(|_| number.is_none())?;
    let root = (first / 40).min(2);
    let text = |number: &u64| number.to_string();
    let arcs: Vec<String> = [root, first - 40 * root].iter().chain(rest).map(text).collect();
    Some(arcs.join(".")).filter(|dotted| dotted.len() <= limits::SHORT_TEXT)
}

/// The opposite of [`dotted`].
fn encoded(dotted: &str) -> Option<Vec<u8>> {
    let number = |arc: &str| arc.parse::<u64>().ok().filter(|number| number.to_string() == arc);
    let arcs: Vec<u64> = dotted.split('.').map(number).collect::<Option<_>>()?;
    let [root, second, rest @ ..] = arcs.as_slice() else { return None };
    if *root > 2 || (*root < 2 && *second >= 40) || dotted.len() > limits::SHORT_TEXT {
        return None;
    }
    let first = second.checked_add(root * 40)?;
    Some([first].iter().chain(rest).flat_map(|number| base_128(*number)).collect())
}

/// A number in groups of seven bits, all but the last marked.
fn base_128(number: u64) -> Vec<u8> {
    let groups = (0..10).rev().map(|group| number >> (7 * group)).skip_while(|rest| *rest == 0);
    let mut bytes: Vec<u8> = groups.map(|rest| 0x80 | rest.to_le_bytes()[0]).collect();
    match bytes.last_mut() {
        Some(last) => *last &= 0x7f,
        None => bytes.push(0),
    }
    bytes
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
