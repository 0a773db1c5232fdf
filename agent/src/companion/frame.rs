//! Messages on a stream: a length, then JSON. Nothing is read beyond the largest message there can be, and no copy of a
//! message stays in memory, because some hold keys.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::transport::Transport;

/// Bytes of one message: a chain of the largest certificates in text form, and room beside it.
pub const FRAME: usize = 1024 * 1024;
/// The shortest wait that every platform takes for a wait.
const MOMENT: Duration = Duration::from_millis(1);

/// A conversation that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TalkError {
    /// The other end is gone, does not answer in time, or the operating system refused.
    #[error("could not {step}")]
    Io {
        /// What was being done.
        step: &'static str,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The conversation was broken off before.
    #[error("the conversation was broken off")]
    Broken,
    /// What came is no message, or a message that answers something else.
    #[error("the message is refused: {why}")]
    Malformed {
        /// What is wrong with it.
        why: String,
    },
    /// The message is larger than any may be.
    #[error("a message of {length} bytes, more than {FRAME}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// The other end speaks another version.
    #[error("the other end speaks version {theirs} of the protocol")]
    Version {
        /// Its version.
        theirs: u32,
    },
}

/// Sends one message before the deadline.
pub(super) fn send<M: Serialize>(
    stream: &mut dyn Transport,
    message: &M,
    deadline: Option<Instant>,
) -> Result<(), TalkError> {
    let frame = encode(message)?;
    let failed = |cause| TalkError::Io { step: "send a message", cause };
    stream.set_patience(left(deadline)).map_err(failed)?;
    stream.write_all(&frame).and_then(|()| stream.flush()).map_err(failed)
}

/// Receives one message before the deadline.
pub(super) fn receive<M: DeserializeOwned>(
    stream: &mut dyn Transport,
    deadline: Option<Instant>,
) -> Result<M, TalkError> {
    let mut length = [0; 4];
    fill(stream, &mut length, deadline)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > FRAME {
        return Err(TalkError::TooLong { length });
    }
    let mut body = Zeroizing::new(vec![0; length]);
    fill(stream, &mut body, deadline)?;
    decode(&body)
}

fn encode<M: Serialize>(message: &M) -> Result<Zeroizing<Vec<u8>>, TalkError> {
    let malformed = |error: serde_json::Error| TalkError::Malformed { why: error.to_string() };
    let mut counted = Count(0);
    serde_json::to_writer(&mut counted, message).map_err(malformed)?;
    let length = counted.0;
    if length > FRAME {
        return Err(TalkError::TooLong { length });
    }
    // One allocation that never grows leaves no copy of a key behind.
    let mut frame = Zeroizing::new(Vec::with_capacity(size_of::<u32>() + length));
    #[expect(clippy::cast_possible_truncation, reason = "at most FRAME")]
    frame.extend_from_slice(&(length as u32).to_le_bytes());
    serde_json::to_writer(&mut *frame, message).map_err(malformed)?;
    Ok(frame)
}

fn decode<M: DeserializeOwned>(body: &[u8]) -> Result<M, TalkError> {
    serde_json::from_slice(body).map_err(|error| TalkError::Malformed { why: error.to_string() })
}

/// Reads exactly so many bytes. The deadline is for all of them: one byte now and then does not prolong it.
fn fill(stream: &mut dyn Transport, mut bytes: &mut [u8], deadline: Option<Instant>) -> Result<(), TalkError> {
    let failed = |cause| TalkError::Io { step: "receive a message", cause };
    while !bytes.is_empty() {
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(failed(io::ErrorKind::TimedOut.into()));
        }
        stream.set_patience(left(deadline)).map_err(failed)?;
        match stream.read(bytes) {
            Ok(0) => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => bytes = &mut bytes[read..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(())
}

fn left(deadline: Option<Instant>) -> Option<Duration> {
    deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()).max(MOMENT))
}

struct Count(usize);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::net::UnixStream;

    use proptest::prelude::*;

    use super::*;
    use crate::companion::protocol::{Answer, Request};

    fn received<M: DeserializeOwned>(bytes: &[u8]) -> Result<M, TalkError> {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        let bytes = bytes.to_vec();
        let sender = std::thread::spawn(move || {
            // Whoever listens may have heard enough.
            let _ = there.write_all(&bytes);
        });
        let got = receive(&mut here, Some(Instant::now() + Duration::from_secs(20)));
        drop(here);
        sender.join().unwrap();
        got
    }

    #[test]
    fn a_message_that_claims_to_be_huge_is_refused_before_it_is_read() {
        let refused = received::<Request>(&u32::MAX.to_le_bytes());
        assert!(matches!(refused, Err(TalkError::TooLong { .. })), "{refused:?}");
    }

    #[test]
    fn a_message_that_is_cut_off_is_refused() {
        let whole = encode(&Request::Hello { version: 1 }).unwrap();
        for end in 0..whole.len() {
            assert!(matches!(received::<Request>(&whole[..end]), Err(TalkError::Io { .. })), "{end}");
        }
        assert!(matches!(received(&whole), Ok(Request::Hello { version: 1 })));
    }

    #[test]
    fn an_end_that_says_nothing_is_not_waited_for_beyond_the_deadline() {
        let (mut here, _there) = UnixStream::pair().unwrap();
        let silent = receive::<Answer>(&mut here, Some(Instant::now() + Duration::from_millis(20)));
        assert!(matches!(silent, Err(TalkError::Io { .. })), "{silent:?}");
    }

    #[test]
    fn a_message_beyond_the_limit_is_not_sent() {
        let (mut here, _there) = UnixStream::pair().unwrap();
        let refused = send(&mut here, &"x".repeat(FRAME), None);
        assert!(matches!(refused, Err(TalkError::TooLong { .. })));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_received_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = received::<Request>(&bytes);
            let length = u32::try_from(bytes.len()).unwrap().to_le_bytes();
            let _ = received::<Answer>(&[&length[..], &bytes].concat());
        }
    }
}
