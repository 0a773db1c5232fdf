//! An error with its causes in one line, for the edges: a log, a status file, an outcome.

use std::error::Error;

/// The error's words and those of each cause behind it, joined by colons. A cause that says the same as the one before
/// it is left out.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if words != last {
            text.push_str(": ");
            text.push_str(&words);
        }
        last = words;
        cause = error.source();
    }
    text
}
