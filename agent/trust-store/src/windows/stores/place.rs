//! Which registry keys are behind the stores of a scope, and how a Location names them.
//!
//! What applications see as one store is several parts laid over each other. Each part is a Location of its own, because
//! they differ in who put the certificates there and whether a change would last.

use std::fmt;

/// A system store of concern.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum StoreName {
    /// Certificates with keys.
    My,
    /// Trusted roots.
    Root,
    /// Intermediate authorities.
    Ca,
    /// Certificates of people and servers that are trusted as themselves.
    TrustedPeople,
    /// Certificates that are never trusted.
    Disallowed,
}

/// The part of a store.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Part {
    /// What was put into the store itself.
    Own,
    /// What group policy puts there.
    GroupPolicy,
    /// What the directory of the enterprise puts there.
    Enterprise,
    /// What Windows itself brings, from Microsoft's list.
    AuthRoot,
}

/// Whose stores they are, as far as the registry's layout goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Owner {
    Machine,
    User,
}

/// One part of one store.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Place {
    pub(crate) store: StoreName,
    pub(crate) part: Part,
}

impl StoreName {
    pub(crate) const ALL: [Self; 5] = [Self::My, Self::Root, Self::Ca, Self::TrustedPeople, Self::Disallowed];

    /// The name by which Windows opens it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::My => "MY",
            Self::Root => "Root",
            Self::Ca => "CA",
            Self::TrustedPeople => "TrustedPeople",
            Self::Disallowed => "Disallowed",
        }
    }

    /// Whether its certificates are there for their keys.
    #[cfg(windows)]
    pub(crate) fn has_keys(self) -> bool {
        self == Self::My
    }
}

impl Part {
    const ALL: [Self; 4] = [Self::Own, Self::GroupPolicy, Self::Enterprise, Self::AuthRoot];

    const fn suffix(self) -> &'static str {
        match self {
            Self::Own => "",
            Self::GroupPolicy => "\\.GroupPolicy",
            Self::Enterprise => "\\.Enterprise",
            Self::AuthRoot => "\\.AuthRoot",
        }
    }

    /// Why a change would not last; `None` where it would.
    pub(crate) const fn read_only(self) -> Option<&'static str> {
        match self {
            Self::Own => None,
            Self::GroupPolicy => Some("group policy would bring back what it holds"),
            Self::Enterprise => Some("the directory of the enterprise would bring back what it holds"),
            Self::AuthRoot => Some("Windows itself keeps it, from Microsoft's list of roots"),
        }
    }
}

impl Place {
    /// The store's own part.
    pub(crate) const fn own(store: StoreName) -> Self {
        Self { store, part: Part::Own }
    }

    /// Every place that stores of this owner can have, the own parts first.
    pub(crate) fn all(owner: Owner) -> Vec<Self> {
        let of_part = |part| StoreName::ALL.map(|store| Self { store, part });
        let places = Part::ALL.into_iter().flat_map(of_part);
        places.filter(|place| place.registry_key(owner).is_some()).collect()
    }

    /// The place that a Location's path names.
    pub(crate) fn parse(path: &str, owner: Owner) -> Option<Self> {
        Self::all(owner).into_iter().find(|place| place.to_string() == path)
    }

    /// The key that has the certificates' keys, below the owner's root; `None` where there is no such part.
    pub(crate) fn registry_key(self, owner: Owner) -> Option<String> {
        let name = self.store.name();
        let store = match (self.part, owner, self.store) {
            (Part::Own, Owner::Machine | Owner::User, _) => format!("Microsoft\\SystemCertificates\\{name}"),
            (Part::GroupPolicy, Owner::Machine | Owner::User, _) => {
                format!("Policies\\Microsoft\\SystemCertificates\\{name}")
            }
            (Part::Enterprise, Owner::Machine, _) => format!("Microsoft\\EnterpriseCertificates\\{name}"),
            (Part::AuthRoot, Owner::Machine, StoreName::Root) => "Microsoft\\SystemCertificates\\AuthRoot".to_owned(),
            (Part::Enterprise, Owner::User, _) | (Part::AuthRoot, ..) => return None,
        };
        Some(format!("Software\\{store}\\Certificates"))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.store.name(), self.part.suffix())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_found_again_by_its_path_and_has_a_key_of_its_own() {
        for owner in [Owner::Machine, Owner::User] {
            let places = Place::all(owner);
            let keys: std::collections::BTreeSet<_> = places.iter().map(|place| place.registry_key(owner)).collect();
            assert_eq!(keys.len(), places.len());
            for place in places {
                assert_eq!(Place::parse(&place.to_string(), owner), Some(place));
            }
        }
        assert_eq!((Place::all(Owner::Machine).len(), Place::all(Owner::User).len()), (16, 10));
    }

    #[test]
    fn only_a_stores_own_part_can_be_changed_for_good() {
        let changeable: Vec<_> =
            Place::all(Owner::Machine).into_iter().filter(|place| place.part.read_only().is_none()).collect();
        assert_eq!(changeable, StoreName::ALL.map(Place::own));
    }

    #[test]
    fn a_path_that_names_no_place_is_none() {
        for path in ["", "my", "Root\\.AuthRoot\\x", "CA\\.AuthRoot", "..\\Root", "Software"] {
            assert_eq!(Place::parse(path, Owner::Machine), None, "{path}");
        }
        assert_eq!(Place::parse("Root\\.AuthRoot", Owner::User), None);
        assert_eq!(Place::parse("Root\\.Enterprise", Owner::User), None);
    }
}
