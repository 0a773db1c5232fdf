//! Renewing a certificate, and waiting for it.

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::program::Home;

const HOST: &str = "019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11";
const RENEWAL: &str = "019a9f3c-7a10-7cc0-8000-5b1f0a3f2c22";

fn certificate(byte: &str) -> String {
    byte.repeat(32)
}

fn installation(sha256: &str) -> Value {
    json!({
        "certificate": sha256, "common_name": "0110119153", "issuer_common_name": "CA",
        "not_after": "2026-12-02T05:05:00Z", "days_left": 12, "key": "present",
        "host": { "id": HOST, "name": "SAKURA-01" }, "clinic": { "id": HOST, "name": "x" }, "live_renewal": null,
    })
}

fn renewal(state: &str, second: u32) -> Value {
    json!({
        "id": RENEWAL, "host": { "id": HOST, "name": "SAKURA-01" }, "certificate": certificate("3f"),
        "new_certificate": if state == "closed" { json!(certificate("a0")) } else { Value::Null },
        "reason": "あと12日", "created_at": "2026-11-20T05:05:00Z", "failures": 0, "state": state,
        "since": format!("2026-11-20T05:05:{second:02}Z"), "why": null, "retry_at": null,
        "over": matches!(state, "closed" | "abandoned"), "probe": null,
    })
}

async fn fleet() -> Fake {
    let fake = Fake::start().await;
    let held = [installation(&certificate("3f")), installation(&certificate("a1"))];
    fake.lay(&format!("GET /hosts/{HOST}/certificates"), 200, &json!({ "items": held, "next": null }));
    fake.lay("POST /renewals", 202, &renewal("directed", 0));
    fake
}

#[tokio::test]
async fn a_certificate_is_named_by_its_first_digits() {
    let fake = fleet().await;
    let ran = Home::signed_in(&fake).run(&["renew", HOST, "3F3F3F3F", "--reason", "called"]).await;
    assert_eq!((ran.code, ran.stdout), (0, format!("{RENEWAL}\n")), "{}", ran.stderr);
    let posted = fake.asked().remove(1);
    assert_eq!(posted.json(), json!({ "host": HOST, "certificate": certificate("3f"), "reason": "called" }));
    assert_eq!(posted.header("idempotency-key").len(), 32);
    let none = Home::signed_in(&fake).run(&["renew", HOST, "00000000"]).await;
    assert_eq!(none.code, 1);
    assert!(none.stderr.contains("no certificate"), "{}", none.stderr);
}

#[tokio::test]
async fn waiting_tells_each_state_once_and_ends_when_it_is_closed() {
    let fake = fleet().await;
    let path = format!("GET /renewals/{RENEWAL}");
    for (state, second) in
        [("directed", 0), ("requested", 1), ("requested", 1), ("installed", 3), ("proven", 4), ("closed", 5)]
    {
        fake.lay(&path, 200, &renewal(state, second));
    }
    let ran =
        Home::signed_in(&fake).run(&["renew", HOST, "3f3f3f3f", "--wait", "--interval", "1ms", "--lang", "ja"]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    insta::assert_snapshot!(format!("{}---\n{}", ran.stderr, ran.stdout), @r"
    14:05:00  端末へ指示
    14:05:01  申請
    14:05:03  導入
    14:05:04  動作確認
    14:05:05  完了
    ---
    ID            019a9f3c-7a10-7cc0-8000-5b1f0a3f2c22
    端末          SAKURA-01
    状態          完了  (2026-11-20 14:05)
    古い証明書    3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f3f
    新しい証明書  a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0
    申込み        2026-11-20 14:05
    申込みの理由  あと12日
    ");
}

#[tokio::test]
async fn a_renewal_that_needs_a_person_is_1() {
    let fake = fleet().await;
    let mut stuck = renewal("needs_person", 1);
    stuck["why"] = json!("Some CA");
    fake.lay(&format!("GET /renewals/{RENEWAL}"), 200, &stuck);
    let ran = Home::signed_in(&fake).run(&["renew", HOST, "3f3f3f3f", "--wait", "--interval", "1ms", "--json"]).await;
    assert_eq!(ran.code, 1);
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap(), stuck);
    assert!(ran.stderr.contains("needs a person: Some CA"), "{}", ran.stderr);
}

#[tokio::test]
async fn waiting_ends_when_its_time_is_over() {
    let fake = fleet().await;
    fake.lay(&format!("GET /renewals/{RENEWAL}"), 200, &renewal("requested", 1));
    let arguments = ["renew", HOST, "3f3f3f3f", "--wait", "--interval", "5ms", "--timeout", "50ms"];
    let ran = Home::signed_in(&fake).run(&arguments).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("still under way"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_conflict_is_told_in_the_servers_words() {
    let fake = Fake::start().await;
    let held = [installation(&certificate("3f"))];
    fake.lay(&format!("GET /hosts/{HOST}/certificates"), 200, &json!({ "items": held, "next": null }));
    let why = "this PC does not get directives yet: approve it first";
    fake.refuse("POST /renewals", 409, "conflict", "This does not fit what is there", why);
    let ran = Home::signed_in(&fake).run(&["renew", HOST, "3f3f3f3f"]).await;
    assert_eq!((ran.code, ran.stderr), (1, format!("inkan: This does not fit what is there: {why}\n")));
}

#[tokio::test]
async fn a_renewal_is_given_up_with_a_reason() {
    let fake = Fake::start().await;
    let mut over = renewal("abandoned", 9);
    over["why"] = json!("wrong PC");
    fake.lay(&format!("POST /renewals/{RENEWAL}/abandon"), 200, &over);
    let ran = Home::signed_in(&fake).run(&["renewal", "abandon", RENEWAL, "--why", "wrong PC"]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(fake.asked()[0].json(), json!({ "why": "wrong PC" }));
}
