//! Tables of nodes, checked against the question and laid side by side by key.

use std::collections::{BTreeMap, BTreeSet};

use super::{CombineError, SiteAnswer};
use crate::answer::{Cell, Mode, NodeRow, NodeTable, Protection};
use crate::codebook::Codebook;
use crate::measure::facts::{Facts, facts};
use crate::measure::{self, SiteParts};
use crate::number::Number;
use crate::question::{GroupKey, Measure, TableQuestion};
use crate::value::{ColumnType, Scalar};

/// All released cells by key, sites in order of their names.
pub(super) struct Merged<'a> {
    /// Facts per measure.
    pub(super) facts: Vec<Facts>,
    /// The nodes that answered.
    pub(super) sites: Vec<Site<'a>>,
    /// Nodes that were asked.
    pub(super) eligible: u32,
    /// Mode of all answers; `None` without answers.
    pub(super) mode: Option<Mode>,
    /// Per key, one entry per site: its cells, or nothing where it listed no such row.
    pub(super) rows: BTreeMap<Vec<Scalar>, Vec<Option<&'a [Cell]>>>,
    /// Parts of an empty cell, per measure: what an unlisted group is in mode none.
    empty: Vec<Vec<Number>>,
}

/// A node that answered.
pub(super) struct Site<'a> {
    pub(super) node: &'a str,
    pub(super) protection: Protection,
}

impl Merged<'_> {
    /// The parts that a site released for a measure in a row; `None` if it withheld them. Nobody listed a
    /// row that has no entries.
    pub(super) fn parts<'s>(
        &'s self,
        row: &'s [Option<&[Cell]>],
        site: usize,
        measure: usize,
    ) -> Option<SiteParts<'s>> {
        let protection = self.sites.get(site)?.protection;
        let (parts, near): (&[Number], bool) = match row.get(site).copied().flatten() {
            Some(cells) => {
                let cell = cells.get(measure)?;
                (cell.parts()?, cell.is_near())
            }
            None if protection.mode == Mode::None => (self.empty.get(measure)?, false),
            None => return None,
        };
        Some(SiteParts {
            parts,
            protection,
            near,
        })
    }
}

/// Checks every table and merges them. The order of sites does not matter.
pub(super) fn merge<'a>(
    question: &TableQuestion,
    codebook: &Codebook,
    answers: &[SiteAnswer<'a>],
) -> Result<Merged<'a>, CombineError> {
    let facts = question
        .measures
        .iter()
        .map(|measure| facts(measure, question, codebook))
        .collect::<Option<Vec<Facts>>>()
        .ok_or(CombineError::Question {
            what: "a measured column has no domain or bounds",
        })?;
    let types = key_types(question, codebook).ok_or(CombineError::Question {
        what: "a group key is not in the codebook",
    })?;
    let mut answers: Vec<SiteAnswer<'a>> = answers.to_vec();
    answers.sort_by_key(|answer| answer.node);
    one_each(&answers)?;
    let mode = one_mode(&answers)?;
    let answered: Vec<(&'a str, &'a NodeTable, Protection)> = answers
        .iter()
        .filter_map(|a| {
            a.table
                .map(|(table, protection)| (a.node, table, protection))
        })
        .collect();
    let mut rows: BTreeMap<Vec<Scalar>, Vec<Option<&'a [Cell]>>> = BTreeMap::new();
    if question.keys.is_empty() && !answered.is_empty() {
        rows.insert(Vec::new(), vec![None; answered.len()]);
    }
    for (index, (node, table, protection)) in answered.iter().enumerate() {
        let malformed = |what| CombineError::Malformed {
            node: (*node).to_owned(),
            what,
        };
        check_keys(table, &types).map_err(malformed)?;
        for row in &table.rows {
            check_cells(row, question, &facts, *protection).map_err(malformed)?;
            let slots = rows
                .entry(row.key.clone())
                .or_insert_with(|| vec![None; answered.len()]);
            if let Some(slot) = slots.get_mut(index) {
                *slot = Some(&row.cells);
            }
        }
    }
    let empty = question
        .measures
        .iter()
        .zip(&facts)
        .map(|(m, f)| empty_parts(m, f))
        .collect();
    let site = |(node, _, protection): &(&'a str, &NodeTable, Protection)| Site {
        node,
        protection: *protection,
    };
    let sites = answered.iter().map(site).collect();
    let eligible = u32::try_from(answers.len()).unwrap_or(u32::MAX);
    Ok(Merged {
        facts,
        sites,
        eligible,
        mode,
        rows,
        empty,
    })
}

fn one_each(answers: &[SiteAnswer<'_>]) -> Result<(), CombineError> {
    let mut seen = BTreeSet::new();
    match answers.iter().find(|answer| !seen.insert(answer.node)) {
        Some(answer) => Err(CombineError::Twice {
            node: answer.node.to_owned(),
        }),
        None => Ok(()),
    }
}

fn one_mode(answers: &[SiteAnswer<'_>]) -> Result<Option<Mode>, CombineError> {
    let first = |of: fn(Mode) -> bool| {
        let mut answered = answers
            .iter()
            .filter_map(|a| Some((a.node, a.table?.1.mode)));
        answered.find(|(_, mode)| of(*mode))
    };
    let unprotected = first(|mode| mode == Mode::None);
    let rounded = first(|mode| mode == Mode::Round);
    let perturbed = first(|mode| matches!(mode, Mode::CellKey { .. }));
    let name = |(node, _): (&str, Mode)| node.to_owned();
    if let (Some(unprotected), Some(protected)) = (unprotected, rounded.or(perturbed)) {
        return Err(CombineError::MixedProtection {
            unprotected: name(unprotected),
            protected: name(protected),
        });
    }
    if let (Some(rounded), Some(perturbed)) = (rounded, perturbed) {
        return Err(CombineError::MixedModes {
            rounded: name(rounded),
            perturbed: name(perturbed),
        });
    }
    Ok(unprotected.or(rounded).or(perturbed).map(|(_, mode)| mode))
}

fn key_types(question: &TableQuestion, codebook: &Codebook) -> Option<Vec<ColumnType>> {
    let key_type = |key: &GroupKey| match key {
        GroupKey::Column(column) | GroupKey::Band { column, .. } => {
            codebook.column(column).map(|column| column.ty)
        }
        GroupKey::Period { .. } => Some(ColumnType::Date),
    };
    question.keys.iter().map(key_type).collect()
}

fn check_keys(table: &NodeTable, types: &[ColumnType]) -> Result<(), &'static str> {
    for row in &table.rows {
        let fits = |(value, ty): (&Scalar, &ColumnType)| value.fits(*ty);
        if row.key.len() != types.len() || !row.key.iter().zip(types).all(fits) {
            return Err("a key does not have the columns and types of the question");
        }
    }
    if table
        .rows
        .windows(2)
        .any(|pair| matches!(pair, [a, b] if a.key >= b.key))
    {
        return Err("rows are not in ascending order of key");
    }
    Ok(())
}

fn check_cells(
    row: &NodeRow,
    question: &TableQuestion,
    facts: &[Facts],
    protection: Protection,
) -> Result<(), &'static str> {
    if row.cells.len() != question.measures.len() {
        return Err("a row does not have one cell per measure");
    }
    for ((cell, measure), facts) in row.cells.iter().zip(&question.measures).zip(facts) {
        match cell.parts() {
            Some(parts) => {
                let near = cell.is_near();
                let site = SiteParts {
                    parts,
                    protection,
                    near,
                };
                measure::check(measure, facts, site)?;
            }
            None if protection.mode == Mode::None => {
                return Err("a cell is withheld although the answer is unprotected");
            }
            None => {}
        }
    }
    Ok(())
}

fn empty_parts(measure: &Measure, facts: &Facts) -> Vec<Number> {
    let parts = match measure {
        Measure::Persons { .. } | Measure::Events { .. } => 1,
        Measure::Moments { .. } => 4,
        Measure::Products { .. } => 2,
        Measure::ValueCounts { .. } => facts.domain.len(),
    };
    vec![Number::ZERO; parts]
}
