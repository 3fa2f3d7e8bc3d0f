//! Elimination: which groups are sums and differences of known ones. It must not know what is
//! counted.
//!
//! In whole numbers modulo a prime of 61 bits: what follows over fractions follows here, and the
//! other way round but for combinations whose common denominator the prime divides.

/// A prime.
const PRIME: u64 = (1 << 61) - 1;

/// Groups that are known, in echelon form: one at the lead of each row.
#[derive(Clone, Debug, Default)]
pub struct Known {
    rows: Vec<(usize, Vec<u64>)>,
}

impl Known {
    /// Learns a group.
    pub fn learn(&mut self, group: &[bool]) {
        let mut rest = self.rest(group);
        if let Some((lead, first)) = (0..).zip(&rest).find(|(_, x)| **x != 0) {
            let by = power(*first, PRIME - 2);
            for x in &mut rest {
                *x = times(*x, by);
            }
            self.rows.push((lead, rest));
        }
    }

    /// Whether a group follows.
    #[must_use]
    pub fn has(&self, group: &[bool]) -> bool {
        self.rest(group).iter().all(|x| *x == 0)
    }

    fn rest(&self, group: &[bool]) -> Vec<u64> {
        let mut rest: Vec<u64> = group.iter().map(|inside| u64::from(*inside)).collect();
        for (lead, row) in &self.rows {
            let Some(by) = rest.get(*lead).copied().filter(|x| *x != 0) else {
                continue;
            };
            for (x, y) in rest.iter_mut().zip(row).filter(|(_, y)| **y != 0) {
                *x = minus(*x, times(by, *y));
            }
        }
        rest
    }
}

fn times(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b) % u128::from(PRIME);
    u64::try_from(product).unwrap_or(0)
}

fn minus(a: u64, b: u64) -> u64 {
    if a >= b { a - b } else { a + (PRIME - b) }
}

fn power(base: u64, exponent: u64) -> u64 {
    let (mut base, mut left, mut found) = (base, exponent, 1);
    while left > 0 {
        if left % 2 == 1 {
            found = times(found, base);
        }
        base = times(base, base);
        left /= 2;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_and_differences_follow_and_nothing_else() {
        let mut known = Known::default();
        known.learn(&[true, true, true, true]);
        known.learn(&[true, true, false, false]);
        known.learn(&[false, true, true, false]);
        assert!(known.has(&[false, false, true, true]));
        assert!(known.has(&[true, false, false, true]));
        assert!(!known.has(&[true, false, false, false]));
        known.learn(&[false, true, false, true]);
        // Half of (first two + last of both pairs) minus the known pair in the middle.
        assert!(known.has(&[true, false, true, false]));
        assert!(known.has(&[true, false, false, false]) == known.has(&[false, true, false, false]));
    }

    #[test]
    fn numbers_are_divided_without_a_rest() {
        for n in [1, 2, 3, 12_345, PRIME - 1] {
            assert_eq!(times(n, power(n, PRIME - 2)), 1);
        }
        assert_eq!(minus(3, 5), PRIME - 2);
    }
}
