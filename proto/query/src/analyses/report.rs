//! What an analysis says: small tables of numbers with their limits, in words and JSON.
//!
//! Numbers are decimal texts: 15 significant digits where nothing was protected, else no more than
//! their limits support. What it must not know: what the numbers mean.

use std::collections::BTreeMap;

use num_rational::BigRational;
use num_traits::Signed;
use serde::{Deserialize, Serialize};

use super::range::Range;
use crate::combine::{Interval, Released};
use crate::rational::{
    SIGNIFICANT, ceil_to_place, decimal_order, floor_to_place, power_of_ten, round_significant,
    round_to_place, to_decimal,
};

/// What an analysis says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Nodes whose released cells are in it.
    pub sites: Vec<String>,
    /// Nodes that answered and withheld something that it needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
    /// Its tables.
    pub tables: Vec<Grid>,
    /// What a reader has to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grid {
    /// What it is called, also for programs.
    pub name: String,
    /// Names of its columns of numbers.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Line>,
}

/// A row: what it is about, and numbers by column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What it is about.
    pub row: String,
    /// Its numbers; a column that does not concern it has none.
    pub values: BTreeMap<String, Entry>,
}

/// A number with the limits between which the same number of all data lies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number; none where it is not defined or too little is known.
    pub value: Option<String>,
    /// Least possible number; none without a limit.
    pub lower: Option<String>,
    /// Greatest possible number; none without a limit.
    pub upper: Option<String>,
}

impl Report {
    /// A report of some of the nodes that answered.
    pub(super) fn of(released: &Released<'_>, sites: &[usize]) -> Self {
        let (mut inside, mut left_out) = (Vec::new(), Vec::new());
        for (index, name) in released.sites().enumerate() {
            if sites.contains(&index) {
                inside.push(name.to_owned());
            } else {
                left_out.push(name.to_owned());
            }
        }
        Self {
            sites: inside,
            left_out,
            ..Self::default()
        }
    }

    /// Something that a reader has to know.
    pub(super) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    /// What every report says of the nodes behind it.
    pub(super) fn remarks(&mut self, released: &Released<'_>) {
        if self.sites.is_empty() {
            self.remark(
                "No node released all that this analysis needs. `--by-site` shows what each withheld; wider \
                 or fewer groups, or a condition that leaves the small ones out, ask for less.",
            );
        } else if !self.left_out.is_empty() {
            let names = self.left_out.join(", ");
            self.remark(format!(
                "Not in it, because they withheld part of what it needs: {names}."
            ));
        }
        if !released.is_exact() && !self.sites.is_empty() {
            self.remark(
                "Numbers are computed from protected cells; the same number of the true cells lies \
                 within the limits beside it.",
            );
        }
        if self.sites.len() > 1 {
            self.remark("Persons known to two nodes count twice and are not independent.");
        }
    }
}

impl Grid {
    /// An empty table.
    pub(super) fn new(name: &str, columns: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// A further row; columns are filled in their order.
    pub(super) fn line(&mut self, row: impl Into<String>, values: &[Range]) {
        let entry = |(column, value): (&String, &Range)| {
            let entry = Entry::of(*value);
            let is_probability = column == "p";
            (
                column.clone(),
                if is_probability {
                    entry.at_most_one()
                } else {
                    entry
                },
            )
        };
        let named = self.columns.iter().zip(values).map(entry);
        let line = Line {
            row: row.into(),
            values: named.collect(),
        };
        self.rows.push(line);
    }
}

impl Entry {
    /// A limit that was rounded outwards beyond what a probability can be.
    fn at_most_one(mut self) -> Self {
        let beyond = |text: &String| text.parse::<f64>().is_ok_and(|limit| limit > 1.0);
        if self.upper.as_ref().is_some_and(beyond) {
            self.upper = Some("1".to_owned());
        }
        self
    }

    /// A number within its limits.
    pub(super) fn of(range: Range) -> Self {
        let finite = |value: f64| {
            value
                .is_finite()
                .then(|| BigRational::from_float(value))
                .flatten()
        };
        let Some(value) = finite(range.value) else {
            return Self::default();
        };
        let (low, high) = (finite(range.low), finite(range.high));
        if range.is_exact() {
            let shown = short(&to_decimal(&round_significant(&value, SIGNIFICANT)));
            return Self {
                value: Some(shown.clone()),
                lower: Some(shown.clone()),
                upper: Some(shown),
            };
        }
        // Without a limit the number is shown as if the other one stood on both sides.
        let reach = |other: &BigRational| &value + &value - other;
        let (least, most) = match (&low, &high) {
            (Some(low), Some(high)) => (low.clone(), high.clone()),
            (Some(low), None) => (low.clone(), reach(low)),
            (None, Some(high)) => (reach(high), high.clone()),
            (None, None) => (value.clone(), value.clone()),
        };
        let half = Interval::new(value.clone(), least, most).half_width();
        let place = decimal_order(&half);
        let at = |number: &BigRational, less: i32| {
            let own = decimal_order(number).map(|order| order - FEWEST);
            let beside = place.map(|place| place.saturating_sub(less));
            // Zero without limits has as many digits as one likes.
            own.into_iter().chain(beside).min().unwrap_or(0)
        };
        let shown = |number: &BigRational| short(&to_decimal(number));
        Self {
            value: Some(shown(&round_to_place(&value, at(&value, 0)))),
            lower: low.map(|low| shown(&floor_to_place(&low, at(&low, 1)))),
            upper: high.map(|high| {
                let least = power_of_ten(SMALLEST);
                let high = if high.is_positive() {
                    high.max(least)
                } else {
                    high
                };
                shown(&ceil_to_place(&high, at(&high, 1)))
            }),
        }
    }
}

/// Numbers closer to zero than ten to this are written as zero, and are below a limit of it.
const SMALLEST: i32 = -100;

/// A number has at least one digit more than this: beside a probability its limits may be far away.
const FEWEST: i32 = 2;

/// Very small and very large numbers in powers of ten: `1.2e-17`.
fn short(plain: &str) -> String {
    let Some(value) = plain.parse::<crate::number::Number>().ok() else {
        return plain.to_owned();
    };
    let Some(order) = decimal_order(&value.to_rational()) else {
        return plain.to_owned();
    };
    if (-6..15).contains(&order) {
        return plain.to_owned();
    }
    let digits = value.mantissa().unsigned_abs().to_string();
    let (first, rest) = digits.split_at_checked(1).unwrap_or((&digits, ""));
    let sign = if value.is_negative() { "-" } else { "" };
    let point = if rest.is_empty() { "" } else { "." };
    format!("{sign}{first}{point}{rest}e{order}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_shown_whatever_its_limits() {
        let of = |low, high| {
            let value = 0.0;
            Entry::of(Range { value, low, high })
        };
        let nothing = of(f64::NEG_INFINITY, f64::INFINITY);
        assert_eq!(nothing.value.as_deref(), Some("0"));
        assert_eq!((nothing.lower, nothing.upper), (None, None));
        let below = of(f64::NEG_INFINITY, 0.0);
        assert_eq!(below.value.as_deref(), Some("0"));
        assert_eq!(below.upper.as_deref(), Some("0"));
        let above = of(0.0, f64::NAN);
        assert_eq!(
            (above.value.as_deref(), above.lower.as_deref()),
            (Some("0"), Some("0"))
        );
        assert_eq!(of(-0.5, 0.5).value.as_deref(), Some("0"));
    }
}
