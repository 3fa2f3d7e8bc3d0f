//! Unit keys to numbers in memory. Whole numbers that lie close together, as they do in most
//! sources, are looked up by position; everything else by hash.

use std::collections::HashMap;

use super::key::UnitKey;

/// Numbers that a window may hold beyond four for each key.
const SLACK: u64 = 1 << 16;
/// With so many keys outside, it is looked whether a window can be laid around most of them.
const MANY: usize = 1 << 10;
/// The window is laid around all keys, or leaves out one of so many at either end.
const LEFT_OUT: [usize; 4] = [usize::MAX, 1 << 8, 1 << 6, 1 << 4];

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

    /// Lays the window around nearly all keys, if these are not far apart, and if it then holds more than
    /// it does. Keys that come in any order would else stay outside, since the first few of them are.
    fn gather(&mut self) {
        let key = |at: usize| self.base.checked_add(i64::try_from(at).ok()?);
        let inside = self.window.iter().enumerate();
        let inside = inside.filter_map(|(at, found)| Some((key(at)?, found.checked_sub(1)?)));
        let outside = self.ints.iter().map(|(key, person)| (*key, *person));
        let mut keys: Vec<(i64, u32)> = inside.chain(outside).collect();
        keys.sort_unstable();
        let fits = |keys: &&[(i64, u32)]| match (keys.first(), keys.last()) {
            (Some((first, _)), Some((last, _))) => {
                let width = i128::from(*last) - i128::from(*first);
                width < i128::from(most(keys.len())) && keys.iter().all(|key| key.1 < u32::MAX)
            }
            _ => false,
        };
        let mut spans = LEFT_OUT.iter().filter_map(|part| {
            let out = keys.len() / part;
            keys.get(out..keys.len() - out)
        });
        let before = keys.len() - self.ints.len();
        if let Some(span) = spans.find(fits).filter(|span| span.len() > before) {
            self.lay_around(span);
            let held = |key: i64| self.place(key).is_some_and(|at| at < self.window.len());
            let outside = keys.iter().filter(|(key, _)| !held(*key));
            self.ints = outside.copied().collect();
        }
        // so that all of it together takes a few times as long as to sort once, whatever keys come
        self.patience = self.ints.len().saturating_add(keys.len() / 4);
    }

    /// A window of just these keys, in their order.
    fn lay_around(&mut self, span: &[(i64, u32)]) {
        self.base = span.first().map_or(0, |(key, _)| *key);
        self.inside = 0;
        self.window.clear();
        for (key, person) in span {
            let Some(place) = self.place(*key) else {
                continue;
            };
            self.window.resize(place, 0);
            self.window.push(person + 1);
            self.inside += 1;
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

    fn int(key: i64) -> UnitKey {
        UnitKey::Int(key)
    }

    /// A dictionary of some keys, numbered as they come; all of them are found again.
    fn of(keys: impl Iterator<Item = i64> + Clone) -> Dictionary {
        let mut dictionary = Dictionary::default();
        for (person, key) in (0..).zip(keys.clone()) {
            assert!(dictionary.get(&int(key)).is_none(), "{key}");
            dictionary.insert(int(key), person);
        }
        for (person, key) in (0..).zip(keys) {
            assert_eq!(dictionary.get(&int(key)), Some(person));
        }
        dictionary
    }

    #[test]
    fn keys_in_any_order_come_into_the_window() {
        // every third number is a key; one in a hundred is nowhere near
        let near = |at: i64| 5_000_000 + 3 * (at * 40_503 % 65_536);
        let far = |at: i64| (at - 25_000) << 40;
        let keys = (0..50_000).map(|at| if at % 100 == 99 { far(at) } else { near(at) });
        let mut dictionary = of(keys);
        assert!(dictionary.inside > 7 * 50_000 / 8, "{}", dictionary.inside);
        let ends = [i64::MIN, i64::MAX, 0, 4_999_999, 5_000_001];
        let found = dictionary.ints(&ends, |at, _| Ok::<_, ()>(100 + u32::try_from(at).unwrap()));
        assert_eq!(found.unwrap(), [100, 101, 102, 103, 104]);
        dictionary.remove(&int(near(7)));
        assert!(dictionary.get(&int(near(7))).is_none());
        assert!(dictionary.get(&int(near(8))).is_some());
    }

    #[test]
    fn a_window_stays_until_a_better_one_is_found() {
        let later = (0..9000).map(|at| 9_000_000_000 + at);
        let dictionary = of((1..200_000).chain(later));
        assert!(dictionary.inside >= 199_999 && dictionary.ints.len() <= 9000);
    }

    #[test]
    fn keys_at_the_ends_of_their_type_are_found() {
        for first in [i64::MAX, i64::MAX - 1, i64::MIN] {
            of([first].into_iter().chain(1..3000));
            of([first].into_iter().chain((1..3000).map(|at| at << 30)));
        }
        of((0..5000).map(|at| i64::MAX - at * 7).chain([i64::MIN]));
    }

    #[test]
    fn keys_that_always_just_miss_the_window_are_not_gathered_each_time() {
        let mut dictionary = of(0..50_000);
        for person in 50_000..60_000 {
            let next = dictionary.base + i64::try_from(most(dictionary.window.len())).unwrap();
            dictionary.insert(int(next + i64::from(person)), person);
        }
        assert!(dictionary.patience >= 50_000 / 4, "{}", dictionary.patience);
    }
}
