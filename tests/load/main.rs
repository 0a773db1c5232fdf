//! `inkan-swarm`: simulated PCs. It makes the sample fleet of `deploy/try`: clinics imported through the API, and PCs that
//! really enrol and really report, with stores and certificates that are invented and say so.
//!
//! Every PC speaks from a loopback address of its own, so that limits by address stay as they are in earnest. Nothing is
//! ever sent to another machine.

mod clinics;
mod pcs;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use clap::Parser;
use inkan_issuance::identity_ca::CaPin;
use inkan_model::join_token::MOST_USES;
use inkan_tests::api::Api;
use inkan_tests::simulated::{Candidate, Doors, SimulatedPc, source};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::clinics::{SampleClinic, as_csv, sample_clinics};
use crate::pcs::{Shelf, facts_of};

/// Enrolments under way at once.
const AT_ONCE: usize = 4;
/// The most that it simulates; more is for another tool.
const MOST_PCS: u32 = 5_000;

/// Simulated PCs, on this machine only, clearly labelled as samples.
#[derive(Debug, Parser)]
struct Options {
    /// The server's pages, as http://127.0.0.1:PORT.
    #[arg(long)]
    web: String,
    /// The enrolment listener.
    #[arg(long)]
    enrolment: SocketAddr,
    /// By what the deployment's CA is known: sha256: and 64 hexadecimal digits.
    #[arg(long)]
    ca_pin: String,
    /// A file with the token of an operator's session.
    #[arg(long)]
    session_file: PathBuf,
    /// Clinics, at most 40.
    #[arg(long, default_value_t = 40)]
    clinics: usize,
    /// PCs, spread over the clinics.
    #[arg(long, default_value_t = 120)]
    pcs: u32,
    /// Once all have reported, write how many they are to this file.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// Keep in touch after the first report, as agents do, until this program is stopped.
    #[arg(long)]
    stay: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    ensure!(options.enrolment.ip().is_loopback(), "simulated PCs stay on the loopback interface");
    ensure!((1..=40).contains(&options.clinics), "1 to 40 clinics are possible");
    ensure!((1..=MOST_PCS).contains(&options.pcs), "1 to {MOST_PCS} PCs are possible");
    let began = Instant::now();
    let fleet = enroll(&options).await?;
    say(&format!("{} sample PCs at {} clinics, {:.1?}", fleet.len(), options.clinics, began.elapsed()));
    if let Some(file) = &options.ready_file {
        std::fs::write(file, fleet.len().to_string()).context("could not write the ready file")?;
    }
    if options.stay { keep_in_touch(fleet).await } else { Ok(()) }
}

async fn enroll(options: &Options) -> Result<Vec<SimulatedPc>> {
    let session = std::fs::read_to_string(&options.session_file).context("could not read the session's file")?;
    let api = Api::new(&options.web)?.with_token(session.trim());
    let clinics = sample_clinics(options.clinics);
    api.import_clinics(&as_csv(&clinics)).await?;
    let ca_pin: CaPin = options.ca_pin.parse().context("--ca-pin")?;
    let doors = Doors { enrolment: options.enrolment, ca_pin };
    let (shelf, slots) = (Shelf::stock()?, Arc::new(Semaphore::new(AT_ONCE)));
    let mut enrolments = JoinSet::new();
    for (clinic, numbers) in numbers_by_clinic(&clinics, options.pcs) {
        for part in numbers.chunks(MOST_USES as usize) {
            let uses = u32::try_from(part.len()).context("more than a token's uses")?;
            let token = api.join_token(&clinic.code, uses, true).await?;
            for number in part {
                let candidate = Candidate::new(facts_of(*number), source(*number + 1))?;
                let stores = shelf.stores_of(*number, clinic)?;
                let (doors, token, slots) = (doors.clone(), token.clone(), Arc::clone(&slots));
                enrolments.spawn(async move {
                    let _slot = slots.acquire_owned().await.context("no slot")?;
                    let mut pc = candidate.enroll(&doors, &token).await?;
                    pc.stores = stores;
                    pc.report().await?;
                    // Two connections at once would be the exception among real PCs.
                    pc.hang_up();
                    anyhow::Ok(pc)
                });
            }
        }
    }
    let mut fleet = Vec::new();
    while let Some(pc) = enrolments.join_next().await {
        fleet.push(pc.context("an enrolment panicked")??);
    }
    Ok(fleet)
}

/// The numbers of each clinic's PCs: they are dealt out in turn.
fn numbers_by_clinic(clinics: &[SampleClinic], pcs: u32) -> Vec<(&SampleClinic, Vec<u32>)> {
    let of = |at: usize| (0..pcs).filter(|number| *number as usize % clinics.len() == at).collect();
    clinics.iter().enumerate().map(|(at, clinic)| (clinic, of(at))).collect()
}

/// Syncs each PC as often as the server asks, one after the other, so that the fleet costs next to nothing.
async fn keep_in_touch(mut fleet: Vec<SimulatedPc>) -> Result<()> {
    loop {
        let pause = Duration::from_mins(4) / u32::try_from(fleet.len()).unwrap_or(1).max(1);
        for pc in &mut fleet {
            tokio::time::sleep(pause).await;
            if let Err(error) = pc.report().await {
                say(&format!("{}: {error:#}", pc.facts.host_name));
            }
            pc.hang_up();
        }
    }
}

#[expect(clippy::print_stderr, reason = "this is a program, and these are its words")]
fn say(words: &str) {
    eprintln!("inkan-swarm: {words}");
}
