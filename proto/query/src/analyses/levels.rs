//! What arguments say of levels, held against closed domains before anybody is asked: two groups
//! where there are four, a level that there is not. A node would answer, and nothing could be made of it.
//!
//! What this file must not know: data. What the codebook leaves open is not refused here.

use super::arguments::{Argument, Arguments, refuse};
use super::strata::plain;
use crate::codebook::Codebook;
use crate::domain::key_values;
use crate::problem::Problem;
use crate::question::{GroupKey, NamedTable, TableQuestion};
use crate::value::Scalar;

/// What must hold of the levels that an argument names or comes to. Numbers are places of group keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Must {
    /// Nothing.
    Nothing,
    /// They are two.
    TwoGroups(usize),
    /// They are two or more.
    Groups(usize),
    /// Those of every grouping of every table are two or more.
    GroupsOfAll,
    /// It is a level of the last key.
    LevelOfLast,
    /// It is a list of levels of the last key, each with a number.
    LevelsOfLast,
}

/// Holds arguments against the tables that they come to.
pub(super) fn check(
    arguments: &Arguments,
    known: &[Argument],
    tables: &[NamedTable],
    book: &Codebook,
) -> Result<(), Problem> {
    let all = tables.iter().map(|named| &named.table);
    let Some(widest) = all.clone().max_by_key(|table| table.keys.len()) else {
        return Ok(());
    };
    for argument in known {
        let Some(text) = arguments.get(argument.name) else {
            continue;
        };
        let at = |place: usize| Levels::of(widest.keys.get(place), widest, book);
        let last = widest.keys.len().checked_sub(1);
        match argument.must {
            Must::Nothing => {}
            Must::TwoGroups(place) => at(place).map_or(Ok(()), |l| l.two(argument.name))?,
            Must::Groups(place) => at(place).map_or(Ok(()), |l| l.some(argument.name))?,
            Must::GroupsOfAll => {
                for table in all.clone() {
                    let keys = table.keys.iter().map(|key| (key, table));
                    let levels = keys.filter_map(|(key, table)| Levels::of(Some(key), table, book));
                    levels.into_iter().try_for_each(|l| l.some(argument.name))?;
                }
            }
            Must::LevelOfLast => last
                .and_then(at)
                .map_or(Ok(()), |l| l.has(argument, text))?,
            Must::LevelsOfLast => {
                let key = last.and_then(|last| widest.keys.get(last));
                let whole = key.map(|key| without(key, widest));
                let levels = whole.and_then(|whole| Levels::of(key, &whole, book));
                let named = arguments.pairs(argument.name)?.unwrap_or_default();
                for level in named.keys() {
                    levels.as_ref().map_or(Ok(()), |l| l.has(argument, level))?;
                }
            }
        }
    }
    Ok(())
}

/// The table without conditions on the column of a key.
fn without(key: &GroupKey, table: &TableQuestion) -> TableQuestion {
    let mut whole = table.clone();
    whole.filter.boxes.remove(key.column());
    whole
}

/// The levels of a key that its conditions leave.
struct Levels {
    column: String,
    /// As they are written, with their label.
    all: Vec<(String, String)>,
    /// They are bands, of which those at the ends may be nobody's.
    bands: bool,
}

/// So many levels are listed in a message.
const LISTED: usize = 12;

impl Levels {
    /// Those of a closed domain; `None` of an open one.
    fn of(key: Option<&GroupKey>, table: &TableQuestion, book: &Codebook) -> Option<Self> {
        let key = key?;
        let column = book.column(key.column())?;
        let bands = matches!(key, GroupKey::Band { .. });
        let label = |value: &Scalar| {
            let mut domain = column.domain.iter().flatten();
            let found = domain.find(|(known, _)| known == value && !bands);
            found.map(|(_, label)| label.clone()).unwrap_or_default()
        };
        let values = key_values(key, table, book)?.into_iter();
        let values = values.filter(|value| *value != Scalar::Null);
        let all = values.map(|value| (plain(&value), label(&value)));
        Some(Self {
            column: key.column().column.clone(),
            all: all.collect(),
            bands,
        })
    }

    fn listed(&self) -> String {
        let shown = self.all.iter().take(LISTED).map(|(value, label)| {
            if label.is_empty() || label == value {
                format!("`{value}`")
            } else {
                format!("`{value}` {label}")
            }
        });
        let more = if self.all.len() > LISTED { ", ..." } else { "" };
        format!("{}{more}", shown.collect::<Vec<_>>().join(", "))
    }

    fn two(&self, argument: &str) -> Result<(), Problem> {
        self.some(argument)?;
        if self.bands || self.all.len() == 2 {
            return Ok(());
        }
        let (column, many) = (&self.column, self.all.len());
        let list = self.listed();
        let problem = refuse(format!(
            "`{argument}` is two groups, and `{column}` has {many}: {list}; choose two with `where`"
        ));
        let two: Vec<&str> = self.all.iter().take(2).map(|(v, _)| v.as_str()).collect();
        let plain = two.iter().all(|value| value.parse::<i64>().is_ok());
        Err(match plain {
            true => problem.write(format!("{column} IN ({})", two.join(", "))),
            false => problem,
        })
    }

    fn some(&self, argument: &str) -> Result<(), Problem> {
        let column = &self.column;
        match self.all.as_slice() {
            [] => Err(refuse(format!(
                "`{argument}`: the conditions leave no level of `{column}`"
            ))),
            [_] => Err(refuse(format!(
                "`{argument}`: groups are compared, and of `{column}` there is only {}",
                self.listed()
            ))),
            _ => Ok(()),
        }
    }

    fn has(&self, argument: &Argument, level: &str) -> Result<(), Problem> {
        if self.all.iter().any(|(value, _)| value == level) {
            return Ok(());
        }
        let (name, column, list) = (argument.name, &self.column, self.listed());
        let problem = refuse(format!(
            "`{name}`: `{column}` has no level `{level}`; there is {list}"
        ));
        let meant = self.all.iter().find(|(_, label)| label == level);
        Err(match meant {
            Some((value, _)) => problem.write(value.as_str()),
            None => problem,
        })
    }
}
