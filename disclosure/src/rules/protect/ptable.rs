//! The perturbation table: how likely each noise is.
//!
//! Of all distributions on -D..=D with mean 0 and the given variance the one of greatest entropy has
//! probabilities in proportion to `q^(v^2)`. `q` is found by halving in whole numbers, so every
//! machine has the same table, to the last bit; symmetry makes the mean exactly 0. Near the
//! threshold the same bell is cut where a noisy count would fall below k, and made whole again.

use std::sync::OnceLock;

use num_bigint::BigUint;

/// The largest noise.
pub(super) const D: u32 = 5;
/// The variance of the noise.
pub(super) const VARIANCE: u32 = 3;

/// Binary digits of `q`.
const DIGITS: u32 = 48;

/// Noise and its weight, ascending; a weight is a probability times 2^64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PTable(pub(super) Vec<(i64, u128)>);

impl PTable {
    /// The table in force.
    pub(super) fn standard() -> &'static Self {
        static TABLE: OnceLock<PTable> = OnceLock::new();
        TABLE.get_or_init(|| Self::greatest_entropy(D, VARIANCE))
    }

    /// The distribution of greatest entropy on `-d..=d` with mean 0 and this variance, which must
    /// be below that of equal probabilities.
    pub(super) fn greatest_entropy(d: u32, variance: u32) -> Self {
        let one = BigUint::from(1_u32) << DIGITS;
        let (mut low, mut high) = (BigUint::ZERO, one);
        for _ in 0..DIGITS {
            let middle: BigUint = (&low + &high) >> 1_u32;
            if spreads_more(&bell(d, &middle), variance) {
                high = middle;
            } else {
                low = middle;
            }
        }
        let bell = bell(d, &low);
        let total: BigUint = bell.iter().map(|(v, w)| w * sides(*v)).sum();
        let weight = |w: &BigUint| u128::try_from((w << 64_u32) / &total).unwrap_or(0);
        let side: Vec<(i64, u128)> = bell
            .iter()
            .skip(1)
            .map(|(v, w)| (i64::from(*v), weight(w)))
            .collect();
        let rest: u128 = side.iter().map(|(_, w)| 2 * w).sum();
        let left = side.iter().rev().map(|(v, w)| (-v, *w));
        let middle = [(0, (1_u128 << 64).saturating_sub(rest))];
        Self(left.chain(middle).chain(side.iter().copied()).collect())
    }

    /// The noise at a key, at least `least`.
    pub(super) fn at(&self, key: u64, least: i64) -> i64 {
        let allowed = || self.0.iter().filter(|(v, _)| *v >= least);
        let total: u128 = allowed().map(|(_, w)| w).sum();
        // A key is a number from 0 to below 1, times 2^64.
        let mut place = u128::from(key).saturating_mul(total) >> 64;
        for (v, weight) in allowed() {
            if place < *weight {
                return *v;
            }
            place -= weight;
        }
        0
    }
}

/// `q^(v^2)` for 0..=d, all times the same power of two.
fn bell(d: u32, q: &BigUint) -> Vec<(u32, BigUint)> {
    let most = d * d;
    let power = |v: u32| q.pow(v * v) << (DIGITS * (most - v * v));
    (0..=d).map(|v| (v, power(v))).collect()
}

/// How often a size occurs: 0 once, all others with either sign.
fn sides(v: u32) -> u32 {
    if v == 0 { 1 } else { 2 }
}

fn spreads_more(bell: &[(u32, BigUint)], variance: u32) -> bool {
    let moment = |of: &dyn Fn(u32) -> u32| -> BigUint {
        bell.iter().map(|(v, w)| w * sides(*v) * of(*v)).sum()
    };
    moment(&|v| v * v) > moment(&|_| variance)
}
