//! `operator`: creating people at the server's own console, where whoever can read the data directory may do anything.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use inkan_core::operators::NewPerson;
use inkan_core::totp::describe_seed;
use inkan_model::locale::Locale;
use inkan_model::operator::{Operator, Role, Vendor};
use secrecy::SecretString;
use serde_json::json;

use super::{find_vendor, print};
use crate::assemble::{Backstage, World};
use crate::config::Config;
use crate::deployment::files;

#[derive(Debug, Subcommand)]
pub(super) enum OperatorCommand {
    /// Create an operator, and the vendor if there is none of this name
    Create(Create),
}

/// Create an operator, and the vendor if there is none of this name.
///
/// Prints the seed for the authenticator app. It is shown this once.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  inkan-server operator create --vendor 'Hokkai Systems' --mail sato@example.jp \\\n      --name 'Sato' --role owner --password-file ./password"
)]
pub(super) struct Create {
    /// The vendor's name
    #[arg(long, value_name = "NAME")]
    vendor: String,
    /// Mail address to sign in with
    #[arg(long, value_name = "ADDRESS")]
    mail: String,
    /// Name to show
    #[arg(long, value_name = "NAME")]
    name: String,
    /// owner (everything) or operator (the daily work)
    #[arg(long, value_parser = read_role)]
    role: Role,
    /// File with the password, at least 12 characters; the line's end does not count
    #[arg(long, value_name = "FILE")]
    password_file: PathBuf,
    /// ja or en
    #[arg(long, value_name = "LANGUAGE", default_value = "ja", value_parser = read_locale)]
    language: Locale,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

fn read_role(text: &str) -> Result<Role, String> {
    Role::from_name(text).ok_or_else(|| "owner or operator is expected".to_owned())
}

fn read_locale(text: &str) -> Result<Locale, String> {
    Locale::from_tag(text).ok_or_else(|| "ja or en is expected".to_owned())
}

impl OperatorCommand {
    pub(super) async fn run(self, config: &Config) -> Result<()> {
        match self {
            Self::Create(create) => create.run(config).await,
        }
    }
}

impl Create {
    async fn run(self, config: &Config) -> Result<()> {
        let text = files::read_private_text(&self.password_file)?;
        let Some(password) = text.lines().next().map(|line| SecretString::from(line.to_owned())) else {
            bail!("{} is empty", self.password_file.display());
        };
        let backstage = Backstage::open(config, World::default()).await?;
        let created = self.create(&backstage, password).await;
        backstage.close().await;
        print(&created?)
    }

    async fn create(self, backstage: &Backstage, password: SecretString) -> Result<String> {
        let Self { vendor, mail, name, role, password_file: _, language: locale, json } = self;
        let core = &backstage.core;
        let vendor = match find_vendor(backstage, &vendor).await? {
            Some(vendor) => vendor,
            None => core.create_vendor(&vendor).await.context("could not create the vendor")?,
        };
        let totp_seed = core.new_totp_seed();
        let person = NewPerson { mail, name, password, totp_seed: totp_seed.clone(), role, locale };
        let operator = core.create_operator_of(vendor.id, person).await.context("could not create the operator")?;
        let (seed, uri) = describe_seed(&totp_seed, &operator.mail);
        Ok(if json { in_json(&vendor, &operator, &seed, &uri) } else { in_words(&vendor, &operator, &seed, &uri) })
    }
}

fn in_json(vendor: &Vendor, operator: &Operator, seed: &str, uri: &str) -> String {
    let answer = json!({
        "vendor": vendor,
        "operator": operator,
        "totp_seed": seed,
        "otpauth_uri": uri,
    });
    format!("{answer:#}\n")
}

fn in_words(vendor: &Vendor, operator: &Operator, seed: &str, uri: &str) -> String {
    format!(
        "Created {} <{}>, {} of {}.\n\
         Put this seed into an authenticator app now; it is not shown again:\n  {seed}\n  {uri}\n",
        operator.name,
        operator.mail,
        operator.role.name(),
        vendor.name
    )
}
