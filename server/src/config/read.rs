//! From texts to a valid [`Config`].

use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat};
use time::Duration;

use super::raw::{RawAgents, RawConfig, RawDatabase, RawEnrolment, RawProbe, RawRenewal, RawWeb, RawWebTls};
use super::values::is_dns_name;
use super::{AgentsConfig, Config, EnrolmentConfig, LogFormat, ProbeConfig, PublicNames, PublicUrl, WebConfig, WebTls};
use crate::listener::Limits;

/// The file that is read when no other is named; it may be absent.
pub const DEFAULT_FILE: &str = "/etc/inkan/server.toml";
const ENVIRONMENT_PREFIX: &str = "INKAN_SERVER";
/// Keys whose values are lists; the environment and flags separate them by commas.
const LISTS: [&str; 2] = ["public_names", "web.trusted_proxies"];

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file, which must be there; without one, [`DEFAULT_FILE`] if it is there.
    pub file: Option<PathBuf>,
    /// `INKAN_SERVER__SECTION__KEY` variables in place of the process's own.
    pub environment: Option<HashMap<String, String>>,
    /// Keys with values from the command line, which win over everything else.
    pub overrides: Vec<(String, String)>,
}

/// A configuration that is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A value of the wrong type, or a key that is not known.
    #[error("{key}: {why}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong with it.
        why: String,
    },
    /// The file could not be read, or is not TOML.
    #[error("could not read the configuration")]
    Read(#[source] config::ConfigError),
    /// A value that does not fit.
    #[error("{key}: {expected} is expected")]
    Value {
        /// The key.
        key: &'static str,
        /// What would fit.
        expected: String,
    },
}

fn refuse<T>(key: &'static str, expected: impl Into<String>) -> Result<T, ConfigError> {
    Err(ConfigError::Value { key, expected: expected.into() })
}

impl Config {
    /// Reads and validates the configuration.
    ///
    /// # Errors
    /// Names the key, and what was expected.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let Sources { file, environment, overrides } = sources;
        let path = file.as_deref().unwrap_or_else(|| Path::new(DEFAULT_FILE));
        let variables = Environment::with_prefix(ENVIRONMENT_PREFIX)
            .prefix_separator("__")
            .separator("__")
            .try_parsing(true)
            .list_separator(",")
            .with_list_parse_key(LISTS[0])
            .with_list_parse_key(LISTS[1])
            .source(environment.clone());
        let mut builder = config::Config::builder()
            .add_source(File::from(path).format(FileFormat::Toml).required(file.is_some()))
            .add_source(variables);
        for (key, value) in overrides {
            builder = builder.set_override(key, override_value(key, value)).map_err(ConfigError::Read)?;
        }
        let written = builder.build().map_err(ConfigError::Read)?;
        let raw: RawConfig = serde_path_to_error::deserialize(written).map_err(|error| {
            let key = error.path().to_string();
            ConfigError::Key { key, why: error.into_inner().to_string() }
        })?;
        validate(raw)
    }
}

/// As the environment does it: a list is separated by commas.
fn override_value(key: &str, value: &str) -> config::Value {
    if LISTS.contains(&key) {
        let names: Vec<_> = value.split(',').map(str::to_owned).collect();
        names.into()
    } else {
        value.into()
    }
}

fn validate(mut raw: RawConfig) -> Result<Config, ConfigError> {
    let names = raw.public_names.get_or_insert_with(usual_names);
    let public_names = match PublicNames::parse(names.iter().map(String::as_str)) {
        Ok(names) if names.first().is_some() => names,
        Ok(_) => return refuse("public_names", "at least one DNS name or address"),
        Err(name) => return refuse("public_names", format!("DNS names and addresses, unlike {:?},", name.0)),
    };
    if raw.data_dir.as_os_str().is_empty() {
        return refuse("data_dir", "a folder");
    }
    let database = database_file(&raw.database, &raw.data_dir)?;
    raw.database.path = Some(database.clone());
    let config = Config {
        data_dir: raw.data_dir.clone(),
        database,
        trust_domain: match raw.trust_domain.as_deref().map(str::parse).transpose() {
            Ok(trust_domain) => trust_domain,
            Err(_) => return refuse("trust_domain", "a name of lower-case letters, digits, dots and hyphens"),
        },
        agents: agents(&raw.agents, &public_names)?,
        enrolment: enrolment(&raw.enrolment, &public_names)?,
        web: web(&raw.web)?,
        public_names,
        sync_interval: seconds("sync.interval_seconds", raw.sync.interval_seconds, 10, 86_400)?,
        leaf_lifetime: Duration::days(within("renewal.leaf_days", raw.renewal.leaf_days, 1, 3_650)?),
        probe: probe(&raw.renewal)?,
        log_format: match raw.log.format.as_str() {
            "json" => LogFormat::Json,
            "text" => LogFormat::Text,
            _ => return refuse("log.format", "\"text\" or \"json\""),
        },
        effective: describe(&raw),
    };
    check_ports(&config)?;
    Ok(config)
}

/// This machine's own names.
fn usual_names() -> Vec<String> {
    let host_name = ["/proc/sys/kernel/hostname", "/etc/hostname"].into_iter().find_map(|path| {
        let name = std::fs::read_to_string(path).ok()?.trim().to_ascii_lowercase();
        is_dns_name(&name).then_some(name)
    });
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    names.splice(0..0, host_name.filter(|name| name != "localhost"));
    names
}

fn database_file(raw: &RawDatabase, data_dir: &Path) -> Result<PathBuf, ConfigError> {
    match raw {
        RawDatabase { url: Some(_), path: Some(_) } => refuse("database.path", "no path beside database.url"),
        RawDatabase { url: None, path: Some(path) } if path.is_absolute() => Ok(path.clone()),
        RawDatabase { url: None, path: Some(path) } => Ok(data_dir.join(path)),
        RawDatabase { url: None, path: None } => Ok(data_dir.join("inkan.sqlite")),
        RawDatabase { url: Some(url), path: None } => {
            if url.starts_with("postgres://") || url.starts_with("postgresql://") {
                return refuse("database.url", "sqlite:///path/to/file (PostgreSQL comes later)");
            }
            match url.strip_prefix("sqlite://") {
                Some(path) if Path::new(path).is_absolute() => Ok(PathBuf::from(path)),
                _ => refuse("database.url", "sqlite:///path/to/file"),
            }
        }
    }
}

fn agents(raw: &RawAgents, names: &PublicNames) -> Result<AgentsConfig, ConfigError> {
    let RawAgents { listen, public_url, connections, connections_per_ip } = raw;
    let limits = Limits {
        connections: count("agents.connections", *connections)?,
        connections_per_ip: count("agents.connections_per_ip", *connections_per_ip)?,
        ..Limits::agents()
    };
    if limits.connections_per_ip > limits.connections {
        return refuse("agents.connections_per_ip", "at most agents.connections");
    }
    Ok(AgentsConfig {
        listen: address("agents.listen", listen)?,
        public_url: agents_url("agents.public_url", public_url.as_deref(), names)?,
        limits,
    })
}

fn enrolment(raw: &RawEnrolment, names: &PublicNames) -> Result<EnrolmentConfig, ConfigError> {
    let RawEnrolment { listen, public_url, requests_per_minute_per_ip, connections, connections_per_ip } = raw;
    let limits = Limits {
        connections: count("enrolment.connections", *connections)?,
        connections_per_ip: count("enrolment.connections_per_ip", *connections_per_ip)?,
        ..Limits::enrolment()
    };
    if limits.connections_per_ip > limits.connections {
        return refuse("enrolment.connections_per_ip", "at most enrolment.connections");
    }
    let key = "enrolment.requests_per_minute_per_ip";
    let requests: u32 = within(key, *requests_per_minute_per_ip, 1, 10_000)?;
    let Some(requests_per_minute_per_ip) = NonZeroU32::new(requests) else { return refuse(key, "1 to 10000") };
    Ok(EnrolmentConfig {
        listen: address("enrolment.listen", listen)?,
        public_url: agents_url("enrolment.public_url", public_url.as_deref(), names)?,
        requests_per_minute_per_ip,
        limits,
    })
}

fn web(raw: &RawWeb) -> Result<WebConfig, ConfigError> {
    let RawWeb { listen, public_url, tls, trusted_proxies } = raw;
    let tls = match tls {
        RawWebTls::Files(files) => WebTls::Files { cert: files.cert.clone(), key: files.key.clone() },
        RawWebTls::Named(name) => match name.as_str() {
            "deployment" => WebTls::Deployment,
            "off" => WebTls::Off,
            _ => return refuse("web.tls", "\"off\", \"deployment\", or a table with cert and key"),
        },
    };
    let public_url = match public_url.as_deref().map(PublicUrl::parse) {
        None => None,
        Some(Some(url)) if tls == WebTls::Off || url.is_https() => Some(url),
        Some(Some(_)) => return refuse("web.public_url", "an https URL, because web.tls is on,"),
        Some(None) => return refuse("web.public_url", "an http or https URL of a host and nothing more"),
    };
    let Ok(trusted_proxies) = trusted_proxies.iter().map(|text| text.trim().parse()).collect() else {
        return refuse("web.trusted_proxies", "a list of addresses");
    };
    Ok(WebConfig { listen: address("web.listen", listen)?, public_url, tls, trusted_proxies, limits: Limits::web() })
}

fn probe(raw: &RawRenewal) -> Result<Option<ProbeConfig>, ConfigError> {
    match &raw.probe {
        RawProbe { host: None, port: None, anchor_file: None } => Ok(None),
        RawProbe { host: None, .. } => {
            refuse("renewal.probe.host", "a host, because other keys of the probe are there,")
        }
        RawProbe { host: Some(host), port, anchor_file } => {
            if !is_dns_name(host) && host.parse::<std::net::IpAddr>().is_err() {
                return refuse("renewal.probe.host", "a DNS name or an address");
            }
            let port = within("renewal.probe.port", port.unwrap_or(443), 1, 65_535)?;
            Ok(Some(ProbeConfig { host: host.clone(), port, anchor_file: anchor_file.clone() }))
        }
    }
}

fn address(key: &'static str, text: &str) -> Result<SocketAddr, ConfigError> {
    match text.parse() {
        Ok(address) => Ok(address),
        Err(_) => refuse(key, "an address and port such as 0.0.0.0:8443 or [::]:8443"),
    }
}

fn agents_url(key: &'static str, text: Option<&str>, names: &PublicNames) -> Result<Option<PublicUrl>, ConfigError> {
    let Some(text) = text else { return Ok(None) };
    match PublicUrl::parse(text) {
        Some(url) if url.is_https() && names.cover(url.host()) => Ok(Some(url)),
        Some(url) if url.is_https() => refuse(key, format!("a host that is one of public_names ({names})")),
        _ => refuse(key, "an https URL of a host and nothing more"),
    }
}

fn within<T: TryFrom<u64>>(key: &'static str, number: u64, least: u64, most: u64) -> Result<T, ConfigError> {
    match T::try_from(number) {
        Ok(found) if (least..=most).contains(&number) => Ok(found),
        _ => refuse(key, format!("a number from {least} to {most}")),
    }
}

fn count(key: &'static str, number: u64) -> Result<usize, ConfigError> {
    within(key, number, 1, 1_000_000)
}

fn seconds(key: &'static str, number: u64, least: u64, most: u64) -> Result<Duration, ConfigError> {
    Ok(Duration::seconds(within(key, number, least, most)?))
}

fn check_ports(config: &Config) -> Result<(), ConfigError> {
    let (agents, enrolment, web) = (config.agents.listen, config.enrolment.listen, config.web.listen);
    let same = |one: SocketAddr, other: SocketAddr| {
        let one_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
        one.port() != 0 && one.port() == other.port() && one_ip
    };
    if same(agents, enrolment) {
        return refuse("enrolment.listen", "a port other than that of agents.listen");
    }
    if same(web, agents) || same(web, enrolment) {
        return refuse("web.listen", "a port other than those of agents.listen and enrolment.listen");
    }
    Ok(())
}

/// The effective values; a password in an URL is hidden.
fn describe(raw: &RawConfig) -> String {
    let mut shown = raw.clone();
    shown.database.url = shown.database.url.map(|url| match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url,
    });
    toml::to_string_pretty(&shown).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(overrides: &[(&str, &str)]) -> Result<Config, String> {
        let pair = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let sources =
            Sources { file: None, environment: Some(HashMap::new()), overrides: overrides.iter().map(pair).collect() };
        Config::load(&sources).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_valid() {
        let config = load(&[]).unwrap();
        assert_eq!(config.database, Path::new("/var/lib/inkan/inkan.sqlite"));
        assert_eq!(config.agents.listen.port(), 8443);
        assert!(config.public_names.cover("localhost"));
        assert!(config.to_toml().contains("interval_seconds = 300"), "{}", config.to_toml());
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.toml");
        let text = "data_dir = \"/a\"\n[sync]\ninterval_seconds = 60\n[web]\ntls = { cert = \"/c\", key = \"/k\" }\n";
        std::fs::write(&file, text).unwrap();
        let environment = [
            ("INKAN_SERVER__DATA_DIR", "/b"),
            ("INKAN_SERVER__SYNC__INTERVAL_SECONDS", "120"),
            ("INKAN_SERVER__PUBLIC_NAMES", "a.example,192.0.2.1"),
        ];
        let sources = Sources {
            file: Some(file),
            environment: Some(environment.map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
            overrides: vec![("sync.interval_seconds".to_owned(), "180".to_owned())],
        };
        let config = Config::load(&sources).unwrap();
        assert_eq!(config.sync_interval, Duration::seconds(180));
        assert_eq!(config.data_dir, Path::new("/b"));
        assert_eq!(config.public_names.to_string(), "a.example 192.0.2.1");
        assert_eq!(config.web.tls, WebTls::Files { cert: "/c".into(), key: "/k".into() });
    }

    #[test]
    fn a_wrong_value_is_refused_by_its_key() {
        let cases: &[(&str, &str)] = &[
            ("agents.connections", "0"),
            ("agents.connections_per_ip", "30000"),
            ("agents.listen", "8443"),
            ("agents.public_url", "http://localhost"),
            ("agents.public_url", "https://elsewhere.example"),
            ("data_dir", ""),
            ("database.url", "postgres://user:secret@host/inkan"),
            ("database.url", "mysql://host"),
            ("enrolment.listen", "127.0.0.1:8443"),
            ("enrolment.requests_per_minute_per_ip", "0"),
            ("log.format", "xml"),
            ("public_names", "*.example"),
            ("renewal.leaf_days", "0"),
            ("renewal.leaf_days", "many"),
            ("renewal.probe.host", "a b"),
            ("sync.interval_seconds", "5"),
            ("trust_domain", "Fleet"),
            ("web.listen", "127.0.0.1:8444"),
            ("web.public_url", "https://a.example/path"),
            ("web.tls", "on"),
            ("web.trusted_proxies", "proxy.example"),
        ];
        for (key, value) in cases {
            let error = load(&[(key, value)]).err().unwrap_or_else(|| panic!("{key} = {value} was taken"));
            assert!(error.starts_with(&format!("{key}: ")), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        for key in ["colour", "web.colour"] {
            let error = load(&[(key, "red")]).unwrap_err();
            assert!(error.contains("colour"), "{error}");
        }
    }

    #[test]
    fn keys_that_belong_together_are_asked_for_together() {
        let error = load(&[("renewal.probe.port", "443")]).unwrap_err();
        assert!(error.starts_with("renewal.probe.host: "), "{error}");
        let error = load(&[("database.url", "sqlite:///a"), ("database.path", "b")]).unwrap_err();
        assert!(error.starts_with("database.path: "), "{error}");
    }
}
