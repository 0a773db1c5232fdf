use inkan_model::store::{Scope, StoreKind};
use proptest::prelude::*;

use super::*;
use crate::changes::record::{Asker, Because, Der};
use crate::testing::NOW;

fn location(path: &str) -> Location {
    Location { kind: StoreKind::LocalAnchors, scope: Scope::Machine, path: path.to_owned() }
}

fn authority() -> Vec<u8> {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn kept(der: &[u8], properties: EntryProperties) -> KeptAnchor {
    KeptAnchor { der: Der(der.to_vec()), name: None, properties }
}

fn purposes() -> EntryProperties {
    EntryProperties { purposes: Some(Vec::new()), ..EntryProperties::default() }
}

fn trust(server: TrustLevel) -> EntryProperties {
    let unset = TrustLevel::Unset;
    let trust = Some(TrustFlags { server, client: unset, email: unset, code: unset });
    EntryProperties { trust, ..EntryProperties::default() }
}

fn record(number: u8, deed: Deed, state: ChangeState) -> ChangeRecord {
    ChangeRecord {
        id: ChangeId::new(NOW, [number; 10]),
        location: location("/a"),
        certificate: Fingerprint::of(b"certificate"),
        deed,
        asked_by: Asker::LocalOperator { log_on_name: "hanako".to_owned() },
        asked_at: NOW,
        state,
        state_at: NOW,
        restart: None,
    }
}

fn plan_here(wanted: &Wanted, standing: &Standing, journal: &[ChangeRecord]) -> Result<Plan, Refusal> {
    plan(wanted, &location("/a"), standing, journal, &BTreeSet::new(), NOW)
}

#[test]
fn what_stands_with_other_limits_is_brought_to_these_and_kept_for_the_way_back() {
    let der = authority();
    let wanted = Wanted::Anchor(kept(&der, purposes()).to_anchor());
    let unlimited = kept(&der, EntryProperties::default());
    let standing = Standing { anchor: Some(unlimited.clone()), certificate: None };
    let planned = plan_here(&wanted, &standing, &[]).unwrap();
    assert_eq!(planned, Plan::Do(Deed::AddAnchor { wanted: kept(&der, purposes()), before: Some(unlimited) }));
    let standing = Standing { anchor: Some(kept(&der, purposes())), certificate: None };
    assert_eq!(plan_here(&wanted, &standing, &[]).unwrap(), Plan::AlreadySo);
}

#[test]
fn a_certificate_that_a_store_has_and_does_not_trust_is_not_already_an_anchor() {
    let (der, any) = (authority(), EntryProperties::default());
    assert!(stands_as(&kept(&der, trust(TrustLevel::Anchor)), &kept(&der, any.clone())));
    for level in [TrustLevel::Unset, TrustLevel::Distrusted, TrustLevel::MustVerify] {
        assert!(!stands_as(&kept(&der, trust(level)), &kept(&der, any.clone())), "{level:?}");
    }
    assert!(!stands_as(&kept(&der, any), &kept(&der, trust(TrustLevel::Anchor))));
}

#[test]
fn trust_of_servers_alone_keeps_a_limit_to_servers_and_no_other() {
    let der = authority();
    let limited = |purpose: &str| {
        kept(&der, EntryProperties { purposes: Some(vec![purpose.to_owned()]), ..EntryProperties::default() })
    };
    let servers = kept(&der, trust(TrustLevel::Anchor));
    assert!(stands_as(&servers, &limited(SERVER_AUTH)));
    assert!(!stands_as(&servers, &limited("1.3.6.1.5.5.7.3.4")));
    assert!(!stands_as(&kept(&der, EntryProperties::default()), &limited(SERVER_AUTH)));
    let mut everything = servers;
    if let Some(trust) = &mut everything.properties.trust {
        trust.email = TrustLevel::Anchor;
    }
    assert!(!stands_as(&everything, &limited(SERVER_AUTH)));
}

#[test]
fn an_earlier_change_must_be_over_before_the_next_of_the_same_certificate() {
    let journal = [record(1, Deed::Import { name: None, before: None }, ChangeState::Planned)];
    let wanted = Wanted::NoAnchor(Fingerprint::of(b"certificate"));
    assert_eq!(plan_here(&wanted, &Standing::default(), &journal), Err(Refusal::Unfinished { change: journal[0].id }));
    let elsewhere = plan(&wanted, &location("/b"), &Standing::default(), &journal, &BTreeSet::new(), NOW);
    assert_eq!(elsewhere, Ok(Plan::AlreadySo));
}

#[test]
fn a_journal_that_is_full_of_what_is_live_takes_no_more() {
    let live = record(1, Deed::Import { name: None, before: None }, ChangeState::Confirmed);
    let mut journal = vec![live; RECORDS];
    let wanted = Wanted::NoAnchor(Fingerprint::of(b"other"));
    assert_eq!(plan_here(&wanted, &Standing::default(), &journal), Err(Refusal::JournalFull));
    journal[7].state = ChangeState::Undone;
    assert_eq!(plan_here(&wanted, &Standing::default(), &journal), Ok(Plan::AlreadySo));
}

#[test]
fn an_end_entitys_certificate_is_refused_as_an_anchor() {
    let wanted = Wanted::Anchor(Anchor { der: b"junk".to_vec(), name: None, properties: EntryProperties::default() });
    assert!(matches!(plan_here(&wanted, &Standing::default(), &[]), Err(Refusal::Anchor { .. })));
}

#[test]
fn a_key_that_is_there_is_not_imported_again() {
    let der = authority();
    let certificate = |key| Some(KeptCertificate { der: Der(der.clone()), key, name: None });
    let wanted = Wanted::Keyed { certificate: Fingerprint::of(&der), name: None };
    let standing = |key| Standing { anchor: None, certificate: certificate(key) };
    assert_eq!(plan_here(&wanted, &standing(KeyPresence::Present), &[]), Ok(Plan::AlreadySo));
    let before = certificate(KeyPresence::Absent);
    let planned = plan_here(&wanted, &standing(KeyPresence::Absent), &[]);
    assert_eq!(planned, Ok(Plan::Do(Deed::Import { name: None, before })));
}

#[test]
fn several_changes_of_one_certificate_are_taken_back_in_one_step_to_the_first_of_them() {
    let (first, second) = (kept(b"1", EntryProperties::default()), kept(b"1", purposes()));
    let journal = [
        record(1, Deed::AddAnchor { wanted: first.clone(), before: None }, ChangeState::Undone),
        record(2, Deed::AddAnchor { wanted: second.clone(), before: Some(first.clone()) }, ChangeState::Confirmed),
        record(3, Deed::RemoveAnchor { before: second }, ChangeState::Confirmed),
    ];
    let RestorePlan { restorations, irreversible } = plan_restore(&journal, Extent::Anchors);
    assert_eq!(irreversible, []);
    let [one] = restorations.as_slice() else { panic!("{restorations:?}") };
    assert_eq!((&one.original, one.changes.len()), (&Original::Anchor(Some(first)), 2));
}

#[test]
fn the_newest_place_is_restored_first() {
    let anchor = kept(b"1", EntryProperties::default());
    let at = |number, path: &str| ChangeRecord {
        location: location(path),
        ..record(number, Deed::AddAnchor { wanted: anchor.clone(), before: None }, ChangeState::Confirmed)
    };
    let plan = plan_restore(&[at(1, "/a"), at(2, "/b"), at(3, "/a")], Extent::Anchors);
    let paths: Vec<_> = plan.restorations.iter().map(|one| one.location.path.as_str()).collect();
    assert_eq!(paths, ["/a", "/b"]);
}

fn deed() -> impl Strategy<Value = Deed> {
    let anchor =
        || any::<bool>().prop_map(|limited| kept(b"1", if limited { purposes() } else { EntryProperties::default() }));
    let certificate = || Just(KeptCertificate { der: Der(b"1".to_vec()), key: KeyPresence::Absent, name: None });
    prop_oneof![
        (anchor(), prop::option::of(anchor())).prop_map(|(wanted, before)| Deed::AddAnchor { wanted, before }),
        anchor().prop_map(|before| Deed::RemoveAnchor { before }),
        prop::option::of(certificate()).prop_map(|before| Deed::Import { name: None, before }),
        certificate().prop_map(|before| Deed::RemoveCertificate { before }),
    ]
}

fn state() -> impl Strategy<Value = ChangeState> {
    let why = || "why".to_owned();
    prop::sample::select(vec![
        ChangeState::Planned,
        ChangeState::Applied,
        ChangeState::Confirmed,
        ChangeState::Undoing { because: Because::Restore, stuck: None },
        ChangeState::Undoing { because: Because::Failed { why: why() }, stuck: Some(why()) },
        ChangeState::Undone,
        ChangeState::Failed { why: why() },
    ])
}

fn journal() -> impl Strategy<Value = Vec<ChangeRecord>> {
    let one = (deed(), state(), 0..3_u8);
    prop::collection::vec(one, 0..12).prop_map(|ones| {
        let record = |(number, (deed, state, at)): (usize, (Deed, ChangeState, u8))| ChangeRecord {
            location: location(&format!("/{at}")),
            ..record(u8::try_from(number).unwrap(), deed, state)
        };
        ones.into_iter().enumerate().map(record).collect()
    })
}

proptest! {
    /// Whatever the journal holds: what is live is taken back or named, once, and what is over is left alone.
    #[test]
    fn a_restoring_leaves_out_nothing_that_is_live(journal in journal()) {
        let RestorePlan { restorations, irreversible } = plan_restore(&journal, Extent::Everything);
        let mut named: Vec<_> = restorations.iter().flat_map(|one| one.changes.clone()).collect();
        named.extend(irreversible.iter().map(|record| record.id));
        named.sort_unstable();
        let mut live: Vec<_> = journal.iter().filter(|record| record.state.is_live()).map(|record| record.id).collect();
        live.sort_unstable();
        prop_assert_eq!(named, live);
        let anchors = plan_restore(&journal, Extent::Anchors);
        prop_assert!(anchors.restorations.iter().all(|one| matches!(one.original, Original::Anchor(_))));
        prop_assert_eq!(anchors.irreversible, []);
    }

    /// Whatever the journal holds, each change that is unfinished is settled or taken back by a recovery.
    #[test]
    fn a_recovery_leaves_out_nothing_that_is_unfinished(journal in journal()) {
        let of = |recovery: Recovery| match recovery {
            Recovery::Settle(record) | Recovery::Close(record) => vec![record.id],
            Recovery::TakeBack(restoration) => restoration.changes,
        };
        let planned: BTreeSet<_> = plan_recovery(&journal).into_iter().flat_map(of).collect();
        for record in &journal {
            let over = !record.state.is_unfinished();
            prop_assert!(!(over && planned.contains(&record.id)));
            prop_assert!(over || planned.contains(&record.id));
        }
    }
}
