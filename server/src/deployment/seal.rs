//! Sealing small secrets before they go into the database: AES-256-GCM with a key that is only in a file. Whoever copies
//! the database alone opens nothing.

use inkan_core::ports::Sealer;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// Bytes of the key.
pub(crate) const KEY_BYTES: usize = 32;

/// AES-256-GCM. What is sealed is nonce, ciphertext and tag; the label is authenticated with it.
pub(crate) struct AesSealer(LessSafeKey);

impl AesSealer {
    /// Takes the key; `None` when it is not of the right length.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        UnboundKey::new(&AES_256_GCM, key).ok().map(LessSafeKey::new).map(Self)
    }
}

impl Sealer for AesSealer {
    fn seal(&self, label: &str, secret: &[u8], nonce: [u8; NONCE_LEN]) -> Vec<u8> {
        let mut sealed = secret.to_vec();
        let aad = Aad::from(label.as_bytes());
        if self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).is_err() {
            // Only secrets beyond 64 GiB get here. An empty answer opens as nothing, and shows nothing.
            return Vec::new();
        }
        [nonce.as_slice(), &sealed].concat()
    }

    fn open(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut opened = ciphertext.to_vec();
        let aad = Aad::from(label.as_bytes());
        let secret = self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut opened).ok()?;
        Some(secret.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_under_its_label_and_key_only() {
        let [own, other] = [[1; KEY_BYTES], [2; KEY_BYTES]].map(|key| AesSealer::new(&key).unwrap());
        let sealed = own.seal("seed", b"secret", [7; 12]);
        assert_eq!(own.open("seed", &sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(own.open("other", &sealed), None);
        assert_eq!(other.open("seed", &sealed), None);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(own.open("seed", &changed), None);
        }
        assert_eq!(own.open("seed", b"short"), None);
    }
}
