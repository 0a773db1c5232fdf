//! Whether a test may change the stores of the PC that it runs on.

/// Says yes under Wine, whose prefix is thrown away, and where somebody allowed it for this PC. A CI run that may not is
/// a failure; elsewhere the test says that it did nothing.
pub(crate) fn may_be_changed() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some();
    let allowed = set("WINEPREFIX") || set("INKAN_TESTS_CHANGE_THIS_PC");
    assert!(allowed || !set("CI"), "CI must run this under Wine or set INKAN_TESTS_CHANGE_THIS_PC");
    if !allowed {
        println!("SKIPPED: this test changes the PC's own stores; set INKAN_TESTS_CHANGE_THIS_PC to allow that");
    }
    allowed
}
