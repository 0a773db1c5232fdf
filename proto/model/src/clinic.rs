//! Medical institutions: their codes, kinds, prefectures and people to call.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{ClinicId, VendorId};
use crate::limits::{self, InvalidText};
use crate::locale::Bilingual;

/// A medical institution in the care of one vendor.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Clinic {
    /// Which one.
    pub id: ClinicId,
    /// Who looks after it.
    pub vendor: VendorId,
    /// What it is.
    pub profile: ClinicProfile,
}

/// What a clinic is, as an operator enters or imports it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ClinicProfile {
    /// 医療機関コード.
    pub code: ClinicCode,
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: ClinicKind,
    /// Where it is.
    pub prefecture: Prefecture,
    /// The person to ask for.
    pub contact: Option<String>,
    /// Telephone number as a person would dial it.
    pub phone: Option<String>,
    /// Mail address.
    pub mail: Option<String>,
}

/// A field of a clinic's profile that was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidClinic {
    /// The code.
    #[error("code: {0}")]
    Code(InvalidClinicCode),
    /// The kind.
    #[error("kind: {0:?} is none of medical (医科), dental (歯科), pharmacy (薬局), nursing (訪問看護)")]
    Kind(String),
    /// The prefecture.
    #[error("prefecture: {0:?} is not a prefecture; 北海道, 石川県 or ishikawa, or a number from 1 to 47 is expected")]
    Prefecture(String),
    /// A text.
    #[error("{field}: {why}")]
    Text {
        /// Which field.
        field: &'static str,
        /// What is wrong with it.
        why: InvalidText,
    },
    /// The mail address.
    #[error("mail: {0:?} is not a mail address")]
    Mail(String),
    /// The telephone number.
    #[error("phone: {0:?} holds something other than digits, +, -, spaces and parentheses")]
    Phone(String),
}

impl ClinicProfile {
    /// Reads a profile from the texts of a form or a line of CSV. Empty contacts count as absent.
    ///
    /// # Errors
    /// Names the first field that is wrong.
    pub fn parse(
        code: &str,
        name: &str,
        kind: &str,
        prefecture: &str,
        contact: &str,
        phone: &str,
        mail: &str,
    ) -> Result<Self, InvalidClinic> {
        let text = |field, why| InvalidClinic::Text { field, why };
        limits::check_name(name, limits::SHORT_TEXT).map_err(|why| text("name", why))?;
        limits::check_text(contact, limits::SHORT_TEXT).map_err(|why| text("contact", why))?;
        Ok(Self {
            code: code.parse().map_err(InvalidClinic::Code)?,
            name: name.trim().to_owned(),
            kind: kind.parse().map_err(|InvalidClinicKind| InvalidClinic::Kind(kind.to_owned()))?,
            prefecture: prefecture
                .parse()
                .map_err(|InvalidPrefecture| InvalidClinic::Prefecture(prefecture.to_owned()))?,
            contact: some_text(contact),
            phone: some_text(phone).map(check_phone).transpose()?,
            mail: some_text(mail).map(check_mail).transpose()?,
        })
    }
}

fn some_text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn check_phone(phone: String) -> Result<String, InvalidClinic> {
    let dialable = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | ' ' | '(' | ')');
    if phone.len() > 32 || !phone.chars().all(dialable) {
        return Err(InvalidClinic::Phone(phone));
    }
    Ok(phone)
}

fn check_mail(mail: String) -> Result<String, InvalidClinic> {
    if is_mail_address(&mail) { Ok(mail) } else { Err(InvalidClinic::Mail(mail)) }
}

/// Whether a text has the rough shape of a mail address: something, one `@`, a domain with a dot or `localhost`.
pub fn is_mail_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let domain_fits =
        domain == "localhost" || (domain.contains('.') && !domain.starts_with('.') && !domain.ends_with('.'));
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_graphic() && c != '@');
    text.len() <= 254 && plain(local) && plain(domain) && domain_fits
}

/// 医療機関コード: ten digits, the first two of which are the prefecture's number.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct ClinicCode(String);

/// A text that should have been a clinic's code and is not.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a 10-digit institution code such as 0110119153")]
pub struct InvalidClinicCode(pub String);

impl ClinicCode {
    /// The ten digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClinicCode {
    type Err = InvalidClinicCode;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self(text.to_owned()));
        }
        Err(InvalidClinicCode(text.chars().take(40).collect()))
    }
}

impl TryFrom<String> for ClinicCode {
    type Error = InvalidClinicCode;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ClinicCode> for String {
    fn from(code: ClinicCode) -> Self {
        code.0
    }
}

impl fmt::Display for ClinicCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The kind of a medical institution.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClinicKind {
    /// 歯科.
    Dental,
    /// 医科.
    Medical,
    /// 訪問看護ステーション.
    Nursing,
    /// 薬局.
    Pharmacy,
}

/// A text that is no kind of clinic.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a kind of medical institution")]
pub struct InvalidClinicKind;

impl ClinicKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Medical, Self::Dental, Self::Pharmacy, Self::Nursing];

    /// The kind as stored and in CSV.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dental => "dental",
            Self::Medical => "medical",
            Self::Nursing => "nursing",
            Self::Pharmacy => "pharmacy",
        }
    }

    /// The kind in words.
    pub fn words(self) -> Bilingual {
        match self {
            Self::Dental => Bilingual::new("歯科", "dental"),
            Self::Medical => Bilingual::new("医科", "medical"),
            Self::Nursing => Bilingual::new("訪問看護", "home nursing"),
            Self::Pharmacy => Bilingual::new("薬局", "pharmacy"),
        }
    }
}

impl FromStr for ClinicKind {
    type Err = InvalidClinicKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "dental" | "歯科" => Ok(Self::Dental),
            "medical" | "医科" => Ok(Self::Medical),
            "nursing" | "訪問看護" => Ok(Self::Nursing),
            "pharmacy" | "薬局" | "調剤" => Ok(Self::Pharmacy),
            _ => Err(InvalidClinicKind),
        }
    }
}

/// One of the 47 prefectures, by its number of JIS X 0401.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Prefecture(u8);

/// A number or text that is no prefecture.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a prefecture")]
pub struct InvalidPrefecture;

/// Name in Japanese, what follows it (都, 道, 府, 県), and name in romaji, in the order of JIS X 0401.
const PREFECTURES: [(&str, &str, &str); 47] = [
    ("北海道", "", "hokkaido"),
    ("青森", "県", "aomori"),
    ("岩手", "県", "iwate"),
    ("宮城", "県", "miyagi"),
    ("秋田", "県", "akita"),
    ("山形", "県", "yamagata"),
    ("福島", "県", "fukushima"),
    ("茨城", "県", "ibaraki"),
    ("栃木", "県", "tochigi"),
    ("群馬", "県", "gunma"),
    ("埼玉", "県", "saitama"),
    ("千葉", "県", "chiba"),
    ("東京", "都", "tokyo"),
    ("神奈川", "県", "kanagawa"),
    ("新潟", "県", "niigata"),
    ("富山", "県", "toyama"),
    ("石川", "県", "ishikawa"),
    ("福井", "県", "fukui"),
    ("山梨", "県", "yamanashi"),
    ("長野", "県", "nagano"),
    ("岐阜", "県", "gifu"),
    ("静岡", "県", "shizuoka"),
    ("愛知", "県", "aichi"),
    ("三重", "県", "mie"),
    ("滋賀", "県", "shiga"),
    ("京都", "府", "kyoto"),
    ("大阪", "府", "osaka"),
    ("兵庫", "県", "hyogo"),
    ("奈良", "県", "nara"),
    ("和歌山", "県", "wakayama"),
    ("鳥取", "県", "tottori"),
    ("島根", "県", "shimane"),
    ("岡山", "県", "okayama"),
    ("広島", "県", "hiroshima"),
    ("山口", "県", "yamaguchi"),
    ("徳島", "県", "tokushima"),
    ("香川", "県", "kagawa"),
    ("愛媛", "県", "ehime"),
    ("高知", "県", "kochi"),
    ("福岡", "県", "fukuoka"),
    ("佐賀", "県", "saga"),
    ("長崎", "県", "nagasaki"),
    ("熊本", "県", "kumamoto"),
    ("大分", "県", "oita"),
    ("宮崎", "県", "miyazaki"),
    ("鹿児島", "県", "kagoshima"),
    ("沖縄", "県", "okinawa"),
];

impl Prefecture {
    /// All of them, from north to south.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=47).map(Self)
    }

    /// Its number, 1 (Hokkaido) to 47 (Okinawa).
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Its short name in Japanese, such as 石川.
    pub fn short_name(self) -> &'static str {
        PREFECTURES[usize::from(self.0 - 1)].0
    }

    /// Its full name in Japanese, such as 石川県.
    pub fn full_name(self) -> String {
        let (name, suffix, _) = PREFECTURES[usize::from(self.0 - 1)];
        format!("{name}{suffix}")
    }

    /// Its name in romaji in lower case, as certificates of the common CA carry it.
    pub fn romaji(self) -> &'static str {
        PREFECTURES[usize::from(self.0 - 1)].2
    }
}

impl TryFrom<u8> for Prefecture {
    type Error = InvalidPrefecture;
    fn try_from(number: u8) -> Result<Self, Self::Error> {
        if (1..=47).contains(&number) { Ok(Self(number)) } else { Err(InvalidPrefecture) }
    }
}

impl From<Prefecture> for u8 {
    fn from(prefecture: Prefecture) -> Self {
        prefecture.0
    }
}

impl FromStr for Prefecture {
    type Err = InvalidPrefecture;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(number) = text.parse::<u8>() {
            return Self::try_from(number);
        }
        let lower = text.to_ascii_lowercase();
        let named = |prefecture: &Self| {
            text == prefecture.short_name() || text == prefecture.full_name() || lower == prefecture.romaji()
        };
        Self::all().find(named).ok_or(InvalidPrefecture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(
        code: &str,
        kind: &str,
        prefecture: &str,
        phone: &str,
        mail: &str,
    ) -> Result<ClinicProfile, InvalidClinic> {
        ClinicProfile::parse(code, "さくら内科クリニック", kind, prefecture, "", phone, mail)
    }

    #[test]
    fn a_profile_is_read_from_japanese_words() {
        let profile = parse("1710119153", "医科", "石川県", "076-000-0000", "").unwrap();
        assert_eq!(profile.prefecture.romaji(), "ishikawa");
        assert_eq!(profile.kind, ClinicKind::Medical);
        assert_eq!(profile.mail, None);
    }

    #[test]
    fn a_wrong_field_is_refused_by_its_name() {
        let said = |result: Result<ClinicProfile, InvalidClinic>| result.unwrap_err().to_string();
        assert!(said(parse("123", "医科", "石川", "", "")).starts_with("code:"));
        assert!(said(parse("1710119153", "hospital", "石川", "", "")).starts_with("kind:"));
        assert!(said(parse("1710119153", "医科", "加賀", "", "")).starts_with("prefecture:"));
        assert!(said(parse("1710119153", "医科", "石川", "call me", "")).starts_with("phone:"));
        assert!(said(parse("1710119153", "医科", "石川", "", "not mail")).starts_with("mail:"));
    }

    #[test]
    fn every_prefecture_reads_back_from_each_of_its_names() {
        for prefecture in Prefecture::all() {
            for name in [prefecture.short_name(), &prefecture.full_name(), prefecture.romaji()] {
                assert_eq!(name.parse(), Ok(prefecture), "{name}");
            }
            assert_eq!(prefecture.number().to_string().parse(), Ok(prefecture));
        }
    }
}
