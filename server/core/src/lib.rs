//! What inkan does: use cases, the ports they need, pure planners, and background tasks.
//!
//! A use case parses nothing and renders nothing: it takes the model's types, decides by pure functions
//! ([`assess`], [`plan`]), and commits through one transaction of the database port before anybody is told.
//! This crate must never import tonic, axum, prost or sqlx; which database, listener or file serves a port is decided
//! in one place of the server program.

pub mod assess;
pub mod checkups;
pub mod clinics;
pub mod core;
pub mod enrolment;
pub mod error;
pub mod feed;
pub mod hosts;
pub mod identity;
pub mod intake;
pub mod operators;
pub mod plan;
pub mod ports;
pub mod programmes;
pub mod renewals;
pub mod search;
pub mod tasks;
pub mod throttle;
pub mod totp;

pub use self::core::{Core, Parts, Settings};
pub use self::error::{AgentRefusal, Error};
