//! What a node knows exactly about each cell. It never leaves the node.
//!
//! Persons are dense numbers of the custodian's population, the same in every table, dataset and
//! epoch. No `Debug`, no `Serialize` on what holds them: evidence cannot be printed or sent by
//! accident.

use std::borrow::Cow;
use std::collections::BTreeMap;

use quorate_query::value::Scalar;
use roaring::{MultiOps, RoaringBitmap};

use crate::digest::{Digest, Ready};
use crate::walk;

/// Where there are more than so many numbers to a person, persons are not added up by place.
const SPARSE: u64 = 8;

/// Exact evidence per cell.
#[derive(Clone, Default)]
pub struct Evidence {
    /// Cells by key.
    pub cells: BTreeMap<Vec<Scalar>, CellEvidence>,
}

/// One cell.
#[derive(Clone, PartialEq)]
pub struct CellEvidence {
    /// The persons in it.
    pub people: RoaringBitmap,
    /// Rows that count: at most `max_rows` of each person; the persons themselves on a unit table.
    pub rows: u64,
    /// The rows of each person, on an event table.
    pub each: Option<Contributions>,
    /// One per measure.
    pub measures: Vec<MeasureEvidence>,
}

/// Evidence for one measure of a cell.
#[derive(Clone, PartialEq)]
pub enum MeasureEvidence {
    /// Persons with at least one counted row, and their rows; one each where persons are counted.
    Count(Contributions),
    /// Sums over the persons that have a value.
    Moments(Moments),
    /// Counts per value of a small domain.
    Values(Values),
    /// Products of two numbers of each person.
    Products(Box<Products>),
}

/// Evidence for a mean and a standard deviation.
#[derive(Clone, PartialEq)]
pub struct Moments {
    /// Persons with a value, and their clamped totals at `scale`.
    pub totals: Contributions,
    /// Counted rows with a value.
    pub rows: u64,
    /// The counted rows with a value of each person, on an event table.
    pub each: Option<Contributions>,
    /// Sum of the clamped totals of squares, at twice `scale`.
    pub squares: i128,
    /// Digits after the point.
    pub scale: u32,
}

/// Evidence for a mean of products.
///
/// What leaves is about the centres of bounds. Together with the means of both columns it says the same
/// of products about any other two numbers, so what few persons make up is looked for in three places.
#[derive(Clone, Default, PartialEq)]
pub struct Products {
    /// Persons with both values, and their products about the centres, at `scale`.
    pub centred: Contributions,
    /// Their plain products.
    pub plain: Contributions,
    /// Their products about the middle values of these persons (the lower, of an even number).
    pub middle: Contributions,
    /// Their values of either column, each at its own scale.
    pub factors: [Contributions; 2],
    /// Digits after the point of both columns together.
    pub scale: u32,
}

impl Products {
    /// Of persons with both values, each at its column's scale; centres too.
    ///
    /// # Errors
    /// If a sum does not fit.
    pub fn of(
        pairs: &[(u32, i128, i128)],
        centres: (i128, i128),
        scale: u32,
    ) -> Result<Self, Overflow> {
        let about = |(a, b): (i128, i128)| {
            let product = |(person, x, y): &(u32, i128, i128)| {
                let product = x.checked_sub(a)?.checked_mul(y.checked_sub(b)?)?;
                Some((*person, product))
            };
            let each: Option<Vec<_>> = pairs.iter().map(product).collect();
            Contributions::of(each.ok_or(Overflow)?)
        };
        let middles = (
            middle(pairs.iter().map(|pair| pair.1).collect()),
            middle(pairs.iter().map(|pair| pair.2).collect()),
        );
        Ok(Self {
            centred: about(centres)?,
            plain: about((0, 0))?,
            middle: about(middles)?,
            factors: [
                Contributions::of(pairs.iter().map(|pair| (pair.0, pair.1)).collect())?,
                Contributions::of(pairs.iter().map(|pair| (pair.0, pair.2)).collect())?,
            ],
            scale,
        })
    }

    /// The three sums that rules look at.
    #[must_use]
    pub fn sums(&self) -> [&Contributions; 3] {
        [&self.centred, &self.plain, &self.middle]
    }
}

/// The middle of some numbers, the lower of two.
fn middle(mut all: Vec<i128>) -> i128 {
    let at = all.len().saturating_sub(1) / 2;
    if all.is_empty() {
        return 0;
    }
    *all.select_nth_unstable(at).1
}

/// Evidence for a column of few values.
#[derive(Clone, PartialEq)]
pub struct Values {
    /// Persons with a value.
    pub any: RoaringBitmap,
    /// Persons with a value that is not zero.
    pub nonzero: RoaringBitmap,
    /// One per value of the domain, ascending.
    pub values: Vec<ValueEvidence>,
}

/// Evidence for one value of a small domain.
#[derive(Clone, Default, PartialEq)]
pub struct ValueEvidence {
    /// Persons with this value.
    pub people: RoaringBitmap,
    /// Counted rows with this value.
    pub rows: u64,
    /// Persons with another value (also, on an event table).
    pub elsewhere: u64,
    /// The largest numbers of counted rows with this value that one person has, largest first, at
    /// most [`ValueEvidence::KEPT`]. Empty where nobody has more than one.
    pub most: Vec<u64>,
}

impl ValueEvidence {
    /// How many numbers of rows are kept: no rule about the largest contributors looks at more.
    pub const KEPT: usize = 100;

    /// Keeps the number of rows of one more person, if it is among the largest.
    pub fn note(&mut self, rows: u64) {
        let at = self.most.partition_point(|known| *known >= rows);
        if at < Self::KEPT {
            self.most.insert(at, rows);
            self.most.truncate(Self::KEPT);
        }
    }

    /// Makes evidence of the same rows the same: numbers that are all one are not kept.
    pub fn settle(&mut self) {
        if self.most.first().is_none_or(|most| *most <= 1) {
            self.most.clear();
        }
    }
}

/// What each of some persons adds to a sum.
#[derive(Clone, Default, PartialEq)]
pub struct Contributions {
    people: RoaringBitmap,
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
    /// Numbers of 64 bits, as nearly always.
    Small(Vec<i64>),
    /// Anything.
    Large(Vec<i128>),
}

impl Each {
    fn small(each: Vec<i64>) -> Self {
        if each.iter().all(|addend| *addend == 1) {
            return Self::One;
        }
        Self::Small(each)
    }

    fn large(each: Vec<i128>) -> Self {
        let small: Option<Vec<i64>> = each.iter().map(|a| i64::try_from(*a).ok()).collect();
        small.map_or(Self::Large(each), Self::small)
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
    pub fn ones(people: RoaringBitmap) -> Self {
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
        let mut each: Vec<i128> = Vec::with_capacity(pairs.len());
        let mut last = None;
        for (person, addend) in pairs {
            match each.last_mut().filter(|_| last == Some(person)) {
                Some(total) => *total = total.checked_add(addend).ok_or(Overflow)?,
                None => each.push(addend),
            }
            last = Some(person);
            found.people.insert(person);
        }
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
    pub fn in_order(people: RoaringBitmap, each: Vec<i64>) -> Result<Self, Overflow> {
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
                _ => Each::Small(each),
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
    pub fn together(parts: &[Cow<'_, Self>]) -> Result<Self, Overflow> {
        let limited = parts.iter().any(|part| part.limited);
        let small = Self::small_together(parts);
        let found = match small {
            Some(found) => Ok(found),
            None => Self::of(parts.iter().flat_map(|part| part.iter()).collect()),
        };
        Ok(found?.limited(limited))
    }

    /// The same where all numbers and their totals have 64 bits: in places from the first person to
    /// the last, if these are not many more than persons.
    fn small_together(parts: &[Cow<'_, Self>]) -> Option<Self> {
        let people = parts.iter().map(|part| &part.people).union();
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
        let mut add = |person: u32, addend: Option<i64>| {
            let sum = place(person).and_then(|place| sums.get_mut(place));
            let over = sum.zip(addend).map(|(sum, more)| {
                let (total, over) = sum.overflowing_add(more);
                *sum = total;
                over
            });
            fits &= over == Some(false);
        };
        for part in parts {
            match &part.each {
                Each::One => walk::each(&part.people, |person| add(person, Some(1))),
                Each::Small(each) => {
                    let mut each = each.iter().copied();
                    walk::each(&part.people, |person| add(person, each.next()));
                }
                Each::Large(_) => return None,
            }
        }
        if !fits {
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
    pub fn people(&self) -> &RoaringBitmap {
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

impl MeasureEvidence {
    /// The persons that the measure rests on.
    #[must_use]
    pub fn people(&self) -> &RoaringBitmap {
        match self {
            Self::Count(counted) => counted.people(),
            Self::Moments(moments) => moments.totals.people(),
            Self::Values(values) => &values.any,
            Self::Products(products) => products.centred.people(),
        }
    }
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
                .map(|part| Cow::Owned(Contributions::of(part.clone()).unwrap()))
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
            let people = (3..3 + u32::try_from(each.len()).unwrap()).collect();
            assert!(of == Contributions::in_order(people, each).unwrap());
        }
        assert!(
            Contributions::of(pairs(&[1, 1])).unwrap() == Contributions::ones((3..5).collect())
        );
        let large = Contributions::of(vec![(1, i128::from(i64::MAX) + 1), (2, 1)]).unwrap();
        assert_eq!(large.largest(1), [(1, i128::from(i64::MAX) + 1)]);
        assert!(Contributions::in_order((0..3).collect(), vec![1]).is_err());
    }

    #[test]
    fn sums_of_the_same_persons_add_up() {
        let one = Contributions::of(vec![(1, 5), (2, 1), (9, -3)]).unwrap();
        let two = Contributions::ones((2..4).collect()).limited(true);
        let large = Contributions::of(vec![(3, i128::from(i64::MAX))]).unwrap();
        let all = |parts: &[&Contributions]| {
            let parts: Vec<_> = parts.iter().map(|part| Cow::Borrowed(*part)).collect();
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
    fn the_most_rows_of_a_value_are_kept_largest_first() {
        let mut value = ValueEvidence::default();
        for rows in [1, 3, 1, 2, 3] {
            value.note(rows);
        }
        value.settle();
        assert_eq!(value.most, [3, 3, 2, 1, 1]);
        (0..500).for_each(|rows| value.note(rows));
        assert_eq!(
            (value.most.len(), value.most[0], value.most[99]),
            (100, 499, 400)
        );
        let mut ones = ValueEvidence::default();
        (0..500).for_each(|_| ones.note(1));
        ones.settle();
        assert!(ones.most.is_empty());
    }

    #[test]
    fn products_are_taken_about_three_points() {
        let pairs = [(4, 1, 10), (2, 3, 30), (7, 8, 20), (9, 2, 0)];
        let found = Products::of(&pairs, (5, 15), 0).unwrap();
        let each = |of: &Contributions| of.iter().map(|pair| pair.1).collect::<Vec<_>>();
        assert_eq!(each(&found.centred), [-30, 20, 15, 45]);
        assert_eq!(each(&found.plain), [90, 10, 160, 0]);
        // the middle values are 2 and 10
        assert_eq!(each(&found.middle), [20, 0, 60, 0]);
        assert!(Products::of(&[], (5, 15), 0).is_ok());
        assert!(Products::of(&[(1, i128::MAX, 2)], (0, 0), 0).is_err());
    }

    #[test]
    fn a_sum_that_does_not_fit_is_an_error() {
        assert!(Contributions::of(vec![(1, i128::MAX), (2, 1)]).is_err());
        assert!(Contributions::of(vec![(1, i128::MIN)]).is_err());
    }

    #[test]
    fn counted_persons_add_one_each() {
        let found = Contributions::ones((3..7).collect());
        assert_eq!((found.sum(), found.nonzero()), (4, 4));
        assert_eq!(found.largest(1), [(3, 1)]);
        assert_eq!(found.sample(2), []);
        assert_eq!(found.of_person(6), Some(1));
    }
}
