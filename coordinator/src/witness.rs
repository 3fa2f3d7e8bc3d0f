//! What the coordinator makes of the checkpoints of a node's ledger: it keeps them, and keeps those
//! that contradict each other as evidence for whoever asks.

use quorate_evidence::{Contradiction, Kept, Seen, Standing, judge};
use quorate_wire::{Checkpoint, Payload};

use crate::journal::{JournalError, Store, unpack};

/// Keeps a checkpoint that the caller has verified; says what it contradicts, if anything.
pub(crate) fn take(
    store: &mut Store,
    said: &Checkpoint,
    signed: &[u8],
    now: i64,
) -> Result<Option<Contradiction>, JournalError> {
    let Some(seen) = said.seen() else {
        // A node without a tree: its head alone is kept.
        store.put_checkpoint(&said.node, said.seq, signed, now)?;
        return Ok(None);
    };
    let newest = store.checkpoint(&said.node)?;
    let same = store.checkpoint_at(&said.node, said.seq)?;
    let base = match &said.proof {
        Some(proof) => store.checkpoint_at(&said.node, proof.from)?,
        None => None,
    };
    let kept = Kept {
        newest: newest.as_deref().and_then(read),
        same: same.as_deref().and_then(read),
        base: base.as_deref().and_then(read),
    };
    match judge(&kept, &seen, said.proof.as_ref()) {
        Ok(Standing::Known) => Ok(None),
        Ok(Standing::Continues | Standing::Unlinked | Standing::Late) => {
            store.put_checkpoint(&said.node, said.seq, signed, now)?;
            Ok(None)
        }
        Err(why) => {
            let kept = match why {
                Contradiction::Split { .. } => same,
                Contradiction::Rewritten { .. } => base,
                Contradiction::RolledBack { .. } => newest,
            };
            let kept = kept.unwrap_or_default();
            store.put_contradiction(&said.node, &why.to_string(), (&kept, signed), now)?;
            Ok(Some(why))
        }
    }
}

/// What a kept checkpoint says; those that nodes without a tree sent say nothing here.
fn read(bytes: &[u8]) -> Option<Seen> {
    let signed = unpack(bytes).ok()?;
    Checkpoint::decode(&signed.payload).ok()?.seen()
}

#[cfg(test)]
mod tests {
    use quorate_evidence::Tree;
    use quorate_identity::{SigningKey, digest_text};

    use super::*;
    use crate::journal::pack;

    fn tree(words: &[&str]) -> Tree {
        let mut tree = Tree::default();
        words.iter().for_each(|word| tree.push(word.as_bytes()));
        tree
    }

    fn checkpoint(tree: &Tree, from: u64, seq: u64, time: i64) -> (Checkpoint, Vec<u8>) {
        let said = Checkpoint {
            network: "test".to_owned(),
            node: "north".to_owned(),
            seq,
            head: digest_text(&[1; 32]),
            time,
            root: tree.root(seq),
            proof: tree.consistency(from, seq),
        };
        let key = SigningKey::from_seed(&[3; 32]).unwrap();
        let bytes = pack(&quorate_wire::sign(&said, &key));
        (said, bytes)
    }

    #[test]
    fn a_ledger_that_is_rewritten_cut_off_or_shown_twice_is_evidence() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let (honest, other) = (tree(&["a", "b", "c", "d"]), tree(&["x", "b", "c", "d"]));
        let mut take = |(said, bytes): (Checkpoint, Vec<u8>)| {
            take(&mut store, &said, &bytes, said.time).unwrap()
        };
        assert_eq!(take(checkpoint(&honest, 0, 2, 10)), None);
        assert_eq!(take(checkpoint(&honest, 2, 3, 20)), None);
        assert_eq!(take(checkpoint(&honest, 2, 3, 25)), None);
        assert_eq!(take(checkpoint(&honest, 0, 1, 5)), None, "it arrived late");
        let rewritten = take(checkpoint(&other, 3, 4, 30));
        assert_eq!(rewritten, Some(Contradiction::Rewritten { from: 3, to: 4 }));
        let split = take(checkpoint(&other, 2, 3, 40));
        assert!(matches!(split, Some(Contradiction::Split { size: 3, .. })));
        assert_eq!(
            take(checkpoint(&honest, 3, 4, 50)),
            None,
            "the honest one goes on"
        );
        let back = take(checkpoint(&honest, 0, 2, 60));
        let expected = Contradiction::RolledBack { kept: 4, shown: 2 };
        assert_eq!(back, Some(expected), "true once, and said again later");
        assert_eq!(store.contradictions().unwrap().len(), 3);
        let newest = store.checkpoint("north").unwrap();
        assert_eq!(
            newest.as_deref().and_then(read).map(|seen| seen.size),
            Some(4)
        );
    }

    #[test]
    fn a_shorter_ledger_later_is_evidence() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let honest = tree(&["a", "b", "c", "d"]);
        let (said, bytes) = checkpoint(&honest, 0, 4, 10);
        assert_eq!(take(&mut store, &said, &bytes, 10).unwrap(), None);
        let (said, bytes) = checkpoint(&honest, 0, 3, 20);
        let back = take(&mut store, &said, &bytes, 20).unwrap();
        assert_eq!(back, Some(Contradiction::RolledBack { kept: 4, shown: 3 }));
        let (said, bytes) = checkpoint(&honest, 0, 2, 5);
        assert_eq!(take(&mut store, &said, &bytes, 21).unwrap(), None);
    }
}
