//! Firefox on Windows and the machine's roots.
//!
//! Since version 120 Firefox takes the machine's roots by itself, so what stands in `LocalMachine\Root` suffices. An older
//! one does so when its `policies.json` says `ImportEnterpriseRoots`. That file may be the administrator's work: it is
//! merged and never replaced, kept beside itself as it was, and given back octet for octet when nobody else has changed it
//! since. A file that is not understood whole is left alone.

mod json;

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::ini;
use crate::Changed;

/// The first version that takes the machine's roots without being told.
const BY_ITSELF: u32 = 120;
/// The first version that knows the policy on Windows.
const BY_POLICY: u32 = 60;
/// Bytes of `application.ini` and of `policies.json`.
const FILE_BYTES: u64 = 1024 * 1024;
/// Where an installation's policies stand, below its folder.
const POLICIES: [&str; 2] = ["distribution", "policies.json"];
/// What the file was before, beside it; empty when there was none.
const BEFORE: &str = "policies.json.before-inkan";
/// Where the new file is written before it takes the old one's place.
const NEW: &str = "policies.json.new-inkan";
/// The way to the policy inside of the file.
const TO_POLICY: [&str; 2] = ["policies", "Certificates"];
const POLICY: &str = "ImportEnterpriseRoots";

/// One Firefox on this PC.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FirefoxInstallation {
    /// Its folder.
    pub folder: PathBuf,
    /// Its version as it says, such as `115.20.0`.
    pub version: String,
    /// The first number of the version.
    pub major: u32,
}

/// How a Firefox comes to trust the machine's roots.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MachineRoots {
    /// By itself.
    ByItself,
    /// When its policies say so.
    ByPolicy,
    /// Never: it is too old.
    Never,
}

/// A change of policies that could not be made. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// This version knows no such policy.
    #[error("Firefox {version} is too old to take the machine's roots")]
    TooOld {
        /// The version.
        version: String,
    },
    /// The file is not what Firefox would understand, and so is somebody else's to mend.
    #[error("{} is left alone: {why}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// What was written does not read back.
    #[error("{} does not hold what was written", path.display())]
    NotConfirmed {
        /// Which file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("could not {step} {}", path.display())]
    Io {
        /// What was being done, as in "write".
        step: &'static str,
        /// Which file.
        path: PathBuf,
        /// The operating system's error.
        #[source]
        cause: io::Error,
    },
}

/// Finds each Firefox below these folders (`C:\Program Files` and its like).
pub fn find_installations(program_folders: &[PathBuf]) -> Vec<FirefoxInstallation> {
    const NAMES: [&str; 4] = ["Mozilla Firefox", "Mozilla Firefox ESR", "Firefox Developer Edition", "Firefox Nightly"];
    let folders = program_folders.iter().flat_map(|folder| NAMES.map(|name| folder.join(name)));
    let mut found: Vec<_> = folders.filter_map(|folder| read_installation(&folder)).collect();
    found.dedup_by(|a, b| a.folder == b.folder);
    found
}

fn read_installation(folder: &Path) -> Option<FirefoxInstallation> {
    let content = read_bounded(&folder.join("application.ini")).ok()??;
    let sections = ini::parse(&content);
    let app = sections.iter().find(|section| section.name == "App")?;
    let version = app.value("Version").filter(|_| app.value("Name") == Some("Firefox"))?;
    let major = version.split('.').next()?.parse().ok()?;
    Some(FirefoxInstallation { folder: folder.to_path_buf(), version: version.to_owned(), major })
}

impl FirefoxInstallation {
    /// How this version comes to trust the machine's roots.
    pub const fn machine_roots(&self) -> MachineRoots {
        match self.major {
            BY_ITSELF.. => MachineRoots::ByItself,
            BY_POLICY.. => MachineRoots::ByPolicy,
            _ => MachineRoots::Never,
        }
    }

    /// Sees to it that this Firefox takes the machine's roots, from its next start on.
    pub fn import_machine_roots(&self) -> Result<Changed, PolicyError> {
        match self.machine_roots() {
            MachineRoots::ByItself => Ok(Changed::AlreadySo),
            MachineRoots::ByPolicy => self.add_policy(),
            MachineRoots::Never => Err(PolicyError::TooOld { version: self.version.clone() }),
        }
    }

    /// Takes back what [`Self::import_machine_roots`] has written, and nothing else.
    pub fn withdraw_policy(&self) -> Result<Changed, PolicyError> {
        let (path, before_path) = (self.policies(), self.before());
        let Some(before) = read(&before_path)? else { return Ok(Changed::AlreadySo) };
        let now = read(&path)?;
        let written = render(&path, &with_policy(&path, parse(&path, &before)?)?)?;
        match &now {
            // Somebody has removed it already.
            None => {}
            // It was stopped before it changed anything.
            Some(now) if *now == before => {}
            Some(now) if *now == written && before.is_empty() => remove(&path)?,
            Some(now) if *now == written => self.write(&before)?,
            Some(now) => {
                let earlier = policy_of(&parse(&path, &before)?).cloned();
                let without = without_policy(parse(&path, now)?, earlier);
                self.write(&render(&path, &without)?)?;
            }
        }
        remove(&before_path)?;
        Ok(changed(now.as_deref()))
    }

    fn add_policy(&self) -> Result<Changed, PolicyError> {
        let path = self.policies();
        let now = read(&path)?.unwrap_or_default();
        let document = parse(&path, &now)?;
        if policy_of(&document) == Some(&Value::Bool(true)) {
            return Ok(Changed::AlreadySo);
        }
        let wanted = render(&path, &with_policy(&path, document)?)?;
        let folder = self.folder.join(POLICIES[0]);
        fs::create_dir_all(&folder).map_err(|cause| PolicyError::Io { step: "create", path: folder, cause })?;
        // What stood there first is kept, not what was there at the latest change.
        if read(&self.before())?.is_none() {
            write_whole(&self.before(), &now)?;
        }
        self.write(&wanted)?;
        Ok(changed(Some(&wanted)))
    }

    fn write(&self, content: &[u8]) -> Result<(), PolicyError> {
        let (path, new) = (self.policies(), self.policies().with_file_name(NEW));
        write_whole(&new, content)?;
        fs::rename(&new, &path).map_err(|cause| PolicyError::Io { step: "replace", path: path.clone(), cause })?;
        if read(&path)?.as_deref() == Some(content) { Ok(()) } else { Err(PolicyError::NotConfirmed { path }) }
    }

    fn policies(&self) -> PathBuf {
        self.folder.join(POLICIES[0]).join(POLICIES[1])
    }

    fn before(&self) -> PathBuf {
        self.policies().with_file_name(BEFORE)
    }
}

/// Firefox reads its policies when it starts.
fn changed(content: Option<&[u8]>) -> Changed {
    match content {
        Some(_) => Changed::AfterRestart { application: "Firefox".to_owned() },
        None => Changed::Done,
    }
}

/// An empty file stands for none.
fn parse(path: &Path, content: &[u8]) -> Result<Value, PolicyError> {
    let malformed = |why: String| PolicyError::Malformed { path: path.to_path_buf(), why };
    let document = if content.is_empty() { json!({}) } else { json::parse(content).map_err(malformed)? };
    let mut at = &document;
    for key in TO_POLICY {
        match at.as_object() {
            None => return Err(malformed(format!("what should hold `{key}` is no object"))),
            Some(object) => match object.get(key) {
                None => return Ok(document),
                Some(inner) => at = inner,
            },
        }
    }
    if at.is_object() { Ok(document) } else { Err(malformed(format!("`{}` is no object", TO_POLICY.join(".")))) }
}

fn policy_of(document: &Value) -> Option<&Value> {
    TO_POLICY.iter().try_fold(document, |at, key| at.get(key))?.get(POLICY)
}

fn with_policy(path: &Path, mut document: Value) -> Result<Value, PolicyError> {
    let mut at = &mut document;
    for key in TO_POLICY {
        let why = || PolicyError::Malformed { path: path.to_path_buf(), why: "it is no object".to_owned() };
        at = at.as_object_mut().ok_or_else(why)?.entry(key).or_insert_with(|| Value::Object(Map::new()));
    }
    if let Some(certificates) = at.as_object_mut() {
        certificates.insert(POLICY.to_owned(), Value::Bool(true));
    }
    Ok(document)
}

/// Puts the policy back to what it was, and takes away the objects that would be left empty by that.
fn without_policy(mut document: Value, earlier: Option<Value>) -> Value {
    let certificates =
        TO_POLICY.iter().try_fold(&mut document, |at, key| at.get_mut(key)).and_then(Value::as_object_mut);
    let Some(certificates) = certificates else { return document };
    match earlier {
        Some(earlier) => certificates.insert(POLICY.to_owned(), earlier),
        None => certificates.remove(POLICY),
    };
    let is_left_empty = certificates.is_empty();
    if is_left_empty && let Some(policies) = document.get_mut(TO_POLICY[0]).and_then(Value::as_object_mut) {
        policies.remove(TO_POLICY[1]);
    }
    document
}

fn render(path: &Path, document: &Value) -> Result<Vec<u8>, PolicyError> {
    let mut content = serde_json::to_vec_pretty(document)
        .map_err(|error| PolicyError::Malformed { path: path.to_path_buf(), why: error.to_string() })?;
    content.push(b'\n');
    Ok(content)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, PolicyError> {
    read_bounded(path).map_err(|cause| PolicyError::Io { step: "read", path: path.to_path_buf(), cause })
}

fn read_bounded(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut content = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("more than {FILE_BYTES} bytes")));
    }
    Ok(Some(content))
}

fn write_whole(path: &Path, content: &[u8]) -> Result<(), PolicyError> {
    let written = fs::File::create(path).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    written.map_err(|cause| PolicyError::Io { step: "write", path: path.to_path_buf(), cause })
}

fn remove(path: &Path) -> Result<(), PolicyError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(PolicyError::Io { step: "remove", path: path.to_path_buf(), cause: error })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
