//! The Rust SDK of Quorate and its command line.
//!
//! A question is checked on the researcher's machine with the code the nodes run, signed with the
//! researcher's key, and sent to the coordinator. The answer is believed only after `verify`
//! has checked every signature against the roster that the pinned founders began, and has
//! recombined the table from the nodes' own signed cells.
//!
//! What this crate must not know: any data, and how a node computes.

pub mod ask;
pub mod client;
pub mod diff;
pub mod document;
pub mod journal;
pub mod link;
pub mod login;
pub mod params;
pub mod problems;
pub mod profile;
pub mod render;
pub mod report;
pub mod sample;
pub mod verify;

mod cli;

pub use cli::run;
