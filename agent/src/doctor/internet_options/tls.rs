//! SSL and TLS versions: what Internet Options switch on, and what Windows' own library allows at all.

use std::io;

use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::locale::Bilingual;
use inkan_model::programme::TlsVersion;

use super::{INTERNET_SETTINGS, InternetOptions, POLICY_SETTINGS, UserOptions, listed};
use crate::doctor::registry::{KeyPath, Reader};

/// The value with one bit for each version.
pub(in crate::doctor) const SECURE_PROTOCOLS: &str = "SecureProtocols";
const SSL_2: u32 = 0x8;
const SSL_3: u32 = 0x20;
/// TLS 1.0, 1.1 and 1.2, which Internet Explorer 11 switches on where nobody chose.
const DEFAULT: u32 = 0xa80;
const SCHANNEL: &str = "SYSTEM\\CurrentControlSet\\Control\\SecurityProviders\\SCHANNEL\\Protocols";

/// SSL and TLS versions that are switched on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SecureProtocols {
    bits: u32,
    /// Whether a policy says so, which a user cannot change.
    pub by_policy: bool,
}

impl Default for SecureProtocols {
    fn default() -> Self {
        Self { bits: DEFAULT, by_policy: false }
    }
}

/// Whether Windows' own library lets clients use one version.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProtocolState {
    /// The version.
    pub version: TlsVersion,
    /// Whether it is switched off for every program.
    pub off: bool,
}

const fn bit(version: TlsVersion) -> u32 {
    match version {
        TlsVersion::Tls10 => 0x80,
        TlsVersion::Tls11 => 0x200,
        TlsVersion::Tls12 => 0x800,
        TlsVersion::Tls13 => 0x2000,
    }
}

/// These versions without SSL, and with TLS 1.2.
pub(in crate::doctor) const fn healthy_protocols(bits: Option<u32>) -> u32 {
    let bits = match bits {
        Some(bits) => bits,
        None => DEFAULT,
    };
    (bits & !(SSL_2 | SSL_3)) | bit(TlsVersion::Tls12)
}

impl SecureProtocols {
    pub(super) fn read(reader: &Reader<'_>, sid: &str) -> io::Result<Self> {
        for policy in [KeyPath::machine(POLICY_SETTINGS), KeyPath::user(sid, POLICY_SETTINGS)] {
            if let Some(bits) = reader.number(&policy, SECURE_PROTOCOLS)? {
                return Ok(Self { bits, by_policy: true });
            }
        }
        let own = reader.number(&KeyPath::user(sid, INTERNET_SETTINGS), SECURE_PROTOCOLS)?;
        Ok(Self { bits: own.unwrap_or(DEFAULT), by_policy: false })
    }

    /// Whether a version is switched on.
    pub const fn has(self, version: TlsVersion) -> bool {
        self.bits & bit(version) != 0
    }

    /// Names of the SSL versions that are switched on.
    fn ssl(self) -> Vec<&'static str> {
        [(SSL_2, "SSL 2.0"), (SSL_3, "SSL 3.0")]
            .into_iter()
            .filter(|(bit, _)| self.bits & bit != 0)
            .map(|(_, name)| name)
            .collect()
    }
}

pub(super) fn read_schannel(reader: &Reader<'_>) -> io::Result<Vec<ProtocolState>> {
    let state = |version: TlsVersion| {
        let key = KeyPath::machine(&format!("{SCHANNEL}\\TLS {}\\Client", version.number()));
        let enabled = reader.number(&key, "Enabled")?;
        let off_by_default = reader.number(&key, "DisabledByDefault")?;
        // Programs that name a version get one that is off by default only; what is not enabled nobody gets.
        let off = enabled == Some(0) || (enabled.is_none() && off_by_default.is_some_and(|off| off != 0));
        Ok(ProtocolState { version, off })
    };
    TlsVersion::ALL.into_iter().map(state).collect()
}

impl InternetOptions {
    pub(super) fn tls_versions(&self, minimum: Option<TlsVersion>) -> Vec<CheckResult> {
        let name = Check::TlsVersions;
        let minimum = minimum.unwrap_or(TlsVersion::Tls12);
        let off_everywhere = |version| self.schannel.iter().any(|state| state.version == version && state.off);
        let mut results: Vec<_> = TlsVersion::ALL
            .into_iter()
            .filter(|version| *version == TlsVersion::Tls12 && off_everywhere(*version))
            .map(off_for_everybody)
            .collect();
        if self.users.is_empty() {
            results.push(self.nobody(name));
            return results;
        }
        for user in &self.users {
            let usable = |version: &TlsVersion| user.protocols.has(*version) && !off_everywhere(*version);
            let on: Vec<_> = TlsVersion::ALL.into_iter().filter(usable).collect();
            if !on.iter().any(|version| *version >= minimum) {
                results.push(user.without_tls(minimum));
            } else if !user.protocols.has(TlsVersion::Tls12) && !user.protocols.has(TlsVersion::Tls13) {
                results.push(user.without_current_tls());
            }
            if !user.protocols.ssl().is_empty() {
                results.push(user.with_ssl());
            }
        }
        if results.is_empty() {
            let ja = "TLS は有効で、SSL 2.0 と 3.0 は無効です。";
            results.push(CheckResult::well(name, ja, "TLS is switched on, and SSL 2.0 and 3.0 are off."));
        }
        results
    }
}

fn off_for_everybody(version: TlsVersion) -> CheckResult {
    let number = version.number();
    CheckResult::unwell(
        Check::TlsVersions,
        CheckStatus::Now,
        Bilingual::new(
            format!("Windows 全体で TLS {number} が無効になっています。"),
            format!("TLS {number} is switched off for the whole of Windows."),
        ),
        Bilingual::new(
            format!("レジストリ HKLM\\{SCHANNEL}\\TLS {number}\\Client の Enabled を 1 にしてください。"),
            format!("Set Enabled to 1 under HKLM\\{SCHANNEL}\\TLS {number}\\Client in the registry."),
        ),
    )
}

impl UserOptions {
    fn tls_remedy(&self) -> Bilingual {
        if self.protocols.by_policy {
            return Bilingual::new(
                "グループポリシーで決められています。ポリシーの管理者に変更を依頼してください。",
                "A group policy says so: ask whoever manages it.",
            );
        }
        Bilingual::new(
            "「インターネットオプション」の「詳細設定」で TLS 1.2 にチェックを入れ、SSL 2.0 と 3.0 のチェックを外してください (inkan-agent repair tls でもできます)。",
            "In Internet Options, Advanced: tick TLS 1.2, and untick SSL 2.0 and 3.0 (or run inkan-agent repair tls).",
        )
    }

    fn without_tls(&self, minimum: TlsVersion) -> CheckResult {
        let (user, number) = (&self.name, minimum.number());
        let statement = Bilingual::new(
            format!("{user} の設定で TLS {number} 以降がすべて無効になっています。"),
            format!("TLS {number} and later are all switched off for {user}."),
        );
        CheckResult::unwell(Check::TlsVersions, CheckStatus::Now, statement, self.tls_remedy())
    }

    fn without_current_tls(&self) -> CheckResult {
        let user = &self.name;
        let statement = Bilingual::new(
            format!("{user} の設定で TLS 1.2 が無効になっています。"),
            format!("TLS 1.2 is switched off for {user}."),
        );
        CheckResult::unwell(Check::TlsVersions, CheckStatus::Soon, statement, self.tls_remedy())
    }

    fn with_ssl(&self) -> CheckResult {
        let (user, versions) = (&self.name, listed(self.protocols.ssl()));
        let statement = Bilingual::new(
            format!("{user} の設定で {versions} が有効になっています。"),
            format!("{versions} is switched on for {user}."),
        );
        CheckResult::unwell(Check::TlsVersions, CheckStatus::Soon, statement, self.tls_remedy())
    }
}
