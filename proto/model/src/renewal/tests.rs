use proptest::prelude::*;

use super::*;
use crate::store::{Scope, StoreKind};

fn planned() -> Renewal {
    let now = Timestamp::from_unix_seconds(1_000);
    Renewal {
        id: RenewalId::new(now, [1; 10]),
        vendor: VendorId::new(now, [2; 10]),
        host: HostId::new(now, [3; 10]),
        location: Location { kind: StoreKind::Directory, scope: Scope::Machine, path: "/c".to_owned() },
        old: Fingerprint::of(b"old"),
        requested_by: Requester::Planner,
        reason: None,
        created_at: now,
        failures: 0,
        state: RenewalState::Planned { not_before: now },
    }
}

#[derive(Clone, Debug)]
enum Move {
    Direct,
    Request,
    Issue,
    Install,
    InstallOther,
    Prove,
    Close,
    Fail,
    Retry,
    Abandon,
}

fn make(renewal: Renewal, step: &Move, now: Timestamp) -> Result<Renewal, InvalidTransition> {
    let new = Fingerprint::of(b"new");
    match step {
        Move::Direct => renewal.direct(Generation(1), now),
        Move::Request => renewal.request(vec![1], now),
        Move::Issue => renewal.issue(new, vec![vec![1]], vec![2], now),
        Move::Install => renewal.install(new, now),
        Move::InstallOther => renewal.install(Fingerprint::of(b"other"), now),
        Move::Prove => renewal.prove(new, Proof { signature: vec![3], probe: None }, now),
        Move::Close => renewal.close(new, now),
        Move::Fail => renewal.fail(RenewalStep::Prove, "x".to_owned(), now, now),
        Move::Retry => renewal.retry(now),
        Move::Abandon => renewal.abandon(None, "x".to_owned(), now),
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    prop::sample::select(vec![
        Move::Direct,
        Move::Request,
        Move::Issue,
        Move::Install,
        Move::InstallOther,
        Move::Prove,
        Move::Close,
        Move::Fail,
        Move::Retry,
        Move::Abandon,
    ])
}

#[test]
fn the_straight_way_leads_from_planned_to_closed() {
    let now = Timestamp::from_unix_seconds(2_000);
    let way = [Move::Direct, Move::Request, Move::Issue, Move::Install, Move::Prove, Move::Close];
    let closed = way.iter().try_fold(planned(), |renewal, step| make(renewal, step, now)).unwrap();
    assert!(closed.state.is_over());
    assert_eq!(closed.state.new_certificate(), Some(Fingerprint::of(b"new")));
}

#[test]
fn a_failure_goes_on_from_where_it_stood() {
    let now = Timestamp::from_unix_seconds(2_000);
    let way = [Move::Direct, Move::Request, Move::Issue, Move::Install];
    let installed = way.iter().try_fold(planned(), |renewal, step| make(renewal, step, now)).unwrap();
    let failed = make(make(installed.clone(), &Move::Fail, now).unwrap(), &Move::Fail, now).unwrap();
    assert_eq!(failed.failures, 2);
    assert_eq!(failed.retry(now).unwrap().state, installed.state);
}

#[test]
fn a_state_survives_being_stored_as_json() {
    let now = Timestamp::from_unix_seconds(2_000);
    let failed = make(make(planned(), &Move::Direct, now).unwrap(), &Move::Fail, now).unwrap();
    let json = serde_json::to_string(&failed.state).unwrap();
    assert_eq!(serde_json::from_str::<RenewalState>(&json).unwrap(), failed.state);
}

proptest! {
    /// Whatever order messages arrive in: nothing leaves a state that is over, progress on the straight way never
    /// shrinks, and nobody closes what was not proven.
    #[test]
    fn no_order_of_moves_turns_a_record_back(moves in prop::collection::vec(any_move(), 0..40)) {
        let now = Timestamp::from_unix_seconds(2_000);
        let mut renewal = planned();
        let mut furthest = 0;
        for step in &moves {
            let was_over = renewal.state.is_over();
            match make(renewal.clone(), step, now) {
                Ok(next) => {
                    prop_assert!(!was_over);
                    if let Some(progress) = next.state.progress() {
                        prop_assert!(progress >= furthest);
                        furthest = progress;
                    }
                    renewal = next;
                }
                Err(refused) => prop_assert_eq!(refused.from, renewal.state.name()),
            }
        }
    }
}
