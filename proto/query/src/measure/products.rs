//! Mean of the products of two columns, each less its centre, over the persons with both: what
//! covariances and linear models are made of.
//!
//! Parts in modes round and cell key: `[persons', mean']`; in mode none: `[persons, sum]`. The mean has
//! the grid that the mean of a column with the bounds of the product would have. The centre is the
//! middle of a column's bounds, rounded down to the column's decimals: public, the same everywhere.

use num_bigint::BigInt;
use num_rational::BigRational;

use super::facts::{Facts, is_never_missing, limits};
use super::moments::{self, CellSize, ExactMoments};
use super::{Estimate, SiteParts};
use crate::codebook::{Codebook, ColumnRef, RowsPer};
use crate::derived::{Aggregate, Derived};
use crate::domain::key_count;
use crate::number::Number;
use crate::question::{Measure, Predicate, Stat, TableQuestion};
use crate::release::{ReleaseParams, k_eff};

/// What a node knows exactly about a cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactProducts {
    /// Persons with both values.
    pub persons: u64,
    /// Sum of the products about the centres, as a mantissa at `scale`.
    pub sum: i128,
    /// Decimal digits of both columns together.
    pub scale: u32,
}

impl ExactProducts {
    /// As the moments of a number of which only the mean is told.
    #[must_use]
    pub fn as_moments(&self) -> ExactMoments {
        ExactMoments {
            persons: self.persons,
            rows: self.persons,
            sum: self.sum,
            sum_sq: 0,
            scale: self.scale,
        }
    }
}

/// The middle of bounds, rounded down to a column's decimals; `None` if they do not fit there.
#[must_use]
pub fn centre(bounds: (Number, Number), scale: u32) -> Option<Number> {
    let both = bounds
        .0
        .at_scale(scale)?
        .checked_add(bounds.1.at_scale(scale)?)?;
    let exponent = i32::try_from(scale).ok()?;
    Some(Number::new(both.div_euclid(2), exponent.checked_neg()?))
}

/// Decimals that a product with a derived column has at most: sums of derived columns are compared with
/// each other in units of 10^-9.
const DECIMALS: u32 = 9;

/// Why two columns have too many decimals together for a product, if one of them is derived.
#[must_use]
pub fn too_fine(left: &ColumnRef, right: &ColumnRef, codebook: &Codebook) -> Option<String> {
    let derived = [left, right].map(|of| codebook.derived.contains_key(of));
    if derived == [false, false] {
        return None;
    }
    let scale = |of| codebook.column(of).and_then(|column| column.ty.scale());
    let together = scale(left)?.saturating_add(scale(right)?);
    (together > DECIMALS).then(|| {
        format!(
            "a product with a derived column has at most {DECIMALS} decimals, and this has {together}: of several rows take min, max or last in place of avg"
        )
    })
}

/// The facts of such a measure; `None` if the codebook does not support it for both columns, or a
/// person may lack one of them.
pub(super) fn facts(
    left: &ColumnRef,
    right: &ColumnRef,
    question: &TableQuestion,
    codebook: &Codebook,
) -> Option<Facts> {
    let one_row = |table: &String| {
        let table = codebook.tables.get(table);
        table.is_some_and(|table| table.rows == RowsPer::Unit)
    };
    let own = |of: &ColumnRef| {
        one_row(&of.table) && (of.table == question.rows || question.joined.contains(&of.table))
    };
    let never = |of| is_never_missing(of, question, codebook);
    let both = [left, right].into_iter().all(|of| own(of) && never(of));
    if !both
        || left == right
        || !one_row(&question.rows)
        || too_fine(left, right, codebook).is_some()
    {
        return None;
    }
    let of = |reference: &ColumnRef| {
        let (bounds, _) = limits(reference, &question.filter, codebook)?;
        let scale = codebook.column(reference)?.ty.scale()?;
        Some((bounds, centre(bounds, scale)?))
    };
    let ((left, a), (right, b)) = (of(left)?, of(right)?);
    Some(Facts {
        bounds: Some(bounds((left, a), (right, b))?),
        complete: true,
        centres: Some((a, b)),
        ..Facts::default()
    })
}

/// Least and greatest product about the centres.
fn bounds(
    (left, a): ((Number, Number), Number),
    (right, b): ((Number, Number), Number),
) -> Option<(Number, Number)> {
    let less = |n: Number, centre: Number| n.to_rational() - centre.to_rational();
    let corners: Vec<BigRational> = [left.0, left.1]
        .into_iter()
        .flat_map(|x| [right.0, right.1].map(|y| less(x, a) * less(y, b)))
        .collect();
    let number = |n: &BigRational| Number::from_rational(n);
    Some((
        number(corners.iter().min()?)?,
        number(corners.iter().max()?)?,
    ))
}

/// The protected parts, or nothing if fewer persons than the threshold have both values.
#[must_use]
pub fn protect(
    exact: &ExactProducts,
    bounds: (Number, Number),
    params: &ReleaseParams,
) -> Option<Vec<Number>> {
    let shown = CellSize {
        persons: exact.persons,
        rows: exact.persons,
        complete: true,
    };
    let parts = moments::protect(&exact.as_moments(), bounds, shown, params)?;
    two(&parts)
}

/// Of the parts of moments the two that a product has.
#[must_use]
pub fn two(parts: &[Number]) -> Option<Vec<Number>> {
    match parts {
        [persons, _, mean, _] => Some(vec![*persons, *mean]),
        _ => None,
    }
}

/// The parts without protection.
#[must_use]
pub fn exact(exact: &ExactProducts) -> Vec<Number> {
    let scale = i32::try_from(exact.scale).unwrap_or(0);
    vec![exact.persons.into(), Number::new(exact.sum, -scale)]
}

/// The parts of moments that these parts stand for.
fn four(site: SiteParts<'_>) -> Option<[Number; 4]> {
    match site.parts {
        [persons, mean] => Some([*persons, *persons, *mean, Number::ZERO]),
        _ => None,
    }
}

pub(super) fn check(site: SiteParts<'_>) -> Result<(), &'static str> {
    let parts = four(site).ok_or("a mean of products is not two numbers")?;
    moments::check(SiteParts {
        parts: &parts,
        ..site
    })
}

/// Number, mean and sum over the persons of the sites; nothing else can be read from products.
pub(super) fn estimate(facts: &Facts, stat: Stat, sites: &[SiteParts<'_>]) -> Estimate {
    if !matches!(stat, Stat::Count | Stat::Mean | Stat::Sum) {
        return None;
    }
    let parts: Vec<[Number; 4]> = sites.iter().map(|s| four(*s)).collect::<Option<_>>()?;
    let pairs = sites.iter().zip(&parts);
    let sites: Vec<SiteParts<'_>> = pairs
        .map(|(site, parts)| SiteParts { parts, ..*site })
        .collect();
    moments::estimate(facts, stat, &sites)
}

/// More persons than this are not looked for: what needs them is refused anyway.
const MOST_PERSONS: u64 = 1 << 40;

/// How many persons a cell of this table needs for its bit budget, as a number that starts a rounding
/// bin: for each column that products are made of, what the released numbers about it can tell apart
/// is at most a quarter of what its values can be. `None` for tables without products. `beside` are the
/// other tables of the question: what they tell of parts of the cell counts too.
///
/// A mean, a deviation or a product takes `log2(1 + range/grid)` bits of `n · log2(values)`.
#[must_use]
pub fn least_persons(
    q: &TableQuestion,
    beside: &[&TableQuestion],
    codebook: &Codebook,
    params: &ReleaseParams,
) -> Option<u64> {
    let columns = q.measures.iter().flat_map(|measure| match measure {
        Measure::Products { left, right } => vec![left, right],
        _ => Vec::new(),
    });
    let others: Vec<(&TableQuestion, u32)> = beside
        .iter()
        .filter_map(|other| Some((*other, parts(q, other, codebook)?)))
        .collect();
    let needs = columns.map(|column| {
        let own = [(q, 1)];
        let tables = own.iter().chain(&others);
        let numbers = tables.map(|(table, cells)| {
            let each: u32 = table
                .measures
                .iter()
                .map(|m| numbers_about(m, column))
                .sum();
            each.saturating_mul(*cells)
        });
        let numbers = numbers.fold(0_u32, u32::saturating_add);
        needed(numbers, values(column, q, codebook), params)
    });
    needs.max()
}

/// How many cells of another table tell of parts of one cell; none of a table whose cells are made of
/// whole cells of this one, where they have a budget of their own. An open domain has no end of cells.
fn parts(q: &TableQuestion, other: &TableQuestion, codebook: &Codebook) -> Option<u32> {
    let mut further = other
        .keys
        .iter()
        .filter(|key| !q.keys.contains(key))
        .peekable();
    if further.peek().is_none() && other.keys.len() < q.keys.len() {
        return None;
    }
    let cells = further.fold(1_u64, |product, key| {
        product.saturating_mul(key_count(key, other, codebook).unwrap_or(u64::MAX))
    });
    Some(u32::try_from(cells).unwrap_or(u32::MAX))
}

/// How many released numbers of a measure are about a column.
fn numbers_about(measure: &Measure, column: &ColumnRef) -> u32 {
    match measure {
        Measure::Moments { column: of } if of == column => 2,
        Measure::Products { left, right } if left == column || right == column => 1,
        _ => 0,
    }
}

/// How many values a column can have; a sum or mean of rows as many as one row: who has one row has no
/// more.
fn values(column: &ColumnRef, q: &TableQuestion, codebook: &Codebook) -> BigInt {
    let (column, filter) = of_one_row(column, &q.filter, codebook);
    let count = || {
        let ((low, high), _) = limits(column, filter, codebook)?;
        let scale = codebook.column(column)?.ty.scale()?;
        let width = high.at_scale(scale)?.checked_sub(low.at_scale(scale)?)?;
        Some(BigInt::from(width) + 1)
    };
    count().unwrap_or_else(|| BigInt::from(1))
}

/// The column whose values a derived one adds up or carries on, and the rows that are meant.
fn of_one_row<'a>(
    column: &'a ColumnRef,
    filter: &'a Predicate,
    codebook: &'a Codebook,
) -> (&'a ColumnRef, &'a Predicate) {
    match codebook.derived.get(column) {
        Some(Derived::Frame {
            frame,
            of: Aggregate::Sum(of) | Aggregate::Mean(of),
        }) => (of, &frame.filter),
        // A column is derived of those that are there before it: this comes to an end.
        Some(Derived::Coalesce { of, .. }) => of_one_row(of, filter, codebook),
        _ => (column, filter),
    }
}

/// The least number of persons within the budget: `(1 + 10 n')^(4 numbers) <= values^n`.
fn needed(numbers: u32, values: BigInt, params: &ReleaseParams) -> u64 {
    let base = params.round_base;
    // The released number is at most this.
    let shown = |n: u64| float(n.saturating_add(u64::from(base / 2)));
    let bits = |n: u64| f64::from(numbers) * 4.0 * libm::log2(1.0 + 10.0 * shown(n));
    let digits = values.bits().saturating_sub(1);
    let fits = |n: u64| digits > 0 && bits(n) <= float(n) * float(digits);
    // `log2(1 + 10 n) / n` falls, so what fits once fits for all larger numbers.
    let mut high = u64::from(k_eff(params.k, base));
    while !fits(high) && high < MOST_PERSONS {
        high = high.saturating_mul(2);
    }
    let mut low = u64::from(k_eff(params.k, base)).min(high);
    while low < high {
        let middle = low.midpoint(high);
        if fits(middle) {
            high = middle;
        } else {
            low = middle.saturating_add(1);
        }
    }
    let needed = u32::try_from(low).unwrap_or(u32::MAX);
    k_eff(needed, base).into()
}

/// A whole number below 2^53, exactly.
fn float(n: u64) -> f64 {
    let (high, low) = (n >> 32, n & 0xffff_ffff);
    let part = |n: u64| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    part(high) * 4_294_967_296.0 + part(low)
}
