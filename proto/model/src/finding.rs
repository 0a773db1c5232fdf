//! Findings: something wrong with one host, by rule, with a remedy in words. They open and close by themselves.
//!
//! A finding is told apart by its [`Subject`]; how bad it is may change while it stays the same finding (a certificate
//! that expires in 30 days will expire in 15).

use serde::{Deserialize, Serialize};

use crate::digest::Fingerprint;
use crate::locale::Bilingual;
use crate::store::Location;
use crate::time::Timestamp;

/// Days before expiry at which a certificate is worth another look.
pub const EXPIRY_STAGES: [u16; 5] = [90, 60, 30, 15, 7];
/// Days of silence after which a host is worth a look.
pub const SILENCE_STAGES: [u16; 2] = [7, 30];

/// What a finding is about: one rule, and what it was applied to. One host has at most one open finding of each.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", tag = "rule")]
pub enum Subject {
    /// A certificate with its own key or purpose is past its last moment.
    CertificateExpired {
        /// Which certificate.
        certificate: Fingerprint,
        /// Where.
        location: Location,
    },
    /// Such a certificate will be past it soon.
    CertificateExpiring {
        /// Which certificate.
        certificate: Fingerprint,
        /// Where.
        location: Location,
    },
    /// A client certificate's private key is not there.
    KeyMissing {
        /// Which certificate.
        certificate: Fingerprint,
        /// Where.
        location: Location,
    },
    /// No chain of certificates on this PC leads up to a root.
    ChainIncomplete {
        /// Which certificate.
        certificate: Fingerprint,
        /// Where.
        location: Location,
    },
    /// The key is too short or the signature's hash is broken.
    WeakAlgorithm {
        /// Which certificate.
        certificate: Fingerprint,
        /// Where.
        location: Location,
    },
    /// The host has not been heard of.
    HostSilent,
    /// The PC's clock is off.
    ClockWrong,
}

/// The rule alone, for filters and counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// See [`Subject::CertificateExpired`].
    CertificateExpired,
    /// See [`Subject::CertificateExpiring`].
    CertificateExpiring,
    /// See [`Subject::KeyMissing`].
    KeyMissing,
    /// See [`Subject::ChainIncomplete`].
    ChainIncomplete,
    /// See [`Subject::WeakAlgorithm`].
    WeakAlgorithm,
    /// See [`Subject::HostSilent`].
    HostSilent,
    /// See [`Subject::ClockWrong`].
    ClockWrong,
}

impl Rule {
    /// All rules, worst first.
    pub const ALL: [Self; 7] = [
        Self::CertificateExpired,
        Self::CertificateExpiring,
        Self::KeyMissing,
        Self::ChainIncomplete,
        Self::HostSilent,
        Self::ClockWrong,
        Self::WeakAlgorithm,
    ];

    /// The rule as stored, in filters and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CertificateExpired => "certificate_expired",
            Self::CertificateExpiring => "certificate_expiring",
            Self::KeyMissing => "key_missing",
            Self::ChainIncomplete => "chain_incomplete",
            Self::WeakAlgorithm => "weak_algorithm",
            Self::HostSilent => "host_silent",
            Self::ClockWrong => "clock_wrong",
        }
    }

    /// Reads a rule's name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }
}

impl Subject {
    /// The rule that was applied.
    pub const fn rule(&self) -> Rule {
        match self {
            Self::CertificateExpired { .. } => Rule::CertificateExpired,
            Self::CertificateExpiring { .. } => Rule::CertificateExpiring,
            Self::KeyMissing { .. } => Rule::KeyMissing,
            Self::ChainIncomplete { .. } => Rule::ChainIncomplete,
            Self::WeakAlgorithm { .. } => Rule::WeakAlgorithm,
            Self::HostSilent => Rule::HostSilent,
            Self::ClockWrong => Rule::ClockWrong,
        }
    }

    /// The certificate it is about, where it is about one.
    pub const fn certificate(&self) -> Option<Fingerprint> {
        match self {
            Self::CertificateExpired { certificate, .. }
            | Self::CertificateExpiring { certificate, .. }
            | Self::KeyMissing { certificate, .. }
            | Self::ChainIncomplete { certificate, .. }
            | Self::WeakAlgorithm { certificate, .. } => Some(*certificate),
            Self::HostSilent | Self::ClockWrong => None,
        }
    }
}

/// How soon somebody has to act. The order is the order of a worklist.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Today: billing stops, or is about to.
    Now,
    /// In the coming weeks.
    Soon,
    /// Keep an eye on it.
    Watch,
}

impl Urgency {
    /// The urgency as stored and in filters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Soon => "soon",
            Self::Watch => "watch",
        }
    }

    /// Reads an urgency's name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Now, Self::Soon, Self::Watch].into_iter().find(|urgency| urgency.name() == name)
    }
}

/// Something wrong with one host, as a rule sees it at one moment.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Diagnosis {
    /// What it is about.
    pub subject: Subject,
    /// How soon somebody has to act.
    pub urgency: Urgency,
    /// The facts behind it.
    pub detail: Detail,
}

/// The facts behind a diagnosis, from which its words are made.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "detail")]
pub enum Detail {
    /// A certificate's last moment, and the stage (days of [`EXPIRY_STAGES`]) it has reached; stage 0 is expired.
    Expiry {
        /// Name of the certificate.
        name: String,
        /// Its last moment.
        not_after: Timestamp,
        /// Days of the stage.
        stage: u16,
    },
    /// A certificate, by name.
    Certificate {
        /// Name of the certificate.
        name: String,
    },
    /// The chain ends below this issuer.
    MissingIssuer {
        /// Name of the certificate.
        name: String,
        /// Name of the issuer that is missing.
        issuer: String,
    },
    /// What is weak.
    Weak {
        /// Name of the certificate.
        name: String,
        /// The key or hash, such as `RSA 1024` or `SHA-1`.
        what: String,
    },
    /// When the host was last heard of, and the stage (days of [`SILENCE_STAGES`]).
    Silence {
        /// Last sign of life.
        last_seen: Timestamp,
        /// Days of the stage.
        stage: u16,
    },
    /// How far the PC's clock is ahead of the server's, in seconds; negative when it is behind.
    ClockOffset {
        /// Seconds ahead.
        seconds: i64,
    },
}

impl Diagnosis {
    /// What is wrong, in one sentence.
    pub fn statement(&self, now: Timestamp) -> Bilingual {
        match &self.detail {
            Detail::Expiry { name, not_after, .. } => expiry_statement(name, not_after.days_from(now)),
            Detail::Certificate { name } => Bilingual::new(
                format!("{name} の秘密鍵がこの端末にありません。"),
                format!("The private key of {name} is not on this PC."),
            ),
            Detail::MissingIssuer { name, issuer } => Bilingual::new(
                format!("{name} の発行者 {issuer} の証明書がこの端末にありません。"),
                format!("{issuer}, the issuer of {name}, is not on this PC."),
            ),
            Detail::Weak { name, what } => Bilingual::new(
                format!("{name} は弱い方式 ({what}) を使っています。"),
                format!("{name} uses a weak algorithm ({what})."),
            ),
            Detail::Silence { last_seen, .. } => {
                let days = now.days_from(*last_seen);
                Bilingual::new(
                    format!("この端末は{days}日つながっていません。"),
                    format!("This PC has not been heard of for {days} days."),
                )
            }
            Detail::ClockOffset { seconds } => clock_statement(*seconds),
        }
    }

    /// What to do next, in one sentence.
    pub fn remedy(&self) -> Bilingual {
        match self.subject.rule() {
            Rule::CertificateExpired => Bilingual::new(
                "「今すぐ更新」を押すか、発行元に再発行を申し込んでください。",
                "Press “Renew now”, or apply to the issuer for a new certificate.",
            ),
            Rule::CertificateExpiring => Bilingual::new(
                "「今すぐ更新」で更新できます。発行元で手続きが要るものは早めに申し込んでください。",
                "Renew it with “Renew now”; where the issuer wants a form, apply early.",
            ),
            Rule::KeyMissing => Bilingual::new(
                "鍵のある元の端末かバックアップから入れ直すか、再発行してください。",
                "Import it again from the original PC or the backup, or have it issued anew.",
            ),
            Rule::ChainIncomplete => Bilingual::new(
                "発行者の証明書を、ルートは信頼されたルートへ、中間は中間証明機関へ入れてください。",
                "Install the issuer’s certificate: a root among the trusted roots, an intermediate among the intermediates.",
            ),
            Rule::WeakAlgorithm => Bilingual::new(
                "新しい方式 (RSA 2048 以上か P-256、SHA-256) で発行し直してください。",
                "Have it issued anew with a current algorithm (RSA 2048 or more, or P-256, with SHA-256).",
            ),
            Rule::HostSilent => Bilingual::new(
                "電源とネットワークを確かめ、医療機関に電話で様子を聞いてください。",
                "Check power and network, and call the clinic.",
            ),
            Rule::ClockWrong => Bilingual::new(
                "端末の日付と時刻を合わせ、自動設定を有効にしてください。",
                "Set the PC’s date and time, and switch automatic time on.",
            ),
        }
    }
}

fn expiry_statement(name: &str, days: i64) -> Bilingual {
    match days {
        1.. => Bilingual::new(
            format!("{name} の期限まであと{days}日です。"),
            format!("{name} expires in {days} {}.", if days == 1 { "day" } else { "days" }),
        ),
        0 => Bilingual::new(format!("{name} の期限はきょうです。"), format!("{name} expires today.")),
        -1 => Bilingual::new(format!("{name} の期限がきのう切れました。"), format!("{name} expired yesterday.")),
        _ => Bilingual::new(
            format!("{name} の期限が{}日前に切れました。", -days),
            format!("{name} expired {} days ago.", -days),
        ),
    }
}

fn clock_statement(seconds: i64) -> Bilingual {
    let minutes = seconds.unsigned_abs() / 60;
    let (ja, en) = if seconds > 0 { ("進んで", "ahead") } else { ("遅れて", "behind") };
    Bilingual::new(format!("端末の時計が{minutes}分{ja}います。"), format!("The PC’s clock is {minutes} minutes {en}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_said_as_a_clerk_would_say_it() {
        assert_eq!(expiry_statement("A", 12).ja, "A の期限まであと12日です。");
        assert_eq!(expiry_statement("A", 0).en, "A expires today.");
        assert_eq!(expiry_statement("A", -1).ja, "A の期限がきのう切れました。");
        assert_eq!(expiry_statement("A", -9).en, "A expired 9 days ago.");
    }

    #[test]
    fn every_rule_reads_back_from_its_name() {
        for rule in Rule::ALL {
            assert_eq!(Rule::from_name(rule.name()), Some(rule));
        }
    }
}
