//! Chains: which certificates of a PC lead from one certificate up to a root that the PC trusts.

use crate::certificate::CertificateFacts;
use crate::limits;

/// What looking for a chain came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Chain<T> {
    /// The links found, nearest issuer first, the certificate itself left out.
    pub links: Vec<T>,
    /// Whether the last link (or the certificate itself) names itself as its issuer, so that nothing is missing.
    pub complete: bool,
}

/// Looks for the issuers of `leaf` among `candidates`, by name and key identifier (RFC 5280 §4.2.1.1), at most
/// [`limits::CHAIN_CERTIFICATES`] of them. Signatures are not checked: this says what a PC holds, not what it accepts.
///
/// Where several candidates fit, the one that is valid for longest is taken.
pub fn find_chain<'c, T>(
    leaf: &CertificateFacts,
    candidates: &'c [T],
    facts_of: impl Fn(&T) -> &CertificateFacts,
) -> Chain<&'c T> {
    let mut links: Vec<&'c T> = Vec::new();
    loop {
        let last = links.last().map_or(leaf, |link| facts_of(link));
        if last.is_self_issued() {
            return Chain { links, complete: true };
        }
        let next = candidates
            .iter()
            .filter(|candidate| last.may_be_issued_by(facts_of(candidate)))
            .max_by_key(|candidate| facts_of(candidate).not_after);
        let met_before = |next: &T| links.iter().any(|link| facts_of(link).spki_sha256 == facts_of(next).spki_sha256);
        match next {
            Some(next) if links.len() < limits::CHAIN_CERTIFICATES && !met_before(next) => links.push(next),
            Some(_) | None => return Chain { links, complete: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

    use super::*;

    struct Authority {
        facts: CertificateFacts,
        issuer: Issuer<'static, KeyPair>,
    }

    fn params(name: &str, ca: bool) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        if ca {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        params
    }

    fn root(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let params = params(name, true);
        let certificate = params.self_signed(&key).unwrap();
        Authority { facts: CertificateFacts::read(certificate.der()).unwrap(), issuer: Issuer::new(params, key) }
    }

    fn under(parent: &Authority, name: &str, ca: bool) -> Authority {
        let key = KeyPair::generate().unwrap();
        let params = params(name, ca);
        let certificate = params.signed_by(&key, &parent.issuer).unwrap();
        Authority { facts: CertificateFacts::read(certificate.der()).unwrap(), issuer: Issuer::new(params, key) }
    }

    #[test]
    fn a_chain_is_found_through_an_intermediate_up_to_the_root() {
        let root = root("Root");
        let middle = under(&root, "Middle", true);
        let leaf = under(&middle, "0110119153", false);
        let held = [root.facts.clone(), middle.facts.clone()];
        let chain = find_chain(&leaf.facts, &held, |facts| facts);
        assert_eq!(chain, Chain { links: vec![&held[1], &held[0]], complete: true });
    }

    #[test]
    fn a_missing_root_leaves_the_chain_incomplete() {
        let root = root("Root");
        let middle = under(&root, "Middle", true);
        let leaf = under(&middle, "0110119153", false);
        let held = [middle.facts.clone()];
        assert!(!find_chain(&leaf.facts, &held, |facts| facts).complete);
    }

    #[test]
    fn a_root_of_the_same_name_with_another_key_does_not_fit() {
        let old = root("Root");
        let new = root("Root");
        let leaf = under(&new, "0110119153", false);
        let held = [old.facts.clone()];
        assert!(find_chain(&leaf.facts, &held, |facts| facts).links.is_empty());
    }

    #[test]
    fn two_authorities_that_certify_each_other_do_not_loop_for_ever() {
        let a = root("A");
        let b = root("B");
        let b_by_a = CertificateParams::clone(&params("B", true));
        let cross = CertificateFacts::read(b_by_a.signed_by(&KeyPair::generate().unwrap(), &a.issuer).unwrap().der());
        let a_by_b = CertificateParams::clone(&params("A", true));
        let back = CertificateFacts::read(a_by_b.signed_by(&KeyPair::generate().unwrap(), &b.issuer).unwrap().der());
        let mut held = [cross.unwrap(), back.unwrap()];
        for facts in &mut held {
            (facts.subject_key_id, facts.authority_key_id) = (None, None);
        }
        let leaf = under(&a, "leaf", false).facts;
        let leaf = CertificateFacts { authority_key_id: None, ..leaf };
        let chain = find_chain(&leaf, &held, |facts| facts);
        assert!(!chain.complete && chain.links.len() <= 2);
    }
}
