//! The agent's side of the wire against a server in this process: real TLS, real gRPC, port 0.

use std::path::Path;
use std::sync::atomic::Ordering;

use inkan_model::digest::StateDigest;
use inkan_model::host::HostFacts;
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::store::{KeyPresence, SetEntry, StoreSet};
use inkan_model::{Fingerprint, Timestamp};
use inkan_wire::UploadedSet;
use time::Duration;

use super::*;
use crate::data_dir::DataDir;
use crate::disk::Disk;
use crate::enroll::{EnrollError, EnrollOrder, Enrolment, enroll};
use crate::identity::{IdentityError, IdentityFolder, MachineBinding, identity_request};
use crate::testing::grpc::{Running, deployment, token};

async fn enrol(place: &Path, order: EnrollOrder) -> Result<Enrolment, EnrollError> {
    let facts = HostFacts { host_name: "pc".to_owned(), ..HostFacts::default() };
    enroll(order, &DataDir::new(place), &Disk::default(), facts, MachineBinding::of("machine")).await
}

fn again(order: &EnrollOrder) -> EnrollOrder {
    let EnrollOrder { server, pin, replace, .. } = order;
    EnrollOrder { server: server.clone(), token: token(), pin: *pin, replace: *replace, proxy: None }
}

async fn enrolled(place: &Path, order: EnrollOrder) -> Arc<Identity> {
    match enrol(place, order).await.unwrap() {
        Enrolment::Done { identity, report_only: true } => Arc::new(*identity),
        other => panic!("{other:?}"),
    }
}

fn report() -> SyncReport {
    SyncReport {
        epoch: 1,
        entries: Vec::new(),
        state: StateDigest::from_bytes([1; 32]),
        report: None,
        generation: Generation(0),
        clock: Timestamp::from_unix_seconds(1_795_132_800),
    }
}

#[tokio::test]
async fn a_pc_enrols_and_speaks_with_its_identity() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let identity = enrolled(place.path(), order).await;
    assert_eq!(identity.agent, deployment.agent);
    let uplink = GrpcUplink::new(identity, None).unwrap();
    let Answered { answer, bytes } = uplink.sync(report()).await.unwrap();
    assert_eq!((answer.next_sync, answer.lacks.report), (Duration::minutes(10), true));
    assert!((40..100).contains(&bytes), "{bytes} bytes");
    let certificate = Fingerprint::of(b"a certificate");
    let entry = SetEntry::certificate(certificate, KeyPresence::Present, None);
    let set = UploadedSet::new(StoreSet::new(vec![entry]));
    let upload = Upload { sets: vec![set], ..Upload::default() };
    assert_eq!(uplink.upload(vec![upload]).await.unwrap().certificates, [certificate]);
    let mut nudges = uplink.watch().await.unwrap();
    assert_eq!(tokio_stream::StreamExt::next(&mut nudges).await.unwrap().unwrap(), Generation(0));
}

#[tokio::test]
async fn an_identity_is_renewed_with_the_same_key_and_swapped() {
    let (place, (_deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let identity = enrolled(place.path(), order).await;
    let uplink = GrpcUplink::new(Arc::clone(&identity), None).unwrap();
    let chain = uplink.renew_identity(identity_request(&*identity.key).unwrap()).await.unwrap();
    let renewed = IdentityFolder::new(Disk::default(), place.path()).renew(&identity, chain, None).unwrap();
    assert_eq!(renewed.generation, 2);
    uplink.adopt(Arc::new(renewed)).await.unwrap();
    uplink.sync(report()).await.unwrap();
}

#[tokio::test]
async fn an_expired_identity_is_refused_and_recovered_by_its_key() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    deployment.stale.store(true, Ordering::Relaxed);
    let identity = enrolled(place.path(), order).await;
    let uplink = GrpcUplink::new(Arc::clone(&identity), None).unwrap();
    let refused = uplink.sync(report()).await.unwrap_err();
    assert!(matches!(refused, UplinkError::Expired(_)), "{refused:?}");
    let recovered = uplink.recover_identity(&identity).await.unwrap();
    let folder = IdentityFolder::new(Disk::default(), place.path());
    let renewed = folder.renew(&identity, recovered.chain, Some(recovered.server_url)).unwrap();
    uplink.adopt(Arc::new(renewed)).await.unwrap();
    uplink.sync(report()).await.unwrap();
}

#[tokio::test]
async fn a_wrong_pin_ends_the_enrolment_before_the_token_is_sent() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let other = Running::new().ca.pin();
    let refused = enrol(place.path(), EnrollOrder { pin: other, ..order }).await.unwrap_err();
    let words = crate::causes::with_causes(&refused);
    assert!(words.contains("no authority with the key of pin"), "{words}");
    assert!(deployment.enrolments.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_wrong_token_is_refused_in_the_servers_words_and_a_retry_uses_the_same_key() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let wrong = EnrollOrder { token: JoinTokenSecret::new([1; 32]), ..again(&order) };
    let refused = enrol(place.path(), wrong).await.unwrap_err();
    assert!(matches!(&refused, EnrollError::Uplink { cause: UplinkError::Refused(_), .. }));
    assert!(crate::causes::with_causes(&refused).contains("the join token is not known"));
    let key = IdentityFolder::new(Disk::default(), place.path()).begin().unwrap().public_key();
    let identity = enrolled(place.path(), order).await;
    assert_eq!(identity.key.public_key(), key);
    assert_eq!(*deployment.enrolments.lock().unwrap(), [key]);
}

#[tokio::test]
async fn enrolling_twice_does_nothing_and_replacing_makes_a_new_host() {
    let (place, (deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let first = enrolled(place.path(), again(&order)).await;
    assert!(
        matches!(enrol(place.path(), again(&order)).await.unwrap(), Enrolment::Already { host } if host == first.agent.host)
    );
    let elsewhere = EnrollOrder { pin: Running::new().ca.pin(), ..again(&order) };
    let refused = enrol(place.path(), elsewhere).await.unwrap_err();
    assert!(matches!(refused, EnrollError::Identity(IdentityError::Enrolled { .. })));
    std::fs::write(place.path().join("ledger.json"), b"of the first host").unwrap();
    let second = enrolled(place.path(), EnrollOrder { replace: true, ..order }).await;
    assert_ne!(second.key.public_key(), first.key.public_key());
    assert!(!place.path().join("ledger.json").exists());
    assert_eq!(deployment.enrolments.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_from_one_that_refuses() {
    let (place, (_deployment, order)) = (tempfile::tempdir().unwrap(), deployment().await);
    let mut away = again(&order);
    away.server = "https://127.0.0.1:1".to_owned();
    let refused = enrol(place.path(), away).await.unwrap_err();
    assert!(matches!(&refused, EnrollError::Uplink { cause: UplinkError::Unreachable(_), .. }));
    let words = crate::causes::with_causes(&refused);
    assert!(words.contains("127.0.0.1 port 1") && words.contains("refused"), "{words}");
}
