//! Another vendor's operators see none of it: what is not theirs is not there.

use axum::http::StatusCode;

use crate::stage::fleet::Fleet;
use crate::stage::owner;
use crate::visitor::Visitor;

#[tokio::test]
async fn another_vendors_operator_finds_nothing_of_this_fleet() {
    let fleet = Fleet::play().await;
    let stage = &fleet.stage;
    let other = stage.core.create_vendor("別の会社").await.unwrap();
    stage.core.create_operator_of(other.id, owner("taro@other.example")).await.unwrap();
    let ours = Visitor::signed_in(stage).await;
    let mut theirs = Visitor::stranger(stage);
    theirs.secret = Some(stage.log_in("taro@other.example").await);
    let (host, certificate) = (fleet.agent("SAKURA-02").host, fleet.certificate("SAKURA-02"));
    let renewal = ours.page(&format!("/hosts/{}", fleet.agent("NOTO-01").host)).await;
    let renewal = renewal.between("href=\"/renewals/", "/abandon").to_owned();
    let clinic = ours.page("/clinics").await.between("/hosts?clinic=", "\"").to_owned();
    let token = ours.page("/join").await;
    token.assert_has(&["さくら内科クリニック"]);
    for path in [
        format!("/hosts/{host}"),
        format!("/hosts/{host}/live"),
        format!("/hosts/{host}?certificate={certificate}"),
        format!("/hosts/{host}/renew?certificate={certificate}"),
        format!("/hosts/{host}/stores?kind=directory&path=%2Fetc%2Finkan%2Fcerts"),
        format!("/renewals/{renewal}/abandon"),
        format!("/hosts?clinic={clinic}"),
    ] {
        assert_eq!(ours.get_head(&path).await, StatusCode::OK, "{path}");
        assert_eq!(theirs.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    for path in ["/", "/hosts", "/expiry?view=all", "/renewals", "/join", "/clinics", "/clinics/export.csv"] {
        let page = theirs.page(path).await;
        page.assert_lacks(&["さくら", "SAKURA", "NOTO", "北陸"]);
    }
    let form = theirs.token("/").await;
    for (path, fields) in [
        (format!("/hosts/{host}/approve"), vec![]),
        (format!("/hosts/{host}/checkup"), vec![("programme", "common-ca".to_owned())]),
        (format!("/hosts/{host}/renew"), vec![("certificate", certificate.to_string())]),
        (format!("/renewals/{renewal}/abandon"), vec![("why", "x".to_owned())]),
    ] {
        let mut fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        fields.push(("token", &form));
        assert_eq!(theirs.post(&path, &fields).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
