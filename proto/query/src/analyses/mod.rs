//! Typed analyses: a name and arguments that everybody expands to the same aggregate question, of one
//! table or several, and a finish that makes statistics of what the nodes released for it.
//!
//! An analysis asks for nothing that SQL could not ask for, but for mean products of two columns, which
//! have rules of their own: laptop, coordinator and every node expand it themselves, by the code of this
//! folder, and each reads the expansion as it reads any text. So
//! every rule of release applies as it stands, and what a custodian approves is the table that
//! leaves. The finish runs on released cells only, where the result is believed.
//!
//! One file per analysis (arguments, expansion, finish) and one line in [`ALL`]. What this folder
//! must not know: who asks, how answers travel, and anything that a node did not release.

mod anova;
mod arguments;
mod bands;
mod correlation;
mod crosstab;
mod describe;
mod design;
mod distribution;
mod fit;
mod follow_up;
mod formula;
mod gram;
mod groups;
mod histogram;
mod laplacian;
mod levels;
mod lm;
mod logrank;
mod meta;
mod pairs;
mod pooling;
mod proportion;
mod quantile;
mod range;
mod rate;
mod report;
mod robust;
mod shape;
mod solve;
mod standardise;
mod strata;
mod survival;
mod table1;
mod timetable;
mod ttest;
mod tukey;
mod two_by_two;
mod two_way;
mod window;

use std::collections::BTreeMap;

pub use arguments::{Argument, Need};
use arguments::{Arguments, in_arguments, refuse};
pub use report::{Entry, Grid, Line, Report};

use crate::codebook::Codebook;
use crate::cohort::{self, Cohort};
use crate::combine::{Released, ReleasedTables};
use crate::derived::{Called, Columns};
use crate::problem::{Problem, Span};
use crate::question::{Body, MAX_TABLES, NamedTable, Params, Question, TableQuestion};
use crate::sql;

/// Every analysis.
pub const ALL: &[Definition] = &[
    crosstab::DEFINITION,
    ttest::DEFINITION,
    anova::DEFINITION,
    describe::DEFINITION,
    proportion::DEFINITION,
    survival::DEFINITION,
    rate::DEFINITION,
    standardise::DEFINITION,
    meta::DEFINITION,
    table1::DEFINITION,
    quantile::QUANTILE,
    quantile::BOXPLOT,
    histogram::DEFINITION,
    correlation::DEFINITION,
    lm::DEFINITION,
];

/// What an analysis is.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its version: another expansion or another meaning of an argument is another version.
    pub version: u32,
    /// The question it answers, in a line.
    pub about: &'static str,
    /// Its arguments.
    pub arguments: &'static [Argument],
    run: Run,
}

/// How an analysis goes.
#[derive(Clone, Copy, Debug)]
enum Run {
    /// It comes to one table.
    One {
        expand: fn(&Arguments, &Codebook) -> Result<Expansion, Problem>,
        finish: fn(&Arguments, &Released<'_>) -> Report,
    },
    /// It comes to several tables, or to one with a name.
    Several {
        expand: fn(&Arguments, &Codebook) -> Result<Vec<Named>, Problem>,
        finish: fn(&Arguments, &ReleasedTables<'_>) -> Report,
    },
}

impl Definition {
    /// Name and version, as signed: `crosstab/1`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.name, self.version)
    }
}

/// The aggregate question that an analysis comes to.
struct Expansion {
    /// In the language.
    sql: String,
    /// How many group keys it has; a condition that brought its own would change the meaning.
    keys: usize,
}

/// One of several tables that an analysis comes to.
struct Named {
    /// How the finish finds it again; no two have the same name.
    name: String,
    expansion: Expansion,
}

/// An analysis with its arguments, as it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// Name and version: `crosstab/1`.
    pub name: String,
    /// Arguments by name; one that is not given is absent.
    pub arguments: BTreeMap<String, String>,
}

impl Analysis {
    /// The newest version of an analysis, by its bare name.
    #[must_use]
    pub fn named(name: &str, arguments: BTreeMap<String, String>) -> Option<Self> {
        let definition = ALL.iter().find(|known| known.name == name)?;
        Some(Self {
            name: definition.full_name(),
            arguments,
        })
    }

    /// The question in the language, as every party makes it: several tables one after the other,
    /// each under a comment with its name.
    ///
    /// # Errors
    /// V900 if there is no such analysis or its arguments do not fit it.
    pub fn sql(&self, codebook: &Codebook) -> Result<String, Problem> {
        let tables = self.expand(codebook)?;
        Ok(match tables.as_slice() {
            [only] => only.expansion.sql.clone(),
            all => all.iter().map(Named::text).collect(),
        })
    }

    fn expand(&self, codebook: &Codebook) -> Result<Vec<Named>, Problem> {
        let definition = self.definition()?;
        let arguments = self.checked(definition)?;
        let tables = match definition.run {
            Run::One { expand, .. } => vec![Named {
                name: String::new(),
                expansion: expand(&arguments, codebook)?,
            }],
            Run::Several { expand, .. } => expand(&arguments, codebook)?,
        };
        if tables.len() > MAX_TABLES {
            let many = tables.len();
            return Err(refuse(format!(
                "it comes to {many} tables; one question may come to {MAX_TABLES}"
            )));
        }
        Ok(tables)
    }

    /// Of the cohort, unless another table is named.
    fn of_cohort(&self) -> Self {
        let mut own = self.clone();
        let table = own.arguments.entry("table".to_owned());
        table.or_insert_with(|| cohort::TABLE.to_owned());
        own
    }

    /// Reads the expansion as a text is read, table by table.
    fn read(
        &self,
        way: sql::Way<'_>,
        params: &Params,
        codebook: &Codebook,
    ) -> Result<Question, Problem> {
        let (mut tables, mut offset) = (Vec::new(), 0);
        let with = |cohort| sql::with_cohort(cohort, way.reviewed, codebook);
        let with = way.cohort.map(with).transpose()?;
        let (of, book) = match &with {
            None => (self.clone(), codebook),
            Some(book) => (self.of_cohort(), book),
        };
        let expanded = of.expand(book)?;
        let table = of.arguments.get("table").unwrap_or(&book.unit.table);
        let (mut derived, mut called) = (Columns::new(), Called::new());
        let many = expanded.len() > 1;
        for named in expanded {
            let start = if many {
                offset + named.comment().len()
            } else {
                0
            };
            let read = named.expansion.read(way, params, codebook);
            let read = read.map_err(|problem| in_arguments(problem, table, book));
            let (table, of_table) = read.map_err(|problem| shift(problem, start))?;
            derived.extend(of_table.derived);
            called.extend(of_table.called);
            offset += named.text().len();
            tables.push(NamedTable {
                name: named.name,
                table,
            });
        }
        let checked = tables.clone();
        let question = Question {
            codebook: codebook.digest.clone(),
            derived,
            called,
            body: Body::of(tables).ok_or_else(|| refuse("it comes to no table"))?,
        };
        let definition = self.definition()?;
        let arguments = self.checked(definition)?;
        let book = question.book(codebook);
        levels::check(&arguments, definition.arguments, &checked, &book)?;
        Ok(question)
    }

    /// The statistics of what was released for the expansion.
    ///
    /// # Errors
    /// V900 as for [`Self::sql`]; never after it was read.
    pub fn finish(&self, released: &ReleasedTables<'_>) -> Result<Report, Problem> {
        let definition = self.definition()?;
        let arguments = self.checked(definition)?;
        let Some(first) = released.first() else {
            return Err(refuse("nothing was released for it"));
        };
        let mut report = match definition.run {
            Run::One { finish, .. } => finish(&arguments, first),
            Run::Several { finish, .. } => finish(&arguments, released),
        };
        report.remarks(first);
        Ok(report)
    }

    fn definition(&self) -> Result<&'static Definition, Problem> {
        let known = ALL.iter().find(|known| known.full_name() == self.name);
        known.ok_or_else(|| {
            let names: Vec<String> = ALL.iter().map(Definition::full_name).collect();
            refuse(format!("there are {}", names.join(", ")))
        })
    }

    fn checked(&self, definition: &'static Definition) -> Result<Arguments, Problem> {
        Arguments::check(&self.arguments, definition.arguments)
    }
}

impl Named {
    /// What stands before its text.
    fn comment(&self) -> String {
        format!("-- {}\n", self.name)
    }

    /// Its text among those of others.
    fn text(&self) -> String {
        format!("{}{}\n", self.comment(), self.expansion.sql)
    }
}

impl Expansion {
    /// Reads it as a text is read.
    fn read(
        &self,
        way: sql::Way<'_>,
        params: &Params,
        codebook: &Codebook,
    ) -> Result<(TableQuestion, Question), Problem> {
        let way = sql::Way { typed: true, ..way };
        let question = sql::read_in(way, &self.sql, params, codebook)?;
        let plain = |table: &TableQuestion| {
            let output = &table.output;
            let whole = output.having.is_none() && output.limit.is_none();
            whole && output.order.is_empty() && table.keys.len() == self.keys
        };
        let table = question.clone().into_sole().filter(plain);
        let table = table.ok_or_else(|| refuse("`where` holds conditions and nothing else"))?;
        Ok((table, question))
    }
}

/// A problem at its place in a text that begins earlier.
fn shift(problem: Problem, by: usize) -> Problem {
    let span = problem.span.map(|Span { start, end }| Span {
        start: start + by,
        end: end + by,
    });
    problem.at(span)
}

/// The kind of a request that is a text.
pub const QUERY: &str = "query";

/// What a researcher asks: a text of the language, or an analysis that expands to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// SQL.
    Sql(String),
    /// A typed analysis.
    Analysis(Analysis),
    /// Either of them, of a cohort.
    Of(Cohort, Box<Request>),
    /// Any of them, to be reviewed by a person before it runs. It may say more than others then.
    Reviewed(Box<Request>),
}

impl Default for Request {
    /// An empty text, which is no question.
    fn default() -> Self {
        Self::Sql(String::new())
    }
}

impl From<String> for Request {
    fn from(sql: String) -> Self {
        Self::Sql(sql)
    }
}

impl From<&str> for Request {
    fn from(sql: &str) -> Self {
        Self::Sql(sql.to_owned())
    }
}

impl Request {
    /// Reads it against a codebook: the one way in for laptop, coordinator and node.
    ///
    /// # Errors
    /// A [`Problem`] with a V code. Its place is one in [`Self::text`].
    pub fn read(&self, params: &Params, codebook: &Codebook) -> Result<Question, Problem> {
        self.read_in(sql::Way::default(), params, codebook)
    }

    fn read_in<'a>(
        &'a self,
        way: sql::Way<'a>,
        params: &Params,
        codebook: &Codebook,
    ) -> Result<Question, Problem> {
        match self {
            Self::Sql(sql) => sql::read_in(way, sql, params, codebook),
            Self::Analysis(analysis) => analysis.read(way, params, codebook),
            Self::Of(cohort, request) => {
                let cohort = Some(cohort);
                request.read_in(sql::Way { cohort, ..way }, params, codebook)
            }
            Self::Reviewed(request) => {
                let reviewed = true;
                request.read_in(sql::Way { reviewed, ..way }, params, codebook)
            }
        }
    }

    /// The text of the language; empty for an analysis that has no expansion.
    #[must_use]
    pub fn text(&self, codebook: &Codebook) -> String {
        match self {
            Self::Sql(sql) => sql.clone(),
            Self::Analysis(analysis) => analysis.sql(codebook).unwrap_or_default(),
            Self::Of(cohort, request) => of_cohort(cohort, false, request, codebook),
            Self::Reviewed(request) => match &**request {
                Self::Of(cohort, request) => of_cohort(cohort, true, request, codebook),
                other => other.text(codebook),
            },
        }
    }

    /// The analysis, if it is one.
    #[must_use]
    pub fn analysis(&self) -> Option<&Analysis> {
        match self {
            Self::Sql(_) => None,
            Self::Analysis(analysis) => Some(analysis),
            Self::Of(_, request) | Self::Reviewed(request) => request.analysis(),
        }
    }

    /// The codebook that what was released for it is read with: also the cohort is a table there.
    ///
    /// # Errors
    /// As [`Self::read`], of the cohort.
    pub fn book(&self, meaning: &Question, codebook: &Codebook) -> Result<Codebook, Problem> {
        let mut book = meaning.book(codebook).into_owned();
        if let Some(cohort) = self.cohort() {
            let with = sql::with_cohort(cohort, self.is_reviewed(), codebook)?;
            let table = with.tables.get(cohort::TABLE).cloned();
            book.tables
                .extend(table.map(|table| (cohort::TABLE.to_owned(), table)));
        }
        Ok(book)
    }

    /// The statistics of what was released, read with [`Self::book`]; `None` for a text.
    ///
    /// # Errors
    /// As [`Analysis::finish`].
    pub fn finish(&self, released: &ReleasedTables<'_>) -> Option<Result<Report, Problem>> {
        let analysis = self.analysis()?;
        Some(match self.cohort() {
            None => analysis.finish(released),
            Some(_) => analysis.of_cohort().finish(released),
        })
    }

    /// The cohort that it is asked of, if of one.
    #[must_use]
    pub fn cohort(&self) -> Option<&Cohort> {
        match self {
            Self::Of(cohort, _) => Some(cohort),
            Self::Reviewed(request) => request.cohort(),
            Self::Sql(_) | Self::Analysis(_) => None,
        }
    }

    /// Whether a person has to review it before it runs.
    #[must_use]
    pub fn is_reviewed(&self) -> bool {
        match self {
            Self::Reviewed(_) => true,
            Self::Of(_, request) => request.is_reviewed(),
            Self::Sql(_) | Self::Analysis(_) => false,
        }
    }

    /// What kind of request it is: `query` for a text, else the name of the analysis without its version.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self.bare() {
            Self::Analysis(analysis) => {
                let name = analysis.name.split_once('/');
                name.map_or(analysis.name.as_str(), |(name, _)| name)
            }
            _ => QUERY,
        }
    }

    /// The request itself, without its cohort and without being reviewed.
    #[must_use]
    pub fn bare(&self) -> &Self {
        match self {
            Self::Of(_, request) | Self::Reviewed(request) => request.bare(),
            Self::Sql(_) | Self::Analysis(_) => self,
        }
    }
}

/// The text of a request that is asked of a cohort.
fn of_cohort(cohort: &Cohort, reviewed: bool, request: &Request, codebook: &Codebook) -> String {
    match (request, sql::with_cohort(cohort, reviewed, codebook)) {
        (Request::Analysis(analysis), Ok(book)) => {
            Request::Analysis(analysis.of_cohort()).text(&book)
        }
        (request, _) => request.text(codebook),
    }
}

#[cfg(test)]
mod tests;
