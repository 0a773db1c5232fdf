//! A PC on which the agent is installed and removed by msiexec.

use std::cell::Cell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use inkan_tests::process::run_with_heirs;
use inkan_tests::wine::WinePrefix;
use serde_json::Value;

const INSTALLER: &str = "INKAN_WINDOWS_MSI";
const NEXT: &str = "INKAN_WINDOWS_MSI_NEXT";

/// A Windows of its own, on which the agent may be installed. Dropping it ends everything on it.
pub(crate) struct Pc {
    windows: WinePrefix,
    installer: PathBuf,
    next: PathBuf,
    logs: Cell<u32>,
}

/// A PC as it is bought. `None` where there is no installer or no Wine: a test then ends well, and says loudly that it tested
/// nothing; where CI=true it fails.
pub(crate) fn pc() -> Option<Pc> {
    let found = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_file());
    let lacking = match (found(INSTALLER), found(NEXT), WinePrefix::is_possible()) {
        (Some(installer), Some(next), true) => {
            let windows = WinePrefix::create(Path::new(env!("CARGO_TARGET_TMPDIR"))).unwrap();
            return Some(Pc { windows, installer, next, logs: Cell::new(0) });
        }
        (_, _, false) => "there is no Wine: install the packages wine and wine64",
        _ => "INKAN_WINDOWS_MSI and INKAN_WINDOWS_MSI_NEXT name no installers: build them with deploy/windows/msi",
    };
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{lacking}");
    eprintln!("SKIPPED: {lacking}");
    None
}

impl Pc {
    /// Installs the agent, silently; the installer's log, also where it fails.
    pub(crate) fn install(&self, properties: &[impl AsRef<OsStr>]) -> Result<String, String> {
        self.msiexec("/i", &self.installer, properties)
    }

    /// Installs the later version over it.
    pub(crate) fn upgrade(&self) -> Result<String, String> {
        self.msiexec("/i", &self.next, &[] as &[&str])
    }

    /// Removes whichever version is there.
    pub(crate) fn uninstall(&self) -> Result<String, String> {
        let there = self.windows.on_drive_c("upgraded").exists();
        self.msiexec("/x", if there { &self.next } else { &self.installer }, &[] as &[&str])
    }

    fn msiexec(&self, what: &str, installer: &Path, properties: &[impl AsRef<OsStr>]) -> Result<String, String> {
        self.logs.set(self.logs.get() + 1);
        let name = format!("installer-{}.log", self.logs.get());
        let mut command = self.windows.command("msiexec");
        command.arg(what).arg(installer).args(["/qn", "/l*v", &format!("C:\\{name}")]).args(properties);
        if what == "/i" && installer == self.next {
            // Wine does not tell the old version that it is being upgraded, as Windows does.
            command.env("INKAN_KEEP", "1");
        }
        let ran = run_with_heirs(command);
        let log = text(&std::fs::read(self.windows.on_drive_c(name)).unwrap_or_default());
        if ran.is_err() {
            return Err(log);
        }
        if installer == self.next {
            std::fs::write(self.windows.on_drive_c("upgraded"), "").map_err(|error| error.to_string())?;
        }
        Ok(log)
    }

    /// Runs a command of the installed program, as the PC's user; what it printed.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = self.windows.command("C:\\Program Files\\inkan\\inkan-agent.exe");
        command.args(arguments);
        run_with_heirs(command)
    }

    /// Puts a copy of a file on drive C:.
    pub(crate) fn put(&self, file: &Path, name: &str) {
        std::fs::copy(file, self.windows.on_drive_c(name)).unwrap();
    }

    /// The installed program.
    pub(crate) fn program(&self) -> PathBuf {
        self.windows.on_drive_c("Program Files/inkan/inkan-agent.exe")
    }

    /// A file of the agent's own folder.
    pub(crate) fn data(&self, file: &str) -> PathBuf {
        self.windows.on_drive_c("ProgramData/inkan").join(file)
    }

    /// How the service stands, in the service manager's words.
    pub(crate) fn service(&self) -> &'static str {
        let mut command = self.windows.command("sc");
        command.args(["query", "inkan-agent"]);
        // It fails where there is no such service.
        let told = run_with_heirs(command).unwrap_or_default();
        if told.contains("RUNNING") {
            "running"
        } else if told.contains("STATE") {
            "not running"
        } else {
            "not installed"
        }
    }

    /// What the agent wrote about itself; null before the first time.
    pub(crate) fn status(&self) -> Value {
        let bytes = std::fs::read(self.data("status.json")).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
    }

    /// The service's log.
    pub(crate) fn log(&self) -> String {
        text(&std::fs::read(self.data("agent.log")).unwrap_or_default())
    }

    /// How it goes, for the text of a failure.
    pub(crate) fn account(&self) -> String {
        format!("service: {}\n{:#}\n{}", self.service(), self.status(), self.log())
    }

    /// What is left of the agent.
    pub(crate) fn traces(&self) -> Vec<String> {
        let mut found = Vec::new();
        for path in ["Program Files/inkan", "Program Files (x86)/inkan", "ProgramData/inkan"] {
            let folder = self.windows.on_drive_c(path);
            if folder.exists() {
                found.push(path.to_owned());
                let inside = std::fs::read_dir(folder).into_iter().flatten().flatten();
                found.extend(inside.map(|entry| entry.path().display().to_string()));
            }
        }
        if self.service() != "not installed" {
            found.push("the service".to_owned());
        }
        found
    }

    /// Files on this PC, the registry's included, that hold a text in any of the forms in which Windows writes it.
    pub(crate) fn holding(&self, needle: &str) -> Vec<String> {
        // The registry is written to its files when it is asked for.
        let mut export = self.windows.command("reg");
        export.args(["export", "HKLM\\Software", "C:\\registry.reg", "/y"]);
        run_with_heirs(export).unwrap();
        let wide: Vec<u8> = needle.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let needles = [needle.as_bytes().to_vec(), wide];
        let mut found = Vec::new();
        for root in ["ProgramData", "Program Files", "users", "windows/temp", "windows/Installer", "registry.reg"] {
            collect(&self.windows.on_drive_c(root), &needles, &mut found).unwrap();
        }
        found
    }
}

fn collect(path: &Path, needles: &[Vec<u8>], found: &mut Vec<String>) -> Result<()> {
    let Ok(about) = path.symlink_metadata() else { return Ok(()) };
    if about.is_dir() {
        for entry in std::fs::read_dir(path)? {
            collect(&entry?.path(), needles, found)?;
        }
    } else if about.is_file() {
        ensure!(about.len() < 1024 * 1024 * 1024, "{} is too large to look into", path.display());
        let bytes = std::fs::read(path)?;
        let holds = |needle: &Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
        if path.to_string_lossy().contains(&*String::from_utf8_lossy(&needles[0])) || needles.iter().any(holds) {
            found.push(path.display().to_string());
        }
    }
    Ok(())
}

/// Text as programs of Windows write it: in UTF-16 with a mark, or in bytes.
fn text(bytes: &[u8]) -> String {
    match bytes {
        [0xff, 0xfe, rest @ ..] => {
            let units: Vec<u16> = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}
