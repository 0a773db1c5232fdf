//! Having a PC examined, and waiting for the answer.

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::program::Home;

const HOST: &str = "019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11";
const CHECKUP: &str = "019a9f3c-7a10-7cc0-8000-5b1f0a3f2c33";

fn checkup(results: &[Value]) -> Value {
    let received = if results.is_empty() { Value::Null } else { json!("2026-11-20T05:07:00Z") };
    json!({
        "id": CHECKUP, "programme": "common-ca", "requested_by": HOST, "requested_at": "2026-11-20T05:05:00Z",
        "examined_at": received, "received_at": received, "worst": null, "results": results,
    })
}

fn answered() -> Value {
    let results = [
        json!({ "check": "clock", "title": "Clock", "status": "well", "statement": "The clock is right.", "remedy": null }),
        json!({
            "check": "sites", "title": "Sites", "status": "now", "statement": "A site shows a warning.",
            "remedy": "Install the root.",
        }),
    ];
    json!({ "waiting": [], "last": checkup(&results) })
}

#[tokio::test]
async fn a_checkup_is_asked_for_and_waited_for() {
    let fake = Fake::start().await;
    let path = format!("/hosts/{HOST}/checkup");
    fake.lay(&format!("POST {path}"), 200, &checkup(&[]));
    fake.lay(&format!("GET {path}"), 200, &json!({ "waiting": [checkup(&[])], "last": null }));
    fake.lay(&format!("GET {path}"), 200, &answered());
    let words = ["checkup", HOST, "--programme", "common-ca", "--wait", "--interval", "1ms"];
    let ran = Home::signed_in(&fake).run(&words).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(ran.stdout, @r"
    common-ca  2026-11-20 14:07
    well  Clock: The clock is right.
    now  Sites: A site shows a warning.
        → Install the root.
    ");
    assert_eq!(fake.asked()[0].json(), json!({ "programme": "common-ca" }));
}

#[tokio::test]
async fn a_pc_that_does_not_answer_in_time_is_told_as_waiting() {
    let fake = Fake::start().await;
    let path = format!("/hosts/{HOST}/checkup");
    fake.lay(&format!("POST {path}"), 200, &checkup(&[]));
    fake.lay(&format!("GET {path}"), 200, &json!({ "waiting": [checkup(&[])], "last": null }));
    let words = ["checkup", HOST, "--wait", "--interval", "1ms", "--timeout", "1ms", "--lang", "ja"];
    let ran = Home::signed_in(&fake).run(&words).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("返事を待っています") && ran.stderr.contains("--last"), "{}", ran.stderr);
}

#[tokio::test]
async fn the_last_answer_is_shown_without_asking_for_a_new_one() {
    let fake = Fake::start().await;
    fake.lay(&format!("GET /hosts/{HOST}/checkup"), 200, &json!({ "waiting": [checkup(&[])], "last": null }));
    let ran = Home::signed_in(&fake).run(&["checkup", HOST, "--last"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""));
    assert!(ran.stderr.contains("waits for the PC") && ran.stderr.contains("not examined yet"), "{}", ran.stderr);
    assert_eq!(fake.asked().len(), 1);
}
