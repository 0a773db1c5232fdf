//! Facts of this PC, as its operating system tells them.
//!
//! Facts are part of what a quiet agent says by digest alone, so only what stays the same between two scans is one. Each
//! platform has a file of its own; on Windows the registry tells nearly everything, without calls that Windows 7 lacks.

#[cfg(not(windows))]
mod unix;
#[cfg(windows)]
mod windows;

use inkan_model::limits::{self, tame_text};

#[cfg(not(windows))]
pub use self::unix::collect_facts;
#[cfg(windows)]
pub use self::windows::collect_facts;

fn short(text: &str) -> String {
    tame_text(text.trim(), limits::SHORT_TEXT)
}

/// Log-on names as facts take them.
fn people(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = names.into_iter().map(|name| short(&name)).filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    names.truncate(limits::USERS);
    names
}

fn processors() -> u32 {
    let all = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    u32::try_from(all).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use inkan_model::host::HostFacts;

    use super::*;

    #[test]
    fn facts_are_within_limits_and_the_same_when_asked_again() {
        let facts: HostFacts = collect_facts();
        assert_eq!(facts.agent_version, env!("CARGO_PKG_VERSION"));
        assert!(!facts.architecture.is_empty() && !facts.os.is_empty() && facts.cores > 0 && facts.memory_mib > 0);
        assert!(facts.users.is_sorted() && facts.users.len() <= limits::USERS);
        assert_eq!(collect_facts(), facts);
    }

    #[test]
    fn people_are_named_once_and_in_order() {
        let names = ["suzuki", " tanaka ", "", "suzuki"].map(str::to_owned);
        assert_eq!(people(names), ["suzuki", "tanaka"]);
    }
}
