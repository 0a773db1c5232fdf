//! What agents do, and what they may not.

use futures::stream;
use inkan_issuance::identity_ca::{AgentCa, verify_identity};
use inkan_issuance::proof::recovery_message;
use inkan_model::certificate::Certificate;
use inkan_model::directive::Generation;
use inkan_model::host::HostState;
use inkan_model::identity::AgentIdentity;
use inkan_model::store::{KeyPresence, Location, Scope, SetEntry, StoreKind, StoreSet};
use inkan_model::sync::{HostReport, Lacks, LocationState, SyncAnswer, SyncReport, state_digest};
use inkan_model::{Clock as _, HostId, VendorId};
use inkan_wire::pb::agent_client::AgentClient;
use inkan_wire::{BeginRecovery, Enrolled, Recover, RecoveryNonce, RenewIdentity, Upload, UploadedSet, pb};
use time::Duration;
use tonic::Code;
use tonic::transport::Channel;

use crate::stage::{DEADLINE, Identity, Stage, enroll_request, facts, new_key, request_for};

fn location() -> Location {
    Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/etc/inkan-demo/certs".to_owned() }
}

fn sync_request(stage: &Stage, report: &HostReport, with_report: bool) -> pb::SyncRequest {
    SyncReport {
        epoch: 1,
        entries: Vec::new(),
        state: state_digest(report),
        report: with_report.then(|| report.clone()),
        generation: Generation(0),
        clock: stage.clock.now(),
    }
    .into()
}

async fn sync(stage: &Stage, client: &mut AgentClient<Channel>, report: &HostReport, with_report: bool) -> SyncAnswer {
    let answer = client.sync(sync_request(stage, report, with_report)).await.unwrap().into_inner();
    SyncAnswer::try_from(answer).unwrap()
}

async fn upload(client: &mut AgentClient<Channel>, uploads: Vec<Upload>) -> Lacks {
    let messages: Vec<pb::UploadRequest> = uploads.into_iter().map(Into::into).collect();
    client.upload(stream::iter(messages)).await.unwrap().into_inner().try_into().unwrap()
}

fn host_of(stage: &Stage, identity: &Identity) -> (VendorId, HostId) {
    let issued = verify_identity(&identity.chain[0], &stage.ca()).unwrap();
    (issued.identity.vendor, issued.identity.host)
}

fn code_of<T>(answer: Result<T, tonic::Status>) -> Code {
    answer.err().map_or(Code::Ok, |status| status.code())
}

#[tokio::test]
async fn a_pc_enrols_reports_brings_what_the_server_lacks_and_then_is_quiet() {
    let stage = Stage::start().await;
    let owner = stage.owner("Vendor").await;
    let identity = stage.enroll(&stage.token(&owner, 1).await, new_key()).await.unwrap();
    let mut client = stage.agent_client(&identity).await;

    // Any certificate will do as content; the server's own is at hand.
    let certificate = Certificate::read(stage.ca().to_vec());
    let entry = SetEntry::certificate(certificate.fingerprint, KeyPresence::NotExpected, Some("ca.pem".to_owned()));
    let set = StoreSet::new(vec![entry]);
    let seen = LocationState { location: location(), set: set.digest(), errors: Vec::new() };
    let report = HostReport { facts: facts(), locations: vec![seen] };

    assert!(sync(&stage, &mut client, &report, false).await.lacks.report, "it has never reported");
    let lacks = sync(&stage, &mut client, &report, true).await.lacks;
    assert_eq!(lacks, Lacks { sets: vec![set.digest()], ..Lacks::default() });

    let sets = vec![UploadedSet::new(set.clone())];
    let lacks = upload(&mut client, vec![Upload { sets: sets.clone(), ..Upload::default() }]).await;
    assert_eq!(lacks.certificates, [certificate.fingerprint]);
    let certificates = vec![certificate.der.clone()];
    let brought = vec![Upload { certificates, ..Upload::default() }, Upload { sets, ..Upload::default() }];
    assert!(upload(&mut client, brought).await.is_nothing());

    assert!(sync(&stage, &mut client, &report, true).await.lacks.is_nothing());
    let quiet = sync(&stage, &mut client, &report, false).await;
    assert!(quiet.lacks.is_nothing() && quiet.directives.is_none() && !quiet.renew_identity);
    let (_, host) = host_of(&stage, &identity);
    assert_eq!(stage.core.view(&owner).unwrap().host(host).await.unwrap().facts, facts());
    stage.stop().await;
}

#[tokio::test]
async fn enrolling_again_with_the_same_key_yields_the_same_host() {
    let stage = Stage::start().await;
    let token = stage.token(&stage.owner("Vendor").await, 1).await;
    let key = new_key();
    let request = enroll_request(&token, &key);
    let mut client = stage.enrolment_client().await;
    let first = Enrolled::try_from(client.enroll(request.clone()).await.unwrap().into_inner()).unwrap();
    let again = Enrolled::try_from(stage.enrolment_client().await.enroll(request).await.unwrap().into_inner()).unwrap();
    assert_eq!(first.chain, again.chain);
    stage.stop().await;
}

#[tokio::test]
async fn a_token_that_is_used_up_or_unknown_enrols_nobody() {
    let stage = Stage::start().await;
    let owner = stage.owner("Vendor").await;
    let token = stage.token(&owner, 1).await;
    stage.enroll(&token, new_key()).await.unwrap();
    let refused = stage.enroll(&token, new_key()).await.err().unwrap();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("used up"), "{refused}");

    let unknown = inkan_model::join_token::JoinTokenSecret::new([9; 32]);
    assert_eq!(code_of(stage.enroll(&unknown, new_key()).await), Code::PermissionDenied);
    stage.stop().await;
}

#[tokio::test]
async fn nobody_speaks_for_another_tenant() {
    let stage = Stage::start().await;
    let identity = stage.enroll(&stage.token(&stage.owner("One").await, 1).await, new_key()).await.unwrap();
    let other = stage.owner("Other").await;
    let (_, host) = host_of(&stage, &identity);
    let report = HostReport { facts: facts(), locations: Vec::new() };

    // Even a certificate by the deployment's own authority does not help, if its tenant is not the host's.
    let pem = |name: &str| std::fs::read_to_string(stage.deployment().join(name)).unwrap();
    let authority = AgentCa::load(&pem("agent-ca.pem"), &pem("agent-ca.key")).unwrap();
    let deployment = verify_identity(&identity.chain[0], &stage.ca()).unwrap().identity.deployment;
    let now = stage.clock.now();
    let forge = |vendor, key: inkan_issuance::key::SoftwareKey| {
        let name = AgentIdentity { deployment: deployment.clone(), vendor, host };
        let (from, to) = (now.minus(Duration::HOUR), now.plus(Duration::DAY));
        let leaf = authority.issue_agent(&name, &key.spki(), [0x41; 16], from, to).unwrap();
        Identity { key, chain: vec![leaf, stage.ca().to_vec()] }
    };
    for forged in [forge(other.vendor, new_key()), forge(host_of(&stage, &identity).0, new_key())] {
        let answer = stage.agent_client(&forged).await.sync(sync_request(&stage, &report, true)).await;
        assert_eq!(code_of(answer), Code::Unauthenticated);
    }
    assert!(stage.core.view(&other).unwrap().host(host).await.is_err());

    // One of another deployment does not even get through TLS.
    let foreign = Stage::start().await;
    let owner = foreign.owner("One").await;
    let stranger = foreign.enroll(&foreign.token(&owner, 1).await, new_key()).await.unwrap();
    let refused = match stage.connect_tls(stage.agents(), Some(&stranger)).await {
        Err(error) => error,
        // In TLS 1.3 the client is done first; the alert comes with the first read.
        Ok(mut stream) => tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap_err(),
    };
    assert!(refused.to_string().contains("alert") || refused.kind() == std::io::ErrorKind::UnexpectedEof, "{refused}");
    foreign.stop().await;
    stage.stop().await;
}

#[tokio::test]
async fn an_identity_is_renewed_and_the_old_one_in_use_again_is_a_clone() {
    let stage = Stage::start().await;
    let owner = stage.owner("Vendor").await;
    let old = stage.enroll(&stage.token(&owner, 1).await, new_key()).await.unwrap();
    let report = HostReport { facts: facts(), locations: Vec::new() };
    let csr = request_for(&old.key);
    let answer =
        stage.agent_client(&old).await.renew_identity(pb::RenewIdentityRequest::from(RenewIdentity { csr })).await;
    let key = inkan_issuance::key::SoftwareKey::from_pkcs8(old.key.pkcs8().clone()).unwrap();
    let new = Identity { key, chain: answer.unwrap().into_inner().chain };
    assert!(sync(&stage, &mut stage.agent_client(&new).await, &report, true).await.lacks.is_nothing());

    let again = stage.agent_client(&old).await.sync(sync_request(&stage, &report, false)).await;
    assert_eq!(code_of(again), Code::Unauthenticated);
    let (_, host) = host_of(&stage, &new);
    assert_eq!(stage.core.view(&owner).unwrap().host(host).await.unwrap().state, HostState::Suspended);
    stage.stop().await;
}

#[tokio::test]
async fn an_expired_identity_is_refused_and_recovers_by_its_key() {
    let stage = Stage::start().await;
    let old = stage.enroll(&stage.token(&stage.owner("Vendor").await, 1).await, new_key()).await.unwrap();
    stage.clock.advance(Duration::days(31));
    let report = HostReport { facts: facts(), locations: Vec::new() };
    let refused = match stage.connect_tls(stage.agents(), Some(&old)).await {
        Err(error) => error,
        Ok(mut stream) => tokio::io::AsyncReadExt::read_u8(&mut stream).await.unwrap_err(),
    };
    assert!(refused.to_string().contains("CertificateExpired"), "{refused}");

    let mut client = stage.enrolment_client().await;
    let certificate = old.chain[0].clone();
    let begun =
        client.begin_recovery(pb::BeginRecoveryRequest::from(BeginRecovery { certificate: certificate.clone() }));
    let RecoveryNonce(nonce) = begun.await.unwrap().into_inner().try_into().unwrap();

    let signed = |key: &inkan_issuance::key::SoftwareKey| {
        let signature = key.sign_message(&recovery_message(&nonce)).unwrap();
        pb::RecoverRequest::from(Recover { certificate: certificate.clone(), nonce: nonce.clone(), signature })
    };
    assert_eq!(code_of(client.recover(signed(&new_key())).await), Code::InvalidArgument);
    let recovered = client.recover(signed(&old.key)).await.unwrap().into_inner();
    let new = Identity { key: old.key, chain: recovered.chain };
    assert!(sync(&stage, &mut stage.agent_client(&new).await, &report, true).await.lacks.is_nothing());
    stage.stop().await;
}

#[tokio::test]
async fn a_watch_tells_the_generation_and_ends_when_the_host_is_banned() {
    let stage = Stage::start_with(|config| {
        config.agents.limits.watch_interval = std::time::Duration::from_millis(50);
    })
    .await;
    let owner = stage.owner("Vendor").await;
    let identity = stage.enroll(&stage.token(&owner, 1).await, new_key()).await.unwrap();
    let (_, host) = host_of(&stage, &identity);
    let mut nudges = stage.agent_client(&identity).await.watch(pb::WatchRequest {}).await.unwrap().into_inner();
    assert_eq!(nudges.message().await.unwrap().unwrap().generation, 0);
    stage.core.nudges().nudge(host, Generation(3));
    assert_eq!(nudges.message().await.unwrap().unwrap().generation, 3);

    stage.core.set_host_state(&owner, host, HostState::Banned).await.unwrap();
    let ended = tokio::time::timeout(DEADLINE, async {
        loop {
            // A look at the stored generation may come in between.
            if let Err(status) = nudges.message().await {
                return status;
            }
        }
    });
    assert_eq!(ended.await.unwrap().code(), Code::Unauthenticated);
    let report = HostReport { facts: facts(), locations: Vec::new() };
    let refused = stage.agent_client(&identity).await.sync(sync_request(&stage, &report, false)).await;
    assert_eq!(code_of(refused), Code::Unauthenticated);
    stage.stop().await;
}

#[tokio::test]
async fn the_server_stops_in_order_while_an_agent_watches() {
    let stage = Stage::start().await;
    let identity = stage.enroll(&stage.token(&stage.owner("Vendor").await, 1).await, new_key()).await.unwrap();
    let mut client = stage.agent_client(&identity).await;
    let mut nudges = client.watch(pb::WatchRequest {}).await.unwrap().into_inner();
    assert!(nudges.message().await.unwrap().is_some());
    let addresses = stage.data_dir().join("addresses.json");
    assert!(addresses.is_file());
    let folder = stage.stop().await;
    assert!(nudges.message().await.unwrap().is_none(), "the stream ends without an error");
    assert!(folder.path().is_dir() && !addresses.exists());
}

#[tokio::test]
async fn one_host_that_calls_too_often_is_told_to_slow_down() {
    let stage = Stage::start().await;
    let identity = stage.enroll(&stage.token(&stage.owner("Vendor").await, 1).await, new_key()).await.unwrap();
    let mut client = stage.agent_client(&identity).await;
    let report = HostReport { facts: facts(), locations: Vec::new() };
    let mut taken = 0;
    let refused = loop {
        match client.sync(sync_request(&stage, &report, false)).await {
            Ok(_) => taken += 1,
            Err(status) => break status,
        }
        assert!(taken < 2_000, "nothing was refused");
    };
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(taken >= 100, "only {taken} were taken");
    stage.stop().await;
}
