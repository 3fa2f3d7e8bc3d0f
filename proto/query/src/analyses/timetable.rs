//! Ends of follow-up by group and interval, read from one released table or from two: a fine grid of
//! time, and a coarser one that stands in where a node withheld part of the fine one.
//!
//! What it must not know: what is estimated from them.

use std::collections::BTreeSet;

use super::follow_up::{Ends, total};
use super::range::{Range, float};
use super::strata::{level_name, plain};
use crate::combine::Released;
use crate::number::Number;
use crate::question::{GroupKey, Stat};
use crate::value::Scalar;

/// Where the count of persons stands in the expansion.
const COUNT: usize = 0;

/// What the nodes released, by group and interval.
pub(super) struct Timetable {
    /// Groups by name.
    pub(super) groups: Vec<(String, Ends)>,
    /// Groups of every node.
    pub(super) by_site: Vec<Vec<Ends>>,
    /// Where each interval begins and ends.
    pub(super) grid: Vec<(f64, f64)>,
    /// The nodes, by their place among those that answered.
    pub(super) sites: Vec<usize>,
    /// Cells that no node released.
    pub(super) unseen: Vec<String>,
    /// Beginning and end of intervals that are merged, because part of them was withheld.
    pub(super) merged: Vec<(f64, f64)>,
    /// What counts as the event.
    pub(super) event: String,
    /// The last interval also holds whatever lies beyond the bounds of the column.
    pub(super) open: bool,
}

/// Which keys a question has and which value is the event.
#[derive(Clone, Copy)]
pub(super) struct Keys<'a> {
    /// Whether the first key is a group.
    pub(super) grouped: bool,
    /// The value of the event; else the greatest.
    pub(super) event: Option<&'a str>,
}

impl Keys<'_> {
    /// Where the time stands among the keys.
    fn time(self) -> usize {
        usize::from(self.grouped)
    }
}

/// What was released of follow-up.
pub(super) struct Tables<'r> {
    /// By the declared grid.
    pub(super) fine: &'r Released<'r>,
    /// By wider intervals, if these were asked for.
    pub(super) coarse: Option<&'r Released<'r>>,
    /// Who is followed beyond an end, and that end.
    pub(super) beyond: Option<(&'r Released<'r>, Number)>,
}

/// Who is followed beyond the end, by group.
struct Beyond<'r> {
    released: Option<&'r Released<'r>>,
    from: Option<f64>,
    /// Every group that a node released something of, and whether this was.
    groups: Vec<(Option<Scalar>, bool)>,
}

impl<'r> Beyond<'r> {
    fn of(tables: &Tables<'r>, levels: &Levels<'_, '_>) -> Self {
        let released = tables.beyond.map(|(released, _)| released);
        let seen = |group: &Option<Scalar>| {
            released.is_some_and(|released| {
                let mut sites = 0..released.sites().count();
                sites.any(|site| released.has(group.as_slice(), COUNT, site))
            })
        };
        let groups = levels.groups.iter();
        Self {
            released,
            from: tables.beyond.map(|(_, from)| float(&from.to_rational())),
            groups: groups.map(|group| (group.clone(), seen(group))).collect(),
        }
    }

    /// Those of the nodes that released all that some node did.
    fn complete(&self, mut sites: Vec<usize>) -> Vec<usize> {
        if let Some(released) = self.released.filter(|released| !released.is_exact()) {
            let seen = self.groups.iter().filter(|(_, seen)| *seen);
            let seen: Vec<&[Scalar]> = seen.map(|(group, _)| group.as_slice()).collect();
            sites.retain(|site| seen.iter().all(|row| released.has(row, COUNT, *site)));
        }
        sites
    }

    fn count(&self, group: Option<&Scalar>, sites: &[usize]) -> Range {
        let seen = |(known, seen): &(Option<Scalar>, bool)| *seen && known.as_ref() == group;
        match self.released.filter(|_| self.groups.iter().any(seen)) {
            Some(released) => {
                let row: Vec<Scalar> = group.into_iter().cloned().collect();
                let count = released.statistic(&row, COUNT, Stat::Count, sites);
                Range::maybe(count.as_ref())
            }
            None => Range::point(0.0),
        }
    }

    /// Groups of which no node released how many are followed longer.
    fn unseen(&self) -> Vec<String> {
        let Some((released, from)) = self.released.zip(self.from) else {
            return Vec::new();
        };
        let unseen = self.groups.iter().filter(|(_, seen)| !seen);
        let name = |(group, _): &(Option<Scalar>, bool)| match group {
            Some(level) => format!("{}, {from} or longer", level_name(released, 0, level)),
            None => format!("{from} or longer"),
        };
        match released.is_exact() {
            true => Vec::new(),
            false => unseen.map(name).collect(),
        }
    }
}

/// Levels of the keys, which of the last one's is the event, and the cells that some node released.
struct Levels<'r, 'a> {
    released: &'r Released<'a>,
    groups: Vec<Option<Scalar>>,
    times: Vec<Scalar>,
    ends: Vec<Scalar>,
    event: Scalar,
    cells: BTreeSet<Vec<Scalar>>,
    /// Cells that no node released.
    others: Vec<Vec<Scalar>>,
}

fn key(group: Option<&Scalar>, time: &Scalar, end: &Scalar) -> Vec<Scalar> {
    group.into_iter().chain([time, end]).cloned().collect()
}

impl<'r, 'a> Levels<'r, 'a> {
    fn read(released: &'r Released<'a>, keys: Keys<'_>) -> Option<Self> {
        let sites = 0..released.sites().count();
        let seen = |row: &&[Scalar]| sites.clone().any(|site| released.has(row, COUNT, site));
        let whole = |row: &&[Scalar]| !row.contains(&Scalar::Null);
        let (cells, others): (Vec<&[Scalar]>, Vec<&[Scalar]>) =
            released.rows().filter(whole).partition(seen);
        let levels = |at: usize| -> BTreeSet<Scalar> {
            let found = cells.iter().filter_map(|row| row.get(at));
            found.cloned().collect()
        };
        let groups = if keys.grouped {
            levels(0).into_iter().map(Some).collect()
        } else {
            vec![None]
        };
        let ends = levels(keys.time() + 1);
        // The greatest of all levels, released or not: another one does not stand in for the event.
        let of_all = cells
            .iter()
            .chain(&others)
            .filter_map(|row| row.get(keys.time() + 1));
        let event = match keys.event {
            Some(wanted) => ends.iter().find(|level| plain(level) == wanted),
            None => of_all.max().filter(|level| ends.contains(*level)),
        };
        Some(Self {
            groups,
            times: levels(keys.time()).into_iter().collect(),
            event: event?.clone(),
            ends: ends.into_iter().collect(),
            cells: cells.into_iter().map(<[Scalar]>::to_vec).collect(),
            others: others.into_iter().map(<[Scalar]>::to_vec).collect(),
            released,
        })
    }

    /// Nodes that released every cell that some node released. Where nothing is protected, a cell that
    /// a node does not list is empty.
    fn complete(&self) -> Vec<usize> {
        let has = |row: &Vec<Scalar>, site: usize| {
            self.released.is_exact() || self.released.has(row, COUNT, site)
        };
        let complete = |site: &usize| self.cells.iter().all(|row| has(row, *site));
        let sites = 0..self.released.sites().count();
        sites.filter(complete).collect()
    }

    /// Persons of a group whose follow-up ended in an interval, with the event or without.
    fn count(&self, group: Option<&Scalar>, time: &Scalar, event: bool, sites: &[usize]) -> Range {
        let kinds = self.ends.iter();
        let kinds = kinds.filter(|end| (**end == self.event) == event);
        let rows = kinds.map(|end| key(group, time, end));
        let rows = rows.filter(|row| self.cells.contains(row));
        let counts = rows.map(|row| {
            let count = self.released.statistic(&row, COUNT, Stat::Count, sites);
            Range::maybe(count.as_ref())
        });
        total(&counts.collect::<Vec<Range>>())
    }

    /// Names of cells.
    fn names<'c>(&self, cells: impl Iterator<Item = &'c Vec<Scalar>>) -> Vec<String> {
        let name = |row: &Vec<Scalar>| {
            let levels = row.iter().enumerate();
            let names = levels.map(|(at, level)| level_name(self.released, at, level));
            names.collect::<Vec<String>>().join(", ")
        };
        cells.map(name).collect()
    }
}

/// An interval of the timetable: from which table it is, and where it lies.
struct Interval<'l, 'r, 'a> {
    levels: &'l Levels<'r, 'a>,
    time: Scalar,
    from: f64,
    to: f64,
}

/// Where an interval lies; a column without bands has one for each of its values.
fn place(released: &Released<'_>, key: usize, time: &Scalar) -> Option<(f64, f64)> {
    let width = match released.group_keys().get(key)? {
        GroupKey::Band { width, .. } => float(&width.to_rational()),
        GroupKey::Column(_) | GroupKey::Period { .. } => 0.0,
    };
    let from = float(&time.as_number()?.to_rational());
    Some((from, from + width))
}

/// Every interval of a table.
fn intervals<'l, 'r, 'a>(
    levels: &'l Levels<'r, 'a>,
    key: usize,
) -> Option<Vec<Interval<'l, 'r, 'a>>> {
    let interval = |time: &Scalar| {
        let (from, to) = place(levels.released, key, time)?;
        Some(Interval {
            levels,
            time: time.clone(),
            from,
            to,
        })
    };
    levels.times.iter().map(interval).collect()
}

impl Timetable {
    /// Reads the counts by time.
    pub(super) fn read(tables: &Tables<'_>, keys: Keys<'_>) -> Option<Self> {
        let fine = Levels::read(tables.fine, keys);
        let Some(coarse) = tables.coarse else {
            let fine = fine?;
            let beyond = Beyond::of(tables, &fine);
            let sites = beyond.complete(fine.complete());
            let unseen = fine.names(fine.others.iter());
            let all = intervals(&fine, keys.time())?;
            return Some(Self::of((&fine, &beyond), &all, sites, keys).but(unseen, Vec::new()));
        };
        let coarse = Levels::read(coarse, keys)?;
        let beyond = Beyond::of(tables, &coarse);
        let sites = beyond.complete(coarse.complete());
        let mut all = Vec::new();
        let mut merged = Vec::new();
        for wide in intervals(&coarse, keys.time())? {
            match fine
                .as_ref()
                .and_then(|fine| within(fine, &wide, &sites, keys))
            {
                Some(parts) => all.extend(parts),
                None => {
                    merged.push((wide.from, wide.to));
                    all.push(wide);
                }
            }
        }
        let unseen = coarse.names(coarse.others.iter());
        Some(Self::of((&coarse, &beyond), &all, sites, keys).but(unseen, merged))
    }

    fn of(
        (levels, beyond): (&Levels<'_, '_>, &Beyond<'_>),
        intervals: &[Interval<'_, '_, '_>],
        sites: Vec<usize>,
        keys: Keys<'_>,
    ) -> Self {
        let ends = |group: Option<&Scalar>, sites: &[usize]| {
            let of = |event: bool| -> Vec<Range> {
                let count = |i: &Interval<'_, '_, '_>| i.levels.count(group, &i.time, event, sites);
                intervals.iter().map(count).collect()
            };
            let mut ends = Ends {
                events: of(true),
                others: of(false),
            };
            if beyond.from.is_some() {
                ends.events.push(Range::point(0.0));
                ends.others.push(beyond.count(group, sites));
            }
            ends
        };
        let all = |sites: &[usize]| -> Vec<Ends> {
            let groups = levels.groups.iter();
            groups.map(|group| ends(group.as_ref(), sites)).collect()
        };
        let name = |group: &Option<Scalar>| match group {
            Some(level) => level_name(levels.released, 0, level),
            None => "all".to_owned(),
        };
        let mut grid: Vec<(f64, f64)> = intervals.iter().map(|i| (i.from, i.to)).collect();
        let last = intervals.last().map(|interval| interval.levels.released);
        let open = last.is_some_and(|released| is_open(released, keys.time(), &grid));
        grid.extend(beyond.from.map(|from| (from, f64::INFINITY)));
        Self {
            groups: levels.groups.iter().map(name).zip(all(&sites)).collect(),
            by_site: sites.iter().map(|site| all(&[*site])).collect(),
            open: open || beyond.from.is_some(),
            event: level_name(levels.released, keys.time() + 1, &levels.event),
            grid,
            sites,
            unseen: beyond.unseen(),
            merged: Vec::new(),
        }
    }

    fn but(mut self, unseen: Vec<String>, merged: Vec<(f64, f64)>) -> Self {
        self.unseen.splice(0..0, unseen);
        Self { merged, ..self }
    }

    /// Intervals whose end can be told.
    pub(super) fn shown(&self) -> usize {
        self.grid.len().saturating_sub(usize::from(self.open))
    }
}

/// The fine intervals within a wide one, if every node released every cell of them.
fn within<'l, 'r, 'a>(
    fine: &'l Levels<'r, 'a>,
    wide: &Interval<'_, '_, '_>,
    sites: &[usize],
    keys: Keys<'_>,
) -> Option<Vec<Interval<'l, 'r, 'a>>> {
    let inside = |time: &Scalar| {
        let place = place(fine.released, keys.time(), time);
        place.is_some_and(|(from, to)| wide.from <= from && to <= wide.to)
    };
    let here = |row: &&Vec<Scalar>| row.get(keys.time()).is_some_and(inside);
    let exact = fine.released.is_exact();
    let released = |row: &Vec<Scalar>| {
        let has = |site: &usize| exact || fine.released.has(row, COUNT, *site);
        sites.iter().all(has)
    };
    let known = fine.cells.iter().filter(here).all(released);
    let hidden = fine.others.iter().any(|row| here(&row));
    let parts: Vec<_> = intervals(fine, keys.time())?
        .into_iter()
        .filter(|part| inside(&part.time))
        .collect();
    (known && !hidden && !parts.is_empty()).then_some(parts)
}

/// Whether values beyond the upper bound count in the last interval.
fn is_open(released: &Released<'_>, key: usize, grid: &[(f64, f64)]) -> bool {
    let bounds = released.key_column(key).and_then(|column| column.bounds);
    let banded = matches!(released.group_keys().get(key), Some(GroupKey::Band { .. }));
    let last = grid.last().map_or(f64::INFINITY, |(_, end)| *end);
    banded && bounds.is_some_and(|(_, high)| float(&high.to_rational()) < last)
}
