//! Planning of renewals, pure: what outcomes from a host mean, what the server does next, and what the host is told.
//!
//! The executor in [`crate::renewals`] has no choices left: it loads, asks these functions, and commits what they say.

use inkan_issuance::proof::renewal_message;
use inkan_model::Timestamp;
use inkan_model::directive::{Directives, Generation, ProbeTarget, RenewalDirective, RenewalWant};
use inkan_model::renewal::{Outcome, OutcomeResult, PersonTask, ProbeResult, Renewal, RenewalState, RenewalStep};
use time::Duration;

/// Failures after which a person is asked instead of trying again.
pub const MOST_FAILURES: u32 = 8;

/// What a host is told about its renewals that are not over.
pub fn plan_directives(generation: Generation, renewals: &[Renewal], probe: Option<&ProbeTarget>) -> Directives {
    let directive = |renewal: &Renewal| {
        let want = plan_want(&renewal.state, probe)?;
        let Renewal { id, location, old, .. } = renewal;
        Some(RenewalDirective { renewal: *id, location: location.clone(), old: *old, want })
    };
    Directives { generation, renewals: renewals.iter().filter_map(directive).collect(), checkups: Vec::new() }
}

fn plan_want(state: &RenewalState, probe: Option<&ProbeTarget>) -> Option<RenewalWant> {
    match state {
        RenewalState::Directed { .. } | RenewalState::Requested { .. } => Some(RenewalWant::Request),
        RenewalState::Issued { chain, challenge, .. } | RenewalState::Installed { chain, challenge, .. } => {
            Some(RenewalWant::Install { chain: chain.clone(), challenge: challenge.clone(), probe: probe.cloned() })
        }
        RenewalState::Proven { new, .. } => Some(RenewalWant::ArchiveOld { new: *new }),
        // While it waits to be tried again the host keeps what it has made so far.
        RenewalState::Failed { resume, .. } => plan_want(resume, probe),
        RenewalState::Planned { .. }
        | RenewalState::NeedsPerson { .. }
        | RenewalState::Closed { .. }
        | RenewalState::Abandoned { .. } => None,
    }
}

/// Checks a signature: (new certificate's chain, message, signature).
pub type VerifyProof<'a> = &'a dyn Fn(&[Vec<u8>], &[u8], &[u8]) -> bool;

/// What an outcome makes of the renewal it is about; `None` when it changes nothing, because it came before or too late.
pub fn apply_outcome(
    renewal: &Renewal,
    outcome: &Outcome,
    probe: Option<&ProbeTarget>,
    verify: VerifyProof<'_>,
    retry_after: Duration,
    now: Timestamp,
) -> Option<Renewal> {
    let standing = un_failed(renewal.clone());
    match &outcome.result {
        OutcomeResult::Requested { csr } => standing.request(csr.clone(), now).ok(),
        OutcomeResult::Installed { new } => standing.install(*new, now).ok(),
        OutcomeResult::Proven { new, proof } => {
            let RenewalState::Installed { chain, challenge, .. } = &standing.state else { return None };
            let refused = if verify(chain, &renewal_message(challenge), &proof.signature) {
                probe_refusal(probe, proof.probe.as_ref())
            } else {
                Some("the new key's signature does not fit".to_owned())
            };
            match refused {
                None => standing.prove(*new, proof.clone(), now).ok(),
                Some(why) => plan_failure(standing, RenewalStep::Prove, why, true, retry_after, now),
            }
        }
        OutcomeResult::OldArchived { new } => standing.close(*new, now).ok(),
        // A failure reported again while it already waits says nothing new.
        OutcomeResult::Failed { .. } if matches!(renewal.state, RenewalState::Failed { .. }) => None,
        OutcomeResult::Failed { step, why, retry } => {
            plan_failure(standing, *step, why.clone(), *retry, retry_after, now)
        }
        OutcomeResult::Unrecognized(_) => None,
    }
}

/// Why the probe does not prove anything; `None` when it does, or when no site is configured.
fn probe_refusal(wanted: Option<&ProbeTarget>, made: Option<&ProbeResult>) -> Option<String> {
    match (wanted, made) {
        (_, Some(result)) if !result.accepted => Some(result.detail.clone()),
        (Some(site), None) => Some(format!("{}:{} was not asked", site.host, site.port)),
        (Some(_) | None, Some(_)) | (None, None) => None,
    }
}

/// What a failed step makes of a renewal: wait and try again, twice as long each time, or ask a person.
pub fn plan_failure(
    renewal: Renewal,
    step: RenewalStep,
    why: String,
    retry: bool,
    retry_after: Duration,
    now: Timestamp,
) -> Option<Renewal> {
    if !retry {
        return renewal.ask_person(PersonTask::StepRefused { step, why }, now).ok();
    }
    if renewal.failures + 1 >= MOST_FAILURES {
        return renewal.ask_person(PersonTask::RepeatedFailure { why }, now).ok();
    }
    let doubled = retry_after * 2_i32.saturating_pow(renewal.failures.min(20));
    renewal.fail(step, why, now, now.plus(doubled.min(Duration::DAY))).ok()
}

/// A host that reports progress has got over the failure by itself.
fn un_failed(renewal: Renewal) -> Renewal {
    match renewal.state {
        RenewalState::Failed { resume, .. } => Renewal { state: *resume, ..renewal },
        _ => renewal,
    }
}

/// What the server itself does next for a renewal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ServerStep {
    /// Put it into the host's directives.
    Direct,
    /// Have the certificate issued for this request.
    Issue {
        /// The request (PKCS#10) as DER.
        csr: Vec<u8>,
        /// When it came.
        requested_at: Timestamp,
    },
    /// Go on from where it failed.
    Retry,
}

/// What the server itself does next for a renewal; `None` when it waits for the host, for time, or for a person.
pub fn plan_server_step(renewal: &Renewal, gets_directives: bool, now: Timestamp) -> Option<ServerStep> {
    match &renewal.state {
        RenewalState::Planned { not_before } if gets_directives && *not_before <= now => Some(ServerStep::Direct),
        // A host that was stopped after it asked gets no certificate until somebody has looked at it.
        RenewalState::Requested { csr, at } if gets_directives => {
            Some(ServerStep::Issue { csr: csr.clone(), requested_at: *at })
        }
        RenewalState::Failed { retry_at, .. } if *retry_at <= now => Some(ServerStep::Retry),
        RenewalState::Planned { .. }
        | RenewalState::Directed { .. }
        | RenewalState::Requested { .. }
        | RenewalState::Issued { .. }
        | RenewalState::Installed { .. }
        | RenewalState::Proven { .. }
        | RenewalState::Closed { .. }
        | RenewalState::NeedsPerson { .. }
        | RenewalState::Failed { .. }
        | RenewalState::Abandoned { .. } => None,
    }
}

/// Whether the host has to be told anew: its wants differ, or something that had failed is to be tried again.
pub fn needs_new_generation(before: &[Renewal], after: &[Renewal], probe: Option<&ProbeTarget>) -> bool {
    let wants = |renewals| plan_directives(Generation::default(), renewals, probe).renewals;
    let retried = |old: &Renewal| {
        let failed = matches!(old.state, RenewalState::Failed { .. });
        failed && after.iter().any(|new| new.id == old.id && !matches!(new.state, RenewalState::Failed { .. }))
    };
    wants(before) != wants(after) || before.iter().any(retried)
}

#[cfg(test)]
mod tests {
    use inkan_model::renewal::{Proof, Requester};
    use inkan_model::store::{Location, Scope, StoreKind};
    use inkan_model::{Fingerprint, HostId, RenewalId, VendorId};
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_790_000_000);

    fn planned() -> Renewal {
        Renewal {
            id: RenewalId::new(NOW, [1; 10]),
            vendor: VendorId::new(NOW, [2; 10]),
            host: HostId::new(NOW, [3; 10]),
            location: Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/c".to_owned() },
            old: Fingerprint::of(b"old"),
            requested_by: Requester::Planner,
            reason: None,
            created_at: NOW,
            failures: 0,
            state: RenewalState::Planned { not_before: NOW },
        }
    }

    fn new() -> Fingerprint {
        Fingerprint::of(b"new")
    }

    fn installed() -> Renewal {
        let requested = planned().direct(Generation(1), NOW).unwrap().request(vec![1], NOW).unwrap();
        requested.issue(new(), vec![vec![1]], vec![2], NOW).unwrap().install(new(), NOW).unwrap()
    }

    fn outcome(result: OutcomeResult) -> Outcome {
        Outcome { renewal: planned().id, result }
    }

    fn apply(renewal: &Renewal, result: OutcomeResult, signature_fits: bool) -> Option<Renewal> {
        apply_outcome(renewal, &outcome(result), None, &|_, _, _| signature_fits, Duration::MINUTE, NOW)
    }

    fn proven() -> OutcomeResult {
        OutcomeResult::Proven { new: new(), proof: Proof { signature: vec![9], probe: None } }
    }

    #[test]
    fn a_signature_that_does_not_fit_never_proves_anything() {
        let failed = apply(&installed(), proven(), false).unwrap();
        assert_eq!(failed.state.name(), "failed");
        assert_eq!(apply(&installed(), proven(), true).unwrap().state.name(), "proven");
    }

    #[test]
    fn a_site_that_refuses_keeps_the_old_certificate_in_place() {
        let probe = inkan_model::renewal::ProbeResult {
            target: "site:443".to_owned(),
            accepted: false,
            detail: "alert: certificate unknown".to_owned(),
        };
        let proof = Proof { signature: vec![9], probe: Some(probe) };
        let failed = apply(&installed(), OutcomeResult::Proven { new: new(), proof }, true).unwrap();
        assert_eq!(failed.state.name(), "failed");
    }

    #[test]
    fn a_site_that_was_to_be_asked_and_was_not_proves_nothing() {
        let site = ProbeTarget { host: "site".to_owned(), port: 443, anchor: None };
        let fits: VerifyProof<'_> = &|_, _, _| true;
        let failed = apply_outcome(&installed(), &outcome(proven()), Some(&site), fits, Duration::MINUTE, NOW);
        assert_eq!(failed.unwrap().state.name(), "failed");
    }

    #[test]
    fn a_stopped_host_is_issued_nothing() {
        let requested = planned().direct(Generation(1), NOW).unwrap().request(vec![1], NOW).unwrap();
        assert_eq!(plan_server_step(&requested, false, NOW), None);
        assert!(plan_server_step(&requested, true, NOW).is_some());
    }

    #[test]
    fn a_replayed_outcome_changes_nothing() {
        let renewal = installed();
        assert_eq!(apply(&renewal, OutcomeResult::Installed { new: new() }, true), None);
        assert_eq!(apply(&renewal, OutcomeResult::Requested { csr: vec![1] }, true), None);
    }

    #[test]
    fn a_host_that_gets_on_after_a_failure_is_believed() {
        let failure = OutcomeResult::Failed { step: RenewalStep::Prove, why: "x".to_owned(), retry: true };
        let failed = apply(&installed(), failure, true).unwrap();
        assert_eq!(apply(&failed, proven(), true).unwrap().state.name(), "proven");
    }

    #[test]
    fn waits_double_and_end_with_a_person() {
        let mut renewal = installed();
        let mut waits = Vec::new();
        for _ in 0..MOST_FAILURES {
            let why = "site away".to_owned();
            let next = plan_failure(renewal, RenewalStep::Prove, why, true, Duration::MINUTE, NOW).unwrap();
            if let RenewalState::Failed { retry_at, .. } = &next.state {
                waits.push(retry_at.since(NOW).whole_minutes());
            }
            renewal = un_failed(next.clone());
            renewal.failures = next.failures;
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64]);
        assert_eq!(renewal.state.name(), "needs_person");
    }

    #[test]
    fn a_host_that_gets_no_directives_is_not_directed() {
        assert_eq!(plan_server_step(&planned(), false, NOW), None);
        assert_eq!(plan_server_step(&planned(), true, NOW), Some(ServerStep::Direct));
        assert_eq!(plan_server_step(&planned(), true, NOW.minus(Duration::SECOND)), None);
    }

    #[test]
    fn trying_again_needs_a_new_generation_although_the_want_is_the_same() {
        let before = installed().fail(RenewalStep::Prove, "x".to_owned(), NOW, NOW).unwrap();
        let after = before.clone().retry(NOW).unwrap();
        assert!(needs_new_generation(&[before], &[after], None));
    }

    fn any_outcome() -> impl Strategy<Value = OutcomeResult> {
        prop_oneof![
            Just(OutcomeResult::Requested { csr: vec![1] }),
            Just(OutcomeResult::Installed { new: new() }),
            Just(OutcomeResult::Installed { new: Fingerprint::of(b"other") }),
            Just(proven()),
            Just(OutcomeResult::OldArchived { new: new() }),
            Just(OutcomeResult::Failed { step: RenewalStep::Install, why: "x".to_owned(), retry: true }),
            Just(OutcomeResult::Failed { step: RenewalStep::Install, why: "x".to_owned(), retry: false }),
        ]
    }

    proptest! {
        /// Whatever a host claims in whatever order: the old certificate is told to go only after a proof that fits.
        #[test]
        fn the_old_one_is_told_to_go_only_after_a_fitting_proof(
            claims in prop::collection::vec((any_outcome(), any::<bool>()), 0..30),
        ) {
            let mut renewal = planned();
            let mut fitting_proof = false;
            for (claim, fits) in claims {
                if let Some(step) = plan_server_step(&renewal, true, NOW.plus(Duration::days(30))) {
                    renewal = match step {
                        ServerStep::Direct => renewal.direct(Generation(1), NOW).unwrap(),
                        ServerStep::Issue { .. } => renewal.issue(new(), vec![vec![1]], vec![2], NOW).unwrap(),
                        ServerStep::Retry => renewal.retry(NOW.plus(Duration::days(30))).unwrap(),
                    };
                }
                let is_proof = matches!(claim, OutcomeResult::Proven { .. });
                if let Some(next) = apply(&renewal, claim, fits) {
                    fitting_proof |= is_proof && fits;
                    renewal = next;
                }
                let told = plan_directives(Generation(1), std::slice::from_ref(&renewal), None);
                let archive = told.renewals.iter().any(|one| matches!(one.want, RenewalWant::ArchiveOld { .. }));
                prop_assert!(!archive || fitting_proof);
                prop_assert!(renewal.state.name() != "closed" || fitting_proof);
            }
        }
    }
}
