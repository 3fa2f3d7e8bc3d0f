//! Multiples of sums that are nearly the same: of whatever multiples, sums over parts of the persons
//! that agree in all parts but a few agree in one of any few parts, so the multiples need not be
//! guessed. What it must not know: columns, boxes, rules.
//!
//! Whether parts agree is asked modulo 2^128: what is not zero there is not zero, and what is taken for
//! zero by mistake makes a difference look smaller, which is the cautious side.

/// Multiples of this many bits are enough to see who dominates a difference.
const BITS: u32 = 48;

/// In the fewest parts in which a multiple of one differs from a multiple of the other, neither zero;
/// `None` if that are `enough` or more.
pub(super) fn fewest(own: &[i128], other: &[i128], enough: u64) -> Option<u64> {
    let found = candidates(own, other, enough).map(|(a, b)| {
        let each = own.iter().zip(other);
        let differ = each.filter(|(x, y)| x.wrapping_mul(a) != y.wrapping_mul(b));
        count(differ, enough)
    });
    found.min().filter(|found| *found < enough)
}

/// The fewest parts in which a sum differs from multiples of two others together; `None` if that are
/// `enough` or more.
pub(super) fn fewest_of_three(own: &[i128], a: &[i128], b: &[i128], enough: u64) -> Option<u64> {
    let parts = || own.iter().zip(a).zip(b).map(|((x, a), b)| (*x, *a, *b));
    let told = |part: &(i128, i128, i128)| *part != (0, 0, 0);
    // If all but a few parts agree, so do both of one of so many pairs of parts.
    let most = usize::try_from(enough)
        .unwrap_or(usize::MAX)
        .saturating_mul(2);
    let chosen: Vec<(i128, i128, i128)> = parts().filter(told).take(most).collect();
    let found = chosen.chunks_exact(2).filter_map(|two| {
        let [(x, a, b), (y, c, d)] = two else {
            return None;
        };
        // x = s a + t b and y = s c + t d, by Cramer's rule.
        let minor =
            |p: i128, q: i128, r: i128, s: i128| p.wrapping_mul(s).wrapping_sub(q.wrapping_mul(r));
        let (whole, s, t) = (
            minor(*a, *b, *c, *d),
            minor(*x, *b, *y, *d),
            minor(*a, *x, *c, *y),
        );
        if whole == 0 || s == 0 || t == 0 {
            return None;
        }
        let differ = parts().filter(|(x, a, b)| {
            let both = a.wrapping_mul(s).wrapping_add(b.wrapping_mul(t));
            x.wrapping_mul(whole) != both
        });
        Some(count(differ, enough))
    });
    found.min().filter(|found| *found < enough)
}

/// Differences of multiples of two sums, part by part: with one of these multiples all but a few parts
/// nearly agree, if they do with any.
pub(super) fn differences(own: &[i128], other: &[i128], tried: u64) -> Vec<Vec<i128>> {
    let all = candidates(own, other, tried).map(|(a, b)| {
        let (a, b) = short(a, b);
        let each = own.iter().zip(other);
        let less = |(x, y): (&i128, &i128)| {
            let (x, y) = (x.saturating_mul(a), y.saturating_mul(b));
            x.saturating_sub(y).saturating_abs()
        };
        each.map(less).collect()
    });
    all.collect()
}

/// By what the first and the second are multiplied, so that they agree in one of the first parts.
fn candidates(own: &[i128], other: &[i128], enough: u64) -> impl Iterator<Item = (i128, i128)> {
    let each = own.iter().zip(other).map(|(x, y)| (*y, *x));
    let told = each.filter(|part| *part != (0, 0));
    let most = usize::try_from(enough).unwrap_or(usize::MAX);
    told.take(most).filter(|(a, b)| *a != 0 && *b != 0)
}

/// How many there are; counting ends at `enough`.
fn count(found: impl Iterator, enough: u64) -> u64 {
    let most = usize::try_from(enough).unwrap_or(usize::MAX);
    u64::try_from(found.take(most).count()).unwrap_or(u64::MAX)
}

/// Nearly the same ratio of smaller numbers.
fn short(a: i128, b: i128) -> (i128, i128) {
    let bits = |n: i128| 128_u32.saturating_sub(n.unsigned_abs().leading_zeros());
    let less = bits(a).max(bits(b)).saturating_sub(BITS);
    (a >> less, b >> less)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What differs, by trying every multiple that could matter.
    fn plainly(own: &[i128], other: &[i128]) -> u64 {
        let pairs = own.iter().zip(other).filter(|(x, y)| **x != 0 && **y != 0);
        let tried = pairs.map(|(b, a)| {
            let each = own.iter().zip(other);
            let differ = each.filter(|(x, y)| *x * a != *y * b).count();
            u64::try_from(differ).unwrap()
        });
        tried.min().unwrap_or(u64::MAX)
    }

    proptest! {
        /// What is found is what trying all multiples finds.
        #[test]
        fn no_multiple_is_missed(
            own in prop::collection::vec(-5_i128..6, 24),
            times in (1_i128..9, 1_i128..9),
            differ in prop::collection::vec((0_usize..24, -9_i128..10), 0..12),
        ) {
            let mut other: Vec<i128> = own.iter().map(|x| x * times.0).collect();
            let own: Vec<i128> = own.iter().map(|x| x * times.1).collect();
            for (at, more) in differ {
                other[at] += more;
            }
            let truth = plainly(&own, &other);
            prop_assert_eq!(fewest(&own, &other, 8), (truth < 8).then_some(truth));
        }

        /// Two columns in whatever multiples, and a few persons more.
        #[test]
        fn what_two_make_up_is_seen(
            each in prop::collection::vec((1_i128..1_000, 1_i128..1_000), 40),
            (s, t) in (1_i128..9, -8_i128..0),
            more in prop::collection::btree_map(0_usize..40, 1_i128..50, 0..7),
        ) {
            let a: Vec<i128> = each.iter().map(|each| each.0).collect();
            let b: Vec<i128> = each.iter().map(|each| each.1).collect();
            let mut own: Vec<i128> = each.iter().map(|(a, b)| s * a + t * b).collect();
            for (at, more) in &more {
                own[*at] += more;
            }
            let found = fewest_of_three(&own, &a, &b, 8);
            prop_assert!(found.is_some_and(|found| found <= u64::try_from(more.len()).unwrap()));
        }
    }

    #[test]
    fn what_has_nothing_in_common_is_not_found() {
        let own: Vec<i128> = (0..40).map(|n| 100 + n * 37 % 53).collect();
        let other: Vec<i128> = (0..40).map(|n| 90 + n * n * 7 % 61).collect();
        let third: Vec<i128> = (0..40).map(|n| 80 + n * 29 % 59).collect();
        assert_eq!(fewest(&own, &other, 8), None);
        assert_eq!(fewest_of_three(&own, &other, &third, 8), None);
        assert_eq!(fewest(&[0; 40], &own, 8), None, "nothing is no multiple");
    }
}
