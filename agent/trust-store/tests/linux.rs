//! The anchors of a Linux system, with Debian's real `update-ca-certificates` on folders of our own.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "what a test leaves out has to be seen")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage must fail")]

use std::path::{Path, PathBuf};

use inkan_model::properties::TrustLevel;
use inkan_model::store::{Location, SetEntry};
use inkan_model::{EntryProperties, Fingerprint};
use inkan_trust_store::linux::{LocalAnchors, SystemTrust};
use inkan_trust_store::{Anchor, AnchorStore as _, ChangeError, Changed, StoreBackend as _};

const PROGRAM: &str = "/usr/sbin/update-ca-certificates";
const FOLDER: &str = "usr/local/share/ca-certificates";

/// A system below a folder, with one certificate that the distribution itself trusts.
struct Stage {
    root: tempfile::TempDir,
    anchors: LocalAnchors,
    location: Location,
    of_distribution: Anchor,
}

impl Stage {
    /// Where the program is missing the tests say so, and in CI they fail.
    fn new() -> Option<Self> {
        if !Path::new(PROGRAM).is_file() {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "there is no update-ca-certificates, and this is CI");
            eprintln!("SKIPPED: there is no update-ca-certificates (Debian: ca-certificates)");
            return None;
        }
        let root = tempfile::tempdir().unwrap();
        let at = |path: &str| root.path().join(path);
        for folder in [FOLDER, "etc/ssl/certs", "hooks", "usr/share/ca-certificates"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        let of_distribution = anchor("Distribution");
        std::fs::write(at("usr/share/ca-certificates/own.crt"), pem_of(&[&of_distribution])).unwrap();
        std::fs::write(at("etc/ca-certificates.conf"), "own.crt\n").unwrap();
        let arguments = [
            ("--certsconf", "etc/ca-certificates.conf"),
            ("--certsdir", "usr/share/ca-certificates"),
            ("--localcertsdir", FOLDER),
            ("--etccertsdir", "etc/ssl/certs"),
            ("--hooksdir", "hooks"),
        ];
        let arguments = arguments.into_iter().flat_map(|(option, path)| [option.into(), at(path).into_os_string()]);
        let anchors = LocalAnchors::below(root.path()).with_program(PathBuf::from(PROGRAM), arguments.collect());
        let location = anchors.discover().remove(0);
        Some(Self { root, anchors, location, of_distribution })
    }

    fn write(&self, name: &str, content: &str) {
        let path = self.root.path().join(FOLDER).join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.path().join(FOLDER)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn bundle(&self) -> Vec<Fingerprint> {
        let trust = SystemTrust::below(self.root.path());
        let location = trust.discover().remove(0);
        let mut held: Vec<_> = trust.read(&location).certificates.iter().map(|held| held.fingerprint).collect();
        held.sort_unstable();
        held
    }

    fn add(&self, anchor: &Anchor) -> Result<Changed, ChangeError> {
        self.anchors.add_anchor(&self.location, anchor)
    }

    fn remove(&self, anchor: &Anchor) -> Result<Changed, ChangeError> {
        self.anchors.remove_anchor(&self.location, anchor.fingerprint())
    }
}

fn anchor(name: &str) -> Anchor {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
    Anchor { der, name: Some(name.to_owned()), properties: EntryProperties::default() }
}

fn pem_of(anchors: &[&Anchor]) -> String {
    anchors.iter().map(|anchor| pem::encode(&pem::Pem::new("CERTIFICATE", anchor.der.as_slice()))).collect()
}

fn sorted(anchors: &[&Anchor]) -> Vec<Fingerprint> {
    let mut fingerprints: Vec<_> = anchors.iter().map(|anchor| anchor.fingerprint()).collect();
    fingerprints.sort_unstable();
    fingerprints
}

#[test]
fn an_anchor_appears_in_the_bundle_and_vanishes_from_it() {
    let Some(stage) = Stage::new() else { return };
    let added = anchor("Vendor Root");
    stage.anchors.can_change(&stage.location).unwrap();
    assert_eq!(stage.add(&added).unwrap(), Changed::Done);
    assert_eq!(stage.add(&added).unwrap(), Changed::AlreadySo);
    assert_eq!(stage.bundle(), sorted(&[&added, &stage.of_distribution]));
    let name = format!("inkan-{}.crt", &added.fingerprint().to_string()[..12]);
    assert_eq!(stage.names(), std::slice::from_ref(&name));
    let found = stage.anchors.find_anchor(&stage.location, added.fingerprint()).unwrap().unwrap();
    assert_eq!((found.der, found.name), (added.der.clone(), Some(name)));

    assert_eq!(stage.remove(&added).unwrap(), Changed::Done);
    assert_eq!(stage.remove(&added).unwrap(), Changed::AlreadySo);
    assert_eq!(stage.bundle(), sorted(&[&stage.of_distribution]));
    assert_eq!(stage.names(), Vec::<String>::new());
    assert_eq!(stage.anchors.find_anchor(&stage.location, added.fingerprint()).unwrap(), None);
}

#[test]
fn an_anchor_that_an_administrator_added_goes_and_comes_back_as_it_was() {
    let Some(stage) = Stage::new() else { return };
    let theirs = anchor("Theirs");
    let content = format!("added by Sato, 2024\n{}", pem_of(&[&theirs]));
    stage.write("clinic/theirs.crt", &content);
    assert_eq!(stage.add(&theirs).unwrap(), Changed::Done);
    assert_eq!(stage.remove(&theirs).unwrap(), Changed::Done);
    assert_eq!(stage.bundle(), sorted(&[&stage.of_distribution]));
    assert_eq!(stage.add(&theirs).unwrap(), Changed::Done);
    assert_eq!(stage.bundle(), sorted(&[&theirs, &stage.of_distribution]));
    let folder = stage.root.path().join(FOLDER).join("clinic");
    assert_eq!(std::fs::read_to_string(folder.join("theirs.crt")).unwrap(), content);
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
}

#[test]
fn one_of_several_certificates_of_a_file_goes_alone_and_comes_back() {
    let Some(stage) = Stage::new() else { return };
    let (one, two) = (anchor("one"), anchor("two"));
    let content = format!("# both\n{}", pem_of(&[&one, &two]));
    stage.write("both.crt", &content);
    assert_eq!(stage.remove(&one).unwrap(), Changed::Done);
    assert_eq!(stage.bundle(), sorted(&[&two, &stage.of_distribution]));
    assert_eq!(stage.add(&one).unwrap(), Changed::Done);
    assert_eq!(stage.bundle(), sorted(&[&one, &two, &stage.of_distribution]));
    assert_eq!(stage.names(), ["both.crt"]);
    assert_eq!(std::fs::read_to_string(stage.root.path().join(FOLDER).join("both.crt")).unwrap(), content);
}

#[test]
fn what_the_distribution_itself_trusts_is_not_gone_when_the_administrators_copy_goes() {
    let Some(stage) = Stage::new() else { return };
    let twice = stage.of_distribution.clone();
    stage.write("copy.crt", &pem_of(&[&twice]));
    assert_eq!(stage.add(&twice).unwrap(), Changed::Done);
    let refused = stage.remove(&twice);
    assert!(matches!(refused, Err(ChangeError::NotConfirmed { .. })), "{refused:?}");
    assert!(stage.root.path().join(FOLDER).join("copy.crt").is_file());
    assert_eq!(stage.bundle(), sorted(&[&twice, &twice]).into_iter().take(1).collect::<Vec<_>>());
}

#[test]
fn a_limit_that_the_bundle_cannot_carry_is_refused() {
    let Some(stage) = Stage::new() else { return };
    let properties = EntryProperties { name_constraints: Some(vec![0x30, 0]), ..EntryProperties::default() };
    let refused = stage.add(&Anchor { properties, ..anchor("a") });
    assert!(matches!(refused, Err(ChangeError::CannotLimit { .. })), "{refused:?}");
    let junk = stage.add(&Anchor { der: b"junk".to_vec(), ..anchor("a") });
    assert!(matches!(junk, Err(ChangeError::Crypto { .. })), "{junk:?}");
    assert_eq!(stage.names(), Vec::<String>::new());
}

#[test]
fn what_is_blocked_is_told_as_distrusted_and_cannot_be_changed_here() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("etc/pki/ca-trust/source/blocklist");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("bad.pem"), pem_of(&[&anchor("bad")])).unwrap();
    let anchors = LocalAnchors::below(root.path());
    let location = anchors.discover().remove(0);
    let reading = anchors.read(&location);
    assert_eq!(reading.errors, []);
    let SetEntry::Certificate { properties, .. } = &reading.entries[0] else { unreachable!("{reading:?}") };
    assert_eq!(properties.trust.map(|trust| trust.server), Some(TrustLevel::Distrusted));
    let refused = anchors.can_change(&location);
    assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
}
