//! Why a command was not carried out, what to do about it, and the exit code that says so.

use std::process::ExitCode;

use inkan_model::locale::Locale;
use serde::Deserialize;

use crate::words::pick;

/// A command's result.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Something on this PC did not work.
    #[error("could not {step}")]
    Local {
        /// What was being done.
        step: String,
        /// Why it failed.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was asked for is not there, or not done; the words say all.
    #[error("{0}")]
    NotDone(String),
    /// There is no token, or it is another server's.
    #[error("not signed in{}", .server.as_ref().map(|server| format!(" at {server}")).unwrap_or_default())]
    NotSignedIn {
        /// The server, where one was named.
        server: Option<String>,
    },
    /// What answers there is not inkan's API.
    #[error("{server} does not answer as inkan does: {why}")]
    Odd {
        /// The server.
        server: String,
        /// What was odd.
        why: String,
    },
    /// The server refused.
    #[error("{}", .0.summary())]
    Refused(Box<Problem>),
    /// The server cannot be reached.
    #[error("could not reach {server}")]
    Unreachable {
        /// The server.
        server: String,
        /// Why not.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What was typed cannot be meant.
    #[error("{0}")]
    Usage(String),
}

/// A refusal of the server (RFC 9457).
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) title: String,
    pub(crate) status: u16,
    pub(crate) detail: String,
    pub(crate) field: Option<String>,
    pub(crate) errors: Vec<LineProblem>,
    pub(crate) request: Option<String>,
}

/// A wrong line of a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct LineProblem {
    pub(crate) line: u64,
    pub(crate) why: String,
}

impl Problem {
    fn name(&self) -> &str {
        self.kind.rsplit(':').next().unwrap_or("")
    }

    fn summary(&self) -> String {
        let Self { title, status, detail, field, .. } = self;
        let title = if title.is_empty() { format!("the server answers {status}") } else { title.clone() };
        match (field, detail.is_empty()) {
            (Some(field), _) => format!("{title}: {field}: {detail}"),
            (None, false) => format!("{title}: {detail}"),
            (None, true) => title,
        }
    }

    /// What to do, where there is something to do.
    fn advice(&self, locale: Locale) -> Option<String> {
        let words = match self.name() {
            "not-signed-in" => pick(locale, "inkan login でサインインしてください。", "Sign in with: inkan login"),
            "wrong-credentials" => pick(
                locale,
                "メールアドレス、パスワード、コードを確かめてください。コードは1回しか使えません。次のコードを待ってください。",
                "Check mail address, password and code. A code counts once: wait for the next one.",
            ),
            "too-many-tries" => pick(locale, "1分待ってからやり直してください。", "Wait a minute and try again."),
            "forbidden" => pick(locale, "管理者に頼んでください。", "Ask an owner to do it."),
            "unavailable" | "idempotency-under-way" => {
                pick(locale, "しばらくしてからやり直してください。", "Try again in a moment.")
            }
            "internal" | "authority" => {
                let number = self.request.as_deref().unwrap_or("-");
                return Some(match locale {
                    Locale::Ja => format!("サーバーの管理者に番号 {number} を伝えてください。"),
                    Locale::En => format!("Tell the server's administrator the number {number}."),
                });
            }
            _ => return None,
        };
        Some(words.to_owned())
    }
}

impl Error {
    pub(crate) fn local(step: impl Into<String>, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Local { step: step.into(), cause: cause.into() }
    }

    /// The exit code, as the help lists them.
    pub(crate) fn exit_code(&self) -> ExitCode {
        ExitCode::from(match self {
            Self::Refused(problem) if problem.status == 401 => 4,
            Self::NotSignedIn { .. } => 4,
            Self::Local { .. } | Self::NotDone(_) | Self::Odd { .. } | Self::Refused(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } => 3,
        })
    }

    /// The error with its causes, then what to do.
    pub(crate) fn explain(&self, locale: Locale) -> String {
        let mut words = format!("inkan: {self}");
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            words = format!("{words}: {error}");
            cause = error.source();
        }
        if let Self::Refused(problem) = self {
            for LineProblem { line, why } in &problem.errors {
                let line = match locale {
                    Locale::Ja => format!("  {line}行目: {why}"),
                    Locale::En => format!("  line {line}: {why}"),
                };
                words = format!("{words}\n{line}");
            }
        }
        match self.advice(locale) {
            Some(advice) => format!("{words}\n{advice}"),
            None => words,
        }
    }

    fn advice(&self, locale: Locale) -> Option<String> {
        let words = match self {
            Self::Refused(problem) => return problem.advice(locale),
            Self::NotSignedIn { .. } => {
                pick(locale, "inkan login でサインインしてください。", "Sign in with: inkan login")
            }
            Self::Unreachable { .. } => pick(
                locale,
                "アドレスとネットワークを確かめてください。社内の認証局を使うサーバーには --ca-file が要ります。",
                "Check the address and the network. A server with a private CA needs --ca-file.",
            ),
            Self::Odd { .. } => {
                pick(locale, "--server のアドレスを確かめてください。", "Check the address given by --server.")
            }
            Self::Local { .. } | Self::NotDone(_) | Self::Usage(_) => return None,
        };
        Some(words.to_owned())
    }
}
