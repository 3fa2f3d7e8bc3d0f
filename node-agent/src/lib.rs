//! The node agent: everything a custodian's auditor must read, in reading order.
//!
//! A node dials out to its coordinator, decides by itself whether a question may be asked of its
//! custodian's data, computes the answer from its own plan, and lets nothing leave that the rules
//! of release did not pass and the ledger did not record.

pub mod answer;
pub mod engine;
pub mod ledger;
pub mod measure;
pub mod node;
pub mod plan;
pub mod policy;
pub mod source;
mod state;
