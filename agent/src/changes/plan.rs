//! What to do: pure functions from what is wanted, what stands there now, and the journal.
//!
//! Nothing here touches a store or the disk, so every rule about what may be changed, and every decision of a recovery,
//! can be tested with values alone.

use std::collections::{BTreeMap, BTreeSet};

use inkan_model::id::ChangeId;
use inkan_model::properties::{EntryProperties, TrustFlags, TrustLevel};
use inkan_model::store::{KeyPresence, Location};
use inkan_model::{Fingerprint, Timestamp};
use inkan_trust_store::Anchor;

use super::limits::SERVER_AUTH;
use super::record::{ChangeRecord, ChangeState, Deed, KeptAnchor, KeptCertificate};
use super::refusal::{PlaceProblem, Refusal};
use super::screen::check_anchor;

/// Changes that the journal holds.
pub const RECORDS: usize = 5_000;

/// What somebody wants to be so.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wanted {
    /// This anchor stands there, with these limits.
    Anchor(Anchor),
    /// This certificate is no anchor there.
    NoAnchor(Fingerprint),
    /// This certificate stands there with its key. The key itself is not the planner's business.
    Keyed {
        /// Which certificate.
        certificate: Fingerprint,
        /// The name that it is given.
        name: Option<String>,
    },
    /// This certificate is not there, and its key neither where nothing else uses that.
    NotKeyed(Fingerprint),
}

impl Wanted {
    /// Which certificate it is about.
    pub fn certificate(&self) -> Fingerprint {
        match self {
            Self::Anchor(anchor) => anchor.fingerprint(),
            Self::NoAnchor(certificate) | Self::NotKeyed(certificate) | Self::Keyed { certificate, .. } => *certificate,
        }
    }
}

/// What stands at a Location now, as far as one certificate is concerned.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Standing {
    /// The anchor.
    pub anchor: Option<KeptAnchor>,
    /// The certificate among those that have, or should have, keys.
    pub certificate: Option<KeptCertificate>,
}

/// What is to be done.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Plan {
    /// Nothing: it is so.
    AlreadySo,
    /// This.
    Do(Deed),
}

/// Whether an anchor stands as it is wanted: with the same limits and the same trust. Where nothing is said of trust, it is
/// that of servers that is meant; and where a store keeps a limit to servers as trust of servers alone, that is the same.
/// Names are the store's own affair.
pub fn stands_as(found: &KeptAnchor, wanted: &KeptAnchor) -> bool {
    let (found_says, wanted_says) = (&found.properties, &wanted.properties);
    let trusts = match (found_says.trust, wanted_says.trust) {
        (None, None) => true,
        (Some(found), None) => found.server == TrustLevel::Anchor,
        (found, Some(wanted)) => found == Some(wanted),
    };
    let is_for = |limits: &EntryProperties| match (&limits.purposes, limits.trust) {
        (Some(purposes), _) => Some(purposes.clone()),
        (None, Some(trust)) if trusts_servers_alone(trust) => Some(vec![SERVER_AUTH.to_owned()]),
        (None, _) => None,
    };
    let purposes = found_says.purposes == wanted_says.purposes || is_for(found_says) == wanted_says.purposes;
    found.der == wanted.der && found_says.name_constraints == wanted_says.name_constraints && purposes && trusts
}

fn trusts_servers_alone(trust: TrustFlags) -> bool {
    let TrustFlags { server, client, email, code } = trust;
    server == TrustLevel::Anchor && [client, email, code].iter().all(|level| *level != TrustLevel::Anchor)
}

/// Whether an anchor stands, or does not stand, as it did.
pub fn stands_as_before(found: Option<&KeptAnchor>, before: Option<&KeptAnchor>) -> bool {
    match (found, before) {
        (None, None) => true,
        (Some(found), Some(before)) => stands_as(found, before),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

/// Plans one change. `protected` are the certificates on which the agent's own connection depends.
pub fn plan(
    wanted: &Wanted,
    location: &Location,
    standing: &Standing,
    journal: &[ChangeRecord],
    protected: &BTreeSet<Fingerprint>,
    now: Timestamp,
) -> Result<Plan, Refusal> {
    let certificate = wanted.certificate();
    let is_it = |record: &&ChangeRecord| record.location == *location && record.certificate == certificate;
    if let Some(open) = journal.iter().filter(is_it).find(|record| record.state.is_unfinished()) {
        return Err(Refusal::Unfinished { change: open.id });
    }
    if journal.len() >= RECORDS && journal.iter().all(|record| record.state.is_live()) {
        return Err(Refusal::JournalFull);
    }
    let place = |problem| Refusal::Place { location: location.clone(), problem };
    match wanted {
        Wanted::Anchor(anchor) => {
            check_anchor(&anchor.der, now)?;
            let (wanted, before) = (KeptAnchor::from(anchor.clone()), standing.anchor.clone());
            let is_so = before.as_ref().is_some_and(|before| stands_as(before, &wanted));
            Ok(if is_so { Plan::AlreadySo } else { Plan::Do(Deed::AddAnchor { wanted, before }) })
        }
        Wanted::NoAnchor(_) | Wanted::NotKeyed(_) if protected.contains(&certificate) => {
            Err(Refusal::Protected { certificate })
        }
        Wanted::NoAnchor(_) => match standing.anchor.clone() {
            Some(before) => Ok(Plan::Do(Deed::RemoveAnchor { before })),
            None => Ok(Plan::AlreadySo),
        },
        Wanted::Keyed { name, .. } => match standing.certificate.clone() {
            Some(before) if before.key == KeyPresence::Present => Ok(Plan::AlreadySo),
            before => Ok(Plan::Do(Deed::Import { name: name.clone(), before })),
        },
        Wanted::NotKeyed(_) => match standing.certificate.clone() {
            Some(before) => Ok(Plan::Do(Deed::RemoveCertificate { before })),
            None => Err(place(PlaceProblem::NotThere { certificate })),
        },
    }
}

/// What stood at a place before the agent changed it, where it can be brought back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Original {
    /// This anchor, or none.
    Anchor(Option<KeptAnchor>),
    /// No certificate with a key.
    NoCertificate,
}

/// What has to stand there again for a change to be taken back. `None` where there is no way back: a key that is gone, or
/// one that came to a certificate that stood there without it.
pub fn way_back(deed: &Deed) -> Option<Original> {
    match deed {
        Deed::AddAnchor { before, .. } => Some(Original::Anchor(before.clone())),
        Deed::RemoveAnchor { before } => Some(Original::Anchor(Some(before.clone()))),
        Deed::Import { before: None, .. } => Some(Original::NoCertificate),
        Deed::Import { before: Some(_), .. } | Deed::RemoveCertificate { .. } => None,
    }
}

/// How a place is brought back to what it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restoration {
    /// Where.
    pub location: Location,
    /// Which certificate.
    pub certificate: Fingerprint,
    /// What stood there before the first of the changes.
    pub original: Original,
    /// The changes that are taken back by it, oldest first.
    pub changes: Vec<ChangeId>,
}

/// What a restoring takes back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    /// What the PC trusts.
    Anchors,
    /// Certificates that came with their keys as well.
    Everything,
}

/// The way back to what was there before the agent came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RestorePlan {
    /// What is brought back, newest first.
    pub restorations: Vec<Restoration>,
    /// Changes to which there is no way back.
    pub irreversible: Vec<ChangeRecord>,
}

/// Plans the way back to what was there before the agent came. Several changes of one certificate at one place are taken
/// back in one step, so that nothing is trusted in between that was not trusted before or after.
pub fn plan_restore(journal: &[ChangeRecord], extent: Extent) -> RestorePlan {
    plan_back(journal, |record| {
        record.state.is_live() && (record.deed.is_about_anchor() || extent == Extent::Everything)
    })
}

fn plan_back(journal: &[ChangeRecord], is_taken_back: impl Fn(&ChangeRecord) -> bool) -> RestorePlan {
    let mut groups: BTreeMap<_, Vec<(usize, &ChangeRecord)>> = BTreeMap::new();
    for (at, record) in journal.iter().enumerate().filter(|(_, record)| is_taken_back(record)) {
        let what = (&record.location, record.certificate, record.deed.is_about_anchor());
        groups.entry(what).or_default().push((at, record));
    }
    let mut newest_first: Vec<_> = groups.into_values().collect();
    newest_first.sort_by_key(|group| std::cmp::Reverse(group.last().map(|(at, _)| *at)));
    let mut plan = RestorePlan::default();
    for group in newest_first {
        let Some((_, oldest)) = group.first() else { continue };
        match way_back(&oldest.deed) {
            Some(original) => plan.restorations.push(Restoration {
                location: oldest.location.clone(),
                certificate: oldest.certificate,
                original,
                changes: group.iter().map(|(_, record)| record.id).collect(),
            }),
            None => plan.irreversible.extend(group.iter().map(|(_, record)| (*record).clone())),
        }
    }
    plan
}

/// What to do about a change of whose end nothing is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Recovery {
    /// Finish it where the store shows that it was made, else bring back what stood there. Never begins what was not
    /// begun: nobody knows how long ago it was asked for.
    Settle(ChangeRecord),
    /// Go on taking it back.
    TakeBack(Restoration),
    /// There is no way back, so there is nothing to do.
    Close(ChangeRecord),
}

/// Plans what a start, or a command, does first. Newest first.
pub fn plan_recovery(journal: &[ChangeRecord]) -> Vec<Recovery> {
    let begun =
        journal.iter().rev().filter(|record| matches!(record.state, ChangeState::Planned | ChangeState::Applied));
    let undoing = plan_back(journal, |record| matches!(record.state, ChangeState::Undoing { .. }));
    let taken_back = undoing.restorations.into_iter().map(Recovery::TakeBack);
    let closed = undoing.irreversible.into_iter().map(Recovery::Close);
    begun.cloned().map(Recovery::Settle).chain(taken_back).chain(closed).collect()
}

/// Whether the store shows that an interrupted change was made; `None` where it cannot be told and nothing may be lost.
pub fn was_made(deed: &Deed, standing: &Standing) -> Option<bool> {
    let key_of = |standing: &Standing| standing.certificate.as_ref().map(|certificate| certificate.key);
    match deed {
        Deed::AddAnchor { wanted, .. } => Some(standing.anchor.as_ref().is_some_and(|found| stands_as(found, wanted))),
        Deed::RemoveAnchor { .. } => Some(standing.anchor.is_none()),
        Deed::Import { .. } => match key_of(standing) {
            Some(KeyPresence::Present) => Some(true),
            Some(KeyPresence::Absent | KeyPresence::NotExpected) | None => Some(false),
            // Taking it back could destroy a key that exists once.
            Some(KeyPresence::Unknown | KeyPresence::Unrecognized(_)) => None,
        },
        Deed::RemoveCertificate { .. } => Some(standing.certificate.is_none()),
    }
}

#[cfg(test)]
mod tests;
