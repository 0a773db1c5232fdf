//! Reads any text as what macOS' `security` program prints.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| inkan_trust_store::macos::fuzz(text));
