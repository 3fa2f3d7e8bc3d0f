//! R1b, minimum contributors: a sum, mean or moment rests on at least `k_eff` persons who
//! contribute something other than zero; over a small domain, also on at least `k_eff` persons
//! outside the commonest value.
//!
//! Page: `docs/disclosure/README.md`, "Rules in force".

use super::case::{Case, Verdict};
use crate::evidence::MeasureEvidence;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let threshold = case.threshold();
    let (nonzero, outside) = match case.measure {
        MeasureEvidence::Count(_) => return Verdict::Pass,
        MeasureEvidence::Moments(moments) => (moments.totals.nonzero(), u64::MAX),
        MeasureEvidence::Values(found) => {
            let persons = || found.values.iter().map(|value| value.people.len());
            let commonest = persons().max().unwrap_or(0);
            let among = found.values.iter().zip(persons());
            let outside = among.filter(|(_, persons)| *persons == commonest);
            (
                found.nonzero.len(),
                outside.map(|(value, _)| value.elsewhere).min().unwrap_or(0),
            )
        }
    };
    if nonzero < threshold {
        let why = format!("{nonzero} persons contribute, the threshold is {threshold}");
        return Verdict::Withhold(why);
    }
    if outside < threshold {
        let why =
            format!("{outside} persons outside the commonest value, the threshold is {threshold}");
        return Verdict::Withhold(why);
    }
    Verdict::Pass
}
