//! `import`: a certificate with its key from a PKCS#12 file into this PC's store, from where the key cannot be taken out.

use std::io::{IsTerminal as _, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use inkan_model::Fingerprint;
use inkan_model::locale::Bilingual;
use inkan_model::store::{Location, Scope, StoreKind};
use inkan_trust_store::KeyedCertificate;
use inkan_trust_store::pkcs12::{self, Pkcs12Error};
use zeroize::Zeroizing;

use super::Failure;
use super::changing::{Bench, Outcome, Told, asker, read_file, tell, tell_settled};
use super::places::{Meant, is_of};
use super::progress::Progress;
use crate::changes::record::Asker;
use crate::settings::AgentSettings;

/// Bytes of a password, wherever it comes from.
const PASSWORD: usize = 1_024;

const EXAMPLES: &str = "\
The password is read from --password-file or --password-stdin, else it is asked for. It is never
taken from the command line, where every user of this PC could see it.

Examples:
  inkan-agent import client.p12
  inkan-agent import client.p12 --machine --password-file pin.txt
  printf %s \"$PIN\" | inkan-agent import client.p12 --password-stdin

The file itself stays: put it away safely, or destroy it, once the certificate works.";

/// Imports a certificate with its key from a PKCS#12 file.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct ImportArgs {
    /// The PKCS#12 file (.p12, .pfx)
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Into the machine's store, in place of the store of whoever runs this command
    #[arg(long)]
    machine: bool,
    /// Into one place, by the path or name that `scan` shows
    #[arg(long, value_name = "PATH", conflicts_with = "machine")]
    location: Option<String>,
    /// Import every certificate of a file that has several with keys
    #[arg(long)]
    all: bool,
    /// File with the password in its first line
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Read the password from stdin
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    #[command(flatten)]
    told: Told,
}

pub(super) fn run(args: &ImportArgs, settings: &AgentSettings, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    run_on(&Bench::new(settings), args, out)
}

pub(super) fn run_on(bench: &Bench<'_>, args: &ImportArgs, out: &mut dyn Write) -> Result<ExitCode, Failure> {
    let asker = asker();
    let location = find_location(bench, args, &asker)?;
    let certificates = open_file(args)?;
    let (mut changes, settled) = bench.open()?;
    tell_settled(&settled);
    let mut outcomes = Vec::new();
    for certificate in &certificates {
        let _progress = Progress::of(format!("importing to {location}"));
        let leaf = certificate.chain.first().map(Vec::as_slice).unwrap_or_default();
        let done = changes.import(&location, certificate, &asker);
        outcomes.push(Outcome::of(&location, Fingerprint::of(leaf), done)?);
    }
    tell(&outcomes, args.told, out)?;
    Ok(if outcomes.iter().all(Outcome::is_well) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn open_file(args: &ImportArgs) -> Result<Vec<KeyedCertificate>, Failure> {
    let bytes = read_file(&args.file, pkcs12::FILE_BYTES)?;
    let password = read_password(args)?;
    let locale = args.told.locale();
    let found = pkcs12::open(&bytes, &password).map_err(|error| Failure::said(&problem(&error), locale))?;
    if found.len() > 1 && !args.all {
        let (count, file) = (found.len(), args.file.display());
        let words = Bilingual::new(
            format!("{file} には鍵つきの証明書が {count} 枚あります。すべて取り込むには --all を付けてください。"),
            format!("{file} holds {count} certificates with keys: add --all to import all"),
        );
        return Err(Failure::usage_in(&words, locale));
    }
    Ok(found)
}

/// What is wrong with the file or the password, which is never a part of the words.
fn problem(error: &Pkcs12Error) -> Bilingual {
    let ja = match error {
        Pkcs12Error::WrongPassword => {
            "パスワードが違うため、PKCS#12 ファイルを開けません。何も変更していません。".to_owned()
        }
        Pkcs12Error::Malformed { why } => format!("PKCS#12 ファイル（.p12、.pfx）として読めません（{why}）。"),
        Pkcs12Error::NoCertificate => "PKCS#12 ファイルに、鍵に対応する証明書がありません。".to_owned(),
        Pkcs12Error::NoKey => {
            "PKCS#12 ファイルに秘密鍵がありません。鍵を含めて書き出した（バックアップした）ファイルを使ってください。"
                .to_owned()
        }
        Pkcs12Error::TooLarge { count, limit, .. } => {
            format!("PKCS#12 ファイルの中身が多すぎます（{count} 個、上限 {limit} 個）。")
        }
        Pkcs12Error::Unsupported { what } => {
            format!("PKCS#12 ファイルの保護方式（{what}）に対応していません。AES-256 と SHA-256 で作り直してください。")
        }
    };
    Bilingual::new(ja, error.to_string())
}

fn read_password(args: &ImportArgs) -> Result<Zeroizing<String>, Failure> {
    let from = |text: Zeroizing<String>| Zeroizing::new(text.lines().next().unwrap_or_default().to_owned());
    match &args.password_file {
        Some(file) => text_of(file).map(from),
        None if args.password_stdin => text_of_stdin().map(from),
        None if std::io::stdin().is_terminal() => {
            let asked = rpassword::prompt_password(format!("Password of {}: ", args.file.display()));
            asked.map(Zeroizing::new).map_err(Failure::failed)
        }
        None => {
            let what = "there is nobody to ask for the password: add --password-file FILE or --password-stdin";
            Err(Failure::usage(what.to_owned()))
        }
    }
}

fn text_of(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let bytes = read_file(file, PASSWORD)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| Failure::usage(format!("{} is not UTF-8", file.display())))?;
    Ok(Zeroizing::new(text.trim_start_matches('\u{feff}').to_owned()))
}

fn text_of_stdin() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(PASSWORD));
    std::io::stdin().take(PASSWORD as u64).read_to_string(&mut text).map_err(Failure::failed)?;
    Ok(text)
}

/// One place: a key that stands in two stores would be one too many.
fn find_location(bench: &Bench<'_>, args: &ImportArgs, asker: &Asker) -> Result<Location, Failure> {
    let known = bench.locations(|store| store.keyed().is_some());
    let found = choose(&known, args.location.as_deref(), args.machine, asker);
    let shown = |locations: &[Location]| -> Vec<String> { locations.iter().map(ToString::to_string).collect() };
    let locale = args.told.locale();
    match (found.as_slice(), &args.location) {
        ([one], _) => Ok(one.clone()),
        ([_, _, ..], _) => Err(Failure::several_places(&shown(&found), locale)),
        ([], Some(path)) if !known.is_empty() => {
            Err(Failure::no_place(&Meant::Path(path.clone()), &shown(&known), locale))
        }
        ([], _) => Err(Failure::usage_in(&no_store(&shown(&known)), locale)),
    }
}

/// There is nowhere to import to.
fn no_store(known: &[String]) -> Bilingual {
    if known.is_empty() {
        return Bilingual::new(
            "このパソコンには、エージェントが鍵つきの証明書（PKCS#12）を取り込める保管場所がありません。\
             お使いのブラウザや業務ソフトの設定から取り込んでください。",
            "There is no store on this PC into which the agent can bring a certificate with its key (PKCS#12). Import it \
             with the settings of the browser or program that uses it.",
        );
    }
    Bilingual::new(
        format!("鍵つきの証明書の取り込み先がありません。--location で指定してください：{}", known.join("、")),
        format!(
            "There is no such store for a certificate with its key: add --location with one of: {}",
            known.join(", ")
        ),
    )
}

fn choose(known: &[Location], path: Option<&str>, machine: bool, asker: &Asker) -> Vec<Location> {
    let Asker::LocalOperator { log_on_name } = asker;
    if let Some(path) = path {
        return Meant::Path(path.to_owned()).among(known, log_on_name);
    }
    let is_personal = |location: &&Location| match location.kind {
        StoreKind::WindowsStore => location.path.eq_ignore_ascii_case("MY"),
        StoreKind::Keychain => true,
        _ => false,
    };
    let is_whose = |location: &&Location| {
        if machine { location.scope == Scope::Machine } else { is_of(&location.scope, log_on_name) }
    };
    known.iter().filter(is_personal).filter(is_whose).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(user: Option<&str>, path: &str) -> Location {
        let scope = user.map_or(Scope::Machine, |name| Scope::User(name.to_owned()));
        Location { kind: StoreKind::WindowsStore, scope, path: path.to_owned() }
    }

    #[test]
    fn a_certificate_goes_into_the_persons_own_store_unless_the_machines_is_asked_for() {
        let known = [store(None, "MY"), store(None, "Root"), store(Some("taro"), "MY"), store(Some(r"C\hanako"), "MY")];
        let hanako = Asker::LocalOperator { log_on_name: r"C\hanako".to_owned() };
        assert_eq!(choose(&known, None, false, &hanako), [known[3].clone()]);
        assert_eq!(choose(&known, None, true, &hanako), [known[0].clone()]);
        assert_eq!(choose(&known, Some("MY"), false, &hanako), [known[0].clone()]);
        assert_eq!(choose(&known, Some("MY (taro)"), false, &hanako), [known[2].clone()]);
    }
}
