//! H1s for any number of columns: what many sums of columns made of the same persons' data leave together,
//! whatever each is multiplied by, rests on no few persons.
//!
//! Of every sum 256 parts are kept. The sums that are compared span a space, and the new one lies beside it:
//! what can be added up is the new sum and anything of that space. A sum over few persons is zero in all but
//! few parts. It is looked for by making as many parts zero as the space allows: whoever chose these parts so
//! that at most one of those that must not be zero is among them has found it. So a sum over one person is
//! always found; one over several is found by one of several choices. Page: `docs/disclosure/H1s.md`.
//!
//! What this file must not know: columns, boxes, what a sum is of.

use super::candidate::FacetCandidate;
use super::derived::MARK;
use super::entry::Facet;
use super::family::field::Fp;
use super::spread::Spread;
use super::view::{Hit, Near, View, persons};

/// So many sums are put together with a new one: those that have the most persons in common with it.
const MOST: usize = 48;
/// Of nearly the same persons all are. Where more than this were told nothing new is.
const ALIKE: usize = 128;
/// A sum, part by part, and in the last place what says whether a sum of another column is in it.
type Row = Vec<Fp>;

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let facet = &candidate.facet;
    if facet.form.is_count() || !candidate.across.compared {
        return Vec::new();
    }
    let Some(own) = row(facet, decimals(candidate, facet)) else {
        return Vec::new();
    };
    let Some(known) = known(view, candidate) else {
        return vec![hit(
            "more sums were told of the same persons than can be audited",
            None,
        )];
    };
    let (same, others): (Vec<&Known<'_>>, Vec<&Known<'_>>) =
        known.iter().partition(|one| one.facet.form == facet.form);
    // Pairs and threes of as many columns are compared already.
    if others.is_empty() || (same.is_empty() && others.len() < 3) {
        return Vec::new();
    }
    let rows = |all: &[&Known<'_>], first: usize| -> Vec<Row> {
        let each = all.iter().enumerate();
        let marked = each.filter_map(|(at, one)| {
            let mut row = row(one.facet, one.decimals)?;
            row.push(match first {
                0 => Fp::ZERO,
                _ => Fp::weight(first.saturating_add(at)),
            });
            Some(row)
        });
        marked.collect()
    };
    let rows = [rows(&same, 0), rows(&others, Spread::PLACES)].concat();
    let enough = view.k_diff();
    let found = fewest(&own, &rows, enough);
    let why = "sums of several columns together leave few persons";
    let found = found.and_then(|found| persons("xor", found, enough));
    found
        .into_iter()
        .map(|found| hit(why, Some(found)))
        .collect()
}

fn hit(why: &str, statistic: Option<crate::Statistic>) -> Hit {
    Hit {
        rule: "H1s",
        why: why.to_owned(),
        statistic,
        near: Near::No,
    }
}

/// An earlier sum that a new one is put together with.
struct Known<'a> {
    facet: &'a Facet,
    decimals: u32,
    /// Whether it is of the same persons but for a few.
    alike: bool,
    /// Those that have persons in common come first, and of these those of as many persons.
    place: (bool, u64, usize),
}

/// Decimals that the units of a column's own sums have less than those of derived columns.
fn decimals(candidate: &FacetCandidate<'_>, facet: &Facet) -> u32 {
    match facet.vec.starts_with(&MARK) {
        true => 0,
        false => candidate.across.short,
    }
}

/// Sums of derived columns, of the columns that a new one comes from, and of its own, those of nearly the
/// same persons first. `None` if there are too many of the same.
fn known<'v>(view: &'v View<'_>, candidate: &FacetCandidate<'_>) -> Option<Vec<Known<'v>>> {
    let facet = &candidate.facet;
    let mut places: Vec<(usize, u32)> = view.shown.marked(MARK).map(|at| (at, 0)).collect();
    let add = |vec: &[u8; 32], short: u32, places: &mut Vec<(usize, u32)>| {
        let lane = view.shown.lane(vec, 0, u64::MAX).iter();
        places.extend(lane.map(|(_, at)| (*at, short)));
    };
    for (vec, short) in &candidate.across.related {
        add(vec, *short, &mut places);
    }
    if places.is_empty() {
        return Some(Vec::new());
    }
    add(&facet.vec, decimals(candidate, facet), &mut places);
    places.sort_unstable();
    places.dedup_by_key(|place| place.0);
    let people = &facet.footprint.people;
    let mut found: Vec<Known<'v>> = Vec::new();
    for (number, decimals) in places {
        let Some((_, entry, other)) = view.shown.get(number) else {
            continue;
        };
        let is_own = other.vec == facet.vec
            && other.form == facet.form
            && other.shape == facet.shape
            && entry.id.epoch == view.epoch;
        if is_own || !view.shown.is_first(number) || other.footprint.spread.is_none() {
            continue;
        }
        let theirs = &other.footprint.people;
        let more = people.len().abs_diff(theirs.len());
        let few = |persons: u64| persons < view.k_diff();
        found.push(Known {
            facet: other,
            decimals,
            alike: few(more) && few(people.symmetric_difference_len(theirs)),
            place: (theirs.is_disjoint(people), more, number),
        });
    }
    found.sort_by_key(|one| (!one.alike, one.place));
    let alike = found.iter().filter(|one| one.alike).count();
    found.truncate(alike.max(MOST));
    (alike <= ALIKE).then_some(found)
}

fn row(facet: &Facet, decimals: u32) -> Option<Row> {
    let factor = Fp::of(10_i128.checked_pow(decimals)?);
    let sums = facet.footprint.spread.as_ref()?.sums().iter();
    Some(
        sums.map(|sum| Fp::of((*sum).into()).times(factor))
            .collect(),
    )
}

/// The fewest parts that were found to be other than zero of a sum and multiples of others, one of another
/// column among them; `None` if that are `enough` or more.
fn fewest(own: &[Fp], rows: &[Row], enough: u64) -> Option<u64> {
    // The more parts can be made zero the less likely one choice of them is a good one.
    let choices = match rows.len() {
        0..8 => 3,
        8..24 => 4,
        24..=MOST => 6,
        _ => 10,
    };
    let found = (0..choices).filter_map(|choice| {
        let mut basis = Basis::of_choice(choice);
        rows.iter().for_each(|row| basis.add(row.clone()));
        let mut rest = own.to_vec();
        rest.push(Fp::ZERO);
        basis.reduce(&mut rest);
        let alone = count(rest.iter().copied(), enough);
        let with_one = basis
            .rows
            .iter()
            .filter_map(|(_, row)| best(&rest, row, enough));
        alone.into_iter().chain(with_one).min()
    });
    found.min()
}

/// How many parts are not zero, if these are few and the last place says that another column is in it.
fn count(mut sum: impl DoubleEndedIterator<Item = Fp>, enough: u64) -> Option<u64> {
    let is_told = sum.next_back().is_some_and(|mark| mark != Fp::ZERO);
    let most = usize::try_from(enough).unwrap_or(usize::MAX);
    let found = sum.filter(|part| *part != Fp::ZERO).take(most).count();
    let found = u64::try_from(found).unwrap_or(u64::MAX);
    (is_told && found < enough).then_some(found)
}

/// The fewest parts that a sum and some multiple of another leave: few are left only if one of the first
/// parts that the other has is made zero.
fn best(rest: &[Fp], row: &[Fp], enough: u64) -> Option<u64> {
    let parts = rest.iter().zip(row).take(Spread::PLACES);
    let told = parts.filter(|(_, other)| **other != Fp::ZERO);
    // One of them is where the multiple shows that was taken; there the sum itself is zero.
    let most = usize::try_from(enough)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let zeros = told.take(most).filter(|(sum, _)| **sum != Fp::ZERO);
    let found = zeros.filter_map(|(sum, other)| {
        let times = sum.times(other.inverse());
        let each = rest.iter().zip(row);
        count(each.map(|(x, y)| x.minus(y.times(times))), enough)
    });
    found.min()
}

/// Independent sums, each of them alone not zero in a part of its own.
struct Basis {
    /// Which parts are made zero first.
    order: Vec<usize>,
    rows: Vec<(usize, Row)>,
}

impl Basis {
    fn of_choice(choice: usize) -> Self {
        let mut order: Vec<usize> = (0..Spread::PLACES).collect();
        let first = choice.saturating_mul(Spread::PLACES);
        order.sort_by_key(|part| Fp::weight(first.saturating_add(*part)));
        Self {
            order,
            rows: Vec::new(),
        }
    }

    fn reduce(&self, sum: &mut [Fp]) {
        for (part, row) in &self.rows {
            take_off(sum, row, *part);
        }
    }

    fn add(&mut self, mut sum: Row) {
        self.reduce(&mut sum);
        let parts = self.order.iter().copied();
        let own = parts.into_iter().find_map(|part| {
            let here = sum.get(part).copied().filter(|here| *here != Fp::ZERO);
            here.map(|here| (part, here))
        });
        let Some((part, here)) = own else {
            return;
        };
        let by = here.inverse();
        sum.iter_mut().for_each(|place| *place = place.times(by));
        for (_, row) in &mut self.rows {
            take_off(row, &sum, part);
        }
        self.rows.push((part, sum));
    }
}

/// Takes off as much of a row, which is one in a part, as makes that part zero.
fn take_off(sum: &mut [Fp], row: &[Fp], part: usize) {
    let times = sum.get(part).copied().unwrap_or(Fp::ZERO);
    if times != Fp::ZERO {
        for (place, other) in sum.iter_mut().zip(row) {
            *place = place.minus(other.times(times));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(parts: &[i128], mark: Option<usize>) -> Row {
        let mut row: Row = parts.iter().map(|part| Fp::of(*part)).collect();
        row.resize(Spread::PLACES, Fp::ZERO);
        row.extend(mark.map(Fp::weight));
        row
    }

    /// Numbers that have nothing to do with each other.
    fn numbers(seed: usize) -> Vec<i128> {
        let of = |place: usize| i128::from(Fp::weight(seed * 1_000 + place).least() % 100_000);
        (0..Spread::PLACES).map(of).collect()
    }

    fn rows(number: usize) -> (Vec<Vec<i128>>, Vec<Row>) {
        let plain: Vec<Vec<i128>> = (1..=number).map(numbers).collect();
        let marked = plain.iter().enumerate();
        let marked = marked.map(|(at, parts)| sum(parts, Some(at))).collect();
        (plain, marked)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        /// However many sums, and whatever they are multiplied by: what they leave of one person is found.
        #[test]
        fn one_person_is_never_left(
            times in prop::collection::vec(-9_i128..10, 1..24),
            place in 0..Spread::PLACES,
            more in 1_i128..1_000,
        ) {
            prop_assume!(times.iter().any(|times| *times != 0));
            let (plain, marked) = rows(times.len());
            let mut own = vec![0_i128; Spread::PLACES];
            for (parts, times) in plain.iter().zip(&times) {
                own.iter_mut().zip(parts).for_each(|(to, part)| *to += part * times);
            }
            prop_assert_eq!(fewest(&sum(&own, None), &marked, 8), Some(0));
            own[place] += more;
            prop_assert_eq!(fewest(&sum(&own, None), &marked, 8), Some(1));
        }

        /// Nor seven persons, of as many sums as are asked for in practice.
        #[test]
        fn seven_persons_are_not_left(
            times in prop::collection::vec(1_i128..10, 1..9),
            places in prop::collection::btree_map(0..Spread::PLACES, 1_i128..1_000, 1..8),
        ) {
            let (plain, marked) = rows(times.len());
            let mut own = vec![0_i128; Spread::PLACES];
            for (parts, times) in plain.iter().zip(&times) {
                own.iter_mut().zip(parts).for_each(|(to, part)| *to += part * times);
            }
            places.iter().for_each(|(place, more)| own[*place] += more);
            let found = fewest(&sum(&own, None), &marked, 8);
            let persons = u64::try_from(places.len()).unwrap();
            prop_assert!(found.is_some_and(|found| found <= persons), "{found:?}");
        }
    }

    #[test]
    fn what_has_nothing_in_common_is_not_found() {
        let (_, marked) = rows(48);
        assert_eq!(fewest(&sum(&numbers(100), None), &marked, 8), None);
    }

    #[test]
    fn what_sums_of_the_same_column_leave_is_for_other_rules() {
        let (plain, _) = rows(3);
        let unmarked: Vec<Row> = plain
            .iter()
            .map(|parts| {
                let mut row = sum(parts, None);
                row.push(Fp::ZERO);
                row
            })
            .collect();
        let mut own: Vec<i128> = (0..Spread::PLACES)
            .map(|at| plain[0][at] + plain[1][at])
            .collect();
        own[9] += 5;
        assert_eq!(fewest(&sum(&own, None), &unmarked, 8), None);
        let another = [unmarked, vec![sum(&numbers(77), Some(1))]].concat();
        assert_eq!(fewest(&sum(&own, None), &another, 8), None);
    }
}
