//! `backup`: a consistent copy of the database, and the deployment's files beside it.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use clap::Args;

use super::print;
use crate::assemble::{Backstage, World};
use crate::config::Config;
use crate::deployment::{Deployment, files};

/// The database's name within a backup.
const DATABASE: &str = "inkan.sqlite";

/// Write a consistent copy of everything that a restored server needs.
///
/// The server may go on meanwhile. The copy holds the deployment's private keys: keep it as safe as the server itself.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  inkan-server backup --to /backup/inkan-2026-11-20")]
pub(super) struct Backup {
    /// A folder that is not there yet
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
}

impl Backup {
    pub(super) async fn run(self, config: &Config) -> Result<()> {
        let Self { to } = self;
        ensure!(!to.exists(), "{} is there already: name a new folder", to.display());
        Deployment::open(&config.data_dir).context("there is nothing to back up")?;
        let backstage = Backstage::open(config, World::default()).await?;
        // Half a backup must not be taken for one: it gets its name when it is whole.
        let mut unfinished = to.clone().into_os_string();
        unfinished.push(".unfinished");
        let unfinished = PathBuf::from(unfinished);
        files::create_private_dir(&unfinished)?;
        let copied = backstage.core.db().backup_to(&unfinished.join(DATABASE)).await;
        copied.context("could not copy the database")?;
        backstage.deployment.copy_to(&unfinished)?;
        backstage.close().await;
        std::fs::rename(&unfinished, &to).with_context(|| format!("could not finish {}", to.display()))?;
        print(&format!(
            "{to} holds the database (checked), the deployment and the private CAs.\n\
             To restore: stop the server, make {data} an empty folder, copy all of {to} into it, see to it that it belongs\n\
             to the server's user and nobody else can read it, run `inkan-server doctor`, and start the server. Agents go\n\
             on by themselves; what happened after the backup they report again.\n",
            to = to.display(),
            data = config.data_dir.display(),
        ))
    }
}
