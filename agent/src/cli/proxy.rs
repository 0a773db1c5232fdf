//! The flag `--proxy`. Its value may hold a password, and whoever parses a command line shows a value that is refused; so
//! this one is taken as it is, and refused here, without being shown.

use std::convert::Infallible;
use std::str::FromStr;

use super::Failure;
use crate::session::{InvalidProxy, Proxy};

/// What was given, read.
#[derive(Clone, Debug)]
pub(super) struct ProxyFlag(Result<Proxy, InvalidProxy>);

impl FromStr for ProxyFlag {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.parse()))
    }
}

impl ProxyFlag {
    /// The proxy, where one was given.
    pub(super) fn proxy(given: Option<Self>) -> Result<Option<Proxy>, Failure> {
        given.map(|Self(read)| read).transpose().map_err(|refused| Failure::usage(refused.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_address_is_never_shown() {
        let flag: Option<ProxyFlag> = "ftp://user:geheim@proxy".parse().ok();
        let shown = format!("{flag:?} {}", ProxyFlag::proxy(flag.clone()).unwrap_err());
        assert!(!shown.contains("geheim") && shown.contains("http://host:port"), "{shown}");
    }
}
