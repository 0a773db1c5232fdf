//! Browsers' databases, made and changed by the real NSS: the one of Firefox, which writes the new shape of trust rows, and
//! the operating system's, which writes the old one.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage must fail")]

#[path = "nss/stage.rs"]
mod stage;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown, symlink};

use inkan_model::properties::{TrustFlags, TrustLevel};
use inkan_model::store::{KeyPresence, SetEntry};
use inkan_model::{EntryProperties, Fingerprint};
use inkan_trust_store::{Anchor, ChangeError, Changed, StoreBackend as _};

use crate::stage::{Stage, anchor, certutil, have, skipped, trusted, wanted};

const SERVERS: TrustFlags = TrustFlags {
    server: TrustLevel::Anchor,
    client: TrustLevel::Unset,
    email: TrustLevel::Unset,
    code: TrustLevel::Unset,
};

#[test]
fn what_certutil_wrote_is_read_with_its_trust_and_its_keys() {
    use TrustLevel::{Anchor as A, Distrusted as D, MustVerify as M, Peer as P};
    if !have(&["certutil", "pk12util", "openssl"]) {
        return;
    }
    let stage = Stage::with_chromium_database();
    let folder = stage.chromium();
    let flags = [("C,C,", "one"), ("P,p,T", "two"), ("CT,,C", "three"), (",,", "four")];
    let anchors = flags.map(|(flags, name)| {
        let anchor = anchor(name);
        stage.certutil_add(&folder, &anchor, flags);
        anchor
    });
    let own = stage.import_own_certificate(&folder, "terminal");
    let (store, location) = stage.only_location();
    let reading = store.read(&location);
    assert_eq!(reading.errors, []);
    let as_said = |server, client, email, code| Some(TrustFlags { server, client, email, code });
    let trust = anchors.each_ref().map(|anchor| trusted(&reading, anchor.fingerprint()));
    assert_eq!(trust[..3], [as_said(A, M, A, M), as_said(P, P, D, M), as_said(A, A, M, A)]);
    assert!(trust[3].is_none_or(|trust| trust.server != A), "{:?}", trust[3]);
    let key = |entry: &SetEntry| matches!(entry, SetEntry::Certificate { certificate, key: KeyPresence::Present, .. } if *certificate == own);
    assert_eq!(reading.entries.iter().filter(|entry| key(entry)).count(), 1, "{:?}", reading.entries);
    let with_key = |entry: &&SetEntry| matches!(entry, SetEntry::Certificate { key: KeyPresence::Present, .. });
    assert_eq!(reading.entries.iter().filter(with_key).count(), 1);
    let person = store.anchors().unwrap().remove_anchor(&location, own);
    assert!(matches!(person, Err(ChangeError::ReadOnly { .. })), "{person:?}");
}

/// The promises of an anchor store, on one location.
fn anchors_come_and_go(stage: &Stage) {
    let (store, location) = stage.only_location();
    let anchors = store.anchors().unwrap();
    let root = anchor("Root of the clinics");
    let before = store.read(&location).entries;
    anchors.can_change(&location).unwrap();
    assert_eq!(anchors.find_anchor(&location, root.fingerprint()).unwrap(), None);

    assert_eq!(anchors.add_anchor(&location, &root).unwrap(), Changed::Done);
    assert_eq!(anchors.add_anchor(&location, &root).unwrap(), Changed::AlreadySo);
    let reading = store.read(&location);
    let trust = trusted(&reading, root.fingerprint()).unwrap();
    assert_eq!((trust.server, trust.client), (TrustLevel::Anchor, TrustLevel::MustVerify));
    let found = anchors.find_anchor(&location, root.fingerprint()).unwrap().unwrap();
    assert_eq!((found.der, found.name.as_deref()), (root.der.clone(), Some("Root of the clinics")));

    let distrusted = TrustFlags { server: TrustLevel::Distrusted, client: TrustLevel::Distrusted, ..SERVERS };
    assert_eq!(anchors.add_anchor(&location, &wanted(&root, distrusted)).unwrap(), Changed::Done);
    assert_eq!(trusted(&store.read(&location), root.fingerprint()).unwrap().server, TrustLevel::Distrusted);
    assert_eq!(anchors.add_anchor(&location, &root).unwrap(), Changed::Done);

    assert_eq!(anchors.remove_anchor(&location, root.fingerprint()).unwrap(), Changed::Done);
    assert_eq!(anchors.remove_anchor(&location, root.fingerprint()).unwrap(), Changed::AlreadySo);
    assert_eq!(store.read(&location).entries, before);
}

#[test]
fn anchors_come_and_go_in_a_profile_of_the_real_firefox() {
    if have(&["firefox-esr"]) {
        let stage = Stage::with_firefox_profile();
        anchors_come_and_go(&stage);
        assert_eq!(Stage::rows(&stage.firefox()), Vec::<u32>::new());
    }
}

#[test]
fn anchors_come_and_go_in_the_database_of_chromium() {
    if have(&["certutil"]) {
        let stage = Stage::with_chromium_database();
        anchors_come_and_go(&stage);
        assert_eq!(Stage::rows(&stage.chromium()), Vec::<u32>::new());
    }
}

#[test]
fn firefox_writes_the_new_shape_and_the_system_the_old() {
    if have(&["firefox-esr", "certutil"]) {
        let root = anchor("shape");
        for (stage, trust_row) in
            [(Stage::with_firefox_profile(), 0x0b), (Stage::with_chromium_database(), 0xce53_4353)]
        {
            let (store, location) = stage.only_location();
            store.anchors().unwrap().add_anchor(&location, &root).unwrap();
            assert_eq!(Stage::rows(location.path.as_ref()), [1, trust_row]);
        }
    }
}

#[test]
fn a_removed_root_leaves_no_trust_behind_whichever_nss_wrote_it() {
    if !have(&["firefox-esr", "certutil"]) {
        return;
    }
    let root = anchor("both");
    let stage = Stage::with_firefox_profile();
    stage.certutil_add(&stage.firefox(), &root, "C,C,C");
    assert_eq!(Stage::rows(&stage.firefox()), [1, 0xce53_4353]);
    let (store, location) = stage.only_location();
    // Firefox' NSS adds a row of its own beside the old one, which would go on trusting the root for e-mail and code.
    assert_eq!(store.anchors().unwrap().add_anchor(&location, &root).unwrap(), Changed::Done);
    assert_eq!(Stage::rows(&stage.firefox()), [1, 0x0b]);
    stage.certutil_add(&stage.firefox(), &root, "C,C,C");
    store.anchors().unwrap().remove_anchor(&location, root.fingerprint()).unwrap();
    assert_eq!(Stage::rows(&stage.firefox()), Vec::<u32>::new());

    // The other way round: a row that the system's NSS does not know.
    store.anchors().unwrap().add_anchor(&location, &root).unwrap();
    let other = Stage::with_chromium_database();
    for file in ["cert9.db", "key4.db"] {
        fs::copy(stage.firefox().join(file), other.chromium().join(file)).unwrap();
    }
    let (store, location) = other.only_location();
    assert_eq!(store.anchors().unwrap().remove_anchor(&location, root.fingerprint()).unwrap(), Changed::Done);
    assert_eq!(Stage::rows(&other.chromium()), Vec::<u32>::new());
}

#[test]
fn trust_that_was_left_behind_by_others_is_told_and_taken_away() {
    if !have(&["firefox-esr"]) {
        return;
    }
    let (root, stage) = (anchor("orphan"), Stage::with_firefox_profile());
    let (store, location) = stage.only_location();
    let anchors = store.anchors().unwrap();
    anchors.add_anchor(&location, &root).unwrap();
    Stage::sql(&stage.firefox(), "DELETE FROM nssPublic WHERE a0 = x'00000001'");
    let told = |entry: &SetEntry| matches!(entry, SetEntry::Unreadable { why, .. } if why.contains("server Anchor"));
    assert!(store.read(&location).entries.iter().any(told));
    assert_eq!(anchors.remove_anchor(&location, root.fingerprint()).unwrap(), Changed::Done);
    assert_eq!(Stage::rows(&stage.firefox()), Vec::<u32>::new());
}

#[test]
fn what_sql_alone_wrote_is_not_taken_for_done() {
    if !have(&["certutil"]) {
        return;
    }
    let (root, stage) = (anchor("forged"), Stage::with_chromium_database());
    stage.certutil_add(&stage.chromium(), &root, "p,,");
    let forged = "UPDATE nssPublic SET ace536358 = x'ce534352', ace536359 = x'ce53435b' WHERE a0 = x'ce534353'";
    Stage::sql(&stage.chromium(), forged);
    let (store, location) = stage.only_location();
    assert_eq!(trusted(&store.read(&location), root.fingerprint()).unwrap().server, TrustLevel::Anchor);
    assert_eq!(store.anchors().unwrap().add_anchor(&location, &root).unwrap(), Changed::Done);
    assert_eq!(store.anchors().unwrap().add_anchor(&location, &root).unwrap(), Changed::AlreadySo);
}

#[test]
fn a_primary_password_needs_the_user_and_nothing_is_changed() {
    if !have(&["certutil"]) {
        return;
    }
    let stage = Stage::empty();
    fs::create_dir_all(stage.chromium()).unwrap();
    fs::write(stage.home().join("password"), "geheim-4711\n").unwrap();
    certutil(&["-N", "-d", &Stage::sql_name(&stage.chromium()), "-f", stage.home().join("password").to_str().unwrap()]);
    let (store, location) = stage.only_location();
    let anchors = store.anchors().unwrap();
    let needs_user =
        |result: Result<(), ChangeError>| assert!(matches!(result, Err(ChangeError::NeedsUser { .. })), "{result:?}");
    needs_user(anchors.can_change(&location));
    needs_user(anchors.add_anchor(&location, &anchor("locked")).map(|_| ()));
    assert_eq!(Stage::rows(&stage.chromium()), Vec::<u32>::new());
}

#[test]
fn limits_that_nss_cannot_enforce_are_refused_before_anything_is_changed() {
    let stage = Stage::with_plain_database();
    let (store, location) = stage.only_location();
    let refused = |properties: EntryProperties| {
        let anchor = Anchor { properties, ..anchor("limited") };
        let added = store.anchors().unwrap().add_anchor(&location, &anchor);
        assert!(matches!(added, Err(ChangeError::CannotLimit { .. })), "{added:?}");
    };
    refused(EntryProperties { name_constraints: Some(vec![0x30, 0]), ..EntryProperties::default() });
    refused(EntryProperties { purposes: Some(vec!["1.3.6.1.5.5.7.3.2".to_owned()]), ..EntryProperties::default() });
    refused(EntryProperties { purposes: Some(Vec::new()), ..EntryProperties::default() });
    let peer = TrustFlags { server: TrustLevel::Peer, ..SERVERS };
    refused(EntryProperties { trust: Some(peer), ..EntryProperties::default() });
}

#[test]
fn an_anchor_for_servers_alone_is_one_that_nss_can_limit() {
    if have(&["certutil"]) {
        let stage = Stage::with_chromium_database();
        let (store, location) = stage.only_location();
        let purposes = Some(vec!["1.3.6.1.5.5.7.3.1".to_owned()]);
        let root =
            Anchor { properties: EntryProperties { purposes, ..EntryProperties::default() }, ..anchor("servers") };
        assert_eq!(store.anchors().unwrap().add_anchor(&location, &root).unwrap(), Changed::Done);
    }
}

#[test]
fn a_running_firefox_has_to_be_started_again() {
    if !have(&["firefox-esr"]) {
        return;
    }
    let stage = Stage::with_firefox_profile();
    let (store, location) = stage.only_location();
    let lock = stage.firefox().join("lock");
    let _ = fs::remove_file(&lock);
    symlink(format!("127.0.1.1:+{}", std::process::id()), &lock).unwrap();
    let restart = Changed::AfterRestart { application: "Firefox".to_owned() };
    assert_eq!(store.anchors().unwrap().add_anchor(&location, &anchor("later")).unwrap(), restart);
}

#[test]
fn a_certificate_that_is_there_without_trust_is_put_back_without_trust() {
    if !have(&["certutil"]) {
        return;
    }
    let (intermediate, stage) = (anchor("intermediate"), Stage::with_chromium_database());
    stage.certutil_add(&stage.chromium(), &intermediate, ",,");
    let (store, location) = stage.only_location();
    let anchors = store.anchors().unwrap();
    let as_it_was = anchors.find_anchor(&location, intermediate.fingerprint()).unwrap().unwrap();
    anchors.remove_anchor(&location, intermediate.fingerprint()).unwrap();
    assert_eq!(anchors.add_anchor(&location, &as_it_was).unwrap(), Changed::Done);
    let trust = trusted(&store.read(&location), intermediate.fingerprint());
    assert!(trust.is_none_or(|trust| trust.server == TrustLevel::MustVerify), "{trust:?}");
}

#[test]
fn two_roots_of_one_name_stand_beside_each_other() {
    if !have(&["certutil"]) {
        return;
    }
    let stage = Stage::with_chromium_database();
    let (store, location) = stage.only_location();
    let add = |name: &str, label: &str| {
        let anchor = Anchor { name: Some(label.to_owned()), ..anchor(name) };
        store.anchors().unwrap().add_anchor(&location, &anchor).unwrap();
        anchor.fingerprint()
    };
    let both = [add("one", "Clinic CA"), add("two", "Clinic CA")];
    let reading = store.read(&location);
    assert!(both.iter().all(|root| trusted(&reading, *root).is_some()));
    let names: std::collections::BTreeSet<_> = reading.entries.iter().map(|entry| format!("{entry:?}")).collect();
    assert_eq!(names.len(), 2);
}

#[test]
fn two_writers_at_once_both_succeed() {
    if !have(&["certutil"]) {
        return;
    }
    let stage = Stage::with_chromium_database();
    let (store, location) = stage.only_location();
    let roots = [anchor("first"), anchor("second")];
    std::thread::scope(|scope| {
        for root in &roots {
            let (store, location) = (&store, &location);
            scope.spawn(move || store.anchors().unwrap().add_anchor(location, root).unwrap());
        }
    });
    let reading = store.read(&location);
    assert!(roots.iter().all(|root| trusted(&reading, root.fingerprint()).is_some()), "{:?}", reading.entries);
}

#[test]
fn the_child_of_a_root_agent_works_as_the_user() {
    const SOMEBODY: u32 = 4242;
    let stage = Stage::with_plain_database();
    if fs::metadata(stage.home()).unwrap().uid() != 0 {
        skipped("giving up rights can only be seen as root");
        return;
    }
    for path in
        [stage.home().to_path_buf(), stage.home().join(".pki"), stage.chromium(), stage.chromium().join("cert9.db")]
    {
        chown(path, Some(SOMEBODY), Some(SOMEBODY + 1)).unwrap();
    }
    let location = stage.only_location().1;
    stage.store_for_its_user().anchors().unwrap().add_anchor(&location, &anchor("mine")).unwrap();
    // The database of keys was not there before, so whoever wrote it owns it.
    let keys = fs::metadata(stage.chromium().join("key4.db")).unwrap();
    assert_eq!((keys.uid(), keys.gid()), (SOMEBODY, SOMEBODY + 1));
}

#[test]
fn a_profile_of_somebody_else_in_ones_home_is_not_changed() {
    let stage = Stage::with_plain_database();
    if fs::metadata(stage.home()).unwrap().uid() != 0 {
        skipped("owners can only be changed as root");
        return;
    }
    chown(stage.home(), Some(4242), Some(4242)).unwrap();
    let (store, location) = stage.only_location();
    let refused = store.anchors().unwrap().add_anchor(&location, &anchor("planted"));
    assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
}

#[test]
fn what_is_no_certificate_is_refused_and_what_is_not_there_is_already_gone() {
    let stage = Stage::with_plain_database();
    let (store, location) = stage.only_location();
    let anchors = store.anchors().unwrap();
    let junk = Anchor { der: b"junk".to_vec(), ..anchor("junk") };
    assert!(matches!(anchors.add_anchor(&location, &junk), Err(ChangeError::Crypto { .. })));
    assert_eq!(anchors.remove_anchor(&location, Fingerprint::of(b"nobody")).unwrap(), Changed::AlreadySo);
}
