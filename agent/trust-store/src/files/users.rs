//! Whose directories are looked at: the people of this PC, by name and home.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use inkan_model::limits;

use crate::folder::{Folder, Kind, Named, OpenGate};

/// Bytes of the list of users.
const LIST_BYTES: usize = 1024 * 1024;
/// People's accounts; below are the system's, above is `nobody`.
const PEOPLE: std::ops::Range<u32> = 1_000..65_534;

/// One person's account.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct User {
    /// Log-on name.
    pub name: String,
    /// Home directory.
    pub home: PathBuf,
}

/// Where the list of users comes from.
#[derive(Clone, Debug)]
pub enum Users {
    /// A file in the form of `/etc/passwd`, read anew each time.
    Listed(PathBuf),
    /// These.
    Given(Vec<User>),
    /// One for each folder in this one, by the folder's name, as macOS keeps homes.
    HomesIn(PathBuf),
    /// Whoever the operating system names, asked anew each time.
    Asked(Arc<dyn ListUsers>),
}

/// An operating system that is asked for its users.
pub trait ListUsers: Debug + Send + Sync {
    /// The users as they are now, in any order.
    fn list(&self) -> Vec<User>;
}

impl Users {
    /// The users of this PC.
    #[cfg(windows)]
    pub fn of_system() -> Self {
        Self::Asked(Arc::new(crate::windows::People::default()))
    }

    /// The users of this PC.
    #[cfg(not(windows))]
    pub fn of_system() -> Self {
        if cfg!(target_os = "macos") {
            Self::HomesIn(PathBuf::from("/Users"))
        } else {
            Self::Listed(PathBuf::from("/etc/passwd"))
        }
    }

    /// The users, sorted, at most [`limits::USERS`].
    pub(crate) fn list(&self) -> Vec<User> {
        let mut users = match self {
            Self::Listed(path) => read_list(path).unwrap_or_else(|error| {
                tracing::warn!(path = %path.display(), %error, "the list of users could not be read");
                Vec::new()
            }),
            Self::Given(users) => users.clone(),
            Self::Asked(system) => system.list(),
            Self::HomesIn(folder) => homes_in(folder).unwrap_or_else(|error| {
                tracing::warn!(path = %folder.display(), %error, "the folder of homes could not be read");
                Vec::new()
            }),
        };
        users.sort_unstable();
        users.dedup();
        users.truncate(limits::USERS);
        users
    }
}

fn homes_in(path: &Path) -> std::io::Result<Vec<User>> {
    // What several users share is nobody's home.
    const SHARED: &str = "Shared";
    let names = Folder::open(path, Arc::new(OpenGate))?.names()?.names;
    let home = |named: Named| {
        let name = named.name.to_str().filter(|name| !name.starts_with('.') && *name != SHARED)?.to_owned();
        let usable = named.kind == Kind::Folder && limits::check_name(&name, limits::SHORT_TEXT).is_ok();
        usable.then(|| User { home: path.join(&name), name })
    };
    Ok(names.into_iter().filter_map(home).collect())
}

fn read_list(path: &Path) -> std::io::Result<Vec<User>> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(std::io::ErrorKind::InvalidInput.into());
    };
    let content = Folder::open(parent, Arc::new(OpenGate))?.read(name, LIST_BYTES)?;
    Ok(String::from_utf8_lossy(&content.bytes).lines().filter_map(parse_line).collect())
}

/// Reads `name:password:uid:gid:comment:home:shell`.
fn parse_line(line: &str) -> Option<User> {
    let fields: Vec<_> = line.split(':').collect();
    let [name, _, uid, _, _, home, ..] = fields.as_slice() else { return None };
    let is_person = uid.parse().is_ok_and(|uid: u32| PEOPLE.contains(&uid));
    let home = PathBuf::from(home);
    let usable = limits::check_name(name, limits::SHORT_TEXT).is_ok() && home.is_absolute() && home.parent().is_some();
    (is_person && usable).then(|| User { name: (*name).to_owned(), home })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(unix)]
    fn people_are_listed_and_system_accounts_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("passwd");
        let text = "root:x:0:0:root:/root:/bin/sh\nmika:x:1000:1000::/home/mika:/bin/sh\nbroken line\n\
                    nobody:x:65534:65534::/nonexistent:/bin/false\nroof:x:1001:1001::/:/bin/sh\n";
        std::fs::write(&path, text).unwrap();
        let users = Users::Listed(path).list();
        assert_eq!(users, [User { name: "mika".to_owned(), home: "/home/mika".into() }]);
    }

    #[test]
    fn each_folder_of_homes_is_a_user_and_what_they_share_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["mika", "Shared", ".hidden"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        std::fs::write(folder.path().join("file"), "").unwrap();
        let users = Users::HomesIn(folder.path().to_path_buf()).list();
        assert_eq!(users, [User { name: "mika".to_owned(), home: folder.path().join("mika") }]);
    }

    #[test]
    fn a_missing_list_is_an_empty_one() {
        assert!(Users::Listed("/nowhere/passwd".into()).list().is_empty());
    }
}
