//! Means, variances and covariances of several columns of numbers over their complete cases: the
//! pieces of text that ask for them, and what was released for these.
//!
//! Covariances are put together about the means that are shown, node by node: limits are close then,
//! because what is not known of the nodes' numbers of persons weighs little. What this file must not
//! know: what is tested with them.

use num_rational::BigRational;
use num_traits::{Signed, Zero};

use super::arguments::{Argument, Arguments, no_column, refuse};
use super::groups::weighted_mean;
use crate::codebook::{Codebook, Column, ColumnRef, Role};
use crate::combine::{Interval, Released};
use crate::domain::is_value_counts;
use crate::measure::products::centre;
use crate::problem::{Code, Problem};
use crate::question::Stat;
use crate::value::Scalar;

/// `columns`, a list.
pub(super) const COLUMNS: Argument = Argument::needed(
    "columns",
    "COLUMN,COLUMN",
    "Columns of numbers, with commas between them",
);

/// The names in a list with commas, each once.
pub(super) fn names(text: &str, argument: &str) -> Result<Vec<String>, Problem> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if names.iter().any(|known| known == name) {
            return Err(refuse(format!("`{argument}` has `{name}` twice")));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

/// A column of the table, which must be a number with bounds of its own and more than a few values.
pub(super) fn number_column<'a>(
    table: &str,
    name: &str,
    codebook: &'a Codebook,
) -> Result<&'a Column, Problem> {
    let column = known_column(table, name, codebook)?;
    if is_value_counts(column) {
        return Err(refuse(format!(
            "`{name}` has a few values only: compare groups of it by ttest, anova or lm"
        )));
    }
    if column.has(Role::Value) && column.ty.is_numeric() && column.bounds.is_some() {
        Ok(column)
    } else {
        Err(refuse(format!(
            "`{name}` is no number with bounds that may be aggregated"
        )))
    }
}

/// A column of the table.
pub(super) fn known_column<'a>(
    table: &str,
    name: &str,
    codebook: &'a Codebook,
) -> Result<&'a Column, Problem> {
    let reference = ColumnRef {
        table: table.to_owned(),
        column: name.to_owned(),
    };
    codebook
        .column(&reference)
        .ok_or_else(|| no_column(Code("V400"), table, name, codebook))
}

/// `avg((a - 50) * (b - 300))`: what products of two columns are written as.
pub(super) fn product(
    table: &str,
    both: [&str; 2],
    codebook: &Codebook,
) -> Result<String, Problem> {
    let [left, right] = both.map(|name| factor(table, name, codebook));
    Ok(format!("avg({} * {})", left?, right?))
}

fn factor(table: &str, name: &str, codebook: &Codebook) -> Result<String, Problem> {
    let column = number_column(table, name, codebook)?;
    let centre = column
        .bounds
        .zip(column.ty.scale())
        .and_then(|(bounds, scale)| centre(bounds, scale));
    let centre =
        centre.ok_or_else(|| refuse(format!("`{name}` has bounds beyond its decimals")))?;
    let size = crate::number::Number::new(centre.mantissa().saturating_abs(), centre.exponent());
    let sign = if centre.is_negative() { '+' } else { '-' };
    Ok(format!("({name} {sign} {size})"))
}

/// The WHERE clause with everybody left out who lacks one of the columns: everything is computed over
/// the same persons then.
pub(super) fn complete_cases(
    arguments: &Arguments,
    table: &str,
    names: &[&str],
    codebook: &Codebook,
) -> Result<String, Problem> {
    let mut all: Vec<String> = arguments
        .get("where")
        .map(str::to_owned)
        .into_iter()
        .collect();
    for name in names {
        let column = known_column(table, name, codebook)?;
        if column.required {
            continue;
        }
        if !column.has(Role::Filter) {
            return Err(refuse(format!(
                "`{name}` may be missing, and WHERE may not name it: complete cases cannot be chosen"
            )));
        }
        all.push(format!("{name} IS NOT NULL"));
    }
    Ok(if all.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", all.join(" AND "))
    })
}

/// Every pair of some columns, in order.
pub(super) fn pairs(names: &[String]) -> impl Iterator<Item = [&str; 2]> {
    names.iter().enumerate().flat_map(|(at, one)| {
        let others = names.iter().skip(at.saturating_add(1));
        others.map(move |other| [one.as_str(), other.as_str()])
    })
}

/// What the table asks for: mean and deviation of each column, then the product of each pair.
pub(super) fn measured(
    table: &str,
    names: &[String],
    codebook: &Codebook,
) -> Result<String, Problem> {
    let mut all: Vec<String> = Vec::new();
    for name in names {
        number_column(table, name, codebook)?;
        all.push(format!("avg({name})"));
    }
    for pair in pairs(names) {
        all.push(product(table, pair, codebook)?);
    }
    Ok(all.join(", "))
}

/// What was released for [`measured`], of the nodes that released all of it.
pub(super) struct Pairs<'r> {
    released: &'r Released<'r>,
    /// Where the means stand.
    places: Vec<usize>,
    /// The nodes, by their place among those that answered.
    pub(super) sites: Vec<usize>,
    /// Persons with all columns.
    pub(super) n: Interval,
    /// Their means.
    pub(super) means: Vec<Interval>,
    /// Their variances, with divisor n.
    pub(super) variances: Vec<Interval>,
    /// Their covariances, with divisor n, in the order of [`pairs`].
    pub(super) covariances: Vec<Interval>,
}

/// The only row of a table without keys.
const ROW: &[Scalar] = &[];

impl<'r> Pairs<'r> {
    /// Reads it; `None` if no node released everything.
    pub(super) fn read(released: &'r Released<'r>, names: &[String]) -> Option<Self> {
        let places: Vec<usize> = names
            .iter()
            .map(|name| released.mean_of(name))
            .collect::<Option<_>>()?;
        let products: Vec<(usize, bool)> = pairs(names)
            .map(|pair| released.product_of(pair))
            .collect::<Option<_>>()?;
        let first = *places.first()?;
        let complete = |site: &usize| {
            let all = places.iter().chain(products.iter().map(|(at, _)| at));
            let mut has = all.map(|measure| released.has(ROW, *measure, *site));
            let counted = released.statistic(ROW, first, Stat::Count, &[*site]);
            has.all(|has| has) && counted.is_some_and(|n| n.value.is_positive())
        };
        let sites: Vec<usize> = (0..released.sites().count()).filter(complete).collect();
        let each = |stat| -> Option<Vec<Interval>> {
            let of = |place: &usize| released.statistic(ROW, *place, stat, &sites);
            places.iter().map(of).collect()
        };
        let mut found = Self {
            released,
            n: released.statistic(ROW, first, Stat::Count, &sites)?,
            means: each(Stat::Mean)?,
            variances: each(Stat::VarPop)?,
            covariances: Vec::new(),
            places,
            sites,
        };
        let index = (0..names.len()).flat_map(|i| (i + 1..names.len()).map(move |j| [i, j]));
        let all = index
            .zip(&products)
            .map(|(pair, product)| found.covariance(*product, pair));
        let all: Option<Vec<Interval>> = all.collect();
        found.covariances = all?;
        Some(found)
    }

    /// `mean((a - x)(b - y)) - (mean a - x)(mean b - y)` about the shown means `(x, y)`.
    fn covariance(
        &self,
        (measure, in_order): (usize, bool),
        [i, j]: [usize; 2],
    ) -> Option<Interval> {
        let (a, b) = (self.means.get(i)?, self.means.get(j)?);
        let about = [&a.value, &b.value];
        let mut items = Vec::new();
        for site in &self.sites {
            let n = self
                .released
                .statistic(ROW, measure, Stat::Count, &[*site])?;
            items.push((n, self.about((measure, in_order), [i, j], about, *site)?));
        }
        let product = weighted_mean(&items)?;
        let off = |mean: &Interval| mean.minus(&Interval::exact(mean.value.clone()));
        Some(product.minus(&off(a).times(&off(b))))
    }

    /// One node's mean of the products about these numbers.
    fn about(
        &self,
        (measure, in_order): (usize, bool),
        [i, j]: [usize; 2],
        about: [&BigRational; 2],
        site: usize,
    ) -> Option<Interval> {
        let of = |measure| self.released.statistic(ROW, measure, Stat::Mean, &[site]);
        let product = of(measure)?;
        let (a, b) = (of(*self.places.get(i)?)?, of(*self.places.get(j)?)?);
        let (left, right) = self.released.facts(measure)?.centres?;
        let (c, d) = if in_order {
            (left, right)
        } else {
            (right, left)
        };
        let from = [&c.to_rational(), &d.to_rational()];
        Some(moved(&product, [&a, &b], from, about))
    }
}

/// The mean of products about `(x, y)` from that about `(c, d)` and both means:
/// `(a - x)(b - y) = (a - c)(b - d) - (x - c)(b - d) - (y - d)(a - c) + (x - c)(y - d)`.
pub(super) fn moved(
    product: &Interval,
    [a, b]: [&Interval; 2],
    [c, d]: [&BigRational; 2],
    [x, y]: [&BigRational; 2],
) -> Interval {
    let (right, down) = (Interval::exact(x - c), Interval::exact(y - d));
    let (a, b) = (
        a.minus(&Interval::exact(c.clone())),
        b.minus(&Interval::exact(d.clone())),
    );
    product
        .minus(&right.times(&b))
        .minus(&down.times(&a))
        .plus(&right.times(&down))
}

/// A variance or covariance with divisor n - 1 from one with divisor n.
pub(super) fn sample(value: &Interval, n: &Interval) -> Option<Interval> {
    let one = Interval::exact(BigRational::from_integer(1.into()));
    if (&n.low - &one.value) <= BigRational::zero() {
        return None;
    }
    // n / (n - 1) = 1 + 1 / (n - 1), which falls with n.
    let factor = one.over(&n.minus(&one))?.plus(&one);
    Some(value.times(&factor))
}
