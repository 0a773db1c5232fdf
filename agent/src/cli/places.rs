//! Which Locations a person means by a word such as `firefox`. Pure.

use std::fmt;

use clap::ValueEnum;
use inkan_model::store::{Location, Scope, StoreKind};

/// Stores that a person can name by one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum StoreWord {
    /// The operating system's, for everybody on this PC
    #[value(alias = "system")]
    Machine,
    /// The operating system's, for the person who runs this command
    User,
    /// Every Firefox profile
    Firefox,
    /// Every profile of Chromium and Chrome, where it has a store of its own
    Chromium,
    /// Every Java's
    Java,
    /// All of these that can be changed
    All,
}

/// Which Locations are meant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Meant {
    /// By a word.
    Word(StoreWord),
    /// By the path or name that `scan` shows, with or without its user in brackets.
    Path(String),
}

impl Meant {
    /// Those of the Locations that are meant; `person` is who runs the command.
    pub(super) fn among(&self, locations: &[Location], person: &str) -> Vec<Location> {
        let those = |is_meant: &dyn Fn(&Location) -> bool| -> Vec<Location> {
            locations.iter().filter(|location| is_meant(location)).cloned().collect()
        };
        match self {
            Self::Word(word) => those(&|location| word.means(location, person)),
            // What is shown means one place; the path alone is that of several users.
            Self::Path(path) => match those(&|location| location.to_string() == *path) {
                none if none.is_empty() => those(&|location| location.path == *path),
                shown => shown,
            },
        }
    }
}

/// As it stands on the command line.
impl fmt::Display for Meant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => f.write_str(path),
            Self::Word(word) => word.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name())),
        }
    }
}

impl StoreWord {
    fn means(self, location: &Location, person: &str) -> bool {
        match self {
            Self::Machine => is_of_system(location) && location.scope == Scope::Machine,
            Self::User => is_of_system(location) && is_of(&location.scope, person),
            Self::Firefox => location.kind == StoreKind::Nss && !is_chromium(location),
            Self::Chromium => location.kind == StoreKind::Nss && is_chromium(location),
            Self::Java => location.kind == StoreKind::Java,
            Self::All => is_of_system(location) || matches!(location.kind, StoreKind::Nss | StoreKind::Java),
        }
    }
}

/// Where the operating system itself looks for anchors that somebody added.
fn is_of_system(location: &Location) -> bool {
    match location.kind {
        StoreKind::LocalAnchors | StoreKind::Keychain => true,
        StoreKind::WindowsStore => location.path.eq_ignore_ascii_case("Root"),
        StoreKind::SystemTrust
        | StoreKind::Directory
        | StoreKind::UserDirectory
        | StoreKind::Nss
        | StoreKind::Java
        | StoreKind::Unrecognized(_) => false,
    }
}

/// Chromium keeps its profiles' certificates in one shared database of the user.
fn is_chromium(location: &Location) -> bool {
    let path = location.path.replace('\\', "/").to_ascii_lowercase();
    ["/.pki/nssdb", "/pki/nssdb", "/chromium", "/google-chrome"].iter().any(|part| path.contains(part))
}

/// Whether a scope is a person's: log-on names come with and without their domain.
pub(super) fn is_of(scope: &Scope, person: &str) -> bool {
    let plain = |name: &str| name.rsplit('\\').next().unwrap_or_default().to_lowercase();
    match scope {
        Scope::Machine => false,
        Scope::User(name) => !person.is_empty() && plain(name) == plain(person),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn location(kind: StoreKind, user: Option<&str>, path: &str) -> Location {
        let scope = user.map_or(Scope::Machine, |name| Scope::User(name.to_owned()));
        Location { kind, scope, path: path.to_owned() }
    }

    fn pc() -> Vec<Location> {
        vec![
            location(StoreKind::WindowsStore, None, "Root"),
            location(StoreKind::WindowsStore, None, r"Root\.GroupPolicy"),
            location(StoreKind::WindowsStore, None, "MY"),
            location(StoreKind::WindowsStore, Some(r"CLINIC\hanako"), "Root"),
            location(StoreKind::WindowsStore, Some(r"CLINIC\taro"), "Root"),
            location(StoreKind::Nss, Some("hanako"), "/home/hanako/.mozilla/firefox/a.default"),
            location(StoreKind::Nss, Some("hanako"), "/home/hanako/.pki/nssdb"),
            location(StoreKind::Nss, Some("taro"), "/home/taro/snap/chromium/1/.pki/nssdb"),
            location(StoreKind::Java, None, "/usr/lib/jvm/default/lib/security/cacerts"),
            location(StoreKind::SystemTrust, None, "/etc/ssl/certs/ca-certificates.crt"),
        ]
    }

    fn meant(word: StoreWord) -> Vec<usize> {
        let found = Meant::Word(word).among(&pc(), "Hanako");
        (0..pc().len()).filter(|at| found.contains(&pc()[*at])).collect()
    }

    #[test]
    fn a_word_means_the_stores_that_a_person_expects() {
        assert_eq!(meant(StoreWord::Machine), [0]);
        assert_eq!(meant(StoreWord::User), [3]);
        assert_eq!(meant(StoreWord::Firefox), [5]);
        assert_eq!(meant(StoreWord::Chromium), [6, 7]);
        assert_eq!(meant(StoreWord::Java), [8]);
        assert_eq!(meant(StoreWord::All), [0, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn a_path_means_what_stands_there() {
        let found = Meant::Path("MY".to_owned()).among(&pc(), "");
        assert_eq!(found, [pc()[2].clone()]);
        assert_eq!(Meant::Path("/etc/shadow".to_owned()).among(&pc(), ""), []);
        let of = |shown: &str| Meant::Path(shown.to_owned()).among(&pc(), "");
        assert_eq!(of("Root"), [pc()[0].clone()]);
        assert_eq!(of(r"Root (CLINIC\taro)"), [pc()[4].clone()]);
    }

    #[test]
    fn nobody_is_nobody() {
        assert!(!is_of(&Scope::User(String::new()), ""));
    }
}
