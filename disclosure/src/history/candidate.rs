//! A facet of a cell that is not released yet, with what only a new cell has: every contribution.

use std::borrow::Cow;

use super::entry::{Facet, Shape};
use crate::evidence::Contributions;

/// A facet under judgement.
pub struct FacetCandidate<'a> {
    /// What would be released.
    pub facet: Facet,
    /// Its shape as it was asked for.
    pub asked: Shape,
    /// Another `vec` under which earlier records may have kept what adds up with it.
    pub first_vec: Option<[u8; 32]>,
    /// What each person adds; `None` if each adds one.
    pub contributions: Option<Cow<'a, Contributions>>,
    /// The largest size that one person's contribution can have, from public bounds.
    pub clamp: i128,
    /// Whether a person adds the same in whatever box: true of persons and of unit tables.
    pub same_in_every_box: bool,
    /// Whether the shape says exactly whose rows these are. Else they lie within it.
    pub exact: bool,
    /// How a sum is compared with sums of other columns.
    pub across: Across,
}

/// What a sum is compared with beside sums of its own column.
#[derive(Clone, Default)]
pub struct Across {
    /// Whether it is compared with these: a sum of values is.
    pub compared: bool,
    /// Decimals that its unit has less than that of sums of derived columns.
    pub short: u32,
    /// Sums of columns that a derived one comes from, by their `vec`, and what their units have less.
    pub related: Vec<([u8; 32], u32)>,
}
