//! What can be typed, and its help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;
use inkan_model::{JoinTokenId, RenewalId};

use crate::typed::{CertificateName, HostName, parse_days, parse_wait};
use crate::words::Lang;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  refused by the server, or not done
  2  wrong usage
  3  the server cannot be reached
  4  not signed in

Examples:
  inkan login --server https://fleet.example --mail hanako@vendor.example
  inkan cert list --expiring 90d
  inkan renew SAKURA-01 3fa92c10 --wait";

/// Certificates and trust stores of a vendor's clinics, from the command line.
#[derive(Debug, Parser)]
#[command(name = "inkan", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) common: Common,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What holds for every command.
#[derive(Args, Debug)]
#[command(next_help_heading = "Common options")]
pub(crate) struct Common {
    /// The server's address; else INKAN_URL, else the one that inkan login remembers
    #[arg(long, global = true, value_name = "URL", env = "INKAN_URL", hide_env = true)]
    pub(crate) server: Option<String>,
    /// Trust only the certification authorities in this PEM file; else in INKAN_CA_FILE
    #[arg(long, global = true, value_name = "FILE", env = "INKAN_CA_FILE", hide_env = true)]
    pub(crate) ca_file: Option<PathBuf>,
    /// Language of what is printed; else as LANG says
    #[arg(long, global = true, value_name = "LANG")]
    pub(crate) lang: Option<Lang>,
    /// Print the API's JSON as it is
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sign in; the token is kept in ~/.config/inkan/credentials.toml
    #[command(after_help = "\
Examples:
  inkan login --server https://fleet.example --mail hanako@vendor.example
  inkan login --mail robot@vendor.example --password-file pw --code 123456

In place of signing in, a script can put a token into the environment variable INKAN_TOKEN.")]
    Login(Login),
    /// Sign out: end the token on the server, and forget it here
    #[command(after_help = "Examples:\n  inkan logout")]
    Logout,
    /// Show who is signed in
    #[command(after_help = "Examples:\n  inkan me\n  inkan me --json")]
    Me,
    /// Show the fleet in figures
    #[command(after_help = "Examples:\n  inkan overview\n  inkan overview --json")]
    Overview,
    /// Clinics: list, import, export, add
    #[command(subcommand)]
    Clinic(Clinic),
    /// Join tokens: create, list, revoke
    #[command(subcommand)]
    Token(Token),
    /// PCs: list, show, approve, suspend, retire
    #[command(subcommand)]
    Host(Host),
    /// Certificates: list, show
    #[command(subcommand)]
    Cert(Cert),
    /// Findings: what is wrong, and what to do
    #[command(subcommand)]
    Finding(Finding),
    /// Renew a certificate of a PC now
    #[command(after_help = "\
Examples:
  inkan renew SAKURA-01 3fa92c10
  inkan renew SAKURA-01 3fa92c10 --reason 'called us' --wait
  inkan renew 019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11 3fa92c10 --wait --timeout 30m

With --wait the exit code is 0 when the new certificate is proven and the old one archived, and 1 \
when a person has to act, the renewal was given up, or the time is over.")]
    Renew(Renew),
    /// Renewals: list, show, abandon
    #[command(subcommand)]
    Renewal(Renewal),
    /// Have a PC examined: its doctor says what is well, and what to do
    #[command(after_help = "\
Examples:
  inkan checkup SAKURA-01
  inkan checkup SAKURA-01 --programme common-ca --wait
  inkan checkup SAKURA-01 --last --json

Nothing is changed on the PC. One that is off is examined when it comes back.")]
    Checkup(Checkup),
    /// Print a script that completes commands in a shell
    #[command(after_help = "\
Examples:
  inkan completions bash > ~/.local/share/bash-completion/completions/inkan
  inkan completions powershell >> $PROFILE")]
    Completions {
        /// Which shell
        shell: Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Login {
    /// Mail address; asked for when absent
    #[arg(long)]
    pub(crate) mail: Option<String>,
    /// Read the password from this file; asked for when absent
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// The six digits of the authenticator app; asked for when absent
    #[arg(long)]
    pub(crate) code: Option<String>,
}

/// How much of a list is wanted.
#[derive(Args, Debug)]
pub(crate) struct Limit {
    /// At most so many items, over several pages
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) limit: u32,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Clinic {
    /// List clinics, by code
    #[command(
        after_help = "Examples:\n  inkan clinic list --search sakura\n  inkan clinic list --kind dental --prefecture 石川県 --json"
    )]
    List {
        /// Words to find in code or name
        #[arg(long)]
        search: Option<String>,
        /// medical, dental, pharmacy or nursing
        #[arg(long)]
        kind: Option<String>,
        /// Number, or name in Japanese or romaji
        #[arg(long)]
        prefecture: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Import a list of clinics in CSV: all of it, or nothing
    #[command(after_help = "\
Examples:
  inkan clinic import clinics.csv
  cat clinics.csv | inkan clinic import -

The head line names the columns: code, name, kind, prefecture, and where wanted contact, phone, mail.")]
    Import {
        /// The file; - for standard input
        file: PathBuf,
    },
    /// Export the clinics in CSV, as import reads it
    #[command(after_help = "Examples:\n  inkan clinic export --to clinics.csv\n  inkan clinic export | head")]
    Export {
        /// Write to this file and not to standard output
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Create a clinic, or change the one with this code
    #[command(
        after_help = "Examples:\n  inkan clinic add --code 1710119153 --name さくら内科クリニック --kind medical --prefecture 石川県"
    )]
    Add(NewClinic),
}

#[derive(Args, Debug)]
pub(crate) struct NewClinic {
    /// 10-digit institution code
    #[arg(long)]
    pub(crate) code: String,
    /// Name
    #[arg(long)]
    pub(crate) name: String,
    /// medical (医科), dental (歯科), pharmacy (薬局) or nursing (訪問看護)
    #[arg(long)]
    pub(crate) kind: String,
    /// Number, or name in Japanese or romaji
    #[arg(long)]
    pub(crate) prefecture: String,
    /// The person to ask for
    #[arg(long)]
    pub(crate) contact: Option<String>,
    /// Telephone number
    #[arg(long)]
    pub(crate) phone: Option<String>,
    /// Mail address
    #[arg(long)]
    pub(crate) mail: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Token {
    /// Make a join token; it is shown this once
    #[command(after_help = "\
Examples:
  inkan token create --clinic 1710119153
  inkan token create --clinic 1710119153 --uses 5 --hours 8 --approve > token.txt")]
    Create {
        /// The clinic that the PCs belong to: 10-digit institution code
        #[arg(long, value_name = "CODE")]
        clinic: String,
        /// How many PCs may join with it, 1 to 20
        #[arg(long, value_name = "N", default_value_t = 1)]
        uses: u32,
        /// For how many hours, 1 to 24
        #[arg(long, value_name = "H", default_value_t = 4)]
        hours: u32,
        /// Let the PCs get directives at once, without approving each
        #[arg(long)]
        approve: bool,
    },
    /// List join tokens, newest first
    #[command(after_help = "Examples:\n  inkan token list")]
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Withdraw a join token
    #[command(after_help = "Examples:\n  inkan token revoke 019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11")]
    Revoke {
        /// The token's identifier, as the list shows it
        id: JoinTokenId,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Host {
    /// List PCs, most urgent first
    #[command(after_help = "\
Examples:
  inkan host list --search sakura
  inkan host list --rule certificate_expiring --urgency now
  inkan host list --state report_only --json")]
    List(HostFilter),
    /// Show a PC: facts, certificates, findings
    #[command(after_help = "Examples:\n  inkan host show SAKURA-01")]
    Show(WhichHost),
    /// Let a PC get directives
    #[command(after_help = "Examples:\n  inkan host approve SAKURA-01")]
    Approve(WhichHost),
    /// Hold directives back from a PC; it goes on reporting
    #[command(after_help = "Examples:\n  inkan host suspend SAKURA-01")]
    Suspend(WhichHost),
    /// Take a PC out of service; its history stays
    #[command(after_help = "Examples:\n  inkan host retire SAKURA-01")]
    Retire(WhichHost),
}

#[derive(Args, Debug)]
pub(crate) struct HostFilter {
    /// Words to find in the PC's name, or the clinic's name or code
    #[arg(long)]
    pub(crate) search: Option<String>,
    /// Of this clinic: identifier or 10-digit institution code
    #[arg(long)]
    pub(crate) clinic: Option<String>,
    /// Number, or name in Japanese or romaji
    #[arg(long)]
    pub(crate) prefecture: Option<String>,
    /// With an open finding of this rule, such as certificate_expiring
    #[arg(long)]
    pub(crate) rule: Option<String>,
    /// With an open finding of this urgency: now, soon or watch
    #[arg(long)]
    pub(crate) urgency: Option<String>,
    /// In this state: active, report_only, suspended, retired or banned
    #[arg(long)]
    pub(crate) state: Option<String>,
    #[command(flatten)]
    pub(crate) limit: Limit,
}

#[derive(Args, Debug)]
pub(crate) struct WhichHost {
    /// The PC: its identifier, or its name
    #[arg(value_name = "HOST")]
    pub(crate) host: HostName,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// List certificates with their own key or purpose, soonest expiry first
    #[command(after_help = "\
Examples:
  inkan cert list --expiring 90d
  inkan cert list --host SAKURA-01
  inkan cert list --search オンライン請求 --json")]
    List {
        /// That end within this time, such as 90d or 12w; those that have ended are among them
        #[arg(long, value_name = "TIME", value_parser = parse_days)]
        expiring: Option<u16>,
        /// Of this PC: its identifier, or its name
        #[arg(long)]
        host: Option<HostName>,
        /// Of this clinic: identifier or 10-digit institution code
        #[arg(long)]
        clinic: Option<String>,
        /// Words to find in subject, PC or clinic
        #[arg(long)]
        search: Option<String>,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a certificate, and who holds it
    #[command(after_help = "\
Examples:
  inkan cert show 3fa92c10 --host SAKURA-01
  inkan cert show 3fa92c10 --host SAKURA-01 --der certificate.cer")]
    Show {
        /// SHA-256 of the certificate; with --host, its first 8 digits are enough
        #[arg(value_name = "SHA256")]
        certificate: CertificateName,
        /// Look among the certificates of this PC
        #[arg(long)]
        host: Option<HostName>,
        /// Write its DER to this file
        #[arg(long, value_name = "FILE")]
        der: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Finding {
    /// List open findings, most urgent first
    #[command(after_help = "\
Examples:
  inkan finding list --urgency now
  inkan finding list --clinic 1710119153 --lang ja")]
    List {
        /// Of this rule, such as key_missing
        #[arg(long)]
        rule: Option<String>,
        /// Of this urgency: now, soon or watch
        #[arg(long)]
        urgency: Option<String>,
        /// Of this clinic: identifier or 10-digit institution code
        #[arg(long)]
        clinic: Option<String>,
        /// Of this PC: its identifier, or its name
        #[arg(long)]
        host: Option<HostName>,
        #[command(flatten)]
        limit: Limit,
    },
}

#[derive(Args, Debug)]
pub(crate) struct Checkup {
    /// The PC: its identifier, or its name
    #[arg(value_name = "HOST")]
    pub(crate) host: HostName,
    /// The system that the PC should be fit for, such as common-ca; without it, what every PC has to pass
    #[arg(long, value_name = "ID")]
    pub(crate) programme: Option<String>,
    /// Ask nothing; show what was found last
    #[arg(long, conflicts_with_all = ["programme", "wait"])]
    pub(crate) last: bool,
    /// Wait for the PC's answer, and show it
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) wait: bool,
    /// How long to wait at most, such as 90s or 30m
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = parse_wait, requires = "wait")]
    pub(crate) timeout: Duration,
    /// How often to ask while waiting
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_wait, requires = "wait")]
    pub(crate) interval: Duration,
}

#[derive(Args, Debug)]
pub(crate) struct Renew {
    /// The PC: its identifier, or its name
    #[arg(value_name = "HOST")]
    pub(crate) host: HostName,
    /// The certificate: at least the first 8 digits of its SHA-256
    #[arg(value_name = "CERT")]
    pub(crate) certificate: CertificateName,
    /// Why; goes into the record
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Wait until it is done, and show each step
    #[arg(long, action = ArgAction::SetTrue)]
    pub(crate) wait: bool,
    /// How long to wait at most, such as 90s or 30m
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_wait, requires = "wait")]
    pub(crate) timeout: Duration,
    /// How often to ask while waiting
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_wait, requires = "wait")]
    pub(crate) interval: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Renewal {
    /// List renewals, newest first
    #[command(
        after_help = "Examples:\n  inkan renewal list --open\n  inkan renewal list --host SAKURA-01 --state failed"
    )]
    List {
        /// Of this PC: its identifier, or its name
        #[arg(long)]
        host: Option<HostName>,
        /// Of this clinic: identifier or 10-digit institution code
        #[arg(long)]
        clinic: Option<String>,
        /// In this state, such as needs_person
        #[arg(long)]
        state: Option<String>,
        /// Only those under way
        #[arg(long)]
        open: bool,
        #[command(flatten)]
        limit: Limit,
    },
    /// Show a renewal
    #[command(after_help = "Examples:\n  inkan renewal show 019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11")]
    Show {
        /// The renewal's identifier
        id: RenewalId,
    },
    /// Give a renewal up; the old certificate stays as it is
    #[command(after_help = "Examples:\n  inkan renewal abandon 019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11 --why 'wrong PC'")]
    Abandon {
        /// The renewal's identifier
        id: RenewalId,
        /// Why; goes into the record
        #[arg(long)]
        why: String,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
