//! Extremes of weighted means whose weights are only known to lie in intervals.

use num_rational::BigRational;
use num_traits::{Signed, Zero};

/// A weight in `low..=high` and the term that it weighs.
pub(super) struct Weighted {
    pub(super) low: BigRational,
    pub(super) high: BigRational,
    pub(super) term: BigRational,
}

/// The greatest value of `(top + sum of w * term) / (bottom + sum of w)` over all weights in their
/// intervals; `None` if the divisor can be zero or less.
///
/// The derivative in one weight has the sign of `term - quotient`: at the greatest quotient the
/// weights of large terms are at their upper ends and all others at their lower ends. Ordering by
/// term leaves one cut to find.
pub(super) fn greatest(
    mut items: Vec<Weighted>,
    top: &BigRational,
    bottom: &BigRational,
) -> Option<BigRational> {
    items.sort_by(|a, b| b.term.cmp(&a.term));
    let mut numerator = top.clone();
    let mut divisor = bottom.clone();
    for item in &items {
        numerator += &item.low * &item.term;
        divisor += &item.low;
    }
    if !divisor.is_positive() {
        return None;
    }
    let mut best = &numerator / &divisor;
    for item in &items {
        let more = &item.high - &item.low;
        numerator += &more * &item.term;
        divisor += more;
        best = best.max(&numerator / &divisor);
    }
    Some(best)
}

/// The least value of the same quotient.
pub(super) fn least(
    items: Vec<Weighted>,
    top: &BigRational,
    bottom: &BigRational,
) -> Option<BigRational> {
    let mirrored = items
        .into_iter()
        .map(|item| Weighted {
            term: -item.term,
            ..item
        })
        .collect();
    greatest(mirrored, &-top, bottom).map(|value| -value)
}

/// Least and greatest weighted mean.
pub(super) fn mean_limits(
    low: Vec<Weighted>,
    high: Vec<Weighted>,
) -> Option<(BigRational, BigRational)> {
    let zero = BigRational::zero();
    Some((least(low, &zero, &zero)?, greatest(high, &zero, &zero)?))
}
