//! `nss-child`: the process in which a browser's NSS works on one profile. Not for people.
//!
//! It has given up the agent's rights before it starts, so it reads no settings, writes no log and touches nothing but its two
//! pipes and that profile.

use std::io::Write;
use std::process::ExitCode;

use inkan_trust_store::nss::child;

use super::Failure;

pub(super) fn run(out: &mut dyn Write) -> Result<ExitCode, Failure> {
    child::main(&mut std::io::stdin().lock(), out).map_err(Failure::failed)?;
    Ok(ExitCode::SUCCESS)
}
