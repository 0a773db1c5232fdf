//! `inkan`: what operators do with the fleet, from a terminal or a script, over the REST API.
//!
//! ```text
//! args         what can be typed, and its help
//! typed        values as they are typed
//! commands     what each command does: ask the API, print its answer
//! client       requests, pages, problems
//! credentials  the file that signing in leaves
//! output       the one way to standard output, and tables
//! words        ja and en
//! error        refusals, and the exit codes that they lead to
//! ```
//!
//! It knows the API and nothing of the server behind it: of inkan's crates it may import the model only.

mod args;
mod client;
mod commands;
mod credentials;
mod error;
mod output;
mod typed;
mod words;

use std::process::ExitCode;

use clap::Parser as _;

use self::args::Cli;
use self::output::Output;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let locale = words::locale_of(cli.common.lang, |name| std::env::var(name).ok());
    let out = Output::new();
    match run(cli, locale, &out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            out.complain(&error.explain(locale));
            error.exit_code()
        }
    }
}

fn run(cli: Cli, locale: inkan_model::locale::Locale, out: &Output) -> Result<(), error::Error> {
    // The first provider to be installed stays; there is no other in this program.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|cause| error::Error::Local { step: "start".to_owned(), cause: cause.into() })?;
    runtime.block_on(commands::run(cli, locale, out))
}
