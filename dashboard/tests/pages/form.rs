//! What the forms do: clinics, tokens, approval, renewals.

use axum::body::Body;
use axum::http::{StatusCode, header};
use inkan_core::ports::{ClinicQuery, PageRequest, RenewalQuery};
use inkan_model::host::{HostFacts, HostState};
use inkan_model::store::KeyPresence;
use time::Duration;

use crate::stage::agent::{PlayedAgent, PlayedStore, folder, issue};
use crate::stage::{BEGIN, Stage};
use crate::visitor::{Answer, Visitor};

const LIST: &str = "code,name,kind,prefecture,contact,phone,mail\n\
    1710119153,さくら内科クリニック,医科,石川,,076-000-0001,\n\
    1710220045,さくら薬局,薬局,石川,,,\n";

async fn send_list(visitor: &Visitor, token: &str, csv: &str) -> Answer {
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n{token}\r\n--b\r\nContent-Disposition: form-data; \
         name=\"list\"; filename=\"clinics.csv\"\r\nContent-Type: text/csv\r\n\r\n{csv}\r\n--b--\r\n"
    );
    let request = visitor
        .request("POST", "/clinics/import")
        .header("sec-fetch-site", "same-origin")
        .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b");
    visitor.send(request.body(Body::from(body)).unwrap()).await
}

#[tokio::test]
async fn a_list_of_clinics_goes_in_and_comes_out_again() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::signed_in(&stage).await;
    let token = visitor.token("/clinics").await;
    assert_eq!(send_list(&visitor, "stale", LIST).await.status, StatusCode::FORBIDDEN);
    let stored = send_list(&visitor, &token, LIST).await;
    assert_eq!(stored.status, StatusCode::OK);
    stored.assert_has(&["新しく 2 件。", "さくら内科クリニック", "最初の端末を参加させる"]);
    send_list(&visitor, &token, LIST).await.assert_has(&["そのまま 2 件。"]);
    let csv = visitor.page("/clinics/export.csv?kind=pharmacy").await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    csv.assert_has(&["\u{feff}code,name", "さくら薬局"]);
    csv.assert_lacks(&["さくら内科クリニック"]);
}

#[tokio::test]
async fn a_wrong_list_is_refused_line_by_line_in_the_operators_words() {
    let (stage, operator) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::signed_in(&stage).await;
    let token = visitor.token("/clinics").await;
    let csv = "code,name,kind,prefecture,phone\n123,<b>x</b>,医科,石川,\n1710119154,さくら,病院,石川,\n1710119155,さくら,医科,加賀,\n1710119156,さくら,医科,石川,call me\n";
    let refused = send_list(&visitor, &token, csv).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    refused.assert_has(&[
        "4 行に誤りがあるので、何も変えていません。",
        "10桁の数字にしてください",
        "医科、歯科、薬局、訪問看護のどれか",
        "都道府県の名前か番号",
        "数字と + - ( ) だけ",
    ]);
    refused.assert_lacks(&["<b>x</b>"]);
    send_list(&visitor, &token, "").await.assert_has(&["ファイルが選ばれていないか、空です。"]);
    let view = stage.core.view(&operator).unwrap();
    assert!(view.clinics(&ClinicQuery::default(), &PageRequest::first(5)).await.unwrap().items.is_empty());
}

#[tokio::test]
async fn a_join_token_is_made_for_one_clinic_and_shown_once() {
    let (stage, operator) = Stage::staffed(BEGIN).await;
    stage.core.import_clinics(&operator, LIST.as_bytes()).await.unwrap();
    let visitor = Visitor::signed_in(&stage).await;
    let order = |clinic| [("clinic", clinic), ("uses", "3"), ("hours", "8"), ("approve", "yes")];
    visitor.post_from("/join", "/join", &order("おおぞら")).await.assert_has(&["その医療機関は見つかりません。"]);
    let several = visitor.post_from("/join", "/join", &order("さくら")).await;
    several.assert_has(&["いくつか見つかりました。", "name=\"chosen\" value=\"1710119153\"", "value=\"1710220045\""]);
    let mut chosen = order("さくら").to_vec();
    chosen.push(("chosen", "1710119153"));
    let made = visitor.post_from("/join", "/join", &chosen).await;
    let command = made.between("<code id=\"command\">", "</code>");
    assert!(
        command.starts_with("inkan-agent enroll --server https://inkan.example:8444 --ca-pin sha256:5b5b"),
        "{command}"
    );
    let secret = made.between("id=\"secret\">", "</code>").to_owned();
    assert!(command.ends_with(&secret) && secret.len() == 59, "{secret}");
    assert_eq!(made.header("cache-control"), "no-store");
    let later = visitor.page("/join").await;
    later.assert_has(&["使える参加トークンは 1 個です。", "0 / 3", "その場で承認"]);
    later.assert_lacks(&[&secret]);
    let revoke = format!("/join/{}", later.between("action=\"/join/", "\""));
    assert_eq!(visitor.post_from("/join", &revoke, &[]).await.location(), "/join");
    visitor.page("/join").await.assert_has(&["取り消し済み"]);
    let many = [("clinic", "1710119153"), ("uses", "21"), ("hours", "8")];
    visitor.post_from("/join", "/join", &many).await.assert_has(&["1 から 20 までにしてください。"]);
}

struct OnePc {
    stage: Stage,
    visitor: Visitor,
    agent: PlayedAgent,
    path: String,
    certificate: String,
    operator: inkan_model::operator::Operator,
}

/// One PC with one certificate of the vendor's CA, not approved yet.
async fn one_pc() -> OnePc {
    let (stage, operator) = Stage::staffed(BEGIN).await;
    stage.core.import_clinics(&operator, LIST.as_bytes()).await.unwrap();
    let view = stage.core.view(&operator).unwrap();
    let clinic = view.clinic_by_code("1710119153").await.unwrap().id;
    let facts = HostFacts { host_name: "SAKURA-01".to_owned(), os: "Debian".to_owned(), ..HostFacts::default() };
    let mut agent = PlayedAgent::enrol(&stage.core, &operator, clinic, facts, false).await;
    let until = BEGIN.plus(Duration::days(12));
    let one = issue(stage.ca.as_ref(), "rece-1.sakura", BEGIN.minus(Duration::days(700)), until);
    agent.stores = vec![PlayedStore::new(folder("/etc/inkan/certs")).with(&one, KeyPresence::Present, None)];
    let certificate = one.fingerprint.to_string();
    agent.certificates.push(one);
    let visitor = Visitor::signed_in(&stage).await;
    let path = format!("/hosts/{}", agent.host);
    OnePc { stage, visitor, agent, path, certificate, operator }
}

#[tokio::test]
async fn a_pc_that_has_not_reported_says_so_and_gets_directives_once_approved() {
    let mut pc = one_pc().await;
    pc.visitor.page(&pc.path).await.assert_has(&["まだ報告がありません。", "この端末は承認を待っています。"]);
    pc.agent.sync().await;
    let renew = format!("{}/renew?certificate={}", pc.path, pc.certificate);
    pc.visitor.page(&renew).await.assert_has(&["先に承認してください。"]);
    let approved = pc.visitor.post_from(&pc.path, &format!("{}/approve", pc.path), &[]).await;
    assert_eq!(approved.location(), pc.path);
    let view = pc.stage.core.view(&pc.operator).unwrap();
    assert_eq!(view.host(pc.agent.host).await.unwrap().state, HostState::Active);
    pc.visitor.page(&pc.path).await.assert_has(&["状態が「稼働中」になりました", "見本 花子", "今すぐ更新"]);
}

#[tokio::test]
async fn a_renewal_is_asked_for_after_its_page_said_what_will_happen() {
    let mut pc = one_pc().await;
    pc.agent.sync().await;
    pc.stage.core.set_host_state(&pc.operator, pc.agent.host, HostState::Active).await.unwrap();
    let renew = format!("{}/renew", pc.path);
    let ask = format!("{renew}?certificate={}", pc.certificate);
    pc.visitor.page(&ask).await.assert_has(&[
        "これから起きること",
        "鍵は端末から出ません。",
        "いまの証明書はそのまま使えます。",
    ]);
    let fields = [("certificate", pc.certificate.as_str()), ("reason", "電話で依頼")];
    let asked = pc.visitor.post_from(&ask, &renew, &fields).await;
    assert_eq!(asked.location(), format!("{}#renewals", pc.path));
    let again = pc.visitor.page(&ask).await;
    again.assert_has(&["この証明書の更新はもう進んでいます。"]);
    while pc.agent.step().await {}
    let done = pc.visitor.page(&pc.path).await;
    done.assert_has(&["更新の進み", "完了", "あと730日"]);
    done.assert_lacks(&["この更新をやめる"]);
    let view = pc.stage.core.view(&pc.operator).unwrap();
    let renewals = view.renewals(&RenewalQuery::default(), &PageRequest::first(5)).await.unwrap();
    assert_eq!(renewals.items[0].renewal.reason.as_deref(), Some("電話で依頼"));
    let unknown = [("certificate", "00"), ("reason", "")];
    assert_eq!(pc.visitor.post_from(&pc.path, &renew, &unknown).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_renewal_can_be_given_up_with_a_reason() {
    let mut pc = one_pc().await;
    pc.agent.sync().await;
    pc.stage.core.set_host_state(&pc.operator, pc.agent.host, HostState::Active).await.unwrap();
    let renew = format!("{}/renew", pc.path);
    pc.visitor.post_from(&pc.path, &renew, &[("certificate", &pc.certificate)]).await;
    let page = pc.visitor.page(&pc.path).await;
    let abandon = format!("/renewals/{}", page.between("href=\"/renewals/", "\""));
    assert!(abandon.ends_with("/abandon"));
    pc.visitor.page(&abandon).await.assert_has(&["rece-1.sakura の更新をやめます。"]);
    let given_up = pc.visitor.post_from(&abandon, &abandon, &[("why", "新しい端末に替える")]).await;
    assert_eq!(given_up.location(), format!("{}#renewals", pc.path));
    pc.visitor.page(&pc.path).await.assert_has(&["中止", "新しい端末に替える"]);
    let over = pc.visitor.post_from(&pc.path, &abandon, &[("why", "again")]).await;
    assert_eq!(over.status, StatusCode::CONFLICT);
    over.assert_has(&["いまの状態ではできません。"]);
}
