//! Operating systems whose identifier is not read yet.

use std::io;

pub(super) const REMEDY: &str = "this operating system is not supported yet";

pub(super) fn machine_id() -> io::Result<String> {
    Err(io::ErrorKind::Unsupported.into())
}
