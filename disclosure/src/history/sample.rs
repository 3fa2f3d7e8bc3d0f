//! A fixed sample of person numbers: what differs within it differs at least as much outside.
//!
//! The first persons of a population are all in it, later ones ever more thinly. It gives exact
//! lower bounds of how many persons a difference has, without touching their bitmaps.

use roaring::RoaringBitmap;

const WORDS: usize = 64;
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
        let mut persons = sampled();
        for word in &mut words {
            for (bit, person) in (0..64_u32).zip(persons.by_ref()) {
                *word |= u64::from(people.contains(person)) << bit;
            }
        }
        Self(words)
    }

    /// At least so many persons are in exactly one of them.
    pub(super) fn xor(&self, other: &Self) -> u64 {
        let pairs = self.0.iter().zip(&other.0);
        pairs.map(|(a, b)| u64::from((a ^ b).count_ones())).sum()
    }

    /// At least so many persons are in this and not in the other.
    pub(super) fn outside(&self, other: &Self) -> u64 {
        let pairs = self.0.iter().zip(&other.0);
        pairs.map(|(a, b)| u64::from((a & !b).count_ones())).sum()
    }

    /// At least so many persons have a coefficient in `q + a - b`.
    pub(super) fn plus(&self, a: &Self, b: &Self) -> u64 {
        self.combined(a, b, |q, a, b| (q | a | b) & !((q ^ a) & b))
    }

    /// At least so many persons have a coefficient in `q - a - b`.
    pub(super) fn minus(&self, a: &Self, b: &Self) -> u64 {
        self.combined(a, b, |q, a, b| (q | a | b) & !(q & (a ^ b)))
    }

    /// At least so many persons are in one of the first two and not in the third, or the other way.
    pub(super) fn either_xor(&self, a: &Self, b: &Self) -> u64 {
        self.combined(a, b, |q, a, b| (q | a) ^ b)
    }

    /// At least so many persons are in exactly one of them.
    pub(super) fn alone(&self, a: &Self, b: &Self) -> u64 {
        self.combined(a, b, |q, a, b| (q ^ a ^ b) & !(q & a & b))
    }

    fn combined(&self, a: &Self, b: &Self, of: impl Fn(u64, u64, u64) -> u64) -> u64 {
        let triples = self.0.iter().zip(&a.0).zip(&b.0);
        triples
            .map(|((q, a), b)| u64::from(of(*q, *a, *b).count_ones()))
            .sum()
    }
}

/// How many persons have a coefficient in `q + a - b`.
pub(super) fn weight_plus(q: &RoaringBitmap, a: &RoaringBitmap, b: &RoaringBitmap) -> u64 {
    let all = (q | a).union_len(b);
    all.saturating_sub((q ^ a).intersection_len(b))
}

/// How many persons have a coefficient in `q - a - b`.
pub(super) fn weight_minus(q: &RoaringBitmap, a: &RoaringBitmap, b: &RoaringBitmap) -> u64 {
    let all = (a | b).union_len(q);
    all.saturating_sub((a ^ b).intersection_len(q))
}
