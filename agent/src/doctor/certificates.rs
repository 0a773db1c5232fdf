//! Checks of the certificates that programs on this PC present: are they there, whole, and valid for long enough.

use inkan_model::certificate::CertificateFacts;
use inkan_model::chain::find_chain;
use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::finding::{Detail, Diagnosis, EXPIRY_STAGES, Subject, Urgency};
use inkan_model::locale::Bilingual;
use inkan_model::programme::Programme;
use inkan_model::store::{KeyPresence, Location, SetEntry};
use inkan_model::{Fingerprint, Timestamp};

use crate::scanner::Scan;

/// A certificate with its own key or purpose, at one Location.
pub(super) struct Client<'s> {
    pub(super) certificate: Fingerprint,
    pub(super) facts: &'s CertificateFacts,
    pub(super) key: KeyPresence,
    pub(super) location: &'s Location,
}

pub(super) fn checks(
    scan: &Scan,
    programme: Option<&Programme>,
    clients: &[Client<'_>],
    now: Timestamp,
) -> Vec<CheckResult> {
    let mut results = vec![match programme.filter(|programme| programme.recognise.is_some()) {
        Some(programme) => programme_presence(programme, clients),
        None => presence(clients),
    }];
    if clients.is_empty() {
        return results;
    }
    results.extend(or_well(keys(clients, now), Check::PrivateKeys, || {
        ("秘密鍵はすべてあります。".to_owned(), "Every private key is there.".to_owned())
    }));
    results.extend(or_well(chains(scan, clients, now), Check::Chains, || {
        ("発行者の証明書はすべてあります。".to_owned(), "Every issuer’s certificate is there.".to_owned())
    }));
    results.extend(or_well(expiries(clients, now), Check::Expiry, || {
        let days = clients.iter().map(|client| client.facts.not_after.days_from(now)).min().unwrap_or_default();
        (format!("期限まであと{days}日以上あります。"), format!("Nothing expires within {days} days."))
    }));
    results
}

/// The certificates that programs on this PC present: the programme's alone, where its own can be told.
pub(super) fn clients_of<'s>(scan: &'s Scan, programme: Option<&Programme>) -> Vec<Client<'s>> {
    let rules = programme.and_then(|programme| programme.recognise.as_ref());
    let mut clients = Vec::new();
    for snapshot in &scan.snapshots {
        for entry in snapshot.set.entries() {
            let SetEntry::Certificate { certificate, key, .. } = entry else { continue };
            let held = scan.certificates.get(certificate).and_then(|held| held.facts.as_ref().ok());
            let is_one = |facts: &&CertificateFacts| {
                *key != KeyPresence::NotExpected && rules.is_none_or(|rules| rules.matches(facts))
            };
            if let Some(facts) = held.filter(is_one) {
                clients.push(Client { certificate: *certificate, facts, key: *key, location: &snapshot.location });
            }
        }
    }
    clients
}

fn or_well(found: Vec<CheckResult>, name: Check, words: impl FnOnce() -> (String, String)) -> Vec<CheckResult> {
    if found.is_empty() {
        let (ja, en) = words();
        vec![CheckResult::well(name, ja, en)]
    } else {
        found
    }
}

fn presence(clients: &[Client<'_>]) -> CheckResult {
    let name = Check::ClientCertificates;
    match clients.len() {
        0 => CheckResult::unwell(
            name,
            CheckStatus::Unknown,
            Bilingual::new("クライアント証明書が見つかりません。", "No client certificate was found."),
            Bilingual::new(
                "証明書を入れるか、あるフォルダを設定の directories に書いてください。",
                "Install one, or name its folder under `directories` in the settings.",
            ),
        ),
        count => CheckResult::well(
            name,
            format!("クライアント証明書が{count}枚あります。"),
            format!("Client certificates: {count}."),
        ),
    }
}

fn programme_presence(programme: &Programme, clients: &[Client<'_>]) -> CheckResult {
    let name = Check::ProgrammeCertificate;
    let Bilingual { ja, en } = &programme.names;
    match clients.first() {
        Some(client) => CheckResult::well(
            name,
            format!("{ja} の証明書 {} があります。", client.facts.common_name),
            format!("There is a certificate for {en}: {}.", client.facts.common_name),
        ),
        None => CheckResult::unwell(
            name,
            CheckStatus::Now,
            Bilingual::new(format!("{ja} の証明書が見つかりません。"), format!("No certificate for {en} was found.")),
            Bilingual::new(
                "正しい利用者でサインインしているか確かめ、なければバックアップから入れるか発行を申し込んでください。",
                "Check that the right user is signed in; if it is not there then, import the backup or apply for a new one.",
            ),
        ),
    }
}

fn keys(clients: &[Client<'_>], now: Timestamp) -> Vec<CheckResult> {
    let result = |client: &Client<'_>| match client.key {
        KeyPresence::Absent => Some(client.diagnosed(Check::PrivateKeys, &client.key_missing(), now)),
        KeyPresence::Unknown | KeyPresence::Unrecognized(_) => Some(CheckResult::unwell(
            Check::PrivateKeys,
            CheckStatus::Unknown,
            Bilingual::new(
                format!("{} の秘密鍵を確かめられません。", client.facts.common_name),
                format!("It cannot be told whether the private key of {} is there.", client.facts.common_name),
            ),
            Bilingual::new("鍵のファイルの権限を確かめてください。", "Look at the permissions of the key’s file."),
        )),
        KeyPresence::Present | KeyPresence::NotExpected => None,
    };
    clients.iter().filter_map(result).collect()
}

fn chains(scan: &Scan, clients: &[Client<'_>], now: Timestamp) -> Vec<CheckResult> {
    let candidates: Vec<_> = scan.certificates.values().filter_map(|held| held.facts.as_ref().ok()).collect();
    let result = |client: &Client<'_>| {
        let chain = find_chain(client.facts, &candidates, |facts| facts);
        let last = chain.links.last().map_or(client.facts, |facts| facts);
        (!chain.complete).then(|| client.diagnosed(Check::Chains, &client.chain_incomplete(last), now))
    };
    clients.iter().filter_map(result).collect()
}

fn expiries(clients: &[Client<'_>], now: Timestamp) -> Vec<CheckResult> {
    let result = |client: &Client<'_>| {
        let diagnosis = client.expiry(now)?;
        Some(client.diagnosed(Check::Expiry, &diagnosis, now))
    };
    clients.iter().filter_map(result).collect()
}

impl Client<'_> {
    fn key_missing(&self) -> Diagnosis {
        Diagnosis {
            subject: Subject::KeyMissing { certificate: self.certificate, location: self.location.clone() },
            urgency: Urgency::Soon,
            detail: Detail::Certificate { name: self.facts.common_name.clone() },
        }
    }

    fn chain_incomplete(&self, last: &CertificateFacts) -> Diagnosis {
        Diagnosis {
            subject: Subject::ChainIncomplete { certificate: self.certificate, location: self.location.clone() },
            urgency: Urgency::Soon,
            detail: Detail::MissingIssuer {
                name: self.facts.common_name.clone(),
                issuer: last.issuer_common_name.clone(),
            },
        }
    }

    /// The stage of expiry that the certificate has reached; `None` while it is far off.
    fn expiry(&self, now: Timestamp) -> Option<Diagnosis> {
        let days = self.facts.not_after.days_from(now);
        let (certificate, location) = (self.certificate, self.location.clone());
        let expired = self.facts.not_after <= now;
        let stage =
            if expired { 0 } else { EXPIRY_STAGES.into_iter().filter(|stage| days < i64::from(*stage)).min()? };
        let (subject, urgency) = match stage {
            0 => (Subject::CertificateExpired { certificate, location }, Urgency::Now),
            1..=7 => (Subject::CertificateExpiring { certificate, location }, Urgency::Now),
            8..=30 => (Subject::CertificateExpiring { certificate, location }, Urgency::Soon),
            _ => (Subject::CertificateExpiring { certificate, location }, Urgency::Watch),
        };
        let name = self.facts.common_name.clone();
        let detail = Detail::Expiry { name, not_after: self.facts.not_after, stage };
        Some(Diagnosis { subject, urgency, detail })
    }

    /// A diagnosis in the words that the server uses for it.
    fn diagnosed(&self, name: Check, diagnosis: &Diagnosis, now: Timestamp) -> CheckResult {
        let (status, remedy) = match diagnosis.urgency {
            Urgency::Now => (CheckStatus::Now, Some(diagnosis.remedy())),
            Urgency::Soon => (CheckStatus::Soon, Some(diagnosis.remedy())),
            Urgency::Watch => (CheckStatus::Well, None),
        };
        let Bilingual { ja, en } = diagnosis.statement(now);
        let statement = Bilingual::new(format!("{ja} ({})", self.location), format!("{en} ({})", self.location));
        CheckResult { name, status, statement, remedy }
    }
}
