//! Reads any bytes as the files and messages around NSS databases.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| inkan_trust_store::nss::fuzz(bytes));
