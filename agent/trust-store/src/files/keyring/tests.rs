#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use inkan_model::store::{KeyPresence, Location, SetEntry};
use rcgen::{CertificateParams, DnType, Issuer, KeyPair, PublicKeyData as _, SubjectPublicKeyInfo};

use super::*;
use crate::StoreBackend as _;
use crate::folder::{Change as FileChange, Gate, OpenGate};

/// Lets a number of changes pass and then none, as if the agent had been killed.
struct HaltAfter {
    left: AtomicUsize,
    links: bool,
}

impl Gate for HaltAfter {
    fn pass(&self, change: FileChange) -> io::Result<()> {
        if change == FileChange::Link && !self.links {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let take = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take) {
            Ok(_) => Ok(()),
            Err(_) => Err(io::Error::other("halted")),
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Layout {
    Separate,
    Combined,
    Below,
}

struct Directory {
    folder: tempfile::TempDir,
    old: Fingerprint,
    old_der: Vec<u8>,
    old_key: String,
    layout: Layout,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn issued_for(spki: &[u8], name: &str) -> Vec<Vec<u8>> {
    let mut authority = params("CA");
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca_key = KeyPair::generate().unwrap();
    let ca = authority.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(authority, ca_key);
    let spki = SubjectPublicKeyInfo::from_der(spki).unwrap();
    let leaf = params(name).signed_by(&spki, &issuer).unwrap();
    vec![leaf.der().to_vec(), ca.der().to_vec()]
}

impl Directory {
    fn new(layout: Layout) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params("0110119153").self_signed(&key).unwrap();
        let at = folder.path().join(if layout == Layout::Below { "below" } else { "" });
        std::fs::create_dir_all(&at).unwrap();
        if layout == Layout::Combined {
            write(&at.join("client.pem"), &format!("{}{}", key.serialize_pem(), certificate.pem()), 0o640);
        } else {
            write(&at.join("client.crt"), &certificate.pem(), 0o644);
            write(&at.join("client.key"), &key.serialize_pem(), 0o640);
        }
        let old_der = certificate.der().to_vec();
        Self { folder, old: Fingerprint::of(&old_der), old_der, old_key: key.serialize_pem(), layout }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn stores(&self, gate: Arc<dyn Gate>) -> Directories {
        Directories::new(vec![self.path().to_path_buf()]).with_gate(gate)
    }

    fn open(&self) -> Directories {
        self.stores(Arc::new(OpenGate))
    }

    fn location(&self) -> Location {
        self.open().discover().remove(0)
    }

    fn slot(&self) -> RenewalSlot {
        let renewal = inkan_model::RenewalId::new(inkan_model::Timestamp::from_unix_seconds(1_800_000_000), [7; 10]);
        RenewalSlot { renewal, location: self.location(), old: self.old }
    }

    /// Certificates with the presence of their key, by name.
    fn seen(&self) -> Vec<(String, Fingerprint, KeyPresence)> {
        let reading = self.open().read(&self.location());
        assert_eq!(reading.errors, []);
        let seen = |entry: SetEntry| match entry {
            SetEntry::Certificate { certificate, key, name, .. } => (name.unwrap(), certificate, key),
            SetEntry::Unreadable { why, .. } => panic!("unreadable: {why}"),
        };
        let mut seen: Vec<_> = reading.entries.into_iter().map(seen).collect();
        seen.retain(|(_, _, key)| *key != KeyPresence::NotExpected);
        seen.sort();
        seen
    }

    /// Whether some certificate has its own key, by the rules of the programs that read such files.
    fn has_usable_pair(&self) -> bool {
        let at = self.path().join(if self.layout == Layout::Below { "below" } else { "" });
        let files: Vec<_> = std::fs::read_dir(&at).unwrap().map(|entry| entry.unwrap().path()).collect();
        let readable = files.iter().filter(|path| path.is_file());
        readable.into_iter().any(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let beside = std::fs::read_to_string(path.with_extension("key")).unwrap_or_default();
            let Some(der) = block(&text, "CERTIFICATE").and_then(|pem| ::pem::parse(pem).ok()) else { return false };
            let facts = inkan_model::CertificateFacts::read(der.contents()).unwrap();
            [text.as_str(), &beside].iter().filter_map(|text| block(text, "PRIVATE KEY")).any(|key| {
                let spki = KeyPair::from_pem(&key).unwrap().subject_public_key_info();
                *Fingerprint::of(&spki).as_bytes() == facts.spki_sha256
            })
        })
    }

    fn renew(&self, stores: &Directories, chain: &mut Option<Vec<Vec<u8>>>) -> Result<(), ChangeError> {
        let slot = self.slot();
        let key = stores.ensure_key(&slot)?;
        let chain = chain.get_or_insert_with(|| issued_for(&key.public_key(), "new"));
        stores.install_beside(&slot, chain)?;
        stores.archive_old(&slot, Fingerprint::of(&chain[0]))
    }

    fn assert_finished(&self, chain: &[Vec<u8>]) {
        let name = match self.layout {
            Layout::Separate => "client.crt",
            Layout::Combined => "client.pem",
            Layout::Below => "below/client.crt",
        };
        assert_eq!(self.seen(), [(name.to_owned(), Fingerprint::of(&chain[0]), KeyPresence::Present)]);
        assert!(self.has_usable_pair());
        let at = self.path().join(name);
        let folder = at.parent().unwrap();
        let mut left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let expected: &[&str] = match self.layout {
            Layout::Combined => &[".inkan-archive", "client.pem"],
            Layout::Separate | Layout::Below => &[".inkan-archive", "client.crt", "client.key"],
        };
        assert_eq!(left, expected);
        self.assert_archived(&folder.join(ARCHIVE_NAME).join(self.old.short()), folder);
    }

    fn assert_archived(&self, archive: &Path, folder: &Path) {
        let kept = |name: &str| std::fs::read_to_string(archive.join(name)).unwrap();
        let mode = |name: &str| std::fs::metadata(folder.join(name)).unwrap().permissions().mode() & 0o777;
        if self.layout == Layout::Combined {
            assert!(kept("client.pem").contains(&self.old_key));
            assert_eq!(mode("client.pem"), 0o640);
            assert!(std::fs::read_to_string(folder.join("client.pem")).unwrap().starts_with("-----BEGIN PRIVATE KEY"));
        } else {
            assert_eq!(kept("client.key"), self.old_key);
            assert_eq!(::pem::parse(kept("client.crt")).unwrap().contents(), self.old_der);
            assert_eq!((mode("client.crt"), mode("client.key")), (0o644, 0o640));
        }
    }
}

/// More changes than any renewal makes.
const MOST_CHANGES: usize = 500;
const ARCHIVE_NAME: &str = super::super::survey::ARCHIVE;

fn write(path: &Path, text: &str, mode: u32) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn block(text: &str, label: &str) -> Option<String> {
    let start = text.find(&format!("-----BEGIN {label}-----"))?;
    let end = format!("-----END {label}-----");
    let length = text[start..].find(&end)? + end.len();
    Some(text[start..start + length].to_owned())
}

/// Kills the agent after each single change to the filesystem, from the first to the last.
fn survives_a_halt_after_every_change(layout: Layout, links: bool) {
    for changes in 0..MOST_CHANGES {
        let directory = Directory::new(layout);
        let mut chain = None;
        let halting = directory.stores(Arc::new(HaltAfter { left: changes.into(), links }));
        let outcome = directory.renew(&halting, &mut chain);
        assert!(directory.has_usable_pair(), "{layout:?} after {changes} changes");
        let finished = outcome.is_ok();
        assert!(finished || matches!(outcome, Err(ChangeError::Io { .. })), "{outcome:?} after {changes} changes");
        let again = directory.stores(Arc::new(HaltAfter { left: usize::MAX.into(), links }));
        directory.renew(&again, &mut chain).unwrap_or_else(|error| panic!("after {changes} changes: {error}"));
        directory.assert_finished(&chain.unwrap());
        if finished {
            assert!(changes > 20, "only {changes} changes");
            return;
        }
    }
    panic!("not finished after {MOST_CHANGES} changes");
}

#[test]
fn a_renewal_of_separate_files_survives_a_halt_after_every_change() {
    survives_a_halt_after_every_change(Layout::Separate, true);
}

#[test]
fn a_renewal_of_a_combined_file_survives_a_halt_after_every_change() {
    survives_a_halt_after_every_change(Layout::Combined, true);
}

#[test]
fn a_renewal_in_a_folder_below_survives_a_halt_after_every_change() {
    survives_a_halt_after_every_change(Layout::Below, true);
}

#[test]
fn a_renewal_survives_every_halt_where_files_cannot_have_two_names() {
    survives_a_halt_after_every_change(Layout::Separate, false);
    survives_a_halt_after_every_change(Layout::Combined, false);
}

#[test]
fn a_renewal_survives_being_killed_again_and_again() {
    for step in 1..12 {
        let directory = Directory::new(Layout::Separate);
        let mut chain = None;
        for changes in (step..MOST_CHANGES).step_by(step) {
            let halting = directory.stores(Arc::new(HaltAfter { left: changes.into(), links: true }));
            let outcome = directory.renew(&halting, &mut chain);
            assert!(directory.has_usable_pair());
            if outcome.is_ok() {
                break;
            }
        }
        directory.assert_finished(&chain.unwrap());
    }
}

#[test]
fn discard_survives_a_halt_after_every_change_and_leaves_what_was_there() {
    for layout in [Layout::Separate, Layout::Combined] {
        for changes in 0..MOST_CHANGES {
            let directory = Directory::new(layout);
            let before = directory.seen();
            let open = directory.open();
            let key = open.ensure_key(&directory.slot()).unwrap();
            open.install_beside(&directory.slot(), &issued_for(&key.public_key(), "new")).unwrap();
            let halting = directory.stores(Arc::new(HaltAfter { left: changes.into(), links: true }));
            let finished = halting.discard(&directory.slot()).is_ok();
            assert!(directory.has_usable_pair());
            open.discard(&directory.slot()).unwrap();
            assert_eq!(directory.seen(), before);
            let files = std::fs::read_dir(directory.path()).unwrap().count();
            assert_eq!(files, if layout == Layout::Combined { 1 } else { 2 });
            if finished {
                break;
            }
        }
    }
}

#[test]
fn a_renewal_is_not_discarded_once_its_new_files_stand_in_the_old_ones_place() {
    for changes in 0..200 {
        let directory = Directory::new(Layout::Separate);
        let mut chain = None;
        let halting = directory.stores(Arc::new(HaltAfter { left: changes.into(), links: true }));
        let _ = directory.renew(&halting, &mut chain);
        let _ = directory.open().discard(&directory.slot());
        assert!(directory.has_usable_pair(), "after {changes} changes");
    }
}

#[test]
fn the_new_key_is_readable_by_its_owner_alone() {
    let directory = Directory::new(Layout::Separate);
    let key = directory.open().ensure_key(&directory.slot()).unwrap();
    let chain = issued_for(&key.public_key(), "new");
    directory.open().install_beside(&directory.slot(), &chain).unwrap();
    let keys = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let made = keys.filter(|path| path.to_string_lossy().contains("inkan-") && path.extension().unwrap() == "key");
    let modes: Vec<_> = made.map(|path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777).collect();
    assert_eq!(modes, [0o600, 0o600]);
}

#[test]
fn what_the_agent_cannot_change_is_refused_with_the_reason() {
    let refusal = |prepare: &dyn Fn(&Directory)| {
        let directory = Directory::new(Layout::Separate);
        prepare(&directory);
        match directory.open().ensure_key(&directory.slot()) {
            Err(ChangeError::ReadOnly { why, .. }) => why,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("not refused"),
        }
    };
    let key = |directory: &Directory| directory.path().join("client.key");
    assert!(refusal(&|d| std::fs::remove_file(key(d)).unwrap()).contains("private key is not beside"));
    let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert!(refusal(&|d| std::fs::write(key(d), locked).unwrap()).contains("passphrase"));
    assert!(refusal(&|d| std::fs::write(d.path().join("client.crt"), &d.old_der).unwrap()).contains("only PEM"));
    let copy = |d: &Directory| {
        std::fs::write(d.path().join("b.pem"), format!("{}{}", d.old_key, pem_of(&d.old_der))).unwrap();
    };
    assert!(refusal(&copy).contains("several files"));
    let link = |d: &Directory| {
        std::fs::rename(d.path().join("client.crt"), d.path().join("real.x")).unwrap();
        std::os::unix::fs::symlink("real.x", d.path().join("client.crt")).unwrap();
    };
    assert!(refusal(&link).contains("link"));
}

fn pem_of(der: &[u8]) -> String {
    ::pem::encode(&::pem::Pem::new("CERTIFICATE", der))
}

#[test]
fn pkcs12_is_refused_as_read_only() {
    use p12_keystore::{KeyStore, KeyStoreEntry, PrivateKey, PrivateKeyChain};
    let directory = Directory::new(Layout::Separate);
    let pkcs8 = ::pem::parse(&directory.old_key).unwrap();
    let chain = PrivateKeyChain::new(
        b"id".as_slice(),
        PrivateKey::from_der(pkcs8.contents()).unwrap(),
        [p12_keystore::Certificate::from_der(&directory.old_der).unwrap()],
    );
    let mut store = KeyStore::new();
    store.add_entry("client", KeyStoreEntry::PrivateKeyChain(chain));
    std::fs::write(directory.path().join("client.p12"), store.writer("").write().unwrap()).unwrap();
    std::fs::remove_file(directory.path().join("client.crt")).unwrap();
    assert_eq!(directory.seen().len(), 1);
    let refused = directory.open().ensure_key(&directory.slot());
    assert!(matches!(refused, Err(ChangeError::ReadOnly { why, .. }) if why.contains("PKCS#12")));
}

#[test]
fn a_directory_that_the_settings_do_not_name_is_not_changed() {
    let directory = Directory::new(Layout::Separate);
    let slot = directory.slot();
    let stores = Directories::new(vec!["/srv/other".into()]);
    assert!(matches!(stores.ensure_key(&slot), Err(ChangeError::ReadOnly { .. })));
    assert!(matches!(stores.discard(&slot), Err(ChangeError::ReadOnly { .. })));
}

#[test]
fn a_certificate_for_another_key_is_not_installed() {
    let directory = Directory::new(Layout::Separate);
    directory.open().ensure_key(&directory.slot()).unwrap();
    let other = KeyPair::generate().unwrap().subject_public_key_info();
    let refused = directory.open().install_beside(&directory.slot(), &issued_for(&other, "new"));
    assert!(matches!(refused, Err(ChangeError::Crypto { .. })));
    assert_eq!(directory.seen().len(), 1);
}

#[test]
fn a_third_certificate_in_the_old_place_is_never_overwritten() {
    let directory = Directory::new(Layout::Separate);
    let open = directory.open();
    let slot = directory.slot();
    let chain = issued_for(&open.ensure_key(&slot).unwrap().public_key(), "new");
    open.install_beside(&slot, &chain).unwrap();
    let third = params("third").self_signed(&KeyPair::generate().unwrap()).unwrap().pem();
    std::fs::write(directory.path().join("client.crt"), &third).unwrap();
    open.archive_old(&slot, Fingerprint::of(&chain[0])).unwrap_err();
    assert_eq!(std::fs::read_to_string(directory.path().join("client.crt")).unwrap(), third);
}

#[test]
fn an_old_certificate_put_back_by_hand_is_archived_once_more() {
    let directory = Directory::new(Layout::Separate);
    let mut chain = None;
    directory.renew(&directory.open(), &mut chain).unwrap();
    write(&directory.path().join("client.crt"), &pem_of(&directory.old_der), 0o644);
    write(&directory.path().join("client.key"), &directory.old_key, 0o640);
    let renewal = inkan_model::RenewalId::new(inkan_model::Timestamp::from_unix_seconds(1_900_000_000), [9; 10]);
    let slot = RenewalSlot { renewal, ..directory.slot() };
    let open = directory.open();
    let second = issued_for(&open.ensure_key(&slot).unwrap().public_key(), "second");
    open.install_beside(&slot, &second).unwrap();
    open.archive_old(&slot, Fingerprint::of(&second[0])).unwrap();
    assert_eq!(directory.seen()[0].1, Fingerprint::of(&second[0]));
    assert!(directory.has_usable_pair());
}
