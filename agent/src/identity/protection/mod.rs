//! How the device key rests in its file, beside the folder's own access rights.
//!
//! On Windows a copy of the file is worth nothing on another PC. Elsewhere the file is the key itself: the operating
//! system has nothing by which a service could bind it to the PC.

#[cfg(not(windows))]
mod plain;
#[cfg(windows)]
mod windows;

#[cfg(not(windows))]
pub(super) use self::plain::{KEY_FILE, protect, unprotect};
#[cfg(windows)]
pub(super) use self::windows::{KEY_FILE, protect, unprotect};
