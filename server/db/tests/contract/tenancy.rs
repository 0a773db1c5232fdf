use inkan_core::ports::{
    ClinicQuery, FindingQuery, HostQuery, InstallationQuery, Overview, Page, PageRequest, RenewalQuery,
};
use inkan_model::finding::Urgency;
use inkan_model::host::HostState;
use inkan_model::store::KeyPresence;

use crate::kit::{Authority, DAY, Stage, Store, expiring, location, new_id, noon, renewal, token};

fn nothing<T>(page: &Page<T>) -> bool {
    page.items.is_empty() && page.next.is_none()
}

/// Every method of the fleet and of renewals that takes a vendor is asked about another vendor's things.
pub(crate) async fn another_vendor_finds_nothing_and_changes_nothing(stage: Stage) {
    let member = stage.member().await;
    let leaf = Authority::root("Root").leaf("leaf", noon().plus(DAY));
    stage.report(member, "PC", &[Store::new("MY", &[(&leaf, KeyPresence::Present)])], noon()).await;
    stage.db.record_assessment(member.host, &[expiring(&leaf, Urgency::Now)], noon(), noon()).await.unwrap();
    let live = renewal(member, &leaf, noon());
    stage.db.create_renewal(&live).await.unwrap();
    let token = token(member.vendor, member.clinic);
    stage.db.create_join_token(&token, [3; 32]).await.unwrap();

    let (db, thief, page) = (&stage.db, stage.vendor().await, PageRequest::first(50));
    assert_eq!(db.find_clinic(thief, member.clinic).await.unwrap(), None);
    assert_eq!(db.find_clinic_by_code(thief, "1710119153").await.unwrap(), None);
    assert!(nothing(&db.list_clinics(thief, &ClinicQuery::default(), &page).await.unwrap()));
    for clinic in [None, Some(member.clinic)] {
        let query = HostQuery { clinic, ..HostQuery::default() };
        assert!(nothing(&db.list_hosts(thief, &query, &page).await.unwrap()));
        assert_eq!(db.count_hosts(thief, &query).await.unwrap(), 0);
        for host in [None, Some(member.host)] {
            let query = InstallationQuery { clinic, host, ..InstallationQuery::default() };
            assert!(nothing(&db.list_installations(thief, &query, &page).await.unwrap()));
            assert_eq!(db.count_installations(thief, &query).await.unwrap(), 0);
            let query = FindingQuery { clinic, host, ..FindingQuery::default() };
            assert!(nothing(&db.list_findings(thief, &query, &page).await.unwrap()));
            let query = RenewalQuery { clinic, host, ..RenewalQuery::default() };
            assert!(nothing(&db.list_renewals(thief, &query, &page).await.unwrap()));
        }
    }
    assert!(db.find_host(thief, member.host).await.unwrap().is_none());
    assert!(!db.set_host_state(thief, member.host, HostState::Retired, new_id(), noon()).await.unwrap());
    assert!(db.list_locations(thief, member.host).await.unwrap().is_empty());
    assert!(nothing(&db.list_location_entries(thief, member.host, &location("MY"), &page).await.unwrap()));
    assert_eq!(db.find_certificate(thief, leaf.fingerprint).await.unwrap(), None);
    assert!(nothing(&db.list_certificate_holders(thief, leaf.fingerprint, &page).await.unwrap()));
    assert!(nothing(&db.list_events(thief, member.host, &page).await.unwrap()));
    assert_eq!(db.find_overview(thief, noon()).await.unwrap(), Overview::default());
    assert!(db.list_expiry_days(thief, 0, u16::MAX).await.unwrap().is_empty());
    assert!(db.list_prefectures(thief).await.unwrap().is_empty());
    assert!(db.find_renewal(thief, live.id).await.unwrap().is_none());
    assert!(nothing(&db.list_join_tokens(thief, &page).await.unwrap()));
    assert!(!db.revoke_join_token(thief, token.id, noon()).await.unwrap());
    assert!(db.list_operators(thief).await.unwrap().is_empty());
    // The same code is another clinic for another vendor.
    stage.clinic(thief, "1710119153", "べつの医院").await;
    assert_eq!(db.find_clinic(member.vendor, member.clinic).await.unwrap().unwrap().profile.name, "さくら内科");
    assert_eq!(db.find_session(member.host).await.unwrap().unwrap().state, HostState::Active);
}
