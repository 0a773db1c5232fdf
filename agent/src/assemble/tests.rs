//! A whole agent: real files, real TLS, real gRPC. Only the server's use cases are fake.

use std::fs;
use std::path::Path;
use std::time::Duration;

use inkan_model::host::HostFacts;
use inkan_model::{Certificate, RenewalId};

use super::*;
use crate::enroll::{Enrolment, enroll};
use crate::identity::MachineBinding;
use crate::settings::SettingsFlags;
use crate::testing::grpc::{Running, deployment};

/// How long anything may take, on a machine that is busy with something else.
const DEADLINE: Duration = Duration::from_mins(1);

/// A directory with a certificate and its key, as a clinic's system keeps them; the certificate.
fn clinic(folder: &Path, running: &Running) -> Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "0110119153");
    let old = params.self_signed(&key).unwrap();
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("clinic.pem"), old.pem()).unwrap();
    fs::write(folder.join("clinic.key"), key.serialize_pem()).unwrap();
    running.server.lock().unwrap().next_sync = time::Duration::hours(1);
    Certificate::read(old.der().to_vec())
}

async fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(DEADLINE, waiting).await.is_ok(), "it never came to pass that {what}");
}

fn state_of(running: &Running, renewal: RenewalId) -> &'static str {
    running.server.lock().unwrap().state_of(renewal)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrolled_pc_reports_and_renews_over_the_wire() {
    let place = tempfile::tempdir().unwrap();
    let (data_dir, clinic_dir) = (place.path().join("data"), place.path().join("clinic"));
    let (running, order) = deployment().await;
    let old = clinic(&clinic_dir, &running);
    let flags = SettingsFlags {
        config: Some(place.path().join("agent.toml")),
        data_dir: Some(data_dir.clone()),
        directories: vec![clinic_dir.clone()],
        server_url: None,
    };
    fs::write(place.path().join("agent.toml"), "").unwrap();
    let settings = AgentSettings::load(&flags).unwrap();
    let (disk, machine) = (Disk::default(), MachineBinding::of("machine"));
    let facts = HostFacts { host_name: "pc".to_owned(), ..HostFacts::default() };
    let enrolled = enroll(order, &DataDir::new(&data_dir), &disk, facts, machine).await.unwrap();
    assert!(matches!(enrolled, Enrolment::Done { .. }));

    let folder = IdentityFolder::new(disk, &data_dir);
    let identity = folder.open(machine).unwrap();
    let agent = assemble(&settings, identity, folder, None, Handle::current()).unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let ran = tokio::spawn(agent.run(async { drop(stopped.await) }));
    wait_until("the first report is taken", || running.server.lock().unwrap().state.is_some()).await;

    let location = {
        let server = running.server.lock().unwrap();
        let report = server.reports.last().unwrap();
        let here = report.locations.iter().find(|state| state.location.path == clinic_dir.to_str().unwrap());
        here.unwrap().location.clone()
    };
    let renewal = running.server.lock().unwrap().want_renewal(&location, old.fingerprint);
    running.nudge().await;
    wait_until("the renewal is closed", || state_of(&running, renewal) == "closed").await;
    let new = running.server.lock().unwrap().renewals[0].state.new_certificate().unwrap();
    let in_place = fs::read_to_string(clinic_dir.join("clinic.pem")).unwrap();
    let in_place = pem::parse_many(in_place).unwrap();
    assert_eq!(inkan_model::Fingerprint::of(in_place[0].contents()), new, "the new certificate has the old one's name");
    wait_until("the new certificate is reported", || running.server.lock().unwrap().certificates.contains(&new)).await;
    drop(stop);
    ran.await.unwrap();
}
