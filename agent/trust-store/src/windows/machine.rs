//! What only a call tells of the machine itself. Everything else stands in the registry.
#![expect(unsafe_code, reason = "these two facts are only reached through C")]

use std::ffi::OsString;
use std::io;
use std::os::windows::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::ptr;

use windows_sys::Win32::Foundation::MAX_PATH;
use windows_sys::Win32::System::SystemInformation::{GlobalMemoryStatusEx, MEMORYSTATUSEX};
use windows_sys::Win32::UI::Shell::{CSIDL_COMMON_APPDATA, SHGFP_TYPE_CURRENT, SHGetFolderPathW};

/// Bytes of memory that Windows can use.
pub fn installed_memory() -> io::Result<u64> {
    #[expect(clippy::cast_possible_truncation, reason = "a structure of 64 bytes")]
    let mut status = MEMORYSTATUSEX { dwLength: size_of::<MEMORYSTATUSEX>() as u32, ..MEMORYSTATUSEX::default() };
    // SAFETY: the structure says its own length, as it must.
    let got = unsafe { GlobalMemoryStatusEx(&raw mut status) };
    if got == 0 { Err(io::Error::last_os_error()) } else { Ok(status.ullTotalPhys) }
}

/// The folder for data of programs that serve every user (`C:\ProgramData`), by Windows' own record: an environment
/// variable can be set by whoever starts this process.
pub fn program_data() -> io::Result<PathBuf> {
    let mut path = [0_u16; MAX_PATH as usize];
    let folder = CSIDL_COMMON_APPDATA.cast_signed();
    // SAFETY: the buffer has MAX_PATH units, as this function asks; no window and no token are given.
    let answer = unsafe {
        let kind = SHGFP_TYPE_CURRENT.cast_unsigned();
        SHGetFolderPathW(ptr::null_mut(), folder, ptr::null_mut(), kind, path.as_mut_ptr())
    };
    if answer != 0 {
        return Err(io::Error::other(format!("Windows does not say where program data is: {answer:#x}")));
    }
    let length = path.iter().position(|unit| *unit == 0).unwrap_or(path.len());
    Ok(OsString::from_wide(&path[..length]).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_has_memory_and_a_folder_for_programs() {
        assert!(installed_memory().unwrap() > 64 * 1024 * 1024);
        assert!(program_data().unwrap().is_dir());
    }
}
