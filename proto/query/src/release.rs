//! Public parameters of release and the arithmetic that every party needs of them.
//!
//! What it must not know: data. Rules that decide whether a cell leaves live in the node.

use num_bigint::BigInt;
use num_rational::BigRational;

use crate::number::Number;
use crate::rational::{one_two_five_up, round_to_multiple};

/// Parameters that are constant for a population and an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseParams {
    /// Least number of persons behind a cell.
    pub k: u32,
    /// Counts are rounded to multiples of this.
    pub round_base: u32,
    /// R4: the p of the p%-rule.
    pub p_pct: u32,
    /// R5: contributors, and their share in hundredths.
    pub nk: (u32, u32),
    /// R8: least degrees of freedom.
    pub dof: u32,
    /// R11: listed cells in open domains, all cells in closed ones.
    pub max_cells: u32,
    /// Quorum for a whole question.
    pub min_nodes: u32,
    /// Zeros are shown only where the codebook declares them public.
    pub zeros_public: bool,
}

impl Default for ReleaseParams {
    /// What a codebook that says nothing gets.
    fn default() -> Self {
        Self {
            k: 8,
            round_base: 5,
            p_pct: 10,
            nk: (2, 90),
            dof: 10,
            max_cells: 1000,
            min_nodes: 1,
            zeros_public: false,
        }
    }
}

/// The threshold that starts a rounding bin: no released bin contains a count below `k`.
#[must_use]
pub fn k_eff(k: u32, round_base: u32) -> u32 {
    let base = u64::from(round_base.max(1));
    let half = base / 2;
    let threshold = (u64::from(k) + half).div_ceil(base) * base - half;
    u32::try_from(threshold).unwrap_or(u32::MAX)
}

/// A count rounded to the nearest multiple of `round_base` (half up for even bases).
#[must_use]
pub fn round_count(n: u64, round_base: u32) -> u64 {
    let base = u64::from(round_base.max(1));
    n.saturating_add(base / 2) / base * base
}

/// How far a rounded count can be from the true one, in either direction.
#[must_use]
pub fn count_slack(round_base: u32) -> u32 {
    round_base.max(1) / 2
}

/// The grid of means and standard deviations: `(U - L) / (10 * persons)` rounded up to 1, 2 or 5
/// times a power of ten. `persons` is the released, rounded number.
#[must_use]
pub fn moments_grid(bounds: (Number, Number), persons: u64) -> Number {
    let width = bounds.1.to_rational() - bounds.0.to_rational();
    let grid = width / BigRational::from_integer(BigInt::from(persons.max(1)) * 10);
    Number::from_rational(&one_two_five_up(&grid)).unwrap_or(Number::ZERO)
}

/// The nearest multiple of `grid`, ties to the even multiple; `None` if it does not fit.
#[must_use]
pub fn round_to_grid(value: &BigRational, grid: Number) -> Option<Number> {
    Number::from_rational(&round_to_multiple(value, &grid.to_rational()))
}
