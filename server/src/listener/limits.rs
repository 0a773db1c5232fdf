//! How much one listener takes, and how long it waits. The figures were measured against the attacks that each one stops;
//! a test makes them smaller.

use std::time::Duration;

const KIB: usize = 1024;

/// The limits of one listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Connections from one address at once: of those that have not shown who they are, where the listener asks for that.
    pub connections_per_ip: usize,
    /// Connections of one host at once, where the listener knows hosts.
    pub connections_per_host: usize,
    /// Connections at once that are still in their TLS handshake. One too many is closed, not queued: whoever stalls
    /// would otherwise hold up those who do not.
    pub handshakes: usize,
    /// From the connection to the end of the TLS handshake.
    pub handshake_timeout: Duration,
    /// From there to the end of the HTTP/2 preface.
    pub first_byte_timeout: Duration,
    /// Connections are asked to go after this time, so that they spread over servers and new certificates.
    pub max_connection_age: Duration,
    /// So many percent more or less, by chance.
    pub age_jitter_percent: u32,
    /// Calls under way have so long to end when a connection is asked to go.
    pub age_grace: Duration,
    /// A ping after so long without a frame.
    pub keepalive_interval: Duration,
    /// The answer to it must come within this.
    pub keepalive_timeout: Duration,
    /// HTTP/2 streams of one connection.
    pub streams: u32,
    /// Calls under way of one connection; streams beyond that are refused at once.
    pub calls_per_connection: usize,
    /// Calls under way of the whole listener.
    pub calls: usize,
    /// Bytes of one message that comes in.
    pub decode_bytes: usize,
    /// Bytes of one message that goes out.
    pub encode_bytes: usize,
    /// Bytes of all headers of one request.
    pub header_list_bytes: u32,
    /// Streams reset by the peer before they were accepted (CVE-2023-44487).
    pub pending_accept_resets: usize,
    /// Streams reset here because of the peer's errors (CVE-2025-8671).
    pub local_error_resets: usize,
    /// One call, from its headers to its answer.
    pub call_timeout: Duration,
    /// One Upload: it may be long, but each message must come within `call_timeout`.
    pub upload_timeout: Duration,
    /// How often a Watch looks whether its host may still speak.
    pub watch_interval: Duration,
}

impl Limits {
    /// Agents with an identity: long connections, few and small messages.
    pub const fn agents() -> Self {
        Self {
            connections: 20_000,
            connections_per_ip: 64,
            // A PC whose line breaks leaves connections behind that are noticed only by their keepalive.
            connections_per_host: 16,
            handshakes: 512,
            handshake_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(5),
            max_connection_age: Duration::from_mins(30),
            age_jitter_percent: 10,
            age_grace: Duration::from_secs(30),
            keepalive_interval: Duration::from_mins(1),
            keepalive_timeout: Duration::from_secs(20),
            streams: 16,
            calls_per_connection: 8,
            calls: 1_024,
            decode_bytes: 1024 * KIB,
            encode_bytes: 1024 * KIB,
            header_list_bytes: 8 * 1024,
            pending_accept_resets: 20,
            local_error_resets: 32,
            call_timeout: Duration::from_secs(10),
            upload_timeout: Duration::from_mins(2),
            watch_interval: Duration::from_mins(1),
        }
    }

    /// Anybody with a join token or an expired identity: short connections, tiny messages.
    pub const fn enrolment() -> Self {
        Self {
            connections: 500,
            connections_per_ip: 8,
            connections_per_host: 8,
            handshakes: 128,
            handshake_timeout: Duration::from_secs(5),
            first_byte_timeout: Duration::from_secs(3),
            max_connection_age: Duration::from_secs(20),
            age_jitter_percent: 10,
            age_grace: Duration::from_secs(2),
            keepalive_interval: Duration::from_secs(5),
            keepalive_timeout: Duration::from_secs(5),
            streams: 2,
            calls_per_connection: 1,
            calls: 64,
            decode_bytes: 64 * KIB,
            encode_bytes: 64 * KIB,
            header_list_bytes: 4 * 1024,
            pending_accept_resets: 5,
            local_error_resets: 8,
            call_timeout: Duration::from_secs(5),
            upload_timeout: Duration::from_secs(5),
            watch_interval: Duration::from_mins(1),
        }
    }

    /// Browsers and programs of operators.
    pub const fn web() -> Self {
        Self {
            connections: 2_000,
            // Behind a reverse proxy all of them come from one address.
            connections_per_ip: 2_000,
            connections_per_host: 2_000,
            handshakes: 256,
            handshake_timeout: Duration::from_secs(10),
            first_byte_timeout: Duration::from_secs(10),
            max_connection_age: Duration::from_hours(4),
            age_jitter_percent: 10,
            age_grace: Duration::from_secs(10),
            keepalive_interval: Duration::from_mins(1),
            keepalive_timeout: Duration::from_secs(20),
            streams: 64,
            calls_per_connection: 64,
            calls: 512,
            decode_bytes: 1024 * KIB,
            encode_bytes: 4 * 1024 * KIB,
            header_list_bytes: 32 * 1024,
            pending_accept_resets: 20,
            local_error_resets: 32,
            call_timeout: Duration::from_secs(30),
            upload_timeout: Duration::from_secs(30),
            watch_interval: Duration::from_mins(1),
        }
    }
}
