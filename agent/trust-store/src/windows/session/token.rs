//! Users by their tokens.
#![expect(unsafe_code, reason = "tokens are only read by C functions")]

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::{GetTokenInformation, PSID, TOKEN_QUERY, TOKEN_USER, TokenUser};
use windows_sys::Win32::System::RemoteDesktop::WTSQueryUserToken;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};

use super::handle::{Handle, Local, succeeded, text};
use crate::windows::stores::name_of;

/// Somebody who is logged on, with the token to start processes in that name.
#[derive(Debug)]
pub struct Session {
    id: u32,
    user: String,
    sid: String,
    token: Handle,
}

impl Session {
    /// The session with this number, where somebody is logged on in it.
    pub(super) fn open(id: u32) -> io::Result<Self> {
        let mut token: HANDLE = ptr::null_mut();
        // SAFETY: the token is written by the call and has its owner below.
        succeeded(unsafe { WTSQueryUserToken(id, &raw mut token) })?;
        let token = Handle::new(token)?;
        let sid = Account::of(&token)?.sid()?;
        Ok(Self { id, user: name_of(&sid)?, sid, token })
    }

    /// Its number.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// The user's log-on name: `DOMAIN\name`, or `name` alone for an account of this PC.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The user's security identifier as text.
    pub fn sid(&self) -> &str {
        &self.sid
    }

    pub(super) const fn token(&self) -> &Handle {
        &self.token
    }
}

/// The log-on name of the account that this process runs as.
pub fn own_account() -> io::Result<String> {
    // SAFETY: takes nothing; this handle stands for the own process and needs no closing.
    let account = Account::of_process(unsafe { GetCurrentProcess() })?;
    name_of(&account.sid()?)
}

/// The security identifier of the account that this process, whose handle may be asked, runs as.
pub(super) fn sid_of_process(process: &Handle) -> io::Result<String> {
    Account::of_process(process.raw())?.sid()
}

/// What a token says about its user, in a buffer that is aligned for pointers.
struct Account(Vec<u64>);

impl Account {
    fn of_process(process: HANDLE) -> io::Result<Self> {
        let mut token: HANDLE = ptr::null_mut();
        // SAFETY: the process handle is open; the token is written by the call and has its owner below.
        succeeded(unsafe { OpenProcessToken(process, TOKEN_QUERY, &raw mut token) })?;
        Self::of(&Handle::new(token)?)
    }

    fn of(token: &Handle) -> io::Result<Self> {
        let mut length = 0;
        // SAFETY: asks for the length only.
        unsafe { GetTokenInformation(token.raw(), TokenUser, ptr::null_mut(), 0, &raw mut length) };
        let mut buffer = vec![0_u64; (length as usize).div_ceil(size_of::<u64>())];
        // SAFETY: the buffer has at least the length that is given.
        succeeded(unsafe {
            GetTokenInformation(token.raw(), TokenUser, buffer.as_mut_ptr().cast(), length, &raw mut length)
        })?;
        if buffer.len() * size_of::<u64>() < size_of::<TOKEN_USER>() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        Ok(Self(buffer))
    }

    fn raw_sid(&self) -> PSID {
        // SAFETY: Windows filled the buffer with this structure, and it is long enough and aligned for it.
        unsafe { (*self.0.as_ptr().cast::<TOKEN_USER>()).User.Sid }
    }

    fn sid(&self) -> io::Result<String> {
        let mut found = Local::<u16>::none();
        // SAFETY: the identifier points into the buffer of `self`; the text is freed by its owner.
        succeeded(unsafe { ConvertSidToStringSidW(self.raw_sid(), &raw mut found.0) })?;
        // SAFETY: Windows wrote a text that ends with a zero.
        let units = unsafe {
            let length = (0..).take_while(|at| *found.0.add(*at) != 0).count();
            std::slice::from_raw_parts(found.0, length)
        };
        Ok(text(units))
    }
}
