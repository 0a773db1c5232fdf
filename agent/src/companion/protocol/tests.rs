//! Messages read as they were written, and hostile ones are refused.

use inkan_model::limits;
use inkan_model::store::{Scope, StoreKind};
use inkan_trust_store::{ChangeError, KeyedCertificate};
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

fn location() -> impl Strategy<Value = Location> {
    (any::<String>(), any::<String>()).prop_map(|(user, path)| Location {
        kind: StoreKind::WindowsStore,
        scope: Scope::User(user),
        path,
    })
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..100)
}

proptest! {
    #[test]
    fn a_request_reads_as_it_was_written(location in location(), key in bytes(), chain in prop::collection::vec(bytes(), 0..3), name in any::<Option<String>>()) {
        let certificate = KeyedCertificate { pkcs8: Zeroizing::new(key.clone()), chain: chain.clone(), name: name.clone() };
        let written = serde_json::to_vec(&Request::import(&location, &certificate)).unwrap();
        let Request::Import { location: read_location, key: read_key, chain: read_chain, name: read_name } =
            serde_json::from_slice(&written).unwrap() else { panic!("another request") };
        prop_assert_eq!((read_location, read_name), (location, name));
        prop_assert_eq!(&*read_key.0, &key);
        prop_assert_eq!(from_bytes(read_chain), chain);
    }

    #[test]
    fn a_refusal_reads_as_it_was_written(step in any::<String>(), why in any::<String>()) {
        let written = serde_json::to_vec(&Answer::Refused(Refusal::Io { step: step.clone(), why: why.clone() })).unwrap();
        let read: Answer = serde_json::from_slice(&written).unwrap();
        let expected = Refusal::Io { step, why };
        prop_assert!(matches!(read, Answer::Refused(refusal) if refusal == expected));
    }

    #[test]
    fn words_of_a_companion_are_bounded_and_have_no_control_characters(why in "\\PC{0,20}[\\x00-\\x1f]{0,5}", times in 1_usize..200) {
        let location = Location { kind: StoreKind::WindowsStore, scope: Scope::Machine, path: "MY".to_owned() };
        let error = Refusal::NeedsUser(why.repeat(times)).into_error(&location, None);
        let ChangeError::NeedsUser { why, .. } = error else { panic!("another error") };
        prop_assert!(why.chars().count() <= limits::LONG_TEXT && !why.chars().any(char::is_control));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "[{}\\[\\]\":,a-z_0-9=]{0,80}") {
        let _ = serde_json::from_str::<Request>(&text);
        let _ = serde_json::from_str::<Answer>(&text);
    }
}

#[test]
fn a_field_that_nobody_knows_is_refused() {
    assert!(serde_json::from_str::<Request>(r#"{"hello":{"version":1,"command":"calc"}}"#).is_err());
    assert!(serde_json::from_str::<Request>(r#"{"run":{"command":"calc"}}"#).is_err());
    assert!(serde_json::from_str::<Request>(r#"{"hello":{"version":1}}"#).is_ok());
}

#[test]
fn no_debug_text_shows_a_key() {
    let location = Location { kind: StoreKind::WindowsStore, scope: Scope::Machine, path: "MY".to_owned() };
    let certificate = KeyedCertificate { pkcs8: Zeroizing::new(b"secret".to_vec()), chain: Vec::new(), name: None };
    let shown = format!("{:?}", Request::import(&location, &certificate));
    assert!(!shown.contains("115") && !shown.contains("secret") && shown.contains("Secret(…)"), "{shown}");
}
