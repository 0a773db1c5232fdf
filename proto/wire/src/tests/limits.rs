//! One beyond each limit is refused by the name of its field; exactly the limit passes.

use inkan_model::host::HostFacts;
use inkan_model::limits::{
    CERTIFICATE_BYTES, CHAIN_CERTIFICATES, CHECK_RESULTS, CHECK_TEXT, DIRECTED_CHECKUPS, DIRECTED_RENEWALS, LACKS,
    LOCATIONS, LONG_TEXT, OUTCOMES, PROGRAMME_ID, PROGRAMME_LIST, READ_ERRORS, REQUEST_BYTES, SET_ENTRIES, SHORT_TEXT,
    SMALL_BYTES, UPLOAD_ITEMS, USERS,
};
use inkan_model::store::StoreSet;
use inkan_model::sync::{SyncAnswer, SyncReport};

use crate::pb;
use crate::pb::outcome::Result as Wire;
use crate::{
    BeginRecovery, Enroll, Enrolled, IdentityChain, InvalidMessage, Recover, RecoveryNonce, RenewIdentity, Upload,
};

/// One row of the table: a message whose one field has a size, the refusal's field, and the largest size that passes.
struct Row {
    field: &'static str,
    limit: usize,
    convert: fn(usize) -> Result<(), InvalidMessage>,
}

fn text(length: usize) -> String {
    "診".repeat(length)
}

fn converted<V, P>(message: P) -> Result<(), InvalidMessage>
where
    V: TryFrom<P, Error = InvalidMessage>,
{
    V::try_from(message).map(|_| ())
}

fn facts() -> pb::HostFacts {
    HostFacts { host_name: "pc".to_owned(), ..HostFacts::default() }.into()
}

fn location(number: usize) -> pb::Location {
    pb::Location { kind: 3, user: String::new(), path: format!("/{number}") }
}

fn state(number: usize) -> pb::LocationState {
    pb::LocationState { location: Some(location(number)), set: vec![0; 32], errors: Vec::new() }
}

fn sync(report: pb::HostReport) -> Result<(), InvalidMessage> {
    converted::<SyncReport, _>(pb::SyncRequest { state: vec![0; 32], report: Some(report), ..Default::default() })
}

fn with_facts(facts: pb::HostFacts) -> Result<(), InvalidMessage> {
    sync(pb::HostReport { facts: Some(facts), locations: Vec::new() })
}

fn with_state(state: pb::LocationState) -> Result<(), InvalidMessage> {
    sync(pb::HostReport { facts: Some(facts()), locations: vec![state] })
}

fn with_location(location: pb::Location) -> Result<(), InvalidMessage> {
    with_state(pb::LocationState { location: Some(location), ..state(0) })
}

fn with_error(item: String, detail: String) -> Result<(), InvalidMessage> {
    with_state(pb::LocationState { errors: vec![pb::ReadError { kind: 1, item, detail }], ..state(0) })
}

fn entry(sequence: u64, result: Wire) -> pb::SpoolEntry {
    let outcome = pb::Outcome { renewal: vec![1; 16], result: Some(result) };
    pb::SpoolEntry { sequence, at_ms: 0, told: Some(pb::spool_entry::Told::Outcome(outcome)) }
}

fn check_result(statement: String, remedy: String) -> pb::CheckResult {
    let both = |text: String| Some(pb::Bilingual { ja: text, en: "x".to_owned() });
    pb::CheckResult { check: 1, status: 1, statement: both(statement), remedy: both(remedy) }
}

fn with_results(results: Vec<pb::CheckResult>) -> Result<(), InvalidMessage> {
    let checkup = pb::CheckupOutcome { checkup: vec![1; 16], examined_at_ms: 0, results };
    let told = Some(pb::spool_entry::Told::Checkup(checkup));
    with_entries(vec![pb::SpoolEntry { sequence: 1, at_ms: 0, told }])
}

fn programme() -> pb::Programme {
    let names = Some(pb::Bilingual { ja: "x".to_owned(), en: "x".to_owned() });
    pb::Programme { id: "x".to_owned(), names, ..Default::default() }
}

fn with_checkups(checkups: Vec<pb::CheckupDirective>) -> Result<(), InvalidMessage> {
    let directives = Some(pb::Directives { generation: 1, checkups, ..Default::default() });
    converted::<SyncAnswer, _>(pb::SyncResponse { directives, ..Default::default() })
}

fn with_programme(programme: pb::Programme) -> Result<(), InvalidMessage> {
    with_checkups(vec![pb::CheckupDirective { checkup: vec![1; 16], programme: Some(programme) }])
}

fn with_checks(checks: pb::ProgrammeChecks) -> Result<(), InvalidMessage> {
    with_programme(pb::Programme { checks: Some(checks), ..programme() })
}

fn with_recognise(recognise: pb::Recognise) -> Result<(), InvalidMessage> {
    with_programme(pb::Programme { recognise: Some(recognise), ..programme() })
}

fn wanted() -> pb::WantedAnchor {
    pb::WantedAnchor { common_name: "x".to_owned(), sha256: None, place: 1 }
}

fn installed(sequence: u64) -> pb::SpoolEntry {
    entry(sequence, Wire::Installed(pb::OutcomeInstalled { new: vec![0; 32] }))
}

fn with_entries(entries: Vec<pb::SpoolEntry>) -> Result<(), InvalidMessage> {
    converted::<SyncReport, _>(pb::SyncRequest { state: vec![0; 32], entries, ..Default::default() })
}

fn with_proof(signature: Vec<u8>, target: String, detail: String) -> Result<(), InvalidMessage> {
    let probe = Some(pb::ProbeResult { target, accepted: true, detail });
    with_entries(vec![entry(1, Wire::Proven(pb::OutcomeProven { new: vec![0; 32], signature, probe }))])
}

fn with_lacks(lacks: pb::Lacks) -> Result<(), InvalidMessage> {
    converted::<SyncAnswer, _>(pb::SyncResponse { lacks: Some(lacks), ..Default::default() })
}

fn directive(want: pb::renewal_directive::Want) -> pb::RenewalDirective {
    pb::RenewalDirective { renewal: vec![1; 16], location: Some(location(0)), old: vec![0; 32], want: Some(want) }
}

fn with_renewals(renewals: Vec<pb::RenewalDirective>) -> Result<(), InvalidMessage> {
    let directives = Some(pb::Directives { generation: 1, renewals, ..Default::default() });
    converted::<SyncAnswer, _>(pb::SyncResponse { directives, ..Default::default() })
}

fn install() -> pb::WantInstall {
    pb::WantInstall { chain: vec![vec![1]], challenge: vec![1], probe: None }
}

fn with_install(install: pb::WantInstall) -> Result<(), InvalidMessage> {
    with_renewals(vec![directive(pb::renewal_directive::Want::Install(install))])
}

fn with_probe(host: String, port: u32, anchor: Option<Vec<u8>>) -> Result<(), InvalidMessage> {
    with_install(pb::WantInstall { probe: Some(pb::ProbeTarget { host, port, anchor }), ..install() })
}

fn unreadable(number: usize) -> pb::SetEntry {
    let entry = pb::UnreadableEntry { sha256: Vec::new(), name: None, why: number.to_string() };
    pb::SetEntry { entry: Some(pb::set_entry::Entry::Unreadable(entry)) }
}

fn with_set(count: usize) -> Result<(), InvalidMessage> {
    let entries: Vec<_> = (0..count).map(unreadable).collect();
    let set = StoreSet::new(entries.iter().cloned().map(|entry| entry.try_into().unwrap()).collect());
    let set = pb::StoreSet { digest: set.digest().as_bytes().to_vec(), entries };
    converted::<Upload, _>(pb::UploadRequest { sets: vec![set], ..Default::default() })
}

fn with_delta(added: Vec<pb::SetEntry>, removed: Vec<pb::SetEntry>) -> Result<(), InvalidMessage> {
    let delta = pb::SetDelta { digest: vec![0; 32], base: vec![0; 32], added, removed };
    converted::<Upload, _>(pb::UploadRequest { deltas: vec![delta], ..Default::default() })
}

fn with_entry(entry: pb::set_entry::Entry) -> Result<(), InvalidMessage> {
    with_delta(vec![pb::SetEntry { entry: Some(entry) }], Vec::new())
}

fn with_certificates(certificates: Vec<Vec<u8>>) -> Result<(), InvalidMessage> {
    converted::<Upload, _>(pb::UploadRequest { certificates, ..Default::default() })
}

fn enroll() -> pb::EnrollRequest {
    let token = inkan_model::join_token::JoinTokenSecret::new([1; 32]).reveal();
    pb::EnrollRequest { token, csr: vec![1], facts: Some(facts()), machine_binding: vec![0; 32] }
}

fn enrolled(chain: Vec<Vec<u8>>, server_url: String) -> Result<(), InvalidMessage> {
    converted::<Enrolled, _>(pb::EnrollResponse { chain, server_url, ..Default::default() })
}

fn recover(certificate: usize, nonce: usize, signature: usize) -> Result<(), InvalidMessage> {
    let message =
        pb::RecoverRequest { certificate: vec![1; certificate], nonce: vec![1; nonce], signature: vec![1; signature] };
    converted::<Recover, _>(message)
}

macro_rules! rows {
    ($($field:literal, $limit:expr, $convert:expr;)*) => {
        [$(Row { field: $field, limit: $limit, convert: $convert }),*]
    };
}

fn check(rows: &[Row]) {
    for Row { field, limit, convert } in rows {
        assert_eq!(convert(*limit), Ok(()), "{field} at its limit");
        let refused = convert(limit + 1).expect_err(field);
        assert_eq!(refused.field, *field, "{refused}");
    }
}

#[test]
fn one_beyond_each_limit_of_a_report_is_refused_by_the_name_of_its_field() {
    check(&rows! {
        "entries", OUTCOMES, |n| {
            with_entries((1..=n as u64).map(installed).collect())
        };
        "entries[0].outcome.requested.csr", REQUEST_BYTES, |n| {
            with_entries(vec![entry(1, Wire::Requested(pb::OutcomeRequested { csr: vec![1; n] }))])
        };
        "entries[0].outcome.proven.signature", SMALL_BYTES, |n| with_proof(vec![1; n], text(1), text(1));
        "entries[0].outcome.proven.probe.target", LONG_TEXT, |n| with_proof(vec![1], text(n), text(1));
        "entries[0].outcome.proven.probe.detail", LONG_TEXT, |n| with_proof(vec![1], text(1), text(n));
        "entries[0].outcome.failed.why", LONG_TEXT, |n| {
            with_entries(vec![entry(1, Wire::Failed(pb::OutcomeFailed { step: 1, why: text(n), retry: true }))])
        };
        "entries[0].checkup.results", CHECK_RESULTS, |n| with_results(vec![check_result(text(1), text(1)); n]);
        "entries[0].checkup.results[0].statement.ja", CHECK_TEXT, |n| {
            with_results(vec![check_result(text(n), text(1))])
        };
        "entries[0].checkup.results[0].remedy.ja", CHECK_TEXT, |n| with_results(vec![check_result(text(1), text(n))]);
        "report.facts.host_name", SHORT_TEXT, |n| with_facts(pb::HostFacts { host_name: text(n), ..facts() });
        "report.facts.os", SHORT_TEXT, |n| with_facts(pb::HostFacts { os: text(n), ..facts() });
        "report.facts.os_version", SHORT_TEXT, |n| with_facts(pb::HostFacts { os_version: text(n), ..facts() });
        "report.facts.kernel", SHORT_TEXT, |n| with_facts(pb::HostFacts { kernel: text(n), ..facts() });
        "report.facts.architecture", SHORT_TEXT, |n| with_facts(pb::HostFacts { architecture: text(n), ..facts() });
        "report.facts.agent_version", SHORT_TEXT, |n| with_facts(pb::HostFacts { agent_version: text(n), ..facts() });
        "report.facts.model", SHORT_TEXT, |n| with_facts(pb::HostFacts { model: Some(text(n)), ..facts() });
        "report.facts.time_zone", SHORT_TEXT, |n| with_facts(pb::HostFacts { time_zone: Some(text(n)), ..facts() });
        "report.facts.users", USERS, |n| with_facts(pb::HostFacts { users: vec![text(1); n], ..facts() });
        "report.facts.users[1]", SHORT_TEXT, |n| with_facts(pb::HostFacts { users: vec![text(1), text(n)], ..facts() });
        "report.locations", LOCATIONS, |n| {
            sync(pb::HostReport { facts: Some(facts()), locations: (0..n).map(state).collect() })
        };
        "report.locations[0].location.user", SHORT_TEXT, |n| {
            with_location(pb::Location { user: text(n), ..location(0) })
        };
        "report.locations[0].location.path", LONG_TEXT, |n| {
            with_location(pb::Location { path: text(n), ..location(0) })
        };
        "report.locations[0].set", 32, |n| with_state(pb::LocationState { set: vec![0; n], ..state(0) });
        "report.locations[0].errors", READ_ERRORS, |n| {
            with_state(pb::LocationState { errors: vec![pb::ReadError::default(); n], ..state(0) })
        };
        "report.locations[0].errors[0].item", LONG_TEXT, |n| with_error(text(n), text(1));
        "report.locations[0].errors[0].detail", LONG_TEXT, |n| with_error(text(1), text(n));
        "state", 32, |n| converted::<SyncReport, _>(pb::SyncRequest { state: vec![0; n], ..Default::default() });
    });
}

#[test]
fn one_beyond_each_limit_of_an_answer_is_refused_by_the_name_of_its_field() {
    check(&rows! {
        "lacks.sets", LACKS, |n| with_lacks(pb::Lacks { sets: vec![vec![0; 32]; n], ..Default::default() });
        "lacks.sets[0]", 32, |n| with_lacks(pb::Lacks { sets: vec![vec![0; n]], ..Default::default() });
        "lacks.certificates", LACKS, |n| {
            with_lacks(pb::Lacks { certificates: vec![vec![0; 32]; n], ..Default::default() })
        };
        "lacks.certificates[0]", 32, |n| with_lacks(pb::Lacks { certificates: vec![vec![0; n]], ..Default::default() });
        "directives.renewals", DIRECTED_RENEWALS, |n| {
            with_renewals(vec![directive(pb::renewal_directive::Want::Request(pb::WantRequest {})); n])
        };
        "directives.checkups", DIRECTED_CHECKUPS, |n| {
            with_checkups(vec![pb::CheckupDirective { checkup: vec![1; 16], programme: None }; n])
        };
        "directives.checkups[0].checkup", 16, |n| {
            with_checkups(vec![pb::CheckupDirective { checkup: vec![1; n], programme: None }])
        };
        "directives.checkups[0].programme.id", PROGRAMME_ID, |n| {
            with_programme(pb::Programme { id: "x".repeat(n), ..programme() })
        };
        "directives.checkups[0].programme.names.en", SHORT_TEXT, |n| {
            with_programme(pb::Programme { names: Some(pb::Bilingual { ja: text(1), en: text(n) }), ..programme() })
        };
        "directives.checkups[0].programme.anchors", PROGRAMME_LIST, |n| {
            with_programme(pb::Programme { anchors: vec![wanted(); n], ..programme() })
        };
        "directives.checkups[0].programme.anchors[0].common_name", SHORT_TEXT, |n| {
            let anchor = pb::WantedAnchor { common_name: text(n), ..wanted() };
            with_programme(pb::Programme { anchors: vec![anchor], ..programme() })
        };
        "directives.checkups[0].programme.anchors[0].sha256", 32, |n| {
            let anchor = pb::WantedAnchor { sha256: Some(vec![0; n]), ..wanted() };
            with_programme(pb::Programme { anchors: vec![anchor], ..programme() })
        };
        "directives.checkups[0].programme.recognise.issuer_contains", PROGRAMME_LIST, |n| {
            with_recognise(pb::Recognise { issuer_contains: vec![text(1); n], ..Default::default() })
        };
        "directives.checkups[0].programme.recognise.subject_contains[0]", SHORT_TEXT, |n| {
            with_recognise(pb::Recognise { subject_contains: vec![text(n)], ..Default::default() })
        };
        "directives.checkups[0].programme.checks.sites", PROGRAMME_LIST, |n| {
            with_checks(pb::ProgrammeChecks { sites: vec!["https://a.test".to_owned(); n], ..Default::default() })
        };
        "directives.checkups[0].programme.checks.proxy_exceptions[0]", SHORT_TEXT, |n| {
            with_checks(pb::ProgrammeChecks { proxy_exceptions: vec![text(n)], ..Default::default() })
        };
        "directives.checkups[0].programme.checks.closed_browsers", PROGRAMME_LIST, |n| {
            with_checks(pb::ProgrammeChecks { closed_browsers: vec![text(1); n], ..Default::default() })
        };
        "directives.renewals[0].install.chain", CHAIN_CERTIFICATES, |n| {
            with_install(pb::WantInstall { chain: vec![vec![1]; n], ..install() })
        };
        "directives.renewals[0].install.chain[0]", CERTIFICATE_BYTES, |n| {
            with_install(pb::WantInstall { chain: vec![vec![1; n]], ..install() })
        };
        "directives.renewals[0].install.challenge", SMALL_BYTES, |n| {
            with_install(pb::WantInstall { challenge: vec![1; n], ..install() })
        };
        "directives.renewals[0].install.probe.host", SHORT_TEXT, |n| with_probe(text(n), 443, None);
        "directives.renewals[0].install.probe.port", 65_535, |n| with_probe(text(1), u32::try_from(n).unwrap(), None);
        "directives.renewals[0].install.probe.anchor", CERTIFICATE_BYTES, |n| {
            with_probe(text(1), 443, Some(vec![1; n]))
        };
        "directives.renewals[0].archive_old.new", 32, |n| {
            let want = pb::renewal_directive::Want::ArchiveOld(pb::WantArchiveOld { new: vec![0; n] });
            with_renewals(vec![directive(want)])
        };
    });
}

#[test]
fn one_beyond_each_limit_of_an_upload_is_refused_by_the_name_of_its_field() {
    use pb::set_entry::Entry;
    check(&rows! {
        "sets, deltas and certificates", UPLOAD_ITEMS, |n| with_certificates(vec![vec![1]; n]);
        "certificates[0]", CERTIFICATE_BYTES, |n| with_certificates(vec![vec![1; n]]);
        "sets[0].entries", SET_ENTRIES, with_set;
        "deltas[0].added", SET_ENTRIES, |n| with_delta(vec![unreadable(0); n], Vec::new());
        "deltas[0].removed", SET_ENTRIES, |n| with_delta(Vec::new(), vec![unreadable(0); n]);
        "deltas[0].added[0].certificate.sha256", 32, |n| {
            with_entry(Entry::Certificate(pb::CertificateEntry { sha256: vec![0; n], key: 1, name: None, properties: None }))
        };
        "deltas[0].added[0].certificate.name", LONG_TEXT, |n| {
            with_entry(Entry::Certificate(pb::CertificateEntry { sha256: vec![0; 32], key: 1, name: Some(text(n)), properties: None }))
        };
        "deltas[0].added[0].unreadable.sha256", 32, |n| {
            with_entry(Entry::Unreadable(pb::UnreadableEntry { sha256: vec![0; n], ..Default::default() }))
        };
        "deltas[0].added[0].unreadable.name", LONG_TEXT, |n| {
            with_entry(Entry::Unreadable(pb::UnreadableEntry { name: Some(text(n)), ..Default::default() }))
        };
        "deltas[0].added[0].unreadable.why", LONG_TEXT, |n| {
            with_entry(Entry::Unreadable(pb::UnreadableEntry { why: text(n), ..Default::default() }))
        };
    });
}

#[test]
fn one_beyond_each_limit_of_an_enrolment_is_refused_by_the_name_of_its_field() {
    check(&rows! {
        "csr", REQUEST_BYTES, |n| converted::<Enroll, _>(pb::EnrollRequest { csr: vec![1; n], ..enroll() });
        "machine_binding", 32, |n| {
            converted::<Enroll, _>(pb::EnrollRequest { machine_binding: vec![0; n], ..enroll() })
        };
        "facts.host_name", SHORT_TEXT, |n| {
            let facts = pb::HostFacts { host_name: text(n), ..facts() };
            converted::<Enroll, _>(pb::EnrollRequest { facts: Some(facts), ..enroll() })
        };
        "chain", CHAIN_CERTIFICATES, |n| enrolled(vec![vec![1]; n], "https://a".to_owned());
        "chain[0]", CERTIFICATE_BYTES, |n| enrolled(vec![vec![1; n]], "https://a".to_owned());
        "server_url", LONG_TEXT, |n| enrolled(vec![vec![1]], format!("https://{}", text(n - 8)));
        "certificate", CERTIFICATE_BYTES, |n| recover(n, 1, 1);
        "nonce", SMALL_BYTES, |n| recover(1, n, 1);
        "signature", SMALL_BYTES, |n| recover(1, 1, n);
        "certificate", CERTIFICATE_BYTES, |n| {
            converted::<BeginRecovery, _>(pb::BeginRecoveryRequest { certificate: vec![1; n] })
        };
        "nonce", SMALL_BYTES, |n| converted::<RecoveryNonce, _>(pb::BeginRecoveryResponse { nonce: vec![1; n] });
        "csr", REQUEST_BYTES, |n| converted::<RenewIdentity, _>(pb::RenewIdentityRequest { csr: vec![1; n] });
        "chain", CHAIN_CERTIFICATES, |n| {
            converted::<IdentityChain, _>(pb::RenewIdentityResponse { chain: vec![vec![1]; n] })
        };
    });
}

#[test]
fn what_must_be_there_is_missed_by_the_name_of_its_field() {
    let missed = [
        ("report.facts", sync(pb::HostReport::default())),
        ("report.facts.host_name", with_facts(pb::HostFacts { host_name: " ".to_owned(), ..facts() })),
        ("report.facts.users[0]", with_facts(pb::HostFacts { users: vec![String::new()], ..facts() })),
        ("report.locations[0].location", with_state(pb::LocationState { location: None, ..state(0) })),
        ("report.locations[0].location.path", with_location(pb::Location { path: String::new(), ..location(0) })),
        ("entries[0].outcome", with_entries(vec![pb::SpoolEntry { sequence: 1, at_ms: 0, told: None }])),
        ("entries[0].checkup.results[0].statement", with_results(vec![pb::CheckResult::default()])),
        ("entries[0].checkup.results[0].statement.ja", with_results(vec![check_result(String::new(), text(1))])),
        ("directives.checkups[0].programme.names", with_programme(pb::Programme { names: None, ..programme() })),
        ("directives.checkups[0].programme.recognise", with_recognise(pb::Recognise::default())),
        (
            "directives.checkups[0].programme.checks.sites[0]",
            with_checks(pb::ProgrammeChecks { sites: vec!["http://a.test".to_owned()], ..Default::default() }),
        ),
        (
            "directives.checkups[0].programme.checks.minimum_tls",
            with_checks(pb::ProgrammeChecks { minimum_tls: Some("9".to_owned()), ..Default::default() }),
        ),
        ("entries[0].sequence", with_entries(vec![pb::SpoolEntry::default()])),
        (
            "directives.renewals[0].want",
            with_renewals(vec![pb::RenewalDirective {
                want: None,
                ..directive(pb::renewal_directive::Want::Request(pb::WantRequest {}))
            }]),
        ),
        ("directives.renewals[0].install.chain", with_install(pb::WantInstall { chain: Vec::new(), ..install() })),
        (
            "directives.renewals[0].install.chain[0]",
            with_install(pb::WantInstall { chain: vec![Vec::new()], ..install() }),
        ),
        ("directives.renewals[0].install.probe.port", with_probe(text(1), 0, None)),
        ("deltas[0].added[0].entry", with_delta(vec![pb::SetEntry { entry: None }], Vec::new())),
        ("token", converted::<Enroll, _>(pb::EnrollRequest { token: "x".repeat(300), ..enroll() })),
        ("token", converted::<Enroll, _>(pb::EnrollRequest { token: "mistyped".to_owned(), ..enroll() })),
        ("csr", converted::<Enroll, _>(pb::EnrollRequest { csr: Vec::new(), ..enroll() })),
        ("facts", converted::<Enroll, _>(pb::EnrollRequest { facts: None, ..enroll() })),
        ("server_url", enrolled(vec![vec![1]], "http://a".to_owned())),
    ];
    for (field, outcome) in missed {
        assert_eq!(outcome.expect_err(field).field, field);
    }
}

#[test]
fn a_location_that_comes_twice_in_one_report_is_refused() {
    let locations = vec![state(0), state(1), state(0)];
    let refused = sync(pb::HostReport { facts: Some(facts()), locations }).unwrap_err();
    assert_eq!(refused.to_string(), "report.locations[2].location: is the same as that of locations[0]");
}

#[test]
fn a_set_that_is_not_what_its_digest_says_is_refused() {
    let set = pb::StoreSet { digest: vec![7; 32], entries: vec![unreadable(1)] };
    let refused = converted::<Upload, _>(pb::UploadRequest { sets: vec![set], ..Default::default() }).unwrap_err();
    assert_eq!(refused.to_string(), "sets[0].digest: is not that of the entries");
}

#[test]
fn spool_entries_out_of_order_are_refused() {
    let refused = with_entries(vec![installed(1), installed(3), installed(3)]).unwrap_err();
    assert_eq!(refused.field, "entries[2].sequence");
}

#[test]
fn control_characters_are_refused_by_the_name_of_their_field() {
    let refused = with_facts(pb::HostFacts { os: "a\u{7}b".to_owned(), ..facts() }).unwrap_err();
    assert_eq!(refused.to_string(), "report.facts.os: holds a control character");
}
