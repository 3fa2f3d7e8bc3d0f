//! The generator's own source of chance: SplitMix64 over whole numbers.
//!
//! The data of the test network are part of its tests, so they must be the same bytes on every
//! platform and with every version of every crate: no floating point, no system randomness.
//! It must never be used for keys or for anything that needs to be hard to guess.

/// A stream of numbers that depends on its seed alone.
#[derive(Clone, Debug)]
pub struct Rng {
    state: u64,
}

/// Number of uniform draws that make one bell-shaped one.
const BELL_DRAWS: i64 = 12;

impl Rng {
    /// A stream for one purpose: equal parts give equal streams, different parts unrelated ones.
    #[must_use]
    pub fn new(parts: &[u64]) -> Self {
        let mut rng = Self {
            state: 0x5155_4f52_4154_4531,
        };
        for part in parts {
            rng.state ^= part.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            rng.state = rng.bits();
        }
        rng
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A whole number from `low` to `high`, both included; `low` if there is no such number.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        let width = u128::try_from(i128::from(high) - i128::from(low) + 1).unwrap_or(0);
        let offset = (u128::from(self.bits()) * width) >> 64;
        i64::try_from(offset).map_or(low, |offset| low.saturating_add(offset))
    }

    /// True with a probability of `per_mille` in a thousand.
    pub fn chance(&mut self, per_mille: i64) -> bool {
        self.between(0, 999) < per_mille
    }

    /// A bell-shaped number around zero with the given standard deviation: the sum of twelve
    /// uniform draws, so never further than six standard deviations from zero.
    pub fn bell(&mut self, sd: i64) -> i64 {
        let sum: i64 = (0..BELL_DRAWS).map(|_| self.between(-500, 500)).sum();
        (sum * sd + 500).div_euclid(1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_stream_for_ever() {
        let mut rng = Rng::new(&[1, 2]);
        let first: Vec<u64> = (0..3).map(|_| rng.bits()).collect();
        let mut again = Rng::new(&[1, 2]);
        assert_eq!(first, (0..3).map(|_| again.bits()).collect::<Vec<_>>());
        assert_ne!(first[0], Rng::new(&[2, 1]).bits());
    }

    #[test]
    fn the_bell_has_the_spread_it_promises() {
        let mut rng = Rng::new(&[7]);
        let draws: Vec<i64> = (0..20_000).map(|_| rng.bell(100)).collect();
        let mean = draws.iter().sum::<i64>() / 20_000;
        let variance = draws.iter().map(|x| x * x).sum::<i64>() / 20_000;
        assert!(mean.abs() <= 3, "mean {mean}");
        assert!((9_500..=10_500).contains(&variance), "variance {variance}");
    }

    #[test]
    fn between_reaches_both_ends_and_nothing_else() {
        let mut rng = Rng::new(&[3]);
        let seen: std::collections::BTreeSet<i64> = (0..200).map(|_| rng.between(-1, 2)).collect();
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), vec![-1, 0, 1, 2]);
        assert_eq!(rng.between(5, 4), 5);
    }
}
