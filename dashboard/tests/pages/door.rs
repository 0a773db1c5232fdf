//! Setup, log-in, sessions, and where forms may come from.

use axum::body::Body;
use axum::http::StatusCode;
use inkan_core::ports::SessionKind;
use inkan_core::totp;
use time::Duration;

use crate::stage::{BEGIN, MAIL, PASSWORD, Stage};
use crate::visitor::{Visitor, form};

fn setup_fields<'f>(seed: &'f str, code: &'f str, password: &'f str) -> [(&'f str, &'f str); 6] {
    [
        ("vendor", "北陸メディカルIT"),
        ("name", "見本 花子"),
        ("mail", MAIL),
        ("password", password),
        ("seed", seed),
        ("code", code),
    ]
}

#[tokio::test]
async fn setup_works_once_and_is_gone_afterwards() {
    let stage = Stage::bare(BEGIN).await;
    let visitor = Visitor::stranger(&stage);
    let link = stage.core.create_setup_link(Duration::hours(1)).await.unwrap().unwrap();
    let path = format!("/setup/{link}");
    assert_eq!(visitor.get("/setup/not-the-secret").await.status, StatusCode::NOT_FOUND);
    let page = visitor.page(&path).await;
    page.assert_has(&["<svg class=\"qr\"", "otpauth://totp/inkan:", "autocomplete=\"new-password\"", "one-time-code"]);
    let seed = page.between("name=\"seed\" value=\"", "\"").to_owned();
    let code = totp::code_of(&totp::parse_seed(&seed).unwrap(), totp::step_at(stage.core.now()));

    let refused = visitor.post(&path, &setup_fields(&seed, "000000", PASSWORD)).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_has(&["番号が違います", "value=\"北陸メディカルIT\"", &seed]);
    refused.assert_lacks(&[PASSWORD]);
    let short = visitor.post(&path, &setup_fields(&seed, &code, "short")).await;
    short.assert_has(&["パスワードは12文字以上"]);

    let done = visitor.post(&path, &setup_fields(&seed, &code, PASSWORD)).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert!(done.location().starts_with("/login?welcome=1"));
    assert_eq!(visitor.get(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(visitor.post(&path, &setup_fields(&seed, &code, PASSWORD)).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_log_in_leads_to_the_page_that_was_wanted_and_a_log_out_ends_it() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let mut visitor = Visitor::stranger(&stage);
    let asked = visitor.get("/hosts?urgency=now").await;
    assert_eq!((asked.status, asked.location()), (StatusCode::SEE_OTHER, "/login?next=%2Fhosts%3Furgency%3Dnow"));
    let code = stage.code();
    let fields = |password, next| [("mail", MAIL), ("password", password), ("code", code.as_str()), ("next", next)];

    let wrong = visitor.post("/login", &fields("not it at all", "/hosts")).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    wrong.assert_has(&["のどれかが違います", MAIL]);
    wrong.assert_lacks(&["not it at all"]);

    let right = visitor.post("/login", &fields(PASSWORD, "/hosts?urgency=now")).await;
    assert_eq!((right.status, right.location()), (StatusCode::SEE_OTHER, "/hosts?urgency=now"));
    let cookie = right.header("set-cookie").to_owned();
    for part in ["inkan=", "HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{part} is not in {cookie}");
    }
    let secret = cookie.split(['=', ';']).nth(1).unwrap().to_owned();
    visitor.secret = Some(secret.clone());
    visitor.page("/hosts").await;

    let out = visitor.post_from("/hosts", "/logout", &[]).await;
    assert_eq!(out.location(), "/login");
    assert!(stage.core.find_operator(&secret, SessionKind::Browser).await.unwrap().is_none());
    assert_eq!(visitor.get("/hosts").await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_foreign_address_to_go_on_to_is_not_followed() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::stranger(&stage);
    let code = stage.code();
    let fields = [("mail", MAIL), ("password", PASSWORD), ("code", &code), ("next", "//evil.example/")];
    assert_eq!(visitor.post("/login", &fields).await.location(), "/");
}

#[tokio::test]
async fn too_many_wrong_log_ins_have_to_wait() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::stranger(&stage);
    let fields = [("mail", MAIL), ("password", "wrong"), ("code", "000000")];
    for _ in 0..5 {
        assert_eq!(visitor.post("/login", &fields).await.status, StatusCode::UNAUTHORIZED);
    }
    let waits = visitor.post("/login", &fields).await;
    assert_eq!(waits.status, StatusCode::TOO_MANY_REQUESTS);
    waits.assert_has(&["1分待ってください"]);
}

#[tokio::test]
async fn over_https_the_cookie_is_bound_to_the_host() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::over_https(&stage);
    let code = stage.code();
    let answer = visitor.post("/login", &[("mail", MAIL), ("password", PASSWORD), ("code", &code)]).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-inkan=") && cookie.contains("Secure") && !cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn a_form_from_elsewhere_or_without_the_sessions_token_changes_nothing() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::signed_in(&stage).await;
    let token = visitor.token("/").await;
    let fields = [("token", token.as_str()), ("locale", "en")];
    let foreign = [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "none"), ("origin", "https://evil.example")];
    for (name, value) in foreign {
        let request = visitor.request("POST", "/language").header(name, value);
        assert_eq!(visitor.send(form(request, &fields)).await.status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let silent = visitor.send(form(visitor.request("POST", "/language"), &fields)).await;
    assert_eq!(silent.status, StatusCode::FORBIDDEN);
    let other = Visitor::signed_in(&stage).await.token("/").await;
    for stale in ["", "x", &other] {
        let answer = visitor.post("/language", &[("token", stale), ("locale", "en")]).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{stale:?}");
        answer.assert_has(&["何も変えていません", "問い合わせ番号"]);
    }
    visitor.page("/").await.assert_has(&["<html lang=\"ja\">"]);
    let request = visitor.request("POST", "/language").header("origin", "https://inkan.example");
    assert_eq!(visitor.send(form(request, &fields)).await.status, StatusCode::SEE_OTHER);
    visitor.page("/").await.assert_has(&["<html lang=\"en\">"]);
}

#[tokio::test]
async fn the_language_comes_from_the_address_or_the_operator_and_stays_when_it_was_chosen() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::signed_in(&stage).await;
    visitor.page("/?lang=en").await.assert_has(&["<html lang=\"en\">", "There are no PCs yet."]);
    visitor.page("/").await.assert_has(&["<html lang=\"ja\">", "まだ端末がありません。"]);
    let back = [("locale", "en"), ("back", "/hosts?lang=ja&state=suspended")];
    let chosen = visitor.post_from("/", "/language", &back).await;
    assert_eq!(chosen.location(), "/hosts?state=suspended");
    visitor.page("/hosts").await.assert_has(&["<html lang=\"en\">"]);
    Visitor::stranger(&stage).page("/login?lang=en").await.assert_has(&["Six digits from the app"]);
}

#[tokio::test]
async fn every_answer_tells_the_browser_how_little_it_may_do() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::signed_in(&stage).await;
    let style = visitor.page("/").await.between("rel=\"stylesheet\" href=\"", "\"").to_owned();
    for path in ["/", "/login", "/nowhere", "/hosts/not-an-id", style.as_str()] {
        let answer = visitor.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
    }
    assert_eq!(visitor.get("/").await.header("cache-control"), "no-store");
    let style = visitor.get(&style).await;
    assert_eq!(style.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(style.header("content-type"), "text/css; charset=utf-8");
    assert_eq!(visitor.get("/assets/inkan-00000000.css").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_page_that_is_not_there_says_so_in_words_or_as_a_fragment() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::signed_in(&stage).await;
    let page = visitor.get("/hosts/not-an-id").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    page.assert_has(&["<!doctype html>", "そのページはありません。", "問い合わせ番号"]);
    visitor.get("/nowhere?lang=en").await.assert_has(&["There is no such page."]);
    let fragment = visitor.fragment("/hosts/not-an-id").await;
    fragment.assert_has(&["role=\"alert\""]);
    fragment.assert_lacks(&["<html"]);
    let large = "x".repeat(70_000);
    let request = visitor.request("POST", "/language").header("sec-fetch-site", "same-origin");
    let answer = visitor.send(form(request, &[("token", &large)])).await;
    assert!(answer.status.is_client_error());
    answer.assert_has(&["送られた内容を読めませんでした。"]);
    let put = visitor.request("PUT", "/hosts").header("sec-fetch-site", "same-origin").body(Body::empty()).unwrap();
    assert!(visitor.send(put).await.status.is_client_error());
}

#[tokio::test]
async fn htmx_is_told_to_go_to_the_log_in() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let answer = Visitor::stranger(&stage).fragment("/hosts?after=x").await;
    assert_eq!((answer.status, answer.header("hx-redirect")), (StatusCode::UNAUTHORIZED, "/login"));
}
