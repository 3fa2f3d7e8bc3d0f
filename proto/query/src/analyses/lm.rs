//! `lm`: how does the mean of a number depend on others? Ordinary least squares by formula, over the
//! persons who have every column.

use super::arguments::{Argument, Arguments, CONFIDENCE, TABLE, WHERE, refuse};
use super::design::{Column, Levels, Plan};
use super::distribution::{fisher_upper, student_critical, student_two_sided};
use super::fit::{Fit, Trouble, fit};
use super::formula::{Atom, Formula};
use super::gram::{Cells, complete_sites};
use super::levels::Must;
use super::range::Range;
use super::report::{Grid, Report};
use super::robust::{Kind, Robust};
use super::strata::{level_name, plain, whole};
use super::{Definition, Expansion, Named, Run};
use crate::codebook::Codebook;
use crate::combine::{Interval, Released, ReleasedTables};
use crate::problem::Problem;
use crate::question::Stat;
use crate::value::Scalar;

pub(super) const DEFINITION: Definition = Definition {
    name: "lm",
    version: 1,
    about: "How does a mean depend on others? Linear model by formula, least squares",
    arguments: &[
        Argument::needed(
            "formula",
            "FORMULA",
            "Such as \"chol ~ age + C(cp)\": a * b for an interaction, C(cp, ref=2) for a reference",
        )
        .must(Must::GroupsOfAll),
        Argument::optional(
            "errors",
            "KIND",
            "Standard errors: `model`, or of a formula of groups alone HC0, HC1, HC2 or HC3",
        ),
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::Several { expand, finish },
};

fn plan(arguments: &Arguments, codebook: &Codebook) -> Result<Plan, Problem> {
    let text = arguments.get("formula").unwrap_or_default();
    let formula = Formula::read(text, arguments.table(codebook)?, codebook)?;
    if errors(arguments)?.is_none() {
        return Plan::of(formula);
    }
    let atoms = formula.terms.iter().flatten();
    if atoms
        .into_iter()
        .any(|atom| matches!(atom, Atom::Number(_)))
    {
        return Err(refuse(
            "robust errors of terms that are numbers need sums of products of four numbers of each person, \
             which are not released: leave `errors` out, or take groups such as C(age:10)",
        ));
    }
    Plan::with(formula, true)
}

/// The kind of robust errors; none for those of the model.
fn errors(arguments: &Arguments) -> Result<Option<Kind>, Problem> {
    match arguments.get("errors") {
        None | Some("model") => Ok(None),
        Some(name) => match Kind::named(name) {
            Some(kind) => Ok(Some(kind)),
            None => Err(refuse("`errors` is model, HC0, HC1, HC2 or HC3")),
        },
    }
}

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Vec<Named>, Problem> {
    arguments.confidence()?;
    let plan = plan(arguments, codebook)?;
    let table = arguments.table(codebook)?;
    let tables = plan.sql(arguments, table, codebook)?.into_iter();
    let named = |(name, sql, keys)| Named {
        name,
        expansion: Expansion { sql, keys },
    };
    Ok(tables.map(named).collect())
}

fn finish(arguments: &Arguments, tables: &ReleasedTables<'_>) -> Report {
    let tables: Vec<&Released<'_>> = tables.iter().map(|(_, table)| table).collect();
    let tables = tables.as_slice();
    let Some((first, plan)) = tables
        .first()
        .and_then(|first| Some((*first, plan(arguments, first.codebook()).ok()?)))
    else {
        return Report::default();
    };
    let sites = complete_sites(&plan, tables);
    let mut report = Report::of(first, &sites);
    let levels: Vec<Levels> = (0..plan.keys.len())
        .map(|key| levels(&plan, tables, key, &mut report))
        .collect();
    if sites.is_empty() {
        return report;
    }
    for (key, known) in plan.keys.iter().zip(&levels) {
        match plan.reference(key, known) {
            Some(level) => report.remark(format!(
                "Levels of `{}` are compared with {}.",
                key.column,
                plain(level)
            )),
            None => {
                report.remark(format!(
                    "`{}` has no such level to compare with.",
                    key.column
                ));
                return report;
            }
        }
    }
    let columns = plan.columns(&levels);
    let kind = errors(arguments).ok().flatten();
    let solve = |sites: &[usize]| {
        let n = first.statistic(&[], COUNT, Stat::Count, sites)?;
        let cells = Cells::read(&plan, tables, sites)?;
        let robust = kind.map(|kind| Robust {
            kind,
            keys: (0..plan.keys.len()).collect(),
            n: Range::of(&n),
        });
        Some((n, fit(&columns, &cells, robust.as_ref())))
    };
    let (sites, found) = without_the_open(sites, first, &mut report, solve);
    let Some((n, found)) = found else {
        return report;
    };
    match found {
        Ok(found) => {
            let model = Model {
                columns: &columns,
                n: &n,
                found: &found,
                level: arguments.level(),
            };
            report.tables.push(model.coefficients());
            report.tables.push(model.fit());
            report.tables.push(nodes(first, &sites));
            if kind.is_some() {
                report.remark(
                    "Standard errors of coefficients are robust; F is that of equal variances.",
                );
            }
            if !first.is_exact() {
                report.remark("The p of F is approximate: it is taken at both ends of its limits.");
            }
        }
        Err(trouble) => report.remark(explain(&trouble, &columns)),
    }
    report.remark("All numbers are about the persons who have every column of the formula.");
    report
}

/// A model, or why there is none, with something known beside it.
type Solved<T> = (T, Result<Fit, Trouble>);

/// What comes of these nodes; of those whose own numbers are not too open, if it would else come to
/// nothing. A node that knows its persons only nearly can keep a model open that the others settle.
fn without_the_open<T>(
    sites: Vec<usize>,
    first: &Released<'_>,
    report: &mut Report,
    solve: impl Fn(&[usize]) -> Option<Solved<T>>,
) -> (Vec<usize>, Option<Solved<T>>) {
    let found = solve(&sites);
    if !matches!(found, Some((_, Err(Trouble::Open)))) {
        return (sites, found);
    }
    let open = |site: &usize| matches!(solve(&[*site]), Some((_, Err(Trouble::Open))));
    let settled: Vec<usize> = sites.iter().copied().filter(|site| !open(site)).collect();
    match solve(&settled) {
        Some((n, Ok(better))) if !settled.is_empty() => {
            let fewer = Report::of(first, &settled);
            (report.sites, report.left_out) = (fewer.sites, fewer.left_out);
            report.remark(
                "Nodes are left out whose own numbers, within their limits, allow terms that follow from each other.",
            );
            (settled, Some((n, Ok(better))))
        }
        _ => (sites, found),
    }
}

/// Where the number of persons stands in every table.
const COUNT: usize = 0;

fn explain(trouble: &Trouble, columns: &[Column]) -> String {
    match trouble {
        Trouble::Follows(at) => {
            let name = columns.get(*at).map_or("", |column| &column.name);
            format!(
                "No coefficients: `{name}` follows from the terms before it. Leave it or one of them out."
            )
        }
        Trouble::Open => {
            "No coefficients: within their limits the released numbers allow terms that \
                          follow from each other. More persons, wider bands or fewer terms help."
                .to_owned()
        }
        Trouble::Missing => {
            "No coefficients: something that they need was not released.".to_owned()
        }
    }
}

/// The levels of a key, and a remark about those that no node released.
fn levels(plan: &Plan, tables: &[&Released<'_>], key: usize, report: &mut Report) -> Levels {
    let mut alone = tables
        .iter()
        .zip(&plan.tables)
        .filter(|(_, wanted)| wanted.keys.len() == 1 && wanted.keys.contains(&key));
    let Some((released, _)) = alone.next() else {
        return Levels::default();
    };
    let sites: Vec<usize> = (0..released.sites().count()).collect();
    let mut found = Levels::default();
    for row in released.rows().filter(|row| !row.contains(&Scalar::Null)) {
        let Some(level) = row.first() else {
            continue;
        };
        let name = level_name(released, 0, level);
        if sites.iter().any(|site| released.has(row, COUNT, *site)) {
            found.all.push((level.clone(), name));
        } else {
            report.remark(format!(
                "No node released `{name}`: choose among the others with `where`."
            ));
        }
    }
    found
}

/// Persons by node.
fn nodes(first: &Released<'_>, sites: &[usize]) -> Grid {
    let mut grid = Grid::new("nodes", &["n"]);
    for (at, name) in first
        .sites()
        .enumerate()
        .filter(|(at, _)| sites.contains(at))
    {
        let n = first.statistic(&[], COUNT, Stat::Count, &[at]);
        grid.line(name, &[Range::maybe(n.as_ref())]);
    }
    grid
}

struct Model<'a> {
    columns: &'a [Column],
    n: &'a Interval,
    found: &'a Fit,
    level: f64,
}

impl Model<'_> {
    /// Degrees of freedom that are left.
    fn free(&self) -> Range {
        Range::of(&self.n.minus(&whole(self.columns.len()))).at_least_zero()
    }

    fn coefficients(&self) -> Grid {
        let mut grid = Grid::new(
            "coefficients",
            &["estimate", "standard_error", "from", "to", "t", "p"],
        );
        let free = self.free();
        // s²(X'X)⁻¹, with sums divided by the number of persons on either side.
        let plain = |variance: &Range| self.found.rest.over(free).times(*variance);
        let squares = match &self.found.robust {
            Some(robust) => robust.clone(),
            None => self.found.variances.iter().map(plain).collect(),
        };
        let rows = self.columns.iter().zip(&self.found.estimates).zip(squares);
        for ((column, estimate), square) in rows {
            let error = square.sqrt();
            let t = estimate.over(error);
            let p = t.abs().probability_of(free, student_two_sided);
            let reach = free
                .probability(|df| student_critical(self.level, df))
                .times(error);
            let ends = (estimate.minus(reach), estimate.plus(reach));
            grid.line(
                column.name.clone(),
                &[*estimate, error, ends.0, ends.1, t, p],
            );
        }
        grid
    }

    fn fit(&self) -> Grid {
        let mut grid = Grid::new(
            "model",
            &[
                "n",
                "df",
                "residual_sd",
                "r_squared",
                "adjusted_r_squared",
                "f",
                "f_df",
                "p",
            ],
        );
        let (n, free) = (Range::of(self.n), self.free());
        let one = Range::point(1.0);
        let terms = Range::of(&whole(self.columns.len().saturating_sub(1)));
        // What is left of the sum of squares lies between none and all of it.
        let left = self.found.rest.over(self.found.total);
        let left = if left.is_exact() {
            left
        } else {
            Range {
                low: left.low.max(0.0).min(left.value),
                high: left.high.min(1.0).max(left.value),
                ..left
            }
        };
        // n/(n - p) falls with n, and so does (n - 1)/(n - p).
        let parameters = terms.plus(one);
        let factor = |from: f64| n.map(|n| (n - from) / (n - parameters.value).max(0.0));
        let sd = self.found.rest.times(factor(0.0)).sqrt();
        let adjusted = one.minus(left.times(factor(1.0)));
        // What is explained is a difference too: where nothing is protected it was taken exactly.
        let explained = self.found.explained.map(Range::point);
        let odds = explained.map_or_else(
            || one.over(left).minus(one),
            |explained| explained.over(self.found.rest),
        );
        let f = odds.times(free).over(terms);
        let p = f.probability_of(free, |f, free| fisher_upper(f, terms.value, free));
        let r_squared = explained.map_or_else(
            || one.minus(left),
            |explained| explained.over(self.found.total),
        );
        grid.line("fit", &[n, free, sd, r_squared, adjusted, f, terms, p]);
        grid
    }
}
