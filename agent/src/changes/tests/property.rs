//! Whatever is asked for and wherever the agent is killed: after recovery a store holds what it held or what was wanted,
//! and restoring leads back to what was there before the agent came.

use std::time::Duration;

use inkan_model::store::{KeyPresence, SetEntry};
use inkan_model::{EntryProperties, Fingerprint};
use inkan_trust_store::Anchor;
use proptest::prelude::*;

use super::machine::{AUTHORITIES, Content, Machine, authority, limited};
use crate::changes::plan::Extent;
use crate::changes::{Changes, ChangesError};

/// What a person asks for.
#[derive(Clone, Copy, Debug)]
enum Command {
    Add { limited: bool },
    Remove,
    Import,
    RemoveCertificate,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    command: Command,
    place: usize,
    certificate: usize,
    killed_after: Option<usize>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let command = prop_oneof![
        3 => any::<bool>().prop_map(|limited| Command::Add { limited }),
        2 => Just(Command::Remove),
        2 => Just(Command::Import),
        1 => Just(Command::RemoveCertificate),
    ];
    (command, 0..2_usize, 0..AUTHORITIES, prop::option::of(0_usize..40))
        .prop_map(|(command, place, certificate, killed_after)| Asked { command, place, certificate, killed_after })
}

/// What was there before the agent came: for each authority, whether it is an anchor, and whether a limited one.
fn original() -> impl Strategy<Value = Vec<Option<bool>>> {
    prop::collection::vec(prop::option::of(any::<bool>()), AUTHORITIES)
}

fn machine(original: &[Option<bool>]) -> Machine {
    let machine = Machine::new();
    for (number, held) in original.iter().enumerate() {
        if let Some(is_limited) = held {
            machine.put_anchor(0, &wanted(number, *is_limited));
        }
    }
    machine
}

fn wanted(number: usize, is_limited: bool) -> Anchor {
    let anchor = authority(number).anchor();
    if is_limited { limited(anchor) } else { anchor }
}

impl Asked {
    fn certificate(&self) -> Fingerprint {
        authority(self.certificate).fingerprint()
    }

    /// What the stores hold once it is done.
    fn done_to(&self, content: &Content) -> Content {
        let (certificate, mut content) = (self.certificate(), content.clone());
        let is_anchor = |key: KeyPresence| key == KeyPresence::NotExpected;
        let mut entries = content[self.place].1.entries().to_vec();
        let is = |entry: &SetEntry, anchor: bool| {
            matches!(entry, SetEntry::Certificate { certificate: c, key, .. }
                if *c == certificate && is_anchor(*key) == anchor)
        };
        let entry = |key, properties| SetEntry::Certificate { certificate, key, name: None, properties };
        match self.command {
            Command::Add { limited } => {
                entries.retain(|entry| !is(entry, true));
                entries.push(entry(KeyPresence::NotExpected, wanted(self.certificate, limited).properties));
            }
            Command::Remove => entries.retain(|entry| !is(entry, true)),
            Command::Import => {
                entries.retain(|entry| !is(entry, false));
                let properties = EntryProperties { key_exportable: Some(false), ..EntryProperties::default() };
                entries.push(entry(KeyPresence::Present, properties));
            }
            Command::RemoveCertificate => entries.retain(|entry| !is(entry, false)),
        }
        content[self.place].1 = inkan_model::store::StoreSet::new(entries);
        content
    }

    fn ask(&self, changes: &mut Changes<'_>, machine: &Machine) -> Result<(), ChangesError> {
        let (place, asker) = (&machine.places[self.place], Machine::asker());
        match self.command {
            Command::Add { limited } => changes.add_anchor(place, wanted(self.certificate, limited), &asker),
            Command::Remove => changes.remove_anchor(place, self.certificate(), &asker),
            Command::Import => changes.import(place, &authority(self.certificate).keyed(), &asker),
            Command::RemoveCertificate => changes.remove_certificate(place, self.certificate(), &asker),
        }
        .map(drop)
    }
}

/// Asks, is killed where it says so, and starts again. Whether it was killed.
fn live_through(machine: &Machine, asked: &Asked) -> Result<bool, TestCaseError> {
    let before = machine.content();
    machine.gate.set(asked.killed_after);
    let opened = Changes::open(machine.ground(), Duration::ZERO);
    let outcome = opened.and_then(|(mut changes, _)| asked.ask(&mut changes, machine));
    let was_killed = machine.gate.has_ended();
    machine.gate.set(None);
    let (changes, settled) = Changes::open(machine.ground(), Duration::ZERO).unwrap();
    prop_assert!(settled.iter().all(|settled| settled.stuck.is_none()), "{settled:?}");
    prop_assert!(changes.records().iter().all(|record| !record.state.is_unfinished()));
    let (after, wanted) = (machine.content(), asked.done_to(&before));
    match outcome {
        Ok(()) => prop_assert_eq!(after, wanted),
        Err(_) => prop_assert!(after == before || after == wanted, "{before:?}\n{after:?}"),
    }
    Ok(was_killed)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn after_a_kill_anywhere_a_store_holds_what_it_held_or_what_was_wanted_and_restoring_leads_back(
        original in original(),
        sequence in prop::collection::vec(asked(), 0..8),
        restore_killed_after in prop::option::of(0_usize..60),
    ) {
        let machine = machine(&original);
        let came_upon = machine.content();
        for asked in &sequence {
            live_through(&machine, asked)?;
        }
        machine.gate.set(restore_killed_after);
        let restored = Changes::open(machine.ground(), Duration::ZERO)
            .and_then(|(mut changes, _)| changes.restore(Extent::Everything, &mut |_| {}));
        drop(restored);
        machine.gate.set(None);
        let restored = machine.open().restore(Extent::Everything, &mut |_| {}).unwrap();
        prop_assert!(!restored.is_stuck() && restored.irreversible.is_empty(), "{restored:?}");
        prop_assert_eq!(machine.content(), came_upon);
        prop_assert!(machine.open().records().iter().all(|record| !record.state.is_live()));
    }
}

/// Not left to chance: each single moment of each command.
#[test]
fn each_command_may_be_killed_at_each_moment() {
    let commands = [
        Command::Add { limited: false },
        Command::Add { limited: true },
        Command::Remove,
        Command::Import,
        Command::RemoveCertificate,
    ];
    for command in commands {
        for killed_after in 0.. {
            let machine = machine(&[Some(false), None, None]);
            let certificate = usize::from(matches!(command, Command::Add { limited: false }));
            if matches!(command, Command::RemoveCertificate) {
                machine.open().import(&machine.places[0], &authority(0).keyed(), &Machine::asker()).unwrap();
            }
            let asked = Asked { command, place: 0, certificate, killed_after: Some(killed_after) };
            assert!(killed_after < 100, "the command never gets through");
            if !live_through(&machine, &asked).unwrap() {
                break;
            }
        }
    }
}
