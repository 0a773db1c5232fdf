//! What a site may do in a browser: open windows, keep cookies.
//!
//! Internet Options say it for Internet Explorer and for Edge's mode of that name; policies say it for Edge and Chrome.
//! What a person chose inside Edge or Chrome is in files of theirs that are not read: then it cannot be told.

use std::io;

use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::locale::Bilingual;
use inkan_model::programme::{Browser, ProgrammeChecks, Site};

use super::{INTERNET_SETTINGS, InternetOptions, UserOptions, listed};
use crate::doctor::registry::{KeyPath, Reader, Value};

const NEW_WINDOWS: &str = "Software\\Microsoft\\Internet Explorer\\New Windows";
/// The value by which the blocker is switched.
const POP_UP_BLOCKER: &str = "PopupMgr";
const ALLOWED: &str = "Allow";
const COOKIES: &str = "P3P\\History";
/// The value that blocks a domain's cookies.
const BLOCKED: u32 = 5;
const APP_PATHS: &str = "SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\App Paths";
/// Content settings of Chromium's policies.
const ALLOW: u32 = 1;
const BLOCK: u32 = 2;

/// Internet Explorer's pop-up blocker.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PopUpOptions {
    /// Whether it is switched off.
    pub off: bool,
    /// Hosts that may open windows all the same.
    pub allowed: Vec<String>,
}

/// What policies say of one browser for one user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrowserPolicies {
    /// Which browser.
    pub browser: Browser,
    /// Pop-ups.
    pub pop_ups: SitePolicy,
    /// Cookies.
    pub cookies: SitePolicy,
}

/// What policies say of one right.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SitePolicy {
    default: Option<u32>,
    allowed: Vec<String>,
    blocked: Vec<String>,
}

/// What policies say of one right of one site.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Right {
    Allowed,
    Blocked,
    /// No policy says anything.
    Unsaid,
}

/// The key of a browser's policies, below a hive.
pub(in crate::doctor) const fn policy_key(browser: Browser) -> Option<&'static str> {
    match browser {
        Browser::Chrome => Some("Software\\Policies\\Google\\Chrome"),
        Browser::Edge => Some("Software\\Policies\\Microsoft\\Edge"),
        Browser::Chromium | Browser::Firefox | Browser::InternetExplorer | Browser::Safari => None,
    }
}

/// The key of the hosts that may open windows in Internet Explorer.
pub(in crate::doctor) fn allowed_pop_ups(sid: &str) -> KeyPath {
    KeyPath::user(sid, NEW_WINDOWS).below(ALLOWED)
}

impl PopUpOptions {
    pub(super) fn read(reader: &Reader<'_>, sid: &str) -> io::Result<Self> {
        let blocker = reader.registry.find(&KeyPath::user(sid, NEW_WINDOWS), POP_UP_BLOCKER)?;
        let off = match blocker {
            Some(Value::Text(text)) => text.eq_ignore_ascii_case("no") || text.trim() == "0",
            Some(value) => value.as_number() == Some(0),
            None => false,
        };
        let allowed = reader.registry.list_values(&allowed_pop_ups(sid))?;
        Ok(Self { off, allowed: allowed.into_iter().map(|(host, _)| host.to_ascii_lowercase()).collect() })
    }

    pub(in crate::doctor) fn allow(&self, site: &Site) -> bool {
        let named =
            |host: &String| host.strip_prefix("*.").map_or(site.host() == host, |domain| site.host().ends_with(domain));
        self.off || self.allowed.iter().any(named)
    }
}

/// Domains whose cookies a user blocked by name.
pub(super) fn read_blocked_cookies(reader: &Reader<'_>, sid: &str) -> io::Result<Vec<String>> {
    let history = KeyPath::user(sid, INTERNET_SETTINGS).below(COOKIES);
    let mut blocked = Vec::new();
    for domain in reader.registry.list_keys(&history)? {
        if reader.number(&history.below(&domain), "")? == Some(BLOCKED) {
            blocked.push(domain.to_ascii_lowercase());
        }
    }
    Ok(blocked)
}

pub(super) fn read_policies(reader: &Reader<'_>, sid: &str) -> io::Result<Vec<BrowserPolicies>> {
    let mut policies = Vec::new();
    for browser in Browser::ALL {
        let Some(path) = policy_key(browser) else { continue };
        let keys = [KeyPath::machine(path), KeyPath::user(sid, path)];
        policies.push(BrowserPolicies {
            browser,
            pop_ups: SitePolicy::read(reader, &keys, "Popups")?,
            cookies: SitePolicy::read(reader, &keys, "Cookies")?,
        });
    }
    Ok(policies)
}

impl SitePolicy {
    /// The machine's policy stands before the user's; lists of both count.
    fn read(reader: &Reader<'_>, keys: &[KeyPath], right: &str) -> io::Result<Self> {
        let mut policy = Self::default();
        for key in keys {
            if policy.default.is_none() {
                policy.default = reader.number(key, &format!("Default{right}Setting"))?;
            }
            policy.allowed.extend(reader.texts(&key.below(&format!("{right}AllowedForUrls")))?);
            policy.blocked.extend(reader.texts(&key.below(&format!("{right}BlockedForUrls")))?);
        }
        Ok(policy)
    }

    fn right_of(&self, site: &Site) -> Right {
        let names = |patterns: &[String]| patterns.iter().any(|pattern| names(pattern, site));
        match self.default {
            _ if names(&self.blocked) => Right::Blocked,
            _ if names(&self.allowed) => Right::Allowed,
            Some(BLOCK) => Right::Blocked,
            Some(ALLOW) => Right::Allowed,
            Some(_) | None => Right::Unsaid,
        }
    }
}

/// Whether a pattern of Chromium's policies names a site: `*`, `[*.]example.jp`, `https://www.example.jp:443`.
fn names(pattern: &str, site: &Site) -> bool {
    let pattern = pattern.trim().to_ascii_lowercase();
    let (scheme, rest) = pattern.split_once("://").unwrap_or(("*", &pattern));
    let address = rest.split('/').next().unwrap_or_default();
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if port == "*" || port.parse::<u16>().is_ok() => (host, Some(port)),
        _ => (address, None),
    };
    let port_fits = port.is_none_or(|port| port == "*" || port == site.port().to_string());
    let host_fits = match host.strip_prefix("[*.]") {
        Some(domain) => site.host() == domain || site.host().ends_with(&format!(".{domain}")),
        None => host == "*" || host == site.host(),
    };
    matches!(scheme, "*" | "https") && port_fits && host_fits
}

/// Browsers that are installed for everybody.
pub(super) fn installed(reader: &Reader<'_>) -> io::Result<Vec<Browser>> {
    let programs = [
        (Browser::Chrome, "chrome.exe"),
        (Browser::Edge, "msedge.exe"),
        (Browser::Firefox, "firefox.exe"),
        (Browser::InternetExplorer, "iexplore.exe"),
    ];
    let mut found = Vec::new();
    for (browser, program) in programs {
        if reader.text(&KeyPath::machine(APP_PATHS).below(program), "")?.is_some() {
            found.push(browser);
        }
    }
    Ok(found)
}

impl InternetOptions {
    fn has(&self, browser: Browser) -> bool {
        self.browsers.contains(&browser)
    }

    pub(super) fn pop_ups(&self, needs: &ProgrammeChecks) -> Vec<CheckResult> {
        let name = Check::PopUps;
        let mut results = Vec::new();
        for user in &self.users {
            for site in &needs.sites {
                let (blocked, unsaid) = self.split(user, |policies| policies.pop_ups.right_of(site));
                if !blocked.is_empty() {
                    results.push(blocked_pop_ups(user, site, &blocked));
                }
                if self.has(Browser::InternetExplorer) && !user.pop_ups.allow(site) {
                    results.push(blocked_by_explorer(user, site));
                }
                if !unsaid.is_empty() {
                    results.push(unsaid_pop_ups(user, site, &unsaid));
                }
            }
        }
        if results.is_empty() {
            results.push(CheckResult::well(name, "ポップアップは許可されています。", "Pop-ups are allowed."));
        }
        results
    }

    pub(super) fn cookies(&self, needs: &ProgrammeChecks) -> Vec<CheckResult> {
        let name = Check::Cookies;
        let mut results = Vec::new();
        for user in &self.users {
            for site in &needs.sites {
                let (mut blocked, _) = self.split(user, |policies| policies.cookies.right_of(site));
                let by_name = |domain: &String| site.host() == domain || site.host().ends_with(&format!(".{domain}"));
                if self.has(Browser::InternetExplorer) && user.blocked_cookies.iter().any(by_name) {
                    blocked.push(Browser::InternetExplorer.product());
                }
                if !blocked.is_empty() {
                    results.push(blocked_cookies(user, site, &blocked));
                }
            }
        }
        if results.is_empty() {
            let ja = "Cookie を禁じるポリシーや設定はありません。";
            results.push(CheckResult::well(name, ja, "No policy or option forbids cookies."));
        }
        results
    }

    /// Browsers on this PC that block, and those of which no policy says anything.
    fn split(
        &self,
        user: &UserOptions,
        right: impl Fn(&BrowserPolicies) -> Right,
    ) -> (Vec<&'static str>, Vec<&'static str>) {
        let of = |wanted: Right| {
            let here = user.policies.iter().filter(|policies| self.has(policies.browser) && right(policies) == wanted);
            here.map(|policies| policies.browser.product()).collect()
        };
        (of(Right::Blocked), of(Right::Unsaid))
    }
}

fn blocked_pop_ups(user: &UserOptions, site: &Site, browsers: &[&str]) -> CheckResult {
    let (user, browsers) = (&user.name, listed(browsers));
    CheckResult::unwell(
        Check::PopUps,
        CheckStatus::Now,
        Bilingual::new(
            format!("{user}: {browsers} のポリシーが {site} のポップアップを禁じています。"),
            format!("{user}: a policy of {browsers} forbids pop-ups of {site}."),
        ),
        Bilingual::new(
            format!(
                "ポリシー PopupsAllowedForUrls に {site} を加えてください (inkan-agent repair pop-ups でもできます)。"
            ),
            format!("Add {site} to the policy PopupsAllowedForUrls (or run inkan-agent repair pop-ups)."),
        ),
    )
}

fn blocked_by_explorer(user: &UserOptions, site: &Site) -> CheckResult {
    let user = &user.name;
    CheckResult::unwell(
        Check::PopUps,
        CheckStatus::Soon,
        Bilingual::new(
            format!("{user}: Internet Explorer (Edge の IE モード) は {site} のポップアップを止めます。"),
            format!("{user}: Internet Explorer (and Edge’s mode of that name) blocks pop-ups of {site}."),
        ),
        Bilingual::new(
            format!(
                "「インターネットオプション」の「プライバシー」「ポップアップブロック」の「設定」で {} を許可してください (inkan-agent repair pop-ups でもできます)。",
                site.host()
            ),
            format!(
                "In Internet Options, Privacy, Pop-up Blocker, Settings: allow {} (or run inkan-agent repair pop-ups).",
                site.host()
            ),
        ),
    )
}

fn unsaid_pop_ups(user: &UserOptions, site: &Site, browsers: &[&str]) -> CheckResult {
    let (user, browsers) = (&user.name, listed(browsers));
    CheckResult::unwell(
        Check::PopUps,
        CheckStatus::Unknown,
        Bilingual::new(
            format!("{user}: {browsers} で {site} のポップアップが許可されているかは分かりません。"),
            format!("{user}: it cannot be told whether {browsers} lets {site} open windows."),
        ),
        Bilingual::new(
            format!(
                "ブラウザの設定「ポップアップとリダイレクト」の「許可」に {site} を加えてください (inkan-agent repair pop-ups でもできます)。"
            ),
            format!(
                "In the browser’s settings, Pop-ups and redirects, Allow: add {site} (or run inkan-agent repair pop-ups)."
            ),
        ),
    )
}

fn blocked_cookies(user: &UserOptions, site: &Site, browsers: &[&str]) -> CheckResult {
    let (user, browsers) = (&user.name, listed(browsers));
    CheckResult::unwell(
        Check::Cookies,
        CheckStatus::Now,
        Bilingual::new(
            format!("{user}: {browsers} は {site} の Cookie を禁じています。"),
            format!("{user}: {browsers} forbids cookies of {site}."),
        ),
        Bilingual::new(
            format!("{browsers} の設定かポリシーで {site} の Cookie を許可してください。"),
            format!("Allow cookies of {site} in the settings or policies of {browsers}."),
        ),
    )
}
