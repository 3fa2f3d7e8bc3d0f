//! A whole network of real processes on one machine: data, oracle, adversary, benchmarks and
//! the tests that need more than one party.

pub mod adversary;
pub mod arena;
pub mod attacker;
pub mod bench;
pub mod ceremony;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod evidence;
pub mod faults;
pub mod generate;
pub mod network;
pub mod print;
pub mod process;
pub mod relay;
pub mod spec;
pub mod template;

pub use cli::run;
