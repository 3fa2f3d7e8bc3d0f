//! A whole network of real processes on one machine: data, oracle, adversary, benchmarks and
//! the tests that need more than one party.

pub mod adversary;
pub mod bench;
pub mod clock;
pub mod generate;
pub mod process;
pub mod relay;
pub mod spec;
pub mod template;
