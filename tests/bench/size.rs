//! Bytes on the wire, TLS included, of one PC with this machine's real bundle of trusted roots.

use anyhow::{Context as _, Result};
use inkan_model::Fingerprint;
use inkan_model::host::HostFacts;
use inkan_model::store::{KeyPresence, Location, Scope, SetEntry, StoreKind};
use inkan_tests::certificates::{SampleCa, subject, system_anchors};
use inkan_tests::deployment::{CLINIC, TestDeployment};
use inkan_tests::simulated::{Bytes, Candidate, SimulatedPc, source};
use time::Duration;

/// What was measured.
pub(crate) struct Sizes {
    certificates: usize,
    naive: u64,
    first: Bytes,
    second_pc: Bytes,
    quiet: Bytes,
    quiet_anew: Bytes,
    change: Bytes,
}

/// A PC with this machine's roots and one client certificate of its own.
pub(crate) async fn pc(deployment: &TestDeployment, number: u32, ca: &SampleCa) -> Result<SimulatedPc> {
    let token = deployment.api().await?.join_token(CLINIC, 1, true).await?;
    let candidate = Candidate::new(facts(number), source(number))?;
    let mut pc = candidate.enroll(&deployment.addresses().doors(), &token).await?;
    let anchors = system_anchors();
    let entries = anchors.iter().map(|der| entry(der, KeyPresence::NotExpected)).collect();
    pc.stores.put(location(StoreKind::SystemTrust, "/etc/ssl/certs/ca-certificates.crt"), entries, anchors);
    let name = subject(["medical", "ishikawa"], &format!("{CLINIC}-{number:04}"))?;
    let own = ca.issue(&name, Duration::days(100), Duration::days(300))?.der;
    let entries = vec![entry(&own, KeyPresence::Present), entry(ca.certificate(), KeyPresence::NotExpected)];
    pc.stores.put(own_location(), entries, vec![own, ca.certificate().to_vec()]);
    Ok(pc)
}

pub(crate) fn own_location() -> Location {
    location(StoreKind::Directory, "/etc/clinic/certificates")
}

fn location(kind: StoreKind, path: &str) -> Location {
    Location { kind, scope: Scope::Machine, path: path.to_owned() }
}

pub(crate) fn entry(der: &[u8], key: KeyPresence) -> SetEntry {
    SetEntry::certificate(Fingerprint::of(der), key, None)
}

fn facts(number: u32) -> HostFacts {
    HostFacts {
        host_name: format!("BENCH-{number:04}"),
        os: "Debian GNU/Linux 12".to_owned(),
        os_version: "12".to_owned(),
        kernel: "6.1.0".to_owned(),
        architecture: "x86_64".to_owned(),
        agent_version: "0.1.0".to_owned(),
        cores: 4,
        memory_mib: 8_192,
        ..HostFacts::default()
    }
}

pub(crate) async fn measure(deployment: &TestDeployment) -> Result<Sizes> {
    let ca = SampleCa::create("Sample CA")?;
    let mut one = pc(deployment, 1, &ca).await?;
    let naive = one.stores.naive_bytes(one.facts.clone()) as u64;
    let certificates = system_anchors().len() + 2;
    one.report().await?;
    let first = one.take_traffic();
    let mut two = pc(deployment, 2, &ca).await?;
    two.report().await?;
    let second_pc = two.take_traffic();
    let mut quiet = Bytes::default();
    for _ in 0..10 {
        one.take_traffic();
        one.sync().await?;
        quiet = one.take_traffic();
    }
    one.hang_up();
    one.sync().await?;
    let quiet_anew = one.take_traffic();
    let mut entries = one.stores.entries(&own_location());
    let name = subject(["medical", "ishikawa"], "change")?;
    let new = ca.issue(&name, Duration::DAY, Duration::days(300))?.der;
    entries.push(entry(&new, KeyPresence::Present));
    one.stores.put(own_location(), entries, vec![new]);
    one.report().await.context("the change")?;
    let change = one.take_traffic();
    Ok(Sizes { certificates, naive, first, second_pc, quiet, quiet_anew, change })
}

pub(crate) fn table(sizes: &Sizes) -> String {
    let Sizes { certificates, naive, first, second_pc, quiet, quiet_anew, change } = sizes;
    let total = |bytes: &Bytes| bytes.sent + bytes.received;
    let line = |what: &str, bytes: u64| {
        let ratio = *naive as f64 / bytes as f64;
        format!("| {what} | {bytes} | {ratio:.1} |\n")
    };
    [
        format!("Bytes both ways with TLS, for a PC with {certificates} certificates:\n\n"),
        "| | bytes | naive ÷ this |\n| --- | ---: | ---: |\n".to_owned(),
        line("naive full report, each time", *naive),
        line("first report of the first PC (connection and contents included)", total(first)),
        line("first report of the second PC (the fleet knows the roots)", total(second_pc)),
        line("quiet sync", total(quiet)),
        line("quiet sync on a new connection", total(quiet_anew)),
        line("one new certificate", total(change)),
    ]
    .concat()
}
