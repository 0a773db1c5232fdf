//! What the pages say about the sample fleet, and about no fleet at all.

use axum::http::StatusCode;

use crate::stage::fleet::Fleet;
use crate::stage::{BEGIN, Stage};
use crate::visitor::Visitor;

#[tokio::test]
async fn an_empty_deployment_leads_to_the_first_pc_step_by_step() {
    let (stage, _) = Stage::staffed(BEGIN).await;
    let visitor = Visitor::signed_in(&stage).await;
    visitor.page("/").await.assert_has(&["まだ端末がありません。", "href=\"/clinics\"", "href=\"/join\""]);
    visitor.page("/hosts").await.assert_has(&["まだ1台も参加していません。", "href=\"/join\""]);
    visitor.page("/join").await.assert_has(&["先に医療機関を登録してください。"]);
    visitor.page("/clinics").await.assert_has(&["まだ医療機関がありません。", "type=\"file\""]);
    visitor.page("/expiry").await.assert_has(&["30日以内に期限が来る証明書はありません。"]);
    visitor.page("/renewals").await.assert_has(&["進んでいる更新はありません。"]);
}

#[tokio::test]
async fn the_pages_of_a_fleet_say_what_is_so() {
    let fleet = Fleet::play().await;
    let visitor = Visitor::signed_in(&fleet.stage).await;
    today_says_whom_to_call(&visitor).await;
    every_figure_leads_to_a_list_of_that_size(&visitor).await;
    the_list_of_pcs_filters_counts_and_goes_on(&visitor).await;
    a_pc_shows_all_that_is_known(&fleet, &visitor).await;
    a_store_shows_its_entries_and_what_could_not_be_read(&fleet, &visitor).await;
    renewals_stand_by_state(&fleet, &visitor).await;
}

async fn today_says_whom_to_call(visitor: &Visitor) {
    let page = visitor.page("/").await;
    page.assert_has(&[
        "<h1>きょう電話が要るのは 4 件です。</h1>",
        "shikaku-02.sakura の期限が<b class=\"now\">きのう切れました</b>。",
        "href=\"tel:076-000-0001\"",
        "これから13週の期限",
        "aria-label=\"都道府県ごとの",
        "<details class=\"table\">",
    ]);
    // Worst first, grouped by clinic: what has expired, then by the days left, then what is silent.
    let order = [
        "さくら内科クリニック</a></h3>",
        "山の手歯科医院</a></h3>",
        "ひまわり薬局 小松店</a></h3>",
        "みなと整形外科</a></h3>",
    ];
    let places: Vec<_> = order.iter().map(|name| page.body.find(name).expect("the clinic is listed")).collect();
    assert!(places.is_sorted(), "{places:?}");
    // One action for each clinic: renewing where that can be done from here, else looking.
    let work = page.between("<ul class=\"work\">", "</ul>");
    assert_eq!(work.matches("class=\"do\"").count(), work.matches("<h3").count());
    let sakura = work.split("<li>").find(|one| one.contains("さくら内科")).expect("the clinic is listed");
    assert!(sakura.contains("/renew?certificate=") && sakura.contains("今すぐ更新"));
    let yamanote = work.split("<li>").find(|one| one.contains("山の手歯科")).expect("the clinic is listed");
    assert!(yamanote.contains("端末を見る") && !yamanote.contains("/renew?"));
    visitor.page("/?lang=en").await.assert_has(&["4 PCs need a call today.", "<b class=\"now\">expired yesterday</b>"]);
}

async fn every_figure_leads_to_a_list_of_that_size(visitor: &Visitor) {
    let page = visitor.page("/").await;
    let strip = page.between("<nav class=\"strip\"", "</nav>").to_owned();
    let mut figures = 0;
    for figure in strip.split("<a href=\"").skip(1) {
        let (href, rest) = figure.split_once('"').unwrap();
        let number: usize = rest.split("<strong").nth(1).unwrap().split(['>', '<']).nth(1).unwrap().parse().unwrap();
        let list = visitor.page(&href.replace("&#38;", "&")).await;
        let rows = if href.starts_with("/renewals") {
            list.between("id=\"stuck\"", "</section>").matches("<tr>").count() - 1
        } else {
            list.body.matches("<tr>").count() - usize::from(list.body.contains("<thead>"))
        };
        assert_eq!(rows, number, "{href}");
        figures += 1;
    }
    assert_eq!(figures, 6);
}

async fn the_list_of_pcs_filters_counts_and_goes_on(visitor: &Visitor) {
    let all = visitor.page("/hosts").await;
    all.assert_has(&["70 台の端末を見ています。", "次の50件"]);
    assert_eq!(all.body.matches("<tr>").count(), 51);
    let next = all.between("<tr class=\"next\"><td colspan=\"9\"><a class=\"btn\" href=\"", "\"").replace("&#38;", "&");
    let rest = visitor.fragment(&next).await;
    assert_eq!((rest.status, rest.body.matches("<tr>").count()), (StatusCode::OK, 20));
    rest.assert_lacks(&["<html", "class=\"next\""]);
    assert_eq!(rest.header("vary"), "HX-Request");
    visitor.page(&next).await.assert_has(&["<html", "70 台の端末"]);

    visitor.page("/hosts?search=%E5%86%85%E7%A7%91").await.assert_has(&[
        "条件に合う端末は",
        "SAKURA-01",
        "value=\"内科\"",
    ]);
    visitor
        .page("/hosts?urgency=now")
        .await
        .assert_has(&["きょう対応が要る端末は 4 台です。", "aria-current=\"page\">きょう</a>"]);
    visitor.page("/hosts?state=report_only").await.assert_has(&["承認を待つ端末は 1 台です。", "TATEYAMA-01"]);
    visitor.page("/hosts?silent=7").await.assert_has(&["7日以上つながっていない端末は 2 台です。", "33日前"]);
    visitor.page("/hosts?rule=clock_wrong").await.assert_has(&["ECHIZEN-01"]);
    visitor.page("/hosts?search=zzz").await.assert_has(&["条件に合う端末はありません。", "href=\"/hosts\""]);
    let clinics = visitor.page("/clinics?search=%E3%81%95%E3%81%8F%E3%82%89").await;
    let clinic = clinics.between("<th scope=\"row\"><a href=\"", "\"").to_owned();
    visitor.page(&clinic).await.assert_has(&["<h1>さくら内科クリニック</h1>", "1710119153", "tel:076-000-0001"]);
    assert_eq!(visitor.get("/hosts?after=nonsense").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}

async fn a_pc_shows_all_that_is_known(fleet: &Fleet, visitor: &Visitor) {
    let page = visitor.page(&format!("/hosts/{}", fleet.agent("SAKURA-01").host)).await;
    page.assert_has(&[
        "<h1>SAKURA-01</h1>",
        "つながっています",
        "発行元で手続き",
        "2027-02-14 (日)",
        "あと86日",
        "ルートまでこの端末にそろっています。",
        "読む権限がありません",
        "0110119153 の期限、あと86日 (予定)",
        "hx-sse:connect=\"/hosts/",
        "エージェントの身元を更新しました",
    ]);
    let orphan = page.between("S47000123</a>", "</tr>");
    assert!(orphan.contains("なし") && orphan.contains("使えません"), "{orphan}");
    let chosen = page.body.split("certificate=").find(|rest| rest.contains(">S47000123</a>")).unwrap();
    let chosen = chosen.split(['#', '"']).next().unwrap();
    let path = format!("/hosts/{}?certificate={chosen}", fleet.agent("SAKURA-01").host);
    visitor.page(&path).await.assert_has(&["の発行者 SECOM Passport for Member PUB CA1 がこの端末にありません。"]);
    let waiting = visitor.page(&format!("/hosts/{}", fleet.agent("TATEYAMA-01").host)).await;
    waiting.assert_has(&["この端末は承認を待っています。", "承認する", "承認のあと"]);
    let silent = visitor.page(&format!("/hosts/{}", fleet.agent("MINATO-RECE").host)).await;
    silent.assert_has(&["最後の連絡 9日前", "電源とネットワークを確かめ"]);
}

async fn a_store_shows_its_entries_and_what_could_not_be_read(fleet: &Fleet, visitor: &Visitor) {
    let host = fleet.agent("SAKURA-01").host;
    let page = visitor.page(&format!("/hosts/{host}")).await;
    let links: Vec<_> = page.body.split("href=\"").filter_map(|rest| rest.split('"').next()).collect();
    let link = |part: &str| {
        let found = links.iter().find(|link| link.contains("/stores?") && link.contains(part));
        found.expect("a link to the store").replace("&#38;", "&")
    };
    let trust = visitor.page(&link("system_trust")).await;
    trust.assert_has(&["ここには証明書が 68 件あります。", "Sample Public Root R1", "自分自身", "次の50件"]);
    let next = trust.between("<a class=\"btn\" href=\"", "\"").replace("&#38;", "&");
    assert_eq!(visitor.fragment(&next).await.body.matches("<tr>").count(), 18);
    let personal = visitor.page(&link("user_directory")).await;
    personal.assert_has(&["&#60;script&#62;alert(1)&#60;/script&#62;.pem", "not a PEM block", "個人 madoguchi"]);
    visitor.page(&link("nss")).await.assert_has(&["読む権限がありません", "空です。"]);
    let nowhere = visitor.get(&format!("/hosts/{host}/stores?kind=nss&path=%2Felsewhere")).await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

async fn renewals_stand_by_state(fleet: &Fleet, visitor: &Visitor) {
    let page = visitor.page("/renewals").await;
    page.assert_has(&["止まっている更新は", "人の操作待ち", "何度も失敗しました。", "AOBA-2", "NOTO-01", "完了"]);
    visitor.page("/renewals?state=closed").await.assert_has(&["JOETSU-1"]);
    visitor.page("/renewals?state=abandoned").await.assert_has(&["この状態の更新はありません。"]);
    let under_way = visitor.page(&format!("/hosts/{}", fleet.agent("NOTO-01").host)).await;
    under_way.assert_has(&["更新の進み", "class=\"here\" aria-current=\"step\"><span>確認</span>", "この更新をやめる"]);
    let stuck = visitor.page(&format!("/hosts/{}", fleet.agent("AOBA-2").host)).await;
    stuck.assert_has(&["ディスクの空きが 0 バイト", "人の操作待ち"]);
}
