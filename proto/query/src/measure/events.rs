//! Counts of rows of an event table, at most `max_rows` per person. Parts: `[rows]`.

use super::{Estimate, SiteParts, persons};
use crate::number::Number;
use crate::release::{ReleaseParams, k_eff, round_count};

/// The rounded parts, or nothing if fewer persons than the threshold have a row. A zero is shown
/// only where zeros are public.
#[must_use]
pub fn protect(rows: u64, persons: u64, params: &ReleaseParams) -> Option<Vec<Number>> {
    let public_zero = persons == 0 && params.zeros_public;
    let enough = persons >= u64::from(k_eff(params.k, params.round_base));
    (enough || public_zero).then(|| vec![round_count(rows, params.round_base).into()])
}

/// The parts without protection.
#[must_use]
pub fn exact(rows: u64) -> Vec<Number> {
    vec![rows.into()]
}

/// Rows add up as persons do.
pub(super) fn estimate(sites: &[SiteParts<'_>]) -> Estimate {
    persons::estimate(sites)
}
