//! What comparisons look at in place of every person: the largest contributions, some of any size, and
//! what persons add in 256 sums by the last byte of their number. Whoever makes evidence can have it
//! made there ([`Contributions::digested`]), by as many threads as make evidence; what a table adds up to gets
//! its own with its sums.
//!
//! What this file must not know: rules, and what was released.

use std::sync::{Arc, OnceLock};

use crate::contributions::Contributions;
use crate::walk;

/// How many sums there are.
pub(crate) const PLACES: usize = 256;

/// What is kept of some contributions.
#[derive(Clone)]
pub(crate) struct Digest {
    pub(crate) largest: Vec<(u32, i128)>,
    pub(crate) sample: Vec<(u32, i128)>,
    /// `None` if they do not fit.
    pub(crate) sums: Option<Box<[i64]>>,
}

impl Digest {
    /// How many of the largest are kept.
    pub(crate) const KEPT: usize = 64;
    /// How many of any size are.
    pub(crate) const SAMPLED: usize = 512;

    pub(crate) fn of(contributions: &Contributions) -> Self {
        Self {
            largest: contributions.largest(Self::KEPT),
            sample: contributions.sample(Self::SAMPLED),
            sums: sums(contributions),
        }
    }
}

/// A digest that was made, or not yet, of contributions and all their clones. It says nothing that these do
/// not say, so that it makes no difference between equal ones.
#[derive(Clone, Default)]
pub(crate) struct Ready(Arc<OnceLock<Digest>>);

impl PartialEq for Ready {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Ready {
    pub(crate) fn get(&self) -> Option<&Digest> {
        self.0.get()
    }

    pub(crate) fn set(&self, digest: Digest) {
        // one that is there already says the same
        let _there = self.0.set(digest);
    }
}

/// The place of a person's number among the sums.
#[inline]
fn place(person: u32) -> usize {
    let [.., last] = person.to_be_bytes();
    usize::from(last)
}

/// What persons add, by the last byte of their number; `None` if it does not fit.
pub(crate) fn sums(of: &Contributions) -> Option<Box<[i64]>> {
    if of.is_one_each() {
        return Some(ones(of.people()));
    }
    let mut sums = [0_i64; PLACES];
    let mut fits = true;
    let mut add = |person: u32, addend: i64| {
        let over = sums.get_mut(place(person)).map(|sum| {
            let (total, over) = sum.overflowing_add(addend);
            *sum = total;
            over
        });
        fits &= over == Some(false);
    };
    if !of.each(&mut add) {
        for (person, addend) in of.iter() {
            add(person, addend.try_into().ok()?);
        }
    }
    fits.then(|| sums.into())
}

/// The same of one each.
pub(crate) fn ones(people: &roaring::RoaringBitmap) -> Box<[i64]> {
    let mut sums = [0_i64; PLACES];
    walk::each(people, |person| {
        if let Some(sum) = sums.get_mut(place(person)) {
            *sum = sum.wrapping_add(1);
        }
    });
    sums.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::history::{Footprint, Spread};

    proptest! {
        /// Made beforehand or when it is asked for: the same.
        #[test]
        fn a_digest_says_what_contributions_say(
            pairs in prop::collection::btree_map(
                any::<u32>().prop_map(|person| person >> 14),
                prop_oneof![4 => -3_i128..4, 1 => any::<i64>().prop_map(i128::from), 1 => any::<i128>().prop_map(|n| n >> 8)],
                0..200,
            ),
            ones in any::<bool>(),
            limited in any::<bool>(),
            n in 0_usize..80,
        ) {
            let pairs = pairs.into_iter().map(|(person, add)| (person, if ones { 1 } else { add }));
            let plain = Contributions::of(pairs.collect()).unwrap();
            let ready = plain.clone().digested().limited(limited);
            let plain = plain.limited(limited);
            prop_assert!(plain == ready);
            prop_assert_eq!(plain.largest(n), ready.largest(n));
            prop_assert_eq!(plain.sample(n), ready.sample(n));
            let sampled = Digest::SAMPLED;
            prop_assert_eq!(plain.sample(sampled), ready.sample(sampled));
            prop_assert_eq!(Spread::of(&plain), Spread::of(&ready));
            prop_assert!(Footprint::of(&plain) == Footprint::of(&ready));
        }
    }
}
