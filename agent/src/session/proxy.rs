//! An HTTP proxy that lets connections through (CONNECT, RFC 9110 §9.3.6), with a password where it wants one.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use data_encoding::BASE64;
use http::Uri;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use zeroize::Zeroizing;

use super::ConnectError;
use super::connector::dial;

/// Bytes of a proxy's answer, without a body.
const ANSWER: usize = 8 * 1024;
const DEADLINE: Duration = Duration::from_secs(10);

/// A proxy's address, and what it wants to know.
#[derive(Clone)]
pub struct Proxy {
    host: String,
    port: u16,
    /// `user:password`, base64.
    credentials: Option<Zeroizing<String>>,
}

/// A text that is not the address of a proxy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the address of a proxy: http://host:port or http://user:password@host:port is expected")]
pub struct InvalidProxy;

/// A proxy that does not let a connection through.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It did not answer in time.
    #[error("the proxy did not answer within {} seconds", DEADLINE.as_secs())]
    Deadline,
    /// It cannot be reached.
    #[error("the proxy cannot be reached")]
    Dial(#[source] Box<ConnectError>),
    /// The connection to it broke.
    #[error("the connection to the proxy broke")]
    Io(#[source] io::Error),
    /// It said no.
    #[error("the proxy said: {line}")]
    Refused {
        /// The first line of its answer.
        line: String,
    },
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let uri: Uri = text.trim().parse().map_err(|_| InvalidProxy)?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or(InvalidProxy)?;
        let credentials = authority.as_str().rsplit_once('@').map(|(credentials, _)| credentials);
        let credentials = credentials.map(|plain| Zeroizing::new(BASE64.encode(plain.as_bytes())));
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(InvalidProxy);
        }
        Ok(Self { host, port: authority.port_u16().unwrap_or(8080), credentials })
    }
}

/// Never shows the password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Proxy {
    /// Has the proxy connect to `host`, and returns the connection that leads there.
    pub(crate) async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, ProxyError> {
        let failed = |cause| ProxyError::Dial(Box::new(cause));
        let mut stream = dial(&self.host, self.port).await.map_err(failed)?;
        match tokio::time::timeout(DEADLINE, self.ask(&mut stream, host, port)).await {
            Ok(asked) => asked.map(|()| stream),
            Err(_) => Err(ProxyError::Deadline),
        }
    }

    async fn ask(&self, stream: &mut TcpStream, host: &str, port: u16) -> Result<(), ProxyError> {
        let target = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let mut request = Zeroizing::new(format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n"));
        if let Some(credentials) = &self.credentials {
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(credentials);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await.map_err(ProxyError::Io)?;
        let head = read_head(stream).await.map_err(ProxyError::Io)?;
        let line = head.lines().next().unwrap_or_default();
        let is_success =
            line.starts_with("HTTP/1.") && line.split(' ').nth(1).is_some_and(|code| code.starts_with('2'));
        if is_success { Ok(()) } else { Err(ProxyError::Refused { line: inkan_model::limits::tame_text(line, 255) }) }
    }
}

/// Reads byte by byte up to the empty line, because what follows belongs to TLS.
async fn read_head(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= ANSWER {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "an answer without end"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn proxy_that_says(answer: &'static str) -> (Proxy, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = format!("http://clerk:secret@{address}").parse().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let head = read_head(&mut stream).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
            head
        });
        (proxy, asked)
    }

    #[tokio::test]
    async fn a_proxy_is_asked_with_its_password_and_gives_the_connection_untouched() {
        let (proxy, asked) = proxy_that_says("HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\nfirst bytes").await;
        let mut stream = proxy.connect("inkan.example.jp", 443).await.unwrap();
        let head = asked.await.unwrap();
        assert!(head.starts_with("CONNECT inkan.example.jp:443 HTTP/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("Proxy-Authorization: Basic {}\r\n", BASE64.encode(b"clerk:secret"))));
        let mut rest = [0; 11];
        stream.read_exact(&mut rest).await.unwrap();
        assert_eq!(&rest, b"first bytes");
    }

    #[tokio::test]
    async fn a_proxys_no_is_passed_on_in_its_words() {
        let (proxy, _asked) = proxy_that_says("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n").await;
        let refused = proxy.connect("inkan.example.jp", 443).await.unwrap_err();
        assert!(refused.to_string().contains("407"), "{refused}");
    }

    #[test]
    fn a_proxy_does_not_show_its_password() {
        let proxy: Proxy = "http://clerk:secret@proxy.test:3128".parse().unwrap();
        assert_eq!(format!("{proxy:?}"), "proxy.test:3128");
        assert_eq!("https://proxy.test".parse::<Proxy>().unwrap_err(), InvalidProxy);
    }
}
