//! Whether an agent that speaks is who it was enrolled as: activation, renewal, recovery, and clones.
//!
//! An identity counts only once it is used: until then the one before stays valid, so a lost answer harms nobody. Once
//! the new one was used, the old one appearing again means that two PCs hold the same key, and both lose their
//! directives until a person decides.

use inkan_issuance::request::Request;
use inkan_model::{Fingerprint, HostId, Timestamp};
use ring::hmac;
use time::Duration;
use tracing::warn;

use crate::core::Core;
use crate::enrolment::Enrolled;
use crate::error::AgentRefusal;
use crate::feed::Change;
use crate::ports::{HostSession, NewIdentity, VerifiedIdentity};

/// How long the nonce of a recovery is good for.
pub const RECOVERY_WINDOW: Duration = Duration::minutes(2);

impl Core {
    /// Checks who speaks, at every call: the host's state and the serial number of its certificate.
    ///
    /// # Errors
    /// When the identity is not one that may speak.
    pub async fn authenticate(&self, peer: &VerifiedIdentity) -> Result<HostSession, AgentRefusal> {
        let refuse = |why| Err(AgentRefusal::NotAccepted { why });
        let Some(session) = self.db().find_session(peer.host).await? else { return refuse("the host is not known") };
        if session.vendor != peer.vendor || session.spki_sha256 != *Fingerprint::of(&peer.spki).as_bytes() {
            return refuse("the certificate does not belong to this host");
        }
        if !session.state.may_report() {
            return refuse("the host was taken out of service");
        }
        if peer.serial == session.current_serial {
            return Ok(session);
        }
        let now = self.now();
        if Some(peer.serial) == session.pending_serial {
            self.db().activate_identity(peer.host, peer.serial, now).await?;
            let activated = self.db().find_session(peer.host).await?;
            return activated.ok_or(AgentRefusal::NotAccepted { why: "the host is not known" });
        }
        warn!(host = %peer.host, "an identity that was replaced is in use: two PCs hold it, or an old image came back");
        self.db().record_identity_conflict(peer.host, now).await?;
        self.inner.feed.publish(Change { vendor: peer.vendor, host: peer.host });
        refuse("the certificate was replaced by a newer one: enrol this PC again")
    }

    /// Issues the next identity for the same key. It counts once it is used.
    ///
    /// # Errors
    /// When the request is not for the host's own key.
    pub async fn renew_identity(
        &self,
        host: HostId,
        session: &HostSession,
        csr: &[u8],
    ) -> Result<Vec<Vec<u8>>, AgentRefusal> {
        let request = Request::parse(csr).map_err(|error| AgentRefusal::invalid("csr", error))?;
        if session.spki_sha256 != *Fingerprint::of(request.spki_der()).as_bytes() {
            return Err(AgentRefusal::invalid("csr", "is not for this host's key"));
        }
        let identity = self.order_identity(session.vendor, host, request.spki_der())?;
        self.db().record_pending_identity(host, &identity).await?;
        Ok(identity.chain)
    }

    /// Begins a recovery: a nonce for the holder of this (expired) identity to sign. Nothing is stored; the nonce
    /// proves itself when it comes back.
    ///
    /// # Errors
    /// When this deployment did not issue the identity.
    pub fn begin_recovery(&self, leaf: &[u8]) -> Result<Vec<u8>, AgentRefusal> {
        self.verify_leaf(leaf)?;
        let at = self.now().as_unix_millis().to_be_bytes();
        Ok([at.as_slice(), self.recovery_tag(at, leaf).as_ref()].concat())
    }

    /// Completes a recovery: a new identity for the same key, at most as often as the host is allowed to.
    ///
    /// # Errors
    /// When nonce or signature do not fit, or the recoveries are used up.
    pub async fn recover(&self, leaf: &[u8], nonce: &[u8], signature: &[u8]) -> Result<Enrolled, AgentRefusal> {
        let peer = self.verify_leaf(leaf)?;
        self.check_nonce(leaf, nonce)?;
        let message = inkan_issuance::proof::recovery_message(nonce);
        let fits = inkan_issuance::proof::verify_signature(&peer.spki, &message, signature);
        fits.map_err(|_| AgentRefusal::invalid("signature", "is not by this identity's key"))?;
        let refuse = |why| Err(AgentRefusal::NotAccepted { why });
        let Some(session) = self.db().find_session(peer.host).await? else { return refuse("the host is not known") };
        if !session.state.may_report() || session.vendor != peer.vendor {
            return refuse("the host was taken out of service");
        }
        let known = peer.serial == session.current_serial || Some(peer.serial) == session.pending_serial;
        if !known || session.spki_sha256 != *Fingerprint::of(&peer.spki).as_bytes() {
            self.db().record_identity_conflict(peer.host, self.now()).await?;
            return refuse("the certificate was replaced by a newer one: enrol this PC again");
        }
        if session.recoveries >= session.recovery_limit {
            return refuse("this PC recovered too often: enrol it again with a new join token");
        }
        let identity: NewIdentity = self.order_identity(session.vendor, peer.host, &peer.spki)?;
        self.db().record_recovery(peer.host, session.recoveries, &identity).await?;
        Ok(Enrolled { host: peer.host, chain: identity.chain, report_only: !session.state.gets_directives() })
    }

    fn verify_leaf(&self, leaf: &[u8]) -> Result<VerifiedIdentity, AgentRefusal> {
        let verified = self.inner.parts.identity_authority.verify_identity(leaf);
        verified.map_err(|_| AgentRefusal::invalid("certificate", "was not issued by this deployment"))
    }

    fn check_nonce(&self, leaf: &[u8], nonce: &[u8]) -> Result<(), AgentRefusal> {
        let refused = || AgentRefusal::invalid("nonce", "is not a fresh one for this certificate");
        let (at, tag) = nonce.split_first_chunk::<8>().ok_or_else(refused)?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.inner.recovery_key);
        hmac::verify(&key, &nonce_message(*at, leaf), tag).map_err(|_| refused())?;
        let age = self.now().since(Timestamp::from_unix_millis(i64::from_be_bytes(*at)));
        if age.is_negative() || age > RECOVERY_WINDOW { Err(refused()) } else { Ok(()) }
    }

    fn recovery_tag(&self, at: [u8; 8], leaf: &[u8]) -> hmac::Tag {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.inner.recovery_key);
        hmac::sign(&key, &nonce_message(at, leaf))
    }
}

fn nonce_message(at: [u8; 8], leaf: &[u8]) -> Vec<u8> {
    [at.as_slice(), Fingerprint::of(leaf).as_bytes()].concat()
}
