//! The benchmark: what a question costs, step by step, and what the same work costs in one process.

pub mod tpch;
