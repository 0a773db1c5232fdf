//! Windows: the machine's roots, without what it distrusts. What one user trusts vouches for nothing that the agent does.

use std::collections::BTreeSet;
use std::io;

use inkan_model::store::{Location, Scope, SetEntry, StoreKind};
use inkan_trust_store::StoreBackend as _;
use inkan_trust_store::windows::WindowsStores;
use rustls::RootCertStore;

use super::limits::add_limited;

/// The certificates that may vouch for servers. What cannot be used is left out.
pub(crate) fn system_roots() -> io::Result<RootCertStore> {
    let stores = WindowsStores::default();
    let (mut distrusted, mut trusted) = (BTreeSet::new(), Vec::new());
    for location in stores.discover() {
        match store_of(&location) {
            Some("Root") => trusted.push(stores.read(&location)),
            Some("Disallowed") => {
                let refused = stores.read(&location).certificates;
                distrusted.extend(refused.into_iter().map(|certificate| certificate.fingerprint));
            }
            _ => {}
        }
    }
    let mut roots = RootCertStore::empty();
    for reading in trusted {
        for entry in &reading.entries {
            let SetEntry::Certificate { certificate, properties, .. } = entry else { continue };
            let found = reading.certificates.iter().find(|found| found.fingerprint == *certificate);
            if let Some(found) = found.filter(|found| !distrusted.contains(&found.fingerprint)) {
                add_limited(&mut roots, &found.der, properties);
            }
        }
    }
    if roots.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the machine's store Root holds no usable certificate"));
    }
    Ok(roots)
}

/// The store's name, where it is one of the machine's; its physical parts are named behind a backslash.
fn store_of(location: &Location) -> Option<&str> {
    let Location { kind, scope, path } = location;
    (*kind == StoreKind::WindowsStore && *scope == Scope::Machine).then(|| path.split('\\').next()).flatten()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_machine_trusts_somebody() {
        assert!(!super::system_roots().unwrap().is_empty());
    }
}
