//! Linux: machine-id(5), made when the system was installed and renewed when an image is started for the first time.

use std::fs;
use std::io;

pub(super) const REMEDY: &str =
    "run `systemd-machine-id-setup` as root, or write 32 hexadecimal digits to /etc/machine-id";
const PATHS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];

pub(super) fn machine_id() -> io::Result<String> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for path in PATHS {
        match fs::read_to_string(path) {
            Ok(id) if is_machine_id(id.trim()) => return Ok(id),
            Ok(_) => last = io::Error::new(io::ErrorKind::InvalidData, format!("{path} holds no identifier")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn is_machine_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
