//! Which provider is asked for a new key, and what its container is called. Pure; the words are in the module above.

use inkan_model::certificate::KeyAlgorithm;
use inkan_model::{Fingerprint, RenewalId};

use crate::windows::serialized::KeyLink;

/// CryptoAPI's provider of RSA keys that knows SHA-256 (`MS_ENH_RSA_AES_PROV`).
pub(super) const CAPI: &str = "Microsoft Enhanced RSA and AES Cryptographic Provider";
/// CNG's software provider (`MS_KEY_STORAGE_PROVIDER`).
pub(super) const SOFTWARE: &str = "Microsoft Software Key Storage Provider";
/// CNG's provider of keys in the TPM (`MS_PLATFORM_CRYPTO_PROVIDER`).
pub(super) const TPM: &str = "Microsoft Platform Crypto Provider";
/// `PROV_RSA_AES`.
const RSA_AES: u32 = 24;
/// `CRYPT_MACHINE_KEYSET`, the same bit as `NCRYPT_MACHINE_KEY_FLAG`.
const MACHINE: u32 = 0x20;
/// `AT_KEYEXCHANGE`.
const KEY_EXCHANGE: u32 = 1;

/// The kind of a new key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NewKey {
    P256,
    Rsa { bits: u32 },
}

/// Whose containers are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum KeyScope {
    Machine,
    User,
}

/// The kind of key that succeeds a certificate's, and the providers to ask for it, the best first. `None` where this
/// kind of key is not dealt with.
pub(super) fn successor(old: &KeyAlgorithm, kept: Option<&KeyLink>) -> Option<(NewKey, &'static [&'static str])> {
    match old {
        KeyAlgorithm::Ec { .. } => Some((NewKey::P256, &[TPM, SOFTWARE])),
        KeyAlgorithm::Rsa { bits } => {
            let bits = if *bits >= 3072 { 3072 } else { 2048 };
            let in_cng = kept.is_some_and(KeyLink::is_cng);
            Some((NewKey::Rsa { bits }, if in_cng { &[TPM, SOFTWARE, CAPI] } else { &[CAPI] }))
        }
        KeyAlgorithm::Ed25519 | KeyAlgorithm::Other { .. } => None,
    }
}

/// All providers that may hold a key of ours.
pub(super) const OURS: [&str; 3] = [CAPI, SOFTWARE, TPM];

/// Whether a provider keeps keys in the PC itself. Any other, such as a smart card's, may ask for a card or a PIN, so
/// it is neither opened nor are its keys deleted.
pub(super) fn keeps_keys_in_the_pc(provider: &str) -> bool {
    OURS.contains(&provider) || is_old_microsoft_rsa(provider)
}

/// Whether it is one of the names under which CryptoAPI shows the same software containers as under [`CAPI`].
pub(super) fn is_old_microsoft_rsa(provider: &str) -> bool {
    const NAMES: [&str; 6] = [
        "",
        "Microsoft Base Cryptographic Provider v1.0",
        "Microsoft Enhanced Cryptographic Provider v1.0",
        "Microsoft Enhanced RSA and AES Cryptographic Provider (Prototype)",
        "Microsoft RSA SChannel Cryptographic Provider",
        "Microsoft Strong Cryptographic Provider",
    ];
    NAMES.contains(&provider)
}

/// The link to a container in one of [`OURS`].
pub(super) fn link(provider: &str, scope: KeyScope, container: String) -> KeyLink {
    let flags = if scope == KeyScope::Machine { MACHINE } else { 0 };
    let (provider_type, key_spec) = if provider == CAPI { (RSA_AES, KEY_EXCHANGE) } else { (0, 0) };
    KeyLink { container, provider: provider.to_owned(), provider_type, flags, key_spec }
}

/// The container of a renewal's key. The old certificate is in it, so that a renewal never meets another's key.
pub(super) fn renewal_container(scope: KeyScope, renewal: RenewalId, old: Fingerprint) -> String {
    format!("inkan-{}-{renewal}-{}", word(scope), short(old))
}

/// The container of an imported certificate's key.
pub(super) fn import_container(scope: KeyScope, certificate: Fingerprint) -> String {
    format!("inkan-{}-{}", word(scope), short(certificate))
}

const fn word(scope: KeyScope) -> &'static str {
    match scope {
        KeyScope::Machine => "machine",
        KeyScope::User => "user",
    }
}

fn short(certificate: Fingerprint) -> String {
    data_encoding::HEXLOWER.encode(&certificate.as_bytes()[..16])
}

#[cfg(test)]
mod tests {
    use inkan_model::Timestamp;

    use super::*;

    const OLD: KeyAlgorithm = KeyAlgorithm::Rsa { bits: 2048 };

    #[test]
    fn the_successor_of_a_cryptoapi_key_is_one() {
        let kept = link(CAPI, KeyScope::Machine, "c".to_owned());
        assert_eq!(successor(&OLD, Some(&kept)), Some((NewKey::Rsa { bits: 2048 }, [CAPI].as_slice())));
        assert_eq!(successor(&OLD, None), Some((NewKey::Rsa { bits: 2048 }, [CAPI].as_slice())));
    }

    #[test]
    fn the_successor_of_a_cng_key_may_be_in_the_tpm() {
        let kept = link(SOFTWARE, KeyScope::User, "c".to_owned());
        let long = KeyAlgorithm::Rsa { bits: 4096 };
        assert_eq!(successor(&long, Some(&kept)), Some((NewKey::Rsa { bits: 3072 }, [TPM, SOFTWARE, CAPI].as_slice())));
        assert_eq!(successor(&KeyAlgorithm::Ec { bits: 256 }, None), Some((NewKey::P256, [TPM, SOFTWARE].as_slice())));
    }

    #[test]
    fn containers_differ_by_scope_renewal_and_certificate() {
        let renewal = |chance| RenewalId::new(Timestamp::from_unix_seconds(1_800_000_000), [chance; 10]);
        let (one, two) = (Fingerprint::of(b"1"), Fingerprint::of(b"2"));
        let names = [
            renewal_container(KeyScope::Machine, renewal(1), one),
            renewal_container(KeyScope::User, renewal(1), one),
            renewal_container(KeyScope::User, renewal(2), one),
            renewal_container(KeyScope::User, renewal(2), two),
            import_container(KeyScope::User, two),
        ];
        let different: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
        assert!(names.iter().all(|name| name.starts_with("inkan-") && name.len() < 120));
    }

    #[test]
    fn a_smart_card_is_not_in_the_pc() {
        assert!(keeps_keys_in_the_pc("Microsoft Strong Cryptographic Provider") && keeps_keys_in_the_pc(TPM));
        assert!(!keeps_keys_in_the_pc("Microsoft Base Smart Card Crypto Provider"));
        assert!(!keeps_keys_in_the_pc("HPKI Crypto Service Provider"));
    }
}
