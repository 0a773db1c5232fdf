//! The proxy: which one, for whom, and which hosts go past it.

use std::io;

use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::locale::Bilingual;
use inkan_model::programme::{Pattern, ProgrammeChecks};

use super::{INTERNET_SETTINGS, InternetOptions, POLICY_SETTINGS, listed};
use crate::doctor::registry::{KeyPath, Reader};

/// A proxy of Internet Options.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProxyOptions {
    /// The proxy that is switched on, as `host:port` or by protocol.
    pub server: Option<String>,
    /// Hosts that go past it.
    pub exceptions: Vec<String>,
    /// Address of a script that chooses.
    pub script: Option<String>,
}

/// The proxy that programs take from their environment, where there are no Internet Options.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EnvironmentProxy {
    /// `https_proxy`.
    pub server: Option<String>,
    /// `no_proxy`.
    pub exceptions: Vec<String>,
}

impl ProxyOptions {
    pub(super) fn read(reader: &Reader<'_>, sid: &str) -> io::Result<Self> {
        let of_machine = reader.number(&KeyPath::machine(POLICY_SETTINGS), "ProxySettingsPerUser")? == Some(0);
        let key = if of_machine { KeyPath::machine(INTERNET_SETTINGS) } else { KeyPath::user(sid, INTERNET_SETTINGS) };
        let on = reader.number(&key, "ProxyEnable")?.is_some_and(|on| on != 0);
        let exceptions = reader.text(&key, "ProxyOverride")?.unwrap_or_default();
        Ok(Self {
            server: reader.text(&key, "ProxyServer")?.filter(|_| on),
            exceptions: split(&exceptions, ';'),
            script: reader.text(&key, "AutoConfigURL")?,
        })
    }
}

impl EnvironmentProxy {
    /// Takes the environment's variables, small letters before capitals.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_uppercase()));
        let exceptions = either("no_proxy").unwrap_or_default();
        Self {
            server: either("https_proxy").or_else(|| either("all_proxy")).filter(|server| !server.is_empty()),
            exceptions: split(&exceptions, ','),
        }
    }

    /// Whether the programme's hosts go where they should.
    pub fn check(&self, needs: &ProgrammeChecks) -> Vec<CheckResult> {
        let Some(server) = &self.server else { return vec![no_proxy()] };
        let covers = |pattern: &str| {
            self.exceptions.iter().any(|exception| {
                let domain = exception.trim_start_matches('*').trim_start_matches('.');
                let host = pattern.trim_start_matches("*.");
                exception == "*" || host == domain || host.ends_with(&format!(".{domain}"))
            })
        };
        let missing = needs.proxy_exceptions.iter().map(Pattern::as_str).filter(|pattern| !covers(pattern));
        let missing = listed(missing);
        if missing.is_empty() {
            return vec![with_proxy("", &hidden(server))];
        }
        vec![CheckResult::unwell(
            Check::Proxy,
            CheckStatus::Soon,
            Bilingual::new(
                format!("プロキシ {} の例外に {missing} がありません。", hidden(server)),
                format!("The proxy {} has no exception for {missing}.", hidden(server)),
            ),
            Bilingual::new(
                format!("環境変数 no_proxy に {missing} を加えてください。"),
                format!("Add {missing} to the environment variable no_proxy."),
            ),
        )]
    }
}

impl InternetOptions {
    pub(super) fn proxy(&self, needs: &ProgrammeChecks) -> Vec<CheckResult> {
        let mut results = Vec::new();
        for user in &self.users {
            let ProxyOptions { server, exceptions, script } = &user.proxy;
            let missing =
                needs.proxy_exceptions.iter().map(Pattern::as_str).filter(|pattern| !covers(exceptions, pattern));
            let missing = listed(missing);
            if let Some(server) = server.as_ref().filter(|_| !missing.is_empty()) {
                results.push(without_exception(&user.name, &hidden(server), &missing));
            } else if let Some(server) = server {
                results.push(with_proxy(&user.name, &hidden(server)));
            }
            if let Some(script) = script {
                results.push(with_script(&user.name, script));
            }
        }
        match (results.is_empty(), self.users.is_empty()) {
            (true, true) => vec![self.nobody(Check::Proxy)],
            (true, false) => vec![no_proxy()],
            (false, _) => results,
        }
    }
}

/// Whether a list of exceptions has this pattern, or one that takes in all its hosts.
pub(in crate::doctor) fn covers(exceptions: &[String], pattern: &str) -> bool {
    let sample = pattern.replace('*', "any");
    exceptions.iter().any(|exception| {
        exception.eq_ignore_ascii_case(pattern) || fits(&exception.to_ascii_lowercase(), &sample.to_ascii_lowercase())
    })
}

/// Whether a text fits a pattern in which `*` stands for anything.
pub(super) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<_> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

fn split(text: &str, by: char) -> Vec<String> {
    text.split(by).map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// A proxy's address without the user and password that may stand in it.
fn hidden(server: &str) -> String {
    match server.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map(|(scheme, _)| format!("{scheme}://")).unwrap_or_default();
            format!("{scheme}{host}")
        }
        None => server.to_owned(),
    }
}

fn no_proxy() -> CheckResult {
    CheckResult::well(Check::Proxy, "プロキシは使われていません。", "No proxy is set.")
}

fn with_proxy(user: &str, server: &str) -> CheckResult {
    let (of, for_) =
        if user.is_empty() { (String::new(), String::new()) } else { (format!("{user} は"), format!(" for {user}")) };
    CheckResult::well(
        Check::Proxy,
        format!("{of}プロキシ {server} を使っています。必要な例外はあります。"),
        format!("The proxy {server} is set{for_}, with the exceptions that are needed."),
    )
}

fn with_script(user: &str, script: &str) -> CheckResult {
    CheckResult::unknown(
        Check::Proxy,
        format!("{user} のプロキシは自動構成スクリプト {script} が決めます。例外はスクリプトの中で決まります。"),
        format!("The script {script} chooses the proxy of {user}, and the exceptions from it."),
    )
}

fn without_exception(user: &str, server: &str, missing: &str) -> CheckResult {
    CheckResult::unwell(
        Check::Proxy,
        CheckStatus::Soon,
        Bilingual::new(
            format!("{user} のプロキシ {server} の例外に {missing} がありません。"),
            format!("The proxy {server} of {user} has no exception for {missing}."),
        ),
        Bilingual::new(
            format!(
                "「インターネットオプション」の「接続」「LAN の設定」「詳細設定」で、例外に {missing} を加えてください (inkan-agent repair proxy-exception でもできます)。"
            ),
            format!(
                "In Internet Options, Connections, LAN settings, Advanced: add {missing} to the exceptions (or run inkan-agent repair proxy-exception)."
            ),
        ),
    )
}
