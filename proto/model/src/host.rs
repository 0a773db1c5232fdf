//! One PC, and the facts that its agent tells about it.

use serde::{Deserialize, Serialize};

use crate::digest::FieldHasher;

/// What a host may do. The server decides; an agent's certificate alone gives nothing but the right to report.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HostState {
    /// Reports, and gets directives.
    Active,
    /// May not speak, and may not enrol again with the same key.
    Banned,
    /// Reports; an operator has to approve it before it gets directives.
    ReportOnly,
    /// Taken out of service; its history stays.
    Retired,
    /// Reports; directives are held back because its identity was seen in two places or an operator stopped it.
    Suspended,
}

impl HostState {
    /// Whether reports are taken from a host in this state.
    pub const fn may_report(self) -> bool {
        matches!(self, Self::Active | Self::ReportOnly | Self::Suspended)
    }

    /// Whether a host in this state gets directives.
    pub const fn gets_directives(self) -> bool {
        matches!(self, Self::Active)
    }
}

/// Facts of a PC, as its operating system tells them. Every text is within [`crate::limits::SHORT_TEXT`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct HostFacts {
    /// The PC's name.
    pub host_name: String,
    /// Operating system in words, such as `Debian GNU/Linux 12`.
    pub os: String,
    /// Version or build of the operating system.
    pub os_version: String,
    /// Kernel version.
    pub kernel: String,
    /// Processor architecture, such as `x86_64`.
    pub architecture: String,
    /// Version of the agent.
    pub agent_version: String,
    /// Maker and model, where the operating system tells.
    pub model: Option<String>,
    /// Processor cores.
    pub cores: u32,
    /// Memory in mebibytes.
    pub memory_mib: u64,
    /// Log-on names of its users, sorted.
    pub users: Vec<String>,
    /// IANA name or offset of the time zone.
    pub time_zone: Option<String>,
}

impl HostFacts {
    /// The operating system with its version or build, which some systems' names hold already.
    pub fn os_in_words(&self) -> String {
        if self.os.split(' ').any(|word| word == self.os_version) {
            return self.os.clone();
        }
        format!("{} {}", self.os, self.os_version).trim().to_owned()
    }

    pub(crate) fn feed(&self, hasher: &mut FieldHasher) {
        let Self {
            host_name,
            os,
            os_version,
            kernel,
            architecture,
            agent_version,
            model,
            cores,
            memory_mib,
            users,
            time_zone,
        } = self;
        for text in [host_name, os, os_version, kernel, architecture, agent_version] {
            hasher.field(text.as_bytes());
        }
        hasher.optional(model.as_deref());
        hasher.number(u64::from(*cores));
        hasher.number(*memory_mib);
        hasher.number(users.len() as u64);
        for user in users {
            hasher.field(user.as_bytes());
        }
        hasher.optional(time_zone.as_deref());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_not_said_twice() {
        let os = |os: &str, version: &str| {
            HostFacts { os: os.to_owned(), os_version: version.to_owned(), ..HostFacts::default() }.os_in_words()
        };
        assert_eq!(os("Debian GNU/Linux 12", "12"), "Debian GNU/Linux 12");
        assert_eq!(os("Windows 11 Pro", "22631"), "Windows 11 Pro 22631");
        assert_eq!(os("Linux", ""), "Linux");
    }
}
