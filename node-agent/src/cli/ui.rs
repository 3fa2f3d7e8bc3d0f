//! What the command line prints: data on stdout, the rest on stderr. Every line is written at once, so that
//! lines of both do not mix where they go to the same place.
//!
//! A closed pipe is no failure: whoever reads has read enough. What could not be written for another
//! reason, such as a full disk, is told, and the program does not end well.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether data was lost.
static LOST: AtomicBool = AtomicBool::new(false);

/// A line of data.
pub(super) fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(format!("{line}\n").as_bytes());
    if let Err(error) = written.and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        note(&format!("standard output cannot be written: {error}"));
    }
}

/// Whether data could not be written.
pub(super) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// A line for the person at the terminal.
pub(super) fn note(line: &str) {
    let mut err = std::io::stderr().lock();
    // There is nobody else to tell.
    let _closed = err.write_all(format!("{line}\n").as_bytes());
}
