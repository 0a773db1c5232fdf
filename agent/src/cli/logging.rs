//! Logs go to stderr, where a service manager collects them. Constant messages, data in fields.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use super::Failure;

/// How to log.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// Form of the log on stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "INKAN_AGENT_LOG_FORMAT")]
    pub(super) log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace, or a filter such as inkan_agent=debug
    #[arg(long, global = true, value_name = "LEVEL", default_value = "info", env = "INKAN_AGENT_LOG")]
    pub(super) log_level: String,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum LogFormat {
    /// One JSON object in each line
    Json,
    /// Words
    Text,
}

pub(super) fn start(args: &LogArgs) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&args.log_level)
        .map_err(|error| Failure::usage(format!("--log-level {}: {error}", args.log_level)))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Whoever started logging before goes on.
    let _ = match args.log_format {
        LogFormat::Json => log.json().flatten_event(true).try_init(),
        LogFormat::Text => log.with_ansi(false).try_init(),
    };
    Ok(())
}
