//! The real Windows agent under Wine against the real server, over real mutual TLS on the loopback interface.
//!
//! `INKAN_WINDOWS_AGENT` names the program (`deploy/windows/build` builds it, `tests/run wine` does all of it). Wine is not
//! Windows: what it cannot do (keys in CNG, EC keys, prompts of Windows, a 32-bit program on this machine) is tested
//! nowhere but on a real one, and README says so.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client_certificates;
mod copies;
mod enrolment;
mod pkcs12;
mod restarts;
mod stage;
mod trust;
