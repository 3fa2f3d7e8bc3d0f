//! From a formula to the tables that its model needs, and to the columns of its design.
//!
//! An entry of the matrix of a model is a mean over cells: of nothing, a number, or two numbers, in the
//! cells by everything that the two columns are coded by. What this file must not know: how equations
//! are solved, and what is released of a cell.

use std::collections::{BTreeMap, BTreeSet};

use super::arguments::{Arguments, refuse};
use super::formula::{Atom, Formula, Key, Term};
use super::pairs::{complete_cases, product};
use crate::codebook::Codebook;
use crate::problem::Problem;
use crate::sql::MAX_KEYS;
use crate::value::Scalar;

/// More numbers than this make more means than a table may ask for.
const MOST_NUMBERS: usize = 8;

/// What a model needs of its data.
pub(super) struct Plan {
    /// The formula.
    pub(super) formula: Formula,
    /// What cells are grouped by, in order of first appearance.
    pub(super) keys: Vec<Key>,
    /// Columns of numbers; the outcome is the first.
    pub(super) numbers: Vec<String>,
    /// The tables; the first has no keys.
    pub(super) tables: Vec<Wanted>,
}

/// One table of cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Its keys, by their place among all.
    pub(super) keys: BTreeSet<usize>,
    /// Numbers whose mean and deviation it has.
    pub(super) numbers: BTreeSet<usize>,
    /// Pairs of numbers whose products it has.
    pub(super) pairs: BTreeSet<[usize; 2]>,
}

/// A term by places: its number, and what it is coded by.
struct Placed {
    number: Option<usize>,
    keys: BTreeSet<usize>,
}

impl Plan {
    /// Works out what a formula needs.
    pub(super) fn of(formula: Formula) -> Result<Self, Problem> {
        Self::with(formula, false)
    }

    /// As [`Self::of`]; `joint` adds the outcome in the cells of all groupings together, which are all
    /// that a formula of groups tells persons apart by.
    pub(super) fn with(formula: Formula, joint: bool) -> Result<Self, Problem> {
        let mut found = Self {
            keys: Vec::new(),
            numbers: vec![formula.outcome.clone()],
            tables: Vec::new(),
            formula,
        };
        let terms = found.formula.terms.clone();
        let mut placed = vec![
            Placed {
                number: None,
                keys: BTreeSet::new(),
            },
            Placed {
                number: Some(0),
                keys: BTreeSet::new(),
            },
        ];
        placed.extend(terms.iter().map(|term| found.place(term)));
        let mut tables: BTreeMap<Vec<usize>, Wanted> = BTreeMap::new();
        for (at, one) in placed.iter().enumerate() {
            for other in placed.iter().skip(at) {
                let keys: BTreeSet<usize> = one.keys.union(&other.keys).copied().collect();
                // Shorter tables first: the first one is of all persons.
                let place = [keys.len()]
                    .into_iter()
                    .chain(keys.iter().copied())
                    .collect();
                let table = tables.entry(place).or_default();
                table.keys = keys;
                table.want(one.number, other.number);
            }
        }
        if joint {
            let keys: BTreeSet<usize> = (0..found.keys.len()).collect();
            let place = [keys.len()].into_iter().chain(keys.iter().copied());
            let table = tables.entry(place.collect()).or_default();
            table.keys = keys;
            table.want(Some(0), None);
        }
        found.tables = tables.into_values().collect();
        if found.tables.iter().any(|table| table.keys.len() > MAX_KEYS) {
            return Err(refuse(format!(
                "two terms together have more than {MAX_KEYS} groupings: leave out an interaction"
            )));
        }
        if found.numbers.len() > MOST_NUMBERS {
            return Err(refuse(format!(
                "a model has {MOST_NUMBERS} columns of numbers at most"
            )));
        }
        Ok(found)
    }

    fn place(&mut self, term: &Term) -> Placed {
        let mut placed = Placed {
            number: None,
            keys: BTreeSet::new(),
        };
        for atom in term {
            match atom {
                Atom::Number(name) => placed.number = Some(self.number(name)),
                Atom::Score(key) | Atom::Factor(key) => {
                    placed.keys.insert(self.key(key));
                }
            }
        }
        placed
    }

    fn number(&mut self, name: &str) -> usize {
        let at = self.numbers.iter().position(|known| known == name);
        at.unwrap_or_else(|| {
            self.numbers.push(name.to_owned());
            self.numbers.len().saturating_sub(1)
        })
    }

    fn key(&mut self, key: &Key) -> usize {
        let at = self.keys.iter().position(|known| known == key);
        at.unwrap_or_else(|| {
            self.keys.push(key.clone());
            self.keys.len().saturating_sub(1)
        })
    }

    /// The tables as text, each with a name and its number of keys.
    pub(super) fn sql(
        &self,
        arguments: &Arguments,
        table: &str,
        codebook: &Codebook,
    ) -> Result<Vec<(String, String, usize)>, Problem> {
        let keys = self.keys.iter().map(|key| key.column.as_str());
        let mut names: Vec<&str> = Vec::new();
        for name in self.numbers.iter().map(String::as_str).chain(keys) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let condition = complete_cases(arguments, table, &names, codebook)?;
        let each = self.tables.iter().map(|wanted| {
            let keys: Vec<String> = self.keys_of(wanted).map(Key::sql).collect();
            let mut select = keys.clone();
            select.push("count(*) AS n".to_owned());
            let number = |at: &usize| self.numbers.get(*at).map_or("", String::as_str);
            select.extend(
                wanted
                    .numbers
                    .iter()
                    .map(|at| format!("avg({})", number(at))),
            );
            for [one, other] in &wanted.pairs {
                select.push(product(table, [number(one), number(other)], codebook)?);
            }
            let grouped = if keys.is_empty() {
                String::new()
            } else {
                format!(" GROUP BY {}", keys.join(", "))
            };
            let select = select.join(", ");
            let sql = format!("SELECT {select} FROM {table}{condition}{grouped}");
            Ok((self.name_of(wanted), sql, keys.len()))
        });
        each.collect()
    }

    /// The keys of a table.
    pub(super) fn keys_of(&self, wanted: &Wanted) -> impl Iterator<Item = &Key> {
        wanted.keys.iter().filter_map(|at| self.keys.get(*at))
    }

    /// What a table is called.
    fn name_of(&self, wanted: &Wanted) -> String {
        let name = |key: &Key| match &key.width {
            None => key.column.clone(),
            Some(width) => format!("{}_{}", key.column, width.replace('.', "_")),
        };
        let names: Vec<String> = self.keys_of(wanted).map(name).collect();
        if names.is_empty() {
            "all".to_owned()
        } else {
            format!("by_{}", names.join("_"))
        }
    }

    /// The columns of the design, given the levels of each key that there are.
    pub(super) fn columns(&self, levels: &[Levels]) -> Vec<Column> {
        let mut all = vec![Column {
            name: "intercept".to_owned(),
            number: None,
            codes: Vec::new(),
        }];
        for term in &self.formula.terms {
            let mut of_term = vec![Column::default()];
            for atom in term {
                let codings = self.codings(atom, levels);
                of_term = of_term
                    .iter()
                    .flat_map(|column| codings.iter().map(|coding| column.with(coding)))
                    .collect();
            }
            all.extend(of_term);
        }
        all
    }

    /// A number, a score, or one code for each level but the reference.
    fn codings(&self, atom: &Atom, levels: &[Levels]) -> Vec<Column> {
        let place = |key: &Key| self.keys.iter().position(|known| known == key);
        let one = |name: &str, number, codes| Column {
            name: name.to_owned(),
            number,
            codes,
        };
        match atom {
            Atom::Number(name) => {
                let at = self.numbers.iter().position(|known| known == name);
                vec![one(name, at, Vec::new())]
            }
            Atom::Score(key) => {
                let code = place(key).map(|key| Code { key, level: None });
                vec![one(&key.column, None, code.into_iter().collect())]
            }
            Atom::Factor(key) => {
                let Some((at, known)) = place(key).and_then(|at| Some((at, levels.get(at)?)))
                else {
                    return Vec::new();
                };
                let reference = self.reference(key, known);
                let others = known
                    .all
                    .iter()
                    .filter(|(level, _)| Some(level) != reference);
                let code = |(level, name): &(Scalar, String)| {
                    let level = Some(level.clone());
                    one(name, None, vec![Code { key: at, level }])
                };
                others.map(code).collect()
            }
        }
    }

    /// The level that others are compared with: the one that was named, else the first.
    pub(super) fn reference<'l>(&self, key: &Key, levels: &'l Levels) -> Option<&'l Scalar> {
        let named = self
            .formula
            .references
            .iter()
            .rev()
            .find(|(known, _)| known == key);
        let is_named = |level: &Scalar| {
            named.is_some_and(|(_, text)| super::strata::plain(level) == text.trim_matches('\''))
        };
        let mut all = levels.all.iter().map(|(level, _)| level);
        all.clone()
            .find(|level| is_named(level))
            .or_else(|| match named {
                None => all.next(),
                Some(_) => None,
            })
    }
}

impl Wanted {
    fn want(&mut self, one: Option<usize>, other: Option<usize>) {
        self.numbers.extend(one.into_iter().chain(other));
        if let (Some(one), Some(other)) = (one, other)
            && one != other
        {
            self.pairs.insert([one.min(other), one.max(other)]);
        }
    }
}

/// The levels of a key that there are, ascending, with their names.
#[derive(Default)]
pub(super) struct Levels {
    /// Level and name.
    pub(super) all: Vec<(Scalar, String)>,
}

/// A column of the design: a number or nothing, times codes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    /// What it is called.
    pub(super) name: String,
    /// Its number, by place.
    pub(super) number: Option<usize>,
    /// What it is coded by.
    pub(super) codes: Vec<Code>,
}

/// One when a key has a level, else zero; or the key's own number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Code {
    /// The key, by place.
    pub(super) key: usize,
    /// The level; none where the number itself counts.
    pub(super) level: Option<Scalar>,
}

impl Column {
    fn with(&self, other: &Self) -> Self {
        let name = match self.name.as_str() {
            "" => other.name.clone(),
            own => format!("{own}:{}", other.name),
        };
        let mut codes: Vec<Code> = self.codes.iter().chain(&other.codes).cloned().collect();
        codes.sort_unstable();
        Self {
            name,
            number: self.number.or(other.number),
            codes,
        }
    }

    /// The keys that it is coded by.
    pub(super) fn keys(&self) -> BTreeSet<usize> {
        self.codes.iter().map(|code| code.key).collect()
    }
}
