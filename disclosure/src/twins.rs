//! Sums that are the same number whatever the data: what rows of events add up to, and what persons'
//! numbers or sums of these rows add up to. Who knows one knows the other, so that nothing new is told.
//!
//! It rests on what a node computes: a person's rows count up to `max_rows`, each value within its
//! bounds, in a frame as in a sum over the rows. It must not know what was released.

use std::borrow::Cow;

use quorate_query::codebook::{Codebook, ColumnRef, RowsPer};
use quorate_query::derived::{Aggregate, Derived, Frame};
use quorate_query::measure::facts::limits;
use quorate_query::number::Number;
use quorate_query::question::{Predicate, Set};

use crate::evidence::{Contributions, Moments};
use crate::facets::{Subject, narrow, sum_vec};
use crate::history::{Across, Addends, FacetCandidate, Footprint, Form, Shape, Statement, same};

/// A column that is made of each person's rows, or 0 where there are none.
struct Framed<'b> {
    /// The column that is missing where there are none.
    name: &'b ColumnRef,
    frame: &'b Frame,
    of: &'b Aggregate,
}

impl<'b> Framed<'b> {
    /// What persons add to sums of both is the same.
    fn of(name: &'b ColumnRef, codebook: &'b Codebook) -> Option<Self> {
        let of = |name: &'b ColumnRef| match codebook.derived.get(name)? {
            Derived::Frame { frame, of } => Some(Self { name, frame, of }),
            _ => None,
        };
        match codebook.derived.get(name)? {
            Derived::Coalesce {
                of: inner,
                otherwise,
            } => {
                let none = otherwise.as_number().is_some_and(|n| n == Number::ZERO);
                of(inner).filter(|_| none)
            }
            _ => of(name),
        }
    }

    /// The column of events that it sums, and how many rows of a person count.
    fn summed(&self, codebook: &Codebook) -> Option<(&'b ColumnRef, u32)> {
        let Aggregate::Sum(value) = self.of else {
            return None;
        };
        let own = value.table == self.frame.rows && !codebook.derived.contains_key(value);
        match codebook.tables.get(&value.table)?.rows {
            RowsPer::Many { max_rows } => own.then_some((value, max_rows)),
            RowsPer::Unit => None,
        }
    }

    /// The sum over the rows themselves that it is, of persons of a shape.
    fn over_rows(&self, persons: &Shape, codebook: &Codebook) -> Option<Statement> {
        let (value, most) = self.summed(codebook)?;
        let ((low, high), _) = limits(value, &self.frame.filter, codebook)?;
        let scale = codebook.column(value)?.ty.scale()?;
        let mut shape = self.rows(persons, codebook);
        narrow(&mut shape.predicate, value, &Set::not_null(), codebook);
        let over = Some((self.frame.rows.as_str(), most));
        Some(Statement {
            vec: sum_vec(codebook, value, over, None),
            form: Form::Sum(sum_vec(codebook, value, over, Some((low, high, scale)))),
            shape,
        })
    }

    /// The rows that persons of a shape have in the frame.
    fn rows(&self, persons: &Shape, codebook: &Codebook) -> Shape {
        let mut predicate = persons.predicate.clone();
        for (column, set) in &self.frame.filter.boxes {
            narrow(&mut predicate, column, set, codebook);
        }
        predicate.cohorts.extend(self.frame.filter.cohorts.clone());
        let mut joined = &persons.joined | &self.frame.joined;
        joined.insert(codebook.unit.table.clone());
        Shape {
            rows: self.frame.rows.clone(),
            joined,
            predicate,
        }
    }
}

/// Numbers of rows, at most so many, of those who have some: limits may have taken rows off whoever has
/// that many.
pub(crate) fn numbers(totals: &Contributions, most: i128) -> Option<Contributions> {
    let some = totals.iter().filter(|(_, number)| *number != 0);
    let limited = totals.iter().any(|(_, number)| number >= most);
    let found = Contributions::of(some.collect()).ok()?;
    Some(found.limited(limited || totals.is_limited()))
}

impl<'a> Subject<'_, 'a> {
    /// Of a column of persons' numbers of rows, the one that is missing where there are none, and how many
    /// rows of a person count.
    pub(crate) fn rows_of_frame<'c>(
        &'c self,
        column: &'c ColumnRef,
        bounds: (Number, Number),
    ) -> Option<(&'c ColumnRef, i128)> {
        let framed = Framed::of(column, self.codebook)?;
        let whole = self.codebook.column(framed.name)?.bounds;
        let counts = *framed.of == Aggregate::Rows
            && self.shape.rows == self.codebook.unit.table
            && whole == Some(bounds);
        counts.then(|| (framed.name, framed.frame.most_rows(self.codebook).into()))
    }

    /// Where persons' numbers of rows are added up: the column that is that number, missing where there
    /// is none, and the number of rows, which the sum is.
    pub(crate) fn as_rows<'c>(
        &'c self,
        column: &'c ColumnRef,
        found: &'a Moments,
    ) -> Option<(&'c ColumnRef, FacetCandidate<'a>)> {
        let framed = Framed::of(column, self.codebook)?;
        self.rows_of_frame(column, self.facts.bounds?)?;
        let max = framed.frame.most_rows(self.codebook);
        let each = numbers(&found.totals, max.into())?;
        let asked = framed.rows(self.shape, self.codebook);
        let facet = self.count_facet(Form::Rows(max), &asked, Footprint::of(&each));
        let rows = FacetCandidate {
            facet,
            asked,
            contributions: Some(Addends::Of(Cow::Owned(each))),
            first_vec: None,
            clamp: max.into(),
            same_in_every_box: false,
            exact: true,
            across: Across::default(),
        };
        Some((framed.name, rows))
    }

    /// The sums over rows of events that a sum of persons' sums is, or the other way round. `present`:
    /// of whom the column is there.
    pub(crate) fn twins(&self, column: &ColumnRef, present: &Shape) -> Vec<Statement> {
        let codebook = self.codebook;
        if let Some(max) = self.max_rows() {
            let known = codebook.derived.keys();
            let sums = known.filter_map(|name| {
                let framed = Framed::of(name, codebook)?;
                let (value, most) = framed.summed(codebook)?;
                let fits = value == column && most == max && framed.frame.rows == present.rows;
                let framed = Some(framed).filter(|_| fits)?;
                self.of_persons(name, &framed, present)
            });
            return sums.collect();
        }
        let over_rows = || {
            let framed = Framed::of(column, codebook)?;
            framed.over_rows(self.shape, codebook)
        };
        let whole = codebook.column(column).and_then(|column| column.bounds);
        let fits = present.rows == codebook.unit.table && self.facts.bounds == whole;
        over_rows().filter(|_| fits).into_iter().collect()
    }

    /// The sum of persons' sums that a sum over rows is.
    fn of_persons(&self, name: &ColumnRef, framed: &Framed<'_>, rows: &Shape) -> Option<Statement> {
        let codebook = self.codebook;
        let mut boxes = rows.predicate.boxes.clone();
        boxes.retain(|column, _| column.table != rows.rows);
        let mut joined = rows.joined.clone();
        joined.remove(&codebook.unit.table);
        let persons = Shape {
            rows: codebook.unit.table.clone(),
            joined,
            predicate: Predicate {
                boxes,
                cohorts: rows.predicate.cohorts.clone(),
            },
        };
        // Only if the frame has just these rows.
        let back = framed.over_rows(&persons, codebook)?;
        let (value, _) = framed.summed(codebook)?;
        let ((low, high), scale) = (self.facts.bounds?, codebook.column(value)?.ty.scale()?);
        let form = Form::Sum(self.sum_vec(value, Some((low, high, scale))));
        let alike = same(&back.shape, form, codebook) == same(rows, form, codebook);
        if !alike || back.form != form {
            return None;
        }
        let column = codebook.column(name)?;
        let ((low, high), scale) = (column.bounds?, column.ty.scale()?);
        let mut shape = persons;
        narrow(&mut shape.predicate, name, &Set::not_null(), codebook);
        Some(Statement {
            vec: sum_vec(codebook, name, None, None),
            form: Form::Sum(sum_vec(codebook, name, None, Some((low, high, scale)))),
            shape,
        })
    }
}
