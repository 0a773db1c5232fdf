//! A process in a user's name.
#![expect(unsafe_code, reason = "processes of other users are only started by C functions")]

use std::ffi::{OsString, c_void};
use std::io;
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::ptr;

use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
use windows_sys::Win32::System::Environment::{CreateEnvironmentBlock, DestroyEnvironmentBlock};
use windows_sys::Win32::System::Threading::{
    CREATE_NO_WINDOW, CREATE_UNICODE_ENVIRONMENT, CreateProcessAsUserW, PROCESS_INFORMATION, PROCESS_NAME_WIN32,
    QueryFullProcessImageNameW, STARTUPINFOW, TerminateProcess, WaitForSingleObject,
};

use super::handle::{Handle, size, succeeded, wide};
use super::token::{Session, sid_of_process};

/// Units of the longest path.
const PATH: usize = 32_768;

/// A process that was started here.
#[derive(Debug)]
pub struct Child {
    id: u32,
    process: Handle,
}

/// Starts a program in this session as its user, with that user's environment and without a window. The arguments are
/// words without spaces and quotes.
pub fn start(session: &Session, program: &Path, arguments: &[&str]) -> io::Result<Child> {
    let is_plain = |word: &&str| !word.is_empty() && !word.contains([' ', '"', '\t', '\0']);
    if !arguments.iter().all(is_plain) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an argument that would have to be quoted"));
    }
    let program: Vec<u16> = program.as_os_str().encode_wide().collect();
    if program.contains(&0) || program.contains(&u16::from(b'"')) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path that cannot be quoted"));
    }
    let quote = u16::from(b'"');
    let words = wide(&arguments.iter().map(|word| format!(" {word}")).collect::<String>());
    let mut command: Vec<u16> =
        [quote].into_iter().chain(program.iter().copied()).chain([quote]).chain(words).collect();
    let program: Vec<u16> = program.into_iter().chain([0]).collect();
    let environment = EnvironmentOf::user(session)?;
    let mut desktop = wide("winsta0\\default");
    let startup = STARTUPINFOW { cb: size::<STARTUPINFOW>(), lpDesktop: desktop.as_mut_ptr(), ..Default::default() };
    let mut started = PROCESS_INFORMATION::default();
    // SAFETY: all texts end with a zero and live until after the call; the command line may be written to; no handle is
    // inherited; both handles of the result have their owners below.
    succeeded(unsafe {
        CreateProcessAsUserW(
            session.token().raw(),
            program.as_ptr(),
            command.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            0,
            CREATE_UNICODE_ENVIRONMENT | CREATE_NO_WINDOW,
            environment.0,
            ptr::null(),
            &raw const startup,
            &raw mut started,
        )
    })?;
    drop(Handle::new(started.hThread));
    Ok(Child { id: started.dwProcessId, process: Handle::new(started.hProcess)? })
}

impl Child {
    /// Its number, which no other process has for as long as this lives.
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        // SAFETY: the handle is open; no time is waited.
        unsafe { WaitForSingleObject(self.process.raw(), 0) == WAIT_OBJECT_0 }
    }

    /// Ends it, or finds it ended.
    pub fn end(&self) {
        // SAFETY: the handle is open. One that has ended refuses, which is as well.
        unsafe { TerminateProcess(self.process.raw(), 1) };
    }

    /// The security identifier of the account that it runs as.
    pub fn sid(&self) -> io::Result<String> {
        sid_of_process(&self.process)
    }

    /// The program that it runs.
    pub fn program(&self) -> io::Result<PathBuf> {
        let mut path = vec![0_u16; PATH];
        let mut length = u32::try_from(path.len()).unwrap_or(0);
        // SAFETY: the handle is open and the buffer has the length that is given.
        succeeded(unsafe {
            QueryFullProcessImageNameW(self.process.raw(), PROCESS_NAME_WIN32, path.as_mut_ptr(), &raw mut length)
        })?;
        path.truncate(length as usize);
        Ok(OsString::from_wide(&path).into())
    }
}

/// A user's environment variables.
struct EnvironmentOf(*mut c_void);

impl EnvironmentOf {
    fn user(session: &Session) -> io::Result<Self> {
        let mut block = ptr::null_mut();
        // SAFETY: the token is open; the block is freed by its owner.
        succeeded(unsafe { CreateEnvironmentBlock(&raw mut block, session.token().raw(), 0) })?;
        Ok(Self(block))
    }
}

impl Drop for EnvironmentOf {
    fn drop(&mut self) {
        // SAFETY: made by the call that this one undoes.
        unsafe { DestroyEnvironmentBlock(self.0) };
    }
}
