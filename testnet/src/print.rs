//! The only place where the test network writes to the terminal: results and tables on standard
//! output, progress on standard error.

/// A line on standard output.
#[expect(clippy::print_stdout, reason = "the command line's output")]
pub fn out(line: &str) {
    println!("{line}");
}

/// Text on standard output as it is.
#[expect(clippy::print_stdout, reason = "the command line's output")]
pub fn text(text: &str) {
    print!("{text}");
}

/// A line on standard error.
#[expect(
    clippy::print_stderr,
    reason = "progress and errors of the command line"
)]
pub fn note(line: &str) {
    eprintln!("{line}");
}
