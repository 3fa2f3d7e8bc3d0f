//! Formulas such as `chol ~ age + sex + C(cp) + age:C(cp)`: an outcome and terms.
//!
//! What this file must not know: data, tables of cells, and how a model is fitted.

use std::collections::BTreeSet;

use super::arguments::refuse;
use super::pairs::{known_column, number_column};
use super::strata::plain;
use crate::codebook::{Codebook, Column, Role};
use crate::domain::{SMALL_DOMAIN, is_value_counts};
use crate::number::Number;
use crate::problem::Problem;

/// One thing in a term.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Atom {
    /// A column of numbers.
    Number(String),
    /// A column of a few numbers, taken as what they are.
    Score(Key),
    /// Groups, each with a coefficient of its own but for the reference.
    Factor(Key),
}

/// What cells are grouped by: a column, or bands of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The column.
    pub(super) column: String,
    /// The width of its bands.
    pub(super) width: Option<String>,
}

/// A product of things, of which at most one is a number.
pub(super) type Term = BTreeSet<Atom>;

/// An outcome and terms; the intercept, which is always there, is no term.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Formula {
    /// The column whose mean is modelled.
    pub(super) outcome: String,
    /// Terms in the order in which they are written.
    pub(super) terms: Vec<Term>,
    /// Reference levels that were named.
    pub(super) references: Vec<(Key, String)>,
}

impl Key {
    /// As SQL.
    pub(super) fn sql(&self) -> String {
        match &self.width {
            None => self.column.clone(),
            Some(width) => format!("floor({0} / {width}) * {width}", self.column),
        }
    }
}

impl Atom {
    /// What cells must be grouped by for it.
    pub(super) fn key(&self) -> Option<&Key> {
        match self {
            Self::Number(_) => None,
            Self::Score(key) | Self::Factor(key) => Some(key),
        }
    }
}

impl Formula {
    /// Reads a formula over a table.
    pub(super) fn read(text: &str, table: &str, codebook: &Codebook) -> Result<Self, Problem> {
        let Some((outcome, rest)) = text.split_once('~') else {
            return Err(refuse("a formula is written outcome ~ term + term"));
        };
        let outcome = outcome.trim().to_owned();
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if outcome.is_empty() || !outcome.chars().all(plain) {
            return Err(refuse(
                "the outcome is a column: a formula is written outcome ~ term + term, without functions",
            ));
        }
        if is_value_counts(known_column(table, &outcome, codebook)?) {
            return Err(refuse(format!(
                "`{outcome}` has a few values only, and the outcome of a linear model is a number with more \
                 than {SMALL_DOMAIN}: compare its shares by crosstab or proportion"
            )));
        }
        number_column(table, &outcome, codebook)?;
        let mut found = Self {
            outcome,
            terms: Vec::new(),
            references: Vec::new(),
        };
        for part in split(rest, '+') {
            found.add(part.trim(), table, codebook)?;
        }
        found.check()?;
        Ok(found)
    }

    /// Adds `a`, `a:b`, or `a*b`, which is `a + b + a:b`.
    fn add(&mut self, text: &str, table: &str, codebook: &Codebook) -> Result<(), Problem> {
        let (stars, colons) = (split(text, '*'), split(text, ':'));
        if stars.len() > 1 && colons.len() > 1 {
            return Err(refuse("a term has `*` or `:`, not both"));
        }
        let crossed = stars.len() > 1;
        let mut atoms = Vec::new();
        for part in if crossed { stars } else { colons } {
            atoms.push(self.atom(part.trim(), table, codebook)?);
        }
        if !crossed {
            self.insert(atoms.into_iter().collect());
            return Ok(());
        }
        if atoms.len() > 3 {
            return Err(refuse("a term crosses three things at most"));
        }
        // All parts, fewer things first.
        for size in 1..=atoms.len() {
            for chosen in 1_u32..1 << atoms.len() {
                if usize::try_from(chosen.count_ones()) == Ok(size) {
                    let picked = atoms
                        .iter()
                        .zip(0..)
                        .filter(|(_, at)| chosen >> at & 1 == 1);
                    self.insert(picked.map(|(atom, _)| atom.clone()).collect());
                }
            }
        }
        Ok(())
    }

    fn insert(&mut self, term: Term) {
        if !self.terms.contains(&term) {
            self.terms.push(term);
        }
    }

    fn atom(&mut self, text: &str, table: &str, codebook: &Codebook) -> Result<Atom, Problem> {
        if let Some(inner) = text
            .strip_prefix("C(")
            .and_then(|rest| rest.strip_suffix(')'))
        {
            let (name, reference) = match inner.split_once(',') {
                None => (inner.trim(), None),
                Some((name, rest)) => {
                    let level = rest.trim().strip_prefix("ref").map(str::trim_start);
                    let level = level.and_then(|rest| rest.strip_prefix('='));
                    let level =
                        level.ok_or_else(|| refuse("a level is named as C(column, ref=2)"))?;
                    (name.trim(), Some(level.trim().to_owned()))
                }
            };
            let key = key(name, table, codebook)?;
            if let Some(level) = &reference {
                known_level(&key, level, known_column(table, &key.column, codebook)?)?;
            }
            self.references
                .extend(reference.map(|level| (key.clone(), level)));
            return Ok(Atom::Factor(key));
        }
        if ["0", "1"].contains(&text) {
            return Err(refuse(
                "the intercept is always in the model and is not written",
            ));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if text.is_empty() || !text.chars().all(plain) {
            return Err(refuse(
                "a term is made of columns, C(column) and C(column:10), with `:` or `*` between them",
            ));
        }
        let column = known_column(table, text, codebook)?;
        if is_value_counts(column) {
            return Ok(Atom::Score(key(text, table, codebook)?));
        }
        if !column.ty.is_numeric() {
            return Ok(Atom::Factor(key(text, table, codebook)?));
        }
        number_column(table, text, codebook)?;
        Ok(Atom::Number(text.to_owned()))
    }

    /// Terms that cannot be, or cannot be told apart.
    fn check(&self) -> Result<(), Problem> {
        if self.terms.is_empty() {
            return Err(refuse("a formula has at least one term"));
        }
        for term in &self.terms {
            let numbers = term.iter().filter(|atom| atom.key().is_none()).count();
            if numbers > 1 {
                return Err(refuse(
                    "a term multiplies one number at most: products of two would need sums of four",
                ));
            }
            let keys: BTreeSet<&str> = term
                .iter()
                .filter_map(Atom::key)
                .map(|key| key.column.as_str())
                .collect();
            if keys.len() + numbers < term.len() {
                return Err(refuse("a term has the same column twice"));
            }
            if term.contains(&Atom::Number(self.outcome.clone()))
                || keys.contains(self.outcome.as_str())
            {
                return Err(refuse("the outcome is no term"));
            }
            for left_out in term.iter().filter(|_| term.len() > 1) {
                let rest: Term = term
                    .iter()
                    .filter(|atom| *atom != left_out)
                    .cloned()
                    .collect();
                if !self.terms.contains(&rest) {
                    return Err(refuse(
                        "a term with several things stands beside its parts: write a * b, or a + b + a:b",
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What to group by, from `column` or `column:10`; every group must be known from the codebook.
fn key(text: &str, table: &str, codebook: &Codebook) -> Result<Key, Problem> {
    let (name, width) = match text.split_once(':') {
        None => (text, None),
        Some((name, width)) => (name.trim(), Some(width.trim())),
    };
    let column = known_column(table, name, codebook)?;
    let known = match width {
        None => column.domain.is_some(),
        Some(width) => width.parse::<Number>().is_ok() && column.bounds.is_some(),
    };
    if known && may_group(column) {
        return Ok(Key {
            column: name.to_owned(),
            width: width.map(str::to_owned),
        });
    }
    Err(refuse(format!(
        "`{name}` gives no groups: C() takes a column with a closed domain, or column:10 with a declared band"
    )))
}

/// A level that the domain has; of bands the numbers are not looked at.
fn known_level(key: &Key, level: &str, column: &Column) -> Result<(), Problem> {
    let domain = column.domain.as_ref().filter(|_| key.width.is_none());
    let codes = domain.map(|domain| domain.iter().map(|(value, _)| plain(value)));
    let codes: Vec<String> = codes.into_iter().flatten().collect();
    if codes.is_empty() || codes.iter().any(|code| code == level) {
        return Ok(());
    }
    let (name, list) = (&key.column, codes.join(", "));
    Err(refuse(format!(
        "`{name}` has no level `{level}` to compare with; there is {list}"
    )))
}

fn may_group(column: &Column) -> bool {
    column.has(Role::Group)
}

/// Splits at a sign that stands outside of brackets.
fn split(text: &str, at: char) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(move |c: char| {
        match c {
            '(' => depth = depth.saturating_add(1),
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == at && depth == 0
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codebook::read;

    fn book() -> Codebook {
        read(
            include_str!("../../tests/codebooks/model.toml"),
            "model.toml",
        )
        .unwrap()
    }

    fn formula(text: &str) -> Result<Formula, String> {
        Formula::read(text, "person", &book()).map_err(|problem| problem.message)
    }

    fn shown(text: &str) -> Vec<String> {
        let atom = |atom: &Atom| match atom {
            Atom::Number(name) => name.clone(),
            Atom::Score(key) => format!("#{}", key.sql()),
            Atom::Factor(key) => format!("C({})", key.sql()),
        };
        let found = formula(text).unwrap();
        let term = |term: &Term| term.iter().map(atom).collect::<Vec<_>>().join(":");
        found.terms.iter().map(term).collect()
    }

    #[test]
    fn formulas_are_read_as_people_write_them() {
        assert_eq!(shown("y ~ x + sex + C(arm)"), ["x", "#sex", "C(arm)"]);
        assert_eq!(shown("y~x*C(arm)"), ["x", "C(arm)", "x:C(arm)"]);
        assert_eq!(
            shown("y ~ x + C(arm) + C(arm):x + x"),
            ["x", "C(arm)", "x:C(arm)"]
        );
        assert_eq!(shown("y ~ C(x:50)"), ["C(floor(x / 50) * 50)"]);
        assert_eq!(
            shown("y ~ x*sex*C(arm)"),
            [
                "x",
                "#sex",
                "C(arm)",
                "x:#sex",
                "x:C(arm)",
                "#sex:C(arm)",
                "x:#sex:C(arm)"
            ]
        );
        let named = formula("y ~ C(arm, ref = 3)").unwrap();
        assert_eq!(named.references[0].1, "3");
    }

    #[test]
    fn what_cannot_be_fitted_is_refused_with_a_sentence() {
        for (text, word) in [
            ("y", "outcome ~ term"),
            ("y ~", "a term is made of"),
            ("y ~ 1", "the intercept is always"),
            ("log(y) ~ x", "without functions"),
            ("y ~ C(arm, ref=9)", "no level `9`"),
            ("y ~ x - 1", "a term is made of"),
            ("y ~ x:z", "one number at most"),
            ("y ~ x*z", "one number at most"),
            ("y ~ log(x)", "a term is made of"),
            ("y ~ y", "the outcome is no term"),
            ("y ~ x:C(arm)", "beside its parts"),
            ("y ~ C(arm, 2)", "ref=2"),
            ("y ~ C(x)", "gives no groups"),
            ("sex ~ x", "a few values"),
            ("y ~ unknown", "no column"),
        ] {
            let message = formula(text).unwrap_err();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
