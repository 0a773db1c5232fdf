//! What this PC trusts, as browsers judge it: chains up to its roots, and server certificates that are roots themselves.
//!
//! Some of the systems of clinics show a self-signed certificate that every PC has to take among its roots. Windows and
//! browsers accept it there whatever it says of being an authority; the verifier of chains would not.

use std::collections::BTreeSet;
use std::sync::Arc;

use inkan_model::Fingerprint;
use inkan_model::certificate::CertificateFacts;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use crate::doctor::anchors::TrustedRoot;
use crate::tls::add_limited;

/// Trusts what this PC trusts.
#[derive(Debug)]
pub(super) struct PcVerifier {
    chains: Arc<WebPkiServerVerifier>,
    roots: BTreeSet<Fingerprint>,
}

impl PcVerifier {
    /// Takes the PC's roots as its stores limit them. One that cannot be read, or is not for servers, is left out.
    pub(super) fn new(roots: &[TrustedRoot], provider: Arc<CryptoProvider>) -> Result<Self, VerifierBuilderError> {
        let mut store = RootCertStore::empty();
        let mut themselves = BTreeSet::new();
        for TrustedRoot { der, limits } in roots {
            let before = store.len();
            add_limited(&mut store, der, limits);
            // A server's own certificate is not held to names that only chains are held to.
            if store.len() > before && limits.name_constraints.is_none() {
                themselves.insert(Fingerprint::of(der));
            }
        }
        let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider).build()?;
        Ok(Self { chains, roots: themselves })
    }

    /// A root that is shown as a server's own certificate: its name and its days still have to fit.
    fn verify_itself(leaf: &CertificateDer<'_>, name: &ServerName<'_>, now: UnixTime) -> Result<(), Error> {
        let facts = CertificateFacts::read(leaf).map_err(|_| CertificateError::BadEncoding)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now > facts.not_after.as_unix_seconds() {
            return Err(CertificateError::Expired.into());
        }
        if now < facts.not_before.as_unix_seconds() {
            return Err(CertificateError::NotValidYet.into());
        }
        verify_server_name(&ParsedCertificate::try_from(leaf)?, name)
    }
}

impl ServerCertVerifier for PcVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.roots.contains(&Fingerprint::of(end_entity)) {
            return Self::verify_itself(end_entity, server_name, now).map(|()| ServerCertVerified::assertion());
        }
        let verified = self.chains.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        let self_signed = || CertificateFacts::read(end_entity).is_ok_and(|facts| facts.is_self_issued());
        match verified {
            // It is not what is odd about it that makes a browser warn, but that nobody vouches for it.
            Err(Error::InvalidCertificate(CertificateError::Other(_))) if self_signed() => {
                Err(CertificateError::UnknownIssuer.into())
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chains.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}
