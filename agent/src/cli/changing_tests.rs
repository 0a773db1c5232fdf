//! The commands that change stores, on a PC whose stores are in memory.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use inkan_model::store::{Location, Scope, StoreKind};
use inkan_trust_store::StoreBackend;
use inkan_trust_store::fake::{FakeStore, Trouble};

use super::changing::Bench;
use super::{Cli, Command, Failure, anchor, certificate, changes, import, uninstall};
use crate::settings::AgentSettings;

struct Pc {
    folder: tempfile::TempDir,
    store: Arc<FakeStore>,
    anchors: Location,
}

impl Pc {
    fn new() -> Self {
        let store = FakeStore::default();
        let location = |kind, path: &str| Location { kind, scope: Scope::Machine, path: path.to_owned() };
        let anchors = location(StoreKind::LocalAnchors, "/anchors");
        store.add_location(anchors.clone());
        store.add_location(location(StoreKind::WindowsStore, "MY"));
        Self { folder: tempfile::tempdir().unwrap(), store: Arc::new(store), anchors }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    fn run(&self, words: &[&str]) -> Result<(String, ExitCode), Failure> {
        let data_dir = self.path("data");
        let words = ["inkan-agent"].iter().chain(words).copied().chain(["--data-dir", &data_dir]);
        let cli = Cli::try_parse_from(words).unwrap();
        let settings = AgentSettings::load(&cli.settings).unwrap();
        let bench = Bench::new(&settings).with_stores(vec![Arc::clone(&self.store) as Arc<dyn StoreBackend>]);
        let mut out = Vec::new();
        let code = match cli.command {
            Command::Anchor(args) => anchor::run_on(&bench, &args, &mut out),
            Command::Certificate(args) => certificate::run_on(&bench, &args, &mut out),
            Command::Changes(args) => changes::run(args, &settings, &mut out),
            Command::Import(args) => import::run_on(&bench, &args, &mut out),
            Command::Uninstall(args) => uninstall::run_on(&bench, args, &mut out),
            other => panic!("{other:?} changes no store"),
        }?;
        Ok((String::from_utf8(out).unwrap(), code))
    }

    fn well(&self, words: &[&str]) -> String {
        let (printed, code) = self.run(words).unwrap();
        assert_eq!(code, ExitCode::SUCCESS, "{printed}");
        printed
    }

    fn held(&self) -> usize {
        self.store.discover().iter().map(|location| self.store.read(location).entries.len()).sum()
    }
}

struct Made {
    pem: String,
    key: String,
    sha256: String,
}

fn make(name: &str) -> Made {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let sha256 = inkan_model::Fingerprint::of(certificate.der()).to_string();
    Made { pem: certificate.pem(), key: key.serialize_pem(), sha256 }
}

#[test]
fn an_anchor_is_added_shown_and_removed_and_the_journal_tells_it() {
    let (pc, root) = (Pc::new(), make("Clinic root"));
    let file = pc.write("root.pem", &root.pem);
    assert!(pc.well(&["anchor", "list"]).contains("ありません"));
    let added = pc.well(&["anchor", "add", &file, "--lang", "en"]);
    assert!(added.contains("○ /anchors: changed, and read back."), "{added}");
    assert!(pc.well(&["anchor", "add", &file]).contains("すでに"));
    let listed = pc.well(&["anchor", "list", "--lang", "en"]);
    assert!(listed.contains(&root.sha256) && listed.contains("added by the agent"), "{listed}");
    pc.well(&["anchor", "remove", &root.sha256]);
    assert_eq!(pc.held(), 0);
    let told = pc.well(&["changes", "--lang", "en"]);
    assert!(told.contains("anchor added") && told.contains("anchor removed"), "{told}");
    let json: serde_json::Value = serde_json::from_str(&pc.well(&["changes", "--json"])).unwrap();
    assert_eq!(json["changes"][0]["state"]["state"], "confirmed");
    assert_eq!(json["changes"][0]["deed"]["deed"], "add_anchor");
}

#[test]
fn a_file_with_a_private_key_is_refused_and_the_person_is_told_that_the_key_is_burned() {
    let (pc, root) = (Pc::new(), make("root"));
    let file = pc.write("root.pem", format!("{}{}", root.pem, root.key));
    let refused = pc.run(&["anchor", "add", &file, "--lang", "en"]).unwrap_err();
    assert!(refused.to_string().contains("burned"), "{refused}");
    let refused = pc.run(&["anchor", "add", &file]).unwrap_err();
    assert!(refused.to_string().contains("失効"), "{refused}");
    assert_eq!((refused.number(), pc.held()), (1, 0));
    assert!(!Path::new(&pc.path("data/changes.json")).exists());
}

#[test]
fn several_certificates_of_one_file_are_taken_only_when_that_is_meant() {
    let (pc, one, two) = (Pc::new(), make("one"), make("two"));
    let file = pc.write("bundle.pem", format!("{}{}", one.pem, two.pem));
    let refused = pc.run(&["anchor", "add", &file]).unwrap_err();
    assert_eq!((refused.number(), pc.held()), (2, 0));
    pc.well(&["anchor", "add", &file, "--all"]);
    assert_eq!(pc.held(), 2);
}

#[test]
fn a_limit_that_a_store_cannot_keep_stops_the_command_unless_it_may_be_left_out() {
    let (pc, root) = (Pc::new(), make("root"));
    pc.store.limit_nothing();
    let file = pc.write("root.pem", &root.pem);
    let add = ["anchor", "add", &file, "--dns-names", "a.example.jp,b.example.jp", "--purpose", "server-auth"];
    let (printed, code) = pc.run(&[&add[..], &["--lang", "en"]].concat()).unwrap();
    assert!(printed.contains("--without-limits") && printed.contains("all is as before"), "{printed}");
    let (printed, _) = pc.run(&add).unwrap();
    assert!(printed.contains("--without-limits") && printed.contains("元のまま"), "{printed}");
    assert_eq!((code, pc.held()), (ExitCode::FAILURE, 0));
    pc.well(&[&add[..], &["--without-limits"]].concat());
    assert_eq!(pc.held(), 1);
}

#[test]
fn limits_are_kept_where_a_store_can() {
    let (pc, root) = (Pc::new(), make("root"));
    let file = pc.write("root.pem", &root.pem);
    pc.well(&["anchor", "add", &file, "--dns-names", "a.example.jp", "--name", "Gateway"]);
    let json: serde_json::Value = serde_json::from_str(&pc.well(&["anchor", "list", "--json"])).unwrap();
    assert_eq!(json[0]["name"], "Gateway");
    assert!(json[0]["properties"]["name_constraints"].is_array(), "{json}");
}

#[test]
fn a_place_that_is_not_there_is_answered_with_those_that_are() {
    let (pc, root) = (Pc::new(), make("root"));
    let file = pc.write("root.pem", &root.pem);
    let refused = pc.run(&["anchor", "add", &file, "--store", "firefox"]).unwrap_err();
    let words = refused.to_string();
    assert!(words.contains("/anchors") && words.contains("firefox") && words.contains("保管場所"), "{words}");
    let refused = pc.run(&["anchor", "add", &file, "--location", "/etc/shadow", "--lang", "en"]).unwrap_err();
    assert!(refused.to_string().contains("There is no store /etc/shadow"), "{refused}");
    assert_eq!(refused.number(), 2);
}

#[test]
fn a_path_that_several_users_have_names_one_store_or_none() {
    let (pc, root) = (Pc::new(), make("root"));
    let file = pc.write("root.pem", &root.pem);
    for user in ["hanako", "taro"] {
        let scope = Scope::User(user.to_owned());
        pc.store.add_location(Location { kind: StoreKind::WindowsStore, scope, path: "Root".to_owned() });
    }
    let refused = pc.run(&["anchor", "add", &file, "--location", "Root"]).unwrap_err();
    assert!(refused.to_string().contains("Root (hanako)"), "{refused}");
    assert_eq!((refused.number(), pc.held()), (2, 0));
    let added = pc.well(&["anchor", "add", &file, "--location", "Root (taro)", "--lang", "en"]);
    assert!(added.contains("Root (taro): changed"), "{added}");
    assert_eq!(pc.held(), 1);
}

#[test]
fn what_came_out_names_the_certificate() {
    let (pc, root) = (Pc::new(), make("root"));
    let file = pc.write("root.pem", &root.pem);
    let added = pc.well(&["anchor", "add", &file]);
    assert!(added.contains(&root.sha256[..8]), "{added}");
}

#[test]
fn a_pc_without_a_store_for_keys_says_so_before_it_asks_for_a_password() {
    let pc = Pc { store: Arc::new(FakeStore::default()), ..Pc::new() };
    let refused = pc.run(&["import", "nosuch.p12"]).unwrap_err();
    assert!(refused.to_string().contains("鍵つきの証明書"), "{refused}");
    assert_eq!(refused.number(), 2);
}

#[test]
fn a_key_that_is_imported_leaves_with_its_certificate_and_only_when_that_is_meant() {
    let (pc, client) = (Pc::new(), make("client"));
    let Some(pkcs12) = pkcs12_of(&client) else { return };
    let (file, password) = (pc.write("client.p12", pkcs12), pc.write("pin.txt", "1234\n"));
    let import = ["import", &file, "--machine", "--password-file", &password];
    pc.well(&import);
    assert!(pc.well(&import).contains("すでに"));
    let wrong = pc.write("wrong.txt", "4321\n");
    let refused = pc.run(&["import", &file, "--machine", "--password-file", &wrong]).unwrap_err();
    assert!(refused.to_string().contains("パスワード") && !refused.to_string().contains("4321"), "{refused}");
    let remove = ["certificate", "remove", &client.sha256];
    let refused = pc.run(&remove).unwrap_err();
    assert!(refused.to_string().contains("--yes"), "{refused}");
    let removed = pc.well(&[&remove[..], &["--yes", "--lang", "en"]].concat());
    assert!(removed.contains("Its key is gone"), "{removed}");
    assert_eq!(pc.held(), 0);
}

#[test]
fn uninstalling_restores_what_was_trusted_and_removes_identity_and_data() {
    let (pc, root, client) = (Pc::new(), make("root"), make("client"));
    let Some(pkcs12) = pkcs12_of(&client) else { return };
    let (root, pkcs12) = (pc.write("root.pem", &root.pem), pc.write("client.p12", pkcs12));
    let password = pc.write("pin.txt", "1234");
    pc.well(&["anchor", "add", &root]);
    pc.well(&["import", &pkcs12, "--machine", "--password-file", &password]);
    let (printed, code) = pc.run(&["uninstall", "--restore-trust", "--keep-data", "--lang", "en"]).unwrap();
    assert!(printed.contains("taken back") && printed.contains("imported certificate stays"), "{printed}");
    assert_eq!((code, pc.held()), (ExitCode::SUCCESS, 1));
    assert!(Path::new(&pc.path("data/changes.json")).exists());
    pc.well(&["uninstall", "--restore-trust", "--imported-certificates"]);
    assert_eq!(pc.held(), 0);
    assert!(!Path::new(&pc.path("data")).exists());
}

#[test]
fn what_cannot_be_taken_back_fails_the_uninstallation_and_stays_in_the_journal() {
    let (pc, root) = (Pc::new(), make("root"));
    let file = pc.write("root.pem", &root.pem);
    pc.well(&["anchor", "add", &file]);
    pc.store.trouble_changes(Some(Trouble::NeedsUser));
    let (printed, code) = pc.run(&["uninstall", "--restore-trust", "--lang", "en"]).unwrap();
    assert!(printed.contains("cannot be taken back yet"), "{printed}");
    assert_eq!(code, ExitCode::FAILURE);
    assert!(Path::new(&pc.path("data/changes.json")).exists());
    pc.store.trouble_changes(None);
    pc.well(&["uninstall", "--restore-trust"]);
    assert_eq!(pc.store.read(&pc.anchors).entries.len(), 0);
}

/// A file as certification authorities hand it out, with the password 1234. Where openssl is missing the test says so, and
/// in CI it fails.
fn pkcs12_of(made: &Made) -> Option<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("both.pem"), format!("{}{}", made.pem, made.key)).unwrap();
    let (from, to) = (path("both.pem"), path("out.p12"));
    let arguments = ["pkcs12", "-export", "-in", &from, "-out", &to, "-passout", "pass:1234", "-name", "client"];
    let made = std::process::Command::new("openssl").args(arguments).output();
    if made.as_ref().is_ok_and(|made| made.status.success()) {
        return Some(std::fs::read(path("out.p12")).unwrap());
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "openssl made no PKCS#12 file: {made:?}");
    eprintln!("SKIPPED: there is no openssl to make a PKCS#12 file");
    None
}
