//! The kinds of stores that are put to the test.

pub(crate) mod fake;
#[cfg(unix)]
pub(crate) mod java;
#[cfg(target_os = "linux")]
pub(crate) mod linux;
#[cfg(target_os = "linux")]
pub(crate) mod nss;
#[cfg(windows)]
pub(crate) mod windows;

use std::ffi::OsString;

use crate::stage::Instance;

/// Each of them, for another process to find its own.
pub(crate) const ALL: &[&Instance] = &[
    &fake::INSTANCE,
    #[cfg(unix)]
    &java::INSTANCE,
    #[cfg(target_os = "linux")]
    &linux::INSTANCE,
    #[cfg(target_os = "linux")]
    &nss::INSTANCE,
    #[cfg(windows)]
    &windows::INSTANCE,
];

/// What another process has to be told to open the store.
pub(crate) fn environment(instance: &Instance) -> Vec<(&'static str, OsString)> {
    #[cfg(target_os = "linux")]
    if instance.name == nss::INSTANCE.name {
        return vec![(nss::CHILD, nss::child_program().into())];
    }
    let _ = instance;
    Vec::new()
}
