//! Names of the programs that run on this PC, for whoever has to know whether a browser is open.
#![expect(unsafe_code, reason = "Windows lists processes through its C interface only")]

use std::io;

use windows_sys::Win32::Foundation::{CloseHandle, ERROR_NO_MORE_FILES, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};

/// Processes that are looked at.
const MOST: usize = 20_000;

/// A picture of all processes at one moment.
struct Snapshot(HANDLE);

impl Drop for Snapshot {
    fn drop(&mut self) {
        // SAFETY: the handle was returned open by CreateToolhelp32Snapshot and is closed here alone.
        unsafe { CloseHandle(self.0) };
    }
}

/// File names of the programs that run, such as `msedge.exe`, each once.
///
/// # Errors
/// When Windows does not tell.
pub fn running_programs() -> io::Result<Vec<String>> {
    // SAFETY: takes no pointers.
    let handle = unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) };
    if handle == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    let snapshot = Snapshot(handle);
    #[expect(clippy::cast_possible_truncation, reason = "a structure of some 560 bytes")]
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..PROCESSENTRY32W::default() };
    let mut names = Vec::new();
    // SAFETY: the snapshot is open, and `entry` is a valid structure that says its own size.
    let mut more = unsafe { Process32FirstW(snapshot.0, &raw mut entry) };
    while more != 0 && names.len() < MOST {
        let length = entry.szExeFile.iter().position(|unit| *unit == 0).unwrap_or(entry.szExeFile.len());
        names.push(String::from_utf16_lossy(&entry.szExeFile[..length]));
        // SAFETY: as above.
        more = unsafe { Process32NextW(snapshot.0, &raw mut entry) };
    }
    if more == 0 {
        let error = io::Error::last_os_error();
        if error.raw_os_error() != i32::try_from(ERROR_NO_MORE_FILES).ok() {
            return Err(error);
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_program_is_among_those_that_run() {
        let own = std::env::current_exe().unwrap().file_name().unwrap().to_string_lossy().to_lowercase();
        let names = running_programs().unwrap();
        assert!(names.iter().any(|name| name.to_lowercase() == own), "{own}: {names:?}");
    }
}
