//! Which NSS library changes a profile: the one of the browser that the profile belongs to.
//!
//! Another version of NSS would write trust in a shape that this browser does not read, or leave behind what it does not
//! know: a root that was removed would stay trusted. So the library is only ever taken from a fixed list of folders where
//! packages put browsers, and where several could own a profile, the profile's own `compatibility.ini` has to name one of
//! them. That file is the user's: it chooses from the list and adds nothing to it.

use std::path::{Path, PathBuf};

use super::ini;
use super::profiles::{Application, Package, Profile};
use crate::folder::Folder;

/// NSS itself.
const LIBRARY: &str = "libnss3.so";
/// Bytes of `compatibility.ini`.
const INI_BYTES: usize = 64 * 1024;

/// One place where a package puts a browser.
#[derive(Clone, Debug)]
struct Installation {
    application: Application,
    package: Package,
    folder: PathBuf,
}

/// Where browsers and the operating system's own NSS are looked for.
#[derive(Clone, Debug)]
pub struct Installed {
    installations: Vec<Installation>,
    system: Vec<PathBuf>,
}

impl Default for Installed {
    fn default() -> Self {
        Self::below(Path::new("/"))
    }
}

impl Installed {
    /// Looks below another folder than `/`.
    pub fn below(root: &Path) -> Self {
        use Application::{Chromium, Firefox, Thunderbird};
        use Package::{Flatpak, Snap, System};
        let installation = |(application, package, folder): (_, _, &str)| Installation {
            application,
            package,
            folder: root.join(folder),
        };
        let installations = [
            (Chromium, System, "usr/lib/chromium"),
            (Chromium, System, "opt/google/chrome"),
            (Chromium, Snap, "snap/chromium/current/usr/lib/chromium-browser"),
            (Chromium, Flatpak, "var/lib/flatpak/app/org.chromium.Chromium/current/active/files/chromium"),
            (Firefox, System, "usr/lib/firefox-esr"),
            (Firefox, System, "usr/lib/firefox"),
            (Firefox, System, "usr/lib64/firefox"),
            (Firefox, System, "opt/firefox"),
            (Firefox, Snap, "snap/firefox/current/usr/lib/firefox"),
            (Firefox, Flatpak, "var/lib/flatpak/app/org.mozilla.firefox/current/active/files/lib/firefox"),
            (Thunderbird, System, "usr/lib/thunderbird"),
            (Thunderbird, System, "usr/lib64/thunderbird"),
            (Thunderbird, Snap, "snap/thunderbird/current/usr/lib/thunderbird"),
            (Thunderbird, Flatpak, "var/lib/flatpak/app/org.mozilla.Thunderbird/current/active/files/lib/thunderbird"),
        ];
        let triplet = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
        let system = [triplet.as_str(), "usr/lib64", "usr/lib"].map(|folder| root.join(folder));
        Self { installations: installations.into_iter().map(installation).collect(), system: system.to_vec() }
    }

    /// The library for this profile; the error says in words why there is none.
    pub(super) fn library(&self, profile: &Profile, folder: &Folder) -> Result<PathBuf, String> {
        let fits = |one: &&Installation| {
            (one.application, one.package) == (profile.application, profile.package) && one.folder.is_dir()
        };
        let here: Vec<&Path> = self.installations.iter().filter(fits).map(|one| one.folder.as_path()).collect();
        match profile.application {
            // Its kin share one database and the operating system's library; one that brings its own says so by having it.
            Application::Chromium => {
                let own = here.iter().map(|folder| folder.join(LIBRARY)).find(|library| library.is_file());
                match (own, profile.package) {
                    (Some(own), _) => Ok(own),
                    (None, Package::System) => self.of_system(),
                    (None, Package::Flatpak | Package::Snap) => {
                        Err("the browser's NSS library is not there".to_owned())
                    }
                }
            }
            Application::Firefox | Application::Thunderbird => {
                let owner = owner(&here, profile.package, last_used_by(folder).as_deref())?;
                let own = owner.join(LIBRARY);
                if own.is_file() { Ok(own) } else { self.of_system() }
            }
        }
    }

    fn of_system(&self) -> Result<PathBuf, String> {
        let found = self.system.iter().map(|folder| folder.join(LIBRARY)).find(|library| library.is_file());
        found.ok_or_else(|| "there is no NSS library on this PC".to_owned())
    }
}

/// Which of the installations a profile belongs to.
fn owner(here: &[&Path], package: Package, last_used_by: Option<&Path>) -> Result<PathBuf, String> {
    let real = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    let mut distinct: Vec<PathBuf> = here.iter().map(|folder| real(folder)).collect();
    distinct.dedup();
    match (distinct.as_slice(), last_used_by) {
        ([], _) => Err("the browser that this profile belongs to is not installed where packages put it".to_owned()),
        // Inside of a container the folder has another name.
        ([only], _) if package != Package::System => Ok(only.clone()),
        ([only], None) => Ok(only.clone()),
        (several, Some(named)) => {
            let found = several.iter().find(|folder| **folder == real(named));
            found
                .cloned()
                .ok_or_else(|| format!("the profile was last used by {}, which is not known", named.display()))
        }
        (_, None) => Err("several browsers are installed, and the profile does not say which one uses it".to_owned()),
    }
}

/// The folder of the program that used the profile last.
fn last_used_by(folder: &Folder) -> Option<PathBuf> {
    let content = folder.read("compatibility.ini", INI_BYTES).ok()?;
    let sections = ini::parse(&content.bytes);
    let section = sections.iter().find(|section| section.name == "Compatibility")?;
    section.value("LastPlatformDir").map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::profiles::Within;
    use super::*;
    use crate::files::User;

    struct Stage {
        root: tempfile::TempDir,
    }

    impl Stage {
        fn new(files: &[&str]) -> Self {
            let root = tempfile::tempdir().unwrap();
            for file in files {
                let path = root.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, "").unwrap();
            }
            fs::create_dir_all(root.path().join("home/p")).unwrap();
            Self { root }
        }

        fn library(&self, application: Application, package: Package, used_by: Option<&str>) -> Result<String, String> {
            if let Some(used_by) = used_by {
                let text = format!("[Compatibility]\nLastPlatformDir={}\n", self.root.path().join(used_by).display());
                fs::write(self.root.path().join("home/p/compatibility.ini"), text).unwrap();
            }
            let user = User { name: "mika".to_owned(), home: self.root.path().join("home") };
            let profile = Profile { user, application, package, place: Within::Home("p".into()) };
            let found = Installed::below(self.root.path()).library(&profile, &profile.open().unwrap())?;
            Ok(found.strip_prefix(self.root.path()).unwrap().to_string_lossy().into_owned())
        }
    }

    const ESR: &str = "usr/lib/firefox-esr/libnss3.so";
    const OPT: &str = "opt/firefox/libnss3.so";

    #[test]
    fn the_only_firefox_owns_a_profile_that_was_never_used() {
        assert_eq!(Stage::new(&[ESR]).library(Application::Firefox, Package::System, None).unwrap(), ESR);
    }

    #[test]
    fn of_several_the_profile_names_one() {
        let stage = Stage::new(&[ESR, OPT]);
        let library = |used_by| stage.library(Application::Firefox, Package::System, used_by);
        assert!(library(None).unwrap_err().contains("several"));
        assert_eq!(library(Some("opt/firefox")).unwrap(), OPT);
        assert_eq!(library(Some("usr/lib/firefox-esr")).unwrap(), ESR);
    }

    #[test]
    fn a_browser_that_is_not_on_the_list_is_never_taken() {
        let stage = Stage::new(&[ESR, "home/mine/libnss3.so"]);
        let refused = stage.library(Application::Firefox, Package::System, Some("home/mine"));
        assert!(refused.unwrap_err().contains("not known"));
        assert!(Stage::new(&[]).library(Application::Firefox, Package::System, None).is_err());
    }

    #[test]
    fn a_browser_without_a_library_of_its_own_uses_the_systems() {
        let system = format!("usr/lib/{}-linux-gnu/libnss3.so", std::env::consts::ARCH);
        let stage = Stage::new(&["usr/lib/firefox/firefox", &system]);
        assert_eq!(stage.library(Application::Firefox, Package::System, None).unwrap(), system);
        assert_eq!(stage.library(Application::Chromium, Package::System, None).unwrap(), system);
        assert!(stage.library(Application::Chromium, Package::Snap, None).is_err());
    }
}
