//! What to do next for one renewal: pure, so that the same ledger and directives always lead to the same step.

use inkan_model::directive::{Generation, RenewalDirective, RenewalWant};
use inkan_model::renewal::RenewalStep;
use inkan_model::{Fingerprint, Timestamp};
use time::Duration;

use crate::ledger::{FailedStep, RenewalRecord, Stage};

/// How long a step that failed is left alone, unless the server says something new.
pub const RETRY_AFTER: Duration = Duration::minutes(10);

/// One step on the PC. Each is idempotent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Make the key, or find it made, and a request for it.
    Request,
    /// Put the new certificate beside the old one.
    Install,
    /// Show that the new certificate works.
    Prove,
    /// Archive the old certificate.
    ArchiveOld,
}

impl Step {
    /// The step's name in an outcome.
    pub const fn name(self) -> RenewalStep {
        match self {
            Self::Request => RenewalStep::Request,
            Self::Install => RenewalStep::Install,
            Self::Prove => RenewalStep::Prove,
            Self::ArchiveOld => RenewalStep::ArchiveOld,
        }
    }
}

/// The next step towards what is wanted; `None` when it is there already, or when a failure is left alone.
pub fn plan_step(
    directive: &RenewalDirective,
    record: &RenewalRecord,
    generation: Generation,
    now: Timestamp,
) -> Option<Step> {
    if record.failure.as_ref().is_some_and(|failure| retry_at(failure, generation).is_none_or(|at| now < at)) {
        return None;
    }
    match (&directive.want, &record.stage) {
        (RenewalWant::Request, Stage::Listed) => Some(Step::Request),
        (RenewalWant::Install { .. }, Stage::Listed | Stage::Requested { .. }) => Some(Step::Install),
        (RenewalWant::Install { chain, .. }, Stage::Installed { new }) => {
            Some(if Some(*new) == leaf(chain) { Step::Prove } else { Step::Install })
        }
        // A certificate that was issued anew replaces the one that was proven.
        (RenewalWant::Install { chain, .. }, Stage::Proven { new, .. }) => {
            (Some(*new) != leaf(chain)).then_some(Step::Install)
        }
        (RenewalWant::Request, _) | (_, Stage::OldArchived { .. }) => None,
        (RenewalWant::ArchiveOld { .. }, _) => Some(Step::ArchiveOld),
    }
}

/// When a step that failed is tried again: at once under a new generation, after a while where that can help, or not
/// at all.
pub fn retry_at(failure: &FailedStep, generation: Generation) -> Option<Timestamp> {
    if failure.under != generation {
        return Some(Timestamp::from_unix_millis(i64::MIN));
    }
    failure.retry.then(|| failure.at.plus(RETRY_AFTER))
}

/// Whether the server, which still wants what is done already, has to be told once more: it spoke anew since it was told
/// last, and nothing is on its way to it.
pub fn plan_retelling(directive: &RenewalDirective, record: &RenewalRecord, generation: Generation) -> bool {
    let done = match (&directive.want, &record.stage) {
        (RenewalWant::Request, Stage::Requested { .. })
        | (RenewalWant::ArchiveOld { .. }, Stage::OldArchived { .. }) => true,
        (RenewalWant::Install { chain, .. }, Stage::Proven { new, .. }) => Some(*new) == leaf(chain),
        _ => false,
    };
    done && record.owed.is_empty() && record.told_under < generation
}

/// What to do with a renewal that is no longer listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CleanUp {
    /// Take back what was made for it.
    Discard,
    /// The old certificate may be half archived: only going on leaves the PC with a whole one.
    FinishArchive {
        /// The new certificate.
        new: Fingerprint,
    },
    /// It is done; only its journal is left.
    Forget,
}

/// What to do with a renewal that is no longer listed.
pub fn plan_clean_up(record: &RenewalRecord) -> CleanUp {
    let archiving = record.begun == Some(RenewalStep::ArchiveOld);
    match &record.stage {
        Stage::OldArchived { .. } => CleanUp::Forget,
        Stage::Proven { new, .. } if archiving => CleanUp::FinishArchive { new: *new },
        Stage::Listed | Stage::Requested { .. } | Stage::Installed { .. } | Stage::Proven { .. } => CleanUp::Discard,
    }
}

/// The new certificate of a chain.
fn leaf(chain: &[Vec<u8>]) -> Option<Fingerprint> {
    chain.first().map(|der| Fingerprint::of(der))
}

#[cfg(test)]
mod tests {
    use inkan_model::RenewalId;
    use inkan_model::renewal::Proof;
    use inkan_model::store::{Location, Scope, StoreKind};
    use proptest::prelude::*;

    use super::*;

    const GENERATION: Generation = Generation(5);

    fn now() -> Timestamp {
        Timestamp::from_unix_seconds(1_763_600_000)
    }

    fn new() -> Fingerprint {
        Fingerprint::of(b"new")
    }

    fn directive(want: RenewalWant) -> RenewalDirective {
        RenewalDirective {
            renewal: RenewalId::new(now(), [1; 10]),
            location: Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/c".to_owned() },
            old: Fingerprint::of(b"old"),
            want,
        }
    }

    fn install(leaf: &[u8]) -> RenewalWant {
        RenewalWant::Install { chain: vec![leaf.to_vec()], challenge: vec![1], probe: None }
    }

    fn record(stage: Stage) -> RenewalRecord {
        RenewalRecord { stage, ..RenewalRecord::new(&directive(RenewalWant::Request)) }
    }

    fn proven() -> Stage {
        Stage::Proven { new: new(), proof: Proof { signature: vec![1], probe: None } }
    }

    fn step(want: RenewalWant, stage: Stage) -> Option<Step> {
        plan_step(&directive(want), &record(stage), GENERATION, now())
    }

    #[test]
    fn each_want_leads_through_the_steps_that_are_missing() {
        assert_eq!(step(RenewalWant::Request, Stage::Listed), Some(Step::Request));
        assert_eq!(step(RenewalWant::Request, Stage::Requested { csr: vec![1] }), None);
        assert_eq!(step(install(b"new"), Stage::Requested { csr: vec![1] }), Some(Step::Install));
        assert_eq!(step(install(b"new"), Stage::Installed { new: new() }), Some(Step::Prove));
        assert_eq!(step(install(b"new"), proven()), None);
        assert_eq!(step(RenewalWant::ArchiveOld { new: new() }, proven()), Some(Step::ArchiveOld));
        assert_eq!(step(RenewalWant::ArchiveOld { new: new() }, Stage::OldArchived { new: new() }), None);
    }

    #[test]
    fn a_certificate_issued_anew_is_installed_in_place_of_the_first() {
        assert_eq!(step(install(b"newer"), Stage::Installed { new: new() }), Some(Step::Install));
        assert_eq!(step(install(b"newer"), proven()), Some(Step::Install));
    }

    #[test]
    fn a_failure_waits_for_ten_minutes_or_for_the_server_to_say_something_new() {
        let failure = |retry| Some(FailedStep { step: RenewalStep::Request, at: now(), under: GENERATION, retry });
        let plan = |retry, generation, at| {
            let record = RenewalRecord { failure: failure(retry), ..record(Stage::Listed) };
            plan_step(&directive(RenewalWant::Request), &record, generation, at)
        };
        let later = now().plus(RETRY_AFTER);
        assert_eq!(plan(true, GENERATION, now()), None);
        assert_eq!(plan(true, GENERATION, later), Some(Step::Request));
        assert_eq!(plan(true, GENERATION.next(), now()), Some(Step::Request));
        assert_eq!(plan(false, GENERATION, later), None);
        assert_eq!(plan(false, GENERATION.next(), now()), Some(Step::Request));
    }

    #[test]
    fn the_server_is_told_again_only_when_it_spoke_since_and_nothing_is_on_its_way() {
        let told = RenewalRecord { told_under: GENERATION, ..record(proven()) };
        assert!(!plan_retelling(&directive(install(b"new")), &told, GENERATION));
        assert!(plan_retelling(&directive(install(b"new")), &told, GENERATION.next()));
        let mut owing = told;
        owing.owe(inkan_model::renewal::OutcomeResult::Installed { new: new() }, now());
        assert!(!plan_retelling(&directive(install(b"new")), &owing, GENERATION.next()));
    }

    #[test]
    fn a_renewal_given_up_while_its_old_certificate_is_being_archived_is_not_discarded() {
        let archiving = RenewalRecord { begun: Some(RenewalStep::ArchiveOld), ..record(proven()) };
        assert_eq!(plan_clean_up(&archiving), CleanUp::FinishArchive { new: new() });
        assert_eq!(plan_clean_up(&record(proven())), CleanUp::Discard);
        assert_eq!(plan_clean_up(&record(Stage::OldArchived { new: new() })), CleanUp::Forget);
    }

    fn any_want() -> impl Strategy<Value = RenewalWant> {
        prop_oneof![
            Just(RenewalWant::Request),
            prop::sample::select(vec![b"new".as_slice(), b"newer"]).prop_map(install),
            Just(RenewalWant::ArchiveOld { new: new() }),
        ]
    }

    fn any_stage() -> impl Strategy<Value = Stage> {
        prop::sample::select(vec![
            Stage::Listed,
            Stage::Requested { csr: vec![1] },
            Stage::Installed { new: new() },
            proven(),
            Stage::OldArchived { new: new() },
        ])
    }

    fn any_failure() -> impl Strategy<Value = Option<FailedStep>> {
        let failed = (0_u64..8, -900_i64..900, any::<bool>()).prop_map(|(under, seconds, retry)| FailedStep {
            step: RenewalStep::Prove,
            at: now().plus(Duration::seconds(seconds)),
            under: Generation(under),
            retry,
        });
        prop::option::of(failed)
    }

    proptest! {
        #[test]
        fn the_same_input_leads_to_the_same_plan_and_never_to_a_second_request(
            want in any_want(), stage in any_stage(), failure in any_failure(),
        ) {
            let directive = directive(want);
            let record = RenewalRecord { failure, ..record(stage) };
            let step = plan_step(&directive, &record, GENERATION, now());
            prop_assert_eq!(step, plan_step(&directive.clone(), &record.clone(), GENERATION, now()));
            if step == Some(Step::Request) {
                prop_assert_eq!(record.stage, Stage::Listed);
            }
            if step == Some(Step::ArchiveOld) {
                let wanted = matches!(directive.want, RenewalWant::ArchiveOld { .. });
                prop_assert!(wanted, "nothing is archived before the server asks for it");
            }
        }
    }
}
