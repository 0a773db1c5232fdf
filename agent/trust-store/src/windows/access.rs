//! Folders that only SYSTEM, the administrators and, where the agent runs without their rights, its own account may enter.
//!
//! Everybody may make folders below `%ProgramData%`, so one that is found there and belongs to somebody else is a trap and
//! is refused. What is set or read here is Windows' text form of it ([`super::sddl`]); the calls only carry it.
#![expect(unsafe_code, reason = "Windows' access lists are only reached through C")]

use std::ffi::c_void;
use std::io;
use std::os::windows::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertSecurityDescriptorToStringSecurityDescriptorW, ConvertSidToStringSidW,
    ConvertStringSecurityDescriptorToSecurityDescriptorW, GetNamedSecurityInfoW, SDDL_REVISION_1, SE_FILE_OBJECT,
    SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    ACL, DACL_SECURITY_INFORMATION, GROUP_SECURITY_INFORMATION, GetSecurityDescriptorDacl, GetTokenInformation,
    OWNER_SECURITY_INFORMATION, PROTECTED_DACL_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES,
    SetFileSecurityW, TOKEN_ELEVATION, TOKEN_INFORMATION_CLASS, TOKEN_QUERY, TOKEN_USER, TokenElevation, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::sddl::{Descriptor, private_folder};

/// What is read of a folder: the owner needs a group beside it to be written as text.
const READ: u32 = OWNER_SECURITY_INFORMATION | GROUP_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION;

/// Makes a folder, and those above it that are missing, private from their first moment.
pub fn create_private_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() && !parent.is_dir() => create_private_folder(parent)?,
        _ => {}
    }
    let descriptor = Local::descriptor(&private_folder(own_account()?.as_deref()))?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: size::<SECURITY_ATTRIBUTES>(),
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    let path = wide(path)?;
    // SAFETY: the path ends with a zero, and the attributes point to a descriptor that lives until after the call.
    let made = unsafe { CreateDirectoryW(path.as_ptr(), &raw const attributes) };
    succeeded(made)
}

/// Makes a folder that is there already private. One that belongs to somebody else is refused.
pub fn make_private(path: &Path) -> io::Result<()> {
    let (text, account) = (descriptor_of(path)?, current_account()?);
    let found = Descriptor::parse(&text);
    if found.as_ref().is_some_and(|found| found.is_private_to(&account)) {
        return Ok(());
    }
    if !found.is_some_and(|found| found.is_owned_by_trusted(&account)) {
        let why = "the folder was made by another account: look at what is in it, then remove it";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    }
    restrict(path)?;
    if is_private(path)? {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "other accounts may still open the folder"))
}

/// Sets the access list, for the folder and for what is in it already.
fn restrict(path: &Path) -> io::Result<()> {
    let descriptor = Local::descriptor(&private_folder(own_account()?.as_deref()))?;
    let path = wide(path)?;
    let set = DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION;
    let (list, none) = (descriptor.access_list()?, ptr::null_mut());
    // SAFETY: the path ends with a zero; the list points into the descriptor, which lives until after the call.
    let error = unsafe {
        SetNamedSecurityInfoW(path.as_ptr(), SE_FILE_OBJECT, set, none, none, list, none.cast_const().cast())
    };
    of_code(error)?;
    // The call above passes the list on to what is inside. Wine adds to it what the folder above lets others do; set as
    // it is, it stays as it is.
    // SAFETY: as above.
    succeeded(unsafe { SetFileSecurityW(path.as_ptr(), set, descriptor.0) })
}

/// Whether nobody but SYSTEM, the administrators and the running account owns this file or folder or may open it.
pub fn is_private(path: &Path) -> io::Result<bool> {
    let account = current_account()?;
    Ok(Descriptor::parse(&descriptor_of(path)?).is_some_and(|found| found.is_private_to(&account)))
}

/// Whether this process has an administrator's or SYSTEM's rights.
pub fn is_elevated() -> io::Result<bool> {
    let token = Token::of_this_process()?;
    let mut elevation = TOKEN_ELEVATION { TokenIsElevated: 0 };
    let mut length = 0;
    // SAFETY: the buffer is the structure that this class of information is written to, with its size.
    let got = unsafe {
        let buffer = (&raw mut elevation).cast::<c_void>();
        GetTokenInformation(token.0, TokenElevation, buffer, size::<TOKEN_ELEVATION>(), &raw mut length)
    };
    succeeded(got)?;
    Ok(elevation.TokenIsElevated != 0)
}

/// The SID of the account that this process runs as, as text.
pub fn current_sid() -> io::Result<String> {
    let user = Token::of_this_process()?.read(TokenUser)?;
    // SAFETY: Windows filled the buffer with this structure, whose SID points into the same buffer; it is aligned for it.
    let sid = unsafe { (*user.as_ptr().cast::<TOKEN_USER>()).User.Sid };
    let mut text = Local(ptr::null_mut());
    // SAFETY: the SID is valid for as long as `user` lives; the text is freed by its owner.
    succeeded(unsafe { ConvertSidToStringSidW(sid, (&raw mut text.0).cast()) })?;
    Ok(text.to_text())
}

/// The account that is let in beside SYSTEM and the administrators: the running one, where it is neither.
fn own_account() -> io::Result<Option<String>> {
    if is_elevated()? { Ok(None) } else { current_sid().map(Some) }
}

/// The running account as it stands in a descriptor's text: some accounts have a short name there.
fn current_account() -> io::Result<String> {
    let text = Local::descriptor(&format!("O:{}", current_sid()?))?.to_descriptor_text(OWNER_SECURITY_INFORMATION)?;
    Ok(text.trim_start_matches("O:").to_owned())
}

fn descriptor_of(path: &Path) -> io::Result<String> {
    let path = wide(path)?;
    let mut descriptor = Local(ptr::null_mut());
    let none = ptr::null_mut();
    // SAFETY: the path ends with a zero; of the results only the descriptor is asked for, and its owner frees it.
    let error = unsafe {
        let list = ptr::null_mut();
        GetNamedSecurityInfoW(path.as_ptr(), SE_FILE_OBJECT, READ, none, none, list, list, &raw mut descriptor.0)
    };
    of_code(error)?;
    descriptor.to_descriptor_text(READ)
}

/// Something that Windows allocated and that is given back with `LocalFree`.
struct Local(*mut c_void);

impl Local {
    fn descriptor(text: &str) -> io::Result<Self> {
        let text: Vec<u16> = text.encode_utf16().chain([0]).collect();
        let mut descriptor = Self(ptr::null_mut());
        // SAFETY: the text ends with a zero; the descriptor is freed by its owner.
        succeeded(unsafe {
            let out = (&raw mut descriptor.0).cast::<PSECURITY_DESCRIPTOR>();
            ConvertStringSecurityDescriptorToSecurityDescriptorW(text.as_ptr(), SDDL_REVISION_1, out, ptr::null_mut())
        })?;
        Ok(descriptor)
    }

    /// The access list inside of this descriptor.
    fn access_list(&self) -> io::Result<*const ACL> {
        let (mut present, mut defaulted, mut list) = (0, 0, ptr::null_mut());
        // SAFETY: only called for descriptors, and the list points into this one.
        succeeded(unsafe { GetSecurityDescriptorDacl(self.0, &raw mut present, &raw mut list, &raw mut defaulted) })?;
        if present == 0 || list.is_null() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(list) }
    }

    fn to_descriptor_text(&self, which: u32) -> io::Result<String> {
        let mut text = Self(ptr::null_mut());
        // SAFETY: only called for descriptors; the text is freed by its owner.
        succeeded(unsafe {
            let out = (&raw mut text.0).cast();
            let none = ptr::null_mut();
            ConvertSecurityDescriptorToStringSecurityDescriptorW(self.0, SDDL_REVISION_1, which, out, none)
        })?;
        Ok(text.to_text())
    }

    /// The text up to its zero; only called for texts.
    fn to_text(&self) -> String {
        let start = self.0.cast::<u16>().cast_const();
        // SAFETY: Windows wrote a text that ends with a zero, and it is not written to any more.
        let units = unsafe {
            let length = (0..).take_while(|at| *start.add(*at) != 0).count();
            std::slice::from_raw_parts(start, length)
        };
        String::from_utf16_lossy(units)
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // SAFETY: it came from a call that allocates with LocalAlloc, or is null, which is allowed.
        unsafe { LocalFree(self.0) };
    }
}

/// The token of this process.
struct Token(HANDLE);

impl Token {
    fn of_this_process() -> io::Result<Self> {
        let mut token = Self(ptr::null_mut());
        // SAFETY: the handle of the own process needs no closing; the token is closed by its owner.
        succeeded(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token.0) })?;
        Ok(token)
    }

    /// One class of information, in a buffer that is aligned for pointers.
    fn read(&self, class: TOKEN_INFORMATION_CLASS) -> io::Result<Vec<u64>> {
        let mut length = 0;
        // SAFETY: asks for the length only.
        unsafe { GetTokenInformation(self.0, class, ptr::null_mut(), 0, &raw mut length) };
        let mut buffer = vec![0_u64; (length as usize).div_ceil(size_of::<u64>())];
        // SAFETY: the buffer has at least the length that is given.
        succeeded(unsafe { GetTokenInformation(self.0, class, buffer.as_mut_ptr().cast(), length, &raw mut length) })?;
        if buffer.is_empty() { Err(io::ErrorKind::InvalidData.into()) } else { Ok(buffer) }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: opened by this owner, and closed once.
            unsafe { CloseHandle(self.0) };
        }
    }
}

fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let units: Vec<u16> = path.as_os_str().encode_wide().collect();
    if units.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path with a zero in it"));
    }
    Ok(units.into_iter().chain([0]).collect())
}

fn succeeded(answer: i32) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn of_code(code: u32) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.cast_signed())) }
}

const fn size<T>() -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "structures of a few bytes")]
    let size = size_of::<T>() as u32;
    size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_made_private_is() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("above").join("below");
        create_private_folder(&folder).unwrap();
        assert!(is_private(&folder).unwrap(), "{}", descriptor_of(&folder).unwrap());
        std::fs::write(folder.join("file"), "x").unwrap();
        make_private(&folder).unwrap();
        assert_eq!(create_private_folder(&folder).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_folder_of_our_own_that_is_open_is_made_private() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("open");
        std::fs::create_dir(&folder).unwrap();
        make_private(&folder).unwrap();
        assert!(is_private(&folder).unwrap(), "{}", descriptor_of(&folder).unwrap());
    }

    #[test]
    fn the_running_account_has_a_sid() {
        assert!(current_sid().unwrap().starts_with("S-1-5-"), "{:?}", current_sid());
    }
}
