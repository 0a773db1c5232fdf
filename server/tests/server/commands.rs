//! The program itself: its commands, their answers and exit codes.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use inkan_issuance::private_ca::PrivateCa;
use inkan_model::CertificateFacts;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde_json::Value;
use tempfile::TempDir;

use crate::stage::{DEADLINE, new_key, request_for};

/// A folder in which the program is run.
struct Console(TempDir);

impl Console {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = "[agents]\nlisten = \"127.0.0.1:0\"\n[enrolment]\nlisten = \"127.0.0.1:0\"\n\
                        [web]\nlisten = \"127.0.0.1:0\"\n";
        std::fs::write(folder.path().join("server.toml"), settings).unwrap();
        std::fs::write(folder.path().join("password"), "correct horse battery\n").unwrap();
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inkan-server"));
        command.current_dir(self.path()).env_clear();
        command.args(["--config", "server.toml", "--data-dir", "data"]).args(arguments.split(' '));
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs a command that has to succeed; what it answers.
    fn answer(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that has to fail; what it says.
    fn refusal(&self, arguments: &str) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    fn create_owner(&self) -> Value {
        let answer = self.answer(
            "operator create --vendor Vendor --mail Owner@vendor.example --name Owner --role owner \
             --password-file password --json",
        );
        serde_json::from_str(&answer).unwrap()
    }
}

/// Kills a server that a failing test leaves behind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

#[cfg(unix)]
#[test]
fn the_server_says_where_it_is_and_ends_well_when_told_to() {
    let console = Console::new();
    let mut running = Running(console.command("serve").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let file = console.path().join("data/addresses.json");
    let addresses: Value = wait_until("the addresses", || serde_json::from_slice(&std::fs::read(&file).ok()?).ok());
    assert_eq!(format!("{}\n", addresses["ca_pin"].as_str().unwrap()), console.answer("ca-pin"));
    let web = addresses["web"].as_str().unwrap().strip_prefix("http://").unwrap();
    std::net::TcpStream::connect(web).unwrap();
    assert!(console.refusal("serve").contains("another server runs on data"));
    assert!(console.answer("setup-link").starts_with(&format!("http://{web}/setup/")));
    console.create_owner();
    assert!(console.refusal("setup-link").contains("there is an owner already"));
    assert!(console.answer("doctor").contains("no damage"));

    assert!(Command::new("kill").arg(running.0.id().to_string()).status().unwrap().success());
    let ended = wait_until("the end", || running.0.try_wait().unwrap());
    assert!(ended.success(), "{ended}");
    assert!(!file.exists());
    let mut printed = String::new();
    std::io::Read::read_to_string(running.0.stdout.as_mut().unwrap(), &mut printed).unwrap();
    assert!(printed.contains(&format!("http://{web}/setup/")), "{printed}");
}

#[test]
fn an_owner_made_at_the_console_gets_a_seed_and_each_mail_address_counts_once() {
    let console = Console::new();
    let made = console.create_owner();
    assert_eq!(made["operator"]["mail"], "owner@vendor.example");
    assert_eq!(made["totp_seed"].as_str().unwrap().len(), 32);
    assert!(made["otpauth_uri"].as_str().unwrap().starts_with("otpauth://totp/"));
    let again = "operator create --vendor Vendor --mail owner@vendor.example --name B --role operator \
                 --password-file password";
    assert!(console.refusal(again).contains("could not create the operator"));
}

#[test]
fn the_private_ca_issues_for_the_days_that_were_asked_for() {
    let console = Console::new();
    console.create_owner();
    let csr = pem::encode(&pem::Pem::new("CERTIFICATE REQUEST", request_for(&new_key())));
    std::fs::write(console.path().join("pc.csr"), csr).unwrap();
    console.answer("private-ca issue --vendor Vendor --csr pc.csr --days 20 --out pc.pem");
    let chain: Vec<_> = CertificateDer::pem_file_iter(console.path().join("pc.pem")).unwrap().collect();
    let leaf = CertificateFacts::read(chain[0].as_ref().unwrap()).unwrap();
    assert_eq!(leaf.not_after.since(leaf.not_before).whole_hours(), 20 * 24 + 1);
    let ca =
        CertificateDer::from_pem_slice(console.answer("private-ca certificate --vendor Vendor").as_bytes()).unwrap();
    assert_eq!(&ca, chain[1].as_ref().unwrap());
    assert!(console.refusal("private-ca certificate --vendor Nobody").contains("there is no vendor \"Nobody\""));
}

#[test]
fn a_backup_holds_all_that_a_restored_server_needs() {
    let console = Console::new();
    assert!(console.refusal("backup --to copy").contains("there is nothing to back up"));
    console.create_owner();
    let before = console.answer("private-ca certificate --vendor Vendor");
    let pin = console.answer("ca-pin");
    assert!(console.answer("backup --to copy").contains("To restore"));
    assert!(console.refusal("backup --to copy").contains("is there already"));

    std::fs::remove_dir_all(console.path().join("data")).unwrap();
    std::fs::rename(console.path().join("copy"), console.path().join("data")).unwrap();
    assert!(!console.answer("doctor").contains("FAILURE"));
    assert_eq!(console.answer("ca-pin"), pin);
    assert_eq!(console.answer("private-ca certificate --vendor Vendor"), before);
    let folder = std::fs::read_dir(console.path().join("data/private-ca")).unwrap().next().unwrap().unwrap().path();
    let pem = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    PrivateCa::load(&pem("ca.pem"), &pem("ca.key")).unwrap();
}

#[test]
fn a_wrong_configuration_is_said_with_its_key() {
    let console = Console::new();
    assert!(console.answer("check-config").contains("interval_seconds = 300"));
    let refused = console.refusal("check-config --set sync.interval_seconds=1");
    assert!(refused.contains("sync.interval_seconds: a number from 10 to 86400 is expected"), "{refused}");
    let refused = console.refusal("serve --set database.url=postgres://user:secret@host/inkan");
    assert!(refused.contains("PostgreSQL comes later") && !refused.contains("secret"), "{refused}");
}

#[test]
fn a_port_that_is_taken_stops_the_server_with_its_key() {
    let console = Console::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = console.refusal(&format!("serve --set web.listen={}", taken.local_addr().unwrap()));
    assert!(refused.contains("web.listen"), "{refused}");
    assert!(console.refusal(&format!("doctor --set web.listen={}", taken.local_addr().unwrap())).is_empty());
}

#[test]
fn the_doctor_names_what_is_damaged() {
    let console = Console::new();
    assert!(console.answer("doctor").contains("not there yet"));
    console.create_owner();
    std::fs::write(console.path().join("data/deployment/agent-ca.key"), "damaged").unwrap();
    let output = console.run("doctor");
    let answer = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(answer.contains("FAILURE") && answer.contains("authority"), "{answer}");
}
