//! Runs a program of the operating system or of a Java runtime, and never waits for it longer than its deadline.
//!
//! The program gets an empty environment but for what it needs, nothing to read on its standard input, and no more room for its
//! words than is read here. A secret may only travel in [`Program::secrets`], because arguments are shown to every user
//! of the PC. Nothing here knows what the program is for.

use std::ffi::OsString;
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::turn::Turn;

/// Bytes of what a program says on each of its two outputs.
const OUTPUT_BYTES: u64 = 32 * 1024 * 1024;
/// How often a running program is looked after.
const LOOK: Duration = Duration::from_millis(10);
/// How long the outputs may stay open after the program ended: a child that it left behind may hold them.
const LINGER: Duration = Duration::from_secs(1);
/// What a program needs of the agent's own environment.
#[cfg(windows)]
const KEPT: [&str; 4] = ["PATH", "SystemRoot", "TEMP", "TMP"];
/// What a program needs of the agent's own environment.
#[cfg(not(windows))]
const KEPT: [&str; 1] = ["TMPDIR"];
/// Where a program finds others: not where the agent happened to be started from.
#[cfg(not(windows))]
const SEARCHED: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// What to run, and for how long at most.
pub(crate) struct Program<'p> {
    pub(crate) path: &'p Path,
    pub(crate) arguments: &'p [OsString],
    /// Environment variables that hold secrets.
    pub(crate) secrets: &'p [(&'static str, &'p Zeroizing<String>)],
    pub(crate) deadline: Duration,
    /// Whose turn it works in, which lasts for as long as the program does, even where the agent is ended before it.
    pub(crate) turn: Option<&'p Turn>,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) output: Vec<u8>,
    pub(crate) complaints: Vec<u8>,
}

impl Ended {
    pub(crate) fn is_success(&self) -> bool {
        self.code == Some(0)
    }

    /// How it failed, in words for a person: the end of what it complained of.
    pub(crate) fn failure(&self) -> String {
        const SHOWN: usize = 400;
        let said = if self.complaints.trim_ascii().is_empty() { &self.output } else { &self.complaints };
        let text = String::from_utf8_lossy(said.trim_ascii());
        let skipped = text.chars().count().saturating_sub(SHOWN);
        let end: String = text.chars().skip(skipped).collect();
        let end = inkan_model::limits::tame_text(&end, SHOWN);
        match self.code {
            Some(code) => format!("it ended with {code}: {end}"),
            None => format!("it was ended by a signal: {end}"),
        }
    }
}

impl Program<'_> {
    /// Runs the program to its end. A program that outlives its deadline is ended with all that it started.
    pub(crate) fn run(&self) -> io::Result<Ended> {
        let mut child = self.command()?.spawn()?;
        let outputs = collect(child.stdout.take()).and_then(|output| Ok((output, collect(child.stderr.take())?)));
        let (output, complaints) = outputs.inspect_err(|_| end(&mut child))?;
        let began = Instant::now();
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if began.elapsed() < self.deadline => thread::sleep(LOOK),
                Ok(None) => {
                    end(&mut child);
                    let words = format!("did not end within {} seconds", self.deadline.as_secs_f32());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, words));
                }
                Err(error) => {
                    end(&mut child);
                    return Err(error);
                }
            }
        };
        Ok(Ended { code: status.code(), output: received(&output)?, complaints: received(&complaints)? })
    }

    fn command(&self) -> io::Result<Command> {
        let mut command = Command::new(self.path);
        command.args(self.arguments).env_clear();
        for name in KEPT {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        #[cfg(not(windows))]
        command.env("PATH", SEARCHED);
        // Words in the one language that logs have, and arguments in every language.
        command.env("LC_ALL", "C.UTF-8");
        command.envs(self.secrets.iter().map(|(name, value)| (name, value.as_str())));
        // A lock is inherited where a program's input would be, and has nothing to read.
        let lock = self.turn.map_or(Ok(None), Turn::share)?;
        command.stdin(lock.map_or_else(Stdio::null, Stdio::from)).stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }
}

/// Reads an output on a thread of its own, so that a program which says much on one of them does not stand still.
fn collect(pipe: Option<impl Read + Send + 'static>) -> io::Result<Receiver<io::Result<Vec<u8>>>> {
    let (sender, receiver) = mpsc::channel();
    thread::Builder::new().name("program-output".to_owned()).spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut bytes = Vec::new();
        let read = pipe.by_ref().take(OUTPUT_BYTES).read_to_end(&mut bytes);
        let rest = io::copy(&mut pipe, &mut io::sink());
        let too_much = || io::Error::new(io::ErrorKind::FileTooLarge, format!("said more than {OUTPUT_BYTES} bytes"));
        let all = read.and(rest).and_then(|rest| if rest == 0 { Ok(bytes) } else { Err(too_much()) });
        drop(sender.send(all));
    })?;
    Ok(receiver)
}

fn received(output: &Receiver<io::Result<Vec<u8>>>) -> io::Result<Vec<u8>> {
    let held_open = |_| io::Error::new(io::ErrorKind::TimedOut, "something that it started holds its output open");
    output.recv_timeout(LINGER).map_err(held_open)?
}

/// Ends the program and, where the platform has process groups, all that it started.
fn end(child: &mut Child) {
    #[cfg(unix)]
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // It may have ended by itself meanwhile; it is not reaped yet, so the number is still its own.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration, secrets: &[(&'static str, &Zeroizing<String>)]) -> io::Result<Ended> {
        let arguments = ["-c".into(), script.into()];
        Program { path: Path::new("/bin/sh"), arguments: &arguments, secrets, deadline, turn: None }.run()
    }

    #[test]
    fn a_program_tells_its_code_and_its_words() {
        let ended = shell("echo out; echo err >&2; exit 3", Duration::from_secs(10), &[]).unwrap();
        assert_eq!(
            (ended.code, ended.output.as_slice(), ended.complaints.as_slice()),
            (Some(3), &b"out\n"[..], &b"err\n"[..])
        );
        assert_eq!(ended.failure(), "it ended with 3: err");
    }

    #[test]
    fn a_program_and_what_it_started_are_ended_at_the_deadline() {
        let began = Instant::now();
        let error = shell("sleep 600 & sleep 600", Duration::from_millis(200), &[]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(began.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_program_that_says_much_on_both_outputs_does_not_stand_still() {
        let script = "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789012345678901234567890; \
                      echo 0123456789012345678901234567890123456789012345678901234567890 >&2; i=$((i+1)); done";
        let ended = shell(script, Duration::from_secs(30), &[]).unwrap();
        assert_eq!((ended.output.len(), ended.complaints.len()), (62 * 3000, 62 * 3000));
    }

    #[test]
    fn a_secret_reaches_the_program_and_the_agents_environment_does_not() {
        let secret = Zeroizing::new("geheim".to_owned());
        let ended = shell(
            "printf %s \"$WORD\"; printf %s \"$CARGO_MANIFEST_DIR\"",
            Duration::from_secs(10),
            &[("WORD", &secret)],
        );
        assert_eq!(ended.unwrap().output, b"geheim");
    }
}
