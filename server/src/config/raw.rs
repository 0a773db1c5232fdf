//! The configuration as it is written, with every default. Unknown keys are refused.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The whole configuration.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawConfig {
    pub(super) data_dir: PathBuf,
    pub(super) public_names: Option<Vec<String>>,
    pub(super) trust_domain: Option<String>,
    pub(super) agents: RawAgents,
    pub(super) database: RawDatabase,
    pub(super) enrolment: RawEnrolment,
    pub(super) log: RawLog,
    pub(super) renewal: RawRenewal,
    pub(super) sync: RawSync,
    pub(super) web: RawWeb,
}

impl Default for RawConfig {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("/var/lib/inkan"),
            public_names: None,
            trust_domain: None,
            agents: RawAgents::default(),
            database: RawDatabase::default(),
            enrolment: RawEnrolment::default(),
            log: RawLog::default(),
            renewal: RawRenewal::default(),
            sync: RawSync::default(),
            web: RawWeb::default(),
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawAgents {
    pub(super) listen: String,
    pub(super) public_url: Option<String>,
    pub(super) connections: u64,
    pub(super) connections_per_ip: u64,
}

impl Default for RawAgents {
    fn default() -> Self {
        Self { listen: "0.0.0.0:8443".to_owned(), public_url: None, connections: 20_000, connections_per_ip: 64 }
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawDatabase {
    pub(super) url: Option<String>,
    pub(super) path: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawEnrolment {
    pub(super) listen: String,
    pub(super) public_url: Option<String>,
    pub(super) requests_per_minute_per_ip: u64,
    pub(super) connections: u64,
    pub(super) connections_per_ip: u64,
}

impl Default for RawEnrolment {
    fn default() -> Self {
        Self {
            listen: "0.0.0.0:8444".to_owned(),
            public_url: None,
            requests_per_minute_per_ip: 30,
            connections: 500,
            connections_per_ip: 8,
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawLog {
    pub(super) format: String,
}

impl Default for RawLog {
    fn default() -> Self {
        Self { format: "text".to_owned() }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawRenewal {
    pub(super) leaf_days: u64,
    pub(super) probe: RawProbe,
}

impl Default for RawRenewal {
    fn default() -> Self {
        Self { leaf_days: 730, probe: RawProbe::default() }
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawProbe {
    pub(super) host: Option<String>,
    pub(super) port: Option<u64>,
    pub(super) anchor_file: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawSync {
    pub(super) interval_seconds: u64,
}

impl Default for RawSync {
    fn default() -> Self {
        Self { interval_seconds: 300 }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawWeb {
    pub(super) listen: String,
    pub(super) public_url: Option<String>,
    pub(super) tls: RawWebTls,
    pub(super) trusted_proxies: Vec<String>,
}

impl Default for RawWeb {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            public_url: None,
            tls: RawWebTls::Named("off".to_owned()),
            trusted_proxies: Vec::new(),
        }
    }
}

/// A word, or two files.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged, expecting = "\"off\", \"deployment\", or a table with cert and key")]
pub(super) enum RawWebTls {
    Named(String),
    Files(RawWebTlsFiles),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWebTlsFiles {
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
}
