//! R7, group disclosure: where a table is grouped by a sensitive column, nobody may learn that
//! nearly everybody of a group has a sensitive value, nor that hardly anybody has one.
//!
//! A group is a row of the table: the cells that differ in the sensitive key only. Judged on
//! persons, whatever is measured. Page: `docs/disclosure/R7.md`.

use std::collections::BTreeMap;

use quorate_query::codebook::{Codebook, Column};
use quorate_query::question::{GroupKey, TableQuestion};
use quorate_query::release::{ReleaseParams, k_eff};
use quorate_query::value::Scalar;
use roaring::RoaringBitmap;

use super::case::{Case, Reason, Statistic, Verdict};
use crate::evidence::Evidence;

/// The groups of a table that are withheld.
pub(crate) struct Groups {
    /// By place of the sensitive key, then by the other keys.
    withheld: Vec<(usize, BTreeMap<Vec<Scalar>, Reason>)>,
}

/// One group, added up.
#[derive(Default)]
struct Group {
    everybody: RoaringBitmap,
    with_sensitive: RoaringBitmap,
    /// Persons of the commonest sensitive value.
    commonest: u64,
}

impl Groups {
    /// Judges every group of a table.
    pub(crate) fn of(
        question: &TableQuestion,
        codebook: &Codebook,
        evidence: &Evidence,
        params: &ReleaseParams,
    ) -> Self {
        let keys = question.keys.iter().enumerate();
        let sensitive = keys.filter_map(|(place, key)| {
            let column = codebook.column(key.column())?;
            column.sensitive.then_some((place, key, column))
        });
        let judged = sensitive.map(|(place, key, column)| {
            // Of a band it is not known which of its values a person has.
            let plain = matches!(key, GroupKey::Column(_));
            let groups = groups(evidence, place, |value| {
                !plain || column.is_sensitive(value)
            });
            let judged = groups.into_iter().filter_map(|(key, group)| {
                match judge_group(&group, column, params) {
                    Verdict::Withhold(reason) => Some((key, reason)),
                    Verdict::Pass | Verdict::Public => None,
                }
            });
            (place, judged.collect())
        });
        Self {
            withheld: judged.collect(),
        }
    }

    /// Why the group of a cell is withheld, if it is.
    pub(crate) fn withhold(&self, key: &[Scalar]) -> Option<&Reason> {
        let mut found = self.withheld.iter();
        found.find_map(|(place, groups)| groups.get(&others(key, *place)))
    }
}

fn others(key: &[Scalar], place: usize) -> Vec<Scalar> {
    let kept = key.iter().enumerate().filter(|(at, _)| *at != place);
    kept.map(|(_, value)| value.clone()).collect()
}

/// A missing value is nobody's value: those persons are left out.
fn groups(
    evidence: &Evidence,
    place: usize,
    sensitive: impl Fn(&Scalar) -> bool,
) -> BTreeMap<Vec<Scalar>, Group> {
    let mut groups: BTreeMap<Vec<Scalar>, Group> = BTreeMap::new();
    for (key, cell) in &evidence.cells {
        let Some(value) = key.get(place).filter(|value| **value != Scalar::Null) else {
            continue;
        };
        let group = groups.entry(others(key, place)).or_default();
        group.everybody |= cell.people.as_ref();
        if sensitive(value) {
            group.with_sensitive |= cell.people.as_ref();
            group.commonest = group.commonest.max(cell.people.len());
        }
    }
    groups
}

/// A cell of a group that is withheld is withheld.
pub(super) fn judge(case: &Case<'_>) -> Verdict {
    match case.group {
        Some(reason) => Verdict::Withhold(reason.clone()),
        None => Verdict::Pass,
    }
}

fn judge_group(group: &Group, column: &Column, params: &ReleaseParams) -> Verdict {
    let share = share(group.commonest, group.everybody.len(), params.group_share);
    let everybody = Verdict::at_least(share, |_| {
        "nearly everybody of the group has one sensitive value".to_owned()
    });
    if everybody != Verdict::Pass || column.sensitive_values.is_empty() {
        return everybody;
    }
    // With an ordinary value beside the sensitive ones, nobody having one is news as well; and a
    // group that is withheld is not known to be one where everybody has it.
    let persons = group.with_sensitive.len();
    if persons == 0 && params.zeros_public {
        return Verdict::Pass;
    }
    let threshold = k_eff(params.k, params.round_base);
    let needed = Statistic::new("persons_with_sensitive", persons, threshold);
    Verdict::at_least(needed, |s| {
        format!(
            "{} persons of the group have a sensitive value, the threshold is {}",
            s.value, s.threshold
        )
    })
}

/// `share n` against `100 n_max + 1`: exactly the share is too much. Two releases of which one is
/// part of the other by a sensitive value are such a pair of numbers too.
pub(crate) fn share(commonest: u64, everybody: u64, share: u32) -> Statistic {
    let times = |n: u64, by: u32| i128::from(n).saturating_mul(by.into());
    Statistic::new(
        "group_share",
        times(everybody, share),
        times(commonest, 100).saturating_add(1),
    )
}
