//! The agent: reports a PC's stores and reconciles them to directives.

pub mod causes;
pub mod doctor;
pub mod facts;
pub mod scanner;
pub mod settings;
