use inkan_model::Timestamp;
use inkan_model::store::{KeyPresence, Scope, StoreKind};
use inkan_model::time::ManualClock;
use inkan_trust_store::fake::FakeStore;

use super::report::ScanReport;
use super::*;

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(500);

fn certificate(name: &str) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn scanner(stores: &[&Arc<FakeStore>], deadline: Duration) -> Scanner {
    let backends = stores.iter().map(|store| Arc::clone(store) as Arc<dyn StoreBackend>).collect();
    Scanner::new(backends, deadline, Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_800_000_000))))
}

fn store(path: &str) -> (Arc<FakeStore>, Location) {
    let (store, location) = FakeStore::at(path);
    (Arc::new(store), location)
}

fn user(name: &str) -> Location {
    Location { kind: StoreKind::UserDirectory, scope: Scope::User(name.to_owned()), path: format!("/home/{name}") }
}

/// Waits until something is so; fails after a minute.
fn wait_until(so: impl Fn() -> bool) {
    let end = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < end, "waited in vain");
        thread::yield_now();
    }
}

#[test]
fn a_scan_sees_every_location_sorted_and_each_certificate_once() {
    let ((b, at_b), (a, at_a)) = (store("/b"), store("/a"));
    let shared = certificate("shared");
    b.put(&at_b, &shared, KeyPresence::Present, Some("client.pem"));
    a.put(&at_a, &shared, KeyPresence::NotExpected, None);
    a.put(&at_a, b"junk", KeyPresence::NotExpected, Some("junk.crt"));
    let scan = scanner(&[&b, &a], LONG).scan();
    let locations: Vec<_> = scan.snapshots.iter().map(|snapshot| snapshot.location.clone()).collect();
    assert_eq!(locations, [at_a, at_b]);
    assert_eq!(scan.certificates.keys().collect::<Vec<_>>(), [&Fingerprint::of(&shared)]);
    assert_eq!(scan.snapshots[0].set.entries().len(), 2);
    assert_eq!(scan.snapshots[0].scanned_at, Timestamp::from_unix_seconds(1_800_000_000));
}

#[test]
fn a_location_that_hangs_is_told_and_the_others_are_read() {
    let ((slow, at_slow), (quick, at_quick)) = (store("/slow"), store("/quick"));
    quick.put(&at_quick, &certificate("quick"), KeyPresence::Present, None);
    slow.put(&at_slow, &certificate("slow"), KeyPresence::Present, None);
    slow.hold_reads();
    let scanner = scanner(&[&slow, &quick], SHORT);
    let scan = scanner.scan();
    assert_eq!(scan.snapshots[0].set.entries().len(), 1);
    assert_eq!(scan.snapshots[1].errors[0].kind, ReadErrorKind::TimedOut);
    assert!(scan.snapshots[1].set.entries().is_empty());

    let again = scanner.scan();
    assert_eq!(again.snapshots[1].errors[0].kind, ReadErrorKind::TimedOut);
    assert_eq!(slow.reads(), 1, "a hanging location is not begun again");

    slow.release_reads();
    wait_until(|| scanner.scan().snapshots[1].errors.is_empty());
    assert_eq!(scanner.scan().snapshots[1].set.entries().len(), 1);
}

#[test]
fn more_hanging_locations_than_threads_do_not_keep_the_last_one_from_being_read() {
    let (hanging, _) = store("/hanging");
    (0..AT_ONCE * 2).for_each(|n| hanging.add_location(user(&n.to_string())));
    hanging.hold_reads();
    let (last, at_last) = (Arc::new(FakeStore::default()), user("z"));
    last.put(&at_last, &certificate("last"), KeyPresence::Present, None);
    let scan = scanner(&[&hanging, &last], SHORT).scan();
    let snapshot = scan.snapshots.iter().find(|snapshot| snapshot.location == at_last).unwrap();
    assert_eq!(snapshot.set.entries().len(), 1);
    hanging.release_reads();
}

#[test]
fn a_panic_in_a_store_is_an_error_of_its_location() {
    let ((wild, _), (calm, at_calm)) = (store("/wild"), store("/calm"));
    wild.panic_on_read();
    calm.put(&at_calm, &certificate("calm"), KeyPresence::Present, None);
    let scan = scanner(&[&wild, &calm], LONG).scan();
    assert_eq!(scan.snapshots[0].set.entries().len(), 1);
    assert!(scan.snapshots[1].errors[0].detail.contains("told to panic"));
}

/// A store that cannot say where it is, at times.
struct Moody {
    inner: Arc<FakeStore>,
    panics: std::sync::atomic::AtomicBool,
}

impl StoreBackend for Moody {
    fn discover(&self) -> Vec<Location> {
        assert!(!self.panics.load(std::sync::atomic::Ordering::SeqCst), "no idea");
        self.inner.discover()
    }

    fn read(&self, location: &Location) -> Reading {
        self.inner.read(location)
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        None
    }
}

#[test]
fn locations_do_not_vanish_when_a_store_cannot_say_where_it_is() {
    let (inner, at) = store("/moody");
    let moody = Arc::new(Moody { inner, panics: false.into() });
    let clock = Arc::new(ManualClock::default());
    let scanner = Scanner::new(vec![Arc::clone(&moody) as Arc<dyn StoreBackend>], LONG, clock);
    assert_eq!(scanner.scan().snapshots.len(), 1);
    moody.panics.store(true, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(scanner.scan().snapshots[0].location, at);
}

#[test]
fn limits_are_kept_and_told() {
    let (many, at) = store("/many");
    for n in 0..=limits::SET_ENTRIES {
        many.put(&at, format!("junk {n}").as_bytes(), KeyPresence::Unknown, None);
    }
    let detail = |n: usize| error(ReadErrorKind::Other, n.to_string());
    many.fail_reads_with((0..200).map(detail).collect());
    (0..limits::LOCATIONS + 5).for_each(|n| many.add_location(user(&n.to_string())));
    let scan = scanner(&[&many], LONG).scan();
    assert_eq!(scan.snapshots.len(), limits::LOCATIONS);
    let snapshot = scan.snapshots.iter().find(|snapshot| snapshot.location == at).unwrap();
    assert_eq!(snapshot.set.entries().len(), limits::SET_ENTRIES);
    assert_eq!(snapshot.errors.len(), limits::READ_ERRORS);
    assert!(snapshot.errors.iter().any(|error| error.kind == ReadErrorKind::TooLarge));
}

#[test]
fn a_keyring_is_found_for_a_location_that_has_one() {
    let (store, at) = store("/keys");
    let backends: Vec<Arc<dyn StoreBackend>> = vec![store];
    assert!(find_keyring(&backends, &at).is_some());
    assert!(find_keyring(&backends, &user("nobody")).is_none());
}

#[test]
fn the_report_has_every_entry_and_the_table_what_matters() {
    let (store, at) = store("/etc/clinic");
    let client = certificate("0110119153");
    store.put(&at, &client, KeyPresence::Present, Some("client.pem"));
    store.put(&at, &certificate("moved"), KeyPresence::Absent, Some("moved.pem"));
    store.put(&at, &certificate("Root"), KeyPresence::NotExpected, Some("root.crt"));
    store.put(&at, b"junk", KeyPresence::NotExpected, Some("junk.crt"));
    store.fail_reads_with(vec![error(ReadErrorKind::AccessDenied, "permission denied".to_owned())]);
    let report = ScanReport::new(inkan_model::host::HostFacts::default(), &scanner(&[&store], LONG).scan());
    let json = serde_json::to_value(&report).unwrap();
    let entries = json["locations"][0]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 4);
    let of_client = entries.iter().find(|entry| entry["name"] == "client.pem").unwrap();
    assert_eq!(of_client["sha256"], Fingerprint::of(&client).to_string());
    assert_eq!((of_client["subject"].as_str(), of_client["key"].as_str()), (Some("CN=0110119153"), Some("present")));
    assert!(entries.iter().any(|entry| entry["unreadable"].is_string()));
    assert_eq!(json["totals"]["with_key"], 1);
    assert_eq!(json["totals"]["unreadable"], 1);
    let table = report.to_table();
    assert!(table.contains("client.pem") && table.contains("NO KEY") && table.contains("junk.crt"), "{table}");
    assert!(!table.contains("root.crt") && table.contains("permission denied"), "{table}");
}
