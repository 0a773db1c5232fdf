//! Windows: the identifier that its set-up makes, and `sysprep` makes anew in a copy.

use std::io;

use winreg::RegKey;
use winreg::enums::{HKEY_LOCAL_MACHINE, KEY_READ, KEY_WOW64_64KEY};

pub(super) const REMEDY: &str =
    "its registry has no MachineGuid under HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Cryptography: repair Windows";

/// From the one registry of a 64-bit Windows, whichever program asks.
pub(super) fn machine_id() -> io::Result<String> {
    let machine = RegKey::predef(HKEY_LOCAL_MACHINE);
    let key = machine.open_subkey_with_flags(r"SOFTWARE\Microsoft\Cryptography", KEY_READ | KEY_WOW64_64KEY)?;
    let id: String = key.get_value("MachineGuid")?;
    let digits = id.bytes().filter(u8::is_ascii_hexdigit).count();
    if digits == 32 { Ok(id.to_ascii_lowercase()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn this_machine_says_who_it_is() {
        assert_eq!(super::machine_id().unwrap(), super::machine_id().unwrap());
    }
}
