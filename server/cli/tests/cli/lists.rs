//! Lists: as tables, as JSON, over several pages.

use serde_json::{Value, json};

use crate::fake::Fake;
use crate::program::Home;

const HOST: &str = "019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11";

fn host(name: &str, clinic: &str, worst: Value) -> Value {
    json!({
        "id": HOST, "name": name, "os": "Debian", "agent_version": "0.1.0", "state": "active",
        "last_seen": "2026-11-20T05:05:00Z", "clinic": { "id": HOST, "name": clinic },
        "prefecture": { "number": 17, "name": "石川県", "romaji": "ishikawa" }, "installations": 1,
        "next_expiry": "2026-12-02T05:05:00Z", "findings": 1, "worst": worst,
    })
}

fn installation(sha256: &str, days_left: i64) -> Value {
    json!({
        "certificate": sha256, "common_name": "0110119153", "issuer_common_name": "Test private CA",
        "not_before": "2024-12-20T05:05:00Z", "not_after": "2026-12-02T05:05:00Z", "days_left": days_left,
        "location": { "kind": "directory", "user": null, "path": "/clinic/certs" }, "key": "present", "name": null,
        "first_seen": "2026-11-20T05:05:00Z", "host": { "id": HOST, "name": "SAKURA-01" },
        "clinic": { "id": HOST, "name": "さくら内科クリニック" }, "live_renewal": null,
    })
}

#[tokio::test]
async fn hosts_are_a_table_whose_columns_stand_straight() {
    let fake = Fake::start().await;
    let items = [host("SAKURA-01", "さくら内科クリニック", json!("now")), host("P2", "Yama", Value::Null)];
    fake.lay("GET /hosts", 200, &json!({ "items": items, "next": null }));
    let ran = Home::signed_in(&fake).run(&["host", "list", "--search", "さくら 01", "--urgency", "now"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    insta::assert_snapshot!(ran.stdout, @r"
    URGENCY  NAME       CLINIC                PREFECTURE  STATE   EXPIRES     FINDINGS  LAST SEEN         ID
    now      SAKURA-01  さくら内科クリニック  石川県      active  2026-12-02         1  2026-11-20 14:05  019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11
    -        P2         Yama                  石川県      active  2026-12-02         1  2026-11-20 14:05  019a9f3c-7a10-7cc0-8000-5b1f0a3f2c11
    ");
    let asked = fake.asked().remove(0);
    assert_eq!(asked.line, "GET /hosts?search=%E3%81%95%E3%81%8F%E3%82%89+01&urgency=now&limit=200");
    assert_eq!((asked.header("authorization"), asked.header("accept-language")), ("Bearer t0ken", "en"));
}

#[tokio::test]
async fn tables_speak_japanese() {
    let fake = Fake::start().await;
    let items = [installation(&"3f".repeat(32), 12), installation(&"a0".repeat(32), -3)];
    fake.lay("GET /certificates", 200, &json!({ "items": items, "next": null }));
    let home = Home::signed_in(&fake).with("LC_ALL", "ja_JP.UTF-8");
    let ran = home.run(&["cert", "list", "--expiring", "12w"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    insta::assert_snapshot!(ran.stdout, @r"
               残り  期限        証明書      発行者           鍵    端末       医療機関              SHA-256           更新
           あと12日  2026-12-02  0110119153  Test private CA  あり  SAKURA-01  さくら内科クリニック  3f3f3f3f3f3f3f3f  -
    3日前に期限切れ  2026-12-02  0110119153  Test private CA  あり  SAKURA-01  さくら内科クリニック  a0a0a0a0a0a0a0a0  -
    ");
    assert_eq!(fake.asked()[0].line, "GET /certificates?expiring_within_days=84&limit=200");
}

#[tokio::test]
async fn json_is_printed_as_the_server_said_it() {
    let fake = Fake::start().await;
    let said = "{\"items\":[ {\"id\": \"1\", \"z\": 1, \"a\": \"さくら\"} ],\n \"next\":null}";
    fake.lay_text("GET /clinics", 200, "application/json", said);
    // The items lack what a table needs; as JSON they need nothing.
    let ran = Home::signed_in(&fake).run(&["clinic", "list", "--json"]).await;
    assert_eq!((ran.code, ran.stdout), (0, format!("{said}\n")), "{}", ran.stderr);
}

#[tokio::test]
async fn pages_are_followed_up_to_the_limit() {
    let fake = Fake::start().await;
    let page = |count: usize, next: Value| {
        let items: Vec<_> = (0..count).map(|_| host("A", "B", Value::Null)).collect();
        json!({ "items": items, "next": next })
    };
    fake.lay("GET /hosts", 200, &page(500, json!("c 1"))).lay("GET /hosts", 200, &page(200, json!("c2")));
    let ran = Home::signed_in(&fake).run(&["host", "list", "--limit", "700"]).await;
    assert_eq!((ran.code, ran.stdout.lines().count()), (0, 701));
    assert_eq!(ran.stderr, "There are more: give a greater --limit.\n");
    let lines: Vec<_> = fake.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(lines, ["GET /hosts?limit=500", "GET /hosts?limit=200&cursor=c+1"]);
}

#[tokio::test]
async fn several_pages_are_one_document_as_json() {
    let fake = Fake::start().await;
    fake.lay_text("GET /hosts", 200, "application/json", "{\"items\":[{\"b\": 1}],\"next\":\"c\"}");
    fake.lay_text("GET /hosts", 200, "application/json", "{\"items\":[{\"a\": 2}],\"next\":null}");
    let ran = Home::signed_in(&fake).run(&["host", "list", "--json"]).await;
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (0, "{\"items\":[{\"b\": 1},{\"a\": 2}],\"next\":null}\n"),
        "{}",
        ran.stderr
    );
}

#[tokio::test]
async fn an_empty_list_prints_nothing_but_a_note() {
    let fake = Fake::start().await;
    fake.lay("GET /findings", 200, &json!({ "items": [], "next": null }));
    let ran = Home::signed_in(&fake).run(&["finding", "list", "--lang", "ja"]).await;
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", "ありません。\n"));
    assert_eq!(fake.asked()[0].line, "GET /findings?lang=ja&limit=200");
}

#[tokio::test]
async fn names_from_pcs_cannot_write_to_the_terminal_by_themselves() {
    let fake = Fake::start().await;
    let item = host("\u{1b}]0;owned\u{7}", "x", Value::Null);
    fake.lay("GET /hosts", 200, &json!({ "items": [item], "next": null }));
    let ran = Home::signed_in(&fake).run(&["host", "list"]).await;
    assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.contains("owned"), "{ran:?}");
}

#[tokio::test]
async fn a_list_of_clinics_goes_in_and_out() {
    let fake = Fake::start().await;
    fake.lay("POST /clinics/import", 200, &json!({ "created": 2, "changed": 0, "unchanged": 1 }));
    fake.lay_text("GET /clinics/export.csv", 200, "text/csv; charset=utf-8", "\u{feff}code,name\n");
    let home = Home::signed_in(&fake);
    let ran = home.run_with_input(&["clinic", "import", "-"], "code,name\n").await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "created 2, changed 0, unchanged 1\n"), "{}", ran.stderr);
    let asked = fake.asked().remove(0);
    assert_eq!((asked.header("content-type"), asked.body.as_str()), ("text/csv", "code,name\n"));
    assert_eq!(asked.header("idempotency-key").len(), 32);
    assert_eq!(home.run(&["clinic", "export", "--to", "out.csv"]).await.code, 0);
    assert_eq!(std::fs::read_to_string(home.path().join("out.csv")).unwrap(), "\u{feff}code,name\n");
    assert_eq!(home.run(&["clinic", "export"]).await.stdout, "\u{feff}code,name\n");
}

#[tokio::test]
async fn a_join_token_goes_to_standard_output_alone() {
    let fake = Fake::start().await;
    let created = json!({
        "id": HOST, "clinic": { "id": HOST, "name": "さくら内科クリニック" }, "created_by": HOST,
        "created_at": "2026-11-20T05:05:00Z", "expires_at": "2026-11-20T13:05:00Z", "uses": 5, "used_by": [],
        "approve": true, "revoked_at": null, "state": "open", "token": "AAAAAAAAAAA-BBBBBBBBBBB",
    });
    fake.lay("POST /join-tokens", 201, &created);
    let arguments = ["token", "create", "--clinic", "1710119153", "--uses", "5", "--hours", "8", "--approve"];
    let ran = Home::signed_in(&fake).run(&arguments).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "AAAAAAAAAAA-BBBBBBBBBBB\n"));
    assert_eq!(ran.stderr, "For 5 PCs of さくら内科クリニック, until 2026-11-20 22:05. It will not be shown again.\n");
    let expected = json!({ "clinic_code": "1710119153", "uses": 5, "lifetime_minutes": 480, "approve": true });
    assert_eq!(fake.asked()[0].json(), expected);
}

#[tokio::test]
async fn a_host_is_named_by_its_name_and_approved() {
    let fake = Fake::start().await;
    fake.lay(
        "GET /hosts",
        200,
        &json!({ "items": [host("SAKURA-01", "x", Value::Null), host("SAKURA-012", "y", Value::Null)], "next": null }),
    );
    let detail = json!({
        "id": HOST, "name": "SAKURA-01", "clinic": { "code": "1710119153", "name": "さくら内科クリニック" },
        "state": "active", "enrolled_at": "2026-11-20T05:05:00Z", "last_seen": "2026-11-20T05:05:00Z",
        "facts": { "os": "Debian", "os_version": "12", "agent_version": "0.1.0" }, "findings": [],
    });
    fake.lay(&format!("POST /hosts/{HOST}/state"), 200, &detail);
    let ran = Home::signed_in(&fake).run(&["host", "approve", "sakura-01"]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "SAKURA-01  さくら内科クリニック  active\n"), "{}", ran.stderr);
    assert_eq!(fake.asked()[1].json(), json!({ "state": "active" }));
}

#[tokio::test]
async fn a_name_that_two_hosts_have_is_refused_with_their_identifiers() {
    let fake = Fake::start().await;
    fake.lay(
        "GET /hosts",
        200,
        &json!({ "items": [host("PC", "x", Value::Null), host("pc", "y", Value::Null)], "next": null }),
    );
    let ran = Home::signed_in(&fake).run(&["host", "retire", "PC"]).await;
    assert_eq!((ran.code, fake.asked().len()), (1, 1));
    assert!(ran.stderr.contains("give an ID") && ran.stderr.matches(HOST).count() == 2, "{}", ran.stderr);
}
