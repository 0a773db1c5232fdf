//! A PC of files, examined whole: what a person would see for a programme.

use inkan_model::checkup::{Check, CheckStatus};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use super::*;
use crate::clock::SystemClock;
use crate::doctor::registry::fake::FakeRegistry;
use crate::doctor::registry::{KeyPath, Value};

const PROGRAMME: &str = r#"
[programme]
id = "own"
names = { ja = "自前のシステム", en = "Own system" }
[recognise]
issuer_common_names = ["Clinic Root"]
[checks]
sites = ["https://127.0.0.1:1"]
trusted_zone = true
closed_browsers = ["safari"]
java = true
"#;

struct Clinic {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Clinic {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Self { folder: tempfile::tempdir().unwrap(), runtime }
    }

    /// Puts a certificate into the folder, with its key or with another one.
    fn put(&self, with_its_key: bool) {
        let mut root = CertificateParams::default();
        root.distinguished_name.push(DnType::CommonName, "Clinic Root");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let (root_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root_pem = root.self_signed(&root_key).unwrap().pem();
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name.push(DnType::CommonName, "0110119153");
        let leaf = leaf.signed_by(&key, &Issuer::new(root, root_key)).unwrap();
        let key = if with_its_key { key } else { KeyPair::generate().unwrap() };
        let text = format!("{}{}{root_pem}", leaf.pem(), key.serialize_pem());
        std::fs::write(self.folder.path().join("clinic.pem"), text).unwrap();
    }

    fn doctor(&self, registry: Option<FakeRegistry>) -> Doctor {
        let flags = crate::settings::SettingsFlags {
            data_dir: Some(self.folder.path().join("data")),
            directories: vec![self.folder.path().to_path_buf()],
            ..Default::default()
        };
        let settings = AgentSettings::load(&flags).unwrap();
        let directories = inkan_trust_store::files::Directories::new(settings.directories.clone());
        Doctor {
            settings,
            backends: vec![Arc::new(directories)],
            registry: registry.map(|registry| Arc::new(registry) as Arc<dyn Registry>),
            clock: Arc::new(SystemClock),
            runtime: self.runtime.handle().clone(),
            proxy: None,
        }
    }

    fn examine(&self, registry: Option<FakeRegistry>) -> Vec<CheckResult> {
        let programme = Programme::from_toml("own.toml", PROGRAMME).unwrap();
        self.doctor(registry).examine(Some(&programme), Some(Ok(())))
    }
}

fn status(results: &[CheckResult], name: Check) -> Option<CheckStatus> {
    results.iter().filter(|result| result.name == name).map(|result| result.status).max()
}

#[test]
fn a_programmes_certificate_is_found_and_its_key_signs() {
    let clinic = Clinic::new();
    clinic.put(true);
    let results = clinic.examine(None);
    for check in [Check::ProgrammeCertificate, Check::PrivateKeys, Check::KeyUsable, Check::Chains] {
        assert_eq!(status(&results, check), Some(CheckStatus::Well), "{check:?} {results:#?}");
    }
    assert_eq!(status(&results, Check::OpenBrowsers), Some(CheckStatus::Well));
    // A folder says nothing of what the PC trusts.
    assert_eq!(status(&results, Check::Sites), Some(CheckStatus::Unknown));
}

#[test]
fn a_key_that_is_there_but_is_another_ones_does_not_sign() {
    let clinic = Clinic::new();
    clinic.put(false);
    let results = clinic.examine(None);
    assert_eq!(status(&results, Check::PrivateKeys), Some(CheckStatus::Well));
    assert_eq!(status(&results, Check::KeyUsable), Some(CheckStatus::Now));
}

#[test]
fn a_pc_without_the_certificate_is_told_to_get_it() {
    let results = Clinic::new().examine(None);
    let missing = results.iter().find(|result| result.name == Check::ProgrammeCertificate).unwrap();
    assert_eq!(missing.status, CheckStatus::Now);
    assert!(missing.statement.ja.contains("自前のシステム"));
    assert_eq!(status(&results, Check::KeyUsable), None);
}

#[test]
fn options_of_windows_are_looked_at_where_there_is_a_registry_only() {
    let elsewhere = Clinic::new().examine(None);
    assert_eq!(status(&elsewhere, Check::TrustedZone), None);
    assert!(status(&elsewhere, Check::Proxy).is_some());
    let environment = KeyPath::user("S-1-5-21-1-2-3-1001", "Volatile Environment");
    let registry = FakeRegistry::default().with(&environment, "USERNAME", Value::Text("uketsuke".to_owned()));
    let windows = Clinic::new().examine(Some(registry));
    assert_eq!(status(&windows, Check::TrustedZone), Some(CheckStatus::Soon));
    assert_eq!(status(&windows, Check::TlsVersions), Some(CheckStatus::Well));
    assert_eq!(status(&windows, Check::Java), Some(CheckStatus::Now));
}

#[test]
fn what_the_server_says_of_a_programme_is_not_what_is_probed() {
    let clinic = Clinic::new();
    let foreign = Programme::from_toml("own.toml", PROGRAMME).unwrap();
    let results = Examiner::examine(&clinic.doctor(None), Some(&foreign));
    assert_eq!(status(&results, Check::Sites), None, "a programme that the agent does not know");
    let known = crate::doctor::programmes::shipped().unwrap().into_iter().find(|own| own.recognise.is_some()).unwrap();
    let twisted = Programme { checks: foreign.checks, anchors: Vec::new(), ..known };
    let results = Examiner::examine(&clinic.doctor(None), Some(&twisted));
    assert!(!format!("{results:?}").contains("127.0.0.1"), "{results:?}");
}
