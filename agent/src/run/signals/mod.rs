//! How this operating system tells a program to stop.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use self::unix::stop_signal;
#[cfg(windows)]
pub use self::windows::stop_signal;
