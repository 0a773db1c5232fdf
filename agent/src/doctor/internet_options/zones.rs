//! The trusted zone: sites that a person or a policy put there.

use std::io;

use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::locale::Bilingual;
use inkan_model::programme::{ProgrammeChecks, Site};

use super::{INTERNET_SETTINGS, InternetOptions, POLICY_SETTINGS, UserOptions, listed};
use crate::doctor::registry::{KeyPath, Reader};

/// The number of the trusted zone.
pub(in crate::doctor) const TRUSTED: u32 = 2;
const DOMAINS: &str = "ZoneMap\\Domains";
/// Sites that a policy puts into zones, as values named by address.
const POLICY_LIST: &str = "ZoneMapKey";
/// Domains of one user that are looked at.
const MOST: usize = 2_000;
/// Second-level names under which Japan gives out domains, so that `example.co.jp` is one.
const JAPANESE: [&str; 9] = ["ac", "ad", "co", "ed", "go", "gr", "lg", "ne", "or"];

/// A site in a zone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SiteZone {
    /// `https`, `http` or `*`.
    pub scheme: String,
    /// The host.
    pub host: String,
    /// Whether hosts below it are meant, too.
    pub below: bool,
    /// The zone's number.
    pub zone: u32,
}

impl SiteZone {
    fn covers(&self, site: &Site) -> bool {
        let host = site.host();
        let same = host == self.host || (self.below && host.ends_with(&format!(".{}", self.host)));
        same && matches!(self.scheme.as_str(), "https" | "*")
    }
}

/// Reads the zones of one user, and those that count for everybody.
pub(super) fn read(reader: &Reader<'_>, sid: &str) -> io::Result<Vec<SiteZone>> {
    let mut sites = Vec::new();
    for policy in [KeyPath::machine(POLICY_SETTINGS), KeyPath::user(sid, POLICY_SETTINGS)] {
        for (address, zone) in reader.registry.list_values(&policy.below(POLICY_LIST))? {
            sites.extend(zone.as_number().and_then(|zone| of_policy(&address, zone)));
        }
    }
    for settings in [KeyPath::user(sid, INTERNET_SETTINGS), KeyPath::machine(INTERNET_SETTINGS)] {
        let domains = settings.below(DOMAINS);
        for domain in reader.registry.list_keys(&domains)?.into_iter().take(MOST) {
            let key = domains.below(&domain);
            // A domain without a name before it stands for every host in it.
            sites.extend(of_key(reader, &key, &domain, true)?);
            for host in reader.registry.list_keys(&key)?.into_iter().take(MOST) {
                sites.extend(of_key(reader, &key.below(&host), &format!("{host}.{domain}"), false)?);
            }
        }
    }
    Ok(sites)
}

fn of_key(reader: &Reader<'_>, key: &KeyPath, host: &str, below: bool) -> io::Result<Vec<SiteZone>> {
    let site = |(scheme, zone): (String, crate::doctor::registry::Value)| {
        let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
        zone.as_number().map(|zone| SiteZone { scheme, host, below, zone })
    };
    Ok(reader.registry.list_values(key)?.into_iter().filter_map(site).collect())
}

fn of_policy(address: &str, zone: u32) -> Option<SiteZone> {
    let (scheme, host) = address.split_once("://").unwrap_or(("*", address));
    let host = host.split('/').next()?.to_ascii_lowercase();
    let (host, below) = host.strip_prefix("*.").map_or((host.as_str(), false), |host| (host, true));
    (!host.is_empty()).then(|| SiteZone { scheme: scheme.to_ascii_lowercase(), host: host.to_owned(), below, zone })
}

/// The key below a user's settings in which a site's zone stands: by domain, then by what comes before it.
pub(in crate::doctor) fn key_of(sid: &str, site: &Site) -> KeyPath {
    let labels: Vec<_> = site.host().split('.').collect();
    let japanese = matches!(labels.as_slice(), [.., second, "jp"] if JAPANESE.contains(second));
    let (host, domain) = labels.split_at(labels.len().saturating_sub(if japanese { 3 } else { 2 }));
    let domains = KeyPath::user(sid, INTERNET_SETTINGS).below(DOMAINS).below(&domain.join("."));
    if host.is_empty() { domains } else { domains.below(&host.join(".")) }
}

impl UserOptions {
    /// Whether a site is in the trusted zone. A policy stands before a user's own choice.
    pub(in crate::doctor) fn trusts_zone_of(&self, site: &Site) -> bool {
        self.zones.iter().find(|zone| zone.covers(site)).is_some_and(|zone| zone.zone == TRUSTED)
    }
}

impl InternetOptions {
    pub(super) fn trusted_zone(&self, needs: &ProgrammeChecks) -> Vec<CheckResult> {
        let name = Check::TrustedZone;
        let outside = |user: &UserOptions| {
            let sites = needs.sites.iter().filter(|site| !user.trusts_zone_of(site)).map(ToString::to_string);
            let sites = listed(sites);
            (!sites.is_empty()).then(|| without(&user.name, &sites))
        };
        let results: Vec<_> = self.users.iter().filter_map(outside).collect();
        if results.is_empty() {
            return vec![CheckResult::well(name, "信頼済みサイトに登録されています。", "The sites are trusted sites.")];
        }
        results
    }
}

fn without(user: &str, sites: &str) -> CheckResult {
    CheckResult::unwell(
        Check::TrustedZone,
        CheckStatus::Soon,
        Bilingual::new(
            format!("{user} の「信頼済みサイト」に {sites} がありません。"),
            format!("{sites} is not among the trusted sites of {user}."),
        ),
        Bilingual::new(
            format!(
                "「インターネットオプション」の「セキュリティ」「信頼済みサイト」に {sites} を加えてください (inkan-agent repair trusted-site でもできます)。"
            ),
            format!(
                "In Internet Options, Security, Trusted sites: add {sites} (or run inkan-agent repair trusted-site)."
            ),
        ),
    )
}
