//! Proofs about a tree, and how somebody checks them who has only roots (RFC 9162, sections
//! 2.1.3.2 and 2.1.4.2).

use serde::{Deserialize, Serialize};

use super::Hash;

/// More hashes than any proof needs: a tree of 2^63 leaves has 64 levels.
const LONGEST: usize = 64;

/// Why a proof proves nothing. The fault lies with whoever made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadProof {
    /// Its numbers cannot be, or it has too few or too many hashes.
    #[error("the proof does not have the shape of a proof of these sizes")]
    Shape,
    /// It leads to another root than the one that was signed.
    #[error("the proof leads to another root")]
    Root,
}

/// That a leaf is among the first `size`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// Which leaf, from 0.
    pub index: u64,
    /// Of how many.
    pub size: u64,
    /// The hashes beside the way from the leaf to the root.
    pub path: Vec<Hash>,
}

/// That a tree of `to` leaves begins with a tree of `from`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// Leaves of the earlier tree, at least one.
    pub from: u64,
    /// Leaves of the later one.
    pub to: u64,
    /// The hashes that both roots can be made of.
    pub path: Vec<Hash>,
}

impl Inclusion {
    /// Checks that the leaf's data stand where the proof says, under this root.
    ///
    /// # Errors
    /// If they do not.
    pub fn check(&self, data: &[u8], root: &Hash) -> Result<(), BadProof> {
        if self.index >= self.size || self.path.len() > LONGEST {
            return Err(BadProof::Shape);
        }
        let (mut index, mut last) = (self.index, self.size - 1);
        let mut hash = Hash::leaf(data);
        for beside in &self.path {
            if last == 0 {
                return Err(BadProof::Shape);
            }
            if index & 1 == 1 || index == last {
                hash = Hash::pair(beside, &hash);
                up_to_right_child(&mut index, &mut last);
            } else {
                hash = Hash::pair(&hash, beside);
            }
            (index, last) = (index >> 1, last >> 1);
        }
        ends(last, hash == *root)
    }
}

impl Consistency {
    /// Checks that the tree with root `new` begins with the tree with root `old`.
    ///
    /// # Errors
    /// If it does not.
    pub fn check(&self, old: &Hash, new: &Hash) -> Result<(), BadProof> {
        if self.from == 0 || self.from > self.to || self.path.len() > LONGEST {
            return Err(BadProof::Shape);
        }
        if self.from == self.to {
            return match (self.path.is_empty(), old == new) {
                (false, _) => Err(BadProof::Shape),
                (true, false) => Err(BadProof::Root),
                (true, true) => Ok(()),
            };
        }
        let (mut index, mut last) = (self.from - 1, self.to - 1);
        while index & 1 == 1 {
            (index, last) = (index >> 1, last >> 1);
        }
        let mut path = self.path.iter();
        let first = if self.from.is_power_of_two() {
            *old
        } else {
            *path.next().ok_or(BadProof::Shape)?
        };
        let (mut was, mut is) = (first, first);
        for beside in path {
            if last == 0 {
                return Err(BadProof::Shape);
            }
            if index & 1 == 1 || index == last {
                was = Hash::pair(beside, &was);
                is = Hash::pair(beside, &is);
                up_to_right_child(&mut index, &mut last);
            } else {
                is = Hash::pair(&is, beside);
            }
            (index, last) = (index >> 1, last >> 1);
        }
        ends(last, was == *old && is == *new)
    }
}

/// A node without a sibling is its own parent, until it is a right child or the root.
fn up_to_right_child(index: &mut u64, last: &mut u64) {
    while *index & 1 == 0 && *index != 0 {
        (*index, *last) = (*index >> 1, *last >> 1);
    }
}

fn ends(last: u64, same: bool) -> Result<(), BadProof> {
    match (last, same) {
        (0, true) => Ok(()),
        (0, false) => Err(BadProof::Root),
        _ => Err(BadProof::Shape),
    }
}
