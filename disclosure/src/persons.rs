//! A set of persons that all who speak of the same ones hold together: a cell, its measures, what is
//! released of these and what is kept of it. Whether two sets are one is mostly known without looking
//! at them, and who of them is in the sample is found once.
//!
//! What this file must not know: what persons add, rules. No `Debug`, as for all evidence.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use roaring::{MultiOps, RoaringBitmap};

use crate::signature::Signature;

/// A set of persons. Clones are the same set.
#[derive(Clone, Default)]
pub struct Persons(Arc<Inner>);

#[derive(Default)]
struct Inner {
    set: RoaringBitmap,
    signature: OnceLock<Arc<Signature>>,
}

impl Persons {
    /// Everybody who is in one of some sets.
    pub(crate) fn union<'p>(sets: impl Iterator<Item = &'p Self>) -> Self {
        sets.map(Self::as_ref).union().into()
    }

    /// Whether they are known to be the same without looking at anybody.
    pub(crate) fn is_one_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Where the set is held.
    pub(crate) fn place(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Who of them is in the sample.
    pub(crate) fn signature(&self) -> &Arc<Signature> {
        let made = || Arc::new(Signature::of(self));
        self.0.signature.get_or_init(made)
    }
}

/// Unions that were made of sets, out of which others are made: a table's sums are mostly sums of sums,
/// and its measures mostly of the same persons.
#[derive(Default)]
pub(crate) struct Unions {
    made: Vec<(Vec<Persons>, Persons)>,
    /// Those that were made of a set first.
    of_first: BTreeMap<usize, Vec<usize>>,
}

impl Unions {
    /// Everybody who is in one of some sets.
    pub(crate) fn of(&mut self, sets: Vec<Persons>) -> Persons {
        let mut open: BTreeMap<usize, &Persons> = sets.iter().map(|s| (s.place(), s)).collect();
        let mut parts: Vec<&Persons> = Vec::new();
        let made = open.keys().filter_map(|first| self.of_first.get(first));
        let mut made: Vec<usize> = made.flatten().copied().collect();
        made.sort_unstable();
        // what was made last is made of most
        for (some, all) in made.iter().rev().filter_map(|at| self.made.get(*at)) {
            if some.iter().all(|one| open.contains_key(&one.place())) {
                for one in some {
                    open.remove(&one.place());
                }
                parts.push(all);
            }
        }
        parts.extend(open.into_values());
        if let [one] = parts.as_slice() {
            return (*one).clone();
        }
        let all = Persons::union(parts.into_iter());
        if let Some(first) = sets.first() {
            let of_first = self.of_first.entry(first.place()).or_default();
            of_first.push(self.made.len());
        }
        self.made.push((sets, all.clone()));
        all
    }
}

impl Deref for Persons {
    type Target = RoaringBitmap;

    fn deref(&self) -> &RoaringBitmap {
        &self.0.set
    }
}

impl AsRef<RoaringBitmap> for Persons {
    fn as_ref(&self) -> &RoaringBitmap {
        self
    }
}

impl From<RoaringBitmap> for Persons {
    fn from(set: RoaringBitmap) -> Self {
        let signature = OnceLock::new();
        Self(Arc::new(Inner { set, signature }))
    }
}

impl FromIterator<u32> for Persons {
    fn from_iter<I: IntoIterator<Item = u32>>(persons: I) -> Self {
        RoaringBitmap::from_iter(persons).into()
    }
}

impl PartialEq for Persons {
    fn eq(&self, other: &Self) -> bool {
        self.is_one_with(other) || self.0.set == other.0.set
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    proptest! {
        /// However unions are made of each other, they are those of their sets.
        #[test]
        fn unions_are_of_their_sets(
            sets in prop::collection::vec(prop::collection::btree_set(0_u32..30, 0..9), 1..7),
            wanted in prop::collection::vec(prop::collection::vec(any::<Index>(), 0..7), 1..9),
        ) {
            let held: Vec<Persons> = sets.iter().map(|set| set.iter().copied().collect()).collect();
            let mut unions = Unions::default();
            for places in wanted {
                let some = places.iter().map(|place| place.get(&held).clone()).collect();
                let plain: RoaringBitmap = places.iter().flat_map(|p| p.get(&sets)).collect();
                prop_assert!(unions.of(some) == plain.into());
            }
        }
    }

    #[test]
    fn what_was_made_once_is_not_made_again() {
        let held: Vec<Persons> = (0..3).map(|one| [one].into_iter().collect()).collect();
        let mut unions = Unions::default();
        let two = unions.of(held[..2].to_vec());
        let again = unions.of(vec![held[1].clone(), held[0].clone()]);
        assert!(two.is_one_with(&again));
        assert_eq!(unions.of(held).len(), 3);
    }

    #[test]
    fn equal_sets_are_equal_whoever_holds_them() {
        let some: Persons = [3, 900].into_iter().collect();
        let same: Persons = RoaringBitmap::from_iter([900, 3]).into();
        let other: Persons = [3].into_iter().collect();
        assert!(some == some.clone() && some == same);
        assert!(some != other && other != Persons::default());
        assert_eq!(some.signature().xor(other.signature(), u64::MAX), 1);
    }
}
