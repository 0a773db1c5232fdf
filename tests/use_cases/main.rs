//! The core's use cases on a real SQLite database, with a clock that the test owns and agents played by the test.
//!
//! No listener and no process is involved here: what is shown is that decisions and records fit together.

mod enrolments;
mod inventory;
mod operators;
mod renewals;
mod stage;
