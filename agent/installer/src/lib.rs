//! What the Windows installer does that its own tables cannot: enrolling with a token that it must not write down.
//!
//! Windows Installer writes the command lines of programs that it starts to its log, and values of the registry too. So the
//! join token goes another way: a hidden property hands it to this library, in memory, and this library hands it to
//! `inkan-agent enroll` through a pipe. It is never part of a command line, a file or a registry value. What the program
//! says when it fails becomes the installer's error, and the installation is rolled back.
//!
//! The library is loaded into the installer's own process: it holds no policy, starts one program by a path that the
//! installer made itself, and does nothing else.

#[cfg(any(test, windows))]
mod order;

#[cfg(windows)]
mod action;
