//! Arbitrary valid values of the model, small enough to be made by the thousand.

use inkan_model::checkup::{Check, CheckResult, CheckStatus, CheckupOutcome};
use inkan_model::digest::{Fingerprint, SetDigest, StateDigest};
use inkan_model::directive::{CheckupDirective, Directives, Generation, ProbeTarget, RenewalDirective, RenewalWant};
use inkan_model::host::HostFacts;
use inkan_model::id::{CheckupId, RenewalId};
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::locale::Bilingual;
use inkan_model::programme::{
    AnchorPlace, Browser, Pattern, Programme, ProgrammeChecks, Recognise, Site, TlsVersion, WantedAnchor,
};
use inkan_model::properties::{EntryProperties, TrustFlags, TrustLevel};
use inkan_model::renewal::{Outcome, OutcomeResult, ProbeResult, Proof, RenewalStep};
use inkan_model::store::{
    KeyPresence, Location, ReadError, ReadErrorKind, Scope, SetDelta, SetEntry, StoreKind, StoreSet,
};
use inkan_model::sync::{HostReport, Lacks, LocationState, SpoolEntry, SpoolPosition, SyncAnswer, SyncReport, Told};
use inkan_model::time::Timestamp;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use time::Duration;

use crate::{Enroll, Enrolled, Recover, Upload, UploadedDelta, UploadedSet};

fn text() -> impl Strategy<Value = String> {
    "[a-z0-9診療所 ./\\-]{0,12}"
}

fn name() -> impl Strategy<Value = String> {
    "[a-z診][a-z0-9診療所 ./\\-]{0,12}"
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 1..40)
}

fn chain() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(bytes(), 1..4)
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_unix_millis)
}

fn fingerprint() -> impl Strategy<Value = Fingerprint> {
    any::<[u8; 32]>().prop_map(Fingerprint::from_bytes)
}

fn set_digest() -> impl Strategy<Value = SetDigest> {
    any::<[u8; 32]>().prop_map(SetDigest::from_bytes)
}

fn renewal_id() -> impl Strategy<Value = RenewalId> {
    (any::<u32>(), any::<[u8; 10]>())
        .prop_map(|(seconds, chance)| RenewalId::new(Timestamp::from_unix_seconds(seconds.into()), chance))
}

fn unknown_number() -> impl Strategy<Value = i32> {
    prop_oneof![Just(0), 1_000..i32::MAX, i32::MIN..-1]
}

pub(super) fn location() -> impl Strategy<Value = Location> {
    let known = select(vec![
        StoreKind::SystemTrust,
        StoreKind::LocalAnchors,
        StoreKind::Directory,
        StoreKind::UserDirectory,
        StoreKind::WindowsStore,
        StoreKind::Nss,
        StoreKind::Java,
        StoreKind::Keychain,
    ]);
    let kind = prop_oneof![4 => known, 1 => unknown_number().prop_map(StoreKind::Unrecognized)];
    let scope = prop_oneof![Just(Scope::Machine), name().prop_map(Scope::User)];
    (kind, scope, name()).prop_map(|(kind, scope, path)| Location { kind, scope, path })
}

fn read_error() -> impl Strategy<Value = ReadError> {
    let known = select(vec![
        ReadErrorKind::AccessDenied,
        ReadErrorKind::NotFound,
        ReadErrorKind::TimedOut,
        ReadErrorKind::TooLarge,
        ReadErrorKind::PasswordNeeded,
        ReadErrorKind::Malformed,
        ReadErrorKind::Other,
    ]);
    let kind = prop_oneof![4 => known, 1 => unknown_number().prop_map(ReadErrorKind::Unrecognized)];
    (kind, text(), text()).prop_map(|(kind, item, detail)| ReadError { kind, item, detail })
}

fn properties() -> impl Strategy<Value = EntryProperties> {
    let level = any::<i32>().prop_map(TrustLevel::from_number);
    let trust = [level.clone(), level.clone(), level.clone(), level]
        .prop_map(|[server, client, email, code]| TrustFlags { server, client, email, code });
    let limits = (option::of(vec(text(), 0..3)), option::of(vec(any::<u8>(), 0..20)));
    (option::of(text()), option::of(any::<bool>()), limits, option::of(trust)).prop_map(
        |(key_provider, key_exportable, (purposes, name_constraints), trust)| EntryProperties {
            key_provider,
            key_exportable,
            purposes,
            name_constraints,
            trust,
        },
    )
}

pub(super) fn entry() -> impl Strategy<Value = SetEntry> {
    let known = select(vec![KeyPresence::NotExpected, KeyPresence::Absent, KeyPresence::Present, KeyPresence::Unknown]);
    let key = prop_oneof![4 => known, 1 => unknown_number().prop_map(KeyPresence::Unrecognized)];
    prop_oneof![
        (fingerprint(), key, option::of(text()), properties()).prop_map(|(certificate, key, name, properties)| {
            SetEntry::Certificate { certificate, key, name, properties }
        }),
        (option::of(fingerprint()), option::of(text()), text()).prop_map(|(sha256, name, why)| SetEntry::Unreadable {
            sha256,
            name,
            why
        }),
    ]
}

pub(super) fn facts() -> impl Strategy<Value = HostFacts> {
    let texts = (name(), text(), text(), text(), text(), text());
    let optional = (option::of(text()), option::of(text()));
    (texts, optional, any::<u32>(), any::<u64>(), vec(name(), 0..4)).prop_map(
        |(
            (host_name, os, os_version, kernel, architecture, agent_version),
            (model, time_zone),
            cores,
            memory_mib,
            users,
        )| {
            HostFacts {
                host_name,
                os,
                os_version,
                kernel,
                architecture,
                agent_version,
                model,
                cores,
                memory_mib,
                users,
                time_zone,
            }
        },
    )
}

fn host_report() -> impl Strategy<Value = HostReport> {
    let state = (location(), set_digest(), vec(read_error(), 0..3)).prop_map(|(location, set, errors)| LocationState {
        location,
        set,
        errors,
    });
    (facts(), vec(state, 0..5)).prop_map(|(facts, mut locations)| {
        locations.sort_unstable_by(|a, b| a.location.cmp(&b.location));
        locations.dedup_by(|a, b| a.location == b.location);
        HostReport { facts, locations }
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let known_step = select(vec![
        RenewalStep::Request,
        RenewalStep::Issue,
        RenewalStep::Install,
        RenewalStep::Prove,
        RenewalStep::ArchiveOld,
    ]);
    let step = prop_oneof![4 => known_step, 1 => unknown_number().prop_map(RenewalStep::Unrecognized)];
    let probe =
        (name(), any::<bool>(), text()).prop_map(|(target, accepted, detail)| ProbeResult { target, accepted, detail });
    let proof = (bytes(), option::of(probe)).prop_map(|(signature, probe)| Proof { signature, probe });
    let result = prop_oneof![
        bytes().prop_map(|csr| OutcomeResult::Requested { csr }),
        fingerprint().prop_map(|new| OutcomeResult::Installed { new }),
        (fingerprint(), proof).prop_map(|(new, proof)| OutcomeResult::Proven { new, proof }),
        fingerprint().prop_map(|new| OutcomeResult::OldArchived { new }),
        (step, text(), any::<bool>()).prop_map(|(step, why, retry)| OutcomeResult::Failed { step, why, retry }),
        Just(OutcomeResult::Unrecognized(0)),
    ];
    (renewal_id(), result).prop_map(|(renewal, result)| Outcome { renewal, result })
}

fn checkup_id() -> impl Strategy<Value = CheckupId> {
    (any::<u32>(), any::<[u8; 10]>())
        .prop_map(|(seconds, chance)| CheckupId::new(Timestamp::from_unix_seconds(seconds.into()), chance))
}

fn bilingual() -> impl Strategy<Value = Bilingual> {
    (name(), name()).prop_map(|(ja, en)| Bilingual { ja, en })
}

fn checkup_outcome() -> impl Strategy<Value = CheckupOutcome> {
    let check = prop_oneof![4 => select(Check::ALL.to_vec()), 1 => unknown_number().prop_map(Check::from_number)];
    let status = prop_oneof![4 => 1..=4_i32, 1 => unknown_number()].prop_map(CheckStatus::from_number);
    let result = (check, status, bilingual(), option::of(bilingual()))
        .prop_map(|(name, status, statement, remedy)| CheckResult { name, status, statement, remedy });
    (checkup_id(), moment(), vec(result, 0..5)).prop_map(|(checkup, examined_at, results)| CheckupOutcome {
        checkup,
        examined_at,
        results,
    })
}

fn patterns() -> impl Strategy<Value = Vec<Pattern>> {
    vec(name().prop_map(|text| text.parse().unwrap()), 0..3)
}

fn recognise() -> impl Strategy<Value = Recognise> {
    let rules = (patterns(), patterns(), patterns(), patterns(), any::<bool>());
    let rules = rules.prop_map(
        |(issuer_common_names, issuer_contains, subject_common_name_prefixes, subject_contains, client_auth)| {
            Recognise {
                issuer_common_names,
                issuer_contains,
                subject_common_name_prefixes,
                subject_contains,
                client_auth,
            }
        },
    );
    rules.prop_filter("names something", |rules| !rules.is_empty())
}

fn programme() -> impl Strategy<Value = Programme> {
    let place = select(vec![AnchorPlace::Root, AnchorPlace::Intermediate]);
    let anchor = (name(), option::of(fingerprint()), place).prop_map(|(name, sha256, store)| WantedAnchor {
        common_name: name.parse().unwrap(),
        sha256,
        store,
    });
    let site = ("[a-z]{1,5}(\\.[a-z]{1,5}){0,2}", 1..=u16::MAX)
        .prop_map(|(host, port)| format!("https://{host}:{port}").parse::<Site>().unwrap());
    let flags = any::<[bool; 4]>();
    let tls = option::of(select(TlsVersion::ALL.to_vec()));
    let browsers = vec(select(Browser::ALL.to_vec()), 0..3);
    let checks = (vec(site, 0..3), tls, flags, patterns(), browsers).prop_map(
        |(sites, minimum_tls, [trusted_zone, pop_ups, cookies, java], proxy_exceptions, closed_browsers)| {
            ProgrammeChecks {
                sites,
                minimum_tls,
                trusted_zone,
                pop_ups,
                cookies,
                proxy_exceptions,
                closed_browsers,
                java,
            }
        },
    );
    ("[a-z0-9][a-z0-9-]{0,10}", bilingual(), option::of(recognise()), vec(anchor, 0..3), checks).prop_map(
        |(id, names, recognise, anchors, checks)| Programme {
            id: id.parse().unwrap(),
            names,
            recognise,
            anchors,
            checks,
        },
    )
}

fn told() -> impl Strategy<Value = Told> {
    prop_oneof![4 => outcome().prop_map(Told::Renewal), 1 => checkup_outcome().prop_map(Told::Checkup)]
}

fn spool_entries() -> impl Strategy<Value = Vec<SpoolEntry>> {
    (1..u64::MAX / 2, vec((1_u64..10, moment(), told()), 0..5)).prop_map(|(mut sequence, entries)| {
        let numbered = |(step, at, told)| {
            sequence += step;
            SpoolEntry { sequence, at, told }
        };
        entries.into_iter().map(numbered).collect()
    })
}

pub(super) fn sync_report() -> impl Strategy<Value = SyncReport> {
    (any::<u64>(), spool_entries(), any::<[u8; 32]>(), option::of(host_report()), any::<u64>(), moment()).prop_map(
        |(epoch, entries, state, report, generation, clock)| SyncReport {
            epoch,
            entries,
            state: StateDigest::from_bytes(state),
            report,
            generation: Generation(generation),
            clock,
        },
    )
}

pub(super) fn lacks() -> impl Strategy<Value = Lacks> {
    (any::<bool>(), vec(set_digest(), 0..4), vec(fingerprint(), 0..4)).prop_map(|(report, sets, certificates)| Lacks {
        report,
        sets,
        certificates,
    })
}

fn directives() -> impl Strategy<Value = Directives> {
    let probe =
        (name(), 1..=u16::MAX, option::of(bytes())).prop_map(|(host, port, anchor)| ProbeTarget { host, port, anchor });
    let want = prop_oneof![
        Just(RenewalWant::Request),
        (chain(), bytes(), option::of(probe)).prop_map(|(chain, challenge, probe)| RenewalWant::Install {
            chain,
            challenge,
            probe
        }),
        fingerprint().prop_map(|new| RenewalWant::ArchiveOld { new }),
    ];
    let renewal = (renewal_id(), location(), fingerprint(), want)
        .prop_map(|(renewal, location, old, want)| RenewalDirective { renewal, location, old, want });
    let checkup = (checkup_id(), option::of(programme()))
        .prop_map(|(checkup, programme)| CheckupDirective { checkup, programme });
    (any::<u64>(), vec(renewal, 0..4), vec(checkup, 0..2)).prop_map(|(generation, renewals, checkups)| Directives {
        generation: Generation(generation),
        renewals,
        checkups,
    })
}

pub(super) fn sync_answer() -> impl Strategy<Value = SyncAnswer> {
    let position = (any::<u64>(), any::<u64>()).prop_map(|(epoch, sequence)| SpoolPosition { epoch, sequence });
    (position, lacks(), option::of(directives()), moment(), any::<u32>(), any::<bool>()).prop_map(
        |(acknowledged, lacks, directives, server_time, next_sync, renew_identity)| SyncAnswer {
            acknowledged,
            lacks,
            directives,
            server_time,
            next_sync: Duration::seconds(next_sync.into()),
            renew_identity,
        },
    )
}

pub(super) fn upload() -> impl Strategy<Value = Upload> {
    let set = vec(entry(), 0..6).prop_map(|entries| UploadedSet::new(StoreSet::new(entries)));
    let delta = (set_digest(), set_digest(), vec(entry(), 0..4), vec(entry(), 0..4))
        .prop_map(|(digest, base, added, removed)| UploadedDelta { digest, delta: SetDelta { base, added, removed } });
    (vec(set, 0..3), vec(delta, 0..3), chain()).prop_map(|(sets, deltas, certificates)| Upload {
        sets,
        deltas,
        certificates,
    })
}

pub(super) fn enroll() -> impl Strategy<Value = Enroll> {
    (any::<[u8; 32]>(), bytes(), facts(), any::<[u8; 32]>()).prop_map(|(token, csr, facts, machine_binding)| Enroll {
        token: JoinTokenSecret::new(token),
        csr,
        facts,
        machine_binding,
    })
}

pub(super) fn enrolled() -> impl Strategy<Value = Enrolled> {
    (chain(), "https://[a-z.]{1,20}", any::<bool>(), moment()).prop_map(
        |(chain, server_url, report_only, server_time)| Enrolled { chain, server_url, report_only, server_time },
    )
}

pub(super) fn recover() -> impl Strategy<Value = Recover> {
    (bytes(), bytes(), bytes()).prop_map(|(certificate, nonce, signature)| Recover { certificate, nonce, signature })
}
