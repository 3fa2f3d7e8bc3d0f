//! Public parameters of release and the arithmetic that every party needs of them.
//!
//! What it must not know: data. Rules that decide whether a cell leaves live in the node.

use num_bigint::BigInt;
use num_rational::BigRational;

use crate::number::Number;
use crate::rational::{one_two_five_up, round_to_multiple};

/// How what passes every rule is shown: one for a population and an epoch, never two for one cell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// Rounded to multiples of the base.
    #[default]
    Round,
    /// Perturbed by noise that depends on who is in the cell.
    CellKey,
}

impl Output {
    /// The word in codebooks.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Round => "round",
            Self::CellKey => "cell_key",
        }
    }
}

/// Parameters that are constant for a population and an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseParams {
    /// Rounding or noise: the codebook's, which no node changes.
    pub mode: Output,
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
    /// R7: the share of a group, in hundredths, from which a sensitive value is everybody's.
    pub group_share: u32,
    /// R9: the percentage of withheld cells above which a closed table leaves nothing; off if absent.
    pub sparse: Option<u32>,
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
            mode: Output::Round,
            k: 8,
            round_base: 5,
            p_pct: 10,
            nk: (2, 90),
            dof: 10,
            group_share: 90,
            sparse: None,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_start_a_bin() {
        // disclosure.md, R1
        for (k, b, expected) in [
            (10, 5, 13),
            (8, 5, 8),
            (7, 1, 7),
            (10, 10, 15),
            (5, 4, 6),
            (1, 1, 1),
        ] {
            assert_eq!(k_eff(k, b), expected, "k={k} b={b}");
        }
        assert_eq!(k_eff(u32::MAX, 100), u32::MAX);
    }

    #[test]
    fn no_released_bin_holds_a_count_below_the_threshold() {
        for (k, b) in (1..40).flat_map(|k| (1..12).map(move |b| (k, b))) {
            let first = k_eff(k, b);
            assert!(first >= k && first < k + b, "k={k} b={b}");
            let shown = round_count(first.into(), b);
            assert!(round_count(u64::from(first) - 1, b) < shown, "k={k} b={b}");
            assert!(shown >= u64::from(first).saturating_sub(u64::from(b / 2)));
        }
    }

    #[test]
    fn counts_are_rounded_to_the_nearest_multiple() {
        for (n, b, expected) in [
            (8, 5, 10),
            (12, 5, 10),
            (13, 5, 15),
            (0, 5, 0),
            (2, 5, 0),
            (3, 5, 5),
            (5, 10, 10),
            (7, 1, 7),
        ] {
            assert_eq!(round_count(n, b), expected, "n={n} b={b}");
        }
        for (n, b) in (0..200_u64).flat_map(|n| (1..12_u32).map(move |b| (n, b))) {
            assert!(
                round_count(n, b).abs_diff(n) <= u64::from(count_slack(b)),
                "n={n} b={b}"
            );
        }
    }

    #[test]
    fn grids_depend_on_bounds_and_rounded_persons() {
        let bounds = |low: i64, high: i64| (Number::from(low), Number::from(high));
        for (low, high, persons, grid) in [
            (0, 120, 10, "2"),
            (0, 120, 100, "0.2"),
            (0, 120, 205, "0.1"),
            (60, 240, 50, "0.5"),
            (0, 1, 0, "0.1"),
        ] {
            assert_eq!(moments_grid(bounds(low, high), persons).to_string(), grid);
        }
        let value = BigRational::new(107.into(), 2.into());
        assert_eq!(
            round_to_grid(&value, Number::new(2, 0)),
            Some(Number::new(54, 0))
        );
        assert_eq!(
            round_to_grid(&value, Number::new(1, 0)),
            Some(Number::new(54, 0))
        );
        assert_eq!(
            round_to_grid(
                &(value - BigRational::from_integer(1.into())),
                Number::new(1, 0)
            ),
            Some(Number::new(52, 0))
        );
    }
}
