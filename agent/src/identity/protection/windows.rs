//! The key under Windows' data protection.

use std::io;

use inkan_trust_store::windows::protect as dpapi;
use zeroize::Zeroizing;

/// The device key's file.
pub(in super::super) const KEY_FILE: &str = "key.dpapi";
const PURPOSE: &[u8] = b"inkan device key v1";

pub(in super::super) fn protect(key: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    dpapi::protect(key, PURPOSE).map(Zeroizing::new)
}

pub(in super::super) fn unprotect(file: Zeroizing<Vec<u8>>) -> io::Result<Zeroizing<Vec<u8>>> {
    dpapi::unprotect(&file, PURPOSE)
}
