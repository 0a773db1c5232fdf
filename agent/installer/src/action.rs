//! The installer's action itself.

use std::io::Write as _;
use std::os::windows::process::CommandExt as _;
use std::process::{Command, Stdio};

use inkan_trust_store::windows::installer::Installation;
use zeroize::Zeroizing;

use crate::order::Order;

/// The property with which the installer hands something to an action of this kind.
const ORDER: &str = "CustomActionData";
/// `ERROR_SUCCESS` and `ERROR_INSTALL_FAILURE`, which rolls the installation back.
const DONE: u32 = 0;
const FAILED: u32 = 1603;
/// `CREATE_NO_WINDOW`: a silent installation shows none.
const NO_WINDOW: u32 = 0x0800_0000;
/// Characters of the program's words that are shown.
const WORDS: usize = 1_000;

/// Enrols this PC; called by the installer, with the installation's handle.
#[expect(unsafe_code, reason = "the installer finds the function by this name")]
#[unsafe(no_mangle)]
pub(crate) extern "system" fn EnrolPc(installation: u32) -> u32 {
    let installation = Installation::of(installation);
    match enrol(&installation) {
        Ok(()) => DONE,
        Err(why) => {
            installation.show_error(&format!("This PC could not be enrolled. {why}"));
            FAILED
        }
    }
}

fn enrol(installation: &Installation) -> Result<(), String> {
    let text = installation.property(ORDER).map_err(|error| format!("Nothing was handed over: {error}"))?;
    // Windows hides it in its log; other installers write down all properties in the end.
    installation.forget(ORDER);
    let order = Order::parse(&text).ok_or("SERVER, CAPIN and TOKEN have to be given, without the character |.")?;
    let mut command = Command::new(&order.program);
    command.args(order.arguments()).creation_flags(NO_WINDOW);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = command.spawn().map_err(|error| format!("The agent does not start: {error}"))?;
    if let Some(mut input) = running.stdin.take() {
        let line = Zeroizing::new(format!("{}\n", order.token.as_str()));
        // A program that ended before it read says why.
        let _ = input.write_all(line.as_bytes());
    }
    let output = running.wait_with_output().map_err(|error| format!("The agent does not answer: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    // The last line is the failure itself; those before it are the log.
    let last = words.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("It does not say why.");
    Err(last.replace(order.token.as_str(), "…").chars().take(WORDS).collect())
}
