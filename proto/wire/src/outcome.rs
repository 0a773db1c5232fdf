//! What came of a directive on a host.

use inkan_model::digest::Fingerprint;
use inkan_model::id::RenewalId;
use inkan_model::limits;
use inkan_model::renewal::{Outcome, OutcomeResult, ProbeResult, Proof, RenewalStep};
use inkan_model::sync::{SpoolEntry, Told};
use inkan_model::time::Timestamp;

use crate::field::{self, InvalidMessage};
use crate::pb;
use crate::pb::outcome::Result as Wire;
use crate::pb::spool_entry::Told as WireTold;

impl TryFrom<pb::SpoolEntry> for SpoolEntry {
    type Error = InvalidMessage;

    fn try_from(message: pb::SpoolEntry) -> Result<Self, InvalidMessage> {
        let pb::SpoolEntry { sequence, at_ms, told } = message;
        if sequence == 0 {
            return Err(InvalidMessage::new("sequence", "is 0, which is before the first entry"));
        }
        let told = match told {
            Some(WireTold::Outcome(outcome)) => Told::Renewal(field::message("outcome", Some(outcome))?),
            Some(WireTold::Checkup(checkup)) => Told::Checkup(field::message("checkup", Some(checkup))?),
            None => return Err(InvalidMessage::new("outcome", "is missing")),
        };
        Ok(Self { sequence, at: Timestamp::from_unix_millis(at_ms), told })
    }
}

impl From<SpoolEntry> for pb::SpoolEntry {
    fn from(entry: SpoolEntry) -> Self {
        let SpoolEntry { sequence, at, told } = entry;
        let told = match told {
            Told::Renewal(outcome) => WireTold::Outcome(outcome.into()),
            Told::Checkup(checkup) => WireTold::Checkup(checkup.into()),
        };
        Self { sequence, at_ms: at.as_unix_millis(), told: Some(told) }
    }
}

/// An outcome of a kind that is not known here is kept as [`OutcomeResult::Unrecognized`] of 0, since the number of an
/// unknown field does not survive decoding.
impl TryFrom<pb::Outcome> for Outcome {
    type Error = InvalidMessage;

    fn try_from(message: pb::Outcome) -> Result<Self, InvalidMessage> {
        let pb::Outcome { renewal, result } = message;
        let renewal = RenewalId::from_slice(&renewal).map_err(|why| InvalidMessage::new("renewal", why))?;
        let (name, result) = match result {
            None => return Ok(Self { renewal, result: OutcomeResult::Unrecognized(0) }),
            Some(Wire::Requested(requested)) => ("requested", read_requested(requested)),
            Some(Wire::Installed(installed)) => ("installed", read_installed(&installed)),
            Some(Wire::Proven(proven)) => ("proven", read_proven(proven)),
            Some(Wire::OldArchived(archived)) => ("old_archived", read_old_archived(&archived)),
            Some(Wire::Failed(failed)) => ("failed", read_failed(failed)),
        };
        Ok(Self { renewal, result: result.map_err(|refused| refused.within(name))? })
    }
}

fn read_requested(message: pb::OutcomeRequested) -> Result<OutcomeResult, InvalidMessage> {
    let pb::OutcomeRequested { csr } = message;
    Ok(OutcomeResult::Requested { csr: field::bytes("csr", csr, limits::REQUEST_BYTES)? })
}

fn read_installed(message: &pb::OutcomeInstalled) -> Result<OutcomeResult, InvalidMessage> {
    Ok(OutcomeResult::Installed { new: field::digest("new", &message.new, Fingerprint::from_slice)? })
}

fn read_proven(message: pb::OutcomeProven) -> Result<OutcomeResult, InvalidMessage> {
    let pb::OutcomeProven { new, signature, probe } = message;
    let new = field::digest("new", &new, Fingerprint::from_slice)?;
    let signature = field::bytes("signature", signature, limits::SMALL_BYTES)?;
    Ok(OutcomeResult::Proven { new, proof: Proof { signature, probe: field::optional("probe", probe)? } })
}

fn read_old_archived(message: &pb::OutcomeOldArchived) -> Result<OutcomeResult, InvalidMessage> {
    Ok(OutcomeResult::OldArchived { new: field::digest("new", &message.new, Fingerprint::from_slice)? })
}

fn read_failed(message: pb::OutcomeFailed) -> Result<OutcomeResult, InvalidMessage> {
    let pb::OutcomeFailed { step, why, retry } = message;
    let why = field::text("why", why, limits::LONG_TEXT)?;
    Ok(OutcomeResult::Failed { step: renewal_step(step), why, retry })
}

impl From<Outcome> for pb::Outcome {
    fn from(outcome: Outcome) -> Self {
        let Outcome { renewal, result } = outcome;
        let new_bytes = |new: Fingerprint| new.as_bytes().to_vec();
        let result = match result {
            OutcomeResult::Requested { csr } => Some(Wire::Requested(pb::OutcomeRequested { csr })),
            OutcomeResult::Installed { new } => Some(Wire::Installed(pb::OutcomeInstalled { new: new_bytes(new) })),
            OutcomeResult::Proven { new, proof: Proof { signature, probe } } => {
                let probe = probe.map(Into::into);
                Some(Wire::Proven(pb::OutcomeProven { new: new_bytes(new), signature, probe }))
            }
            OutcomeResult::OldArchived { new } => {
                Some(Wire::OldArchived(pb::OutcomeOldArchived { new: new_bytes(new) }))
            }
            OutcomeResult::Failed { step, why, retry } => {
                Some(Wire::Failed(pb::OutcomeFailed { step: renewal_step_number(step), why, retry }))
            }
            OutcomeResult::Unrecognized(_) => None,
        };
        Self { renewal: renewal.as_bytes().to_vec(), result }
    }
}

impl TryFrom<pb::ProbeResult> for ProbeResult {
    type Error = InvalidMessage;

    fn try_from(message: pb::ProbeResult) -> Result<Self, InvalidMessage> {
        let pb::ProbeResult { target, accepted, detail } = message;
        Ok(Self {
            // Longer than a host name, because the port follows it.
            target: field::name("target", target, limits::LONG_TEXT)?,
            accepted,
            detail: field::text("detail", detail, limits::LONG_TEXT)?,
        })
    }
}

impl From<ProbeResult> for pb::ProbeResult {
    fn from(result: ProbeResult) -> Self {
        let ProbeResult { target, accepted, detail } = result;
        Self { target, accepted, detail }
    }
}

fn renewal_step(number: i32) -> RenewalStep {
    match pb::RenewalStep::try_from(number) {
        Ok(pb::RenewalStep::Request) => RenewalStep::Request,
        Ok(pb::RenewalStep::Issue) => RenewalStep::Issue,
        Ok(pb::RenewalStep::Install) => RenewalStep::Install,
        Ok(pb::RenewalStep::Prove) => RenewalStep::Prove,
        Ok(pb::RenewalStep::ArchiveOld) => RenewalStep::ArchiveOld,
        Ok(pb::RenewalStep::Unspecified) | Err(_) => RenewalStep::Unrecognized(number),
    }
}

fn renewal_step_number(step: RenewalStep) -> i32 {
    let known = match step {
        RenewalStep::Request => pb::RenewalStep::Request,
        RenewalStep::Issue => pb::RenewalStep::Issue,
        RenewalStep::Install => pb::RenewalStep::Install,
        RenewalStep::Prove => pb::RenewalStep::Prove,
        RenewalStep::ArchiveOld => pb::RenewalStep::ArchiveOld,
        RenewalStep::Unrecognized(number) => return number,
    };
    known.into()
}
