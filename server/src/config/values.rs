//! Values of the configuration that mean more than their text.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

/// The address under which a listener is reached from outside: scheme, host and port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PublicUrl {
    scheme: &'static str,
    host: String,
    port: u16,
}

impl PublicUrl {
    /// Puts an address together. IPv6 addresses get their brackets.
    pub fn new(scheme: &'static str, host: &str, port: u16) -> Self {
        Self { scheme, host: host.to_owned(), port }
    }

    /// Reads an address that must be nothing more than scheme, host and port; `None` when it is not.
    pub fn parse(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let (scheme, usual) = match uri.scheme_str()? {
            "http" => ("http", 80),
            "https" => ("https", 443),
            _ => return None,
        };
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() || authority.host().is_empty() {
            return None;
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let port = match (authority.port(), authority.port_u16()) {
            (None, _) => usual,
            (Some(_), port) => port.filter(|port| *port != 0)?,
        };
        Some(Self { scheme, host, port })
    }

    /// DNS name or address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Whether it is `https`.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }
}

impl fmt::Display for PublicUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port } = self;
        let usual = matches!((*scheme, port), ("http", 80) | ("https", 443));
        if host.contains(':') { write!(f, "{scheme}://[{host}]") } else { write!(f, "{scheme}://{host}") }?;
        if usual { Ok(()) } else { write!(f, ":{port}") }
    }
}

/// The names and addresses that the listeners' certificate is for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PublicNames {
    /// DNS names, lower case.
    pub dns: Vec<String>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

/// A text that is neither a DNS name nor an address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidName(pub String);

impl PublicNames {
    /// Sorts texts into names and addresses; each one counts once.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidName> {
        let mut names = Self::default();
        for text in texts {
            let text = text.trim();
            if let Ok(address) = IpAddr::from_str(text) {
                if !names.addresses.contains(&address) {
                    names.addresses.push(address);
                }
            } else if is_dns_name(text) {
                let name = text.to_ascii_lowercase();
                if !names.dns.contains(&name) {
                    names.dns.push(name);
                }
            } else {
                return Err(InvalidName(text.to_owned()));
            }
        }
        Ok(names)
    }

    /// Whether a certificate for these names is one for `host`.
    pub fn cover(&self, host: &str) -> bool {
        let is_address = IpAddr::from_str(host).is_ok_and(|address| self.addresses.contains(&address));
        is_address || self.dns.iter().any(|name| name == host)
    }

    /// The one to put into addresses when nobody says which.
    pub fn first(&self) -> Option<String> {
        self.dns.first().cloned().or_else(|| self.addresses.first().map(ToString::to_string))
    }
}

impl fmt::Display for PublicNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.addresses.iter().map(ToString::to_string);
        let names: Vec<_> = self.dns.iter().cloned().chain(addresses).collect();
        f.write_str(&names.join(" "))
    }
}

/// Letters, digits, hyphens and dots (RFC 1123 §2.1); no wildcard.
pub(super) fn is_dns_name(text: &str) -> bool {
    let fits = |label: &str| {
        let inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inside) && !label.starts_with('-') && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_reads_back_from_its_text() {
        for text in ["https://a.example", "http://a.example", "https://a.example:8443", "https://[2001:db8::1]:8443"] {
            assert_eq!(PublicUrl::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(PublicUrl::parse("https://A.example:443/").unwrap().to_string(), "https://a.example");
    }

    #[test]
    fn an_address_with_anything_more_is_refused() {
        for text in ["a.example", "ftp://a.example", "https://a.example/x", "https://u@a.example", "https://a:0", ""] {
            assert_eq!(PublicUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_told_from_addresses() {
        let names = PublicNames::parse(["Server.example", "192.0.2.1", "server.example", "::1"]).unwrap();
        assert_eq!(names.to_string(), "server.example 192.0.2.1 ::1");
        assert!(names.cover("server.example") && names.cover("::1") && !names.cover("other.example"));
        assert_eq!(PublicNames::parse(["*.example"]), Err(InvalidName("*.example".to_owned())));
    }
}
