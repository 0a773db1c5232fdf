//! Handles with one owner each, and the forms in which Windows takes texts and says what went wrong.
#![expect(unsafe_code, reason = "handles are closed by a C function")]

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE, LocalFree};

/// A handle that is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Handle(HANDLE);

// SAFETY: the kernel objects behind these handles may be used from any thread.
unsafe impl Send for Handle {}

impl Handle {
    /// Takes a handle that a call returned; null and the invalid one are that call's failure.
    pub(super) fn new(handle: HANDLE) -> io::Result<Self> {
        if handle.is_null() || handle == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        Ok(Self(handle))
    }

    /// The handle, for as long as this lives.
    pub(super) const fn raw(&self) -> HANDLE {
        self.0
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: it was open, and has no other owner.
        unsafe { CloseHandle(self.0) };
    }
}

/// Memory that Windows allocated and that is given back with `LocalFree`.
pub(super) struct Local<T>(pub(super) *mut T);

impl<T> Local<T> {
    /// Nothing yet, for a call to fill.
    pub(super) const fn none() -> Self {
        Self(ptr::null_mut())
    }
}

impl<T> Drop for Local<T> {
    fn drop(&mut self) {
        // SAFETY: it came from a call that allocates with LocalAlloc, or is null, which is allowed.
        unsafe { LocalFree(self.0.cast()) };
    }
}

/// The text with a zero behind it.
pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().filter(|unit| *unit != 0).chain([0]).collect()
}

/// The text up to its zero.
pub(super) fn text(units: &[u16]) -> String {
    let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
    String::from_utf16_lossy(&units[..end])
}

/// What most calls answer: 0 is a failure.
pub(super) fn succeeded(answer: i32) -> io::Result<()> {
    if answer == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The size of a structure as Windows wants to be told it.
pub(super) const fn size<T>() -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "structures of a few hundred bytes")]
    let size = size_of::<T>() as u32;
    size
}
