//! The limits that a person gives an anchor, as stores take them.

use inkan_model::{EntryProperties, limits};

/// id-kp-serverAuth (RFC 5280 §4.2.1.12).
pub const SERVER_AUTH: &str = "1.3.6.1.5.5.7.3.1";
/// Names in one limit.
const NAMES: usize = 100;
/// Characters of a DNS name (RFC 1035 §2.3.4), and of one label.
const NAME: usize = 253;
const LABEL: usize = 63;

/// A DNS name to which an anchor is limited, with everything below it (RFC 5280 §4.2.1.10).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnsName(String);

/// A text that should have been a DNS name and is not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a DNS name: {why}, as in example.jp, which covers www.example.jp too")]
pub struct InvalidDnsName {
    why: &'static str,
}

impl std::str::FromStr for DnsName {
    type Err = InvalidDnsName;

    fn from_str(text: &str) -> Result<Self, InvalidDnsName> {
        let invalid = |why| Err(InvalidDnsName { why });
        let name = text.trim().to_ascii_lowercase();
        if name.is_empty() || name.len() > NAME {
            return invalid("from 1 to 253 characters are expected");
        }
        if name.starts_with('.') || name.starts_with("*.") {
            return invalid("names below are covered without a dot or a star before it");
        }
        if name.parse::<std::net::IpAddr>().is_ok() {
            return invalid("this is an address");
        }
        let of_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        let is_label = |label: &str| {
            !label.is_empty()
                && label.len() <= LABEL
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(of_label)
        };
        if name.split('.').all(is_label) {
            Ok(Self(name))
        } else {
            invalid("letters, digits and hyphens between dots are expected (Japanese names as xn--…)")
        }
    }
}

/// What a person limits an anchor to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AnchorLimits {
    /// For servers' certificates only.
    pub server_auth: bool,
    /// For these names and those below them only; none is no limit.
    pub dns_names: Vec<DnsName>,
}

impl AnchorLimits {
    /// As the properties of an entry. `None` where there are more names than one limit takes.
    pub fn to_properties(&self) -> Option<EntryProperties> {
        let Self { server_auth, dns_names } = self;
        if dns_names.len() > NAMES {
            return None;
        }
        let name_constraints = (!dns_names.is_empty()).then(|| name_constraints(dns_names));
        if name_constraints.as_ref().is_some_and(|der| der.len() > limits::CERTIFICATE_BYTES) {
            return None;
        }
        let purposes = server_auth.then(|| vec![SERVER_AUTH.to_owned()]);
        Some(EntryProperties { purposes, name_constraints, ..EntryProperties::default() })
    }
}

/// `NameConstraints` (RFC 5280 §4.2.1.10) that permits these DNS names. A kind of name that is not mentioned would be
/// free, so addresses are excluded, all of them.
fn name_constraints(names: &[DnsName]) -> Vec<u8> {
    let subtree = |tag, name: &[u8]| der(0x30, &der(tag, name));
    let permitted: Vec<u8> = names.iter().flat_map(|name| subtree(0x82, name.0.as_bytes())).collect();
    let excluded = [subtree(0x87, &[0; 8]), subtree(0x87, &[0; 32])].concat();
    der(0x30, &[der(0xa0, &permitted), der(0xa1, &excluded)].concat())
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use x509_parser::extensions::{GeneralName, NameConstraints};
    use x509_parser::prelude::FromDer as _;

    use super::*;

    fn parsed(names: &[&str]) -> Vec<u8> {
        let dns_names = names.iter().map(|name| name.parse().unwrap()).collect();
        AnchorLimits { server_auth: true, dns_names }.to_properties().unwrap().name_constraints.unwrap()
    }

    #[test]
    fn dns_names_become_name_constraints_that_shut_addresses_out() {
        let der = parsed(&["example.jp", "Clinic.Test"]);
        let (rest, constraints) = NameConstraints::from_der(&der).unwrap();
        assert!(rest.is_empty());
        let permitted: Vec<_> =
            constraints.permitted_subtrees.unwrap().into_iter().map(|subtree| subtree.base).collect();
        assert_eq!(permitted, [GeneralName::DNSName("example.jp"), GeneralName::DNSName("clinic.test")]);
        let excluded: Vec<_> = constraints.excluded_subtrees.unwrap().into_iter().map(|subtree| subtree.base).collect();
        assert_eq!(excluded, [GeneralName::IPAddress(&[0; 8]), GeneralName::IPAddress(&[0; 32])]);
    }

    #[test]
    fn many_names_are_encoded_with_a_long_length() {
        let names: Vec<String> = (0..90).map(|number| format!("host-{number}.example.jp")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let der = parsed(&names);
        let (rest, constraints) = NameConstraints::from_der(&der).unwrap();
        assert!(rest.is_empty() && constraints.permitted_subtrees.unwrap().len() == 90);
    }

    #[test]
    fn no_limit_is_no_property() {
        assert_eq!(AnchorLimits::default().to_properties(), Some(EntryProperties::default()));
        let names = vec!["a.test".parse().unwrap(); NAMES + 1];
        assert_eq!(AnchorLimits { server_auth: false, dns_names: names }.to_properties(), None);
    }

    #[test]
    fn what_is_no_dns_name_is_refused() {
        for text in ["", " ", ".example.jp", "*.example.jp", "192.0.2.1", "::1", "a..b", "-a.jp", "例え.jp", "a b"] {
            assert!(text.parse::<DnsName>().is_err(), "{text}");
        }
    }
}
