//! From the engine's rows to exact evidence per cell.
//!
//! The engine hands over rows with their person's number; this module sums persons, never rows, and
//! only in whole numbers that were proven to fit, so the result does not depend on the order of rows. It must not
//! know rules of release, policies or how anything is sent.

mod block;
mod cells;
mod contribution;
mod fit;
mod fold;
mod group;
#[cfg(test)]
mod laws;
mod layout;

pub use contribution::nobody;
pub use fit::{MAX_PERSONS, TooWide, fits};
pub use fold::{Fold, FoldError, Merged, Share, Sorted};
pub use layout::{Counted, Layout, Part};

/// More groups than this are not kept in memory; far above every result limit.
pub const MAX_CELLS: usize = 1 << 20;
