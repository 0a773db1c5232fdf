//! What both of Windows' interfaces to keys can do, and a key in one of them.
//!
//! A key is told by its [`KeyLink`] alone and opened anew for each use: some systems write a key to disk only when it
//! is let go of, and a handle is not for several threads.

use std::io;

use super::capi::Capi;
use super::cng::Cng;
use super::policy::NewKey;
use crate::p256::crypto;
use crate::pkcs12::key::KeyMaterial;
use crate::windows::serialized::KeyLink;
use crate::{ChangeError, PrivateKey, SignatureScheme};

/// One of Windows' interfaces to keys.
pub(super) trait KeyProvider: Send + Sync {
    /// What is known of a key; `None` where there is none.
    fn find(&self, link: &KeyLink) -> io::Result<Option<KeyFacts>>;

    /// Makes a key that cannot be exported, and opens it again by its link.
    fn generate(&self, link: &KeyLink, key: NewKey) -> io::Result<()>;

    /// Takes in a key so that it cannot be exported again; `spki` is its public half.
    fn import(&self, link: &KeyLink, material: &KeyMaterial<'_>, spki: &[u8]) -> io::Result<()>;

    /// Signs a message, not its digest; an ECDSA signature comes as DER.
    fn sign(&self, link: &KeyLink, scheme: SignatureScheme, message: &[u8]) -> io::Result<Vec<u8>>;

    /// Who may use the key, as Windows writes it down (a security descriptor); `None` where the provider does not say.
    fn access(&self, link: &KeyLink) -> io::Result<Option<Vec<u8>>>;

    /// Lets those use the key who may by a security descriptor.
    fn set_access(&self, link: &KeyLink, access: &[u8]) -> io::Result<()>;

    /// Deletes the key and its container; says whether there was one.
    fn delete(&self, link: &KeyLink) -> io::Result<bool>;
}

/// What is known of a key without using it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct KeyFacts {
    /// SubjectPublicKeyInfo, DER.
    pub(super) spki: Vec<u8>,
    pub(super) schemes: Vec<SignatureScheme>,
    /// Whether Windows would give it out; `None` where the provider does not say.
    pub(super) exportable: Option<bool>,
}

/// The interface that a link belongs to.
pub(super) fn provider_of(link: &KeyLink) -> &'static dyn KeyProvider {
    if link.is_cng() { &Cng } else { &Capi }
}

/// A private key that stays where it is.
pub(super) struct StoredKey {
    link: KeyLink,
    facts: KeyFacts,
}

impl StoredKey {
    /// The key at a link; `None` where there is none.
    pub(super) fn find(link: &KeyLink) -> io::Result<Option<Self>> {
        let facts = provider_of(link).find(link)?;
        Ok(facts.map(|facts| Self { link: link.clone(), facts }))
    }

    pub(super) const fn link(&self) -> &KeyLink {
        &self.link
    }

    pub(super) const fn exportable(&self) -> Option<bool> {
        self.facts.exportable
    }

    /// Lets the key sign once, and checks that signature with a certificate's key.
    pub(super) fn prove(&self, spki: &[u8]) -> Result<(), ChangeError> {
        if self.facts.spki != spki {
            return Err(crypto("the private key is not the certificate's"));
        }
        let scheme = *self.facts.schemes.first().ok_or_else(|| crypto("the private key has no way to sign"))?;
        let signature = self.sign(scheme, PROOF)?;
        if verifies(spki, scheme, PROOF, &signature) {
            Ok(())
        } else {
            Err(crypto("the private key's signature does not fit the certificate"))
        }
    }
}

/// What a key signs to show that it works. It means nothing anywhere.
const PROOF: &[u8] = b"inkan: a key that was put into a store signs this once to show that it works\0";

impl PrivateKey for StoredKey {
    fn public_key(&self) -> Vec<u8> {
        self.facts.spki.clone()
    }

    fn schemes(&self) -> &[SignatureScheme] {
        &self.facts.schemes
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, ChangeError> {
        if !self.facts.schemes.contains(&scheme) {
            return Err(crypto(format!("the key in {} does not sign with {scheme:?}", self.link.provider)));
        }
        let step = || format!("sign with the key in {}", self.link.provider);
        provider_of(&self.link)
            .sign(&self.link, scheme, message)
            .map_err(|cause| ChangeError::Io { step: step(), cause })
    }
}

/// Whether a signature fits a public key, as ring sees it.
pub(super) fn verifies(spki: &[u8], scheme: SignatureScheme, message: &[u8], signature: &[u8]) -> bool {
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PSS_2048_8192_SHA256,
        UnparsedPublicKey, VerificationAlgorithm,
    };
    use x509_parser::prelude::FromDer;
    let Ok((_, spki)) = x509_parser::x509::SubjectPublicKeyInfo::from_der(spki) else { return false };
    let algorithm: &dyn VerificationAlgorithm = match scheme {
        SignatureScheme::EcdsaP256Sha256 => &ECDSA_P256_SHA256_ASN1,
        SignatureScheme::RsaPkcs1Sha256 => &RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        SignatureScheme::RsaPssSha256 => &RSA_PSS_2048_8192_SHA256,
    };
    UnparsedPublicKey::new(algorithm, &spki.subject_public_key.data).verify(message, signature).is_ok()
}
