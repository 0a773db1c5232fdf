//! Logs go to stderr, where a service manager collects them. Constant messages, data in fields.

use clap::{Args, ValueEnum};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::Failure;

/// How to log.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// Form of the log on stderr
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text, env = "INKAN_AGENT_LOG_FORMAT")]
    pub(super) log_format: LogFormat,
    /// What to log: error, warn, info, debug, trace, or a filter such as inkan_agent=debug
    #[arg(long, global = true, value_name = "LEVEL", default_value = Self::LEVEL, env = "INKAN_AGENT_LOG")]
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

impl LogArgs {
    /// The level where none was asked for.
    pub(super) const LEVEL: &'static str = "info";

    #[cfg(test)]
    pub(super) fn with_level(level: &str) -> Self {
        Self { log_format: LogFormat::Text, log_level: level.to_owned() }
    }
}

/// Logs to stderr.
pub(super) fn start(args: &LogArgs) -> Result<(), Failure> {
    start_in(args, std::io::stderr)
}

/// Logs to wherever this leads.
pub(super) fn start_in(
    args: &LogArgs,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> Result<(), Failure> {
    // By target and level alone: filters on fields want an engine of regular expressions, which is a tenth of the program.
    let filter: Targets =
        (args.log_level.parse()).map_err(|error| Failure::usage(format!("--log-level {}: {error}", args.log_level)))?;
    let log = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(writer);
    // Whoever started logging before goes on.
    let _ = match args.log_format {
        LogFormat::Json => log.json().flatten_event(true).finish().with(filter).try_init(),
        LogFormat::Text => log.with_ansi(false).finish().with(filter).try_init(),
    };
    Ok(())
}
