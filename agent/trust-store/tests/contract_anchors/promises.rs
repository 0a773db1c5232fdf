//! The promises, each of them on a stage of its own.

use std::sync::Barrier;

use inkan_model::Fingerprint;
use inkan_model::properties::{EntryProperties, TrustLevel};
use inkan_model::store::{Location, SetEntry};
use inkan_trust_store::{Anchor, ChangeError, Changed};

use crate::stage::{Limits, Stage, anchor, assert_same, lists, nameless};

const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
/// `NameConstraints` that permit the DNS name a.jp (RFC 5280 §4.2.1.10).
const NAME_CONSTRAINTS: &[u8] = &[0x30, 10, 0xa0, 8, 0x30, 6, 0x82, 4, b'a', b'.', b'j', b'p'];

pub(crate) fn an_anchor_that_is_added_reads_back_and_goes_again(stage: &Stage) {
    let (before, added) = (stage.content(), anchor("Vendor Root"));
    stage.anchors().can_change(&stage.location).unwrap();
    assert!(!stage.holds(added.fingerprint()));
    let changed = stage.anchors().add_anchor(&stage.location, &added).unwrap();
    assert_ne!(changed, Changed::AlreadySo);
    let found = stage.anchors().find_anchor(&stage.location, added.fingerprint()).unwrap().unwrap();
    assert_eq!(found.der, added.der);
    assert!(stage.holds(added.fingerprint()));
    assert_same(&stage.content_without(&[added.fingerprint()]), &before, "afterwards");
    let changed = stage.anchors().remove_anchor(&stage.location, added.fingerprint()).unwrap();
    assert_ne!(changed, Changed::AlreadySo);
    assert!(!stage.holds(added.fingerprint()));
    assert_same(&stage.content(), &before, "afterwards");
}

pub(crate) fn what_is_done_already_is_not_done_again(stage: &Stage) {
    let (before, added) = (stage.content(), anchor("Vendor Root"));
    let remove = || stage.anchors().remove_anchor(&stage.location, added.fingerprint()).unwrap();
    assert_eq!(remove(), Changed::AlreadySo);
    stage.anchors().add_anchor(&stage.location, &added).unwrap();
    let once = stage.content();
    assert_eq!(stage.anchors().add_anchor(&stage.location, &added).unwrap(), Changed::AlreadySo);
    assert_same(&stage.content(), &once, "afterwards");
    // As it was found, it is as it should be.
    let found = stage.anchors().find_anchor(&stage.location, added.fingerprint()).unwrap().unwrap();
    assert_eq!(stage.anchors().add_anchor(&stage.location, &found).unwrap(), Changed::AlreadySo);
    remove();
    assert_eq!(remove(), Changed::AlreadySo);
    assert_same(&stage.content(), &before, "afterwards");
}

pub(crate) fn what_is_taken_out_can_be_put_back_as_it_was(stage: &Stage) {
    let (before, prior) = (stage.content(), stage.prior());
    stage.anchors().remove_anchor(&stage.location, prior.fingerprint()).unwrap();
    assert!(!stage.holds(prior.fingerprint()));
    stage.anchors().add_anchor(&stage.location, &prior).unwrap();
    assert_same(&stage.content(), &before, "afterwards");
    let again = stage.anchors().find_anchor(&stage.location, prior.fingerprint()).unwrap();
    assert_eq!(again.map(|anchor| anchor.properties), Some(prior.properties));
}

pub(crate) fn a_limit_to_purposes_is_kept_or_the_anchor_is_refused(stage: &Stage) {
    let (before, unlimited) = (stage.content(), anchor("Limited Root"));
    let purposes = Some(vec![SERVER_AUTH.to_owned()]);
    let properties = EntryProperties { purposes: purposes.clone(), ..EntryProperties::default() };
    let limited = Anchor { properties, ..unlimited.clone() };
    let add = |anchor| stage.anchors().add_anchor(&stage.location, anchor);
    let properties = || {
        let found = stage.anchors().find_anchor(&stage.location, limited.fingerprint()).unwrap();
        found.map(|found| found.properties)
    };
    let added = add(&limited);
    match stage.instance.limits {
        Limits::No => {
            assert!(matches!(added, Err(ChangeError::CannotLimit { .. })), "{added:?}");
            assert_eq!(properties(), None);
        }
        Limits::ByTrust => {
            added.unwrap();
            let trust = properties().unwrap().trust.unwrap();
            assert_eq!(trust.server, TrustLevel::Anchor);
            assert!([trust.client, trust.email, trust.code].iter().all(|level| *level != TrustLevel::Anchor));
        }
        Limits::ByProperty => {
            added.unwrap();
            assert_eq!(properties().unwrap().purposes, purposes);
            assert_ne!(add(&unlimited).unwrap(), Changed::AlreadySo);
            assert_eq!(properties().unwrap().purposes, None);
            assert_ne!(add(&limited).unwrap(), Changed::AlreadySo);
            assert_eq!(properties().unwrap().purposes, purposes);
        }
    }
    stage.anchors().remove_anchor(&stage.location, limited.fingerprint()).unwrap();
    assert_same(&stage.content(), &before, "afterwards");
}

pub(crate) fn a_limit_to_names_is_kept_or_the_anchor_is_refused(stage: &Stage) {
    let (before, unlimited) = (stage.content(), anchor("Limited Root"));
    let properties =
        EntryProperties { name_constraints: Some(NAME_CONSTRAINTS.to_vec()), ..EntryProperties::default() };
    let limited = Anchor { properties, ..unlimited };
    let added = stage.anchors().add_anchor(&stage.location, &limited);
    let found = stage.anchors().find_anchor(&stage.location, limited.fingerprint()).unwrap();
    match added {
        // Of those that have properties, older ones do not know this one.
        Ok(_) => {
            assert_eq!(stage.instance.limits, Limits::ByProperty);
            assert_eq!(found.unwrap().properties.name_constraints.as_deref(), Some(NAME_CONSTRAINTS));
            stage.anchors().remove_anchor(&stage.location, limited.fingerprint()).unwrap();
        }
        Err(ChangeError::CannotLimit { .. }) => assert_eq!(found, None),
        Err(other) => panic!("{other:?}"),
    }
    assert_same(&stage.content(), &before, "afterwards");
}

pub(crate) fn what_is_no_certificate_is_refused(stage: &Stage) {
    let before = stage.content();
    let junk = Anchor { der: b"junk".to_vec(), name: None, properties: EntryProperties::default() };
    let refused = stage.anchors().add_anchor(&stage.location, &junk);
    assert!(refused.is_err(), "{refused:?}");
    assert_same(&stage.content(), &before, "afterwards");
}

pub(crate) fn a_place_that_is_not_its_own_is_refused(stage: &Stage) {
    let elsewhere = Location { path: "/etc/shadow".to_owned(), ..stage.location.clone() };
    let (added, anchors) = (anchor("Vendor Root"), stage.anchors());
    assert!(anchors.can_change(&elsewhere).is_err());
    assert!(anchors.add_anchor(&elsewhere, &added).is_err());
    assert!(anchors.remove_anchor(&elsewhere, added.fingerprint()).is_err());
    assert!(!matches!(anchors.find_anchor(&elsewhere, added.fingerprint()), Ok(Some(_))));
}

pub(crate) fn what_is_read_says_what_is_found(stage: &Stage) {
    for certificate in stage.read().certificates {
        if let Some(found) = stage.anchors().find_anchor(&stage.location, certificate.fingerprint).unwrap() {
            assert_eq!(Fingerprint::of(&found.der), certificate.fingerprint);
            let says = |entry: &SetEntry| {
                matches!(entry, SetEntry::Certificate { certificate: c, properties, .. }
                    if *c == certificate.fingerprint && *properties == found.properties)
            };
            assert!(stage.read().entries.iter().any(says), "{found:?}");
        }
    }
}

pub(crate) fn writers_at_once_lose_nothing(stage: &Stage) {
    let before = stage.content();
    let wanted: Vec<Anchor> = (0..3).map(|number| anchor(&format!("Writer {number}"))).collect();
    let prior = stage.prior();
    let start = Barrier::new(wanted.len() + 1);
    std::thread::scope(|scope| {
        for anchor in &wanted {
            scope.spawn(|| {
                let store = (stage.instance.open)(stage.root());
                start.wait();
                store.anchors().unwrap().add_anchor(&stage.location, anchor).unwrap();
            });
        }
        scope.spawn(|| {
            let store = (stage.instance.open)(stage.root());
            start.wait();
            store.anchors().unwrap().remove_anchor(&stage.location, prior.fingerprint()).unwrap();
            store.anchors().unwrap().add_anchor(&stage.location, &prior).unwrap();
        });
    });
    let ours: Vec<_> = wanted.iter().map(Anchor::fingerprint).collect();
    assert!(ours.iter().all(|certificate| stage.holds(*certificate)));
    assert_same(&stage.content_without(&ours), &before, "afterwards");
    for certificate in ours {
        stage.anchors().remove_anchor(&stage.location, certificate).unwrap();
    }
    assert_same(&stage.content(), &before, "afterwards");
}

pub(crate) fn a_read_only_store_refuses_and_stays_as_it_was(stage: &Stage) {
    let open = stage.instance.open_read_only.unwrap();
    let (before, added, prior) = (stage.content(), anchor("Vendor Root"), stage.prior());
    let store = open(stage.root());
    // A store without changes at all needs no words for its refusal.
    if let Some(anchors) = store.anchors() {
        let refusals = [
            anchors.can_change(&stage.location).err(),
            anchors.add_anchor(&stage.location, &added).err(),
            anchors.remove_anchor(&stage.location, prior.fingerprint()).err(),
        ];
        for refusal in refusals {
            assert!(
                matches!(refusal, Some(ChangeError::ReadOnly { .. } | ChangeError::NeedsUser { .. })),
                "{refusal:?}"
            );
        }
    }
    assert_same(&stage.content(), &before, "afterwards");
}

pub(crate) fn a_half_readable_store_returns_both_halves(stage: &Stage) {
    let damage = stage.instance.damage.unwrap();
    let (before, prior) = (stage.content(), stage.prior());
    damage(stage.root());
    let reading = stage.read();
    assert!(lists(&reading, prior.fingerprint()), "{reading:?}");
    let is_unreadable = |entry: &SetEntry| matches!(entry, SetEntry::Unreadable { .. });
    assert!(!reading.errors.is_empty() || reading.entries.iter().any(is_unreadable), "{reading:?}");
    let readable: Vec<_> = nameless(reading, &[]).into_iter().filter(|entry| !is_unreadable(entry)).collect();
    assert_same(&readable, &before, "afterwards");
}
