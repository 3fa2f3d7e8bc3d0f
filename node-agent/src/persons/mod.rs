//! Persons: dense numbers for the population's unit keys, the same in every table, dataset, codebook
//! and epoch, and what changed of whom when the data changed.
//!
//! A number is given once and never to anybody else: the store keeps the next one. Keys never reach
//! the store, only their HMAC under the population's domain key. What this module must not know:
//! questions, rules of release, who asks.

mod dictionary;
mod epochs;
#[cfg(test)]
mod epochs_tests;
mod key;
mod notice;
mod registry;
mod rows;
mod sealed;
#[cfg(test)]
mod tests;

pub use epochs::Epoch;
pub(crate) use epochs::{Epochs, Part};
pub use key::UnitKey;
pub use notice::NoticeError;
pub(crate) use notice::notice;
pub use registry::{PersonsError, Registry};
pub(crate) use sealed::seal_epochs;
