//! Home directories with browsers' databases, and the tools that make and look into them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use inkan_model::properties::TrustFlags;
use inkan_model::store::{Location, SetEntry};
use inkan_model::{EntryProperties, Fingerprint};
use inkan_trust_store::files::{User, Users};
use inkan_trust_store::nss::{Child, Installed, Layout, NssDatabases};
use inkan_trust_store::{Anchor, Reading, StoreBackend as _};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

/// How long a tool or a browser may take.
const DEADLINE: Duration = Duration::from_mins(1);

/// Whether these programs are here. What is missing is said loudly, and is a failure where `CI=true`.
pub(crate) fn have(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    let missing: Vec<_> = programs.iter().filter(|program| !is_there(program)).collect();
    if missing.is_empty() {
        return true;
    }
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{missing:?} are not installed");
    skipped(&format!("{missing:?} are not installed"));
    false
}

/// Says loudly that a test was left out.
#[expect(clippy::print_stderr, reason = "what a test leaves out has to be seen")]
pub(crate) fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// Runs a tool to its end.
pub(crate) fn run(command: &mut Command) {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let end = Instant::now() + DEADLINE;
    while child.try_wait().unwrap().is_none() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
    // It is killed when the deadline has passed, and then it has no success.
    let _ = child.kill();
    let status = child.wait().unwrap();
    assert!(status.success(), "{command:?} ended with {status} within {DEADLINE:?}");
}

pub(crate) fn certutil<S: AsRef<OsStr>>(arguments: &[S]) {
    run(Command::new("certutil").args(arguments));
}

/// A root, to be trusted for servers.
pub(crate) fn anchor(name: &str) -> Anchor {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
    Anchor { der, name: None, properties: EntryProperties::default() }
}

pub(crate) fn wanted(anchor: &Anchor, trust: TrustFlags) -> Anchor {
    let properties = EntryProperties { trust: Some(trust), ..EntryProperties::default() };
    Anchor { properties, ..anchor.clone() }
}

/// What a reading says that a certificate is trusted for.
pub(crate) fn trusted(reading: &Reading, wanted: Fingerprint) -> Option<TrustFlags> {
    reading.entries.iter().find_map(|entry| match entry {
        SetEntry::Certificate { certificate, properties, .. } if *certificate == wanted => properties.trust,
        SetEntry::Certificate { .. } | SetEntry::Unreadable { .. } => None,
    })
}

/// One user's home directory.
pub(crate) struct Stage {
    home: tempfile::TempDir,
}

impl Stage {
    pub(crate) fn empty() -> Self {
        Self { home: tempfile::tempdir().unwrap() }
    }

    /// A database that `certutil` made, without a password.
    pub(crate) fn with_chromium_database() -> Self {
        let stage = Self::empty();
        fs::create_dir_all(stage.chromium()).unwrap();
        certutil(&["-N", "-d", &Self::sql_name(&stage.chromium()), "--empty-password"]);
        stage
    }

    /// A database that nothing was ever done with: one empty table, and no keys.
    pub(crate) fn with_plain_database() -> Self {
        let stage = Self::empty();
        fs::create_dir_all(stage.chromium()).unwrap();
        let made = Self::table();
        rusqlite::Connection::open(stage.chromium().join("cert9.db")).unwrap().execute_batch(&made).unwrap();
        stage
    }

    /// A profile that the real Firefox made.
    pub(crate) fn with_firefox_profile() -> Self {
        let stage = Self::empty();
        let picture = stage.home().join("picture.png");
        let mut firefox = Command::new("firefox-esr");
        firefox.args(["--headless", "--no-remote", "--screenshot"]).arg(picture).arg("about:blank");
        run(firefox.env("HOME", stage.home()).env_remove("XDG_CONFIG_HOME").env_remove("DISPLAY"));
        stage
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn chromium(&self) -> PathBuf {
        self.home().join(".pki/nssdb")
    }

    pub(crate) fn firefox(&self) -> PathBuf {
        PathBuf::from(self.only_location().1.path)
    }

    pub(crate) fn sql_name(folder: &Path) -> String {
        format!("sql:{}", folder.display())
    }

    /// The databases of this home, with the real browsers' libraries.
    pub(crate) fn store(&self) -> NssDatabases {
        self.store_with(child_program().to_path_buf())
    }

    /// The same, with the child's program where the user of this home can run it, wherever the tests were built.
    pub(crate) fn store_for_its_user(&self) -> NssDatabases {
        let program = self.home().join("nss-child-program");
        fs::copy(child_program(), &program).unwrap();
        self.store_with(program)
    }

    fn store_with(&self, program: PathBuf) -> NssDatabases {
        let user = User { name: "mika".to_owned(), home: self.home().to_path_buf() };
        let child = Child { program, arguments: Vec::new() };
        NssDatabases::new(Users::Given(vec![user]), Layout::Linux).with_changes(child, Installed::default())
    }

    pub(crate) fn only_location(&self) -> (NssDatabases, Location) {
        let store = self.store();
        let mut found = store.discover();
        assert_eq!(found.len(), 1, "{found:?}");
        (store, found.remove(0))
    }

    pub(crate) fn certutil_add(&self, folder: &Path, anchor: &Anchor, flags: &str) {
        let file = self.home().join("anchor.der");
        fs::write(&file, &anchor.der).unwrap();
        let name = anchor.fingerprint().to_string();
        certutil(&["-A", "-d", &Self::sql_name(folder), "-n", &name, "-t", flags, "-i", file.to_str().unwrap()]);
    }

    /// Imports a certificate with its key, as a person does.
    pub(crate) fn import_own_certificate(&self, folder: &Path, name: &str) -> Fingerprint {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let file = |name: &str| self.home().join(name).to_str().unwrap().to_owned();
        fs::write(file("own.pem"), format!("{}{}", certificate.pem(), key.serialize_pem())).unwrap();
        let (pem, p12) = (file("own.pem"), file("own.p12"));
        let export = ["pkcs12", "-export", "-in", &pem, "-out", &p12, "-passout", "pass:1234", "-name", name];
        run(Command::new("openssl").args(export));
        run(Command::new("pk12util").args(["-i", &p12, "-d", &Self::sql_name(folder), "-W", "1234"]));
        Fingerprint::of(certificate.der())
    }

    pub(crate) fn sql(folder: &Path, statement: &str) {
        rusqlite::Connection::open(folder.join("cert9.db")).unwrap().execute_batch(statement).unwrap();
    }

    /// The object classes of all rows.
    pub(crate) fn rows(folder: &Path) -> Vec<u32> {
        let database = rusqlite::Connection::open(folder.join("cert9.db")).unwrap();
        let mut statement = database.prepare("SELECT a0 FROM nssPublic").unwrap();
        let class = |row: &rusqlite::Row<'_>| row.get::<_, [u8; 4]>(0).map(u32::from_be_bytes);
        let classes: BTreeSet<u32> = statement.query_map([], class).unwrap().map(Result::unwrap).collect();
        classes.into_iter().collect()
    }

    /// The columns that NSS itself makes, so that it takes the table for its own.
    fn table() -> String {
        static TABLE: OnceLock<String> = OnceLock::new();
        let made = || {
            let stage = Self::with_chromium_database();
            let database = rusqlite::Connection::open(stage.chromium().join("cert9.db")).unwrap();
            let schema = "SELECT group_concat(sql, ';') FROM sqlite_schema WHERE sql IS NOT NULL";
            database.query_row(schema, [], |row| row.get(0)).unwrap()
        };
        TABLE.get_or_init(made).clone()
    }
}

/// The child as a program, built once, so that no test runs against yesterday's.
fn child_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let build = ["build", "--quiet", "-p", "inkan-trust-store", "--example", "nss_child"];
        let status = Command::new(cargo).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(status.success(), "the child does not build");
        // A test's own program stands in <target>/<profile>/deps.
        let own = std::env::current_exe().unwrap();
        own.ancestors().nth(2).unwrap().join("examples/nss_child")
    })
}
