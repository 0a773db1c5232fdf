//! Checks of this PC that a person can run: what is well, what is not, and what to do about it.
//!
//! Every check is a pure function over an [`Examination`], so that a test on any system can examine any PC; [`pc`] gathers
//! what there is to look at, and only reads. Where a check finds what the server would also find, it says so in the words
//! of [`inkan_model::finding`], so that the PC and the dashboard do not contradict each other. Nothing is repaired here:
//! [`repair`] does that, by name, and takes it back.

mod anchors;
mod browsers;
mod certificates;
mod internet_options;
mod java;
pub mod pc;
pub mod programmes;
pub mod registry;
pub mod repair;
pub(crate) mod signing;
mod sites;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::sync::Arc;

use inkan_model::Timestamp;
pub use inkan_model::checkup::{Check, CheckResult, CheckStatus, worst};
use inkan_model::locale::Bilingual;
use inkan_model::programme::{Programme, ProgrammeChecks};
use inkan_model::store::{ReadError, ReadErrorKind, Snapshot};
use inkan_trust_store::StoreBackend;
use time::Duration;

pub use self::internet_options::{EnvironmentProxy, InternetOptions};
pub use self::signing::{Signing, Tried};
pub use self::sites::{ClientShown, SiteAnswer, SiteProbe};
#[cfg(unix)]
use self::unix::access_of;
#[cfg(windows)]
use self::windows::access_of;
use crate::scanner::Scan;
use crate::settings::AgentSettings;

/// No PC's clock can be before this build: 2026-11-01, or what the build was told in `SOURCE_DATE_EPOCH`.
const BUILT_AFTER: Timestamp = Timestamp::from_unix_seconds(1_793_491_200);
/// How far a PC's clock may be off the server's.
const CLOCK_TOLERANCE: Duration = Duration::minutes(5);

/// What is known of the PC beyond its stores. What a system does not have is `None`, and its checks are left out.
#[derive(Default)]
pub struct PcFacts {
    /// Windows' Internet Options.
    pub internet_options: Option<InternetOptions>,
    /// The proxy of the environment, where there are no Internet Options.
    pub environment_proxy: Option<EnvironmentProxy>,
    /// Names of the programs that run.
    pub programs: Vec<String>,
    /// Java runtimes.
    pub java: Vec<String>,
    /// Keys that were tried.
    pub tried: Vec<Tried>,
    /// Sites that were asked.
    pub probes: Vec<SiteProbe>,
    /// How far the PC's clock was ahead of the server's when they last spoke.
    pub clock_ahead: Option<Duration>,
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
    /// The programme that the PC should be fit for; `None` for the checks that every PC has to pass.
    pub programme: Option<&'e Programme>,
    /// What else is known of the PC.
    pub facts: &'e PcFacts,
}

impl Examination<'_> {
    /// Runs every check; each says one thing or more.
    pub fn run(&self) -> Vec<CheckResult> {
        let clients = certificates::clients_of(self.scan, self.programme);
        let mut results = vec![self.data_directory()];
        results.extend(self.locations());
        results.extend(certificates::checks(self.scan, self.programme, &clients, self.now));
        results.extend(anchors::checks(self.scan, self.programme, &clients));
        results.extend(signing::checks(&clients, &self.facts.tried));
        results.extend(self.exposed_keys());
        let built_after = built_after(option_env!("SOURCE_DATE_EPOCH"));
        results.extend([clock(self.now, built_after, self.facts.clock_ahead), self.server()]);
        results.extend(self.surroundings());
        results.sort_by_key(|result| result.name);
        results
    }

    /// What a browser on this PC meets: options, policies, other windows, the sites themselves.
    fn surroundings(&self) -> Vec<CheckResult> {
        let nothing = ProgrammeChecks::default();
        let needs = self.programme.map_or(&nothing, |programme| &programme.checks);
        let mut results = Vec::new();
        if let Some(options) = &self.facts.internet_options {
            results.extend(options.checks(needs));
        }
        if let Some(proxy) = &self.facts.environment_proxy
            && !(needs.sites.is_empty() && needs.proxy_exceptions.is_empty())
        {
            results.extend(proxy.check(needs));
        }
        if !needs.closed_browsers.is_empty() {
            results.push(browsers::check(&self.facts.programs, &needs.closed_browsers));
        }
        if needs.java {
            results.push(java::check(&self.facts.java));
        }
        results.extend(sites::checks(&self.facts.probes));
        results
    }

    fn data_directory(&self) -> CheckResult {
        let path = self.settings.data_dir.display();
        let name = Check::DataDirectory;
        let trouble = |ja: &str, en: &str| {
            CheckResult::unwell(
                name,
                CheckStatus::Now,
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
                CheckStatus::Unknown,
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
                    CheckStatus::Now,
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
                CheckStatus::Soon,
                Bilingual::new(
                    format!("サーバーにつながりません ({why})。"),
                    format!("The server cannot be reached ({why})."),
                ),
                Bilingual::new(
                    "ネットワークとプロキシの設定、サーバーのアドレスを確かめてください。",
                    "Check the network, the proxy settings and the server’s address.",
                ),
            ),
            None => CheckResult::unknown(
                name,
                "サーバーへの接続は試していません。",
                "No attempt was made to reach the server.",
            ),
        }
    }
}

/// What kept a Location from being read. Single broken files are the inventory's business.
fn trouble_of(snapshot: &Snapshot) -> Vec<CheckResult> {
    let location = &snapshot.location;
    let trouble = |error: &ReadError| {
        let ReadError { kind, item, detail } = error;
        let what = if item.is_empty() { location.to_string() } else { format!("{location}: {item}") };
        let status = if item.is_empty() { CheckStatus::Now } else { CheckStatus::Soon };
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

fn clock(now: Timestamp, built_after: Timestamp, ahead: Option<Duration>) -> CheckResult {
    let name = Check::Clock;
    let off = ahead.filter(|ahead| ahead.abs() > CLOCK_TOLERANCE);
    let statement = match off {
        _ if now < built_after => Bilingual::new(
            format!("端末の時計が過去の日時 ({now}) を指しています。"),
            format!("The PC’s clock stands in the past ({now})."),
        ),
        Some(ahead) => {
            let minutes = ahead.whole_minutes().unsigned_abs();
            let (ja, en) = if ahead.is_positive() { ("進んで", "ahead of") } else { ("遅れて", "behind") };
            Bilingual::new(
                format!("端末の時計がサーバーより{minutes}分{ja}います。"),
                format!("The PC’s clock is {minutes} minutes {en} the server’s."),
            )
        }
        None => return CheckResult::well(name, format!("端末の時計: {now}"), format!("The PC’s clock: {now}")),
    };
    CheckResult::unwell(
        name,
        CheckStatus::Now,
        statement,
        Bilingual::new(
            "端末の日付と時刻を合わせ、自動設定を有効にしてください。",
            "Set the PC’s date and time, and switch automatic time on.",
        ),
    )
}

#[cfg(test)]
mod tests;
