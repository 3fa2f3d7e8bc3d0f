//! The ledger records of a question, and what the ledger tells of who signed an act.

use std::collections::BTreeMap;

use quorate_evidence::Hash;
use quorate_evidence::record::{ACT, Event, Record};
use quorate_identity::digest_text;

use super::{Chain, Link, Said, Standing, hold};
use crate::audit::Entry;

/// In what part somebody signed an act, as the ledger of the node tells it.
pub(super) struct Part {
    /// The key.
    pub(super) key: String,
    /// Whose the policy says it is.
    pub(super) subject: String,
    /// `custodian`, `committee`, `approver`, `checker`, ...
    pub(super) role: String,
}

impl Chain<'_> {
    /// The records of the question: its arrival, the decision, what left.
    pub(super) fn records(&self) -> Vec<Link> {
        let words = "what leaves was decided; its receipt is in the answer";
        let seq = self.receipt.record.seq;
        let decided = (Standing::Shown, words.to_owned());
        let mut links = BTreeMap::from([(seq, record(seq, &self.receipt.hash, Ok(decided)))]);
        for (at, entry) in &self.ledger.records {
            if let Some(said) = self.of_record(*at, entry) {
                links.insert(*at, record(*at, &entry.hash, said));
            }
        }
        links.into_values().collect()
    }

    /// What a record says of the question, if it is one of it and not the one in the receipt.
    fn of_record(&self, seq: u64, entry: &Entry) -> Option<Said> {
        if seq == self.receipt.record.seq {
            let other = entry.hash != self.receipt.hash;
            return other.then(|| Err("not the record in the receipt".to_owned()));
        }
        let question = &self.told.question;
        let other = |what: &str| Ok((Standing::Named, format!("another {what} of the question")));
        Some(match &entry.record.event {
            Event::Open(_) if seq == self.answer.payload().ledger.seq => self.opened(entry),
            Event::Open(open) if open.question == *question => other("arrival"),
            Event::Close(close)
                if close.question == *question
                    && quorate_evidence::chain::opened_by(&self.receipt.record)
                        == Some(close.opened) =>
            {
                self.closed(entry)
            }
            Event::Close(close) if close.question == *question => other("outcome"),
            Event::Decided(one) if one.statement.question == *question => other("decision"),
            Event::Interrupted(one) if one.question == *question => other("interruption"),
            _ => return None,
        })
    }

    /// The record that the signed answer names by number and hash.
    fn opened(&self, entry: &Entry) -> Said {
        let Event::Open(open) = &entry.record.event else {
            return Err("no arrival".to_owned());
        };
        let asked = self.verified.question();
        let head = &self.answer.payload().ledger.head;
        hold(entry.hash == *head, "not the record that the answer names")?;
        let same = open.question == self.told.question
            && open.payload == self.told.payload
            && open.project == self.told.project
            && open.codebook == self.told.codebook;
        hold(same, "another question arrived")?;
        let theirs = open.actor.subject == self.told.researcher
            && open.actor.key == asked.signer().to_string();
        hold(theirs, "somebody else asked")?;
        let words = format!("the question of {} arrived", open.actor.subject);
        Ok((Standing::Shown, words))
    }

    /// The record of what was stored to leave.
    fn closed(&self, entry: &Entry) -> Said {
        let Event::Close(close) = &entry.record.event else {
            return Err("no outcome".to_owned());
        };
        hold(close.outcome == "answered", "it tells of no answer")?;
        let same = close.result == digest_text(&self.answer.digest());
        hold(same, "another answer than this one left")?;
        hold(close.hash == self.told.hash, "of another question")?;
        let words = "the answer was stored".to_owned();
        if self.linked(entry) {
            Ok((Standing::Shown, words))
        } else {
            let words = format!("{words}; nothing links that ledger to the receipt's");
            Ok((Standing::Named, words))
        }
    }

    /// Whether a ledger that holds a record is shown to continue the one of the receipt.
    fn linked(&self, entry: &Entry) -> bool {
        let (seq, root) = (self.receipt.record.seq, &self.receipt.root);
        let links = |size: u64, found: &Hash| {
            let mut proofs = self.ledger.proofs.iter();
            let same = size == seq && found == root;
            same || proofs.any(|proof| {
                proof.from == seq && proof.to == size && proof.check(root, found).is_ok()
            })
        };
        entry.places.iter().any(|(size, found)| links(*size, found))
    }

    /// In what part each signer of an act signed, as far as the ledger was shown.
    pub(super) fn parts(&self, kind: &str, digest: &str) -> Vec<Part> {
        let shown = self.ledger.records.values();
        let linked = shown.filter(|entry| self.linked(entry));
        linked
            .filter_map(|entry| part(&entry.record, kind, digest))
            .collect()
    }
}

fn part(record: &Record, kind: &str, digest: &str) -> Option<Part> {
    let Event::Noted(noted) = &record.event else {
        return None;
    };
    let of_it = noted.what.strip_prefix(ACT) == Some(kind) && noted.documents.contains(digest);
    of_it.then(|| Part {
        key: noted.actor.key.clone(),
        subject: noted.actor.subject.clone(),
        role: noted.actor.role.clone(),
    })
}

fn record(seq: u64, hash: &str, said: Said) -> Link {
    let said = said.map(|(standing, words)| (standing, format!("{seq}: {words}")));
    Link::new("ledger record", hash, said)
}
