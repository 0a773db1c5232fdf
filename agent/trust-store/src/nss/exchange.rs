//! What the agent asks its child, and what the child answers: frames on two pipes.
//!
//! The child runs with the rights of a user, who may stop it, change it or answer in its place, so an answer is read as
//! something from outside: bounded, and never more than a claim that the agent then looks into by itself.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use super::flags::NssFlags;

/// With what each frame begins.
const MAGIC: &[u8; 8] = b"inkanns1";
/// Bytes of one field.
const FIELD_BYTES: usize = 128 * 1024;

/// What a child is to do with one profile.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Request {
    /// The browser's NSS library.
    pub(super) library: PathBuf,
    pub(super) profile: PathBuf,
    pub(super) task: Task,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Task {
    /// Say whether a primary password keeps the profile closed.
    Look,
    /// Say how the certificate stands there.
    Find { der: Vec<u8> },
    /// Put the certificate there, trusted so and not otherwise.
    Put { der: Vec<u8>, name: String, flags: NssFlags },
    /// Take the certificate and all that says it is trusted away. `der` is empty when only the trust is left.
    Delete { der: Vec<u8>, sha256: Vec<u8> },
}

/// What a child says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Answer {
    /// How the certificate stands: `None` when it is not there.
    Stands(Option<NssFlags>),
    /// The profile is open to the child, and the task is done.
    Done,
    /// Only the primary password, which the user alone knows, opens the profile.
    PasswordNeeded,
    /// A step failed; NSS' number is zero where it gave none.
    Failed { step: String, code: i32 },
}

impl Request {
    pub(super) fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        let empty = NssFlags::default();
        let (task, der, text, flags): (u8, &[u8], &[u8], _) = match &self.task {
            Task::Look => (0, &[], &[], empty),
            Task::Find { der } => (1, der, &[], empty),
            Task::Put { der, name, flags } => (2, der, name.as_bytes(), *flags),
            Task::Delete { der, sha256 } => (3, der, sha256, empty),
        };
        to.write_all(MAGIC)?;
        to.write_all(&[task])?;
        for field in [self.library.as_os_str().as_bytes(), self.profile.as_os_str().as_bytes(), der, text] {
            write_field(to, field)?;
        }
        write_flags(to, flags)?;
        to.flush()
    }

    pub(super) fn read(from: &mut dyn Read) -> io::Result<Self> {
        expect_magic(from)?;
        let task = read_octet(from)?;
        let (library, profile) = (octets_path(read_field(from)?), octets_path(read_field(from)?));
        let (der, text, flags) = (read_field(from)?, read_field(from)?, read_flags(from)?);
        let task = match task {
            0 => Task::Look,
            1 => Task::Find { der },
            2 => Task::Put { der, name: String::from_utf8(text).map_err(|_| invalid("a name is not UTF-8"))?, flags },
            3 => Task::Delete { der, sha256: text },
            _ => return Err(invalid("no such task")),
        };
        Ok(Self { library, profile, task })
    }
}

impl Answer {
    pub(super) fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(MAGIC)?;
        match self {
            Self::Done => to.write_all(&[0])?,
            Self::Stands(None) => to.write_all(&[1])?,
            Self::Stands(Some(flags)) => {
                to.write_all(&[2])?;
                write_flags(to, *flags)?;
            }
            Self::PasswordNeeded => to.write_all(&[3])?,
            Self::Failed { step, code } => {
                to.write_all(&[4])?;
                write_field(to, step.as_bytes())?;
                to.write_all(&code.to_be_bytes())?;
            }
        }
        to.flush()
    }

    pub(super) fn read(from: &mut dyn Read) -> io::Result<Self> {
        expect_magic(from)?;
        match read_octet(from)? {
            0 => Ok(Self::Done),
            1 => Ok(Self::Stands(None)),
            2 => Ok(Self::Stands(Some(read_flags(from)?))),
            3 => Ok(Self::PasswordNeeded),
            4 => {
                let step = String::from_utf8_lossy(&read_field(from)?).into_owned();
                let mut code = [0; 4];
                from.read_exact(&mut code)?;
                Ok(Self::Failed { step, code: i32::from_be_bytes(code) })
            }
            _ => Err(invalid("no such answer")),
        }
    }
}

fn octets_path(octets: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(octets))
}

fn expect_magic(from: &mut dyn Read) -> io::Result<()> {
    let mut magic = [0; MAGIC.len()];
    from.read_exact(&mut magic)?;
    if &magic == MAGIC { Ok(()) } else { Err(invalid("not a frame of this program")) }
}

fn read_octet(from: &mut dyn Read) -> io::Result<u8> {
    let mut octet = [0];
    from.read_exact(&mut octet)?;
    Ok(octet[0])
}

fn write_field(to: &mut dyn Write, field: &[u8]) -> io::Result<()> {
    let length = u32::try_from(field.len()).map_err(|_| invalid("a field is too long"))?;
    to.write_all(&length.to_be_bytes())?;
    to.write_all(field)
}

fn read_field(from: &mut dyn Read) -> io::Result<Vec<u8>> {
    let length = usize::try_from(read_number(from)?).unwrap_or(usize::MAX);
    if length > FIELD_BYTES {
        return Err(invalid("a field is too long"));
    }
    let mut field = vec![0; length];
    from.read_exact(&mut field)?;
    Ok(field)
}

fn write_flags(to: &mut dyn Write, NssFlags { ssl, email, code }: NssFlags) -> io::Result<()> {
    for word in [ssl, email, code] {
        to.write_all(&word.to_be_bytes())?;
    }
    Ok(())
}

fn read_flags(from: &mut dyn Read) -> io::Result<NssFlags> {
    Ok(NssFlags { ssl: read_number(from)?, email: read_number(from)?, code: read_number(from)? })
}

fn read_number(from: &mut dyn Read) -> io::Result<u32> {
    let mut octets = [0; 4];
    from.read_exact(&mut octets)?;
    Ok(u32::from_be_bytes(octets))
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requests() -> Vec<Request> {
        let flags = NssFlags { ssl: 0x18, email: 1, code: u32::MAX };
        let tasks = [
            Task::Look,
            Task::Find { der: vec![1, 2] },
            Task::Put { der: vec![3; 70_000], name: "診療所".to_owned(), flags },
            Task::Delete { der: Vec::new(), sha256: vec![9; 32] },
        ];
        let request = |task| Request { library: "/l/libnss3.so".into(), profile: "/home/mika/p".into(), task };
        tasks.map(request).to_vec()
    }

    #[test]
    fn a_request_arrives_as_it_was_sent() {
        for request in requests() {
            let mut frame = Vec::new();
            request.write(&mut frame).unwrap();
            assert_eq!(Request::read(&mut frame.as_slice()).unwrap(), request);
            frame.pop();
            assert!(Request::read(&mut frame.as_slice()).is_err());
        }
    }

    #[test]
    fn an_answer_arrives_as_it_was_sent() {
        let flags = NssFlags { ssl: 1, email: 2, code: 3 };
        let failed = Answer::Failed { step: "open".to_owned(), code: -8174 };
        for answer in [Answer::Done, Answer::Stands(None), Answer::Stands(Some(flags)), Answer::PasswordNeeded, failed]
        {
            let mut frame = Vec::new();
            answer.write(&mut frame).unwrap();
            assert_eq!(Answer::read(&mut frame.as_slice()).unwrap(), answer);
        }
    }

    #[test]
    fn a_field_that_claims_to_be_endless_is_refused_before_it_is_read() {
        let mut frame = MAGIC.to_vec();
        frame.extend([4, 0xff, 0xff, 0xff, 0xff]);
        assert_eq!(Answer::read(&mut frame.as_slice()).unwrap_err().to_string(), "a field is too long");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let framed = [MAGIC, bytes.as_slice()].concat();
            for bytes in [bytes.as_slice(), framed.as_slice()] {
                let _ = (Request::read(&mut &*bytes), Answer::read(&mut &*bytes));
            }
        }
    }
}
