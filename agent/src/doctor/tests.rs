use std::time::Duration as Span;

use inkan_model::store::{KeyPresence, Location};
use inkan_model::time::{DAY, ManualClock};
use inkan_trust_store::fake::FakeStore;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;
use crate::disk::Disk;
use crate::scanner::Scanner;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

struct Pc {
    folder: tempfile::TempDir,
    store: Arc<FakeStore>,
    at: Location,
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A root, and a certificate under it that expires in so many days.
fn issued(days: i32) -> (Vec<u8>, Vec<u8>) {
    let mut root = params("Root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root_der = root.self_signed(&key).unwrap().der().to_vec();
    let mut leaf = params("0110119153");
    leaf.not_after = NOW.plus(DAY * days).to_utc();
    let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(root, key)).unwrap();
    (root_der, leaf.der().to_vec())
}

impl Pc {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // As the agent makes it: for its own user alone.
        Disk::default().create_folder(&folder.path().join("data")).unwrap();
        let (store, at) = FakeStore::at("/etc/clinic");
        Self { folder, store: Arc::new(store), at }
    }

    fn data_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    fn examine(&self, now: Timestamp, server: Option<Result<(), String>>) -> Vec<CheckResult> {
        let settings = AgentSettings {
            data_dir: self.data_dir(),
            directories: Vec::new(),
            user_directories: Vec::new(),
            pkcs12_password_files: Vec::new(),
            java_keystores: Vec::new(),
            java_password_files: Vec::new(),
            location_deadline: Span::from_mins(1),
            scan_interval: Span::from_mins(15),
            server_url: None,
        };
        let backends: Vec<Arc<dyn StoreBackend>> = vec![Arc::clone(&self.store) as Arc<dyn StoreBackend>];
        let clock = Arc::new(ManualClock::new(now));
        let scan = Scanner::new(backends.clone(), settings.location_deadline, clock).scan();
        let facts = PcFacts::default();
        let (settings, backends) = (&settings, backends.as_slice());
        Examination { settings, backends, scan: &scan, now, server, programme: None, facts: &facts }.run()
    }

    fn check(&self, name: Check) -> CheckResult {
        let results = self.examine(NOW, Some(Ok(())));
        results.into_iter().find(|result| result.name == name).unwrap()
    }
}

#[test]
fn a_pc_in_order_is_well_in_every_check() {
    let pc = Pc::new();
    let (root, leaf) = issued(200);
    pc.store.put(&pc.at, &root, KeyPresence::NotExpected, None);
    pc.store.put(&pc.at, &leaf, KeyPresence::Present, Some("client.pem"));
    let results = pc.examine(NOW, Some(Ok(())));
    assert_eq!(worst(&results), CheckStatus::Well, "{results:#?}");
    assert_eq!(results.len(), 10);
    assert!(results.iter().all(|result| result.remedy.is_none()));
}

#[test]
fn a_missing_key_and_a_missing_issuer_are_said_in_the_servers_words() {
    let pc = Pc::new();
    pc.store.put(&pc.at, &issued(200).1, KeyPresence::Absent, None);
    let key = pc.check(Check::PrivateKeys);
    assert_eq!(key.status, CheckStatus::Soon);
    assert!(key.statement.ja.starts_with("0110119153 の秘密鍵がこの端末にありません。"));
    let chain = pc.check(Check::Chains);
    assert!(chain.statement.en.contains("Root, the issuer of 0110119153"), "{}", chain.statement.en);
    assert!(chain.remedy.is_some());
}

#[test]
fn expiry_grows_more_urgent_as_it_comes_nearer() {
    let status = |days| {
        let pc = Pc::new();
        pc.store.put(&pc.at, &issued(days).1, KeyPresence::Present, None);
        pc.check(Check::Expiry).status
    };
    assert_eq!(
        [200, 80, 29, 6, -1].map(status),
        [CheckStatus::Well, CheckStatus::Well, CheckStatus::Soon, CheckStatus::Now, CheckStatus::Now]
    );
}

#[test]
fn a_location_that_cannot_be_read_is_named_with_a_remedy() {
    let pc = Pc::new();
    let error = |item: &str| ReadError {
        kind: ReadErrorKind::AccessDenied,
        item: item.to_owned(),
        detail: "permission denied".to_owned(),
    };
    pc.store.fail_reads_with(vec![error("a.pem")]);
    assert_eq!(pc.check(Check::Locations).status, CheckStatus::Soon);
    pc.store.fail_reads_with(vec![error("")]);
    let result = pc.check(Check::Locations);
    assert_eq!(result.status, CheckStatus::Now);
    assert!(result.statement.en.contains("/etc/clinic") && result.remedy.unwrap().en.contains("agent’s user"));
}

#[test]
fn a_clock_before_the_build_is_not_believed() {
    let pc = Pc::new();
    let results = pc.examine(Timestamp::from_unix_seconds(1_000_000), None);
    let clock = results.iter().find(|result| result.name == Check::Clock).unwrap();
    assert_eq!(clock.status, CheckStatus::Now);
    assert_eq!(built_after(Some("1900000000")), Timestamp::from_unix_seconds(1_900_000_000));
    assert_eq!(built_after(Some("junk")), BUILT_AFTER);
}

#[test]
fn a_server_that_was_not_tried_is_unknown_and_one_that_failed_is_told() {
    let pc = Pc::new();
    let status = |server| {
        let results = pc.examine(NOW, server);
        results.iter().find(|result| result.name == Check::Server).unwrap().status
    };
    assert_eq!(status(None), CheckStatus::Unknown);
    assert_eq!(status(Some(Err("refused".to_owned()))), CheckStatus::Soon);
}

#[cfg(unix)]
#[test]
fn a_data_directory_that_others_can_enter_is_told() {
    let pc = Pc::new();
    set_mode(&pc.data_dir(), 0o755);
    assert_eq!(pc.check(Check::DataDirectory).status, CheckStatus::Now);
    set_mode(&pc.data_dir(), 0o700);
    assert_eq!(pc.check(Check::DataDirectory).status, CheckStatus::Well);
}

#[test]
fn results_are_json_with_both_languages() {
    let json = serde_json::to_value(Pc::new().check(Check::ClientCertificates)).unwrap();
    assert_eq!((json["name"].as_str(), json["status"].as_str()), (Some("client_certificates"), Some("unknown")));
    assert!(json["statement"]["ja"].is_string() && json["remedy"]["en"].is_string());
}
