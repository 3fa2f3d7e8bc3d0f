//! The independent computation: plain Rust over the files, whole numbers and fractions only.
//!
//! It must not use `quorate_query`, the node or DataFusion: where it agrees with the network, two
//! different programs agree. The rules are written down again here, from `docs/disclosure/`.

pub(crate) mod ask;
pub(crate) mod events;
pub(crate) mod exact;
pub(crate) mod heart;
pub(crate) mod rules;
