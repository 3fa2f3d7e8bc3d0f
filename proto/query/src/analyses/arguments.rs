//! Arguments of analyses: checked texts, and the pieces of SQL that they stand for.
//!
//! What it must not know: which analysis they belong to.

use std::collections::BTreeMap;

use num_rational::BigRational;

use super::levels::Must;
use crate::codebook::{Codebook, Column, ColumnRef, Role, RowsPer};
use crate::number::Number;
use crate::problem::{Code, Problem};
use crate::sql::{closest, listed};

/// Whether an argument must be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// It must.
    Always,
    /// It may be left out.
    Optional,
}

/// One argument of an analysis.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// Its name.
    pub name: &'static str,
    /// What stands for its value in help texts.
    pub value: &'static str,
    /// What it means, in a line.
    pub about: &'static str,
    /// Whether it must be given.
    pub need: Need,
    /// What its levels must be, where the codebook closes the domain.
    pub(super) must: Must,
}

impl Argument {
    /// One that must be given.
    pub(super) const fn needed(
        name: &'static str,
        value: &'static str,
        about: &'static str,
    ) -> Self {
        let need = Need::Always;
        Self {
            name,
            value,
            about,
            need,
            must: Must::Nothing,
        }
    }

    /// The same one, with something that must hold of its levels.
    pub(super) const fn must(self, must: Must) -> Self {
        Self { must, ..self }
    }

    /// One that may be left out.
    pub(super) const fn optional(
        name: &'static str,
        value: &'static str,
        about: &'static str,
    ) -> Self {
        Self {
            need: Need::Optional,
            ..Self::needed(name, value, about)
        }
    }

    /// The same one, which means something of its own here.
    pub(super) const fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }
}

/// `table`, which every analysis has.
pub(super) const TABLE: Argument = Argument::optional(
    "table",
    "TABLE",
    "Table with one row per person; else the unit table",
);

/// `where`, which every analysis has.
pub(super) const WHERE: Argument = Argument::optional(
    "where",
    "CONDITIONS",
    "Which persons: conditions as in SQL, joined by AND",
);

/// `confidence`, which most analyses have.
pub(super) const CONFIDENCE: Argument = Argument::optional(
    "confidence",
    "LEVEL",
    "Level of the confidence intervals; else 0.95",
);

/// `value`, the column of numbers.
pub(super) const VALUE: Argument = Argument::needed("value", "COLUMN", "The column of numbers");

/// `by`, where there may be one group only.
pub(super) const BY: Argument = Argument::optional(
    "by",
    "COLUMN[:BAND]",
    "Groups: a column, column:10 for bands, column:year for periods",
);

/// `by`, where there must be groups.
pub(super) const GROUPS: Argument = Argument::needed(BY.name, BY.value, BY.about);

/// `is`, the value of those who have the outcome.
pub(super) const IS: Argument = Argument::optional(
    "is",
    "VALUE",
    "The value of those who have it; else the greatest one",
)
.must(Must::LevelOfLast);

/// A V900.
pub(super) fn refuse(message: impl Into<String>) -> Problem {
    Problem::new(Code("V900"), message)
}

/// Arguments that are all known and all there.
pub(super) struct Arguments(BTreeMap<String, String>);

impl Arguments {
    /// Checks names; values are checked where they are used, all of them in the expansion.
    pub(super) fn check(
        given: &BTreeMap<String, String>,
        known: &[Argument],
    ) -> Result<Self, Problem> {
        let is_known = |name: &String| known.iter().any(|argument| argument.name == name);
        if let Some(unknown) = given.keys().find(|name| !is_known(name)) {
            let names: Vec<&str> = known.iter().map(|argument| argument.name).collect();
            let message = format!("no argument is called `{unknown}`");
            return Err(refuse(message).write(names.join(", ")));
        }
        let missing = |argument: &&Argument| {
            argument.need == Need::Always && !given.contains_key(argument.name)
        };
        if let Some(argument) = known.iter().find(missing) {
            let message = format!("`{}` is missing: {}", argument.name, argument.about);
            return Err(refuse(message));
        }
        Ok(Self(given.clone()))
    }

    /// The value of an argument.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The table, which must have one row per person: rows of one person are not independent.
    pub(super) fn table<'a>(&'a self, codebook: &'a Codebook) -> Result<&'a str, Problem> {
        let name = self.get("table").unwrap_or(&codebook.unit.table);
        match codebook.tables.get(name).map(|table| table.rows) {
            Some(RowsPer::Unit) => Ok(name),
            Some(RowsPer::Many { .. }) => Err(refuse(format!(
                "`{name}` has many rows per person, and an analysis counts each person once"
            ))),
            None => Err(no_table(name, codebook)),
        }
    }

    /// A group key as SQL: `column`, `column:10` for bands, `column:year` for periods.
    pub(super) fn key(&self, name: &str) -> Result<String, Problem> {
        key_of(name, self.get(name).unwrap_or_default())
    }

    /// Group keys as SQL, with commas between; none if there is no such argument.
    pub(super) fn keys(&self, name: &str, most: usize) -> Result<Vec<String>, Problem> {
        let keys = self.parts(name).map(|text| key_of(name, text));
        let keys: Vec<String> = keys.collect::<Result<_, Problem>>()?;
        if keys.len() > most {
            return Err(refuse(format!("`{name}` names {most} groupings at most")));
        }
        Ok(keys)
    }

    /// What stands between commas; nothing if there is no such argument.
    pub(super) fn parts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.get(name)
            .into_iter()
            .flat_map(|text| text.split(','))
            .map(str::trim)
    }

    /// A column by name.
    pub(super) fn column(&self, name: &str) -> Result<&str, Problem> {
        identifier(name, self.get(name).unwrap_or_default())
    }

    /// The WHERE clause: what was given, and that each of `known` is not missing where that is not
    /// public anyway and WHERE may name the column. It makes the number of values exact.
    pub(super) fn condition<'a>(
        &self,
        known: impl IntoIterator<Item = &'a ColumnRef>,
        codebook: &Codebook,
    ) -> String {
        let given = self.get("where").map(str::to_owned);
        let known = known.into_iter().filter_map(|reference| {
            let column = codebook.column(reference)?;
            let public = column.required || column.missing_public;
            (!public && column.has(Role::Filter))
                .then(|| format!("{} IS NOT NULL", reference.column))
        });
        let all: Vec<String> = given.into_iter().chain(known).collect();
        if all.is_empty() {
            String::new()
        } else {
            format!(" WHERE {}", all.join(" AND "))
        }
    }

    /// The confidence level.
    pub(super) fn confidence(&self) -> Result<f64, Problem> {
        let level = self.number("confidence")?.unwrap_or(0.95);
        if level > 0.0 && level < 1.0 {
            Ok(level)
        } else {
            Err(refuse("`confidence` lies between 0 and 1, such as 0.95"))
        }
    }

    /// The confidence level, after it was checked.
    pub(super) fn level(&self) -> f64 {
        self.confidence().unwrap_or(0.95)
    }

    /// Numbers by level: `0=1000,10=2000`. None is below zero, and some is above.
    pub(super) fn pairs(&self, name: &str) -> Result<Option<BTreeMap<String, f64>>, Problem> {
        let wrong = || {
            refuse(format!(
                "`{name}` is a list such as 0=1000,10=2000: every level once, no number below 0"
            ))
        };
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let mut pairs = BTreeMap::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let (level, number) = pair.rsplit_once('=').ok_or_else(wrong)?;
            let number: Number = number.trim().parse().map_err(|_| wrong())?;
            let number: f64 = number.to_string().parse().map_err(|_| wrong())?;
            let known = pairs.insert(level.trim().to_owned(), number);
            if known.is_some() || number < 0.0 {
                return Err(wrong());
            }
        }
        if pairs.values().sum::<f64>() > 0.0 {
            Ok(Some(pairs))
        } else {
            Err(wrong())
        }
    }

    /// A number.
    pub(super) fn number(&self, name: &str) -> Result<Option<f64>, Problem> {
        let read = |text: &str| {
            let number = text.parse::<Number>().ok();
            let number = number.and_then(|number| number.to_string().parse::<f64>().ok());
            let such = if name == CONFIDENCE.name {
                "0.95"
            } else {
                "0.5"
            };
            number.ok_or_else(|| refuse(format!("`{name}` is a number such as {such}")))
        };
        self.get(name).map(read).transpose()
    }

    /// A number as it was written, where [`Self::number`] is only the binary one next to it.
    pub(super) fn exact(&self, name: &str) -> Option<BigRational> {
        let number = self.get(name)?.parse::<Number>().ok()?;
        Some(number.to_rational())
    }
}

/// The codebook has no such table.
fn no_table(name: &str, codebook: &Codebook) -> Problem {
    let one_row = codebook.tables.iter();
    let one_row = one_row.filter(|(_, table)| table.rows == RowsPer::Unit);
    let known = one_row.map(|(name, _)| name.as_str());
    let text = format!("the codebook has no table `{name}`");
    let problem = |text: String| Problem::new(Code("V200"), text);
    match closest(name, known.clone()) {
        Some(near) => problem(format!("{text}; did you mean `{near}`?")).write(near),
        None => problem(format!("{text}; one row per person have {}", listed(known))),
    }
}

/// A table has no such column: the one that was meant, the table that has it, or those there are.
pub(super) fn no_column(code: Code, table: &str, name: &str, codebook: &Codebook) -> Problem {
    let text = format!("`{table}` has no column `{name}`");
    let columns = codebook.tables.get(table).map(|table| &table.columns);
    let known = columns.into_iter().flatten().map(|(name, _)| name.as_str());
    if let Some(near) = closest(name, known.clone()) {
        return Problem::new(code, format!("{text}; did you mean `{near}`?")).write(near);
    }
    let other = codebook.tables.iter();
    let other = other.filter(|(_, table)| table.columns.contains_key(name));
    let other = listed(other.map(|(name, _)| name.as_str()));
    if other == "none" {
        Problem::new(code, format!("{text}; it has {}", listed(known)))
    } else {
        Problem::new(code, format!("{text}, but {other} has"))
    }
}

/// A problem of the text that an analysis comes to, in words of its arguments: bands are written
/// `column:10` there, and what may be averaged is a column.
pub(super) fn in_arguments(problem: Problem, table: &str, codebook: &Codebook) -> Problem {
    match problem.write.as_deref() {
        Some("count(*)") => {
            let columns = codebook.tables.get(table).map(|table| &table.columns);
            let is_value = |column: &Column| column.has(Role::Value) && column.ty.is_numeric();
            let values = columns.into_iter().flatten();
            let values = values.filter(|(_, column)| is_value(column));
            let values = listed(values.map(|(name, _)| name.as_str()));
            let message = format!("{}; of `{table}` it allows {values}", problem.message);
            Problem {
                message,
                write: None,
                ..problem
            }
        }
        Some(text) => match as_argument(text) {
            Some(write) => problem.write(write),
            None => problem,
        },
        None => problem,
    }
}

/// `floor(age/10)*10` as `age:10`, `date_trunc('year', day)` as `day:year`.
fn as_argument(sql: &str) -> Option<String> {
    if let Some(rest) = sql.strip_prefix("date_trunc('") {
        let (unit, column) = rest.strip_suffix(')')?.split_once("', ")?;
        return Some(format!("{column}:{unit}"));
    }
    let (column, rest) = sql.strip_prefix("floor(")?.split_once('/')?;
    let (width, again) = rest.split_once(")*")?;
    let (column, width) = (column.trim(), width.trim());
    (width == again.trim()).then(|| format!("{column}:{width}"))
}

/// A group key as SQL.
fn key_of(name: &str, text: &str) -> Result<String, Problem> {
    let (column, part) = match text.split_once(':') {
        Some((column, part)) => (column, Some(part)),
        None => (text, None),
    };
    let column = identifier(name, column)?;
    let Some(part) = part else {
        return Ok(column.to_owned());
    };
    if ["month", "quarter", "year"].contains(&part) {
        return Ok(format!("date_trunc('{part}', {column})"));
    }
    let width: Number = part.parse().map_err(|_| {
        refuse(format!(
            "`{name}`: a band is written column:10, a period column:year"
        ))
    })?;
    Ok(format!("floor({column} / {width}) * {width}"))
}

fn identifier<'a>(name: &str, text: &'a str) -> Result<&'a str, Problem> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && text.chars().all(plain) {
        Ok(text)
    } else {
        Err(refuse(format!("`{name}` is the name of a column")))
    }
}
