//! PKCS#12 files: their certificates, and whether a key lies beside them.
//!
//! The keys that are decoded with the rest are counted and let go at once; [`private_keys`] alone hands them on, in
//! wiped memory, to be used.

use zeroize::Zeroizing;

use super::{Damaged, FileContent, Form};
use crate::pkcs12::{Pkcs12Error, decode};

enum Attempt {
    Opened { certificates: Vec<Vec<u8>>, keys: usize },
    WrongPassword,
    Broken(String),
}

/// Reads a PKCS#12 file with the first password that fits.
pub(super) fn read(bytes: &[u8], passwords: &[Zeroizing<String>]) -> FileContent {
    let mut content = FileContent::new(Form::Pkcs12);
    if bytes.is_empty() {
        return FileContent { damaged: vec![Damaged::new(bytes, "is empty")], ..content };
    }
    let mut why = "not PKCS#12".to_owned();
    let no_password = Zeroizing::new(String::new());
    for password in std::iter::once(&no_password).chain(passwords) {
        match attempt(bytes, password) {
            Attempt::Opened { certificates, keys } => {
                for der in certificates {
                    content.take(der);
                }
                content.keys.other = keys;
                content.password_needed = false;
                return content;
            }
            Attempt::WrongPassword => content.password_needed = true,
            Attempt::Broken(reason) => why = reason,
        }
    }
    if content.password_needed {
        "no known password opens it".clone_into(&mut why);
    }
    content.damaged.push(Damaged::new(bytes, why));
    content
}

fn attempt(bytes: &[u8], password: &str) -> Attempt {
    match decode(bytes, password) {
        Ok(archive) => Attempt::Opened {
            certificates: archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect(),
            keys: archive.keys.len(),
        },
        Err(Pkcs12Error::WrongPassword) => Attempt::WrongPassword,
        Err(error) => Attempt::Broken(error.to_string()),
    }
}

/// The private keys of a file as PKCS#8, with the first password that opens it; none where none does.
pub(crate) fn private_keys(bytes: &[u8], passwords: &[Zeroizing<String>]) -> Vec<Zeroizing<Vec<u8>>> {
    let no_password = Zeroizing::new(String::new());
    let opened = std::iter::once(&no_password).chain(passwords).find_map(|password| decode(bytes, password).ok());
    let keys = opened.into_iter().flat_map(|archive| archive.keys);
    keys.map(|bag| Zeroizing::new(bag.key.as_der().to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};

    use super::*;

    fn archive(password: &str) -> (Vec<u8>, Vec<u8>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap().der().to_vec();
        let mut store = KeyStore::new();
        let chain = PrivateKeyChain::new(
            b"id".as_slice(),
            PrivateKey::from_der(&key.serialize_der()).unwrap(),
            [p12_keystore::Certificate::from_der(&certificate).unwrap()],
        );
        store.add_entry("client", KeyStoreEntry::PrivateKeyChain(chain));
        let writer = store.writer(password).encryption_iterations(10).mac_iterations(10);
        (writer.write().unwrap(), certificate)
    }

    #[test]
    fn a_fitting_password_among_several_opens_the_file() {
        let (bytes, certificate) = archive("秘密");
        let passwords = ["wrong", "秘密"].map(|password| Zeroizing::new(password.to_owned()));
        let content = read(&bytes, &passwords);
        assert_eq!(content.certificates[0].der, certificate);
        assert!(content.keys.any() && !content.password_needed && content.damaged.is_empty());
    }

    #[test]
    fn the_empty_password_needs_no_file() {
        assert_eq!(read(&archive("").0, &[]).certificates.len(), 1);
    }

    #[test]
    fn without_a_fitting_password_the_file_is_recorded_as_locked() {
        let (bytes, _) = archive("secret");
        let content = read(&bytes, &[]);
        assert!(content.password_needed);
        assert_eq!(content.damaged[0].sha256, inkan_model::Fingerprint::of(&bytes));
    }

    #[test]
    fn a_truncated_file_is_broken_and_not_locked() {
        let (bytes, _) = archive("");
        let content = read(&bytes[..bytes.len() / 2], &[]);
        assert!(!content.password_needed && content.damaged.len() == 1);
    }
}
