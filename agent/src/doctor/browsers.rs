//! Browsers that are open while they should be closed, told by the programs that run.

use inkan_model::checkup::{Check, CheckResult, CheckStatus};
use inkan_model::locale::Bilingual;
use inkan_model::programme::Browser;

/// The browser that a program's file name stands for.
fn browser_of(program: &str) -> Option<Browser> {
    let program = program.to_ascii_lowercase();
    match program.strip_suffix(".exe").unwrap_or(&program) {
        "chrome" | "google chrome" | "google-chrome" => Some(Browser::Chrome),
        "chromium" | "chromium-browser" => Some(Browser::Chromium),
        "msedge" | "microsoft edge" | "microsoftedge" => Some(Browser::Edge),
        "firefox" | "firefox-esr" | "firefox-bin" => Some(Browser::Firefox),
        "iexplore" => Some(Browser::InternetExplorer),
        "safari" => Some(Browser::Safari),
        _ => None,
    }
}

/// Names of the programs that run on this PC; none where it does not tell.
#[cfg(windows)]
pub(super) fn running_programs() -> Vec<String> {
    inkan_trust_store::windows::programs::running_programs().unwrap_or_default()
}

/// Names of the programs that run on this PC; none where it does not tell.
#[cfg(not(windows))]
pub(super) fn running_programs() -> Vec<String> {
    use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System};
    let Ok(mut system) = System::new() else { return Vec::new() };
    // What could not be read is missing from the list.
    let _refreshed = system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
    let mut names: Vec<_> =
        system.processes().values().map(|process| process.name().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether one of these browsers runs.
pub(super) fn check(programs: &[String], closed: &[Browser]) -> CheckResult {
    let name = Check::OpenBrowsers;
    if programs.is_empty() {
        return CheckResult::unknown(
            name,
            "動いているプログラムを調べられません。",
            "It cannot be told which programs run.",
        );
    }
    let open: Vec<_> = Browser::ALL
        .into_iter()
        .filter(|browser| closed.contains(browser))
        .filter(|browser| programs.iter().any(|program| browser_of(program) == Some(*browser)))
        .map(Browser::product)
        .collect();
    if open.is_empty() {
        return CheckResult::well(name, "ブラウザはすべて閉じています。", "Every browser is closed.");
    }
    let open = open.join(", ");
    CheckResult::unwell(
        name,
        CheckStatus::Soon,
        Bilingual::new(format!("{open} が動いています。"), format!("{open} is running.")),
        Bilingual::new(
            "証明書の手続きの前に、すべてのウインドウを閉じてください。閉じても残るときは端末を再起動してください。",
            "Close every window before working with certificates; if it still runs then, restart the PC.",
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn programs(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn an_open_browser_is_named() {
        let open = check(&programs(&["explorer.exe", "IEXPLORE.EXE", "msedge.exe"]), &Browser::ALL);
        assert_eq!(open.status, CheckStatus::Soon);
        assert!(open.statement.en.contains("Microsoft Edge, Internet Explorer"), "{}", open.statement.en);
    }

    #[test]
    fn a_browser_that_may_stay_open_and_a_program_of_a_like_name_do_not_count() {
        let running = programs(&["firefox", "msedgewebview2.exe", "chromedriver"]);
        assert_eq!(check(&running, &[Browser::Edge, Browser::Chrome]).status, CheckStatus::Well);
        assert_eq!(check(&[], &Browser::ALL).status, CheckStatus::Unknown);
    }

    #[test]
    fn this_very_program_is_among_those_that_run() {
        assert!(running_programs().iter().any(|program| program.starts_with("inkan_agent")));
    }
}
