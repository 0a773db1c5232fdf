//! What inkan remembers: the database port of `inkan-core`, on SQLite.
//!
//! One trait, one module for each engine, one folder of migrations for each engine, one contract suite
//! (`tests/contract`) that every engine has to pass. PostgreSQL will be `src/postgres/` and `migrations/postgres/`
//! beside what is here; statements therefore use `$1` placeholders and syntax that both engines know, and engines never
//! meet in one function.
//!
//! # How it is built
//! - [`SqliteDatabase`] reads through a pool of read-only connections and writes through one task that owns the only
//!   writing connection and commits in groups. Acknowledged means committed, and synchronised to the disk.
//! - A row is read into a private struct, and folded from there into the model's types. A combination that no version
//!   of inkan writes becomes `DbError::Inconsistent`, never a panic.
//! - Counts come from rollups, which change in the transaction that changes what they count.
//! - The plan of every hot query is asserted by a test: no scan of a table that grows, no temporary sort.
//!
//! # Adding a migration
//! 1. Add `migrations/sqlite/NNNN_what_it_adds.sql` with the next number. Never touch one that was released: its
//!    checksum is stored in every database, and a changed one is refused.
//! 2. Write it so that the previous release's code still works on the result: add tables and nullable columns or
//!    columns with a default first; drop only what no release in use names.
//! 3. Add what it makes possible to the contract suite. `migrate.rs` tests that a file of the first release reaches the
//!    newest schema.
//!
//! This crate must never decide anything: whether a token may be used is decided by what its contract says, and whether
//! a certificate is in trouble by the core's rules.

mod sqlite;

pub use self::sqlite::{
    Examination, OpenError, SqliteDatabase, SqliteOptions, examine, migrate, newest_schema_version,
};
