//! Puts a running agent together: the one place that names what stands behind each port.

use std::sync::Arc;

use inkan_model::Clock;
use inkan_trust_store::StoreBackend;
use tokio::runtime::Handle;

use crate::chance::SystemChance;
use crate::changes;
use crate::clock::SystemClock;
use crate::companion::{Companions, with_companions};
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::doctor::pc::{Doctor, system_registry};
use crate::facts::collect_facts;
use crate::identity::{Identity, IdentityFolder};
use crate::ledger::{Ledger, LedgerError};
use crate::notice::{Nobody, Notifier};
use crate::reconciler::Reconciler;
use crate::renewer::{Backends, Renewer, TlsProber};
use crate::run::{Agent, IdentityKeeper, Observer};
use crate::scanner::{Scanner, backends};
use crate::session::{GrpcUplink, Proxy, Uplink, UplinkError};
use crate::settings::AgentSettings;
use crate::spool::{Spool, SpoolError};
use crate::status::{Status, StatusBoard};
use crate::sync::{Acknowledged, Desk, Observed, Reporter};

/// An agent that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AssembleError {
    /// The ledger cannot be opened.
    #[error("could not open the ledger")]
    Ledger(#[source] LedgerError),
    /// The spool cannot be opened.
    #[error("could not open the spool")]
    Spool(#[source] SpoolError),
    /// The session cannot be set up.
    #[error("could not set up the session")]
    Uplink(#[source] UplinkError),
}

/// What differs with who runs the agent: a person in the foreground, or Windows as its service.
pub struct Surroundings {
    /// Who changes what only a user may change; `None` where the agent changes it itself.
    pub companions: Option<Arc<Companions>>,
    /// Who shows notices.
    pub notifier: Arc<dyn Notifier>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self { companions: None, notifier: Arc::new(Nobody) }
    }
}

/// Puts an agent together that works as `identity` in the foreground, with the network of this runtime.
pub fn assemble(
    settings: &AgentSettings,
    identity: Identity,
    folder: IdentityFolder,
    proxy: Option<Proxy>,
    runtime: Handle,
) -> Result<Agent, AssembleError> {
    assemble_in(Surroundings::default(), settings, identity, folder, proxy, runtime)
}

/// Puts an agent together that works as `identity`, with the network of this runtime.
pub fn assemble_in(
    surroundings: Surroundings,
    settings: &AgentSettings,
    identity: Identity,
    folder: IdentityFolder,
    proxy: Option<Proxy>,
    runtime: Handle,
) -> Result<Agent, AssembleError> {
    let Surroundings { companions, notifier } = surroundings;
    let (disk, data_dir, host) = (Disk::default(), DataDir::new(&settings.data_dir), identity.agent.host);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut stores = backends(settings);
    if let Some(companions) = companions {
        stores = with_companions(stores, &companions);
    }
    recover_changes(settings, &stores, &identity);
    let ledger = Ledger::open(disk.clone(), &data_dir.ledger(), host, clock.now()).map_err(AssembleError::Ledger)?;
    let spool = Spool::open(disk.clone(), &data_dir.spool(), clock.now()).map_err(AssembleError::Spool)?;
    let renewer = Renewer::new(Arc::new(Backends::new(stores.clone())), Arc::new(TlsProber::new(runtime.clone())));
    let doctor = Doctor {
        settings: settings.clone(),
        backends: stores.clone(),
        registry: system_registry(),
        clock: Arc::clone(&clock),
        runtime,
        proxy: proxy.clone(),
    };
    let reconciler = Reconciler::new(ledger, spool, renewer, Arc::clone(&clock));
    let reconciler = reconciler.with_notifier(notifier).with_examiner(Arc::new(doctor));
    let mut status = Status::new(&identity, clock.now());
    (status.generation, status.outcomes_waiting) = (reconciler.standing().generation.0, reconciler.pending());
    let status = StatusBoard::new(disk.clone(), data_dir.path(), status);
    let shared = Desk::new(reconciler);
    let identity = Arc::new(identity);
    let uplink = GrpcUplink::new(Arc::clone(&identity), proxy).map_err(AssembleError::Uplink)?;
    let uplink: Arc<dyn Uplink> = Arc::new(uplink);
    let acknowledged = Acknowledged::open(disk, &data_dir.acknowledged(), host);
    Ok(Agent {
        observer: Arc::new(ThisPc::new(stores, settings, Arc::clone(&clock))),
        scan_interval: settings.scan_interval,
        reporter: Reporter::new(Arc::clone(&uplink), shared.clone(), acknowledged, Arc::clone(&clock)),
        keeper: IdentityKeeper::new(folder, identity, Arc::clone(&uplink), Arc::clone(&clock)),
        uplink,
        desk: shared,
        status,
        clock,
        chance: Arc::new(SystemChance),
    })
}

/// Finishes or takes back changes that were cut off, beside everything else: a store may hang.
fn recover_changes(settings: &AgentSettings, stores: &[Arc<dyn StoreBackend>], identity: &Identity) {
    let (data_dir, stores, protected) = (settings.data_dir.clone(), stores.to_vec(), changes::depended_on(identity));
    let recover = move || {
        let (disk, clock, chance) = (&Disk::default(), &SystemClock, &SystemChance);
        let (data_dir, stores, protected) = (&*data_dir, &*stores, &protected);
        changes::recover(changes::Ground { disk, data_dir, stores, clock, chance, protected });
    };
    if let Err(error) = std::thread::Builder::new().name("changes".to_owned()).spawn(recover) {
        tracing::warn!(%error, "could not look for changes that were cut off");
    }
}

/// The stores and facts of this PC.
struct ThisPc {
    scanner: Scanner,
    clock: Arc<dyn Clock>,
}

impl ThisPc {
    fn new(stores: Vec<Arc<dyn StoreBackend>>, settings: &AgentSettings, clock: Arc<dyn Clock>) -> Self {
        Self { scanner: Scanner::new(stores, settings.location_deadline, Arc::clone(&clock)), clock }
    }
}

impl Observer for ThisPc {
    fn observe(&self) -> Observed {
        let scan = self.scanner.scan();
        Observed::new(collect_facts(), scan, self.clock.now())
    }
}

#[cfg(test)]
mod tests;
