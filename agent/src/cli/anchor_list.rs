//! `anchor list`: the anchors of this PC, and which of them the agent put there.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use inkan_model::store::{KeyPresence, Location, SetEntry};
use inkan_model::{CertificateFacts, EntryProperties, Fingerprint};
use serde::Serialize;

use super::anchor::ListArgs;
use super::changing::Bench;
use super::progress::Progress;
use super::{Failure, print, print_json};
use crate::changes::record::{ChangeRecord, Deed};
use crate::changes::{list_damaged, read};
use crate::clock::SystemClock;
use crate::scanner::{Scan, Scanner};

/// One anchor at one place.
#[derive(Serialize)]
struct Listed {
    certificate: Fingerprint,
    subject: String,
    not_after: String,
    location: Location,
    name: Option<String>,
    #[serde(skip_serializing_if = "EntryProperties::is_empty")]
    properties: EntryProperties,
    /// Whether the agent put it there.
    by_agent: bool,
    /// Whether it stands there now.
    present: bool,
}

pub(super) fn run(bench: &Bench<'_>, args: ListArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let settings = bench.settings;
    let (records, damage) = read(&settings.data_dir).map_err(Failure::failed)?;
    if damage.is_some() || !list_damaged(&settings.data_dir).is_empty() {
        tracing::warn!("a journal of changes was damaged: what it held is shown by --all only");
    }
    let stores = &bench.stores;
    let scan = {
        let _progress = Progress::of("reading stores".to_owned());
        Scanner::new(stores.clone(), settings.location_deadline, Arc::new(SystemClock)).scan()
    };
    let of_anchors: Vec<Location> =
        stores.iter().filter(|store| store.anchors().is_some()).flat_map(|store| store.discover()).collect();
    let listed = list(&scan, &records, &of_anchors, args.all);
    if args.told.json {
        print_json(out, &listed)?;
    } else {
        print_table(out, &listed, args)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(scan: &Scan, records: &[ChangeRecord], of_anchors: &[Location], all: bool) -> Vec<Listed> {
    let mut listed = Vec::new();
    for snapshot in scan.snapshots.iter().filter(|snapshot| of_anchors.contains(&snapshot.location)) {
        for entry in snapshot.set.entries() {
            let SetEntry::Certificate { certificate, key, name, properties } = entry else { continue };
            let by_agent = was_put(records, &snapshot.location, *certificate);
            if *key == KeyPresence::Present || !(all || by_agent) {
                continue;
            }
            let facts = scan.certificates.get(certificate).and_then(|found| found.facts.as_ref().ok());
            let (name, properties) = (name.clone(), properties.clone());
            listed.push(Listed { name, properties, ..row(*certificate, facts, &snapshot.location, by_agent, true) });
        }
    }
    let missing =
        records.iter().filter(|record| was_put(records, &record.location, record.certificate)).filter(|record| {
            !listed.iter().any(|row| row.location == record.location && row.certificate == record.certificate)
        });
    let mut gone: Vec<Listed> = Vec::new();
    for record in missing {
        if !gone.iter().any(|row| row.location == record.location && row.certificate == record.certificate) {
            let facts = record.deed.der().and_then(|der| CertificateFacts::read(der).ok());
            gone.push(row(record.certificate, facts.as_ref(), &record.location, true, false));
        }
    }
    listed.extend(gone);
    listed
}

fn row(
    certificate: Fingerprint,
    facts: Option<&CertificateFacts>,
    location: &Location,
    by_agent: bool,
    present: bool,
) -> Listed {
    Listed {
        certificate,
        subject: facts.map(|facts| facts.subject.clone()).unwrap_or_default(),
        not_after: facts.map(|facts| facts.not_after.to_string()).unwrap_or_default(),
        location: location.clone(),
        name: None,
        properties: EntryProperties::default(),
        by_agent,
        present,
    }
}

/// Whether the newest change of this anchor there that counts added it.
fn was_put(records: &[ChangeRecord], location: &Location, certificate: Fingerprint) -> bool {
    let is_it = |record: &&ChangeRecord| {
        record.location == *location
            && record.certificate == certificate
            && record.state.is_live()
            && record.deed.is_about_anchor()
    };
    let newest = records.iter().rev().find(is_it);
    newest.is_some_and(|record| matches!(record.deed, Deed::AddAnchor { .. }))
}

fn print_table(out: &mut dyn Write, listed: &[Listed], args: ListArgs) -> Result<(), Failure> {
    use inkan_model::locale::Locale;
    let locale = args.told.locale();
    if listed.is_empty() {
        let words = match (locale, args.all) {
            (Locale::Ja, false) => "エージェントがこのパソコンに加えたアンカーはありません。（--all ですべて表示）",
            (Locale::En, false) => "The agent has put no anchor on this PC. (--all shows those of everybody.)",
            (Locale::Ja, true) => "変更できる保管場所にアンカーはありません。",
            (Locale::En, true) => "There is no anchor in any store that can be changed.",
        };
        return print(out, format_args!("{words}\n"));
    }
    for Listed { certificate, subject, not_after, location, by_agent, present, properties, .. } in listed {
        let mark = match (locale, present, by_agent) {
            (Locale::Ja, false, _) => "  （いまはありません）",
            (Locale::En, false, _) => "  (not there now)",
            (Locale::Ja, true, true) => "  （エージェントが追加）",
            (Locale::En, true, true) => "  (added by the agent)",
            (_, true, false) => "",
        };
        let limited = properties.purposes.is_some() || properties.name_constraints.is_some();
        let limits = match (locale, limited) {
            (_, false) => "",
            (Locale::Ja, true) => "  （制限つき）",
            (Locale::En, true) => "  (limited)",
        };
        print(out, format_args!("{certificate}\n  {subject}\n  {not_after}  {location}{mark}{limits}\n"))?;
    }
    Ok(())
}
