use inkan_core::ports::{DbError, PageRequest};
use inkan_model::event::Happening;
use inkan_model::host::HostState;

use crate::kit::{DAY, Member, Stage, identity, new_id, noon};

async fn timeline(stage: &Stage, member: Member) -> Vec<Happening> {
    let page = stage.db.list_events(member.vendor, member.host, &PageRequest::first(50)).await.unwrap();
    page.items.into_iter().map(|event| event.what).collect()
}

pub(crate) async fn a_pending_identity_counts_once_it_is_used(stage: Stage) {
    let member = stage.member().await;
    let at = noon().plus(15 * DAY);
    stage.db.record_pending_identity(member.host, &identity(2, at)).await.unwrap();
    stage.db.record_pending_identity(member.host, &identity(3, at)).await.unwrap();
    let session = stage.db.find_session(member.host).await.unwrap().unwrap();
    assert_eq!((session.current_serial, session.pending_serial), ([1; 16], Some([3; 16])));
    let replaced = stage.db.activate_identity(member.host, [2; 16], at).await;
    assert!(matches!(replaced, Err(DbError::Conflict { .. })));
    // Two calls with it may come at once.
    stage.db.activate_identity(member.host, [3; 16], at).await.unwrap();
    stage.db.activate_identity(member.host, [3; 16], at).await.unwrap();
    let session = stage.db.find_session(member.host).await.unwrap().unwrap();
    assert_eq!((session.current_serial, session.pending_serial), ([3; 16], None));
    assert_eq!((session.identity_issued_at, session.identity_not_after), (at, at.plus(30 * DAY)));
    assert_eq!(timeline(&stage, member).await, [Happening::IdentityRenewed, Happening::Enrolled]);
}

pub(crate) async fn a_recovery_is_counted_and_shown(stage: Stage) {
    let member = stage.member().await;
    let at = noon().plus(60 * DAY);
    // The first answer is lost: the second try costs nothing, because only what is used counts.
    stage.db.record_recovery(member.host, 0, &identity(9, at)).await.unwrap();
    stage.db.record_recovery(member.host, 0, &identity(4, at)).await.unwrap();
    let session = stage.db.find_session(member.host).await.unwrap().unwrap();
    assert_eq!((session.recoveries, session.pending_serial), (0, Some([4; 16])));
    stage.db.activate_identity(member.host, [4; 16], at).await.unwrap();
    let raced = stage.db.record_recovery(member.host, 0, &identity(5, at)).await;
    assert!(matches!(raced, Err(DbError::Conflict { .. })));
    assert_eq!(stage.db.find_session(member.host).await.unwrap().unwrap().recoveries, 1);
    assert_eq!(timeline(&stage, member).await, [Happening::IdentityRecovered, Happening::Enrolled]);
}

pub(crate) async fn a_conflict_suspends_once(stage: Stage) {
    let member = stage.member().await;
    stage.db.record_identity_conflict(member.host, noon()).await.unwrap();
    stage.db.record_identity_conflict(member.host, noon()).await.unwrap();
    let session = stage.db.find_session(member.host).await.unwrap().unwrap();
    assert_eq!(session.state, HostState::Suspended);
    assert_eq!(timeline(&stage, member).await, [Happening::IdentityConflict, Happening::Enrolled]);
    // A person decided; the next conflict is news again.
    stage.db.set_host_state(member.vendor, member.host, HostState::Active, new_id(), noon()).await.unwrap();
    stage.db.record_identity_conflict(member.host, noon()).await.unwrap();
    assert_eq!(timeline(&stage, member).await[0], Happening::IdentityConflict);
    let unknown = stage.db.record_identity_conflict(new_id(), noon()).await;
    assert!(matches!(unknown, Err(DbError::Conflict { .. })));
}
