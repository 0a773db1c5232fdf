//! The registry of a user who is logged off: loaded from the profile for a moment, and unloaded whatever happens.
//!
//! While it is loaded the user could not log on properly, so whoever asks reads what is needed and lets go; two loads
//! never overlap. Needs the rights to back up and to restore, which services and administrators can take.
#![expect(unsafe_code, reason = "loading a hive and taking a privilege are only offered by C functions")]

use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;
use std::sync::{Mutex, PoisonError};

use windows_sys::Win32::Foundation::{CloseHandle, ERROR_NOT_ALL_ASSIGNED, HANDLE, LUID};
use windows_sys::Win32::Security::{
    AdjustTokenPrivileges, LUID_AND_ATTRIBUTES, LookupPrivilegeValueW, SE_BACKUP_NAME, SE_PRIVILEGE_ENABLED,
    SE_RESTORE_NAME, TOKEN_ADJUST_PRIVILEGES, TOKEN_PRIVILEGES, TOKEN_QUERY,
};
use windows_sys::Win32::System::Registry::{HKEY_USERS, RegLoadKeyW, RegUnLoadKeyW};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::core::PCWSTR;

use super::registry::Root;
use super::sid::Sid;

/// How the keys begin under which hives are loaded.
const MOUNT: &str = "inkan-";

/// Held while a hive is loaded.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Loads the hive in this file, lets `read` look at it, and unloads it.
pub(super) fn with_hive<T>(sid: &Sid, file: &Path, read: impl FnOnce(&Root) -> T) -> io::Result<T> {
    // A file that is missing would be made.
    if !file.symlink_metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the user's registry is not a regular file"));
    }
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let _privileges = Privileges::take()?;
    let mount = format!("{MOUNT}{sid}");
    let loaded = Loaded::load(&mount, file)?;
    let result = read(&Root::of_users().below(&mount));
    drop(loaded);
    Ok(result)
}

/// A hive that is loaded. All keys below it must be closed before this is dropped.
struct Loaded(Vec<u16>);

impl Loaded {
    fn load(mount: &str, file: &Path) -> io::Result<Self> {
        let mount: Vec<u16> = mount.encode_utf16().chain([0]).collect();
        let file: Vec<u16> = file.as_os_str().encode_wide().chain([0]).collect();
        // Left behind by a process that was killed; where there is none, this does nothing.
        // SAFETY: the name is a NUL-terminated UTF-16 string that outlives the call.
        unsafe { RegUnLoadKeyW(HKEY_USERS, mount.as_ptr()) };
        // SAFETY: both are NUL-terminated UTF-16 strings that outlive the call.
        match unsafe { RegLoadKeyW(HKEY_USERS, mount.as_ptr(), file.as_ptr()) } {
            0 => Ok(Self(mount)),
            error => Err(io::Error::from_raw_os_error(error.cast_signed())),
        }
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // SAFETY: the name is a NUL-terminated UTF-16 string that outlives the call.
        let error = unsafe { RegUnLoadKeyW(HKEY_USERS, self.0.as_ptr()) };
        if error != 0 {
            tracing::error!(error, "a user's registry could not be unloaded");
        }
    }
}

/// The rights to back up and to restore, until dropped.
struct Privileges {
    token: HANDLE,
    taken: Vec<TOKEN_PRIVILEGES>,
}

impl Privileges {
    fn take() -> io::Result<Self> {
        let mut token: HANDLE = ptr::null_mut();
        let rights = TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY;
        // SAFETY: the handle is written to a place of its own.
        if unsafe { OpenProcessToken(GetCurrentProcess(), rights, &raw mut token) } == 0 {
            return Err(io::Error::last_os_error());
        }
        let mut privileges = Self { token, taken: Vec::new() };
        for name in [SE_BACKUP_NAME, SE_RESTORE_NAME] {
            privileges.enable(name)?;
        }
        Ok(privileges)
    }

    fn enable(&mut self, name: PCWSTR) -> io::Result<()> {
        let mut luid = LUID { LowPart: 0, HighPart: 0 };
        // SAFETY: `name` is one of Windows' own NUL-terminated constants.
        if unsafe { LookupPrivilegeValueW(ptr::null(), name, &raw mut luid) } == 0 {
            return Err(io::Error::last_os_error());
        }
        let wanted = one(luid, SE_PRIVILEGE_ENABLED);
        let mut before = one(luid, 0);
        let (mut size, length) = (0, u32::try_from(size_of::<TOKEN_PRIVILEGES>()).unwrap_or(0));
        // SAFETY: the token is open for this; both structs are of the length that is given.
        let adjusted =
            unsafe { AdjustTokenPrivileges(self.token, 0, &raw const wanted, length, &raw mut before, &raw mut size) };
        // It succeeds also when it did nothing; the last error tells.
        let error = io::Error::last_os_error();
        if adjusted == 0 || error.raw_os_error() == Some(ERROR_NOT_ALL_ASSIGNED.cast_signed()) {
            return Err(error);
        }
        self.taken.push(before);
        Ok(())
    }
}

impl Drop for Privileges {
    fn drop(&mut self) {
        for before in self.taken.iter().filter(|before| before.PrivilegeCount > 0) {
            // SAFETY: the token is open; the struct is what the token had before, and nothing is asked for in return.
            unsafe { AdjustTokenPrivileges(self.token, 0, before, 0, ptr::null_mut(), ptr::null_mut()) };
        }
        // SAFETY: the handle is this value's own.
        unsafe { CloseHandle(self.token) };
    }
}

const fn one(luid: LUID, attributes: u32) -> TOKEN_PRIVILEGES {
    TOKEN_PRIVILEGES { PrivilegeCount: 1, Privileges: [LUID_AND_ATTRIBUTES { Luid: luid, Attributes: attributes }] }
}

#[cfg(test)]
pub(super) mod tests {
    use windows_sys::Win32::System::Registry::RegSaveKeyW;
    use winreg::RegKey;

    use super::*;

    /// Writes a key as a user's registry file, in the place of one that is there.
    pub(in super::super) fn save(key: &RegKey, file: &Path) {
        let _ = std::fs::remove_file(file);
        let _privileges = Privileges::take().unwrap();
        let wide: Vec<u16> = file.as_os_str().encode_wide().chain([0]).collect();
        // SAFETY: the key is open, the name is a NUL-terminated UTF-16 string, and no attributes are given.
        let error = unsafe { RegSaveKeyW(key.raw_handle().cast(), wide.as_ptr(), ptr::null()) };
        assert_eq!(error, 0);
    }

    #[test]
    fn a_file_that_is_missing_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("NTUSER.DAT");
        let sid = Sid::parse("S-1-5-21-9-9-9-1").unwrap();
        assert_eq!(with_hive(&sid, &file, |_| ()).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert!(!file.exists());
        assert!(with_hive(&sid, folder.path(), |_| ()).is_err());
    }
}
