//! What the layout of the workspace promises, checked: who may depend on whom, what the core must never see, how long a
//! file may be, which words must not get into the tree.
//!
//! The table of arrows is the one in `ARCHITECTURE.md`. It is written down here once more on purpose: a new arrow has to
//! be wanted in two places.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod tree;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::Command;

use serde_json::Value;

/// Who may depend on whom. `tests` and everybody's dev-dependencies of [`DEV_ARROWS`] come on top.
const ARROWS: &[(&str, &[&str])] = &[
    ("inkan-model", &[]),
    ("inkan-wire", &["inkan-model"]),
    ("inkan-trust", &["inkan-model"]),
    ("inkan-issuance", &["inkan-model"]),
    ("inkan-core", &["inkan-model", "inkan-trust", "inkan-issuance"]),
    ("inkan-db", &["inkan-core", "inkan-model"]),
    ("inkan-dashboard", &["inkan-core", "inkan-model"]),
    ("inkan-trust-store", &["inkan-model"]),
    ("inkan-installer", &["inkan-trust-store"]),
    ("inkan-agent", &["inkan-trust-store", "inkan-trust", "inkan-issuance", "inkan-wire", "inkan-model"]),
    (
        "inkan-server",
        &["inkan-core", "inkan-dashboard", "inkan-db", "inkan-issuance", "inkan-model", "inkan-trust", "inkan-wire"],
    ),
    ("inkan-cli", &["inkan-model"]),
];

/// The crate that may depend on all others.
const TESTS: &str = "inkan-tests";

/// What tests beside the code may use in addition: pages are tested over a real database, and everything that handles
/// certificates may have some issued.
const DEV_ARROWS: &[(&str, &[&str])] = &[
    ("inkan-core", &["inkan-db"]),
    ("inkan-dashboard", &["inkan-db", "inkan-issuance"]),
    ("inkan-db", &["inkan-db", "inkan-issuance"]),
    ("inkan-trust-store", &["inkan-issuance"]),
];

/// What must not be reachable from the core and from the model by any chain of normal dependencies.
const BENEATH: &[(&str, &[&str])] = &[
    ("inkan-core", &["axum", "hyper", "prost", "sqlx", "tonic"]),
    ("inkan-model", &["axum", "prost", "sqlx", "tokio", "tonic"]),
    ("inkan-trust", &["axum", "prost", "sqlx", "tokio", "tonic"]),
];

#[test]
fn every_arrow_between_our_crates_is_an_allowed_one() {
    let workspace = Workspace::read();
    let mut wrong = Vec::new();
    for (krate, to, dev) in workspace.arrows() {
        if krate == TESTS {
            continue;
        }
        let named = |table: &[(&str, &[&str])]| {
            table.iter().any(|(from, allowed)| *from == krate && allowed.contains(&to.as_str()))
        };
        let allowed = named(ARROWS) || (dev && named(DEV_ARROWS));
        if !allowed {
            wrong.push(format!("{krate} → {to}{}", if dev { " (dev-dependency)" } else { "" }));
        }
    }
    assert!(wrong.is_empty(), "arrows that the table does not allow: {wrong:#?}");
}

#[test]
fn every_crate_of_the_workspace_is_in_the_table() {
    let ours: BTreeSet<String> = Workspace::read().ours().into_iter().collect();
    let table: BTreeSet<String> = ARROWS.iter().map(|(krate, _)| *krate).chain([TESTS]).map(str::to_owned).collect();
    assert_eq!(ours, table);
}

#[test]
fn the_core_sees_no_listener_no_wire_and_no_database() {
    let workspace = Workspace::read();
    for (krate, forbidden) in BENEATH {
        let reachable = workspace.reachable(krate);
        let seen: Vec<_> = forbidden.iter().filter(|name| reachable.contains(**name)).collect();
        assert!(seen.is_empty(), "{krate} depends, directly or through others, on {seen:?}");
    }
}

#[test]
fn only_the_assembly_of_the_server_names_a_database() {
    let naming = tree::sources()
        .filter(|file| file.path.starts_with("server/src") && file.path != *"server/src/assemble.rs")
        // Tests of a listener need some database, and say which.
        .filter(|file| !file.path.components().any(|part| part.as_os_str() == "tests"))
        .filter(|file| file.text.contains("SqliteDatabase") || file.text.contains("PostgresDatabase"));
    let naming: Vec<_> = naming.map(|file| file.path).collect();
    assert!(naming.is_empty(), "only server/src/assemble.rs says which database it is: {naming:?}");
}

/// What cargo says about the workspace.
struct Workspace {
    metadata: Value,
}

impl Workspace {
    fn read() -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .current_dir(tree::root())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        Self { metadata: serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON") }
    }

    fn packages(&self) -> &[Value] {
        self.metadata["packages"].as_array().expect("packages")
    }

    fn ours(&self) -> Vec<String> {
        let members: BTreeSet<&str> = texts(&self.metadata["workspace_members"]).collect();
        let ours = self.packages().iter().filter(|package| members.contains(text(&package["id"])));
        ours.map(|package| text(&package["name"]).to_owned()).collect()
    }

    /// Each dependency between our crates: from, to, and whether only tests use it.
    fn arrows(&self) -> Vec<(String, String, bool)> {
        let ours: BTreeSet<String> = self.ours().into_iter().collect();
        let mut arrows = Vec::new();
        for package in self.packages().iter().filter(|package| ours.contains(text(&package["name"]))) {
            for dependency in package["dependencies"].as_array().expect("dependencies") {
                let to = text(&dependency["name"]);
                if ours.contains(to) {
                    let dev = dependency["kind"].as_str() == Some("dev");
                    arrows.push((text(&package["name"]).to_owned(), to.to_owned(), dev));
                }
            }
        }
        arrows
    }

    /// The names of all that a crate depends on when it is built, directly or through others.
    fn reachable(&self, krate: &str) -> BTreeSet<String> {
        let names: HashMap<&str, &str> =
            self.packages().iter().map(|package| (text(&package["id"]), text(&package["name"]))).collect();
        let nodes: BTreeMap<&str, &Value> = self.metadata["resolve"]["nodes"]
            .as_array()
            .expect("nodes")
            .iter()
            .map(|node| (text(&node["id"]), node))
            .collect();
        let start = *names.iter().find(|(_, name)| **name == krate).expect("the crate is in the workspace").0;
        let (mut seen, mut left) = (BTreeSet::from([start]), vec![start]);
        while let Some(id) = left.pop() {
            for dependency in nodes[id]["deps"].as_array().expect("deps") {
                let normal = |kind: &Value| kind["kind"].is_null();
                let to = text(&dependency["pkg"]);
                if dependency["dep_kinds"].as_array().expect("kinds").iter().any(normal) && seen.insert(to) {
                    left.push(to);
                }
            }
        }
        seen.remove(start);
        seen.into_iter().map(|id| names[id].to_owned()).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().expect("a list").iter().map(text)
}
