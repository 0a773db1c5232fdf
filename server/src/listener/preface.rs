//! Waiting for the HTTP/2 preface with a deadline of our own.
//!
//! hyper's timers begin with the preface, so a peer that never sends it, or sends half of it, would hold its connection
//! for as long as it likes. What was read is put back in front of the rest.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// RFC 9113 §3.4.
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose peer has sent the preface.
pub(crate) struct Prefaced<S> {
    stream: S,
    returned: usize,
}

/// Reads the preface. A peer that sends anything else is refused at the first byte that differs.
pub(crate) async fn read_preface<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Prefaced<S>> {
    let mut found = [0; PREFACE.len()];
    let mut length = 0;
    while length < PREFACE.len() {
        let read = stream.read(&mut found[length..]).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        length += read;
        if found[..length] != PREFACE[..length] {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not HTTP/2"));
        }
    }
    Ok(Prefaced { stream, returned: 0 })
}

impl<S: AsyncRead + Unpin> AsyncRead for Prefaced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let rest = &PREFACE[self.returned..];
        if rest.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let part = &rest[..rest.len().min(buf.remaining())];
        buf.put_slice(part);
        self.returned += part.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Prefaced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_preface_is_put_back_in_front_of_the_rest() {
        let sent = [PREFACE.as_slice(), b"rest"].concat();
        let mut prefaced = read_preface(sent.as_slice()).await.unwrap();
        let mut read = Vec::new();
        prefaced.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, sent);
    }

    #[tokio::test]
    async fn another_protocol_is_refused_and_half_a_preface_is_an_end() {
        let refused = read_preface(b"GET / HTTP/1.1\r\n".as_slice()).await.err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        let refused = read_preface(b"PRI * HTTP".as_slice()).await.err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::UnexpectedEof);
    }
}
