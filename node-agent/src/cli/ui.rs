//! What the command line prints: data on stdout, the rest on stderr.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is where a command line prints"
)]

/// A line of data.
pub(super) fn say(line: &str) {
    println!("{line}");
}

/// A line for the person at the terminal.
pub(super) fn note(line: &str) {
    eprintln!("{line}");
}
