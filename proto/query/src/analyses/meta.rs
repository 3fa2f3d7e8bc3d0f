//! `meta`: how does an estimate differ from node to node, and what do they come to together? A
//! meta-analysis with every node as a study: fixed and random effects, heterogeneity, forest data.

use num_rational::BigRational;
use num_traits::Zero;

use super::arguments::{Argument, Arguments, CONFIDENCE, IS, TABLE, WHERE, refuse};
use super::groups::{self, Group, squared_error};
use super::levels::Must;
use super::pooling::{Estimate, Pooled};
use super::range::{Range, float};
use super::rate::Exposed;
use super::report::{Grid, Report};
use super::strata::{Counts, level_name, sum};
use super::two_by_two::Square;
use super::{Definition, Expansion, Run};
use crate::codebook::{Codebook, ColumnRef};
use crate::combine::{Interval, Released};
use crate::problem::Problem;
use crate::value::Scalar;

pub(super) const DEFINITION: Definition = Definition {
    name: "meta",
    version: 1,
    about: "How does an estimate differ from node to node? Fixed and random effects, I2, forest data",
    arguments: &[
        Argument::needed(
            "estimate",
            "WHAT",
            "mean, difference, odds_ratio, risk_ratio, risk_difference or rate_ratio",
        ),
        Argument::optional("value", "COLUMN", "mean, difference: the column of numbers"),
        Argument::optional(
            "outcome",
            "COLUMN",
            "odds and risks: the column that says who has it",
        ),
        IS,
        Argument::optional("events", "COLUMN", "rate_ratio: events of a person"),
        Argument::optional(
            "time",
            "COLUMN",
            "rate_ratio: time that each person was observed",
        ),
        Argument::optional("by", "COLUMN[:BAND]", "The two groups that are compared")
            .must(Must::TwoGroups(0)),
        TABLE,
        WHERE,
        CONFIDENCE,
    ],
    run: Run::One { expand, finish },
};

/// What is estimated at every node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    Mean,
    Difference,
    OddsRatio,
    RiskRatio,
    RiskDifference,
    RateRatio,
}

impl Effect {
    fn of(arguments: &Arguments) -> Result<Self, Problem> {
        let effect = match arguments.get("estimate").unwrap_or_default() {
            "mean" => Self::Mean,
            "difference" => Self::Difference,
            "odds_ratio" => Self::OddsRatio,
            "risk_ratio" => Self::RiskRatio,
            "risk_difference" => Self::RiskDifference,
            "rate_ratio" => Self::RateRatio,
            _ => {
                let about = "`estimate` is one of the estimates that are put together";
                let names = "mean, difference, odds_ratio, risk_ratio, risk_difference, rate_ratio";
                return Err(refuse(about).write(names));
            }
        };
        let needs: &[&str] = match effect {
            Self::Mean => &["value"],
            Self::Difference => &["value", "by"],
            Self::OddsRatio | Self::RiskRatio | Self::RiskDifference => &["outcome", "by"],
            Self::RateRatio => &["events", "time", "by"],
        };
        for name in ["value", "outcome", "events", "time", "by", "is"] {
            let (given, needed) = (arguments.get(name).is_some(), needs.contains(&name));
            let allowed = needed || (name == "is" && needs.contains(&"outcome"));
            if needed && !given {
                let estimate = arguments.get("estimate").unwrap_or_default();
                return Err(refuse(format!("`{estimate}` needs `{name}`")));
            }
            if given && !allowed {
                let estimate = arguments.get("estimate").unwrap_or_default();
                return Err(refuse(format!("`{estimate}` has no `{name}`")));
            }
        }
        Ok(effect)
    }

    /// Whether estimates are ratios, whose logarithms are put together.
    fn is_ratio(self) -> bool {
        matches!(self, Self::OddsRatio | Self::RiskRatio | Self::RateRatio)
    }
}

fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    arguments.confidence()?;
    match Effect::of(arguments)? {
        Effect::Mean | Effect::Difference => groups::expand(arguments, codebook),
        Effect::OddsRatio | Effect::RiskRatio | Effect::RiskDifference => {
            let (by, outcome) = (arguments.key("by")?, arguments.column("outcome")?);
            let table = arguments.table(codebook)?;
            let condition = arguments.condition(None, codebook);
            Ok(Expansion {
                sql: format!(
                    "SELECT {by}, {outcome}, count(*) AS n FROM {table}{condition} GROUP BY {by}, {outcome}"
                ),
                keys: 2,
            })
        }
        Effect::RateRatio => {
            let (events, time) = (arguments.column("events")?, arguments.column("time")?);
            let (by, table) = (arguments.key("by")?, arguments.table(codebook)?);
            let columns = [events, time].map(|column| ColumnRef {
                table: table.to_owned(),
                column: column.to_owned(),
            });
            let condition = arguments.condition(&columns, codebook);
            Ok(Expansion {
                sql: format!(
                    "SELECT {by}, sum({events}) AS events, sum({time}) AS time FROM {table}{condition} GROUP BY {by}"
                ),
                keys: 1,
            })
        }
    }
}

/// Estimates of the nodes that released all they need, by their place among those that answered.
struct Studies {
    estimates: Vec<(usize, Estimate)>,
    /// What was taken off every mean, so that means far from zero keep their digits; else zero.
    centre: BigRational,
    /// What is compared with what.
    groups: Vec<String>,
}

impl Studies {
    fn read(arguments: &Arguments, effect: Effect, released: &Released<'_>) -> Self {
        match effect {
            Effect::OddsRatio | Effect::RiskRatio | Effect::RiskDifference => {
                Self::of_counts(arguments, effect, released)
            }
            Effect::Mean | Effect::Difference | Effect::RateRatio => {
                Self::of_rows(effect, released)
            }
        }
    }

    /// Groups are rows; those that some node released.
    fn of_rows(effect: Effect, released: &Released<'_>) -> Self {
        let sites = released.sites().count();
        let seen = |row: &&[Scalar]| (0..sites).any(|site| released.has(row, 0, site));
        let known = |row: &&[Scalar]| !row.contains(&Scalar::Null);
        let rows: Vec<&[Scalar]> = released.rows().filter(known).filter(seen).collect();
        let name = |row: &&[Scalar]| row.first().map(|level| level_name(released, 0, level));
        let group = |site: usize| match (effect, rows.as_slice()) {
            (Effect::Mean, [row]) => Group::read(released, row, &[site]),
            _ => None,
        };
        let centre = (0..sites).find_map(|site| Some(group(site)?.mean.value));
        let centre = centre.unwrap_or_else(BigRational::zero);
        let estimate = |site: usize| match (effect, rows.as_slice()) {
            (Effect::Mean, _) => {
                let group = group(site)?;
                Some(Estimate {
                    middle: Range::of(&group.mean.minus(&Interval::exact(centre.clone()))),
                    variance: squared_error(&group),
                })
            }
            (Effect::Difference, [first, second]) => {
                let groups = [first, second].map(|row| Group::read(released, row, &[site]));
                let [Some(first), Some(second)] = groups else {
                    return None;
                };
                Some(Estimate {
                    middle: Range::of(&second.mean.minus(&first.mean)),
                    variance: squared_error(&first).plus(squared_error(&second)),
                })
            }
            (Effect::RateRatio, [first, second]) => {
                let groups = [first, second].map(|row| {
                    let known = released.is_exact()
                        || (released.has(row, 0, site) && released.has(row, 1, site));
                    known
                        .then(|| Exposed::read(released, row, &[site]))
                        .flatten()
                });
                let [Some(first), Some(second)] = groups else {
                    return None;
                };
                let inverse = |x: Range| Range::point(1.0).over(x);
                Some(Estimate {
                    middle: second.rate().over(first.rate()).ln(),
                    variance: inverse(first.events).plus(inverse(second.events)),
                })
            }
            _ => None,
        };
        let estimates = (0..sites).filter_map(|site| Some((site, estimate(site)?)));
        Self {
            estimates: estimates
                .filter(|(_, estimate)| is_some(estimate))
                .collect(),
            centre,
            groups: rows.iter().filter_map(name).collect(),
        }
    }

    fn of_counts(arguments: &Arguments, effect: Effect, released: &Released<'_>) -> Self {
        let counts = Counts::read(released);
        let at = counts.outcome(arguments.get(IS.name));
        let square = |cells: &Vec<Vec<Interval>>| {
            let split = |row: &Vec<Interval>| {
                let others = row
                    .iter()
                    .enumerate()
                    .filter(|(index, _)| Some(*index) != at);
                Some(vec![
                    sum(others.map(|(_, cell)| cell)),
                    row.get(at?)?.clone(),
                ])
            };
            Square::of(&cells.iter().map(split).collect::<Option<Vec<_>>>()?)
        };
        let estimate = |cells| {
            let square = square(cells)?;
            let (value, variance) = match effect {
                Effect::OddsRatio => square.odds_ratio(),
                Effect::RiskRatio => square.risk_ratio(),
                _ => square.risk_difference(),
            };
            let middle = if effect.is_ratio() { value.ln() } else { value };
            Some(Estimate { middle, variance })
        };
        let sites = counts.sites.iter().zip(&counts.by_site);
        let estimates = sites.filter_map(|(site, cells)| Some((*site, estimate(cells)?)));
        let outcome = at.and_then(|at| counts.names[1].get(at)).cloned();
        Self {
            estimates: estimates
                .filter(|(_, estimate)| is_some(estimate))
                .collect(),
            centre: BigRational::zero(),
            groups: counts.names[0].iter().cloned().chain(outcome).collect(),
        }
    }
}

/// Whether there is a number with a variance at all.
fn is_some(estimate: &Estimate) -> bool {
    estimate.middle.value.is_finite()
        && estimate.variance.value.is_finite()
        && estimate.variance.value > 0.0
}

fn finish(arguments: &Arguments, released: &Released<'_>) -> Report {
    let Ok(effect) = Effect::of(arguments) else {
        return Report::of(released, &[]);
    };
    let studies = Studies::read(arguments, effect, released);
    let sites: Vec<usize> = studies.estimates.iter().map(|(site, _)| *site).collect();
    let mut report = Report::of(released, &sites);
    match (effect, studies.groups.as_slice()) {
        (Effect::Mean, _) => {}
        (Effect::Difference, [first, second]) => {
            report.remark(format!("Differences are `{second}` less `{first}`."));
        }
        (Effect::RateRatio, [first, second]) => {
            report.remark(format!("Ratios are `{second}` over `{first}`."));
        }
        (_, [first, second, outcome]) => report.remark(format!(
            "Effects are of `{outcome}`: in `{second}` against `{first}`."
        )),
        _ => report.remark("This estimate compares two groups: choose two with `where`."),
    }
    if sites.is_empty() {
        return report;
    }
    let estimates: Vec<Estimate> = studies
        .estimates
        .iter()
        .map(|(_, estimate)| *estimate)
        .collect();
    let shown = |range: Range| {
        if effect.is_ratio() {
            range.exp()
        } else {
            range
        }
    };
    let centre = Range::point(float(&studies.centre));
    let pooled = (estimates.len() > 1).then(|| Pooled::of(&estimates).moved(centre));
    let estimates: Vec<Estimate> = estimates.iter().map(|x| x.moved(centre)).collect();
    let level = arguments.level();
    let names = report.sites.clone();
    report
        .tables
        .push(forest(&names, &estimates, pooled.as_ref(), (level, &shown)));
    match pooled {
        Some(pooled) => report.tables.extend(together(&pooled, level, &shown)),
        None => report.remark("One node is nothing to put together."),
    }
    report
}

fn forest(
    names: &[String],
    estimates: &[Estimate],
    pooled: Option<&Pooled>,
    (level, shown): (f64, &dyn Fn(Range) -> Range),
) -> Grid {
    let columns = [
        "estimate",
        "from",
        "to",
        "standard_error",
        "weight_fixed",
        "weight_random",
    ];
    let mut grid = Grid::new("nodes", &columns);
    for (at, (name, estimate)) in names.iter().zip(estimates).enumerate() {
        let [from, to] = estimate.interval(level, None);
        let mut row = vec![
            shown(estimate.middle),
            shown(from),
            shown(to),
            estimate.variance.sqrt(),
        ];
        let weights = pooled.and_then(|pooled| pooled.weights.get(at));
        row.extend(weights.into_iter().flatten());
        grid.line(name.clone(), &row);
    }
    grid
}

fn together(pooled: &Pooled, level: f64, shown: &dyn Fn(Range) -> Range) -> [Grid; 2] {
    let mut grid = Grid::new("pooled", &["estimate", "from", "to", "p"]);
    let mut line = |name: &str, estimate: &Estimate, df: Option<f64>| {
        let [from, to] = estimate.interval(level, df);
        let row = [
            shown(estimate.middle),
            shown(from),
            shown(to),
            estimate.p(df),
        ];
        grid.line(name, &row);
    };
    line("fixed", &pooled.fixed, None);
    line("random", &pooled.random, None);
    line("random_hartung_knapp", &pooled.knapp, Some(pooled.df));
    if let Some(further) = pooled.prediction() {
        let [from, to] = further.interval(level, Some(pooled.df - 1.0));
        grid.line(
            "prediction",
            &[shown(further.middle), shown(from), shown(to)],
        );
    }
    let mut heterogeneity = Grid::new(
        "heterogeneity",
        &["q", "df", "p", "i_squared", "tau_squared"],
    );
    let row = [
        pooled.q,
        Range::point(pooled.df),
        pooled.chance(),
        pooled.i_squared(),
        pooled.tau,
    ];
    heterogeneity.line("between_nodes", &row);
    [grid, heterogeneity]
}
