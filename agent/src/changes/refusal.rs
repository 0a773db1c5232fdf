//! Why a change is not even begun, in words for the person who asked for it.

use std::fmt;

use inkan_model::id::ChangeId;
use inkan_model::locale::{Bilingual, Locale};
use inkan_model::store::Location;
use inkan_model::{Fingerprint, Timestamp};

/// Why a change is not begun. Nothing was touched.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The file is not one with certificates alone.
    File(FileProblem),
    /// The certificate can do no good as an anchor.
    Anchor {
        /// Which certificate.
        certificate: Fingerprint,
        /// What is wrong with it.
        problem: AnchorProblem,
    },
    /// The place, or what stands there, does not allow it.
    Place {
        /// Where.
        location: Location,
        /// What is in the way.
        problem: PlaceProblem,
    },
    /// The agent's own connection depends on this certificate.
    Protected {
        /// Which certificate.
        certificate: Fingerprint,
    },
    /// The journal has no room for another change.
    JournalFull,
    /// An earlier change of the same certificate at the same place is not finished.
    Unfinished {
        /// The earlier change.
        change: ChangeId,
    },
}

/// What is wrong with a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FileProblem {
    /// There is no certificate in it.
    Empty,
    /// It is a PKCS#12 file.
    Pkcs12,
    /// It is a PKCS#7 file.
    Pkcs7,
    /// There is a private key in it.
    PrivateKey,
    /// It is larger than is read.
    TooLarge {
        /// Bytes that are read.
        limit: usize,
    },
    /// There are more certificates in it than are taken.
    TooMany {
        /// Certificates that are taken.
        limit: usize,
    },
    /// It holds something else than certificates that can be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// It is text with two bytes for each letter.
    Utf16,
}

/// What is wrong with a certificate that should become an anchor.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AnchorProblem {
    /// It is over.
    Expired {
        /// Its last moment.
        not_after: Timestamp,
    },
    /// It is somebody's own, and no authority's.
    NoAuthority {
        /// Its subject.
        subject: String,
    },
    /// It has not begun.
    NotYetValid {
        /// Its first moment.
        not_before: Timestamp,
    },
    /// It cannot be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// Its key is too short.
    WeakKey {
        /// Bits of its RSA key.
        bits: u32,
    },
    /// It was signed with a broken hash.
    WeakSignature,
}

/// What is in the way at a place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PlaceProblem {
    /// The certificate is not there.
    NotThere {
        /// Which certificate.
        certificate: Fingerprint,
    },
    /// It cannot be changed.
    ReadOnly {
        /// Why.
        why: String,
    },
    /// There is no such place now, or it has no such changes.
    Unknown,
    /// It cannot be told what stands there now.
    UnknownStanding {
        /// Why.
        why: String,
    },
}

impl Refusal {
    /// Why, and what to do about it.
    pub fn words(&self) -> Bilingual {
        match self {
            Self::File(problem) => problem.words(),
            Self::Anchor { certificate, problem } => problem.words(*certificate),
            Self::Place { location, problem } => problem.words(location),
            Self::Protected { certificate } => Bilingual::new(
                format!("証明書 {} は inkan のサーバーとの接続に必要なので、削除できません。", certificate.short()),
                format!("The connection to the inkan server depends on certificate {}: it stays.", certificate.short()),
            ),
            Self::JournalFull => Bilingual::new(
                "変更の記録がいっぱいです。`inkan-agent changes` で確かめ、ベンダーに連絡してください。",
                "The journal of changes is full: look at `inkan-agent changes`, and ask your vendor.",
            ),
            Self::Unfinished { change } => Bilingual::new(
                format!("同じ証明書の前の変更 {change} が終わっていません。`inkan-agent changes` で確かめてください。"),
                format!(
                    "An earlier change of the same certificate, {change}, is not finished: see `inkan-agent changes`."
                ),
            ),
        }
    }
}

impl FileProblem {
    fn words(&self) -> Bilingual {
        match self {
            Self::Empty => Bilingual::new("ファイルに証明書がありません。", "There is no certificate in the file."),
            Self::Pkcs12 => Bilingual::new(
                "これは PKCS#12 ファイル（鍵つきの証明書）です。`inkan-agent import` で取り込んでください。",
                "This is a PKCS#12 file, which brings a key: use `inkan-agent import`.",
            ),
            Self::PrivateKey => Bilingual::new(
                "このファイルには秘密鍵が入っています。何も変更していません。\
                 鍵が証明書と一緒に出回っているため漏えいしたものとして扱い、発行元に失効と再発行を依頼してください。",
                "There is a private key in this file. Nothing was changed. The key travels with the certificate, so it must \
                 be considered burned: ask whoever issued it to revoke it and to issue another.",
            ),
            Self::TooLarge { limit } => Bilingual::new(
                format!("ファイルが大きすぎます（上限 {limit} バイト）。"),
                format!("The file has more than {limit} bytes."),
            ),
            Self::TooMany { limit } => Bilingual::new(
                format!("ファイルの証明書が多すぎます（上限 {limit} 枚）。"),
                format!("The file has more than {limit} certificates."),
            ),
            Self::Pkcs7 => Bilingual::new(
                "これは PKCS#7 ファイル（.p7b、複数の証明書の束）です。\
                 ダブルクリックで開き、必要な証明書を 1 枚ずつ .cer に書き出してから追加してください。",
                "This is a PKCS#7 file (.p7b, a bundle): open it, export each certificate that is needed as .cer, and add \
                 these.",
            ),
            Self::Unreadable { why } => Bilingual::new(
                format!(
                    "証明書のファイルとして読めません。証明書（.cer、.crt、.pem）を指定したか、ファイルが壊れていないかを\
                     確かめてください（{why}）。"
                ),
                format!(
                    "The file does not hold certificates that can be read (.cer, .crt, .pem), or is damaged: {why}"
                ),
            ),
            Self::Utf16 => Bilingual::new(
                "ファイルが Unicode（UTF-16）で保存されています。メモ帳で開き、文字コードを UTF-8 か ANSI にして保存し直してください。",
                "The file is saved as Unicode (UTF-16): open it in an editor and save it as UTF-8 or ANSI.",
            ),
        }
    }
}

impl AnchorProblem {
    fn words(&self, certificate: Fingerprint) -> Bilingual {
        let certificate = certificate.short();
        match self {
            Self::Expired { not_after } => Bilingual::new(
                format!("証明書 {certificate} は {not_after} に期限が切れています。"),
                format!("Certificate {certificate} expired at {not_after}."),
            ),
            Self::NoAuthority { subject } => Bilingual::new(
                format!(
                    "証明書 {certificate}（{subject}）は認証局の証明書でも自己署名のサーバー証明書でもないので、\
                     信頼の起点にできません。"
                ),
                format!(
                    "Certificate {certificate} ({subject}) is neither an authority’s nor a server’s own self-signed one, \
                     so it cannot be an anchor."
                ),
            ),
            Self::NotYetValid { not_before } => Bilingual::new(
                format!(
                    "証明書 {certificate} は {not_before} まで有効になりません。パソコンの時計も確かめてください。"
                ),
                format!("Certificate {certificate} is not valid before {not_before}. Look at this PC’s clock, too."),
            ),
            Self::Unreadable { why } => Bilingual::new(
                format!("証明書 {certificate} を読めません：{why}"),
                format!("Certificate {certificate} cannot be read: {why}"),
            ),
            Self::WeakKey { bits } => Bilingual::new(
                format!("証明書 {certificate} の RSA 鍵は {bits} ビットしかありません（2048 ビット以上が必要）。"),
                format!("The RSA key of certificate {certificate} has {bits} bits only; 2048 are needed."),
            ),
            Self::WeakSignature => Bilingual::new(
                format!("証明書 {certificate} の署名は SHA-1 または MD5 によるもので、偽造できます。"),
                format!("Certificate {certificate} is signed with SHA-1 or MD5, which can be forged."),
            ),
        }
    }
}

impl PlaceProblem {
    fn words(&self, location: &Location) -> Bilingual {
        match self {
            Self::NotThere { certificate } => Bilingual::new(
                format!("証明書 {} は {location} にありません。", certificate.short()),
                format!("Certificate {} is not at {location}.", certificate.short()),
            ),
            Self::ReadOnly { why } => Bilingual::new(
                format!("{location} は変更できません：{why}"),
                format!("{location} cannot be changed: {why}"),
            ),
            Self::Unknown => Bilingual::new(
                format!(
                    "{location} は、いまこのパソコンでこのように変更できる保管場所ではありません\
                     （利用者がログオンしていない場合もあります）。"
                ),
                format!("{location} is no store that can be changed so on this PC now (its user may be logged off)."),
            ),
            Self::UnknownStanding { why } => Bilingual::new(
                format!("{location} にいま何があるか分からないため、変更しません：{why}"),
                format!("It cannot be told what stands at {location} now, so nothing was changed: {why}"),
            ),
        }
    }
}

/// In English, for logs and error chains.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().in_locale(Locale::En))
    }
}

impl std::error::Error for Refusal {}

impl From<FileProblem> for Refusal {
    fn from(problem: FileProblem) -> Self {
        Self::File(problem)
    }
}
