//! Keys through CNG: elliptic curves, RSA-PSS, and the TPM.
//!
//! **Not run on real Windows.** Wine knows a part of these calls and keeps no key, which is what the check after making
//! one is for: a key that cannot be opened again by its name was not made, and the next provider is asked.
#![expect(unsafe_code, reason = "CNG is C; each handle has one owner here")]

use std::ffi::c_void;
use std::io;
use std::ptr;

use ring::digest;
use windows_sys::Win32::Foundation::{
    NTE_BAD_KEYSET, NTE_DEVICE_NOT_READY, NTE_NO_KEY, NTE_NOT_FOUND, NTE_NOT_SUPPORTED,
};
use windows_sys::Win32::Security::Cryptography::{
    BCRYPT_ECCPUBLIC_BLOB, BCRYPT_ECDSA_P256_ALGORITHM, BCRYPT_PAD_PKCS1, BCRYPT_PAD_PSS, BCRYPT_PKCS1_PADDING_INFO,
    BCRYPT_PSS_PADDING_INFO, BCRYPT_RSA_ALGORITHM, BCRYPT_RSAPUBLIC_BLOB, BCRYPT_SHA256_ALGORITHM, BCryptBuffer,
    BCryptBufferDesc, NCRYPT_ALLOW_EXPORT_FLAG, NCRYPT_ALLOW_PLAINTEXT_EXPORT_FLAG, NCRYPT_DO_NOT_FINALIZE_FLAG,
    NCRYPT_EXPORT_POLICY_PROPERTY, NCRYPT_LENGTH_PROPERTY, NCRYPT_MACHINE_KEY_FLAG, NCRYPT_PKCS8_PRIVATE_KEY_BLOB,
    NCRYPT_SECURITY_DESCR_PROPERTY, NCRYPT_SILENT_FLAG, NCRYPTBUFFER_PKCS_KEY_NAME, NCRYPTBUFFER_VERSION,
    NCryptCreatePersistedKey, NCryptDeleteKey, NCryptExportKey, NCryptFinalizeKey, NCryptFreeObject, NCryptGetProperty,
    NCryptImportKey, NCryptOpenKey, NCryptOpenStorageProvider, NCryptSetProperty, NCryptSignHash,
};
use windows_sys::Win32::Security::DACL_SECURITY_INFORMATION;
use windows_sys::core::PCWSTR;

use super::blob;
use super::capi::wide;
use super::policy::NewKey;
use super::provider::{KeyFacts, KeyProvider, verifies};
use crate::SignatureScheme;
use crate::pkcs12::key::KeyMaterial;
use crate::windows::serialized::KeyLink;

/// Bytes of a public key or a signature that are taken in.
const OUTPUT: u32 = 16 * 1024;
/// Octets of SHA-256, and of the salt that TLS 1.3 wants (RFC 8446 §4.2.3).
const DIGEST: u32 = 32;

/// CNG's key storage providers.
pub(super) struct Cng;

impl KeyProvider for Cng {
    fn find(&self, link: &KeyLink) -> io::Result<Option<KeyFacts>> {
        let Some(provider) = Provider::open_if_there(link)? else { return Ok(None) };
        let Some(key) = provider.find(link)? else { return Ok(None) };
        let spki = key.spki()?;
        let schemes = key.schemes(&spki);
        Ok(Some(KeyFacts { spki, schemes, exportable: key.exportable() }))
    }

    fn generate(&self, link: &KeyLink, new: NewKey) -> io::Result<()> {
        let provider = Provider::open(link)?;
        let name = wide(&link.container);
        let algorithm = match new {
            NewKey::P256 => BCRYPT_ECDSA_P256_ALGORITHM,
            NewKey::Rsa { .. } => BCRYPT_RSA_ALGORITHM,
        };
        let mut handle = 0;
        // SAFETY: the provider is open; both texts end with NUL; the handle that comes out is owned below.
        succeeded(unsafe {
            NCryptCreatePersistedKey(provider.0, &raw mut handle, algorithm, name.as_ptr(), 0, machine(link))
        })?;
        let key = Key(handle);
        if let NewKey::Rsa { bits } = new {
            key.set(NCRYPT_LENGTH_PROPERTY, bits)?;
        }
        provider.finish(link, key)
    }

    fn import(&self, link: &KeyLink, material: &KeyMaterial<'_>, spki: &[u8]) -> io::Result<()> {
        let KeyMaterial::P256(material) = material else { return Err(io::ErrorKind::Unsupported.into()) };
        let pkcs8 = blob::p256_pkcs8(material, spki).ok_or(io::ErrorKind::InvalidInput)?;
        let provider = Provider::open(link)?;
        if provider.find(link)?.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let mut name = wide(&link.container);
        let name_bytes = u32::try_from(name.len() * 2).map_err(|_| io::ErrorKind::InvalidInput)?;
        let length = u32::try_from(pkcs8.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut buffer = BCryptBuffer {
            cbBuffer: name_bytes,
            BufferType: NCRYPTBUFFER_PKCS_KEY_NAME,
            pvBuffer: name.as_mut_ptr().cast(),
        };
        let named = BCryptBufferDesc { ulVersion: NCRYPTBUFFER_VERSION, cBuffers: 1, pBuffers: &raw mut buffer };
        let flags = machine(link) | NCRYPT_SILENT_FLAG | NCRYPT_DO_NOT_FINALIZE_FLAG;
        let mut handle = 0;
        // SAFETY: the provider is open; the name and the key are readable for their lengths and outlive the call.
        succeeded(unsafe {
            NCryptImportKey(
                provider.0,
                0,
                NCRYPT_PKCS8_PRIVATE_KEY_BLOB,
                &raw const named,
                &raw mut handle,
                pkcs8.as_ptr(),
                length,
                flags,
            )
        })?;
        provider.finish(link, Key(handle))
    }

    fn sign(&self, link: &KeyLink, scheme: SignatureScheme, message: &[u8]) -> io::Result<Vec<u8>> {
        let provider = Provider::open(link)?;
        provider.find(link)?.ok_or(io::ErrorKind::NotFound)?.sign(scheme, message)
    }

    fn access(&self, link: &KeyLink) -> io::Result<Option<Vec<u8>>> {
        let key = Provider::open(link)?.find(link)?.ok_or(io::ErrorKind::NotFound)?;
        let property = NCRYPT_SECURITY_DESCR_PROPERTY;
        let flags = DACL_SECURITY_INFORMATION | NCRYPT_SILENT_FLAG;
        let read = output(|bytes, room, length| {
            // SAFETY: the key is open; `bytes` has `room`, or only the length is asked for.
            unsafe { NCryptGetProperty(key.0, property, bytes, room, length, flags) }
        });
        match read {
            Ok(access) => Ok(Some(access)),
            Err(error) if error.raw_os_error() == Some(NTE_NOT_SUPPORTED) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_access(&self, link: &KeyLink, access: &[u8]) -> io::Result<()> {
        let key = Provider::open(link)?.find(link)?.ok_or(io::ErrorKind::NotFound)?;
        let length = u32::try_from(access.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let flags = DACL_SECURITY_INFORMATION | NCRYPT_SILENT_FLAG;
        // SAFETY: the key is open; the descriptor is readable for its length.
        succeeded(unsafe { NCryptSetProperty(key.0, NCRYPT_SECURITY_DESCR_PROPERTY, access.as_ptr(), length, flags) })
    }

    fn delete(&self, link: &KeyLink) -> io::Result<bool> {
        let Some(provider) = Provider::open_if_there(link)? else { return Ok(false) };
        match provider.find(link)? {
            Some(key) => key.delete().map(|()| true),
            None => Ok(false),
        }
    }
}

/// An open key storage provider.
struct Provider(usize);

impl Provider {
    fn open(link: &KeyLink) -> io::Result<Self> {
        let name = wide(&link.provider);
        let mut handle = 0;
        // SAFETY: the name ends with NUL; the handle that comes out is owned by what is returned.
        succeeded(unsafe { NCryptOpenStorageProvider(&raw mut handle, name.as_ptr(), 0) })?;
        Ok(Self(handle))
    }

    /// `None` where this PC does not know the provider, so that it keeps no keys.
    fn open_if_there(link: &KeyLink) -> io::Result<Option<Self>> {
        match Self::open(link) {
            Ok(provider) => Ok(Some(provider)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn find(&self, link: &KeyLink) -> io::Result<Option<Key>> {
        let name = wide(&link.container);
        let mut handle = 0;
        let flags = machine(link) | NCRYPT_SILENT_FLAG;
        // SAFETY: the provider is open; the name ends with NUL; the handle that comes out is owned by what is returned.
        let opened = unsafe { NCryptOpenKey(self.0, &raw mut handle, name.as_ptr(), link.key_spec, flags) };
        match succeeded(opened) {
            Ok(()) => Ok(Some(Key(handle))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a new key that cannot be exported, and opens it again by its name. What cannot be opened is taken back.
    fn finish(&self, link: &KeyLink, key: Key) -> io::Result<()> {
        key.set(NCRYPT_EXPORT_POLICY_PROPERTY, 0)?;
        // SAFETY: the key is open and was not finalized before.
        succeeded(unsafe { NCryptFinalizeKey(key.0, NCRYPT_SILENT_FLAG) })?;
        let confirmed = match self.find(link) {
            Ok(Some(again)) => again.spki().map(|_| ()),
            Ok(None) => Err(io::Error::new(io::ErrorKind::NotFound, "the provider does not keep keys")),
            Err(error) => Err(error),
        };
        if confirmed.is_err() {
            // What went wrong is told already; a provider that keeps no keys cannot delete one either.
            let _ = key.delete();
        }
        confirmed
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own.
        unsafe { NCryptFreeObject(self.0) };
    }
}

/// An open key.
struct Key(usize);

impl Key {
    fn set(&self, property: PCWSTR, value: u32) -> io::Result<()> {
        let value = value.to_le_bytes();
        // SAFETY: the key is open; the property has four bytes and is copied.
        succeeded(unsafe { NCryptSetProperty(self.0, property, value.as_ptr(), 4, NCRYPT_SILENT_FLAG) })
    }

    fn exportable(&self) -> Option<bool> {
        let (mut policy, mut length) = ([0; 4], 0);
        // SAFETY: the key is open; there is room for the property's four bytes.
        let got = unsafe {
            NCryptGetProperty(self.0, NCRYPT_EXPORT_POLICY_PROPERTY, policy.as_mut_ptr(), 4, &raw mut length, 0)
        };
        let allowed = u32::from_le_bytes(policy) & (NCRYPT_ALLOW_EXPORT_FLAG | NCRYPT_ALLOW_PLAINTEXT_EXPORT_FLAG);
        (got == 0 && length == 4).then_some(allowed != 0)
    }

    fn spki(&self) -> io::Result<Vec<u8>> {
        let rsa = self.export(BCRYPT_RSAPUBLIC_BLOB);
        let blob = rsa.or_else(|_| self.export(BCRYPT_ECCPUBLIC_BLOB))?;
        let other = || io::Error::new(io::ErrorKind::Unsupported, "the key is neither RSA nor P-256");
        blob::cng_public(&blob).ok_or_else(other)
    }

    /// A public blob; nothing here ever asks for a private one.
    fn export(&self, form: PCWSTR) -> io::Result<Vec<u8>> {
        output(|bytes, room, length| {
            // SAFETY: the key is open; `bytes` has `room`, or only the length is asked for.
            unsafe { NCryptExportKey(self.0, 0, form, ptr::null(), bytes, room, length, NCRYPT_SILENT_FLAG) }
        })
    }

    /// What the key can do. Some TPMs salt PSS in a way that TLS does not take, so a PSS signature is looked at first.
    fn schemes(&self, spki: &[u8]) -> Vec<SignatureScheme> {
        use SignatureScheme::{EcdsaP256Sha256, RsaPkcs1Sha256, RsaPssSha256};
        if self.export(BCRYPT_RSAPUBLIC_BLOB).is_err() {
            return vec![EcdsaP256Sha256];
        }
        let message = b"inkan: does this key sign with PSS as TLS wants it\0";
        let pss = self.sign(RsaPssSha256, message);
        let pss = pss.is_ok_and(|signature| verifies(spki, RsaPssSha256, message, &signature));
        if pss { vec![RsaPkcs1Sha256, RsaPssSha256] } else { vec![RsaPkcs1Sha256] }
    }

    fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> io::Result<Vec<u8>> {
        let digest = digest::digest(&digest::SHA256, message);
        let pkcs1 = BCRYPT_PKCS1_PADDING_INFO { pszAlgId: BCRYPT_SHA256_ALGORITHM };
        let pss = BCRYPT_PSS_PADDING_INFO { pszAlgId: BCRYPT_SHA256_ALGORITHM, cbSalt: DIGEST };
        let (padding, flags): (*const c_void, u32) = match scheme {
            SignatureScheme::EcdsaP256Sha256 => (ptr::null(), 0),
            SignatureScheme::RsaPkcs1Sha256 => ((&raw const pkcs1).cast(), BCRYPT_PAD_PKCS1),
            SignatureScheme::RsaPssSha256 => ((&raw const pss).cast(), BCRYPT_PAD_PSS),
        };
        let flags = flags | NCRYPT_SILENT_FLAG;
        let hash = digest.as_ref().as_ptr();
        let signature = output(|bytes, room, length| {
            // SAFETY: the key is open; padding and digest outlive the call; `bytes` has `room`, or asks for the length.
            unsafe { NCryptSignHash(self.0, padding, hash, DIGEST, bytes, room, length, flags) }
        })?;
        Ok(if scheme == SignatureScheme::EcdsaP256Sha256 { blob::ecdsa_der(&signature) } else { signature })
    }

    fn delete(self) -> io::Result<()> {
        // SAFETY: the key is open. Deleting takes the handle, unless it fails; then it is freed as always.
        succeeded(unsafe { NCryptDeleteKey(self.0, NCRYPT_SILENT_FLAG) })?;
        std::mem::forget(self);
        Ok(())
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own; the key itself stays.
        unsafe { NCryptFreeObject(self.0) };
    }
}

const fn machine(link: &KeyLink) -> u32 {
    if link.is_machine() { NCRYPT_MACHINE_KEY_FLAG } else { 0 }
}

fn is_absent(error: &io::Error) -> bool {
    // A provider that cannot open keys, or is not ready for lack of a TPM, keeps none.
    const ABSENT: [i32; 5] = [NTE_BAD_KEYSET, NTE_DEVICE_NOT_READY, NTE_NOT_FOUND, NTE_NOT_SUPPORTED, NTE_NO_KEY];
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error().is_some_and(|code| ABSENT.contains(&code))
}

/// Calls twice: for the length, and for the bytes.
fn output(call: impl Fn(*mut u8, u32, *mut u32) -> i32) -> io::Result<Vec<u8>> {
    let mut length = 0;
    succeeded(call(ptr::null_mut(), 0, &raw mut length))?;
    if length > OUTPUT {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; length as usize];
    succeeded(call(bytes.as_mut_ptr(), length, &raw mut length))?;
    bytes.truncate(length as usize);
    Ok(bytes)
}

fn succeeded(status: i32) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(status)) }
}
