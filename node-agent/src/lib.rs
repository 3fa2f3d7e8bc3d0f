//! The node agent: everything a custodian's auditor must read, in reading order.
//!
//! A node dials out to its coordinator, decides by itself whether a question may be asked of its
//! custodian's data, computes the answer from its own plan, and lets nothing leave that the rules
//! of release did not pass and the ledger did not record.

pub mod airlock;
pub mod answer;
pub mod approve;
mod behind;
mod books;
mod caps;
mod cli;
mod committed;
mod core;
pub mod data_check;
pub mod disclose;
pub mod engine;
pub mod execute;
pub mod govern;
mod halt;
pub mod home;
pub mod ledger;
mod link;
pub mod measure;
pub mod node;
mod notes;
pub mod outbox;
mod past;
pub mod peers;
pub mod persons;
pub mod plan;
pub mod policy;
pub mod read;
mod receipt;
pub mod record;
pub mod refusal;
pub mod registration;
pub mod releases;
mod runs;
pub mod secrets;
pub mod sign;
pub mod source;
mod state;
pub mod store;
#[cfg(test)]
pub(crate) mod testing;
pub mod times;
mod transfer;
pub mod trial;
pub mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs `quorate-node` with these arguments, the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    cli::run(args)
}
