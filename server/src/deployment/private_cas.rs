//! Each vendor's own certification authority, made on first use and kept in memory from then on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use inkan_core::ports::{Authorities, AuthorityError, Entropy};
use inkan_issuance::private_ca::{CaError, CertificationAuthority, PrivateCa};
use inkan_model::{Clock, VendorId};

use super::files::{self, FileError};
use super::{AUTHORITY_LIFETIME, new_serial};

pub(crate) const FOLDER: &str = "private-ca";
const CERTIFICATE: &str = "ca.pem";
const KEY: &str = "ca.key";

/// A vendor's authority that could not be made or loaded.
#[derive(Debug, thiserror::Error)]
pub enum PrivateCaError {
    /// Key or certificate is damaged, or could not be made.
    #[error("the private CA in {} is unusable", folder.display())]
    Authority {
        /// Where its files are.
        folder: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: CaError,
    },
    /// A file could not be read or written.
    #[error("could not open the private CA")]
    File(#[source] FileError),
}

/// The vendors' authorities.
pub(crate) struct PrivateCas {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    loaded: Mutex<HashMap<VendorId, Arc<PrivateCa>>>,
}

impl PrivateCas {
    pub(crate) fn new(folder: PathBuf, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { folder, clock, entropy, loaded: Mutex::default() }
    }

    /// The vendor's authority, made where there is none.
    pub(crate) fn open(&self, vendor: VendorId) -> Result<Arc<PrivateCa>, PrivateCaError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ca) = loaded.get(&vendor) {
            return Ok(Arc::clone(ca));
        }
        let folder = self.folder.join(vendor.to_string());
        if !folder.is_dir() {
            self.create(vendor, &folder)?;
        }
        let ca = Arc::new(load(folder)?);
        loaded.insert(vendor, Arc::clone(&ca));
        Ok(ca)
    }

    fn create(&self, vendor: VendorId, folder: &Path) -> Result<(), PrivateCaError> {
        let at = |cause| PrivateCaError::Authority { folder: folder.to_owned(), cause };
        let id = vendor.to_string();
        // The last part of the identifier is chance; the first is time.
        let name = format!("inkan private CA {}", id.rsplit('-').next().unwrap_or(&id));
        let serial = new_serial(self.entropy.as_ref());
        let ca = PrivateCa::create(&name, serial, self.clock.now(), AUTHORITY_LIFETIME).map_err(at)?;
        let (certificate, key) = (ca.certificate_pem().map_err(at)?, ca.key_pem().map_err(at)?);
        let contents = [(CERTIFICATE, certificate.as_bytes()), (KEY, key.as_bytes())];
        files::create_private_dir(&self.folder).map_err(PrivateCaError::File)?;
        // Another process may have been faster; then its files are the ones that count.
        files::write_private_dir(folder, &contents, self.entropy.as_ref()).map_err(PrivateCaError::File)?;
        Ok(())
    }
}

fn load(folder: PathBuf) -> Result<PrivateCa, PrivateCaError> {
    let certificate = files::read_private_text(&folder.join(CERTIFICATE)).map_err(PrivateCaError::File)?;
    let key = files::read_private_text(&folder.join(KEY)).map_err(PrivateCaError::File)?;
    PrivateCa::load(&certificate, &key).map_err(|cause| PrivateCaError::Authority { folder, cause })
}

impl Authorities for PrivateCas {
    fn private_ca(&self, vendor: VendorId) -> Result<Arc<dyn CertificationAuthority>, AuthorityError> {
        match self.open(vendor) {
            Ok(ca) => Ok(ca),
            Err(cause) => Err(AuthorityError { step: "load the private CA", cause: Box::new(cause) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use inkan_model::Timestamp;
    use inkan_model::time::ManualClock;

    use super::*;
    use crate::adapters::SystemEntropy;

    fn authorities(folder: &Path) -> PrivateCas {
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000)));
        PrivateCas::new(folder.join(FOLDER), clock, Arc::new(SystemEntropy))
    }

    #[test]
    fn each_vendor_keeps_an_authority_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let vendor = |chance| VendorId::new(Timestamp::default(), [chance; 10]);
        let first = authorities(folder.path());
        let certificate = first.private_ca(vendor(1)).unwrap().certificate().to_vec();
        assert_ne!(first.private_ca(vendor(2)).unwrap().certificate(), certificate);
        assert_eq!(first.private_ca(vendor(1)).unwrap().certificate(), certificate);
        let restarted = authorities(folder.path());
        assert_eq!(restarted.private_ca(vendor(1)).unwrap().certificate(), certificate);
    }
}
