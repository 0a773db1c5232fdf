//! The names of accounts, asked of Windows.
#![expect(unsafe_code, reason = "accounts' names are only given by C functions")]

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::ConvertStringSidToSidW;
use windows_sys::Win32::Security::{LookupAccountSidW, PSID};
use windows_sys::Win32::System::SystemInformation::{ComputerNameNetBIOS, GetComputerNameExW};

use super::sid::Sid;

/// Characters of an account's, a domain's or a computer's name, with its end.
const NAME: usize = 260;

/// As [`account_name`], for an identifier as text.
pub(crate) fn name_of(sid: &str) -> io::Result<String> {
    account_name(&Sid::parse(sid).ok_or(io::ErrorKind::InvalidInput)?)
}

/// `DOMAIN\name`, or `name` alone for an account of this PC. May ask a domain controller, so it can take a while.
pub(super) fn account_name(sid: &Sid) -> io::Result<String> {
    let binary = Binary::of(sid)?;
    let (mut name, mut domain) = ([0_u16; NAME], [0_u16; NAME]);
    let (mut name_length, mut domain_length) = (length(&name), length(&domain));
    let mut kind = 0;
    // SAFETY: the identifier is live; both buffers have the lengths that are given.
    let found = unsafe {
        LookupAccountSidW(
            ptr::null(),
            binary.0,
            name.as_mut_ptr(),
            &raw mut name_length,
            domain.as_mut_ptr(),
            &raw mut domain_length,
            &raw mut kind,
        )
    };
    if found == 0 {
        return Err(io::Error::last_os_error());
    }
    let (name, domain) = (text(&name), text(&domain));
    let local = domain.is_empty() || computer_name().is_some_and(|computer| computer.eq_ignore_ascii_case(&domain));
    Ok(if local { name } else { format!("{domain}\\{name}") })
}

fn computer_name() -> Option<String> {
    let mut name = [0_u16; NAME];
    let mut characters = length(&name);
    // SAFETY: the buffer has the length that is given.
    let found = unsafe { GetComputerNameExW(ComputerNameNetBIOS, name.as_mut_ptr(), &raw mut characters) };
    (found != 0).then(|| text(&name))
}

fn length(buffer: &[u16]) -> u32 {
    u32::try_from(buffer.len()).unwrap_or(0)
}

fn text(buffer: &[u16]) -> String {
    let end = buffer.iter().position(|unit| *unit == 0).unwrap_or(buffer.len());
    String::from_utf16_lossy(&buffer[..end])
}

/// A security identifier in Windows' own form.
struct Binary(PSID);

impl Binary {
    fn of(sid: &Sid) -> io::Result<Self> {
        let text: Vec<u16> = sid.as_str().encode_utf16().chain([0]).collect();
        let mut binary: PSID = ptr::null_mut();
        // SAFETY: the text is NUL-terminated UTF-16 that outlives the call.
        let converted = unsafe { ConvertStringSidToSidW(text.as_ptr(), &raw mut binary) };
        if converted == 0 { Err(io::Error::last_os_error()) } else { Ok(Self(binary)) }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // SAFETY: it was allocated by the conversion, which says to free it so.
        unsafe { LocalFree(self.0) };
    }
}
