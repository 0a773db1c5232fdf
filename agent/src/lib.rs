//! The agent: reports a PC's stores and reconciles them to directives.
//!
//! ```text
//! run          the loop: what is due now
//!   scanner    reads every store · facts: of the PC
//!   sync       digest first, contents only where the server lacks them
//!   reconciler directives → steps, journaled in the ledger, told through the spool
//!     renewer  one step of a renewal: request, install, prove, archive
//!   session    the one way to the server (a port; gRPC over mutual TLS 1.3 behind it)
//! changes      to what the PC trusts and holds: planned, journaled, read back, able to be taken back
//! enroll       a join token and a key made here, for an identity
//! identity     who this PC is towards the server
//! service      the agent as a service of Windows
//! companion    what only a logged-on user can do, done by a process of that user · notice: words to that person
//! doctor       checks that a person can run
//! assemble     the one place that names what stands behind each port · cli: the commands
//! ```
//! The agent acts on desired state only: no directive is a command to run or a path to open. Keys stay on the PC. It lives
//! through weeks without network, a full disk, a wrong clock and being killed anywhere; what it has done is journaled
//! before it is told, and told until the server has committed it.

pub mod assemble;
pub mod causes;
pub mod chance;
pub mod changes;
pub mod cli;
pub mod clock;
pub mod companion;
pub mod data_dir;
pub mod disk;
pub mod doctor;
pub mod enroll;
pub mod facts;
pub mod identity;
pub mod ledger;
pub mod notice;
pub mod reconciler;
pub mod renewer;
pub mod run;
pub mod scanner;
pub mod service;
pub mod session;
pub mod settings;
pub mod spool;
pub mod status;
pub mod sync;
pub mod tls;

#[cfg(test)]
mod testing;
