//! The one place that names concrete types: which database, which clock, which files stand behind the core's ports.

use std::path::PathBuf;
use std::sync::Arc;

use inkan_core::ports::Entropy;
use inkan_core::{Core, Settings};
pub(crate) use inkan_db::{Examination, examine as examine_database, newest_schema_version};
use inkan_db::{OpenError, SqliteDatabase, SqliteOptions};
use inkan_issuance::identity_ca::CaPin;
use inkan_model::Clock;
use inkan_model::directive::ProbeTarget;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::adapters::{SystemClock, SystemEntropy};
use crate::config::{Config, ProbeConfig};
use crate::deployment::{CertificateError, Deployment, DeploymentError, FileError};
use crate::listener::ListenError;
use crate::tls::TlsError;

/// Time and chance, which a test owns.
#[derive(Clone)]
pub struct World {
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where chance comes from.
    pub entropy: Arc<dyn Entropy>,
}

impl Default for World {
    /// The real one.
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
    }
}

/// A server that could not be put together or started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `addresses.json` could not be written.
    #[error("could not say where the server listens")]
    Addresses(#[source] FileError),
    /// The certificate that probes trust cannot be read.
    #[error("renewal.probe.anchor_file: could not read {}", path.display())]
    Anchor {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: rustls_pki_types::pem::Error,
    },
    /// The listeners have no certificate.
    #[error("could not have a certificate for the listeners")]
    Certificate(#[source] CertificateError),
    /// The database cannot be opened.
    #[error("could not open the database {}", path.display())]
    Database {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: OpenError,
    },
    /// The deployment's files cannot be used.
    #[error("could not open the data directory {}", path.display())]
    Deployment {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: Box<DeploymentError>,
    },
    /// A port cannot be had.
    #[error("could not start a listener")]
    Listen(#[source] ListenError),
    /// The lock could not be taken.
    #[error("could not lock the data directory")]
    Lock(#[source] FileError),
    /// The descriptors of the protocol are not readable by the reflection service.
    #[error("could not set up gRPC reflection")]
    Reflection(#[source] tonic_reflection::server::Error),
    /// A server runs on the data directory.
    #[error("another server runs on {}", path.display())]
    Running {
        /// Which folder.
        path: PathBuf,
    },
    /// The link for the first owner could not be made.
    #[error("could not make the setup link")]
    SetupLink(#[source] inkan_core::Error),
    /// TLS cannot be set up.
    #[error("could not set up TLS")]
    Tls(#[source] TlsError),
}

/// Everything behind the use cases, without any listener: what the commands of the console work with.
pub struct Backstage {
    /// The use cases.
    pub core: Core,
    pub(crate) db: Arc<SqliteDatabase>,
    pub(crate) deployment: Arc<Deployment>,
    pub(crate) world: World,
}

impl Backstage {
    /// Opens data directory and database, making and migrating them where needed.
    ///
    /// # Errors
    /// Says what could not be opened.
    pub async fn open(config: &Config, world: World) -> Result<Self, StartError> {
        let World { clock, entropy } = &world;
        let Config { data_dir, database, trust_domain, .. } = config;
        let deployment =
            Deployment::open_or_create(data_dir, database, trust_domain.as_ref(), clock.as_ref(), entropy.as_ref())
                .map_err(|cause| StartError::Deployment { path: data_dir.clone(), cause: Box::new(cause) })?;
        let db = SqliteDatabase::open(database, SqliteOptions::new(Arc::clone(entropy)))
            .await
            .map_err(|cause| StartError::Database { path: database.clone(), cause })?;
        let core = Core::new(inkan_core::Parts {
            db: db.clone(),
            clock: Arc::clone(clock),
            entropy: Arc::clone(entropy),
            authorities: Arc::new(deployment.private_cas(Arc::clone(clock), Arc::clone(entropy))),
            identity_authority: Arc::new(deployment.identity_authority()),
            sealer: deployment.sealer.clone(),
            settings: settings(config)?,
        });
        Ok(Self { core, db, deployment: Arc::new(deployment), world })
    }

    /// By what agents know this deployment.
    pub fn pin(&self) -> CaPin {
        self.deployment.pin()
    }

    /// Writes what waits to be written, and closes the database.
    pub async fn close(self) {
        self.db.close().await;
    }
}

fn settings(config: &Config) -> Result<Settings, StartError> {
    let probe = match &config.probe {
        None => None,
        Some(ProbeConfig { host, port, anchor_file }) => {
            let anchor = anchor_file.as_ref().map(|path| {
                let read = CertificateDer::from_pem_file(path);
                read.map_err(|cause| StartError::Anchor { path: path.clone(), cause })
            });
            let anchor = anchor.transpose()?.map(|der| der.to_vec());
            Some(ProbeTarget { host: host.clone(), port: *port, anchor })
        }
    };
    Ok(Settings {
        sync_interval: config.sync_interval,
        leaf_lifetime: config.leaf_lifetime,
        probe,
        ..Settings::default()
    })
}
