//! What a witness makes of the checkpoints of somebody else's ledger: a newer one continues an
//! older one, or the ledger was rewritten, rolled back or shown in two versions.
//!
//! Whoever calls has verified the signatures and keeps what was seen.

use serde::{Deserialize, Serialize};

use crate::merkle::{Consistency, Hash};

/// A checkpoint as a witness keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// How many records the ledger had.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
    /// When the ledger's owner said so, unix seconds.
    pub time: i64,
}

/// What a witness has of a ledger, as far as a new checkpoint concerns it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The largest one.
    pub newest: Option<Seen>,
    /// The one of the new checkpoint's size.
    pub same: Option<Seen>,
    /// The one that the new checkpoint's proof begins with.
    pub base: Option<Seen>,
}

/// What a new checkpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Known already.
    Known,
    /// Further on, and shown to continue what was kept.
    Continues,
    /// Further on; its proof begins at a size that was not kept here.
    Unlinked,
    /// Said earlier than the newest one and shorter: it arrived late.
    Late,
}

/// Two signed checkpoints of one ledger that cannot both be true. The owner of the ledger, or
/// whoever has its key, must have made one of them falsely.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Two roots of one size.
    #[error(
        "two ledgers of {size} records were shown: {kept} to us, {shown} now. The ledger was rewritten, or different parties are shown different ones"
    )]
    Split {
        /// Records.
        size: u64,
        /// What was kept.
        kept: Hash,
        /// What is shown now.
        shown: Hash,
    },
    /// The proof does not lead from what was kept to what is shown.
    #[error(
        "the ledger of {to} records does not continue the one of {from} records that was kept: it was rewritten"
    )]
    Rewritten {
        /// Records of what was kept.
        from: u64,
        /// Records of what is shown.
        to: u64,
    },
    /// Said later, and shorter.
    #[error("the ledger had {kept} records and has {shown} now: it was cut off or set back")]
    RolledBack {
        /// Records of what was kept.
        kept: u64,
        /// Records of what is shown.
        shown: u64,
    },
}

/// Judges a new checkpoint by what was kept.
///
/// # Errors
/// If both cannot be true.
pub fn judge(
    kept: &Kept,
    new: &Seen,
    proof: Option<&Consistency>,
) -> Result<Standing, Contradiction> {
    if let Some(same) = kept.same.as_ref().filter(|same| same.root != new.root) {
        return Err(Contradiction::Split {
            size: new.size,
            kept: same.root,
            shown: new.root,
        });
    }
    if let Some(newest) = kept.newest.as_ref().filter(|newest| newest.size > new.size) {
        return if new.time > newest.time {
            Err(Contradiction::RolledBack {
                kept: newest.size,
                shown: new.size,
            })
        } else {
            Ok(Standing::Late)
        };
    }
    if kept.same.is_some() {
        return Ok(Standing::Known);
    }
    match (&kept.base, proof) {
        (Some(base), Some(proof)) if proof.from == base.size && proof.to == new.size => {
            let checked = proof.check(&base.root, &new.root);
            checked
                .map(|()| Standing::Continues)
                .map_err(|_| Contradiction::Rewritten {
                    from: base.size,
                    to: new.size,
                })
        }
        _ => Ok(Standing::Unlinked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::Tree;

    fn tree(words: &[&str]) -> Tree {
        let mut tree = Tree::default();
        words.iter().for_each(|word| tree.push(word.as_bytes()));
        tree
    }

    fn seen(tree: &Tree, size: u64, time: i64) -> Seen {
        Seen {
            size,
            root: tree.root(size).unwrap(),
            time,
        }
    }

    #[test]
    fn a_ledger_that_grows_is_followed() {
        let tree = tree(&["a", "b", "c", "d", "e"]);
        let base = seen(&tree, 3, 10);
        let kept = Kept {
            newest: Some(base.clone()),
            same: None,
            base: Some(base.clone()),
        };
        let proof = tree.consistency(3, 5).unwrap();
        let new = seen(&tree, 5, 20);
        assert_eq!(judge(&kept, &new, Some(&proof)), Ok(Standing::Continues));
        assert_eq!(judge(&kept, &new, None), Ok(Standing::Unlinked));
        assert_eq!(judge(&Kept::default(), &new, None), Ok(Standing::Unlinked));
        assert_eq!(judge(&kept, &seen(&tree, 2, 9), None), Ok(Standing::Late));
        let again = Kept {
            same: Some(base.clone()),
            ..kept
        };
        assert_eq!(judge(&again, &base, None), Ok(Standing::Known));
    }

    #[test]
    fn every_contradiction_is_named() {
        let (honest, other) = (tree(&["a", "b", "c", "d"]), tree(&["a", "x", "c", "d"]));
        let base = seen(&honest, 3, 10);
        let kept = Kept {
            newest: Some(base.clone()),
            same: None,
            base: Some(base.clone()),
        };
        for proof in [honest.consistency(3, 4), other.consistency(3, 4)] {
            let judged = judge(&kept, &seen(&other, 4, 20), proof.as_ref());
            assert_eq!(judged, Err(Contradiction::Rewritten { from: 3, to: 4 }));
        }
        let back = judge(&kept, &seen(&honest, 2, 20), None);
        assert_eq!(back, Err(Contradiction::RolledBack { kept: 3, shown: 2 }));
        let same = Kept {
            same: Some(base),
            ..kept
        };
        let split = judge(&same, &seen(&other, 3, 20), None);
        assert!(matches!(split, Err(Contradiction::Split { size: 3, .. })));
    }
}
