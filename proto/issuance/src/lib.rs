//! Requests for certificates, and the certification authorities that answer them.
//!
//! ```text
//! request      what a PC asks for: PKCS#10 with the old certificate's subject, byte for byte
//! private_ca   the port to a certification authority, and a vendor's own one behind it
//! identity_ca  the deployment's authority for agents' identities and the server's listeners
//! proof        signatures by which a PC shows that it holds a key
//! key          the keys themselves: P-256 in software, and whatever public keys requests may bring
//! ```
//!
//! Time comes in as an argument everywhere, and so do serial numbers. The chance in keys and in signatures is ring's
//! own ([`ring::rand::SystemRandom`]), because a key whose chance could be passed in would be a key that could be
//! guessed.
//!
//! This crate imports `inkan_model` and no other crate of the workspace, does no I/O, reads no clock and knows no async
//! runtime: it runs on the PC, in the server and in an offline tool. Whether somebody may have a certificate is never
//! decided here.

mod authority;
mod certificate;
pub mod identity_ca;
pub mod key;
mod leaf;
pub mod private_ca;
pub mod proof;
pub mod request;

#[cfg(test)]
mod tests;
