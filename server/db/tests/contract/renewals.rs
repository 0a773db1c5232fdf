use inkan_core::ports::{DbError, PageRequest, RenewalChange, RenewalCreation, RenewalQuery, Versioned};
use inkan_model::directive::Generation;
use inkan_model::event::Happening;
use inkan_model::host::HostState;
use inkan_model::renewal::{Renewal, RenewalStep, Requester};
use inkan_model::store::KeyPresence;
use inkan_model::sync::SpoolPosition;
use inkan_model::{Certificate, Fingerprint, Timestamp};

use crate::kit::{Authority, DAY, MINUTE, Member, Stage, Store, all_pages, new_id, noon, renewal};

async fn with_leaf(stage: &Stage) -> (Member, Certificate) {
    let member = stage.member().await;
    let leaf = Authority::root("Root").leaf("0110119153", noon().plus(20 * DAY));
    stage.report(member, "PC", &[Store::new("MY", &[(&leaf, KeyPresence::Present)])], noon()).await;
    (member, leaf)
}

async fn live(stage: &Stage, member: Member) -> Versioned<Renewal> {
    stage.db.list_live_renewals(member.host).await.unwrap().remove(0)
}

async fn record(stage: &Stage, member: Member, version: u64, value: Renewal, now: Timestamp) -> Result<(), DbError> {
    let change = RenewalChange { moved: vec![Versioned { version, value }], now, ..RenewalChange::default() };
    stage.db.record_renewals(member.host, &change).await
}

pub(crate) async fn only_one_renewal_is_live_for_a_certificate(stage: Stage) {
    let (member, leaf) = with_leaf(&stage).await;
    let first = renewal(member, &leaf, noon());
    assert_eq!(stage.db.create_renewal(&first).await.unwrap(), RenewalCreation::Created);
    let second = renewal(member, &leaf, noon());
    assert_eq!(stage.db.create_renewal(&second).await.unwrap(), RenewalCreation::Live(first.clone()));
    let found = stage.db.find_renewal(member.vendor, first.id).await.unwrap().unwrap();
    assert_eq!(found, Versioned { version: 1, value: first.clone() });
    let events = stage.db.list_events(member.vendor, member.host, &PageRequest::first(1)).await.unwrap().items;
    let Requester::Operator(by) = first.requested_by else { panic!("not asked for by a person") };
    let planned = Happening::RenewalMoved { renewal: first.id, state: "planned".to_owned(), why: None };
    assert_eq!((events[0].by, &events[0].what), (Some(by), &planned));

    let over = first.clone().abandon(Some(by), "いらない".to_owned(), noon()).unwrap();
    record(&stage, member, 1, over, noon()).await.unwrap();
    assert_eq!(stage.db.create_renewal(&second).await.unwrap(), RenewalCreation::Created);
    let elsewhere = Renewal { vendor: new_id(), id: new_id(), old: Fingerprint::of(b"another"), ..second };
    assert!(matches!(stage.db.create_renewal(&elsewhere).await, Err(DbError::Conflict { .. })));
}

pub(crate) async fn a_renewal_moves_only_from_the_version_that_was_read(stage: Stage) {
    let (member, leaf) = with_leaf(&stage).await;
    stage.db.create_renewal(&renewal(member, &leaf, noon())).await.unwrap();
    let Versioned { version, value } = live(&stage, member).await;
    let directed = value.direct(Generation(1), noon()).unwrap();
    record(&stage, member, version, directed.clone(), noon().plus(MINUTE)).await.unwrap();
    let lost = record(&stage, member, version, directed.clone(), noon()).await;
    assert!(matches!(lost, Err(DbError::Conflict { .. })));
    assert_eq!(live(&stage, member).await, Versioned { version: 2, value: directed.clone() });

    let why = "つながらない".to_owned();
    let failed = directed.clone().fail(RenewalStep::Issue, why.clone(), noon(), noon().plus(DAY)).unwrap();
    record(&stage, member, 2, failed.clone(), noon().plus(2 * MINUTE)).await.unwrap();
    let events = stage.db.list_events(member.vendor, member.host, &PageRequest::first(2)).await.unwrap().items;
    let moved = |state: &str, why| Happening::RenewalMoved { renewal: failed.id, state: state.to_owned(), why };
    assert_eq!(events[0].what, moved("failed", Some(why)));
    assert_eq!(events[1].what, moved("directed", None));
    // Storing what is there already is no news.
    record(&stage, member, 3, failed, noon().plus(3 * MINUTE)).await.unwrap();
    let newest = stage.db.list_events(member.vendor, member.host, &PageRequest::first(1)).await.unwrap().items;
    assert_eq!(newest[0].id, events[0].id);
}

pub(crate) async fn one_conflict_takes_the_whole_change_back(stage: Stage) {
    let (member, leaf) = with_leaf(&stage).await;
    stage.db.create_renewal(&renewal(member, &leaf, noon())).await.unwrap();
    let Versioned { version, value } = live(&stage, member).await;
    let directed = value.clone().direct(Generation(1), noon()).unwrap();
    let change = |generation| RenewalChange {
        moved: vec![Versioned { version, value: directed.clone() }],
        acknowledged: Some(SpoolPosition { epoch: 1, sequence: 4 }),
        generation: Some(generation),
        applied: Some(Generation(1)),
        checkups: Vec::new(),
        by: None,
        now: noon(),
    };
    let wrong = stage.db.record_renewals(member.host, &change((Generation(7), Generation(8)))).await;
    assert!(matches!(wrong, Err(DbError::Conflict { .. })));
    assert_eq!(live(&stage, member).await, Versioned { version, value });
    let session = stage.db.find_session(member.host).await.unwrap().unwrap();
    assert_eq!(session.spool, SpoolPosition::default());
    stage.db.record_renewals(member.host, &change((Generation(0), Generation(1)))).await.unwrap();
    let session = stage.db.find_session(member.host).await.unwrap().unwrap();
    assert_eq!((session.generation, session.applied_generation), (Generation(1), Generation(1)));
    assert_eq!(session.spool, SpoolPosition { epoch: 1, sequence: 4 });
}

pub(crate) async fn the_spool_never_goes_back(stage: Stage) {
    let member = stage.member().await;
    let acknowledge = async |epoch, sequence| {
        let acknowledged = Some(SpoolPosition { epoch, sequence });
        let change = RenewalChange { acknowledged, now: noon(), ..RenewalChange::default() };
        stage.db.record_renewals(member.host, &change).await.unwrap();
        stage.db.find_session(member.host).await.unwrap().unwrap().spool
    };
    assert_eq!(acknowledge(2, 5).await, SpoolPosition { epoch: 2, sequence: 5 });
    assert_eq!(acknowledge(2, 3).await, SpoolPosition { epoch: 2, sequence: 5 });
    assert_eq!(acknowledge(1, 9).await, SpoolPosition { epoch: 2, sequence: 5 });
    // Agents choose these numbers; none of them may be one too many.
    assert_eq!(acknowledge(u64::MAX, u64::MAX).await, SpoolPosition { epoch: u64::MAX, sequence: u64::MAX });
}

pub(crate) async fn work_is_what_the_server_can_do_now(stage: Stage) {
    let (member, leaf) = with_leaf(&stage).await;
    let due = noon().plus(DAY);
    let planned = Renewal {
        state: inkan_model::renewal::RenewalState::Planned { not_before: due },
        ..renewal(member, &leaf, noon())
    };
    stage.db.create_renewal(&planned).await.unwrap();
    let work = async |now| stage.db.list_hosts_with_renewal_work(now, 10).await.unwrap();
    assert_eq!(work(noon()).await, []);
    assert_eq!(work(due).await, [member.host]);
    // A host that gets no directives must not keep others waiting.
    stage.db.set_host_state(member.vendor, member.host, HostState::Suspended, new_id(), noon()).await.unwrap();
    assert_eq!(work(due).await, []);
    let directed = planned.direct(Generation(1), due).unwrap();
    record(&stage, member, 1, directed.clone(), due).await.unwrap();
    assert_eq!(work(due.plus(DAY)).await, [], "it is the host's turn");
    let requested = directed.request(vec![1], due).unwrap();
    record(&stage, member, 2, requested.clone(), due).await.unwrap();
    assert_eq!(work(due).await, [member.host]);
    let failed = requested.fail(RenewalStep::Issue, "?".to_owned(), due, due.plus(MINUTE)).unwrap();
    record(&stage, member, 3, failed, due).await.unwrap();
    assert_eq!(work(due).await, []);
    assert_eq!(work(due.plus(MINUTE)).await, [member.host]);
}

pub(crate) async fn renewals_are_filtered_and_counted(stage: Stage) {
    let (member, leaf) = with_leaf(&stage).await;
    let other = stage.host(member.vendor, member.clinic, "OTHER").await;
    let [first, second] = [renewal(member, &leaf, noon()), renewal(other, &leaf, noon())];
    for one in [&first, &second] {
        stage.db.create_renewal(one).await.unwrap();
    }
    let over = second.clone().abandon(None, "x".to_owned(), noon()).unwrap();
    record(&stage, other, 1, over, noon().plus(MINUTE)).await.unwrap();
    let list = async |query: RenewalQuery| {
        let rows = all_pages(1, |page| {
            let (db, query) = (&stage.db, query.clone());
            async move { db.list_renewals(member.vendor, &query, &page).await }
        });
        rows.await
    };
    let ids = async |query| list(query).await.into_iter().map(|row| row.renewal.id).collect::<Vec<_>>();
    let all = RenewalQuery::default;
    assert_eq!(ids(all()).await, [second.id, first.id]);
    assert_eq!(ids(RenewalQuery { host: Some(other.host), ..all() }).await, [second.id]);
    assert_eq!(ids(RenewalQuery { state: Some("planned".to_owned()), ..all() }).await, [first.id]);
    assert_eq!(ids(RenewalQuery { over: Some(true), ..all() }).await, [second.id]);
    assert_eq!(ids(RenewalQuery { over: Some(false), old: Some(leaf.fingerprint), ..all() }).await, [first.id]);
    assert_eq!(ids(RenewalQuery { clinic: Some(new_id()), ..all() }).await, []);
    let row = list(RenewalQuery { over: Some(true), ..all() }).await.remove(0);
    assert_eq!((row.host_name.as_str(), row.clinic_name.as_str()), ("OTHER", "さくら内科"));
    assert_eq!((row.certificate_name.as_deref(), row.updated_at), (Some("0110119153"), noon().plus(MINUTE)));
    let overview = stage.db.find_overview(member.vendor, noon()).await.unwrap();
    assert_eq!((overview.renewals_live, overview.renewals_stuck), (1, 0));
}
