//! Elimination over fractions: which groups are sums and differences of known ones. It must not
//! know what is counted.

use num_rational::BigRational;
use num_traits::Zero;

/// Groups that are known, in echelon form.
#[derive(Clone, Debug, Default)]
pub struct Known {
    rows: Vec<(usize, Vec<BigRational>)>,
}

impl Known {
    /// Learns a group.
    pub fn learn(&mut self, group: &[bool]) {
        let rest = self.rest(group);
        if let Some(lead) = rest.iter().position(|x| !x.is_zero()) {
            self.rows.push((lead, rest));
        }
    }

    /// Whether a group follows.
    #[must_use]
    pub fn has(&self, group: &[bool]) -> bool {
        self.rest(group).iter().all(Zero::is_zero)
    }

    fn rest(&self, group: &[bool]) -> Vec<BigRational> {
        let number = |inside: &bool| BigRational::from_integer(u8::from(*inside).into());
        let mut rest: Vec<BigRational> = group.iter().map(number).collect();
        for (lead, row) in &self.rows {
            let Some((x, y)) = rest.get(*lead).zip(row.get(*lead)) else {
                continue;
            };
            if x.is_zero() {
                continue;
            }
            let factor = x / y;
            for (x, y) in rest.iter_mut().zip(row).filter(|(_, y)| !y.is_zero()) {
                *x -= &factor * y;
            }
        }
        rest
    }
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
}
