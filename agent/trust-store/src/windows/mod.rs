//! Windows: system stores, the keys behind them, and what only Windows keeps about users and sessions.
//!
//! Parsers of what Windows writes to disk and registry are plain code and are compiled and tested everywhere; calls into
//! Windows are compiled there only.
