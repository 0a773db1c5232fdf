//! The core's use cases on a real SQLite database, with a clock that the test owns and agents played by the test.
//!
//! No listener and no process is involved here: what is shown is that decisions and records fit together.

#[cfg(test)]
mod checkups;
#[cfg(test)]
mod enrolments;
#[cfg(test)]
mod inventory;
#[cfg(test)]
mod operators;
#[cfg(test)]
mod renewals;
#[cfg(test)]
mod stage;
