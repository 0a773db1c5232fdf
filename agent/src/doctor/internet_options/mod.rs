//! Windows' Internet Options, of the machine and of each user who is logged on, and the policies over them.
//!
//! Edge, Internet Explorer and everything that is built on Windows' own HTTP obey them, Chrome in part. They are read into
//! plain values here; the checks over these values are pure.

mod proxy;
mod rights;
mod tls;
mod zones;

use std::io;

use inkan_model::checkup::{Check, CheckResult};
use inkan_model::programme::ProgrammeChecks;

pub use self::proxy::EnvironmentProxy;
use self::proxy::ProxyOptions;
pub(super) use self::proxy::covers as proxy_covers;
use self::rights::{BrowserPolicies, PopUpOptions};
pub(super) use self::rights::{allowed_pop_ups, policy_key};
use self::tls::{ProtocolState, SecureProtocols};
pub(super) use self::tls::{SECURE_PROTOCOLS, healthy_protocols};
use self::zones::SiteZone;
pub(super) use self::zones::TRUSTED;
pub(super) use self::zones::key_of as zone_key;
use super::registry::{Hive, KeyPath, Reader, Registry};

/// Internet Options' own key.
pub(super) const INTERNET_SETTINGS: &str = "Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings";
/// The same under policies.
pub(super) const POLICY_SETTINGS: &str = "Software\\Policies\\Microsoft\\Windows\\CurrentVersion\\Internet Settings";

/// Internet Options of one PC.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InternetOptions {
    /// Each user who is logged on.
    pub users: Vec<UserOptions>,
    /// SSL and TLS in Windows' own library, for every program.
    pub schannel: Vec<ProtocolState>,
    /// Browsers that are installed for everybody.
    pub browsers: Vec<inkan_model::programme::Browser>,
    /// What could not be read.
    pub errors: Vec<String>,
}

/// Internet Options of one user, the policies over them included.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UserOptions {
    /// Security identifier.
    pub sid: String,
    /// Log-on name.
    pub name: String,
    /// SSL and TLS versions that are switched on.
    pub protocols: SecureProtocols,
    /// The proxy.
    pub proxy: ProxyOptions,
    /// Sites that were put into a zone.
    pub zones: Vec<SiteZone>,
    /// Internet Explorer's pop-up blocker, which Edge has in its Internet Explorer mode.
    pub pop_ups: PopUpOptions,
    /// Domains whose cookies Internet Options block.
    pub blocked_cookies: Vec<String>,
    /// Policies of Edge and Chrome.
    pub policies: Vec<BrowserPolicies>,
}

impl InternetOptions {
    /// Reads what there is. What cannot be read is told, and the rest is read all the same.
    pub fn read(registry: &dyn Registry) -> Self {
        let mut options = Self::default();
        let reader = Reader { registry };
        let mut errors = Vec::new();
        let mut keep = |what: &str, error: io::Error| errors.push(format!("{what}: {error}"));
        match tls::read_schannel(&reader) {
            Ok(schannel) => options.schannel = schannel,
            Err(error) => keep("Schannel", error),
        }
        match rights::installed(&reader) {
            Ok(browsers) => options.browsers = browsers,
            Err(error) => keep("App Paths", error),
        }
        match list_users(&reader) {
            Ok(sids) => {
                for sid in sids {
                    match UserOptions::read(&reader, &sid) {
                        Ok(user) => options.users.push(user),
                        Err(error) => keep(&sid, error),
                    }
                }
            }
            Err(error) => keep("HKEY_USERS", error),
        }
        options.errors = errors;
        options
    }

    /// Runs the checks over them; those that the programme does not ask for are left out.
    pub fn checks(&self, needs: &ProgrammeChecks) -> Vec<CheckResult> {
        let mut results = self.tls_versions(needs.minimum_tls);
        if !needs.sites.is_empty() || !needs.proxy_exceptions.is_empty() {
            results.extend(self.proxy(needs));
        }
        let asked = [
            (needs.trusted_zone, Check::TrustedZone, Self::trusted_zone as fn(&Self, &ProgrammeChecks) -> _),
            (needs.pop_ups, Check::PopUps, Self::pop_ups),
            (needs.cookies, Check::Cookies, Self::cookies),
        ];
        for (_, name, check) in asked.into_iter().filter(|(asked, ..)| *asked) {
            let found: Vec<CheckResult> =
                if self.users.is_empty() { vec![self.nobody(name)] } else { check(self, needs) };
            results.extend(found);
        }
        results
    }

    /// Options are a user's, so nothing can be told while nobody is logged on.
    fn nobody(&self, name: Check) -> CheckResult {
        match self.errors.first() {
            Some(error) => CheckResult::unknown(
                name,
                format!("インターネットオプションを読み取れません ({error})。"),
                format!("Internet Options cannot be read ({error})."),
            ),
            None => CheckResult::unknown(
                name,
                "だれもサインインしていないので、インターネットオプションを確かめられません。",
                "Nobody is signed in, so Internet Options cannot be looked at.",
            ),
        }
    }
}

impl UserOptions {
    fn read(reader: &Reader<'_>, sid: &str) -> io::Result<Self> {
        Ok(Self {
            sid: sid.to_owned(),
            name: name_of(reader, sid)?,
            protocols: SecureProtocols::read(reader, sid)?,
            proxy: ProxyOptions::read(reader, sid)?,
            zones: zones::read(reader, sid)?,
            pop_ups: PopUpOptions::read(reader, sid)?,
            blocked_cookies: rights::read_blocked_cookies(reader, sid)?,
            policies: rights::read_policies(reader, sid)?,
        })
    }
}

/// People who are logged on: accounts of this PC, of a domain, and of Entra ID.
fn list_users(reader: &Reader<'_>) -> io::Result<Vec<String>> {
    let mut users = reader.registry.list_roots(Hive::Users)?;
    users.retain(|sid| {
        let person = sid.starts_with("S-1-5-21-") || sid.starts_with("S-1-12-1-");
        person && !sid.to_ascii_lowercase().ends_with("_classes")
    });
    users.sort_unstable();
    Ok(users)
}

/// The log-on name; the profile's folder, or the identifier itself, where Windows does not say.
fn name_of(reader: &Reader<'_>, sid: &str) -> io::Result<String> {
    if let Some(name) = reader.text(&KeyPath::user(sid, "Volatile Environment"), "USERNAME")? {
        return Ok(name);
    }
    let profiles = KeyPath::machine("SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList");
    let folder = reader.text(&profiles.below(sid), "ProfileImagePath")?;
    let name = folder.as_deref().and_then(|folder| folder.rsplit(['\\', '/']).next()).map(str::to_owned);
    Ok(name.unwrap_or_else(|| sid.to_owned()))
}

/// Joins words for a list inside a sentence.
fn listed<I: IntoIterator<Item = T>, T: AsRef<str>>(words: I) -> String {
    words.into_iter().map(|word| word.as_ref().to_owned()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
