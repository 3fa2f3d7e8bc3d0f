//! The rules of a single cell, one pure rule per file, applied as an ordered table. To add a rule,
//! add a file, a line here and a page in `docs/disclosure/`.

pub(crate) mod case;
pub(crate) mod protect;
pub(crate) mod r11_size;
mod r1_persons;
mod r1b_contributors;
mod r2_zeros;
mod small_domain;

use case::{Case, Reason, Rule, Verdict};

/// The rules of a cell, in order; the first that does not pass is the reason.
pub(crate) const RULES: [Rule; 4] = [
    Rule {
        name: "R2",
        judge: r2_zeros::judge,
    },
    Rule {
        name: "R1",
        judge: r1_persons::judge,
    },
    Rule {
        name: "small domain",
        judge: small_domain::judge,
    },
    Rule {
        name: "R1b",
        judge: r1b_contributors::judge,
    },
];

/// The first rule that withholds a case, and why; `None` if it may leave. Every rule judges every
/// case, whatever the others say: how long that takes tells nobody which rule it was.
pub(crate) fn judge(case: &Case<'_>) -> Option<(&'static str, Reason)> {
    let verdicts = RULES.map(|rule| (rule.name, (rule.judge)(case)));
    for (name, verdict) in verdicts {
        match verdict {
            Verdict::Pass => {}
            Verdict::Public => return None,
            Verdict::Withhold(reason) => return Some((name, reason)),
        }
    }
    None
}
