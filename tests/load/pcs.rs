//! What the sample fleet's PCs are and hold: mostly well, a few in each kind of trouble, so that every number on a page has
//! something behind it.

use anyhow::Result;
use inkan_model::Fingerprint;
use inkan_model::host::HostFacts;
use inkan_model::store::{KeyPresence, Location, Scope, SetEntry, StoreKind};
use inkan_tests::certificates::{SampleCa, subject};
use inkan_tests::simulated::Stores;
use time::Duration;

use crate::clinics::SampleClinic;

/// What is the matter with a PC's client certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Condition {
    /// Nothing: it has more than 90 days left.
    Well,
    /// It ends in so many days.
    Expiring(i64),
    /// It ended so many days ago.
    Expired(i64),
    /// Its private key is not there.
    KeyMissing,
    /// Its issuer's certificate is not there.
    ChainIncomplete,
    /// Its key has 1024 bits.
    Weak,
}

/// The PCs that are not well, by number; all others are.
const CONDITIONS: &[(u32, Condition)] = &[
    (3, Condition::Expiring(3)),
    (8, Condition::Expiring(12)),
    (14, Condition::Expired(2)),
    (19, Condition::Expiring(28)),
    (25, Condition::KeyMissing),
    (31, Condition::Expiring(55)),
    (38, Condition::Expiring(80)),
    (44, Condition::ChainIncomplete),
    (50, Condition::Expiring(12)),
    (57, Condition::Weak),
    (63, Condition::Expiring(28)),
    (70, Condition::Expiring(55)),
    (76, Condition::Expired(9)),
    (83, Condition::Expiring(80)),
    (89, Condition::Expiring(3)),
    (95, Condition::Expiring(28)),
    (101, Condition::KeyMissing),
    (107, Condition::Expiring(55)),
    (113, Condition::Expiring(80)),
];

/// The condition of the `number`th PC, counted from 0.
pub(crate) fn condition_of(number: u32) -> Condition {
    let found = CONDITIONS.iter().find(|(at, _)| *at == number % 120);
    found.map_or(Condition::Well, |(_, condition)| *condition)
}

/// What stands on every PC of the fleet, made once.
pub(crate) struct Shelf {
    common_ca: SampleCa,
    secure_ca: SampleCa,
    absent_ca: SampleCa,
    roots: Vec<Vec<u8>>,
}

impl Shelf {
    /// Makes the invented authorities.
    pub(crate) fn stock() -> Result<Self> {
        let mut roots = Vec::new();
        for number in 1..=24 {
            roots.push(SampleCa::create(&format!("Sample Public Root R{number} (見本)"))?.certificate().to_vec());
        }
        Ok(Self {
            common_ca: SampleCa::create("Sample Common CA G1 (見本)")?,
            secure_ca: SampleCa::create("Sample Medical Network CA (見本)")?,
            absent_ca: SampleCa::create("Sample Retired CA (見本)")?,
            roots,
        })
    }

    /// The stores of one PC.
    pub(crate) fn stores_of(&self, number: u32, clinic: &SampleClinic) -> Result<Stores> {
        let system = System::of(number);
        let mut stores = Stores::default();
        let trusted = [self.common_ca.certificate(), self.secure_ca.certificate()];
        let anchors: Vec<_> = self.roots.iter().map(Vec::as_slice).chain(trusted).map(<[u8]>::to_vec).collect();
        let entries = anchors.iter().map(|der| entry(der, KeyPresence::NotExpected, None)).collect();
        stores.put(system.trust(), entries, anchors);

        let own = self.own_certificates(number, clinic)?;
        let entries = own.iter().map(|(der, key, name)| entry(der, *key, Some(name.clone()))).collect();
        stores.put(system.own(), entries, own.into_iter().map(|(der, _, _)| der).collect());
        Ok(stores)
    }

    /// The client certificates of one PC: the one of its condition, and on every third PC a second one that is well.
    fn own_certificates(&self, number: u32, clinic: &SampleClinic) -> Result<Vec<(Vec<u8>, KeyPresence, String)>> {
        let prefecture = inkan_model::clinic::Prefecture::try_from(clinic.prefecture)?.romaji();
        let subject_der = subject([clinic.kind, prefecture], &clinic.code)?;
        let day = |days: i64| Duration::days(days) + Duration::hours(5);
        let issue = |ca: &SampleCa, left: i64| Ok::<_, anyhow::Error>(ca.issue(&subject_der, day(700), day(left))?.der);
        let years = 150 + i64::from(number % 9) * 97;
        let (der, key) = match condition_of(number) {
            Condition::Well => (issue(&self.common_ca, years)?, KeyPresence::Present),
            Condition::Expiring(days) => (issue(&self.common_ca, days)?, KeyPresence::Present),
            Condition::Expired(days) => (issue(&self.common_ca, -days)?, KeyPresence::Present),
            Condition::KeyMissing => (issue(&self.common_ca, years)?, KeyPresence::Absent),
            Condition::ChainIncomplete => (issue(&self.absent_ca, years)?, KeyPresence::Present),
            Condition::Weak => (self.common_ca.issue_weak(&clinic.code, day(years))?, KeyPresence::Present),
        };
        let mut own = vec![(der, key, format!("{} online billing (見本)", clinic.code))];
        if number % 3 == 1 {
            let second = subject(["network", prefecture], &format!("{}-{:02}", clinic.code, number % 3 + 1))?;
            let der = self.secure_ca.issue(&second, day(30), day(400 + i64::from(number)))?.der;
            own.push((der, KeyPresence::Present, "medical network (見本)".to_owned()));
        }
        Ok(own)
    }
}

fn entry(der: &[u8], key: KeyPresence, name: Option<String>) -> SetEntry {
    SetEntry::certificate(Fingerprint::of(der), key, name)
}

/// The operating system of a sample PC.
#[derive(Clone, Copy)]
enum System {
    Linux,
    Windows { name: &'static str, build: &'static str },
}

impl System {
    fn of(number: u32) -> Self {
        match number % 8 {
            6 => Self::Linux,
            2 | 5 => Self::Windows { name: "Windows 10 Pro (sample)", build: "22H2 19045" },
            _ => Self::Windows { name: "Windows 11 Pro (sample)", build: "24H2 26100" },
        }
    }

    fn trust(self) -> Location {
        match self {
            Self::Linux => machine(StoreKind::SystemTrust, "/etc/ssl/certs/ca-certificates.crt"),
            Self::Windows { .. } => machine(StoreKind::WindowsStore, "Root"),
        }
    }

    fn own(self) -> Location {
        match self {
            Self::Linux => machine(StoreKind::Directory, "/etc/clinic/certificates"),
            Self::Windows { .. } => Location {
                kind: StoreKind::WindowsStore,
                scope: Scope::User("uketsuke".to_owned()),
                path: "MY".to_owned(),
            },
        }
    }
}

fn machine(kind: StoreKind, path: &str) -> Location {
    Location { kind, scope: Scope::Machine, path: path.to_owned() }
}

/// What a sample PC says of itself.
pub(crate) fn facts_of(number: u32) -> HostFacts {
    let role = ["RECEPT", "ELIGIB", "OFFICE"][number as usize % 3];
    let (os, os_version, kernel) = match System::of(number) {
        System::Linux => ("Debian GNU/Linux 12 (sample)", "12", "6.1.0"),
        System::Windows { name, build } => (name, build, "10.0"),
    };
    HostFacts {
        host_name: format!("SAMPLE-{role}-{:03}", number + 1),
        os: os.to_owned(),
        os_version: os_version.to_owned(),
        kernel: kernel.to_owned(),
        architecture: "x86_64".to_owned(),
        agent_version: format!("{} (simulated)", env!("CARGO_PKG_VERSION")),
        model: Some("Sample PC".to_owned()),
        cores: 4,
        memory_mib: 8_192,
        users: vec!["kanri".to_owned(), "uketsuke".to_owned()],
        time_zone: Some("Asia/Tokyo".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_fleet_is_well_and_every_condition_is_there() {
        let conditions: Vec<_> = (0..120).map(condition_of).collect();
        let count = |wanted| conditions.iter().filter(|condition| **condition == wanted).count();
        assert!(count(Condition::Well) > 95);
        for wanted in [Condition::KeyMissing, Condition::ChainIncomplete, Condition::Weak] {
            assert!(count(wanted) > 0, "{wanted:?}");
        }
        let expired = conditions.iter().filter(|condition| matches!(condition, Condition::Expired(_))).count();
        assert_eq!(expired, 2);
    }
}
