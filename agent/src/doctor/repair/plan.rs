//! What a repair would change: pure over what the registry holds, so that it can be shown before it is done.

use std::io;

use inkan_model::programme::{Browser, Pattern, Programme, Site};

use super::{Repair, ValueChange};
use crate::doctor::internet_options::{
    INTERNET_SETTINGS, InternetOptions, POLICY_SETTINGS, SECURE_PROTOCOLS, TRUSTED, UserOptions, allowed_pop_ups,
    healthy_protocols, policy_key, proxy_covers, zone_key,
};
use crate::doctor::registry::{KeyPath, Registry, Value};

/// Numbers that a policy's list may have.
const LIST: std::ops::RangeInclusive<u32> = 1..=999;

/// Why there is nothing that a repair could do.
#[derive(Debug, thiserror::Error)]
pub enum NothingToRepair {
    /// Nobody whose options could be changed is signed in.
    #[error("nobody is signed in{}: Internet Options belong to a user", of_name(name.as_deref()))]
    NoUser {
        /// The user who was asked for.
        name: Option<String>,
    },
    /// The repair is for a programme's sites, and none was named.
    #[error("say which programme the repair is for: --programme")]
    NoProgramme,
    /// A policy says it, and would say it again.
    #[error("a group policy fixes {what}: whoever manages it has to change it")]
    Policy {
        /// Which setting.
        what: &'static str,
    },
    /// The registry cannot be read.
    #[error("could not read the registry")]
    Registry(#[source] io::Error),
}

fn of_name(name: Option<&str>) -> String {
    name.map(|name| format!(" as {name}")).unwrap_or_default()
}

/// What a repair would change for a user who is signed in, or for all of them. Nothing, when all is well already.
pub fn plan(
    repair: Repair,
    programme: Option<&Programme>,
    user: Option<&str>,
    registry: &dyn Registry,
) -> Result<Vec<ValueChange>, NothingToRepair> {
    let options = InternetOptions::read(registry);
    let wanted = |options: &&UserOptions| user.is_none_or(|name| options.name.eq_ignore_ascii_case(name));
    let users: Vec<_> = options.users.iter().filter(wanted).collect();
    if users.is_empty() {
        return Err(NothingToRepair::NoUser { name: user.map(str::to_owned) });
    }
    let programme = match (repair, programme) {
        (Repair::Tls, _) => None,
        (_, Some(programme)) => Some(programme),
        (_, None) => return Err(NothingToRepair::NoProgramme),
    };
    let sites = programme.map(|programme| programme.checks.sites.as_slice()).unwrap_or_default();
    let mut planner = Planner { registry, changes: Vec::new() };
    for user in users {
        match repair {
            Repair::Tls => planner.tls(user)?,
            Repair::TrustedSite => planner.trusted_sites(user, sites)?,
            Repair::ProxyException => {
                let exceptions = programme.map(|programme| programme.checks.proxy_exceptions.as_slice());
                planner.proxy_exceptions(user, exceptions.unwrap_or_default())?;
            }
            Repair::PopUps => planner.pop_ups(user, sites)?,
        }
    }
    if repair == Repair::PopUps {
        for browser in options.browsers.iter().copied() {
            planner.pop_up_policy(browser, sites)?;
        }
    }
    Ok(planner.changes)
}

struct Planner<'r> {
    registry: &'r dyn Registry,
    changes: Vec<ValueChange>,
}

impl Planner<'_> {
    fn find(&self, key: &KeyPath, name: &str) -> Result<Option<Value>, NothingToRepair> {
        self.registry.find(key, name).map_err(NothingToRepair::Registry)
    }

    fn change(&mut self, key: KeyPath, name: &str, after: Value) -> Result<(), NothingToRepair> {
        let before = self.find(&key, name)?;
        let planned = self.changes.iter().any(|change| change.key == key && change.name == name);
        if before.as_ref() != Some(&after) && !planned {
            self.changes.push(ValueChange { key, name: name.to_owned(), before, after: Some(after) });
        }
        Ok(())
    }

    fn tls(&mut self, user: &UserOptions) -> Result<(), NothingToRepair> {
        if user.protocols.by_policy {
            return Err(NothingToRepair::Policy { what: "TLS versions" });
        }
        let key = KeyPath::user(&user.sid, INTERNET_SETTINGS);
        let now = self.find(&key, SECURE_PROTOCOLS)?.and_then(|value| value.as_number());
        match now {
            Some(bits) if bits != healthy_protocols(now) => {
                self.change(key, SECURE_PROTOCOLS, Value::Number(healthy_protocols(now)))
            }
            // Without a value Windows takes its own, which is well.
            Some(_) | None => Ok(()),
        }
    }

    fn trusted_sites(&mut self, user: &UserOptions, sites: &[Site]) -> Result<(), NothingToRepair> {
        for site in sites.iter().filter(|site| !user.trusts_zone_of(site)) {
            self.change(zone_key(&user.sid, site), "https", Value::Number(TRUSTED))?;
        }
        Ok(())
    }

    fn proxy_exceptions(&mut self, user: &UserOptions, wanted: &[Pattern]) -> Result<(), NothingToRepair> {
        if user.proxy.server.is_none() {
            return Ok(());
        }
        let policy = self.find(&KeyPath::machine(POLICY_SETTINGS), "ProxySettingsPerUser")?;
        if policy.and_then(|value| value.as_number()) == Some(0) {
            return Err(NothingToRepair::Policy { what: "the proxy" });
        }
        let missing =
            wanted.iter().map(Pattern::as_str).filter(|pattern| !proxy_covers(&user.proxy.exceptions, pattern));
        let missing: Vec<_> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        let all: Vec<_> = user.proxy.exceptions.iter().map(String::as_str).chain(missing).collect();
        self.change(KeyPath::user(&user.sid, INTERNET_SETTINGS), "ProxyOverride", Value::Text(all.join(";")))
    }

    fn pop_ups(&mut self, user: &UserOptions, sites: &[Site]) -> Result<(), NothingToRepair> {
        for site in sites.iter().filter(|site| !user.pop_ups.allow(site)) {
            // Internet Explorer itself writes four bytes of nothing under the host's name.
            self.change(allowed_pop_ups(&user.sid), site.host(), Value::Bytes(vec![0; 4]))?;
        }
        Ok(())
    }

    /// Adds the sites to the list of a browser's policy, under numbers that are free.
    fn pop_up_policy(&mut self, browser: Browser, sites: &[Site]) -> Result<(), NothingToRepair> {
        let Some(key) = policy_key(browser) else { return Ok(()) };
        let key = KeyPath::machine(key).below("PopupsAllowedForUrls");
        let listed = self.registry.list_values(&key).map_err(NothingToRepair::Registry)?;
        let mut free =
            LIST.map(|number| number.to_string()).filter(|number| listed.iter().all(|(name, _)| name != number));
        for site in sites {
            let address = site.to_string();
            let known = listed.iter().any(|(_, value)| value.as_text() == Some(address.as_str()));
            if !known && let Some(number) = free.next() {
                self.change(key.clone(), &number, Value::Text(address))?;
            }
        }
        Ok(())
    }
}
