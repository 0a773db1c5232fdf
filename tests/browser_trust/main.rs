//! Whether the real browsers trust what the agent says that they do: a page on this machine, whose certificate comes from a
//! root that nobody knows, is blocked; the agent's program adds the root, and it loads; takes it away, and it is blocked.
//!
//! A page counts as loaded when the browser's request arrives, which it does only after the browser has accepted the
//! certificate. It counts as blocked only when the browser came and turned away, so that a browser which never came does not pass.
#![cfg(target_os = "linux")]

mod browsers;
mod site;

use anyhow::{Context as _, Result, ensure};
use inkan_model::EntryProperties;
use inkan_model::store::Location;
use inkan_tests::programs::Programs;
use inkan_trust_store::files::{User, Users};
use inkan_trust_store::nss::{CHILD_COMMAND, Child, Installed, Layout, NssDatabases};
use inkan_trust_store::{Anchor, Changed, StoreBackend as _};

use crate::browsers::{Browser, have};
use crate::site::{Site, Visit};

/// The databases below one home directory, changed by the agent's own program.
fn databases(home: &std::path::Path) -> Result<NssDatabases> {
    let user = User { name: "mika".to_owned(), home: home.to_owned() };
    let child = Child { program: Programs::find()?.agent(), arguments: vec![CHILD_COMMAND.into()] };
    Ok(NssDatabases::new(Users::Given(vec![user]), Layout::Linux).with_changes(child, Installed::default()))
}

fn only_location(databases: &NssDatabases) -> Result<Location> {
    let mut found = databases.discover();
    ensure!(found.len() == 1, "{found:?}");
    found.pop().context("no database")
}

fn trust_comes_and_goes(browser: Browser) -> Result<()> {
    if !have(browser.needs())? {
        return Ok(());
    }
    let home = tempfile::tempdir().context("could not make a home directory")?;
    browser.prepare(home.path())?;
    let site = Site::start()?;
    let visit = |path: &str| browser.visit(home.path(), &site, path);
    ensure!(visit("/before")? == Visit::TurnedAway, "the page loaded before its root was trusted");

    let databases = databases(home.path())?;
    let location = only_location(&databases)?;
    let anchors = databases.anchors().context("no anchors")?;
    let root = Anchor {
        der: site.root().to_vec(),
        name: Some("Root of a test".to_owned()),
        properties: EntryProperties::default(),
    };
    change(anchors.add_anchor(&location, &root))?;
    ensure!(visit("/trusted")? == Visit::Loaded, "the page did not load although its root was added");
    ensure!(anchors.add_anchor(&location, &root)? == Changed::AlreadySo, "the browser changed the trust");

    change(anchors.remove_anchor(&location, root.fingerprint()))?;
    ensure!(visit("/after")? == Visit::TurnedAway, "the page loaded although its root was removed");
    Ok(())
}

fn change(changed: Result<Changed, inkan_trust_store::ChangeError>) -> Result<()> {
    let changed = changed?;
    ensure!(changed == Changed::Done, "{changed:?}");
    Ok(())
}

#[test]
fn firefox_loads_a_page_for_as_long_as_its_root_is_there() -> Result<()> {
    trust_comes_and_goes(Browser::Firefox)
}

#[test]
fn chromium_loads_a_page_for_as_long_as_its_root_is_there() -> Result<()> {
    trust_comes_and_goes(Browser::Chromium)
}

/// Older programs have left trust in another shape in many profiles; Firefox honours it, so it has to go as well.
#[test]
fn firefox_does_not_load_a_page_by_trust_that_an_older_program_has_written() -> Result<()> {
    if !have(&["firefox-esr", "certutil"])? {
        return Ok(());
    }
    let browser = Browser::Firefox;
    let home = tempfile::tempdir().context("could not make a home directory")?;
    let site = Site::start()?;
    let visit = |path: &str| browser.visit(home.path(), &site, path);
    ensure!(visit("/before")? == Visit::TurnedAway, "the page loaded before its root was trusted");
    let databases = databases(home.path())?;
    let location = only_location(&databases)?;
    browsers::add_with_certutil(home.path(), location.path.as_ref(), site.root())?;
    ensure!(visit("/old-trust")? == Visit::Loaded, "Firefox passes over trust in the old shape");
    let root = inkan_model::Fingerprint::of(site.root());
    change(databases.anchors().context("no anchors")?.remove_anchor(&location, root))?;
    ensure!(visit("/after")? == Visit::TurnedAway, "the page loaded although its root was removed");
    Ok(())
}

#[test]
fn a_firefox_that_runs_meanwhile_sees_the_root_after_it_was_started_again() -> Result<()> {
    let browser = Browser::Firefox;
    if !have(browser.needs())? {
        return Ok(());
    }
    let home = tempfile::tempdir().context("could not make a home directory")?;
    let site = Site::start()?;
    let running = browser.stay(home.path(), &site, "/before")?;
    ensure!(site.visit("/before") == Visit::TurnedAway, "the page loaded before its root was trusted");
    let databases = databases(home.path())?;
    let root = Anchor { der: site.root().to_vec(), name: None, properties: EntryProperties::default() };
    let changed = databases.anchors().context("no anchors")?.add_anchor(&only_location(&databases)?, &root)?;
    ensure!(changed == Changed::AfterRestart { application: "Firefox".to_owned() }, "{changed:?}");
    running.end()?;
    ensure!(browser.visit(home.path(), &site, "/after")? == Visit::Loaded, "the page did not load");
    Ok(())
}
