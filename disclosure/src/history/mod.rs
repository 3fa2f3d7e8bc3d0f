//! What a population has ever shown, and what a new cell would show beside it.

mod entry;

pub use entry::{Entry, Facet, Footprint, ReleaseId, Shape, State};
