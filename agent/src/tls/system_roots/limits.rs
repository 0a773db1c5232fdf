//! What a store limits a root to, beyond what the root says itself.

use inkan_model::EntryProperties;
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, Der};

/// For servers' certificates (RFC 5280 §4.2.1.12).
const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";

/// Takes a root as its store limits it. One that is not for servers, or whose limit cannot be kept, is left out.
pub(crate) fn add_limited(roots: &mut RootCertStore, der: &[u8], properties: &EntryProperties) {
    let EntryProperties { purposes, name_constraints, key_provider: _, key_exportable: _, trust: _ } = properties;
    if purposes.as_ref().is_some_and(|purposes| !purposes.iter().any(|purpose| purpose == SERVER_AUTH)) {
        return;
    }
    let names = match name_constraints.as_deref().map(content_of_sequence) {
        Some(None) => return,
        Some(Some(content)) => Some(content),
        None => None,
    };
    if roots.add(CertificateDer::from_slice(der).into_owned()).is_err() {
        return;
    }
    if let (Some(names), Some(root)) = (names, roots.roots.last_mut()) {
        // Both limits would have to hold, and an anchor has room for one.
        if root.name_constraints.is_some() {
            roots.roots.pop();
        } else {
            root.name_constraints = Some(Der::from(names.to_vec()));
        }
    }
}

/// What is inside of one DER SEQUENCE that is all there is (X.690 §8.1.3), of at most 64 kilobytes.
fn content_of_sequence(der: &[u8]) -> Option<&[u8]> {
    let (length, content) = match der {
        [0x30, 0x82, high, low, content @ ..] => (usize::from(*high) << 8 | usize::from(*low), content),
        [0x30, 0x81, length, content @ ..] | [0x30, length @ 0..=0x7f, content @ ..] => (usize::from(*length), content),
        _ => return None,
    };
    (content.len() == length).then_some(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Vec<u8> {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    /// How the root was taken.
    #[derive(Debug, Eq, PartialEq)]
    enum Taken {
        As(Vec<u8>),
        Not,
        Whole,
    }

    fn taken(properties: &EntryProperties) -> Taken {
        let mut roots = RootCertStore::empty();
        add_limited(&mut roots, &root(), properties);
        match roots.roots.first().map(|root| root.name_constraints.as_ref()) {
            None => Taken::Not,
            Some(None) => Taken::Whole,
            Some(Some(names)) => Taken::As(names.to_vec()),
        }
    }

    #[test]
    fn a_root_without_limits_is_taken_as_it_is() {
        assert_eq!(taken(&EntryProperties::default()), Taken::Whole);
    }

    #[test]
    fn a_root_that_is_not_for_servers_is_left_out() {
        let only = |purposes: &[&str]| EntryProperties {
            purposes: Some(purposes.iter().map(|purpose| (*purpose).to_owned()).collect()),
            ..EntryProperties::default()
        };
        assert_eq!(taken(&only(&["1.3.6.1.5.5.7.3.3"])), Taken::Not);
        assert_eq!(taken(&only(&[])), Taken::Not);
        assert_eq!(taken(&only(&["1.3.6.1.5.5.7.3.3", SERVER_AUTH])), Taken::Whole);
    }

    #[test]
    fn the_names_that_a_store_limits_a_root_to_are_kept() {
        let names = |der: &[u8]| EntryProperties { name_constraints: Some(der.to_vec()), ..EntryProperties::default() };
        // permittedSubtrees { dNSName "a.jp" }
        let der = [0x30, 0x0a, 0xa0, 0x08, 0x30, 0x06, 0x82, 0x04, b'a', b'.', b'j', b'p'];
        assert_eq!(taken(&names(&der)), Taken::As(der[2..].to_vec()));
        assert_eq!(taken(&names(&der[..11])), Taken::Not);
        assert_eq!(taken(&names(&[])), Taken::Not);
    }
}
