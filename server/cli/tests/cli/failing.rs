//! Refusals and failures: their words, and the exit codes that scripts go by.

use serde_json::json;

use crate::fake::Fake;
use crate::program::Home;

#[tokio::test]
async fn nobody_signed_in_is_4() {
    let ran = Home::empty().run(&["host", "list"]).await;
    assert_eq!(ran.code, 4);
    let fake = Fake::start().await;
    fake.refuse("GET /hosts", 401, "not-signed-in", "A token is needed", "this token has ended: sign in again");
    let ran = Home::signed_in(&fake).run(&["host", "list", "--lang", "ja"]).await;
    assert_eq!(ran.code, 4);
    insta::assert_snapshot!(ran.stderr, @r"
    inkan: A token is needed: this token has ended: sign in again
    inkan login でサインインしてください。
    ");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_3() {
    let fake = Fake::start().await;
    // A port that was free a moment ago, and on which nobody listens.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let ran = Home::signed_in(&fake).run(&["me", "--server", &nobody]).await;
    assert_eq!(ran.code, 3);
    assert!(ran.stderr.starts_with(&format!("inkan: could not reach {nobody}")), "{}", ran.stderr);
}

#[tokio::test]
async fn a_refused_field_is_named_and_is_1() {
    let fake = Fake::start().await;
    let problem = json!({
        "type": "urn:inkan:problem:invalid-field", "title": "A value was refused", "status": 422,
        "detail": "one of now, soon, watch is expected", "field": "urgency", "request": "1-1",
    });
    fake.lay("GET /hosts", 422, &problem);
    let ran = Home::signed_in(&fake).run(&["host", "list", "--urgency", "later"]).await;
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.stderr, @"inkan: A value was refused: urgency: one of now, soon, watch is expected");
}

#[tokio::test]
async fn wrong_lines_of_a_list_are_told_one_by_one() {
    let fake = Fake::start().await;
    let problem = json!({
        "type": "urn:inkan:problem:invalid-list", "title": "The list has wrong lines", "status": 422,
        "detail": "nothing was stored: correct these lines and send the whole list again", "request": "1-1",
        "errors": [{ "line": 2, "why": "code: \"12\" is not a 10-digit institution code" }, { "line": 9, "why": "name: is empty" }],
    });
    fake.lay("POST /clinics/import", 422, &problem);
    let ran = Home::signed_in(&fake).run_with_input(&["clinic", "import", "-"], "x").await;
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.stderr, @r#"
    inkan: The list has wrong lines: nothing was stored: correct these lines and send the whole list again
      line 2: code: "12" is not a 10-digit institution code
      line 9: name: is empty
    "#);
}

#[tokio::test]
async fn a_failure_of_the_server_gives_the_number_to_tell() {
    let fake = Fake::start().await;
    let title = "Something went wrong in the server";
    fake.refuse("GET /overview", 500, "internal", title, "tell the server's administrator this request's number");
    let ran = Home::signed_in(&fake).run(&["overview"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("69201a-7"), "{}", ran.stderr);
}

#[tokio::test]
async fn what_is_not_inkan_is_said_to_be_odd() {
    let fake = Fake::start().await;
    fake.lay_text("GET /me", 502, "text/html", "<h1>Bad Gateway</h1>");
    let ran = Home::signed_in(&fake).run(&["me"]).await;
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("HTTP 502"), "{}", ran.stderr);
    let page = Fake::start().await;
    page.lay_text("GET /me", 200, "text/html", "<h1>It works!</h1>");
    assert_eq!(Home::signed_in(&page).run(&["me"]).await.code, 1);
}

#[tokio::test]
async fn redirections_are_not_followed() {
    let fake = Fake::start().await;
    fake.lay_text("GET /me", 307, "text/plain", "");
    let ran = Home::signed_in(&fake).run(&["me"]).await;
    assert_eq!((ran.code, fake.asked().len()), (1, 1));
}

#[tokio::test]
async fn a_token_does_not_travel_unencrypted() {
    let fake = Fake::start().await;
    let ran = Home::signed_in(&fake).run(&["me", "--server", "http://fleet.example"]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("https"), "{}", ran.stderr);
}
