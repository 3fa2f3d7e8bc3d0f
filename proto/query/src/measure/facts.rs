//! What the codebook says about a measured column in the context of a question.

use super::products;
use crate::codebook::{Codebook, Column, ColumnRef, ConceptSet, RowsPer};
use crate::number::Number;
use crate::question::{GroupKey, Measure, Predicate, TableQuestion, Values};
use crate::value::Scalar;

/// Public facts that protection and combination of a measure need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Least and greatest value that counts. Always there for `Moments`.
    pub bounds: Option<(Number, Number)>,
    /// The unit of measure.
    pub unit: Option<String>,
    /// Released sizes count only persons and rows with a value: none is ever missing, the number of
    /// missing values is public, or the question leaves out rows without a value. Otherwise they
    /// count all persons and rows of the cell.
    pub complete: bool,
    /// The numbers of a closed domain, ascending. Always there for `ValueCounts`.
    pub domain: Vec<Number>,
    /// Rows of one person that count, on an event table.
    pub max_rows: Option<u32>,
    /// What is taken off the two columns of `Products`. Always there for it, and for nothing else.
    pub centres: Option<(Number, Number)>,
}

/// The column whose values a measure needs, if it is one.
#[must_use]
pub fn column_of(measure: &Measure) -> Option<&ColumnRef> {
    match measure {
        Measure::Persons { of } | Measure::Events { of } => of.as_ref(),
        Measure::Moments { column } | Measure::ValueCounts { column } => Some(column),
        Measure::Products { .. } => None,
    }
}

/// Every column whose values a measure needs.
pub fn columns_of(measure: &Measure) -> impl Iterator<Item = &ColumnRef> {
    let both = match measure {
        Measure::Products { left, right } => [Some(left), Some(right)],
        other => [column_of(other), None],
    };
    both.into_iter().flatten()
}

/// The column of a group key.
#[must_use]
pub fn key_column(key: &GroupKey) -> &ColumnRef {
    match key {
        GroupKey::Column(column)
        | GroupKey::Band { column, .. }
        | GroupKey::Period { column, .. } => column,
    }
}

/// The facts of a measure; `None` if the codebook does not support it.
#[must_use]
pub fn facts(measure: &Measure, question: &TableQuestion, codebook: &Codebook) -> Option<Facts> {
    let max_rows = match codebook.tables.get(&question.rows)?.rows {
        RowsPer::Unit => None,
        RowsPer::Many { max_rows } => Some(max_rows),
    };
    if let Measure::Products { left, right } = measure {
        return products::facts(left, right, question, codebook);
    }
    let Some(reference) = column_of(measure) else {
        return Some(Facts {
            max_rows,
            ..Facts::default()
        });
    };
    let column = codebook.column(reference)?;
    let domain: Vec<Number> = column
        .domain
        .iter()
        .flatten()
        .filter_map(|(value, _)| value.as_number())
        .collect();
    let (bounds, unit) = limits(reference, &question.filter, codebook)
        .map_or((None, column.unit.clone()), |(bounds, unit)| {
            (Some(bounds), unit)
        });
    let supported = match measure {
        Measure::Persons { .. } | Measure::Events { .. } => true,
        Measure::Moments { .. } => bounds.is_some(),
        Measure::ValueCounts { .. } => !domain.is_empty(),
        Measure::Products { .. } => false,
    };
    let complete = column.missing_public || is_never_missing(reference, question, codebook);
    supported.then_some(Facts {
        bounds,
        unit,
        complete,
        domain,
        max_rows,
        centres: None,
    })
}

/// Whether no row of the question lacks the column: it never does, the filter leaves such rows out, or
/// the column is a group key. Rows without a key are in no group, unless their number is public.
#[must_use]
pub fn is_never_missing(
    reference: &ColumnRef,
    question: &TableQuestion,
    codebook: &Codebook,
) -> bool {
    let filter = question.filter.boxes.get(reference);
    let required = codebook.column(reference).is_some_and(|c| c.required);
    required
        || filter.is_some_and(|set| !set.null)
        || question.keys.iter().any(|key| key_column(key) == reference)
}

/// Bounds and unit of a column under a filter: its own, or those of the `when` whose set contains
/// everything that the filter lets through.
#[must_use]
pub fn limits(
    reference: &ColumnRef,
    filter: &Predicate,
    codebook: &Codebook,
) -> Option<((Number, Number), Option<String>)> {
    let column = codebook.column(reference)?;
    if let Some(bounds) = column.bounds {
        return Some((bounds, column.unit.clone()));
    }
    let when = column.when.iter().find(|when| {
        let set = codebook.sets.get(&when.set);
        set.is_some_and(|set| implies(filter, set, codebook))
    })?;
    Some((when.bounds, when.unit.clone()))
}

/// Whether every row that passes the filter has a value of the set in the set's column.
#[must_use]
pub fn implies(filter: &Predicate, set: &ConceptSet, codebook: &Codebook) -> bool {
    let (Some(allowed), Some(column)) =
        (filter.boxes.get(&set.column), codebook.column(&set.column))
    else {
        return false;
    };
    if allowed.null {
        return false;
    }
    match &allowed.values {
        Values::Texts(texts) => texts
            .iter()
            .all(|text| set.values.contains(&Scalar::Text(text.clone()))),
        Values::Ranges(ranges) => ranges.iter().all(|range| in_set(*range, set, column)),
        Values::All | Values::NotTexts(_) => false,
    }
}

/// Whether every ordinal of a range is a member. Members are distinct, so counting them is enough.
fn in_set((low, high): (Option<i128>, Option<i128>), set: &ConceptSet, column: &Column) -> bool {
    let (Some(low), Some(high)) = (low, high) else {
        return false;
    };
    let ordinal = |value: &Scalar| match value {
        Scalar::Number(number) => number.at_scale(column.ty.scale()?),
        Scalar::Date(day) => Some(i128::from(*day)),
        Scalar::Bool(flag) => Some(i128::from(*flag)),
        Scalar::Null | Scalar::Text(_) => None,
    };
    let inside = set
        .values
        .iter()
        .filter_map(ordinal)
        .filter(|o| (low..=high).contains(o))
        .count();
    let width = high.checked_sub(low).and_then(|width| width.checked_add(1));
    width.is_some_and(|width| i128::try_from(inside).is_ok_and(|inside| inside == width))
}
