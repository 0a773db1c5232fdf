//! Waiting for a connection's first bytes with a deadline of our own: the HTTP/2 preface, or the first byte that differs
//! from it.
//!
//! hyper's timers begin after that, so a peer that sends nothing, or half of it, would hold its connection for as long as
//! it likes. What was read is put back in front of the rest.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

/// RFC 9113 §3.4.
const PREFACE: [u8; 24] = *b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection whose peer has begun to speak.
pub(crate) struct Opened<S> {
    stream: S,
    bytes: [u8; PREFACE.len()],
    length: usize,
    returned: usize,
}

/// Reads until it is clear whether the peer speaks HTTP/2.
pub(crate) async fn read_opening<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<Opened<S>> {
    let mut bytes = [0; PREFACE.len()];
    let mut length = 0;
    while bytes[..length] == PREFACE[..length] && length < PREFACE.len() {
        match stream.read(&mut bytes[length..]).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => length += read,
        }
    }
    Ok(Opened { stream, bytes, length, returned: 0 })
}

impl<S> Opened<S> {
    /// Whether the preface is there.
    pub(crate) fn is_http2(&self) -> bool {
        self.bytes == PREFACE
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Opened<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, bytes, length, returned } = &mut *self;
        let rest = &bytes[*returned..*length];
        if rest.is_empty() {
            return Pin::new(stream).poll_read(cx, buf);
        }
        let part = &rest[..rest.len().min(buf.remaining())];
        buf.put_slice(part);
        *returned += part.len();
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Opened<S> {
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

    async fn reopen(sent: &[u8]) -> (bool, Vec<u8>) {
        let mut opened = read_opening(sent).await.unwrap();
        let is_http2 = opened.is_http2();
        let mut read = Vec::new();
        opened.read_to_end(&mut read).await.unwrap();
        (is_http2, read)
    }

    #[tokio::test]
    async fn what_was_read_is_put_back_in_front_of_the_rest() {
        for (sent, is_http2) in [([&PREFACE[..], b"rest"].concat(), true), (b"POST / HTTP/1.1\r\n\r\n".to_vec(), false)]
        {
            assert_eq!(reopen(&sent).await, (is_http2, sent));
        }
    }

    #[tokio::test]
    async fn half_a_preface_is_an_end() {
        let refused = read_opening(b"PRI * HTTP".as_slice()).await.err().unwrap();
        assert_eq!(refused.kind(), io::ErrorKind::UnexpectedEof);
    }
}
