//! Counts of persons by two group keys: levels, the nodes that released all of them, and the tables
//! of all of these together and of each.
//!
//! What it must not know: what is tested with them.

use std::collections::BTreeSet;

use num_bigint::BigInt;
use num_rational::BigRational;

use crate::combine::{Interval, Released};
use crate::question::{GroupKey, Stat};
use crate::value::Scalar;

/// Where the count of persons stands in the expansion.
const COUNT: usize = 0;

/// Counts by level of the first and of the second key; `sites` released every one.
pub(super) struct Counts {
    /// Levels of the two keys as people read them.
    pub(super) names: [Vec<String>; 2],
    /// Levels of the two keys as codes.
    pub(super) codes: [Vec<String>; 2],
    /// Levels that no node released anything of.
    pub(super) unseen: Vec<String>,
    /// The greatest level of the second key, released or not, as a code.
    greatest: Option<String>,
    /// The nodes, by their place among those that answered.
    pub(super) sites: Vec<usize>,
    /// Their names.
    pub(super) nodes: Vec<String>,
    /// All nodes together, row by row.
    pub(super) all: Vec<Vec<Interval>>,
    /// Each node's own table.
    pub(super) by_site: Vec<Vec<Vec<Interval>>>,
}

impl Counts {
    /// Where the outcome stands among the levels of the second key: the one that was named, else the
    /// greatest there is. Another one does not stand in where nobody released it.
    pub(super) fn outcome(&self, named: Option<&str>) -> Option<usize> {
        let wanted = named.or(self.greatest.as_deref());
        let [_, codes] = &self.codes;
        codes.iter().position(|code| Some(code.as_str()) == wanted)
    }

    /// Whether any node released anything.
    pub(super) fn has_levels(&self) -> bool {
        self.codes.iter().all(|levels| !levels.is_empty())
    }

    /// Reads the counts of an expansion by two keys. Rows without a value of a key are in no level,
    /// and a level of which no node released anything is left out: what is tested then is about the
    /// persons of the other levels.
    pub(super) fn read(released: &Released<'_>) -> Self {
        Self::within(released, &[])
    }

    /// The counts of each stratum with its name, where further keys come first; one without a name if
    /// there are none.
    pub(super) fn strata(released: &Released<'_>, keys: usize) -> Vec<(String, Self)> {
        let rows = released.rows().filter_map(|row| row.get(..keys));
        let known: BTreeSet<&[Scalar]> = rows.filter(|row| !row.contains(&Scalar::Null)).collect();
        let stratum = |levels: &[Scalar]| {
            let names = levels.iter().enumerate();
            let names = names.map(|(key, level)| level_name(released, key, level));
            let name = names.collect::<Vec<String>>().join(", ");
            (name, Self::within(released, levels))
        };
        known.into_iter().map(stratum).collect()
    }

    /// The counts of the rows that begin with some levels, by the two keys after them; by one, if there is
    /// no more, as a single row.
    fn within(released: &Released<'_>, stratum: &[Scalar]) -> Self {
        let sites: Vec<usize> = (0..released.sites().count()).collect();
        let known = |row: &&[Scalar]| row.starts_with(stratum) && !row.contains(&Scalar::Null);
        let alone = released.group_keys().len() <= stratum.len() + 1;
        let skipped = usize::from(alone);
        let place = |key: usize| (stratum.len() + key).saturating_sub(skipped);
        let row = |pair: &[Scalar]| [stratum, pair.get(skipped..).unwrap_or(pair)].concat();
        let seen = |key: usize, only_released: bool| -> BTreeSet<Scalar> {
            if alone && key == 0 {
                return BTreeSet::from([Scalar::Null]);
            }
            let some = |row: &&[Scalar]| {
                !only_released || sites.iter().any(|site| released.has(row, COUNT, *site))
            };
            let rows = released.rows().filter(known).filter(some);
            rows.filter_map(|row| row.get(place(key)).cloned())
                .collect()
        };
        let levels = [seen(0, true), seen(1, true)];
        let mut unseen = Vec::new();
        for (key, kept) in levels.iter().enumerate() {
            let dropped = seen(key, false);
            let dropped = dropped.difference(kept);
            unseen.extend(dropped.map(|level| level_name(released, place(key), level)));
        }
        let complete = |site: &usize| {
            grid(&levels, |pair| {
                released.has(&row(pair), COUNT, *site).then_some(())
            })
            .is_some()
        };
        let sites: Vec<usize> = sites.iter().copied().filter(complete).collect();
        let count = |sites: &[usize]| {
            grid(&levels, |pair| {
                released.statistic(&row(pair), COUNT, Stat::Count, sites)
            })
        };
        let nodes = released.sites().enumerate();
        let nodes = nodes.filter(|(site, _)| sites.contains(site));
        let nodes = nodes.map(|(_, name)| name.to_owned()).collect();
        let by_site = sites.iter().filter_map(|site| count(&[*site])).collect();
        let text = |key: usize, name: fn(&Released<'_>, usize, &Scalar) -> String| {
            if alone && key == 0 {
                return vec!["all".to_owned()];
            }
            let levels = levels.iter().skip(key).take(1).flatten();
            levels
                .map(|level| name(released, place(key), level))
                .collect::<Vec<_>>()
        };
        let code = |_: &Released<'_>, _: usize, level: &Scalar| plain(level);
        Self {
            names: [text(0, level_name), text(1, level_name)],
            codes: [text(0, code), text(1, code)],
            unseen,
            greatest: seen(1, false).last().map(plain),
            nodes,
            all: count(&sites).unwrap_or_default(),
            by_site,
            sites,
        }
    }
}

/// A table by level, row by row; nothing if a cell is nothing.
fn grid<T>(
    levels: &[BTreeSet<Scalar>; 2],
    cell: impl Fn(&[Scalar]) -> Option<T>,
) -> Option<Vec<Vec<T>>> {
    let [first, second] = levels;
    let row = |a: &Scalar| {
        second
            .iter()
            .map(|b| cell(&[a.clone(), b.clone()]))
            .collect()
    };
    first.iter().map(row).collect()
}

/// `sex = 1 male`: the column, the value, its label.
pub(super) fn level_name(released: &Released<'_>, key: usize, level: &Scalar) -> String {
    let name = released.key_name(key);
    let column = match released.group_keys().get(key) {
        Some(GroupKey::Column(_)) => name.to_owned(),
        Some(GroupKey::Band { width, .. }) => format!("{name} from (width {width})"),
        Some(GroupKey::Period { .. }) => format!("{name} from"),
        None => String::new(),
    };
    let value = plain(level);
    match released.label(key, level).filter(|label| *label != value) {
        Some(label) => format!("{column} {value} {label}"),
        None => format!("{column} {value}"),
    }
}

/// A level as text.
pub(super) fn plain(level: &Scalar) -> String {
    match level.to_json() {
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}

/// A whole number.
pub(super) fn whole(value: usize) -> Interval {
    Interval::exact(BigRational::from_integer(BigInt::from(value)))
}

/// The sum of intervals.
pub(super) fn sum<'a>(parts: impl IntoIterator<Item = &'a Interval>) -> Interval {
    parts.into_iter().fold(whole(0), |sum, part| sum.plus(part))
}

/// `a / (a + b)` of two numbers that are not negative: it grows with `a` and falls with `b`.
pub(super) fn share(a: &Interval, b: &Interval) -> Option<Interval> {
    let of = |a: &BigRational, b: &BigRational| {
        let whole = a + b;
        (whole != BigRational::from_integer(0.into())).then(|| a / whole)
    };
    Some(Interval::new(
        of(&a.value, &b.value)?,
        of(&a.low, &b.high)?,
        of(&a.high, &b.low)?,
    ))
}
