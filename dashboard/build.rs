//! Rebuilds when a text changes: the locale files are read by a macro, which cargo cannot see.

fn main() {
    println!("cargo::rerun-if-changed=locales");
}
