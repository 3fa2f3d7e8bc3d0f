//! Closed domains: which cells a table has, known from codebook and question alone.
//!
//! What this file must not know: data. Two parties with the same codebook list the same cells.

use crate::codebook::{Codebook, Column, ColumnRef};
use crate::number::Number;
use crate::question::{GroupKey, Set, TableQuestion, Values};
use crate::set::{bound_ordinals, domain_values, number_ordinal, scalar};
use crate::value::Scalar;

/// Aggregates of a closed domain of at most this many numbers are computed from counts per value.
pub const SMALL_DOMAIN: usize = 20;

/// More bands than this are not listed one by one to count them.
const MANY_BANDS: u64 = 100_000;

/// Every key of a closed table in ascending order; `None` if some key's domain is open.
///
/// Keys that the question's own filter excludes are not listed. NULL is a key only where the
/// codebook says that the number of missing values is public.
#[must_use]
pub fn cells(q: &TableQuestion, cb: &Codebook) -> Option<Vec<Vec<Scalar>>> {
    let mut rows: Vec<Vec<Scalar>> = vec![Vec::new()];
    for key in &q.keys {
        let values = key_values(key, q, cb)?;
        rows = rows
            .iter()
            .flat_map(|row| {
                values
                    .iter()
                    .map(move |value| row.iter().cloned().chain([value.clone()]).collect())
            })
            .collect();
    }
    Some(rows)
}

/// How many cells [`cells`] lists, without listing them.
#[must_use]
pub fn count(q: &TableQuestion, cb: &Codebook) -> Option<u64> {
    q.keys.iter().try_fold(1_u64, |product, key| {
        Some(product.saturating_mul(key_count(key, q, cb)?))
    })
}

/// The values of one key, ascending; `None` if its domain is open.
#[must_use]
pub fn key_values(key: &GroupKey, q: &TableQuestion, cb: &Codebook) -> Option<Vec<Scalar>> {
    let column = cb.column(key.column())?;
    let anything = Set::anything();
    let allowed = q.filter.boxes.get(key.column()).unwrap_or(&anything);
    let null = (column.missing_public && allowed.null).then_some(Scalar::Null);
    let values: Vec<Scalar> = match key {
        GroupKey::Column(_) => {
            let domain = domain_values(column)?;
            domain
                .into_iter()
                .filter(|v| allowed.contains(v, column.ty))
                .collect()
        }
        GroupKey::Band { width, .. } => bands(column, *width)?
            .filter(|edge| meets(allowed, &band_set(*edge, column, *width)))
            .filter_map(|edge| scalar(edge, column.ty))
            .collect(),
        GroupKey::Period { .. } => return None,
    };
    let mut all: Vec<Scalar> = null.into_iter().chain(values).collect();
    all.sort_unstable();
    Some(all)
}

/// How many values a key has. Very many bands are counted without looking which of them the
/// filter leaves: such a table is too large either way.
pub(crate) fn key_count(key: &GroupKey, q: &TableQuestion, cb: &Codebook) -> Option<u64> {
    let column = cb.column(key.column())?;
    if let GroupKey::Band { width, .. } = key {
        let (low, high) = bound_ordinals(column)?;
        let width = number_ordinal(width, column.ty).filter(|w| *w > 0)?;
        let bands = high.div_euclid(width) - low.div_euclid(width) + 1;
        let bands = u64::try_from(bands).ok()?;
        if bands > MANY_BANDS {
            return Some(bands);
        }
    }
    u64::try_from(key_values(key, q, cb)?.len()).ok()
}

/// Lower edges of the bands that a bounded column has, as ordinals.
fn bands(column: &Column, width: Number) -> Option<impl Iterator<Item = i128>> {
    let (low, high) = bound_ordinals(column)?;
    let width = number_ordinal(&width, column.ty).filter(|w| *w > 0)?;
    let first = low - low.rem_euclid(width);
    Some(
        std::iter::successors(Some(first), move |edge| edge.checked_add(width))
            .take_while(move |edge| *edge <= high),
    )
}

/// The values that fall into the band with this lower edge; values beyond a bound count as the bound.
pub(crate) fn band_set(edge: i128, column: &Column, width: Number) -> Set {
    let width = number_ordinal(&width, column.ty).unwrap_or(1);
    let end = edge.saturating_add(width).saturating_sub(1);
    Set::of(Values::from_ranges([(Some(edge), Some(end))])).within(column)
}

fn meets(allowed: &Set, band: &Set) -> bool {
    !allowed.values.intersect(&band.values).is_empty()
}

/// Whether sum, mean and variance of this column are computed from counts per value.
#[must_use]
pub fn is_value_counts(column: &Column) -> bool {
    column.ty.is_numeric()
        && column
            .domain
            .as_ref()
            .is_some_and(|domain| domain.len() <= SMALL_DOMAIN)
}

impl GroupKey {
    /// The column this key is made of.
    #[must_use]
    pub fn column(&self) -> &ColumnRef {
        match self {
            Self::Column(column) | Self::Band { column, .. } | Self::Period { column, .. } => {
                column
            }
        }
    }
}
