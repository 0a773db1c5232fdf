//! The program `inkan-server`. Everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    inkan_server::cli::main()
}
