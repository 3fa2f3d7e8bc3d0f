//! A receipt: the record of a decision, in full, and the proof that it is in the node's ledger. It
//! travels inside the signed answer, so that the root it leads to is signed by the node.

use quorate_identity::digest_text;
use serde::{Deserialize, Serialize};

use crate::line;
use crate::merkle::{BadProof, Hash, Inclusion, Tree};
use crate::record::{Event, Record, Statement};

/// A decision's record with its place in the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The record's JSON, exactly as it was hashed.
    pub record: String,
    /// The hashes between the record and the root: it was the last record of that tree.
    pub path: Vec<Hash>,
    /// The root of the ledger with this record as its last.
    pub root: Hash,
}

/// Why a receipt is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReceipt {
    /// It holds no record.
    #[error("it holds no ledger record")]
    Unreadable,
    /// Another kind of record.
    #[error("its record tells of no decision")]
    NoDecision,
    /// The record is not in the ledger with that root.
    #[error("its record is not shown to be in the ledger: {0}")]
    Proof(#[from] BadProof),
}

/// A receipt that leads to its root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The record.
    pub record: Record,
    /// What it says.
    pub statement: Statement,
    /// Hash of the record.
    pub hash: String,
    /// The root of the ledger with this record as its last: a checkpoint of size `record.seq`.
    pub root: Hash,
}

impl Receipt {
    /// The receipt of the last record of a ledger.
    #[must_use]
    pub fn of_last(record: String, tree: &Tree) -> Option<Self> {
        let size = tree.size();
        let proof = tree.inclusion(size.checked_sub(1)?, size)?;
        Some(Self {
            record,
            path: proof.path,
            root: tree.root(size)?,
        })
    }

    /// Reads the record and follows the proof to the root.
    ///
    /// # Errors
    /// If there is no record of a decision, or the proof does not lead to the root.
    pub fn check(&self) -> Result<Checked, BadReceipt> {
        let record: Record =
            serde_json::from_str(&self.record).map_err(|_| BadReceipt::Unreadable)?;
        let hash = line::hash(&self.record);
        let leaf = line::leaf(&hash).map_err(|_| BadReceipt::Unreadable)?;
        let proof = Inclusion {
            index: record.seq.checked_sub(1).ok_or(BadProof::Shape)?,
            size: record.seq,
            path: self.path.clone(),
        };
        proof.check(&leaf, &self.root)?;
        let Event::Decided(decided) = &record.event else {
            return Err(BadReceipt::NoDecision);
        };
        Ok(Checked {
            statement: decided.statement.clone(),
            hash,
            root: self.root,
            record,
        })
    }

    /// A digest of the whole receipt, for lists.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut all = self.record.clone().into_bytes();
        self.path.iter().for_each(|hash| all.extend(hash.0));
        all.extend(self.root.0);
        digest_text(&quorate_identity::sha256(&all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Decided, Interrupted};

    fn ledger(events: Vec<Event>) -> (Tree, String) {
        let (mut tree, mut last) = (Tree::default(), String::new());
        for (seq, event) in (1..).zip(events) {
            let record = Record {
                seq,
                event,
                ..Record::default()
            };
            last = serde_json::to_string(&record).unwrap();
            tree.push(&line::leaf(&line::hash(&last)).unwrap());
        }
        (tree, last)
    }

    fn decided(project: &str) -> Event {
        Event::Decided(Box::new(Decided {
            opened: 2,
            statement: Statement {
                project: project.to_owned(),
                ..Statement::default()
            },
        }))
    }

    #[test]
    fn a_receipt_leads_to_its_root_and_a_bent_one_does_not() {
        let other = || Event::Interrupted(Interrupted::default());
        let (tree, json) = ledger(vec![other(), other(), decided("heart")]);
        let receipt = Receipt::of_last(json, &tree).unwrap();
        let checked = receipt.check().unwrap();
        assert_eq!(checked.statement.project, "heart");
        assert_eq!(
            (checked.record.seq, checked.root),
            (3, tree.root(3).unwrap())
        );
        let mut bent = receipt.clone();
        bent.record = bent.record.replace("heart", "liver");
        assert_eq!(bent.check(), Err(BadReceipt::Proof(BadProof::Root)));
        let mut bent = receipt.clone();
        bent.path.pop();
        assert_eq!(bent.check(), Err(BadReceipt::Proof(BadProof::Shape)));
        let mut bent = receipt;
        bent.record.push('x');
        assert_eq!(bent.check(), Err(BadReceipt::Unreadable));
        let (tree, json) = ledger(vec![decided("heart"), other()]);
        let receipt = Receipt::of_last(json, &tree).unwrap();
        assert_eq!(receipt.check(), Err(BadReceipt::NoDecision));
    }
}
