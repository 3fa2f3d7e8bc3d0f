//! R2, zeros: nobody in a cell is withheld like a few, unless the codebook declares zeros public.
//!
//! Page: `docs/disclosure/R2.md`.

use super::case::{Case, Statistic, Verdict};
use crate::evidence::MeasureEvidence;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let count = matches!(case.evidence, MeasureEvidence::Count(_));
    // A zero beside a few persons would say that the cell is there at all.
    let told = case.cell.people.is_empty() || case.cell.people.len() >= case.threshold();
    let public = case.params.zeros_public && case.group.is_none();
    if case.persons() == 0 && count && told && public {
        return Verdict::Public;
    }
    let needed = Statistic::new("persons", case.persons(), 1);
    Verdict::at_least(needed, |_| "nobody; zeros are not public".to_owned())
}
