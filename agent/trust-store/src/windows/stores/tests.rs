use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use inkan_model::store::{KeyPresence, Location, ReadErrorKind, Scope, SetEntry, StoreKind};
use inkan_model::{Certificate, EntryProperties, Fingerprint};
use winreg::RegKey;
use winreg::enums::{HKEY_CURRENT_USER, HKEY_USERS, KEY_ALL_ACCESS, RegType};

use super::backend::{KeyUsers, WindowsStores};
use super::registry::Root;
use super::*;
use crate::windows::real_stores;
use crate::windows::serialized::{KeyLink, KeyReference, SerializedCertificate};
use crate::windows::system_store::{CertificateContext, StoreScope, SystemStore};
use crate::{Anchor, AnchorStore, ChangeError, Changed, Reading, StoreBackend};

const HANAKO: &str = "S-1-5-21-1-2-3-1001";
const TARO: &str = "S-1-5-21-1-2-3-1002";
const ROOT: &str = "Software\\Microsoft\\SystemCertificates\\Root\\Certificates";
const MY: &str = "Software\\Microsoft\\SystemCertificates\\MY\\Certificates";
const POLICY: &str = "Software\\Policies\\Microsoft\\SystemCertificates\\Root\\Certificates";

/// A registry of this test's own, taken away at its end.
struct Registry(String);

impl Registry {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let registry = Self(format!("Software\\inkan-tests-{}-{number}", std::process::id()));
        for below in ["machine", "users"] {
            registry.key(below);
        }
        registry
    }

    fn key(&self, path: &str) -> RegKey {
        let path = format!("{}\\{path}", self.0);
        RegKey::predef(HKEY_CURRENT_USER).create_subkey_with_flags(path, KEY_ALL_ACCESS).unwrap().0
    }

    fn root(&self, below: &str) -> Root {
        Root::for_test(&format!("{}\\{below}", self.0))
    }

    fn stores(&self) -> WindowsStores {
        WindowsStores::below(self.root("machine"), self.root("users"))
    }

    fn put(&self, below: &str, path: &str, certificate: &SerializedCertificate) {
        self.root(below).write(path, &name(certificate), certificate.to_bytes().unwrap()).unwrap();
    }

    fn profile(&self, sid: &str, folder: &Path) {
        let list = "machine\\Software\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList";
        self.key(&format!("{list}\\{sid}")).set_value("ProfileImagePath", &folder.to_str().unwrap()).unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let deleted = RegKey::predef(HKEY_CURRENT_USER).delete_subkey_all(&self.0);
        assert!(std::thread::panicking() || deleted.is_ok(), "{deleted:?}");
    }
}

fn name(certificate: &SerializedCertificate) -> String {
    let sha1 = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, &certificate.der);
    data_encoding::HEXUPPER.encode(sha1.as_ref())
}

fn certificate(name: &str) -> SerializedCertificate {
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.serial_number = Some(next_serial().into());
    let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
    SerializedCertificate { name: Some(name.to_owned()), ..SerializedCertificate::new(der) }
}

fn next_serial() -> u64 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    u64::from(NEXT.fetch_add(1, Ordering::Relaxed))
}

fn link() -> KeyLink {
    KeyLink {
        container: format!("inkan-tests-{}", std::process::id()),
        provider: "Microsoft Enhanced RSA and AES Cryptographic Provider".to_owned(),
        provider_type: 24,
        flags: 0,
        key_spec: 1,
    }
}

fn at(scope: Scope, path: &str) -> Location {
    Location { kind: StoreKind::WindowsStore, scope, path: path.to_owned() }
}

fn of_user(sid: &str, path: &str) -> Location {
    at(Scope::User(sid.to_owned()), path)
}

fn fingerprint(certificate: &SerializedCertificate) -> Fingerprint {
    Fingerprint::of(&certificate.der)
}

fn entry(reading: &Reading, wanted: Fingerprint) -> Option<&SetEntry> {
    reading
        .entries
        .iter()
        .find(|entry| matches!(entry, SetEntry::Certificate { certificate, .. } if *certificate == wanted))
}

fn has(stores: &WindowsStores, location: &Location, certificate: &SerializedCertificate) -> bool {
    entry(&stores.read(location), fingerprint(certificate)).is_some()
}

fn anchor(certificate: &SerializedCertificate, purposes: Option<&[&str]>) -> Anchor {
    let purposes = purposes.map(|purposes| purposes.iter().map(ToString::to_string).collect());
    Anchor {
        der: certificate.der.clone(),
        name: certificate.name.clone(),
        properties: EntryProperties { purposes, ..EntryProperties::default() },
    }
}

#[test]
fn the_machines_own_stores_are_always_there_and_other_parts_when_they_hold_something() {
    let registry = Registry::new();
    let stores = registry.stores();
    let names = || stores.discover().into_iter().map(|location| location.path).collect::<Vec<_>>();
    assert_eq!(names(), ["CA", "Disallowed", "MY", "Root", "TrustedPeople"]);
    let (policy, auth_root) = (certificate("policy"), certificate("Microsoft's"));
    registry.put("machine", POLICY, &policy);
    registry.put("machine", "Software\\Microsoft\\SystemCertificates\\AuthRoot\\Certificates", &auth_root);
    assert_eq!(names(), ["CA", "Disallowed", "MY", "Root", "Root\\.AuthRoot", "Root\\.GroupPolicy", "TrustedPeople"]);
    assert!(has(&stores, &at(Scope::Machine, "Root\\.GroupPolicy"), &policy));
    assert!(has(&stores, &at(Scope::Machine, "Root\\.AuthRoot"), &auth_root));
    assert!(stores.read(&at(Scope::Machine, "Root")).entries.is_empty());
}

#[test]
fn what_others_put_there_is_read_and_not_changed() {
    let registry = Registry::new();
    let stores = registry.stores();
    let policy = certificate("policy");
    registry.put("machine", POLICY, &policy);
    let location = at(Scope::Machine, "Root\\.GroupPolicy");
    let found = stores.find_anchor(&location, fingerprint(&policy)).unwrap().unwrap();
    assert_eq!(found, anchor(&policy, None));
    for refused in [
        stores.can_change(&location).unwrap_err(),
        stores.add_anchor(&location, &anchor(&certificate("new"), None)).unwrap_err(),
        stores.remove_anchor(&location, fingerprint(&policy)).unwrap_err(),
        stores.can_change(&at(Scope::Machine, "MY")).unwrap_err(),
        stores.can_change(&at(Scope::Machine, "My own")).unwrap_err(),
    ] {
        assert!(matches!(refused, ChangeError::ReadOnly { .. }), "{refused:?}");
    }
    assert!(has(&stores, &location, &policy));
}

#[test]
fn a_loaded_users_root_gets_an_anchor_with_its_limits_and_loses_it_again() {
    let registry = Registry::new();
    registry.key(&format!("users\\{HANAKO}"));
    let stores = registry.stores();
    let location = of_user(HANAKO, "Root");
    let root = certificate("医院のルート");
    let mut limited = anchor(&root, Some(&["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"]));
    limited.properties.name_constraints = Some(vec![0x30, 0]);

    stores.can_change(&location).unwrap();
    assert_eq!(stores.find_anchor(&location, fingerprint(&root)).unwrap(), None);
    assert_eq!(stores.add_anchor(&location, &limited).unwrap(), Changed::Done);
    assert_eq!(stores.add_anchor(&location, &limited).unwrap(), Changed::AlreadySo);
    assert!(stores.discover().contains(&location));
    limited.properties.purposes.as_mut().unwrap().sort_unstable();
    assert_eq!(stores.find_anchor(&location, fingerprint(&root)).unwrap(), Some(limited.clone()));
    let reading = stores.read(&location);
    let Some(SetEntry::Certificate { key, name, properties, .. }) = entry(&reading, fingerprint(&root)) else {
        panic!()
    };
    assert_eq!(
        (*key, name.as_deref(), properties),
        (KeyPresence::NotExpected, root.name.as_deref(), &limited.properties)
    );

    let unlimited = anchor(&root, None);
    assert_eq!(stores.add_anchor(&location, &unlimited).unwrap(), Changed::Done);
    assert_eq!(stores.find_anchor(&location, fingerprint(&root)).unwrap(), Some(unlimited));
    assert_eq!(stores.remove_anchor(&location, fingerprint(&root)).unwrap(), Changed::Done);
    assert_eq!(stores.remove_anchor(&location, fingerprint(&root)).unwrap(), Changed::AlreadySo);
    assert!(!has(&stores, &location, &root));
}

#[test]
fn a_limit_that_is_not_asked_about_survives_a_change_of_another() {
    let registry = Registry::new();
    registry.key(&format!("users\\{HANAKO}"));
    let stores = registry.stores();
    let distrusted = SerializedCertificate { others: vec![(104, vec![1; 8])], ..certificate("distrusted later") };
    registry.put(&format!("users\\{HANAKO}"), ROOT, &distrusted);
    let limited = anchor(&distrusted, Some(&["1.3.6.1.5.5.7.3.1"]));
    assert_eq!(stores.add_anchor(&of_user(HANAKO, "Root"), &limited).unwrap(), Changed::Done);
    let content = registry.root(&format!("users\\{HANAKO}")).certificates(ROOT).unwrap().unwrap();
    let found: Vec<_> = content.certificates().map(|(_, found)| (found.purposes, found.others)).collect();
    assert_eq!(found, [(limited.properties.purposes, distrusted.others)]);
}

#[test]
fn limits_that_no_windows_store_has_are_refused() {
    use inkan_model::properties::{TrustFlags, TrustLevel};
    let registry = Registry::new();
    registry.key(&format!("users\\{HANAKO}"));
    let stores = registry.stores();
    let location = of_user(HANAKO, "Root");
    let root = certificate("root");
    let trust = TrustFlags {
        server: TrustLevel::Anchor,
        client: TrustLevel::Unset,
        email: TrustLevel::Unset,
        code: TrustLevel::Unset,
    };
    let by_flags = Anchor {
        properties: EntryProperties { trust: Some(trust), ..EntryProperties::default() },
        ..anchor(&root, None)
    };
    for refused in [by_flags, anchor(&root, Some(&["serverAuth"]))] {
        let refused = stores.add_anchor(&location, &refused).unwrap_err();
        assert!(matches!(refused, ChangeError::CannotLimit { .. }), "{refused:?}");
    }
    let junk = Anchor { der: b"junk".to_vec(), ..anchor(&root, None) };
    assert!(matches!(stores.add_anchor(&location, &junk), Err(ChangeError::Crypto { .. })));
    assert!(stores.read(&location).entries.is_empty());
}

#[test]
fn a_change_does_not_pass_through_a_link_that_a_user_made() {
    use windows_sys::Win32::Storage::FileSystem::DELETE;
    use winreg::enums::{KEY_CREATE_LINK, KEY_SET_VALUE, REG_OPTION_CREATE_LINK};
    let registry = Registry::new();
    registry.key(&format!("users\\{HANAKO}\\Software\\Microsoft\\SystemCertificates"));
    let victim = registry.key(&format!("machine\\{ROOT}"));
    let user = crate::windows::access::current_sid().unwrap();
    let path = format!("{}\\users\\{HANAKO}\\Software\\Microsoft\\SystemCertificates\\Root", registry.0);
    let (made, _) = RegKey::predef(HKEY_CURRENT_USER)
        .create_subkey_with_options_flags(path, REG_OPTION_CREATE_LINK, KEY_CREATE_LINK | KEY_SET_VALUE | DELETE)
        .unwrap();
    let target =
        format!("\\Registry\\User\\{user}\\{}\\machine\\Software\\Microsoft\\SystemCertificates\\Root", registry.0);
    let bytes = target.encode_utf16().flat_map(u16::to_le_bytes).collect();
    made.set_raw_value("SymbolicLinkValue", &winreg::RegValue { bytes, vtype: RegType::REG_LINK }).unwrap();

    let refused =
        registry.stores().add_anchor(&of_user(HANAKO, "Root"), &anchor(&certificate("root"), None)).unwrap_err();
    assert!(matches!(refused, ChangeError::Io { .. }), "{refused:?}");
    assert_eq!(victim.enum_keys().count(), 0);
    delete_link(&made);
}

/// A link is only deleted through a handle to itself.
#[expect(unsafe_code, reason = "no safe function deletes a link")]
fn delete_link(link: &RegKey) {
    #[link(name = "ntdll")]
    unsafe extern "system" {
        fn NtDeleteKey(key: winreg::HKEY) -> i32;
    }
    // SAFETY: the handle is open for as long as `link` is.
    assert_eq!(unsafe { NtDeleteKey(link.raw_handle()) }, 0);
}

#[test]
fn junk_in_the_registry_is_told_beside_what_can_be_read() {
    let registry = Registry::new();
    let stores = registry.stores();
    let good = certificate("good");
    registry.put("machine", ROOT, &good);
    registry.root("machine").write(ROOT, "JUNK", b"junk".to_vec()).unwrap();
    registry.key(&format!("machine\\{ROOT}\\EMPTY"));
    registry.key(&format!("machine\\{ROOT}\\TEXT")).set_value("Blob", &"text").unwrap();
    registry.root("machine").write(ROOT, "LARGE", vec![0; crate::windows::serialized::BLOB_BYTES + 1]).unwrap();
    let reading = stores.read(&at(Scope::Machine, "Root"));
    assert!(entry(&reading, fingerprint(&good)).is_some());
    assert_eq!((reading.entries.len(), reading.certificates.len()), (5, 1));
    let errors: Vec<_> = reading.errors.iter().map(|error| (error.item.as_str(), error.kind)).collect();
    let malformed = ReadErrorKind::Malformed;
    assert_eq!(errors, [("LARGE", ReadErrorKind::TooLarge), ("EMPTY", malformed), ("TEXT", malformed)]);
}

#[test]
fn a_user_who_is_logged_off_has_files_and_an_error_where_the_registry_cannot_be_loaded() {
    let registry = Registry::new();
    let profile = tempfile::tempdir().unwrap();
    let files = profile.path().join("AppData\\Roaming\\Microsoft\\SystemCertificates\\My\\Certificates");
    std::fs::create_dir_all(&files).unwrap();
    let mine = SerializedCertificate { key: KeyReference::Link(link()), ..certificate("mine") };
    std::fs::write(files.join(name(&mine)), mine.to_bytes().unwrap()).unwrap();
    registry.profile(TARO, profile.path());
    registry.profile(HANAKO, &profile.path().join("gone"));

    let stores = registry.stores();
    let of_users: Vec<_> = stores.discover().into_iter().filter(|location| location.scope != Scope::Machine).collect();
    assert_eq!(of_users, [of_user(TARO, "MY"), of_user(TARO, "Root")]);
    let reading = stores.read(&of_users[0]);
    assert_eq!((reading.entries.len(), reading.errors.len()), (1, 1));
    let Some(SetEntry::Certificate { key, .. }) = entry(&reading, fingerprint(&mine)) else { panic!() };
    assert_eq!(*key, KeyPresence::Present);
    assert_eq!(stores.read(&of_users[1]).errors[0].kind, ReadErrorKind::NotFound);
    let refused = stores.add_anchor(&of_users[1], &anchor(&certificate("root"), None)).unwrap_err();
    assert!(matches!(refused, ChangeError::NeedsUser { .. }), "{refused:?}");
}

#[test]
fn who_uses_a_key_is_told_across_stores_and_only_the_same_users() {
    let registry = Registry::new();
    let with_key =
        |link: KeyLink, name: &str| SerializedCertificate { key: KeyReference::Link(link), ..certificate(name) };
    let (one, two, upper) = (
        with_key(link(), "one"),
        with_key(link(), "two"),
        KeyLink { container: link().container.to_uppercase(), ..link() },
    );
    let upper = with_key(upper, "upper");
    registry.put(&format!("users\\{HANAKO}"), MY, &one);
    registry.put(&format!("users\\{HANAKO}"), ROOT, &upper);
    registry.put(&format!("users\\{TARO}"), MY, &two);
    let stores = registry.stores();
    let users = stores.key_users(&Scope::User(HANAKO.to_owned()), &link());
    let expected = [(of_user(HANAKO, "MY"), fingerprint(&one)), (of_user(HANAKO, "Root"), fingerprint(&upper))];
    assert_eq!(users, KeyUsers { entries: expected.into(), all_seen: true });

    registry.root("users").write(&format!("{HANAKO}\\{MY}"), "JUNK", b"junk".to_vec()).unwrap();
    assert!(!stores.key_users(&Scope::User(HANAKO.to_owned()), &link()).all_seen);
    assert!(stores.key_users(&Scope::User(TARO.to_owned()), &link()).all_seen);
}

#[test]
fn an_archived_certificate_is_not_told_and_still_uses_its_key() {
    let registry = Registry::new();
    let archived = SerializedCertificate {
        key: KeyReference::Link(link()),
        others: vec![(crate::windows::serialized::ARCHIVED, Vec::new())],
        ..certificate("archived")
    };
    registry.put(&format!("users\\{HANAKO}"), MY, &archived);
    let stores = registry.stores();
    assert!(!has(&stores, &of_user(HANAKO, "MY"), &archived));
    let users = stores.key_users(&Scope::User(HANAKO.to_owned()), &link());
    assert_eq!(users.entries, [(of_user(HANAKO, "MY"), fingerprint(&archived))].into());
}

#[test]
fn a_location_of_another_kind_or_name_is_not_read() {
    let stores = Registry::new();
    let stores = stores.stores();
    let mut location = at(Scope::Machine, "Root");
    location.kind = StoreKind::Directory;
    assert_eq!(stores.read(&location).errors[0].kind, ReadErrorKind::NotFound);
    for other in [at(Scope::Machine, "..\\..\\Root"), of_user("nobody", "Root"), of_user(HANAKO, "Root\\.AuthRoot")] {
        assert_eq!(stores.read(&other).errors[0].kind, ReadErrorKind::NotFound, "{other}");
    }
}

#[test]
fn the_machines_root_gets_an_anchor_through_cryptoapi_and_loses_it_again() {
    if !real_stores::may_be_changed() {
        return;
    }
    let stores = WindowsStores::default();
    let location = at(Scope::Machine, "Root");
    let root = certificate("machine-wide");
    let seen = || {
        let store = SystemStore::open_to_read(StoreScope::Machine, "Root").unwrap().unwrap();
        store.find(fingerprint(&root)).map(|found| found.friendly_name().unwrap())
    };
    assert!(stores.discover().contains(&location));
    for purposes in [Some(&["1.3.6.1.5.5.7.3.1"][..]), Some(&["1.3.6.1.5.5.7.3.2"]), Some(&[]), None] {
        let limited = anchor(&root, purposes);
        assert_eq!(stores.add_anchor(&location, &limited).unwrap(), Changed::Done);
        assert_eq!(stores.add_anchor(&location, &limited).unwrap(), Changed::AlreadySo);
        assert_eq!(stores.find_anchor(&location, fingerprint(&root)).unwrap(), Some(limited));
        assert_eq!(seen(), Some(root.name.clone()));
    }
    assert_eq!(stores.remove_anchor(&location, fingerprint(&root)).unwrap(), Changed::Done);
    assert_eq!(stores.remove_anchor(&location, fingerprint(&root)).unwrap(), Changed::AlreadySo);
    assert!(seen().is_none() && !has(&stores, &location, &root));
}

#[test]
fn name_constraints_are_in_the_machines_root_with_the_anchor_or_all_stays_as_it_was() {
    if !real_stores::may_be_changed() {
        return;
    }
    let stores = WindowsStores::default();
    let location = at(Scope::Machine, "Root");
    let root = certificate("constrained");
    let before = anchor(&root, Some(&["1.3.6.1.5.5.7.3.1"]));
    stores.add_anchor(&location, &before).unwrap();
    let mut limited = anchor(&root, None);
    limited.properties.name_constraints = Some(vec![0x30, 0]);
    let stands = match stores.add_anchor(&location, &limited) {
        Ok(changed) => {
            assert_eq!(changed, Changed::Done);
            limited
        }
        // Wine does not know the property.
        Err(error) => {
            assert!(matches!(error, ChangeError::CannotLimit { .. }), "{error:?}");
            before
        }
    };
    assert_eq!(stores.find_anchor(&location, fingerprint(&root)).unwrap(), Some(stands));
    assert_eq!(stores.remove_anchor(&location, fingerprint(&root)).unwrap(), Changed::Done);
}

#[test]
fn the_running_accounts_own_certificate_without_its_container_has_no_key() {
    if !real_stores::may_be_changed() {
        return;
    }
    let mine = certificate("mine");
    let context = CertificateContext::new(&mine.der).unwrap();
    context.set_friendly_name("私の").unwrap();
    context.set_key_link(&link()).unwrap();
    let store = SystemStore::open(StoreScope::CurrentUser, "MY").unwrap();
    store.add(&context).unwrap();
    store.close_and_commit().unwrap();

    let stores = WindowsStores::default();
    let holds = |location: &&Location| location.path == "MY" && has(&stores, location, &mine);
    let found: Vec<_> = stores.discover();
    let found: Vec<_> = found.iter().filter(holds).collect();
    assert_eq!(found.len(), 1);
    assert!(matches!(found[0].scope, Scope::User(_)));
    let reading = stores.read(found[0]);
    let Some(SetEntry::Certificate { key, name, properties, .. }) = entry(&reading, fingerprint(&mine)) else {
        panic!()
    };
    assert_eq!((*key, name.as_deref()), (KeyPresence::Absent, Some("私の")));
    assert_eq!(properties.key_provider, Some(link().provider));
    let users = stores.key_users(&found[0].scope, &link());
    assert_eq!(users.entries, [(found[0].clone(), fingerprint(&mine))].into());

    let store = SystemStore::open(StoreScope::CurrentUser, "MY").unwrap();
    assert!(store.remove(fingerprint(&mine)).unwrap());
    store.close_and_commit().unwrap();
    assert!(!has(&stores, found[0], &mine));
}

#[test]
fn a_user_who_is_logged_off_is_read_from_the_profile_and_let_go() {
    if !real_stores::may_be_changed() {
        return;
    }
    let registry = Registry::new();
    let profile = tempfile::tempdir().unwrap();
    let hive = profile.path().join("NTUSER.DAT");
    let (root, mine) = (certificate("root"), certificate("mine"));
    registry.put("profile", ROOT, &root);
    registry.put("profile", MY, &mine);
    let moved = "%USERPROFILE%\\elsewhere";
    let folders = "profile\\Software\\Microsoft\\Windows\\CurrentVersion\\Explorer\\User Shell Folders";
    registry.key(folders).set_value("AppData", &moved).unwrap();
    hive::tests::save(&registry.key("profile"), &hive);
    registry.profile(TARO, profile.path());

    let stores = registry.stores();
    let of_users: Vec<_> = stores.discover().into_iter().filter(|location| location.scope != Scope::Machine).collect();
    assert_eq!(of_users, [of_user(TARO, "MY"), of_user(TARO, "Root")]);
    assert!(has(&stores, &of_users[0], &mine) && has(&stores, &of_users[1], &root));
    assert_eq!(stores.read(&of_users[1]).errors, []);
    let errors = stores.read(&of_users[0]).errors;
    assert_eq!((errors.len(), errors[0].item.as_str()), (1, moved));
    assert_eq!(stores.find_anchor(&of_users[1], fingerprint(&root)).unwrap(), Some(anchor(&root, None)));
    let refused = stores.remove_anchor(&of_users[1], fingerprint(&root)).unwrap_err();
    assert!(matches!(refused, ChangeError::NeedsUser { .. }), "{refused:?}");
    let loaded = |name: &String| name.to_lowercase() == format!("inkan-{TARO}").to_lowercase();
    assert!(!RegKey::predef(HKEY_USERS).enum_keys().filter_map(Result::ok).any(|name| loaded(&name)));

    let new = certificate("new");
    registry.put("profile", ROOT, &new);
    hive::tests::save(&registry.key("profile"), &hive);
    assert!(has(&stores, &of_users[1], &new));
}

#[test]
fn this_pcs_stores_are_read_whole() {
    let stores = WindowsStores::default();
    for location in stores.discover() {
        let reading = stores.read(&location);
        let facts = |certificate: &Certificate| certificate.facts.is_ok();
        assert!(reading.certificates.iter().all(facts), "{location}");
        println!("{location}: {} entries, {:?}", reading.entries.len(), reading.errors);
    }
}
