//! One registry part of a system store through CryptoAPI: the machine's, or the running account's own.
//!
//! Certificates that are found borrow the store, so that the store cannot be closed while one of them is held: a store
//! that is closed too early loses what was added in silence on some systems. What was changed counts only after
//! [`SystemStore::close_and_commit`] and a look at a store that was opened anew. Must never open `Root` of the running
//! account: changing it asks the person at the screen.
#![expect(unsafe_code, reason = "CryptoAPI is C; each handle has one owner here")]

use std::ffi::c_void;
use std::io;
use std::marker::PhantomData;
use std::ptr;

use inkan_model::Fingerprint;
use windows_sys::Win32::Security::Cryptography::{
    CERT_CONTEXT, CERT_FRIENDLY_NAME_PROP_ID, CERT_KEY_PROV_INFO_PROP_ID, CERT_STORE_ADD_NEW,
    CERT_STORE_ADD_REPLACE_EXISTING, CERT_STORE_CTRL_COMMIT, CERT_STORE_ENUM_ARCHIVED_FLAG,
    CERT_STORE_OPEN_EXISTING_FLAG, CERT_STORE_PROV_PHYSICAL_W, CERT_STORE_PROV_SYSTEM_REGISTRY_W,
    CERT_STORE_READONLY_FLAG, CERT_SYSTEM_STORE_CURRENT_USER, CERT_SYSTEM_STORE_LOCAL_MACHINE, CRYPT_INTEGER_BLOB,
    CRYPT_KEY_PROV_INFO, CertAddCertificateContextToStore, CertCloseStore, CertControlStore,
    CertCreateCertificateContext, CertDeleteCertificateFromStore, CertDuplicateCertificateContext,
    CertEnumCertificatesInStore, CertFreeCertificateContext, CertGetCertificateContextProperty, CertOpenStore,
    CertSetCertificateContextProperty, HCERTSTORE, PKCS_7_ASN_ENCODING, X509_ASN_ENCODING,
};

use super::serialized::KeyLink;

/// Bytes of one property that are read at most.
const PROPERTY_BYTES: u32 = 1024 * 1024;
/// How certificates are encoded: the only way there is.
const ENCODING: u32 = X509_ASN_ENCODING | PKCS_7_ASN_ENCODING;

/// Whose stores are meant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StoreScope {
    /// The account that this process runs as.
    CurrentUser,
    /// The machine.
    Machine,
}

/// What a store is opened for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Purpose {
    Change,
    Read,
}

/// One open system store, without the stores that Windows shows beside it.
#[derive(Debug)]
pub(crate) struct SystemStore(HCERTSTORE);

impl SystemStore {
    /// Opens a store to change it, and makes it where it was never used.
    pub(crate) fn open(scope: StoreScope, name: &str) -> io::Result<Self> {
        Self::open_for(scope, name, Purpose::Change)
    }

    /// Opens a store only to look at it; `None` where it was never used.
    pub(crate) fn open_to_read(scope: StoreScope, name: &str) -> io::Result<Option<Self>> {
        match Self::open_for(scope, name, Purpose::Read) {
            Ok(store) => Ok(Some(store)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn open_for(scope: StoreScope, name: &str, purpose: Purpose) -> io::Result<Self> {
        if scope == StoreScope::CurrentUser {
            if name.eq_ignore_ascii_case("root") {
                return Err(io::Error::new(io::ErrorKind::Unsupported, "the running account's Root asks its user"));
            }
            // A user's own MY is files on Windows: its physical store is right wherever it is kept. Where physical
            // stores are not known, the registry is.
            if let Ok(store) = Self::open_with(CERT_STORE_PROV_PHYSICAL_W, scope, &format!("{name}\\.Default"), purpose)
            {
                return Ok(store);
            }
        }
        Self::open_with(CERT_STORE_PROV_SYSTEM_REGISTRY_W, scope, name, purpose)
    }

    fn open_with(provider: *const u8, scope: StoreScope, name: &str, purpose: Purpose) -> io::Result<Self> {
        let location = match scope {
            StoreScope::CurrentUser => CERT_SYSTEM_STORE_CURRENT_USER,
            StoreScope::Machine => CERT_SYSTEM_STORE_LOCAL_MACHINE,
        };
        let access = match purpose {
            Purpose::Change => 0,
            Purpose::Read => CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG,
        };
        let name = wide(name);
        // Archived certificates are hidden from whoever does not ask for them.
        let flags = location | access | CERT_STORE_ENUM_ARCHIVED_FLAG;
        // SAFETY: `name` is a NUL-terminated UTF-16 string that outlives the call; the provider is one that takes such.
        let handle = unsafe { CertOpenStore(provider, 0, 0, flags, name.as_ptr().cast()) };
        if handle.is_null() { Err(last_error()) } else { Ok(Self(handle)) }
    }

    /// All certificates of the store, archived ones included.
    pub(crate) fn certificates(&self) -> Vec<StoredCertificate<'_>> {
        let mut found = Vec::new();
        let mut previous: *const CERT_CONTEXT = ptr::null();
        loop {
            // SAFETY: the store is open; `previous` is null or the context of the round before, which this call takes.
            previous = unsafe { CertEnumCertificatesInStore(self.0, previous) };
            if previous.is_null() {
                return found;
            }
            // SAFETY: `previous` is a live context; the copy of the reference is ours to free.
            let kept = unsafe { CertDuplicateCertificateContext(previous) };
            found.push(StoredCertificate { context: CertificateContext(kept), store: PhantomData });
        }
    }

    /// The certificate with this fingerprint.
    pub(crate) fn find(&self, certificate: Fingerprint) -> Option<StoredCertificate<'_>> {
        self.certificates().into_iter().find(|stored| stored.fingerprint() == certificate)
    }

    /// Adds a certificate with its properties. Fails where the store has it already.
    pub(crate) fn add(&self, certificate: &CertificateContext) -> io::Result<()> {
        self.add_with(certificate, CERT_STORE_ADD_NEW)
    }

    /// Adds a certificate with its properties, in the place of one that is there. Some systems keep the properties of the
    /// one that was there, so read back; to be sure of them, remove, commit, and add.
    pub(crate) fn add_or_replace(&self, certificate: &CertificateContext) -> io::Result<()> {
        self.add_with(certificate, CERT_STORE_ADD_REPLACE_EXISTING)
    }

    fn add_with(&self, certificate: &CertificateContext, disposition: u32) -> io::Result<()> {
        // SAFETY: store and context are live; no context of the added certificate is asked for.
        checked(unsafe { CertAddCertificateContextToStore(self.0, certificate.0, disposition, ptr::null_mut()) })
    }

    /// Removes the certificate with this fingerprint; says whether there was one.
    pub(crate) fn remove(&self, certificate: Fingerprint) -> io::Result<bool> {
        let Some(stored) = self.find(certificate) else { return Ok(false) };
        // SAFETY: the context is live and is one of this store; deleting takes one reference, so it gets its own.
        checked(unsafe { CertDeleteCertificateFromStore(CertDuplicateCertificateContext(stored.0)) })?;
        Ok(true)
    }

    /// Writes what was changed and closes the store. A store that is dropped instead is closed without a promise.
    pub(crate) fn close_and_commit(self) -> io::Result<()> {
        // SAFETY: the store is open; a commit takes no parameter.
        let committed = checked(unsafe { CertControlStore(self.0, 0, CERT_STORE_CTRL_COMMIT, ptr::null()) });
        drop(self);
        committed
    }
}

impl Drop for SystemStore {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own, and nothing borrows it any more.
        unsafe { CertCloseStore(self.0, 0) };
    }
}

/// A certificate of a store that is open.
#[derive(Debug)]
pub(crate) struct StoredCertificate<'s> {
    context: CertificateContext,
    store: PhantomData<&'s SystemStore>,
}

impl std::ops::Deref for StoredCertificate<'_> {
    type Target = CertificateContext;

    fn deref(&self) -> &CertificateContext {
        &self.context
    }
}

/// A certificate with its properties, in memory.
#[derive(Debug)]
pub(crate) struct CertificateContext(*const CERT_CONTEXT);

impl CertificateContext {
    /// A certificate without properties, in no store yet.
    pub(crate) fn new(der: &[u8]) -> io::Result<Self> {
        let length = length_of(der)?;
        // SAFETY: the bytes are readable for the length given and are copied.
        let context = unsafe { CertCreateCertificateContext(ENCODING, der.as_ptr(), length) };
        if context.is_null() { Err(last_error()) } else { Ok(Self(context)) }
    }

    /// The certificate's bytes.
    pub(crate) fn der(&self) -> &[u8] {
        // SAFETY: a live context is never changed by Windows, and its bytes live as long as the context.
        unsafe {
            let context = &*self.0;
            std::slice::from_raw_parts(context.pbCertEncoded, context.cbCertEncoded as usize)
        }
    }

    /// The certificate's fingerprint. Windows' own SHA-256 property is not relied on.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.der())
    }

    /// A property's bytes, as Windows gives them; pointers in them lead nowhere once this has returned.
    fn property<T>(&self, id: u32, read: impl FnOnce(&[u64], usize) -> T) -> io::Result<Option<T>> {
        let mut length = 0;
        // SAFETY: the context is live; without a buffer only the length is written.
        let there = unsafe { CertGetCertificateContextProperty(self.0, id, ptr::null_mut(), &raw mut length) };
        if there == 0 {
            return Ok(None);
        }
        if length > PROPERTY_BYTES {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "a property is too large"));
        }
        // Words and not bytes, so that a struct at its beginning is aligned.
        let mut buffer = vec![0_u64; (length as usize).div_ceil(8)];
        // SAFETY: the buffer has room for `length` bytes.
        let got = unsafe {
            CertGetCertificateContextProperty(self.0, id, buffer.as_mut_ptr().cast::<c_void>(), &raw mut length)
        };
        checked(got)?;
        Ok(Some(read(&buffer, length as usize)))
    }

    /// A property whose content is plain bytes.
    pub(crate) fn bytes(&self, id: u32) -> io::Result<Option<Vec<u8>>> {
        self.property(id, |words, length| words.iter().flat_map(|word| word.to_ne_bytes()).take(length).collect())
    }

    /// Sets a property whose content is plain bytes.
    pub(crate) fn set_bytes(&self, id: u32, bytes: &[u8]) -> io::Result<()> {
        let blob = CRYPT_INTEGER_BLOB { cbData: length_of(bytes)?, pbData: bytes.as_ptr().cast_mut() };
        self.set(id, (&raw const blob).cast())
    }

    /// The certificate's friendly name.
    pub(crate) fn friendly_name(&self) -> io::Result<Option<String>> {
        let bytes = self.bytes(CERT_FRIENDLY_NAME_PROP_ID)?;
        Ok(bytes.map(|bytes| super::serialized::text(&bytes)))
    }

    /// Sets the friendly name.
    pub(crate) fn set_friendly_name(&self, name: &str) -> io::Result<()> {
        let name = wide(name);
        let bytes: Vec<u8> = name.iter().flat_map(|unit| unit.to_ne_bytes()).collect();
        self.set_bytes(CERT_FRIENDLY_NAME_PROP_ID, &bytes)
    }

    /// The link to the certificate's key.
    pub(crate) fn key_link(&self) -> io::Result<Option<KeyLink>> {
        self.property(CERT_KEY_PROV_INFO_PROP_ID, |words, length| {
            if length < size_of::<CRYPT_KEY_PROV_INFO>() {
                return None;
            }
            // SAFETY: the buffer is aligned for the struct and large enough for it, as was just checked.
            let info = unsafe { &*words.as_ptr().cast::<CRYPT_KEY_PROV_INFO>() };
            Some(KeyLink {
                container: text_inside(words, length, info.pwszContainerName),
                provider: text_inside(words, length, info.pwszProvName),
                provider_type: info.dwProvType,
                flags: info.dwFlags,
                key_spec: info.dwKeySpec,
            })
        })
        .map(Option::flatten)
    }

    /// Sets the link to the certificate's key.
    pub(crate) fn set_key_link(&self, link: &KeyLink) -> io::Result<()> {
        let mut container = wide(&link.container);
        let mut provider = wide(&link.provider);
        let info = CRYPT_KEY_PROV_INFO {
            pwszContainerName: container.as_mut_ptr(),
            pwszProvName: provider.as_mut_ptr(),
            dwProvType: link.provider_type,
            dwFlags: link.flags,
            cProvParam: 0,
            rgProvParam: ptr::null_mut(),
            dwKeySpec: link.key_spec,
        };
        self.set(CERT_KEY_PROV_INFO_PROP_ID, (&raw const info).cast())
    }

    fn set(&self, id: u32, value: *const c_void) -> io::Result<()> {
        // SAFETY: the context is live; `value` points to what this property takes, which Windows copies.
        checked(unsafe { CertSetCertificateContextProperty(self.0, id, 0, value) })
    }

    /// The context for calls that this module has no words for. It must not be freed.
    pub(crate) const fn as_ptr(&self) -> *const CERT_CONTEXT {
        self.0
    }
}

impl Drop for CertificateContext {
    fn drop(&mut self) {
        // SAFETY: the reference is this value's own.
        unsafe { CertFreeCertificateContext(self.0) };
    }
}

/// The UTF-16 text to which a pointer leads, where it leads into the buffer that holds the pointer.
fn text_inside(words: &[u64], length: usize, text: *const u16) -> String {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).take(length).collect();
    let offset = text.addr().checked_sub(words.as_ptr().addr());
    let inside = offset.and_then(|offset| bytes.get(offset..)).unwrap_or_default();
    super::serialized::text(inside)
}

fn length_of(bytes: &[u8]) -> io::Result<u32> {
    u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().filter(|unit| *unit != 0).chain([0]).collect()
}

fn checked(succeeded: i32) -> io::Result<()> {
    if succeeded == 0 { Err(last_error()) } else { Ok(()) }
}

/// What Windows says went wrong; some calls fail without saying anything.
fn last_error() -> io::Error {
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(0) { io::Error::other("Windows does not say why") } else { error }
}

#[cfg(test)]
mod tests;
