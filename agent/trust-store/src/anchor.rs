//! Adding and removing anchors, where a kind of store can be changed so.
//!
//! Each call is one step of a change that somebody else planned and journaled: it is idempotent, it reads back what it
//! wrote, and on failure it leaves the store as it was. Nothing here decides whether an anchor may come or go.

use inkan_model::properties::{TrustFlags, TrustLevel};
use inkan_model::store::Location;
use inkan_model::{EntryProperties, Fingerprint};

use crate::ChangeError;

/// An anchor as it stands, or should stand, at a Location: all that is needed to put it back as it was.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Anchor {
    /// The certificate as DER.
    pub der: Vec<u8>,
    /// Its name in the store, where the store keeps one.
    pub name: Option<String>,
    /// Limits and trust flags. A store that cannot enforce a limit refuses the anchor.
    pub properties: EntryProperties,
}

impl Anchor {
    /// The certificate's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    /// Refuses an anchor that must be limited, for a kind of store that trusts whole or not at all.
    pub(crate) fn refuse_limits(&self, location: &Location) -> Result<(), ChangeError> {
        let EntryProperties { purposes, name_constraints, trust, .. } = &self.properties;
        let everywhere = |trust: &TrustFlags| {
            let TrustFlags { server, client, email, code } = *trust;
            [server, client, email, code].into_iter().all(|level| level == TrustLevel::Anchor)
        };
        let limits = [
            (purposes.is_some(), "purposes"),
            (name_constraints.is_some(), "name constraints"),
            (trust.as_ref().is_some_and(|trust| !everywhere(trust)), "trust by purpose"),
        ];
        match limits.into_iter().find(|(wanted, _)| *wanted) {
            None => Ok(()),
            Some((_, limit)) => Err(ChangeError::CannotLimit { location: location.clone(), limit: limit.to_owned() }),
        }
    }
}

/// How a change came out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Changed {
    /// Nothing had to be done.
    AlreadySo,
    /// The store was changed and read back.
    Done,
    /// The store was changed and read back; this running application sees it only after it was started again.
    AfterRestart {
        /// The application, in a person's words, such as `Firefox`.
        application: String,
    },
}

/// Adds and removes anchors.
pub trait AnchorStore: Send + Sync {
    /// Whether anchors at this Location can be changed, told without changing anything; the error says why not.
    fn can_change(&self, location: &Location) -> Result<(), ChangeError>;

    /// The anchor as it stands at this Location now.
    fn find_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Option<Anchor>, ChangeError>;

    /// Adds an anchor, its limits before the anchor itself counts, and reads it back. One that is there with other limits
    /// or trust is brought to these.
    fn add_anchor(&self, location: &Location, anchor: &Anchor) -> Result<Changed, ChangeError>;

    /// Removes an anchor, and reads back that it is gone.
    fn remove_anchor(&self, location: &Location, certificate: Fingerprint) -> Result<Changed, ChangeError>;
}
