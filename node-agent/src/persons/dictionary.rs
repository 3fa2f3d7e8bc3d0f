//! Unit keys to numbers in memory. Whole numbers that lie close together, as they do in most
//! sources, are looked up by position; everything else by hash.

use std::collections::HashMap;

use super::key::UnitKey;

/// Numbers that a window may hold beyond four for each key.
const SLACK: u64 = 1 << 16;

/// The numbers of known keys. Maps are only ever looked up, never walked.
#[derive(Default)]
pub(super) struct Dictionary {
    /// First key of the window.
    base: i64,
    /// Number of the key at its place, plus one; 0 for an unknown key.
    window: Vec<u32>,
    inside: u64,
    ints: HashMap<i64, u32>,
    others: HashMap<Box<[u8]>, u32>,
}

impl Dictionary {
    pub(super) fn get(&self, key: &UnitKey) -> Option<u32> {
        match key {
            UnitKey::Int(key) => self.int(*key),
            UnitKey::Other(bytes) => self.others.get(bytes.as_slice()).copied(),
        }
    }

    pub(super) fn int(&self, key: i64) -> Option<u32> {
        match self.near(key).checked_sub(1) {
            None if self.ints.is_empty() => None,
            None => self.ints.get(&key).copied(),
            found => found,
        }
    }

    /// The numbers of some keys; `new` says what stands for a key that has none, given its place among
    /// them. The window is looked into for all of them before anything is asked of what was found, so
    /// that the processor need not wait for one to look for the next.
    pub(super) fn ints<E>(
        &self,
        keys: &[i64],
        mut new: impl FnMut(usize, i64) -> Result<u32, E>,
    ) -> Result<Vec<u32>, E> {
        let mut found: Vec<u32> = keys.iter().map(|key| self.near(*key)).collect();
        for (at, (number, key)) in found.iter_mut().zip(keys).enumerate() {
            *number = match number.checked_sub(1) {
                Some(number) => number,
                None => match self.ints.get(key) {
                    Some(number) => *number,
                    None => new(at, *key)?,
                },
            };
        }
        Ok(found)
    }

    /// What the window holds of a key: its number plus one, or 0.
    #[inline]
    fn near(&self, key: i64) -> u32 {
        let place = self.place(key).and_then(|place| self.window.get(place));
        place.copied().unwrap_or(0)
    }

    pub(super) fn other(&self, bytes: &[u8]) -> Option<u32> {
        self.others.get(bytes).copied()
    }

    pub(super) fn insert(&mut self, key: UnitKey, person: u32) {
        match key {
            UnitKey::Other(bytes) => {
                self.others.insert(bytes.into_boxed_slice(), person);
            }
            UnitKey::Int(key) => {
                if !self.reach(key) || person == u32::MAX {
                    self.ints.insert(key, person);
                    return;
                }
                let place = self.place(key);
                if let Some(slot) = place.and_then(|place| self.window.get_mut(place)) {
                    self.inside += u64::from(*slot == 0);
                    *slot = person + 1;
                }
            }
        }
    }

    pub(super) fn remove(&mut self, key: &UnitKey) {
        match key {
            UnitKey::Other(bytes) => {
                self.others.remove(bytes.as_slice());
            }
            UnitKey::Int(key) => {
                self.ints.remove(key);
                let place = self.place(*key);
                if let Some(slot) = place.and_then(|place| self.window.get_mut(place)) {
                    *slot = 0;
                }
            }
        }
    }

    #[inline]
    fn place(&self, key: i64) -> Option<usize> {
        usize::try_from(key.checked_sub(self.base)?).ok()
    }

    /// Makes the window cover the key, unless that would leave it mostly empty.
    fn reach(&mut self, key: i64) -> bool {
        if self.window.is_empty() {
            self.base = key;
        }
        if self
            .place(key)
            .is_some_and(|place| place < self.window.len())
        {
            return true;
        }
        let (base, held) = (i128::from(self.base), self.window.len());
        let end = base + i128::try_from(held).unwrap_or(i128::MAX / 2);
        let (low, high) = (base.min(key.into()), end.max(i128::from(key) + 1));
        let most = self.inside.saturating_mul(4).saturating_add(SLACK);
        if high - low > i128::from(most) {
            return false;
        }
        // keys that come in descending order would otherwise move the window each time
        let before = if low < base {
            (base - low).max(i128::from(most) / 4)
        } else {
            0
        };
        let before = before.min(base - i128::from(i64::MIN));
        let (Ok(base), Ok(before), Ok(width)) = (
            i64::try_from(base - before),
            usize::try_from(before),
            usize::try_from(high - (base - before)),
        ) else {
            return false;
        };
        if before > 0 {
            self.window.splice(0..0, std::iter::repeat_n(0, before));
        }
        self.base = base;
        if width > self.window.len() {
            self.window.resize(width, 0);
        }
        true
    }
}
