//! The store in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use inkan_model::store::{ReadError, ReadErrorKind};
use inkan_trust_store::fake::FakeStore;
use inkan_trust_store::{Anchor, AnchorStore as _, StoreBackend};

use crate::stage::{Instance, Limits, anchor, only_location};

/// Below each folder one store, whoever opens it.
static STORES: LazyLock<Mutex<BTreeMap<PathBuf, Arc<FakeStore>>>> = LazyLock::new(Mutex::default);

pub(crate) const INSTANCE: Instance = Instance {
    name: "fake",
    prepare,
    open: |root| store(root),
    location: only_location,
    open_read_only: Some(read_only),
    damage: Some(damage),
    is_shared: false,
    limits: Limits::ByProperty,
};

fn store(root: &Path) -> Arc<FakeStore> {
    Arc::clone(&STORES.lock().unwrap()[root])
}

fn prepare(root: &Path, prior: &Anchor) -> bool {
    let (store, location) = FakeStore::at("/fake");
    store.add_anchor(&location, prior).unwrap();
    store.add_anchor(&location, &anchor("Other")).unwrap();
    STORES.lock().unwrap().insert(root.to_path_buf(), Arc::new(store));
    true
}

fn read_only(root: &Path) -> Arc<dyn StoreBackend> {
    let store = store(root);
    store.refuse_changes(Some("it was told to"));
    store
}

fn damage(root: &Path) {
    let (kind, item, detail) = (ReadErrorKind::Malformed, "part".to_owned(), "it was told to".to_owned());
    store(root).fail_reads_with(vec![ReadError { kind, item, detail }]);
}
