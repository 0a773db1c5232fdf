//! A Windows PC joins, says what it is, and keeps its key to itself.

use crate::stage::Stage;

#[tokio::test]
async fn a_windows_pc_joins_and_says_what_it_is() {
    let Some(stage) = Stage::set().await else { return };
    let shown = stage.shown().await;
    assert_eq!(shown["state"], "active", "{shown}");
    let facts = &shown["facts"];
    assert!(facts["os"].as_str().is_some_and(|os| os.starts_with("Windows")), "{facts}");
    assert_eq!(facts["architecture"], "x86_64", "{facts}");
    assert!(facts["memory_mib"].as_u64().is_some_and(|memory| memory > 100), "{facts}");
    assert!(facts["kernel"].as_str().is_some_and(|kernel| kernel.contains('.')), "{facts}");
}

#[tokio::test]
async fn the_key_rests_under_windows_data_protection_and_is_not_in_any_file() {
    let Some(stage) = Stage::set().await else { return };
    let key = std::fs::read(stage.agent.data("identity/key.dpapi")).unwrap();
    assert!(!key.is_empty());
    for file in ["identity/key.dpapi", "identity/identity.json", "status.json"] {
        let bytes = std::fs::read(stage.agent.data(file)).unwrap();
        assert!(!String::from_utf8_lossy(&bytes).contains("PRIVATE KEY"), "{file}");
    }
    assert!(!stage.agent.data("identity/key.pem").exists());
}
