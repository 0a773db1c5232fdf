//! The two languages in which inkan speaks to people.

use serde::{Deserialize, Serialize};

/// A language. Japanese is what a person gets who did not choose.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Locale {
    /// English.
    En,
    /// 日本語.
    #[default]
    Ja,
}

impl Locale {
    /// The tag of RFC 5646, as in `lang="ja"`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ja => "ja",
        }
    }

    /// Reads a tag such as `en`, `en-GB` or `ja-JP`; anything else is `None`.
    pub fn from_tag(tag: &str) -> Option<Self> {
        match tag.split(['-', '_']).next()?.to_ascii_lowercase().as_str() {
            "en" => Some(Self::En),
            "ja" => Some(Self::Ja),
            _ => None,
        }
    }
}

/// One text in both languages; both stand side by side in the code, so neither is forgotten.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Bilingual {
    /// The text in Japanese.
    pub ja: String,
    /// The text in English.
    pub en: String,
}

impl Bilingual {
    /// Pairs the two texts.
    pub fn new(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { ja: ja.into(), en: en.into() }
    }

    /// The text in the language asked for.
    pub fn in_locale(&self, locale: Locale) -> &str {
        match locale {
            Locale::En => &self.en,
            Locale::Ja => &self.ja,
        }
    }
}
