use inkan_core::ports::{DbError, EnrolmentRecord, NewEnrolment, PageRequest, TokenRefusal};
use inkan_model::HostId;
use inkan_model::event::Happening;
use inkan_model::host::HostState;
use inkan_model::join_token::JoinToken;
use time::Duration;

use crate::kit::{Member, Stage, all_pages, enrolment, identity, new_id, noon, token};

/// A vendor with a clinic and a token; the token's hash is that of the enrolment.
async fn with_token(stage: &Stage, change: impl FnOnce(&mut JoinToken)) -> (JoinToken, NewEnrolment) {
    let vendor = stage.vendor().await;
    let clinic = stage.clinic(vendor, "1710119153", "さくら内科").await;
    let (mut token, enrolment) = (token(vendor, clinic), enrolment("PC"));
    change(&mut token);
    stage.db.create_join_token(&token, enrolment.token_hash).await.unwrap();
    (token, enrolment)
}

/// Another PC with the same token.
fn other_pc(first: &NewEnrolment) -> NewEnrolment {
    NewEnrolment { token_hash: first.token_hash, ..enrolment("OTHER") }
}

pub(crate) async fn a_token_enrols_once_for_each_use(stage: Stage) {
    let (token, first) = with_token(&stage, |token| token.approve = false).await;
    let record = stage.db.record_enrolment(&first).await.unwrap();
    assert_eq!(record, EnrolmentRecord::Enrolled { host: first.host, state: HostState::ReportOnly });
    let refused = stage.db.record_enrolment(&other_pc(&first)).await.unwrap();
    assert_eq!(refused, EnrolmentRecord::Refused(TokenRefusal::UsedUp));

    let found = stage.db.find_join_token(first.token_hash).await.unwrap().unwrap();
    assert_eq!(found, JoinToken { used_by: vec![first.host], ..token.clone() });
    let session = stage.db.find_session(first.host).await.unwrap().unwrap();
    assert_eq!((session.vendor, session.clinic, session.state), (token.vendor, token.clinic, HostState::ReportOnly));
    assert_eq!((session.spki_sha256, session.current_serial), (first.spki_sha256, first.identity.serial));
    assert_eq!((session.state_digest, session.last_seen), (None, noon()));
    let timeline = stage.db.list_events(token.vendor, first.host, &PageRequest::first(10)).await.unwrap().items;
    assert_eq!(timeline.iter().map(|event| &event.what).collect::<Vec<_>>(), [&Happening::Enrolled]);
    let due = stage.db.list_hosts_to_review(noon(), 10).await.unwrap();
    assert_eq!(due, [first.host]);
}

pub(crate) async fn a_repetition_yields_the_same_host_and_chain(stage: Stage) {
    let (_, first) = with_token(&stage, |token| token.uses = 2).await;
    stage.db.record_enrolment(&first).await.unwrap();
    let again =
        |after: Duration| NewEnrolment { host: new_id(), identity: identity(5, noon().plus(after)), ..first.clone() };
    let repeated = stage.db.record_enrolment(&again(Duration::minutes(10))).await.unwrap();
    let expected =
        EnrolmentRecord::Repeated { host: first.host, state: HostState::Active, chain: first.identity.chain.clone() };
    assert_eq!(repeated, expected);
    // Much later the same key is a new PC, and takes a use of its own.
    let late = again(Duration::minutes(11));
    let record = stage.db.record_enrolment(&late).await.unwrap();
    assert_eq!(record, EnrolmentRecord::Enrolled { host: late.host, state: HostState::Active });
    let used: Vec<HostId> = stage.db.find_join_token(first.token_hash).await.unwrap().unwrap().used_by;
    assert_eq!(used, [first.host, late.host]);
}

pub(crate) async fn a_token_that_ended_enrols_nobody(stage: Stage) {
    let refusal = async |enrolment: &NewEnrolment| match stage.db.record_enrolment(enrolment).await.unwrap() {
        EnrolmentRecord::Refused(why) => why,
        other => panic!("{other:?}"),
    };
    let (expired, first) = with_token(&stage, |token| token.uses = 5).await;
    let late = NewEnrolment { identity: identity(1, expired.expires_at.plus(Duration::SECOND)), ..first.clone() };
    assert_eq!(refusal(&late).await, TokenRefusal::Expired);
    assert_eq!(refusal(&enrolment("PC")).await, TokenRefusal::Unknown);

    // An answer that was lost just before the token was withdrawn is given again all the same.
    stage.db.record_enrolment(&first).await.unwrap();
    assert!(stage.db.revoke_join_token(expired.vendor, expired.id, noon()).await.unwrap());
    assert_eq!(refusal(&other_pc(&first)).await, TokenRefusal::Revoked);
    let again = stage.db.record_enrolment(&first).await.unwrap();
    assert!(matches!(again, EnrolmentRecord::Repeated { host, .. } if host == first.host));
}

pub(crate) async fn a_banned_key_enrols_no_more(stage: Stage) {
    let (token, first) = with_token(&stage, |token| token.uses = 5).await;
    stage.db.record_enrolment(&first).await.unwrap();
    assert!(stage.db.set_host_state(token.vendor, first.host, HostState::Banned, new_id(), noon()).await.unwrap());
    let again = NewEnrolment { host: new_id(), ..first.clone() };
    let refused = stage.db.record_enrolment(&again).await.unwrap();
    assert_eq!(refused, EnrolmentRecord::Refused(TokenRefusal::Banned));
    assert_eq!(stage.db.find_session(again.host).await.unwrap(), None);
}

pub(crate) async fn tokens_are_listed_newest_first_and_can_be_withdrawn(stage: Stage) {
    let Member { vendor, clinic, .. } = stage.member().await;
    let mut made = vec![];
    for _ in 0..5 {
        let token = token(vendor, clinic);
        stage.db.create_join_token(&token, enrolment("x").token_hash).await.unwrap();
        made.insert(0, token.id);
    }
    let listed = all_pages(2, |page| {
        let db = &stage.db;
        async move { db.list_join_tokens(vendor, &page).await }
    });
    let listed: Vec<_> = listed.await.into_iter().map(|token| token.id).collect();
    assert_eq!(listed[..5], made);
    assert!(stage.db.revoke_join_token(vendor, made[0], noon()).await.unwrap());
    assert!(stage.db.revoke_join_token(vendor, made[0], noon().plus(Duration::DAY)).await.unwrap());
    let newest = &stage.db.list_join_tokens(vendor, &PageRequest::first(1)).await.unwrap().items[0];
    assert_eq!(newest.revoked_at, Some(noon()));
    assert!(!stage.db.revoke_join_token(vendor, new_id(), noon()).await.unwrap());
    let foreign = PageRequest { after: Some(inkan_core::ports::Cursor("x".to_owned())), limit: 5 };
    assert!(matches!(stage.db.list_join_tokens(vendor, &foreign).await, Err(DbError::InvalidCursor)));
}
