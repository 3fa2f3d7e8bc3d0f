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
pub(crate) struct Signature([u64; WORDS]);

/// The sampled person numbers, ascending.
fn sampled() -> impl Iterator<Item = u32> {
    let next = |last: &u32| {
        let step = if *last < ALL_BELOW { 1 } else { last / THINNER };
        last.checked_add(step)
    };
    std::iter::successors(Some(0), next).take(WORDS.saturating_mul(64))
}

impl Signature {
    pub(crate) fn of(people: &RoaringBitmap) -> Self {
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
    pub(crate) fn xor(&self, other: &Self, enough: u64) -> u64 {
        self.combined([other, other], enough, |q, a, _| q ^ a)
    }

    /// At least so many persons are in this and not in the other; counting ends at `enough`.
    pub(crate) fn outside(&self, other: &Self, enough: u64) -> u64 {
        self.combined([other, other], enough, |q, a, _| q & !a)
    }

    /// At least so many persons have a coefficient in `q + a - b`; counting ends at `enough`.
    pub(crate) fn plus(&self, legs: [&Self; 2], enough: u64) -> u64 {
        self.combined(legs, enough, |q, a, b| (q | a | b) & !((q ^ a) & b))
    }

    /// At least so many persons have a coefficient in `q - a - b`; counting ends at `enough`.
    pub(crate) fn minus(&self, legs: [&Self; 2], enough: u64) -> u64 {
        self.combined(legs, enough, |q, a, b| (q | a | b) & !(q & (a ^ b)))
    }

    /// At least so many persons are in one of the first two and not in the third, or the other way;
    /// counting ends at `enough`.
    pub(crate) fn either_xor(&self, legs: [&Self; 2], enough: u64) -> u64 {
        self.combined(legs, enough, |q, a, b| (q | a) ^ b)
    }

    /// At least so many persons are in exactly one of them; counting ends at `enough`.
    pub(crate) fn alone(&self, legs: [&Self; 2], enough: u64) -> u64 {
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
    }
}
