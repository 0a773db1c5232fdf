//! A command that did not do what was asked, and the exit code that says what to do.

use std::error::Error;
use std::fmt;
use std::process::ExitCode;

use inkan_model::locale::{Bilingual, Locale};

use super::places::Meant;
use crate::causes::with_causes;
use crate::changes::refusal::Refusal;
use crate::changes::{ChangesError, JournalError};
use crate::data_dir::DataDirError;
use crate::enroll::EnrollError;
use crate::identity::IdentityError;
use crate::session::UplinkError;
use crate::settings::SettingsError;

/// A command that did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    error: anyhow::Error,
}

impl Failure {
    fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self { code, error: error.into() }
    }

    /// 1: the message says what to do.
    pub(super) fn failed(error: impl Error + Send + Sync + 'static) -> Self {
        Self::new(1, error)
    }

    /// 2: the command line says something else than it should.
    pub(super) fn usage(why: String) -> Self {
        Self::new(2, anyhow::Error::msg(why))
    }

    /// 1, as the settings are files more often than flags.
    pub(super) fn settings(error: SettingsError) -> Self {
        Self::failed(error)
    }

    /// 3, where enrolling (again) helps.
    pub(super) fn identity(error: IdentityError) -> Self {
        let code = match &error {
            IdentityError::NotEnrolled
            | IdentityError::OtherMachine
            | IdentityError::Malformed { .. }
            | IdentityError::Key { .. }
            | IdentityError::Locked { .. }
            | IdentityError::KeyMismatch
            | IdentityError::Chain(_) => 3,
            IdentityError::Authority { .. }
            | IdentityError::Enrolled { .. }
            | IdentityError::Io { .. }
            | IdentityError::OtherHost => 1,
        };
        Self::new(code, error)
    }

    /// 6, where another agent is at work.
    pub(super) fn data_dir(error: DataDirError) -> Self {
        let code = if matches!(error, DataDirError::Locked { .. }) { 6 } else { 1 };
        Self::new(code, error)
    }

    /// 6, where another command is changing stores.
    pub(super) fn changes(error: ChangesError) -> Self {
        let code = if matches!(error, ChangesError::Journal(JournalError::Busy)) { 6 } else { 1 };
        Self::new(code, error)
    }

    /// 1, in the words for the person.
    pub(super) fn refused(refusal: &Refusal, locale: Locale) -> Self {
        Self::said(&refusal.words(), locale)
    }

    /// 1, in these words.
    pub(super) fn said(words: &Bilingual, locale: Locale) -> Self {
        Self::new(1, anyhow::Error::msg(words.in_locale(locale).to_owned()))
    }

    /// 2, in the words for the person.
    pub(super) fn usage_in(words: &Bilingual, locale: Locale) -> Self {
        Self::usage(words.in_locale(locale).to_owned())
    }

    /// 2: there is no such store, or more than one; `known` are those that could be meant.
    pub(super) fn no_place(meant: &Meant, known: &[String], locale: Locale) -> Self {
        let (ja, en) = match meant {
            Meant::Path(path) => {
                (format!("保管場所 {path} は見つかりません。"), format!("There is no store {path} on this PC. "))
            }
            Meant::Word(_) => (
                format!("このパソコンに「{meant}」の保管場所はありません。"),
                format!("There is no store of the kind “{meant}” on this PC. "),
            ),
        };
        let known_words = which(known);
        Self::usage_in(&Bilingual::new(ja + &known_words.ja, en + &known_words.en), locale)
    }

    /// 2: more than one store is meant.
    pub(super) fn several_places(found: &[String], locale: Locale) -> Self {
        let Bilingual { ja, en } = which(found);
        let ja = format!("保管場所がひとつに決まりません。{ja}");
        Self::usage_in(&Bilingual::new(ja, format!("More than one store is meant. {en}")), locale)
    }

    /// 4 or 5, where it is the server's side.
    pub(super) fn enrolling(error: EnrollError) -> Self {
        match error {
            EnrollError::Identity(error) => Self::identity(error),
            EnrollError::Uplink { ref cause, .. } => {
                let code = match cause {
                    UplinkError::Refused(_) | UplinkError::Expired(_) | UplinkError::Untrusted(_) => 5,
                    UplinkError::Busy(_) | UplinkError::Connect(_) | UplinkError::Unreachable(_) => 4,
                    UplinkError::Address(_) | UplinkError::Answer(_) | UplinkError::Sign(_) | UplinkError::Tls(_) => 1,
                };
                Self::new(code, error)
            }
            EnrollError::Address(_) | EnrollError::DataDir(_) | EnrollError::Request(_) => Self::failed(error),
        }
    }

    /// Whether enrolling, or the end of an enrolment that is going on, helps.
    pub(super) const fn may_pass_by_enrolling(&self) -> bool {
        matches!(self.code, 3 | 6)
    }

    /// The exit code as a number.
    pub(super) const fn number(&self) -> u8 {
        self.code
    }

    /// The exit code.
    pub fn code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

/// Which stores can be named.
fn which(known: &[String]) -> Bilingual {
    if known.is_empty() {
        return Bilingual::new("変更できる保管場所もありません。", "There is none that can be changed so.");
    }
    Bilingual::new(
        format!("次のどれかを --location で指定してください：{}", known.join("、")),
        format!("Say which one, with --location and one of: {}", known.join(", ")),
    )
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&with_causes(self.error.as_ref()))
    }
}
