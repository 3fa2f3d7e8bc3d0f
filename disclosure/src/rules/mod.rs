//! The rules of a table and its cells, one pure rule per file, applied as an ordered table. To add a
//! rule, add a file, a line here and a page in `docs/disclosure/`.

pub(crate) mod case;
pub(crate) mod dominance;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod pages;
pub(crate) mod protect;
mod r11_size;
mod r12_bits;
mod r1_persons;
mod r1b_contributors;
mod r2_zeros;
mod r3_missing;
pub(crate) mod r4_p_percent;
pub(crate) mod r5_dominance;
mod r6_homogeneity;
pub(crate) mod r7_group;
mod r8_freedom;
mod r9_sparse;
mod small_domain;

use quorate_query::codebook::Codebook;
use quorate_query::domain;
use quorate_query::measure::products::least_persons;
use quorate_query::question::TableQuestion;
use quorate_query::release::ReleaseParams;
use quorate_query::value::Scalar;

use crate::evidence::{CellEvidence, Evidence, MeasureEvidence};
use case::{Case, Reason, Rule, Verdict};
use r7_group::Groups;

/// The rules of a cell, in order; the first that does not pass is the reason.
pub(crate) const RULES: [Rule; 11] = [
    Rule {
        name: "R2",
        judge: r2_zeros::judge,
    },
    Rule {
        name: "R1",
        judge: r1_persons::judge,
    },
    Rule {
        name: "R3",
        judge: r3_missing::judge,
    },
    Rule {
        name: "small domain",
        judge: small_domain::judge,
    },
    Rule {
        name: "R1b",
        judge: r1b_contributors::judge,
    },
    Rule {
        name: "R4",
        judge: r4_p_percent::judge,
    },
    Rule {
        name: "R5",
        judge: r5_dominance::judge,
    },
    Rule {
        name: "R6",
        judge: r6_homogeneity::judge,
    },
    Rule {
        name: "R7",
        judge: r7_group::judge,
    },
    Rule {
        name: "R8",
        judge: r8_freedom::judge,
    },
    Rule {
        name: "R12",
        judge: r12_bits::judge,
    },
];

/// Why something is withheld: the name of a rule, and what it found.
pub(crate) type Withheld = (&'static str, Reason);

/// The rules of one table: what needs all of its cells is judged once, when it is made.
pub(crate) struct Judge<'a> {
    params: &'a ReleaseParams,
    groups: Groups,
    budget: Option<u64>,
    sparse: Option<Reason>,
}

impl<'a> Judge<'a> {
    /// Judges groups (R7) and, in a closed domain, how many cells are withheld (R9). `nobody` is
    /// the evidence of a cell that nobody is in.
    pub(crate) fn of(
        question: &TableQuestion,
        beside: &[&TableQuestion],
        codebook: &Codebook,
        evidence: &Evidence,
        nobody: &CellEvidence,
        params: &'a ReleaseParams,
    ) -> Self {
        let mut judge = Self {
            params,
            groups: Groups::of(question, codebook, evidence, params),
            budget: least_persons(question, beside, codebook, params),
            sparse: None,
        };
        // Off costs nothing: otherwise every cell is judged twice.
        if let (true, Some(keys)) = (params.sparse.is_some(), domain::cells(question, codebook)) {
            judge.sparse = judge.sparse(&keys, evidence, nobody);
        }
        judge
    }

    /// The first rule that withholds one measure of a cell, and why; `None` if it may leave.
    pub(crate) fn cell(
        &self,
        key: &[Scalar],
        cell: &CellEvidence,
        evidence: &MeasureEvidence,
    ) -> Option<Withheld> {
        let found = judge(&Case {
            cell,
            evidence,
            group: self.groups.withhold(key),
            budget: self.budget,
            params: self.params,
        });
        found.or_else(|| Some(("R9", self.sparse.clone()?)))
    }

    /// R1b of a mean of a derived column: what else must hold of it.
    pub(crate) fn derived(&self, evidence: &MeasureEvidence) -> Option<Withheld> {
        let MeasureEvidence::Moments(found) = evidence else {
            return None;
        };
        let verdict = r1b_contributors::derived(&found.totals, self.params);
        reason(verdict).map(|reason| ("R1b", reason))
    }

    /// R11: whether an open table leaves so many rows.
    pub(crate) fn rows(&self, rows: u64) -> Option<Withheld> {
        reason(r11_size::judge(rows, self.params)).map(|reason| ("R11", reason))
    }

    fn sparse(
        &self,
        keys: &[Vec<Scalar>],
        evidence: &Evidence,
        nobody: &CellEvidence,
    ) -> Option<Reason> {
        let (mut withheld, mut cells) = (0_u64, 0_u64);
        for key in keys {
            let cell = evidence.cells.get(key).unwrap_or(nobody);
            for measure in &cell.measures {
                cells = cells.saturating_add(1);
                withheld = withheld.saturating_add(self.cell(key, cell, measure).is_some().into());
            }
        }
        reason(r9_sparse::judge(withheld, cells, self.params))
    }
}

/// Every rule judges every case, whatever the others say: how long that takes tells nobody which
/// rule it was.
fn judge(case: &Case<'_>) -> Option<Withheld> {
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

fn reason(verdict: Verdict) -> Option<Reason> {
    match verdict {
        Verdict::Withhold(reason) => Some(reason),
        Verdict::Pass | Verdict::Public => None,
    }
}
