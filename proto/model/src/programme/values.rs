//! The values of a programme's file, each checked where it is read.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::limits::{self, InvalidText};

/// A value that does not make sense, and what is expected in its place.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidValue {
    /// Not the name of a programme.
    #[error("`{given}` is not the id of a programme: small letters, digits and `-`, at most 64, are expected")]
    Id {
        /// What stands there.
        given: String,
    },
    /// Not the address of a site.
    #[error("`{given}` is not a site: `https://` with a host name and no path is expected")]
    Site {
        /// What stands there.
        given: String,
    },
    /// A text that is empty, too long or holds control characters.
    #[error("the text {0}")]
    Text(InvalidText),
}

/// What a programme is called in commands and files, such as `common-ca`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ProgrammeId(String);

/// A text to look for, or a host pattern: neither empty nor long.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Pattern(String);

/// A web site: always over TLS.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Site {
    host: String,
    port: u16,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum TlsVersion {
    /// TLS 1.0.
    #[serde(rename = "1.0")]
    Tls10,
    /// TLS 1.1.
    #[serde(rename = "1.1")]
    Tls11,
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// A browser.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Browser {
    /// Google Chrome.
    Chrome,
    /// Chromium.
    Chromium,
    /// Microsoft Edge.
    Edge,
    /// Mozilla Firefox.
    Firefox,
    /// Internet Explorer.
    InternetExplorer,
    /// Safari.
    Safari,
}

impl ProgrammeId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Pattern {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Site {
    /// The host's name or address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl TlsVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 4] = [Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// The number as people write it.
    pub const fn number(self) -> &'static str {
        match self {
            Self::Tls10 => "1.0",
            Self::Tls11 => "1.1",
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }

    /// The opposite of [`Self::number`].
    pub fn from_number(number: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.number() == number)
    }
}

impl Browser {
    /// All browsers.
    pub const ALL: [Self; 6] =
        [Self::Chrome, Self::Chromium, Self::Edge, Self::Firefox, Self::InternetExplorer, Self::Safari];

    /// The browser as its makers call it.
    pub const fn product(self) -> &'static str {
        match self {
            Self::Chrome => "Google Chrome",
            Self::Chromium => "Chromium",
            Self::Edge => "Microsoft Edge",
            Self::Firefox => "Firefox",
            Self::InternetExplorer => "Internet Explorer",
            Self::Safari => "Safari",
        }
    }

    /// The browser in files and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chrome => "chrome",
            Self::Chromium => "chromium",
            Self::Edge => "edge",
            Self::Firefox => "firefox",
            Self::InternetExplorer => "internet_explorer",
            Self::Safari => "safari",
        }
    }

    /// The opposite of [`Self::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|browser| browser.name() == name)
    }
}

impl FromStr for ProgrammeId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if (1..=limits::PROGRAMME_ID).contains(&text.len()) && text.chars().all(fits) && !text.starts_with('-') {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::Id { given: limits::tame_text(text, limits::PROGRAMME_ID) })
        }
    }
}

impl FromStr for Pattern {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        limits::check_name(text, limits::SHORT_TEXT).map_err(InvalidValue::Text)?;
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for Site {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || InvalidValue::Site { given: limits::tame_text(text, limits::SHORT_TEXT) };
        let address = text.strip_prefix("https://").ok_or_else(wrong)?;
        let address = address.strip_suffix('/').unwrap_or(address);
        let (host, port) = match address.split_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?),
            None => (address, 443),
        };
        let label = |label: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            (1..=63).contains(&label.len()) && label.chars().all(fits) && !label.starts_with('-')
        };
        if host.len() > limits::SHORT_TEXT || !host.split('.').all(label) {
            return Err(wrong());
        }
        Ok(Self { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for ProgrammeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.host)?;
        if self.port == 443 { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

macro_rules! as_text {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

as_text!(ProgrammeId, Pattern, Site);

/// A list that is not longer than any real programme's.
pub(super) fn bounded<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let list = Vec::deserialize(deserializer)?;
    if list.len() > limits::PROGRAMME_LIST {
        return Err(D::Error::custom(format_args!("{} values, more than {}", list.len(), limits::PROGRAMME_LIST)));
    }
    Ok(list)
}
