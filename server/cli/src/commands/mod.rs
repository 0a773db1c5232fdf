//! What each command does: ask the API, print its answer as a table, or as it is.

mod certificates;
mod checkups;
mod clinics;
mod findings;
mod hosts;
mod overview;
mod renewals;
mod session;
mod tokens;
mod waiting;

use std::path::PathBuf;

use clap::CommandFactory as _;
use inkan_model::locale::Locale;
use serde::de::DeserializeOwned;

use crate::args::{Cli, Command, Common, Limit};
use crate::client::{Client, Query, Reply, parse_server};
use crate::credentials::{self, Credentials};
use crate::error::{Error, Result};
use crate::output::{Output, Table};
use crate::words::pick;

/// What every command has at hand.
pub(crate) struct Context<'o> {
    client: Client,
    out: &'o Output,
    locale: Locale,
    json: bool,
}

/// Carries a command out.
pub(crate) async fn run(cli: Cli, locale: Locale, out: &Output) -> Result<()> {
    let Cli { common, command } = cli;
    match command {
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "inkan", &mut script);
            out.bytes(&script)
        }
        Command::Login(login) => session::log_in(login, &common, locale, out).await,
        Command::Logout => session::log_out(&common, locale, out).await,
        command => {
            let context = Context::open(&common, locale, out)?;
            context.carry_out(command).await
        }
    }
}

/// Where the credentials are kept.
fn credentials_file() -> Result<PathBuf> {
    credentials::file_of(|name| std::env::var_os(name))
}

/// Whether two addresses name the same server.
fn is_same_server(one: &str, other: &str) -> bool {
    matches!((parse_server(one), parse_server(other)), (Ok(one), Ok(other)) if one == other)
}

impl<'o> Context<'o> {
    /// Finds the server, and a token for it: of the environment, else of the file that signing in left.
    fn open(common: &Common, locale: Locale, out: &'o Output) -> Result<Self> {
        let kept = credentials::read(&credentials_file()?)?;
        let server = common.server.clone().or_else(|| kept.as_ref().map(|kept| kept.server.clone()));
        let server = server.ok_or_else(|| Error::NotSignedIn { server: None })?;
        parse_server(&server)?;
        let kept = kept.filter(|kept| is_same_server(&kept.server, &server));
        let ca_file = common.ca_file.clone().or_else(|| kept.as_ref().and_then(|kept| kept.ca_file.clone()));
        let given = std::env::var("INKAN_TOKEN").ok().filter(|token| !token.is_empty());
        let token = given.or_else(|| kept.map(|Credentials { token, .. }| token));
        let token = token.ok_or_else(|| Error::NotSignedIn { server: Some(server.clone()) })?;
        let client = Client::new(&server, ca_file.as_deref(), Some(token), locale)?;
        Ok(Self { client, out, locale, json: common.json })
    }

    async fn carry_out(&self, command: Command) -> Result<()> {
        match command {
            Command::Me => session::show_me(self).await,
            Command::Overview => overview::show(self).await,
            Command::Clinic(clinic) => clinics::run(self, clinic).await,
            Command::Token(token) => tokens::run(self, token).await,
            Command::Host(host) => hosts::run(self, host).await,
            Command::Cert(cert) => certificates::run(self, cert).await,
            Command::Finding(finding) => findings::run(self, finding).await,
            Command::Checkup(checkup) => checkups::run(self, checkup).await,
            Command::Renew(renew) => renewals::renew(self, renew).await,
            Command::Renewal(renewal) => renewals::run(self, renewal).await,
            // These were carried out before a server was looked for.
            Command::Login(_) | Command::Logout | Command::Completions { .. } => Ok(()),
        }
    }

    /// The word of the language.
    fn word(&self, ja: &'static str, en: &'static str) -> &'static str {
        pick(self.locale, ja, en)
    }

    /// Prints an answer: as it is when that was asked for, else as `show` says.
    fn print<T: DeserializeOwned>(&self, reply: &Reply, show: impl FnOnce(T) -> Result<()>) -> Result<()> {
        if self.json { self.out.raw_line(reply.text()?) } else { show(reply.read()?) }
    }

    /// Lists, and prints the rows that `show` makes of the items.
    async fn print_list<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &Query<'_>,
        limit: &Limit,
        show: impl FnOnce(&[T]) -> Table,
    ) -> Result<()> {
        let listing = self.client.list(path, query, limit.limit).await?;
        if self.json {
            return self.out.raw_line(&listing.text);
        }
        let items: Vec<T> = listing.items()?;
        if items.is_empty() {
            self.out.note(self.word("ありません。", "There are none."));
            return Ok(());
        }
        show(&items).print(self.out)?;
        if listing.more {
            self.out.note(
                self.word("続きがあります。--limit を大きくしてください。", "There are more: give a greater --limit."),
            );
        }
        Ok(())
    }
}

/// A text that may be absent.
fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}
