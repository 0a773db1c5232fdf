//! Linux and its kin: what `sysinfo` tells, and the files of the operating system beside it.

use std::path::{Path, PathBuf};

use inkan_model::host::HostFacts;
use sysinfo::{MemoryRefreshKind, RefreshKind, System, Users};

use super::{people, processors, short};

/// Bytes of a file of the operating system that holds one short text.
const FILE_BYTES: u64 = 4_096;
/// People's accounts on Unix; below are the system's, above is `nobody`.
const PEOPLE: std::ops::Range<u32> = 1_000..65_534;

/// Collects the facts.
pub fn collect_facts() -> HostFacts {
    collect_below(Path::new("/"))
}

/// As [`collect_facts`], with the files of the operating system below another root.
fn collect_below(root: &Path) -> HostFacts {
    let name = System::name().unwrap_or_else(|_| std::env::consts::OS.to_owned());
    let os_version = System::os_version().unwrap_or_default();
    HostFacts {
        host_name: short(&System::host_name().unwrap_or_default()),
        os: short(format!("{name} {os_version}").trim()),
        os_version: short(&os_version),
        kernel: short(&System::kernel_version().unwrap_or_default()),
        architecture: short(&System::cpu_arch()),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        model: model(root),
        cores: cores(),
        memory_mib: memory_mib(),
        users: users(),
        time_zone: time_zone(root),
    }
}

fn cores() -> u32 {
    System::physical_core_count().map_or_else(|_| processors(), |cores| u32::try_from(cores).unwrap_or(u32::MAX))
}

fn memory_mib() -> u64 {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    System::new_with_specifics(memory).map_or(0, |system| system.total_memory() / (1024 * 1024))
}

fn users() -> Vec<String> {
    let Ok(all) = Users::new_with_refreshed_list() else { return Vec::new() };
    let is_service = |user: &&sysinfo::User| user.id().to_string().parse().is_ok_and(|id: u32| !PEOPLE.contains(&id));
    people(all.iter().filter(|user| !is_service(user)).map(|user| user.name().to_owned()))
}

/// Maker and model, from the firmware's tables as Linux shows them.
fn model(root: &Path) -> Option<String> {
    let firmware = |name: &str| read_short(&root.join("sys/class/dmi/id").join(name));
    let parts = [firmware("sys_vendor"), firmware("product_name")];
    let model = short(&parts.into_iter().flatten().collect::<Vec<_>>().join(" "));
    (!model.is_empty()).then_some(model)
}

/// The IANA name of the time zone, as Linux keeps it.
fn time_zone(root: &Path) -> Option<String> {
    let linked = std::fs::read_link(root.join("etc/localtime")).ok();
    let by_link = linked.as_deref().and_then(name_of_zone);
    by_link.or_else(|| read_short(&root.join("etc/timezone"))).filter(|name| !name.is_empty())
}

fn name_of_zone(path: &Path) -> Option<String> {
    let mut components = path.components();
    components.find(|component| component.as_os_str() == "zoneinfo")?;
    let name: PathBuf = components.collect();
    Some(short(&name.to_string_lossy()))
}

fn read_short(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(FILE_BYTES).read_to_string(&mut text).ok()?;
    let first = short(text.lines().next().unwrap_or_default());
    (!first.is_empty()).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn model_and_time_zone_are_read_from_the_operating_systems_files() {
        let root = tempfile::tempdir().unwrap();
        let dmi = root.path().join("sys/class/dmi/id");
        std::fs::create_dir_all(&dmi).unwrap();
        std::fs::create_dir_all(root.path().join("etc")).unwrap();
        std::fs::write(dmi.join("sys_vendor"), "Maker\n").unwrap();
        std::fs::write(dmi.join("product_name"), "Model\u{7} 7\n").unwrap();
        std::os::unix::fs::symlink("/usr/share/zoneinfo/Asia/Tokyo", root.path().join("etc/localtime")).unwrap();
        let facts = collect_below(root.path());
        assert_eq!(facts.model.as_deref(), Some("Maker Model  7"));
        assert_eq!(facts.time_zone.as_deref(), Some("Asia/Tokyo"));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(time_zone(root.path()), None);
        assert_eq!(read_short(&root.path().join("none")), None);
    }
}
