//! The fleet server: what connects the use cases with sockets, files and the command line.
//!
//! ```text
//! config       defaults → file → environment → flags, validated
//! deployment   the files that make this deployment what it is: its authorities and its keys
//! listener     accept loop, admission and limits, the same for every port
//! grpc         the agents' protocol on two listeners
//! web          pages, REST, health, metrics and reflection on the third
//! api          REST handlers
//! assemble     the one place that names concrete types
//! serving      a running server, from its start to its end
//! telemetry    names of logs and metrics
//! cli          the commands of the program
//! ```
//!
//! It is a library so that tests can start a whole server in their own process, on ports of its choosing, with a clock
//! of theirs. Nothing here decides what is right for the fleet: that is `inkan-core`'s.

pub mod adapters;
pub mod api;
pub mod assemble;
pub mod cli;
pub mod config;
pub mod deployment;
mod grpc;
pub mod listener;
pub mod serving;
pub mod telemetry;
pub mod tls;
mod web;
