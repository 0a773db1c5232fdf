//! How large a thing from outside may be. A value beyond its limit is refused by name, never cut.
//!
//! The limits are generous beside what real PCs hold (a Windows root store has some 500 entries, a certificate some
//! 1–4 KiB) and small beside what would hurt the server.

/// Bytes of one certificate's DER.
pub const CERTIFICATE_BYTES: usize = 64 * 1024;
/// Bytes of one certification request's DER (PKCS#10).
pub const REQUEST_BYTES: usize = 16 * 1024;
/// Certificates of one chain, leaf first.
pub const CHAIN_CERTIFICATES: usize = 8;
/// Entries of one store's set.
pub const SET_ENTRIES: usize = 5_000;
/// Purposes to which a store limits one certificate.
pub const PURPOSES: usize = 64;
/// Locations of one host.
pub const LOCATIONS: usize = 500;
/// Read errors of one Location that are kept one by one.
pub const READ_ERRORS: usize = 100;
/// Outcomes in one Sync.
pub const OUTCOMES: usize = 64;
/// Renewals in one host's directives.
pub const DIRECTED_RENEWALS: usize = 200;
/// Bytes of one programme's file.
pub const PROGRAMME_BYTES: usize = 256 * 1024;
/// Characters of a programme's identifier.
pub const PROGRAMME_ID: usize = 64;
/// Values of one list in a programme.
pub const PROGRAMME_LIST: usize = 64;
/// Checkups in one host's directives.
pub const DIRECTED_CHECKUPS: usize = 8;
/// Results of one checkup.
pub const CHECK_RESULTS: usize = 60;
/// Characters of one statement of a check, and of one remedy.
pub const CHECK_TEXT: usize = 300;
/// Sets, and certificates, that one answer names as lacking; the rest is named by the next one.
pub const LACKS: usize = 10_000;
/// Items of one Upload message.
pub const UPLOAD_ITEMS: usize = 200;
/// Bytes of all the contents of one Upload stream.
pub const UPLOAD_BYTES: usize = 32 * 1024 * 1024;
/// Characters of a short text: a host name, a user name, a version.
pub const SHORT_TEXT: usize = 255;
/// Characters of a long text: a path, an error in words.
pub const LONG_TEXT: usize = 2_048;
/// Bytes of a signature, a nonce or a serial number.
pub const SMALL_BYTES: usize = 1_024;
/// Users of a PC that are named.
pub const USERS: usize = 200;

/// A text that is longer than its field allows, or holds a control character.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidText {
    /// It has a control character, which no name or path needs.
    #[error("holds a control character")]
    Control,
    /// It is empty where something must stand.
    #[error("is empty")]
    Empty,
    /// It is too long.
    #[error("has {length} characters, more than {limit}")]
    TooLong {
        /// Its length in characters.
        length: usize,
        /// The most that is allowed.
        limit: usize,
    },
}

/// Checks a text of at most `limit` characters without control characters (a tab is allowed). It may be empty.
///
/// # Errors
/// Says which rule is broken.
pub fn check_text(text: &str, limit: usize) -> Result<(), InvalidText> {
    // A character has at least one byte, so most texts pass without counting.
    if text.len() > limit {
        let length = text.chars().count();
        if length > limit {
            return Err(InvalidText::TooLong { length, limit });
        }
    }
    if text.chars().any(|c| c.is_control() && c != '\t') {
        return Err(InvalidText::Control);
    }
    Ok(())
}

/// As [`check_text`], and refuses a text that is empty or only spaces.
///
/// # Errors
/// Says which rule is broken.
pub fn check_name(text: &str, limit: usize) -> Result<(), InvalidText> {
    if text.trim().is_empty() {
        return Err(InvalidText::Empty);
    }
    check_text(text, limit)
}

/// Replaces control characters and cuts to `limit` characters: for words that come from an operating system or a
/// library and are only shown, such as an error text, where refusing would lose the fact itself.
pub fn tame_text(text: &str, limit: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(limit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_characters_and_not_in_bytes() {
        assert_eq!(check_text(&"診".repeat(255), SHORT_TEXT), Ok(()));
        assert_eq!(check_text(&"診".repeat(256), SHORT_TEXT), Err(InvalidText::TooLong { length: 256, limit: 255 }));
    }

    #[test]
    fn control_characters_are_refused_and_can_be_tamed() {
        assert_eq!(check_text("a\u{0}b", 10), Err(InvalidText::Control));
        assert_eq!(tame_text("a\nb", 10), "a b");
    }
}
