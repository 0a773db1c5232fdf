//! What the end-to-end tests, the load, the benches and `deploy/try` stand on: the real programs as child processes, an
//! API client, simulated PCs that speak the real protocol, and certificates made at run time.
//!
//! ```text
//! programs       where the built programs are; builds them when they are not there
//! process        a child process that never outlives its handle
//! deployment     a server with a folder of its own, and its owner
//! agent          a real agent with a folder of its own
//! api            the REST API, as an operator's program uses it
//! certificates   a sample CA, and client certificates of every sort
//! simulated      a PC that exists only on the wire
//! wait           waiting for a condition, with a deadline
//! windows_agent  the real Windows agent on a PC of its own
//! wine           a Windows of its own, by Wine
//! writes         which tables a server writes to
//! ```
//!
//! Nothing here leaves the loopback interface, and nothing here is ever part of the product.

pub mod agent;
pub mod api;
pub mod certificates;
pub mod deployment;
pub mod process;
pub mod programs;
pub mod simulated;
pub mod wait;
pub mod windows_agent;
pub mod wine;
pub mod writes;
