//! The anchors of a Linux system, with Debian's real `update-ca-certificates` below a folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use inkan_trust_store::linux::LocalAnchors;
use inkan_trust_store::{Anchor, StoreBackend};

use crate::stage::{Instance, Limits, anchor, have, only_location};

const PROGRAM: &str = "/usr/sbin/update-ca-certificates";
const FOLDER: &str = "usr/local/share/ca-certificates";

pub(crate) const INSTANCE: Instance = Instance {
    name: "linux",
    prepare,
    open: |root| Arc::new(LocalAnchors::below(root).with_program(PathBuf::from(PROGRAM), arguments(root))),
    location: only_location,
    // There is no program below the folder that could make the bundle.
    open_read_only: Some(without_program),
    damage: Some(damage),
    is_shared: false,
    limits: Limits::No,
};

fn without_program(root: &Path) -> Arc<dyn StoreBackend> {
    Arc::new(LocalAnchors::below(root))
}

fn arguments(root: &Path) -> Vec<OsString> {
    let arguments = [
        ("--certsconf", "etc/ca-certificates.conf"),
        ("--certsdir", "usr/share/ca-certificates"),
        ("--localcertsdir", FOLDER),
        ("--etccertsdir", "etc/ssl/certs"),
        ("--hooksdir", "hooks"),
    ];
    let with_path = |(option, path): (&str, &str)| [option.into(), root.join(path).into_os_string()];
    arguments.into_iter().flat_map(with_path).collect()
}

fn pem_of(anchor: &Anchor) -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", anchor.der.as_slice()))
}

fn prepare(root: &Path, prior: &Anchor) -> bool {
    if !have(&["update-ca-certificates"]) {
        return false;
    }
    for folder in [FOLDER, "etc/ssl/certs", "hooks", "usr/share/ca-certificates"] {
        std::fs::create_dir_all(root.join(folder)).unwrap();
    }
    std::fs::write(root.join("usr/share/ca-certificates/own.crt"), pem_of(&anchor("Distribution"))).unwrap();
    std::fs::write(root.join("etc/ca-certificates.conf"), "own.crt\n").unwrap();
    for (name, anchor) in [("one.crt", prior), ("two.crt", &anchor("Other"))] {
        std::fs::write(root.join(FOLDER).join(name), pem_of(anchor)).unwrap();
    }
    Command::new(PROGRAM).args(arguments(root)).output().unwrap().status.success()
}

fn damage(root: &Path) {
    std::fs::write(
        root.join(FOLDER).join("broken.crt"),
        "-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
}
