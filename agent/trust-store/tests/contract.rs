//! What every store that can be changed promises, checked for each of them in the same words.
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage must fail")]

use inkan_model::store::{KeyPresence, Location, SetEntry, StoreSet};
use inkan_model::{Fingerprint, RenewalId, Timestamp};
use inkan_trust_store::fake::FakeStore;
use inkan_trust_store::files::Directories;
use inkan_trust_store::{ChangeError, Keyring, RenewalSlot, SignatureScheme, StoreBackend};
use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
use ring::signature::{UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo};

/// A store with one old certificate that has a key.
struct Prepared {
    store: Box<dyn StoreBackend>,
    location: Location,
    old: Fingerprint,
    _folder: Option<tempfile::TempDir>,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn fake() -> Prepared {
    let (store, location) = FakeStore::at("/fake");
    let old = params("old").self_signed(&KeyPair::generate().unwrap()).unwrap();
    store.put(&location, old.der(), KeyPresence::Present, Some("client"));
    Prepared { store: Box::new(store), location, old: Fingerprint::of(old.der()), _folder: None }
}

fn in_folder(write: impl FnOnce(&std::path::Path, &str, &str)) -> Prepared {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let old = params("old").self_signed(&key).unwrap();
    write(folder.path(), &old.pem(), &key.serialize_pem());
    let store = Directories::new(vec![folder.path().to_path_buf()]);
    let location = store.discover().remove(0);
    Prepared { store: Box::new(store), location, old: Fingerprint::of(old.der()), _folder: Some(folder) }
}

fn separate() -> Prepared {
    in_folder(|folder, certificate, key| {
        std::fs::write(folder.join("client.crt"), certificate).unwrap();
        std::fs::write(folder.join("client.key"), key).unwrap();
    })
}

fn combined() -> Prepared {
    in_folder(|folder, certificate, key| {
        std::fs::write(folder.join("client.pem"), format!("{certificate}{key}")).unwrap();
    })
}

/// The machine's own certificates and keys.
#[cfg(windows)]
fn windows() -> Prepared {
    match real_stores::RealStores::prepare() {
        Some((store, location, old)) => Prepared { store: Box::new(store), location, old, _folder: None },
        None => fake(),
    }
}

#[cfg(windows)]
#[path = "contract_windows/real_stores.rs"]
mod real_stores;

impl Prepared {
    fn slot(&self) -> RenewalSlot {
        let renewal = RenewalId::new(Timestamp::from_unix_seconds(1_800_000_000), [3; 10]);
        RenewalSlot { renewal, location: self.location.clone(), old: self.old }
    }

    fn keyring(&self) -> &dyn Keyring {
        self.store.keyring().unwrap()
    }

    /// Certificates with a key, sorted.
    fn with_key(&self) -> Vec<Fingerprint> {
        let reading = self.store.read(&self.location);
        assert_eq!(reading.errors, []);
        let with_key = |entry: &SetEntry| matches!(entry, SetEntry::Certificate { key: KeyPresence::Present, .. });
        StoreSet::new(reading.entries.into_iter().filter(with_key).collect()).certificates()
    }

    fn issue(&self) -> Vec<Vec<u8>> {
        let spki = self.keyring().ensure_key(&self.slot()).unwrap().public_key();
        let issuer = Issuer::new(params("CA"), KeyPair::generate().unwrap());
        let leaf = params("new").signed_by(&rcgen::SubjectPublicKeyInfo::from_der(&spki).unwrap(), &issuer).unwrap();
        vec![leaf.der().to_vec()]
    }
}

fn sorted<const N: usize>(mut fingerprints: [Fingerprint; N]) -> [Fingerprint; N] {
    fingerprints.sort_unstable();
    fingerprints
}

/// Checks a signature over `message`.
fn verify(scheme: SignatureScheme, spki: &[u8], signature: &[u8]) {
    let algorithm: &dyn VerificationAlgorithm = match scheme {
        SignatureScheme::EcdsaP256Sha256 => &ring::signature::ECDSA_P256_SHA256_ASN1,
        SignatureScheme::RsaPkcs1Sha256 => &ring::signature::RSA_PKCS1_2048_8192_SHA256,
        SignatureScheme::RsaPssSha256 => &ring::signature::RSA_PSS_2048_8192_SHA256,
    };
    let (_, spki) = SubjectPublicKeyInfo::from_der(spki).unwrap();
    UnparsedPublicKey::new(algorithm, &spki.subject_public_key.data).verify(b"message", signature).unwrap();
}

fn the_key_stays_the_same_however_often_it_is_asked_for(store: &Prepared) {
    let first = store.keyring().ensure_key(&store.slot()).unwrap();
    let again = store.keyring().ensure_key(&store.slot()).unwrap();
    assert_eq!(first.public_key(), again.public_key());
    for scheme in again.schemes() {
        let signature = again.sign(*scheme, b"message").unwrap();
        verify(*scheme, &first.public_key(), &signature);
    }
    assert_eq!(store.with_key(), [store.old]);
}

fn what_is_installed_is_seen_beside_the_old(store: &Prepared) {
    let chain = store.issue();
    store.keyring().install_beside(&store.slot(), &chain).unwrap();
    store.keyring().install_beside(&store.slot(), &chain).unwrap();
    assert_eq!(store.with_key(), sorted([store.old, Fingerprint::of(&chain[0])]));
    store.keyring().ensure_key(&store.slot()).unwrap();
}

fn after_archiving_only_the_new_is_seen(store: &Prepared) {
    let chain = store.issue();
    let new = Fingerprint::of(&chain[0]);
    store.keyring().install_beside(&store.slot(), &chain).unwrap();
    store.keyring().archive_old(&store.slot(), new).unwrap();
    store.keyring().archive_old(&store.slot(), new).unwrap();
    assert_eq!(store.with_key(), [new]);
    store.keyring().install_beside(&store.slot(), &chain).unwrap();
    store.keyring().ensure_key(&store.slot()).unwrap();
    store.keyring().discard(&store.slot()).unwrap();
    assert_eq!(store.with_key(), [new]);
}

fn nothing_is_archived_before_the_new_is_installed(store: &Prepared) {
    let chain = store.issue();
    let new = Fingerprint::of(&chain[0]);
    let early = store.keyring().archive_old(&store.slot(), new);
    assert!(matches!(early, Err(ChangeError::NotConfirmed { .. })), "{early:?}");
    store.keyring().install_beside(&store.slot(), &chain).unwrap();
    let other = store.keyring().archive_old(&store.slot(), Fingerprint::of(b"another"));
    assert!(matches!(other, Err(ChangeError::NotConfirmed { .. })), "{other:?}");
    assert_eq!(store.with_key().len(), 2);
}

fn what_is_discarded_leaves_the_old_as_it_was(store: &Prepared) {
    let before = store.store.read(&store.location).entries;
    store.keyring().discard(&store.slot()).unwrap();
    let chain = store.issue();
    store.keyring().install_beside(&store.slot(), &chain).unwrap();
    store.keyring().discard(&store.slot()).unwrap();
    store.keyring().discard(&store.slot()).unwrap();
    assert_eq!(store.store.read(&store.location).entries, before);
}

fn a_certificate_for_another_key_is_refused(store: &Prepared) {
    store.keyring().ensure_key(&store.slot()).unwrap();
    let stranger = params("stranger").self_signed(&KeyPair::generate().unwrap()).unwrap();
    let refused = store.keyring().install_beside(&store.slot(), &[stranger.der().to_vec()]);
    assert!(matches!(refused, Err(ChangeError::Crypto { .. })), "{refused:?}");
    let broken = store.keyring().install_beside(&store.slot(), &[b"junk".to_vec()]);
    assert!(matches!(broken, Err(ChangeError::Crypto { .. })), "{broken:?}");
}

fn an_old_certificate_that_is_not_there_is_missing(store: &Prepared) {
    let slot = RenewalSlot { old: Fingerprint::of(b"nobody"), ..store.slot() };
    let missing = store.keyring().ensure_key(&slot).err();
    assert!(matches!(missing, Some(ChangeError::Missing { .. })), "{missing:?}");
}

macro_rules! contract {
    ($store:ident: $($promise:ident),* $(,)?) => {
        mod $store {
            $(#[test] fn $promise() { super::$promise(&super::$store()); })*
        }
    };
    ($($store:ident),*) => {$(
        contract! {
            $store:
            the_key_stays_the_same_however_often_it_is_asked_for,
            what_is_installed_is_seen_beside_the_old,
            after_archiving_only_the_new_is_seen,
            nothing_is_archived_before_the_new_is_installed,
            what_is_discarded_leaves_the_old_as_it_was,
            a_certificate_for_another_key_is_refused,
            an_old_certificate_that_is_not_there_is_missing,
        }
    )*};
}

contract!(fake, separate, combined);
#[cfg(windows)]
contract!(windows);
