use super::super::real_stores;
use super::*;
use crate::windows::serialized::{NAME_CONSTRAINTS, USAGE, usage_der};

fn certificate(name: &str) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

fn link() -> KeyLink {
    KeyLink {
        container: "inkan-テスト".to_owned(),
        provider: "Microsoft Enhanced RSA and AES Cryptographic Provider".to_owned(),
        provider_type: 24,
        flags: 0x20,
        key_spec: 1,
    }
}

#[test]
fn what_is_added_with_its_properties_is_there_when_the_store_is_opened_anew() {
    if !real_stores::may_be_changed() {
        return;
    }
    for scope in [StoreScope::CurrentUser, StoreScope::Machine] {
        let der = certificate("added");
        let added = Fingerprint::of(&der);
        let usage = usage_der(&["1.3.6.1.5.5.7.3.2".to_owned()]).unwrap();
        let store = SystemStore::open(scope, "MY").unwrap();
        let context = CertificateContext::new(&der).unwrap();
        context.set_friendly_name("医院の証明書").unwrap();
        context.set_key_link(&link()).unwrap();
        context.set_bytes(USAGE, &usage).unwrap();
        // Wine does not know this property, and must say so.
        let names = context.set_bytes(NAME_CONSTRAINTS, &[0x30, 0]).ok().map(|()| vec![0x30, 0]);
        store.add(&context).unwrap();
        assert!(store.add(&context).is_err());
        store.close_and_commit().unwrap();

        let store = SystemStore::open_to_read(scope, "MY").unwrap().unwrap();
        let stored = store.find(added).unwrap();
        assert_eq!(stored.der(), der);
        assert_eq!(stored.friendly_name().unwrap().as_deref(), Some("医院の証明書"));
        assert_eq!(stored.key_link().unwrap(), Some(link()));
        assert_eq!(stored.bytes(USAGE).unwrap(), Some(usage));
        assert_eq!(stored.bytes(NAME_CONSTRAINTS).unwrap(), names);
        assert_eq!(stored.bytes(33_000).unwrap(), None);
        drop(stored);
        drop(store);

        let store = SystemStore::open(scope, "MY").unwrap();
        assert!(store.remove(added).unwrap());
        assert!(!store.remove(added).unwrap());
        store.close_and_commit().unwrap();
        let store = SystemStore::open(scope, "MY").unwrap();
        assert!(store.find(added).is_none());
    }
}

#[test]
fn a_store_that_was_never_used_is_not_made_by_looking_at_it() {
    let name = "inkan-never-used";
    assert!(SystemStore::open_to_read(StoreScope::Machine, name).unwrap().is_none());
    assert!(SystemStore::open_to_read(StoreScope::Machine, name).unwrap().is_none());
}

#[test]
fn the_running_accounts_root_is_never_opened() {
    assert!(SystemStore::open(StoreScope::CurrentUser, "ROOT").is_err());
}

#[test]
fn bytes_that_are_no_certificate_have_no_context() {
    assert!(CertificateContext::new(b"junk").is_err());
}
