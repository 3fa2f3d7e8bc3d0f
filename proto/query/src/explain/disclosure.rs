//! What could withhold a question's cells, and what to ask instead: from codebook and question
//! alone, before anything is asked.
//!
//! What this file must not know: data. It can say what a cell needs, never whether it has it.

use std::fmt;

use crate::canonical::text;
use crate::codebook::{Codebook, ColumnRef};
use crate::domain;
use crate::measure::facts::column_of;
use crate::number::Number;
use crate::question::{Grain, GroupKey, Measure, Params, Predicate, Question, Stat, TableQuestion};
use crate::release::{Output, ReleaseParams, k_eff};

/// What disclosure control asks of a question. `Display` prints it, one heading a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// What it asks of each table, in the order in which a node decides them.
    pub tables: Vec<TableDisclosure>,
}

/// What it asks of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDisclosure {
    /// Its name among several; empty for a single one.
    pub name: String,
    /// What every cell must have at a node to be shown by it.
    pub needs: Vec<String>,
    /// Rules that could withhold a cell although it has that many persons.
    pub bites: Vec<String>,
    /// How earlier answers could matter.
    pub history: Vec<String>,
    /// Questions with fewer, larger cells, nearest first.
    pub instead: Vec<String>,
}

/// Looks at a question that was read against this codebook. Nodes may be stricter.
#[must_use]
pub fn disclosure(q: &Question, cb: &Codebook) -> Disclosure {
    let cb = &*q.book(cb);
    let tables = q.tables().into_iter().enumerate();
    let asked = tables.map(|(place, (name, table))| TableDisclosure {
        name: name.to_owned(),
        needs: needs(table, &q.beside(place), cb),
        bites: bites(table, cb),
        history: beside(place).chain(history(table, cb)).collect(),
        instead: instead(table, cb),
    });
    Disclosure {
        tables: asked.collect(),
    }
}

/// What is said of a table that stands behind others of its question.
fn beside(place: usize) -> impl Iterator<Item = String> {
    let text = "the tables before it in this question are earlier answers to it";
    (place > 0).then(|| text.to_owned()).into_iter()
}

impl fmt::Display for Disclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            write!(f, "{table}")?;
        }
        Ok(())
    }
}

impl fmt::Display for TableDisclosure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            writeln!(f, "\nTABLE {}", self.name)?;
        }
        let headings = [
            ("A node shows a cell only with", &self.needs),
            ("It could be withheld all the same by", &self.bites),
            ("Earlier answers", &self.history),
            ("If too much is withheld", &self.instead),
        ];
        for (heading, lines) in headings {
            writeln!(f, "\n{heading}")?;
            for line in lines {
                writeln!(f, "  - {line}")?;
            }
            if lines.is_empty() {
                writeln!(f, "  - nothing")?;
            }
        }
        Ok(())
    }
}

fn least(release: &ReleaseParams) -> u32 {
    k_eff(release.k, release.round_base)
}

fn needs(q: &TableQuestion, beside: &[&TableQuestion], cb: &Codebook) -> Vec<String> {
    let least = least(&cb.release);
    let mut lines = vec![format!(
        "R1: {least} persons{}",
        if cb.release.zeros_public {
            ", or none at all: zeros are public"
        } else {
            ""
        }
    )];
    for measure in &q.measures {
        let name = text::measure_text(measure);
        match measure {
            Measure::Persons { of: None } | Measure::Events { of: None } => {}
            Measure::Persons { of: Some(_) } | Measure::Events { of: Some(_) } => {
                lines.push(format!("R3: {least} {name}"));
            }
            Measure::Moments { column } => lines.push(format!(
                "R1b: {least} persons with a value of {} other than zero",
                cb.in_words(column)
            )),
            Measure::ValueCounts { column } => {
                let values = cb.column(column).and_then(|c| c.domain.as_ref());
                let values = values.map_or(0, Vec::len);
                lines.push(format!(
                    "small domain: {least} persons for each of the {values} values of {}, since its sums and means are counts per value",
                    cb.in_words(column)
                ));
            }
            Measure::Products { left, right } => lines.push(format!(
                "R1b: {least} persons whose product of {} and {} is not zero, nor that of their distances from the middle values",
                left.column, right.column
            )),
        }
    }
    lines.extend(budget(q, beside, cb));
    lines
}

/// The bit budget of tables with products.
fn budget(q: &TableQuestion, beside: &[&TableQuestion], cb: &Codebook) -> Option<String> {
    let persons = crate::measure::products::least_persons(q, beside, cb, &cb.release)?;
    Some(format!(
        "R12: {persons} persons, so that the means, deviations and products of each column in all tables together say less than a quarter of what its values are"
    ))
}

fn bites(q: &TableQuestion, cb: &Codebook) -> Vec<String> {
    let release = &cb.release;
    let mut lines = Vec::new();
    for (index, measure) in q.measures.iter().enumerate() {
        if let Measure::Moments { column } = measure {
            let (name, (n, share)) = (cb.in_words(column), release.nk);
            lines.push(format!(
                "R4, R5: few persons who make up nearly all of {name}: all but the largest two must add more than {} % of the largest, and the largest {n} less than {share} %",
                release.p_pct
            ));
            lines.push(format!("R6: everybody with the same value of {name}"));
            if q.reads_spread(index) {
                let dof = release.dof.saturating_add(1);
                lines.push(format!(
                    "R8: a deviation or variance of {name} over fewer than {dof} persons"
                ));
            }
        }
    }
    for measure in &q.measures {
        if let Measure::Products { left, right } = measure {
            lines.push(format!(
                "R4, R5, R6: few persons who make up nearly all products of {} and {}, as they are, about the centres, or about the middle values",
                left.column, right.column
            ));
        }
    }
    for column in sensitive(q, cb) {
        lines.push(format!(
            "R7: a group of whom {} % or more share a sensitive value of {}; the whole group is withheld then",
            release.group_share, cb.in_words(column)
        ));
    }
    if let (Some(share), Some(_)) = (release.sparse, domain::count(q, cb)) {
        lines.push(format!(
            "R9: more than {share} % of the cells withheld; the whole table is withheld then"
        ));
    }
    lines.push(match domain::count(q, cb) {
        Some(n) => format!(
            "R11: the table has {}, of {} at most",
            cells(n),
            release.max_cells
        ),
        None => format!(
            "R11: more than {} rows that may be shown; the whole table is withheld then",
            release.max_cells
        ),
    });
    lines
}

impl TableQuestion {
    /// Whether the output reads a deviation or variance from a measure.
    fn reads_spread(&self, measure: usize) -> bool {
        let spread = [Stat::SdSample, Stat::SdPop, Stat::VarSample, Stat::VarPop];
        let columns = self.output.columns.iter().map(|column| &column.expr);
        let order = self.output.order.iter().map(|by| &by.expr);
        columns.chain(order).any(|expr| {
            let reads = |stat: &Stat| expr.reads(measure, *stat);
            spread.iter().any(reads)
        })
    }
}

impl crate::question::Expr {
    fn reads(&self, index: usize, what: Stat) -> bool {
        match self {
            Self::Key(_) | Self::Literal(_) => false,
            Self::Stat { measure, stat } => *measure == index && *stat == what,
            Self::Binary { left, right, .. } => left.reads(index, what) || right.reads(index, what),
        }
    }
}

/// Sensitive columns that the question groups by, counts by value or restricts.
fn sensitive<'a>(q: &'a TableQuestion, cb: &Codebook) -> Vec<&'a ColumnRef> {
    let keys = q.keys.iter().map(GroupKey::column);
    let counted = q.measures.iter().filter_map(|measure| match measure {
        Measure::ValueCounts { column } => Some(column),
        Measure::Persons { .. }
        | Measure::Events { .. }
        | Measure::Moments { .. }
        | Measure::Products { .. } => None,
    });
    let mut found: Vec<&ColumnRef> = keys.chain(counted).chain(q.filter.boxes.keys()).collect();
    found.retain(|column| cb.column(column).is_some_and(|column| column.sensitive));
    found.sort_unstable();
    found.dedup();
    found
}

fn history(q: &TableQuestion, cb: &Codebook) -> Vec<String> {
    let least = least(&cb.release);
    let mut lines = vec![
        "H0: the same cell asked again gives the same numbers and costs nothing".to_owned(),
        format!(
            "H1: a cell whose persons differ by fewer than {least} from those of an earlier answer is withheld, or that answer is shown in its place where no sensitive column tells them apart"
        ),
    ];
    lines.extend(cb.core.iter().filter_map(|sql| core(sql, q, cb)));
    let narrow = narrow(&q.filter, cb);
    if !narrow.is_empty() {
        lines.push(format!(
            "the restriction of {} must leave out no persons, or {least}: a cell that lacks fewer is nearly the cell without it",
            narrow.join(", ")
        ));
    }
    if !q.keys.is_empty() {
        lines.push(
            "H2, H2f, H3: cells that, together with totals and earlier tables over the same columns, would give away a withheld one; asking one table instead of many small ones avoids it"
                .to_owned(),
        );
    }
    if q.measures
        .iter()
        .any(|measure| matches!(measure, Measure::Moments { .. } | Measure::Products { .. }))
    {
        lines.push(
            "H1s: a sum that differs from an earlier one by what few persons have; keep to one set of conditions for all means"
                .to_owned(),
        );
    }
    if cb.release.mode == Output::CellKey {
        lines.push(
            "counts carry noise that depends on who is in the cell: parts and totals that are asked apart do not add up"
                .to_owned(),
        );
    }
    lines
}

/// A core table that counts the same rows: it has left every node before the first question.
fn core(sql: &str, q: &TableQuestion, cb: &Codebook) -> Option<String> {
    let read = crate::sql::read(sql, &Params::new(), cb).ok()?;
    let core = read.sole()?;
    let same =
        core.rows == q.rows || core.joined.contains(&q.rows) || q.joined.contains(&core.rows);
    let by: Vec<String> = core.keys.iter().map(text::key_text).collect();
    let by = if by.is_empty() {
        "in all".to_owned()
    } else {
        format!("by {}", by.join(", "))
    };
    same.then(|| format!("core table of every node: {} {by}", core.rows))
}

fn narrow(filter: &Predicate, cb: &Codebook) -> Vec<String> {
    let boxes = filter.boxes.keys().map(|column| {
        let mark = if cb.column(column).is_some_and(|c| c.sensitive) {
            " (sensitive)"
        } else {
            ""
        };
        format!("{}{mark}", cb.in_words(column))
    });
    let cohorts = filter
        .cohorts
        .iter()
        .map(|cohort| format!("persons by {}", cohort.rows));
    boxes.chain(cohorts).collect()
}

/// The same question with one key made coarser or dropped, and how many cells are left.
fn instead(q: &TableQuestion, cb: &Codebook) -> Vec<String> {
    let mut lines = Vec::new();
    for index in 0..q.keys.len() {
        let Some(key) = q.keys.get(index) else {
            continue;
        };
        if let Some(coarser) = coarser(key, cb) {
            let mut other = q.clone();
            if let Some(slot) = other.keys.get_mut(index) {
                *slot = coarser.clone();
            }
            lines.push(format!(
                "GROUP BY {} instead of {}: {}",
                written(&coarser),
                written(key),
                sizes(q, &other, cb)
            ));
        }
    }
    for index in 0..q.keys.len() {
        let mut other = q.clone();
        let dropped = other.keys.remove(index);
        lines.push(format!(
            "leave out {}: {}",
            written(&dropped),
            sizes(q, &other, cb)
        ));
    }
    for column in q.filter.boxes.keys() {
        lines.push(format!(
            "leave out the condition on {}: every cell has more persons",
            cb.in_words(column)
        ));
    }
    lines.extend(
        q.measures
            .iter()
            .enumerate()
            .filter_map(|(index, measure)| {
                let column = column_of(measure)?;
                let spread = matches!(measure, Measure::Moments { .. }) && q.reads_spread(index);
                spread.then(|| {
                    format!(
                        "avg({0}) without its deviation or variance: R8 does not apply",
                        cb.in_words(column)
                    )
                })
            }),
    );
    lines
}

fn cells(n: u64) -> String {
    if n == 1 {
        "1 cell".to_owned()
    } else {
        format!("{n} cells")
    }
}

fn sizes(from: &TableQuestion, to: &TableQuestion, cb: &Codebook) -> String {
    match (domain::count(from, cb), domain::count(to, cb)) {
        (Some(from), Some(to)) => format!("{} instead of {from}", cells(to)),
        (None, Some(to)) => format!("{}, listed in any case", cells(to)),
        (_, None) => "fewer and larger cells".to_owned(),
    }
}

/// The key as SQL, without its table.
fn written(key: &GroupKey) -> String {
    let column = &key.column().column;
    match key {
        GroupKey::Column(_) => column.clone(),
        GroupKey::Band { width, .. } => format!("floor({column}/{width})*{width}"),
        GroupKey::Period { grain, .. } => {
            let grain = match grain {
                Grain::Month => "month",
                Grain::Quarter => "quarter",
                Grain::Year => "year",
            };
            format!("date_trunc('{grain}', {column})")
        }
    }
}

/// The next coarser form of a key that the codebook has.
fn coarser(key: &GroupKey, cb: &Codebook) -> Option<GroupKey> {
    match key {
        GroupKey::Column(_) => None,
        GroupKey::Band { column, width } => {
            let wider = cb.column(column)?.bands.iter().filter(|band| *band > width);
            let nests = |band: &&Number| (band.to_rational() / width.to_rational()).is_integer();
            let width = *wider.filter(nests).min()?;
            let column = column.clone();
            Some(GroupKey::Band { column, width })
        }
        GroupKey::Period { column, grain } => {
            let grain = match grain {
                Grain::Month => Grain::Quarter,
                Grain::Quarter => Grain::Year,
                Grain::Year => return None,
            };
            let column = column.clone();
            Some(GroupKey::Period { column, grain })
        }
    }
}
