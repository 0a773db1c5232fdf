use inkan_core::ports::{ExpiryDay, InstallationQuery};
use inkan_model::store::KeyPresence;
use inkan_model::{Timestamp, VendorId};
use time::Duration;

use crate::kit::{Authority, DAY, Stage, Store, all_pages, noon, renewal};

async fn names(stage: &Stage, vendor: VendorId, query: &InstallationQuery) -> Vec<String> {
    let rows = all_pages(2, |page| async move { stage.db.list_installations(vendor, query, &page).await });
    let names: Vec<_> = rows.await.into_iter().map(|row| row.facts.common_name).collect();
    assert_eq!(stage.db.count_installations(vendor, query).await.unwrap(), names.len() as u64);
    names
}

pub(crate) async fn installations_are_listed_soonest_first_over_all_pages(stage: Stage) {
    let member = stage.member().await;
    let other = stage.host(member.vendor, member.clinic, "OTHER").await;
    let root = Authority::root("Root");
    // Three of them end at the same moment.
    let days = [40, 10, 10, 10, 3, 900];
    let leaves: Vec<_> = days
        .iter()
        .enumerate()
        .map(|(number, days)| root.leaf(&format!("{days}-{number}"), noon().plus(*days * DAY)))
        .collect();
    let held: Vec<_> = leaves.iter().map(|leaf| (leaf, KeyPresence::Present)).collect();
    stage.report(member, "PC", &[Store::new("MY", &held[..3])], noon()).await;
    stage.report(other, "OTHER", &[Store::new("MY", &held[3..]), Store::new("Root", &[])], noon()).await;
    let live = renewal(member, &leaves[1], noon());
    stage.db.create_renewal(&live).await.unwrap();

    let all = names(&stage, member.vendor, &InstallationQuery::default()).await;
    assert_eq!(all.len(), 6);
    assert_eq!((all[0].as_str(), all[4].as_str(), all[5].as_str()), ("3-4", "40-0", "900-5"));
    let window = InstallationQuery {
        expires_from: Some(noon().plus(10 * DAY)),
        expires_before: Some(noon().plus(40 * DAY)),
        ..InstallationQuery::default()
    };
    assert_eq!(names(&stage, member.vendor, &window).await.len(), 3);
    let of_host = InstallationQuery { host: Some(member.host), ..InstallationQuery::default() };
    assert_eq!(names(&stage, member.vendor, &of_host).await, ["10-1", "10-2", "40-0"]);
    let rows = all_pages(1, |page| {
        let (db, query) = (&stage.db, &of_host);
        async move { db.list_installations(member.vendor, query, &page).await }
    });
    let renewals: Vec<_> = rows.await.into_iter().map(|row| row.live_renewal).collect();
    assert_eq!(renewals, [Some(live.id), None, None]);
    let of_clinic = InstallationQuery { clinic: Some(member.clinic), ..window };
    assert_eq!(names(&stage, member.vendor, &of_clinic).await.len(), 3);
    let backwards = InstallationQuery {
        expires_from: Some(noon().plus(40 * DAY)),
        expires_before: Some(noon()),
        ..InstallationQuery::default()
    };
    assert_eq!(names(&stage, member.vendor, &backwards).await.len(), 0);
}

pub(crate) async fn installations_are_found_by_subject_host_and_clinic(stage: Stage) {
    let member = stage.member().await;
    let leaf = Authority::root("Root").leaf("0110119153 端末01", noon().plus(DAY));
    stage.report(member, "UKETSUKE", &[Store::new("MY", &[(&leaf, KeyPresence::Absent)])], noon()).await;
    for (text, found) in
        [("端末", 1), ("０１１０", 1), ("uketsuke", 1), ("さくら", 1), ("サクラ 端末", 1), ("さくら うめ", 0)]
    {
        let query = InstallationQuery { search: Some(text.to_owned()), ..InstallationQuery::default() };
        assert_eq!(names(&stage, member.vendor, &query).await.len(), found, "{text}");
    }
}

pub(crate) async fn days_are_counted_in_japan(stage: Stage) {
    let member = stage.member().await;
    let root = Authority::root("Root");
    // 2026-11-21T00:00:00+09:00
    let midnight = Timestamp::from_unix_seconds(1_795_186_800);
    let before = root.leaf("before", midnight.minus(Duration::SECOND));
    let after = root.leaf("after", midnight);
    let late = root.leaf("late", midnight.plus(23 * Duration::HOUR));
    let held = [(&before, KeyPresence::Present), (&after, KeyPresence::Present), (&late, KeyPresence::Present)];
    stage.report(member, "PC", &[Store::new("MY", &held)], noon()).await;
    let day = 20_777;
    let expected = [ExpiryDay { day, installations: 1 }, ExpiryDay { day: day + 1, installations: 2 }];
    assert_eq!(stage.db.list_expiry_days(member.vendor, day - 5, 30).await.unwrap(), expected);
    assert_eq!(stage.db.list_expiry_days(member.vendor, day, 1).await.unwrap(), expected[..1]);
    stage.report(member, "PC", &[], noon()).await;
    assert_eq!(stage.db.list_expiry_days(member.vendor, day - 5, 30).await.unwrap(), []);
}
