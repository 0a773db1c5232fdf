//! A checkup all the way: asked for over the API while the PC is off, made by its agent when it is back, shown by the API.

use inkan_tests::wait::{Look, wait_until};
use serde_json::{Value, json};

use crate::stage::{SOON, Stage};

fn status(found: &Value, check: &str) -> Option<String> {
    let results = found["last"]["results"].as_array()?;
    let result = results.iter().find(|result| result["check"] == check)?;
    result["status"].as_str().map(str::to_owned)
}

async fn answered(stage: &Stage, id: &str) -> Value {
    let path = format!("/hosts/{}/checkup?lang=en", stage.host);
    wait_until("the PC's answer", SOON, async || {
        let found = stage.deployment.api().await?.get(&path).await?;
        let is_it = found["last"]["id"] == id;
        Ok(Look::at(is_it.then(|| found.clone()), || found.to_string()))
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn a_pc_that_was_off_is_examined_when_it_is_back_and_once_only() {
    let mut stage = Stage::set().await;
    stage.agent.kill().unwrap();
    let path = format!("/hosts/{}/checkup", stage.host);
    let api = stage.deployment.api().await.unwrap();
    let asked = api.post(&path, &json!({})).await.unwrap();
    let again = api.post(&path, &json!({})).await.unwrap();
    assert_eq!(asked["id"], again["id"]);
    assert_eq!(api.get(&path).await.unwrap()["waiting"][0]["id"], asked["id"]);

    stage.agent.start().unwrap();
    let found = answered(&stage, asked["id"].as_str().unwrap()).await;
    assert_eq!(found["waiting"], json!([]));
    for check in ["client_certificates", "private_keys", "key_usable", "server", "clock"] {
        assert_eq!(status(&found, check).as_deref(), Some("well"), "{check}: {found}");
    }

    // Another one is another answer, and nothing on the PC is different after both.
    let files = stage.agent.files();
    let next = api.post(&path, &json!({ "programme": "common-ca" })).await.unwrap();
    let found = answered(&stage, next["id"].as_str().unwrap()).await;
    assert_eq!(status(&found, "programme_certificate").as_deref(), Some("now"), "{found}");
    assert_eq!(stage.agent.files(), files);
}
