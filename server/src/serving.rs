//! A running server: three listeners, the background tasks, and an orderly end.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use inkan_core::ports::Entropy;
use inkan_core::{Core, tasks};
use inkan_issuance::identity_ca::CaPin;
use rustls::server::ResolvesServerCert;
use serde::{Deserialize, Serialize};
use time::Duration as Days;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};
use tracing::{error, info};

use crate::assemble::{Backstage, StartError, World};
use crate::config::{Config, PublicUrl, WebConfig, WebTls};
use crate::deployment::lock::{self, Lock};
use crate::deployment::{FileError, ListenerCertificate, files};
use crate::grpc::{Grpc, HostRate, NetworkRate, Parts};
use crate::listener::{Admission, ListenError, Listener, Stop};
use crate::web::{Health, Site, Web};
use crate::{telemetry, tls, web};

/// How long the link for the first owner is good for.
pub const SETUP_LINK_LIFETIME: Days = Days::hours(24);
/// The file in the data directory that says where the server listens.
pub const ADDRESSES_FILE: &str = "addresses.json";
/// What is under way may go on so long after the server was told to stop.
const STOP_GRACE: Duration = Duration::from_secs(10);
const HOUSEKEEPING: Duration = Duration::from_mins(1);

/// Where a running server is reached; written to [`ADDRESSES_FILE`] for scripts.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Addresses {
    /// Browsers and programs.
    pub web: String,
    /// Agents with an identity.
    pub agents: String,
    /// Agents without one.
    pub enrolment: String,
    /// By what agents know the deployment.
    pub ca_pin: String,
}

impl Addresses {
    /// What the server that uses this data directory has written, if one runs.
    pub(crate) fn find(data_dir: &Path) -> Option<Self> {
        if !lock::is_locked(data_dir) {
            return None;
        }
        let bytes = files::find_private(&data_dir.join(ADDRESSES_FILE)).ok()??;
        serde_json::from_slice(&bytes).ok()
    }

    fn write(&self, data_dir: &Path, entropy: &dyn Entropy) -> Result<(), FileError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        files::write_private(&data_dir.join(ADDRESSES_FILE), &text, entropy)
    }

    /// Nobody listens there (any more). One that cannot be removed is written anew by the next start.
    fn forget(data_dir: &Path) {
        let _ = std::fs::remove_file(data_dir.join(ADDRESSES_FILE));
    }
}

/// A running server that broke.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A listener failed.
    #[error("a listener failed")]
    Listener(#[source] ListenError),
    /// A part of the server ended by a panic; the log says more.
    #[error("a part of the server panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

/// A running server.
pub struct Server {
    backstage: Backstage,
    data_dir: PathBuf,
    _lock: Lock,
    addresses: Addresses,
    setup_link: Option<String>,
    stop: Stop,
    running: JoinSet<Result<(), ListenError>>,
    health: Arc<Health>,
}

/// What the listeners share.
struct Ground {
    certificate: Arc<ListenerCertificate>,
    host_rate: Arc<HostRate>,
    network_rate: Arc<NetworkRate>,
}

impl Server {
    /// Binds the listeners, writes where they are, and begins to serve.
    ///
    /// # Errors
    /// Says what could not be opened, bound or written.
    pub async fn start(config: &Config, world: World) -> Result<Self, StartError> {
        // Before anything counts: figures recorded without a recorder are lost.
        telemetry::recorder();
        let backstage = Backstage::open(config, world).await?;
        let data_dir = &config.data_dir;
        let locked = lock::lock(data_dir).map_err(StartError::Lock)?;
        let lock = locked.ok_or_else(|| StartError::Running { path: data_dir.clone() })?;
        Addresses::forget(data_dir);
        let World { clock, entropy } = backstage.world.clone();
        let (names, deployment) = (config.public_names.clone(), Arc::clone(&backstage.deployment));
        let certificate = ListenerCertificate::open(&deployment, names, clock, Arc::clone(&entropy))
            .map_err(StartError::Certificate)?;
        telemetry::show_tls_end(certificate.not_after());
        let agents = Listener::bind("agents", config.agents.listen).await.map_err(StartError::Listen)?;
        let enrolment = Listener::bind("enrolment", config.enrolment.listen).await.map_err(StartError::Listen)?;
        let web = Listener::bind("web", config.web.listen).await.map_err(StartError::Listen)?;
        let addresses = find_addresses(config, backstage.pin(), [&agents, &enrolment, &web].map(Listener::address));

        let ground = Ground {
            certificate: Arc::new(certificate),
            host_rate: Arc::default(),
            network_rate: Arc::new(NetworkRate::new(config.enrolment.requests_per_minute_per_ip)),
        };
        let health = Arc::new(Health::new(backstage.core.clone(), deployment));
        let stop = Stop::default();
        let mut running = JoinSet::new();
        running.spawn(agents.run(
            serve_agents(config, &backstage, &ground)?,
            Admission::new(&config.agents.limits),
            stop.clone(),
        ));
        let protocol = serve_enrolment(config, &backstage, &ground, addresses.agents.clone())?;
        running.spawn(enrolment.run(protocol, Admission::new(&config.enrolment.limits), stop.clone()));
        let protocol = serve_web(config, &backstage, &ground, &health, &addresses)?;
        running.spawn(web.run(protocol, Admission::new(&config.web.limits), stop.clone()));
        running.spawn(run_tasks(backstage.core.clone(), ground, stop.clone()));

        let setup_link = create_setup_link(&backstage.core, &addresses.web).await?;
        addresses.write(data_dir, entropy.as_ref()).map_err(StartError::Addresses)?;
        health.report(true).await;
        info!(web = addresses.web, agents = addresses.agents, enrolment = addresses.enrolment, "serving");
        Ok(Self { backstage, data_dir: data_dir.clone(), _lock: lock, addresses, setup_link, stop, running, health })
    }

    /// Where it is reached.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// The link for the first owner, as long as there is none. It is a secret.
    pub fn setup_link(&self) -> Option<&str> {
        self.setup_link.as_deref()
    }

    /// The use cases.
    pub const fn core(&self) -> &Core {
        &self.backstage.core
    }

    /// Serves until `told_to_stop`, or until a part of it breaks; then ends in order: nothing new, what is under way
    /// gets its time, what waits to be written is written.
    ///
    /// # Errors
    /// When a part of it broke.
    pub async fn run_until(mut self, told_to_stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let broken = tokio::select! {
            () = told_to_stop => None,
            Some(ended) = self.running.join_next() => Some(ended),
        };
        info!("stopping");
        self.health.report(false).await;
        self.stop.soft.cancel();
        let mut result = broken.map_or(Ok(()), read_end);
        let ended = timeout(STOP_GRACE, wait_for_all(&mut self.running)).await;
        let ended = if let Ok(ended) = ended {
            ended
        } else {
            info!("some connections did not end in time");
            self.stop.hard.cancel();
            wait_for_all(&mut self.running).await
        };
        result = result.and(ended);
        Addresses::forget(&self.data_dir);
        self.backstage.close().await;
        info!("stopped");
        result
    }
}

async fn wait_for_all(running: &mut JoinSet<Result<(), ListenError>>) -> Result<(), ServeError> {
    let mut result = Ok(());
    while let Some(ended) = running.join_next().await {
        result = result.and(read_end(ended));
    }
    result
}

fn read_end(ended: Result<Result<(), ListenError>, tokio::task::JoinError>) -> Result<(), ServeError> {
    ended.map_err(ServeError::Panicked)?.map_err(ServeError::Listener)
}

fn serve_agents(config: &Config, backstage: &Backstage, ground: &Ground) -> Result<Grpc, StartError> {
    let World { clock, entropy } = backstage.world.clone();
    let certificate: Arc<dyn ResolvesServerCert> = ground.certificate.clone();
    let tls =
        tls::for_agents(backstage.deployment.agent_ca.certificate(), certificate, clock).map_err(StartError::Tls)?;
    let parts = Parts { core: backstage.core.clone(), entropy, tls, limits: config.agents.limits.clone() };
    let authority = Arc::new(backstage.deployment.identity_authority());
    Ok(Grpc::for_agents(parts, authority, Arc::clone(&ground.host_rate)))
}

fn serve_enrolment(
    config: &Config,
    backstage: &Backstage,
    ground: &Ground,
    agents_url: String,
) -> Result<Grpc, StartError> {
    let World { clock, entropy } = backstage.world.clone();
    let certificate: Arc<dyn ResolvesServerCert> = ground.certificate.clone();
    let tls = tls::for_enrolment(certificate, clock).map_err(StartError::Tls)?;
    let parts = Parts { core: backstage.core.clone(), entropy, tls, limits: config.enrolment.limits.clone() };
    Ok(Grpc::for_enrolment(parts, agents_url, Arc::clone(&ground.network_rate)))
}

fn serve_web(
    config: &Config,
    backstage: &Backstage,
    ground: &Ground,
    health: &Arc<Health>,
    addresses: &Addresses,
) -> Result<Web, StartError> {
    let World { clock, entropy } = backstage.world.clone();
    let WebConfig { tls, limits, trusted_proxies, .. } = &config.web;
    let tls = match tls {
        WebTls::Off => None,
        WebTls::Deployment => Some(tls::for_web(ground.certificate.clone(), clock)),
        WebTls::Files { cert, key } => Some(tls::for_web_from_files(cert, key, clock)),
    };
    let site = Site {
        core: backstage.core.clone(),
        health: Arc::clone(health),
        is_https: config.web.is_https(),
        enrolment_url: addresses.enrolment.clone(),
        ca_pin: addresses.ca_pin.clone(),
    };
    let router = web::router(site).map_err(StartError::Reflection)?;
    let (limits, trusted_proxies) = (limits.clone(), trusted_proxies.clone().into());
    Ok(Web { router, entropy, tls: tls.transpose().map_err(StartError::Tls)?, limits, trusted_proxies })
}

/// Where each listener is reached, with the ports that were really bound.
fn find_addresses(config: &Config, pin: CaPin, bound: [SocketAddr; 3]) -> Addresses {
    let [agents, enrolment, web] = bound;
    let name = config.public_names.first().unwrap_or_else(|| "localhost".to_owned());
    let by_name = |configured: &Option<PublicUrl>, address: SocketAddr| {
        let own = Some(address.ip().to_string()).filter(|own| config.public_names.cover(own));
        let usual = || PublicUrl::new("https", own.as_deref().unwrap_or(&name), address.port());
        configured.clone().unwrap_or_else(usual).to_string()
    };
    let web_host = match web.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => name.clone(),
        IpAddr::V6(ip) if ip.is_unspecified() => name.clone(),
        ip => ip.to_string(),
    };
    let scheme = if config.web.tls == WebTls::Off { "http" } else { "https" };
    let web = config.web.public_url.clone().unwrap_or_else(|| PublicUrl::new(scheme, &web_host, web.port()));
    Addresses {
        web: web.to_string(),
        agents: by_name(&config.agents.public_url, agents),
        enrolment: by_name(&config.enrolment.public_url, enrolment),
        ca_pin: pin.to_string(),
    }
}

/// Makes a link by which the first owner signs up; `None` once there is one.
pub(crate) async fn create_setup_link(core: &Core, web: &str) -> Result<Option<String>, StartError> {
    let secret = core.create_setup_link(SETUP_LINK_LIFETIME).await.map_err(StartError::SetupLink)?;
    Ok(secret.map(|secret| format!("{web}/setup/{secret}")))
}

async fn run_tasks(core: Core, ground: Ground, stop: Stop) -> Result<(), ListenError> {
    let housekeeping = keep_house(ground, stop.clone());
    tokio::join!(tasks::run(core, stop.soft), housekeeping);
    Ok(())
}

/// Renews what ends, and forgets what nobody needs to know any more.
async fn keep_house(ground: Ground, stop: Stop) {
    let mut ticks = interval(HOUSEKEEPING);
    loop {
        tokio::select! {
            () = stop.soft.cancelled() => return,
            _ = ticks.tick() => {}
        }
        ground.host_rate.forget();
        ground.network_rate.forget();
        if let Some(recorder) = telemetry::recorder() {
            recorder.run_upkeep();
        }
        let certificate = Arc::clone(&ground.certificate);
        // Writes a file, and signs: rarely, but then it takes its time.
        let refreshed = tokio::task::spawn_blocking(move || certificate.refresh()).await;
        let trouble: Box<dyn std::error::Error + Send + Sync> = match refreshed {
            Ok(Ok(())) => {
                telemetry::show_tls_end(ground.certificate.not_after());
                continue;
            }
            Ok(Err(cause)) => cause.into(),
            Err(cause) => cause.into(),
        };
        error!(error = trouble.as_ref() as &dyn std::error::Error, "could not renew the listeners' certificate");
    }
}
