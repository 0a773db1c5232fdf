//! Peers that mean no good, or whose line is broken: their connections end, and nobody else notices.

use std::time::Duration;

use inkan_server::listener::Limits;
use inkan_wire::pb;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tonic::Code;

use crate::stage::{DEADLINE, Stage, new_key};

/// Limits that a test can wait for.
fn hurry(limits: &mut Limits) {
    limits.handshake_timeout = Duration::from_millis(300);
    limits.first_byte_timeout = Duration::from_millis(300);
    limits.keepalive_interval = Duration::from_millis(200);
    limits.keepalive_timeout = Duration::from_millis(200);
}

async fn hurried() -> Stage {
    Stage::start_with(|config| {
        hurry(&mut config.agents.limits);
        hurry(&mut config.enrolment.limits);
        hurry(&mut config.web.limits);
    })
    .await
}

/// Waits until the server has closed a connection, whatever it says before.
async fn wait_until_closed(mut stream: impl AsyncRead + Unpin) {
    let closed = async {
        let mut bytes = [0; 1024];
        while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
    };
    tokio::time::timeout(DEADLINE, closed).await.expect("the connection was left open");
}

#[tokio::test]
async fn a_connection_that_never_begins_tls_is_closed() {
    let stage = hurried().await;
    for address in [stage.agents(), stage.enrolment()] {
        wait_until_closed(TcpStream::connect(address).await.unwrap()).await;
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(&[0x16, 0x03, 0x01, 0x02]).await.unwrap();
        wait_until_closed(half).await;
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_connection_without_a_whole_preface_is_closed() {
    let stage = hurried().await;
    let identity = stage.enroll(&stage.token(&stage.owner("Vendor").await, 1).await, new_key()).await.unwrap();
    for (address, identity) in [(stage.enrolment(), None), (stage.agents(), Some(&identity))] {
        for sent in [b"".as_slice(), b"PRI * HTTP", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"] {
            let mut stream = stage.connect_tls(address, identity).await.unwrap();
            stream.write_all(sent).await.unwrap();
            stream.flush().await.unwrap();
            wait_until_closed(stream).await;
        }
    }
    stage.stop().await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_after_its_preface_is_closed() {
    let stage = hurried().await;
    let mut stream = stage.connect_tls(stage.enrolment(), None).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    stream.flush().await.unwrap();
    wait_until_closed(stream).await;
    stage.stop().await;
}

#[tokio::test]
async fn a_browser_that_sends_nothing_or_half_a_head_is_closed() {
    let stage = hurried().await;
    for sent in [b"".as_slice(), b"PRI", b"GET / HTTP/1.1\r\nHo"] {
        let mut stream = TcpStream::connect(stage.web()).await.unwrap();
        stream.write_all(sent).await.unwrap();
        wait_until_closed(stream).await;
    }
    stage.stop().await;
}

#[tokio::test]
async fn an_agent_without_a_certificate_does_not_get_in() {
    let stage = hurried().await;
    let refused = match stage.connect_tls(stage.agents(), None).await {
        Err(error) => error,
        Ok(mut stream) => stream.read_u8().await.unwrap_err(),
    };
    assert!(refused.to_string().contains("CertificateRequired"), "{refused}");
    stage.stop().await;
}

#[tokio::test]
async fn one_address_holds_only_so_many_connections() {
    let stage = Stage::start_with(|config| config.enrolment.limits.connections_per_ip = 2).await;
    let (first, second) =
        (stage.connect_tls(stage.enrolment(), None).await.unwrap(), stage.connect_tls(stage.enrolment(), None).await);
    assert!(second.is_ok() && stage.connect_tls(stage.enrolment(), None).await.is_err());
    drop(first);
    let retried = async { while stage.connect_tls(stage.enrolment(), None).await.is_err() {} };
    tokio::time::timeout(DEADLINE, retried).await.expect("the place was not given back");
    stage.stop().await;
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let stage = Stage::start().await;
    let request = pb::EnrollRequest { csr: vec![0; 100 * 1024], ..pb::EnrollRequest::default() };
    let refused = stage.enrolment_client().await.enroll(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    stage.stop().await;
}

#[tokio::test]
async fn an_address_that_asks_too_often_has_to_wait() {
    let stage = Stage::start_with(|config| {
        config.enrolment.requests_per_minute_per_ip = std::num::NonZeroU32::new(3).unwrap();
    })
    .await;
    let mut client = stage.enrolment_client().await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        let request = pb::BeginRecoveryRequest { certificate: vec![1] };
        codes.push(client.begin_recovery(request).await.unwrap_err().code());
    }
    assert_eq!(codes, [Code::InvalidArgument, Code::InvalidArgument, Code::InvalidArgument, Code::ResourceExhausted]);
    stage.stop().await;
}

#[tokio::test]
async fn a_connection_that_has_grown_old_is_asked_to_go_and_calls_go_on_over_a_new_one() {
    let stage = Stage::start_with(|config| {
        config.agents.limits.max_connection_age = Duration::from_millis(100);
        config.agents.limits.age_grace = Duration::from_millis(100);
    })
    .await;
    let identity = stage.enroll(&stage.token(&stage.owner("Vendor").await, 1).await, new_key()).await.unwrap();
    let mut nudges = stage.agent_client(&identity).await.watch(pb::WatchRequest {}).await.unwrap().into_inner();
    let ended = async { while let Ok(Some(_)) = nudges.message().await {} };
    tokio::time::timeout(DEADLINE, ended).await.expect("the stream did not end");
    assert!(stage.agent_client(&identity).await.watch(pb::WatchRequest {}).await.is_ok());
    stage.stop().await;
}
