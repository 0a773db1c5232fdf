//! What an NSS database says that a certificate is trusted for, in the two shapes of rows that this has.
//!
//! Rows of the old shape have object class `0xce534353`, those of the new one (PKCS#11 3.2) class `0x0b`. One database may
//! hold both for one certificate: newer NSS writes only the new shape and leaves the old where it was.

use inkan_model::properties::{TrustFlags, TrustLevel};

/// The shape of a trust row.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Shape {
    Old,
    New,
}

impl Shape {
    pub(super) const ALL: [Self; 2] = [Self::Old, Self::New];

    /// Its object class (`CKA_CLASS`).
    pub(super) const fn class(self) -> u32 {
        match self {
            Self::Old => 0xce53_4353,
            Self::New => 0x0b,
        }
    }

    /// The columns of trust for servers, clients, e-mail and code, and that of the certificate's hash.
    pub(super) const fn columns(self) -> [&'static str; 5] {
        match self {
            Self::Old => ["ace536358", "ace536359", "ace53635b", "ace53635a", "ace5363b4"],
            Self::New => ["a62c", "a62d", "a62f", "a62e", "a635"],
        }
    }

    /// The attribute that has the certificate's hash: SHA-1 in the old shape, SHA-256 in the new one.
    #[cfg(unix)]
    pub(super) const fn hash_attribute(self) -> u32 {
        match self {
            Self::Old => 0xce53_63b4,
            Self::New => 0x635,
        }
    }

    /// Reads one level, as a database keeps it: four octets, the highest first.
    pub(super) fn level(self, octets: &[u8]) -> TrustLevel {
        let Ok(octets) = <[u8; 4]>::try_from(octets) else { return TrustLevel::Unrecognized(i32::MIN) };
        match (self, u32::from_be_bytes(octets)) {
            (Self::Old, 0xce53_4351) | (Self::New, 1) => TrustLevel::Peer,
            (Self::Old, 0xce53_4352) | (Self::New, 2) => TrustLevel::Anchor,
            (Self::Old, 0xce53_435a) | (Self::New, 3) => TrustLevel::Distrusted,
            // The last of these is an issuer of which nothing is said but that it is one.
            (Self::Old, 0xce53_4353 | 0xce53_435b) | (Self::New, 4) => TrustLevel::MustVerify,
            (Self::Old, 0xce53_4355) | (Self::New, 0) => TrustLevel::Unset,
            (_, number) => unrecognized(number),
        }
    }
}

/// A number that already stands for a known level keeps out of its way.
const fn unrecognized(number: u32) -> TrustLevel {
    match TrustLevel::from_number(number.cast_signed()) {
        TrustLevel::Unrecognized(number) => TrustLevel::Unrecognized(number),
        _ => TrustLevel::Unrecognized(number.cast_signed() | i32::MIN),
    }
}

/// Nothing said for any purpose.
pub(super) const UNSET: TrustFlags = each(TrustLevel::Unset);

const fn each(level: TrustLevel) -> TrustFlags {
    TrustFlags { server: level, client: level, email: level, code: level }
}

/// What an anchor is trusted for where nothing else is asked for: servers, and nothing more.
#[cfg(any(test, unix))]
pub(super) const FOR_SERVERS: TrustFlags = TrustFlags { server: TrustLevel::Anchor, ..UNSET };

/// What two rows for one certificate come to: which of them counts depends on the program that reads them, so what
/// trusts more is told.
pub(super) fn stronger(a: TrustFlags, b: TrustFlags) -> TrustFlags {
    const fn rank(level: TrustLevel) -> u8 {
        match level {
            TrustLevel::Anchor => 5,
            TrustLevel::Peer => 4,
            TrustLevel::Unrecognized(_) => 3,
            TrustLevel::Distrusted => 2,
            TrustLevel::MustVerify => 1,
            TrustLevel::Unset => 0,
        }
    }
    let of = |a, b| if rank(a) >= rank(b) { a } else { b };
    TrustFlags {
        server: of(a.server, b.server),
        client: of(a.client, b.client),
        email: of(a.email, b.email),
        code: of(a.code, b.code),
    }
}

#[cfg(test)]
mod tests {
    use TrustLevel::{Anchor, Distrusted, MustVerify, Peer, Unrecognized, Unset};

    use super::*;

    #[test]
    fn both_shapes_tell_the_same_levels() {
        let old = [0x51, 0x52, 0x53, 0x55, 0x5a, 0x5b].map(|n| Shape::Old.level(&[0xce, 0x53, 0x43, n]));
        assert_eq!(old, [Peer, Anchor, MustVerify, Unset, Distrusted, MustVerify]);
        let new = [1, 2, 4, 0, 3].map(|n| Shape::New.level(&[0, 0, 0, n]));
        assert_eq!(new, [Peer, Anchor, MustVerify, Unset, Distrusted]);
    }

    #[test]
    fn an_unknown_level_survives_and_is_never_taken_for_a_known_one() {
        for (shape, octets) in [(Shape::New, [0, 0, 0, 5]), (Shape::New, [0, 0, 1, 0]), (Shape::Old, [0, 0, 0, 2])] {
            let level = shape.level(&octets);
            assert!(matches!(level, Unrecognized(_)), "{level:?}");
            assert_eq!(TrustLevel::from_number(level.number()), level);
        }
        assert!(matches!(Shape::Old.level(b"long enough"), Unrecognized(_)));
    }

    #[test]
    fn of_two_rows_the_one_that_trusts_more_is_told() {
        let distrusted = TrustFlags { server: Distrusted, ..UNSET };
        assert_eq!(stronger(FOR_SERVERS, distrusted), FOR_SERVERS);
        assert_eq!(stronger(distrusted, UNSET), distrusted);
    }
}
