//! Reads the built Windows agents as their loader does, and refuses whatever a Windows 7 does not have: there a program
//! with one import too many does not start at all, and says so to nobody but the person at the screen.
//!
//! `INKAN_WINDOWS_AGENT` and `INKAN_WINDOWS_AGENT_32` name the programs that `deploy/windows/build` built.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

mod newer;
mod program;

use std::collections::BTreeSet;
use std::io::Write as _;

use crate::newer::{LIBRARIES, NEWER};
use crate::program::{Import, Program};

/// Windows 7 in the words of a program's header.
const WINDOWS_7: (u16, u16) = (6, 1);

/// The program that a variable names; without one there is nothing to look at, which is said, and where CI=true refused.
fn program(variable: &str) -> Option<Program> {
    let Some(path) = std::env::var_os(variable) else {
        let words = format!("{variable} names no program: build it with deploy/windows/build");
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{words}");
        // Not by a macro, whose words the test harness keeps to itself when a test ends well.
        let _ = writeln!(std::io::stderr(), "SKIPPED: {words}");
        return None;
    };
    Some(Program::read(path.as_ref()))
}

/// Everything that keeps a Windows 7 from starting it.
fn complaints(program: &Program) -> Vec<String> {
    let mut complaints = Vec::new();
    if program.wants > WINDOWS_7 {
        complaints.push(format!("its header asks for Windows {}.{}", program.wants.0, program.wants.1));
    }
    let libraries: BTreeSet<_> = program.imports.iter().map(|import| import.library.as_str()).collect();
    for library in libraries {
        if !LIBRARIES.iter().any(|(known, _)| *known == library) {
            complaints.push(format!("{library} is not on the list of libraries that every Windows 7 has"));
        }
    }
    for Import { library, function } in &program.imports {
        let newer = NEWER.iter().find(|(name, _)| {
            *name == function || name.strip_suffix('*').is_some_and(|start| function.starts_with(start))
        });
        if let Some((_, since)) = newer {
            complaints.push(format!("{library}: {function} ({since})"));
        }
    }
    complaints
}

#[test]
fn the_64_bit_agent_starts_on_windows_7() {
    let Some(program) = program("INKAN_WINDOWS_AGENT") else { return };
    assert!(program.is_64_bit, "this is the 32-bit one");
    assert_eq!(complaints(&program), Vec::<String>::new());
    assert!(program.is_hardened, "its header lacks NX or ASLR");
    assert!(program.imports.len() > 50, "the import table was not read: {:?}", program.imports);
}

#[test]
fn the_32_bit_agent_starts_on_windows_7() {
    let Some(program) = program("INKAN_WINDOWS_AGENT_32") else { return };
    assert!(!program.is_64_bit, "this is the 64-bit one");
    assert_eq!(complaints(&program), Vec::<String>::new());
    assert!(program.is_hardened, "its header lacks NX or ASLR");
    assert!(program.imports.len() > 50, "the import table was not read: {:?}", program.imports);
}

#[test]
fn what_is_too_new_is_complained_about() {
    let import = |library: &str, function: &str| Import { library: library.to_owned(), function: function.to_owned() };
    let imports = vec![
        import("kernel32.dll", "CreateFileW"),
        import("kernel32.dll", "GetSystemTimePreciseAsFileTime"),
        import("bcryptprimitives.dll", "ProcessPrng"),
        import("api-ms-win-core-synch-l1-2-0.dll", "WaitOnAddress"),
        import("bcrypt.dll", "BCryptHash"),
    ];
    let program = Program { is_64_bit: true, is_hardened: true, wants: (10, 0), imports };
    let found = complaints(&program).join("\n");
    for word in
        ["10.0", "GetSystemTimePreciseAsFileTime", "bcryptprimitives", "api-ms-win", "WaitOnAddress", "BCryptHash"]
    {
        assert!(found.contains(word), "{word}: {found}");
    }
    assert!(!found.contains("CreateFileW"), "{found}");
}
