//! What makes this deployment what it is: its name, its authority for agents, and its keys, as files of the data directory.
//!
//! ```text
//! deployment/           made once, as a whole; losing it means that every agent has to be enrolled again
//!   deployment.toml     name, and when it was made
//!   agent-ca.pem|.key   signs agents' identities and the listeners' certificate
//!   seal.key            opens the secrets in the database
//! private-ca/<vendor>/  ca.pem and ca.key of each vendor's own authority, made on first use
//! tls/listener.pem      key and certificate of the listeners; made anew whenever needed
//! inkan.sqlite          the database
//! addresses.json        where the running server listens
//! server.lock           held by the running server
//! ```
//!
//! Nothing here may ever be made a second time because it could not be read: that would cut off the fleet.

pub(crate) mod files;
mod identities;
mod listener_certificate;
pub(crate) mod lock;
mod private_cas;
mod seal;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkan_core::ports::Entropy;
use inkan_issuance::identity_ca::{AgentCa, CaError, CaPin};
use inkan_model::identity::{InvalidIdentity, TrustDomain};
use inkan_model::{Clock, Timestamp};
use serde::{Deserialize, Serialize};
use time::Duration;
use zeroize::Zeroizing;

pub use self::files::FileError;
pub(crate) use self::identities::DeploymentAuthority;
pub use self::listener_certificate::CertificateError;
pub(crate) use self::listener_certificate::ListenerCertificate;
pub use self::private_cas::PrivateCaError;
pub(crate) use self::private_cas::PrivateCas;
pub(crate) use self::seal::AesSealer;

/// How long the authorities live. Replacing one means overlapping two, so it is done rarely and long before the end.
pub(crate) const AUTHORITY_LIFETIME: Duration = Duration::days(3_650);

const FOLDER: &str = "deployment";
const ABOUT: &str = "deployment.toml";
const CA_CERTIFICATE: &str = "agent-ca.pem";
const CA_KEY: &str = "agent-ca.key";
const SEAL_KEY: &str = "seal.key";

/// A deployment that could not be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// `deployment.toml` is damaged.
    #[error("could not read {}", path.display())]
    About {
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: toml::de::Error,
    },
    /// The agents' authority is damaged, or could not be made.
    #[error("could not make or load the agents' authority")]
    Authority(#[source] CaError),
    /// Its name is not one.
    #[error("the deployment's name is not a trust domain")]
    Name(#[source] InvalidIdentity),
    /// A file could not be read or written.
    #[error("could not open the deployment")]
    File(#[source] FileError),
    /// There is a database, so there was a deployment.
    #[error(
        "{} is gone, but there is a database: restore it from a backup; a new one would cut off every agent",
        path.display()
    )]
    Lost {
        /// Where it was.
        path: PathBuf,
    },
    /// The configuration names another deployment.
    #[error("trust_domain: this deployment is {found}, and cannot become {wanted}; leave the key out or correct it")]
    OtherName {
        /// Its name.
        found: TrustDomain,
        /// The name in the configuration.
        wanted: TrustDomain,
    },
    /// The key that seals secrets is damaged.
    #[error("{} does not hold 32 bytes", path.display())]
    SealKey {
        /// Which file.
        path: PathBuf,
    },
}

impl From<FileError> for DeploymentError {
    fn from(error: FileError) -> Self {
        Self::File(error)
    }
}

/// What `deployment.toml` holds.
#[derive(Debug, Deserialize, Serialize)]
struct About {
    trust_domain: String,
    created: String,
}

/// The deployment's name, authority and keys.
pub(crate) struct Deployment {
    pub(crate) trust_domain: TrustDomain,
    pub(crate) agent_ca: Arc<AgentCa>,
    pub(crate) sealer: Arc<AesSealer>,
    data_dir: PathBuf,
}

impl Deployment {
    /// Opens the deployment. It is made where there is none, and where there is no `database` that shows that there was
    /// one.
    pub(crate) fn open_or_create(
        data_dir: &Path,
        database: &Path,
        wanted: Option<&TrustDomain>,
        clock: &dyn Clock,
        entropy: &dyn Entropy,
    ) -> Result<Self, DeploymentError> {
        files::create_private_dir(data_dir)?;
        let path = data_dir.join(FOLDER);
        if !path.is_dir() {
            if database.exists() {
                return Err(DeploymentError::Lost { path });
            }
            create(data_dir, wanted, clock.now(), entropy)?;
        }
        let deployment = Self::open(data_dir)?;
        match wanted {
            Some(wanted) if *wanted != deployment.trust_domain => {
                Err(DeploymentError::OtherName { found: deployment.trust_domain, wanted: wanted.clone() })
            }
            Some(_) | None => Ok(deployment),
        }
    }

    /// Opens a deployment that has to be there.
    pub(crate) fn open(data_dir: &Path) -> Result<Self, DeploymentError> {
        let folder = data_dir.join(FOLDER);
        let path = folder.join(ABOUT);
        let about: About = toml::from_str(&files::read_private_text(&path)?)
            .map_err(|cause| DeploymentError::About { path, cause })?;
        let certificate = files::read_private_text(&folder.join(CA_CERTIFICATE))?;
        let key = files::read_private_text(&folder.join(CA_KEY))?;
        let path = folder.join(SEAL_KEY);
        let sealer = AesSealer::new(&files::read_private(&path)?).ok_or(DeploymentError::SealKey { path })?;
        Ok(Self {
            trust_domain: about.trust_domain.parse().map_err(DeploymentError::Name)?,
            agent_ca: Arc::new(AgentCa::load(&certificate, &key).map_err(DeploymentError::Authority)?),
            sealer: Arc::new(sealer),
            data_dir: data_dir.to_owned(),
        })
    }

    /// By what agents know this deployment.
    pub(crate) fn pin(&self) -> CaPin {
        self.agent_ca.pin()
    }

    /// The agents' port to the authority.
    pub(crate) fn identity_authority(&self) -> DeploymentAuthority {
        DeploymentAuthority::new(self.trust_domain.clone(), Arc::clone(&self.agent_ca))
    }

    /// The vendors' authorities.
    pub(crate) fn private_cas(&self, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> PrivateCas {
        PrivateCas::new(self.data_dir.join(private_cas::FOLDER), clock, entropy)
    }

    /// Whether the authority's files can still be read; what a health check asks.
    pub(crate) fn is_readable(&self) -> bool {
        files::read_private_text(&self.data_dir.join(FOLDER).join(CA_CERTIFICATE)).is_ok()
    }

    /// The file that the listeners' key and certificate are kept in.
    pub(crate) fn listener_file(&self) -> PathBuf {
        self.data_dir.join("tls").join("listener.pem")
    }

    /// Copies all that a restored server needs beside the database.
    pub(crate) fn copy_to(&self, folder: &Path) -> Result<(), FileError> {
        for name in [FOLDER, private_cas::FOLDER] {
            let from = self.data_dir.join(name);
            if from.is_dir() {
                files::copy_private_dir(&from, &folder.join(name))?;
            }
        }
        Ok(())
    }
}

fn create(
    data_dir: &Path,
    wanted: Option<&TrustDomain>,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<(), DeploymentError> {
    let by_chance = || format!("inkan-{}.internal", data_encoding::HEXLOWER.encode(&entropy.bytes::<6>())).parse();
    let trust_domain = wanted.cloned().map_or_else(by_chance, Ok).map_err(DeploymentError::Name)?;
    let ca = AgentCa::create(&trust_domain, new_serial(entropy), now, AUTHORITY_LIFETIME)
        .map_err(DeploymentError::Authority)?;
    let certificate = ca.certificate_pem().map_err(DeploymentError::Authority)?;
    let key = ca.key_pem().map_err(DeploymentError::Authority)?;
    let seal_key = Zeroizing::new(entropy.bytes::<{ seal::KEY_BYTES }>());
    let about = format!(
        "# Made once by inkan-server. Keep this folder: agents know the server by what is in it.\n\
                         trust_domain = \"{trust_domain}\"\ncreated = \"{now}\"\n"
    );
    let contents = [
        (ABOUT, about.as_bytes()),
        (CA_CERTIFICATE, certificate.as_bytes()),
        (CA_KEY, key.as_bytes()),
        (SEAL_KEY, seal_key.as_slice()),
    ];
    files::write_private_dir(&data_dir.join(FOLDER), &contents, entropy)?;
    Ok(())
}

/// A serial number: positive and of full length, whatever chance says (RFC 5280 §4.1.2.2).
pub(crate) fn new_serial(entropy: &dyn Entropy) -> [u8; 16] {
    let mut serial: [u8; 16] = entropy.bytes();
    serial[0] = (serial[0] & 0x7f) | 0x40;
    serial
}

#[cfg(test)]
mod tests {
    use inkan_core::ports::Sealer as _;
    use inkan_model::time::ManualClock;

    use super::*;
    use crate::adapters::SystemEntropy;

    fn open(folder: &Path, wanted: Option<&str>) -> Result<Deployment, DeploymentError> {
        let clock = ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
        let wanted = wanted.map(|name| name.parse().unwrap());
        Deployment::open_or_create(folder, &folder.join("db"), wanted.as_ref(), &clock, &SystemEntropy)
    }

    #[test]
    fn a_deployment_is_made_once_and_then_opened() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(&folder.path().join("data"), None).unwrap();
        let sealed = first.sealer.seal("label", b"secret", [1; 12]);
        let second = open(&folder.path().join("data"), None).unwrap();
        assert_eq!(first.pin(), second.pin());
        assert_eq!(first.trust_domain, second.trust_domain);
        assert_eq!(second.sealer.open("label", &sealed).as_deref(), Some(b"secret".as_slice()));
    }

    #[test]
    fn a_deployment_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(open(folder.path(), Some("fleet.example")).unwrap().trust_domain.to_string(), "fleet.example");
        open(folder.path(), None).unwrap();
        let error = open(folder.path(), Some("other.example")).err().unwrap();
        assert!(error.to_string().contains("fleet.example") && error.to_string().starts_with("trust_domain"));
    }

    #[test]
    fn a_deployment_that_is_gone_is_not_made_anew_beside_a_database() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), None).unwrap();
        std::fs::write(folder.path().join("db"), "").unwrap();
        open(folder.path(), None).unwrap();
        std::fs::remove_dir_all(folder.path().join(FOLDER)).unwrap();
        assert!(matches!(open(folder.path(), None), Err(DeploymentError::Lost { .. })));
    }

    #[test]
    fn a_damaged_deployment_is_refused_and_never_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), None).unwrap();
        for name in [ABOUT, CA_CERTIFICATE, CA_KEY, SEAL_KEY] {
            let path = folder.path().join(FOLDER).join(name);
            let good = std::fs::read(&path).unwrap();
            std::fs::write(&path, &good[..good.len() / 2]).unwrap();
            assert!(open(folder.path(), None).is_err(), "{name} cut in half");
            std::fs::remove_file(&path).unwrap();
            assert!(open(folder.path(), None).is_err(), "{name} gone");
            std::fs::write(&path, good).unwrap();
        }
        open(folder.path(), None).unwrap();
    }
}
