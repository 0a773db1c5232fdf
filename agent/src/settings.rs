//! The agent's settings: defaults, then the file, then the environment, then flags; the later one wins.
//!
//! What an agent does is the server's to say. Here stands only what the server cannot know: where this PC keeps things,
//! and where the server is. Unknown keys are refused, so that a slip of the pen does not pass for a default.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use config::builder::DefaultState;
use config::{Config, ConfigBuilder, ConfigError, Environment, File, FileFormat};
use inkan_model::limits;
use serde::Deserialize;

#[cfg(unix)]
use self::unix::{default_data_dir, default_file};
#[cfg(windows)]
use self::windows::{default_data_dir, default_file};

/// Variables such as `INKAN_AGENT__SERVER_URL`; lists are separated by commas.
const PREFIX: &str = "INKAN_AGENT";
const LISTS: [&str; 5] =
    ["directories", "user_directories", "pkcs12_password_files", "java_keystores", "java_password_files"];
const DEADLINE_SECONDS: std::ops::RangeInclusive<u64> = 1..=300;
const INTERVAL_SECONDS: std::ops::RangeInclusive<u64> = 60..=86_400;

/// The agent's settings, checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AgentSettings {
    /// Where the agent keeps its own state.
    pub data_dir: PathBuf,
    /// Directories of the machine with certificate and key files.
    pub directories: Vec<PathBuf>,
    /// The same of each user, below the home directory.
    pub user_directories: Vec<PathBuf>,
    /// Files with passwords of PKCS#12 files, one per line.
    pub pkcs12_password_files: Vec<PathBuf>,
    /// Java keystores that stand where no runtime and no user has one by itself.
    pub java_keystores: Vec<PathBuf>,
    /// Files with passwords of Java keystores, one per line.
    pub java_password_files: Vec<PathBuf>,
    /// How long reading one Location may take.
    pub location_deadline: Duration,
    /// How long after one scan the next begins.
    pub scan_interval: Duration,
    /// Where the server is, for an agent that has not enrolled yet.
    pub server_url: Option<String>,
}

/// Flags of the command line, which win over everything else.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct SettingsFlags {
    /// Settings file, in place of /etc/inkan/agent.toml, on Windows C:\ProgramData\inkan\agent.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the agent keeps its own state
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Directory with certificate and key files; may be given several times
    #[arg(long = "directory", global = true, value_name = "DIR")]
    pub directories: Vec<PathBuf>,
    /// Where the server is
    #[arg(long, global = true, value_name = "URL")]
    pub server_url: Option<String>,
}

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file or the environment cannot be read, or has a key or a type that is not known.
    #[error("could not read the settings")]
    Read {
        /// What is wrong, with key and file.
        #[source]
        cause: Box<ConfigError>,
    },
    /// A value makes no sense.
    #[error("setting `{key}` {why}")]
    Invalid {
        /// Which key.
        key: &'static str,
        /// What is wrong with its value.
        why: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawSettings {
    data_dir: PathBuf,
    directories: Vec<PathBuf>,
    user_directories: Vec<PathBuf>,
    pkcs12_password_files: Vec<PathBuf>,
    java_keystores: Vec<PathBuf>,
    java_password_files: Vec<PathBuf>,
    location_deadline_seconds: u64,
    scan_interval_seconds: u64,
    server_url: Option<String>,
}

impl Default for RawSettings {
    fn default() -> Self {
        Self {
            data_dir: default_data_dir(),
            directories: Vec::new(),
            user_directories: Vec::new(),
            pkcs12_password_files: Vec::new(),
            java_keystores: Vec::new(),
            java_password_files: Vec::new(),
            location_deadline_seconds: 10,
            scan_interval_seconds: 900,
            server_url: None,
        }
    }
}

impl AgentSettings {
    /// Reads the settings of this process.
    pub fn load(flags: &SettingsFlags) -> Result<Self, SettingsError> {
        Self::load_from(flags, &default_file(), None)
    }

    /// As [`Self::load`], from another default file and other variables than the process's own.
    fn load_from(
        flags: &SettingsFlags,
        default_file: &Path,
        variables: Option<HashMap<String, String>>,
    ) -> Result<Self, SettingsError> {
        let read = |cause| SettingsError::Read { cause: Box::new(cause) };
        let (file, required) = flags.config.as_deref().map_or((default_file, false), |file| (file, true));
        let file = File::from(file).format(FileFormat::Toml).required(required);
        let builder = Config::builder().add_source(file).add_source(environment(variables));
        let raw = overridden(builder, flags).map_err(read)?.build().map_err(read)?;
        raw.try_deserialize::<RawSettings>().map_err(read)?.try_into()
    }
}

fn environment(variables: Option<HashMap<String, String>>) -> Environment {
    let plain = Environment::with_prefix(PREFIX).prefix_separator("__").separator("__").list_separator(",");
    let listed = LISTS.into_iter().fold(plain, Environment::with_list_parse_key);
    listed.try_parsing(true).ignore_empty(true).source(variables)
}

fn overridden(
    builder: ConfigBuilder<DefaultState>,
    flags: &SettingsFlags,
) -> Result<ConfigBuilder<DefaultState>, ConfigError> {
    let SettingsFlags { config: _, data_dir, directories, server_url } = flags;
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let named: Vec<_> = directories.iter().map(text).collect();
    builder
        .set_override_option("data_dir", data_dir.as_ref().map(text))?
        .set_override_option("directories", (!named.is_empty()).then_some(named))?
        .set_override_option("server_url", server_url.clone())
}

impl TryFrom<RawSettings> for AgentSettings {
    type Error = SettingsError;

    fn try_from(raw: RawSettings) -> Result<Self, SettingsError> {
        let RawSettings {
            data_dir,
            directories,
            user_directories,
            pkcs12_password_files,
            java_keystores,
            java_password_files,
            location_deadline_seconds,
            scan_interval_seconds,
            server_url,
        } = raw;
        check_absolute("data_dir", &data_dir)?;
        check_all("directories", &directories, check_absolute)?;
        check_all("user_directories", &user_directories, check_below_home)?;
        check_all("pkcs12_password_files", &pkcs12_password_files, check_absolute)?;
        check_all("java_keystores", &java_keystores, check_absolute)?;
        check_all("java_password_files", &java_password_files, check_absolute)?;
        check_range("location_deadline_seconds", location_deadline_seconds, &DEADLINE_SECONDS)?;
        check_range("scan_interval_seconds", scan_interval_seconds, &INTERVAL_SECONDS)?;
        if location_deadline_seconds >= scan_interval_seconds {
            return Err(invalid("location_deadline_seconds", "must be less than `scan_interval_seconds`"));
        }
        if let Some(url) = &server_url {
            check_url(url)?;
        }
        Ok(Self {
            data_dir,
            directories,
            user_directories,
            pkcs12_password_files,
            java_keystores,
            java_password_files,
            location_deadline: Duration::from_secs(location_deadline_seconds),
            scan_interval: Duration::from_secs(scan_interval_seconds),
            server_url,
        })
    }
}

fn invalid(key: &'static str, why: impl Into<String>) -> SettingsError {
    SettingsError::Invalid { key, why: why.into() }
}

fn check_all(
    key: &'static str,
    paths: &[PathBuf],
    check: fn(&'static str, &Path) -> Result<(), SettingsError>,
) -> Result<(), SettingsError> {
    if paths.len() > limits::LOCATIONS {
        return Err(invalid(key, format!("has {} paths, more than {}", paths.len(), limits::LOCATIONS)));
    }
    for (at, path) in paths.iter().enumerate() {
        check(key, path)?;
        if paths.iter().take(at).any(|earlier| earlier == path) {
            return Err(invalid(key, format!("names {} twice", path.display())));
        }
    }
    Ok(())
}

fn check_absolute(key: &'static str, path: &Path) -> Result<(), SettingsError> {
    check_characters(key, path)?;
    let climbs = path.components().any(|component| component == Component::ParentDir);
    if path.is_absolute() && !climbs {
        Ok(())
    } else {
        Err(invalid(key, format!("must be absolute paths without `..`, not {}", path.display())))
    }
}

fn check_below_home(key: &'static str, path: &Path) -> Result<(), SettingsError> {
    check_characters(key, path)?;
    if path.components().all(|component| matches!(component, Component::Normal(_))) {
        Ok(())
    } else {
        Err(invalid(key, format!("must be paths below the home directory without `..`, not {}", path.display())))
    }
}

fn check_characters(key: &'static str, path: &Path) -> Result<(), SettingsError> {
    let text = path.to_str().ok_or_else(|| invalid(key, "must be UTF-8"))?;
    limits::check_name(text, limits::LONG_TEXT).map_err(|error| invalid(key, error.to_string()))
}

fn check_range(key: &'static str, value: u64, range: &std::ops::RangeInclusive<u64>) -> Result<(), SettingsError> {
    if range.contains(&value) {
        Ok(())
    } else {
        Err(invalid(key, format!("must be from {} to {}, not {value}", range.start(), range.end())))
    }
}

fn check_url(url: &str) -> Result<(), SettingsError> {
    let why = |why: &str| invalid("server_url", format!("{why}, as in https://inkan.example.jp:443"));
    let uri: http::Uri = url.parse().map_err(|_| why("must be a URL"))?;
    let plain_path = matches!(uri.path(), "" | "/") && uri.query().is_none();
    let host = uri.authority().filter(|authority| !authority.as_str().contains('@') && !authority.host().is_empty());
    match (uri.scheme_str(), host) {
        (Some("https"), Some(_)) if plain_path => Ok(()),
        (Some("https"), Some(_)) => Err(why("must have no path")),
        (Some("https"), None) => Err(why("must have a host and no user")),
        _ => Err(why("must begin with https://")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    const DATA_DIR: &str = "var/lib/inkan-agent";
    #[cfg(windows)]
    const DATA_DIR: &str = "inkan";

    /// An absolute path of this operating system.
    fn absolute(path: &str) -> String {
        if cfg!(windows) { format!("C:{path}") } else { path.to_owned() }
    }

    fn load(file: &str, variables: &[(&str, &str)], flags: SettingsFlags) -> Result<AgentSettings, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("agent.toml");
        std::fs::write(&path, file).unwrap();
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let with_causes = |error: SettingsError| crate::causes::with_causes(&error);
        AgentSettings::load_from(&flags, &path, Some(variables)).map_err(with_causes)
    }

    fn refusal(file: &str) -> String {
        load(file, &[], SettingsFlags::default()).unwrap_err()
    }

    #[test]
    fn without_a_file_everything_has_a_default() {
        let none = Path::new("/nowhere/agent.toml");
        let settings = AgentSettings::load_from(&SettingsFlags::default(), none, Some(HashMap::new())).unwrap();
        assert!(settings.data_dir.is_absolute() && settings.data_dir.ends_with(DATA_DIR), "{settings:?}");
        assert_eq!(settings.location_deadline, Duration::from_secs(10));
        assert_eq!(settings.scan_interval, Duration::from_mins(15));
        assert_eq!(settings.server_url, None);
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let flags = SettingsFlags { config: Some("/nowhere/named.toml".into()), ..SettingsFlags::default() };
        assert!(load("", &[], flags).unwrap_err().contains("named.toml"));
    }

    #[test]
    fn the_environment_wins_over_the_file_and_a_flag_over_both() {
        let data_dir = absolute("/file");
        let file = format!("data_dir = '{data_dir}'\nserver_url = 'https://file.test'\nscan_interval_seconds = 100\n");
        let (variable, flag, a, b) = (absolute("/variable"), absolute("/flag"), absolute("/a"), absolute("/b"));
        let both = format!("{a},{b}");
        let variables = [
            ("INKAN_AGENT__DATA_DIR", variable.as_str()),
            ("INKAN_AGENT__SCAN_INTERVAL_SECONDS", "200"),
            ("INKAN_AGENT__DIRECTORIES", &both),
            ("INKAN_AGENT_LOG", "debug"),
        ];
        let flags = SettingsFlags { data_dir: Some(flag.clone().into()), ..SettingsFlags::default() };
        let settings = load(&file, &variables, flags).unwrap();
        assert_eq!(settings.data_dir, Path::new(&flag));
        assert_eq!(settings.scan_interval, Duration::from_secs(200));
        assert_eq!(settings.directories, [Path::new(&a), Path::new(&b)]);
        assert_eq!(settings.server_url.as_deref(), Some("https://file.test"));
    }

    #[test]
    fn unknown_keys_are_refused_by_name() {
        assert!(refusal("data_dri = '/x'").contains("data_dri"));
        let variables = [("INKAN_AGENT__SCAN_INTERVALL", "5")];
        assert!(load("", &variables, SettingsFlags::default()).unwrap_err().contains("scan_intervall"));
    }

    #[test]
    fn a_wrong_type_is_refused_with_its_key() {
        assert!(refusal("scan_interval_seconds = 'often'").contains("scan_interval_seconds"));
    }

    #[test]
    fn values_that_make_no_sense_are_refused_with_their_key() {
        let a = absolute("/a");
        let cases: [(&str, &str); 13] = [
            ("data_dir = 'relative'", "data_dir"),
            (&format!("directories = ['{a}', '{a}']"), "directories"),
            (&format!("directories = ['{a}/../etc']"), "directories"),
            ("user_directories = ['/abs']", "user_directories"),
            ("user_directories = ['../up']", "user_directories"),
            ("user_directories = ['']", "user_directories"),
            ("pkcs12_password_files = ['p']", "pkcs12_password_files"),
            ("location_deadline_seconds = 0", "location_deadline_seconds"),
            ("scan_interval_seconds = 5", "scan_interval_seconds"),
            ("scan_interval_seconds = 60\nlocation_deadline_seconds = 60", "location_deadline_seconds"),
            ("server_url = 'http://plain.test'", "server_url"),
            ("server_url = 'https://user@host.test'", "server_url"),
            ("server_url = 'https://host.test/path'", "server_url"),
        ];
        for (file, key) in cases {
            let refused = refusal(file);
            assert!(refused.contains(&format!("setting `{key}`")), "{file}: {refused}");
        }
    }
}
