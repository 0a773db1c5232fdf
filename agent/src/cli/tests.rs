use clap::CommandFactory as _;

use super::*;

fn parse(words: &[&str]) -> Result<Cli, String> {
    Cli::try_parse_from(std::iter::once(&"inkan-agent").chain(words)).map_err(|error| error.to_string())
}

/// Runs a command on an empty data directory; what it printed, or why it failed, with the exit code.
fn on_empty_pc(words: &[&str]) -> Result<String, (String, ExitCode)> {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let mut words = words.to_vec();
    words.extend(["--data-dir", data_dir.to_str().unwrap()]);
    let mut out = Vec::new();
    execute(parse(&words).unwrap(), &mut out).map_err(|failure| (failure.to_string(), failure.code()))?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn help_has_examples_and_exit_codes() {
    let help = Cli::command().render_help().to_string();
    assert!(help.contains("Examples:") && help.contains("Exit codes:"), "{help}");
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        assert!(help.contains(&command.get_about().unwrap().to_string()));
    }
}

#[test]
fn a_pc_that_is_not_enrolled_is_told_what_to_do() {
    for command in ["run", "status"] {
        let (why, code) = on_empty_pc(&[command]).unwrap_err();
        assert!(why.contains("join token") && why.contains("inkan-agent enroll"), "{why}");
        assert_eq!(code, ExitCode::from(3));
    }
}

#[test]
fn enrolling_without_a_token_or_with_a_mistyped_one_says_so() {
    let pin = format!("sha256:{}", "0".repeat(64));
    let enroll = ["enroll", "--server", "https://127.0.0.1:1", "--ca-pin", &pin];
    let with_token = |token: &'static str| [&enroll[..], &["--token", token]].concat();
    let (why, code) = on_empty_pc(&with_token("ABCDE")).unwrap_err();
    assert!(why.contains("not a join token"), "{why}");
    assert_eq!(code, ExitCode::from(2));
    let from_file = [&enroll[..], &["--token-file", "/nowhere/token"]].concat();
    let (why, _) = on_empty_pc(&from_file).unwrap_err();
    assert!(why.contains("/nowhere/token"), "{why}");
}

#[test]
fn a_server_that_is_not_there_has_an_exit_code_of_its_own() {
    let pin = format!("sha256:{}", "0".repeat(64));
    let token = inkan_model::join_token::JoinTokenSecret::new([1; 32]).reveal();
    let enroll = ["enroll", "--server", "https://127.0.0.1:1", "--ca-pin", &pin, "--token", &token];
    let (why, code) = on_empty_pc(&enroll).unwrap_err();
    assert!(why.contains("could not connect to 127.0.0.1 port 1"), "{why}");
    assert_eq!(code, ExitCode::from(4));
}

#[test]
fn a_wrong_pin_is_refused_at_the_command_line() {
    let refused = parse(&["enroll", "--server", "https://a.test", "--ca-pin", "sha256:12"]).unwrap_err();
    assert!(refused.contains("64 hexadecimal digits"), "{refused}");
}

#[test]
fn a_scan_prints_json_that_can_be_read() {
    let printed = on_empty_pc(&["scan", "--json"]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&printed).unwrap();
    assert!(json["locations"].is_array() && json["host_facts"]["host_name"].is_string());
}

#[test]
fn the_doctor_speaks_both_languages() {
    let japanese = on_empty_pc(&["doctor"]).unwrap();
    let english = on_empty_pc(&["doctor", "--lang", "en"]).unwrap();
    assert!(japanese.contains('。') && english.contains("The PC’s clock"), "{english}");
}
