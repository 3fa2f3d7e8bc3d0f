//! R2, zeros: nobody in a cell is withheld like a few, unless the codebook declares zeros public.
//!
//! Page: `docs/disclosure/README.md`, "Rules in force".

use super::case::{Case, Verdict};
use crate::evidence::MeasureEvidence;

pub(super) fn judge(case: &Case<'_>) -> Verdict {
    let count = matches!(case.measure, MeasureEvidence::Count(_));
    // A zero beside a few persons would say that the cell is there at all.
    let told = case.cell.people.len() == 0 || case.cell.people.len() >= case.threshold();
    match case.persons() {
        0 if count && told && case.params.zeros_public => Verdict::Public,
        0 => Verdict::Withhold("nobody; zeros are not public".to_owned()),
        _ => Verdict::Pass,
    }
}
