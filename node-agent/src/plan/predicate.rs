//! Typed predicates as engine expressions. Values become typed literals, never text.

use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::logical_expr::{Expr, in_list, lit};
use quorate_query::codebook::ColumnRef;
use quorate_query::question::{Set, Values};
use quorate_query::value::ColumnType;

/// A column by its exact name.
pub(super) fn column(table: &str, name: &str) -> Expr {
    Expr::Column(Column::new(
        Some(TableReference::bare(table.to_owned())),
        name.to_owned(),
    ))
}

/// A column of a question.
pub(super) fn column_of(column_ref: &ColumnRef) -> Expr {
    column(&column_ref.table, &column_ref.column)
}

/// Whether a column lies in the set; `None` if a value does not fit the column's type.
pub(super) fn lies_in(column: &Expr, ty: ColumnType, set: &Set) -> Option<Expr> {
    let inside = match &set.values {
        Values::All => column.clone().is_not_null(),
        Values::Ranges(ranges) => in_ranges(column, ty, ranges)?,
        Values::Texts(texts) => in_list(column.clone(), text_literals(texts), false),
        Values::NotTexts(texts) => {
            column
                .clone()
                .is_not_null()
                .and(in_list(column.clone(), text_literals(texts), true))
        }
    };
    Some(if set.null {
        inside.or(column.clone().is_null())
    } else {
        inside
    })
}

fn text_literals<'a>(texts: impl IntoIterator<Item = &'a String>) -> Vec<Expr> {
    texts
        .into_iter()
        .map(|text| lit(ScalarValue::Utf8(Some(text.clone()))))
        .collect()
}

/// Single values become one list, which the engine hashes; ranges are joined by OR.
fn in_ranges(
    column: &Expr,
    ty: ColumnType,
    ranges: &[(Option<i128>, Option<i128>)],
) -> Option<Expr> {
    let mut singles = Vec::new();
    let mut parts = Vec::new();
    for (low, high) in ranges {
        match (low, high) {
            (Some(low), Some(high)) if low == high => singles.extend(literal(ty, *low)),
            _ => parts.push(between(column, ty, *low, *high)),
        }
    }
    if !singles.is_empty() {
        parts.push(in_list(column.clone(), singles, false));
    }
    Some(any_of(parts))
}

/// Ends beyond the type's own range hold of themselves.
fn between(column: &Expr, ty: ColumnType, low: Option<i128>, high: Option<i128>) -> Expr {
    let mut both = column.clone().is_not_null();
    if let Some(low) = low {
        both = match literal(ty, low) {
            Some(low) => both.and(column.clone().gt_eq(low)),
            None if low > 0 => lit(false),
            None => both,
        };
    }
    if let Some(high) = high {
        both = match literal(ty, high) {
            Some(high) => both.and(column.clone().lt_eq(high)),
            None if high < 0 => lit(false),
            None => both,
        };
    }
    both
}

/// A balanced OR, so that a long list does not become a deep expression.
pub(super) fn any_of(mut parts: Vec<Expr>) -> Expr {
    while parts.len() > 1 {
        let mut halved = Vec::with_capacity(parts.len().div_ceil(2));
        let mut rest = parts.into_iter();
        while let Some(first) = rest.next() {
            halved.push(match rest.next() {
                Some(second) => first.or(second),
                None => first,
            });
        }
        parts = halved;
    }
    parts.pop().unwrap_or_else(|| lit(false))
}

/// The value with this ordinal; `None` if the column's type cannot hold it.
pub(super) fn literal(ty: ColumnType, ordinal: i128) -> Option<Expr> {
    let value = match ty {
        ColumnType::Int => ScalarValue::Int64(Some(i64::try_from(ordinal).ok()?)),
        ColumnType::Decimal { scale } => {
            let scale = i8::try_from(scale).ok()?;
            let fits = ordinal.unsigned_abs() < 10_u128.pow(38);
            fits.then_some(ScalarValue::Decimal128(Some(ordinal), 38, scale))?
        }
        ColumnType::Date => ScalarValue::Date32(Some(i32::try_from(ordinal).ok()?)),
        ColumnType::Bool => match ordinal {
            0 | 1 => ScalarValue::Boolean(Some(ordinal == 1)),
            _ => return None,
        },
        ColumnType::Text => return None,
    };
    Some(lit(value))
}
