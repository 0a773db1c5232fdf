use std::fs;

use inkan_issuance::identity_ca::AgentCa;
use inkan_issuance::request::Request;
use inkan_model::identity::AgentIdentity;
use inkan_model::{HostId, Timestamp, VendorId};
use time::Duration;

use super::*;
use crate::disk::fake::EndAfter;
use crate::identity::identity_request;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_132_800);

fn machine() -> MachineBinding {
    MachineBinding::of("this machine")
}

fn authority() -> AgentCa {
    AgentCa::create(&"fleet.example".parse().unwrap(), [1; 16], NOW, Duration::days(3_650)).unwrap()
}

fn chain(authority: &AgentCa, host: u8, key: &dyn DeviceKey, serial: u8) -> Vec<Vec<u8>> {
    let agent = AgentIdentity {
        deployment: "fleet.example".parse().unwrap(),
        vendor: VendorId::new(NOW, [1; 10]),
        host: HostId::new(NOW, [host; 10]),
    };
    let csr = identity_request(key).unwrap();
    let spki = Request::parse(&csr).unwrap().spki_der().to_vec();
    let leaf = authority.issue_agent(&agent, &spki, [serial; 16], NOW, NOW.plus(Duration::days(30))).unwrap();
    vec![leaf, authority.certificate().to_vec()]
}

fn new_identity(authority: &AgentCa, chain: Vec<Vec<u8>>) -> NewIdentity {
    NewIdentity {
        chain,
        pin: authority.pin(),
        server_url: "https://inkan.example:443".to_owned(),
        enrolment_url: "https://inkan.example:8444".to_owned(),
        machine: machine(),
    }
}

fn enrolled(folder: &IdentityFolder, authority: &AgentCa, host: u8) -> Identity {
    let key = folder.begin().unwrap();
    folder.commit(&new_identity(authority, chain(authority, host, &*key, host))).unwrap()
}

fn folder_at(path: &Path) -> IdentityFolder {
    IdentityFolder::new(Disk::default(), path)
}

#[test]
fn an_identity_reads_back_as_it_was_enrolled() {
    let place = tempfile::tempdir().unwrap();
    let authority = authority();
    let made = enrolled(&folder_at(place.path()), &authority, 1);
    let read = folder_at(place.path()).open(machine()).unwrap();
    assert_eq!((&read.agent, &read.chain, read.generation), (&made.agent, &made.chain, 1));
    assert_eq!(read.anchors, [authority.certificate().to_vec()]);
    assert_eq!(read.key.public_key(), made.key.public_key());
    assert_eq!(read.not_after, NOW.plus(Duration::days(30)));
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_the_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = tempfile::tempdir().unwrap();
    enrolled(&folder_at(place.path()), &authority(), 1);
    let mode = |path: &str| fs::metadata(place.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("identity"), mode("identity/key.pem"), mode("identity/identity.json")), (0o700, 0o600, 0o600));
}

#[test]
fn a_copy_on_another_machine_is_refused() {
    let place = tempfile::tempdir().unwrap();
    enrolled(&folder_at(place.path()), &authority(), 1);
    let refused = folder_at(place.path()).open(MachineBinding::of("another machine")).unwrap_err();
    assert!(matches!(refused, IdentityError::OtherMachine));
    assert!(refused.to_string().contains("inkan-agent enroll --replace"));
}

#[test]
fn an_enrolment_that_was_cut_off_goes_on_with_the_same_key() {
    let place = tempfile::tempdir().unwrap();
    let first = folder_at(place.path()).begin().unwrap().public_key();
    assert!(matches!(folder_at(place.path()).open(machine()), Err(IdentityError::NotEnrolled)));
    assert_eq!(folder_at(place.path()).begin().unwrap().public_key(), first);
}

#[test]
fn an_answer_of_another_authority_or_for_another_key_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let (folder, authority, rogue) = (folder_at(place.path()), authority(), authority());
    let key = folder.begin().unwrap();
    let other = FileKey::from(inkan_issuance::key::SoftwareKey::generate().unwrap());
    let by_rogue = NewIdentity { pin: authority.pin(), ..new_identity(&rogue, chain(&rogue, 1, &*key, 1)) };
    assert!(matches!(folder.commit(&by_rogue), Err(IdentityError::Authority { .. })));
    let mut smuggled = by_rogue;
    smuggled.chain.push(authority.certificate().to_vec());
    assert!(matches!(folder.commit(&smuggled), Err(IdentityError::Chain(_))));
    let for_other = new_identity(&authority, chain(&authority, 1, &other, 1));
    assert!(matches!(folder.commit(&for_other), Err(IdentityError::KeyMismatch)));
    assert!(folder.find().unwrap().is_none());
}

#[test]
fn a_replacement_that_is_cut_off_anywhere_leaves_the_old_identity_or_the_new() {
    for changes in 0.. {
        let place = tempfile::tempdir().unwrap();
        let authority = authority();
        let old = enrolled(&folder_at(place.path()), &authority, 1);
        let key = folder_at(place.path()).begin().unwrap();
        let new = new_identity(&authority, chain(&authority, 2, &*key, 2));
        let gate = Arc::new(EndAfter::changes(changes));
        let committed = IdentityFolder::new(Disk::behind(gate), place.path()).commit(&new);
        let left = folder_at(place.path()).open(machine()).unwrap();
        assert!(left.agent.host == old.agent.host || left.agent.host == HostId::new(NOW, [2; 10]));
        if committed.is_ok() {
            assert_eq!(left.agent.host, HostId::new(NOW, [2; 10]));
            assert!(!place.path().join("identity.before").exists() && !place.path().join("identity.next").exists());
            break;
        }
    }
}

#[test]
fn a_renewal_that_is_cut_off_anywhere_leaves_an_identity_that_works() {
    for changes in 0.. {
        let place = tempfile::tempdir().unwrap();
        let authority = authority();
        let identity = enrolled(&folder_at(place.path()), &authority, 1);
        let gate = Arc::new(EndAfter::changes(changes));
        let next = chain(&authority, 1, &*identity.key, 9);
        let renewed = IdentityFolder::new(Disk::behind(gate), place.path()).renew(&identity, next, None);
        let left = folder_at(place.path()).open(machine()).unwrap();
        assert!(left.generation == 1 || left.generation == 2);
        if renewed.is_ok() {
            assert_eq!((left.generation, left.key.public_key()), (2, identity.key.public_key()));
            break;
        }
    }
}

#[test]
fn a_certificate_of_another_host_is_refused_at_a_renewal() {
    let place = tempfile::tempdir().unwrap();
    let authority = authority();
    let identity = enrolled(&folder_at(place.path()), &authority, 1);
    let other = chain(&authority, 2, &*identity.key, 9);
    assert!(matches!(folder_at(place.path()).renew(&identity, other, None), Err(IdentityError::OtherHost)));
}

#[test]
fn a_new_authority_is_trusted_beside_the_one_that_vouched_for_it() {
    let place = tempfile::tempdir().unwrap();
    let (authority, next) = (authority(), authority());
    let identity = enrolled(&folder_at(place.path()), &authority, 1);
    let mut chain = chain(&authority, 1, &*identity.key, 9);
    chain.push(next.certificate().to_vec());
    let renewed = folder_at(place.path()).renew(&identity, chain, None).unwrap();
    assert_eq!(renewed.anchors, [authority.certificate().to_vec(), next.certificate().to_vec()]);
}

#[test]
fn a_damaged_file_is_told_with_what_to_do() {
    let place = tempfile::tempdir().unwrap();
    enrolled(&folder_at(place.path()), &authority(), 1);
    fs::write(place.path().join("identity/identity.json"), b"{").unwrap();
    let refused = folder_at(place.path()).open(machine()).unwrap_err();
    assert!(matches!(refused, IdentityError::Malformed { .. }));
    assert!(refused.to_string().contains("enroll --replace"));
}
