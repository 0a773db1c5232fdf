//! The TLS certificate of the listeners, issued by the agents' authority for the configured names.
//!
//! It is made anew when its end comes near, when the names change, or when its file is damaged: agents know the
//! authority and not this certificate, so nobody notices. Connections take whatever is current when they begin.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use inkan_core::ports::Entropy;
use inkan_issuance::identity_ca::{AgentCa, IssueError};
use inkan_issuance::key::{KeyError, SoftwareKey};
use inkan_model::{Clock, Timestamp};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use time::Duration;
use tracing::{info, warn};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use zeroize::Zeroizing;

use super::files::{self, FileError};
use super::{Deployment, new_serial};
use crate::config::PublicNames;

const LIFETIME: Duration = Duration::days(90);
/// Made anew when less than this is left.
const LEAST_LEFT: Duration = Duration::days(30);
const BACKDATED: Duration = Duration::DAY;

/// A listener's certificate that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The file could not be read or written.
    #[error("could not keep the listeners' certificate")]
    File(#[source] FileError),
    /// The authority would not certify it.
    #[error("could not issue the listeners' certificate (public_names)")]
    Issue(#[source] IssueError),
    /// No key could be made.
    #[error("could not make the listeners' key")]
    Key(#[source] KeyError),
    /// The TLS library does not take it.
    #[error("could not use the listeners' key")]
    Tls(#[source] rustls::Error),
}

/// The current certificate, for all listeners.
pub(crate) struct ListenerCertificate {
    agent_ca: Arc<AgentCa>,
    names: PublicNames,
    path: PathBuf,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    current: RwLock<Current>,
}

#[derive(Clone)]
struct Current {
    key: Arc<CertifiedKey>,
    not_after: Timestamp,
}

impl ListenerCertificate {
    /// Loads the certificate, or has a new one issued.
    pub(crate) fn open(
        deployment: &Deployment,
        names: PublicNames,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Result<Self, CertificateError> {
        let (agent_ca, path) = (Arc::clone(&deployment.agent_ca), deployment.listener_file());
        let now = clock.now();
        let current = match find(&path, &agent_ca, &names, now) {
            Some(current) => current,
            None => issue(&agent_ca, &names, &path, now, entropy.as_ref())?,
        };
        Ok(Self { agent_ca, names, path, clock, entropy, current: RwLock::new(current) })
    }

    /// Has a new one issued when the end of this one comes near.
    pub(crate) fn refresh(&self) -> Result<(), CertificateError> {
        let now = self.clock.now();
        if self.not_after().since(now) >= LEAST_LEFT {
            return Ok(());
        }
        let new = issue(&self.agent_ca, &self.names, &self.path, now, self.entropy.as_ref())?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The last moment of the current one.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.current.read().unwrap_or_else(PoisonError::into_inner).not_after
    }
}

impl std::fmt::Debug for ListenerCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ListenerCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for ListenerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner).key))
    }
}

fn issue(
    agent_ca: &AgentCa,
    names: &PublicNames,
    path: &std::path::Path,
    now: Timestamp,
    entropy: &dyn Entropy,
) -> Result<Current, CertificateError> {
    let key = SoftwareKey::generate().map_err(CertificateError::Key)?;
    let (from, to) = (now.minus(BACKDATED), now.plus(LIFETIME));
    let leaf = agent_ca
        .issue_server(&names.dns, &names.addresses, &key.spki(), new_serial(entropy), from, to)
        .map_err(CertificateError::Issue)?;
    let chain = [pem::Pem::new("CERTIFICATE", leaf.clone()), pem::Pem::new("CERTIFICATE", agent_ca.certificate())];
    let text =
        Zeroizing::new([key.to_pem().map_err(CertificateError::Key)?.as_str(), &pem::encode_many(&chain)].concat());
    if let Some(folder) = path.parent() {
        files::create_private_dir(folder).map_err(CertificateError::File)?;
    }
    files::write_private(path, text.as_bytes(), entropy).map_err(CertificateError::File)?;
    info!(names = %names, until = %to, "issued a certificate for the listeners");
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8().to_vec()));
    let chain = vec![leaf.into(), agent_ca.certificate().to_vec().into()];
    certified(chain, &key, to.min(agent_ca.not_after())).map_err(CertificateError::Tls)
}

fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'_>,
    not_after: Timestamp,
) -> Result<Current, rustls::Error> {
    let key = CertifiedKey::new(chain, any_supported_type(key)?);
    key.keys_match()?;
    Ok(Current { key: Arc::new(key), not_after })
}

/// The certificate in the file, if it is still the one that is wanted.
fn find(path: &std::path::Path, agent_ca: &AgentCa, names: &PublicNames, now: Timestamp) -> Option<Current> {
    let bytes = match files::find_private(path) {
        Ok(found) => found?,
        Err(cause) => {
            warn!(error = &cause as &dyn std::error::Error, "could not read the listeners' certificate");
            return None;
        }
    };
    let key = PrivateKeyDer::from_pem_slice(&bytes).ok()?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes).collect::<Result<_, _>>().ok()?;
    let [leaf, issuer] = chain.as_slice() else { return None };
    if issuer.as_ref() != agent_ca.certificate() {
        return None;
    }
    let (found, not_after) = names_and_end(leaf)?;
    if found != *names || not_after.since(now) < LEAST_LEFT {
        return None;
    }
    certified(chain, &key, not_after).ok()
}

fn names_and_end(leaf: &[u8]) -> Option<(PublicNames, Timestamp)> {
    let (_, leaf) = X509Certificate::from_der(leaf).ok()?;
    let (mut dns, mut addresses) = (Vec::new(), Vec::new());
    for name in &leaf.subject_alternative_name().ok()??.value.general_names {
        match name {
            GeneralName::DNSName(name) => dns.push((*name).to_owned()),
            GeneralName::IPAddress(bytes) => addresses.push(read_address(bytes)?),
            _ => return None,
        }
    }
    Some((PublicNames { dns, addresses }, Timestamp::from_unix_seconds(leaf.validity().not_after.timestamp())))
}

fn read_address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(bytes.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

#[cfg(test)]
mod tests {
    use inkan_model::time::ManualClock;

    use super::*;
    use crate::adapters::SystemEntropy;

    fn names(dns: &str) -> PublicNames {
        PublicNames { dns: vec![dns.to_owned()], addresses: vec!["127.0.0.1".parse().unwrap()] }
    }

    fn leaf(certificate: &ListenerCertificate) -> Vec<u8> {
        certificate.current.read().unwrap().key.cert[0].to_vec()
    }

    #[test]
    fn the_certificate_stays_until_names_change_or_its_end_is_near_or_its_file_is_damaged() {
        let folder = tempfile::tempdir().unwrap();
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000)));
        let deployment = Deployment::open_or_create(
            folder.path(),
            &folder.path().join("db"),
            None,
            clock.as_ref(),
            entropy.as_ref(),
        )
        .unwrap();
        let open = |dns: &str| {
            let clock: Arc<dyn Clock> = clock.clone();
            ListenerCertificate::open(&deployment, names(dns), clock, Arc::clone(&entropy)).unwrap()
        };
        let first = open("a.example");
        assert_eq!(leaf(&open("a.example")), leaf(&first));
        first.refresh().unwrap();
        let other = open("b.example");
        assert_ne!(leaf(&other), leaf(&first));

        std::fs::write(deployment.listener_file(), "damaged").unwrap();
        let repaired = open("b.example");
        assert_ne!(leaf(&repaired), leaf(&other));

        let before = leaf(&repaired);
        clock.advance(Duration::days(61));
        repaired.refresh().unwrap();
        assert_ne!(leaf(&repaired), before);
        assert_eq!(leaf(&open("b.example")), leaf(&repaired));
    }
}
