//! Signed trust manifests, and the lint of anchors: what may change in what a PC trusts.
//!
//! Nothing here does I/O, reads a clock or runs asynchronously, and nothing is `unsafe`: the same code judges a manifest
//! on a clinic's PC, in the server, in the signers' offline tool and under a conformance suite. It imports
//! `inkan_model` and no other crate of the workspace.
//!
//! So far it holds the identifiers that the later verifier and the stores share. No anchor can be added or removed by
//! any release that has no verifier here: the server has no message for it.

#![forbid(unsafe_code)]

/// The version of a vendor's trust manifest: it only grows, and an agent refuses an older one.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ManifestVersion(pub u64);
