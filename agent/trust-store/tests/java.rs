//! Keystores that the real `keytool` makes and reads again.
#![cfg(unix)]
#![expect(clippy::print_stderr, reason = "what a test leaves out has to be seen")]
#![expect(clippy::unwrap_used, reason = "a test that cannot set its stage must fail")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use inkan_model::EntryProperties;
use inkan_model::store::{KeyPresence, Location, SetEntry};
use inkan_trust_store::java::JavaKeystores;
use inkan_trust_store::{Anchor, AnchorStore as _, ChangeError, Changed, Reading, StoreBackend as _};

/// The `keytool` of this machine. Where it is missing the tests say so, and in CI they fail.
fn keytool() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    let found = std::env::split_paths(&path).map(|folder| folder.join("keytool")).find(|program| program.is_file());
    if found.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "there is no keytool, and this is CI");
        eprintln!("SKIPPED: there is no keytool (Debian: openjdk-17-jre-headless)");
    }
    found.map(|found| found.canonicalize().unwrap())
}

/// A runtime with a keystore of its own.
struct Stage {
    root: tempfile::TempDir,
    keytool: PathBuf,
}

const PASSWORD: &str = "changeit";

impl Stage {
    fn new() -> Option<Self> {
        let keytool = keytool()?;
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("jvm/jdk/lib/security")).unwrap();
        std::fs::create_dir_all(root.path().join("jvm/jdk/bin")).unwrap();
        std::os::unix::fs::symlink(&keytool, root.path().join("jvm/jdk/bin/keytool")).unwrap();
        Some(Self { root, keytool })
    }

    fn path(&self) -> PathBuf {
        self.root.path().join("jvm/jdk/lib/security/cacerts")
    }

    fn try_keytool(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.keytool);
        command.args(arguments).arg("-keystore").arg(self.path()).env("LC_ALL", "C.UTF-8");
        command.output().unwrap()
    }

    fn keytool(&self, arguments: &[&str]) -> String {
        let output = self.try_keytool(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    fn add_key(&self, format: &str, alias: &str, key_password: &str) {
        let name = format!("CN={alias}");
        self.keytool(&[
            "-genkeypair",
            "-keyalg",
            "EC",
            "-groupname",
            "secp256r1",
            "-alias",
            alias,
            "-dname",
            &name,
            "-storetype",
            format,
            "-storepass",
            PASSWORD,
            "-keypass",
            key_password,
        ]);
    }

    fn add_trusted(&self, format: &str, alias: &str, more: &[&str]) {
        let file = self.root.path().join("trusted.der");
        std::fs::write(&file, anchor(alias).der).unwrap();
        let import =
            ["-importcert", "-noprompt", "-alias", alias, "-file", file.to_str().unwrap(), "-storetype", format];
        self.keytool(&[&import, &["-storepass", PASSWORD][..], more].concat());
    }

    fn java(&self) -> (JavaKeystores, Location) {
        let java = JavaKeystores::of_runtimes_in(vec![self.root.path().join("jvm")]);
        let location = java.discover().remove(0);
        (java, location)
    }

    fn names_beside(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.path().parent().unwrap()).unwrap();
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Adds an anchor, lets keytool look, and takes it away again.
    fn add_and_remove(&self, added: &Anchor, password: &[&str]) {
        let (java, location) = self.java();
        java.can_change(&location).unwrap();
        let before = told(&java.read(&location));
        let done = Changed::AfterRestart { application: "Java".to_owned() };
        assert_eq!(java.add_anchor(&location, added).unwrap(), done);
        assert_eq!(java.add_anchor(&location, added).unwrap(), Changed::AlreadySo);
        let alias = java.find_anchor(&location, added.fingerprint()).unwrap().unwrap().name.unwrap();
        let listed = self.keytool(&[&["-list", "-alias", &alias], password].concat());
        assert!(listed.contains("trustedCertEntry"), "{listed}");
        assert_eq!(told(&java.read(&location)).len(), before.len() + 1);
        assert_eq!(java.remove_anchor(&location, added.fingerprint()).unwrap(), done);
        assert_eq!(java.remove_anchor(&location, added.fingerprint()).unwrap(), Changed::AlreadySo);
        assert_eq!(told(&java.read(&location)), before);
        assert!(!self.try_keytool(&[&["-list", "-alias", &alias], password].concat()).status.success());
        assert_eq!(self.names_beside(), ["cacerts"]);
    }
}

fn anchor(name: &str) -> Anchor {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
    Anchor { der, name: Some(name.to_owned()), properties: EntryProperties::default() }
}

fn told(reading: &Reading) -> Vec<(String, KeyPresence)> {
    assert_eq!(reading.errors, []);
    let entry = |entry: &SetEntry| match entry {
        SetEntry::Certificate { name, key, .. } => (name.clone().unwrap_or_default(), *key),
        SetEntry::Unreadable { why, .. } => (why.clone(), KeyPresence::Unknown),
    };
    let mut told: Vec<_> = reading.entries.iter().map(entry).collect();
    told.sort();
    told
}

/// Whether a key can still be taken out of a keystore with its password.
fn key_is_usable(stage: &Stage, alias: &str, key_password: &str) {
    let copy = stage.root.path().join("copy.p12");
    let copy = copy.to_str().unwrap();
    let keystore = stage.path();
    let import =
        ["-importkeystore", "-srckeystore", keystore.to_str().unwrap(), "-srcstorepass", PASSWORD, "-srcalias", alias];
    let to =
        ["-srckeypass", key_password, "-destkeystore", copy, "-deststoretype", "PKCS12", "-deststorepass", "copied"];
    let output =
        Command::new(&stage.keytool).args(import).args(to).args(["-destkeypass", "copied", "-noprompt"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    std::fs::remove_file(copy).unwrap();
}

fn in_a_jks_or_jceks_file(format: &str) {
    let Some(stage) = Stage::new() else { return };
    stage.add_key(format, "client", "another one");
    stage.add_trusted(format, "old root", &[]);
    if format == "JCEKS" {
        let secret = ["-genseckey", "-alias", "secret", "-keyalg", "AES", "-keysize", "128", "-storetype", "JCEKS"];
        stage.keytool(&[&secret, &["-storepass", PASSWORD, "-keypass", PASSWORD][..]].concat());
    }
    let bytes = std::fs::read(stage.path()).unwrap();
    let (java, location) = stage.java();
    let expected = [("client".to_owned(), KeyPresence::Present), ("old root".to_owned(), KeyPresence::NotExpected)];
    assert_eq!(told(&java.read(&location)), expected);
    stage.add_and_remove(&anchor("Vendor Root"), &["-storepass", PASSWORD]);
    stage.add_and_remove(&anchor("医療機関ルート"), &["-storepass", PASSWORD]);
    assert_eq!(std::fs::read(stage.path()).unwrap(), bytes);

    java.add_anchor(&location, &anchor("stays")).unwrap();
    key_is_usable(&stage, "client", "another one");
    if format == "JCEKS" {
        let listed = stage.keytool(&["-list", "-storetype", "JCEKS", "-storepass", PASSWORD]);
        assert!(listed.contains("SecretKeyEntry") && listed.contains("4 entries"), "{listed}");
    }
}

#[test]
fn jks_is_read_and_changed_so_that_keytool_agrees() {
    in_a_jks_or_jceks_file("JKS");
}

#[test]
fn jceks_is_read_and_changed_so_that_keytool_agrees() {
    in_a_jks_or_jceks_file("JCEKS");
}

#[test]
fn pkcs12_is_changed_by_the_runtimes_own_keytool_and_keeps_its_keys() {
    let Some(stage) = Stage::new() else { return };
    stage.add_key("PKCS12", "client", PASSWORD);
    stage.add_trusted("PKCS12", "old root", &[]);
    stage.add_and_remove(&anchor("Vendor Root"), &["-storepass", PASSWORD]);
    stage.add_and_remove(&anchor("医療機関ルート"), &["-storepass", PASSWORD]);
    let (java, location) = stage.java();
    java.add_anchor(&location, &anchor("stays")).unwrap();
    key_is_usable(&stage, "client", PASSWORD);
    let expected = [
        ("client".to_owned(), KeyPresence::Present),
        ("old root".to_owned(), KeyPresence::NotExpected),
        ("stays".to_owned(), KeyPresence::NotExpected),
    ];
    assert_eq!(told(&java.read(&location)), expected);
}

#[test]
fn pkcs12_without_a_password_stays_without_one() {
    let Some(stage) = Stage::new() else { return };
    let none = ["-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE", "-J-Dkeystore.pkcs12.macAlgorithm=NONE"];
    stage.add_trusted("PKCS12", "old root", &none);
    stage.add_and_remove(&anchor("Vendor Root"), &["-storepass", PASSWORD]);
    let (java, location) = stage.java();
    java.add_anchor(&location, &anchor("stays")).unwrap();
    // The password `none of all` opens it: it has none.
    let listed = stage.keytool(&["-list", "-storepass", "none of all"]);
    assert!(listed.contains("stays") && listed.contains("old root"), "{listed}");
}

#[test]
fn pkcs12_under_a_password_of_its_own_needs_that_password() {
    let Some(stage) = Stage::new() else { return };
    stage.add_trusted("PKCS12", "old root", &["-storepass", "ganz geheim"]);
    let (java, location) = stage.java();
    assert_eq!(java.read(&location).errors.len(), 1);
    let refused = java.add_anchor(&location, &anchor("a"));
    assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
    let passwords = stage.root.path().join("passwords");
    std::fs::write(&passwords, "falsch\nganz geheim\n").unwrap();
    let java = java.with_password_files(vec![passwords]);
    java.add_anchor(&location, &anchor("a")).unwrap();
    assert_eq!(told(&java.read(&location)).len(), 2);
    stage.keytool(&["-list", "-alias", "a", "-storepass", "ganz geheim"]);
}

fn put_program(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn the_password_is_in_no_argument_and_no_error() {
    let Some(stage) = Stage::new() else { return };
    stage.add_trusted("PKCS12", "old root", &["-storepass", "ganz geheim"]);
    let passwords = stage.root.path().join("passwords");
    std::fs::write(&passwords, "ganz geheim\n").unwrap();
    let seen = stage.root.path().join("seen");
    let script =
        format!("#!/bin/sh\necho \"$@\" >'{}'\necho 'keystore was tampered with' >&2\nexit 1\n", seen.display());
    put_program(&stage.root.path().join("jvm/jdk/bin/keytool"), &script);
    let bytes = std::fs::read(stage.path()).unwrap();
    let (java, location) = stage.java();
    let java = java.with_password_files(vec![passwords]);
    let failed = java.add_anchor(&location, &anchor("a")).unwrap_err();
    let arguments = std::fs::read_to_string(seen).unwrap();
    assert!(arguments.contains("-importcert") && !arguments.contains("geheim"), "{arguments}");
    let told = format!("{failed:?}");
    assert!(told.contains("tampered") && !told.contains("geheim"), "{told}");
    assert_eq!(std::fs::read(stage.path()).unwrap(), bytes);
    assert_eq!(stage.names_beside(), ["cacerts"]);
}

#[test]
fn a_keytool_that_loses_an_entry_is_not_believed() {
    let Some(stage) = Stage::new() else { return };
    stage.add_trusted("PKCS12", "one", &[]);
    stage.add_trusted("PKCS12", "two", &[]);
    let real = stage.keytool.display().to_string();
    let program = stage.root.path().join("jvm/jdk/bin/keytool");
    // After the change that was asked for it takes one certificate more away.
    put_program(
        &program,
        &format!(
            "#!/bin/sh\n'{real}' \"$@\" || exit 1\nfor last; do :; done\nstore=$(echo \"$*\" | sed 's/.*-keystore \\([^ ]*\\).*/\\1/')\n\
             exec '{real}' -delete -alias two -storepass changeit -keystore \"$store\"\n"
        ),
    );
    let bytes = std::fs::read(stage.path()).unwrap();
    let (java, location) = stage.java();
    let refused = java.add_anchor(&location, &anchor("a"));
    assert!(matches!(refused, Err(ChangeError::NotConfirmed { .. })), "{refused:?}");
    assert_eq!(std::fs::read(stage.path()).unwrap(), bytes);
}

#[test]
fn a_keytool_that_others_could_have_exchanged_is_not_run() {
    use std::os::unix::fs::PermissionsExt as _;
    let Some(stage) = Stage::new() else { return };
    stage.add_trusted("PKCS12", "one", &[]);
    put_program(&stage.root.path().join("jvm/jdk/bin/keytool"), "#!/bin/sh\nexit 1\n");
    let bin = stage.root.path().join("jvm/jdk/bin");
    std::fs::set_permissions(&bin, std::fs::Permissions::from_mode(0o777)).unwrap();
    let (java, location) = stage.java();
    let refused = java.can_change(&location);
    assert!(matches!(refused, Err(ChangeError::ReadOnly { .. })), "{refused:?}");
}

/// A PKCS#12 keystore with this certificate trusted under an alias that no keytool would write.
fn pkcs12_with_alias(alias: &str, der: &[u8]) -> Vec<u8> {
    let mut store = p12_keystore::KeyStore::new();
    let certificate = p12_keystore::Certificate::from_der(der).unwrap();
    store.add_entry(alias, p12_keystore::KeyStoreEntry::Certificate(certificate));
    store.writer(PASSWORD).write().unwrap()
}

#[test]
fn an_alias_never_becomes_an_option_of_keytool() {
    let Some(stage) = Stage::new() else { return };
    let (hostile, log) = (anchor("hostile"), stage.root.path().join("log"));
    // A runtime of today writes this log when it starts.
    let alias = format!("-J-Xlog:all=error:file={}", log.display());
    std::fs::write(stage.path(), pkcs12_with_alias(&alias, &hostile.der)).unwrap();
    let (java, location) = stage.java();
    assert_eq!(told(&java.read(&location)), [(alias, KeyPresence::NotExpected)]);
    let refused = java.remove_anchor(&location, hostile.fingerprint()).unwrap_err();
    assert!(!log.exists(), "the virtual machine was told where to log");
    assert!(format!("{refused:?}").contains("option"), "{refused:?}");
    // A name from elsewhere is left aside.
    let named = Anchor { name: Some(format!("-J-Xlog:all=error:file={}", log.display())), ..anchor("named") };
    java.add_anchor(&location, &named).unwrap();
    let found = java.find_anchor(&location, named.fingerprint()).unwrap().unwrap();
    assert!(found.name.unwrap().starts_with("inkan-") && !log.exists());
}
