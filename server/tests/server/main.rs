//! A whole server in this process: real sockets, real TLS, SQLite in a folder of its own, and a clock that the test owns.
//! The command line is tested on the program itself.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test says by a panic what is wrong")]

mod agents;
mod attacks;
mod commands;
mod stage;
mod web;
