//! Whether the keys of client certificates can really be used: each signs something, and the signature is verified.

use std::sync::Arc;

use inkan_issuance::proof::verify_signature;
use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::locale::Bilingual;
use inkan_model::store::Location;
use inkan_model::{Certificate, Fingerprint};
use inkan_trust_store::{ChangeError, PrivateKey, SignatureScheme, StoreBackend};

use super::certificates::Client;
use crate::causes::with_causes;

/// Stands before what is signed, so that the signature can mean nothing else.
pub(crate) const LABEL: &[u8] = b"inkan check of a key v1\0";

/// What came of letting the key of a certificate sign.
pub enum Signing {
    /// The signature fits the certificate.
    Signs(Arc<dyn PrivateKey>),
    /// It does not sign, or not for this certificate.
    Fails(String),
    /// Only its user can have it sign.
    NeedsUser(String),
    /// Its kind of store has no way to it.
    NotReachable,
}

/// A certificate whose key was tried.
pub struct Tried {
    /// The certificate.
    pub certificate: Certificate,
    /// Where it stands.
    pub location: Location,
    /// What came of it.
    pub signing: Signing,
}

/// Lets the key of a certificate sign.
pub(super) fn attempt(
    backends: &[Arc<dyn StoreBackend>],
    location: &Location,
    certificate: Fingerprint,
    public_key: Result<Vec<u8>, String>,
) -> Signing {
    let mut holders = backends.iter().filter(|backend| backend.discover().contains(location));
    let key = holders.find_map(|backend| backend.existing_key(location, certificate));
    let key: Arc<dyn PrivateKey> = match key {
        None => return Signing::NotReachable,
        Some(Err(error @ ChangeError::NeedsUser { .. })) => return Signing::NeedsUser(with_causes(&error)),
        Some(Err(error)) => return Signing::Fails(with_causes(&error)),
        Some(Ok(key)) => Arc::from(key),
    };
    let message = [LABEL, certificate.as_bytes()].concat();
    // What verifies takes PKCS#1 of RSA; a key that can sign with PSS alone is not one of those that inkan meets.
    let Some(scheme) = key.schemes().iter().copied().find(|scheme| *scheme != SignatureScheme::RsaPssSha256) else {
        return Signing::Fails("the key signs in no way that can be verified".to_owned());
    };
    let signature = match key.sign(scheme, &message) {
        Ok(signature) => signature,
        Err(error @ ChangeError::NeedsUser { .. }) => return Signing::NeedsUser(with_causes(&error)),
        Err(error) => return Signing::Fails(with_causes(&error)),
    };
    match public_key.and_then(|key| verify_signature(&key, &message, &signature).map_err(|error| with_causes(&error))) {
        Ok(()) => Signing::Signs(key),
        Err(why) => Signing::Fails(why),
    }
}

/// What came of it, for certificates that have a key at all.
pub(super) fn checks(clients: &[Client<'_>], tried: &[Tried]) -> Vec<CheckResult> {
    let name = Check::KeyUsable;
    let mut results: Vec<_> = tried.iter().filter_map(result).collect();
    if results.is_empty() && !clients.is_empty() && !tried.is_empty() {
        results.push(CheckResult::well(name, "秘密鍵で署名できます。", "The private keys sign."));
    }
    results
}

fn result(tried: &Tried) -> Option<CheckResult> {
    let Tried { certificate, location, signing } = tried;
    let short = certificate.fingerprint.short();
    let who = certificate.facts.as_ref().map_or(short.as_str(), |facts| facts.common_name.as_str());
    let name = Check::KeyUsable;
    match signing {
        Signing::Signs(_) => None,
        Signing::NotReachable => Some(CheckResult::unknown(
            name,
            format!("{who} の秘密鍵 ({location}) は、エージェントからは試せません。"),
            format!("The agent has no way to try the private key of {who} ({location})."),
        )),
        Signing::NeedsUser(why) => Some(CheckResult::unknown(
            name,
            format!("{who} の秘密鍵は、その利用者がサインインしているときだけ試せます ({why})。"),
            format!("The private key of {who} can be tried only while its user is signed in ({why})."),
        )),
        Signing::Fails(why) => Some(CheckResult::unwell(
            name,
            CheckStatus::Now,
            Bilingual::new(
                format!("{who} の秘密鍵 ({location}) で署名できません ({why})。"),
                format!("The private key of {who} ({location}) does not sign ({why})."),
            ),
            Bilingual::new(
                "バックアップの PKCS#12 から入れ直すか、再発行してください。",
                "Import it again from the PKCS#12 backup, or have it issued anew.",
            ),
        )),
    }
}
