//! The only place that prints: data to standard output, everything else to standard error.
//!
//! A closed pipe is no failure: whoever reads has read enough. What could not be written for another reason,
//! such as a full disk, is told, and the program does not end well.

use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether data was lost.
static LOST: AtomicBool = AtomicBool::new(false);

/// Writes data to standard output.
pub(crate) fn data(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(bytes).and_then(|()| out.flush())
        && error.kind() != ErrorKind::BrokenPipe
        && !LOST.swap(true, Ordering::Relaxed)
    {
        say(&format!(
            "quorate: standard output cannot be written: {error}"
        ));
    }
}

/// Whether data could not be written.
pub(crate) fn is_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Writes one line to standard error, at once.
pub(crate) fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    // There is nobody else to tell.
    let _closed = err.write_all(format!("{text}\n").as_bytes());
}

/// Whether standard output is a terminal.
pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether standard error is a terminal.
pub(crate) fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}
