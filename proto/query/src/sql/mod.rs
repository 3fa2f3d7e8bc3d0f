//! SQL text to typed question, or a refusal.
//!
//! Parse, do not filter: the text is limited, tokenised, parsed with the generic dialect and
//! converted piece by piece into the typed question. Every field of the syntax tree is named
//! where it is looked at; what has no conversion is refused with a V code, one sentence, the
//! place in the text, and the nearest allowed form. Nothing of the text survives but typed
//! values. What this folder must not know: nodes, engines, and data.

mod aggregate;
mod arithmetic;
mod books;
mod cohort;
mod context;
mod dates;
mod either;
mod filter;
mod frame;
mod group;
mod join;
mod literal;
mod names;
mod outline;
mod output;
mod product;
mod relation;
mod scalar;
mod scope;
mod select;
mod shape;
mod text;
mod wording;

use std::collections::BTreeMap;

pub(crate) use names::{closest, listed};
pub use text::{MAX_DEPTH, MAX_TEXT, MAX_TOKENS};

use crate::codebook::Codebook;
use crate::cohort::Cohort;
use crate::derived;
use crate::problem::{Code, Problem};
use crate::question::{Body, Params, Question};

/// Stack for reading one text: the limits bound the depth of its syntax tree, and a
/// debug build needs up to some ten kilobytes a level.
const STACK: usize = 32 * 1024 * 1024;

/// Most values in a list parameter.
pub const MAX_LIST_PARAM: usize = 10_000;
/// Most values in an IN list that is written out.
pub const MAX_IN_LIST: usize = 50;
/// Most alternatives that a condition with OR may come to.
pub const MAX_ALTERNATIVES: usize = 20;
/// Most columns and cohorts that one WHERE may restrict.
pub const MAX_CONDITIONS: usize = 8;
/// Most group keys.
pub const MAX_KEYS: usize = 4;
/// Most derived columns, those included that others are derived from.
pub const MAX_DERIVED: usize = 40;
/// Most output columns.
pub const MAX_OUTPUTS: usize = 40;

/// Reads a question against a codebook.
///
/// # Errors
/// A [`Problem`] with a V code, a sentence, the place, and the nearest allowed form.
pub fn read(sql: &str, params: &Params, codebook: &Codebook) -> Result<Question, Problem> {
    read_in(Way::default(), sql, params, codebook)
}

/// How a text is read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Way<'a> {
    /// The cohort that it names as the table `cohort`.
    pub(crate) cohort: Option<&'a Cohort>,
    /// Whether a person reviews the question before it runs: then it has OR, NOT, arithmetic inside
    /// aggregates, and LEFT JOIN of tables.
    pub(crate) reviewed: bool,
    /// Whether it is what a typed analysis comes to: then it may ask for products of two columns.
    pub(crate) typed: bool,
}

/// Reads a question that may use a cohort, or that a person reviews.
///
/// # Errors
/// As [`read`]; V202 if the cohort is no set of persons, V700 if the text does not use it.
pub(crate) fn read_in(
    way: Way<'_>,
    sql: &str,
    params: &Params,
    codebook: &Codebook,
) -> Result<Question, Problem> {
    stacker::maybe_grow(STACK, STACK, || read_here(way, sql, params, codebook))
}

/// The codebook with a cohort as a table with one row per person, for those who only name columns.
///
/// # Errors
/// As [`read`], of the cohort.
pub fn with_cohort(
    cohort: &Cohort,
    reviewed: bool,
    codebook: &Codebook,
) -> Result<Codebook, Problem> {
    stacker::maybe_grow(STACK, STACK, || {
        cohort::as_table(cohort, reviewed, codebook)
    })
}

/// As [`Cohort::holds`].
pub(crate) fn is_within(cohort: &Cohort, question: &Question, codebook: &Codebook) -> bool {
    stacker::maybe_grow(STACK, STACK, || cohort::holds(cohort, question, codebook))
}

fn read_here(
    way: Way<'_>,
    sql: &str,
    params: &Params,
    codebook: &Codebook,
) -> Result<Question, Problem> {
    let Way {
        cohort,
        reviewed,
        typed,
    } = way;
    let text = text::Text::new(sql);
    let query = outline::query(&text)?;
    let books = books::Books::new(codebook);
    let mut context = context::Context::new(&text, params, &books)?;
    context.typed = typed;
    context.reviewed = reviewed;
    let env = match cohort {
        Some(cohort) => cohort::environment(cohort, reviewed, &books)?,
        None => scope::Env::default(),
    };
    let table = select::table(&query, &env, &context);
    let table = table.map_err(|problem| context.in_its_words(problem))?;
    context.check_params_used()?;
    if cohort.is_some() && !context.has_named(crate::cohort::TABLE) {
        let message = "the text does not use the table `cohort`";
        return Err(refuse("V700", message).at(Some(text.whole())));
    }
    let derived = derived::used(&table, &context.codebook().derived);
    let mut called = books.called(&derived);
    called.extend(context.called(&derived));
    Ok(Question {
        codebook: codebook.digest.clone(),
        called,
        derived,
        body: Body::Table(table),
    })
}

/// Entry point for fuzzing: any bytes, read as text against a codebook, must end in a question whose canonical form can be computed, or in a V code with a span inside the
/// text. Returns what went wrong otherwise.
///
/// # Errors
/// A sentence that names the broken promise.
pub fn fuzz(bytes: &[u8], codebook: &Codebook) -> Result<(), String> {
    let sql = String::from_utf8_lossy(bytes);
    match read(&sql, &BTreeMap::new(), codebook) {
        Ok(question) => {
            let again = read(&sql, &BTreeMap::new(), codebook);
            let same = again.is_ok_and(|q| q.canonical_bytes() == question.canonical_bytes());
            same.then_some(())
                .ok_or_else(|| "the same text was read differently".to_owned())
        }
        Err(problem) => check_refusal(&problem, &sql),
    }
}

fn check_refusal(problem: &Problem, sql: &str) -> Result<(), String> {
    if Code::parse(problem.code.0).is_none() || !problem.code.0.starts_with('V') {
        return Err(format!("{} is no V code of the table", problem.code));
    }
    if problem.message.is_empty() || problem.message.contains('\n') {
        return Err("the message is not one sentence".to_owned());
    }
    match problem.span {
        Some(span) if sql.get(span.start..span.end).is_none() => {
            Err("the span lies outside the text or splits a character".to_owned())
        }
        _ => Ok(()),
    }
}

/// A refusal without a place yet.
fn refuse(code: &'static str, message: impl Into<String>) -> Problem {
    Problem::new(Code(code), message)
}
