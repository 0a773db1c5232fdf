use inkan_core::ports::{ClinicChanges, ClinicQuery, HostQuery, NewClinic, PageRequest};
use inkan_model::clinic::ClinicKind;

use crate::kit::{Stage, all_pages, new_id, noon, profile};

fn new(code: &str, name: &str, prefecture: &str) -> NewClinic {
    NewClinic { id: new_id(), profile: profile(code, name, prefecture) }
}

pub(crate) async fn an_import_creates_changes_and_leaves_alone(stage: Stage) {
    let vendor = stage.vendor().await;
    let first = [new("1710119153", "さくら内科", "石川"), new("1310119153", "うめ歯科", "東京")];
    let changes = stage.db.record_clinics(vendor, &first, noon()).await.unwrap();
    assert_eq!(changes, ClinicChanges { created: 2, changed: 0, unchanged: 0 });
    let second = [new("1710119153", "さくら内科", "石川"), new("1310119153", "うめ歯科医院", "東京")];
    let changes = stage.db.record_clinics(vendor, &second, noon()).await.unwrap();
    assert_eq!(changes, ClinicChanges { created: 0, changed: 1, unchanged: 1 });
    let found = stage.db.find_clinic_by_code(vendor, "1310119153").await.unwrap().unwrap();
    assert_eq!((found.id, found.profile.name.as_str()), (first[1].id, "うめ歯科医院"));
    assert_eq!(stage.db.find_clinic(vendor, first[1].id).await.unwrap(), Some(found));
    assert_eq!(stage.db.find_clinic(vendor, second[1].id).await.unwrap(), None);
}

pub(crate) async fn clinics_are_found_by_words_kind_and_prefecture(stage: Stage) {
    let vendor = stage.vendor().await;
    let mut clinics: Vec<_> =
        (0..7).map(|number| new(&format!("171000000{number}"), &format!("第{number}ｻｸﾗ内科"), "石川")).collect();
    clinics[3].profile.kind = ClinicKind::Dental;
    clinics[4].profile.prefecture = "東京".parse().unwrap();
    stage.db.record_clinics(vendor, &clinics, noon()).await.unwrap();
    let list = async |query: ClinicQuery| {
        let rows = all_pages(2, |page| {
            let (db, query) = (&stage.db, query.clone());
            async move { db.list_clinics(vendor, &query, &page).await }
        });
        rows.await.into_iter().map(|row| row.clinic.id).collect::<Vec<_>>()
    };
    let ids: Vec<_> = clinics.iter().map(|clinic| clinic.id).collect();
    assert_eq!(list(ClinicQuery::default()).await, ids);
    assert_eq!(list(ClinicQuery { search: Some("サクラ".to_owned()), ..ClinicQuery::default() }).await, ids);
    assert_eq!(list(ClinicQuery { search: Some("第５ 内科".to_owned()), ..ClinicQuery::default() }).await, [ids[5]]);
    assert_eq!(list(ClinicQuery { search: Some("1710000002".to_owned()), ..ClinicQuery::default() }).await, [ids[2]]);
    assert_eq!(list(ClinicQuery { kind: Some(ClinicKind::Dental), ..ClinicQuery::default() }).await, [ids[3]]);
    let tokyo = ClinicQuery { prefecture: "東京".parse().ok(), ..ClinicQuery::default() };
    assert_eq!(list(tokyo).await, [ids[4]]);
}

pub(crate) async fn a_renamed_clinic_is_found_by_its_new_name_in_every_list(stage: Stage) {
    let member = stage.member().await;
    let renamed = [new("1710119153", "もみじ医院", "東京")];
    stage.db.record_clinics(member.vendor, &renamed, noon()).await.unwrap();
    let found = async |query: HostQuery| {
        stage.db.list_hosts(member.vendor, &query, &PageRequest::first(10)).await.unwrap().items.len()
    };
    assert_eq!(found(HostQuery { search: Some("もみじ".to_owned()), ..HostQuery::default() }).await, 1);
    assert_eq!(found(HostQuery { search: Some("さくら".to_owned()), ..HostQuery::default() }).await, 0);
    assert_eq!(found(HostQuery { prefecture: "東京".parse().ok(), ..HostQuery::default() }).await, 1);
    assert_eq!(found(HostQuery { prefecture: "石川".parse().ok(), ..HostQuery::default() }).await, 0);
}
