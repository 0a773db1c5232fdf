//! Reads any bytes as a Java keystore.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| inkan_trust_store::java::fuzz(bytes));
