//! Checkups: an operator asks, the host's doctor answers when the PC is there.
//!
//! A checkup is a row before anything else. A PC that is off answers when it comes back; until then the row waits, and
//! pages say so. Nothing is changed on the PC by it.

use inkan_model::checkup::Checkup;
use inkan_model::directive::CheckupDirective;
use inkan_model::limits;
use inkan_model::operator::{Operator, Permission};
use inkan_model::programme::Programme;
use inkan_model::{CheckupId, HostId};

use crate::core::{Core, require};
use crate::error::Error;
use crate::feed::Change;
use crate::hosts::FleetView;
use crate::ports::{CheckupCreation, DbError, KEPT_CHECKUPS};

/// How often a lost race is run again before giving up for now.
const MOST_ATTEMPTS: u32 = 5;

/// A host's checkups, as far as they are worth a look.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HostCheckups {
    /// Those that wait for the PC, newest first.
    pub waiting: Vec<Checkup>,
    /// The newest that was answered.
    pub last: Option<Checkup>,
}

impl Core {
    /// Asks a host's doctor to look at what a programme depends on, or every PC. Asking again while it waits answers with
    /// the one that waits.
    ///
    /// # Errors
    /// When the role does not allow it, there is no such host or programme, the host gets no directives, or too many
    /// checkups wait for it.
    pub async fn request_checkup(
        &self,
        operator: &Operator,
        host: HostId,
        programme: Option<&str>,
    ) -> Result<Checkup, Error> {
        require(operator, Permission::RequestRenewal)?;
        let programme = programme.map(|id| self.find_programme(id)).transpose()?;
        let detail = self.view(operator)?.host(host).await?;
        if !detail.state.gets_directives() {
            let why = "this PC does not get directives yet: approve it first".to_owned();
            return Err(Error::Conflict { why });
        }
        let now = self.now();
        let checkup = Checkup {
            id: CheckupId::new(now, self.entropy().bytes()),
            vendor: operator.vendor,
            host,
            programme,
            requested_by: operator.id,
            requested_at: now,
            finding: None,
        };
        for attempt in 1.. {
            let session = self.db().find_session(host).await?.ok_or(Error::NotFound { what: "host" })?;
            let waiting = self.db().list_waiting_checkups(host).await?;
            if waiting.len() >= limits::DIRECTED_CHECKUPS {
                return Err(Error::Conflict { why: "enough checkups wait for this PC already".to_owned() });
            }
            let generation = (session.generation, session.generation.next());
            match self.db().create_checkup(&checkup, generation).await {
                Ok(CheckupCreation::Created) => {
                    self.inner.feed.publish(Change { vendor: operator.vendor, host });
                    self.inner.nudges.nudge(host, generation.1);
                    return Ok(checkup);
                }
                Ok(CheckupCreation::Waiting(waiting)) => {
                    self.inner.nudges.nudge(host, session.generation);
                    return Ok(waiting);
                }
                Err(DbError::Conflict { .. }) if attempt < MOST_ATTEMPTS => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(checkup)
    }

    /// The programmes that a PC can be examined for.
    pub fn programmes(&self) -> &[Programme] {
        &self.settings().programmes
    }

    fn find_programme(&self, id: &str) -> Result<Programme, Error> {
        let found = self.programmes().iter().find(|programme| programme.id.as_str() == id);
        found.cloned().ok_or(Error::NotFound { what: "programme" })
    }
}

impl FleetView {
    /// A host's checkups: those that wait, and the newest that was answered.
    pub async fn checkups(&self, host: HostId) -> Result<HostCheckups, Error> {
        let most = KEPT_CHECKUPS.saturating_add(u16::try_from(limits::DIRECTED_CHECKUPS).unwrap_or(u16::MAX));
        let rows = self.list_checkups(host, most).await?;
        let mut found = HostCheckups::default();
        for checkup in rows {
            match &checkup.finding {
                None => found.waiting.push(checkup),
                Some(finding) => {
                    let received = |one: &Checkup| one.finding.as_ref().map(|finding| finding.received_at);
                    if found.last.as_ref().is_none_or(|last| received(last) < Some(finding.received_at)) {
                        found.last = Some(checkup);
                    }
                }
            }
        }
        Ok(found)
    }
}

/// What a host is told of the checkups that wait for it.
pub(crate) fn plan_checkups(waiting: Vec<Checkup>) -> Vec<CheckupDirective> {
    let directive = |checkup: Checkup| CheckupDirective { checkup: checkup.id, programme: checkup.programme };
    waiting.into_iter().take(limits::DIRECTED_CHECKUPS).map(directive).collect()
}
