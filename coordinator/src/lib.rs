//! The coordinator: carries signed questions to nodes and signed answers back, and combines what
//! was released.
//!
//! It is trusted for delivery and for the register, never for safety: it cannot rewrite a question
//! or forge an answer, and every reader of a result verifies and combines again. The story of a
//! question is `round`. What this crate must not know: any node's data, policy or private key.

mod admit;
mod ca;
mod cli;
mod clock;
mod codebooks;
mod commands;
mod config;
mod enrol;
mod fanout;
mod hub;
mod journal;
mod log;
mod public;
mod roster_store;
mod round;
mod server;
mod service;
mod ui;
mod witness;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `quorate-coordinator` with these arguments, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    cli::run(args)
}
