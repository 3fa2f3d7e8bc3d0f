//! R1b, minimum contributors: a sum, mean or moment rests on at least `k_eff` persons who
//! contribute something other than zero; over a small domain, also on at least `k_eff` persons
//! outside the commonest value.
//!
//! Page: `docs/disclosure/R1b.md`.

use quorate_query::release::{ReleaseParams, k_eff};

use super::case::{Case, Statistic, Verdict};
use crate::evidence::{Contributions, MeasureEvidence, Values};

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let threshold = case.threshold();
    let (nonzero, outside) = match case.evidence {
        MeasureEvidence::Count(_) => return Verdict::Pass,
        MeasureEvidence::Moments(moments) => (moments.totals.nonzero(), u64::MAX),
        MeasureEvidence::Values(found) => (found.nonzero.len(), outside_commonest(found)),
        MeasureEvidence::Products(found) => {
            let fewest = found.sums().map(Contributions::nonzero).into_iter().min();
            (fewest.unwrap_or(0), u64::MAX)
        }
    };
    let contributors = Statistic::new("contributors", nonzero, threshold);
    if contributors.misses() {
        return Verdict::at_least(contributors, |s| {
            format!(
                "{} persons contribute, the threshold is {}",
                s.value, s.threshold
            )
        });
    }
    let outside = Statistic::new("outside_commonest", outside, threshold);
    Verdict::at_least(outside, |s| {
        format!(
            "{} persons outside the commonest value, the threshold is {}",
            s.value, s.threshold
        )
    })
}

/// A derived column can be made so that all but a few have a value that is known: its sum rests on at
/// least the threshold of persons outside the commonest one, like that of a small domain.
pub(super) fn derived(totals: &Contributions, params: &ReleaseParams) -> Verdict {
    let mut each: Vec<i128> = totals.iter().map(|(_, total)| total).collect();
    each.sort_unstable();
    let alike = each.chunk_by(|a, b| a == b).map(<[i128]>::len).max();
    let commonest = alike
        .and_then(|alike| u64::try_from(alike).ok())
        .unwrap_or(0);
    let outside = totals.people().len().saturating_sub(commonest);
    let threshold = u64::from(k_eff(params.k, params.round_base));
    let outside = Statistic::new("outside_commonest", outside, threshold);
    Verdict::at_least(outside, |s| {
        format!(
            "{} persons outside the commonest value, the threshold is {}",
            s.value, s.threshold
        )
    })
}

/// Persons who have another value than the commonest one; the fewest, if several are commonest.
fn outside_commonest(found: &Values) -> u64 {
    let persons = || found.values.iter().map(|value| value.people.len());
    let commonest = persons().max().unwrap_or(0);
    let among = found.values.iter().zip(persons());
    let outside = among.filter(|(_, persons)| *persons == commonest);
    outside.map(|(value, _)| value.elsewhere).min().unwrap_or(0)
}
