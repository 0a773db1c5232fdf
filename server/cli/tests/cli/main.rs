//! The program itself against a server that answers as the API does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod examining;
mod failing;
mod fake;
mod help;
mod lists;
mod program;
mod renewing;
mod signing_in;
mod trusting;
