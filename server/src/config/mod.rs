//! How the server is configured: defaults, then a file, then the environment, then flags; then validated as a whole.
//!
//! What is written becomes [`raw::RawConfig`], in which every key has its default and no other key is allowed. That becomes
//! a [`Config`] or an error that names the key and says what was expected. Nothing else of the program reads a key.

mod raw;
mod read;
mod values;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use inkan_model::identity::TrustDomain;
use time::Duration;

pub use self::read::{ConfigError, DEFAULT_FILE, Sources};
pub use self::values::{PublicNames, PublicUrl};
use crate::listener::Limits;

/// A valid configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// The database's file.
    pub database: PathBuf,
    /// Names and addresses of the listeners' certificate.
    pub public_names: PublicNames,
    /// The deployment's name, where the configuration fixes it.
    pub trust_domain: Option<TrustDomain>,
    /// The agents' listener.
    pub agents: AgentsConfig,
    /// The enrolment listener.
    pub enrolment: EnrolmentConfig,
    /// The listener for browsers and programs.
    pub web: WebConfig,
    /// How often a quiet agent syncs.
    pub sync_interval: Duration,
    /// Validity of client certificates from the private CA.
    pub leaf_lifetime: Duration,
    /// A site that must accept each renewed certificate.
    pub probe: Option<ProbeConfig>,
    /// Form of the log.
    pub log_format: LogFormat,
    effective: String,
}

impl Config {
    /// The effective configuration as TOML, without secrets.
    pub fn to_toml(&self) -> &str {
        &self.effective
    }
}

/// The agents' listener.
#[derive(Clone, Debug)]
pub struct AgentsConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How agents reach it, where that differs from the first public name and the port.
    pub public_url: Option<PublicUrl>,
    /// Its limits.
    pub limits: Limits,
}

/// The enrolment listener.
#[derive(Clone, Debug)]
pub struct EnrolmentConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How agents reach it, where that differs from the first public name and the port.
    pub public_url: Option<PublicUrl>,
    /// Calls from one network in a minute.
    pub requests_per_minute_per_ip: NonZeroU32,
    /// Its limits.
    pub limits: Limits,
}

/// The listener for browsers and programs.
#[derive(Clone, Debug)]
pub struct WebConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How browsers reach it, where that differs from the address and the port.
    pub public_url: Option<PublicUrl>,
    /// Whether it speaks TLS.
    pub tls: WebTls,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Its limits.
    pub limits: Limits,
}

impl WebConfig {
    /// Whether browsers reach it by https, here or through a proxy.
    pub fn is_https(&self) -> bool {
        self.tls != WebTls::Off || self.public_url.as_ref().is_some_and(PublicUrl::is_https)
    }
}

/// Whether the web listener speaks TLS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum WebTls {
    /// With the listeners' certificate, which browsers do not know.
    Deployment,
    /// With a certificate from somewhere else.
    Files {
        /// Chain, leaf first, PEM.
        cert: PathBuf,
        /// Private key, PEM.
        key: PathBuf,
    },
    /// No; a proxy in front does, or only this machine gets in.
    Off,
}

/// A site that must accept each renewed certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProbeConfig {
    /// DNS name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The certificate to trust for it, PEM.
    pub anchor_file: Option<PathBuf>,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// One JSON object for each line.
    Json,
    /// For people.
    Text,
}
