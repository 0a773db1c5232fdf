//! Windows: system stores, the keys behind them, and what only Windows keeps about users and sessions.
//!
//! Parsers of what Windows writes to disk and registry are plain code and are compiled and tested everywhere; calls into
//! Windows are compiled there only.

#[cfg(windows)]
pub mod access;
#[cfg(windows)]
pub mod installer;
mod keys;
#[cfg(windows)]
pub mod machine;
#[cfg(windows)]
pub mod programs;
#[cfg(windows)]
pub mod protect;
#[cfg(all(test, windows))]
mod real_stores;
#[cfg(any(test, windows))]
mod sddl;
pub mod serialized;
#[cfg(windows)]
pub mod session;
mod stores;
#[cfg(windows)]
mod system_store;

#[cfg(windows)]
pub(crate) use self::stores::People;
#[cfg(windows)]
pub use self::stores::WindowsStores;
