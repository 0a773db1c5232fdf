//! A whole server in this process: real sockets, real TLS, SQLite in a folder of its own, and a clock that the test owns.

mod agents;
mod attacks;
mod stage;
mod web;
