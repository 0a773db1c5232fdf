//! RSA keys through CryptoAPI: what every Windows has and every application can use.
//!
//! A container is opened by its link's own flags: what Windows opens for a certificate by itself is, on some systems,
//! the user's container instead of the machine's of the same name. Some systems write a container to disk only when
//! it is let go of, so each handle lives for one call.
#![expect(unsafe_code, reason = "CryptoAPI is C; each handle has one owner here")]

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{
    NTE_BAD_KEYSET, NTE_BAD_TYPE, NTE_EXISTS, NTE_KEYSET_NOT_DEF, NTE_NO_KEY, NTE_NOT_FOUND, NTE_PROV_TYPE_NOT_DEF,
};
use windows_sys::Win32::Security::Cryptography::{
    AT_KEYEXCHANGE, AT_SIGNATURE, CALG_SHA_256, CRYPT_DELETEKEYSET, CRYPT_EXPORT, CRYPT_MACHINE_KEYSET,
    CRYPT_NEWKEYSET, CRYPT_SILENT, CryptAcquireContextW, CryptCreateHash, CryptDestroyHash, CryptDestroyKey,
    CryptExportKey, CryptGenKey, CryptGetKeyParam, CryptGetProvParam, CryptGetUserKey, CryptHashData, CryptImportKey,
    CryptReleaseContext, CryptSetProvParam, CryptSignHashW, KP_PERMISSIONS, PP_KEYSET_SEC_DESCR, PROV_RSA_AES,
    PUBLICKEYBLOB,
};
use windows_sys::Win32::Security::DACL_SECURITY_INFORMATION;

use super::blob;
use super::policy::{self, NewKey};
use super::provider::{KeyFacts, KeyProvider};
use crate::SignatureScheme;
use crate::pkcs12::key::KeyMaterial;
use crate::windows::serialized::KeyLink;

/// Bytes of a public key or a signature that are taken in.
const OUTPUT: u32 = 16 * 1024;

/// CryptoAPI.
pub(super) struct Capi;

impl KeyProvider for Capi {
    fn find(&self, link: &KeyLink) -> io::Result<Option<KeyFacts>> {
        let Some(context) = Context::open(link)? else { return Ok(None) };
        let Some((key, _)) = context.key(link)? else { return Ok(None) };
        let spki = blob::capi_public(&key.public_blob()?)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the provider's public key is not readable"))?;
        Ok(Some(KeyFacts { spki, schemes: vec![SignatureScheme::RsaPkcs1Sha256], exportable: key.exportable() }))
    }

    fn generate(&self, link: &KeyLink, key: NewKey) -> io::Result<()> {
        let NewKey::Rsa { bits } = key else { return Err(io::ErrorKind::Unsupported.into()) };
        let context = Context::create(link)?;
        let mut made = 0;
        // SAFETY: the context is open; the handle that comes out is owned below. No flag: the key cannot be exported.
        checked(unsafe { CryptGenKey(context.0, AT_KEYEXCHANGE, bits << 16, &raw mut made) })?;
        drop(Key(made));
        drop(context);
        self.confirm(link)
    }

    fn import(&self, link: &KeyLink, material: &KeyMaterial<'_>, _spki: &[u8]) -> io::Result<()> {
        let KeyMaterial::Rsa(rsa) = material else { return Err(io::ErrorKind::Unsupported.into()) };
        let unfit = || io::Error::new(io::ErrorKind::InvalidData, "the RSA key has numbers of unusual lengths");
        let private = blob::capi_private(rsa).ok_or_else(unfit)?;
        let length = u32::try_from(private.len()).map_err(|_| unfit())?;
        let context = Context::create(link)?;
        let mut made = 0;
        // SAFETY: the context is open; the blob is readable for its length. No flag: the key cannot be exported again.
        checked(unsafe { CryptImportKey(context.0, private.as_ptr(), length, 0, 0, &raw mut made) })?;
        drop(Key(made));
        drop(context);
        self.confirm(link)
    }

    fn sign(&self, link: &KeyLink, scheme: SignatureScheme, message: &[u8]) -> io::Result<Vec<u8>> {
        if scheme != SignatureScheme::RsaPkcs1Sha256 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let context = Context::open(link)?.ok_or(io::ErrorKind::NotFound)?;
        let (_, key_spec) = context.key(link)?.ok_or(io::ErrorKind::NotFound)?;
        let hash = Hash::of(&context, message)?;
        let mut signature = output(|bytes, length| {
            // SAFETY: hash and key are of one open context; `bytes` has room for `length`, or only asks for it.
            unsafe { CryptSignHashW(hash.0, key_spec, ptr::null(), 0, bytes, length) }
        })?;
        // CryptoAPI has the least significant octet first.
        signature.reverse();
        Ok(signature)
    }

    fn access(&self, link: &KeyLink) -> io::Result<Option<Vec<u8>>> {
        let context = Context::open(link)?.ok_or(io::ErrorKind::NotFound)?;
        let read = output(|bytes, length| {
            // SAFETY: the context is open; `bytes` has room for `length`, or only asks for it.
            unsafe { CryptGetProvParam(context.0, PP_KEYSET_SEC_DESCR, bytes, length, DACL_SECURITY_INFORMATION) }
        });
        match read {
            Ok(access) => Ok(Some(access)),
            Err(error) if error.raw_os_error() == Some(NTE_BAD_TYPE) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn set_access(&self, link: &KeyLink, access: &[u8]) -> io::Result<()> {
        let context = Context::open(link)?.ok_or(io::ErrorKind::NotFound)?;
        // SAFETY: the context is open; the descriptor is one that Windows gave, in one piece.
        checked(unsafe {
            CryptSetProvParam(context.0, PP_KEYSET_SEC_DESCR, access.as_ptr(), DACL_SECURITY_INFORMATION)
        })
    }

    fn delete(&self, link: &KeyLink) -> io::Result<bool> {
        match acquire(link, CRYPT_DELETEKEYSET) {
            // With this flag there is no handle to release.
            Ok(_) => Ok(true),
            Err(error) if is_absent(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Capi {
    /// What cannot be opened again was not made.
    fn confirm(&self, link: &KeyLink) -> io::Result<()> {
        let lost = || io::Error::new(io::ErrorKind::NotFound, "the new key could not be opened again");
        self.find(link)?.map(|_| ()).ok_or_else(lost)
    }
}

/// An open container.
struct Context(usize);

impl Context {
    fn open(link: &KeyLink) -> io::Result<Option<Self>> {
        match acquire(link, 0) {
            Ok(handle) => Ok(Some(Self(handle))),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A new container, or one that was made before and got no key.
    fn create(link: &KeyLink) -> io::Result<Self> {
        match acquire(link, CRYPT_NEWKEYSET) {
            Ok(handle) => return Ok(Self(handle)),
            Err(error) if error.raw_os_error() == Some(NTE_EXISTS) => {}
            Err(error) => return Err(error),
        }
        let context = Self(acquire(link, 0)?);
        let empty = context.key(link)?.is_none();
        if empty { Ok(context) } else { Err(io::ErrorKind::AlreadyExists.into()) }
    }

    /// The key of the container, and its place there. Some systems write down a place that is none.
    fn key(&self, link: &KeyLink) -> io::Result<Option<(Key, u32)>> {
        let places: &[u32] = match link.key_spec {
            AT_KEYEXCHANGE => &[AT_KEYEXCHANGE],
            AT_SIGNATURE => &[AT_SIGNATURE],
            _ => &[AT_KEYEXCHANGE, AT_SIGNATURE],
        };
        for place in places {
            let mut handle = 0;
            // SAFETY: the context is open; the handle that comes out is owned by what is returned.
            match checked(unsafe { CryptGetUserKey(self.0, *place, &raw mut handle) }) {
                Ok(()) => return Ok(Some((Key(handle), *place))),
                Err(error) if error.raw_os_error() == Some(NTE_NO_KEY) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own.
        unsafe { CryptReleaseContext(self.0, 0) };
    }
}

/// A key of a container that is open.
struct Key(usize);

impl Key {
    fn public_blob(&self) -> io::Result<Vec<u8>> {
        output(|bytes, length| {
            // SAFETY: the key is open; `bytes` has room for `length`, or only asks for it. Public keys are not
            // encrypted.
            unsafe { CryptExportKey(self.0, 0, PUBLICKEYBLOB, 0, bytes, length) }
        })
    }

    fn exportable(&self) -> Option<bool> {
        let mut permissions = [0; 4];
        let mut length = 4;
        // SAFETY: this parameter has four bytes, for which there is room.
        let got = unsafe { CryptGetKeyParam(self.0, KP_PERMISSIONS, permissions.as_mut_ptr(), &raw mut length, 0) };
        (got != 0 && length == 4).then(|| u32::from_le_bytes(permissions) & CRYPT_EXPORT != 0)
    }
}

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own; the key itself stays.
        unsafe { CryptDestroyKey(self.0) };
    }
}

/// The digest of a message, made where the key is.
struct Hash(usize);

impl Hash {
    fn of(context: &Context, message: &[u8]) -> io::Result<Self> {
        let length = u32::try_from(message.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut handle = 0;
        // SAFETY: the context is open; SHA-256 takes no key; the handle that comes out is owned below.
        checked(unsafe { CryptCreateHash(context.0, CALG_SHA_256, 0, 0, &raw mut handle) })?;
        let hash = Self(handle);
        // SAFETY: the hash is open; the message is readable for its length.
        checked(unsafe { CryptHashData(hash.0, message.as_ptr(), length, 0) })?;
        Ok(hash)
    }
}

impl Drop for Hash {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own.
        unsafe { CryptDestroyHash(self.0) };
    }
}

/// Opens, makes or deletes a container. Software containers are the same under each of Microsoft's names, and only
/// under the newest one do they sign with SHA-256.
fn acquire(link: &KeyLink, flags: u32) -> io::Result<usize> {
    let (provider, provider_type) = if policy::is_old_microsoft_rsa(&link.provider) {
        (policy::CAPI, PROV_RSA_AES)
    } else {
        (link.provider.as_str(), link.provider_type)
    };
    let machine = if link.is_machine() { CRYPT_MACHINE_KEYSET } else { 0 };
    let (container, provider) = (wide(&link.container), wide(provider));
    let flags = flags | machine | CRYPT_SILENT;
    let mut handle = 0;
    // SAFETY: both texts end with NUL and outlive the call; the handle that comes out is the caller's.
    let acquired =
        unsafe { CryptAcquireContextW(&raw mut handle, container.as_ptr(), provider.as_ptr(), provider_type, flags) };
    checked(acquired)?;
    Ok(handle)
}

fn is_absent(error: &io::Error) -> bool {
    const ABSENT: [i32; 4] = [NTE_BAD_KEYSET, NTE_KEYSET_NOT_DEF, NTE_NOT_FOUND, NTE_PROV_TYPE_NOT_DEF];
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error().is_some_and(|code| ABSENT.contains(&code))
}

/// Calls twice: for the length, and for the bytes.
fn output(call: impl Fn(*mut u8, *mut u32) -> i32) -> io::Result<Vec<u8>> {
    let mut length = 0;
    checked(call(ptr::null_mut(), &raw mut length))?;
    if length > OUTPUT {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; length as usize];
    checked(call(bytes.as_mut_ptr(), &raw mut length))?;
    bytes.truncate(length as usize);
    Ok(bytes)
}

pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().filter(|unit| *unit != 0).chain([0]).collect()
}

fn checked(succeeded: i32) -> io::Result<()> {
    if succeeded == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
pub(super) mod tests {
    use windows_sys::Win32::Security::Cryptography::PRIVATEKEYBLOB;

    use super::*;

    /// Whether CryptoAPI refuses to give a private key out.
    pub(in super::super) fn private_export_fails(link: &KeyLink) -> bool {
        let context = Context::open(link).unwrap().unwrap();
        let (key, _) = context.key(link).unwrap().unwrap();
        let exported = output(|bytes, length| {
            // SAFETY: the key is open; `bytes` has room for `length`, or only asks for it.
            unsafe { CryptExportKey(key.0, 0, PRIVATEKEYBLOB, 0, bytes, length) }
        });
        exported.is_err()
    }
}
