//! What persons add, spread over 256 sums by their number. Sums of combinations of releases are
//! combinations of their sums, so a combination whose sums differ from zero in so many places rests
//! on at least so many persons, whatever was combined. What it must not know: boxes, rules.

use roaring::RoaringBitmap;

use crate::digest;
use crate::evidence::Contributions;

/// The sums of what some persons add, by the last byte of their number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    sums: Box<[i64]>,
    traits: Traits,
}

/// What else is known of all that is added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// Whether somebody may add less than zero.
    pub signed: bool,
    /// Whether limits took something off somebody: then parts do not add up to their whole.
    pub limited: bool,
}

impl Spread {
    /// How many sums there are.
    pub const PLACES: usize = digest::PLACES;

    /// What these add; `None` if it does not fit.
    #[must_use]
    pub fn of(contributions: &Contributions) -> Option<Self> {
        let sums = match contributions.digest() {
            Some(digest) => digest.sums.clone()?,
            None => digest::sums(contributions)?,
        };
        let traits = Traits {
            signed: contributions.sum() != contributions.abs_sum(),
            limited: contributions.is_limited(),
        };
        Some(Self { sums, traits })
    }

    /// One each.
    #[must_use]
    pub fn of_persons(people: &RoaringBitmap) -> Self {
        let traits = Traits::default();
        let sums = digest::ones(people);
        Self { sums, traits }
    }

    /// What these add together; `None` if it does not fit.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Option<Self> {
        for (sum, more) in self.sums.iter_mut().zip(&other.sums) {
            *sum = sum.checked_add(*more)?;
        }
        self.traits.signed |= other.traits.signed;
        self.traits.limited |= other.traits.limited;
        Some(self)
    }

    /// As it was kept; `None` unless there are as many sums as there must be.
    #[must_use]
    pub fn kept(sums: Vec<i64>, traits: Traits) -> Option<Self> {
        let sums = sums.into_boxed_slice();
        (sums.len() == Self::PLACES).then_some(Self { sums, traits })
    }

    /// The sums.
    #[must_use]
    pub fn sums(&self) -> &[i64] {
        &self.sums
    }

    /// What else is known.
    #[must_use]
    pub fn traits(&self) -> Traits {
        self.traits
    }

    /// At least so much is added by who is in this only, and by who is in the other only, where whoever is in
    /// both adds the same to both; `None` if somebody may add less than zero, or limits took something off.
    pub(super) fn differences(&self, other: &Self) -> Option<(i128, i128)> {
        let traits = [self.traits, other.traits];
        if traits.iter().any(|traits| traits.signed || traits.limited) {
            return None;
        }
        let (mut more, mut less) = (0_i128, 0_i128);
        for (own, theirs) in self.sums.iter().zip(&other.sums) {
            let difference = i128::from(*own).saturating_sub(i128::from(*theirs));
            more = more.saturating_add(difference.max(0));
            less = less.saturating_sub(difference.min(0));
        }
        Some((more, less))
    }

    /// The same, of contributions that may be less than zero by their bounds.
    #[must_use]
    pub fn signed(mut self, signed: bool) -> Self {
        self.traits.signed |= signed;
        self
    }
}

/// At least so many persons add something to a sum of multiples; counting ends at `enough`.
#[must_use]
pub(super) fn support(terms: &[(i64, &Spread)], enough: u64) -> u64 {
    let mut found = 0;
    for at in 0..Spread::PLACES {
        // What is not zero modulo 2^64 is not zero.
        let sum = terms.iter().fold(0_i64, |sum, (times, spread)| {
            let here = spread.sums.get(at).copied().unwrap_or(0);
            sum.wrapping_add(here.wrapping_mul(*times))
        });
        found += u64::from(sum != 0);
        if found >= enough {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// What each person adds to each release.
    type Adds = Vec<BTreeMap<u32, i64>>;

    fn spread(adds: &BTreeMap<u32, i64>) -> Spread {
        let pairs = adds.iter().map(|(id, add)| (*id, i128::from(*add)));
        Spread::of(&Contributions::of(pairs.collect()).unwrap()).unwrap()
    }

    fn releases() -> impl Strategy<Value = Adds> {
        // Few persons whose numbers meet modulo 256, and small numbers, so that much cancels.
        let person = (0_u32..6, 0_u32..3).prop_map(|(low, high)| low + 256 * high);
        let add = prop_oneof![8 => -2_i64..3, 1 => Just(i64::MAX / 4), 1 => Just(i64::MIN / 4)];
        let adds = prop::collection::btree_map(person, add, 0..12);
        prop::collection::vec(adds, 1..5)
    }

    fn truth(adds: &Adds, times: &[i64]) -> u64 {
        let persons: std::collections::BTreeSet<u32> =
            adds.iter().flat_map(|one| one.keys().copied()).collect();
        let sum = |person: u32| -> i128 {
            let pairs = adds.iter().zip(times);
            let each = pairs.map(|(one, times)| {
                i128::from(*times) * i128::from(*one.get(&person).unwrap_or(&0))
            });
            each.sum()
        };
        let adding = persons.into_iter().filter(|person| sum(*person) != 0);
        u64::try_from(adding.count()).unwrap()
    }

    proptest! {
        /// The bound is never above the truth, whatever is added, subtracted and multiplied.
        #[test]
        fn no_combination_rests_on_fewer_persons(
            adds in releases(),
            times in prop::collection::vec(prop_oneof![-3_i64..4, any::<i64>()], 5),
        ) {
            let spreads: Vec<Spread> = adds.iter().map(spread).collect();
            let terms: Vec<(i64, &Spread)> = times.iter().copied().zip(&spreads).collect();
            let found = support(&terms, u64::MAX);
            prop_assert!(found <= truth(&adds, &times));
            prop_assert_eq!(support(&terms, 2), found.min(2));
        }

        /// Of persons far apart it is the truth, so it is not a bound of nothing.
        #[test]
        fn persons_in_places_of_their_own_all_count(
            adds in prop::collection::vec(
                prop::collection::btree_map(0_u32..256, -2_i64..3, 0..40), 1..4),
            times in prop::collection::vec(-3_i64..4, 4),
        ) {
            let spreads: Vec<Spread> = adds.iter().map(spread).collect();
            let terms: Vec<(i64, &Spread)> = times.iter().copied().zip(&spreads).collect();
            prop_assert_eq!(support(&terms, u64::MAX), truth(&adds, &times));
        }

        /// What is proven of those who are in one of two sums only is never more than what they add, and all of it
        /// where everybody has a place of their own.
        #[test]
        fn differences_are_never_above_the_truth(
            adds in prop::collection::btree_map((0_u32..6, 0_u32..3), 0_i64..9, 0..14),
            places in prop::collection::btree_map(0_u32..256, 0_i64..9, 0..40),
            inside in prop::collection::vec(0_u32..3, 40),
        ) {
            let close = adds.iter().map(|((low, high), add)| (low + 256 * high, *add));
            let apart = places.iter().map(|(person, add)| (*person, *add));
            for (adds, exact) in [(close.collect::<Vec<_>>(), false), (apart.collect(), true)] {
                let side = |wanted: u32| -> BTreeMap<u32, i64> {
                    let both = adds.iter().zip(&inside);
                    both.filter(|(_, of)| **of == 2 || **of == wanted).map(|(pair, _)| *pair).collect()
                };
                let only = |wanted: u32| -> i128 {
                    let both = adds.iter().zip(&inside).filter(|(_, of)| **of == wanted);
                    both.map(|((_, add), _)| i128::from(*add)).sum()
                };
                let (one, other) = (side(0), side(1));
                let (more, less) = spread(&one).differences(&spread(&other)).unwrap();
                prop_assert!(more <= only(0) && less <= only(1));
                prop_assert!(!exact || (more, less) == (only(0), only(1)));
            }
        }

        #[test]
        fn both_ways_to_count_persons_agree(people in prop::collection::btree_set(0..999_u32, 0..60)) {
            let people: RoaringBitmap = people.into_iter().chain([7]).collect();
            let mut pairs: Vec<(u32, i128)> = people.iter().map(|person| (person, 1)).collect();
            pairs.push((7, 1));
            let seven = Spread::of(&Contributions::of(pairs).unwrap()).unwrap();
            let mut one_each = Spread::of_persons(&people);
            one_each.sums[7] += 1;
            prop_assert_eq!(seven, one_each);
        }
    }

    #[test]
    fn rows_that_cancel_within_a_person_do_not_count() {
        // Three persons with rows of two kinds; one of them with a third.
        let rows = |of: &[(u32, i64)]| spread(&of.iter().copied().collect());
        let (one, two) = (rows(&[(1, 2), (2, 1)]), rows(&[(2, 1), (3, 4)]));
        let all = rows(&[(1, 2), (2, 2), (3, 5)]);
        assert_eq!(support(&[(1, &all), (-1, &one), (-1, &two)], 9), 1);
        assert_eq!(support(&[(1, &all), (-1, &one)], 9), 2);
    }

    #[test]
    fn what_does_not_fit_is_not_known() {
        let pairs = vec![(1, i128::from(i64::MAX)), (257, 1)];
        assert_eq!(Spread::of(&Contributions::of(pairs).unwrap()), None);
        assert_eq!(Spread::kept(vec![0; 255], Traits::default()), None);
    }

    #[test]
    fn traits_follow_what_is_added() {
        let of = |pairs| Spread::of(&Contributions::of(pairs).unwrap()).unwrap();
        let positive = of(vec![(1, 5)]).traits();
        assert_eq!(positive, Traits::default());
        assert!(of(vec![(1, 5), (2, -1)]).traits().signed);
        assert!(of(vec![(1, 5)]).signed(true).traits().signed);
        let limited = Contributions::of(vec![(1, 5)]).unwrap().limited(true);
        let limited = Spread::of(&limited).unwrap();
        assert!(limited.traits().limited);
        let plain = of(vec![(1, 3)]);
        assert_eq!(plain.differences(&limited), None);
        assert_eq!(plain.differences(&of(vec![(1, 5), (2, -1)])), None);
        assert_eq!(plain.differences(&of(vec![(2, 4)])), Some((3, 4)));
    }
}
