//! Whether the issuers that a programme needs are in this PC's stores, and where they belong.
//!
//! Windows keeps roots and intermediates apart, and a certificate in the wrong one does harm: a root among the
//! intermediates is not trusted, and an intermediate among the roots makes Windows stop there. Other systems have one
//! place for roots and none for intermediates.

use inkan_model::certificate::CertificateFacts;
use inkan_model::chain::find_chain;
use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::locale::Bilingual;
use inkan_model::programme::{AnchorPlace, Programme, WantedAnchor};
use inkan_model::properties::TrustLevel;
use inkan_model::store::{Location, SetEntry, StoreKind};
use inkan_model::{Certificate, EntryProperties, Fingerprint};

use super::certificates::Client;
use crate::scanner::Scan;

/// What a place means for an issuer's certificate.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Root,
    Intermediate,
    Distrusted,
    /// A place that says nothing about issuers, such as a folder.
    None,
}

/// A certificate at one place.
struct Held<'s> {
    certificate: &'s Certificate,
    role: Role,
    location: &'s Location,
    properties: &'s EntryProperties,
}

fn role_of(location: &Location, entry: &SetEntry) -> Role {
    // A physical store behind a logical one is named after it, as in `Root\.GroupPolicy`.
    let windows_store = location.path.split('\\').next().unwrap_or_default().to_ascii_lowercase();
    match location.kind {
        StoreKind::SystemTrust | StoreKind::LocalAnchors => Role::Root,
        StoreKind::WindowsStore => match windows_store.as_str() {
            "root" | "authroot" => Role::Root,
            "ca" => Role::Intermediate,
            "disallowed" => Role::Distrusted,
            _ => Role::None,
        },
        StoreKind::Nss => match entry {
            SetEntry::Certificate { properties, .. } => match properties.trust.map(|trust| trust.server) {
                Some(TrustLevel::Anchor) => Role::Root,
                Some(TrustLevel::Distrusted) => Role::Distrusted,
                _ => Role::Intermediate,
            },
            SetEntry::Unreadable { .. } => Role::None,
        },
        StoreKind::Directory
        | StoreKind::UserDirectory
        | StoreKind::Java
        | StoreKind::Keychain
        | StoreKind::Unrecognized(_) => Role::None,
    }
}

fn all_held(scan: &Scan) -> Vec<Held<'_>> {
    let mut held = Vec::new();
    for snapshot in &scan.snapshots {
        for entry in snapshot.set.entries() {
            let SetEntry::Certificate { certificate, properties, .. } = entry else { continue };
            if let Some(certificate) = scan.certificates.get(certificate) {
                let (location, role) = (&snapshot.location, role_of(&snapshot.location, entry));
                held.push(Held { certificate, role, location, properties });
            }
        }
    }
    held
}

/// A certificate that this PC takes for a root, as one of its stores limits it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TrustedRoot {
    pub(super) der: Vec<u8>,
    pub(super) limits: EntryProperties,
}

/// The certificates that this PC takes for roots: what a probe of a site may trust.
pub(super) fn trusted_roots(scan: &Scan) -> Vec<TrustedRoot> {
    let held = all_held(scan);
    // A browser's own store counts for that browser alone.
    let counts = |held: &&Held<'_>| held.role == Role::Root && held.location.kind != StoreKind::Nss;
    let distrusted: Vec<_> =
        held.iter().filter(|held| held.role == Role::Distrusted).map(|held| held.certificate.fingerprint).collect();
    let mut roots: Vec<_> = held.iter().filter(counts).map(|held| (held.certificate, held.properties)).collect();
    roots.sort_unstable_by_key(|(certificate, limits)| (certificate.fingerprint, *limits));
    roots.dedup_by_key(|(certificate, limits)| (certificate.fingerprint, *limits));
    roots.retain(|(certificate, _)| !distrusted.contains(&certificate.fingerprint));
    roots
        .into_iter()
        .map(|(certificate, limits)| TrustedRoot { der: certificate.der.clone(), limits: limits.clone() })
        .collect()
}

/// Looks for the anchors that the programme wants, and for issuers of these certificates that are in the wrong place.
pub(super) fn checks(scan: &Scan, programme: Option<&Programme>, clients: &[Client<'_>]) -> Vec<CheckResult> {
    let held = all_held(scan);
    let wanted = programme.map(|programme| programme.anchors.as_slice()).unwrap_or_default();
    let mut results: Vec<_> = wanted.iter().filter_map(|anchor| look_for(anchor, &held)).collect();
    for (facts, fingerprint) in issuers(scan, clients) {
        let is_wanted = wanted.iter().any(|anchor| anchor.is(fingerprint, facts));
        if !is_wanted {
            results.extend(misplaced(facts, fingerprint, &held));
        }
    }
    if results.is_empty() && (!wanted.is_empty() || !clients.is_empty()) {
        let ja = "ルート証明書と中間証明書は、あるべき場所にあります。";
        results.push(CheckResult::well(Check::Anchors, ja, "Roots and intermediates are where they belong."));
    }
    results
}

/// The authorities above the PC's client certificates, each once.
fn issuers<'s>(scan: &'s Scan, clients: &[Client<'_>]) -> Vec<(&'s CertificateFacts, Fingerprint)> {
    let candidates: Vec<_> = scan
        .certificates
        .values()
        .filter_map(|held| held.facts.as_ref().ok().map(|facts| (facts, held.fingerprint)))
        .collect();
    let mut found: Vec<(&CertificateFacts, Fingerprint)> = Vec::new();
    for client in clients {
        let chain = find_chain(client.facts, &candidates, |(facts, _)| facts);
        found.extend(chain.links.into_iter().filter(|(facts, _)| facts.is_ca));
    }
    found.sort_unstable_by_key(|(_, fingerprint)| *fingerprint);
    found.dedup_by_key(|(_, fingerprint)| *fingerprint);
    found
}

fn look_for(wanted: &WantedAnchor, held: &[Held<'_>]) -> Option<CheckResult> {
    let is = |held: &&Held<'_>| {
        let facts = held.certificate.facts.as_ref();
        facts.is_ok_and(|facts| wanted.is(held.certificate.fingerprint, facts))
    };
    let found: Vec<_> = held.iter().filter(is).collect();
    let name = wanted.common_name.as_str();
    if let Some(distrusted) = found.iter().find(|held| held.role == Role::Distrusted) {
        return Some(told(
            CheckStatus::Now,
            (
                format!("{name} は信頼されないものとして登録されています ({})。", distrusted.location),
                format!("{name} is registered as distrusted ({}).", distrusted.location),
            ),
            (
                "「信頼されない証明書」から削除してよいか、管理者に確かめてください。",
                "Ask whoever manages this PC whether it may be taken out of the distrusted certificates.",
            ),
        ));
    }
    let right = match wanted.store {
        AnchorPlace::Root => Role::Root,
        AnchorPlace::Intermediate => Role::Intermediate,
    };
    if found.iter().any(|held| held.role == right) {
        return None;
    }
    let knows_intermediates = held.iter().any(|held| held.location.kind == StoreKind::WindowsStore);
    if wanted.store == AnchorPlace::Intermediate && !knows_intermediates && !found.is_empty() {
        return None;
    }
    let (ja, en) = place_name(wanted.store);
    if let Some(misplaced) = found.iter().find(|held| matches!(held.role, Role::Root | Role::Intermediate)) {
        return Some(told(
            CheckStatus::Now,
            (
                format!("{name} が「{ja}」ではなく {} にあります。", misplaced.location),
                format!("{name} is in {} and not among the {en}.", misplaced.location),
            ),
            (format!("{name} を「{ja}」に入れ直してください。"), format!("Install {name} among the {en}.")),
        ));
    }
    let status = if wanted.store == AnchorPlace::Root { CheckStatus::Now } else { CheckStatus::Soon };
    Some(told(
        status,
        (format!("{name} が「{ja}」にありません。"), format!("{name} is not among the {en}.")),
        (
            format!("システムの案内にあるサイトから {name} を取得し、「{ja}」に入れてください。"),
            format!("Get {name} from the site that the system’s guide names, and install it among the {en}."),
        ),
    ))
}

/// An issuer that Windows has in the wrong one of its two stores, and not in the right one.
fn misplaced(facts: &CertificateFacts, fingerprint: Fingerprint, held: &[Held<'_>]) -> Option<CheckResult> {
    let places = || {
        held.iter()
            .filter(|held| held.certificate.fingerprint == fingerprint && held.location.kind == StoreKind::WindowsStore)
    };
    let name = &facts.common_name;
    let (wrong, right) =
        if facts.is_self_issued() { (Role::Intermediate, Role::Root) } else { (Role::Root, Role::Intermediate) };
    let found = places().find(|held| held.role == wrong)?;
    if right == Role::Root && places().any(|held| held.role == right) {
        return None;
    }
    let (ja, en) = place_name(if right == Role::Root { AnchorPlace::Root } else { AnchorPlace::Intermediate });
    Some(told(
        CheckStatus::Soon,
        (
            format!("{name} が {} にありますが、あるべき場所は「{ja}」です。", found.location),
            format!("{name} is in {}, and belongs among the {en}.", found.location),
        ),
        (format!("{name} を「{ja}」へ移してください。"), format!("Move {name} to the {en}.")),
    ))
}

const fn place_name(place: AnchorPlace) -> (&'static str, &'static str) {
    match place {
        AnchorPlace::Root => ("信頼されたルート証明機関", "trusted roots"),
        AnchorPlace::Intermediate => ("中間証明機関", "intermediates"),
    }
}

fn told<J: Into<String>, E: Into<String>>(
    status: CheckStatus,
    (ja, en): (String, String),
    (remedy_ja, remedy_en): (J, E),
) -> CheckResult {
    CheckResult::unwell(Check::Anchors, status, Bilingual::new(ja, en), Bilingual::new(remedy_ja, remedy_en))
}

#[cfg(test)]
mod tests;
