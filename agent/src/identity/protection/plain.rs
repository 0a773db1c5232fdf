//! The key as it is.

use std::io;

use zeroize::Zeroizing;

/// The device key's file.
pub(in super::super) const KEY_FILE: &str = "key.pem";

#[expect(clippy::unnecessary_wraps, reason = "the same signature as on platforms that protect it")]
pub(in super::super) fn protect(key: &[u8]) -> io::Result<Zeroizing<Vec<u8>>> {
    Ok(Zeroizing::new(key.to_vec()))
}

#[expect(clippy::unnecessary_wraps, reason = "the same signature as on platforms that protect it")]
pub(in super::super) fn unprotect(file: Zeroizing<Vec<u8>>) -> io::Result<Zeroizing<Vec<u8>>> {
    Ok(file)
}
