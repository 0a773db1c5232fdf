use std::sync::Arc;

use inkan_model::store::{KeyPresence, Scope};
use inkan_model::time::ManualClock;
use inkan_trust_store::StoreBackend;
use inkan_trust_store::fake::FakeStore;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;
use crate::doctor::certificates::clients_of;
use crate::scanner::Scanner;

const PROGRAMME: &str = r#"
[programme]
id = "own"
names = { ja = "自前", en = "Own" }
[recognise]
issuer_common_names = ["Issuing CA"]
[[anchors]]
common_name = "Root CA"
store = "root"
[[anchors]]
common_name = "Issuing CA"
store = "intermediate"
"#;

struct Pki {
    root: Vec<u8>,
    issuing: Vec<u8>,
    leaf: Vec<u8>,
}

fn pki() -> Pki {
    let ca = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        (params, KeyPair::generate().unwrap())
    };
    let ((root, root_key), (issuing, issuing_key)) = (ca("Root CA"), ca("Issuing CA"));
    let root_der = root.self_signed(&root_key).unwrap().der().to_vec();
    let issuing_der = issuing.signed_by(&issuing_key, &Issuer::new(root, root_key)).unwrap().der().to_vec();
    let mut leaf = CertificateParams::default();
    leaf.distinguished_name.push(DnType::CommonName, "S4700010P");
    let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(issuing, issuing_key)).unwrap();
    Pki { root: root_der, issuing: issuing_der, leaf: leaf.der().to_vec() }
}

fn windows(store: &str) -> Location {
    Location { kind: StoreKind::WindowsStore, scope: Scope::Machine, path: store.to_owned() }
}

/// A PC with these certificates in these places, and the leaf where a user keeps it.
fn scan(pki: &Pki, held: &[(&Location, &[u8])]) -> Scan {
    let store = FakeStore::default();
    let my = Location { scope: Scope::User("uketsuke".to_owned()), ..windows("MY") };
    store.put(&my, &pki.leaf, KeyPresence::Present, None);
    for (location, der) in held {
        store.put(location, der, KeyPresence::NotExpected, None);
    }
    let backends: Vec<Arc<dyn StoreBackend>> = vec![Arc::new(store)];
    Scanner::new(backends, std::time::Duration::from_mins(1), Arc::new(ManualClock::default())).scan()
}

fn examine(scan: &Scan, programme: Option<&Programme>) -> Vec<(CheckStatus, String)> {
    let results = checks(scan, programme, &clients_of(scan, programme));
    results.into_iter().map(|result| (result.status, result.statement.en)).collect()
}

fn programme() -> Programme {
    Programme::from_toml("own.toml", PROGRAMME).unwrap()
}

#[test]
fn anchors_in_their_places_are_well() {
    let pki = pki();
    let scan = scan(&pki, &[(&windows("Root"), &pki.root), (&windows("CA"), &pki.issuing)]);
    assert_eq!(examine(&scan, Some(&programme()))[0].0, CheckStatus::Well);
    assert_eq!(examine(&scan, None)[0].0, CheckStatus::Well);
    assert_eq!(trusted_roots(&scan), [TrustedRoot { der: pki.root, limits: EntryProperties::default() }]);
}

#[test]
fn a_root_that_a_group_policy_brought_counts() {
    let pki = pki();
    let scan = scan(&pki, &[(&windows("Root\\.GroupPolicy"), &pki.root), (&windows("CA"), &pki.issuing)]);
    assert_eq!(examine(&scan, Some(&programme()))[0].0, CheckStatus::Well);
}

#[test]
fn missing_anchors_are_named() {
    let pki = pki();
    let found = examine(&scan(&pki, &[(&windows("Root"), &[])]), Some(&programme()));
    assert_eq!(found.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [CheckStatus::Now, CheckStatus::Soon]);
    assert!(found[0].1.contains("Root CA is not among the trusted roots"), "{}", found[0].1);
}

#[test]
fn anchors_in_each_others_places_are_told_with_and_without_a_programme() {
    let pki = pki();
    let scan = scan(&pki, &[(&windows("CA"), &pki.root), (&windows("Root"), &pki.issuing)]);
    let found = examine(&scan, Some(&programme()));
    assert!(found.iter().all(|(status, _)| *status == CheckStatus::Now) && found.len() == 2, "{found:?}");
    let found = examine(&scan, None);
    assert!(found.iter().all(|(status, _)| *status == CheckStatus::Soon) && found.len() == 2, "{found:?}");
}

#[test]
fn a_distrusted_anchor_helps_nobody() {
    let pki = pki();
    let places =
        [(&windows("Root"), pki.root.as_slice()), (&windows("CA"), &pki.issuing), (&windows("Disallowed"), &pki.root)];
    let scan = scan(&pki, &places);
    let found = examine(&scan, Some(&programme()));
    assert!(found[0].0 == CheckStatus::Now && found[0].1.contains("distrusted"), "{found:?}");
    assert!(trusted_roots(&scan).is_empty());
}

#[test]
fn a_fingerprint_that_is_named_lets_nothing_else_pass_for_the_anchor() {
    let (pki, other) = (pki(), self::pki());
    let mut programme = programme();
    programme.anchors.truncate(1);
    programme.anchors[0].sha256 = Some(Fingerprint::of(&pki.root));
    let status = |root: &[u8]| examine(&scan(&pki, &[(&windows("Root"), root)]), Some(&programme))[0].0;
    assert_eq!((status(&pki.root), status(&other.root)), (CheckStatus::Well, CheckStatus::Now));
}

#[test]
fn a_pc_without_a_place_for_intermediates_keeps_them_anywhere() {
    let pki = pki();
    let at = |kind, path: &str| Location { kind, scope: Scope::Machine, path: path.to_owned() };
    let bundle = at(StoreKind::SystemTrust, "/etc/ssl/certs/ca-certificates.crt");
    let folder = at(StoreKind::Directory, "/etc/clinic");
    let store = FakeStore::default();
    store.put(&bundle, &pki.root, KeyPresence::NotExpected, None);
    store.put(&folder, &pki.issuing, KeyPresence::NotExpected, None);
    store.put(&folder, &pki.leaf, KeyPresence::Present, None);
    let backends: Vec<Arc<dyn StoreBackend>> = vec![Arc::new(store)];
    let scan = Scanner::new(backends, std::time::Duration::from_mins(1), Arc::new(ManualClock::default())).scan();
    assert_eq!(examine(&scan, Some(&programme()))[0].0, CheckStatus::Well);
}
