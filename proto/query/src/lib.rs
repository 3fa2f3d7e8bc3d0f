//! The language of Quorate: SQL text becomes a typed question or is refused.
//!
//! Every party links this crate and must agree on it: the researcher's laptop checks a
//! question with it, a node reads the question with it and computes only what the typed
//! question can say, and coordinator and SDK combine released cells with it.
//!
//! It is pure: no clock, no randomness, no engine, no protobuf, no files. What it must not
//! know: who asks, how answers travel, and anything about real data.

pub mod analyses;
pub mod answer;
pub mod canonical;
pub mod codebook;
pub mod cohort;
pub mod combine;
pub mod derived;
pub mod domain;
pub mod explain;
pub mod measure;
pub mod number;
pub mod problem;
mod problem_table;
pub mod question;
pub mod rational;
pub mod release;
pub mod set;
mod spell;
pub mod sql;
pub mod toml_reader;
pub mod value;
