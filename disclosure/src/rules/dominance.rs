//! What the p%-rule and the (n,k)-rule share: the largest contributions of a sum, without signs.

use super::case::{Case, Reason, Statistic, Verdict};
use crate::evidence::{Contributions, MeasureEvidence};

/// A sum of sizes and its largest contributions.
pub(crate) struct Top {
    /// A, the sum of all sizes.
    pub(crate) all: i128,
    /// The largest sizes, largest first.
    pub(crate) largest: Vec<i128>,
}

impl Top {
    /// The `n` largest; `None` if a size leaves its type.
    pub(crate) fn of(contributions: &Contributions, n: usize) -> Option<Self> {
        let sizes = contributions.largest(n).into_iter();
        Some(Self {
            all: contributions.abs_sum(),
            largest: sizes
                .map(|(_, size)| size.checked_abs())
                .collect::<Option<_>>()?,
        })
    }

    /// x1.
    pub(crate) fn first(&self) -> i128 {
        self.largest.first().copied().unwrap_or(0)
    }

    /// x1 + ... + xn.
    pub(crate) fn sum(&self) -> Option<i128> {
        self.largest
            .iter()
            .try_fold(0_i128, |sum, size| sum.checked_add(*size))
    }
}

/// Judges the contributions of a case, if it has some: counts per value have none but ones.
pub(super) fn judged(
    case: &Case<'_>,
    n: usize,
    statistic: impl FnOnce(&Top) -> Option<Statistic>,
    why: impl FnOnce(&Statistic) -> String,
) -> Verdict {
    let contributions = match case.evidence {
        MeasureEvidence::Count(counted) => counted,
        MeasureEvidence::Moments(moments) => &moments.totals,
        MeasureEvidence::Values(_) => return Verdict::Pass,
    };
    match Top::of(contributions, n).and_then(|top| statistic(&top)) {
        Some(statistic) => Verdict::at_least(statistic, why),
        None => Verdict::Withhold(Reason {
            why: "the contributions are too large to judge".to_owned(),
            statistic: None,
        }),
    }
}
