//! The button that has a PC examined, and what stands below it.

use axum::http::StatusCode;
use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::host::HostState;
use inkan_model::locale::Bilingual;

use crate::stage::fleet::Fleet;
use crate::visitor::Visitor;

fn both(ja: &str) -> Bilingual {
    Bilingual::new(ja, "in English")
}

#[tokio::test]
async fn a_pc_is_examined_by_a_button_and_its_answer_shown_worst_first() {
    let mut fleet = Fleet::play().await;
    let visitor = Visitor::signed_in(&fleet.stage).await;
    let host = fleet.agent("NOTO-01").host;
    let path = format!("/hosts/{host}");
    let page = visitor.page(&path).await;
    page.assert_has(&["診断する", "まだ診断していません。", "共通認証局"]);
    let token = visitor.token(&path).await;
    let fields = [("token", token.as_str()), ("programme", "common-ca")];
    let asked = visitor.post(&format!("{path}/checkup"), &fields).await;
    assert_eq!((asked.status, asked.location()), (StatusCode::SEE_OTHER, format!("{path}#checkup").as_str()));
    visitor.page(&path).await.assert_has(&["共通認証局 の診断を待っています", "数分で結果が出ます"]);

    let results = vec![
        CheckResult::well(Check::Clock, "時計は合っています。", "The clock is right."),
        CheckResult::unknown(Check::Proxy, "プロキシは分かりません。", "Proxy unknown."),
        CheckResult::unwell(
            Check::Sites,
            CheckStatus::Now,
            both("<script>警告が出ます。"),
            both("ルート証明書を入れてください。"),
        ),
    ];
    fleet.agent_mut("NOTO-01").answer_checkups(&results).await;
    let page = visitor.page(&path).await;
    page.assert_has(&[
        "直すところが 1 件あります",
        "&#60;script&#62;警告が出ます。",
        "ルート証明書を入れてください。",
        "正常な検査 1 件",
        "時計は合っています。",
    ]);
    page.assert_lacks(&["診断を待っています", "まだ診断していません"]);
    let order = ["警告が出ます。", "プロキシは分かりません。", "時計は合っています。"];
    let places: Vec<_> = order.iter().map(|text| page.body.find(text).expect("it is said")).collect();
    assert!(places.is_sorted(), "{places:?}");
    visitor.page(&format!("{path}?lang=en")).await.assert_has(&["1 thing to put right", "Examine"]);
}

#[tokio::test]
async fn a_silent_pc_is_said_to_be_examined_later_and_one_that_may_not_be_has_no_button() {
    let fleet = Fleet::play().await;
    let visitor = Visitor::signed_in(&fleet.stage).await;
    let silent = fleet.agent("MINATO-RECE").host;
    fleet.stage.core.request_checkup(&fleet.operator, silent, None).await.unwrap();
    let page = visitor.page(&format!("/hosts/{silent}")).await;
    page.assert_has(&["全般 (どの端末にも要ること) の診断を待っています", "つながりしだい診断します"]);
    let waiting = fleet.agent("TATEYAMA-01").host;
    visitor.page(&format!("/hosts/{waiting}")).await.assert_lacks(&["診断する"]);
    let token = visitor.token(&format!("/hosts/{silent}")).await;
    let refused = visitor.post(&format!("/hosts/{waiting}/checkup"), &[("token", &token)]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    fleet.stage.core.set_host_state(&fleet.operator, silent, HostState::Retired).await.unwrap();
    let unknown = visitor.post(&format!("/hosts/{silent}/checkup"), &[("token", &token), ("programme", "x")]).await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
}
