//! A server with a folder of its own: started on ports of the operating system's choice, killed with its handle, started
//! again on the same ports as a service manager would.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use inkan_issuance::identity_ca::CaPin;
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::request::build_request;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::api::{Api, Credentials, text};
use crate::certificates::{SampleCertificate, now, pem_of};
use crate::process::{Process, run};
use crate::programs::Programs;
use crate::simulated::Doors;
use crate::wait::{Look, wait_until};

/// How long a server may take to be there: long enough for a machine that builds something else meanwhile.
const START: Duration = Duration::from_mins(1);
const VENDOR: &str = "Sample Vendor";
const MAIL: &str = "owner@vendor.example";
const PASSWORD: &str = "correct horse battery staple";

/// The clinic that every deployment of the tests has.
pub const CLINIC: &str = "1710119153";

/// A server of its own.
#[derive(Debug)]
pub struct TestDeployment {
    folder: TempDir,
    programs: Programs,
    settings: Vec<(String, String)>,
    server: Option<Process>,
    addresses: Addresses,
    owner: Credentials,
    codes_used: AtomicI64,
    api: OnceCell<Api>,
}

/// Where a running server listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Addresses {
    /// Pages and API, as http URL.
    pub web: String,
    /// The agents' listener.
    pub agents: SocketAddr,
    /// The enrolment listener.
    pub enrolment: SocketAddr,
    /// By what the deployment's CA is known.
    pub ca_pin: CaPin,
}

impl Addresses {
    /// Where agents enrol, as they are told it.
    pub fn enrolment_url(&self) -> String {
        format!("https://{}", self.enrolment)
    }

    /// The doors for simulated PCs.
    pub fn doors(&self) -> Doors {
        Doors { enrolment: self.enrolment, ca_pin: self.ca_pin }
    }
}

impl TestDeployment {
    /// Starts one as it is delivered, with one owner and one clinic.
    ///
    /// # Errors
    /// When it does not start; what it printed is in the error.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts one with settings, such as `sync.interval_seconds`.
    ///
    /// # Errors
    /// When it does not start; what it printed is in the error.
    pub async fn start_with(settings: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("inkan-test-").tempdir().context("no folder")?;
        let usual = [
            ("data_dir", folder.path().join("server").display().to_string()),
            ("web.listen", "127.0.0.1:0".to_owned()),
            ("agents.listen", "127.0.0.1:0".to_owned()),
            ("enrolment.listen", "127.0.0.1:0".to_owned()),
            ("public_names", "127.0.0.1,localhost".to_owned()),
            ("enrolment.requests_per_minute_per_ip", "1000".to_owned()),
        ];
        let chosen = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let settings: Vec<_> = usual.into_iter().map(|(key, value)| (key.to_owned(), value)).chain(chosen).collect();
        let programs = Programs::find()?;
        let owner = create_owner(&programs, &settings, folder.path())?;
        let (server, addresses) = serve(&programs, &settings, folder.path()).await?;
        let deployment = Self {
            folder,
            programs,
            settings,
            server: Some(server),
            addresses,
            owner,
            codes_used: AtomicI64::new(-1),
            api: OnceCell::new(),
        };
        let clinic = format!("code,name,kind,prefecture\n{CLINIC},さくら内科クリニック,医科,石川県\n");
        deployment.api().await?.import_clinics(&clinic).await?;
        Ok(deployment)
    }

    /// Where it listens.
    pub const fn addresses(&self) -> &Addresses {
        &self.addresses
    }

    /// Its own folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The server's data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("server")
    }

    /// The programs that it is made of.
    pub const fn programs(&self) -> &Programs {
        &self.programs
    }

    /// What the owner signs in with.
    pub const fn owner(&self) -> &Credentials {
        &self.owner
    }

    /// The server's process.
    ///
    /// # Errors
    /// When it was killed.
    pub fn server(&mut self) -> Result<&mut Process> {
        self.server.as_mut().context("the server was killed")
    }

    /// A one-time code that was not used before. There are three of them at any one moment.
    ///
    /// # Errors
    /// When all three are used.
    pub fn code(&self) -> Result<String> {
        let step = self.codes_used.fetch_add(1, Ordering::Relaxed);
        ensure!(step <= 1, "the one-time codes of this moment are used up");
        self.owner.code(now(), step)
    }

    /// The API, with the owner signed in.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn api(&self) -> Result<&Api> {
        let sign_in = || async { Api::new(&self.addresses.web)?.sign_in(&self.owner, &self.code()?).await };
        self.api.get_or_try_init(sign_in).await
    }

    /// Kills the server as `kill -9` does.
    ///
    /// # Errors
    /// When the operating system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.server.take().context("the server was killed")?.kill()
    }

    /// Starts the server again, on the same ports.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn restart(&mut self) -> Result<()> {
        self.server = None;
        let Addresses { web, agents, enrolment, .. } = &self.addresses;
        let web = web.trim_start_matches("http://").to_owned();
        let listen = [("web", web), ("agents", agents.to_string()), ("enrolment", enrolment.to_string())];
        let mut settings = self.settings.clone();
        settings.extend(listen.map(|(section, address)| (format!("{section}.listen"), address)));
        let (server, addresses) = serve(&self.programs, &settings, self.folder.path()).await?;
        ensure!(addresses == self.addresses, "the server came back elsewhere: {addresses:?}");
        self.server = Some(server);
        Ok(())
    }

    /// Runs a command of the server's program; what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        run(server_command(&self.programs, &self.settings, arguments))
    }

    /// A client certificate from the vendor's private CA, as an administrator would have it issued.
    ///
    /// # Errors
    /// When the server's program refuses.
    pub fn issue(&self, subject_der: &[u8], days: u32) -> Result<SampleCertificate> {
        let key = SoftwareKey::generate().context("could not make a key")?;
        let request = build_request(subject_der, &key).context("could not make a request")?;
        let folder = tempfile::tempdir_in(self.folder.path()).context("no folder")?;
        let csr = folder.path().join("request.pem");
        std::fs::write(&csr, pem_of("CERTIFICATE REQUEST", &request)).context("could not write the request")?;
        let chain = self.issue_chain(&csr, days)?;
        let der = crate::certificates::certificates_in(&chain).into_iter().next().context("an empty chain")?;
        Ok(SampleCertificate { der, key })
    }

    /// A certificate from the vendor's private CA for the request in this file, and its issuers, PEM.
    ///
    /// # Errors
    /// When the server's program refuses.
    pub fn issue_chain(&self, csr: &Path, days: u32) -> Result<String> {
        let folder = tempfile::tempdir_in(self.folder.path()).context("no folder")?;
        let out = folder.path().join("chain.pem");
        let (csr, out_path, days) = (csr.display().to_string(), out.display().to_string(), days.to_string());
        let arguments = ["private-ca", "issue", "--vendor", VENDOR, "--csr", &csr, "--days", &days, "--out", &out_path];
        self.command(&arguments)?;
        std::fs::read_to_string(&out).context("could not read the chain")
    }

    /// The certificate of the vendor's private CA, DER.
    ///
    /// # Errors
    /// When there is none.
    pub fn private_ca(&self) -> Result<Vec<u8>> {
        let folders = std::fs::read_dir(self.data_dir().join("private-ca")).context("there is no private CA")?;
        let folder = folders.flatten().next().context("there is no private CA")?.path();
        let pem = std::fs::read_to_string(folder.join("ca.pem")).context("there is no certificate")?;
        crate::certificates::certificates_in(&pem).into_iter().next().context("the file holds no certificate")
    }

    /// The one host whose name this is.
    ///
    /// # Errors
    /// When there is none.
    pub async fn host(&self, id: &str) -> Result<Value> {
        self.api().await?.get(&format!("/hosts/{id}")).await
    }

    /// Asks for a renewal; its record.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn renew(&self, host: &str, certificate: &str) -> Result<Value> {
        let order = json!({ "host": host, "certificate": certificate, "reason": "a test" });
        self.api().await?.post("/renewals", &order).await
    }

    /// Waits until a renewal is over; its record.
    ///
    /// # Errors
    /// When it is not over at the deadline.
    pub async fn wait_until_over(&self, renewal: &str, within: Duration) -> Result<Value> {
        let path = format!("/renewals/{renewal}");
        let what = format!("renewal {renewal} to be over");
        wait_until(&what, within, async || {
            let shown = self.api().await?.get(&path).await?;
            Ok(if shown["over"] == true { Look::Found(shown) } else { Look::NotYet(shown.to_string()) })
        })
        .await
    }
}

fn server_command(programs: &Programs, settings: &[(String, String)], arguments: &[&str]) -> Command {
    let mut command = Command::new(programs.server());
    command
        .env_clear()
        .envs(std::env::vars().filter(|(name, _)| matches!(name.as_str(), "PATH" | "HOME" | "RUST_LOG")));
    for (key, value) in settings {
        command.env(format!("INKAN_SERVER__{}", key.replace('.', "__").to_uppercase()), value);
    }
    command.args(arguments);
    command
}

fn create_owner(programs: &Programs, settings: &[(String, String)], folder: &Path) -> Result<Credentials> {
    let password_file = folder.join("password");
    std::fs::write(&password_file, PASSWORD).context("could not write the password")?;
    let file = password_file.display().to_string();
    let arguments = [
        "operator",
        "create",
        "--vendor",
        VENDOR,
        "--mail",
        MAIL,
        "--name",
        "Owner",
        "--role",
        "owner",
        "--password-file",
        &file,
        "--json",
    ];
    let printed = run(server_command(programs, settings, &arguments))?;
    let made: Value = serde_json::from_str(&printed).with_context(|| format!("not JSON: {printed}"))?;
    let totp_seed = text(&made, "totp_seed")?.to_owned();
    Ok(Credentials { mail: MAIL.to_owned(), password: PASSWORD.to_owned(), totp_seed })
}

async fn serve(programs: &Programs, settings: &[(String, String)], folder: &Path) -> Result<(Process, Addresses)> {
    let file = folder.join("server/addresses.json");
    // What an earlier run left behind must not be taken for this one's.
    let _ = std::fs::remove_file(&file);
    let command = server_command(programs, settings, &["serve"]);
    let mut server = Process::start("inkan-server", command, &folder.join("server.log"))?;
    let found = wait_until("the server's addresses", START, async || {
        if let Some(ended) = server.ended()? {
            anyhow::bail!("the server ended with {ended}:\n{}", server.last_words());
        }
        Ok(Look::at(read_addresses(&file), || server.last_words()))
    });
    let addresses = found.await?;
    Ok((server, addresses))
}

fn read_addresses(file: &Path) -> Option<Addresses> {
    let read: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    let socket = |field: &str| read[field].as_str()?.trim_start_matches("https://").parse().ok();
    Some(Addresses {
        web: format!("http://{}", read["web"].as_str()?.trim_start_matches("http://")),
        agents: socket("agents")?,
        enrolment: socket("enrolment")?,
        ca_pin: read["ca_pin"].as_str()?.parse().ok()?,
    })
}
