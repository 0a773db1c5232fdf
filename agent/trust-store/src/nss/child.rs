//! The child in which a browser's NSS works on one profile, with the rights of the user whose profile it is, and how the
//! agent starts it.
//!
//! NSS is somebody else's code, works on somebody else's files and keeps its state in the process: so each question has
//! a process of its own, which gives up the agent's rights before it starts, gets an empty environment, and is ended at its
//! deadline. Its answer is a claim; the caller looks into the database itself.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use inkan_model::Fingerprint;

use super::exchange::{Answer, Request, Task};
use super::flags::NssFlags;
use super::library::{Failure, Session};
use super::row_identity::Identity;
use crate::turn::Turn;

/// How long one child may take. NSS itself waits some seconds for a browser that is writing.
const DEADLINE: Duration = Duration::from_secs(30);
/// The variable that tells a child which process asked.
const AGENT: &str = "INKAN_AGENT_PROCESS";
/// Bytes of one answer.
const ANSWER_BYTES: u64 = 256 * 1024;

/// The program that runs [`main`]: the agent's own, with a subcommand.
#[derive(Clone, Debug)]
pub struct Child {
    /// The program.
    pub program: PathBuf,
    /// What makes it be the child.
    pub arguments: Vec<OsString>,
}

/// With whose rights a child works.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rights {
    /// The agent's own, because the profile is the agent's own user's.
    Own,
    /// Those of this user, and of no group but that.
    Of { user: u32, group: u32 },
}

/// The child's work: one request from `stdin`, one answer to `stdout`.
pub fn main(stdin: &mut dyn Read, stdout: &mut dyn Write) -> io::Result<()> {
    let request = Request::read(stdin)?;
    let answer = carry_out(&request).unwrap_or_else(|Failure { step, code }| Answer::Failed { step, code });
    answer.write(stdout)
}

fn carry_out(Request { library, profile, task }: &Request) -> Result<Answer, Failure> {
    let read_only = matches!(task, Task::Look | Task::Find { .. });
    // An agent that was killed leaves its child at work, so the profile is locked by the child that works on it.
    let turn = if read_only { Ok(None) } else { Turn::take(profile).map(Some) };
    let _turn = turn.map_err(|_| Failure::new("have the profile to itself"))?;
    if !read_only && is_left_alone() {
        return Err(Failure::new("find the agent that asked for it"));
    }
    let session = Session::open(library, profile, read_only)?;
    match task {
        Task::Find { der } => Ok(Answer::Stands(session.find(der))),
        _ if session.needs_password() => Ok(Answer::PasswordNeeded),
        Task::Look => Ok(Answer::Done),
        Task::Put { der, name, flags } => session.put(der, name, *flags).map(|()| Answer::Done),
        Task::Delete { der, sha256 } => {
            let fingerprint = <[u8; 32]>::try_from(sha256.as_slice()).map(Fingerprint::from_bytes);
            let fingerprint = fingerprint.map_err(|_| Failure::new("read the certificate's fingerprint"))?;
            let identity = if der.is_empty() { Identity::of_fingerprint(fingerprint) } else { Identity::of(der) };
            session.delete(der, &identity).map(|()| Answer::Done)
        }
    }
}

/// Whether the agent that asked is there no more. Somebody may have taken back in the meantime what it asked for; once
/// the profile is locked, nobody can.
fn is_left_alone() -> bool {
    let asked = std::env::var(AGENT).ok().and_then(|agent| agent.parse::<u32>().ok());
    asked.is_some_and(|agent| agent != std::os::unix::process::parent_id())
}

impl Child {
    /// Starts a child, gives it the request and waits for its answer.
    pub(super) fn ask(&self, request: &Request, rights: Rights) -> io::Result<Answer> {
        let mut question = Vec::new();
        request.write(&mut question)?;
        let mut child = self.command(rights).spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (sender, receiver) = mpsc::channel();
        let talk = move || {
            let (mut input, output) = input.zip(output).ok_or(io::ErrorKind::BrokenPipe)?;
            input.write_all(&question)?;
            drop(input);
            Answer::read(&mut output.take(ANSWER_BYTES))
        };
        let talking = thread::Builder::new().name("nss-child".to_owned()).spawn(move || {
            // Nobody waits for it any more after the deadline.
            let _ = sender.send(talk());
        });
        let answer = match talking {
            Ok(_) => receiver.recv_timeout(DEADLINE).unwrap_or_else(|_| Err(too_late())),
            Err(error) => Err(error),
        };
        // What has answered has nothing left to do but to close the profile, and it gets the time for that.
        let ended = answer.as_ref().map_or(Ok(false), |_| ends(&mut child));
        if !matches!(ended, Ok(true)) {
            let _ = child.kill();
            let _ = child.wait();
        }
        ended?;
        answer
    }

    fn command(&self, rights: Rights) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().env(AGENT, std::process::id().to_string());
        command.current_dir("/").process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        if let Rights::Of { user, group } = rights {
            // The standard library gives up all supplementary groups before it takes on the user.
            command.gid(group).uid(user);
        }
        command
    }
}

/// Whether a child ends by itself within the deadline.
fn ends(child: &mut std::process::Child) -> io::Result<bool> {
    const LOOK: Duration = Duration::from_millis(10);
    let mut waited = Duration::ZERO;
    while child.try_wait()?.is_none() {
        if waited >= DEADLINE {
            return Ok(false);
        }
        thread::sleep(LOOK);
        waited += LOOK;
    }
    Ok(true)
}

fn too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("NSS did not answer within {} seconds", DEADLINE.as_secs()))
}

/// What the child says of a certificate that it was asked to find.
pub(super) fn standing(answer: Answer) -> Result<Option<NssFlags>, Answer> {
    match answer {
        Answer::Stands(flags) => Ok(flags),
        other => Err(other),
    }
}
