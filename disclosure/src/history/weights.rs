//! How many persons are in combinations of few sets, with as little looking at them as will do.

use roaring::RoaringBitmap;

/// How many are tried one by one before sets are compared whole.
const TRIED: usize = 64;

/// Whether so many of the first are not in the second. Sets that have nothing to do with each other
/// show it by their first few persons.
pub(super) fn lack(first: &RoaringBitmap, second: &RoaringBitmap, enough: u64) -> bool {
    let mut outside = 0_u64;
    for person in first.iter().take(TRIED) {
        outside += u64::from(!second.contains(person));
        if outside >= enough {
            return true;
        }
    }
    first.difference_len(second) >= enough
}

/// How many persons have a coefficient in `q + a - b`, those in one of them but not those in `b` and
/// one of the others; where these are `enough` surely, perhaps fewer, but enough.
pub(super) fn weight_plus(q: &RoaringBitmap, [a, b]: [&RoaringBitmap; 2], enough: u64) -> u64 {
    let (qa, qb, ab) = (
        q.intersection_len(a),
        q.intersection_len(b),
        a.intersection_len(b),
    );
    let twice = qb.saturating_add(ab).saturating_mul(2).saturating_add(qa);
    let once = q.len().saturating_add(a.len()).saturating_add(b.len());
    if once.saturating_sub(twice) >= enough {
        return once.saturating_sub(twice);
    }
    // the smallest of the three is quickest made
    let all = match qa.min(qb).min(ab) {
        0 => 0,
        least if least == qa => (q & a).intersection_len(b),
        least if least == qb => (q & b).intersection_len(a),
        _ => (a & b).intersection_len(q),
    };
    let thrice = all.saturating_mul(3);
    once.saturating_add(thrice).saturating_sub(twice)
}

/// The same of `q - a - b`: those in one of them, but not those in `q` and one of the others.
pub(super) fn weight_minus(q: &RoaringBitmap, [a, b]: [&RoaringBitmap; 2], enough: u64) -> u64 {
    weight_plus(a, [b, q], enough)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn people() -> impl Strategy<Value = RoaringBitmap> {
        let near = prop::collection::btree_set(0_u32..60, 0..40);
        near.prop_map(|near| near.into_iter().map(|person| person * 1500).collect())
    }

    proptest! {
        /// However few are tried, it is what the whole sets say.
        #[test]
        fn who_lacks_is_counted(a in people(), b in people(), enough in 0_u64..90) {
            prop_assert_eq!(lack(&a, &b, enough), (&a - &b).len() >= enough);
            let many: RoaringBitmap = (0..200).chain(&b).collect();
            prop_assert_eq!(lack(&many, &b, enough), (&many - &b).len() >= enough);
        }

        /// Weights are those of the plain definition.
        #[test]
        fn weights_are_numbers_of_persons(q in people(), a in people(), b in people(), enough in 0_u64..90) {
            let coefficient = |person: u32, sign: i32| {
                let one = |people: &RoaringBitmap| i32::from(people.contains(person));
                one(&q) + sign * one(&a) - one(&b)
            };
            let any = &q | &a | &b;
            let truth = |sign: i32| {
                let counted = any.iter().filter(|person| coefficient(*person, sign) != 0);
                u64::try_from(counted.count()).unwrap()
            };
            let legs = [&a, &b];
            prop_assert_eq!(weight_plus(&q, legs, u64::MAX), truth(1));
            prop_assert_eq!(weight_minus(&q, legs, u64::MAX), truth(-1));
            for (found, truth) in [
                (weight_plus(&q, legs, enough), truth(1)),
                (weight_minus(&q, legs, enough), truth(-1)),
            ] {
                prop_assert!(found <= truth && found >= enough.min(truth));
            }
        }
    }
}
