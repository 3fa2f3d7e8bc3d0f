//! Set algebra of one column: intersection, union, complement, closed domains, bounds, grids.
//!
//! Normal form: equal sets are equal values. No value is `Ranges([])`, every value is `All`;
//! ranges are ascending, disjoint and not adjacent. Bounds mean clamping: a value beyond a
//! bound counts as the bound, so a range that reaches a bound is open on that side.
//! What this file must not know: SQL, and where a set came from.

use std::collections::BTreeSet;

use crate::codebook::Column;
use crate::number::Number;
use crate::question::{Set, Values};
use crate::value::{ColumnType, Scalar};

/// A closed range of ordinals; `None` is unbounded.
pub type Range = (Option<i128>, Option<i128>);

/// The ordinal of a value in a column of this type; texts, NULL and foreign types have none.
#[must_use]
pub fn ordinal(value: &Scalar, ty: ColumnType) -> Option<i128> {
    match (value, ty) {
        (Scalar::Number(n), ColumnType::Int) => n.at_scale(0),
        (Scalar::Number(n), ColumnType::Decimal { scale }) => n.at_scale(scale),
        (Scalar::Date(day), ColumnType::Date) => Some(i128::from(*day)),
        (Scalar::Bool(b), ColumnType::Bool) => Some(i128::from(*b)),
        _ => None,
    }
}

/// The value with this ordinal in a column of this type.
#[must_use]
pub fn scalar(ordinal: i128, ty: ColumnType) -> Option<Scalar> {
    match ty {
        ColumnType::Int => Some(Scalar::Number(Number::new(ordinal, 0))),
        ColumnType::Decimal { scale } => {
            let exponent = i32::try_from(scale).ok()?.checked_neg()?;
            Some(Scalar::Number(Number::new(ordinal, exponent)))
        }
        ColumnType::Date => i32::try_from(ordinal).ok().map(Scalar::Date),
        ColumnType::Bool => match ordinal {
            0 => Some(Scalar::Bool(false)),
            1 => Some(Scalar::Bool(true)),
            _ => None,
        },
        ColumnType::Text => None,
    }
}

/// The ordinal of a number at a column's scale, if the type has numbers and it fits exactly.
#[must_use]
pub fn number_ordinal(number: &Number, ty: ColumnType) -> Option<i128> {
    ordinal(&Scalar::Number(*number), ty)
}

impl Values {
    /// No value.
    #[must_use]
    pub fn none() -> Self {
        Self::Ranges(Vec::new())
    }

    /// The normal form of a union of ranges; empty ranges vanish.
    #[must_use]
    pub fn from_ranges(ranges: impl IntoIterator<Item = Range>) -> Self {
        let mut ranges: Vec<Range> = ranges.into_iter().filter(|r| !is_empty(r)).collect();
        ranges.sort_unstable_by_key(low_key);
        let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
        for range in ranges {
            match merged.last_mut() {
                Some(last) if touches(last, &range) => last.1 = later_end(last.1, range.1),
                _ => merged.push(range),
            }
        }
        if merged.as_slice() == [(None, None)] {
            Self::All
        } else {
            Self::Ranges(merged)
        }
    }

    /// Exactly these ordinals.
    #[must_use]
    pub fn points(points: impl IntoIterator<Item = i128>) -> Self {
        Self::from_ranges(points.into_iter().map(|p| (Some(p), Some(p))))
    }

    /// Exactly these texts.
    #[must_use]
    pub fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        let texts: BTreeSet<String> = texts.into_iter().collect();
        if texts.is_empty() {
            Self::none()
        } else {
            Self::Texts(texts)
        }
    }

    fn not_texts(texts: BTreeSet<String>) -> Self {
        if texts.is_empty() {
            Self::All
        } else {
            Self::NotTexts(texts)
        }
    }

    /// Every value that is not in this set.
    #[must_use]
    pub fn complement(&self) -> Self {
        match self {
            Self::All => Self::none(),
            Self::Texts(texts) => Self::not_texts(texts.clone()),
            Self::NotTexts(texts) => Self::texts(texts.iter().cloned()),
            Self::Ranges(ranges) => complement_ranges(ranges),
        }
    }

    /// Values in both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::All, set) | (set, Self::All) => set.clone(),
            (Self::Ranges(a), Self::Ranges(b)) => Self::from_ranges(intersect_ranges(a, b)),
            (Self::Texts(a), Self::Texts(b)) => Self::texts(a.intersection(b).cloned()),
            (Self::Texts(a), Self::NotTexts(b)) | (Self::NotTexts(b), Self::Texts(a)) => {
                Self::texts(a.difference(b).cloned())
            }
            (Self::NotTexts(a), Self::NotTexts(b)) => {
                Self::not_texts(a.union(b).cloned().collect())
            }
            (Self::Ranges(_), Self::Texts(_) | Self::NotTexts(_))
            | (Self::Texts(_) | Self::NotTexts(_), Self::Ranges(_)) => Self::none(),
        }
    }

    /// Values in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Ranges(r), set) | (set, Self::Ranges(r)) if r.is_empty() => set.clone(),
            _ => self
                .complement()
                .intersect(&other.complement())
                .complement(),
        }
    }

    /// Whether there is no value in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Ranges(r) if r.is_empty())
    }

    /// Whether this value of a column of this type is in it. NULL never is.
    #[must_use]
    pub fn contains(&self, value: &Scalar, ty: ColumnType) -> bool {
        match (self, value) {
            (_, Scalar::Null) => false,
            (Self::All, _) => true,
            (Self::Texts(texts), Scalar::Text(text)) => texts.contains(text),
            (Self::NotTexts(texts), Scalar::Text(text)) => !texts.contains(text),
            (Self::Ranges(ranges), _) => ordinal(value, ty).is_some_and(|o| {
                ranges
                    .iter()
                    .any(|r| r.0.is_none_or(|low| low <= o) && r.1.is_none_or(|high| o <= high))
            }),
            (Self::Texts(_) | Self::NotTexts(_), _) => false,
        }
    }
}

impl Set {
    /// Anything, NULL too: no restriction.
    #[must_use]
    pub fn anything() -> Self {
        Self {
            null: true,
            values: Values::All,
        }
    }

    /// Every value but NULL.
    #[must_use]
    pub fn not_null() -> Self {
        Self::of(Values::All)
    }

    /// NULL only.
    #[must_use]
    pub fn null_only() -> Self {
        Self {
            null: true,
            values: Values::none(),
        }
    }

    /// These values, without NULL.
    #[must_use]
    pub fn of(values: Values) -> Self {
        Self {
            null: false,
            values,
        }
    }

    /// In both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self {
            null: self.null && other.null,
            values: self.values.intersect(&other.values),
        }
    }

    /// Whether nothing is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.null && self.values.is_empty()
    }

    /// Whether everything is in it.
    #[must_use]
    pub fn is_anything(&self) -> bool {
        self.null && self.values == Values::All
    }

    /// Whether this value of a column of this type is in it.
    #[must_use]
    pub fn contains(&self, value: &Scalar, ty: ColumnType) -> bool {
        match value {
            Scalar::Null => self.null,
            _ => self.values.contains(value, ty),
        }
    }

    /// Whether every member of this set is in the other.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.intersect(other) == *self
    }

    /// The normal form for this column: within its closed domain, clamped to its bounds. Where no
    /// value is ever missing, NULL is in the set of everything only, which restricts nothing.
    #[must_use]
    pub fn within(&self, column: &Column) -> Self {
        let values = match domain_values(column) {
            Some(domain) => within_domain(&self.values, &domain, column.ty),
            None => within_bounds(&self.values, column),
        };
        let null = if column.required {
            values == Values::All
        } else {
            self.null
        };
        Self { null, values }
    }
}

/// The closed domain of a column, ascending: declared, or the two values of a bool.
#[must_use]
pub fn domain_values(column: &Column) -> Option<Vec<Scalar>> {
    match (&column.domain, column.ty) {
        (Some(domain), _) => Some(domain.iter().map(|(value, _)| value.clone()).collect()),
        (None, ColumnType::Bool) => Some(vec![Scalar::Bool(false), Scalar::Bool(true)]),
        (None, _) => None,
    }
}

fn within_domain(values: &Values, domain: &[Scalar], ty: ColumnType) -> Values {
    let kept: Vec<&Scalar> = domain.iter().filter(|v| values.contains(v, ty)).collect();
    if kept.len() == domain.len() {
        return Values::All;
    }
    if ty == ColumnType::Text {
        return Values::texts(kept.into_iter().filter_map(|v| match v {
            Scalar::Text(text) => Some(text.clone()),
            _ => None,
        }));
    }
    Values::points(kept.into_iter().filter_map(|v| ordinal(v, ty)))
}

/// Bounds of a column, or its first and last day, as ordinals.
#[must_use]
pub fn bound_ordinals(column: &Column) -> Option<(i128, i128)> {
    if let Some((first, last)) = column.period {
        return Some((first.into(), last.into()));
    }
    let (low, high) = column.bounds?;
    Some((
        number_ordinal(&low, column.ty)?,
        number_ordinal(&high, column.ty)?,
    ))
}

fn within_bounds(values: &Values, column: &Column) -> Values {
    let (Values::Ranges(ranges), Some((low, high))) = (values, bound_ordinals(column)) else {
        return values.clone();
    };
    Values::from_ranges(ranges.iter().map(|range| {
        let (from, to) = overlap(range, &(Some(low), Some(high)));
        if is_empty(&(from, to)) {
            return (from, to);
        }
        (from.filter(|f| *f > low), to.filter(|t| *t < high))
    }))
}

/// The first edge of a set that does not lie on the column's grid, as the boundary of a
/// half-open interval. Columns without bands and cuts, and closed domains, have no grid.
#[must_use]
pub fn off_grid(set: &Set, column: &Column) -> Option<i128> {
    if column.domain.is_some() || (column.bands.is_empty() && column.cuts.is_empty()) {
        return None;
    }
    let Values::Ranges(ranges) = &set.within(column).values else {
        return None;
    };
    let edges = ranges
        .iter()
        .flat_map(|r| [r.0, r.1.and_then(|end| end.checked_add(1))]);
    edges.flatten().find(|edge| !on_grid(*edge, column))
}

/// Whether a boundary lies on the grid: a multiple of a band, a cut, or a bound.
#[must_use]
pub fn on_grid(edge: i128, column: &Column) -> bool {
    let at = |number: &Number| number_ordinal(number, column.ty);
    let banded = column
        .bands
        .iter()
        .filter_map(at)
        .any(|w| w > 0 && edge.rem_euclid(w) == 0);
    let cut = column.cuts.iter().filter_map(at).any(|cut| cut == edge);
    let bound = bound_ordinals(column).is_some_and(|(low, high)| edge == low || edge == high);
    banded || cut || bound
}

/// The nearest grid value at or below a boundary.
#[must_use]
pub fn grid_below(edge: i128, column: &Column) -> Option<i128> {
    let at = |number: &Number| number_ordinal(number, column.ty);
    let bands = column.bands.iter().filter_map(at).filter(|w| *w > 0);
    let multiples = bands.map(|w| edge - edge.rem_euclid(w));
    let cuts = column.cuts.iter().filter_map(at).filter(|cut| *cut <= edge);
    multiples.chain(cuts).max()
}

/// The nearest grid value above a boundary.
#[must_use]
pub fn grid_above(edge: i128, column: &Column) -> Option<i128> {
    let at = |number: &Number| number_ordinal(number, column.ty);
    let bands = column.bands.iter().filter_map(at).filter(|w| *w > 0);
    let multiples = bands.filter_map(|w| (edge - edge.rem_euclid(w)).checked_add(w));
    let cuts = column.cuts.iter().filter_map(at).filter(|cut| *cut > edge);
    multiples.chain(cuts).min()
}

fn is_empty(range: &Range) -> bool {
    matches!(range, (Some(low), Some(high)) if low > high)
}

/// Orders lower ends: unbounded first.
fn low_key(range: &Range) -> (bool, i128) {
    (range.0.is_some(), range.0.unwrap_or(0))
}

/// Whether a later range overlaps or adjoins an earlier one.
fn touches(earlier: &Range, later: &Range) -> bool {
    match (earlier.1, later.0) {
        (None, _) | (_, None) => true,
        (Some(end), Some(start)) => start <= end.saturating_add(1),
    }
}

fn later_end(a: Option<i128>, b: Option<i128>) -> Option<i128> {
    Some(a?.max(b?))
}

/// Walks two ascending lists of ranges once.
fn intersect_ranges(a: &[Range], b: &[Range]) -> Vec<Range> {
    let (mut left, mut right) = (a.iter().peekable(), b.iter().peekable());
    let mut both = Vec::new();
    while let (Some(x), Some(y)) = (left.peek(), right.peek()) {
        both.push(overlap(x, y));
        let left_ends_first = match (x.1, y.1) {
            (Some(x), Some(y)) => x < y,
            (x, _) => x.is_some(),
        };
        if left_ends_first {
            left.next()
        } else {
            right.next()
        };
    }
    both
}

fn overlap(a: &Range, b: &Range) -> Range {
    let low = match (a.0, b.0) {
        (Some(x), Some(y)) => Some(x.max(y)),
        (x, y) => x.or(y),
    };
    let high = match (a.1, b.1) {
        (Some(x), Some(y)) => Some(x.min(y)),
        (x, y) => x.or(y),
    };
    (low, high)
}

fn complement_ranges(ranges: &[Range]) -> Values {
    let mut gaps = Vec::with_capacity(ranges.len() + 1);
    let mut from = Some(None);
    for (low, high) in ranges {
        if let (Some(start), Some(low)) = (from, low) {
            gaps.extend(low.checked_sub(1).map(|end| (start, Some(end))));
        }
        from = high.and_then(|end| end.checked_add(1)).map(Some);
    }
    gaps.extend(from.map(|start| (start, None)));
    Values::from_ranges(gaps)
}
