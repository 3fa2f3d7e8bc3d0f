//! H1s across derived columns: two sums of different columns that are all but the same show, by their
//! difference, the few of whom they differ. A question can derive any number of columns from one, so
//! every sum of a derived column is compared with every other, with sums of the column it comes
//! from, and with numbers of persons and rows, at whatever multiples; and with what multiples of two of
//! them add up to.
//!
//! What is compared are sums over 256 parts of the persons, which are kept of every sum: few differ
//! only where few parts do, and one person who dominates a difference dominates its part. Sums of
//! derived columns are kept in units of 10^-9, so that they can be compared. Page:
//! `docs/disclosure/H1s.md`.

use quorate_query::codebook::{Codebook, ColumnRef};
use quorate_query::derived::{Aggregate, Derived};

use super::candidate::FacetCandidate;
use super::entry::{Entry, Facet, Form};
use super::ratio;
use super::spread::Spread;
use super::view::{Hit, Near, View, persons};
use crate::Statistic;
use crate::facets::count_vec;
use crate::rules::dominance::Top;
use crate::rules::{r4_p_percent, r5_dominance};

/// Decimals of sums of derived columns.
pub(crate) const DECIMALS: u32 = 9;
/// A sum and so many times another are compared.
const MULTIPLES: [(i64, i64); 7] = [(1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (4, 1)];
/// More sums than this are not compared in pairs: then nothing new is told.
const MOST: usize = 1_000;

/// How the `vec` of a sum of a derived column begins, so that all of them are found together.
pub(super) const MARK: [u8; 8] = *b"derived\0";

/// The `vec` of a sum of a derived column.
#[must_use]
pub(crate) fn derived_vec(mut vec: [u8; 32]) -> [u8; 32] {
    vec.iter_mut().zip(MARK).for_each(|(to, from)| *to = from);
    vec
}

/// Whether an entry tells a sum of a derived column.
#[must_use]
pub(super) fn is_derived(entry: &Entry) -> bool {
    let mut facets = entry.facets.iter();
    facets.any(|facet| facet.vec.starts_with(&MARK))
}

/// The columns of the codebook that the values of a derived column are, and the tables whose rows
/// they were taken from.
#[must_use]
pub(crate) fn sources(column: &ColumnRef, codebook: &Codebook) -> Vec<(ColumnRef, String)> {
    match codebook.derived.get(column) {
        Some(Derived::Frame { frame, of }) => match of {
            Aggregate::Rows | Aggregate::Distinct(_) => Vec::new(),
            Aggregate::Min(value)
            | Aggregate::Max(value)
            | Aggregate::Sum(value)
            | Aggregate::Mean(value)
            | Aggregate::First { value, .. }
            | Aggregate::Last { value, .. } => vec![(value.clone(), frame.rows.clone())],
        },
        Some(Derived::Coalesce { of, .. }) => match codebook.derived.contains_key(of) {
            true => sources(of, codebook),
            false => vec![(of.clone(), of.table.clone())],
        },
        _ => Vec::new(),
    }
}

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let facet = &candidate.facet;
    let counts = facet.form.is_count();
    if !counts && !candidate.across.compared {
        return Vec::new();
    }
    let mut others: Vec<(&Entry, &Facet, u32)> = Vec::new();
    let mut add = |number: usize, short: u32| {
        if let Some((_, entry, other)) = view.shown.get(number)
            && other.form != facet.form
        {
            others.push((entry, other, short));
        }
    };
    view.shown.marked(MARK).for_each(|number| add(number, 0));
    for (vec, short) in &candidate.across.related {
        let lane = view.shown.lane(vec, 0, u64::MAX).iter();
        lane.for_each(|(_, number)| add(*number, *short));
    }
    let is_derived = facet.vec.starts_with(&MARK);
    if others.is_empty() && !is_derived {
        return Vec::new();
    }
    let spread = facet.footprint.spread.as_ref();
    let short = if counts {
        DECIMALS
    } else {
        candidate.across.short
    };
    let own = match spread.and_then(|spread| Parts::of(spread, short)) {
        Some(own) => own,
        // Of rows at one value it is not known what each person adds (see the page).
        None if counts => return Vec::new(),
        None => return vec![unknown()],
    };
    let mut hits: Vec<Hit> = Vec::new();
    if is_derived {
        hits.extend(beside_counts(view, &own));
    }
    let mut known: Vec<(&Entry, Parts)> = Vec::with_capacity(others.len());
    for (entry, other, short) in others {
        let spread = other.footprint.spread.as_ref();
        match spread.and_then(|spread| Parts::of(spread, short)) {
            Some(parts) => known.push((entry, parts)),
            None => return vec![unknown()],
        }
    }
    for (entry, other) in &known {
        let found = match counts {
            true => multiple(view, (&own, other), facet.form),
            false => pair(view, &own, other).or_else(|| multiple(view, (&own, other), facet.form)),
        };
        hits.extend(found.map(|statistic| hit(statistic, &entry.name())));
    }
    if is_derived && hits.is_empty() {
        hits.extend(triple(view, &own, &known));
    }
    hits
}

/// Numbers of persons and of rows of which a sum is a multiple, but for a few persons.
fn beside_counts(view: &View<'_>, own: &Parts) -> Vec<Hit> {
    let lane = view.shown.lane(&count_vec(), 0, u64::MAX).iter();
    let found = lane.filter_map(|(_, number)| {
        let (_, entry, other) = view.shown.get(*number)?;
        let parts = Parts::of(other.footprint.spread.as_ref()?, DECIMALS)?;
        let statistic = multiple(view, (own, &parts), other.form)?;
        Some(hit(statistic, &entry.name()))
    });
    found.collect()
}

/// The number that some multiple of another sum misses, whatever the multiple. Persons add one each, so
/// nobody dominates a difference from their number that the sum alone does not have.
fn multiple(view: &View<'_>, (own, other): (&Parts, &Parts), form: Form) -> Option<Statistic> {
    let enough = view.k_diff();
    if let Some(found) = ratio::fewest(&own.0, &other.0, enough) {
        return persons("xor", found, enough);
    }
    if form == Form::Persons {
        return None;
    }
    // One or two persons are in two of any three parts at most.
    let all = ratio::differences(&own.0, &other.0, 3);
    all.into_iter().find_map(|parts| judged(view, parts))
}

/// Sums over parts of the persons, in units of 10^-9.
struct Parts(Vec<i128>);

impl Parts {
    fn of(spread: &Spread, decimals: u32) -> Option<Self> {
        let factor = 10_i128.checked_pow(decimals)?;
        let scaled = spread
            .sums()
            .iter()
            .map(|sum| i128::from(*sum).checked_mul(factor));
        scaled.collect::<Option<Vec<_>>>().map(Self)
    }
}

/// The number that some multiples of two sums miss.
fn pair(view: &View<'_>, own: &Parts, other: &Parts) -> Option<Statistic> {
    let signs = [1_i128, -1];
    MULTIPLES.iter().find_map(|(a, b)| {
        signs.iter().find_map(|sign| {
            let (a, b) = (i128::from(*a), sign.saturating_mul(i128::from(*b)));
            let each = own.0.iter().zip(&other.0);
            let parts = each.map(|(own, other)| {
                let (own, other) = (own.saturating_mul(a), other.saturating_mul(b));
                own.saturating_sub(other).saturating_abs()
            });
            judged(view, parts.collect())
        })
    })
}

/// The number that the parts of a difference miss. No difference at all counts like a small one, so
/// that being withheld says nothing about anybody.
fn judged(view: &View<'_>, mut parts: Vec<i128>) -> Option<Statistic> {
    parts.retain(|part| *part != 0);
    let differ = u64::try_from(parts.len()).unwrap_or(u64::MAX);
    if differ < view.k_diff() {
        return persons("xor", differ, view.k_diff());
    }
    parts.sort_unstable_by(|a, b| b.cmp(a));
    let params = view.params;
    let all = parts
        .iter()
        .fold(0_i128, |sum, part| sum.saturating_add(*part));
    let top = |n: usize| Top {
        all,
        largest: parts.iter().take(n).copied().collect(),
    };
    let n = usize::try_from(params.nk.0).unwrap_or(usize::MAX);
    let judged = [
        r4_p_percent::statistic(&top(2), params.p_pct),
        r5_dominance::statistic(&top(n), params.nk.1),
    ];
    let missed = judged
        .into_iter()
        .find(|found| found.as_ref().is_none_or(Statistic::misses));
    missed.flatten()
}

/// A sum that multiples of two others make up but for a few persons.
fn triple(view: &View<'_>, own: &Parts, known: &[(&Entry, Parts)]) -> Option<Hit> {
    if known.len() > MOST {
        return Some(unknown());
    }
    let enough = view.k_diff();
    for (at, (first, a)) in known.iter().enumerate() {
        for (second, b) in known.get(at + 1..).unwrap_or_default() {
            if let Some(found) = ratio::fewest_of_three(&own.0, &a.0, &b.0, enough) {
                let names = format!("{}, {}", first.name(), second.name());
                return persons("xor", found, enough).map(|statistic| hit(statistic, &names));
            }
        }
    }
    None
}

fn hit(statistic: Statistic, names: &str) -> Hit {
    Hit {
        rule: "H1s",
        why: format!("a sum of another column differs from it in few persons, {names}"),
        statistic: Some(statistic),
        near: Near::No,
    }
}

fn unknown() -> Hit {
    Hit {
        rule: "H1s",
        why: "how it differs from sums of derived columns is not known".to_owned(),
        statistic: None,
        near: Near::No,
    }
}
