//! How this operating system tells a program to stop.

#[cfg(not(unix))]
mod portable;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub use self::portable::stop_signal;
#[cfg(unix)]
pub use self::unix::stop_signal;
