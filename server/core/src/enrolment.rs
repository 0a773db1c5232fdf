//! Joining: tokens made by operators, and PCs that come with one.

use std::net::IpAddr;

use inkan_issuance::request::Request;
use inkan_model::host::{HostFacts, HostState};
use inkan_model::identity::IDENTITY_LIFETIME;
use inkan_model::join_token::{self, JoinToken, JoinTokenSecret};
use inkan_model::operator::{Operator, Permission};
use inkan_model::{ClinicId, Fingerprint, HostId, JoinTokenId, VendorId};
use time::Duration;
use tracing::{info, warn};

use crate::core::{Core, require};
use crate::error::{AgentRefusal, Error};
use crate::feed::Change;
use crate::ports::{EnrolmentRecord, IdentityOrder, NewEnrolment, NewIdentity, Page, PageRequest, TokenRefusal};

/// What a token is asked to allow.
#[derive(Clone, Debug)]
pub struct JoinTokenOrder {
    /// The clinic that the PCs belong to.
    pub clinic: ClinicId,
    /// How many PCs, 1 to [`join_token::MOST_USES`].
    pub uses: u32,
    /// For how long; at most [`join_token::LONGEST_LIFETIME`].
    pub lifetime: Duration,
    /// Whether the PCs get directives at once.
    pub approve: bool,
}

/// What a PC brings to join.
#[derive(Clone, Debug)]
pub struct Enrolment {
    /// The token.
    pub token: JoinTokenSecret,
    /// A request (PKCS#10) for its key, DER.
    pub csr: Vec<u8>,
    /// Facts of the PC.
    pub facts: HostFacts,
    /// What ties the identity to the PC.
    pub machine_binding: [u8; 32],
    /// Where it comes from.
    pub source: IpAddr,
}

/// What a PC gets for it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Enrolled {
    /// The PC.
    pub host: HostId,
    /// Its identity, then its issuers, as DER.
    pub chain: Vec<Vec<u8>>,
    /// Whether an operator still has to approve it.
    pub report_only: bool,
}

impl Core {
    /// Makes a join token. The secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// When the role does not allow it, the clinic is not there, or a number is out of range.
    pub async fn create_join_token(
        &self,
        operator: &Operator,
        order: JoinTokenOrder,
    ) -> Result<(JoinToken, JoinTokenSecret), Error> {
        require(operator, Permission::ChangeFleet)?;
        let JoinTokenOrder { clinic, uses, lifetime, approve } = order;
        if !(1..=join_token::MOST_USES).contains(&uses) {
            return Err(Error::invalid("uses", format!("1 to {} are possible", join_token::MOST_USES)));
        }
        if lifetime < Duration::MINUTE || lifetime > join_token::LONGEST_LIFETIME {
            return Err(Error::invalid("lifetime", "a minute to 24 hours are possible"));
        }
        self.view(operator)?.clinic(clinic).await?;
        let now = self.now();
        let secret = JoinTokenSecret::new(self.entropy().bytes());
        let token = JoinToken {
            id: JoinTokenId::new(now, self.entropy().bytes()),
            vendor: operator.vendor,
            clinic,
            created_by: operator.id,
            created_at: now,
            expires_at: now.plus(lifetime),
            uses,
            used_by: Vec::new(),
            approve,
            revoked_at: None,
        };
        self.db().create_join_token(&token, secret.hash()).await?;
        Ok((token, secret))
    }

    /// The vendor's join tokens, newest first.
    ///
    /// # Errors
    /// When the role does not allow it or the database fails.
    pub async fn list_join_tokens(&self, operator: &Operator, page: &PageRequest) -> Result<Page<JoinToken>, Error> {
        require(operator, Permission::ReadFleet)?;
        Ok(self.db().list_join_tokens(operator.vendor, page).await?)
    }

    /// Withdraws a join token.
    ///
    /// # Errors
    /// When the role does not allow it or there is none such.
    pub async fn revoke_join_token(&self, operator: &Operator, token: JoinTokenId) -> Result<(), Error> {
        require(operator, Permission::ChangeFleet)?;
        let found = self.db().revoke_join_token(operator.vendor, token, self.now()).await?;
        if found { Ok(()) } else { Err(Error::NotFound { what: "join token" }) }
    }

    /// Lets a PC join. Coming again with the same token and key within ten minutes yields the same host, so an answer
    /// that was lost on the way does no harm.
    ///
    /// # Errors
    /// When the token does not allow it or the request is not one.
    pub async fn enroll(&self, enrolment: Enrolment) -> Result<Enrolled, AgentRefusal> {
        let Enrolment { token, csr, facts, machine_binding, source } = enrolment;
        let (now, throttle) = (self.now(), &self.inner.throttles.join_source);
        let request = Request::parse(&csr).map_err(|error| AgentRefusal::invalid("csr", error))?;
        let token_hash = token.hash();
        // Only wrong tries count: on a roll-out day many PCs come from one address at the same moment.
        if throttle.is_exhausted(&source, now) {
            return Err(AgentRefusal::TooManyTries);
        }
        let Some(found) = self.db().find_join_token(token_hash).await? else {
            throttle.note(source, now);
            return Err(AgentRefusal::Token(TokenRefusal::Unknown));
        };
        let vendor = found.vendor;
        let host = HostId::new(self.now(), self.entropy().bytes());
        let identity = self.order_identity(vendor, host, request.spki_der())?;
        let chain = identity.chain.clone();
        let spki_sha256 = *Fingerprint::of(request.spki_der()).as_bytes();
        let enrolment = NewEnrolment { token_hash, host, spki_sha256, machine_binding, facts, identity, source };
        let (host, state, chain) = match self.db().record_enrolment(&enrolment).await? {
            EnrolmentRecord::Enrolled { host, state } => (host, state, chain),
            EnrolmentRecord::Repeated { host, state, chain } => (host, state, chain),
            EnrolmentRecord::Refused(why) => {
                // A used token with another key is how a leaked one shows.
                warn!(token = %found.id, %vendor, %source, %why, "a join token was refused");
                throttle.note(source, now);
                return Err(AgentRefusal::Token(why));
            }
        };
        info!(%host, %vendor, "host enrolled");
        self.review_host(host).await?;
        self.inner.feed.publish(Change { vendor, host });
        Ok(Enrolled { host, chain, report_only: state == HostState::ReportOnly })
    }

    pub(crate) fn order_identity(
        &self,
        vendor: VendorId,
        host: HostId,
        spki: &[u8],
    ) -> Result<NewIdentity, AgentRefusal> {
        let now = self.now();
        let order = IdentityOrder {
            vendor,
            host,
            spki: spki.to_vec(),
            serial: self.serial(),
            not_before: now.minus(Duration::minutes(5)),
            not_after: now.plus(IDENTITY_LIFETIME),
        };
        let chain = self.inner.parts.identity_authority.issue_identity(&order)?;
        Ok(NewIdentity { serial: order.serial, chain, issued_at: now, not_after: order.not_after })
    }

    /// A serial number: positive and of full length, whatever chance says (RFC 5280 §4.1.2.2).
    fn serial(&self) -> [u8; 16] {
        let mut serial: [u8; 16] = self.entropy().bytes();
        serial[0] = (serial[0] & 0x7f) | 0x40;
        serial
    }
}
