//! The NSS databases of Firefox, Thunderbird and Chromium: one Location per user and profile.
//!
//! ```text
//! profiles     where each user's programs keep their databases · ini: the files that say so
//! database     one SQLite file, read from a copy · reading: what a profile holds · trust: both shapes of trust rows
//! row_identity which trust rows are about a certificate
//! change       adding and removing anchors, read back in two ways
//! installed    which browser, and so which NSS library, a profile belongs to
//! child        the process in which that library works, as the user · exchange: its frames · flags: trust as NSS takes it
//!              library: the unsafe part
//! policies     Firefox's policies.json, for a Firefox on Windows that does not take the machine's roots by itself
//! ```
//! Reading needs no NSS: the rows tell everything. Writing does: trust rows are authenticated by the profile's key, so what
//! is written by SQL does not count, and what another version of NSS deletes may still count. Nothing here links to NSS,
//! loads it into the agent's own process, or ever asks for a primary password.

#[cfg(unix)]
mod change;
#[cfg(unix)]
pub mod child;
mod database;
#[cfg(unix)]
mod exchange;
#[cfg(unix)]
mod flags;
mod ini;
#[cfg(unix)]
mod installed;
#[cfg(unix)]
mod library;
pub mod policies;
mod profiles;
mod reading;
#[cfg(not(unix))]
mod readonly;
mod row_identity;
mod trust;

use inkan_model::store::{Location, ReadErrorKind, Scope, StoreKind};

#[cfg(unix)]
pub use self::child::Child;
#[cfg(unix)]
pub use self::installed::Installed;
use self::profiles::Profile;
pub use self::profiles::{Application, Layout, Package};
use self::reading::Content;
use crate::files::Users;
use crate::files::survey::{read_error, whole};
use crate::{AnchorStore, Keyring, Reading, StoreBackend};

/// The subcommand of the agent's program that is [`child::main`].
#[cfg(unix)]
pub const CHILD_COMMAND: &str = "nss-child";

/// The NSS databases of these users.
#[derive(Debug)]
pub struct NssDatabases {
    users: Users,
    layout: Layout,
    #[cfg(unix)]
    changes: Option<(Child, Installed)>,
}

impl NssDatabases {
    /// The databases of this PC's users, changed by this program's own [`CHILD_COMMAND`].
    #[cfg(unix)]
    pub fn of_system() -> Self {
        let databases = Self::new(Users::of_system(), Layout::Linux);
        match std::env::current_exe() {
            Ok(program) => {
                let child = Child { program, arguments: vec![CHILD_COMMAND.into()] };
                databases.with_changes(child, Installed::default())
            }
            Err(error) => {
                tracing::warn!(%error, "the own program cannot be found, so that browsers' databases cannot be changed");
                databases
            }
        }
    }

    /// The databases of this PC's users, which are never changed on Windows.
    #[cfg(windows)]
    pub fn of_system() -> Self {
        Self::new(Users::of_system(), Layout::Windows)
    }

    /// Takes the users to look at, and where their programs keep their databases. They can be read and not changed.
    pub fn new(users: Users, layout: Layout) -> Self {
        Self {
            users,
            layout,
            #[cfg(unix)]
            changes: None,
        }
    }

    /// Allows changes: by this child, with the NSS of these browsers.
    #[cfg(unix)]
    #[must_use]
    pub fn with_changes(self, child: Child, installed: Installed) -> Self {
        Self { changes: Some((child, installed)), ..self }
    }

    /// The profile behind a Location, when it is one that this user's programs have now.
    fn profile(&self, location: &Location) -> Option<Profile> {
        let Scope::User(name) = &location.scope else { return None };
        if location.kind != StoreKind::Nss {
            return None;
        }
        let user = self.users.list().into_iter().find(|user| user.name == *name)?;
        profiles::of_user(self.layout, &user).into_iter().find(|profile| profile.location() == *location)
    }
}

impl StoreBackend for NssDatabases {
    fn discover(&self) -> Vec<Location> {
        let of_user = |user| profiles::of_user(self.layout, &user);
        let profiles = self.users.list().into_iter().flat_map(of_user);
        let mut found: Vec<_> = profiles.map(|profile| profile.location()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn read(&self, location: &Location) -> Reading {
        let Some(profile) = self.profile(location) else {
            let error = whole(ReadErrorKind::NotFound, "no program of this user has such a profile");
            return Reading { errors: vec![error], ..Reading::default() };
        };
        match profile.open() {
            Ok(folder) => Content::of(&folder).into_reading(),
            Err(error) => Reading { errors: vec![read_error("", &error)], ..Reading::default() },
        }
    }

    fn keyring(&self) -> Option<&dyn Keyring> {
        None
    }

    fn anchors(&self) -> Option<&dyn AnchorStore> {
        Some(self)
    }
}

/// The door of the fuzzer: reads any bytes as `profiles.ini`, and as both halves of the talk with the child.
#[cfg(all(fuzzing, unix))]
pub fn fuzz(bytes: &[u8]) {
    drop(ini::parse(bytes));
    drop((exchange::Request::read(&mut &*bytes), exchange::Answer::read(&mut &*bytes)));
}

#[cfg(test)]
mod tests;
