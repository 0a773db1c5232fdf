//! Windows: what the registry tells, in its 64-bit view whichever program asks.

use inkan_model::host::HostFacts;
use inkan_trust_store::windows::machine::installed_memory;
use winreg::RegKey;
use winreg::enums::{HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_64KEY};
use winreg::types::FromRegValue;

use super::{people, processors, short};

const VERSION: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const PROFILES: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
const NETWORK: &str = r"SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
const COMPUTER: &str = r"SYSTEM\CurrentControlSet\Control\ComputerName\ComputerName";
const ENVIRONMENT: &str = r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment";
const TIME_ZONE: &str = r"SYSTEM\CurrentControlSet\Control\TimeZoneInformation";
const FIRMWARE: &str = r"HARDWARE\DESCRIPTION\System\BIOS";
/// The first build that is called Windows 11; its registry goes on saying 10.
const ELEVEN: u32 = 22_000;
/// Accounts of people begin so; those of services do not.
const PERSON: &str = "S-1-5-21-";

/// Collects the facts.
pub fn collect_facts() -> HostFacts {
    let version = Key::open(VERSION);
    let build: String = version.find("CurrentBuildNumber").or_else(|| version.find("CurrentBuild")).unwrap_or_default();
    let (os, os_version) = (product(&version, &build), release(&version, &build));
    HostFacts {
        host_name: short(&host_name()),
        os: short(&os),
        os_version: short(&os_version),
        kernel: short(&kernel(&version, &build)),
        architecture: short(&architecture()),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        model: model(),
        cores: processors(),
        memory_mib: installed_memory().map_or(0, |bytes| bytes / (1024 * 1024)),
        users: users(),
        time_zone: time_zone(),
    }
}

/// A key of the machine that may be missing, as each of its values may.
struct Key(Option<RegKey>);

impl Key {
    fn open(path: &str) -> Self {
        let machine = RegKey::predef(HKEY_LOCAL_MACHINE);
        Self(machine.open_subkey_with_flags(path, KEY_READ | KEY_WOW64_64KEY).ok())
    }

    fn find<T: FromRegValue>(&self, value: &str) -> Option<T> {
        self.0.as_ref()?.get_value(value).ok()
    }

    fn find_text(&self, value: &str) -> Option<String> {
        self.find(value).filter(|text: &String| !text.trim().is_empty())
    }
}

fn host_name() -> String {
    let by_network = Key::open(NETWORK).find_text("Hostname");
    by_network.or_else(|| Key::open(COMPUTER).find_text("ComputerName")).unwrap_or_default()
}

/// As in "Windows 11 Pro".
fn product(version: &Key, build: &str) -> String {
    let name = version.find_text("ProductName").unwrap_or_else(|| "Windows".to_owned());
    let name = name.trim_start_matches("Microsoft ");
    if build.parse().is_ok_and(|build: u32| build >= ELEVEN) {
        name.replace("Windows 10", "Windows 11")
    } else {
        name.to_owned()
    }
}

/// As in "22H2 (19045.3803)"; before Windows 10 as in "6.3 (9600)".
fn release(version: &Key, build: &str) -> String {
    let named = version.find_text("DisplayVersion").or_else(|| version.find_text("ReleaseId"));
    let named = named.or_else(|| version.find_text("CurrentVersion")).unwrap_or_default();
    let revision = version.find("UBR").map(|revision: u32| format!(".{revision}")).unwrap_or_default();
    format!("{named} ({build}{revision})")
}

/// As in "10.0.19045".
fn kernel(version: &Key, build: &str) -> String {
    let numbers: (Option<u32>, Option<u32>) =
        (version.find("CurrentMajorVersionNumber"), version.find("CurrentMinorVersionNumber"));
    match numbers {
        (Some(major), Some(minor)) => format!("{major}.{minor}.{build}"),
        _ => format!("{}.{build}", version.find_text("CurrentVersion").unwrap_or_default()),
    }
}

/// The machine's own, in the words that other systems use: a 32-bit agent may run on a 64-bit Windows.
fn architecture() -> String {
    let named = Key::open(ENVIRONMENT).find_text("PROCESSOR_ARCHITECTURE").unwrap_or_default();
    match named.to_ascii_uppercase().as_str() {
        "AMD64" => "x86_64".to_owned(),
        "X86" => "x86".to_owned(),
        "ARM64" => "aarch64".to_owned(),
        "" => std::env::consts::ARCH.to_owned(),
        _ => named,
    }
}

/// Maker and model, from the firmware's tables as Windows keeps them.
fn model() -> Option<String> {
    let firmware = Key::open(FIRMWARE);
    let parts = [firmware.find_text("SystemManufacturer"), firmware.find_text("SystemProductName")];
    let model = short(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
    (!model.is_empty()).then_some(model)
}

/// Who has a profile on this PC, by the name of its folder.
fn users() -> Vec<String> {
    let profiles = Key::open(PROFILES);
    let Some(key) = &profiles.0 else { return Vec::new() };
    let sids = key.enum_keys().filter_map(Result::ok).filter(|sid| sid.starts_with(PERSON));
    let folders = sids.filter_map(|sid| Key::open(&format!("{PROFILES}\\{sid}")).find_text("ProfileImagePath"));
    people(folders.filter_map(|folder| folder.trim_end_matches('\\').rsplit('\\').next().map(str::to_owned)))
}

/// The IANA name of Japan's zone; of others the distance to UTC, without summer time, which changes.
fn time_zone() -> Option<String> {
    let zone = Key::open(TIME_ZONE);
    if zone.find_text("TimeZoneKeyName").is_some_and(|name| name == "Tokyo Standard Time") {
        return Some("Asia/Tokyo".to_owned());
    }
    let behind: u32 = zone.find("Bias")?;
    Some(offset(behind.cast_signed()))
}

/// Windows counts minutes that are added to get UTC.
fn offset(behind: i32) -> String {
    let (sign, minutes) = (if behind > 0 { '-' } else { '+' }, behind.unsigned_abs());
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_says_what_it_is() {
        let facts = collect_facts();
        assert!(facts.os.starts_with("Windows"), "{facts:?}");
        assert!(facts.os_version.ends_with(')') && facts.kernel.contains('.'), "{facts:?}");
        assert!(!facts.host_name.is_empty(), "{facts:?}");
    }

    #[test]
    fn an_eleven_is_called_by_its_name() {
        let none = Key(None);
        assert_eq!(product(&none, "9600"), "Windows");
        assert_eq!(release(&none, "9600"), " (9600)");
    }

    #[test]
    fn zones_are_told_by_their_distance() {
        assert_eq!(offset(-540), "+09:00");
        assert_eq!(offset(0), "+00:00");
        assert_eq!(offset(210), "-03:30");
    }
}
