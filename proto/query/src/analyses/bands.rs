//! How persons are distributed over the bands of a column: the expansion, the counts with what is
//! known of withheld ones, and the quantiles that follow from them.
//!
//! Beside the counts by band the total is asked for. What a node withheld of its bands is then known
//! to be no more than its total less the others, so that thin tails do not hide everything else.
//! What it must not know: which analysis asks.

use std::collections::BTreeSet;

use num_rational::BigRational;
use num_traits::{One, Zero};

use super::arguments::{Argument, Arguments, no_column, refuse};
use super::range::{Range, float};
use super::report::Report;
use super::strata::{level_name, whole};
use super::{Expansion, Named};
use crate::codebook::{Codebook, Column, ColumnRef, Role};
use crate::combine::{Interval, Released, ReleasedTables};
use crate::domain;
use crate::number::Number;
use crate::problem::{Code, Problem};
use crate::question::{GroupKey, Stat};
use crate::value::Scalar;

/// `width`, the width of the bands.
pub(super) const WIDTH: Argument = Argument::optional(
    "width",
    "WIDTH",
    "Width of the bands, one that the codebook declares; else the narrowest that comes to at most 20 bands",
);

/// Automatic bands are at most so many.
const MOST: i128 = 20;

/// Names of the two tables.
pub(super) const TOTAL: &str = "total";
pub(super) const BANDS: &str = "bands";

/// Where the count of persons stands in both.
const COUNT: usize = 0;

/// The width of a column's bands: as given, else the narrowest declared one with few bands.
pub(super) fn width(column: &Column, given: Option<Number>) -> Result<Number, Problem> {
    if let Some(width) = given {
        return Ok(width);
    }
    let Some((low, high)) = column.bounds else {
        return Err(refuse("the column has no bounds, so `width` must be given"));
    };
    let few = |width: &&Number| {
        let bands = (high.to_rational() - low.to_rational()) / width.to_rational();
        bands <= BigRational::from_integer(MOST.into())
    };
    let narrowest = column.bands.iter().filter(few).min();
    let width = narrowest.or(column.bands.iter().max());
    let none = || refuse("the codebook declares no bands for the column");
    width.copied().ok_or_else(none)
}

/// The width of a band as it was written.
pub(super) fn read_width(argument: &str, text: &str) -> Result<Number, Problem> {
    let width = text.parse().ok();
    width.ok_or_else(|| {
        refuse(format!(
            "`{argument}`: the width of a band is a number such as 10"
        ))
    })
}

/// The total and the counts by band, by group if one is named.
pub(super) fn expand(arguments: &Arguments, codebook: &Codebook) -> Result<Vec<Named>, Problem> {
    let (value, table) = (arguments.column("value")?, arguments.table(codebook)?);
    let reference = ColumnRef {
        table: table.to_owned(),
        column: value.to_owned(),
    };
    let unknown = || no_column(Code("V900"), table, value, codebook);
    let column = codebook.column(&reference).ok_or_else(unknown)?;
    let given = arguments.get("width").map(|text| read_width("width", text));
    let width = width(column, given.transpose()?)?;
    let by = match arguments.get("by") {
        Some(_) => Some(arguments.key("by")?),
        None => None,
    };
    let condition = present(arguments, column, value);
    let band = format!("floor({value} / {width}) * {width}");
    let counted = |name: &str, keys: Vec<&str>| {
        let listed = keys.iter().fold(String::new(), |all, key| all + key + ", ");
        let grouped = match keys.as_slice() {
            [] => String::new(),
            keys => format!(" GROUP BY {}", keys.join(", ")),
        };
        Named {
            name: name.to_owned(),
            expansion: Expansion {
                sql: format!("SELECT {listed}count(*) AS n FROM {table}{condition}{grouped}"),
                keys: keys.len(),
            },
        }
    };
    let group = || by.iter().map(String::as_str);
    let bands = counted(BANDS, group().chain([band.as_str()]).collect());
    // Without a condition the total would count those without a value.
    if column.required || column.has(Role::Filter) {
        Ok(vec![counted(TOTAL, group().collect()), bands])
    } else {
        Ok(vec![bands])
    }
}

/// The WHERE clause: persons with a value, where WHERE may say so.
pub(super) fn present(arguments: &Arguments, column: &Column, name: &str) -> String {
    let known =
        (!column.required && column.has(Role::Filter)).then(|| format!("{name} IS NOT NULL"));
    let all: Vec<String> = arguments
        .get("where")
        .map(str::to_owned)
        .into_iter()
        .chain(known)
        .collect();
    match all.as_slice() {
        [] => String::new(),
        all => format!(" WHERE {}", all.join(" AND ")),
    }
}

/// Lower and upper edge of each band.
type Edges = Vec<(f64, f64)>;

/// Numbers of persons by group, beside the counts by band.
#[derive(Clone, Copy)]
pub(super) struct Total<'r> {
    pub(super) of: &'r Released<'r>,
    /// Place of the measure in it.
    pub(super) measure: usize,
    /// Whether only those are counted who are in some band.
    pub(super) all_have_a_band: bool,
}

/// Counts by group and band.
pub(super) struct Distribution {
    pub(super) groups: Vec<Bands>,
    /// Groups that no node released anything of.
    pub(super) unseen: Vec<String>,
    /// The nodes of which every group is known, by their place among those that answered.
    pub(super) sites: Vec<usize>,
}

/// One group: bands in ascending order.
pub(super) struct Bands {
    pub(super) name: String,
    /// Lower and upper edge of each band.
    pub(super) edges: Edges,
    sites: Vec<Site>,
}

/// What one node released of a group.
#[derive(Clone)]
struct Site {
    counts: Vec<Option<Interval>>,
    /// What its withheld bands have together.
    rest: Interval,
}

impl Distribution {
    /// What a reader has to know of groups.
    pub(super) fn explain(&self, report: &mut Report) {
        if !self.unseen.is_empty() {
            report.remark(format!(
                "Left out, because no node released anything of it: {}.",
                self.unseen.join(", ")
            ));
        }
    }

    /// Reads what [`expand`] asked for.
    pub(super) fn read(released: &ReleasedTables<'_>) -> Self {
        let total = released.get(TOTAL).map(|of| Total {
            of,
            measure: COUNT,
            all_have_a_band: true,
        });
        // An expansion without a total is a single table, which has no name.
        let bands = released.get(BANDS).or(released.first());
        bands.map_or_else(Self::nothing, |bands| Self::of(bands, total))
    }

    fn nothing() -> Self {
        Self {
            groups: Vec::new(),
            unseen: Vec::new(),
            sites: Vec::new(),
        }
    }

    /// Reads counts by band, beside a number of persons by group if there is one.
    pub(super) fn of(bands: &Released<'_>, total: Option<Total<'_>>) -> Self {
        match edges(bands) {
            Some((key, edges)) => Self::gather(bands, total, &key, edges),
            None => Self::nothing(),
        }
    }

    /// Reads counts by the levels of the last key instead of its bands; the levels, ascending.
    pub(super) fn of_levels(
        counts: &Released<'_>,
        total: Option<Total<'_>>,
    ) -> (Vec<Scalar>, Self) {
        let levels = counts.rows().filter_map(|row| row.last().cloned());
        let levels: BTreeSet<Scalar> = levels.filter(|level| *level != Scalar::Null).collect();
        let levels: Vec<Scalar> = levels.into_iter().collect();
        let found = Self::gather(counts, total, &levels, Vec::new());
        (levels, found)
    }

    fn gather(
        bands: &Released<'_>,
        total: Option<Total<'_>>,
        key: &[Scalar],
        edges: Edges,
    ) -> Self {
        let all: Vec<usize> = (0..bands.sites().count()).collect();
        let (groups, unseen) = groups(bands, &all);
        let name = |prefix: &Vec<Scalar>| match prefix.first() {
            Some(level) => level_name(bands, 0, level),
            None => "all".to_owned(),
        };
        let read = |prefix: &[Scalar], site: usize| site_of(bands, total, key, prefix, site);
        let complete = |site: &usize| groups.iter().all(|prefix| read(prefix, *site).is_some());
        let sites: Vec<usize> = all.iter().copied().filter(complete).collect();
        let group = |prefix: &Vec<Scalar>| Bands {
            name: name(prefix),
            edges: edges.clone(),
            sites: sites
                .iter()
                .filter_map(|site| read(prefix, *site))
                .collect(),
        };
        Self {
            groups: groups.iter().map(group).collect(),
            unseen: unseen.iter().map(name).collect(),
            sites,
        }
    }
}

/// The keys of the bands, and their edges within the column's bounds.
fn edges(bands: &Released<'_>) -> Option<(Vec<Scalar>, Edges)> {
    let (key, book) = (bands.group_keys().last()?, bands.codebook());
    let GroupKey::Band { column, width } = key else {
        return None;
    };
    let (low, high) = book.column(column)?.bounds?;
    let values = domain::key_values(key, bands.question(), book)?;
    let values: Vec<Scalar> = values.into_iter().filter(|v| *v != Scalar::Null).collect();
    let edge = |value: &Scalar| {
        let from = value.as_number()?.to_rational();
        let to = (&from + width.to_rational()).min(high.to_rational());
        Some((float(&from.max(low.to_rational())), float(&to)))
    };
    let edges: Option<Edges> = values.iter().map(edge).collect();
    Some((values, edges?))
}

/// Keys of groups.
type Prefixes = Vec<Vec<Scalar>>;

/// The groups of which some node released something, and those of which none did.
fn groups(bands: &Released<'_>, sites: &[usize]) -> (Prefixes, Prefixes) {
    let prefix = |row: &[Scalar]| row.split_last().map(|(_, prefix)| prefix.to_vec());
    let known = |row: &&[Scalar]| !row.contains(&Scalar::Null);
    let some = |row: &&[Scalar]| sites.iter().any(|site| bands.has(row, COUNT, *site));
    let rows = || bands.rows().filter(known);
    let all: BTreeSet<Vec<Scalar>> = rows().filter_map(prefix).collect();
    let seen: BTreeSet<Vec<Scalar>> = rows().filter(some).filter_map(prefix).collect();
    let unseen = all.difference(&seen).cloned().collect();
    (seen.into_iter().collect(), unseen)
}

/// What a node released of a group; nothing if its withheld bands may have any number of persons.
fn site_of(
    bands: &Released<'_>,
    total: Option<Total<'_>>,
    key: &[Scalar],
    prefix: &[Scalar],
    site: usize,
) -> Option<Site> {
    let count = |band: &Scalar| {
        let row: Vec<Scalar> = prefix.iter().cloned().chain([band.clone()]).collect();
        let found = bands.statistic(&row, COUNT, Stat::Count, &[site]);
        // Where nothing is protected, a band that is not listed is empty.
        found.or_else(|| bands.is_exact().then(|| whole(0)))
    };
    let counts: Vec<Option<Interval>> = key.iter().map(count).collect();
    let shown = counts.iter().flatten().fold(whole(0), |sum, n| sum.plus(n));
    let rest = if counts.iter().any(Option::is_none) {
        let Total { of, measure, .. } = total?;
        let all = of.statistic(prefix, measure, Stat::Count, &[site])?;
        let zero = BigRational::zero();
        let rest = all.minus(&shown).map(|end| end.clone().max(zero.clone()));
        if total?.all_have_a_band {
            rest
        } else {
            Interval { low: zero, ..rest }
        }
    } else {
        whole(0)
    };
    Some(Site { counts, rest })
}

impl Bands {
    /// Several groups as one.
    pub(super) fn together(groups: &[Self]) -> Option<Self> {
        let edges = groups.first()?.edges.clone();
        Some(Self {
            name: "all".to_owned(),
            edges,
            sites: groups
                .iter()
                .flat_map(|group| group.sites.clone())
                .collect(),
        })
    }

    /// The persons of one band, as the nodes released them: no number where none did, and where some
    /// withheld it a limit that allows for what they withheld.
    pub(super) fn shown(&self, band: usize) -> Option<Interval> {
        let of = |site: &Site| site.counts.get(band).cloned().flatten();
        let released = self.sites.iter().filter_map(of);
        let value = released.reduce(|sum, count| sum.plus(&count))?;
        let high = self.mass(|at| at == band).high;
        Some(Interval::new(value.value, value.low, high))
    }

    /// How many persons lie in some of the bands.
    pub(super) fn mass(&self, within: impl Fn(usize) -> bool) -> Interval {
        let mut sum = whole(0);
        for site in &self.sites {
            let (mut hidden, mut hidden_within) = (0_i64, 0_i64);
            for (band, count) in site.counts.iter().enumerate() {
                match count {
                    Some(count) if within(band) => sum = sum.plus(count),
                    Some(_) => {}
                    None => {
                        hidden += 1;
                        hidden_within += i64::from(within(band));
                    }
                }
            }
            sum = sum.plus(&site.rest_in(hidden, hidden_within));
        }
        sum
    }

    /// All persons.
    pub(super) fn persons(&self) -> Interval {
        self.mass(|_| true)
    }

    /// The quantile at a level: the least value that at least this share of persons does not
    /// exceed, and where two values fit, anything between them. It lies within the bands between
    /// its limits; the value is read off a straight line within a band.
    pub(super) fn quantile(&self, level: &BigRational) -> Range {
        let above_share = BigRational::one() - level;
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for (band, (from, to)) in self.edges.iter().enumerate() {
            let below = self.mass(|at| at <= band);
            let above = self.mass(|at| at > band);
            let possible =
                !below.high.is_zero() && &below.high * &above_share >= level * &above.low;
            if possible && low.is_infinite() {
                low = *from;
            }
            if &below.low * &above_share > level * &above.high {
                high = *to;
                break;
            }
        }
        match self.interpolated(level) {
            Some(value) => Range {
                value: value.max(low).min(high),
                low,
                high,
            },
            None => Range::NONE,
        }
    }

    fn interpolated(&self, level: &BigRational) -> Option<f64> {
        let target = self.persons().value * level;
        let mut before = BigRational::zero();
        for (band, (from, to)) in self.edges.iter().enumerate() {
            let here = self.mass(|at| at == band).value;
            let upto = &before + &here;
            if !here.is_zero() && upto >= target {
                let share = float(&((&target - &before) / &here));
                return Some(from + (to - from) * share);
            }
            before = upto;
        }
        None
    }
}

impl Site {
    /// What so many of the withheld bands have: nothing is known of one alone but that it has no
    /// more than all of them.
    fn rest_in(&self, hidden: i64, within: i64) -> Interval {
        let zero = BigRational::zero();
        match within {
            0 => whole(0),
            all if all == hidden => self.rest.clone(),
            some => {
                let share = BigRational::new(some.into(), hidden.into());
                Interval {
                    value: &self.rest.value * share,
                    low: zero,
                    high: self.rest.high.clone(),
                }
            }
        }
    }
}
