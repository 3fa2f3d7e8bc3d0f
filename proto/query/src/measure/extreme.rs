//! Extremes of weighted means whose weights are only known to lie in intervals.
//!
//! All in whole numbers at a common decimal scale: fractions appear only in results.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::Signed;

/// A weight in `low..=high` and the term that it weighs.
#[derive(Clone)]
pub(super) struct Weighted {
    pub(super) low: BigInt,
    pub(super) high: BigInt,
    pub(super) term: BigInt,
}

/// The greatest value of `(top + sum of w * term) / (bottom + sum of w)` over all weights in their
/// intervals; `None` if the divisor can be zero or less.
///
/// The derivative in one weight has the sign of `term - quotient`: at the greatest quotient the
/// weights of large terms are at their upper ends and all others at their lower ends. Ordering by
/// term leaves one cut to find.
pub(super) fn greatest(
    mut items: Vec<Weighted>,
    top: &BigInt,
    bottom: &BigInt,
) -> Option<BigRational> {
    items.sort_by(|a, b| b.term.cmp(&a.term));
    let (mut numerator, mut divisor) = (top.clone(), bottom.clone());
    for item in &items {
        numerator += &item.low * &item.term;
        divisor += &item.low;
    }
    if !divisor.is_positive() {
        return None;
    }
    let mut best = (numerator.clone(), divisor.clone());
    for item in &items {
        let more = &item.high - &item.low;
        numerator += &more * &item.term;
        divisor += more;
        if &numerator * &best.1 > &best.0 * &divisor {
            best = (numerator.clone(), divisor.clone());
        }
    }
    Some(BigRational::new(best.0, best.1))
}

/// The least value of the same quotient.
pub(super) fn least(items: Vec<Weighted>, top: &BigInt, bottom: &BigInt) -> Option<BigRational> {
    let mirrored = items
        .into_iter()
        .map(|item| Weighted {
            term: -item.term,
            ..item
        })
        .collect();
    greatest(mirrored, &-top, bottom).map(|value| -value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn item(low: i64, more: i64, term: i64) -> Weighted {
        Weighted {
            low: low.into(),
            high: (low + more).into(),
            term: term.into(),
        }
    }

    proptest! {
        /// The extremes bound the quotient at every choice of weights, and are reached at a corner.
        #[test]
        fn no_choice_of_weights_goes_beyond(
            items in proptest::collection::vec((1_i64..20, 0_i64..10, -50_i64..50), 1..6),
            at in proptest::collection::vec(0_i64..10, 6),
            top in -20_i64..20,
            less in prop_oneof![Just(0_i64), Just(-1)],
        ) {
            prop_assume!(items.iter().map(|(low, _, _)| low).sum::<i64>() + less > 0);
            let weighted: Vec<Weighted> = items.iter().map(|(l, m, t)| item(*l, *m, *t)).collect();
            let high = greatest(weighted.clone(), &top.into(), &less.into()).unwrap();
            let low = least(weighted, &top.into(), &less.into()).unwrap();
            let quotient = |weight: &dyn Fn(usize, i64, i64) -> i64| {
                let (mut n, mut d) = (top, less);
                for (index, (l, more, term)) in items.iter().enumerate() {
                    let w = l + weight(index, *l, *more);
                    n += w * term;
                    d += w;
                }
                BigRational::new(n.into(), d.into())
            };
            let chosen = quotient(&|index, _, more| at[index].min(more));
            prop_assert!(low <= chosen && chosen <= high);
            let corner = |mask: usize| quotient(&|index, _, more| if mask >> index & 1 == 1 { more } else { 0 });
            let corners: Vec<BigRational> = (0..1 << items.len()).map(corner).collect();
            prop_assert_eq!(corners.iter().max(), Some(&high));
            prop_assert_eq!(corners.iter().min(), Some(&low));
        }
    }
}
