//! Skewness and kurtosis of a column of a few numbers, from the counts of persons by value.
//!
//! Sums of third and fourth powers of any other column are made up by the few who are far out, so no rule
//! could release them; counts by value obey the rules for counts. Formulas: the unbiased estimates of
//! Fisher under normality (Joanes and Gill, The Statistician 47, 1998), see docs/analyses/describe.md.
//! What this file must not know: who asks.

use num_rational::BigRational;
use num_traits::{One, Zero};

use super::Expansion;
use super::arguments::{Arguments, refuse};
use super::distribution::student_critical;
use super::gram::mean_of;
use super::range::Range;
use super::report::{Grid, Report};
use super::strata::{Counts, sum};
use crate::codebook::{Codebook, ColumnRef, Role};
use crate::combine::{Interval, Released};
use crate::domain::is_value_counts;
use crate::number::Number;
use crate::problem::Problem;

/// Counts by group and value.
pub(super) fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Expansion, Problem> {
    let (value, table) = (arguments.column("value")?, arguments.table(codebook)?);
    let reference = ColumnRef {
        table: table.to_owned(),
        column: value.to_owned(),
    };
    let few = |column: &crate::codebook::Column| is_value_counts(column) && column.has(Role::Group);
    if codebook
        .column(&reference)
        .is_some_and(|column| !few(column))
    {
        return Err(refuse(
            "skewness and kurtosis are sums of third and fourth powers, which the few persons far out make up: \
             they are released of columns with at most 20 values that may be grouped by, as counts",
        )
        .write("quorate analyse histogram, or describe without `shape`"));
    }
    let by = arguments.get("by").map(|_| arguments.key("by"));
    let keys: Vec<String> = by
        .into_iter()
        .chain([Ok(value.to_owned())])
        .collect::<Result<_, _>>()?;
    let condition = arguments.condition([&reference], codebook);
    let list = keys.join(", ");
    Ok(Expansion {
        sql: format!("SELECT {list}, count(*) AS n FROM {table}{condition} GROUP BY {list}"),
        keys: keys.len(),
    })
}

pub(super) fn finish(released: &Released<'_>, level: f64) -> Report {
    let counts = Counts::read(released);
    let mut report = Report::of(released, &counts.sites);
    if !counts.unseen.is_empty() {
        let names = counts.unseen.join(", ");
        report.remark(format!(
            "Left out, because no node released anything of it: {names}. Numbers are about the others."
        ));
    }
    if counts.sites.is_empty() {
        return report;
    }
    let [_, values] = &counts.codes;
    let values: Option<Vec<BigRational>> = values
        .iter()
        .map(|code| Some(code.parse::<Number>().ok()?.to_rational()))
        .collect();
    let mut grid = Grid::new(
        "groups",
        &[
            "n",
            "mean",
            "sd",
            "standard_error",
            "from",
            "to",
            "skewness",
            "kurtosis",
        ],
    );
    for (name, counts) in counts.names[0].iter().zip(&counts.all) {
        let moments = values
            .as_deref()
            .and_then(|values| Moments::of(values, counts));
        if let Some(moments) = moments {
            grid.line(name.clone(), &moments.line(level));
        }
    }
    report.tables.push(grid);
    report
}

/// Number and mean of persons' values, and mean powers of what lies between them and a point near the mean.
struct Moments {
    n: Range,
    centre: f64,
    powers: [Range; 4],
}

impl Moments {
    fn of(values: &[BigRational], counts: &[Interval]) -> Option<Self> {
        let n = sum(counts);
        let total =
            |of: &mut dyn Iterator<Item = BigRational>| of.fold(BigRational::zero(), |a, b| a + b);
        if n.value.is_zero() {
            return None;
        }
        let weighted = &mut values.iter().zip(counts).map(|(value, n)| value * &n.value);
        let centre = total(weighted) / &n.value;
        let mean_power = |power: i32| {
            let off = values.iter().map(|value| value - &centre);
            let term =
                off.map(|off| (0..power).fold(BigRational::one(), |product, _| product * &off));
            let items = counts.iter().zip(term.map(Interval::exact));
            Some(mean_of(&items.collect::<Vec<_>>())?.range)
        };
        Some(Self {
            n: Range::of(&n),
            centre: super::range::float(&centre),
            powers: [
                mean_power(1)?,
                mean_power(2)?,
                mean_power(3)?,
                mean_power(4)?,
            ],
        })
    }

    fn line(&self, level: f64) -> [Range; 8] {
        let Self { n, centre, powers } = self;
        let [first, second, third, fourth] = *powers;
        let number = Range::point;
        let squared = first.times(first);
        let m2 = second.minus(squared).at_least_zero();
        let m3 = third.minus(number(3.0).times(first).times(second));
        let m3 = m3.plus(number(2.0).times(first).times(squared));
        let m4 = fourth.minus(number(4.0).times(first).times(third));
        let m4 = m4.plus(number(6.0).times(squared).times(second));
        let m4 = m4.minus(number(3.0).times(squared).times(squared));
        let sd = m2.times(n.map(|n| n / (n - 1.0))).sqrt();
        let error = m2.over(n.map(|n| n - 1.0)).sqrt();
        let df = n.map(|n| n - 1.0);
        let reach = df
            .probability(|df| student_critical(level, df))
            .times(error);
        let mean = number(*centre).plus(first);
        let skewness = m3.over(m2.times(m2.sqrt()));
        let skewness = skewness.times(n.map(|n| (n * (n - 1.0)).sqrt() / (n - 2.0)));
        let peaked = m4.over(m2.times(m2));
        let peaked = peaked.times(n.map(|n| (n * n - 1.0) / ((n - 2.0) * (n - 3.0))));
        let normal = n.map(|n| 3.0 * (n - 1.0) * (n - 1.0) / ((n - 2.0) * (n - 3.0)));
        [
            *n,
            mean,
            sd,
            error,
            mean.minus(reach),
            mean.plus(reach),
            skewness,
            peaked.minus(normal),
        ]
    }
}
