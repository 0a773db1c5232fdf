//! Opens any bytes as a PKCS#12 file.
#![no_main]

use inkan_trust_store::pkcs12;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = pkcs12::open(bytes, "1234");
});
