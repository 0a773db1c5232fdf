//! What the tests of several modules need: a server in memory, and a PC whose stores and disk can end the agent anywhere.

pub(crate) mod grpc;
mod pc;
mod server;
mod uplink;

use inkan_model::Timestamp;

pub(crate) use self::pc::Pc;
pub(crate) use self::server::FakeServer;
pub(crate) use self::uplink::{FakeUplink, identity_under};

/// 2026-11-20, when nothing has expired yet.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_795_132_800);
