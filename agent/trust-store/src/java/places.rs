//! Where Java keeps keystores: in each runtime that is installed, in each user's home, and where the settings say.
//!
//! A runtime's keystore is often a link to one that several runtimes share: what counts is the file that it leads to,
//! once. Below a user's home no link is followed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkan_model::limits::{self, tame_text};
use inkan_model::store::{Location, Scope, StoreKind};

use crate::files::{User, Users};
use crate::folder::{Folder, Gate, Kind, OpenGate};

/// A runtime's folder inside of what is installed.
const HOMES: [&str; 4] = ["", "jre", "Contents/Home", "Contents/Home/jre"];
/// A runtime's keystores below its folder; the first one takes the place of the second where it exists.
const KEYSTORES: [&str; 2] = ["lib/security/jssecacerts", "lib/security/cacerts"];
/// Folders of one root that are looked into.
const FOLDERS: usize = 500;
/// Where a user's keystores are, below the home.
const IN_HOMES: [&str; 4] = [
    "",
    ".java/deployment/security",
    "AppData/LocalLow/Sun/Java/Deployment/security",
    "Library/Application Support/Oracle/Java/Deployment/security",
];
/// A user's keystores, by name.
const OF_USERS: [&str; 6] = [
    ".keystore",
    "trusted.cacerts",
    "trusted.certs",
    "trusted.clientcerts",
    "trusted.jssecacerts",
    "trusted.jssecerts",
];

/// Folders in which Linux distributions, and people, install runtimes.
#[cfg(target_os = "linux")]
const ROOTS: &[&str] = &["/usr/lib/jvm", "/usr/lib64/jvm", "/usr/java", "/opt", "/usr/local/lib/jvm"];
/// Folders in which macOS' runtimes are installed.
#[cfg(target_os = "macos")]
const ROOTS: &[&str] = &["/Library/Java/JavaVirtualMachines", "/Library/Internet Plug-Ins"];
/// Folders in which Windows' runtimes are installed, below the folders of programs.
#[cfg(windows)]
const ROOTS: &[&str] = &[
    "Java",
    "Eclipse Adoptium",
    "Eclipse Foundation",
    "AdoptOpenJDK",
    "Amazon Corretto",
    "BellSoft",
    "Microsoft",
    "RedHat",
    "SapMachine",
    "Semeru",
    "Zulu",
];
/// Folders in which runtimes are installed.
#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
const ROOTS: &[&str] = &[];

/// Keystores that the distribution makes anew from the system's anchors, whenever these change.
const GENERATED: [&str; 4] = [
    "/etc/ssl/certs/java/cacerts",
    "/etc/pki/ca-trust/extracted/java/cacerts",
    "/etc/ca-certificates/extracted/java-cacerts.jks",
    "/var/lib/ca-certificates/java-cacerts",
];

/// Where to look.
#[derive(Clone)]
pub(super) struct Places {
    /// Folders that hold runtimes, or folders of runtimes.
    pub(super) roots: Vec<PathBuf>,
    /// Folders of runtimes.
    pub(super) runtimes: Vec<PathBuf>,
    pub(super) users: Users,
    /// Keystores that the settings name.
    pub(super) keystores: Vec<PathBuf>,
    pub(super) generated: Vec<PathBuf>,
    pub(super) gate: Arc<dyn Gate>,
}

/// One keystore, and how to get at it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Place {
    /// A folder to open as it is.
    base: PathBuf,
    /// The way below it, without links.
    below: PathBuf,
    pub(super) name: String,
    /// The runtime that it belongs to.
    pub(super) runtime: Option<PathBuf>,
    /// Whether the distribution makes it anew.
    pub(super) generated: bool,
}

impl Places {
    /// Those of this operating system.
    pub(super) fn of_system() -> Self {
        #[cfg(windows)]
        let (roots, runtimes) = {
            let programs =
                ["ProgramFiles", "ProgramFiles(x86)", "ProgramW6432"].into_iter().filter_map(std::env::var_os);
            let below = |folder| ROOTS.iter().map(move |root| Path::new(&folder).join(root)).collect::<Vec<_>>();
            (programs.flat_map(below).collect(), super::registry::runtimes())
        };
        #[cfg(not(windows))]
        let (roots, runtimes) = (ROOTS.iter().map(PathBuf::from).collect(), Vec::new());
        Self {
            roots,
            runtimes,
            users: Users::of_system(),
            keystores: Vec::new(),
            generated: GENERATED.map(PathBuf::from).into(),
            gate: Arc::new(OpenGate),
        }
    }

    /// Every keystore that is there now.
    pub(super) fn find(&self) -> BTreeMap<Location, Place> {
        let mut found = BTreeMap::new();
        for runtime in self.find_runtimes() {
            for keystore in KEYSTORES {
                self.add(&mut found, &runtime.join(keystore), Some(&runtime));
            }
        }
        for keystore in &self.keystores {
            self.add(&mut found, keystore, None);
        }
        for user in self.users.list() {
            for below in IN_HOMES {
                self.add_of_user(&mut found, &user, Path::new(below));
            }
        }
        found
    }

    /// The folders of the runtimes that are installed, sorted.
    pub(super) fn find_runtimes(&self) -> Vec<PathBuf> {
        let in_roots = self.roots.iter().flat_map(|root| {
            let first = folders_in(root);
            let second: Vec<_> = first.iter().flat_map(|folder| folders_in(folder)).take(FOLDERS).collect();
            first.into_iter().chain(second)
        });
        let candidates = self.runtimes.iter().cloned().chain(in_roots);
        let homes = candidates
            .flat_map(|folder| HOMES.map(|home| if home.is_empty() { folder.clone() } else { folder.join(home) }));
        let mut homes: Vec<_> =
            homes.filter(|home| KEYSTORES.iter().any(|keystore| home.join(keystore).is_file())).collect();
        homes.sort_unstable();
        homes.dedup();
        homes
    }

    fn add(&self, found: &mut BTreeMap<Location, Place>, path: &Path, runtime: Option<&Path>) {
        // A keystore that the settings name and that is not there has no content, and nobody misses it.
        let Ok(target) = path.canonicalize() else { return };
        let (Some(base), Some(name)) = (target.parent(), target.file_name().and_then(|name| name.to_str())) else {
            return;
        };
        if !target.is_file() {
            return;
        }
        let generated = self.generated.iter().any(|path| path.canonicalize().is_ok_and(|path| path == target));
        let place = Place {
            base: base.to_path_buf(),
            below: PathBuf::new(),
            name: name.to_owned(),
            runtime: runtime.map(Path::to_path_buf),
            generated,
        };
        found.entry(location(Scope::Machine, &target)).or_insert(place);
    }

    fn add_of_user(&self, found: &mut BTreeMap<Location, Place>, user: &User, below: &Path) {
        let base = user.home.clone();
        let Ok(folder) = self.open(&base, below) else { return };
        for name in OF_USERS {
            if folder.kind(name).is_ok_and(|kind| kind == Some(Kind::File)) {
                let place = Place {
                    base: base.clone(),
                    below: below.to_path_buf(),
                    name: name.to_owned(),
                    runtime: None,
                    generated: false,
                };
                let path = user.home.join(below).join(name);
                found.insert(location(Scope::User(user.name.clone()), &path), place);
            }
        }
    }

    fn open(&self, base: &Path, below: &Path) -> io::Result<Folder> {
        let base = Folder::open(base, Arc::clone(&self.gate))?;
        if below.as_os_str().is_empty() { Ok(base) } else { base.open_beneath(below) }
    }

    /// The folder of a keystore, held open.
    pub(super) fn folder(&self, place: &Place) -> io::Result<Folder> {
        self.open(&place.base, &place.below)
    }
}

impl Place {
    /// The path of the folder that it is in.
    pub(super) fn folder_path(&self) -> PathBuf {
        self.base.join(&self.below)
    }
}

fn location(scope: Scope, path: &Path) -> Location {
    // Windows' own form of a path is not one that a person knows.
    let text = path.to_string_lossy();
    let text = text.strip_prefix(r"\\?\").unwrap_or(&text);
    Location { kind: StoreKind::Java, scope, path: tame_text(text, limits::LONG_TEXT) }
}

fn folders_in(path: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(path).into_iter().flatten().take(FOLDERS).flatten();
    let mut folders: Vec<_> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    folders.sort_unstable();
    folders
}
