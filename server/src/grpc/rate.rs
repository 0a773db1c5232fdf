//! How often one host syncs, and how often one network tries to enrol. In memory: a restart forgives.

use std::net::IpAddr;
use std::num::NonZeroU32;

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use inkan_model::HostId;
use tonic::Status;

use crate::listener::Network;

/// Calls that a host may make at once. A renewal takes some 20 within two seconds, and an agent that starts again in the
/// middle of it some more: with 10, as a quiet agent would need, renewals waited for minutes.
const HOST_BURST: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
/// Calls of a host in each second after that; each one costs some milliseconds, so that even an agent gone mad is borne.
const HOST_PER_SECOND: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// Networks that are remembered at once. More of them within a few minutes are an attack, and then everybody waits.
const MOST_NETWORKS: usize = 200_000;

/// Calls of each host.
pub(crate) struct HostRate(DefaultKeyedRateLimiter<HostId>);

impl Default for HostRate {
    fn default() -> Self {
        Self(RateLimiter::keyed(Quota::per_second(HOST_PER_SECOND).allow_burst(HOST_BURST)))
    }
}

impl HostRate {
    /// Counts a call.
    pub(crate) fn check(&self, host: HostId) -> Result<(), Status> {
        self.0.check_key(&host).map_err(|_| Status::resource_exhausted("this host calls too often"))
    }

    /// Forgets hosts that may call again anyway.
    pub(crate) fn forget(&self) {
        self.0.retain_recent();
    }
}

/// Calls of each network on the enrolment listener.
pub(crate) struct NetworkRate(DefaultKeyedRateLimiter<Network>);

impl NetworkRate {
    pub(crate) fn new(per_minute: NonZeroU32) -> Self {
        Self(RateLimiter::keyed(Quota::per_minute(per_minute)))
    }

    /// Counts a call.
    pub(crate) fn check(&self, from: IpAddr) -> Result<(), Status> {
        let refused = || Status::resource_exhausted("too many requests from this address: wait a minute");
        if self.0.len() >= MOST_NETWORKS {
            return Err(refused());
        }
        self.0.check_key(&Network::of(from)).map_err(|_| refused())
    }

    /// Forgets networks that may call again anyway.
    pub(crate) fn forget(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_waits_once_its_minute_is_used_up_and_others_do_not() {
        let rate = NetworkRate::new(NonZeroU32::new(3).unwrap());
        let from = |text: &str| rate.check(text.parse().unwrap()).is_ok();
        assert!(from("2001:db8::1") && from("2001:db8::2") && from("2001:db8::3"));
        assert!(!from("2001:db8::4"), "the same customer");
        assert!(from("192.0.2.1"));
    }
}
