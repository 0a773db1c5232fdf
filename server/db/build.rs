//! Has cargo compile the crate anew when a migration is added, not only when one is changed.

use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().lock().write_all(b"cargo:rerun-if-changed=migrations\n")
}
