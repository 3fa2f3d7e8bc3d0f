//! The Merkle tree over the records of a ledger, as RFC 6962 and RFC 9162 (section 2.1) define it.
//!
//! A root of size n commits to the first n records in their order. Whoever keeps a root can be
//! shown, in a few dozen hashes, that a record is among them (inclusion) and that a later root
//! continues it (consistency). It must not know what a record says.

mod proof;

use quorate_identity::{digest_text, parse_digest};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

pub use proof::{BadProof, Consistency, Inclusion};

/// A hash of the tree, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

impl std::fmt::Display for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&digest_text(&self.0))
    }
}

impl Hash {
    /// Reads what `Display` writes.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        parse_digest(text).map(Self)
    }

    /// The hash of a leaf: SHA-256 of a zero byte and the leaf.
    #[must_use]
    pub fn leaf(data: &[u8]) -> Self {
        let mut hash = Sha256::new();
        hash.update([0]);
        hash.update(data);
        Self(hash.finalize().into())
    }

    /// The hash of two subtrees: SHA-256 of a one byte and both hashes.
    #[must_use]
    pub fn pair(left: &Self, right: &Self) -> Self {
        let mut hash = Sha256::new();
        hash.update([1]);
        hash.update(left.0);
        hash.update(right.0);
        Self(hash.finalize().into())
    }

    /// The root of a tree without leaves: SHA-256 of nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self(Sha256::digest(b"").into())
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("write sha256: and 64 digits"))
    }
}

/// A tree that grows at its end. Every complete subtree's hash is kept, so that roots and proofs of
/// any earlier size cost a few hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// `levels[k][i]` is the hash of leaves `i * 2^k` to `(i + 1) * 2^k`.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        let leaves = self.levels.first().map_or(0, Vec::len);
        u64::try_from(leaves).unwrap_or(u64::MAX)
    }

    /// Appends a leaf.
    pub fn push(&mut self, data: &[u8]) {
        let mut hash = Hash::leaf(data);
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(level) else {
                return;
            };
            let left = hashes.last().copied();
            hashes.push(hash);
            match left {
                Some(left) if hashes.len().is_multiple_of(2) => hash = Hash::pair(&left, &hash),
                _ => return,
            }
        }
    }

    /// The root over the first `size` leaves; none if there are fewer.
    #[must_use]
    pub fn root(&self, size: u64) -> Option<Hash> {
        if size == 0 {
            return Some(Hash::empty());
        }
        self.range(0, size)
    }

    /// That leaf `index` (from 0) is among the first `size`.
    #[must_use]
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Inclusion> {
        let mut path = Vec::new();
        let (mut start, mut end) = (0, size);
        if index >= size || size > self.size() {
            return None;
        }
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        path.reverse();
        Some(Inclusion { index, size, path })
    }

    /// That the root over `to` leaves continues the one over `from`, which is at least one.
    #[must_use]
    pub fn consistency(&self, from: u64, to: u64) -> Option<Consistency> {
        if from == 0 || from > to || to > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let (mut start, mut end, mut whole) = (0, to, true);
        // Down to the subtree that ends where the earlier tree ended.
        while from < end {
            let middle = start + split(end - start);
            if from <= middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                (start, whole) = (middle, false);
            }
        }
        if !whole {
            path.push(self.range(start, end)?);
        }
        path.reverse();
        Some(Consistency { from, to, path })
    }

    /// The hash over leaves `start` to `end`; `start` is a multiple of the subtree's width.
    fn range(&self, start: u64, end: u64) -> Option<Hash> {
        let count = end.checked_sub(start).filter(|count| *count > 0)?;
        if count.is_power_of_two() {
            let level = usize::try_from(count.trailing_zeros()).ok()?;
            let index = usize::try_from(start / count).ok()?;
            return self.levels.get(level)?.get(index).copied();
        }
        let middle = start + split(count);
        Some(Hash::pair(
            &self.range(start, middle)?,
            &self.range(middle, end)?,
        ))
    }
}

/// The largest power of two below `count`, which is at least two.
fn split(count: u64) -> u64 {
    1 << (u64::BITS - 1 - count.saturating_sub(1).leading_zeros().min(u64::BITS - 1))
}

#[cfg(test)]
mod tests;
