//! Renewals: asked for by an operator, moved on by the server, carried out and proven by the host.
//!
//! Everything here is load → plan (pure, [`crate::plan`]) → commit, with the rows' versions as guard: whoever loses a
//! race loads again. A kill at any point leaves a row from which the next tick goes on.

use std::sync::Arc;

use inkan_issuance::private_ca::{CertificationAuthority, Order, verify_issued_by};
use inkan_issuance::proof::{public_key_of, verify_signature};
use inkan_issuance::request::{Request, subject_of};
use inkan_model::checkup::CheckupOutcome;
use inkan_model::directive::{Directives, Generation};
use inkan_model::operator::{Operator, Permission};
use inkan_model::renewal::{Outcome, Renewal, RenewalState, RenewalStep, Requester};
use inkan_model::sync::SpoolPosition;
use inkan_model::time::DAY;
use inkan_model::{CertificateFacts, Fingerprint, HostId, OperatorId, RenewalId, Timestamp};
use sha2::{Digest as _, Sha256};
use time::Duration;
use tracing::{debug, warn};

use crate::checkups::plan_checkups;
use crate::core::{Core, require};
use crate::error::{AgentRefusal, Error};
use crate::feed::Change;
use crate::intake::MOST_COUNTED;
use crate::plan::{ServerStep, apply_outcome, needs_new_generation, plan_directives, plan_failure, plan_server_step};
use crate::ports::{
    DbError, DbResult, HostSession, InstallationQuery, InstallationRow, PageRequest, RenewalChange, RenewalCreation,
    Versioned,
};

/// How often a lost race is run again before giving up for now.
const MOST_ATTEMPTS: u32 = 5;
/// Clocks of PCs differ; a certificate is valid a little before it was issued.
const BACKDATE: Duration = Duration::minutes(5);

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct RenewalOrder {
    /// On which PC.
    pub host: HostId,
    /// Which certificate.
    pub certificate: Fingerprint,
    /// Why, in words; goes into the record.
    pub reason: Option<String>,
}

impl Core {
    /// Asks for a certificate to be renewed now. Asking again while one is under way answers with that one.
    ///
    /// # Errors
    /// When the role does not allow it, the certificate is not there, or nobody here can issue its successor.
    pub async fn request_renewal(&self, operator: &Operator, order: RenewalOrder) -> Result<Renewal, Error> {
        require(operator, Permission::RequestRenewal)?;
        let RenewalOrder { host, certificate, reason } = order;
        if let Some(reason) = &reason {
            inkan_model::limits::check_text(reason, inkan_model::limits::LONG_TEXT)
                .map_err(|why| Error::invalid("reason", why))?;
        }
        let detail = self.view(operator)?.host(host).await?;
        if !detail.state.gets_directives() {
            let why = "this PC does not get directives yet: approve it first".to_owned();
            return Err(Error::Conflict { why });
        }
        let installation = self.find_installation(operator, host, certificate).await?;
        self.check_issuer(operator, &installation).await?;
        let now = self.now();
        let renewal = Renewal {
            id: RenewalId::new(now, self.entropy().bytes()),
            vendor: operator.vendor,
            host,
            location: installation.location,
            old: certificate,
            requested_by: Requester::Operator(operator.id),
            reason,
            created_at: now,
            failures: 0,
            state: RenewalState::Planned { not_before: now },
        };
        let renewal = match self.db().create_renewal(&renewal).await? {
            RenewalCreation::Created => renewal.id,
            RenewalCreation::Live(live) => {
                self.start_over(&live, operator.id, now).await?;
                live.id
            }
        };
        self.advance_host(host, Some(operator.id)).await?;
        self.view(operator)?.renewal(renewal).await
    }

    /// Asking again is how a person says that what they had to do is done.
    async fn start_over(&self, live: &Renewal, by: OperatorId, now: Timestamp) -> DbResult<()> {
        self.change_renewals(live.host, Some(by), now, ToldByHost::default(), |current| {
            let waiting = current.iter().find(|one| one.id == live.id)?;
            Some(vec![waiting.clone().start_over(now).ok()?])
        })
        .await
    }

    /// Gives a renewal up. The old certificate stays as it is; what the host made for it is taken back.
    ///
    /// # Errors
    /// When the role does not allow it, there is none such, or it is over already or its proof is in.
    pub async fn abandon_renewal(&self, operator: &Operator, renewal: RenewalId, why: String) -> Result<(), Error> {
        require(operator, Permission::RequestRenewal)?;
        inkan_model::limits::check_text(&why, inkan_model::limits::LONG_TEXT)
            .map_err(|error| Error::invalid("why", error))?;
        let found = self.view(operator)?.renewal(renewal).await?;
        let (now, by) = (self.now(), operator.id);
        let mut refused = None;
        self.change_renewals(found.host, Some(by), now, ToldByHost::default(), |live| {
            let one = live.iter().find(|one| one.id == renewal)?;
            if matches!(one.state, RenewalState::Proven { .. }) {
                refused = Some("the new certificate is proven already; it will be finished".to_owned());
                return None;
            }
            match one.clone().abandon(Some(by), why.clone(), now) {
                Ok(moved) => Some(vec![moved]),
                Err(error) => {
                    refused = Some(error.to_string());
                    None
                }
            }
        })
        .await?;
        match refused {
            Some(why) => Err(Error::Conflict { why }),
            None if found.state.is_over() => Err(Error::Conflict { why: "this renewal is over".to_owned() }),
            None => Ok(()),
        }
    }

    async fn find_installation(
        &self,
        operator: &Operator,
        host: HostId,
        certificate: Fingerprint,
    ) -> Result<InstallationRow, Error> {
        let query = InstallationQuery { host: Some(host), ..InstallationQuery::default() };
        let view = self.view(operator)?;
        let mut page = PageRequest::first(500);
        loop {
            let held = view.installations(&query, &page).await?;
            if let Some(found) = held.items.into_iter().find(|row| row.certificate == certificate) {
                return Ok(found);
            }
            page.after = held.next;
            if page.after.is_none() {
                return Err(Error::NotFound { what: "certificate with a key on this host" });
            }
        }
    }

    /// The issuer that can be asked for a successor without a person: so far the vendor's own CA. A certificate that
    /// another one issued cannot be renewed from here.
    ///
    /// # Errors
    /// When the role does not allow it or the CA cannot be loaded.
    pub async fn find_renewing_issuer(&self, operator: &Operator) -> Result<CertificateFacts, Error> {
        require(operator, Permission::ReadFleet)?;
        let authority = self.private_ca(operator.vendor).await?;
        CertificateFacts::read(authority.certificate()).map_err(|error| Error::invalid("issuer", error))
    }

    /// Only the vendor's own CA can be asked without a person so far.
    async fn check_issuer(&self, operator: &Operator, installation: &InstallationRow) -> Result<(), Error> {
        let authority = self.private_ca(operator.vendor).await?;
        let old = self.view(operator)?.certificate(installation.certificate).await?;
        // The name alone would let a PC make up a certificate, and have its subject certified.
        if verify_issued_by(&old.der, authority.certificate()).is_ok() {
            return Ok(());
        }
        Err(Error::Conflict {
            why: format!(
                "{} issued this certificate, and inkan cannot ask it for a new one: apply there",
                installation.facts.issuer_common_name
            ),
        })
    }

    async fn private_ca(
        &self,
        vendor: inkan_model::VendorId,
    ) -> Result<Arc<dyn CertificationAuthority>, crate::ports::AuthorityError> {
        let core = self.clone();
        // Making a CA on first use writes files; that must not hold up other requests.
        let found = tokio::task::spawn_blocking(move || core.inner.parts.authorities.private_ca(vendor)).await;
        found.unwrap_or_else(|cause| {
            Err(crate::ports::AuthorityError { step: "load the private CA", cause: Box::new(cause) })
        })
    }

    /// What outcomes of a host make of its renewals, committed together with what its doctor found and the spool's position.
    pub(crate) async fn apply_outcomes(
        &self,
        host: HostId,
        session: &HostSession,
        outcomes: &[Outcome],
        checkups: Vec<CheckupOutcome>,
        position: SpoolPosition,
        now: Timestamp,
    ) -> Result<(), AgentRefusal> {
        let (retry_after, probe) = (self.settings().retry_after, self.settings().probe.as_ref());
        let verify = |chain: &[Vec<u8>], message: &[u8], signature: &[u8]| {
            let spki = chain.first().and_then(|leaf| public_key_of(leaf).ok());
            spki.is_some_and(|spki| verify_signature(&spki, message, signature).is_ok())
        };
        let told = ToldByHost { acknowledged: Some(position), checkups };
        self.change_renewals(host, None, now, told, |live| {
            let mut after = live.to_vec();
            let mut reached = Vec::new();
            for outcome in outcomes {
                let Some(renewal) = after.iter_mut().find(|renewal| renewal.id == outcome.renewal) else { continue };
                if let Some(moved) = apply_outcome(renewal, outcome, probe, &verify, retry_after, now) {
                    reached.push(moved.clone());
                    *renewal = moved;
                } else {
                    debug!(renewal = %outcome.renewal, "outcome changes nothing");
                }
            }
            Some(reached)
        })
        .await?;
        if session.state.may_report() { self.advance_host(host, None).await.map_err(as_refusal) } else { Ok(()) }
    }

    /// Does all that the server itself can do now for a host's renewals.
    pub(crate) async fn advance_host(&self, host: HostId, by: Option<OperatorId>) -> Result<(), Error> {
        let Some(session) = self.db().find_session(host).await? else { return Ok(()) };
        let gets_directives = session.state.gets_directives();
        // Each round is one step of each renewal; there are never more than a few steps that need no host.
        for _ in 0..MOST_ATTEMPTS {
            let now = self.now();
            let live = self.db().list_live_renewals(host).await?;
            let due = |one: &Versioned<Renewal>| plan_server_step(&one.value, gets_directives, now);
            let steps: Vec<_> = live.iter().filter_map(|one| Some((one.value.clone(), due(one)?))).collect();
            if steps.is_empty() {
                return Ok(());
            }
            let generation = session.generation;
            let mut moved = Vec::new();
            for (renewal, step) in steps {
                moved.extend(self.take_server_step(renewal, step, generation, now).await);
            }
            self.change_renewals(host, by, now, ToldByHost::default(), |current| {
                // A row that somebody else moved meanwhile is left to the next round.
                let still =
                    |next: &Renewal| live.iter().any(|one| one.value.id == next.id && current.contains(&one.value));
                Some(moved.iter().filter(|next| still(next)).cloned().collect())
            })
            .await?;
        }
        Ok(())
    }

    async fn take_server_step(
        &self,
        renewal: Renewal,
        step: ServerStep,
        generation: Generation,
        now: Timestamp,
    ) -> Option<Renewal> {
        match step {
            ServerStep::Direct => renewal.direct(generation.next(), now).ok(),
            ServerStep::Retry => renewal.retry(now).ok(),
            ServerStep::Issue { csr, requested_at } => match self.issue(&renewal, &csr, requested_at).await {
                Ok(chain) => {
                    let new = Fingerprint::of(chain.first().map_or(&[], Vec::as_slice));
                    let challenge = self.entropy().bytes::<32>().to_vec();
                    renewal.issue(new, chain, challenge, now).ok()
                }
                Err(refused) => {
                    warn!(renewal = %renewal.id, why = %refused.why, "could not issue");
                    let IssueRefusal { why, retry } = refused;
                    plan_failure(renewal, RenewalStep::Issue, why, retry, self.settings().retry_after, now)
                }
            },
        }
    }

    /// Has the successor issued: the request must be for the old certificate's subject, byte for byte, with a new key.
    ///
    /// Serial and validity follow from the record alone: issuing again after a kill between signing and committing makes
    /// the same certificate over again, and not a second one that no record knows.
    async fn issue(
        &self,
        renewal: &Renewal,
        csr: &[u8],
        requested_at: Timestamp,
    ) -> Result<Vec<Vec<u8>>, IssueRefusal> {
        let refuse = |why: String| IssueRefusal { why, retry: false };
        let later = |why: String| IssueRefusal { why, retry: true };
        let request = Request::parse(csr).map_err(|error| refuse(format!("the request: {}", chain_of(&error))))?;
        let found = self.db().find_certificate(renewal.vendor, renewal.old).await;
        let old = found.map_err(|error| later(chain_of(&error)))?;
        let old = old.ok_or_else(|| refuse("the old certificate is not on record".to_owned()))?;
        let subject = subject_of(&old.der).map_err(|error| refuse(chain_of(&error)))?;
        if request.subject_der() != subject {
            return Err(refuse("the request's subject is not that of the old certificate".to_owned()));
        }
        let authority = self.private_ca(renewal.vendor).await.map_err(|error| later(chain_of(&error)))?;
        verify_issued_by(&old.der, authority.certificate()).map_err(|error| refuse(chain_of(&error)))?;
        let order = Order {
            subject_der: subject,
            spki_der: request.spki_der().to_vec(),
            serial: serial_of(renewal, csr),
            not_before: requested_at.minus(BACKDATE),
            not_after: requested_at.plus(self.settings().leaf_lifetime),
        };
        authority.issue(&order).map_err(|error| later(chain_of(&error)))
    }

    /// Loads the host's live renewals, lets `decide` move some (by value, told apart by id), and commits, with a new
    /// generation when the host has to be told anew. Runs again when somebody else was faster.
    async fn change_renewals(
        &self,
        host: HostId,
        by: Option<OperatorId>,
        now: Timestamp,
        told: ToldByHost,
        mut decide: impl FnMut(&[Renewal]) -> Option<Vec<Renewal>>,
    ) -> DbResult<()> {
        let probe = self.settings().probe.as_ref();
        let ToldByHost { acknowledged, checkups } = told;
        for attempt in 1.. {
            let Some(session) = self.db().find_session(host).await? else { return Ok(()) };
            let live = self.db().list_live_renewals(host).await?;
            let before: Vec<_> = live.iter().map(|one| one.value.clone()).collect();
            let decided = decide(&before).unwrap_or_default();
            let moved = moved_rows(&live, &decided);
            if moved.is_empty() && acknowledged.is_none() {
                return Ok(());
            }
            let after: Vec<_> = before.iter().map(|one| moved_or(&moved, one)).collect();
            let next = session.generation.next();
            // A checkup that is answered is no longer listed.
            let tell_anew = needs_new_generation(&before, &after, probe) || self.answers_any(host, &checkups).await?;
            let generation = tell_anew.then_some((session.generation, next));
            let checkups = checkups.clone();
            let change = RenewalChange { moved, checkups, acknowledged, generation, applied: None, by, now };
            match self.db().record_renewals(host, &change).await {
                Ok(()) => {
                    self.inner.feed.publish(Change { vendor: session.vendor, host });
                    if generation.is_some() {
                        self.inner.nudges.nudge(host, next);
                    }
                    return Ok(());
                }
                Err(DbError::Conflict { .. }) if attempt < MOST_ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn answers_any(&self, host: HostId, checkups: &[CheckupOutcome]) -> DbResult<bool> {
        if checkups.is_empty() {
            return Ok(false);
        }
        let waiting = self.db().list_waiting_checkups(host).await?;
        Ok(waiting.iter().any(|waiting| checkups.iter().any(|answered| answered.checkup == waiting.id)))
    }

    /// The host's directives, when they are not the ones that the agent has; remembers which it has.
    pub(crate) async fn directives_for(
        &self,
        host: HostId,
        session: &HostSession,
        agent: Generation,
    ) -> Result<Option<Directives>, AgentRefusal> {
        if agent.0 > MOST_COUNTED {
            return Err(AgentRefusal::invalid("generation", "is out of all proportion"));
        }
        // After a restored backup the agent may be ahead; it would refuse an older generation, so ours moves past it.
        let current = if agent > session.generation { agent.next() } else { session.generation };
        let generation = (current != session.generation).then_some((session.generation, current));
        if generation.is_some() || agent != session.applied_generation {
            let applied = Some(agent);
            let change = RenewalChange { generation, applied, now: self.now(), ..RenewalChange::default() };
            self.db().record_renewals(host, &change).await?;
        }
        if !session.state.gets_directives() || agent == current {
            return Ok(None);
        }
        let live = self.db().list_live_renewals(host).await?;
        let renewals: Vec<_> = live.into_iter().map(|one| one.value).collect();
        let checkups = plan_checkups(self.db().list_waiting_checkups(host).await?);
        Ok(Some(Directives { checkups, ..plan_directives(current, &renewals, self.settings().probe.as_ref()) }))
    }
}

/// The serial number of a renewal's certificate: positive and of full length (RFC 5280 §4.1.2.2), and the same each
/// time for the same request.
fn serial_of(renewal: &Renewal, csr: &[u8]) -> [u8; 16] {
    let digest = Sha256::new().chain_update(renewal.id.as_bytes()).chain_update(csr).finalize();
    let mut serial = [0; 16];
    serial.copy_from_slice(&digest[..16]);
    serial[0] = (serial[0] & 0x7f) | 0x40;
    serial
}

/// What a host told in one Sync, to be committed with what it makes of its renewals.
#[derive(Default)]
struct ToldByHost {
    acknowledged: Option<SpoolPosition>,
    checkups: Vec<CheckupOutcome>,
}

struct IssueRefusal {
    why: String,
    retry: bool,
}

/// The states that were reached, each with the version that it follows, in the order in which they were: one message from a
/// host may bring a renewal on by several, and the timeline tells each.
fn moved_rows(live: &[Versioned<Renewal>], decided: &[Renewal]) -> Vec<Versioned<Renewal>> {
    let mut rows = Vec::new();
    for one in live {
        let Versioned { mut version, value: before } = one.clone();
        let mut standing = before;
        for next in decided.iter().filter(|next| next.id == one.value.id) {
            if *next != standing {
                rows.push(Versioned { version, value: next.clone() });
                standing = next.clone();
                version += 1;
            }
        }
    }
    rows
}

fn moved_or(moved: &[Versioned<Renewal>], one: &Renewal) -> Renewal {
    let last = moved.iter().rfind(|next| next.value.id == one.id);
    last.map_or_else(|| one.clone(), |last| last.value.clone())
}

fn as_refusal(error: Error) -> AgentRefusal {
    match error {
        Error::Db(cause) => AgentRefusal::Db(cause),
        Error::Authority(cause) => AgentRefusal::Authority(cause),
        other => AgentRefusal::invalid("entries", other),
    }
}

/// An error with all its causes, for a record that people read.
fn chain_of(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// The shortest time that is left of a certificate before a renewal by hand is worth a warning.
pub const EARLY: Duration = Duration::days(90);

/// Whether a renewal now would give away much of what was paid for.
pub fn is_early(not_after: Timestamp, now: Timestamp) -> bool {
    not_after.since(now) > EARLY + DAY
}
