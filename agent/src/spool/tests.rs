use std::sync::Arc;

use inkan_model::RenewalId;
use inkan_model::renewal::{Outcome, OutcomeResult};
use proptest::prelude::*;

use super::*;
use crate::disk::fake::EndAfter;

fn now() -> Timestamp {
    Timestamp::from_unix_seconds(1_763_600_000)
}

fn outcome(byte: u8) -> Told {
    let renewal = RenewalId::new(now(), [byte; 10]);
    let result = OutcomeResult::Requested { csr: vec![byte; 100 + usize::from(byte)] };
    Told::Renewal(Outcome { renewal, result })
}

fn open(folder: &Path) -> Spool {
    Spool::open(Disk::default(), folder, now()).unwrap()
}

fn only_file(folder: &Path) -> PathBuf {
    newest_epoch(folder).unwrap().unwrap().1
}

fn requests(spool: &Spool) -> Vec<Told> {
    spool.oldest().into_iter().map(|entry| entry.told).collect()
}

#[test]
fn entries_survive_a_restart_until_they_are_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    for byte in 1..=3 {
        spool.append(outcome(byte), now()).unwrap();
    }
    let mut spool = open(folder.path());
    assert_eq!(requests(&spool), [outcome(1), outcome(2), outcome(3)]);
    spool.acknowledge(SpoolPosition { epoch: 1, sequence: 2 }).unwrap();
    spool.append(outcome(4), now()).unwrap();
    let spool = open(folder.path());
    assert_eq!(requests(&spool), [outcome(3), outcome(4)]);
    assert_eq!(spool.oldest()[0].sequence, 3);
}

#[test]
fn numbers_go_on_after_everything_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    let position = spool.append(outcome(1), now()).unwrap();
    spool.acknowledge(position).unwrap();
    let mut spool = open(folder.path());
    assert_eq!(spool.append(outcome(2), now()).unwrap(), SpoolPosition { epoch: 1, sequence: 2 });
}

#[test]
fn an_acknowledgement_of_another_epoch_or_beyond_the_last_entry_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.append(outcome(1), now()).unwrap();
    for (epoch, sequence) in [(0, 1), (2, 1), (1, 2)] {
        spool.acknowledge(SpoolPosition { epoch, sequence }).unwrap();
        assert_eq!(spool.pending(), 1);
    }
}

#[test]
fn a_file_cut_at_any_byte_keeps_every_entry_that_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    let mut ends = vec![spool.length];
    for byte in 1..=3 {
        spool.append(outcome(byte), now()).unwrap();
        ends.push(spool.length);
    }
    let whole = fs::read(only_file(folder.path())).unwrap();
    for length in 0..=whole.len() {
        let cut = tempfile::tempdir().unwrap();
        fs::write(epoch_path(cut.path(), 1), &whole[..length]).unwrap();
        let mut spool = open(cut.path());
        let kept = ends.iter().filter(|end| **end <= length as u64).count();
        if kept == 0 {
            assert_eq!((spool.epoch(), spool.pending()), (2, 0), "cut at {length}: the header is gone");
        } else {
            assert_eq!((spool.epoch(), spool.pending()), (1, kept - 1), "cut at {length}");
        }
        // What is appended then is read back, whatever was cut off before it.
        let position = spool.append(outcome(9), now()).unwrap();
        let spool = open(cut.path());
        assert_eq!((spool.last(), requests(&spool).last()), (position, Some(&outcome(9))));
    }
}

#[test]
fn a_file_that_grew_before_its_bytes_were_written_is_cut_back() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).append(outcome(1), now()).unwrap();
    let path = only_file(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([0; 200]);
    fs::write(&path, bytes).unwrap();
    assert_eq!(requests(&open(folder.path())), [outcome(1)]);
}

#[test]
fn damage_in_the_midst_puts_the_file_aside_and_begins_a_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.append(outcome(1), now()).unwrap();
    spool.append(outcome(2), now()).unwrap();
    let path = only_file(folder.path());
    let mut bytes = fs::read(&path).unwrap();
    bytes[HEADER + 40] ^= 1;
    fs::write(&path, bytes).unwrap();
    let spool = open(folder.path());
    assert_eq!((spool.epoch(), spool.pending()), (2, 0));
    assert!(folder.path().join(format!("0000000000000001.damaged-{}", now().as_unix_millis())).exists());
    assert_eq!(open(folder.path()).epoch(), 2);
}

#[test]
fn a_new_epoch_is_greater_than_the_servers_and_than_the_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    spool.append(outcome(1), now()).unwrap();
    spool.begin_after(7).unwrap();
    assert_eq!((spool.epoch(), spool.pending()), (8, 0));
    spool.begin_after(3).unwrap();
    assert_eq!(open(folder.path()).epoch(), 9);
}

#[test]
fn a_full_disk_is_reported_and_the_entry_can_be_appended_later() {
    let folder = tempfile::tempdir().unwrap();
    let gate = Arc::new(EndAfter::never());
    let mut spool = Spool::open(Disk::behind(gate.clone()), folder.path(), now()).unwrap();
    spool.append(outcome(1), now()).unwrap();
    gate.set(Some(1));
    assert!(matches!(spool.append(outcome(2), now()), Err(SpoolError::Append { .. })));
    gate.set(None);
    assert_eq!(spool.append(outcome(2), now()).unwrap().sequence, 2);
    assert_eq!(requests(&open(folder.path())), [outcome(1), outcome(2)]);
}

#[test]
fn one_sync_takes_no_more_entries_than_the_server_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path());
    for _ in 0..limits::OUTCOMES + 5 {
        spool.append(outcome(1), now()).unwrap();
    }
    assert_eq!(spool.oldest().len(), limits::OUTCOMES);
}

#[derive(Clone, Debug)]
enum Move {
    Append(u8),
    Acknowledge(u64),
    Restart,
    NewEpoch,
    /// The disk fails after so many changes, and the agent is started anew.
    CutOff(usize, u8),
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => any::<u8>().prop_map(Move::Append),
        2 => (0_u64..12).prop_map(Move::Acknowledge),
        1 => Just(Move::Restart),
        1 => Just(Move::NewEpoch),
        2 => (0_usize..8, any::<u8>()).prop_map(|(after, byte)| Move::CutOff(after, byte)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever happens, what was appended and not acknowledged is there, in order and without gaps.
    #[test]
    fn a_spool_behaves_like_a_queue_that_never_forgets(moves in prop::collection::vec(any_move(), 0..30)) {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = open(folder.path());
        let mut expected: Vec<(u64, Told)> = Vec::new();
        for made in moves {
            match made {
                Move::Append(byte) => {
                    let position = spool.append(outcome(byte), now()).unwrap();
                    expected.push((position.sequence, outcome(byte)));
                }
                Move::Acknowledge(sequence) => {
                    let last = spool.last();
                    spool.acknowledge(SpoolPosition { epoch: last.epoch, sequence }).unwrap();
                    if sequence <= last.sequence {
                        expected.retain(|(stands, _)| *stands > sequence);
                    }
                }
                Move::Restart => spool = open(folder.path()),
                Move::NewEpoch => {
                    spool.begin_after(0).unwrap();
                    expected.clear();
                }
                Move::CutOff(after, byte) => {
                    let gate = Arc::new(EndAfter::never());
                    spool = Spool::open(Disk::behind(gate.clone()), folder.path(), now()).unwrap();
                    gate.set(Some(after));
                    let appended = spool.append(outcome(byte), now());
                    let sequence = expected.last().map_or(spool.acknowledged().sequence, |(stands, _)| *stands) + 1;
                    spool = open(folder.path());
                    // Bytes may be whole although nobody was told so.
                    if appended.is_ok() || spool.last().sequence == sequence {
                        expected.push((sequence, outcome(byte)));
                    }
                }
            }
            let found: Vec<_> = spool.oldest().into_iter().map(|entry| (entry.sequence, entry.told)).collect();
            prop_assert_eq!(&found, &expected);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = record::read(&bytes);
        let mut headed = record::write_header(Header { epoch: 1, acknowledged: 0 });
        headed.extend(bytes);
        let _ = record::read(&headed);
    }
}
