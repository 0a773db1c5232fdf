//! The pages over a real database: what they say, what they let through, and what they refuse.

#![expect(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../stage/mod.rs"]
#[expect(dead_code, reason = "the preview uses the rest")]
mod stage;

mod checkup;
mod door;
mod fleet;
mod form;
mod live;
mod markup;
mod tenancy;
mod visitor;
