//! `doctor`: looks at everything that the server stands on, changes nothing, and says what to do.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use inkan_model::{Clock as _, Timestamp};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::print;
use crate::adapters::SystemClock;
use crate::assemble::{Examination, examine_database, newest_schema_version};
use crate::config::{Config, WebTls};
use crate::deployment::{Deployment, files, lock};
use crate::web::EARLIEST_NOW;

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Verdict {
    Well,
    Warning,
    Failure,
}

/// One thing that was looked at.
struct Finding {
    verdict: Verdict,
    what: &'static str,
    words: String,
}

fn well(what: &'static str, words: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Well, what, words: words.into() }
}

fn warning(what: &'static str, words: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Warning, what, words: words.into() }
}

fn failure(what: &'static str, words: impl Into<String>) -> Finding {
    Finding { verdict: Verdict::Failure, what, words: words.into() }
}

/// Prints what was found; fails when something has to be done before the server can work.
pub(super) async fn run(config: &Config) -> Result<ExitCode> {
    let now = SystemClock.now();
    let mut findings = vec![look_at_clock(now)];
    findings.extend(look_at_permissions(&config.data_dir));
    findings.extend(look_at_deployment(config, now));
    findings.push(look_at_database(&config.database).await);
    findings.extend(look_at_ports(config).await);
    print(&describe(&findings))?;
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Failure);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn describe(findings: &[Finding]) -> String {
    let line = |Finding { verdict, what, words }: &Finding| {
        let word = match verdict {
            Verdict::Well => "ok",
            Verdict::Warning => "warning",
            Verdict::Failure => "FAILURE",
        };
        format!("{word:<8} {what:<12} {words}\n")
    };
    findings.iter().map(line).collect()
}

fn look_at_clock(now: Timestamp) -> Finding {
    if now < EARLIEST_NOW {
        failure("clock", format!("shows {now}, which is in the past: set it, and keep it by NTP"))
    } else {
        well("clock", now.to_string())
    }
}

fn look_at_permissions(data_dir: &Path) -> Vec<Finding> {
    let what = "data_dir";
    if !data_dir.is_dir() {
        return vec![warning(what, format!("{} is not there yet: the server makes it", data_dir.display()))];
    }
    let open = find_open_files(data_dir, 0);
    if open.is_empty() {
        return vec![well(what, format!("{} is the owner's alone", data_dir.display()))];
    }
    let words = |path: &PathBuf| {
        let path = path.display();
        warning(what, format!("others than the owner can get at {path}: chmod go= {path}"))
    };
    open.iter().take(10).map(words).collect()
}

/// Files and folders that others than their owner can use. What stands below one that nobody else can enter is safe.
fn find_open_files(path: &Path, depth: usize) -> Vec<PathBuf> {
    if !is_open(path) || depth > 4 {
        return Vec::new();
    }
    let mut open = vec![path.to_owned()];
    if let Ok(entries) = std::fs::read_dir(path) {
        open.extend(entries.flatten().flat_map(|entry| find_open_files(&entry.path(), depth + 1)));
    }
    open
}

#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::symlink_metadata(path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open(_: &Path) -> bool {
    false
}

fn look_at_deployment(config: &Config, now: Timestamp) -> Vec<Finding> {
    let deployment = match Deployment::open(&config.data_dir) {
        Ok(deployment) => deployment,
        Err(_) if !config.data_dir.join("deployment").exists() => {
            return vec![warning("deployment", "not made yet: the server makes it")];
        }
        Err(cause) => return vec![failure("deployment", format!("{:#}", anyhow::Error::new(cause)))],
    };
    let mut findings = vec![well("deployment", format!("{}, {}", deployment.trust_domain, deployment.pin()))];
    findings.push(judge_end("agent CA", deployment.agent_ca.not_after(), now, 365));
    if let Some(end) = end_of(&deployment.listener_file()) {
        // The server makes a new one with 30 days left; less than that means that it does not run, or cannot.
        findings.push(judge_end("listener TLS", end, now, 25));
    }
    if let WebTls::Files { cert, .. } = &config.web.tls {
        findings.push(match end_of(cert) {
            Some(end) => judge_end("web TLS", end, now, 21),
            None => failure("web TLS", format!("web.tls.cert: {} holds no certificate", cert.display())),
        });
    }
    findings
}

fn end_of(path: &Path) -> Option<Timestamp> {
    let bytes = files::find_private(path).ok()??;
    let leaf = CertificateDer::from_pem_slice(&bytes).ok()?;
    inkan_model::CertificateFacts::read(&leaf).ok().map(|facts| facts.not_after)
}

fn judge_end(what: &'static str, not_after: Timestamp, now: Timestamp, enough: i64) -> Finding {
    let days = not_after.days_from(now);
    let words = format!("ends at {not_after}, in {days} days");
    match days {
        ..0 => failure(what, format!("ended at {not_after}")),
        days if days < enough => warning(what, words),
        _ => well(what, words),
    }
}

async fn look_at_database(path: &Path) -> Finding {
    let what = "database";
    if !path.is_file() {
        return warning(what, format!("{} is not there yet: the server makes it", path.display()));
    }
    let known = newest_schema_version();
    match examine_database(path).await {
        Err(cause) => failure(what, format!("{:#}", anyhow::Error::new(cause))),
        Ok(Examination { damage, .. }) if !damage.is_empty() => {
            failure(what, format!("damaged, restore a backup: {}", damage.join("; ")))
        }
        Ok(Examination { schema, .. }) if schema > known => {
            failure(what, format!("schema {schema} is of a newer release; this one knows {known}"))
        }
        Ok(Examination { schema, .. }) if schema < known => {
            warning(what, format!("schema {schema}; the server brings it to {known} when it starts"))
        }
        Ok(Examination { schema, .. }) => well(what, format!("schema {schema}, no damage")),
    }
}

async fn look_at_ports(config: &Config) -> Vec<Finding> {
    let running = lock::is_locked(&config.data_dir);
    let mut findings = Vec::new();
    for (what, address) in
        [("agents", config.agents.listen), ("enrolment", config.enrolment.listen), ("web", config.web.listen)]
    {
        findings.push(look_at_port(what, address, running).await);
    }
    findings
}

async fn look_at_port(what: &'static str, address: SocketAddr, running: bool) -> Finding {
    match tokio::net::TcpListener::bind(address).await {
        Ok(_) => well(what, format!("{address} is free")),
        Err(cause) if running => well(what, format!("{address} is in use, by the server that runs ({cause})")),
        Err(cause) => failure(what, format!("{what}.listen: cannot listen on {address}: {cause}")),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_others_can_get_at_is_named_unless_they_cannot_get_there() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        std::fs::write(data.join("secret"), "").unwrap();
        let set_mode =
            |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        set_mode(&data.join("secret"), 0o644);
        set_mode(&data, 0o755);
        assert_eq!(find_open_files(&data, 0), [data.clone(), data.join("secret")]);
        set_mode(&data, 0o700);
        assert!(find_open_files(&data, 0).is_empty());
    }

    #[test]
    fn an_end_is_judged_by_the_days_that_are_left() {
        let now = Timestamp::from_unix_seconds(1_790_000_000);
        let judge = |days| judge_end("x", now.plus(time::Duration::days(days)), now, 30).verdict;
        assert_eq!([-1, 3, 31].map(judge), [Verdict::Failure, Verdict::Warning, Verdict::Well]);
    }
}
