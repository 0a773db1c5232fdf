//! What only Windows can do about the people who are logged on: who they are, a process in their name, a pipe that admits
//! nobody else, a few words on their screen.
//!
//! Every handle has one owner here, and everything above is safe code. Nothing here decides who may do what: a pipe is made
//! for the user that it is told, a process is started from the path that it is told, and both come from the service.

mod handle;
mod pipe;
mod process;
mod screen;
mod token;

use std::io;

use windows_sys::Win32::System::RemoteDesktop::{
    WTS_CURRENT_SERVER_HANDLE, WTS_SESSION_INFOW, WTSActive, WTSConnected, WTSDisconnected, WTSEnumerateSessionsW,
    WTSFreeMemory, WTSGetActiveConsoleSessionId,
};

pub use self::pipe::{PipeServer, PipeStream};
pub use self::process::{Child, start};
pub use self::screen::{LanguageOf, is_japanese, show_balloon, show_message};
pub use self::token::{Session, own_account};

/// Says that no session has the console (`WTSGetActiveConsoleSessionId`).
const NO_SESSION: u32 = u32::MAX;
/// The session in which services live and nobody logs on.
const SERVICES: u32 = 0;

/// Everybody who is logged on now. Only LocalSystem may ask.
pub fn sessions() -> io::Result<Vec<Session>> {
    let mut ids = session_ids()?;
    if ids.is_empty() {
        ids.extend(console_session());
    }
    // A session without a user is one where somebody is still to log on.
    Ok(ids.into_iter().filter_map(|id| Session::open(id).ok()).collect())
}

/// Sessions that may have a user.
#[expect(unsafe_code, reason = "sessions are only listed by a C function")]
fn session_ids() -> io::Result<Vec<u32>> {
    let (mut list, mut count) = (std::ptr::null_mut::<WTS_SESSION_INFOW>(), 0);
    // SAFETY: both results are written by the call; the list is freed below, once.
    let listed = unsafe { WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &raw mut list, &raw mut count) };
    if listed == 0 {
        return Err(io::Error::last_os_error());
    }
    let with_users = [WTSActive, WTSConnected, WTSDisconnected];
    let ids = if list.is_null() {
        Vec::new()
    } else {
        // SAFETY: the call wrote so many entries, which live until they are freed.
        let entries = unsafe { std::slice::from_raw_parts(list, count as usize) };
        let may_have_a_user =
            |entry: &&WTS_SESSION_INFOW| entry.SessionId != SERVICES && with_users.contains(&entry.State);
        entries.iter().filter(may_have_a_user).map(|entry| entry.SessionId).collect()
    };
    // SAFETY: allocated by the call above; null is allowed.
    unsafe { WTSFreeMemory(list.cast()) };
    Ok(ids)
}

#[expect(unsafe_code, reason = "the console's session is only told by a C function")]
fn console_session() -> Option<u32> {
    // SAFETY: takes nothing and returns a number.
    let id = unsafe { WTSGetActiveConsoleSessionId() };
    (id != NO_SESSION).then_some(id)
}
