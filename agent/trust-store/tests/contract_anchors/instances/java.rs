//! The keystore of a Java runtime, made by the real `keytool`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use inkan_trust_store::java::JavaKeystores;
use inkan_trust_store::{Anchor, StoreBackend};

use crate::stage::{Instance, Limits, anchor, have, only_location};

pub(crate) const INSTANCE: Instance = Instance {
    name: "java",
    prepare,
    open: |root| Arc::new(runtimes(root)),
    location: only_location,
    open_read_only: Some(generated),
    damage: None,
    is_shared: false,
    limits: Limits::No,
};

fn keystore(root: &Path) -> PathBuf {
    root.join("jvm/jdk/lib/security/cacerts")
}

fn runtimes(root: &Path) -> JavaKeystores {
    JavaKeystores::of_runtimes_in(vec![root.join("jvm")])
}

/// The distribution makes it anew from the system's anchors.
fn generated(root: &Path) -> Arc<dyn StoreBackend> {
    Arc::new(runtimes(root).with_generated(vec![keystore(root)]))
}

fn prepare(root: &Path, prior: &Anchor) -> bool {
    if !have(&["keytool"]) {
        return false;
    }
    std::fs::create_dir_all(keystore(root).parent().unwrap()).unwrap();
    for (name, anchor) in [("one", prior), ("two", &anchor("Other"))] {
        let file = root.join("prior.der");
        std::fs::write(&file, &anchor.der).unwrap();
        let mut keytool = Command::new("keytool");
        keytool.args([
            "-importcert",
            "-noprompt",
            "-storetype",
            "JKS",
            "-storepass",
            "changeit",
            "-alias",
            name,
            "-file",
        ]);
        let output = keytool.arg(file).arg("-keystore").arg(keystore(root)).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    true
}
