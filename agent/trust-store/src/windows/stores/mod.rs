//! Every certificate store that Windows itself keeps on this PC: the machine's, and each user's, logged on or not.
//!
//! Read from the registry and from files as Windows writes them ([`super::serialized`]), so that one store's parts are
//! told apart, other users' stores are seen, and nothing asks anybody. Keys are looked for and never used. Changes to the
//! machine's anchors go through CryptoAPI, those to a user's through the registry; see [`crate::AnchorStore`] there.

#[cfg(any(test, windows))]
mod entries;
#[cfg(any(test, windows))]
mod my_files;
#[cfg(any(test, windows))]
mod place;
#[cfg(any(test, windows))]
mod sid;

#[cfg(windows)]
mod accounts;
#[cfg(windows)]
mod anchors;
#[cfg(windows)]
mod backend;
#[cfg(windows)]
mod hive;
#[cfg(windows)]
mod key_probe;
#[cfg(windows)]
mod names;
#[cfg(windows)]
mod people;
#[cfg(windows)]
mod registry;
#[cfg(all(test, windows))]
mod tests;

#[cfg(windows)]
pub(crate) use self::backend::KeyStore;
#[cfg(windows)]
pub use self::backend::WindowsStores;
#[cfg(windows)]
pub(crate) use self::names::name_of;
#[cfg(windows)]
pub(crate) use self::people::People;
