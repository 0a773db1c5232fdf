//! Secrets that only this PC can open: Windows' data protection (DPAPI).
//!
//! Bound to the PC and not to an account, because an administrator enrols at a console and the service works as SYSTEM.
//! Any program on this PC that can read the protected bytes can open them, so they belong into a private folder
//! ([`super::access`]); what this adds is that a copy, a backup or a taken disk's file is worth nothing elsewhere.
#![expect(unsafe_code, reason = "the data protection is only reached through C")]

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Cryptography::{
    CRYPT_INTEGER_BLOB, CRYPTPROTECT_LOCAL_MACHINE, CRYPTPROTECT_UI_FORBIDDEN, CryptProtectData, CryptUnprotectData,
};
use zeroize::{Zeroize as _, Zeroizing};

/// Protects a secret. `purpose` has to be given again to open it, so that one secret cannot be passed off as another.
pub fn protect(secret: &[u8], purpose: &[u8]) -> io::Result<Vec<u8>> {
    let flags = CRYPTPROTECT_LOCAL_MACHINE | CRYPTPROTECT_UI_FORBIDDEN;
    let (secret, purpose) = (blob(secret)?, blob(purpose)?);
    let mut out = Allocated::new();
    // SAFETY: both inputs are only read and live until after the call; the result is freed by its owner.
    let done = unsafe {
        let none = ptr::null();
        CryptProtectData(&raw const secret, none, &raw const purpose, none.cast(), none.cast(), flags, &raw mut out.0)
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(out.bytes().to_vec()) }
}

/// Opens what [`protect`] made on this PC.
pub fn unprotect(protected: &[u8], purpose: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    let (protected, purpose) = (blob(protected)?, blob(purpose)?);
    let mut out = Allocated::new();
    // SAFETY: both inputs are only read and live until after the call; the result is wiped and freed by its owner.
    let done = unsafe {
        let none = ptr::null();
        let no_words = ptr::null_mut();
        let flags = CRYPTPROTECT_UI_FORBIDDEN;
        CryptUnprotectData(&raw const protected, no_words, &raw const purpose, none, none.cast(), flags, &raw mut out.0)
    };
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(Zeroizing::new(out.bytes().to_vec())) }
}

/// Bytes as Windows takes them; it does not write to inputs, whatever the type says.
fn blob(bytes: &[u8]) -> io::Result<CRYPT_INTEGER_BLOB> {
    let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok(CRYPT_INTEGER_BLOB { cbData: length, pbData: bytes.as_ptr().cast_mut() })
}

/// Bytes that Windows allocated. They may be a secret, so they are wiped before they are given back.
struct Allocated(CRYPT_INTEGER_BLOB);

impl Allocated {
    const fn new() -> Self {
        Self(CRYPT_INTEGER_BLOB { cbData: 0, pbData: ptr::null_mut() })
    }

    fn bytes(&mut self) -> &mut [u8] {
        if self.0.pbData.is_null() {
            return &mut [];
        }
        // SAFETY: Windows allocated so many bytes there, and nobody else knows of them.
        unsafe { std::slice::from_raw_parts_mut(self.0.pbData, self.0.cbData as usize) }
    }
}

impl Drop for Allocated {
    fn drop(&mut self) {
        self.bytes().zeroize();
        // SAFETY: it was allocated with LocalAlloc, or is null, which is allowed.
        unsafe { LocalFree(self.0.pbData.cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_protected_opens_again_for_its_purpose_only() {
        let protected = protect(b"a secret of this PC", b"purpose").unwrap();
        assert!(!protected.windows(8).any(|part| part == b"a secret"));
        assert_eq!(**unprotect(&protected, b"purpose").unwrap(), *b"a secret of this PC");
        assert!(unprotect(&protected, b"another purpose").is_err());
        assert!(unprotect(b"not protected", b"purpose").is_err());
        let mut damaged = protected;
        let last = damaged.len() - 1;
        damaged[last] ^= 1;
        assert!(unprotect(&damaged, b"purpose").is_err());
    }
}
