//! Evidence: the shape of a node's ledger, its chain and its Merkle tree, proofs, receipts, and what
//! a witness makes of somebody else's checkpoints.
//!
//! Everybody checks with this code: the node its own ledger, the coordinator and the other nodes
//! each other's checkpoints, researchers and auditors receipts. It has no clock, no files and no
//! network. What it must not know: results, rows, literals, texts of questions.

pub mod access;
pub mod chain;
pub mod commitment;
pub mod deeds;
pub mod extract;
pub mod line;
pub mod merkle;
pub mod receipt;
pub mod record;
pub mod register;
pub mod witness;

pub use chain::{Head, Sound, Tampered, walk};
pub use commitment::{Opening, Salt};
pub use merkle::{BadProof, Consistency, Hash, Inclusion, Tree};
pub use receipt::{BadReceipt, Receipt};
pub use record::Record;
pub use witness::{Contradiction, Kept, Seen, Standing, judge};
