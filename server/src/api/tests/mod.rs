//! The whole API on a real database, called as a program would call it.

mod checkups;
mod idempotency;
mod refusals;
mod resources;
mod routes;
mod stage;
