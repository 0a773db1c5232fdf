//! The companion: what only a logged-on user can do, done by a process of that user.
//!
//! ```text
//! service (LocalSystem)                                 companion (the user)
//!   UserStores ─ changes of a user's store ─┐
//!   Companions ─ notices ───────────────────┤
//!   Conversation ── Request ──► named pipe ──► Desk ── the user's own stores, the user's screen
//!                ◄── Answer ──
//!   Supervisor: one companion for each user who is logged on; started again when it ends, gone when the service is
//! ```
//! Neither trusts the other with more than its part. The service asks for fixed operations and never sends a path or a
//! command; a companion works on what it finds by itself. A companion belongs to its user, who can do anything with it:
//! what it answers is bounded and checked, and it knows nothing of the server.

mod conversation;
mod desk;
mod frame;
#[cfg(not(windows))]
mod portable;
pub mod protocol;
mod registry;
pub mod signing;
mod supervisor;
mod transport;
mod user_stores;
#[cfg(windows)]
mod windows;

#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use self::conversation::Conversation;
pub use self::desk::{Desk, Screen, is_same_user};
pub use self::frame::{FRAME, TalkError};
#[cfg(not(windows))]
pub use self::portable::{CompanionError, run, surroundings};
pub use self::registry::Companions;
pub use self::supervisor::{Connected, Process, Session, Sessions, Supervisor};
pub use self::transport::Transport;
pub use self::user_stores::{UserStores, with_companions};
#[cfg(windows)]
pub use self::windows::{CompanionError, run, surroundings};
