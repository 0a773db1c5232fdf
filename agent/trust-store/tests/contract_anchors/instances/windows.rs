//! The roots of this machine: the real ones, so the test says that it may before it does.

use std::path::Path;
use std::sync::Arc;

use inkan_model::store::{Location, Scope, StoreKind};
use inkan_trust_store::windows::WindowsStores;
use inkan_trust_store::{Anchor, StoreBackend};

use crate::stage::{Instance, Limits};

/// Allows the tests to change this machine's roots, as under Wine in a prefix of its own.
const ALLOWED: &str = "INKAN_TEST_CHANGES_ROOTS";

pub(crate) const INSTANCE: Instance = Instance {
    name: "windows",
    prepare,
    open: |_root| Arc::new(WindowsStores::default()),
    location: |_store| roots(),
    open_read_only: None,
    damage: None,
    is_shared: true,
    limits: Limits::ByProperty,
};

fn roots() -> Location {
    Location { kind: StoreKind::WindowsStore, scope: Scope::Machine, path: "Root".to_owned() }
}

fn prepare(_root: &Path, prior: &Anchor) -> bool {
    if std::env::var_os(ALLOWED).is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{ALLOWED} is not set, and this is CI");
        eprintln!("SKIPPED: {ALLOWED} is not set, and this machine's roots stay as they are");
        return false;
    }
    let store = WindowsStores::default();
    store.anchors().unwrap().add_anchor(&roots(), prior).unwrap();
    true
}
