//! An end to the wait for a PKCS#12 file to be opened.
//!
//! The library bounds each derivation of a key and not how many a file asks for, some of which only show once others are
//! done: one file of a few megabytes can take days. A file may be any user's, and whoever reads it may hold up others. So
//! it is opened on a thread of its own; one that takes too long is left alone, because a thread cannot be ended, and the
//! same file is not opened again before that thread is done.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use inkan_model::Fingerprint;
use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;
use zeroize::Zeroizing;

/// How long a file may take. Real ones take less than a second, on a PC that is old and busy some.
const PATIENCE: Duration = Duration::from_secs(20);
/// Threads that may be left behind before no file is opened at all.
const LEFT_BEHIND: usize = 8;

/// What came of opening a file.
pub(crate) enum Opened {
    Archive(Pkcs12Archive),
    Refused(Error),
    /// The library did not cope with it.
    Panicked,
    TooLong,
}

/// Files whose opening nobody waits for any more.
static UNDER_WAY: Mutex<BTreeSet<Fingerprint>> = Mutex::new(BTreeSet::new());

/// Opens a file with a password.
pub(crate) fn open(bytes: &[u8], password: &str) -> Opened {
    open_within(bytes, password, PATIENCE)
}

fn open_within(bytes: &[u8], password: &str, patience: Duration) -> Opened {
    let file = Fingerprint::of(bytes);
    let is_refused = |left: &BTreeSet<Fingerprint>| left.contains(&file) || left.len() >= LEFT_BEHIND;
    if is_refused(&under_way()) {
        return Opened::TooLong;
    }
    let (bytes, password) = (Zeroizing::new(bytes.to_vec()), Zeroizing::new(password.to_owned()));
    let (sender, receiver) = mpsc::channel();
    let work = move || {
        let opened = catch_unwind(AssertUnwindSafe(|| Pkcs12Archive::from_pkcs12(&bytes, &password)));
        drop(sender.send(match opened {
            Ok(Ok(archive)) => Opened::Archive(archive),
            Ok(Err(error)) => Opened::Refused(error),
            Err(_) => Opened::Panicked,
        }));
        under_way().remove(&file);
    };
    if thread::Builder::new().name("pkcs12".to_owned()).spawn(work).is_err() {
        return Opened::TooLong;
    }
    receiver.recv_timeout(patience).unwrap_or_else(|_| {
        let mut left = under_way();
        // It may have come in this very moment; afterwards the thread finds that it was left behind.
        receiver.try_recv().unwrap_or_else(|_| {
            left.insert(file);
            Opened::TooLong
        })
    })
}

fn under_way() -> MutexGuard<'static, BTreeSet<Fingerprint>> {
    UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_file_that_takes_too_long_is_left_alone_until_its_thread_is_done() {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
        let mut store = p12_keystore::KeyStore::new();
        let certificate = p12_keystore::Certificate::from_der(certificate.der()).unwrap();
        store.add_entry("one", p12_keystore::KeyStoreEntry::Certificate(certificate));
        let bytes = store.writer("1234").encryption_iterations(100_000).mac_iterations(100_000).write().unwrap();
        assert!(matches!(open_within(&bytes, "1234", Duration::ZERO), Opened::TooLong));
        assert!(matches!(open(&bytes, "1234"), Opened::TooLong), "its thread is not done");
        let deadline = Instant::now() + Duration::from_mins(2);
        while under_way().contains(&Fingerprint::of(&bytes)) {
            assert!(Instant::now() < deadline);
            thread::yield_now();
        }
        assert!(matches!(open(&bytes, "1234"), Opened::Archive(archive) if archive.certs.len() == 1));
    }
}
