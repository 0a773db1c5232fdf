//! Changing PEM certificates with keys in directories.
//!
//! What has been done is told by which files exist and what they hold; there is no journal beside them that could
//! disagree. Files are replaced whole and in one moment, so a program that reads them finds the old or the new one. The
//! new pair stands beside the old one until the new one is in its place: at any moment one of the two is whole.

mod archive;
mod place;
#[cfg(test)]
mod tests;

use std::io;

use inkan_model::{Certificate, Fingerprint, limits};
use zeroize::Zeroizing;

use self::place::{KeyForm, Names, Place, find_archived, find_installed, find_key, find_old, read_standing};
use super::Directories;
use super::survey::{FILE_BYTES, Survey};
use crate::folder::Folder;
use crate::p256::{SoftwareKey, crypto};
use crate::{ChangeError, Keyring, PrivateKey, RenewalSlot};

/// One renewal's view of its directory.
struct Change<'c> {
    slot: &'c RenewalSlot,
    names: Names,
    root: Folder,
    survey: Survey,
}

impl Directories {
    fn change<'c>(&self, slot: &'c RenewalSlot) -> Result<Change<'c>, ChangeError> {
        let why = || "the settings do not name this directory".to_owned();
        let root = self
            .root(&slot.location)
            .ok_or_else(|| ChangeError::ReadOnly { location: slot.location.clone(), why: why() })?;
        let step = || format!("open {}", slot.location);
        let root = self.open(&root).map_err(|cause| ChangeError::Io { step: step(), cause })?;
        let survey = self.survey(&root);
        Ok(Change { slot, names: Names::of(slot.renewal), root, survey })
    }
}

impl Keyring for Directories {
    fn ensure_key(&self, slot: &RenewalSlot) -> Result<Box<dyn PrivateKey>, ChangeError> {
        Ok(Box::new(self.change(slot)?.ensure_key()?))
    }

    fn install_beside(&self, slot: &RenewalSlot, chain: &[Vec<u8>]) -> Result<(), ChangeError> {
        self.change(slot)?.install_beside(chain)
    }

    fn archive_old(&self, slot: &RenewalSlot, new: Fingerprint) -> Result<(), ChangeError> {
        self.change(slot)?.archive_old(new)
    }

    fn discard(&self, slot: &RenewalSlot) -> Result<(), ChangeError> {
        self.change(slot)?.discard()
    }
}

impl Change<'_> {
    fn ensure_key(&self) -> Result<SoftwareKey, ChangeError> {
        if let Some(key) = self.made_key()? {
            return Ok(key);
        }
        let place = self.old_place()?;
        let folder = self.folder(&place)?;
        let key_name = place.key.file(&place.certificate);
        let access = folder.access(key_name).map_err(self.io("read who may use the old key"))?;
        let access = access.ok_or_else(|| self.missing())?.owner_only();
        let (key, pem) = SoftwareKey::generate()?;
        folder
            .replace(&self.names.key, &self.names.temporary, pem.as_bytes(), access)
            .map_err(self.io("write the new key"))?;
        Ok(key)
    }

    /// The key made before for this renewal, wherever it has got to.
    fn made_key(&self) -> Result<Option<SoftwareKey>, ChangeError> {
        if let Some(folder) = find_key(&self.survey, &self.names) {
            let folder = self.root.open_beneath(&folder).map_err(self.io("open the folder of the new key"))?;
            let read = folder.read(&self.names.key, FILE_BYTES).map_err(self.io("read the new key"))?;
            return SoftwareKey::from_pem(&read.bytes).map(Some);
        }
        if let Some((folder, stem)) = find_installed(&self.survey, &self.names) {
            let folder = self.root.open_beneath(&folder).map_err(self.io("open the folder of the new key"))?;
            let read = folder.read(self.names.new_key(&stem), FILE_BYTES).map_err(self.io("read the installed key"))?;
            return SoftwareKey::from_pem(&read.bytes).map(Some);
        }
        match find_old(&self.survey, self.slot.old) {
            Ok(None) => Ok(self.successor(None)?.map(|(_, standing)| standing.key)),
            Ok(Some(_)) | Err(_) => Ok(None),
        }
    }

    fn install_beside(&self, chain: &[Vec<u8>]) -> Result<(), ChangeError> {
        let leaf = self.checked_chain(chain)?;
        if matches!(find_old(&self.survey, self.slot.old), Ok(None)) {
            // The old certificate is archived, or about to be: then the new one is already where it belongs.
            let under_way = find_installed(&self.survey, &self.names).is_some();
            return if under_way || self.successor(Some(leaf.fingerprint))?.is_some() {
                Ok(())
            } else {
                Err(self.missing())
            };
        }
        let place = self.old_place()?;
        let folder = self.folder(&place)?;
        let key = folder.read(&self.names.key, FILE_BYTES).map_err(self.io("read the new key"))?;
        let belongs = SoftwareKey::from_pem(&key.bytes)?;
        if !leaf.facts.as_ref().is_ok_and(|facts| belongs.belongs_to(&facts.spki_sha256)) {
            return Err(crypto("the new certificate is not for the key of this renewal"));
        }
        let access = folder.access(&place.certificate).map_err(self.io("read who may use the old certificate"))?;
        let access = access.ok_or_else(|| self.missing())?;
        let (certificate_name, key_name) = (self.names.new_certificate(place.stem()), self.names.new_key(place.stem()));
        // The key first: a certificate that is seen has its key.
        folder
            .replace(&key_name, &self.names.temporary, &key.bytes, key.access)
            .map_err(self.io("write the new key beside the old one"))?;
        folder
            .replace(&certificate_name, &self.names.temporary, chain_pem(chain).as_bytes(), access)
            .map_err(self.io("write the new certificate beside the old one"))?;
        let standing = read_standing(&folder, &certificate_name, &KeyForm::Beside(key_name));
        let read_back = standing.map_err(|why| self.not_confirmed(why))?;
        let same = read_back.chain.iter().map(|c| &c.der).eq(chain.iter());
        if same { Ok(()) } else { Err(self.not_confirmed("the chain differs")) }
    }

    fn checked_chain(&self, chain: &[Vec<u8>]) -> Result<Certificate, ChangeError> {
        if chain.is_empty() || chain.len() > limits::CHAIN_CERTIFICATES {
            return Err(crypto(format!("a chain of {} certificates", chain.len())));
        }
        let read: Vec<_> = chain.iter().map(|der| Certificate::read(der.clone())).collect();
        if let Some(error) = read.iter().find_map(|certificate| certificate.facts.as_ref().err()) {
            return Err(crypto(format!("the chain holds what is {error}")));
        }
        match read.into_iter().next() {
            Some(leaf) if leaf.fingerprint != self.slot.old => Ok(leaf),
            Some(_) | None => Err(crypto("the new certificate is the old one")),
        }
    }

    fn discard(&self) -> Result<(), ChangeError> {
        let old = find_old(&self.survey, self.slot.old);
        if matches!(old, Ok(None))
            && let Some((folder, _)) = find_installed(&self.survey, &self.names)
        {
            let folder = self.root.open_beneath(&folder).map_err(self.io("open the folder of the new certificate"))?;
            if !find_archived(&folder, self.slot.old).map_err(self.io("look into the archive"))?.is_empty() {
                return Err(self.not_confirmed("the old certificate is being archived; that has to be finished"));
            }
        }
        if let Ok(Some(place)) = &old {
            self.forget_archive(place)?;
        }
        for folder in &self.survey.folders {
            let opened = self.root.open_beneath(&folder.relative).map_err(self.io("open a folder to clean up"))?;
            let stems = folder.files.iter().filter_map(|file| self.names.stem_of(&file.name));
            for stem in stems {
                self.remove_new(&opened, stem)?;
            }
            self.remove_made(&opened)?;
        }
        Ok(())
    }

    /// Removes the new pair beside the old one: the certificate first, so that what is seen has its key.
    fn remove_new(&self, folder: &Folder, stem: &str) -> Result<(), ChangeError> {
        for name in [self.names.new_certificate(stem), self.names.new_key(stem)] {
            folder.remove(&name).map_err(self.io("remove what was installed beside"))?;
        }
        Ok(())
    }

    /// Removes the waiting key and a file that was being written.
    fn remove_made(&self, folder: &Folder) -> Result<(), ChangeError> {
        for name in [&self.names.key, &self.names.temporary] {
            folder.remove(name).map_err(self.io("remove what was made for the renewal"))?;
        }
        folder.sync().map_err(self.io("make the directory durable"))
    }

    fn old_place(&self) -> Result<Place, ChangeError> {
        match find_old(&self.survey, self.slot.old) {
            Ok(Some(place)) => Ok(place),
            Ok(None) => Err(self.missing()),
            Err(why) => Err(ChangeError::ReadOnly { location: self.slot.location.clone(), why }),
        }
    }

    fn folder(&self, place: &Place) -> Result<Folder, ChangeError> {
        self.root.open_beneath(&place.folder).map_err(self.io("open the folder of the old certificate"))
    }

    fn missing(&self) -> ChangeError {
        ChangeError::Missing { certificate: self.slot.old, location: self.slot.location.clone() }
    }

    fn not_confirmed(&self, why: impl Into<String>) -> ChangeError {
        ChangeError::NotConfirmed { location: self.slot.location.clone(), why: why.into() }
    }

    fn io(&self, step: &'static str) -> impl Fn(io::Error) -> ChangeError {
        let location = self.slot.location.clone();
        move |cause| ChangeError::Io { step: format!("{step} at {location}"), cause }
    }
}

/// Certificates as PEM, one after the other (RFC 7468 §5).
fn chain_pem(chain: &[Vec<u8>]) -> String {
    let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
    chain.iter().map(|der| pem::encode_config(&pem::Pem::new("CERTIFICATE", der.as_slice()), config)).collect()
}

/// A certificate and its key in one file, in the order that the old file had.
fn combined_pem(chain: &str, key: &[u8], key_first: bool) -> Zeroizing<Vec<u8>> {
    let mut whole = Zeroizing::new(Vec::with_capacity(chain.len() + key.len()));
    let parts = if key_first { [key, chain.as_bytes()] } else { [chain.as_bytes(), key] };
    for part in parts {
        whole.extend_from_slice(part);
    }
    whole
}
