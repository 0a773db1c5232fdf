//! Reads any bytes as a certificate.
#![no_main]

use inkan_model::CertificateFacts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = CertificateFacts::read(bytes);
});
