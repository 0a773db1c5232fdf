//! Whether a private key is where its certificate says, and whether Windows would give it out. Nothing is signed or
//! exported, and nobody is asked: only providers that keep keys in software or in the PC's own chip are opened, because a
//! card reader may wait for its card.
#![expect(unsafe_code, reason = "key providers are only reached through C functions")]

use windows_sys::Win32::Foundation::{NTE_BAD_KEYSET, NTE_NO_KEY, NTE_NOT_FOUND};
use windows_sys::Win32::Security::Cryptography::{
    AT_KEYEXCHANGE, CRYPT_EXPORT, CRYPT_MACHINE_KEYSET, CRYPT_SILENT, CryptAcquireContextW, CryptDestroyKey,
    CryptGetKeyParam, CryptGetUserKey, CryptReleaseContext, KP_PERMISSIONS, NCRYPT_ALLOW_EXPORT_FLAG,
    NCRYPT_ALLOW_PLAINTEXT_EXPORT_FLAG, NCRYPT_EXPORT_POLICY_PROPERTY, NCRYPT_MACHINE_KEY_FLAG, NCRYPT_SILENT_FLAG,
    NCryptFreeObject, NCryptGetProperty, NCryptOpenKey, NCryptOpenStorageProvider,
};

use super::entries::{KeyProbe, KeyState};
use crate::windows::serialized::KeyLink;

/// Looks for keys of the running account and of the machine.
pub(super) struct OwnKeys;

/// Looks for keys of the machine only: what else a certificate names is another user's.
pub(super) struct MachineKeys;

impl KeyProbe for OwnKeys {
    fn look(&self, link: &KeyLink) -> KeyState {
        match (keeps_keys_in_the_pc(&link.provider), link.is_cng()) {
            (false, _) => KeyState::Unseen,
            (true, true) => cng(link),
            (true, false) => capi(link),
        }
    }
}

impl KeyProbe for MachineKeys {
    fn look(&self, link: &KeyLink) -> KeyState {
        if link.is_machine() { OwnKeys.look(link) } else { KeyState::Unseen }
    }
}

/// Whether a provider is one of Windows' own that answer by themselves.
fn keeps_keys_in_the_pc(provider: &str) -> bool {
    provider.starts_with("Microsoft ") && !provider.contains("Smart Card")
}

/// A key container of CryptoAPI.
struct Container(usize);

impl Drop for Container {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own.
        unsafe { CryptReleaseContext(self.0, 0) };
    }
}

/// A key of CryptoAPI.
struct Key(usize);

impl Drop for Key {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own; it closes the handle and not the key.
        unsafe { CryptDestroyKey(self.0) };
    }
}

fn capi(link: &KeyLink) -> KeyState {
    let (name, provider) = (wide(&link.container), wide(&link.provider));
    let flags = CRYPT_SILENT | if link.is_machine() { CRYPT_MACHINE_KEYSET } else { 0 };
    let mut handle = 0;
    // SAFETY: both names are NUL-terminated UTF-16 strings that outlive the call.
    let opened =
        unsafe { CryptAcquireContextW(&raw mut handle, name.as_ptr(), provider.as_ptr(), link.provider_type, flags) };
    if opened == 0 {
        return failed(&[NTE_BAD_KEYSET]);
    }
    let container = Container(handle);
    // Some importers write neither of the two numbers that exist.
    let which = if matches!(link.key_spec, 1 | 2) { link.key_spec } else { AT_KEYEXCHANGE };
    let mut handle = 0;
    // SAFETY: the container is open.
    if unsafe { CryptGetUserKey(container.0, which, &raw mut handle) } == 0 {
        return failed(&[NTE_NO_KEY]);
    }
    let key = Key(handle);
    let (mut permissions, mut length) = (0_u32, 4_u32);
    // SAFETY: the key is open; the buffer has the four bytes that are told.
    let told = unsafe { CryptGetKeyParam(key.0, KP_PERMISSIONS, (&raw mut permissions).cast(), &raw mut length, 0) };
    KeyState::There { exportable: (told != 0 && length == 4).then_some(permissions & CRYPT_EXPORT != 0) }
}

/// An object of a key storage provider.
struct Object(usize);

impl Drop for Object {
    fn drop(&mut self) {
        // SAFETY: the handle is this value's own.
        unsafe { NCryptFreeObject(self.0) };
    }
}

fn cng(link: &KeyLink) -> KeyState {
    let (name, provider) = (wide(&link.container), wide(&link.provider));
    let mut handle = 0;
    // SAFETY: the name is a NUL-terminated UTF-16 string that outlives the call.
    if unsafe { NCryptOpenStorageProvider(&raw mut handle, provider.as_ptr(), 0) } != 0 {
        return KeyState::Unseen;
    }
    let provider = Object(handle);
    let flags = NCRYPT_SILENT_FLAG | if link.is_machine() { NCRYPT_MACHINE_KEY_FLAG } else { 0 };
    let mut handle = 0;
    // SAFETY: the provider is open; the name is as above.
    match unsafe { NCryptOpenKey(provider.0, &raw mut handle, name.as_ptr(), 0, flags) } {
        0 => {}
        NTE_BAD_KEYSET | NTE_NO_KEY | NTE_NOT_FOUND => return KeyState::Gone,
        _ => return KeyState::Unseen,
    }
    let key = Object(handle);
    let (mut policy, mut length) = ([0_u8; 4], 0);
    // SAFETY: the key is open; the buffer has the four bytes that are told.
    let told =
        unsafe { NCryptGetProperty(key.0, NCRYPT_EXPORT_POLICY_PROPERTY, policy.as_mut_ptr(), 4, &raw mut length, 0) };
    let exports = NCRYPT_ALLOW_EXPORT_FLAG | NCRYPT_ALLOW_PLAINTEXT_EXPORT_FLAG;
    let exportable = (told == 0 && length == 4).then(|| u32::from_le_bytes(policy) & exports != 0);
    KeyState::There { exportable }
}

/// What the last error says of a key: that it is gone only where that is certain.
fn failed(gone: &[i32]) -> KeyState {
    let error = std::io::Error::last_os_error().raw_os_error();
    if error.is_some_and(|error| gone.contains(&error)) { KeyState::Gone } else { KeyState::Unseen }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::Security::Cryptography::{
        CRYPT_DELETEKEYSET, CRYPT_EXPORTABLE, CRYPT_NEWKEYSET, CryptGenKey,
    };

    use super::*;
    use crate::windows::real_stores;

    fn link(container: &str, flags: u32) -> KeyLink {
        KeyLink {
            container: format!("inkan-probe-{container}-{}", std::process::id()),
            provider: "Microsoft Enhanced RSA and AES Cryptographic Provider".to_owned(),
            provider_type: 24,
            flags,
            key_spec: 1,
        }
    }

    fn acquire(link: &KeyLink, flags: u32) -> usize {
        let (name, provider) = (wide(&link.container), wide(&link.provider));
        let flags = flags | CRYPT_SILENT | link.flags;
        let mut handle = 0;
        // SAFETY: both names are NUL-terminated UTF-16 strings that outlive the call.
        let done = unsafe { CryptAcquireContextW(&raw mut handle, name.as_ptr(), provider.as_ptr(), 24, flags) };
        assert_ne!(done, 0);
        handle
    }

    fn make(link: &KeyLink, flags: u32) {
        let container = Container(acquire(link, CRYPT_NEWKEYSET));
        let mut key = 0;
        // SAFETY: the container is open.
        assert_ne!(unsafe { CryptGenKey(container.0, AT_KEYEXCHANGE, (1024 << 16) | flags, &raw mut key) }, 0);
        drop(Key(key));
    }

    #[test]
    fn a_key_says_whether_it_can_be_taken_out_and_one_that_was_deleted_is_gone() {
        if !real_stores::may_be_changed() {
            return;
        }
        for scope in [0, CRYPT_MACHINE_KEYSET] {
            for (flags, exportable) in [(0, false), (CRYPT_EXPORTABLE, true)] {
                let link = link(&format!("{scope}-{flags}"), scope);
                assert_eq!(OwnKeys.look(&link), KeyState::Gone);
                make(&link, flags);
                assert_eq!(OwnKeys.look(&link), KeyState::There { exportable: Some(exportable) });
                let other_users = if scope == 0 { KeyState::Unseen } else { OwnKeys.look(&link) };
                assert_eq!(MachineKeys.look(&link), other_users);
                acquire(&link, CRYPT_DELETEKEYSET);
                assert_eq!(OwnKeys.look(&link), KeyState::Gone);
            }
        }
    }

    #[test]
    fn a_card_is_never_asked_for() {
        let card = KeyLink { provider: "Microsoft Base Smart Card Crypto Provider".to_owned(), ..link("card", 0) };
        let foreign = KeyLink { provider: "JPKI Crypto Service Provider".to_owned(), ..link("card", 0) };
        let cng_card = KeyLink {
            provider: "Microsoft Smart Card Key Storage Provider".to_owned(),
            provider_type: 0,
            ..link("card", 0)
        };
        for link in [card, foreign, cng_card] {
            assert_eq!(OwnKeys.look(&link), KeyState::Unseen);
        }
    }
}
