//! A runtime's own `keytool`, for the one format that is not written here: PKCS#12.
//!
//! It works on a copy in a folder that only the agent can enter, so it never writes where a user could have put a link,
//! and what it made is read and compared before it replaces anything. The password travels in its environment. It runs
//! with the agent's rights, so only one that nobody else can have exchanged is run.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use zeroize::Zeroizing;

use super::change::Edit;
use super::places::Places;
use crate::program::Program;

/// How long a change may take: a virtual machine starts in one second, or in ten on a PC that is old and busy.
const DEADLINE: Duration = Duration::from_mins(1);
/// The environment variable that the password travels in.
const PASSWORD: &str = "INKAN_STORE_PASSWORD";
/// Stands where a password has to stand and none is needed; shorter ones are refused by the program.
const ANY_PASSWORD: &str = "changeit";
/// With what an alias would begin that a keytool could take for something else: what begins with `-J` it hands to its
/// virtual machine wherever it stands, and that machine runs whatever program it is told.
const NO_ALIAS: [char; 2] = ['-', '@'];
/// Keeps the virtual machine small and quick.
const MACHINE: [&str; 3] = ["-J-Xmx64m", "-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC"];

/// A keytool that may be run.
#[derive(Debug)]
pub(super) struct Keytool(PathBuf);

/// Whether an alias, which may be a user's own words, stays an alias among a keytool's arguments.
pub(super) fn takes_alias(alias: &str) -> bool {
    !alias.is_empty() && !alias.starts_with(NO_ALIAS) && !alias.contains('\0')
}

impl Keytool {
    /// The keytool of this runtime or, for a keystore of no runtime, of the first one that has one.
    pub(super) fn find(places: &Places, runtime: Option<&Path>) -> Option<Self> {
        let candidates = runtime.map_or_else(|| places.find_runtimes(), |runtime| vec![runtime.to_path_buf()]);
        let program = |home: PathBuf| home.join("bin").join(format!("keytool{}", std::env::consts::EXE_SUFFIX));
        candidates.into_iter().map(program).find(|program| may_be_run(program)).map(Self)
    }

    /// The keystore after one change. An empty password stands for none.
    pub(super) fn edit(&self, keystore: &[u8], password: &Zeroizing<String>, edit: &Edit<'_>) -> io::Result<Vec<u8>> {
        let scratch = Scratch::new()?;
        let store = scratch.write("store", keystore)?;
        let any = Zeroizing::new(ANY_PASSWORD.to_owned());
        let password = if password.is_empty() { &any } else { password };
        match edit {
            Edit::Add { alias, der } => {
                let certificate = scratch.write("certificate", der)?;
                let file = [OsString::from("-file"), certificate.into()];
                self.run("-importcert", &store, password, alias, &file)?;
            }
            Edit::Remove { aliases, .. } => {
                for alias in aliases {
                    self.run("-delete", &store, password, alias, &[])?;
                }
            }
        }
        fs::read(store)
    }

    fn run(
        &self,
        command: &str,
        store: &Path,
        password: &Zeroizing<String>,
        alias: &str,
        more: &[OsString],
    ) -> io::Result<()> {
        if !takes_alias(alias) {
            let why = "an entry's alias would be an option to it and not an alias";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        let mut arguments: Vec<OsString> = MACHINE.map(OsString::from).into();
        arguments
            .extend([command, "-noprompt", "-storetype", "PKCS12", "-storepass:env", PASSWORD].map(OsString::from));
        arguments.extend(["-alias".into(), alias.into(), "-keystore".into(), store.into()]);
        arguments.extend_from_slice(more);
        let secrets = [(PASSWORD, password)];
        let program =
            Program { path: &self.0, arguments: &arguments, secrets: &secrets, deadline: DEADLINE, turn: None };
        let ended = program.run()?;
        if ended.is_success() { Ok(()) } else { Err(io::Error::other(ended.failure())) }
    }
}

/// Whether nobody but the agent's own account and the administrator can have put this program there.
#[cfg(unix)]
fn may_be_run(program: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let own = rustix::process::geteuid().as_raw();
    let Ok(real) = program.canonicalize() else { return false };
    real.ancestors().all(|path| {
        fs::symlink_metadata(path).is_ok_and(|metadata| {
            let only_owner = metadata.mode() & 0o022 == 0 || metadata.mode() & 0o1000 != 0;
            only_owner && (metadata.uid() == 0 || metadata.uid() == own)
        })
    })
}

/// Whether it stands below the folders of programs, which only administrators can change.
#[cfg(not(unix))]
fn may_be_run(program: &Path) -> bool {
    let folders = ["ProgramFiles", "ProgramFiles(x86)", "ProgramW6432"].into_iter().filter_map(std::env::var_os);
    let resolved = |path: &Path| path.canonicalize().ok();
    let Some(program) = resolved(program) else { return false };
    folders.filter_map(|folder| resolved(Path::new(&folder))).any(|folder| program.starts_with(folder))
}

/// A folder that only the agent can enter, gone when this is dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        const TRIES: u32 = 1_000;
        let base = std::env::temp_dir();
        for _ in 0..TRIES {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = base.join(format!("inkan-keystore-{}-{number}", std::process::id()));
            // A name that is taken, by whomever, is left alone.
            match create_private(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<PathBuf> {
        let path = self.0.join(name);
        fs::OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(bytes)?;
        Ok(path)
    }
}

/// Makes a folder that is its maker's alone from the first moment.
#[cfg(unix)]
fn create_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new().mode(0o700).create(path)
}

/// Makes a folder with the rights of the folder of temporary files: for its maker and administrators.
#[cfg(not(unix))]
fn create_private(path: &Path) -> io::Result<()> {
    fs::create_dir(path)
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(folder = %self.0.display(), %error, "a scratch folder could not be removed");
        }
    }
}
