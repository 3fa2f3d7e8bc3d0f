//! Disclosure control: what may leave a node, decided from exact evidence and from everything that
//! was ever released.
//!
//! Pure: no clock, no files, no network, no engine; at most one thread beside, for as long as a decision
//! takes. A node builds [`evidence`], asks [`decide`], makes what comes back durable and only then sends
//! it. The rules of one cell are in `rules`, the rules about earlier releases in [`history`]; each rule is
//! one file with its page in `docs/disclosure/`. What this crate must not know: who is asking by name, policies, transport.

mod beside;
mod closure;
mod contributions;
pub mod cost;
mod decide;
mod digest;
pub mod evidence;
mod facets;
pub mod history;
mod persons;
mod rules;
mod signature;
mod table;
#[cfg(test)]
mod tests;
mod twins;
mod walk;

pub use decide::{decide, decide_all};
pub use rules::case::Statistic;
pub use rules::protect::{NOISE_BOUND, NoiseKey, other_protection, protection_name};
pub use table::{Finding, Outcome, Sheet, exact};
