//! The bytes of a spool's file: one header, then records.
//!
//! ```text
//! header  "inkan spool 1\n" (14) · epoch (8) · acknowledged sequence (8) · checksum of these (8)
//! record  length of payload (4) · sequence (8) · checksum of these and the epoch (8) · payload · checksum of all (8)
//! ```
//! Numbers are big-endian; a checksum is the beginning of a SHA-256. A record's head has a checksum of its own, so that a
//! length that a disk damaged is told from a record that was cut off. The payload is a `SpoolEntry` of the protocol.

use inkan_model::sync::SpoolEntry;
use inkan_wire::pb;
use prost::Message as _;
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 14] = b"inkan spool 1\n";
/// Bytes of a spool's header.
pub(super) const HEADER: usize = 14 + 8 + 8 + CHECKSUM;
const HEAD: usize = 4 + 8 + CHECKSUM;
const CHECKSUM: usize = 8;
/// The largest payload: what a doctor says, at its limits, is the largest thing that is told.
const PAYLOAD: usize = 320 * 1024;

/// What a spool's header says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Header {
    pub(super) epoch: u64,
    pub(super) acknowledged: u64,
}

/// What a spool's bytes hold.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Contents {
    /// Everything up to `length` is whole. What follows, if anything, is a record that was cut off while it was written.
    Whole { header: Header, entries: Vec<SpoolEntry>, length: usize },
    /// Something in the midst is not what was written.
    Damaged { why: &'static str },
}

enum Step {
    /// A record, and the bytes that it takes.
    Record(SpoolEntry, usize),
    CutOff,
    Damaged(&'static str),
}

pub(super) fn write_header(header: Header) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(header.epoch.to_be_bytes());
    bytes.extend(header.acknowledged.to_be_bytes());
    let check = checksum(&[&bytes]);
    bytes.extend(check);
    bytes
}

pub(super) fn write_record(epoch: u64, entry: &SpoolEntry) -> Option<Vec<u8>> {
    let payload = pb::SpoolEntry::from(entry.clone()).encode_to_vec();
    if payload.len() > PAYLOAD {
        return None;
    }
    let mut bytes = u32::try_from(payload.len()).ok()?.to_be_bytes().to_vec();
    bytes.extend(entry.sequence.to_be_bytes());
    let head = checksum(&[&epoch.to_be_bytes(), &bytes]);
    bytes.extend(head);
    bytes.extend(&payload);
    let whole = checksum(&[&epoch.to_be_bytes(), &bytes]);
    bytes.extend(whole);
    Some(bytes)
}

pub(super) fn read(bytes: &[u8]) -> Contents {
    let Some(header) = read_header(bytes) else { return Contents::Damaged { why: "its header is not whole" } };
    let mut entries: Vec<SpoolEntry> = Vec::new();
    let mut length = HEADER;
    loop {
        let expected = entries.last().map_or(header.acknowledged, |entry| entry.sequence).saturating_add(1);
        match read_record(header.epoch, expected, &bytes[length..]) {
            Step::Record(entry, taken) => {
                entries.push(entry);
                length += taken;
            }
            Step::CutOff => return Contents::Whole { header, entries, length },
            Step::Damaged(why) => return Contents::Damaged { why },
        }
    }
}

fn read_header(bytes: &[u8]) -> Option<Header> {
    let header = bytes.get(..HEADER)?;
    let (said, check) = header.split_at(HEADER - CHECKSUM);
    if !said.starts_with(MAGIC) || checksum(&[said]) != check {
        return None;
    }
    Some(Header { epoch: number(&said[14..22]), acknowledged: number(&said[22..30]) })
}

fn read_record(epoch: u64, expected: u64, rest: &[u8]) -> Step {
    let Some(head) = rest.get(..HEAD) else { return Step::CutOff };
    let (said, check) = head.split_at(HEAD - CHECKSUM);
    if checksum(&[&epoch.to_be_bytes(), said]) != check {
        // A file may have grown before its bytes were written.
        let never_written = rest.iter().all(|byte| *byte == 0);
        return if never_written {
            Step::CutOff
        } else {
            Step::Damaged("the head of a record is not what was written")
        };
    }
    let (length, sequence) = (usize::try_from(number(&said[..4])).unwrap_or(usize::MAX), number(&said[4..]));
    if length > PAYLOAD {
        return Step::Damaged("a record is too long");
    }
    let Some(whole) = rest.get(..HEAD + length + CHECKSUM) else { return Step::CutOff };
    let (said, check) = whole.split_at(HEAD + length);
    if checksum(&[&epoch.to_be_bytes(), said]) != check {
        let is_last = rest.len() == whole.len();
        return if is_last { Step::CutOff } else { Step::Damaged("a record is not what was written") };
    }
    let entry = pb::SpoolEntry::decode(&said[HEAD..]).ok().and_then(|entry| SpoolEntry::try_from(entry).ok());
    match entry {
        Some(entry) if entry.sequence == sequence && sequence == expected => Step::Record(entry, whole.len()),
        Some(_) => Step::Damaged("a record is out of order"),
        None => Step::Damaged("a record was written by another version"),
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

fn checksum(parts: &[&[u8]]) -> [u8; CHECKSUM] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let mut check = [0; CHECKSUM];
    check.copy_from_slice(&digest[..CHECKSUM]);
    check
}
