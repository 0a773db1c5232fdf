//! Checks of this PC that a person can run: what is well, what is not, and what to do about it.
//!
//! Every check only reads. Where a check finds what the server would also find, it says so in the words of
//! [`inkan_model::finding`], so that the PC and the dashboard do not contradict each other.

mod certificates;
#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod unix;

use std::sync::Arc;

use inkan_model::Timestamp;
use inkan_model::locale::Bilingual;
use inkan_model::store::{ReadError, ReadErrorKind, Snapshot};
use inkan_trust_store::StoreBackend;
use serde::Serialize;

#[cfg(not(unix))]
use self::portable::access_of;
#[cfg(unix)]
use self::unix::access_of;
use crate::scanner::Scan;
use crate::settings::AgentSettings;

/// No PC's clock can be before this build: 2026-11-01, or what the build was told in `SOURCE_DATE_EPOCH`.
const BUILT_AFTER: Timestamp = Timestamp::from_unix_seconds(1_793_491_200);

/// The checks, in the order in which they are shown.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// The agent's own folder can be written, and by nobody else.
    DataDirectory,
    /// Each Location can be read.
    Locations,
    /// There is a client certificate.
    ClientCertificates,
    /// Each client certificate has its private key.
    PrivateKeys,
    /// No private key can be read by everybody.
    ExposedKeys,
    /// The issuers of each client certificate are on this PC.
    Chains,
    /// No client certificate expires unnoticed.
    Expiry,
    /// The clock is plausible.
    Clock,
    /// The server can be reached.
    Server,
}

/// How a check came out.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Nothing to do.
    Well,
    /// It cannot be told.
    Unknown,
    /// Something to do in the coming weeks.
    Soon,
    /// Something to do today.
    Now,
}

/// One statement of a check.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct CheckResult {
    /// Which check.
    pub name: Check,
    /// How it came out.
    pub status: Status,
    /// What was found.
    pub statement: Bilingual,
    /// What to do, where there is something to do.
    pub remedy: Option<Bilingual>,
}

impl CheckResult {
    fn well(name: Check, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { name, status: Status::Well, statement: Bilingual::new(ja, en), remedy: None }
    }

    fn unwell(name: Check, status: Status, statement: Bilingual, remedy: Bilingual) -> Self {
        Self { name, status, statement, remedy: Some(remedy) }
    }
}

/// What the checks look at.
pub struct Examination<'e> {
    /// The agent's settings.
    pub settings: &'e AgentSettings,
    /// The stores that were scanned.
    pub backends: &'e [Arc<dyn StoreBackend>],
    /// What the scan saw.
    pub scan: &'e Scan,
    /// The PC's clock.
    pub now: Timestamp,
    /// How an attempt to reach the server went, with the reason in words; `None` when none was made.
    pub server: Option<Result<(), String>>,
}

impl Examination<'_> {
    /// Runs every check; each says one thing or more.
    pub fn run(&self) -> Vec<CheckResult> {
        let mut results = vec![self.data_directory()];
        results.extend(self.locations());
        results.extend(certificates::checks(self.scan, self.now));
        results.extend(self.exposed_keys());
        results.extend([clock(self.now, built_after(option_env!("SOURCE_DATE_EPOCH"))), self.server()]);
        results.sort_by_key(|result| result.name);
        results
    }

    fn data_directory(&self) -> CheckResult {
        let path = self.settings.data_dir.display();
        let name = Check::DataDirectory;
        let trouble = |ja: &str, en: &str| {
            CheckResult::unwell(
                name,
                Status::Now,
                Bilingual::new(format!("{path}: {ja}"), format!("{path}: {en}")),
                Bilingual::new(
                    format!(
                        "{path} を、エージェントを動かすユーザーだけが読み書きできるフォルダにしてください (権限 0700)。"
                    ),
                    format!("Make {path} a folder that only the agent’s own user can read and write (mode 0700)."),
                ),
            )
        };
        match access_of(&self.settings.data_dir) {
            Err(error) => trouble(&format!("開けません ({error})。"), &format!("cannot be opened ({error}).")),
            Ok(access) if !access.is_folder => trouble("フォルダではありません。", "is not a folder."),
            Ok(access) if !access.writable => trouble("書き込めません。", "cannot be written."),
            Ok(access) if !access.private => trouble("ほかのユーザーも開けます。", "is open to other users."),
            Ok(_) => {
                CheckResult::well(name, format!("{path} は正しく保護されています。"), format!("{path} is protected."))
            }
        }
    }

    fn locations(&self) -> Vec<CheckResult> {
        let name = Check::Locations;
        let troubled: Vec<_> = self.scan.snapshots.iter().flat_map(trouble_of).collect();
        match (self.scan.snapshots.len(), troubled.is_empty()) {
            (0, _) => vec![CheckResult::unwell(
                name,
                Status::Unknown,
                Bilingual::new("調べる場所がありません。", "There is no place to look at."),
                Bilingual::new(
                    "設定ファイルの directories に証明書のあるフォルダを書いてください。",
                    "Name the folders with certificates under `directories` in the settings file.",
                ),
            )],
            (count, true) => vec![CheckResult::well(
                name,
                format!("{count}か所すべてを読み取れました。"),
                format!("All {count} places could be read."),
            )],
            (_, false) => troubled,
        }
    }

    fn exposed_keys(&self) -> Vec<CheckResult> {
        let name = Check::ExposedKeys;
        let mut results = Vec::new();
        for Snapshot { location, .. } in &self.scan.snapshots {
            for key in self.backends.iter().flat_map(|store| store.exposed_keys(location)) {
                results.push(CheckResult::unwell(
                    name,
                    Status::Now,
                    Bilingual::new(
                        format!("{location} の秘密鍵 {key} は、この端末のだれでも読めます。"),
                        format!("The private key {key} in {location} can be read by everybody on this PC."),
                    ),
                    Bilingual::new(
                        "ファイルの権限を 0600 (使うプログラムのユーザーだけ) にしてください。",
                        "Set the file’s mode to 0600, for the user of the program that needs it.",
                    ),
                ));
            }
        }
        if results.is_empty() {
            let (ja, en) = ("だれでも読める秘密鍵はありません。", "No private key can be read by everybody.");
            results.push(CheckResult::well(name, ja, en));
        }
        results
    }

    fn server(&self) -> CheckResult {
        let name = Check::Server;
        match &self.server {
            Some(Ok(())) => CheckResult::well(name, "サーバーにつながります。", "The server can be reached."),
            Some(Err(why)) => CheckResult::unwell(
                name,
                Status::Soon,
                Bilingual::new(
                    format!("サーバーにつながりません ({why})。"),
                    format!("The server cannot be reached ({why})."),
                ),
                Bilingual::new(
                    "ネットワークとプロキシの設定、サーバーのアドレスを確かめてください。",
                    "Check the network, the proxy settings and the server’s address.",
                ),
            ),
            None => CheckResult {
                name,
                status: Status::Unknown,
                statement: Bilingual::new(
                    "サーバーへの接続は試していません。",
                    "No attempt was made to reach the server.",
                ),
                remedy: None,
            },
        }
    }
}

/// How the whole examination came out: its worst result.
pub fn worst(results: &[CheckResult]) -> Status {
    results.iter().map(|result| result.status).max().unwrap_or(Status::Unknown)
}

/// What kept a Location from being read. Single broken files are the inventory's business.
fn trouble_of(snapshot: &Snapshot) -> Vec<CheckResult> {
    let location = &snapshot.location;
    let trouble = |error: &ReadError| {
        let ReadError { kind, item, detail } = error;
        let what = if item.is_empty() { location.to_string() } else { format!("{location}: {item}") };
        let status = if item.is_empty() { Status::Now } else { Status::Soon };
        let statement = Bilingual::new(
            format!("{what} を読み取れません ({detail})。"),
            format!("{what} cannot be read ({detail})."),
        );
        CheckResult::unwell(Check::Locations, status, statement, remedy_for(*kind))
    };
    snapshot.errors.iter().map(trouble).collect()
}

fn remedy_for(kind: ReadErrorKind) -> Bilingual {
    match kind {
        ReadErrorKind::AccessDenied => {
            Bilingual::new("エージェントのユーザーに読み取りの権限を与えてください。", "Let the agent’s user read it.")
        }
        ReadErrorKind::NotFound => Bilingual::new(
            "フォルダを作るか、設定から外してください。",
            "Make the folder, or take it out of the settings.",
        ),
        ReadErrorKind::TimedOut => Bilingual::new(
            "ネットワークドライブなどが応答しているか確かめてください。",
            "Check that what it is on answers, such as a network drive.",
        ),
        ReadErrorKind::TooLarge => Bilingual::new(
            "証明書と関係のないファイルを別の場所へ移してください。",
            "Move files that are not certificates elsewhere.",
        ),
        ReadErrorKind::PasswordNeeded => Bilingual::new(
            "設定の pkcs12_password_files にパスワードのファイルを加えてください。",
            "Add a file with the password under `pkcs12_password_files` in the settings.",
        ),
        ReadErrorKind::Malformed | ReadErrorKind::Other | ReadErrorKind::Unrecognized(_) => Bilingual::new(
            "ファイルを確かめ、壊れていれば入れ直してください。",
            "Look at the file, and put it there anew if it is broken.",
        ),
    }
}

fn built_after(source_date_epoch: Option<&str>) -> Timestamp {
    let told = source_date_epoch.and_then(|seconds| seconds.parse().ok()).map(Timestamp::from_unix_seconds);
    told.map_or(BUILT_AFTER, |told| told.max(BUILT_AFTER))
}

fn clock(now: Timestamp, built_after: Timestamp) -> CheckResult {
    let name = Check::Clock;
    if now >= built_after {
        return CheckResult::well(name, format!("端末の時計: {now}"), format!("The PC’s clock: {now}"));
    }
    CheckResult::unwell(
        name,
        Status::Now,
        Bilingual::new(
            format!("端末の時計が過去の日時 ({now}) を指しています。"),
            format!("The PC’s clock stands in the past ({now})."),
        ),
        Bilingual::new(
            "端末の日付と時刻を合わせ、自動設定を有効にしてください。",
            "Set the PC’s date and time, and switch automatic time on.",
        ),
    )
}

#[cfg(test)]
mod tests;
