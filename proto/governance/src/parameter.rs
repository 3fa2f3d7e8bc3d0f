//! Domains of the parameters of an approved template: what a run may put in their place. A value
//! outside makes it another question, which nobody has approved.

use std::collections::{BTreeMap, BTreeSet};

use quorate_query::number::Number;
use quorate_query::question::{ParamValue, Params};
use quorate_query::value::Scalar;
use serde::{Deserialize, Serialize};

/// What a parameter may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Domain {
    /// One of these texts.
    Texts {
        /// The texts.
        of: BTreeSet<String>,
    },
    /// One of these numbers, as written in the shortest way.
    Numbers {
        /// The numbers.
        of: BTreeSet<String>,
    },
    /// A number on a grid, from and to included.
    Range {
        /// Least.
        from: String,
        /// Greatest.
        to: String,
        /// Digits after the point that are allowed.
        scale: u32,
    },
    /// A day, first and last included, as days since 1970-01-01.
    Days {
        /// First.
        from: i32,
        /// Last.
        to: i32,
    },
    /// True or false.
    Flag,
}

/// Why a run's parameters are not the approved ones. Values are not named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// One is missing or too many.
    #[error("the template has another set of parameters")]
    Names,
    /// Outside its domain.
    #[error("parameter `{0}` is outside the approved domain: another question")]
    Outside(String),
}

impl Domain {
    /// Whether a value lies in it. A missing value lies in none.
    #[must_use]
    pub fn holds(&self, value: &Scalar) -> bool {
        match (self, value) {
            (Self::Texts { of }, Scalar::Text(text)) => of.contains(text),
            (Self::Numbers { of }, Scalar::Number(number)) => of
                .iter()
                .any(|text| text.parse::<Number>().is_ok_and(|known| known == *number)),
            (Self::Range { from, to, scale }, Scalar::Number(number)) => {
                let edges = on_grid(from, *scale).zip(on_grid(to, *scale));
                let at = number.at_scale(*scale);
                edges
                    .zip(at)
                    .is_some_and(|((from, to), at)| (from..=to).contains(&at))
            }
            (Self::Days { from, to }, Scalar::Date(day)) => (from..=to).contains(&day),
            (Self::Flag, Scalar::Bool(_)) => true,
            _ => false,
        }
    }

    /// What is wrong with it as a domain.
    pub(crate) fn mistake(&self, name: &str) -> Option<String> {
        let wrong = match self {
            Self::Texts { of } => of.is_empty(),
            Self::Numbers { of } => {
                of.is_empty() || of.iter().any(|text| text.parse::<Number>().is_err())
            }
            Self::Range { from, to, scale } => match (on_grid(from, *scale), on_grid(to, *scale)) {
                (Some(from), Some(to)) => from > to,
                _ => true,
            },
            Self::Days { from, to } => from > to,
            Self::Flag => false,
        };
        wrong.then(|| format!("the domain of parameter `{name}` is empty or not on its grid"))
    }
}

fn on_grid(text: &str, scale: u32) -> Option<i128> {
    text.parse::<Number>().ok()?.at_scale(scale)
}

/// Checks the parameters of a run against the approved domains: exactly these names, every value
/// inside, each value of a list too.
///
/// # Errors
/// If a name or value is not approved.
pub fn check(domains: &BTreeMap<String, Domain>, params: &Params) -> Result<(), ParameterError> {
    if !domains.keys().eq(params.keys()) {
        return Err(ParameterError::Names);
    }
    for (name, value) in params {
        let holds = |value: &Scalar| domains.get(name).is_some_and(|domain| domain.holds(value));
        let inside = match value {
            ParamValue::One(one) => holds(one),
            ParamValue::List(list) => !list.is_empty() && list.iter().all(holds),
        };
        if !inside {
            return Err(ParameterError::Outside(name.clone()));
        }
    }
    Ok(())
}
