//! This PC, as the doctor finds it: gathers what the checks look at. It only reads.

use std::path::Path;
use std::sync::Arc;

use inkan_issuance::proof::public_key_of;
use inkan_model::certificate::CertificateFacts;
use inkan_model::chain::find_chain;
use inkan_model::checkup::CheckResult;
use inkan_model::programme::Programme;
use inkan_model::store::KeyPresence;
use inkan_model::{Certificate, Clock};
use inkan_trust_store::StoreBackend;
use tokio::runtime::Handle;

use super::certificates::{Client, clients_of};
use super::internet_options::{EnvironmentProxy, InternetOptions};
use super::programmes::shipped;
use super::registry::Registry;
use super::signing::{self, Signing, Tried};
use super::sites::{self, ClientIdentity};
use super::{Examination, PcFacts, anchors, browsers, java};
use crate::causes::with_causes;
use crate::reconciler::Examiner;
use crate::scanner::{Scan, Scanner};
use crate::session::Proxy;
use crate::settings::AgentSettings;
use crate::status;

/// Keys of one examination that are tried: each may cost a store a second.
const KEYS: usize = 20;

/// Examines this PC.
pub struct Doctor {
    /// The agent's settings.
    pub settings: AgentSettings,
    /// The stores.
    pub backends: Vec<Arc<dyn StoreBackend>>,
    /// The registry, on Windows.
    pub registry: Option<Arc<dyn Registry>>,
    /// The PC's clock.
    pub clock: Arc<dyn Clock>,
    /// Where connections are made.
    pub runtime: Handle,
    /// The proxy to go through.
    pub proxy: Option<Proxy>,
}

/// The registry of this PC, where it has one.
pub fn system_registry() -> Option<Arc<dyn Registry>> {
    #[cfg(windows)]
    let registry: Option<Arc<dyn Registry>> = Some(Arc::new(super::registry::WindowsRegistry));
    #[cfg(not(windows))]
    let registry = None;
    registry
}

impl Doctor {
    /// Reads everything and runs every check. `server` is how an attempt to reach the server went. Blocks, and must be
    /// called from a thread that may.
    pub fn examine(&self, programme: Option<&Programme>, server: Option<Result<(), String>>) -> Vec<CheckResult> {
        let scan = Scanner::new(self.backends.clone(), self.settings.location_deadline, Arc::clone(&self.clock)).scan();
        let facts = self.gather(&scan, programme);
        let (settings, backends) = (&self.settings, self.backends.as_slice());
        Examination { settings, backends, scan: &scan, now: self.clock.now(), server, programme, facts: &facts }.run()
    }

    fn gather(&self, scan: &Scan, programme: Option<&Programme>) -> PcFacts {
        let tried = self.try_keys(scan, &clients_of(scan, programme));
        let needs = programme.map(|programme| &programme.checks);
        let sites = needs.map(|needs| needs.sites.as_slice()).unwrap_or_default();
        let probes = if sites.is_empty() {
            Vec::new()
        } else {
            // Without a way to recognise the right certificate none is shown: any other would tell who this is.
            let recognised = programme.is_some_and(|programme| programme.recognise.is_some());
            let identity = tried.iter().filter(|_| recognised).find_map(|tried| identity_of(tried, scan));
            let roots = anchors::trusted_roots(scan);
            self.runtime.block_on(sites::probe(sites, &roots, identity, self.proxy.clone()))
        };
        let registry = self.registry.as_deref();
        PcFacts {
            internet_options: registry.map(InternetOptions::read),
            environment_proxy: registry.is_none().then(|| EnvironmentProxy::of(|name| std::env::var(name).ok())),
            programs: browsers::running_programs(),
            java: match registry {
                Some(registry) => java::in_registry(registry).unwrap_or_default(),
                None => java::in_folders(Path::new("/")),
            },
            tried,
            probes,
            clock_ahead: self.clock_ahead(),
        }
    }

    fn try_keys(&self, scan: &Scan, clients: &[Client<'_>]) -> Vec<Tried> {
        let with_key = clients.iter().filter(|client| client.key != KeyPresence::Absent).take(KEYS);
        let attempt = |client: &Client<'_>| {
            let certificate = scan.certificates.get(&client.certificate)?;
            let key = public_key_of(&certificate.der).map_err(|error| with_causes(&error));
            let signing = signing::attempt(&self.backends, client.location, client.certificate, key);
            Some(Tried { certificate: certificate.clone(), location: client.location.clone(), signing })
        };
        with_key.filter_map(attempt).collect()
    }

    /// By what the running agent saw when it last spoke with the server.
    fn clock_ahead(&self) -> Option<time::Duration> {
        let status = status::read(&self.settings.data_dir).ok().flatten()?;
        status.clock_ahead_ms.map(time::Duration::milliseconds)
    }
}

/// What the server asks for; that it asks shows that it can be reached.
impl Examiner for Doctor {
    /// The server only names a programme. What it says of sites is the agent's own, because a server in wrong hands must not
    /// choose which hosts of a clinic's network are probed; a programme that this agent does not know adds nothing.
    fn examine(&self, programme: Option<&Programme>) -> Vec<CheckResult> {
        let own = programme.and_then(|named| shipped().ok()?.into_iter().find(|own| own.id == named.id));
        Self::examine(self, own.as_ref(), Some(Ok(())))
    }
}

/// A certificate whose key signs, with the issuers that this PC has.
fn identity_of(tried: &Tried, scan: &Scan) -> Option<ClientIdentity> {
    let Signing::Signs(key) = &tried.signing else { return None };
    let facts = tried.certificate.facts.as_ref().ok()?;
    let readable = |held: &'_ Certificate| held.facts.is_ok();
    let candidates: Vec<(&CertificateFacts, &Certificate)> = scan
        .certificates
        .values()
        .filter(|held| readable(held))
        .filter_map(|held| held.facts.as_ref().ok().map(|facts| (facts, held)))
        .collect();
    let issuers = find_chain(facts, &candidates, |(facts, _)| facts);
    let issuers = issuers.links.into_iter().map(|(_, held)| *held).filter(|held| held.der != tried.certificate.der);
    let chain = std::iter::once(tried.certificate.der.clone()).chain(issuers.map(|held| held.der.clone())).collect();
    Some(ClientIdentity { chain, key: Arc::clone(key) })
}

#[cfg(test)]
mod tests;
