//! Reads any text as a programme's file.
#![no_main]

use inkan_model::programme::Programme;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(refused) = Programme::from_toml("programme.toml", text) {
        assert!(!refused.to_string().is_empty());
    }
});
