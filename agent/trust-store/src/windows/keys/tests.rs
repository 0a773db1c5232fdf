//! Keys and certificates in the real stores.

use windows_sys::Win32::Security::Cryptography::*;
use crate::windows::system_store::{CertificateContext, StoreScope, SystemStore};

#[test]
fn zz_probe_properties() {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap().der().to_vec();
    let context = CertificateContext::new(&certificate).unwrap();
    for (id, bytes) in [(19, &b""[..]), (19, b"\x01"), (13, b"a\0b\0\0\0"), (9, b"0\0"), (0x8abc, b"x"), (97, b"x"), (71, b"x"), (20, b"x"),(21,b"x"), (64, b"xx"),(87,b"x")] {
        println!("{id} {:?}", context.set_bytes(id, bytes));
        println!("   {:?}", context.bytes(id));
    }
    for scope in [StoreScope::CurrentUser, StoreScope::Machine] {
        let store = SystemStore::open(scope, "MY").unwrap();
        store.add(&context).unwrap();
        store.close_and_commit().unwrap();
        let store = SystemStore::open(scope, "MY").unwrap();
        let found = store.find(context.fingerprint()).unwrap();
        for id in [19, 13, 9, 0x8abc, 97, 71, 20, 21, 64, 87] { println!("{id} {:?}", found.bytes(id)); }
        found.set_bytes(11, b"a\0\0\0").unwrap();
        println!("set archived {:?}", found.set_bytes(19, b""));
        drop(found);
        store.close_and_commit().unwrap();
        let store = SystemStore::open(scope, "MY").unwrap();
        let found = store.find(context.fingerprint()).unwrap();
        println!("name {:?} archived {:?}", found.friendly_name(), found.bytes(19));
        drop(found);
        store.remove(context.fingerprint()).unwrap();
        store.close_and_commit().unwrap();
        let _ = CERT_ARCHIVED_PROP_ID;
    }
}
