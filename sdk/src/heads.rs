//! Where nodes' ledgers stood in the answers that this machine believed. A coordinator that shows
//! two parties two ledgers of one node, or a node that rewrites its past, is noticed when the next
//! answer contradicts what is noted here, and when two parties compare their notes.

use std::collections::BTreeMap;

use quorate_evidence::{Contradiction, Kept, Seen, judge};

use crate::profile::{Profile, ProfileError, read, replace};
use crate::verify::{VerifiedResult, VerifyError};

/// Places kept of one node.
const KEPT: usize = 256;

/// What is noted, by node and size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads(BTreeMap<String, BTreeMap<u64, Seen>>);

impl Heads {
    /// The notes of a profile; damaged ones count as none.
    ///
    /// # Errors
    /// If they exist and cannot be read.
    pub fn open(profile: &Profile) -> Result<Self, ProfileError> {
        let path = profile.heads();
        if !path.exists() {
            return Ok(Self::default());
        }
        let notes: Vec<(String, Seen)> = serde_json::from_str(&read(&path)?).unwrap_or_default();
        let mut heads = Self::default();
        for (node, seen) in notes {
            heads.0.entry(node).or_default().insert(seen.size, seen);
        }
        Ok(heads)
    }

    /// Writes the notes.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn save(&self, profile: &Profile) -> Result<(), ProfileError> {
        let all = self.0.iter();
        let all = all.flat_map(|(node, sizes)| sizes.values().map(move |seen| (node, seen)));
        let notes: Vec<(&String, &Seen)> = all.collect();
        replace(
            &profile.heads(),
            &serde_json::to_vec(&notes).unwrap_or_default(),
        )
    }

    /// Notes where a ledger stood.
    ///
    /// # Errors
    /// If that cannot be the ledger that was noted before.
    pub fn take(&mut self, node: &str, seen: &Seen) -> Result<(), Contradiction> {
        let sizes = self.0.entry(node.to_owned()).or_default();
        let kept = Kept {
            newest: sizes.values().next_back().cloned(),
            same: sizes.get(&seen.size).cloned(),
            base: None,
        };
        judge(&kept, seen, None)?;
        sizes.entry(seen.size).or_insert_with(|| seen.clone());
        while sizes.len() > KEPT {
            sizes.pop_first();
        }
        Ok(())
    }
}

/// Why an answer was believed and its node's ledger is not.
#[derive(Debug, thiserror::Error)]
pub enum NotNoticed {
    /// The notes cannot be read or written.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A ledger contradicts what was noted.
    #[error(transparent)]
    Ledger(#[from] VerifyError),
}

/// Notes where every node's ledger stood in a result.
///
/// # Errors
/// If a ledger contradicts what was noted before, or the notes cannot be written.
pub fn notice(profile: &Profile, verified: &VerifiedResult) -> Result<(), NotNoticed> {
    if verified.receipts().is_empty() {
        return Ok(());
    }
    let mut heads = Heads::open(profile)?;
    for (node, checked) in verified.receipts() {
        let seen = Seen {
            size: checked.record.seq,
            root: checked.root,
            time: checked.record.time,
        };
        heads.take(node, &seen).map_err(|why| VerifyError::Ledger {
            node: node.clone(),
            why,
        })?;
    }
    Ok(heads.save(profile)?)
}

#[cfg(test)]
mod tests {
    use quorate_evidence::Hash;

    use super::*;

    fn seen(size: u64, root: u8, time: i64) -> Seen {
        Seen {
            size,
            root: Hash([root; 32]),
            time,
        }
    }

    #[test]
    fn two_ledgers_of_one_node_are_noticed() {
        let mut heads = Heads::default();
        heads.take("north", &seen(5, 1, 10)).unwrap();
        heads.take("north", &seen(9, 2, 20)).unwrap();
        heads.take("south", &seen(5, 9, 20)).unwrap();
        heads.take("north", &seen(5, 1, 10)).unwrap();
        heads.take("north", &seen(3, 4, 5)).unwrap();
        let split = heads.take("north", &seen(9, 3, 30));
        assert!(matches!(split, Err(Contradiction::Split { size: 9, .. })));
        let back = heads.take("north", &seen(7, 3, 30));
        assert_eq!(back, Err(Contradiction::RolledBack { kept: 9, shown: 7 }));
    }
}
