//! Reading a programme's file: TOML, every key known, every value checked, every refusal with file, line and key.

use serde::Deserialize;

use super::values::bounded;
use super::{Programme, ProgrammeChecks, ProgrammeId, Recognise, WantedAnchor};
use crate::limits;
use crate::locale::Bilingual;

/// A programme's file that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidProgramme {
    /// A value is missing, unknown or makes no sense.
    #[error("{file}, line {line}: `{key}`: {why}")]
    Value {
        /// Which file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The key, with the tables that it stands in.
        key: String,
        /// What is wrong, and what was expected.
        why: String,
    },
    /// The file is not TOML.
    #[error("{file}, line {line}: {why}")]
    Syntax {
        /// Which file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What was expected.
        why: String,
    },
    /// The file is larger than any real one.
    #[error("{file} has {length} bytes, more than {}", limits::PROGRAMME_BYTES)]
    TooLarge {
        /// Which file.
        file: String,
        /// Its length.
        length: usize,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    programme: Head,
    #[serde(default)]
    recognise: Option<NotEmpty>,
    #[serde(default, deserialize_with = "bounded")]
    anchors: Vec<WantedAnchor>,
    #[serde(default)]
    checks: ProgrammeChecks,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    id: ProgrammeId,
    names: Names,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    ja: super::Pattern,
    en: super::Pattern,
}

/// Rules by which something can be recognised: without any, every certificate would be the programme's.
#[derive(Deserialize)]
#[serde(try_from = "Recognise")]
struct NotEmpty(Recognise);

impl TryFrom<Recognise> for NotEmpty {
    type Error = &'static str;

    fn try_from(recognise: Recognise) -> Result<Self, Self::Error> {
        if recognise.is_empty() {
            return Err("one of the lists has to name something, else every certificate would fit");
        }
        Ok(Self(recognise))
    }
}

impl Programme {
    /// Reads a programme's file. `file` is only for the words of an error.
    ///
    /// # Errors
    /// Names file, line and key, and says what was expected.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, InvalidProgramme> {
        let name = || file.to_owned();
        if text.len() > limits::PROGRAMME_BYTES {
            return Err(InvalidProgramme::TooLarge { file: name(), length: text.len() });
        }
        let syntax = |error: toml::de::Error| InvalidProgramme::Syntax {
            file: name(),
            line: line_of(text, &error),
            why: tamed(error.message()),
        };
        let document = toml::Deserializer::parse(text).map_err(syntax)?;
        let read = serde_path_to_error::deserialize::<_, File>(document).map_err(|error| {
            let key = error.path().to_string();
            let cause = error.into_inner();
            InvalidProgramme::Value { file: name(), line: line_of(text, &cause), key, why: tamed(cause.message()) }
        })?;
        let File { programme: Head { id, names: Names { ja, en } }, recognise, anchors, checks } = read;
        let names = Bilingual::new(ja.as_str(), en.as_str());
        Ok(Self { id, names, recognise: recognise.map(|NotEmpty(rules)| rules), anchors, checks })
    }
}

/// The line of an error; the first one where it concerns the file as a whole.
fn line_of(text: &str, error: &toml::de::Error) -> usize {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    before.matches('\n').count() + 1
}

fn tamed(why: &str) -> String {
    limits::tame_text(why, limits::LONG_TEXT)
}
