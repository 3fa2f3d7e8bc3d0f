//! What the codebook would say of a derived column: type, roles, bounds, bands and domain are fixed
//! by its definition; values inherit those of the column they come from.

use std::collections::BTreeSet;

use super::{Aggregate, Derived, Frame};
use crate::codebook::{Codebook, Column, ColumnRef, Role};
use crate::measure::facts::limits;
use crate::number::Number;
use crate::set::number_ordinal;
use crate::value::{ColumnType, Scalar};

/// A count of at most this many has a closed domain.
const LISTED_COUNTS: u32 = 19;
/// Days between two dates count up to a hundred years either way.
const MOST_DAYS: i128 = 36_500;
/// Years between two dates count up to here.
const MOST_YEARS: i128 = 120;
/// Decimals that a mean has beyond those of its column, as far as bounds leave room.
const MORE_DECIMALS: u32 = 4;
/// Most decimals of a column.
const MOST_DECIMALS: u32 = 9;
/// Mantissas stay below this.
const LARGEST: i128 = 1 << 62;

impl Derived {
    /// What the codebook would say of it; `None` if the definition does not fit the codebook.
    #[must_use]
    pub fn column(&self, codebook: &Codebook) -> Option<Column> {
        let inputs = self.inputs();
        let inputs: Vec<&Column> = inputs
            .into_iter()
            .map(|input| codebook.column(input))
            .collect::<Option<_>>()?;
        let mut column = match self {
            Self::Frame { frame, of } => of_frame(frame, of, codebook)?,
            Self::Day(_) => Column {
                required: true,
                ..of_type(ColumnType::Date, [Role::Date])
            },
            Self::Days { from, to } => {
                dates([from, to], codebook)?;
                Column {
                    required: inputs.iter().all(|input| input.required),
                    ..whole(-MOST_DAYS, MOST_DAYS, &[30, 90, 365, 1825], &[], "d")
                }
            }
            Self::Years { from, to } => {
                dates([from, to], codebook)?;
                whole(0, MOST_YEARS, &[5, 10], &[18], "a")
            }
            Self::Year { of } => {
                dates([of], codebook)?;
                whole(1900, 2100, &[1, 5, 10], &[], "")
            }
            Self::Least(of) | Self::Greatest(of) => {
                dates(of, codebook)?;
                // What is missing is passed over.
                Column {
                    required: inputs.iter().any(|input| input.required),
                    ..of_type(ColumnType::Date, [Role::Date])
                }
            }
            Self::Coalesce { of, otherwise } => coalesced(codebook.column(of)?, otherwise)?,
            Self::Case { arms, otherwise } => {
                let results = arms.iter().map(|(_, result)| result);
                cased(results, otherwise)?
            }
            Self::Any(_) => flag(),
        };
        column.sensitive = inputs.iter().any(|input| input.sensitive);
        Some(column)
    }
}

fn of_type(ty: ColumnType, roles: impl IntoIterator<Item = Role>) -> Column {
    Column {
        ty,
        unit: None,
        roles: roles.into_iter().collect(),
        domain: None,
        bounds: None,
        period: None,
        bands: Vec::new(),
        cuts: Vec::new(),
        sensitive: false,
        sensitive_values: Vec::new(),
        missing_public: false,
        required: false,
        when: Vec::new(),
    }
}

fn number(value: i128) -> Number {
    Number::new(value, 0)
}

fn whole(low: i128, high: i128, bands: &[i128], cuts: &[i128], unit: &str) -> Column {
    Column {
        unit: (!unit.is_empty()).then(|| unit.to_owned()),
        bounds: Some((number(low), number(high))),
        bands: bands.iter().copied().map(number).collect(),
        cuts: cuts.iter().copied().map(number).collect(),
        ..of_type(ColumnType::Int, [Role::Filter, Role::Group, Role::Value])
    }
}

/// Whether all of them are dates.
fn dates<'a>(all: impl IntoIterator<Item = &'a ColumnRef>, codebook: &Codebook) -> Option<()> {
    let is_date = |column: &ColumnRef| {
        let found = codebook.column(column);
        found.is_some_and(|column| column.ty == ColumnType::Date)
    };
    all.into_iter().all(is_date).then_some(())
}

fn of_frame(frame: &Frame, of: &Aggregate, codebook: &Codebook) -> Option<Column> {
    let most = frame.most_rows(codebook);
    match of {
        Aggregate::Rows | Aggregate::Distinct(_) => Some(count(most)),
        Aggregate::Min(value) | Aggregate::Max(value) => one_of(value, frame, codebook),
        Aggregate::First { value, by } | Aggregate::Last { value, by } => {
            dates([by], codebook)?;
            one_of(value, frame, codebook).filter(|column| column.ty.is_numeric())
        }
        Aggregate::Sum(value) => summed(one_of(value, frame, codebook)?, most),
        Aggregate::Mean(value) => mean(one_of(value, frame, codebook)?),
    }
}

/// Numbers from none to the most.
fn count(most: u32) -> Column {
    let mut column = whole(0, most.into(), &[1, 5, 10, 50], &[], "");
    if most <= LISTED_COUNTS {
        column.bands.clear();
        column.domain = Some(listed((0..=most).map(|n| Scalar::Number(number(n.into())))));
    }
    column
}

/// A closed domain whose labels are its values.
fn listed(values: impl IntoIterator<Item = Scalar>) -> Vec<(Scalar, String)> {
    let values: BTreeSet<Scalar> = values.into_iter().collect();
    let labelled = |value: Scalar| {
        let label = value.to_string();
        (value, label)
    };
    values.into_iter().map(labelled).collect()
}

/// One of a column's own values: what may be done with it, and how finely, is the column's.
fn one_of(value: &ColumnRef, frame: &Frame, codebook: &Codebook) -> Option<Column> {
    let column = codebook.column(value)?;
    let mut own = Column {
        missing_public: false,
        required: false,
        when: Vec::new(),
        ..column.clone()
    };
    if column.ty.is_numeric() {
        let (bounds, unit) = limits(value, &frame.filter, codebook)?;
        (own.bounds, own.unit) = (Some(bounds), unit);
    } else if column.ty != ColumnType::Date {
        return None;
    }
    Some(own)
}

fn summed(mut column: Column, most: u32) -> Option<Column> {
    let scale = column.ty.scale()?;
    let (low, high) = column.bounds?;
    let times = |end: Number| end.at_scale(scale)?.checked_mul(most.into());
    let (low, high) = (times(low)?.min(0), times(high)?.max(0));
    if low <= -LARGEST || high >= LARGEST {
        return None;
    }
    let exponent = i32::try_from(scale).ok()?.checked_neg()?;
    column.bounds = Some((Number::new(low, exponent), Number::new(high, exponent)));
    (column.domain, column.sensitive_values) = (None, Vec::new());
    Some(column)
}

fn mean(mut column: Column) -> Option<Column> {
    let scale = column.ty.scale()?;
    let (low, high) = column.bounds?;
    let fits = |scale: &u32| {
        let end = |end: Number| end.at_scale(*scale).is_some_and(|m| m.abs() < LARGEST);
        end(low) && end(high)
    };
    let finest = scale.saturating_add(MORE_DECIMALS).min(MOST_DECIMALS);
    let scale = (scale..=finest).rev().find(fits)?;
    column.ty = ColumnType::Decimal { scale };
    (column.domain, column.sensitive_values) = (None, Vec::new());
    Some(column)
}

fn coalesced(column: &Column, otherwise: &Scalar) -> Option<Column> {
    let fits = otherwise.fits(column.ty) && *otherwise != Scalar::Null;
    let listed = column.domain.as_ref().is_none_or(|domain| {
        let mut values = domain.iter();
        values.any(|(value, _)| value == otherwise)
    });
    let ordinal = otherwise
        .as_number()
        .and_then(|value| number_ordinal(&value, column.ty));
    let bounded = column.bounds.is_none_or(|(low, high)| {
        let at = |end: Number| number_ordinal(&end, column.ty);
        ordinal.is_some_and(|o| at(low).is_some_and(|l| l <= o) && at(high).is_some_and(|h| o <= h))
    });
    (fits && listed && bounded).then(|| Column {
        required: true,
        missing_public: false,
        ..column.clone()
    })
}

/// Whether something holds: 0 or 1 of everybody. It may be asked for in conditions only.
fn flag() -> Column {
    let values = [0, 1].map(|value| Scalar::Number(number(value)));
    Column {
        bounds: Some((number(0), number(1))),
        domain: Some(listed(values)),
        required: true,
        ..of_type(ColumnType::Int, [Role::Filter])
    }
}

/// The closed domain of all results, which are whole numbers or texts.
fn cased<'a>(results: impl Iterator<Item = &'a Scalar>, otherwise: &'a Scalar) -> Option<Column> {
    let all: Vec<Scalar> = results.chain([otherwise]).cloned().collect();
    let values = all.into_iter().filter(|value| *value != Scalar::Null);
    let values: BTreeSet<Scalar> = values.collect();
    let ints = values.iter().all(|value| value.fits(ColumnType::Int));
    let texts = values.iter().all(|value| value.fits(ColumnType::Text));
    if values.is_empty() || values.len() > crate::domain::SMALL_DOMAIN || !(ints || texts) {
        return None;
    }
    let mut column = match ints {
        true => of_type(ColumnType::Int, [Role::Filter, Role::Group, Role::Value]),
        false => of_type(ColumnType::Text, [Role::Filter, Role::Group]),
    };
    let numbers = || values.iter().filter_map(Scalar::as_number);
    column.bounds = numbers().next().zip(numbers().next_back());
    column.domain = Some(listed(values.iter().cloned()));
    column.required = *otherwise != Scalar::Null;
    Some(column)
}
