//! Where each user's programs keep their NSS databases.
//!
//! `profiles.ini` is written by the user and read with the agent's rights: it may name any path. Only a folder below the
//! user's own home, reached without any link, is ever opened; one that it names elsewhere is told and left alone.

use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use inkan_model::limits::{self, tame_text};
use inkan_model::store::{Location, Scope, StoreKind};

use super::ini;
use super::reading::{CERTIFICATES, OLD_CERTIFICATES, has};
use crate::files::User;
use crate::folder::{Folder, OpenGate};

/// Bytes of `profiles.ini` and its like.
const INI_BYTES: usize = 256 * 1024;
/// Profiles of one `profiles.ini`.
const PROFILES: usize = 50;

/// A program with NSS databases of its own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Application {
    /// Chromium, Chrome and those that stem from them: one database per user.
    Chromium,
    /// Firefox: one database per profile.
    Firefox,
    /// Thunderbird: one database per profile.
    Thunderbird,
}

/// How a program came onto the PC, which decides where it keeps things.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Package {
    /// Flatpak.
    Flatpak,
    /// Snap.
    Snap,
    /// The distribution's, or an installer's.
    System,
}

/// One folder of a home directory to look into.
#[derive(Clone, Copy, Debug)]
struct Place {
    below: &'static str,
    application: Application,
    package: Package,
}

const fn place(application: Application, package: Package, below: &'static str) -> Place {
    Place { below, application, package }
}

/// A component that is a link to a number beside it, as Snap has it.
const CURRENT: &str = "current";

const LINUX: [Place; 17] = {
    use Application::{Chromium, Firefox, Thunderbird};
    use Package::{Flatpak, Snap, System};
    [
        place(Chromium, System, ".pki/nssdb"),
        place(Chromium, System, ".local/share/pki/nssdb"),
        place(Chromium, Snap, "snap/chromium/current/.pki/nssdb"),
        place(Chromium, Snap, "snap/chromium/current/.local/share/pki/nssdb"),
        place(Chromium, Flatpak, ".var/app/org.chromium.Chromium/.pki/nssdb"),
        place(Chromium, Flatpak, ".var/app/org.chromium.Chromium/data/pki/nssdb"),
        place(Chromium, Flatpak, ".var/app/com.google.Chrome/.pki/nssdb"),
        place(Chromium, Flatpak, ".var/app/com.google.Chrome/data/pki/nssdb"),
        place(Firefox, System, ".mozilla/firefox"),
        place(Firefox, System, ".config/mozilla/firefox"),
        place(Firefox, Snap, "snap/firefox/common/.mozilla/firefox"),
        place(Firefox, Snap, "snap/firefox/common/.config/mozilla/firefox"),
        place(Firefox, Flatpak, ".var/app/org.mozilla.firefox/.mozilla/firefox"),
        place(Firefox, Flatpak, ".var/app/org.mozilla.firefox/config/mozilla/firefox"),
        place(Thunderbird, System, ".thunderbird"),
        place(Thunderbird, Snap, "snap/thunderbird/common/.thunderbird"),
        place(Thunderbird, Flatpak, ".var/app/org.mozilla.Thunderbird/.thunderbird"),
    ]
};

const WINDOWS: [Place; 2] = [
    place(Application::Firefox, Package::System, "AppData/Roaming/Mozilla/Firefox"),
    place(Application::Thunderbird, Package::System, "AppData/Roaming/Thunderbird"),
];

/// Where an operating system's programs keep their databases.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Layout {
    /// Linux, with what Snap and Flatpak keep apart.
    Linux,
    /// Windows.
    Windows,
}

impl Layout {
    const fn places(self) -> &'static [Place] {
        match self {
            Self::Linux => &LINUX,
            Self::Windows => &WINDOWS,
        }
    }
}

/// One database of one user.
#[derive(Clone, Debug)]
pub(super) struct Profile {
    pub(super) user: User,
    #[cfg_attr(not(unix), expect(dead_code, reason = "only a change asks for it"))]
    pub(super) application: Application,
    #[cfg_attr(not(any(test, unix)), expect(dead_code, reason = "only a change asks for it"))]
    pub(super) package: Package,
    pub(super) place: Within,
}

/// Where a profile lies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Within {
    /// Below the home directory.
    Home(PathBuf),
    /// Somewhere else, and so it is not looked at.
    Elsewhere(PathBuf),
}

impl Profile {
    pub(super) fn path(&self) -> PathBuf {
        match &self.place {
            Within::Home(below) => self.user.home.join(below),
            Within::Elsewhere(path) => path.clone(),
        }
    }

    pub(super) fn location(&self) -> Location {
        let path = tame_text(&self.path().to_string_lossy(), limits::LONG_TEXT);
        Location { kind: StoreKind::Nss, scope: Scope::User(self.user.name.clone()), path }
    }

    /// Opens its folder, no link followed below the home directory.
    pub(super) fn open(&self) -> io::Result<Folder> {
        match &self.place {
            Within::Home(below) => home(&self.user)?.open_beneath(below),
            Within::Elsewhere(_) => {
                let why = "profiles.ini leads out of the user's home directory, which is not followed";
                Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
            }
        }
    }

    /// Whether there is anything to read; a profile that was never used has no database yet.
    fn is_there(&self) -> bool {
        match self.open() {
            Ok(folder) => has(&folder, CERTIFICATES) || has(&folder, OLD_CERTIFICATES),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }
}

/// Opens a user's home directory.
pub(super) fn home(user: &User) -> io::Result<Folder> {
    Folder::open(&user.home, Arc::new(OpenGate))
}

/// Every database of this user, each one once.
pub(super) fn of_user(layout: Layout, user: &User) -> Vec<Profile> {
    let Ok(home) = home(user) else { return Vec::new() };
    let mut found: Vec<Profile> = Vec::new();
    for place in layout.places() {
        let Some(below) = without_link(&home, place.below) else { continue };
        let places = match place.application {
            Application::Chromium => vec![Within::Home(below)],
            Application::Firefox | Application::Thunderbird => listed(&home, user, &below),
        };
        for within in places {
            let Place { below: _, application, package } = *place;
            let profile = Profile { user: user.clone(), application, package, place: within };
            if found.iter().all(|other| other.place != profile.place) && profile.is_there() {
                found.push(profile);
            }
        }
    }
    found
}

/// Resolves the one link that Snap itself makes, and no other: it must lead to a number beside it.
fn without_link(home: &Folder, below: &str) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for part in below.split('/') {
        if part == CURRENT {
            let target = std::fs::read_link(home.path().join(&path).join(part)).ok()?;
            let revision = target.file_name()?.to_str()?;
            let is_number = !revision.is_empty() && revision.bytes().all(|c| c.is_ascii_digit());
            path.push(is_number.then_some(revision)?);
        } else {
            path.push(part);
        }
    }
    Some(path)
}

/// The profiles that the `profiles.ini` of this folder names.
fn listed(home: &Folder, user: &User, below: &Path) -> Vec<Within> {
    let content = home.open_beneath(below).and_then(|folder| folder.read("profiles.ini", INI_BYTES));
    let content = match content {
        Ok(content) => content,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::debug!(user = %user.name, %error, "profiles.ini could not be read");
            }
            return Vec::new();
        }
    };
    let sections = ini::parse(&content.bytes);
    let profiles = sections.iter().filter(|section| section.name.starts_with("Profile"));
    let within = |section: &ini::Section| {
        let path = section.value("Path").filter(|path| !path.is_empty())?;
        Some(resolve(user, below, path, section.value("IsRelative") != Some("0")))
    };
    profiles.filter_map(within).take(PROFILES).collect()
}

/// Where a path of `profiles.ini` leads.
fn resolve(user: &User, below: &Path, path: &str, relative: bool) -> Within {
    let as_written = if relative { user.home.join(below).join(path) } else { PathBuf::from(path) };
    let inside = if relative { plain(Path::new(path)).map(|path| below.join(path)) } else { below_home(user, path) };
    inside.map_or(Within::Elsewhere(as_written), Within::Home)
}

fn below_home(user: &User, path: &str) -> Option<PathBuf> {
    plain(Path::new(path).strip_prefix(&user.home).ok()?)
}

/// The path, when it only goes down.
fn plain(path: &Path) -> Option<PathBuf> {
    let goes_down = |component: Component<'_>| matches!(component, Component::Normal(_) | Component::CurDir);
    let leads_somewhere = path.components().any(|component| matches!(component, Component::Normal(_)));
    let normal = |component: &Component<'_>| matches!(component, Component::Normal(_));
    (path.components().all(goes_down) && leads_somewhere).then(|| path.components().filter(normal).collect())
}

#[cfg(test)]
mod tests;
