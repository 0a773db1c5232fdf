//! Security identifiers as text, and which of them are people.

use std::fmt;

/// Parts of a security identifier, the leading `S-1` and the authority apart.
const PARTS: usize = 15;

/// An account's security identifier, in the form `S-1-5-…`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Sid(String);

impl Sid {
    /// Takes a text that is one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let number = |part: &str| part.len() <= 10 && !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let parts = text.strip_prefix("S-1-")?.split('-');
        let well_formed = (2..=PARTS + 1).contains(&parts.clone().count()) && parts.clone().all(number);
        well_formed.then(|| Self(text.to_owned()))
    }

    /// As text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is somebody's who logs on: an account of this PC or a domain, or of a cloud directory.
    pub(crate) fn is_person(&self) -> bool {
        self.0.starts_with("S-1-5-21-") || self.0.starts_with("S-1-12-1-")
    }

    /// Whether it is one of the accounts under which Windows runs services.
    pub(crate) fn is_service(&self) -> bool {
        matches!(self.as_str(), "S-1-5-18" | "S-1-5-19" | "S-1-5-20")
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sid(text: &str) -> Sid {
        Sid::parse(text).unwrap()
    }

    #[test]
    fn people_are_told_from_services_and_groups() {
        assert!(sid("S-1-5-21-0-0-0-1000").is_person() && !sid("S-1-5-21-0-0-0-1000").is_service());
        assert!(sid("S-1-12-1-4294967295-2-3-4").is_person());
        assert!(sid("S-1-5-18").is_service() && !sid("S-1-5-18").is_person());
        assert!(!sid("S-1-5-32-544").is_person() && !sid("S-1-5-80-1-2-3-4-5").is_person());
    }

    #[test]
    fn other_names_in_the_same_places_are_not_identifiers() {
        for text in [
            "",
            ".DEFAULT",
            "S-1-5-21-0-0-0-1000_Classes",
            "S-1-5-21-1.bak",
            "S-1-5",
            "S-1-5-",
            "S-1-5-21--1",
            "s-1-5-21-1",
            "S-1-5-12345678901",
        ] {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
        let long = format!("S-1-5{}", "-1".repeat(PARTS + 1));
        assert_eq!(Sid::parse(&long), None);
    }
}
