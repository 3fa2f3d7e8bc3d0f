//! What the p%-rule and the (n,k)-rule share: the largest contributions of a sum, without signs.

use super::case::{Case, Reason, Statistic, Verdict};
use crate::evidence::{Contributions, MeasureEvidence, ValueEvidence};

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

    /// The rows of one value: a person's rows are that person's contribution.
    pub(crate) fn of_value(value: &ValueEvidence, n: usize) -> Self {
        let persons = usize::try_from(value.people.len()).unwrap_or(usize::MAX);
        let most = value.most.iter().copied().take(n).map(i128::from);
        let largest = match value.most.is_empty() {
            true => vec![1; n.min(persons)],
            false => most.collect(),
        };
        Self {
            all: value.rows.into(),
            largest,
        }
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

/// Judges the contributions of a case; of counts per value those of every value that somebody has.
/// Where none of these is dominated, their sum is not either.
pub(super) fn judged(
    case: &Case<'_>,
    n: usize,
    statistic: impl Fn(&Top) -> Option<Statistic>,
    why: impl Fn(&Statistic) -> String,
) -> Verdict {
    let contributions = match case.evidence {
        MeasureEvidence::Count(counted) => counted,
        MeasureEvidence::Moments(moments) => &moments.totals,
        MeasureEvidence::Products(found) => {
            return every(
                found
                    .sums()
                    .map(|sum| one(Top::of(sum, n), &statistic, &why)),
            );
        }
        MeasureEvidence::Values(found) => {
            let held = found.values.iter().filter(|value| !value.people.is_empty());
            let each = held.map(|value| one(Some(Top::of_value(value, n)), &statistic, &why));
            // every value is judged, whatever the others come to
            return every(each.collect::<Vec<Verdict>>());
        }
    };
    one(Top::of(contributions, n), &statistic, &why)
}

/// The first that does not pass, of verdicts that were all made.
pub(super) fn every(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    let withheld = verdicts.into_iter().find(|found| *found != Verdict::Pass);
    withheld.unwrap_or(Verdict::Pass)
}

fn one(
    top: Option<Top>,
    statistic: &impl Fn(&Top) -> Option<Statistic>,
    why: &impl Fn(&Statistic) -> String,
) -> Verdict {
    match top.and_then(|top| statistic(&top)) {
        Some(statistic) => Verdict::at_least(statistic, why),
        None => Verdict::Withhold(Reason {
            why: "the contributions are too large to judge".to_owned(),
            statistic: None,
        }),
    }
}
