//! What this PC trusts, for a probe of a site that is not pinned.

mod limits;
#[cfg(not(windows))]
mod unix;
#[cfg(windows)]
mod windows;

pub(crate) use self::limits::add_limited;
#[cfg(not(windows))]
pub(crate) use self::unix::system_roots;
#[cfg(windows)]
pub(crate) use self::windows::system_roots;
