//! Counts come from rollups; here everything is counted anew through the lists, after operations of all kinds in an
//! order that nobody chose.

use std::collections::BTreeMap;

use inkan_core::ports::{
    ClinicQuery, ExpiryDay, FindingQuery, HostQuery, HostRow, InstallationQuery, InstallationRow, NewClinic,
    PrefectureRow, RenewalChange, RenewalQuery, Versioned,
};
use inkan_model::finding::Urgency;
use inkan_model::host::HostState;
use inkan_model::renewal::{PersonTask, Renewal};
use inkan_model::store::KeyPresence;
use inkan_model::{Certificate, Timestamp};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::kit::{
    Authority, DAY, Member, Stage, Store, all_pages, clock_wrong, expiring, new_id, noon, profile, renewal, silent,
};

/// One thing that happens to a small fleet. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum Step {
    Enrol { clinic: usize },
    Report { host: usize, held: Vec<usize> },
    Assess { host: usize, urgencies: [Option<u8>; 3] },
    SetState { host: usize, state: u8 },
    MoveClinic { clinic: usize, prefecture: u8 },
    Renew { host: usize, certificate: usize },
    MoveRenewal { host: usize, to: u8 },
    Seen { host: usize, day: i32 },
}

fn step() -> impl Strategy<Value = Step> {
    let host = || any::<usize>();
    prop_oneof![
        2 => any::<usize>().prop_map(|clinic| Step::Enrol { clinic }),
        4 => (host(), prop::collection::vec(0_usize..8, 0..5)).prop_map(|(host, held)| Step::Report { host, held }),
        4 => (host(), prop::array::uniform3(prop::option::of(0_u8..3)))
            .prop_map(|(host, urgencies)| Step::Assess { host, urgencies }),
        3 => (host(), 0_u8..5).prop_map(|(host, state)| Step::SetState { host, state }),
        1 => (any::<usize>(), 1_u8..4).prop_map(|(clinic, prefecture)| Step::MoveClinic { clinic, prefecture }),
        2 => (host(), 0_usize..8).prop_map(|(host, certificate)| Step::Renew { host, certificate }),
        2 => (host(), 0_u8..3).prop_map(|(host, to)| Step::MoveRenewal { host, to }),
        1 => (host(), 0_i32..20).prop_map(|(host, day)| Step::Seen { host, day }),
    ]
}

struct Play<'s> {
    stage: &'s Stage,
    vendor: inkan_model::VendorId,
    clinics: Vec<NewClinic>,
    leaves: Vec<Certificate>,
    hosts: Vec<Member>,
}

impl<'s> Play<'s> {
    async fn new(stage: &'s Stage) -> Self {
        let vendor = stage.vendor().await;
        let clinic =
            |number| NewClinic { id: new_id(), profile: profile(&format!("171000000{number}"), "医院", "1") };
        let clinics: Vec<_> = (0..3).map(clinic).collect();
        stage.db.record_clinics(vendor, &clinics, noon()).await.unwrap();
        let root = Authority::root("Root");
        // On both sides of now, of seven and of thirty days, some of them on the same day.
        let hours = [-48, -1, 1, 30, 24 * 7 - 1, 24 * 7 + 1, 24 * 30 - 2, 24 * 400];
        let end = |hours: i64| noon().plus(time::Duration::hours(hours));
        let leaves = hours.iter().map(|hours| root.leaf(&format!("leaf {hours}"), end(*hours))).collect();
        Self { stage, vendor, clinics, leaves, hosts: Vec::new() }
    }

    async fn play(&mut self, step: Step) {
        let db = &self.stage.db;
        let host = |number: usize| (!self.hosts.is_empty()).then(|| self.hosts[number % self.hosts.len()]);
        match step {
            Step::Enrol { clinic } => {
                let clinic = self.clinics[clinic % self.clinics.len()].id;
                let name = format!("PC-{}", self.hosts.len() % 4);
                self.hosts.push(self.stage.host(self.vendor, clinic, &name).await);
            }
            Step::Report { host: number, held } => {
                let Some(member) = host(number) else { return };
                let held: Vec<_> = held.iter().map(|number| (&self.leaves[*number], KeyPresence::Present)).collect();
                let (some, rest) = held.split_at(held.len() / 2);
                let stores = [Store::new("MY", some), Store::new("CARD", rest)];
                self.stage.report(member, &format!("PC-{number}"), &stores[..=number % 2], noon()).await;
            }
            Step::Assess { host: number, urgencies } => {
                let Some(member) = host(number) else { return };
                let urgency = |code: u8| [Urgency::Now, Urgency::Soon, Urgency::Watch][usize::from(code)];
                let [leaf, life, clock] = urgencies.map(|code| code.map(urgency));
                let leaf = leaf.map(|urgency| expiring(&self.leaves[0], urgency));
                let diagnoses: Vec<_> =
                    leaf.into_iter().chain(life.map(silent)).chain(clock.map(clock_wrong)).collect();
                db.record_assessment(member.host, &diagnoses, noon(), noon()).await.unwrap();
            }
            Step::SetState { host: number, state } => {
                let Some(member) = host(number) else { return };
                let states = [
                    HostState::Active,
                    HostState::Banned,
                    HostState::ReportOnly,
                    HostState::Retired,
                    HostState::Suspended,
                ];
                let to = states[usize::from(state)];
                db.set_host_state(member.vendor, member.host, to, new_id(), noon()).await.unwrap();
            }
            Step::MoveClinic { clinic, prefecture } => {
                let clinic = &mut self.clinics[clinic % 3];
                clinic.profile.prefecture = prefecture.try_into().unwrap();
                db.record_clinics(self.vendor, std::slice::from_ref(clinic), noon()).await.unwrap();
            }
            Step::Renew { host: number, certificate } => {
                let Some(member) = host(number) else { return };
                db.create_renewal(&renewal(member, &self.leaves[certificate], noon())).await.unwrap();
            }
            Step::MoveRenewal { host: number, to } => {
                let Some(member) = host(number) else { return };
                self.move_renewal(member, to).await;
            }
            Step::Seen { host: number, day } => {
                let Some(member) = host(number) else { return };
                self.stage.seen(member.host, noon().minus(day * DAY)).await;
            }
        }
    }

    async fn move_renewal(&self, member: Member, to: u8) {
        let Some(Versioned { version, value }) = self.stage.db.list_live_renewals(member.host).await.unwrap().pop()
        else {
            return;
        };
        let next: Result<Renewal, _> = match to {
            0 => value.direct(inkan_model::directive::Generation(1), noon()),
            1 => value.ask_person(PersonTask::IssuerUnreachable { issuer: "x".to_owned() }, noon()),
            _ => value.abandon(None, "x".to_owned(), noon()),
        };
        let Ok(value) = next else { return };
        let change =
            RenewalChange { moved: vec![Versioned { version, value }], now: noon(), ..RenewalChange::default() };
        self.stage.db.record_renewals(member.host, &change).await.unwrap();
    }

    async fn hosts_listed(&self, query: HostQuery) -> Vec<HostRow> {
        let rows = all_pages(3, |page| {
            let query = query.clone();
            async move { self.stage.db.list_hosts(self.vendor, &query, &page).await }
        });
        let rows = rows.await;
        assert_eq!(self.stage.db.count_hosts(self.vendor, &query).await.unwrap(), rows.len() as u64);
        rows
    }

    async fn installations_listed(&self) -> Vec<InstallationRow> {
        all_pages(3, |page| async move {
            self.stage.db.list_installations(self.vendor, &InstallationQuery::default(), &page).await
        })
        .await
    }

    /// Everything that is counted, counted anew.
    async fn check(&self) {
        let hosts = self.hosts_listed(HostQuery::default()).await;
        self.check_hosts(&hosts).await;
        self.check_clinics(&hosts).await;
        self.check_installations().await;
        let renewals = all_pages(3, |page| async move {
            self.stage.db.list_renewals(self.vendor, &RenewalQuery::default(), &page).await
        });
        let states: Vec<_> = renewals.await.iter().map(|row| row.renewal.state.name()).collect();
        let live = states.iter().filter(|name| !["closed", "abandoned"].contains(*name)).count() as u64;
        let stuck = states.iter().filter(|name| ["needs_person", "failed"].contains(*name)).count() as u64;
        let overview = self.stage.db.find_overview(self.vendor, noon()).await.unwrap();
        assert_eq!((overview.renewals_live, overview.renewals_stuck), (live, stuck));
        let gauges = self.stage.db.gauges(noon()).await.unwrap();
        assert_eq!((gauges.live_renewals, gauges.hosts), (live, hosts.len() as u64));
    }

    async fn check_hosts(&self, hosts: &[HostRow]) {
        let count = |keep: &dyn Fn(&HostRow) -> bool| hosts.iter().filter(|host| keep(host)).count() as u64;
        let overview = self.stage.db.find_overview(self.vendor, noon()).await.unwrap();
        assert_eq!(overview.hosts, hosts.len() as u64);
        assert_eq!(overview.report_only, count(&|host| host.state == HostState::ReportOnly));
        assert_eq!(overview.hosts_now, count(&|host| host.worst == Some(Urgency::Now)));
        assert_eq!(overview.hosts_well, count(&|host| host.worst.is_none()));
        assert_eq!(overview.silent, count(&|host| host.last_seen <= noon().minus(7 * DAY)));
        let silent = HostQuery { silent_since: Some(noon().minus(7 * DAY)), ..HostQuery::default() };
        assert_eq!(overview.silent, self.hosts_listed(silent).await.len() as u64);
        let mut in_states = 0;
        for state in
            [HostState::Active, HostState::ReportOnly, HostState::Suspended, HostState::Retired, HostState::Banned]
        {
            in_states += self.hosts_listed(HostQuery { state: Some(state), ..HostQuery::default() }).await.len();
        }
        assert_eq!(in_states, self.hosts.len());
        let findings = all_pages(3, |page| async move {
            self.stage.db.list_findings(self.vendor, &FindingQuery::default(), &page).await
        });
        let findings = findings.await;
        assert_eq!(self.stage.db.gauges(noon()).await.unwrap().findings, findings.len() as u64);
        for host in hosts {
            let own: Vec<_> = findings.iter().filter(|finding| finding.host == host.id).collect();
            assert_eq!(host.findings as usize, own.len());
            assert_eq!(host.worst, own.iter().map(|finding| finding.diagnosis.urgency).min());
        }
    }

    async fn check_clinics(&self, hosts: &[HostRow]) {
        let clinics = all_pages(2, |page| async move {
            self.stage.db.list_clinics(self.vendor, &ClinicQuery::default(), &page).await
        });
        let clinics = clinics.await;
        let mut prefectures: BTreeMap<_, (u64, Option<Urgency>)> = BTreeMap::new();
        for row in &clinics {
            let own: Vec<_> = hosts.iter().filter(|host| host.clinic == row.clinic.id).collect();
            let worst = own.iter().filter_map(|host| host.worst).min();
            assert_eq!((row.hosts, row.worst), (own.len() as u64, worst));
            assert!(own.iter().all(|host| host.prefecture == row.clinic.profile.prefecture));
            let (clinics, of_all) = prefectures.entry(row.clinic.profile.prefecture).or_default();
            *clinics += 1;
            *of_all = [*of_all, worst].into_iter().flatten().min();
        }
        let expected: Vec<_> = prefectures
            .into_iter()
            .map(|(prefecture, (clinics, worst))| PrefectureRow { prefecture, clinics, worst })
            .collect();
        assert_eq!(self.stage.db.list_prefectures(self.vendor).await.unwrap(), expected);
        let overview = self.stage.db.find_overview(self.vendor, noon()).await.unwrap();
        assert_eq!(overview.clinics, clinics.len() as u64);
    }

    async fn check_installations(&self) {
        let rows = self.installations_listed().await;
        let ends: Vec<_> = rows.iter().map(|row| row.facts.not_after).collect();
        assert!(ends.is_sorted());
        let between =
            |from: Timestamp, to: Timestamp| ends.iter().filter(|end| (from..to).contains(end)).count() as u64;
        let overview = self.stage.db.find_overview(self.vendor, noon()).await.unwrap();
        assert_eq!(overview.expired, between(Timestamp::from_unix_millis(0), noon()));
        assert_eq!(overview.within_7, between(noon(), noon().plus(7 * DAY)));
        assert_eq!(overview.within_30, between(noon(), noon().plus(30 * DAY)));
        let all = self.stage.db.count_installations(self.vendor, &InstallationQuery::default()).await.unwrap();
        assert_eq!(all, ends.len() as u64);
        let mut days: BTreeMap<i32, u64> = BTreeMap::new();
        for end in &ends {
            let day = (end.as_unix_millis() + 9 * 3_600_000).div_euclid(86_400_000);
            *days.entry(i32::try_from(day).unwrap()).or_default() += 1;
        }
        let expected: Vec<_> = days.into_iter().map(|(day, installations)| ExpiryDay { day, installations }).collect();
        assert_eq!(self.stage.db.list_expiry_days(self.vendor, 0, u16::MAX).await.unwrap(), expected);
        for host in self.hosts_listed(HostQuery::default()).await {
            let own: Vec<_> = rows.iter().filter(|row| row.host == host.id).collect();
            assert_eq!(host.installations as usize, own.len());
            assert_eq!(host.next_expiry, own.iter().map(|row| row.facts.not_after).min());
        }
    }
}

pub(crate) async fn the_overview_counts_what_the_lists_hold(stage: Stage) {
    let steps = prop::collection::vec(step(), 30);
    let mut runner = TestRunner::deterministic();
    // Several vendors on one database: each must count its own things only.
    for round in 0..8 {
        let mut play = Play::new(&stage).await;
        let mut played = Vec::new();
        for step in steps.new_tree(&mut runner).unwrap().current() {
            played.push(step.clone());
            play.play(step).await;
        }
        // Shown when the check fails.
        println!("round {round}: {played:?}");
        play.check().await;
        retire_all(&play).await;
    }
}

/// Out of service, a fleet of before does not disturb the gauges, which count all vendors.
async fn retire_all(play: &Play<'_>) {
    for member in &play.hosts {
        let db = &play.stage.db;
        db.set_host_state(member.vendor, member.host, HostState::Retired, new_id(), noon()).await.unwrap();
        for Versioned { version, value } in db.list_live_renewals(member.host).await.unwrap() {
            let value = value.abandon(None, "over".to_owned(), noon()).unwrap();
            let change =
                RenewalChange { moved: vec![Versioned { version, value }], now: noon(), ..RenewalChange::default() };
            db.record_renewals(member.host, &change).await.unwrap();
        }
    }
}

pub(crate) async fn days_and_weeks_end_where_the_lists_say(stage: Stage) {
    let mut play = Play::new(&stage).await;
    play.play(Step::Enrol { clinic: 0 }).await;
    play.play(Step::Report { host: 0, held: (0..8).collect() }).await;
    play.play(Step::Report { host: 1, held: (0..8).collect() }).await;
    let overview = stage.db.find_overview(play.vendor, noon()).await.unwrap();
    assert_eq!((overview.expired, overview.within_7, overview.within_30), (2, 3, 5));
    let query = InstallationQuery {
        expires_from: Some(noon()),
        expires_before: Some(noon().plus(7 * DAY)),
        ..InstallationQuery::default()
    };
    assert_eq!(stage.db.count_installations(play.vendor, &query).await.unwrap(), overview.within_7);
    play.check().await;
}
