//! The database of Chromium, made by the real `certutil` and changed by the system's NSS.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use inkan_trust_store::files::{User, Users};
use inkan_trust_store::nss::{Child, Installed, Layout, NssDatabases};
use inkan_trust_store::{Anchor, StoreBackend};

use crate::stage::{Instance, Limits, anchor, have, only_location};

/// Where another process finds the program in which NSS works.
pub(crate) const CHILD: &str = "INKAN_CONTRACT_NSS_CHILD";

pub(crate) const INSTANCE: Instance = Instance {
    name: "nss",
    prepare,
    open: |root| {
        let child = Child { program: child_program(), arguments: Vec::new() };
        Arc::new(databases(root).with_changes(child, Installed::default()))
    },
    location: only_location,
    open_read_only: Some(without_changes),
    damage: Some(damage),
    is_shared: false,
    limits: Limits::ByTrust,
};

fn databases(root: &Path) -> NssDatabases {
    let user = User { name: "mika".to_owned(), home: root.join("home") };
    NssDatabases::new(Users::Given(vec![user]), Layout::Linux)
}

fn without_changes(root: &Path) -> Arc<dyn StoreBackend> {
    Arc::new(databases(root))
}

fn certutil(arguments: &[&str]) {
    let output = Command::new("certutil").args(arguments).stdin(std::process::Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn prepare(root: &Path, prior: &Anchor) -> bool {
    if !have(&["certutil"]) {
        return false;
    }
    let folder = root.join("home/.pki/nssdb");
    std::fs::create_dir_all(&folder).unwrap();
    let database = format!("sql:{}", folder.display());
    certutil(&["-N", "-d", &database, "--empty-password"]);
    for (name, anchor) in [("one", prior), ("two", &anchor("Other"))] {
        let file = root.join("prior.der");
        std::fs::write(&file, &anchor.der).unwrap();
        certutil(&["-A", "-d", &database, "-n", name, "-t", "C,,", "-i", file.to_str().unwrap()]);
    }
    true
}

/// A row that is no certificate.
fn damage(root: &Path) {
    let database = rusqlite::Connection::open(root.join("home/.pki/nssdb/cert9.db")).unwrap();
    let row = "INSERT INTO nssPublic (id, a0, a11) VALUES (99, x'00000001', x'3003020101')";
    database.execute_batch(row).unwrap();
}

/// The program, built once, so that no test runs against yesterday's.
pub(crate) fn child_program() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    if let Some(told) = std::env::var_os(CHILD) {
        return told.into();
    }
    let build = || {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let build = ["build", "--quiet", "-p", "inkan-trust-store", "--example", "nss_child"];
        let status = Command::new(cargo).args(build).current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap();
        assert!(status.success(), "the child does not build");
        // A test's own program stands in <target>/<profile>/deps.
        let own = std::env::current_exe().unwrap();
        own.ancestors().nth(2).unwrap().join("examples/nss_child")
    };
    PROGRAM.get_or_init(build).clone()
}
