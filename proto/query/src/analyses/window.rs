//! Which part of a time of follow-up is shown: from its beginning to an end, so that a column with wide
//! bounds (days that were derived from two dates) does not come to thousands of cells.
//!
//! Whoever is followed beyond the end is counted apart, because they are at risk until then. What this
//! file must not know: what is estimated.

use num_rational::BigRational;
use num_traits::{One, Signed};

use super::arguments::{Argument, Arguments, refuse};
use crate::codebook::Column;
use crate::number::Number;
use crate::problem::Problem;

/// `until`, the end of the time that is shown.
pub(super) const UNTIL: Argument = Argument::optional(
    "until",
    "TIME",
    "The end of the curve; else that of the column, or of 40 bands. Who is followed longer is at risk until then",
);

/// Bands that are shown unless more are asked for.
const BANDS: i128 = 40;

/// A part of a column of times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Window {
    /// Times below zero are left out: the column could have some.
    pub(super) from_zero: bool,
    /// Where it ends; at the end of the column if there is none.
    pub(super) until: Option<Number>,
}

impl Window {
    /// The part of `column`, called `name`, in bands of `width` of which some may be merged into `wide` ones.
    pub(super) fn read(
        arguments: &Arguments,
        (name, column): (&str, Option<&Column>),
        (width, wide): (Option<Number>, Option<Number>),
    ) -> Result<Self, Problem> {
        let bounds = column.and_then(|column| column.bounds);
        // Who says which times are meant has said it.
        let said = arguments.get("where").is_some_and(|text| names(text, name));
        let from_zero = !said && bounds.is_some_and(|(low, _)| low.is_negative());
        let step = wide.or(width).map(|step| step.to_rational());
        let step = step.filter(Signed::is_positive);
        if let Some(text) = arguments.get("until") {
            let wrong = || {
                refuse(
                    "`until` is a whole number of bands of `time`, and of `merge`, such as 60 for months:6",
                )
            };
            let until: Number = text.parse().map_err(|_| wrong())?;
            let bands = step.map(|step| until.to_rational() / step);
            let whole = bands.is_some_and(|bands| bands.is_positive() && bands.is_integer());
            return match whole {
                true => Ok(Self {
                    from_zero,
                    until: Some(until),
                }),
                false => Err(wrong()),
            };
        }
        let until = || {
            let ((_, high), step) = (bounds?, step?);
            let most = BigRational::from_integer(BANDS.into()) * width?.to_rational();
            let bands = (&most / &step).floor().max(BigRational::one());
            let end = bands * step;
            (high.to_rational() >= end).then(|| Number::from_rational(&end))?
        };
        let until = until().filter(|_| !said);
        Ok(Self { from_zero, until })
    }

    /// Conditions on times within it.
    pub(super) fn within(&self, name: &str) -> Vec<String> {
        let from = self.from_zero.then(|| format!("{name} >= 0"));
        let until = self.until.map(|until| format!("{name} < {until}"));
        from.into_iter().chain(until).collect()
    }

    /// The condition on times beyond it; `None` if it ends with the column.
    pub(super) fn beyond(&self, name: &str) -> Option<String> {
        self.until.map(|until| format!("{name} >= {until}"))
    }
}

/// Whether a text has a word.
fn names(text: &str, word: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.any(|found| found.eq_ignore_ascii_case(word))
}
