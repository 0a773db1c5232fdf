//! The server under test, and clients of it.

use std::collections::HashMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration as Wait;

use hyper_util::rt::TokioIo;
use inkan_core::Core;
use inkan_core::enrolment::JoinTokenOrder;
use inkan_core::operators::{LogIn, NewPerson};
use inkan_core::ports::SessionKind;
use inkan_core::totp;
use inkan_issuance::key::SoftwareKey;
use inkan_issuance::request::build_request;
use inkan_model::clinic::ClinicProfile;
use inkan_model::host::HostFacts;
use inkan_model::join_token::JoinTokenSecret;
use inkan_model::locale::Locale;
use inkan_model::operator::{Operator, Role};
use inkan_model::time::ManualClock;
use inkan_model::{Clock, Timestamp};
use inkan_server::adapters::SystemEntropy;
use inkan_server::assemble::World;
use inkan_server::config::{Config, Sources};
use inkan_server::serving::{Addresses, ServeError, Server};
use inkan_wire::pb::agent_client::AgentClient;
use inkan_wire::pb::enrolment_client::EnrolmentClient;
use inkan_wire::{Enroll, Enrolled, pb};
use rustls::crypto::ring::default_provider;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use secrecy::SecretString;
use tempfile::TempDir;
use time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

/// Longer than anything here takes on a busy machine.
pub(crate) const DEADLINE: Wait = Wait::from_secs(20);

const PASSWORD: &str = "correct horse battery";

/// A running server.
pub(crate) struct Stage {
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) core: Core,
    pub(crate) addresses: Addresses,
    pub(crate) setup_link: Option<String>,
    stop: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

/// The test's clock for TLS clients.
struct Time(Arc<ManualClock>);

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time")
    }
}

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().as_unix_seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Wait::from_secs(seconds)))
    }
}

impl Stage {
    pub(crate) async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// Starts a server whose configuration was changed first.
    pub(crate) async fn start_with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.toml");
        let data_dir = folder.path().join("data");
        let text = format!(
            "data_dir = \"{}\"\npublic_names = [\"127.0.0.1\", \"localhost\"]\n\
             [agents]\nlisten = \"127.0.0.1:0\"\n[enrolment]\nlisten = \"127.0.0.1:0\"\n[web]\nlisten = \"127.0.0.1:0\"\n",
            data_dir.display()
        );
        std::fs::write(&file, text).unwrap();
        let sources = Sources { file: Some(file), environment: Some(HashMap::new()), overrides: Vec::new() };
        let mut config = Config::load(&sources).unwrap();
        change(&mut config);
        let clock = Arc::new(ManualClock::new(Timestamp::from_unix_seconds(1_795_000_000)));
        let world = World { clock: clock.clone(), entropy: Arc::new(SystemEntropy) };
        let server = Server::start(&config, world).await.unwrap();
        let (core, addresses) = (server.core().clone(), server.addresses().clone());
        let setup_link = server.setup_link().map(str::to_owned);
        let stop = CancellationToken::new();
        let serving = tokio::spawn(server.run_until(stop.clone().cancelled_owned()));
        Self { folder, clock, core, addresses, setup_link, stop, serving }
    }

    /// Tells the server to stop, and waits until it has.
    pub(crate) async fn stop(self) -> TempDir {
        self.stop.cancel();
        tokio::time::timeout(DEADLINE, self.serving).await.unwrap().unwrap().unwrap();
        self.folder
    }

    pub(crate) fn data_dir(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    /// An owner of a new vendor.
    pub(crate) async fn owner(&self, vendor: &str) -> Operator {
        self.owner_with(vendor, self.core.new_totp_seed()).await
    }

    /// The token of an operator who is signed in.
    pub(crate) async fn operator_token(&self) -> String {
        let seed = self.core.new_totp_seed();
        let owner = self.owner_with("Vendor", seed.clone()).await;
        let attempt = LogIn {
            mail: owner.mail,
            password: SecretString::from(PASSWORD.to_owned()),
            code: totp::code_of(&seed, totp::step_at(self.clock.now())),
            source: [127, 0, 0, 1].into(),
        };
        self.core.log_in(attempt, SessionKind::Token).await.unwrap().secret.reveal().to_owned()
    }

    async fn owner_with(&self, vendor: &str, totp_seed: Vec<u8>) -> Operator {
        let vendor = self.core.create_vendor(vendor).await.unwrap();
        let person = NewPerson {
            mail: format!("owner-{}@vendor.example", vendor.id),
            name: "Owner".to_owned(),
            password: SecretString::from(PASSWORD.to_owned()),
            totp_seed,
            role: Role::Owner,
            locale: Locale::En,
        };
        self.core.create_operator_of(vendor.id, person).await.unwrap()
    }

    /// A join token for one new clinic.
    pub(crate) async fn token(&self, owner: &Operator, uses: u32) -> JoinTokenSecret {
        let profile = ClinicProfile::parse("1710119153", "さくら内科クリニック", "医科", "石川県", "", "", "").unwrap();
        let clinic = self.core.save_clinic(owner, profile).await.unwrap().id;
        let order = JoinTokenOrder { clinic, uses, lifetime: Duration::hours(4), approve: true };
        self.core.create_join_token(owner, order).await.unwrap().1
    }

    /// The address behind a URL.
    pub(crate) fn socket(url: &str) -> SocketAddr {
        url.split_once("://").unwrap().1.parse().unwrap()
    }

    pub(crate) fn agents(&self) -> SocketAddr {
        Self::socket(&self.addresses.agents)
    }

    pub(crate) fn enrolment(&self) -> SocketAddr {
        Self::socket(&self.addresses.enrolment)
    }

    pub(crate) fn web(&self) -> SocketAddr {
        Self::socket(&self.addresses.web)
    }

    /// TLS as an agent speaks it, with an identity if it has one.
    pub(crate) fn tls(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.ca()).unwrap();
        let time = Arc::new(Time(self.clock.clone()));
        let config = ClientConfig::builder_with_details(Arc::new(default_provider()), time)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(Identity { key, chain }) => {
                let chain = chain.iter().cloned().map(CertificateDer::from).collect();
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8().to_vec()));
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    pub(crate) fn ca(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(self.deployment().join("agent-ca.pem")).unwrap()
    }

    pub(crate) fn deployment(&self) -> std::path::PathBuf {
        self.data_dir().join("deployment")
    }

    /// A connection of TLS and nothing more.
    pub(crate) async fn connect_tls(
        &self,
        to: SocketAddr,
        identity: Option<&Identity>,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(to).await?;
        let name = ServerName::IpAddress(to.ip().into());
        TlsConnector::from(self.tls(identity)).connect(name, stream).await
    }

    async fn channel(&self, to: SocketAddr, identity: Option<&Identity>) -> Result<Channel, tonic::transport::Error> {
        let tls = self.tls(identity);
        let connector = tower::service_fn(move |_: http::Uri| {
            let tls = TlsConnector::from(Arc::clone(&tls));
            async move {
                let stream = TcpStream::connect(to).await?;
                tls.connect(ServerName::IpAddress(to.ip().into()), stream).await.map(TokioIo::new)
            }
        });
        let endpoint = Endpoint::from_shared(format!("http://{to}")).unwrap().timeout(DEADLINE);
        endpoint.connect_with_connector(connector).await
    }

    pub(crate) async fn enrolment_client(&self) -> EnrolmentClient<Channel> {
        EnrolmentClient::new(self.channel(self.enrolment(), None).await.unwrap())
    }

    pub(crate) async fn agent_client(&self, identity: &Identity) -> AgentClient<Channel> {
        AgentClient::new(self.channel(self.agents(), Some(identity)).await.unwrap())
    }

    /// Enrols with a key.
    pub(crate) async fn enroll(&self, token: &JoinTokenSecret, key: SoftwareKey) -> Result<Identity, Status> {
        let answer = self.enrolment_client().await.enroll(enroll_request(token, &key)).await?;
        let Enrolled { chain, server_url, report_only, server_time } = Enrolled::try_from(answer.into_inner())?;
        assert_eq!((server_url, report_only), (self.addresses.agents.clone(), false));
        assert_eq!(server_time, self.clock.now());
        Ok(Identity { key, chain })
    }
}

/// A key with its certificates.
pub(crate) struct Identity {
    pub(crate) key: SoftwareKey,
    pub(crate) chain: Vec<Vec<u8>>,
}

pub(crate) fn enroll_request(token: &JoinTokenSecret, key: &SoftwareKey) -> pb::EnrollRequest {
    Enroll { token: token.clone(), csr: request_for(key), facts: facts(), machine_binding: [7; 32] }.into()
}

pub(crate) fn facts() -> HostFacts {
    HostFacts {
        host_name: "pc-1".to_owned(),
        os: "Linux".to_owned(),
        os_version: "1".to_owned(),
        kernel: "6".to_owned(),
        architecture: "x86_64".to_owned(),
        agent_version: "0.1.0".to_owned(),
        ..HostFacts::default()
    }
}

/// A request with some name; only its key counts.
pub(crate) fn request_for(key: &SoftwareKey) -> Vec<u8> {
    // CN=pc
    let subject = [0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03, 0x0c, 0x02, b'p', b'c'];
    build_request(&subject, key).unwrap()
}

pub(crate) fn new_key() -> SoftwareKey {
    SoftwareKey::generate().unwrap()
}
