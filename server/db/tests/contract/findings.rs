use inkan_core::ports::{AssessmentRecord, FindingQuery, PageRequest};
use inkan_model::event::Happening;
use inkan_model::finding::{Rule, Subject, Urgency};
use inkan_model::store::KeyPresence;
use inkan_model::sync::state_digest;

use crate::kit::{Authority, DAY, MINUTE, Stage, Store, all_pages, clock_wrong, expiring, noon, renewal, silent};

pub(crate) async fn findings_open_change_and_close_by_themselves(stage: Stage) {
    let member = stage.member().await;
    let leaf = Authority::root("Root").leaf("0110119153", noon().plus(20 * DAY));
    let assess = async |diagnoses: &[_]| {
        stage.db.record_assessment(member.host, diagnoses, noon().plus(DAY), noon()).await.unwrap()
    };
    let opened = assess(&[expiring(&leaf, Urgency::Watch), silent(Urgency::Soon)]).await;
    assert_eq!(opened, AssessmentRecord { opened: 2, closed: 0, changed: 0 });
    let same = assess(&[silent(Urgency::Soon), expiring(&leaf, Urgency::Watch)]).await;
    assert_eq!(same, AssessmentRecord::default());
    let moved = assess(&[expiring(&leaf, Urgency::Now), clock_wrong(Urgency::Soon)]).await;
    assert_eq!(moved, AssessmentRecord { opened: 1, closed: 1, changed: 1 });

    let detail = stage.db.find_host(member.vendor, member.host).await.unwrap().unwrap();
    assert_eq!(detail.findings, [expiring(&leaf, Urgency::Now), clock_wrong(Urgency::Soon)]);
    let events = stage.db.list_events(member.vendor, member.host, &PageRequest::first(10)).await.unwrap().items;
    let last: Vec<_> = events.iter().take(2).map(|event| &event.what).collect();
    // Within one transaction too, the timeline keeps the order in which things happened.
    assert_eq!(
        last,
        [
            &Happening::FindingOpened { subject: Subject::ClockWrong },
            &Happening::FindingClosed { subject: Subject::HostSilent },
        ]
    );
    assert!(stage.db.list_hosts_to_review(noon().plus(DAY).minus(MINUTE), 10).await.unwrap().is_empty());
    assert_eq!(stage.db.list_hosts_to_review(noon().plus(DAY), 10).await.unwrap(), [member.host]);
}

pub(crate) async fn the_most_urgent_finding_of_a_clinic_comes_first(stage: Stage) {
    let vendor = stage.vendor().await;
    let second = stage.clinic(vendor, "2000000000", "二").await;
    let first = stage.clinic(vendor, "1000000000", "一").await;
    let leaf = Authority::root("Root").leaf("leaf", noon().plus(DAY));
    let (one, two) = (stage.host(vendor, first, "ONE").await, stage.host(vendor, second, "TWO").await);
    stage.report(two, "TWO", &[Store::new("MY", &[(&leaf, KeyPresence::Present)])], noon()).await;
    let diagnoses = [expiring(&leaf, Urgency::Now), clock_wrong(Urgency::Soon)];
    stage.db.record_assessment(two.host, &diagnoses, noon(), noon()).await.unwrap();
    stage.db.record_assessment(one.host, &diagnoses[1..], noon(), noon()).await.unwrap();
    let live = renewal(two, &leaf, noon());
    stage.db.create_renewal(&live).await.unwrap();

    let list = async |query: FindingQuery| {
        let rows = all_pages(1, |page| {
            let (db, query) = (&stage.db, query.clone());
            async move { db.list_findings(vendor, &query, &page).await }
        });
        rows.await
            .into_iter()
            .map(|row| (row.host_name, row.diagnosis.subject.rule(), row.live_renewal))
            .collect::<Vec<_>>()
    };
    let [expiring, clock_one, clock_two] = [
        ("TWO".to_owned(), Rule::CertificateExpiring, Some(live.id)),
        ("ONE".to_owned(), Rule::ClockWrong, None),
        ("TWO".to_owned(), Rule::ClockWrong, None),
    ];
    let all = [expiring.clone(), clock_one.clone(), clock_two.clone()];
    assert_eq!(list(FindingQuery::default()).await, all);
    let clock = FindingQuery { rule: Some(Rule::ClockWrong), ..FindingQuery::default() };
    assert_eq!(list(clock).await, [clock_one.clone(), clock_two.clone()]);
    let now = FindingQuery { urgency: Some(Urgency::Now), ..FindingQuery::default() };
    assert_eq!(list(now).await, all[..1]);
    assert_eq!(list(FindingQuery { clinic: Some(first), ..FindingQuery::default() }).await, [clock_one]);
    assert_eq!(list(FindingQuery { host: Some(two.host), ..FindingQuery::default() }).await, [expiring, clock_two]);
}

pub(crate) async fn a_report_during_an_assessment_stays_due_for_review(stage: Stage) {
    let member = stage.member().await;
    let began = noon();
    let report = stage.prepare("PC", &[]).await;
    stage.db.record_report(member.host, &report, state_digest(&report), noon().plus(MINUTE)).await.unwrap();
    stage.db.record_assessment(member.host, &[], noon().plus(30 * DAY), began).await.unwrap();
    assert_eq!(stage.db.list_hosts_to_review(noon().plus(MINUTE), 10).await.unwrap(), [member.host]);
}
