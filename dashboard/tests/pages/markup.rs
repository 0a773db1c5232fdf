//! What holds for the markup of every page: no inline script or style, a language, one heading of the first rank,
//! pictures with a name and without links, labelled fields.

use crate::stage::fleet::Fleet;
use crate::stage::{BEGIN, Stage};
use crate::visitor::{Answer, Visitor};

fn check(path: &str, page: &Answer) {
    let body = &page.body;
    for forbidden in [" style=", "<style", "javascript:", " onclick", " onload", "hx-on", "js:", "<script>"] {
        assert!(!body.contains(forbidden), "{path} has {forbidden}");
    }
    assert!(body.contains("<html lang=\"ja\">"), "{path}");
    assert_eq!(body.matches("<h1>").count(), 1, "{path}");
    assert!(body.contains("<title>") && body.contains("</main>"), "{path}");
    for picture in body.split("<svg").skip(1).filter_map(|rest| rest.split("</svg>").next()) {
        let named = picture.contains("role=\"img\" aria-label=\"") || picture.contains("aria-hidden=\"true\"");
        assert!(named && !picture.contains("<a"), "{path}: {picture}");
    }
    for table in body.split("<table").skip(1).filter_map(|rest| rest.split("</table>").next()) {
        assert!(table.contains("<th scope=\"col\""), "{path}: a table without heads");
    }
    let ids: Vec<_> = body.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let mut once = ids.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), ids.len(), "{path}: an id stands twice in {ids:?}");
    for field in body.split("<input").chain(body.split("<select")).skip(1).filter_map(|rest| rest.split('>').next()) {
        let labelled = field.contains("type=\"hidden\"")
            || field.contains("aria-label=")
            || field
                .split("id=\"")
                .nth(1)
                .and_then(|rest| rest.split('"').next())
                .is_some_and(|id| body.contains(&format!("<label for=\"{id}\"")));
        assert!(labelled || !field.contains("name="), "{path}: {field}");
    }
    // A key that is missing shows itself.
    for section in ["host.", "today.", "frame.", "store.", "join.", "renewal.", "certificate.", "clinics."] {
        assert!(!body.contains(&format!(">{section}")), "{path}: a text of {section} is missing");
    }
}

#[tokio::test]
async fn every_page_keeps_the_rules_of_markup() {
    let fleet = Fleet::play().await;
    let visitor = Visitor::signed_in(&fleet.stage).await;
    let mut paths: Vec<_> =
        ["/", "/hosts", "/expiry?view=all", "/renewals", "/join", "/clinics"].map(str::to_owned).into();
    for agent in &fleet.agents {
        paths.push(format!("/hosts/{}", agent.host));
    }
    let sakura = fleet.agent("SAKURA-02").host;
    paths.push(format!("/hosts/{sakura}/renew?certificate={}", fleet.certificate("SAKURA-02")));
    for path in &paths {
        check(path, &visitor.page(path).await);
    }
    check("fault", &visitor.get("/nowhere").await);
    let (empty, _) = Stage::staffed(BEGIN).await;
    let nobody = Visitor::signed_in(&empty).await;
    for path in ["/", "/hosts", "/expiry", "/renewals", "/join", "/clinics"] {
        check(path, &nobody.page(path).await);
    }
    check("/login", &Visitor::stranger(&empty).page("/login").await);
}
