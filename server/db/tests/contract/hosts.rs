use inkan_core::ports::{ClinicQuery, Cursor, DbError, HostQuery, PageRequest};
use inkan_model::event::Happening;
use inkan_model::finding::{Rule, Urgency};
use inkan_model::host::HostState;
use inkan_model::store::KeyPresence;
use inkan_model::{HostId, VendorId};

use crate::kit::{Authority, DAY, Stage, Store, all_pages, clock_wrong, new_id, noon, silent};

async fn names(stage: &Stage, vendor: VendorId, query: HostQuery) -> Vec<String> {
    let rows = all_pages(2, |page| {
        let query = query.clone();
        async move { stage.db.list_hosts(vendor, &query, &page).await }
    });
    let names: Vec<_> = rows.await.into_iter().map(|row| row.name).collect();
    assert_eq!(stage.db.count_hosts(vendor, &query).await.unwrap(), names.len() as u64);
    names
}

pub(crate) async fn the_most_urgent_host_comes_first_then_by_name(stage: Stage) {
    let vendor = stage.vendor().await;
    let clinic = stage.clinic(vendor, "1710119153", "さくら内科").await;
    let urgencies =
        [("D", None), ("C", Some(Urgency::Watch)), ("B", Some(Urgency::Now)), ("A", None), ("E", Some(Urgency::Now))];
    for (name, urgency) in urgencies {
        let member = stage.host(vendor, clinic, name).await;
        let diagnoses: Vec<_> = urgency.map(silent).into_iter().collect();
        stage.db.record_assessment(member.host, &diagnoses, noon().plus(DAY), noon()).await.unwrap();
    }
    assert_eq!(names(&stage, vendor, HostQuery::default()).await, ["B", "E", "C", "A", "D"]);
    let page = stage.db.list_hosts(vendor, &HostQuery::default(), &PageRequest::first(1)).await.unwrap();
    let first = &page.items[0];
    assert_eq!((first.findings, first.worst, first.clinic_name.as_str()), (1, Some(Urgency::Now), "さくら内科"));
}

pub(crate) async fn two_japanese_characters_find_a_host_by_its_clinic(stage: Stage) {
    let vendor = stage.vendor().await;
    for (code, clinic, host) in
        [("1710119153", "さくら内科クリニック", "UKETSUKE-1"), ("1310119153", "うめ歯科", "uketsuke-2")]
    {
        let clinic = stage.clinic(vendor, code, clinic).await;
        stage.host(vendor, clinic, host).await;
    }
    let search = |text: &str| HostQuery { search: Some(text.to_owned()), ..HostQuery::default() };
    assert_eq!(names(&stage, vendor, search("内科")).await, ["UKETSUKE-1"]);
    assert_eq!(names(&stage, vendor, search("ウメ")).await, ["uketsuke-2"]);
    assert_eq!(names(&stage, vendor, search("ＵＫＥ")).await, ["UKETSUKE-1", "uketsuke-2"]);
    assert_eq!(names(&stage, vendor, search("uketsuke 1310")).await, ["uketsuke-2"]);
    assert!(names(&stage, vendor, search("内科 歯科")).await.is_empty());
    assert_eq!(names(&stage, vendor, search("　")).await.len(), 2);
}

pub(crate) async fn wildcards_in_a_search_find_only_themselves(stage: Stage) {
    let vendor = stage.vendor().await;
    let clinic = stage.clinic(vendor, "1710119153", "50%オフ_医院\\").await;
    stage.host(vendor, clinic, "PC").await;
    for (text, found) in [("50%オ", 1), ("フ_医", 1), ("院\\", 1), ("50_", 0), ("%医", 0), ("' OR 1=1 --", 0)] {
        let query = HostQuery { search: Some(text.to_owned()), ..HostQuery::default() };
        assert_eq!(names(&stage, vendor, query).await.len(), found, "{text}");
    }
}

pub(crate) async fn hosts_are_filtered_by_rule_urgency_and_silence(stage: Stage) {
    let vendor = stage.vendor().await;
    let clinic = stage.clinic(vendor, "1710119153", "さくら内科").await;
    let other = stage.clinic(vendor, "1710119154", "うめ歯科").await;
    let both = stage.host(vendor, clinic, "BOTH").await;
    let clock = stage.host(vendor, other, "CLOCK").await;
    stage.host(vendor, clinic, "WELL").await;
    let diagnoses = [silent(Urgency::Now), clock_wrong(Urgency::Watch)];
    stage.db.record_assessment(both.host, &diagnoses, noon(), noon()).await.unwrap();
    stage.db.record_assessment(clock.host, &diagnoses[1..], noon(), noon()).await.unwrap();
    stage.seen(clock.host, noon().plus(8 * DAY)).await;

    let all = HostQuery::default;
    assert_eq!(names(&stage, vendor, HostQuery { rule: Some(Rule::ClockWrong), ..all() }).await, ["BOTH", "CLOCK"]);
    assert_eq!(names(&stage, vendor, HostQuery { rule: Some(Rule::HostSilent), ..all() }).await, ["BOTH"]);
    assert_eq!(names(&stage, vendor, HostQuery { urgency: Some(Urgency::Watch), ..all() }).await, ["BOTH", "CLOCK"]);
    assert_eq!(names(&stage, vendor, HostQuery { urgency: Some(Urgency::Soon), ..all() }).await, [""; 0]);
    assert_eq!(names(&stage, vendor, HostQuery { clinic: Some(other), ..all() }).await, ["CLOCK"]);
    let since = Some(noon().plus(DAY));
    assert_eq!(names(&stage, vendor, HostQuery { silent_since: since, ..all() }).await, ["BOTH", "WELL"]);
    let narrow = HostQuery { silent_since: since, rule: Some(Rule::ClockWrong), clinic: Some(clinic), ..all() };
    assert_eq!(names(&stage, vendor, narrow).await, ["BOTH"]);
}

pub(crate) async fn a_retired_host_leaves_lists_and_counts_and_can_come_back(stage: Stage) {
    let member = stage.member().await;
    let root = Authority::root("Root");
    let leaf = root.leaf("0110119153", noon().plus(5 * DAY));
    stage.report(member, "PC", &[Store::new("MY", &[(&leaf, KeyPresence::Present)])], noon()).await;
    stage.db.record_assessment(member.host, &[silent(Urgency::Now)], noon(), noon()).await.unwrap();
    let set = async |to| {
        assert!(stage.db.set_host_state(member.vendor, member.host, to, new_id(), noon()).await.unwrap());
        let overview = stage.db.find_overview(member.vendor, noon()).await.unwrap();
        let listed = names(&stage, member.vendor, HostQuery::default()).await.len() as u64;
        let query = ClinicQuery::default();
        let clinics = stage.db.list_clinics(member.vendor, &query, &PageRequest::first(9)).await.unwrap();
        let clinic = &clinics.items[0];
        assert_eq!((overview.hosts, overview.hosts_now, overview.within_7), (listed, listed, listed));
        assert_eq!((clinic.hosts, clinic.worst), (listed, (listed == 1).then_some(Urgency::Now)));
        listed
    };
    assert_eq!(set(HostState::Suspended).await, 1);
    assert_eq!(set(HostState::Retired).await, 0);
    let retired = HostQuery { state: Some(HostState::Retired), ..HostQuery::default() };
    assert_eq!(names(&stage, member.vendor, retired.clone()).await, ["PC"]);
    let with_rule = HostQuery { rule: Some(Rule::HostSilent), ..retired };
    assert_eq!(names(&stage, member.vendor, with_rule).await, ["PC"]);
    // A change while it is out of service counts nowhere, and everything counts again when it is back.
    stage
        .db
        .record_assessment(member.host, &[silent(Urgency::Now), clock_wrong(Urgency::Soon)], noon(), noon())
        .await
        .unwrap();
    assert_eq!(set(HostState::Banned).await, 0);
    assert_eq!(set(HostState::Active).await, 1);
    assert_eq!(stage.db.gauges(noon()).await.unwrap().findings, 2);
}

pub(crate) async fn the_timeline_says_who_changed_a_state(stage: Stage) {
    let member = stage.member().await;
    let by = new_id();
    for _ in 0..2 {
        assert!(stage.db.set_host_state(member.vendor, member.host, HostState::Suspended, by, noon()).await.unwrap());
    }
    let events = all_pages(1, |page| {
        let db = &stage.db;
        async move { db.list_events(member.vendor, member.host, &page).await }
    });
    let events = events.await;
    assert_eq!(events.len(), 2);
    assert_eq!((events[0].by, &events[0].what), (Some(by), &Happening::StateChanged { to: HostState::Suspended }));
    assert!(!stage.db.set_host_state(member.vendor, new_id(), HostState::Active, by, noon()).await.unwrap());
}

pub(crate) async fn a_sign_of_life_never_goes_back_in_time(stage: Stage) {
    let member = stage.member().await;
    stage.seen(member.host, noon().plus(DAY)).await;
    stage.seen(member.host, noon()).await;
    stage.seen(HostId::from_uuid(new_id::<inkan_model::id::Host>().as_uuid()), noon()).await;
    let detail = stage.db.find_host(member.vendor, member.host).await.unwrap().unwrap();
    assert_eq!(detail.last_seen, noon().plus(DAY));
    assert_eq!((detail.enrolled_at, detail.reported_at), (noon(), None));
}

pub(crate) async fn a_foreign_cursor_is_refused(stage: Stage) {
    let member = stage.member().await;
    stage.host(member.vendor, member.clinic, "SECOND").await;
    let page = stage.db.list_hosts(member.vendor, &HostQuery::default(), &PageRequest::first(1)).await.unwrap();
    let foreign = PageRequest { after: page.next, limit: 1 };
    let events = stage.db.list_events(member.vendor, member.host, &foreign).await;
    assert!(matches!(events, Err(DbError::InvalidCursor)));
    for text in ["", "!", "W10", "e30", &"A".repeat(100_000)] {
        let request = PageRequest { after: Some(Cursor(text.to_owned())), limit: 1 };
        let hosts = stage.db.list_hosts(member.vendor, &HostQuery::default(), &request).await;
        assert!(matches!(hosts, Err(DbError::InvalidCursor)));
    }
}
