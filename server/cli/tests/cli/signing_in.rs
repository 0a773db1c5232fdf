//! Signing in, and what it leaves.

use serde_json::json;

use crate::fake::Fake;
use crate::program::Home;

const ARGUMENTS: [&str; 7] = ["login", "--mail", "hanako@vendor.test", "--password-file", "pw", "--code", "123456"];

async fn signed_in(fake: &Fake) -> Home {
    let started = json!({
        "token": "s3cret", "expires_at": "2026-12-20T05:05:00Z",
        "operator": { "id": "x", "mail": "hanako@vendor.test", "name": "見本 花子", "role": "owner", "locale": "ja" },
    });
    fake.lay("POST /sessions", 201, &started);
    let home = Home::empty();
    std::fs::write(home.path().join("pw"), "correct horse\n").unwrap();
    let mut arguments = ARGUMENTS.to_vec();
    arguments.extend(["--server", fake.address()]);
    let ran = home.run(&arguments).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, ""), "{}", ran.stderr);
    assert_eq!(ran.stderr, "Signed in as 見本 花子, until 2026-12-20 14:05.\n");
    home
}

#[tokio::test]
async fn the_token_is_kept_where_only_its_owner_can_read_it() {
    let fake = Fake::start().await;
    let home = signed_in(&fake).await;
    let asked = fake.asked().remove(0);
    let expected = json!({ "mail": "hanako@vendor.test", "password": "correct horse", "code": "123456" });
    assert_eq!((asked.json(), asked.header("authorization")), (expected, ""));
    let kept = std::fs::read_to_string(home.credentials()).unwrap();
    assert!(kept.contains("token = \"s3cret\"") && !kept.contains("horse"), "{kept}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&home.credentials()), mode(home.credentials().parent().unwrap())), (0o600, 0o700));
    }
}

#[tokio::test]
async fn later_commands_use_the_token_that_was_kept() {
    let fake = Fake::start().await;
    let home = signed_in(&fake).await;
    let me = json!({ "id": "x", "mail": "hanako@vendor.test", "name": "見本 花子", "role": "owner", "vendor": "北陸メディカルIT" });
    fake.lay("GET /me", 200, &me);
    let ran = home.run(&["me", "--lang", "ja"]).await;
    let lines: Vec<_> = ran.stdout.lines().take(4).collect();
    assert_eq!(
        lines,
        ["名前      見本 花子", "メール    hanako@vendor.test", "役割      管理者", "会社      北陸メディカルIT"]
    );
    assert_eq!(fake.asked()[1].header("authorization"), "Bearer s3cret");
}

#[tokio::test]
async fn a_token_is_not_sent_to_another_server() {
    let fake = Fake::start().await;
    let home = signed_in(&fake).await;
    let other = Fake::start().await;
    let ran = home.run(&["me", "--server", other.address()]).await;
    assert_eq!((ran.code, other.asked().len()), (4, 0));
    assert!(ran.stderr.contains("not signed in") && ran.stderr.contains("inkan login"), "{}", ran.stderr);
}

#[tokio::test]
async fn signing_out_ends_the_token_there_and_forgets_it_here() {
    let fake = Fake::start().await;
    let home = signed_in(&fake).await;
    fake.lay_text("DELETE /sessions/current", 204, "application/json", "");
    let ran = home.run(&["logout"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, "Signed out.\n"));
    assert_eq!(fake.asked()[1].header("authorization"), "Bearer s3cret");
    assert!(!home.credentials().exists());
    assert_eq!(home.run(&["me"]).await.code, 4);
}

#[tokio::test]
async fn a_wrong_code_leaves_nothing_and_says_what_to_do() {
    let fake = Fake::start().await;
    let title = "You were not let in";
    fake.refuse("POST /sessions", 401, "wrong-credentials", title, "mail address, password or code is wrong");
    let home = Home::empty();
    std::fs::write(home.path().join("pw"), "x").unwrap();
    let mut arguments = ARGUMENTS.to_vec();
    arguments.extend(["--server", fake.address()]);
    let ran = home.run(&arguments).await;
    assert_eq!(ran.code, 4);
    insta::assert_snapshot!(ran.stderr, @r"
    inkan: You were not let in: mail address, password or code is wrong
    Check mail address, password and code. A code counts once: wait for the next one.
    ");
    assert!(!home.credentials().exists());
}

#[tokio::test]
async fn where_nobody_can_be_asked_the_missing_option_is_named() {
    let fake = Fake::start().await;
    let ran = Home::empty().run(&["login", "--server", fake.address()]).await;
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("--mail"), "{}", ran.stderr);
}
