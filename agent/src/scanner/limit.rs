//! Brings one reading within the limits that the server holds everybody to. What is left out is told as an error.

use std::collections::BTreeSet;

use inkan_model::Fingerprint;
use inkan_model::limits::{self, tame_text};
use inkan_model::store::{ReadError, ReadErrorKind, SetEntry};
use inkan_trust_store::Reading;

/// Sorts a reading, drops what is there twice and keeps to the limits.
pub(super) fn bounded(reading: Reading) -> Reading {
    let Reading { mut entries, mut certificates, mut errors } = reading;
    entries.iter_mut().for_each(tame);
    entries.sort_unstable();
    entries.dedup();
    if entries.len() > limits::SET_ENTRIES {
        let detail = format!("{} entries, more than {}", entries.len(), limits::SET_ENTRIES);
        errors.push(ReadError { kind: ReadErrorKind::TooLarge, item: String::new(), detail });
        entries.truncate(limits::SET_ENTRIES);
    }
    let named: BTreeSet<Fingerprint> = entries.iter().filter_map(certificate_of).collect();
    certificates.retain(|certificate| named.contains(&certificate.fingerprint));
    Reading { entries, certificates, errors: bounded_errors(errors) }
}

fn certificate_of(entry: &SetEntry) -> Option<Fingerprint> {
    match entry {
        SetEntry::Certificate { certificate, .. } => Some(*certificate),
        SetEntry::Unreadable { .. } => None,
    }
}

fn tame(entry: &mut SetEntry) {
    let (SetEntry::Certificate { name, .. } | SetEntry::Unreadable { name, .. }) = entry;
    if let Some(name) = name {
        *name = tame_text(name, limits::SHORT_TEXT);
    }
    if let SetEntry::Unreadable { why, .. } = entry {
        *why = tame_text(why, limits::SHORT_TEXT);
    }
}

fn bounded_errors(mut errors: Vec<ReadError>) -> Vec<ReadError> {
    for ReadError { kind: _, item, detail } in &mut errors {
        *item = tame_text(item, limits::LONG_TEXT);
        *detail = tame_text(detail, limits::SHORT_TEXT);
    }
    errors.sort_unstable();
    errors.dedup();
    if errors.len() > limits::READ_ERRORS {
        let more = errors.len() - (limits::READ_ERRORS - 1);
        errors.truncate(limits::READ_ERRORS - 1);
        let detail = format!("and {more} errors more");
        errors.push(ReadError { kind: ReadErrorKind::Other, item: String::new(), detail });
    }
    errors
}
