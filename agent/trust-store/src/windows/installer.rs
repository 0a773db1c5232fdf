//! What a custom action says to Windows Installer, and hears from it.
#![expect(unsafe_code, reason = "the installer is only reached through C")]

use std::io;

use windows_sys::Win32::System::ApplicationInstallationAndServicing::{
    INSTALLMESSAGE_ERROR, MSIHANDLE, MsiCloseHandle, MsiCreateRecord, MsiGetPropertyW, MsiProcessMessage,
    MsiRecordSetStringW, MsiSetPropertyW,
};
use zeroize::Zeroizing;

/// `ERROR_MORE_DATA`, with which the installer says how long a property is.
const MORE: u32 = 234;

/// The installation that an action belongs to. The installer owns the handle.
#[derive(Clone, Copy, Debug)]
pub struct Installation(MSIHANDLE);

impl Installation {
    /// The installation that an action was called with.
    pub const fn of(handle: u32) -> Self {
        Self(handle)
    }

    /// A property's value; all of its places in this process's memory are wiped.
    pub fn property(&self, name: &str) -> io::Result<Zeroizing<String>> {
        let name = wide(name);
        let mut length = 0;
        let mut nothing = [0_u16; 1];
        // SAFETY: the name ends with a zero; a buffer of no length only asks for the length.
        let asked = unsafe { MsiGetPropertyW(self.0, name.as_ptr(), nothing.as_mut_ptr(), &raw mut length) };
        if asked != MORE && asked != 0 {
            return Err(io::Error::from_raw_os_error(asked.cast_signed()));
        }
        // The length is without the zero behind it, and is told back so.
        let mut units = Zeroizing::new(vec![0_u16; length as usize + 1]);
        let mut room = length + 1;
        // SAFETY: the buffer has the length that is given.
        let read = unsafe { MsiGetPropertyW(self.0, name.as_ptr(), units.as_mut_ptr(), &raw mut room) };
        if read != 0 {
            return Err(io::Error::from_raw_os_error(read.cast_signed()));
        }
        let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
        Ok(Zeroizing::new(String::from_utf16_lossy(&units[..end])))
    }

    /// Empties a property, where the installer lets an action do so.
    pub fn forget(&self, name: &str) {
        let (name, nothing) = (wide(name), wide(""));
        // SAFETY: both texts end with zeros and live until after the call. A refusal leaves things as they are.
        unsafe { MsiSetPropertyW(self.0, name.as_ptr(), nothing.as_ptr()) };
    }

    /// Shows an error to whoever installs, and writes it to the installer's log.
    pub fn show_error(&self, words: &str) {
        let (form, words) = (wide("[1]"), wide(words));
        // SAFETY: the record is closed below; both texts end with zeros and live until after the calls. An error that
        // cannot be shown is told by the action's failure.
        unsafe {
            let record = MsiCreateRecord(1);
            MsiRecordSetStringW(record, 0, form.as_ptr());
            MsiRecordSetStringW(record, 1, words.as_ptr());
            MsiProcessMessage(self.0, INSTALLMESSAGE_ERROR, record);
            MsiCloseHandle(record);
        }
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().filter(|unit| *unit != 0).chain([0]).collect()
}
