//! Join tokens: short-lived permissions to enrol PCs of one clinic. Shown once, stored only as a hash.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::Duration;

use crate::id::{ClinicId, HostId, JoinTokenId, OperatorId, VendorId};
use crate::time::Timestamp;

/// How long a token lives when nobody says otherwise.
pub const DEFAULT_LIFETIME: Duration = Duration::hours(4);
/// The longest that a token may live.
pub const LONGEST_LIFETIME: Duration = Duration::hours(24);
/// The most PCs that one token may enrol.
pub const MOST_USES: u32 = 20;

/// The secret itself: 256 random bits. Its text is five groups of eleven base32 digits with a checksum, so that a
/// mistyped token is told from a wrong one without asking the server.
#[derive(Clone)]
pub struct JoinTokenSecret([u8; 32]);

/// A text that is not a join token.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidJoinToken {
    /// The checksum does not fit: a digit is wrong or missing.
    #[error("the join token is mistyped: its checksum does not fit")]
    Checksum,
    /// It does not have the shape of a token at all.
    #[error("not a join token: five groups of eleven letters and digits are expected")]
    Shape,
}

impl JoinTokenSecret {
    /// Takes 32 random bytes.
    pub const fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// What is stored in its place: SHA-256 over the secret.
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// The text to show, once.
    pub fn reveal(&self) -> String {
        let mut bytes = self.0.to_vec();
        bytes.extend_from_slice(&checksum(&self.0));
        let text = BASE32_NOPAD.encode(&bytes);
        let groups: Vec<&str> = (0..5).map(|group| &text[group * 11..(group + 1) * 11]).collect();
        groups.join("-")
    }
}

/// 34 bytes make exactly 55 base32 digits: five groups of eleven.
fn checksum(secret: &[u8; 32]) -> [u8; 2] {
    let digest = Sha256::new().chain_update(b"inkan join token").chain_update(secret).finalize();
    [digest[0], digest[1]]
}

impl FromStr for JoinTokenSecret {
    type Err = InvalidJoinToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: String =
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').map(|c| c.to_ascii_uppercase()).take(80).collect();
        let bytes = BASE32_NOPAD.decode(digits.as_bytes()).map_err(|_| InvalidJoinToken::Shape)?;
        let (secret, check) = bytes.split_first_chunk::<32>().ok_or(InvalidJoinToken::Shape)?;
        if check.len() != 2 {
            return Err(InvalidJoinToken::Shape);
        }
        if check != checksum(secret) {
            return Err(InvalidJoinToken::Checksum);
        }
        Ok(Self(*secret))
    }
}

/// Never shows the secret.
impl fmt::Debug for JoinTokenSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinTokenSecret(…)")
    }
}

/// A permission to enrol, as stored.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct JoinToken {
    /// Which one.
    pub id: JoinTokenId,
    /// Whose.
    pub vendor: VendorId,
    /// The clinic that its PCs belong to.
    pub clinic: ClinicId,
    /// Who made it.
    pub created_by: OperatorId,
    /// When it was made.
    pub created_at: Timestamp,
    /// After this moment it enrols nobody.
    pub expires_at: Timestamp,
    /// How many PCs it may enrol.
    pub uses: u32,
    /// The PCs that it enrolled.
    pub used_by: Vec<HostId>,
    /// Whether hosts enrolled by it get directives at once, or an operator approves each.
    pub approve: bool,
    /// When an operator withdrew it.
    pub revoked_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_from_its_text_in_any_case_and_spacing() {
        let secret = JoinTokenSecret::new([0x5a; 32]);
        let text = secret.reveal();
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [11; 5]);
        let typed = text.to_lowercase().replace('-', " ");
        assert_eq!(typed.parse::<JoinTokenSecret>().unwrap().hash(), secret.hash());
    }

    #[test]
    fn a_mistyped_token_is_told_from_a_text_that_is_none() {
        let text = JoinTokenSecret::new([0x5a; 32]).reveal();
        let first = if text.starts_with('A') { "B" } else { "A" };
        let wrong = format!("{first}{}", &text[1..]);
        assert_eq!(wrong.parse::<JoinTokenSecret>().unwrap_err(), InvalidJoinToken::Checksum);
        assert_eq!("hello".parse::<JoinTokenSecret>().unwrap_err(), InvalidJoinToken::Shape);
    }

    #[test]
    fn a_secret_does_not_show_itself_in_a_log() {
        assert_eq!(format!("{:?}", JoinTokenSecret::new([1; 32])), "JoinTokenSecret(…)");
    }
}
