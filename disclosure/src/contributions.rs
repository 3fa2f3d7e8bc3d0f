//! What each of some persons adds to a sum: exact, in the least room that holds it.
//!
//! What this file must not know: measures, rules. No `Debug`, no `Serialize`, as for all evidence.

use std::collections::BTreeMap;
use std::sync::Arc;

use roaring::RoaringBitmap;

use crate::digest::{Digest, Ready};
use crate::persons::{Persons, Unions};
use crate::walk;

/// Where there are more than so many numbers to a person, persons are not added up by place.
const SPARSE: u64 = 8;

/// What each of some persons adds to a sum.
#[derive(Clone, Default, PartialEq)]
pub struct Contributions {
    people: Persons,
    each: Each,
    sum: i128,
    abs: i128,
    nonzero: u64,
    /// The least and the greatest; zero of nobody.
    low: i128,
    high: i128,
    limited: bool,
    ready: Ready,
}

/// What each adds, in ascending order of person. Of the three the first that can hold it, so that
/// equal contributions are equal.
#[derive(Clone, Default, PartialEq)]
enum Each {
    /// One each.
    #[default]
    One,
    /// Numbers of 64 bits, as nearly always. Clones are the same list.
    Small(Arc<Vec<i64>>),
    /// Anything, likewise.
    Large(Arc<Vec<i128>>),
}

impl Each {
    fn small(each: Vec<i64>) -> Self {
        if each.iter().all(|addend| *addend == 1) {
            return Self::One;
        }
        Self::Small(Arc::new(each))
    }

    fn large(each: Vec<i128>) -> Self {
        let small: Option<Vec<i64>> = each.iter().map(|a| i64::try_from(*a).ok()).collect();
        match small {
            Some(small) => Self::small(small),
            None => Self::Large(Arc::new(each)),
        }
    }

    /// From the first on: of one each, without end.
    fn iter(&self) -> EachIter<'_> {
        match self {
            Self::One => EachIter::One,
            Self::Small(each) => EachIter::Small(each.iter()),
            Self::Large(each) => EachIter::Large(each.iter()),
        }
    }

    fn get(&self, rank: usize) -> Option<i128> {
        match self {
            Self::One => Some(1),
            Self::Small(each) => each.get(rank).map(|addend| (*addend).into()),
            Self::Large(each) => each.get(rank).copied(),
        }
    }
}

/// What each adds, one after the other.
enum EachIter<'a> {
    One,
    Small(std::slice::Iter<'a, i64>),
    Large(std::slice::Iter<'a, i128>),
}

impl Iterator for EachIter<'_> {
    type Item = i128;

    #[inline]
    fn next(&mut self) -> Option<i128> {
        match self {
            Self::One => Some(1),
            Self::Small(each) => each.next().map(|addend| (*addend).into()),
            Self::Large(each) => each.next().copied(),
        }
    }
}

/// The sums of some persons leave their number type. Bounds that were checked exclude it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the contributions of some persons do not fit into one sum")]
pub struct Overflow;

impl Contributions {
    /// Each person adds one.
    #[must_use]
    pub fn ones(people: impl Into<Persons>) -> Self {
        let people = people.into();
        let n = people.len();
        Self {
            people,
            each: Each::One,
            sum: n.into(),
            abs: n.into(),
            nonzero: n,
            low: i128::from(n.min(1)),
            high: i128::from(n.min(1)),
            limited: false,
            ready: Ready::default(),
        }
    }

    /// Person and addend, in any order; a person that comes twice adds both.
    ///
    /// # Errors
    /// If the sum does not fit.
    pub fn of(mut pairs: Vec<(u32, i128)>) -> Result<Self, Overflow> {
        if !pairs.is_sorted_by_key(|pair| pair.0) {
            pairs.sort_unstable_by_key(|pair| pair.0);
        }
        let mut found = Self::default();
        let mut people = RoaringBitmap::new();
        let mut each: Vec<i128> = Vec::with_capacity(pairs.len());
        let mut last = None;
        for (person, addend) in pairs {
            match each.last_mut().filter(|_| last == Some(person)) {
                Some(total) => *total = total.checked_add(addend).ok_or(Overflow)?,
                None => each.push(addend),
            }
            last = Some(person);
            people.insert(person);
        }
        found.people = people.into();
        for addend in &each {
            found.sum = found.sum.checked_add(*addend).ok_or(Overflow)?;
            let size = addend.checked_abs().ok_or(Overflow)?;
            found.abs = found.abs.checked_add(size).ok_or(Overflow)?;
            found.nonzero += u64::from(*addend != 0);
        }
        found.low = each.iter().copied().min().unwrap_or(0);
        found.high = each.iter().copied().max().unwrap_or(0);
        found.each = Each::large(each);
        Ok(found)
    }

    /// Addends by ascending person. `people` and `each` go together: as many of one as of the other.
    ///
    /// # Errors
    /// If they do not go together, or the sum does not fit.
    pub fn in_order(people: impl Into<Persons>, each: Vec<i64>) -> Result<Self, Overflow> {
        let people = people.into();
        if usize::try_from(people.len()) != Ok(each.len()) {
            return Err(Overflow);
        }
        let low = each.iter().copied().min().unwrap_or(0);
        let high = each.iter().copied().max().unwrap_or(0);
        let (sum, abs) = sum_and_size(&each, low, high);
        let nonzero = each.iter().filter(|addend| **addend != 0).count();
        Ok(Self {
            people,
            each: match (low, high) {
                (1, 1) => Each::One,
                _ if each.is_empty() => Each::One,
                _ => Each::Small(Arc::new(each)),
            },
            sum,
            abs,
            nonzero: u64::try_from(nonzero).map_err(|_| Overflow)?,
            low: low.into(),
            high: high.into(),
            limited: false,
            ready: Ready::default(),
        })
    }

    /// The same, with what comparisons look at made at once.
    #[must_use]
    pub fn digested(self) -> Self {
        if self.ready.get().is_none() {
            self.ready.set(Digest::of(&self));
        }
        self
    }

    /// What comparisons look at, if it was made.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        self.ready.get()
    }

    /// What persons add to several sums, added up.
    ///
    /// # Errors
    /// If a sum does not fit.
    pub fn together(parts: &[Self]) -> Result<Self, Overflow> {
        Self::added_up(parts, Persons::union(parts.iter().map(|part| &part.people)))
    }

    /// As [`Self::together`]; `people` is everybody in them.
    fn added_up(parts: &[Self], people: Persons) -> Result<Self, Overflow> {
        let limited = parts.iter().any(|part| part.limited);
        let small = Self::small_together(parts, people);
        let found = match small {
            Some(found) => Ok(found),
            None => Self::of(parts.iter().flat_map(|part| part.iter()).collect()),
        };
        Ok(found?.limited(limited))
    }

    /// The same where all numbers and their totals have 64 bits: in places from the first person to
    /// the last, if these are not many more than persons.
    fn small_together(parts: &[Self], people: Persons) -> Option<Self> {
        let (Some(first), Some(last)) = (people.min(), people.max()) else {
            return Some(Self::default());
        };
        let places = u64::from(last.checked_sub(first)?);
        if places > people.len().saturating_mul(SPARSE) {
            return None;
        }
        let place = |person: u32| usize::try_from(person.checked_sub(first)?).ok();
        let mut sums = vec![0_i64; usize::try_from(places.checked_add(1)?).ok()?];
        let mut fits = true;
        let mut add = |person: u32, addend: i64| {
            let sum = place(person).and_then(|place| sums.get_mut(place));
            let over = sum.map(|sum| {
                let (total, over) = sum.overflowing_add(addend);
                *sum = total;
                over
            });
            fits &= over == Some(false);
        };
        let told = parts.iter().all(|part| part.each(&mut add));
        if !told || !fits {
            return None;
        }
        let mut each = Vec::with_capacity(usize::try_from(people.len()).ok()?);
        walk::each(&people, |person| {
            each.extend(place(person).and_then(|place| sums.get(place)));
        });
        Self::in_order(people, each).ok()
    }

    /// The same, knowing whether limits (rows of a person, bounds of a value) took something off
    /// somebody. Then what persons add to parts of a cell is not what they add to the whole.
    #[must_use]
    pub fn limited(mut self, limited: bool) -> Self {
        self.limited |= limited;
        self
    }

    /// How many add more than one.
    #[must_use]
    pub fn above_one(&self) -> u64 {
        let more = match &self.each {
            Each::One => 0,
            Each::Small(each) => each.iter().filter(|addend| **addend > 1).count(),
            Each::Large(each) => each.iter().filter(|addend| **addend > 1).count(),
        };
        u64::try_from(more).unwrap_or(u64::MAX)
    }

    /// Where they are held: those of one place are the same.
    fn held(&self) -> Held {
        let each = match &self.each {
            Each::One => 0,
            Each::Small(each) => Arc::as_ptr(each).addr(),
            Each::Large(each) => Arc::as_ptr(each).addr(),
        };
        (self.people.place(), each, self.limited)
    }

    /// Whether limits took something off somebody.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.limited
    }

    /// Whether each adds one.
    #[must_use]
    pub fn is_one_each(&self) -> bool {
        self.each == Each::One
    }

    /// What each adds, in ascending order of person, if these are numbers of 64 bits and not one
    /// each. For those who go over all of them often.
    #[must_use]
    pub fn small(&self) -> Option<&[i64]> {
        match &self.each {
            Each::Small(each) => Some(each),
            Each::One | Each::Large(_) => None,
        }
    }

    /// Who contributes, if only a zero.
    #[must_use]
    pub fn people(&self) -> &Persons {
        &self.people
    }

    /// How many contribute, if only a zero.
    #[must_use]
    pub fn persons(&self) -> u64 {
        self.people.len()
    }

    /// How many add something other than zero.
    #[must_use]
    pub fn nonzero(&self) -> u64 {
        self.nonzero
    }

    /// S, the sum.
    #[must_use]
    pub fn sum(&self) -> i128 {
        self.sum
    }

    /// A, the sum of sizes.
    #[must_use]
    pub fn abs_sum(&self) -> i128 {
        self.abs
    }

    /// Persons and what they add, in ascending order of person.
    pub fn iter(&self) -> impl Iterator<Item = (u32, i128)> + '_ {
        self.people.iter().zip(self.each.iter())
    }

    /// Calls `of` with every person, ascending, and what each adds: quicker than [`Self::iter`]. False, and
    /// nobody is told of, if these are not numbers of 64 bits.
    pub(crate) fn each(&self, of: &mut impl FnMut(u32, i64)) -> bool {
        match &self.each {
            Each::One => walk::each(&self.people, |person| of(person, 1)),
            Each::Small(each) => {
                let mut each = each.iter().copied();
                walk::each(&self.people, |person| of(person, each.next().unwrap_or(0)));
            }
            Each::Large(_) => return false,
        }
        true
    }

    /// What one person adds; `None` if the person is not among them.
    #[must_use]
    pub fn of_person(&self, person: u32) -> Option<i128> {
        if !self.people.contains(person) {
            return None;
        }
        let rank = usize::try_from(self.people.rank(person)).ok()?;
        self.each.get(rank.checked_sub(1)?)
    }

    /// The `n` largest by size, largest first; ties by person.
    #[must_use]
    pub fn largest(&self, n: usize) -> Vec<(u32, i128)> {
        if let Some(digest) = self.digest().filter(|_| n <= Digest::KEPT) {
            return digest.largest.iter().take(n).copied().collect();
        }
        let ranks = match &self.each {
            Each::One => return self.iter().take(n).collect(),
            Each::Small(each) => largest(each, n, |addend| addend.unsigned_abs()),
            Each::Large(each) => largest(each, n, |addend| addend.unsigned_abs()),
        };
        self.at(ranks.into_iter())
    }

    /// At most `n` persons and what they add, evenly through the persons; none where all add one.
    #[must_use]
    pub fn sample(&self, n: usize) -> Vec<(u32, i128)> {
        if let Some(digest) = self.digest().filter(|_| n == Digest::SAMPLED) {
            return digest.sample.clone();
        }
        let persons = usize::try_from(self.persons()).unwrap_or(usize::MAX);
        if self.each == Each::One || n == 0 {
            return Vec::new();
        }
        let every = persons.div_ceil(n).max(1);
        self.at((0..persons).step_by(every))
    }

    /// Persons and what they add, by their place among all, which is quicker than to go over all.
    fn at(&self, ranks: impl Iterator<Item = usize>) -> Vec<(u32, i128)> {
        let found = ranks.filter_map(|rank| {
            let person = self.people.select(u32::try_from(rank).ok()?)?;
            Some((person, self.each.get(rank)?))
        });
        found.collect()
    }

    /// Least and greatest contribution; `None` of nobody.
    #[must_use]
    pub fn extremes(&self) -> Option<(i128, i128)> {
        (!self.people.is_empty()).then_some((self.low, self.high))
    }
}

/// What lists were added up to, and their persons: a table's measures mostly rest on the same.
#[derive(Default)]
pub(crate) struct Sums {
    people: Unions,
    /// By where the parts are held, which are kept so that nothing else is held there.
    sums: BTreeMap<Vec<Held>, (Vec<Contributions>, Contributions)>,
    /// Persons of all of them.
    persons: u64,
}

/// Where persons and what they add are held, and whether limits took something off.
type Held = (usize, usize, bool);

/// When sums are of more persons than this, they are forgotten and made again as needed.
const MOST: u64 = 1 << 22;

impl Sums {
    /// Everybody who is in one of some sets.
    pub(crate) fn people(&mut self, sets: Vec<Persons>) -> Persons {
        self.people.of(sets)
    }

    /// As [`Contributions::together`].
    pub(crate) fn of(&mut self, parts: Vec<Contributions>) -> Result<Contributions, Overflow> {
        let held: Vec<Held> = parts.iter().map(Contributions::held).collect();
        if let Some((_, sum)) = self.sums.get(&held) {
            return Ok(sum.clone());
        }
        let people = self.people(parts.iter().map(|part| part.people.clone()).collect());
        let sum = Contributions::added_up(&parts, people)?.digested();
        self.persons = self.persons.saturating_add(sum.persons());
        if self.persons > MOST {
            *self = Self::default();
        }
        self.sums.insert(held, (parts, sum.clone()));
        Ok(sum)
    }
}

/// The sum of some numbers and that of their sizes, given the least and the greatest: in 64 bits where
/// that many of the largest size fit. There are at most 2^32, each below 2^63, so 128 bits are enough.
fn sum_and_size(each: &[i64], low: i64, high: i64) -> (i128, i128) {
    let most = low.unsigned_abs().max(high.unsigned_abs());
    let all = u64::try_from(each.len()).ok();
    let all = all.and_then(|n| i64::try_from(n.checked_mul(most)?).ok());
    if all.is_none() {
        return each.iter().fold((0, 0), |(sum, abs), addend| {
            let size = i128::from(addend.unsigned_abs());
            (sum + i128::from(*addend), abs + size)
        });
    }
    let sum: i64 = each.iter().copied().fold(0, i64::wrapping_add);
    if low >= 0 {
        return (sum.into(), sum.into());
    }
    let sizes = each.iter().map(|addend| addend.unsigned_abs());
    (sum.into(), sizes.fold(0, u64::wrapping_add).into())
}

/// The places of the `n` largest by size, largest first; ties by place.
fn largest<T, S: Copy + Ord>(each: &[T], n: usize, size: impl Fn(&T) -> S) -> Vec<usize> {
    let mut top: Vec<(S, usize)> = Vec::with_capacity(n.saturating_add(1));
    let mut least: Option<S> = None;
    for (rank, addend) in each.iter().enumerate() {
        let size = size(addend);
        if n == 0 || least.is_some_and(|least| size <= least) {
            continue;
        }
        let at = top.partition_point(|(known, _)| *known >= size);
        top.insert(at, (size, rank));
        top.truncate(n);
        least = top.last().map(|last| last.0).filter(|_| top.len() == n);
    }
    top.into_iter().map(|(_, rank)| rank).collect()
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use proptest::prelude::*;

    use super::*;

    fn some() -> impl Strategy<Value = Vec<(u32, i128)>> {
        let person = prop_oneof![3 => 0_u32..300, 1 => 60_000_u32..200_000];
        let small =
            prop_oneof![3 => -3_i128..4, 1 => Just(1_i128), 1 => any::<i32>().prop_map(i128::from)];
        let large = any::<i128>().prop_map(|n| n >> 10);
        let few = prop::collection::btree_map(person.clone(), small, 0..150);
        let of = prop_oneof![
            6 => few,
            1 => prop::collection::btree_map(person, large, 0..20),
        ];
        of.prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        /// What is found without going over everybody is what going over everybody finds.
        #[test]
        fn shortcuts_find_what_the_plain_way_finds(pairs in some(), n in 0_usize..70) {
            let found = Contributions::of(pairs.clone()).unwrap();
            prop_assert!(found.iter().eq(pairs.iter().copied()));
            let mut largest = pairs.clone();
            largest.sort_by_key(|(person, add)| (Reverse(add.unsigned_abs()), *person));
            largest.truncate(n);
            prop_assert_eq!(found.largest(n), largest);
            let one_each = pairs.iter().all(|(_, add)| *add == 1);
            let every = pairs.len().div_ceil(n.max(1)).max(1);
            let mut sample: Vec<_> = pairs.iter().copied().step_by(every).collect();
            sample.retain(|_| !one_each && n > 0);
            prop_assert_eq!(found.sample(n), sample);
            let all = || pairs.iter().map(|(_, add)| *add);
            prop_assert_eq!(found.extremes(), all().min().zip(all().max()));
            prop_assert_eq!(found.sum(), all().sum::<i128>());
            prop_assert_eq!(found.abs_sum(), all().map(i128::abs).sum::<i128>());
        }

        /// Added up by place, or in a list of all: the same.
        #[test]
        fn parts_add_up_as_all_together(parts in prop::collection::vec(some(), 0..5)) {
            let each: Vec<_> = parts
                .iter()
                .map(|part| Contributions::of(part.clone()).unwrap())
                .collect();
            let together = Contributions::together(&each).unwrap();
            prop_assert!(together == Contributions::of(parts.concat()).unwrap());
        }
    }

    #[test]
    fn contributions_add_up_whatever_the_order() {
        let found = Contributions::of(vec![(9, -7), (2, 5), (4, 0), (2, 1)]).unwrap();
        assert_eq!(found.iter().collect::<Vec<_>>(), [(2, 6), (4, 0), (9, -7)]);
        assert_eq!((found.sum(), found.abs_sum()), (-1, 13));
        assert_eq!((found.persons(), found.nonzero()), (3, 2));
        assert_eq!(found.largest(2), [(9, -7), (2, 6)]);
        assert_eq!(found.extremes(), Some((-7, 6)));
        assert_eq!(found.sample(2), [(2, 6), (9, -7)]);
        assert_eq!(found.sample(9).len(), 3);
        assert_eq!(found.of_person(4), Some(0));
        assert_eq!(found.of_person(9), Some(-7));
        assert_eq!(found.of_person(3), None);
    }

    #[test]
    fn equal_contributions_are_equal_however_they_were_made() {
        let pairs = |each: &[i64]| (3..).zip(each.iter().map(|a| i128::from(*a))).collect();
        for each in [vec![], vec![1, 1], vec![5, -3, 0]] {
            let of = Contributions::of(pairs(&each)).unwrap();
            let people: Persons = (3..3 + u32::try_from(each.len()).unwrap()).collect();
            assert!(of == Contributions::in_order(people, each).unwrap());
        }
        assert!(
            Contributions::of(pairs(&[1, 1])).unwrap()
                == Contributions::ones(Persons::from_iter(3..5))
        );
        let large = Contributions::of(vec![(1, i128::from(i64::MAX) + 1), (2, 1)]).unwrap();
        assert_eq!(large.largest(1), [(1, i128::from(i64::MAX) + 1)]);
        assert!(Contributions::in_order(Persons::from_iter(0..3), vec![1]).is_err());
    }

    #[test]
    fn what_was_added_up_is_not_added_up_again() {
        let one = Contributions::of(vec![(1, 5), (2, 1)]).unwrap();
        let two = Contributions::of(vec![(2, 7)]).unwrap();
        let mut sums = Sums::default();
        let first = sums.of(vec![one.clone(), two.clone()]).unwrap();
        assert!(first == Contributions::of(vec![(1, 5), (2, 8)]).unwrap());
        let again = sums.of(vec![one.clone(), two.clone()]).unwrap();
        assert_eq!(again.held(), first.held());
        let limited = sums.of(vec![one.clone(), two.limited(true)]).unwrap();
        assert!(limited.is_limited() && limited.held() != first.held());
        assert!(sums.of(vec![one.clone()]).unwrap() == one);
    }

    #[test]
    fn sums_of_the_same_persons_add_up() {
        let one = Contributions::of(vec![(1, 5), (2, 1), (9, -3)]).unwrap();
        let two = Contributions::ones(Persons::from_iter(2..4)).limited(true);
        let large = Contributions::of(vec![(3, i128::from(i64::MAX))]).unwrap();
        let all = |parts: &[&Contributions]| {
            let parts: Vec<_> = parts.iter().copied().cloned().collect();
            let found = Contributions::together(&parts).unwrap();
            (found.iter().collect::<Vec<_>>(), found.is_limited())
        };
        let expected = vec![(1, 5), (2, 2), (3, 1), (9, -3)];
        assert_eq!(all(&[&one, &two]), (expected.clone(), true));
        assert_eq!(all(&[&two, &one]), (expected, true));
        let beyond = vec![(2, 1), (3, i128::from(i64::MAX) + 1)];
        assert_eq!(all(&[&two, &large]), (beyond, true));
        assert_eq!(all(&[]), (Vec::new(), false));
    }

    #[test]
    fn a_sum_that_does_not_fit_is_an_error() {
        assert!(Contributions::of(vec![(1, i128::MAX), (2, 1)]).is_err());
        assert!(Contributions::of(vec![(1, i128::MIN)]).is_err());
    }

    #[test]
    fn counted_persons_add_one_each() {
        let found = Contributions::ones(Persons::from_iter(3..7));
        assert_eq!((found.sum(), found.nonzero()), (4, 4));
        assert_eq!(found.largest(1), [(3, 1)]);
        assert_eq!(found.sample(2), []);
        assert_eq!(found.of_person(6), Some(1));
    }
}
