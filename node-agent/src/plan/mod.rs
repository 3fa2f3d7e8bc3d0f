//! The fifth step of the story: a plan of the node's own, from the typed question alone.

mod bounds;
mod functions;
mod lower;
mod predicate;

#[cfg(test)]
mod tests;

pub use lower::{LowerError, Tables, lower};
