//! Bad input gets an answer that names the field, and changes nothing.

use inkan_model::limits;
use inkan_tests::deployment::TestDeployment;
use inkan_tests::simulated::{SimulatedPc, refusal};
use inkan_wire::pb;
use serde_json::json;

use crate::stage::{directory, facts, simulated};

/// A report that would be taken.
fn good(pc: &SimulatedPc) -> pb::SyncRequest {
    let report = pc.stores.report(facts("SIM"));
    let state = inkan_model::sync::state_digest(&report).as_bytes().to_vec();
    pb::SyncRequest { state, report: Some(report.into()), clock_ms: 0, ..pb::SyncRequest::default() }
}

async fn refused(pc: &mut SimulatedPc, field: &str, change: impl FnOnce(&mut pb::SyncRequest)) {
    let mut message = good(pc);
    change(&mut message);
    let error = pc.send(message).await.unwrap_err();
    let status = refusal(&error).unwrap_or_else(|| panic!("{field}: {error:#}"));
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{field}: {status:?}");
    assert!(status.message().contains(field), "{field}: {status:?}");
}

#[tokio::test]
async fn a_wrong_field_of_a_sync_is_named_in_the_refusal() {
    let deployment = TestDeployment::start().await.unwrap();
    let mut pc = simulated(&deployment, 1).await;
    pc.stores.put(directory("/own"), Vec::new(), Vec::new());
    pc.report().await.unwrap();

    refused(&mut pc, "state", |message| message.state = vec![1; 31]).await;
    refused(&mut pc, "state", |message| message.state = vec![1; 32]).await;
    refused(&mut pc, "report.facts", |message| message.report.as_mut().unwrap().facts = None).await;
    refused(&mut pc, "report.facts.host_name", |message| {
        message.report.as_mut().unwrap().facts.as_mut().unwrap().host_name = "x".repeat(limits::SHORT_TEXT + 1);
    })
    .await;
    refused(&mut pc, "report.facts.users", |message| {
        message.report.as_mut().unwrap().facts.as_mut().unwrap().users = vec!["u".to_owned(); limits::USERS + 1];
    })
    .await;
    refused(&mut pc, "report.locations[0].location", |message| {
        message.report.as_mut().unwrap().locations[0].location = None;
    })
    .await;
    refused(&mut pc, "report.locations[0].set", |message| message.report.as_mut().unwrap().locations[0].set.clear())
        .await;
    refused(&mut pc, "report.locations", |message| {
        let report = message.report.as_mut().unwrap();
        report.locations = vec![report.locations[0].clone(); limits::LOCATIONS + 1];
    })
    .await;
    refused(&mut pc, "report.locations[1].location", |message| {
        let report = message.report.as_mut().unwrap();
        report.locations.push(report.locations[0].clone());
    })
    .await;
    let entry = |sequence, renewal: &[u8]| pb::SpoolEntry {
        sequence,
        at_ms: 0,
        told: Some(pb::spool_entry::Told::Outcome(pb::Outcome {
            renewal: renewal.to_vec(),
            result: Some(pb::outcome::Result::Requested(pb::OutcomeRequested { csr: vec![1] })),
        })),
    };
    refused(&mut pc, "entries[0].outcome.renewal", |message| message.entries = vec![entry(1, &[1; 15])]).await;
    refused(&mut pc, "entries", |message| message.entries = vec![entry(2, &[1; 16]), entry(1, &[1; 16])]).await;

    // After all this the PC is as it was.
    assert!(pc.sync().await.unwrap().lacks.is_nothing());
}

#[tokio::test]
async fn a_wrong_field_of_the_api_is_named_in_the_refusal() {
    let deployment = TestDeployment::start().await.unwrap();
    let api = deployment.api().await.unwrap();
    let refused = async |path: &str, body: serde_json::Value, field: &str| {
        let answer = api.ask(reqwest::Method::POST, path, Some(&body)).await.unwrap();
        let (status, words) = (answer.status.as_u16(), answer.body.to_string());
        assert!((400..500).contains(&status) && words.contains(field), "{path}: {status} {words}");
    };
    let clinic = json!({ "code": "17", "name": "A", "kind": "medical", "prefecture": "石川" });
    refused("/clinics", clinic, "code").await;
    refused("/join-tokens", json!({ "clinic_code": "1710119153", "uses": 21 }), "uses").await;
    refused("/join-tokens", json!({ "clinic_code": "1710119153", "lifetime_minutes": 1441 }), "lifetime_minutes").await;
    refused("/join-tokens", json!({ "clinic_code": "1710119153", "used": 1 }), "used").await;
    refused("/renewals", json!({ "host": "x", "certificate": "00".repeat(32) }), "host").await;
    refused("/renewals", json!({ "host": well_formed_id(), "certificate": "00" }), "certificate").await;
    let wrong = "code,name,kind,prefecture\n1,さくら,医科,石川\n1710000001,,医科,石川\n1710000002,良い,医科,石川\n";
    let error = format!("{:#}", api.import_clinics(wrong).await.unwrap_err());
    assert!(error.contains("\"line\":2") && error.contains("\"line\":3"), "{error}");
    assert_eq!(api.list("/clinics").await.unwrap().len(), 1, "one wrong line, and nothing is stored");
}

/// An identifier that is well formed.
fn well_formed_id() -> &'static str {
    "019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11"
}
