//! Whether something that rests on a few places follows from some sums by any multiples of them: a search
//! for light words of a linear code, modulo the prime 2^61 - 1.
//!
//! A sum that differs from zero in fewer than `n` places is zero in the whole of one of any `n` groups of
//! places. So the places are put into `n` groups, and for one group after the other all multiples are worked
//! out that make it zero: mostly there are none, as soon as a group has more places than there are sums.
//! What this file must not know: what the places stand for.

use super::family::field::Fp;

/// Products after which the search gives up.
const MOST_WORK: usize = 1 << 24;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A sum with so many places that are not zero.
    Few(u64),
    /// Whether there is one is not known: it takes too long to find out.
    Unknown,
}

/// Whether `sum` and any multiples of `others` add up to something that differs from zero somewhere, and in
/// fewer than `enough` places. All have the same places. What comes to zero everywhere is not found.
pub(super) fn few(sum: Vec<Fp>, others: Vec<Vec<Fp>>, enough: usize) -> Option<Found> {
    let mut search = Search {
        enough,
        left: MOST_WORK,
    };
    search.within(&Coset { sum, others })
}

/// A sum to which any multiples of others may be added.
#[derive(Clone)]
struct Coset {
    sum: Vec<Fp>,
    others: Vec<Vec<Fp>>,
}

struct Search {
    enough: usize,
    left: usize,
}

impl Search {
    fn within(&mut self, coset: &Coset) -> Option<Found> {
        let (active, fixed) = coset.places();
        if fixed >= self.enough {
            return None;
        }
        let groups = self.enough.saturating_sub(fixed);
        if active.len() < groups {
            let some = coset.sum.iter().filter(|x| **x != Fp::ZERO).count();
            let some = u64::try_from(some).unwrap_or(u64::MAX);
            return (some > 0).then_some(Found::Few(some));
        }
        for first in 0..groups {
            let group = active.iter().skip(first).step_by(groups);
            let group: Vec<usize> = group.copied().collect();
            // Whether it can be zero at all is seen by the group alone, which is quicker.
            let mut alone = coset.of(&group);
            let all: Vec<usize> = (0..group.len()).collect();
            let mut whole = coset.clone();
            let zero = self.eliminate(&mut alone, &all) && self.eliminate(&mut whole, &group);
            if self.left == 0 {
                return Some(Found::Unknown);
            }
            let found = zero.then(|| self.within(&whole)).flatten();
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Makes it zero in these places with the others that it takes for it; whether that can be.
    fn eliminate(&mut self, coset: &mut Coset, places: &[usize]) -> bool {
        for place in places {
            let at = |row: &Vec<Fp>| row.get(*place).copied().unwrap_or_default();
            let Some(pivot) = coset.others.iter().position(|row| at(row) != Fp::ZERO) else {
                if at(&coset.sum) != Fp::ZERO {
                    return false;
                }
                continue;
            };
            let pivot = coset.others.swap_remove(pivot);
            let inverse = at(&pivot).inverse();
            for row in coset.others.iter_mut().chain([&mut coset.sum]) {
                let factor = at(row).times(inverse);
                if factor == Fp::ZERO {
                    continue;
                }
                self.left = self.left.saturating_sub(pivot.len());
                for (x, y) in row.iter_mut().zip(&pivot) {
                    *x = x.minus(y.times(factor));
                }
            }
            if self.left == 0 {
                return false;
            }
        }
        true
    }
}

impl Coset {
    /// Places that multiples can change, and how many others are not zero.
    fn places(&self) -> (Vec<usize>, usize) {
        let zero = |row: &Vec<Fp>, at: usize| row.get(at).is_none_or(|x| *x == Fp::ZERO);
        let is_active = |at: &usize| self.others.iter().any(|row| !zero(row, *at));
        let (active, fixed): (Vec<usize>, Vec<usize>) = (0..self.sum.len()).partition(is_active);
        let fixed = fixed.into_iter().filter(|at| !zero(&self.sum, *at));
        (active, fixed.count())
    }

    /// The same in these places only.
    fn of(&self, places: &[usize]) -> Self {
        let of = |row: &Vec<Fp>| {
            places
                .iter()
                .filter_map(|at| row.get(*at))
                .copied()
                .collect()
        };
        Self {
            sum: of(&self.sum),
            others: self.others.iter().map(of).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PLACES: usize = 12;

    fn words() -> impl Strategy<Value = Vec<Vec<i64>>> {
        let place = prop_oneof![3 => Just(0_i64), 4 => -1_i64..2, 1 => -5_i64..6];
        prop::collection::vec(prop::collection::vec(place, PLACES), 1..6)
    }

    fn field(row: &[i64]) -> Vec<Fp> {
        row.iter().map(|x| Fp::of(i128::from(*x))).collect()
    }

    /// The rank of some rows in some places, worked out for itself.
    fn rank(rows: &[Vec<Fp>], places: &[usize]) -> usize {
        let mut rows: Vec<Vec<Fp>> = rows.to_vec();
        let mut rank = 0;
        for place in places {
            let Some(pivot) = (rank..rows.len()).find(|row| rows[*row][*place] != Fp::ZERO) else {
                continue;
            };
            rows.swap(rank, pivot);
            let inverse = rows[rank][*place].inverse();
            let lead = rows[rank].clone();
            for row in rows.iter_mut().skip(rank + 1) {
                let factor = row[*place].times(inverse);
                for (x, y) in row.iter_mut().zip(&lead) {
                    *x = x.minus(y.times(factor));
                }
            }
            rank += 1;
        }
        rank
    }

    /// For each few places that may differ from zero: whether multiples of the others make the sum zero
    /// everywhere else; and whether some multiples of the others alone are zero there, and not in all places.
    fn truth(sum: &[Fp], others: &[Vec<Fp>], enough: usize) -> [bool; 2] {
        let with: Vec<Vec<Fp>> = others.iter().cloned().chain([sum.to_vec()]).collect();
        let all: Vec<usize> = (0..PLACES).collect();
        let few = |places: &u32| places.count_ones() < u32::try_from(enough).unwrap();
        let sets = (0_u32..1 << PLACES).filter(few);
        let outside = |few: u32| {
            (0..PLACES)
                .filter(|at| (few >> at) & 1 == 0)
                .collect::<Vec<_>>()
        };
        let mut found = [false; 2];
        for few in sets {
            let outside = outside(few);
            let of_others = rank(others, &outside);
            found[0] |= rank(&with, &outside) == of_others;
            found[1] |= of_others < rank(others, &all);
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// What follows is found, and what is found follows.
        #[test]
        fn a_few_that_follow_are_found_and_no_others(words in words(), enough in 1_usize..5) {
            let rows: Vec<Vec<Fp>> = words.iter().map(|row| field(row)).collect();
            let (sum, others) = rows.split_first().unwrap();
            let found = few(sum.clone(), others.to_vec(), enough);
            let [follows, of_others] = truth(sum, others, enough);
            let all: Vec<usize> = (0..PLACES).collect();
            if rank(&rows, &all) == rank(others, &all) {
                // The sum says nothing new: what is found was there before.
                prop_assert!(found.is_none() || of_others);
            } else {
                prop_assert_eq!(found.is_some(), follows);
            }
            if let Some(found) = found {
                prop_assert!(matches!(found, Found::Few(some) if some > 0 && some < u64::try_from(enough).unwrap()));
            }
        }
    }

    /// Thirty sums of three hundred places, all drawn: nothing follows, unless it was put there.
    #[test]
    fn many_sums_hide_nothing_that_is_put_there() {
        let mut state = 7_u64;
        let mut draw = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            i64::try_from(state >> 33).unwrap() % 50
        };
        let rows: Vec<Vec<i64>> = (0..30)
            .map(|_| (0..256).map(|_| draw()).collect())
            .collect();
        let mut sum: Vec<i64> = (0..256).map(|_| draw()).collect();
        let others: Vec<Vec<Fp>> = rows.iter().map(|row| field(row)).collect();
        assert_eq!(few(field(&sum), others.clone(), 8), None);
        for (at, place) in sum.iter_mut().enumerate() {
            *place = rows
                .iter()
                .zip(-3_i64..)
                .map(|(row, times)| row[at] * times)
                .sum();
            *place += i64::from(at % 40 == 3);
        }
        assert_eq!(few(field(&sum), others, 8), Some(Found::Few(7)));
    }

    #[test]
    fn what_takes_too_long_is_said() {
        let row = |times: i64| (0..256).map(|at| (at * times) % 97).collect::<Vec<i64>>();
        let coset = Coset {
            sum: field(&row(5)),
            others: (6..36).map(|times| field(&row(times))).collect(),
        };
        let mut search = Search {
            enough: 8,
            left: 300,
        };
        assert_eq!(search.within(&coset), Some(Found::Unknown));
    }
}
