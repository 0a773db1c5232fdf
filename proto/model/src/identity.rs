//! Who an agent is: the SPIFFE ID in its certificate, which is the only place a tenant is taken from.

use std::fmt;
use std::str::FromStr;

use time::Duration;

use crate::id::{HostId, VendorId};
use crate::time::Timestamp;

/// How long an agent's certificate is valid: long enough for New Year and Golden Week.
pub const IDENTITY_LIFETIME: Duration = Duration::days(30);
/// How often an agent whose identity has expired may recover by its key alone before an operator has to allow more.
pub const RECOVERY_LIMIT: u32 = 3;
/// The label before the nonce when an expired identity's key signs for its recovery, so that the signature can mean
/// nothing else.
pub const RECOVERY_LABEL: &[u8] = b"inkan recovery of identity v1\0";
/// For how long a repeated enrolment with the same token and key yields the same host.
pub const ENROLMENT_RETRY: Duration = Duration::minutes(10);

/// `spiffe://<deployment>/v/<vendor>/h/<host>`, the URI in an agent's subjectAltName.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct AgentIdentity {
    /// The deployment's trust domain: lower-case letters, digits, dots and hyphens (SPIFFE ID §2.1).
    pub deployment: TrustDomain,
    /// The tenant.
    pub vendor: VendorId,
    /// The PC.
    pub host: HostId,
}

/// Name of one deployment of inkan.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct TrustDomain(String);

/// A text that is not a SPIFFE ID of this shape.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not an agent identity: spiffe://<deployment>/v/<vendor>/h/<host> is expected")]
pub struct InvalidIdentity;

impl FromStr for TrustDomain {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
        if text.is_empty() || text.len() > 128 || !text.bytes().all(fits) {
            return Err(InvalidIdentity);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for AgentIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}/v/{}/h/{}", self.deployment, self.vendor, self.host)
    }
}

impl FromStr for AgentIdentity {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.strip_prefix("spiffe://").ok_or(InvalidIdentity)?.split('/');
        let mut part = || parts.next().ok_or(InvalidIdentity);
        let deployment = part()?.parse()?;
        let vendor = (part()? == "v").then_some(part()?).ok_or(InvalidIdentity)?;
        let host = (part()? == "h").then_some(part()?).ok_or(InvalidIdentity)?;
        if parts.next().is_some() {
            return Err(InvalidIdentity);
        }
        Ok(Self {
            deployment,
            vendor: vendor.parse().map_err(|_| InvalidIdentity)?,
            host: host.parse().map_err(|_| InvalidIdentity)?,
        })
    }
}

/// When an agent should renew a certificate of this validity: at half of it, ±10 % by `chance` (0 to 65535), so that
/// PCs enrolled on one day do not come back in one minute.
pub fn renew_at(not_before: Timestamp, not_after: Timestamp, chance: u16) -> Timestamp {
    let span = not_after.since(not_before).whole_milliseconds().max(0);
    let thousandths = 450 + i128::from(chance) * 100 / 65_535;
    let offset = i64::try_from(span * thousandths / 1_000).unwrap_or(i64::MAX);
    not_before.plus(Duration::milliseconds(offset))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_identity_reads_back_from_its_uri() {
        let now = Timestamp::from_unix_seconds(1);
        let identity = AgentIdentity {
            deployment: "fleet.example".parse().unwrap(),
            vendor: VendorId::new(now, [1; 10]),
            host: HostId::new(now, [2; 10]),
        };
        assert_eq!(identity.to_string().parse(), Ok(identity));
    }

    #[test]
    fn a_uri_of_another_shape_is_refused() {
        for text in ["", "spiffe://a", "spiffe://A/v/x/h/y", "spiffe://a/t/x/a/y", "https://a/v/x/h/y"] {
            assert_eq!(text.parse::<AgentIdentity>(), Err(InvalidIdentity), "{text}");
        }
    }

    proptest! {
        #[test]
        fn renewal_falls_between_45_and_55_percent_of_validity(days in 1_i64..4_000, chance in any::<u16>()) {
            let start = Timestamp::from_unix_seconds(1_700_000_000);
            let end = start.plus(Duration::days(days));
            let share = renew_at(start, end, chance).since(start) / end.since(start);
            prop_assert!((0.449..=0.551).contains(&share));
        }
    }
}
