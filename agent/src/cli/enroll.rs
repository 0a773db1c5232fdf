//! `enroll`: a join token for an identity.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use inkan_issuance::identity_ca::CaPin;
use inkan_model::join_token::JoinTokenSecret;
use zeroize::Zeroizing;

use super::proxy::ProxyFlag;
use super::{Failure, print, runtime};
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::enroll::{EnrollOrder, Enrolment, enroll};
use crate::facts::collect_facts;
use crate::identity::MachineBinding;
use crate::settings::AgentSettings;

const EXAMPLES: &str = "\
The token is read from --token-file, else from --token, else from the variable INKAN_TOKEN.
On the command line, every user of this PC can see it while the command runs.

Examples:
  inkan-agent enroll --server https://inkan.example.jp:8444 --ca-pin sha256:0f3a… --token-file t.txt
  INKAN_TOKEN=… inkan-agent enroll --server https://inkan.example.jp:8444 --ca-pin sha256:0f3a…";

/// Enrols this PC with a join token from your vendor.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct EnrollArgs {
    /// Address of the enrolment listener; the settings' server_url where it is left out
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The join token
    #[arg(long, value_name = "TOKEN", env = "INKAN_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// File with the join token; - is stdin
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Pin of the deployment's authority, as the vendor's dashboard shows it beside the token
    #[arg(long, value_name = "PIN")]
    ca_pin: CaPin,
    /// Give up the identity that this PC has, and enrol it as a new host
    #[arg(long)]
    replace: bool,
    /// HTTP proxy to go through, as in http://user:password@proxy:8080
    #[arg(long, value_name = "URL", env = "INKAN_AGENT_PROXY", hide_env_values = true)]
    proxy: Option<ProxyFlag>,
}

/// Never shows the token.
impl std::fmt::Debug for EnrollArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnrollArgs")
            .field("server", &self.server)
            .field("replace", &self.replace)
            .finish_non_exhaustive()
    }
}

pub(super) fn run(args: EnrollArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let EnrollArgs { server, token, token_file, ca_pin, replace, proxy } = args;
    let proxy = ProxyFlag::proxy(proxy)?;
    let server = server.or_else(|| settings.server_url.clone());
    let server = server.ok_or_else(|| Failure::usage("say where the server is: add --server https://…".to_owned()))?;
    let token = read_token(token_file.as_deref(), token.map(Zeroizing::new))?;
    let machine = MachineBinding::of_this_machine().map_err(Failure::failed)?;
    let data_dir = DataDir::new(&settings.data_dir);
    let _lock = data_dir.lock().map_err(Failure::data_dir)?;
    let order = EnrollOrder { server, token, pin: ca_pin, replace, proxy };
    let disk = Disk::default();
    let enrolling = enroll(order, &data_dir, &disk, collect_facts(), machine);
    match runtime()?.block_on(enrolling).map_err(Failure::enrolling)? {
        Enrolment::Already { host } => print(
            out,
            format_args!(
                "This PC is enrolled already, as host {host}. Nothing was done. (--replace enrols it anew.)\n"
            ),
        )?,
        Enrolment::Done { identity, report_only } => {
            let host = identity.agent.host;
            let next = if report_only {
                "It reports at once. Your vendor has to approve it before certificates are renewed on it."
            } else {
                "It reports, and renews certificates, at once."
            };
            print(out, format_args!("Enrolled as host {host}.\n{next}\nStart the agent with: inkan-agent run\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn read_token(file: Option<&Path>, token: Option<Zeroizing<String>>) -> Result<JoinTokenSecret, Failure> {
    let text = match (file, token) {
        (Some(file), _) => read_file(file)?,
        (None, Some(token)) => token,
        (None, None) => {
            let what =
                "there is no join token: add --token-file FILE, or set INKAN_TOKEN. Your vendor gives tokens out.";
            return Err(Failure::usage(what.to_owned()));
        }
    };
    text.trim().parse().map_err(|error| Failure::usage(format!("{error}")))
}

fn read_file(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let read =
        if file == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { fs::read_to_string(file) };
    let failed = |error| Failure::usage(format!("could not read the join token from {}: {error}", file.display()));
    read.map(Zeroizing::new).map_err(failed)
}
