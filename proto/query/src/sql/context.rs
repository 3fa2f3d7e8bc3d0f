//! What every step of the conversion needs: the text, the parameters and the codebook.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use sqlparser::ast::{Ident, Spanned};

use super::MAX_DERIVED;
use super::books::Books;
use super::names::{closest, listed};
use super::text::{Text, is_plain_name};
use super::{MAX_LIST_PARAM, refuse};
use crate::codebook::{Codebook, Column, ColumnRef, RowsPer, Table};
use crate::cohort;
use crate::derived::{Called, Columns, Derived};
use crate::problem::{Problem, Span};
use crate::question::{ParamValue, Params};

/// Shared by all steps; remembers which parameters were used.
pub(super) struct Context<'a> {
    pub(super) text: &'a Text<'a>,
    /// Whether the text is what a typed analysis comes to: it may ask for products.
    pub(super) typed: bool,
    /// Whether a person reviews the question before it runs: it may say more then.
    pub(super) reviewed: bool,
    books: &'a Books<'a>,
    params: &'a Params,
    used: RefCell<BTreeSet<String>>,
    named: RefCell<BTreeSet<String>>,
    called: RefCell<BTreeMap<String, String>>,
}

impl<'a> Context<'a> {
    pub(super) fn new(
        text: &'a Text<'a>,
        params: &'a Params,
        books: &'a Books<'a>,
    ) -> Result<Self, Problem> {
        for (name, value) in params {
            if !is_plain_name(name) {
                let message = "names of parameters are lower-case letters, digits and _";
                return Err(refuse("V700", message));
            }
            if matches!(value, ParamValue::List(list) if list.len() > MAX_LIST_PARAM) {
                let message = format!("`${name}` has more than {MAX_LIST_PARAM} values");
                return Err(refuse("V800", message));
            }
        }
        Ok(Self {
            text,
            typed: false,
            reviewed: false,
            books,
            params,
            used: RefCell::default(),
            named: RefCell::default(),
            called: RefCell::default(),
        })
    }

    /// The codebook, with the columns derived so far.
    pub(super) fn codebook(&self) -> &'a Codebook {
        self.books.present()
    }

    /// A derived column, new or known; refused with `otherwise` if the codebook does not bear it.
    pub(super) fn derive(
        &self,
        derived: &Derived,
        node: &impl Spanned,
        otherwise: &str,
    ) -> Result<ColumnRef, Problem> {
        if self.codebook().derived.len() >= MAX_DERIVED {
            let message = format!("a question derives more than {MAX_DERIVED} columns");
            return Err(self.refuse("V800", node, message));
        }
        let found = self.books.derive(derived);
        found.ok_or_else(|| self.refuse("V501", node, otherwise))
    }

    /// Notes that FROM names a relation.
    pub(super) fn name(&self, relation: &str) {
        self.named.borrow_mut().insert(relation.to_owned());
    }

    /// Notes what the text calls a derived column.
    pub(super) fn call(&self, column: &ColumnRef, name: &str) {
        if self.codebook().derived.contains_key(column) {
            let mut called = self.called.borrow_mut();
            called.insert(column.column.clone(), name.to_owned());
        }
    }

    /// What the text calls the derived columns among these.
    pub(super) fn called(&self, columns: &Columns) -> Called {
        let called = self.called.borrow();
        let named = columns.keys().filter_map(|name| {
            let word = called.get(&name.column)?;
            Some((name.clone(), word.clone()))
        });
        named.collect()
    }

    /// The problem with derived columns as the text calls them.
    pub(super) fn in_its_words(&self, mut problem: Problem) -> Problem {
        for (column, name) in self.called.borrow().iter() {
            problem.message = problem.message.replace(column, name);
            problem.write = problem.write.map(|write| write.replace(column, name));
        }
        problem
    }

    /// Whether FROM names a relation anywhere in the text.
    pub(super) fn has_named(&self, relation: &str) -> bool {
        self.named.borrow().contains(relation)
    }

    /// The place of a syntax node.
    pub(super) fn at(&self, node: &impl Spanned) -> Option<Span> {
        self.text
            .span(node.span())
            .map(|span| self.text.closed(span))
    }

    /// A refusal at a name.
    pub(super) fn refuse_name(
        &self,
        code: &'static str,
        name: &Ident,
        message: impl Into<String>,
    ) -> Problem {
        refuse(code, message).at(self.text.span(name.span).or(Some(self.text.whole())))
    }

    /// A refusal at a node.
    pub(super) fn refuse(
        &self,
        code: &'static str,
        node: &impl Spanned,
        message: impl Into<String>,
    ) -> Problem {
        refuse(code, message).at(self.at(node).or(Some(self.text.whole())))
    }

    /// Refuses what is nested deeper than `most`.
    pub(super) fn not_deeper(
        &self,
        depth: u32,
        most: u32,
        node: &impl Spanned,
    ) -> Result<(), Problem> {
        if depth > most {
            return Err(self.refuse("V800", node, "the expression is nested too deeply"));
        }
        Ok(())
    }

    /// The value of the parameter that a placeholder such as `$age` names.
    pub(super) fn param(
        &self,
        placeholder: &str,
        node: &impl Spanned,
    ) -> Result<&'a ParamValue, Problem> {
        let name = placeholder
            .strip_prefix('$')
            .filter(|name| is_plain_name(name));
        let Some(name) = name else {
            let message = "parameters are written `$name`, in lower case";
            return Err(self.refuse("V700", node, message));
        };
        self.used.borrow_mut().insert(name.to_owned());
        self.params.get(name).ok_or_else(|| {
            self.refuse(
                "V700",
                node,
                format!("no value was given for the parameter `${name}`"),
            )
        })
    }

    /// Refuses parameters that the text does not have.
    pub(super) fn check_params_used(&self) -> Result<(), Problem> {
        let used = self.used.borrow();
        match self.params.keys().find(|name| !used.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(refuse(
                "V700",
                format!("the text has no parameter `${name}`"),
            )),
        }
    }

    /// A table of the codebook by name.
    pub(super) fn table(&self, name: &str, node: &impl Spanned) -> Result<&'a Table, Problem> {
        if let Some(table) = self.codebook().tables.get(name) {
            if !table.columns.contains_key(&table.unit_key) {
                let message =
                    format!("table `{name}` has no privacy unit, so it cannot be asked about");
                return Err(self.refuse("V203", node, message));
            }
            return Ok(table);
        }
        if name == cohort::TABLE {
            let message =
                "no cohort was sent with the question: `quorate` takes its file as `--cohort FILE`";
            return Err(self.refuse("V200", node, message));
        }
        let known = self.codebook().tables.keys().map(String::as_str);
        let problem = match closest(name, known.clone()) {
            Some(near) => {
                let message = format!("the codebook has no table `{name}`; did you mean `{near}`?");
                self.refuse("V200", node, message).write(near)
            }
            None => {
                let message = format!(
                    "the codebook has no table `{name}`; it has {}",
                    listed(known)
                );
                self.refuse("V200", node, message)
            }
        };
        Err(problem)
    }

    /// A resolved column; resolving guarantees that it exists.
    pub(super) fn column(&self, column: &ColumnRef) -> Option<&'a Column> {
        self.codebook()
            .tables
            .get(&column.table)?
            .columns
            .get(&column.column)
    }

    /// Whether this column holds the privacy unit of its table.
    pub(super) fn is_unit_key(&self, column: &ColumnRef) -> bool {
        self.codebook()
            .tables
            .get(&column.table)
            .is_some_and(|t| t.unit_key == column.column)
    }

    /// Whether this table has many rows per unit.
    pub(super) fn is_event_table(&self, table: &str) -> bool {
        let rows = self.codebook().tables.get(table).map(|t| t.rows);
        matches!(rows, Some(RowsPer::Many { .. }))
    }
}
