//! `private-ca`: a vendor's own certification authority at the console: for first certificates and for trials.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use inkan_issuance::private_ca::Order;
use inkan_issuance::request::Request;
use inkan_model::Timestamp;
use inkan_model::operator::Vendor;
use time::Duration;

use super::{find_vendor, print};
use crate::assemble::{Backstage, World};
use crate::config::Config;
use crate::deployment::{files, new_serial};

/// Certificates count from this long before they are made, for PCs whose clocks are slow.
const BACKDATED: Duration = Duration::HOUR;

#[derive(Debug, Subcommand)]
pub(super) enum PrivateCaCommand {
    /// Print the authority's own certificate, PEM
    Certificate(Certificate),
    /// Issue a client certificate for a request
    Issue(Issue),
}

/// Print the authority's own certificate, PEM. It is made when there is none.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  inkan-server private-ca certificate --vendor 'Hokkai Systems' > ca.pem")]
pub(super) struct Certificate {
    /// The vendor's name
    #[arg(long, value_name = "NAME")]
    vendor: String,
}

/// Issue a client certificate for a request.
///
/// The subject is that of the request, byte for byte. Who may have it is your decision.
#[derive(Args, Debug)]
#[command(
    after_help = "Example:\n  inkan-server private-ca issue --vendor 'Hokkai Systems' --csr pc.csr --days 30 --out pc.pem"
)]
pub(super) struct Issue {
    /// The vendor's name
    #[arg(long, value_name = "NAME")]
    vendor: String,
    /// Request (PKCS#10), PEM or DER
    #[arg(long, value_name = "FILE")]
    csr: PathBuf,
    /// How long the certificate is valid
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// Where the certificate and its issuer go, PEM
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl PrivateCaCommand {
    pub(super) async fn run(self, config: &Config) -> Result<()> {
        let backstage = Backstage::open(config, World::default()).await?;
        let done = match self {
            Self::Certificate(certificate) => certificate.run(&backstage).await,
            Self::Issue(issue) => issue.run(&backstage).await,
        };
        backstage.close().await;
        done
    }
}

async fn vendor_of(backstage: &Backstage, name: &str) -> Result<Vendor> {
    let found = find_vendor(backstage, name).await?;
    found.with_context(|| format!("there is no vendor {name:?}: `inkan-server operator create` makes one"))
}

impl Certificate {
    async fn run(self, backstage: &Backstage) -> Result<()> {
        let vendor = vendor_of(backstage, &self.vendor).await?;
        let authority = backstage.core.authorities().private_ca(vendor.id)?;
        print(&pem::encode(&pem::Pem::new("CERTIFICATE", authority.certificate())))
    }
}

impl Issue {
    async fn run(self, backstage: &Backstage) -> Result<()> {
        let Self { vendor, csr, days, out } = self;
        let vendor = vendor_of(backstage, &vendor).await?;
        let request = Request::parse(&read_request(&csr)?).with_context(|| format!("{} is refused", csr.display()))?;
        let now: Timestamp = backstage.core.now();
        let order = Order {
            subject_der: request.subject_der().to_vec(),
            spki_der: request.spki_der().to_vec(),
            serial: new_serial(backstage.world.entropy.as_ref()),
            not_before: now.minus(BACKDATED),
            not_after: now.plus(Duration::days(days.into())),
        };
        let chain = backstage.core.authorities().private_ca(vendor.id)?.issue(&order).context("could not issue")?;
        let chain: Vec<_> = chain.into_iter().map(|der| pem::Pem::new("CERTIFICATE", der)).collect();
        std::fs::write(&out, pem::encode_many(&chain)).with_context(|| format!("could not write {}", out.display()))?;
        print(&format!("{} is valid until {}\n", out.display(), order.not_after))
    }
}

/// The request's DER, whichever form the file has.
fn read_request(path: &std::path::Path) -> Result<Vec<u8>> {
    let bytes = files::read_private(path)?;
    if bytes.first() == Some(&0x30) {
        return Ok(bytes.to_vec());
    }
    let parsed = pem::parse(bytes.as_slice()).with_context(|| format!("{} is neither PEM nor DER", path.display()))?;
    Ok(parsed.into_contents())
}
