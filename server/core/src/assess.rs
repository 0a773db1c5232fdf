//! The rules: what is wrong with one host, as a pure function of what was observed and of the time.
//!
//! The answer also says when to look again, so that nobody has to look at every host every day: a certificate that has
//! 40 days left changes nothing until it has 30.

use inkan_model::Timestamp;
use inkan_model::certificate::{CertificateFacts, KeyAlgorithm, SignatureHash};
use inkan_model::chain::find_chain;
use inkan_model::finding::{Detail, Diagnosis, EXPIRY_STAGES, SILENCE_STAGES, Subject, Urgency};
use inkan_model::store::KeyPresence;
use inkan_model::time::DAY;
use time::Duration;

use crate::ports::{Observation, ObservedInstallation};

/// A clock that is off by more than this breaks TLS and one-time codes.
pub const CLOCK_TOLERANCE: Duration = Duration::minutes(5);
/// The longest time until a host is looked at again, whatever the rules say.
pub const LONGEST_REVIEW: Duration = Duration::days(7);

/// What is wrong with a host, and when to look again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Assessment {
    /// Everything that is wrong, sorted by subject.
    pub diagnoses: Vec<Diagnosis>,
    /// The first moment at which the answer may be another, even if nothing is reported.
    pub next_review: Timestamp,
}

/// Applies every rule to one host.
pub fn assess(observed: &Observation, now: Timestamp) -> Assessment {
    let mut review = Review { now, next: now.plus(LONGEST_REVIEW), diagnoses: Vec::new() };
    if observed.state.may_report() {
        for installation in &observed.installations {
            review.expiry(installation);
            review.key(installation);
            review.chain(installation, &observed.issuers);
            review.strength(installation);
        }
        review.silence(observed.last_seen.max(observed.enrolled_at));
        review.clock(observed.clock_offset_ms);
    }
    review.diagnoses.sort_by(|a, b| a.subject.cmp(&b.subject));
    review.diagnoses.dedup_by(|a, b| a.subject == b.subject);
    Assessment { diagnoses: review.diagnoses, next_review: review.next }
}

/// Whether a clock offset is one that people should hear of.
pub fn is_clock_wrong(offset_ms: i64) -> bool {
    i128::from(offset_ms.unsigned_abs()) > CLOCK_TOLERANCE.whole_milliseconds()
}

struct Review {
    now: Timestamp,
    next: Timestamp,
    diagnoses: Vec<Diagnosis>,
}

impl Review {
    fn at(&mut self, moment: Timestamp) {
        if moment > self.now {
            self.next = self.next.min(moment);
        }
    }

    fn report(&mut self, subject: Subject, urgency: Urgency, detail: Detail) {
        self.diagnoses.push(Diagnosis { subject, urgency, detail });
    }

    fn expiry(&mut self, installation: &ObservedInstallation) {
        let ObservedInstallation { location, certificate, facts, .. } = installation;
        let (certificate, location) = (*certificate, location.clone());
        let (name, not_after) = (facts.common_name.clone(), facts.not_after);
        // Words count whole days, so they change at each full day; stages change at each boundary.
        for stage in EXPIRY_STAGES.into_iter().chain([0]) {
            self.at(not_after.minus(DAY * i32::from(stage)).plus(Duration::milliseconds(1)));
        }
        if not_after < self.now {
            let detail = Detail::Expiry { name, not_after, stage: 0 };
            self.report(Subject::CertificateExpired { certificate, location }, Urgency::Now, detail);
            return;
        }
        let reached =
            EXPIRY_STAGES.into_iter().filter(|stage| not_after.since(self.now) < DAY * i32::from(*stage)).min();
        if let Some(stage) = reached {
            let urgency = match stage {
                0..=7 => Urgency::Now,
                8..=30 => Urgency::Soon,
                _ => Urgency::Watch,
            };
            let detail = Detail::Expiry { name, not_after, stage };
            self.report(Subject::CertificateExpiring { certificate, location }, urgency, detail);
        }
    }

    fn key(&mut self, installation: &ObservedInstallation) {
        let ObservedInstallation { location, certificate, facts, key } = installation;
        if *key == KeyPresence::Absent {
            let subject = Subject::KeyMissing { certificate: *certificate, location: location.clone() };
            self.report(subject, Urgency::Soon, Detail::Certificate { name: facts.common_name.clone() });
        }
    }

    fn chain(&mut self, installation: &ObservedInstallation, issuers: &[CertificateFacts]) {
        let ObservedInstallation { location, certificate, facts, .. } = installation;
        let chain = find_chain(facts, issuers, |facts| facts);
        if !chain.complete {
            let last = chain.links.last().map_or(facts, |link| *link);
            let detail =
                Detail::MissingIssuer { name: facts.common_name.clone(), issuer: last.issuer_common_name.clone() };
            let subject = Subject::ChainIncomplete { certificate: *certificate, location: location.clone() };
            self.report(subject, Urgency::Soon, detail);
        }
    }

    fn strength(&mut self, installation: &ObservedInstallation) {
        let ObservedInstallation { location, certificate, facts, .. } = installation;
        if let Some(what) = weakness(facts) {
            let subject = Subject::WeakAlgorithm { certificate: *certificate, location: location.clone() };
            self.report(subject, Urgency::Watch, Detail::Weak { name: facts.common_name.clone(), what });
        }
    }

    fn silence(&mut self, last_seen: Timestamp) {
        for stage in SILENCE_STAGES {
            self.at(last_seen.plus(DAY * i32::from(stage)));
        }
        let silent = self.now.since(last_seen);
        let reached = SILENCE_STAGES.into_iter().filter(|stage| silent >= DAY * i32::from(*stage)).max();
        if let Some(stage) = reached {
            let urgency = if stage >= 30 { Urgency::Now } else { Urgency::Soon };
            self.report(Subject::HostSilent, urgency, Detail::Silence { last_seen, stage });
        }
    }

    fn clock(&mut self, offset_ms: i64) {
        if is_clock_wrong(offset_ms) {
            let detail = Detail::ClockOffset { seconds: offset_ms / 1_000 };
            self.report(Subject::ClockWrong, Urgency::Soon, detail);
        }
    }
}

/// What is weak about a certificate: a key below 112 bits of strength (NIST SP 800-57), or a broken hash.
pub fn weakness(facts: &CertificateFacts) -> Option<String> {
    match facts.key {
        KeyAlgorithm::Rsa { bits } if bits < 2_048 => return Some(format!("RSA {bits}")),
        KeyAlgorithm::Ec { bits } if bits < 224 => return Some(format!("EC {bits}")),
        KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ec { .. } | KeyAlgorithm::Ed25519 | KeyAlgorithm::Other { .. } => {}
    }
    match facts.signature {
        SignatureHash::Md5 => Some("MD5".to_owned()),
        SignatureHash::Sha1 => Some("SHA-1".to_owned()),
        SignatureHash::Strong | SignatureHash::Other { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::certificate::NameDigest;
    use inkan_model::finding::Rule;
    use inkan_model::host::HostState;
    use inkan_model::store::{Location, Scope, StoreKind};
    use inkan_model::{Fingerprint, VendorId};
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    fn facts(not_after: Timestamp) -> CertificateFacts {
        CertificateFacts {
            subject: "CN=0110119153".to_owned(),
            issuer: "CN=CA".to_owned(),
            subject_digest: NameDigest([1; 32]),
            issuer_digest: NameDigest([2; 32]),
            common_name: "0110119153".to_owned(),
            issuer_common_name: "CA".to_owned(),
            serial: "01".to_owned(),
            not_before: NOW.minus(DAY * 400),
            not_after,
            key: KeyAlgorithm::Rsa { bits: 2_048 },
            signature: SignatureHash::Strong,
            spki_sha256: [1; 32],
            subject_key_id: None,
            authority_key_id: None,
            is_ca: false,
            client_auth: Some(true),
            server_auth: None,
            dns_names: Vec::new(),
        }
    }

    fn root() -> CertificateFacts {
        let name = NameDigest([2; 32]);
        CertificateFacts { subject_digest: name, issuer_digest: name, spki_sha256: [2; 32], is_ca: true, ..facts(NOW) }
    }

    fn observed(not_after: Timestamp) -> Observation {
        Observation {
            vendor: VendorId::new(NOW, [1; 10]),
            state: HostState::Active,
            enrolled_at: NOW.minus(DAY * 100),
            last_seen: NOW,
            clock_offset_ms: 0,
            installations: vec![ObservedInstallation {
                location: Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/c".to_owned() },
                certificate: Fingerprint::of(b"c"),
                facts: facts(not_after),
                key: KeyPresence::Present,
            }],
            issuers: vec![root()],
        }
    }

    fn rules(observed: &Observation) -> Vec<(Rule, Urgency)> {
        assess(observed, NOW).diagnoses.iter().map(|found| (found.subject.rule(), found.urgency)).collect()
    }

    #[test]
    fn a_healthy_host_has_no_findings() {
        assert_eq!(rules(&observed(NOW.plus(DAY * 400))), []);
    }

    #[test]
    fn expiry_goes_through_its_stages() {
        let at = |days: i64| rules(&observed(NOW.plus(Duration::days(days))));
        assert_eq!(at(91), []);
        assert_eq!(at(89), [(Rule::CertificateExpiring, Urgency::Watch)]);
        assert_eq!(at(29), [(Rule::CertificateExpiring, Urgency::Soon)]);
        assert_eq!(at(6), [(Rule::CertificateExpiring, Urgency::Now)]);
        assert_eq!(at(-1), [(Rule::CertificateExpired, Urgency::Now)]);
    }

    #[test]
    fn a_missing_key_a_missing_issuer_and_a_weak_key_are_each_found() {
        let mut host = observed(NOW.plus(DAY * 400));
        host.installations[0].key = KeyPresence::Absent;
        host.installations[0].facts.key = KeyAlgorithm::Rsa { bits: 1_024 };
        host.issuers.clear();
        assert_eq!(
            rules(&host),
            [
                (Rule::KeyMissing, Urgency::Soon),
                (Rule::ChainIncomplete, Urgency::Soon),
                (Rule::WeakAlgorithm, Urgency::Watch)
            ]
        );
    }

    #[test]
    fn silence_and_a_wrong_clock_are_found() {
        let mut host = observed(NOW.plus(DAY * 400));
        host.last_seen = NOW.minus(DAY * 8);
        host.clock_offset_ms = -600_000;
        assert_eq!(rules(&host), [(Rule::HostSilent, Urgency::Soon), (Rule::ClockWrong, Urgency::Soon)]);
        host.last_seen = NOW.minus(DAY * 31);
        assert!(rules(&host).contains(&(Rule::HostSilent, Urgency::Now)));
    }

    #[test]
    fn a_retired_host_has_no_findings() {
        let mut host = observed(NOW.minus(DAY));
        host.state = HostState::Retired;
        assert_eq!(rules(&host), []);
    }

    proptest! {
        /// The heart of the review time: between now and then, the answer stays the same.
        #[test]
        fn nothing_changes_before_the_next_review(
            left_hours in -3_000_i64..3_000, silent_hours in 0_i64..1_000, share in 0.0_f64..1.0,
        ) {
            let mut host = observed(NOW.plus(Duration::hours(left_hours)));
            host.last_seen = NOW.minus(Duration::hours(silent_hours));
            let first = assess(&host, NOW);
            prop_assert!(first.next_review > NOW);
            let span = first.next_review.as_unix_millis() - NOW.as_unix_millis() - 1;
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a share of a short span")]
            let later = NOW.plus(Duration::milliseconds((span as f64 * share) as i64));
            prop_assert_eq!(assess(&host, later).diagnoses, first.diagnoses);
        }
    }
}
