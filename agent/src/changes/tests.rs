mod machine;
mod property;

use inkan_model::store::KeyPresence;
use inkan_trust_store::fake::Trouble;

use self::machine::{Machine, authority, limited};
use super::plan::Extent;
use super::record::{ChangeState, Deed};
use super::*;

#[test]
fn an_anchor_is_added_journaled_and_removed_again() {
    let machine = Machine::new();
    let mut changes = machine.open();
    let added = changes.add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap();
    let Done::Made { record, .. } = added else { panic!("{added:?}") };
    assert_eq!(record.state, ChangeState::Confirmed);
    assert_eq!(machine.anchors(0), [authority(0).fingerprint()]);
    let again = changes.add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap();
    assert_eq!(again, Done::AlreadySo);
    changes.remove_anchor(&machine.places[0], authority(0).fingerprint(), &Machine::asker()).unwrap();
    let again = changes.remove_anchor(&machine.places[0], authority(0).fingerprint(), &Machine::asker()).unwrap();
    assert_eq!((again, machine.anchors(0)), (Done::AlreadySo, Vec::new()));
    let deeds: Vec<_> = changes.records().iter().map(|record| &record.deed).collect();
    assert!(matches!(deeds.as_slice(), [Deed::AddAnchor { before: None, .. }, Deed::RemoveAnchor { .. }]), "{deeds:?}");
}

#[test]
fn the_journal_survives_a_restart_and_holds_no_key() {
    let machine = Machine::new();
    machine.open().import(&machine.places[1], &authority(1).keyed(), &Machine::asker()).unwrap();
    let (records, damage) = read(machine.folder.path()).unwrap();
    assert_eq!((records.len(), damage), (1, None));
    assert_eq!(machine.with_keys(1), [authority(1).fingerprint()]);
    let written = std::fs::read_to_string(machine.folder.path().join(FILE)).unwrap();
    let key = data_encoding::BASE64.encode(&authority(1).keyed().pkcs8);
    assert!(!written.contains(&key[40..80]) && !written.contains("PRIVATE"), "{written}");
}

#[test]
fn a_store_that_says_it_changed_and_did_not_is_found_out() {
    let machine = Machine::new();
    machine.store.trouble_changes(Some(Trouble::LosesWrites));
    let mut changes = machine.open();
    let failed = changes.add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap_err();
    let ChangesError::Store { cause, stuck: None, .. } = failed else { panic!("{failed:?}") };
    assert!(matches!(*cause, ChangeError::NotConfirmed { .. }), "{cause:?}");
    assert!(matches!(changes.records()[0].state, ChangeState::Failed { .. }));
}

#[test]
fn a_change_that_fails_after_it_was_made_is_taken_back_once_the_store_is_well() {
    let machine = Machine::new();
    machine.store.trouble_changes(Some(Trouble::FailsAfterwards));
    let mut changes = machine.open();
    let failed = changes.add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap_err();
    assert!(matches!(&failed, ChangesError::Store { stuck: Some(_), .. }), "{failed:?}");
    drop(changes);
    machine.store.trouble_changes(None);
    let (changes, settled) = Changes::open(machine.ground(), Duration::ZERO).unwrap();
    assert!(settled.iter().all(|settled| settled.stuck.is_none()));
    assert!(matches!(changes.records()[0].state, ChangeState::Failed { .. }));
    assert_eq!(machine.anchors(0), []);
}

#[test]
fn a_full_store_a_user_who_must_allow_it_and_a_limit_that_cannot_be_kept_leave_all_as_it_was() {
    for trouble in [Some(Trouble::DiskFull), Some(Trouble::NeedsUser), None] {
        let machine = Machine::new();
        machine.store.limit_nothing();
        machine.store.trouble_changes(trouble);
        let mut changes = machine.open();
        let anchor = limited(authority(0).anchor());
        let failed = changes.add_anchor(&machine.places[0], anchor, &Machine::asker()).unwrap_err();
        assert!(failed.to_string().contains("all is as before"), "{failed}");
        assert_eq!(machine.anchors(0), []);
        assert!(!changes.records()[0].state.is_live());
    }
}

#[test]
fn a_read_only_store_and_a_place_that_nobody_finds_are_refused_before_anything_is_journaled() {
    let machine = Machine::new();
    let mut changes = machine.open();
    let nowhere = Location { path: "/etc/shadow".to_owned(), ..machine.places[0].clone() };
    let refused = changes.add_anchor(&nowhere, authority(0).anchor(), &Machine::asker()).unwrap_err();
    assert!(matches!(refused, ChangesError::Refused(Refusal::Place { problem: PlaceProblem::Unknown, .. })));
    machine.store.refuse_changes(Some("group policy"));
    let refused = changes.add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap_err();
    assert!(refused.to_string().contains("group policy"), "{refused}");
    assert_eq!(changes.records(), []);
}

#[test]
fn only_one_process_changes_stores_at_a_time() {
    let machine = Machine::new();
    let changes = machine.open();
    let busy = Changes::open(machine.ground(), Duration::ZERO).err();
    assert!(matches!(busy, Some(ChangesError::Journal(JournalError::Busy))), "{busy:?}");
    drop(changes);
    machine.open();
}

#[test]
fn a_restart_that_an_application_needs_is_journaled() {
    let machine = Machine::new();
    machine.store.run_application(Some("Firefox"));
    let mut changes = machine.open();
    changes.add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap();
    assert_eq!(changes.records()[0].restart.as_deref(), Some("Firefox"));
}

#[test]
fn restoring_brings_back_what_was_limited_and_removed_and_takes_away_what_came() {
    let machine = Machine::new();
    let [place, _] = &machine.places;
    machine.put_anchor(0, &authority(0).anchor());
    machine.put_anchor(0, &authority(1).anchor());
    let before = machine.content();
    let mut changes = machine.open();
    changes.add_anchor(place, limited(authority(0).anchor()), &Machine::asker()).unwrap();
    changes.remove_anchor(place, authority(1).fingerprint(), &Machine::asker()).unwrap();
    changes.add_anchor(place, authority(2).anchor(), &Machine::asker()).unwrap();
    changes.remove_anchor(place, authority(0).fingerprint(), &Machine::asker()).unwrap();
    let mut places = 0;
    let restored = changes.restore(Extent::Everything, &mut |_| places += 1).unwrap();
    assert!(!restored.is_stuck() && restored.settled.len() == 4 && places == 3, "{restored:?}");
    assert_eq!(machine.content(), before);
    assert!(changes.records().iter().all(|record| record.state == ChangeState::Undone));
    assert_eq!(changes.restore(Extent::Everything, &mut |_| {}).unwrap(), Restored::default());
}

#[test]
fn restoring_what_the_pc_trusts_leaves_imported_certificates() {
    let machine = Machine::new();
    let mut changes = machine.open();
    changes.add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap();
    changes.import(&machine.places[0], &authority(1).keyed(), &Machine::asker()).unwrap();
    changes.restore(Extent::Anchors, &mut |_| {}).unwrap();
    assert_eq!((machine.anchors(0).len(), machine.with_keys(0).len()), (0, 1));
    changes.restore(Extent::Everything, &mut |_| {}).unwrap();
    assert_eq!(machine.with_keys(0), []);
}

#[test]
fn what_cannot_be_restored_now_stays_journaled_and_does_not_keep_the_rest_from_it() {
    let machine = Machine::new();
    let user = machine.log_on();
    let mut changes = machine.open();
    changes.add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap();
    changes.add_anchor(&user, authority(0).anchor(), &Machine::asker()).unwrap();
    machine.log_off(true);
    let restored = changes.restore(Extent::Everything, &mut |_| {}).unwrap();
    assert!(restored.is_stuck());
    assert_eq!(machine.anchors(0), []);
    let waiting: Vec<_> = changes.records().iter().filter(|record| record.state.is_unfinished()).collect();
    assert!(matches!(waiting.as_slice(), [record] if record.location == user), "{waiting:?}");
    drop(changes);
    machine.log_off(false);
    let (changes, settled) = Changes::open(machine.ground(), Duration::ZERO).unwrap();
    assert!(matches!(settled.as_slice(), [Settled { stuck: None, .. }]), "{settled:?}");
    assert!(changes.records().iter().all(|record| record.state == ChangeState::Undone));
}

#[test]
fn a_certificate_that_was_taken_away_with_its_key_is_named_as_irreversible() {
    let machine = Machine::new();
    machine.store.put(&machine.places[0], &authority(0).der, KeyPresence::Present, None);
    let mut changes = machine.open();
    let done = changes.remove_certificate(&machine.places[0], authority(0).fingerprint(), &Machine::asker()).unwrap();
    assert!(matches!(done, Done::Made { removed: Some(Removed::WithKey), .. }), "{done:?}");
    let restored = changes.restore(Extent::Everything, &mut |_| {}).unwrap();
    assert!(!restored.is_stuck() && restored.irreversible.len() == 1);
}

#[test]
fn a_damaged_journal_is_put_aside_and_kept() {
    let machine = Machine::new();
    machine.open().add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap();
    std::fs::write(machine.folder.path().join(FILE), b"sha256:00\n{}\n").unwrap();
    assert_eq!(machine.open().records(), []);
    assert_eq!(list_damaged(machine.folder.path()).len(), 1);
}

#[test]
fn what_the_agent_depends_on_is_never_removed() {
    let mut machine = Machine::new();
    machine.protected = BTreeSet::from([authority(0).fingerprint()]);
    machine.put_anchor(0, &authority(0).anchor());
    let mut changes = machine.open();
    let refused = changes.remove_anchor(&machine.places[0], authority(0).fingerprint(), &Machine::asker()).unwrap_err();
    assert!(matches!(refused, ChangesError::Refused(Refusal::Protected { .. })), "{refused:?}");
}

#[test]
fn an_interrupted_import_whose_key_cannot_be_told_is_left_alone() {
    let machine = Machine::new();
    let mut changes = machine.open();
    changes.import(&machine.places[0], &authority(0).keyed(), &Machine::asker()).unwrap();
    let mut record = changes.records()[0].clone();
    drop(changes);
    record.state = ChangeState::Planned;
    std::fs::remove_file(machine.folder.path().join(FILE)).unwrap();
    let mut journal = Journal::open(Disk::default(), machine.folder.path(), &*machine.clock, Duration::ZERO).unwrap();
    journal.put(vec![record]).unwrap();
    drop(journal);
    machine.store.take_away(&machine.places[0], authority(0).fingerprint());
    machine.store.put(&machine.places[0], &authority(0).der, KeyPresence::Unknown, None);
    let (_, settled) = Changes::open(machine.ground(), Duration::ZERO).unwrap();
    assert!(matches!(settled.as_slice(), [Settled { stuck: Some(_), .. }]), "{settled:?}");
    assert_eq!(machine.store.read(&machine.places[0]).entries.len(), 1);
}

#[test]
fn a_start_settles_what_was_cut_off_and_leaves_an_untouched_pc_alone() {
    let machine = Machine::new();
    recover(machine.ground());
    assert_eq!(std::fs::read_dir(machine.folder.path()).unwrap().count(), 0);
    machine.open().add_anchor(&machine.places[0], authority(0).anchor(), &Machine::asker()).unwrap();
    machine.gate.set(Some(8));
    let cut_off = machine.open().remove_anchor(&machine.places[0], authority(0).fingerprint(), &Machine::asker());
    assert!(cut_off.is_err());
    machine.gate.set(None);
    let unfinished = || read(machine.folder.path()).unwrap().0.iter().any(|record| record.state.is_unfinished());
    assert!(unfinished());
    recover(machine.ground());
    assert!(!unfinished());
}
