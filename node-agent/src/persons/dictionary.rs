//! Unit keys to numbers in memory. Whole numbers that lie close together, as they do in most
//! sources, are looked up by position; everything else by hash.

use std::collections::HashMap;

use super::key::UnitKey;

/// Numbers that a window may hold beyond four for each key.
const SLACK: u64 = 1 << 16;
/// With so many keys outside, it is looked whether a window can be laid around most of them.
const MANY: usize = 1 << 10;
/// The window is laid around all keys, or leaves out one of so many at either end.
const LEFT_OUT: [usize; 3] = [usize::MAX, 1 << 8, 1 << 4];

/// The numbers of known keys. No order of a map is ever seen.
#[derive(Default)]
pub(super) struct Dictionary {
    /// First key of the window.
    base: i64,
    /// Number of the key at its place, plus one; 0 for an unknown key.
    window: Vec<u32>,
    inside: u64,
    /// Keys outside that it takes to look for another window.
    patience: usize,
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
                    if self.ints.len() >= self.patience.max(MANY) {
                        self.gather();
                        self.patience = self.ints.len().saturating_mul(2);
                    }
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

    /// Lays the window around nearly all keys, if these are not far apart. Keys that come in any order
    /// would else stay outside, since the first few of them are.
    fn gather(&mut self) {
        let inside = (self.base..).zip(self.window.drain(..));
        let inside = inside.filter_map(|(key, found)| Some((key, found.checked_sub(1)?)));
        let mut keys: Vec<(i64, u32)> = inside.chain(self.ints.drain()).collect();
        keys.sort_unstable();
        let fits = |keys: &&[(i64, u32)]| match (keys.first(), keys.last()) {
            (Some((first, _)), Some((last, _))) => {
                let width = i128::from(*last) - i128::from(*first);
                width < i128::from(most(keys.len())) && keys.iter().all(|key| key.1 < u32::MAX)
            }
            _ => false,
        };
        let spans = LEFT_OUT.iter().filter_map(|part| {
            let out = keys.len() / part;
            keys.get(out..keys.len() - out)
        });
        let span = spans.into_iter().find(fits).unwrap_or_default();
        self.base = span.first().map_or(0, |(key, _)| *key);
        self.inside = 0;
        for (key, person) in span {
            let place = self.place(*key).unwrap_or(usize::MAX);
            self.window.resize(place.saturating_add(1), 0);
            if let Some(slot) = self.window.get_mut(place) {
                *slot = person + 1;
                self.inside += 1;
            }
        }
        let (base, held) = (self.base, self.window.len());
        let is_inside = |key: i64| {
            let place = key
                .checked_sub(base)
                .and_then(|at| usize::try_from(at).ok());
            place.is_some_and(|place| place < held)
        };
        let outside = keys.iter().filter(|(key, _)| !is_inside(*key));
        self.ints = outside.copied().collect();
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
        let most = most(usize::try_from(self.inside).unwrap_or(usize::MAX));
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

/// The widest that a window of so many keys may be.
fn most(keys: usize) -> u64 {
    let keys = u64::try_from(keys).unwrap_or(u64::MAX);
    keys.saturating_mul(4).saturating_add(SLACK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_any_order_come_into_the_window() {
        let mut dictionary = Dictionary::default();
        // every third number is a key; one in a hundred is nowhere near
        let near = |at: u32| 5_000_000 + 3 * i64::from(at.wrapping_mul(40_503) % 65_536);
        let far = |at: u32| (i64::from(at) - 25_000) << 40;
        let key = |at: u32| match at % 100 {
            99 => UnitKey::Int(far(at)),
            _ => UnitKey::Int(near(at)),
        };
        for at in 0..50_000 {
            assert!(dictionary.get(&key(at)).is_none(), "{at}");
            dictionary.insert(key(at), at);
        }
        for at in 0..50_000 {
            assert_eq!(dictionary.get(&key(at)), Some(at));
        }
        assert!(dictionary.ints.len() < 4000, "{}", dictionary.ints.len());
        let ends = [i64::MIN, i64::MAX, 0, 4_999_999, 5_000_001];
        let found = dictionary.ints(&ends, |at, _| Ok::<_, ()>(100 + u32::try_from(at).unwrap()));
        assert_eq!(found.unwrap(), [100, 101, 102, 103, 104]);
        dictionary.remove(&key(7));
        assert!(dictionary.get(&key(7)).is_none() && dictionary.get(&key(8)).is_some());
    }
}
