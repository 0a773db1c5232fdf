//! JSON with a checksum before it, so that a file that a disk damaged is told from one that the agent wrote.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

/// What a sealed file turned out to be.
#[derive(Debug)]
pub(crate) enum Unsealed<T> {
    /// What was sealed.
    Whole(T),
    /// Something else.
    Damaged {
        /// What is wrong with it.
        why: String,
    },
}

/// Writes the checksum in the first line, and the value as JSON in the second.
pub(crate) fn seal<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let json = serde_json::to_vec(value)?;
    let mut bytes = checksum(&json).into_bytes();
    bytes.push(b'\n');
    bytes.extend_from_slice(&json);
    bytes.push(b'\n');
    Ok(bytes)
}

/// Reads what [`seal`] wrote.
pub(crate) fn unseal<T: DeserializeOwned>(bytes: &[u8]) -> Unsealed<T> {
    let Some((first, rest)) = bytes.iter().position(|byte| *byte == b'\n').map(|end| bytes.split_at(end)) else {
        return Unsealed::Damaged { why: "it has no checksum".to_owned() };
    };
    let json = rest[1..].strip_suffix(b"\n").unwrap_or(&rest[1..]);
    if first != checksum(json).as_bytes() {
        return Unsealed::Damaged { why: "its checksum does not fit".to_owned() };
    }
    match serde_json::from_slice(json) {
        Ok(value) => Unsealed::Whole(value),
        Err(error) => Unsealed::Damaged { why: format!("it was written by another version: {error}") },
    }
}

fn checksum(bytes: &[u8]) -> String {
    format!("sha256:{}", data_encoding::HEXLOWER.encode(&Sha256::digest(bytes)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_damage_to_a_sealed_file_is_seen(at in any::<prop::sample::Index>(), flip in 1_u8..=255) {
            let value = vec!["one".to_owned(), "two".to_owned()];
            let mut bytes = seal(&value).unwrap();
            prop_assert!(matches!(unseal::<Vec<String>>(&bytes), Unsealed::Whole(found) if found == value));
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            match unseal::<Vec<String>>(&bytes) {
                Unsealed::Damaged { .. } => {}
                // The last newline is not part of what is sealed.
                Unsealed::Whole(_) => prop_assert_eq!(at, bytes.len() - 1),
            }
        }

        #[test]
        fn any_bytes_are_unsealed_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unseal::<Vec<String>>(&bytes);
        }
    }
}
