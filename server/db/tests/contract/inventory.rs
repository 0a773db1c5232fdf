use inkan_core::ports::{DbError, LocationEntry, PageRequest, ReportRecord};
use inkan_model::Certificate;
use inkan_model::Fingerprint;
use inkan_model::event::Happening;
use inkan_model::store::{KeyPresence, ReadError, ReadErrorKind, SetEntry, StoreSet};
use inkan_model::sync::{HostReport, LocationState, state_digest};

use crate::kit::{Authority, DAY, Member, Stage, Store, all_pages, facts, location, noon, report_of};

async fn timeline(stage: &Stage, member: Member) -> Vec<Happening> {
    let page = stage.db.list_events(member.vendor, member.host, &PageRequest::first(50)).await.unwrap();
    page.items.into_iter().map(|event| event.what).collect()
}

pub(crate) async fn contents_are_lacking_until_they_are_stored(stage: Stage) {
    let root = Authority::root("Root").certificate;
    let set = Store::new("Root", &[(&root, KeyPresence::NotExpected)]).set();
    let digest = set.digest();
    let lacking = stage.db.find_lacking(&[digest, digest], &[root.fingerprint]).await.unwrap();
    assert_eq!((lacking.sets, lacking.certificates), (vec![digest], vec![root.fingerprint]));
    assert_eq!(stage.db.find_set(digest).await.unwrap(), None);
    for _ in 0..2 {
        assert_eq!(stage.db.record_contents(std::slice::from_ref(&root), &[(digest, set.clone())]).await.unwrap(), []);
    }
    assert!(stage.db.find_lacking(&[digest], &[root.fingerprint]).await.unwrap().is_nothing());
    assert_eq!(stage.db.find_set(digest).await.unwrap(), Some(set));
    let gauges = stage.db.gauges(noon()).await.unwrap();
    assert_eq!((gauges.certificates, gauges.sets), (1, 1));
}

pub(crate) async fn a_set_waits_for_its_members(stage: Stage) {
    let root = Authority::root("Root");
    // More members than any statement takes at once.
    let junk: Vec<_> = (0..450_u16).map(|number| Certificate::read(number.to_be_bytes().to_vec())).collect();
    let mut held: Vec<_> = junk.iter().map(|one| (one, KeyPresence::NotExpected)).collect();
    held.push((&root.certificate, KeyPresence::NotExpected));
    let mut entries = Store::new("Root", &held).set().entries().to_vec();
    entries.push(SetEntry::Unreadable { sha256: None, name: Some("broken.cer".to_owned()), why: "not DER".to_owned() });
    let set = StoreSet::new(entries);
    let wanted = [(set.digest(), set.clone())];
    let lacking = stage.db.record_contents(&junk, &wanted).await.unwrap();
    assert_eq!(lacking, [root.certificate.fingerprint]);
    assert_eq!(stage.db.find_lacking(&[set.digest()], &[]).await.unwrap().sets, [set.digest()]);
    assert_eq!(stage.db.record_contents(&[root.certificate], &wanted).await.unwrap(), []);
    assert_eq!(stage.db.find_set(set.digest()).await.unwrap(), Some(set));
}

pub(crate) async fn a_report_makes_installations_and_a_timeline(stage: Stage) {
    let member = stage.member().await;
    let root = Authority::root("Root");
    let leaf = root.leaf("0110119153", noon().plus(20 * DAY));
    let anchors =
        Store::new("Root", &[(&root.certificate, KeyPresence::NotExpected), (&leaf, KeyPresence::NotExpected)]);
    let own = Store::new("MY", &[(&leaf, KeyPresence::Present), (&leaf, KeyPresence::Absent)]);
    let report = stage.prepare("UKETSUKE", &[anchors, own]).await;
    let digest = state_digest(&report);
    let record = stage.db.record_report(member.host, &report, digest, noon()).await.unwrap();
    assert_eq!(record, ReportRecord { appeared: 1, disappeared: 0, locations_changed: 2 });
    let again = stage.db.record_report(member.host, &report, digest, noon().plus(DAY)).await.unwrap();
    assert_eq!(again, ReportRecord::default());

    let appeared = Happening::CertificateAppeared {
        certificate: leaf.fingerprint,
        name: "0110119153".to_owned(),
        location: location("MY"),
    };
    assert_eq!(timeline(&stage, member).await, [appeared, Happening::Enrolled]);
    let observed = stage.db.find_observation(member.host).await.unwrap().unwrap();
    assert_eq!(observed.installations.len(), 1);
    assert_eq!(observed.installations[0].key, KeyPresence::Present);
    assert_eq!(observed.installations[0].facts, leaf.facts.unwrap());
    let detail = stage.db.find_host(member.vendor, member.host).await.unwrap().unwrap();
    assert_eq!((detail.facts, detail.reported_at), (facts("UKETSUKE"), Some(noon())));
    let session = stage.db.find_session(member.host).await.unwrap().unwrap();
    assert_eq!(session.state_digest, Some(digest));
    assert_eq!(stage.db.list_hosts_to_review(noon(), 5).await.unwrap(), [member.host]);
}

pub(crate) async fn a_report_that_names_an_unknown_set_changes_nothing(stage: Stage) {
    let member = stage.member().await;
    let root = Authority::root("Root");
    stage.report(member, "PC", &[Store::new("A", &[])], noon()).await;
    let unknown = Store::new("B", &[(&root.certificate, KeyPresence::NotExpected)]);
    let report = report_of("RENAMED", &[unknown]);
    let refused = stage.db.record_report(member.host, &report, state_digest(&report), noon()).await;
    assert!(matches!(refused, Err(DbError::Conflict { .. })));
    let locations = stage.db.list_locations(member.vendor, member.host).await.unwrap();
    assert_eq!(locations.iter().map(|row| row.location.path.as_str()).collect::<Vec<_>>(), ["A"]);
}

pub(crate) async fn what_goes_is_remembered_by_the_timeline(stage: Stage) {
    let member = stage.member().await;
    let root = Authority::root("Root");
    let (old, new) = (root.leaf("old", noon().plus(DAY)), root.leaf("new", noon().plus(700 * DAY)));
    let before = [
        Store::new("MY", &[(&old, KeyPresence::Present)]),
        Store::new("GONE", &[(&root.certificate, KeyPresence::NotExpected)]),
    ];
    stage.report(member, "PC", &before, noon()).await;
    let after = [
        Store::new("MY", &[(&new, KeyPresence::Present), (&root.certificate, KeyPresence::NotExpected)]),
        Store::new("NEW", &[(&root.certificate, KeyPresence::NotExpected)]),
    ];
    let report = stage.prepare("PC", &after).await;
    let record = stage.db.record_report(member.host, &report, state_digest(&report), noon().plus(DAY)).await.unwrap();
    assert_eq!(record, ReportRecord { appeared: 1, disappeared: 1, locations_changed: 3 });

    let changed = |path: &str, added, removed| Happening::StoreChanged { location: location(path), added, removed };
    let (certificate, name) = (old.fingerprint, "old".to_owned());
    let gone = Happening::CertificateDisappeared { certificate, name, location: location("MY") };
    let events = timeline(&stage, member).await;
    for what in [changed("MY", 2, 1), changed("NEW", 1, 0), changed("GONE", 0, 1), gone] {
        assert!(events.contains(&what), "{what:?}");
    }
    assert_eq!(events.len(), 2 + 5);
    let held = stage.db.list_locations(member.vendor, member.host).await.unwrap();
    assert_eq!(held.iter().map(|row| row.since).collect::<Vec<_>>(), [noon().plus(DAY); 2]);
    let found = stage.db.find_certificate(member.vendor, old.fingerprint).await.unwrap();
    assert_eq!(found, None, "nobody holds it any more");
    assert_eq!(stage.db.find_certificate(member.vendor, new.fingerprint).await.unwrap(), Some(new));
}

pub(crate) async fn issuers_are_followed_through_every_store(stage: Stage) {
    let member = stage.member().await;
    let root = Authority::root("Root");
    let middle = root.below("Middle");
    let lower = middle.below("Lower");
    let leaf = lower.leaf("leaf", noon().plus(DAY));
    let stranger = Authority::root("Stranger");
    let stores = [
        Store::new("MY", &[(&leaf, KeyPresence::Present), (&lower.certificate, KeyPresence::NotExpected)]),
        Store::new("CA", &[(&middle.certificate, KeyPresence::NotExpected)]),
        Store::new(
            "Root",
            &[(&root.certificate, KeyPresence::NotExpected), (&stranger.certificate, KeyPresence::NotExpected)],
        ),
    ];
    stage.report(member, "PC", &stores, noon()).await;
    // Another host's store does not help this one.
    let other = stage.host(member.vendor, member.clinic, "OTHER").await;
    stage.report(other, "OTHER", &stores[..1], noon()).await;
    let names = async |member: Member| {
        let observed = stage.db.find_observation(member.host).await.unwrap().unwrap();
        observed.issuers.into_iter().map(|facts| facts.common_name).collect::<Vec<_>>()
    };
    assert_eq!(names(member).await, ["Lower", "Middle", "Root"]);
    assert_eq!(names(other).await, ["Lower"]);
}

pub(crate) async fn a_location_is_shown_by_name_with_what_could_not_be_read(stage: Stage) {
    let member = stage.member().await;
    let root = Authority::root("Root");
    let junk = Certificate::read(b"junk".to_vec());
    let named = |certificate: &Certificate, name: Option<&str>| {
        SetEntry::certificate(certificate.fingerprint, KeyPresence::Unknown, name.map(str::to_owned))
    };
    let leaves: Vec<_> = ["C", "A", "B"].map(|name| root.leaf(name, noon().plus(DAY))).into();
    let broken =
        SetEntry::Unreadable { sha256: Some(Fingerprint::of(b"x")), name: Some("Z".to_owned()), why: "?".to_owned() };
    let mut entries: Vec<_> = leaves.iter().map(|leaf| named(leaf, None)).collect();
    entries.extend([broken, named(&junk, Some("AA"))]);
    let set = StoreSet::new(entries);
    let certificates: Vec<_> = leaves.iter().cloned().chain([junk.clone()]).collect();
    stage.db.record_contents(&certificates, &[(set.digest(), set.clone())]).await.unwrap();
    let held = LocationState { location: location("MY"), set: set.digest(), errors: Vec::new() };
    let report = HostReport { facts: facts("PC"), locations: vec![held] };
    stage.db.record_report(member.host, &report, state_digest(&report), noon()).await.unwrap();

    let entries = all_pages(2, |page| {
        let db = &stage.db;
        async move { db.list_location_entries(member.vendor, member.host, &location("MY"), &page).await }
    });
    let shown = |entry: &LocationEntry| match entry {
        LocationEntry::Certificate { facts: Some(facts), .. } => facts.common_name.clone(),
        LocationEntry::Certificate { certificate, name, .. } => {
            assert_eq!(*certificate, junk.fingerprint);
            name.clone().unwrap()
        }
        LocationEntry::Unreadable { name, .. } => name.clone().unwrap(),
    };
    assert_eq!(entries.await.iter().map(shown).collect::<Vec<_>>(), ["A", "AA", "B", "C", "Z"]);
    let row = stage.db.list_locations(member.vendor, member.host).await.unwrap().remove(0);
    assert_eq!((row.certificates, row.unreadable, row.set), (4, 1, set.digest()));
}

pub(crate) async fn a_certificate_has_its_holders(stage: Stage) {
    let member = stage.member().await;
    let root = Authority::root("Root").certificate;
    for name in ["C", "A", "B"] {
        let host = stage.host(member.vendor, member.clinic, name).await;
        let anchor = [(&root, KeyPresence::NotExpected)];
        stage.report(host, name, &[Store::new("Root", &anchor), Store::new("Java", &anchor)], noon()).await;
    }
    let holders = all_pages(2, |page| {
        let (db, root) = (&stage.db, root.fingerprint);
        async move { db.list_certificate_holders(member.vendor, root, &page).await }
    });
    let holders: Vec<_> = holders.await.into_iter().map(|row| format!("{} {}", row.host_name, row.location)).collect();
    assert_eq!(holders, ["A Root", "A Java", "B Root", "B Java", "C Root", "C Java"]);
    let nobody = stage.db.list_certificate_holders(member.vendor, Fingerprint::of(b"?"), &PageRequest::first(5)).await;
    assert!(nobody.unwrap().items.is_empty());
}

pub(crate) async fn read_errors_alone_do_not_change_a_location(stage: Stage) {
    let member = stage.member().await;
    stage.report(member, "PC", &[Store::new("A", &[])], noon()).await;
    let mut report = report_of("PC", &[Store::new("A", &[])]);
    let error = ReadError { kind: ReadErrorKind::AccessDenied, item: String::new(), detail: "denied".to_owned() };
    report.locations[0].errors.push(error.clone());
    let record = stage.db.record_report(member.host, &report, state_digest(&report), noon().plus(DAY)).await.unwrap();
    assert_eq!(record, ReportRecord::default());
    let row = stage.db.list_locations(member.vendor, member.host).await.unwrap().remove(0);
    assert_eq!((row.errors, row.since), (vec![error], noon()));
}
