//! The plans of the hot queries, asked of the SQLite that is linked in: no scan of a table that grows with the fleet,
//! no temporary sort. Asked on an empty file and on a filled one with statistics, because an operator may run
//! `ANALYZE`.

use std::path::Path;

use inkan_core::ports::{ClinicQuery, FindingQuery, HostQuery, InstallationQuery, RenewalQuery};
use inkan_model::clinic::ClinicKind;
use inkan_model::finding::{Rule, Urgency};
use inkan_model::host::HostState;
use inkan_model::id::Kind;
use inkan_model::{Fingerprint, Id, Timestamp, VendorId};
use sqlx::{Connection as _, SqliteConnection};

use super::enrolments::{identities, tokens};
use super::fleet::{certificates, clinics, findings, hosts, installations, overview, timeline};
use super::inventory::{assessments, observations};
use super::renewals::lists;
use super::statement::Statement;
use super::{checkups, migrate, operators, writing_options};

fn id<K: Kind>(byte: u8) -> Id<K> {
    Id::new(Timestamp::from_unix_seconds(1_700_000_000), [byte; 10])
}

fn vendor() -> VendorId {
    id(1)
}

/// A fixed statement, with NULL for each placeholder.
fn fixed(sql: &'static str) -> Statement {
    Statement::new(sql)
}

fn host_lists() -> Vec<(&'static str, Statement)> {
    let after = || Some((1, "PC".to_owned(), id(9)));
    let of = |query: HostQuery, after| hosts::page_statement(vendor(), &query, after, 51).unwrap();
    let all = HostQuery::default;
    vec![
        ("hosts", of(all(), None)),
        ("hosts, deep", of(all(), after())),
        ("hosts of a clinic", of(HostQuery { clinic: Some(id(2)), ..all() }, after())),
        ("hosts in a state", of(HostQuery { state: Some(HostState::ReportOnly), ..all() }, after())),
        ("retired hosts", of(HostQuery { state: Some(HostState::Retired), ..all() }, None)),
        ("hosts of a prefecture", of(HostQuery { prefecture: Some("17".parse().unwrap()), ..all() }, after())),
        ("hosts with a rule", of(HostQuery { rule: Some(Rule::KeyMissing), ..all() }, after())),
        ("hosts with an urgency", of(HostQuery { urgency: Some(Urgency::Now), ..all() }, None)),
        ("silent hosts", of(HostQuery { silent_since: Some(Timestamp::default()), ..all() }, after())),
        ("hosts by search", of(HostQuery { search: Some("内科 受付".to_owned()), ..all() }, after())),
    ]
}

fn installation_lists() -> Vec<(&'static str, Statement)> {
    let of = |query: InstallationQuery, after| installations::page_statement(vendor(), &query, after, 51);
    let all = InstallationQuery::default;
    let soon = Some(Timestamp::from_unix_seconds(1_800_000_000));
    vec![
        ("installations", of(all(), None)),
        ("installations, deep", of(all(), Some((5, id(9), 5)))),
        ("installations that end soon", of(InstallationQuery { expires_before: soon, ..all() }, Some((5, id(9), 5)))),
        ("installations of a clinic", of(InstallationQuery { clinic: Some(id(2)), ..all() }, Some((5, id(9), 5)))),
        ("installations of a host", of(InstallationQuery { host: Some(id(3)), ..all() }, Some((5, id(9), 5)))),
    ]
}

fn finding_lists() -> Vec<(&'static str, Statement)> {
    let after = || Some((1, "1710119153".to_owned(), id(9), id(9)));
    let of = |query: FindingQuery, after| findings::page_statement(vendor(), &query, after, 51);
    let all = FindingQuery::default;
    vec![
        ("findings", of(all(), None)),
        ("findings, deep", of(all(), after())),
        ("findings of a rule", of(FindingQuery { rule: Some(Rule::HostSilent), ..all() }, after())),
        ("findings of an urgency", of(FindingQuery { urgency: Some(Urgency::Now), ..all() }, after())),
        ("findings of a clinic", of(FindingQuery { clinic: Some(id(2)), ..all() }, after())),
        ("findings of a host", of(FindingQuery { host: Some(id(3)), ..all() }, after())),
    ]
}

fn renewal_lists() -> Vec<(&'static str, Statement)> {
    let of = |query: RenewalQuery| lists::page_statement(vendor(), &query, Some(id(9)), 51);
    let all = RenewalQuery::default;
    vec![
        ("renewals", of(all())),
        ("renewals of a host", of(RenewalQuery { host: Some(id(3)), ..all() })),
        ("renewals of a clinic", of(RenewalQuery { clinic: Some(id(2)), ..all() })),
        ("renewals in a state", of(RenewalQuery { state: Some("failed".to_owned()), ..all() })),
        ("renewals under way", of(RenewalQuery { over: Some(false), ..all() })),
        ("renewals of a certificate", of(RenewalQuery { old: Some(Fingerprint::of(b"x")), ..all() })),
        ("live renewals of a host", fixed(lists::LIST_LIVE)),
        ("hosts with renewal work", fixed(lists::LIST_WORK)),
    ]
}

fn other_lists() -> Vec<(&'static str, Statement)> {
    let clinics_of = |query: ClinicQuery| clinics::page_statement(vendor(), &query, Some("1".to_owned()), 51).unwrap();
    let few = |few| certificates::page_statement(vendor(), 5, few, Some(("PC".to_owned(), id(9), 5)), 51);
    vec![
        ("clinics", clinics_of(ClinicQuery::default())),
        ("clinics of a kind", clinics_of(ClinicQuery { kind: Some(ClinicKind::Dental), ..ClinicQuery::default() })),
        (
            "clinics of a prefecture",
            clinics_of(ClinicQuery { prefecture: "17".parse().ok(), ..ClinicQuery::default() }),
        ),
        ("holders of a common certificate", few(false)),
        ("number of holders", fixed(certificates::COUNT_HOLDERS)),
        ("checkups that wait for a host", fixed(checkups::LIST_WAITING)),
        ("checkups of a host", fixed(checkups::LIST_NEWEST)),
        ("timeline", timeline::page_statement(vendor(), id(3), Some(id(9)), 51)),
        ("join tokens", tokens::page_statement(vendor(), Some(id(9)), 51)),
        ("hosts to review", fixed(assessments::LIST_TO_REVIEW)),
        ("session of a host", fixed(identities::FIND_SESSION)),
        ("session of an operator", fixed(operators::FIND_OPERATOR_SESSION)),
        ("observed installations", fixed(observations::FIND_INSTALLATIONS)),
        ("issuers", fixed(observations::FIND_ISSUERS)),
        ("overview: hosts", fixed(overview::COUNT_HOSTS)),
        ("overview: clinics", fixed(overview::COUNT_CLINICS)),
        ("overview: renewals", fixed(overview::COUNT_RENEWALS)),
        ("overview: silent hosts", fixed(overview::COUNT_SILENT)),
        ("overview: days", fixed(overview::COUNT_DAYS_BEFORE)),
        ("overview: part of a day", fixed(overview::COUNT_BETWEEN)),
    ]
}

fn hot_queries() -> Vec<(&'static str, Statement)> {
    [host_lists(), installation_lists(), finding_lists(), renewal_lists(), other_lists()]
        .into_iter()
        .flatten()
        .collect()
}

async fn assert_plans(db: &mut SqliteConnection, when: &str) {
    let mut refused = Vec::new();
    for (name, statement) in hot_queries() {
        let plan = statement.explain(db).await;
        // "held" is a subquery of at most two thousand rows.
        let scans = |line: &String| line.starts_with("SCAN") && line != "SCAN held";
        if plan.iter().any(|line| scans(line) || line.contains("TEMP B-TREE")) {
            refused.push(format!("{name}, {when}:\n  {}", plan.join("\n  ")));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

async fn open(path: &Path) -> SqliteConnection {
    migrate(path).await.unwrap();
    SqliteConnection::connect_with(&writing_options(path)).await.unwrap()
}

/// Some thousand rows of everything, made by SQL alone: plans look at shapes, not at meanings.
const FILL: &[&str] = &[
    "CREATE TEMP TABLE n AS
     WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT i FROM n",
    "INSERT INTO vendor SELECT randomblob(16), 'v' || i, 0 FROM n WHERE i <= 3",
    "INSERT INTO clinic (id, vendor, code, name, kind, prefecture, search_text)
     SELECT randomblob(16), (SELECT id FROM vendor LIMIT 1), printf('%010d', i), 'c' || i, 'medical', i % 47 + 1, 'c' || i
     FROM n WHERE i <= 400",
    "INSERT INTO host (id, vendor, clinic, prefecture, state, in_service, name, os, agent_version, search_text, facts,
                       enrolled_at, spki_sha256, machine_binding, current_serial, current_issued_at, current_not_after,
                       recovery_limit, next_review, worst)
     SELECT randomblob(16), c.vendor, c.id, c.prefecture, 'active', 1, 'PC' || i, 'os', '1', 'pc' || i, '{}', 0,
            randomblob(32), x'', x'', 0, 0, 3, i * 1000, CASE WHEN i % 20 = 0 THEN i % 3 ELSE 3 END
     FROM n JOIN clinic c ON c.rowid = i % 400 + 1",
    "INSERT INTO presence SELECT id, vendor, 1, next_review, 0 FROM host",
    "INSERT INTO certificate (sha256, subject_digest, issuer_digest, not_after, common_name, is_end_entity,
                              search_text, der)
     SELECT randomblob(32), randomblob(32), x'00', i * 86400000, 'n' || i, i % 10 <> 0, 'n' || i, x'' FROM n",
    "INSERT INTO cert_set (digest, certificates, unreadable) SELECT randomblob(32), 20, 0 FROM n WHERE i <= 200",
    "INSERT INTO set_entry (set_id, place, certificate, key_presence)
     SELECT s.id, i, (s.id * 7 + i) % 4000 + 1, 0 FROM cert_set s, n WHERE i <= 20",
    "INSERT INTO host_location (host, vendor, kind, scope, path, location, set_id, errors, since)
     SELECT id, vendor, 'nss', 'machine', '/x', 'l', rowid % 200 + 1, '[]', 0 FROM host",
    "INSERT INTO installation (vendor, clinic, host, in_service, location, certificate, key_presence, not_after,
                               first_seen)
     SELECT h.vendor, h.clinic, h.id, 1, l.id, h.rowid, 2, h.rowid * 86400000, 0
     FROM host h JOIN host_location l ON l.host = h.id",
    "INSERT INTO finding (id, vendor, clinic, clinic_code, host, in_service, rule, subject, urgency, detail, opened_at,
                          closed_at)
     SELECT randomblob(16), vendor, clinic, '1', id, 1, 'host_silent', name, rowid % 3, '{}', 0,
            CASE WHEN rowid % 5 = 0 THEN NULL ELSE 1 END
     FROM host",
    "INSERT INTO event SELECT id, randomblob(16), vendor, i, NULL, '{}' FROM host, n WHERE i <= 5",
    "INSERT INTO renewal (id, vendor, clinic, host, location, old_certificate, requested_by, created_at, failures, state,
                          state_facts, is_over, due_at, version, updated_at)
     SELECT randomblob(16), vendor, clinic, id, 'l', randomblob(32), '{}', 0, 0,
            CASE WHEN rowid % 10 = 0 THEN 'planned' ELSE 'closed' END, '{}', rowid % 10 <> 0,
            CASE WHEN rowid % 10 = 0 THEN rowid END, 1, 0
     FROM host",
    "INSERT INTO checkup (id, vendor, host, programme_id, requested_by, requested_at, examined_at, received_at, results)
     SELECT randomblob(16), vendor, id, '', x'', 0, answered, answered, CASE WHEN answered IS NULL THEN NULL ELSE '[]' END
     FROM (SELECT vendor, id, CASE WHEN rowid % 5 = 0 THEN NULL ELSE 1 END AS answered FROM host)",
    "ANALYZE",
];

#[tokio::test]
async fn hot_queries_neither_scan_nor_sort_on_an_empty_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut db = open(&folder.path().join("empty.db")).await;
    assert_plans(&mut db, "empty").await;
}

#[tokio::test]
async fn hot_queries_neither_scan_nor_sort_on_a_filled_file_with_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filled.db");
    let mut db = open(&path).await;
    for sql in FILL {
        sqlx::query(*sql).execute(&mut db).await.unwrap();
    }
    // Statistics are read when a file is opened.
    db.close().await.unwrap();
    let mut db = SqliteConnection::connect_with(&writing_options(&path)).await.unwrap();
    assert_plans(&mut db, "filled").await;
}
