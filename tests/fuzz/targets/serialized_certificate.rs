//! Reads any bytes as a certificate as Windows serializes it in registry and files; what was read and can be written
//! reads the same.
#![no_main]

use inkan_trust_store::windows::serialized::SerializedCertificate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = SerializedCertificate::read(bytes)
        && let Some(written) = read.to_bytes()
    {
        let again = SerializedCertificate::read(&written).expect("what we write can be read");
        assert_eq!(again.to_bytes(), Some(written));
    }
});
