//! The real programs against each other: the server and the agent as child processes, and PCs that exist only on the wire
//! where the message itself is what is tested.
//!
//! Every test has a server of its own on ports of its own, so they run at once and in any order.
#![expect(clippy::panic, clippy::print_stdout, clippy::unwrap_used, reason = "a test fails by panicking")]

mod broken;
mod checkup;
mod enrolment;
mod identity;
mod kills;
mod limits;
mod renewal;
mod reports;
mod stage;
