//! A whole network of real processes on one machine: data, oracle, adversary, benchmarks and
//! the tests that need more than one party.

pub mod generate;
