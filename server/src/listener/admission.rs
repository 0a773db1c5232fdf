//! Who may come in: connections are counted in all, by address, and while they are in their handshake.
//!
//! A guard holds each count and gives it back when it is dropped, so a count cannot be forgotten on any way out.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;

/// The part of an address that one holder has: a whole IPv4 address, or the upper 64 bits of an IPv6 address, because a
/// customer gets a /64 and could otherwise come from a new address each time.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Network(IpAddr);

impl Network {
    /// The network that an address belongs to.
    pub(crate) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(address) => Self(Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64)).into()),
            address @ IpAddr::V4(_) => Self(address),
        }
    }
}

/// Counts holders by key.
pub(crate) struct Counter<K: Eq + Hash>(Arc<Mutex<HashMap<K, usize>>>);

impl<K: Eq + Hash> Clone for Counter<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Eq + Hash> Default for Counter<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Clone + Eq + Hash> Counter<K> {
    /// One more holder, unless there are `limit` of them.
    pub(crate) fn enter(&self, key: K, limit: usize) -> Option<Counted<K>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(Counted { key, counter: self.clone() })
    }
}

/// One holder. Dropping it gives the place back.
pub(crate) struct Counted<K: Eq + Hash> {
    key: K,
    counter: Counter<K>,
}

impl<K: Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counter.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// The doors of one listener.
pub(crate) struct Admission {
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    networks: Counter<Network>,
    connections_per_ip: usize,
}

/// Why a connection is closed before anything was read from it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Full {
    Connections,
    Handshakes,
    Network,
}

/// A connection that was let in.
pub(crate) struct Seat {
    _connection: OwnedSemaphorePermit,
    handshake: Option<OwnedSemaphorePermit>,
    network: Option<Counted<Network>>,
}

impl Admission {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            connections: Arc::new(Semaphore::new(limits.connections)),
            handshakes: Arc::new(Semaphore::new(limits.handshakes)),
            networks: Counter::default(),
            connections_per_ip: limits.connections_per_ip,
        }
    }

    /// Lets a connection in, unless some count is full.
    pub(crate) fn admit(&self, from: IpAddr) -> Result<Seat, Full> {
        let network = self.networks.enter(Network::of(from), self.connections_per_ip).ok_or(Full::Network)?;
        let connection = Arc::clone(&self.connections).try_acquire_owned().map_err(|_| Full::Connections)?;
        let handshake = Arc::clone(&self.handshakes).try_acquire_owned().map_err(|_| Full::Handshakes)?;
        Ok(Seat { _connection: connection, handshake: Some(handshake), network: Some(network) })
    }
}

impl Seat {
    /// The handshake is over.
    pub(crate) fn leave_handshake(&mut self) {
        self.handshake = None;
    }

    /// The peer has shown who it is, and is counted by that from now on: a hospital's hundreds of PCs share one address.
    pub(crate) fn leave_network(&mut self) {
        self.network = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_when_its_holder_goes() {
        let counter = Counter::default();
        let first = counter.enter("a", 1);
        assert!(first.is_some() && counter.enter("a", 1).is_none() && counter.enter("b", 1).is_some());
        drop(first);
        assert!(counter.enter("a", 1).is_some());
        assert!(counter.0.lock().unwrap().is_empty(), "nobody is left, so nothing is remembered");
    }

    #[test]
    fn addresses_of_one_customer_are_one_network() {
        let network = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:1"));
        assert_ne!(network("2001:db8::1"), network("2001:db8:0:1::1"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
    }

    #[test]
    fn each_door_says_that_it_is_full_and_opens_again() {
        let limits = Limits { connections: 3, connections_per_ip: 2, handshakes: 2, ..Limits::agents() };
        let admission = Admission::new(&limits);
        let from = |last| IpAddr::from([192, 0, 2, last]);
        let mut first = admission.admit(from(1)).ok().unwrap();
        let second = admission.admit(from(1)).ok().unwrap();
        assert_eq!(admission.admit(from(1)).err(), Some(Full::Network));
        assert_eq!(admission.admit(from(2)).err(), Some(Full::Handshakes));
        first.leave_handshake();
        let _third = admission.admit(from(2)).ok().unwrap();
        drop(second);
        first.leave_network();
        let mut fourth = admission.admit(from(1)).ok().unwrap();
        fourth.leave_handshake();
        assert_eq!(admission.admit(from(3)).err(), Some(Full::Connections));
    }
}
