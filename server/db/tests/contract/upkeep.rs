use inkan_core::ports::{Gauges, IdempotentRequest, IdempotentState, NewOperator, Session, SessionKind};
use inkan_model::finding::Urgency;
use inkan_model::host::HostState;
use inkan_model::locale::Locale;
use inkan_model::operator::{Operator, Role};
use inkan_model::store::KeyPresence;

use crate::kit::{Authority, DAY, Stage, Store, enrolment, expiring, new_id, noon, renewal, token};

pub(crate) async fn what_nobody_needs_is_pruned_within_bounds(stage: Stage) {
    let member = stage.member().await;
    let vendor = member.vendor;
    let (id, role, locale) = (new_id(), Role::Operator, Locale::Ja);
    let operator = Operator { id, vendor, mail: "a@example.test".to_owned(), name: "山田".to_owned(), role, locale };
    let new = NewOperator { operator, password_hash: String::new(), totp_sealed: Vec::new() };
    stage.db.create_operator(&new, noon()).await.unwrap();
    for number in 0..5_u8 {
        let expires_at = noon().plus(if number == 0 { 90 * DAY } else { DAY });
        let session =
            Session { hash: [number; 32], operator: id, kind: SessionKind::Browser, created_at: noon(), expires_at };
        stage.db.create_session(&session).await.unwrap();
    }
    let request = IdempotentRequest { operator: id, key: "k".to_owned(), request_sha256: [1; 32], now: noon() };
    stage.db.begin_idempotent(&request).await.unwrap();
    stage.db.finish_idempotent(id, "k", 200, "").await.unwrap();
    let fresh = enrolment("x").token_hash;
    let mut late = token(vendor, member.clinic);
    late.expires_at = noon().plus(20 * DAY);
    stage.db.create_join_token(&late, fresh).await.unwrap();

    assert_eq!(stage.db.prune(noon(), 100).await.unwrap(), 0);
    let later = noon().plus(40 * DAY);
    assert_eq!(stage.db.prune(later, 3).await.unwrap(), 3);
    // One session, the request, and the token that enrolled the host, whose use goes with it.
    assert_eq!(stage.db.prune(later, 100).await.unwrap(), 3);
    assert_eq!(stage.db.prune(later, 100).await.unwrap(), 0);
    assert!(stage.db.find_operator_session([0; 32], later).await.unwrap().is_some());
    assert!(stage.db.find_join_token(fresh).await.unwrap().is_some());
    assert_eq!(stage.db.begin_idempotent(&request).await.unwrap(), IdempotentState::New);
    assert!(stage.db.find_session(member.host).await.unwrap().is_some());
}

pub(crate) async fn the_gauges_count_everything(stage: Stage) {
    assert_eq!(stage.db.gauges(noon()).await.unwrap(), Gauges::default());
    stage.db.check().await.unwrap();
    let member = stage.member().await;
    let root = Authority::root("Root");
    let leaf = root.leaf("leaf", noon().plus(DAY));
    let stores = [
        Store::new("MY", &[(&leaf, KeyPresence::Present)]),
        Store::new("Root", &[(&root.certificate, KeyPresence::NotExpected)]),
    ];
    stage.report(member, "PC", &stores, noon()).await;
    stage.db.record_assessment(member.host, &[expiring(&leaf, Urgency::Now)], noon(), noon()).await.unwrap();
    stage.db.create_renewal(&renewal(member, &leaf, noon())).await.unwrap();
    let other = stage.member().await;
    stage.db.set_host_state(other.vendor, other.host, HostState::Retired, new_id(), noon()).await.unwrap();
    let expected = Gauges { hosts: 1, certificates: 2, sets: 2, installations: 1, findings: 1, live_renewals: 1 };
    assert_eq!(stage.db.gauges(noon()).await.unwrap(), expected);
}
