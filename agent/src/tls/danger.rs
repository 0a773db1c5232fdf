//! Trust by a pin alone, for the one connection on which the agent trusts nothing yet: its enrolment.
//!
//! The server shows its chain with the deployment's authority in it. That authority counts if, and only if, SHA-256 over
//! its SubjectPublicKeyInfo is the pin that the operator gave with the join token; everything else is checked as in any
//! TLS connection: the leaf is signed by the authority, names the server, is for servers, and is valid now.

use std::io;
use std::sync::Arc;

use inkan_issuance::identity_ca::CaPin;
use inkan_model::certificate::CertificateFacts;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};

use super::provider;

/// The server's chain has no authority with the pinned key.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the server shows no authority with the key of pin {pin}: is this the right server, and the right pin?")]
pub struct NotPinned {
    /// The pin.
    pub pin: CaPin,
}

impl NotPinned {
    /// Finds this refusal behind the error of a handshake.
    pub fn behind(error: &io::Error) -> Option<Self> {
        match error.get_ref()?.downcast_ref()? {
            Error::InvalidCertificate(CertificateError::Other(OtherError(refusal))) => refusal.downcast_ref().copied(),
            _ => None,
        }
    }
}

/// Verifies a server by the pin of its authority's key.
#[derive(Debug)]
pub struct PinnedAuthority {
    pin: CaPin,
    provider: Arc<CryptoProvider>,
}

impl PinnedAuthority {
    /// Trusts nobody but the authority with this key.
    pub fn new(pin: CaPin) -> Self {
        Self { pin, provider: provider() }
    }

    fn find_authority<'c>(&self, shown: &'c [CertificateDer<'c>]) -> Option<&'c CertificateDer<'c>> {
        shown.iter().find(|der| {
            CertificateFacts::read(der).is_ok_and(|facts| facts.is_ca && facts.spki_sha256 == *self.pin.as_bytes())
        })
    }
}

impl ServerCertVerifier for PinnedAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let not_pinned = || OtherError(Arc::new(NotPinned { pin: self.pin }));
        let authority = self
            .find_authority(intermediates)
            .ok_or_else(|| Error::InvalidCertificate(CertificateError::Other(not_pinned())))?;
        let mut roots = RootCertStore::empty();
        roots.add(authority.clone().into_owned())?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
            .build()
            .map_err(|_| Error::InvalidCertificate(CertificateError::UnknownIssuer))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use inkan_issuance::identity_ca::AgentCa;
    use inkan_issuance::key::SoftwareKey;
    use inkan_model::Timestamp;

    use super::*;

    const NOW: i64 = 1_763_600_000;

    fn authority() -> AgentCa {
        let now = Timestamp::from_unix_seconds(NOW - 1_000);
        AgentCa::create(&"fleet.example".parse().unwrap(), [1; 16], now, time::Duration::days(3_650)).unwrap()
    }

    fn leaf(authority: &AgentCa, name: &str, days: i64) -> CertificateDer<'static> {
        let spki = SoftwareKey::generate().unwrap().spki();
        let (from, to) = (NOW - 1_000, NOW - 500 + days * 86_400);
        let moment = Timestamp::from_unix_seconds;
        let names = [name.to_owned()];
        authority.issue_server(&names, &[], &spki, [2; 16], moment(from), moment(to)).unwrap().into()
    }

    fn verify(pin: CaPin, leaf: &CertificateDer<'_>, shown: &[CertificateDer<'_>]) -> Result<(), Error> {
        let name = ServerName::try_from("inkan.example").unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(NOW).unwrap()));
        PinnedAuthority::new(pin).verify_server_cert(leaf, shown, &name, &[], now).map(|_| ())
    }

    fn shown(authority: &AgentCa) -> CertificateDer<'static> {
        CertificateDer::from_slice(authority.certificate()).into_owned()
    }

    #[test]
    fn a_server_under_the_pinned_authority_is_trusted() {
        let authority = authority();
        let leaf = leaf(&authority, "inkan.example", 90);
        verify(authority.pin(), &leaf, &[shown(&authority)]).unwrap();
    }

    #[test]
    fn an_authority_with_another_key_is_refused_however_good_its_chain() {
        let (pinned, rogue) = (authority(), authority());
        let leaf = leaf(&rogue, "inkan.example", 90);
        for chain in [vec![], vec![shown(&rogue)], vec![shown(&rogue), shown(&pinned)]] {
            assert!(verify(pinned.pin(), &leaf, &chain).is_err());
        }
    }

    #[test]
    fn the_pin_of_a_leaf_is_not_the_pin_of_an_authority() {
        let authority = authority();
        let leaf = leaf(&authority, "inkan.example", 90);
        let pin = CaPin::of_certificate(&leaf).unwrap();
        assert!(verify(pin, &leaf, &[leaf.clone(), shown(&authority)]).is_err());
    }

    #[test]
    fn another_name_and_another_time_are_refused() {
        let authority = authority();
        let chain = [shown(&authority)];
        assert!(verify(authority.pin(), &leaf(&authority, "other.example", 90), &chain).is_err());
        assert!(verify(authority.pin(), &leaf(&authority, "inkan.example", 0), &chain).is_err());
    }
}
