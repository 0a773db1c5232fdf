//! Connections: TCP, through a proxy where there is one, then TLS.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint};
use tower::service_fn;

use super::UplinkError;
use super::proxy::{Proxy, ProxyError};
use crate::identity::Identity;
use crate::tls;
use crate::tls::danger::NotPinned;

/// How long a connection may take to come up, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// An idle connection says this often that it is there, which keeps most NATs from forgetting it.
const KEEP_ALIVE: Duration = Duration::from_mins(4);
/// How long the other side may take to say that it is there too.
const KEEP_ALIVE_ANSWER: Duration = Duration::from_secs(20);

/// A connection that did not come up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one of a server.
    #[error("{url} is not the address of a server: https:// with a name or address and a port is expected")]
    Address {
        /// The address.
        url: String,
    },
    /// No TCP connection.
    #[error("could not connect to {host} port {port}")]
    Dial {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// What the operating system said.
        #[source]
        cause: io::Error,
    },
    /// The server's authority is not the pinned one.
    #[error("could not trust the server")]
    NotPinned(#[source] NotPinned),
    /// The proxy does not let the agent through.
    #[error("could not pass the proxy")]
    Proxy(#[source] ProxyError),
    /// The TLS handshake failed.
    #[error("could not agree on TLS with {host}")]
    Tls {
        /// Name or address.
        host: String,
        /// What rustls said.
        #[source]
        cause: io::Error,
    },
}

/// A server's address, checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerAddress {
    uri: Uri,
    host: String,
    port: u16,
    name: ServerName<'static>,
}

impl ServerAddress {
    /// Reads an address such as `https://inkan.example.jp:8443`. The port is 443 where none is said.
    pub fn parse(url: &str) -> Result<Self, ConnectError> {
        let wrong = || ConnectError::Address { url: url.to_owned() };
        let uri: Uri = url.trim().parse().map_err(|_| wrong())?;
        let plain = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        if uri.scheme_str() != Some("https") || !plain {
            return Err(wrong());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
        let port = authority.port_u16().unwrap_or(443);
        Ok(Self { uri, host, port, name })
    }

    /// A channel to this address, which comes up when it is first used and again whenever it broke.
    pub(super) fn channel(&self, tls: ClientConfig, proxy: Option<Proxy>) -> Channel {
        let (address, tls) = (self.clone(), Arc::new(tls));
        let connector = service_fn(move |_: Uri| {
            let (address, tls, proxy) = (address.clone(), Arc::clone(&tls), proxy.clone());
            async move { address.connect(tls, proxy.as_ref()).await.map(TokioIo::new) }
        });
        Endpoint::from(self.uri.clone())
            .connect_timeout(CONNECT)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_ANSWER)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(connector)
    }

    async fn connect(
        &self,
        tls: Arc<ClientConfig>,
        proxy: Option<&Proxy>,
    ) -> Result<TlsStream<TcpStream>, ConnectError> {
        let stream = match proxy {
            Some(proxy) => proxy.connect(&self.host, self.port).await.map_err(ConnectError::Proxy)?,
            None => dial(&self.host, self.port).await?,
        };
        let failed = |cause| match NotPinned::behind(&cause) {
            Some(pin) => ConnectError::NotPinned(pin),
            None => ConnectError::Tls { host: self.host.clone(), cause },
        };
        TlsConnector::from(tls).connect(self.name.clone(), stream).await.map_err(failed)
    }
}

/// Connects once and hangs up, to see whether the server can be reached.
pub async fn reach(identity: &Identity, proxy: Option<Proxy>) -> Result<(), UplinkError> {
    let address = ServerAddress::parse(&identity.server_url).map_err(UplinkError::Address)?;
    let config = tls::session(&identity.anchors, identity.certified_key()).map_err(UplinkError::Tls)?;
    let connecting = address.connect(Arc::new(config), proxy.as_ref());
    let too_long = |_| ConnectError::Dial {
        host: address.host.clone(),
        port: address.port,
        cause: io::ErrorKind::TimedOut.into(),
    };
    tokio::time::timeout(CONNECT, connecting).await.map_err(too_long).flatten().map_err(UplinkError::Connect)?;
    Ok(())
}

/// A TCP connection that does not wait for more bytes to send.
pub(super) async fn dial(host: &str, port: u16) -> Result<TcpStream, ConnectError> {
    let failed = |cause| ConnectError::Dial { host: host.to_owned(), port, cause };
    let stream = TcpStream::connect((host, port)).await.map_err(failed)?;
    stream.set_nodelay(true).map_err(failed)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_name_and_a_port() {
        let address = ServerAddress::parse("https://inkan.example.jp").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("inkan.example.jp", 443));
        let address = ServerAddress::parse("https://[::1]:8443/").unwrap();
        assert_eq!((address.host.as_str(), address.port), ("::1", 8443));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["", "inkan.example.jp", "http://a.test", "https://a.test/x", "https://u@a.test", "https://"] {
            assert!(ServerAddress::parse(url).is_err(), "{url}");
        }
    }
}
