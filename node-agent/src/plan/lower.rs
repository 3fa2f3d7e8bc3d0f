//! From typed question to engine plan, without a word of the researcher's text.
//!
//! The engine scans, joins, filters and computes keys, the person's number and clamped values, row by
//! row; that is all. Persons are added up in our own code, from unit and event tables alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::{DataFusionError, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};
use quorate_query::codebook::{self, Codebook, ColumnRef, RowsPer};
use quorate_query::measure::facts::{self, facts, limits};
use quorate_query::number::Number;
use quorate_query::question::{Cohort, Grain, GroupKey, Measure, Predicate, TableQuestion};

use super::functions::Function;
use super::person::person;
use super::predicate::{column, column_of, lies_in};
use crate::measure::{Counted, Layout, Part};
use crate::persons::Registry;

/// The tables a node holds, typed as the codebook says.
pub type Tables = BTreeMap<String, Arc<dyn TableProvider>>;

/// A question that cannot be planned at this node.
#[derive(Debug, thiserror::Error)]
pub enum LowerError {
    /// No source provides a table.
    #[error("no source provides table {0}")]
    NotHeld(String),
    /// The typed question does not fit its codebook: a fault of ours.
    #[error("the typed question does not fit its codebook")]
    Misfit,
    /// The engine refused its own plan: a fault of ours.
    #[error("the engine refused the plan: {0}")]
    Engine(#[from] DataFusionError),
}

/// The plan of a question, and how to read what it yields.
pub fn lower(
    question: &TableQuestion,
    codebook: &Codebook,
    tables: &Tables,
    persons: &Arc<Registry>,
) -> Result<(LogicalPlan, Layout), LowerError> {
    let book = Book { codebook, tables };
    let keys = question.keys.iter().map(GroupKey::column);
    let named = keys.chain(question.measures.iter().flat_map(facts::columns_of));
    let rows = book.rows(&question.rows, &question.joined, &question.filter, named)?;
    let rows = book.of_known_persons(rows, question)?;
    let (rows, keys) = book.keyed(rows, &question.keys)?;
    let table = book.table(&question.rows)?;
    let mut columns = Columns {
        book: &book,
        question,
        exprs: Vec::new(),
        first: keys.len() + 1,
    };
    let unit = person(persons, column(&question.rows, &table.unit_key)).alias(PERSON);
    let parts = columns.parts()?;
    let plan = rows.project(keys.iter().cloned().chain([unit]).chain(columns.exprs))?;
    let layout = Layout {
        keys: keys.len(),
        max_rows: match table.rows {
            RowsPer::Unit => None,
            RowsPer::Many { max_rows } => Some(u64::from(max_rows)),
        },
        parts,
    };
    Ok((plan.build()?, layout))
}

/// Codebook and tables together. The codebook has the columns that the question derives.
pub(super) struct Book<'a> {
    pub(super) codebook: &'a Codebook,
    tables: &'a Tables,
}

impl Book<'_> {
    pub(super) fn table(&self, name: &str) -> Result<&codebook::Table, LowerError> {
        self.codebook.tables.get(name).ok_or(LowerError::Misfit)
    }

    pub(super) fn column(&self, column: &ColumnRef) -> Result<&codebook::Column, LowerError> {
        self.codebook.column(column).ok_or(LowerError::Misfit)
    }

    pub(super) fn scan(&self, name: &str) -> Result<LogicalPlanBuilder, LowerError> {
        let provider = self
            .tables
            .get(name)
            .ok_or_else(|| LowerError::NotHeld(name.to_owned()))?;
        let source = provider_as_source(Arc::clone(provider));
        let reference = TableReference::bare(name.to_owned());
        Ok(LogicalPlanBuilder::scan(reference, source, None)?)
    }

    /// `rows` joined to its one-per-unit tables, filtered, with its cohorts, and with what derived
    /// columns among its conditions and those `named` need.
    pub(super) fn rows<'n>(
        &'n self,
        rows: &str,
        joined: &BTreeSet<String>,
        filter: &'n Predicate,
        named: impl IntoIterator<Item = &'n ColumnRef>,
    ) -> Result<LogicalPlanBuilder, LowerError> {
        let unit = column(rows, &self.table(rows)?.unit_key);
        let mut plan = self.scan(rows)?;
        for other in joined {
            let theirs = column(other, &self.table(other)?.unit_key);
            plan = plan.join_on(
                self.scan(other)?.build()?,
                JoinType::Inner,
                [unit.clone().eq(theirs)],
            )?;
        }
        let present = joined.iter().map(String::as_str).chain([rows]).collect();
        let needs = self.needs(filter.boxes.keys().chain(named), &present);
        plan = self.with_needs(plan, &unit, &needs)?;
        for (column, set) in &filter.boxes {
            let ty = self.column(column)?.ty;
            let inside = lies_in(&self.expr(column)?, ty, set);
            plan = plan.filter(inside.ok_or(LowerError::Misfit)?)?;
        }
        for (index, cohort) in filter.cohorts.iter().enumerate() {
            plan = match (needs.frame_of(cohort), cohort.negated) {
                (Some(there), false) => plan.filter(there.is_not_null())?,
                (Some(there), true) => plan.filter(there.is_null())?,
                (None, _) => self.cohort(plan, &unit, index, cohort)?,
            };
        }
        Ok(plan)
    }

    /// Rows of persons who are not in the unit table count for nothing, so that joining it changes
    /// nothing. A node without that table knows persons by their rows alone.
    fn of_known_persons(
        &self,
        rows: LogicalPlanBuilder,
        question: &TableQuestion,
    ) -> Result<LogicalPlanBuilder, LowerError> {
        let unit = &self.codebook.unit;
        let known = question.rows == unit.table || question.joined.contains(&unit.table);
        if known || !self.tables.contains_key(&unit.table) {
            return Ok(rows);
        }
        let own = column(&question.rows, &self.table(&question.rows)?.unit_key);
        let persons = self
            .scan(&unit.table)?
            .project([column_of(unit).alias("person")])?
            .alias("known")?
            .build()?;
        Ok(rows.join_on(
            persons,
            JoinType::LeftSemi,
            [own.eq(column("known", "person"))],
        )?)
    }

    /// Keeps the persons in the cohort, or out of it.
    fn cohort(
        &self,
        plan: LogicalPlanBuilder,
        unit: &Expr,
        index: usize,
        cohort: &Cohort,
    ) -> Result<LogicalPlanBuilder, LowerError> {
        let name = format!("cohort{index}");
        let theirs = column(&cohort.rows, &self.table(&cohort.rows)?.unit_key);
        let members = self
            .rows(&cohort.rows, &cohort.joined, &cohort.filter, [])?
            .project([theirs.alias("member")])?
            .alias(name.as_str())?
            .build()?;
        let kind = if cohort.negated {
            JoinType::LeftAnti
        } else {
            JoinType::LeftSemi
        };
        Ok(plan.join_on(members, kind, [unit.clone().eq(column(&name, "member"))])?)
    }

    /// The key expressions; rows without a key are left out unless their number may leave.
    fn keyed(
        &self,
        mut rows: LogicalPlanBuilder,
        keys: &[GroupKey],
    ) -> Result<(LogicalPlanBuilder, Vec<Expr>), LowerError> {
        let mut exprs = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            let of = match key {
                GroupKey::Column(column)
                | GroupKey::Band { column, .. }
                | GroupKey::Period { column, .. } => column,
            };
            if !self.column(of)?.missing_public {
                rows = rows.filter(self.expr(of)?.is_not_null())?;
            }
            exprs.push(self.key(key)?.alias(key_name(index)));
        }
        Ok((rows, exprs))
    }

    fn key(&self, key: &GroupKey) -> Result<Expr, LowerError> {
        Ok(match key {
            GroupKey::Column(column) => self.expr(column)?,
            GroupKey::Band { column, width } => {
                let known = self.column(column)?;
                let scale = known.ty.scale().ok_or(LowerError::Misfit)?;
                let width = at(*width, scale)?;
                let bounds = match known.bounds {
                    Some((low, high)) => Some((at(low, scale)?, at(high, scale)?)),
                    None => None,
                };
                Function::Band { bounds, width }.call(self.expr(column)?)
            }
            GroupKey::Period { column, grain } => {
                let months = match grain {
                    Grain::Month => 1,
                    Grain::Quarter => 3,
                    Grain::Year => 12,
                };
                Function::Period { months }.call(self.expr(column)?)
            }
        })
    }
}

/// The measure columns, collected while parts are laid out.
struct Columns<'a> {
    book: &'a Book<'a>,
    question: &'a TableQuestion,
    exprs: Vec<Expr>,
    /// Index of the first column.
    first: usize,
}

impl Columns<'_> {
    fn parts(&mut self) -> Result<Vec<Part>, LowerError> {
        let measures = &self.question.measures;
        measures.iter().map(|measure| self.part(measure)).collect()
    }

    fn part(&mut self, measure: &Measure) -> Result<Part, LowerError> {
        Ok(match measure {
            Measure::Persons { of } => self.count(of.as_ref(), Counted::Persons)?,
            Measure::Events { of } => self.count(of.as_ref(), Counted::Rows)?,
            Measure::Moments { column } => {
                let (scale, low, high) = self.bounds(column)?;
                let at = self.push(Function::Clamp { low, high }.call(self.book.expr(column)?));
                Part::Moments {
                    at,
                    scale,
                    low,
                    high,
                }
            }
            Measure::Products { left, right } => self.product(left, right)?,
            Measure::ValueCounts { column } => {
                let (scale, domain) = self.domain(column)?;
                let at = self.push(Function::Mantissa.call(self.book.expr(column)?));
                Part::Values { at, scale, domain }
            }
        })
    }

    fn product(&mut self, left: &ColumnRef, right: &ColumnRef) -> Result<Part, LowerError> {
        let mut clamped = |of: &ColumnRef| {
            let (scale, low, high) = self.bounds(of)?;
            let at = self.push(Function::Clamp { low, high }.call(self.book.expr(of)?));
            let most = low.checked_abs().zip(high.checked_abs());
            let (low_size, high_size) = most.ok_or(LowerError::Misfit)?;
            Ok::<_, LowerError>((at, scale, low_size.max(high_size)))
        };
        let ((a, a_scale, a_most), (b, b_scale, b_most)) = (clamped(left)?, clamped(right)?);
        let measure = Measure::Products {
            left: left.clone(),
            right: right.clone(),
        };
        let known = facts(&measure, self.question, self.book.codebook);
        let centres = known.and_then(|facts| facts.centres);
        let (a_centre, b_centre) = centres.ok_or(LowerError::Misfit)?;
        Ok(Part::Products {
            at: [a, b],
            centres: [at(a_centre, a_scale)?, at(b_centre, b_scale)?],
            most: [a_most, b_most],
            scale: a_scale.checked_add(b_scale).ok_or(LowerError::Misfit)?,
        })
    }

    fn count(&mut self, column: Option<&ColumnRef>, of: Counted) -> Result<Part, LowerError> {
        Ok(match column {
            None => Part::All { of },
            Some(column) => Part::Present {
                at: self.push(self.book.expr(column)?.is_not_null()),
                of,
            },
        })
    }

    /// Appends a column and returns its index.
    fn push(&mut self, expr: Expr) -> usize {
        let index = self.first + self.exprs.len();
        self.exprs.push(expr.alias(measure_name(self.exprs.len())));
        index
    }

    fn bounds(&self, of: &ColumnRef) -> Result<(u32, i128, i128), LowerError> {
        let scale = self.book.column(of)?.ty.scale().ok_or(LowerError::Misfit)?;
        let (filter, codebook) = (&self.question.filter, self.book.codebook);
        let ((low, high), _) = limits(of, filter, codebook).ok_or(LowerError::Misfit)?;
        Ok((scale, at(low, scale)?, at(high, scale)?))
    }

    fn domain(&self, of: &ColumnRef) -> Result<(u32, Vec<i128>), LowerError> {
        let column = self.book.column(of)?;
        let scale = column.ty.scale().ok_or(LowerError::Misfit)?;
        let domain = column.domain.as_ref().ok_or(LowerError::Misfit)?;
        let values = domain
            .iter()
            .map(|(value, _)| at(value.as_number().ok_or(LowerError::Misfit)?, scale));
        Ok((scale, values.collect::<Result<_, _>>()?))
    }
}

pub(super) fn at(number: Number, scale: u32) -> Result<i128, LowerError> {
    number.at_scale(scale).ok_or(LowerError::Misfit)
}

/// Name of the column with the person's number.
const PERSON: &str = "person";

fn key_name(index: usize) -> String {
    format!("k{index}")
}

fn measure_name(index: usize) -> String {
    format!("m{index}")
}
