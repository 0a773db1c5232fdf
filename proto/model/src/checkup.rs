//! Checkups: what the doctor of a PC looks at, and how it came out.
//!
//! The statements are made on the PC, in both languages, because only there are the facts; whoever shows them does not
//! have to know each check.

use serde::{Deserialize, Serialize};

use crate::id::{CheckupId, HostId, OperatorId, VendorId};
use crate::limits;
use crate::locale::Bilingual;
use crate::programme::Programme;
use crate::time::Timestamp;

macro_rules! checks {
    ($($(#[$doc:meta])* $check:ident = $number:literal, $name:literal, $ja:literal, $en:literal;)*) => {
        /// The checks, in the order in which they are shown.
        #[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Check {
            $($(#[$doc])* $check,)*
            /// A check that this build does not know, by its number on the wire.
            Unrecognized(i32),
        }

        impl Check {
            /// All checks that this build knows, in the order in which they are shown.
            pub const ALL: &'static [Self] = &[$(Self::$check,)*];

            /// Its number on the wire.
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$check => $number,)*
                    Self::Unrecognized(number) => number,
                }
            }

            /// The opposite of [`Self::number`].
            pub const fn from_number(number: i32) -> Self {
                match number {
                    $($number => Self::$check,)*
                    other => Self::Unrecognized(other),
                }
            }

            /// The check in files and in the API.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$check => $name,)*
                    Self::Unrecognized(_) => "unrecognized",
                }
            }

            /// What it looks at, in a word or two.
            pub fn title(self) -> Bilingual {
                match self {
                    $(Self::$check => Bilingual::new($ja, $en),)*
                    Self::Unrecognized(number) => Bilingual::new(format!("検査 {number}"), format!("Check {number}")),
                }
            }
        }
    };
}

checks! {
    /// The agent's own folder can be written, and by nobody else.
    DataDirectory = 1, "data_directory", "エージェントのフォルダ", "Agent’s folder";
    /// Each Location can be read.
    Locations = 2, "locations", "証明書の置き場所", "Stores";
    /// There is a client certificate.
    ClientCertificates = 3, "client_certificates", "クライアント証明書", "Client certificates";
    /// The programme's certificate is there.
    ProgrammeCertificate = 4, "programme_certificate", "システムの証明書", "The system’s certificate";
    /// Each client certificate has its private key.
    PrivateKeys = 5, "private_keys", "秘密鍵", "Private keys";
    /// The programme's certificate can really be used to sign.
    KeyUsable = 6, "key_usable", "秘密鍵での署名", "Signing";
    /// No private key can be read by everybody.
    ExposedKeys = 7, "exposed_keys", "秘密鍵の保護", "Protection of keys";
    /// The issuers of each client certificate are on this PC.
    Chains = 8, "chains", "発行者の証明書", "Issuers";
    /// The programme's anchors are there, and where they belong.
    Anchors = 9, "anchors", "ルート証明書と中間証明書", "Roots and intermediates";
    /// No client certificate expires unnoticed.
    Expiry = 10, "expiry", "期限", "Expiry";
    /// The clock is plausible.
    Clock = 11, "clock", "時計", "Clock";
    /// TLS is switched on, and SSL off.
    TlsVersions = 12, "tls_versions", "TLS のバージョン", "TLS versions";
    /// The programme's hosts do not go through a proxy that keeps them away.
    Proxy = 13, "proxy", "プロキシ", "Proxy";
    /// The programme's sites are in the trusted zone.
    TrustedZone = 14, "trusted_zone", "信頼済みサイト", "Trusted sites";
    /// The programme's sites may open windows.
    PopUps = 15, "pop_ups", "ポップアップ", "Pop-ups";
    /// The programme's sites may keep cookies.
    Cookies = 16, "cookies", "Cookie", "Cookies";
    /// No browser is open that could get in the way.
    OpenBrowsers = 17, "open_browsers", "開いているブラウザ", "Open browsers";
    /// There is a Java runtime where the programme needs one.
    Java = 18, "java", "Java", "Java";
    /// The programme's sites open without a warning.
    Sites = 19, "sites", "サイトへの接続", "Sites";
    /// The server can be reached.
    Server = 20, "server", "サーバーとの接続", "Server";
}

/// How a check came out.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckStatus {
    /// Nothing to do.
    Well,
    /// It cannot be told.
    Unknown,
    /// A status that this build does not know, by its number on the wire.
    Unrecognized(i32),
    /// Something to do in the coming weeks.
    Soon,
    /// Something to do today.
    Now,
}

impl CheckStatus {
    /// Its number on the wire.
    pub const fn number(self) -> i32 {
        match self {
            Self::Well => 1,
            Self::Unknown => 2,
            Self::Soon => 3,
            Self::Now => 4,
            Self::Unrecognized(number) => number,
        }
    }

    /// The opposite of [`Self::number`].
    pub const fn from_number(number: i32) -> Self {
        match number {
            1 => Self::Well,
            2 => Self::Unknown,
            3 => Self::Soon,
            4 => Self::Now,
            other => Self::Unrecognized(other),
        }
    }

    /// The status in files and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Unknown | Self::Unrecognized(_) => "unknown",
            Self::Soon => "soon",
            Self::Now => "now",
        }
    }
}

/// One statement of a check.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CheckResult {
    /// Which check.
    pub name: Check,
    /// How it came out.
    pub status: CheckStatus,
    /// What was found.
    pub statement: Bilingual,
    /// What to do, where there is something to do.
    pub remedy: Option<Bilingual>,
}

impl CheckResult {
    /// A check that found nothing to do.
    pub fn well(name: Check, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { name, status: CheckStatus::Well, statement: Bilingual::new(ja, en), remedy: None }
    }

    /// A check that found something.
    pub fn unwell(name: Check, status: CheckStatus, statement: Bilingual, remedy: Bilingual) -> Self {
        Self { name, status, statement, remedy: Some(remedy) }
    }

    /// A check that could not tell.
    pub fn unknown(name: Check, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { name, status: CheckStatus::Unknown, statement: Bilingual::new(ja, en), remedy: None }
    }
}

/// How a whole checkup came out: its worst result.
pub fn worst(results: &[CheckResult]) -> CheckStatus {
    results.iter().map(|result| result.status).max().unwrap_or(CheckStatus::Unknown)
}

/// What a host's doctor found, as it goes to the server. Comes back until it is acknowledged.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CheckupOutcome {
    /// Which checkup.
    pub checkup: CheckupId,
    /// When the PC was examined, by its own clock.
    pub examined_at: Timestamp,
    /// What was found, in the order in which it is shown.
    pub results: Vec<CheckResult>,
}

/// Brings results within the limits of what travels: the worst are kept, in the order in which they are shown, and texts
/// are cut.
pub fn bounded(mut results: Vec<CheckResult>) -> Vec<CheckResult> {
    if results.len() > limits::CHECK_RESULTS {
        results.sort_by_key(|result| std::cmp::Reverse(result.status));
        results.truncate(limits::CHECK_RESULTS);
        results.sort_by_key(|result| result.name);
    }
    let tame = |text: Bilingual| {
        Bilingual::new(limits::tame_text(&text.ja, limits::CHECK_TEXT), limits::tame_text(&text.en, limits::CHECK_TEXT))
    };
    let tamed = |result: CheckResult| CheckResult {
        statement: tame(result.statement),
        remedy: result.remedy.map(tame),
        ..result
    };
    results.into_iter().map(tamed).collect()
}

/// A checkup as it was asked for, and what came of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checkup {
    /// Which checkup.
    pub id: CheckupId,
    /// The tenant.
    pub vendor: VendorId,
    /// The PC.
    pub host: HostId,
    /// The programme that the PC should be fit for, as it was when it was asked for.
    pub programme: Option<Programme>,
    /// Who asked for it.
    pub requested_by: OperatorId,
    /// When.
    pub requested_at: Timestamp,
    /// What came of it; `None` while the PC has not answered.
    pub finding: Option<CheckupFinding>,
}

/// What came of a checkup.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckupFinding {
    /// When the PC was examined, by its own clock.
    pub examined_at: Timestamp,
    /// When the server learnt of it.
    pub received_at: Timestamp,
    /// What was found, in the order in which it is shown.
    pub results: Vec<CheckResult>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_keep_their_numbers_and_their_names() {
        let numbers: std::collections::BTreeSet<_> = Check::ALL.iter().map(|check| check.number()).collect();
        assert_eq!(numbers.len(), Check::ALL.len());
        for check in Check::ALL {
            assert_eq!(Check::from_number(check.number()), *check);
            assert_eq!(serde_json::to_value(check).unwrap(), check.name());
        }
        assert_eq!(Check::from_number(99), Check::Unrecognized(99));
    }

    #[test]
    fn the_worst_result_counts() {
        let result = |status| CheckResult { status, ..CheckResult::well(Check::Clock, "", "") };
        assert_eq!(worst(&[]), CheckStatus::Unknown);
        let results = [CheckStatus::Unknown, CheckStatus::Now, CheckStatus::Soon].map(result);
        assert_eq!(worst(&results), CheckStatus::Now);
        assert_eq!(worst(&results[..1]), CheckStatus::Unknown);
    }

    #[test]
    fn of_too_many_results_the_worst_are_kept_in_their_order_and_long_texts_are_cut() {
        let well = CheckResult::well(Check::Locations, "長".repeat(1_000), "\n".repeat(1_000));
        let mut results = vec![well; limits::CHECK_RESULTS];
        results.insert(0, CheckResult { status: CheckStatus::Now, ..CheckResult::well(Check::Server, "", "") });
        let kept = bounded(results);
        assert_eq!(kept.len(), limits::CHECK_RESULTS);
        assert_eq!((kept[0].name, kept.last().unwrap().status), (Check::Locations, CheckStatus::Now));
        assert_eq!(kept[0].statement.ja.chars().count(), limits::CHECK_TEXT);
        assert!(!kept[0].statement.en.contains('\n'));
    }
}
