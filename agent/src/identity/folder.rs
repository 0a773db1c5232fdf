//! Where the identity rests.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkan_issuance::identity_ca::CaPin;
use serde::{Deserialize, Serialize};
use tracing::info;

use super::certificate::{authorities, pinned_authority, read_leaf};
use super::protection::{KEY_FILE, protect, unprotect};
use super::{DeviceKey, FileKey, Identity, IdentityError, MachineBinding};
use crate::disk::Disk;

const IDENTITY: &str = "identity.json";
/// Bytes of either file.
const FILE: usize = 1024 * 1024;
/// Authorities that are trusted at a time: the one in use, and those that it takes over from.
const ANCHORS: usize = 4;

/// The folder with the identity of this PC.
#[derive(Clone)]
pub struct IdentityFolder {
    disk: Disk,
    data_dir: PathBuf,
}

/// What an enrolment came to.
#[derive(Clone, Debug)]
pub struct NewIdentity {
    /// The identity certificate, then its issuers, as DER.
    pub chain: Vec<Vec<u8>>,
    /// The pin that the operator gave.
    pub pin: CaPin,
    /// Address of the agents' listener.
    pub server_url: String,
    /// Address of the enrolment listener.
    pub enrolment_url: String,
    /// The machine that enrolled.
    pub machine: MachineBinding,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct File {
    server_url: String,
    enrolment_url: String,
    /// Grows with each certificate.
    generation: u64,
    /// Hexadecimal.
    machine_binding: String,
    /// PEM, leaf first.
    chain: String,
    /// PEM.
    anchors: String,
}

impl IdentityFolder {
    /// The identity that rests under `data_dir`.
    pub fn new(disk: Disk, data_dir: &Path) -> Self {
        Self { disk, data_dir: data_dir.to_path_buf() }
    }

    /// The identity, which must have been made on this machine.
    pub fn open(&self, machine: MachineBinding) -> Result<Identity, IdentityError> {
        self.finish()?;
        let (identity, made_on) = self.find()?.ok_or(IdentityError::NotEnrolled)?;
        if made_on != machine {
            return Err(IdentityError::OtherMachine);
        }
        Ok(identity)
    }

    /// The identity and the machine that it was made on, where there is one. An enrolment that was whole when it was cut
    /// off counts. Changes nothing, so that anybody may look.
    pub fn find(&self) -> Result<Option<(Identity, MachineBinding)>, IdentityError> {
        for place in [self.next(), self.current()] {
            if let Some(file) = read_file(&place.join(IDENTITY))? {
                return load(&place, &file).map(Some);
            }
        }
        Ok(None)
    }

    /// Finishes an enrolment that was whole when it was cut off. The caller holds the lock of the data directory.
    pub fn finish(&self) -> Result<(), IdentityError> {
        if self.next().join(IDENTITY).exists() { self.take_place() } else { Ok(()) }
    }

    /// The key for an enrolment: a new one, or that of an enrolment that was cut off, so that it goes on as the same host.
    pub fn begin(&self) -> Result<Arc<dyn DeviceKey>, IdentityError> {
        let path = self.next().join(KEY_FILE);
        match find_key(&path) {
            Ok(Some(key)) => {
                info!("going on with the key of an enrolment that was cut off");
                return Ok(Arc::new(key));
            }
            Ok(None) => {}
            // Of a copied PC: nobody can go on with it here.
            Err(IdentityError::Locked { .. }) => self.abandon()?,
            Err(error) => return Err(error),
        }
        let (key, pem) = FileKey::generate().map_err(|cause| IdentityError::Key { path: path.clone(), cause })?;
        self.disk.create_folder(&self.next()).map_err(failed("create", &self.next()))?;
        let protected = protect(pem.as_bytes()).map_err(failed("protect", &path))?;
        self.disk.replace(&path, &protected).map_err(failed("write", &path))?;
        Ok(Arc::new(key))
    }

    /// Forgets an enrolment that is going on, its key included.
    pub fn abandon(&self) -> Result<(), IdentityError> {
        self.disk.remove_folder(&self.next()).map_err(failed("remove", &self.next()))
    }

    /// Makes the enrolment that is going on the identity of this PC, in one moment, in place of one before.
    pub fn commit(&self, new: &NewIdentity) -> Result<Identity, IdentityError> {
        let key_path = self.next().join(KEY_FILE);
        let key = find_key(&key_path)?.ok_or(IdentityError::NotEnrolled)?;
        let anchor = pinned_authority(&new.chain, new.pin)?;
        read_leaf(&new.chain, std::slice::from_ref(&anchor), &key)?;
        let file = File {
            server_url: new.server_url.clone(),
            enrolment_url: new.enrolment_url.clone(),
            generation: 1,
            machine_binding: data_encoding::HEXLOWER.encode(&new.machine.0),
            chain: to_pem(&new.chain),
            anchors: to_pem(&[anchor]),
        };
        self.write_file(&self.next().join(IDENTITY), &file)?;
        self.finish()?;
        self.find()?.map(|(identity, _)| identity).ok_or(IdentityError::NotEnrolled)
    }

    /// Puts a new certificate of the same host in place. Authorities that come with it are trusted from now on, beside
    /// those before, because it came over a connection that those vouch for.
    pub fn renew(
        &self,
        identity: &Identity,
        chain: Vec<Vec<u8>>,
        server_url: Option<String>,
    ) -> Result<Identity, IdentityError> {
        let mut anchors = authorities(&chain);
        anchors.extend(identity.anchors.iter().cloned());
        let mut distinct: Vec<Vec<u8>> = Vec::new();
        for anchor in anchors {
            if !distinct.contains(&anchor) && distinct.len() < ANCHORS {
                distinct.push(anchor);
            }
        }
        let issued = read_leaf(&chain, &distinct, &*identity.key)?;
        if issued.identity != identity.agent {
            return Err(IdentityError::OtherHost);
        }
        let path = self.current().join(IDENTITY);
        let before = read_file(&path)?.ok_or(IdentityError::NotEnrolled)?;
        let file = File {
            server_url: server_url.unwrap_or_else(|| before.server_url.clone()),
            generation: before.generation.saturating_add(1),
            chain: to_pem(&chain),
            anchors: to_pem(&distinct),
            ..before
        };
        self.write_file(&path, &file)?;
        load(&self.current(), &file).map(|(identity, _)| identity)
    }

    /// Moves `identity.next` to `identity`. Cut off between its steps, it is finished by whoever looks next.
    fn take_place(&self) -> Result<(), IdentityError> {
        let (current, next, before) = (self.current(), self.next(), self.data_dir.join("identity.before"));
        self.disk.remove_folder(&before).map_err(failed("remove", &before))?;
        if current.exists() {
            self.disk.rename(&current, &before).map_err(failed("put aside", &current))?;
        }
        self.disk.rename(&next, &current).map_err(failed("put in place", &next))?;
        self.disk.remove_folder(&before).map_err(failed("remove", &before))
    }

    fn write_file(&self, path: &Path, file: &File) -> Result<(), IdentityError> {
        let encoded = serde_json::to_vec_pretty(file).map_err(io::Error::from);
        encoded.and_then(|bytes| self.disk.replace(path, &bytes)).map_err(failed("write", path))
    }

    fn current(&self) -> PathBuf {
        self.data_dir.join("identity")
    }

    fn next(&self) -> PathBuf {
        self.data_dir.join("identity.next")
    }
}

fn load(place: &Path, file: &File) -> Result<(Identity, MachineBinding), IdentityError> {
    let path = place.join(IDENTITY);
    let key_path = place.join(KEY_FILE);
    let malformed = |why: &str| IdentityError::Malformed { path: path.clone(), why: why.to_owned() };
    let key = find_key(&key_path)?.ok_or_else(|| IdentityError::Io {
        step: "read",
        path: key_path.clone(),
        cause: io::ErrorKind::NotFound.into(),
    })?;
    let File { server_url, enrolment_url, generation, machine_binding, chain, anchors } = file;
    let (chain, anchors) = (from_pem(chain), from_pem(anchors));
    let issued = read_leaf(&chain, &anchors, &key)?;
    let machine = data_encoding::HEXLOWER.decode(machine_binding.as_bytes()).ok();
    let machine = machine.and_then(|bytes| bytes.try_into().ok()).ok_or_else(|| malformed("machine_binding"))?;
    let identity = Identity {
        agent: issued.identity,
        chain,
        anchors,
        server_url: server_url.clone(),
        enrolment_url: enrolment_url.clone(),
        generation: *generation,
        not_before: issued.not_before,
        not_after: issued.not_after,
        key: Arc::new(key),
    };
    Ok((identity, MachineBinding(machine)))
}

fn find_key(path: &Path) -> Result<Option<FileKey>, IdentityError> {
    let Some(bytes) = Disk::find(path, FILE).map_err(failed("read", path))? else { return Ok(None) };
    let bytes = unprotect(bytes).map_err(|cause| IdentityError::Locked { path: path.to_path_buf(), cause })?;
    let malformed = |_| IdentityError::Malformed { path: path.to_path_buf(), why: "not text".to_owned() };
    let text = std::str::from_utf8(&bytes).map_err(malformed)?;
    FileKey::from_pem(text).map(Some).map_err(|cause| IdentityError::Key { path: path.to_path_buf(), cause })
}

fn read_file(path: &Path) -> Result<Option<File>, IdentityError> {
    let Some(bytes) = Disk::find(path, FILE).map_err(failed("read", path))? else { return Ok(None) };
    let malformed =
        |error: serde_json::Error| IdentityError::Malformed { path: path.to_path_buf(), why: error.to_string() };
    serde_json::from_slice(&bytes).map(Some).map_err(malformed)
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> IdentityError {
    let path = path.to_path_buf();
    move |cause| IdentityError::Io { step, path, cause }
}

fn to_pem(certificates: &[Vec<u8>]) -> String {
    let blocks: Vec<_> = certificates.iter().map(|der| pem::Pem::new("CERTIFICATE", der.clone())).collect();
    pem::encode_many_config(&blocks, pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF))
}

fn from_pem(text: &str) -> Vec<Vec<u8>> {
    pem::parse_many(text).unwrap_or_default().into_iter().map(pem::Pem::into_contents).collect()
}

#[cfg(test)]
mod tests;
