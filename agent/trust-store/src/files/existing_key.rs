//! Keys that lie in files beside their certificates, to see whether they can be used.
//!
//! The renewals' keyring makes P-256 keys only; what stands on a clinic's PC already is RSA more often. A key is read when
//! it is asked for, checked to be the certificate's, and wiped when it is let go.

use data_encoding::BASE64;
use inkan_model::Fingerprint;
use inkan_model::store::Location;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair as RsaPair;
use ring::signature::{RSA_PKCS1_SHA256, RSA_PSS_SHA256};
use zeroize::Zeroizing;

use super::survey::{FILE_BYTES, FileReading, FolderReading};
use super::{Directories, Root};
use crate::content::{Form, Label, blocks, private_keys};
use crate::p256::{SoftwareKey, crypto};
use crate::{ChangeError, PrivateKey, SignatureScheme};

/// AlgorithmIdentifier of rsaEncryption (RFC 8017 §A.1).
const RSA_ENCRYPTION: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

impl Directories {
    /// The key of a certificate in this folder.
    pub(super) fn find_existing_key(
        &self,
        root: &Root,
        location: &Location,
        certificate: Fingerprint,
    ) -> Result<Box<dyn PrivateKey>, ChangeError> {
        let io = |step: &str| {
            let step = format!("{step} in {location}");
            move |cause| ChangeError::Io { step, cause }
        };
        let opened = self.open(root).map_err(io("open a folder"))?;
        let survey = self.survey(&opened);
        let missing = || ChangeError::Missing { certificate, location: location.clone() };
        let mut failure = None;
        for folder in &survey.folders {
            for file in folder.files.iter().filter(|file| file.holds(certificate)) {
                let spki = spki_of(file, certificate).ok_or_else(missing)?;
                let beneath = opened.open_beneath(&folder.relative).map_err(io("open a folder"))?;
                for key_file in key_files(folder, file) {
                    let read = beneath.read(&key_file.name, FILE_BYTES).map_err(io("read the private key"))?;
                    match self.read_key(key_file, &read.bytes, &spki) {
                        Ok(key) => return Ok(key),
                        Err(error) => failure = Some(error),
                    }
                }
            }
        }
        Err(failure.unwrap_or_else(missing))
    }

    fn read_key(&self, file: &FileReading, bytes: &[u8], spki: &[u8; 32]) -> Result<Box<dyn PrivateKey>, ChangeError> {
        let form = file.content().map(|content| content.form);
        let found = match form {
            Some(Form::Pkcs12) => private_keys(bytes, &self.passwords.load().known),
            Some(Form::Pem) => pem_keys(bytes),
            _ => vec![Zeroizing::new(bytes.to_vec())],
        };
        let mut failure = crypto(format!("{} holds no key that can be opened", file.shown));
        for der in found {
            match parse(&der) {
                Ok(key) if digest(&key.public_key()) == *spki => return Ok(key),
                Ok(_) => failure = crypto(format!("the key in {} belongs to another certificate", file.shown)),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The file itself, and those beside it in which a key for it is looked for.
fn key_files<'f>(folder: &'f FolderReading, file: &'f FileReading) -> impl Iterator<Item = &'f FileReading> {
    let has_key = |file: &&FileReading| file.content().is_some_and(|content| content.keys.any());
    std::iter::once(file).chain(folder.key_siblings(file)).filter(has_key)
}

fn spki_of(file: &FileReading, certificate: Fingerprint) -> Option<[u8; 32]> {
    let mut held = file.content()?.certificates.iter();
    held.find(|held| held.fingerprint == certificate)?.facts.as_ref().ok().map(|facts| facts.spki_sha256)
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    *Fingerprint::of(bytes).as_bytes()
}

fn pem_keys(bytes: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let decode = |body: &[u8]| {
        let body: Zeroizing<Vec<u8>> =
            Zeroizing::new(body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect());
        BASE64.decode(&body).ok().map(Zeroizing::new)
    };
    blocks(bytes).into_iter().filter(|block| block.label == Label::Key).filter_map(|block| decode(block.body)).collect()
}

/// Reads P-256 or RSA in PKCS#8, or RSA in its own old form (RFC 8017 §A.1.2).
fn parse(der: &[u8]) -> Result<Box<dyn PrivateKey>, ChangeError> {
    if let Ok(key) = SoftwareKey::from_pkcs8(der) {
        return Ok(Box::new(key));
    }
    let pair = RsaPair::from_pkcs8(der).or_else(|_| RsaPair::from_der(der));
    let pair = pair.map_err(|error| crypto(format!("the private key is of no kind that is dealt with: {error}")))?;
    Ok(Box::new(RsaKey { pair, random: SystemRandom::new() }))
}

/// An RSA key in memory.
struct RsaKey {
    pair: RsaPair,
    random: SystemRandom,
}

impl PrivateKey for RsaKey {
    fn public_key(&self) -> Vec<u8> {
        let bits = [&[0], self.pair.public().as_ref()].concat();
        let bits = tlv(0x03, &bits);
        tlv(0x30, &[RSA_ENCRYPTION.as_slice(), &bits].concat())
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &[SignatureScheme::RsaPkcs1Sha256, SignatureScheme::RsaPssSha256]
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ChangeError> {
        let padding: &'static dyn ring::signature::RsaEncoding = match scheme {
            SignatureScheme::RsaPkcs1Sha256 => &RSA_PKCS1_SHA256,
            SignatureScheme::RsaPssSha256 => &RSA_PSS_SHA256,
            SignatureScheme::EcdsaP256Sha256 => return Err(crypto("an RSA key does not sign with ECDSA")),
        };
        let mut signature = vec![0; self.pair.public().modulus_len()];
        let signed = self.pair.sign(padding, &self.random, message, &mut signature);
        signed.map_err(|_| crypto("the RSA key did not sign"))?;
        Ok(signature)
    }
}

/// One DER element with a definite length (X.690 §8.1.3).
fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut element = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short) if short < 0x80 => element.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let length = &length[length.iter().position(|byte| *byte != 0).unwrap_or(length.len() - 1)..];
            element.push(0x80 | u8::try_from(length.len()).unwrap_or(0x7f));
            element.extend(length);
        }
    }
    element.extend(content);
    element
}

#[cfg(test)]
mod tests {
    use inkan_model::Certificate;
    use inkan_model::store::{Scope, StoreKind};
    use ring::signature::{ECDSA_P256_SHA256_ASN1, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

    use super::*;
    use crate::StoreBackend as _;

    struct Pc {
        folder: tempfile::TempDir,
        directories: Directories,
        location: Location,
    }

    fn pc() -> Pc {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        let location =
            Location { kind: StoreKind::Directory, scope: Scope::Machine, path: path.to_str().unwrap().to_owned() };
        Pc { folder, directories: Directories::new(vec![path]), location }
    }

    impl Pc {
        fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
            std::fs::write(self.folder.path().join(name), bytes).unwrap();
        }

        fn key(&self, certificate: &Certificate) -> Result<Box<dyn PrivateKey>, ChangeError> {
            self.directories.existing_key(&self.location, certificate.fingerprint).unwrap()
        }
    }

    fn certificate(key: &rcgen::KeyPair) -> (Certificate, String) {
        let made = rcgen::CertificateParams::default().self_signed(key).unwrap();
        (Certificate::read(made.der().to_vec()), made.pem())
    }

    #[test]
    fn a_p256_key_beside_its_certificate_signs() {
        let pc = pc();
        let pair = rcgen::KeyPair::generate().unwrap();
        let (held, pem) = certificate(&pair);
        pc.write("clinic.pem", pem);
        pc.write("clinic.key", pair.serialize_pem());
        let key = pc.key(&held).unwrap();
        let signature = key.sign(key.schemes()[0], b"m").unwrap();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key_raw()).verify(b"m", &signature).unwrap();
    }

    #[test]
    fn an_rsa_key_signs_and_shows_the_certificates_public_key() {
        let pc = pc();
        let pair = rcgen::KeyPair::from_pem(include_str!("../../tests/fixtures/rsa-2048.key.pem")).unwrap();
        let (held, pem) = certificate(&pair);
        pc.write("clinic.pem", format!("{pem}{}", pair.serialize_pem()));
        let key = pc.key(&held).unwrap();
        assert_eq!(digest(&key.public_key()), held.facts.unwrap().spki_sha256);
        let signature = key.sign(SignatureScheme::RsaPkcs1Sha256, b"m").unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key_raw());
        public.verify(b"m", &signature).unwrap();
        assert!(key.sign(SignatureScheme::EcdsaP256Sha256, b"m").is_err());
    }

    #[test]
    fn a_key_inside_pkcs12_signs() {
        use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
        let pc = pc();
        let pair = rcgen::KeyPair::generate().unwrap();
        let (held, _) = certificate(&pair);
        let chain = PrivateKeyChain::new(
            b"id".as_slice(),
            PrivateKey::from_der(&pair.serialize_der()).unwrap(),
            [p12_keystore::Certificate::from_der(&held.der).unwrap()],
        );
        let mut store = KeyStore::new();
        store.add_entry("client", KeyStoreEntry::PrivateKeyChain(chain));
        let bytes = store.writer("").encryption_iterations(10).mac_iterations(10).write().unwrap();
        pc.write("clinic.p12", bytes);
        let key = pc.key(&held).unwrap();
        assert!(key.sign(key.schemes()[0], b"m").is_ok());
    }

    #[test]
    fn a_key_of_another_certificate_is_not_taken_for_it() {
        let pc = pc();
        let (held, pem) = certificate(&rcgen::KeyPair::generate().unwrap());
        pc.write("clinic.pem", pem);
        assert!(matches!(pc.key(&held), Err(ChangeError::Missing { .. })));
        pc.write("clinic.key", rcgen::KeyPair::generate().unwrap().serialize_pem());
        let Err(error) = pc.key(&held) else { panic!("a key was found") };
        assert!(error.to_string().contains("another certificate"), "{error}");
    }

    #[test]
    fn a_location_that_the_settings_do_not_name_is_not_looked_into() {
        let pc = pc();
        let elsewhere = Location { path: "/etc".to_owned(), ..pc.location.clone() };
        assert!(pc.directories.existing_key(&elsewhere, Fingerprint::of(b"x")).is_none());
    }
}
