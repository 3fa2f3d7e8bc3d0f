//! A fixed sample of person numbers: what differs within it differs at least as much outside.
//!
//! The first persons of a population are all in it, later ones ever more thinly. It gives exact
//! lower bounds of how many persons a difference has, without touching their bitmaps.

use roaring::RoaringBitmap;

const WORDS: usize = 64;
/// Words that are counted before it is asked whether that is enough.
const AT_ONCE: usize = 4;
/// Numbers below this are all in the sample.
const ALL_BELOW: u32 = 2048;
/// Beyond, each is larger than the one before by this part.
const THINNER: u32 = 146;

/// Which persons of the sample are in a set.
#[derive(Clone)]
pub(super) struct Signature([u64; WORDS]);

/// The sampled person numbers, ascending.
fn sampled() -> impl Iterator<Item = u32> {
    let next = |last: &u32| {
        let step = if *last < ALL_BELOW { 1 } else { last / THINNER };
        last.checked_add(step)
    };
    std::iter::successors(Some(0), next).take(WORDS.saturating_mul(64))
}

impl Signature {
    pub(super) fn of(people: &RoaringBitmap) -> Self {
        let mut words = [0_u64; WORDS];
        let mut mark = |at: usize| {
            if let Some(word) = words.get_mut(at / 64) {
                *word |= 1 << (at % 64);
            }
        };
        // those below are their own places
        for person in people.range(..ALL_BELOW) {
            usize::try_from(person).into_iter().for_each(&mut mark);
        }
        let below = usize::try_from(ALL_BELOW).unwrap_or(0);
        for (at, person) in sampled().enumerate().skip(below) {
            if people.contains(person) {
                mark(at);
            }
        }
        Self(words)
    }

    /// At least so many persons are in exactly one of them; counting ends at `enough`.
    pub(super) fn xor(&self, other: &Self, enough: u64) -> u64 {
        self.combined([other, other], enough, |q, a, _| q ^ a)
    }

    /// At least so many persons are in this and not in the other; counting ends at `enough`.
    pub(super) fn outside(&self, other: &Self, enough: u64) -> u64 {
        self.combined([other, other], enough, |q, a, _| q & !a)
    }

    /// At least so many persons have a coefficient in `q + a - b`; counting ends at `enough`.
    pub(super) fn plus(&self, legs: [&Self; 2], enough: u64) -> u64 {
        self.combined(legs, enough, |q, a, b| (q | a | b) & !((q ^ a) & b))
    }

    /// At least so many persons have a coefficient in `q - a - b`; counting ends at `enough`.
    pub(super) fn minus(&self, legs: [&Self; 2], enough: u64) -> u64 {
        self.combined(legs, enough, |q, a, b| (q | a | b) & !(q & (a ^ b)))
    }

    /// At least so many persons are in one of the first two and not in the third, or the other way;
    /// counting ends at `enough`.
    pub(super) fn either_xor(&self, legs: [&Self; 2], enough: u64) -> u64 {
        self.combined(legs, enough, |q, a, b| (q | a) ^ b)
    }

    /// At least so many persons are in exactly one of them; counting ends at `enough`.
    pub(super) fn alone(&self, legs: [&Self; 2], enough: u64) -> u64 {
        self.combined(legs, enough, |q, a, b| (q ^ a ^ b) & !(q & a & b))
    }

    /// Counts a few words at a time: by far the most sets differ in the first of them.
    fn combined(&self, [a, b]: [&Self; 2], enough: u64, of: impl Fn(u64, u64, u64) -> u64) -> u64 {
        let mut found = 0;
        let parts = self.0.chunks(AT_ONCE);
        let parts = parts.zip(a.0.chunks(AT_ONCE)).zip(b.0.chunks(AT_ONCE));
        for ((q, a), b) in parts {
            let triples = q.iter().zip(a).zip(b);
            found += triples
                .map(|((q, a), b)| u64::from(of(*q, *a, *b).count_ones()))
                .sum::<u64>();
            if found >= enough {
                break;
            }
        }
        found
    }
}

/// How many are tried one by one before sets are compared whole.
const TRIED: usize = 64;

/// Whether so many of the first are not in the second. Sets that have nothing to do with each other
/// show it by their first few persons.
pub(super) fn lack(first: &RoaringBitmap, second: &RoaringBitmap, enough: u64) -> bool {
    let mut outside = 0_u64;
    for person in first.iter().take(TRIED) {
        outside += u64::from(!second.contains(person));
        if outside >= enough {
            return true;
        }
    }
    first.difference_len(second) >= enough
}

/// How many persons have a coefficient in `q + a - b`, those in one of them but not those in `b` and
/// one of the others; where these are `enough` surely, perhaps fewer, but enough.
pub(super) fn weight_plus(q: &RoaringBitmap, [a, b]: [&RoaringBitmap; 2], enough: u64) -> u64 {
    let (qa, qb, ab) = (
        q.intersection_len(a),
        q.intersection_len(b),
        a.intersection_len(b),
    );
    let twice = qb.saturating_add(ab).saturating_mul(2).saturating_add(qa);
    let once = q.len().saturating_add(a.len()).saturating_add(b.len());
    if once.saturating_sub(twice) >= enough {
        return once.saturating_sub(twice);
    }
    // the smallest of the three is quickest made
    let all = match qa.min(qb).min(ab) {
        0 => 0,
        least if least == qa => (q & a).intersection_len(b),
        least if least == qb => (q & b).intersection_len(a),
        _ => (a & b).intersection_len(q),
    };
    let thrice = all.saturating_mul(3);
    once.saturating_add(thrice).saturating_sub(twice)
}

/// The same of `q - a - b`: those in one of them, but not those in `q` and one of the others.
pub(super) fn weight_minus(q: &RoaringBitmap, [a, b]: [&RoaringBitmap; 2], enough: u64) -> u64 {
    weight_plus(a, [b, q], enough)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn people() -> impl Strategy<Value = RoaringBitmap> {
        let person = prop_oneof![4 => 0_u32..40, 2 => 2040_u32..2070, 1 => 60_000_u32..70_000];
        prop::collection::btree_set(person, 0..40).prop_map(RoaringBitmap::from_iter)
    }

    proptest! {
        /// Whoever is in the sample is counted, and only then.
        #[test]
        fn a_sample_counts_its_own(q in people(), a in people(), b in people(), enough in 0_u64..30) {
            let own = |people: &RoaringBitmap| -> RoaringBitmap {
                sampled().filter(|person| people.contains(*person)).collect()
            };
            let [x, y, z] = [&q, &a, &b].map(Signature::of);
            let (q, a, b) = (own(&q), own(&a), own(&b));
            let none = &q & &a & &b;
            let plain = [
                (x.xor(&y, u64::MAX), (&q ^ &a).len(), x.xor(&y, enough)),
                (x.outside(&y, u64::MAX), (&q - &a).len(), x.outside(&y, enough)),
                (
                    x.plus([&y, &z], u64::MAX),
                    (&q | &a | &b).len() - ((&q ^ &a) & &b).len(),
                    x.plus([&y, &z], enough),
                ),
                (
                    x.minus([&y, &z], u64::MAX),
                    (&q | &a | &b).len() - (&q & (&a ^ &b)).len(),
                    x.minus([&y, &z], enough),
                ),
                (
                    x.either_xor([&y, &z], u64::MAX),
                    ((&q | &a) ^ &b).len(),
                    x.either_xor([&y, &z], enough),
                ),
                (
                    x.alone([&y, &z], u64::MAX),
                    ((&q ^ &a ^ &b) - none).len(),
                    x.alone([&y, &z], enough),
                ),
            ];
            for (found, truth, stopped) in plain {
                prop_assert_eq!(found, truth);
                prop_assert!(stopped <= truth && stopped >= enough.min(truth));
            }
        }

        /// However few are tried, it is what the whole sets say.
        #[test]
        fn who_lacks_is_counted(a in people(), b in people(), enough in 0_u64..90) {
            prop_assert_eq!(lack(&a, &b, enough), (&a - &b).len() >= enough);
            let many: RoaringBitmap = (0..200).chain(&b).collect();
            prop_assert_eq!(lack(&many, &b, enough), (&many - &b).len() >= enough);
        }

        /// Weights are those of the plain definition.
        #[test]
        fn weights_are_numbers_of_persons(q in people(), a in people(), b in people(), enough in 0_u64..90) {
            let coefficient = |person: u32, sign: i32| {
                let one = |people: &RoaringBitmap| i32::from(people.contains(person));
                one(&q) + sign * one(&a) - one(&b)
            };
            let any = &q | &a | &b;
            let truth = |sign: i32| {
                let counted = any.iter().filter(|person| coefficient(*person, sign) != 0);
                u64::try_from(counted.count()).unwrap()
            };
            let legs = [&a, &b];
            prop_assert_eq!(weight_plus(&q, legs, u64::MAX), truth(1));
            prop_assert_eq!(weight_minus(&q, legs, u64::MAX), truth(-1));
            for (found, truth) in [
                (weight_plus(&q, legs, enough), truth(1)),
                (weight_minus(&q, legs, enough), truth(-1)),
            ] {
                prop_assert!(found <= truth && found >= enough.min(truth));
            }
        }
    }
}
