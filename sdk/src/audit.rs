//! Comparing what nodes' ledgers were shown as, by whom ever: answers in results, proofs that
//! custodians wrote, files of witnesses. Every party has seen one ledger of a node, or two of the
//! files show that not.
//!
//! What it must not know: networks. Every checkpoint is believed by its signature only.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use quorate_evidence::line::Line;
use quorate_evidence::record::{Event, Record};
use quorate_evidence::{Consistency, Hash, Inclusion, Opening, Seen, Sound, Tampered, line, walk};
use quorate_identity::envelope::kind;
use quorate_identity::{Role, Roster, Signed};
use quorate_wire::{
    AnswerPayload, Checkpoint, LogCheckpoint, NodeStatus, Opened, Payload, ResultPayload,
    open_member, signed_from_bytes,
};
use serde::Deserialize;
use serde_json::Value;

/// A place of a node's ledger, and who showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What was signed.
    pub seen: Seen,
    /// The file that holds it.
    pub source: String,
}

/// What the files say of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// Every place, in the order of the files.
    pub sightings: Vec<Sighting>,
    /// Every proof that a ledger continues an earlier one.
    pub proofs: Vec<Consistency>,
    /// The whole ledger, where its custodian gave it.
    pub whole: Option<Sound>,
    /// Questions that it says were answered: number and time of the record that closed each.
    pub answered: BTreeMap<String, (u64, i64)>,
    /// Results that say that this node was silent.
    pub silences: Vec<Silence>,
    /// Single records that were shown, by number.
    pub records: BTreeMap<u64, Entry>,
}

/// A record that was shown, and the ledgers that it is shown to be in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it says.
    pub record: Record,
    /// Its hash.
    pub hash: String,
    /// The root of each of them, by how many records it had.
    pub places: BTreeMap<u64, Hash>,
}

/// A result that has nothing of a node that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// Id of the question.
    pub question: String,
    /// What the coordinator says of the node.
    pub status: NodeStatus,
    /// When the coordinator says it finished, unix seconds.
    pub finished: i64,
    /// The file that holds it.
    pub source: String,
}

/// Everything that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// By node.
    pub ledgers: BTreeMap<String, Ledger>,
    /// Single entries that were shown and opened, in words.
    pub entries: Vec<String>,
    /// Signed acts of governance that stand in the files; nothing here says that they are genuine.
    pub acts: Vec<Signed>,
}

/// Why a file proves nothing. The fault lies with whoever wrote it.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Not JSON.
    #[error("{0} is no JSON that quorate wrote")]
    NotJson(String),
    /// Nothing in it is signed by a node.
    #[error("{0} holds no signed place of any ledger")]
    Nothing(String),
    /// A signature does not hold.
    #[error("{file}: {why}")]
    Signature {
        /// The file.
        file: String,
        /// Why.
        why: quorate_wire::OpenError,
    },
    /// An entry is not shown to be in the ledger, or commits to something else.
    #[error("{file}: {why}")]
    Entry {
        /// The file.
        file: String,
        /// Why.
        why: String,
    },
    /// A ledger does not hold together.
    #[error("the ledger of {node}: {why}")]
    Tampered {
        /// Whose.
        node: String,
        /// Why.
        why: Tampered,
    },
    /// The roster has no such node.
    #[error("the roster has no node `{0}`")]
    NoNode(String),
}

/// An entry of a proof, as it is written.
#[derive(Deserialize)]
struct Shown {
    record: String,
    inclusion: Inclusion,
}

impl Audit {
    /// Reads a result, a proof, or a witness's file.
    ///
    /// # Errors
    /// If nothing in it can be believed.
    pub fn read(&mut self, file: &str, text: &str, roster: &Roster) -> Result<(), AuditError> {
        let value: Value =
            serde_json::from_str(text).map_err(|_| AuditError::NotJson(file.to_owned()))?;
        let mut found = 0;
        let signed = value.get("signed").and_then(Value::as_str);
        let bytes = signed.and_then(|text| BASE64.decode(text).ok());
        if let Some(Ok(result)) = bytes.map(|bytes| signed_from_bytes(&bytes)) {
            found += self.result(file, &result, roster)?;
        }
        let mut checkpoints = Vec::new();
        gather(&value, &mut checkpoints);
        for signed in &checkpoints {
            found += self.checkpoint(file, signed, roster)?;
        }
        if found == 0 {
            return Err(AuditError::Nothing(file.to_owned()));
        }
        let entries = value.get("entries").and_then(Value::as_array);
        for shown in entries.into_iter().flatten() {
            self.entry(file, shown, value.get("opening"), &checkpoints)?;
        }
        let acts = value.get("acts").and_then(Value::as_array);
        for act in acts.into_iter().flatten() {
            let act = Signed::deserialize(act).map_err(|why| entry(file, &why))?;
            self.acts.push(act);
        }
        Ok(())
    }

    /// Reads a whole ledger, as its custodian gave it.
    ///
    /// # Errors
    /// If it does not hold together or was not signed by the node.
    pub fn read_ledger(
        &mut self,
        node: &str,
        bytes: &[u8],
        roster: &Roster,
        now: i64,
    ) -> Result<(), AuditError> {
        let member = roster
            .member(Role::Node, node, now)
            .map_err(|_| AuditError::NoNode(node.to_owned()))?;
        let sound = walk(bytes, Some(&member.key), &[]);
        let sound = sound.map_err(|why| AuditError::Tampered {
            node: node.to_owned(),
            why,
        })?;
        let ledger = self.ledgers.entry(node.to_owned()).or_default();
        ledger.whole = Some(sound);
        for text in String::from_utf8_lossy(bytes).lines() {
            if let Ok(Line::Whole(record, _)) = line::read(text, None)
                && let Event::Close(close) = record.event
                && close.outcome == "answered"
            {
                let at = (record.seq, record.time);
                ledger.answered.insert(close.question, at);
            }
        }
        Ok(())
    }

    fn result(
        &mut self,
        file: &str,
        signed: &Signed,
        roster: &Roster,
    ) -> Result<usize, AuditError> {
        let Ok(result) = ResultPayload::decode(&signed.payload) else {
            return Ok(0);
        };
        let mut found = 0;
        let answers = result.nodes.iter().filter_map(|node| node.signed.as_ref());
        for signed in answers.filter(|signed| signed.kind == kind::ANSWER) {
            let opened: Opened<AnswerPayload> =
                open_member(signed, roster, result.finished).map_err(|why| signature(file, why))?;
            let answer = opened.payload();
            let Some(receipt) = &answer.receipt else {
                continue;
            };
            let checked = receipt.check().map_err(|why| entry(file, &why))?;
            let seen = Seen {
                size: checked.record.seq,
                root: checked.root,
                time: checked.record.time,
            };
            self.add(&answer.node, seen, file);
            found += 1;
        }
        let stands = open_member::<ResultPayload>(signed, roster, result.finished).is_ok();
        let silent = result.nodes.iter().filter(|node| node.signed.is_none());
        for node in silent.filter(|_| stands) {
            let ledger = self.ledgers.entry(node.name.clone()).or_default();
            ledger.silences.push(Silence {
                question: result.question_id.to_string(),
                status: node.status,
                finished: result.finished,
                source: file.to_owned(),
            });
        }
        Ok(found)
    }

    fn checkpoint(
        &mut self,
        file: &str,
        signed: &Signed,
        roster: &Roster,
    ) -> Result<usize, AuditError> {
        let Ok(stated) = Checkpoint::decode(&signed.payload) else {
            return Ok(0);
        };
        let mut said = if signed.kind == kind::LOG {
            let opened: Opened<LogCheckpoint> =
                open_member(signed, roster, stated.time).map_err(|why| signature(file, why))?;
            opened.payload().0.clone()
        } else {
            let opened: Opened<Checkpoint> =
                open_member(signed, roster, stated.time).map_err(|why| signature(file, why))?;
            opened.payload().clone()
        };
        if signed.kind == kind::LOG {
            // No node's name has a space.
            said.node = format!("coordinator {}", said.node);
        }
        let Some(seen) = said.seen() else {
            return Ok(0);
        };
        self.add(&said.node, seen, file);
        if let (Some(proof), Some(ledger)) = (&said.proof, self.ledgers.get_mut(&said.node)) {
            ledger.proofs.push(proof.clone());
        }
        Ok(1)
    }

    fn add(&mut self, node: &str, seen: Seen, source: &str) {
        let source = source.to_owned();
        let ledger = self.ledgers.entry(node.to_owned()).or_default();
        let sighting = Sighting { seen, source };
        if !ledger.sightings.contains(&sighting) {
            ledger.sightings.push(sighting);
        }
    }

    /// An entry must be under the root of the checkpoint beside it.
    fn entry(
        &mut self,
        file: &str,
        shown: &Value,
        opening: Option<&Value>,
        checkpoints: &[Signed],
    ) -> Result<(), AuditError> {
        let shown: Shown = Shown::deserialize(shown).map_err(|why| entry(file, &why))?;
        let record: Record =
            serde_json::from_str(&shown.record).map_err(|why| entry(file, &why))?;
        let hash = line::hash(&shown.record);
        let leaf = line::leaf(&hash).map_err(|why| entry(file, &why))?;
        let checkpoint = checkpoints
            .iter()
            .filter(|signed| signed.kind == kind::CHECKPOINT)
            .filter_map(|signed| Checkpoint::decode(&signed.payload).ok())
            .find(|said| said.seq == shown.inclusion.size && said.node == record.node);
        let root = checkpoint.and_then(|said| said.root);
        let root = root.ok_or_else(|| entry(file, &"no checkpoint of that size is beside it"))?;
        if shown.inclusion.index.checked_add(1) != Some(record.seq) {
            return Err(entry(file, &"the proof is of another record"));
        }
        let proven = shown.inclusion.check(&leaf, &root);
        proven.map_err(|why| entry(file, &why))?;
        let (node, seq) = (&record.node, record.seq);
        self.entries
            .push(format!("{file}: record {seq} is in the ledger of {node}"));
        let ledger = self.ledgers.entry(node.clone()).or_default();
        let known = ledger.records.entry(seq).or_insert_with(|| Entry {
            record: record.clone(),
            hash: hash.clone(),
            places: BTreeMap::new(),
        });
        if known.hash != hash {
            let why = format!("record {seq} is another one than elsewhere: {node} has two ledgers");
            return Err(entry(file, &why));
        }
        known.places.insert(shown.inclusion.size, root);
        if let Some(opening) = opening {
            let opening = Opening::deserialize(opening).map_err(|why| entry(file, &why))?;
            opening.check(&record).map_err(|why| entry(file, &why))?;
            let field = &opening.field;
            self.entries
                .push(format!("{file}: its {field} is what the file says"));
        }
        Ok(())
    }
}

fn signature(file: &str, why: quorate_wire::OpenError) -> AuditError {
    let file = file.to_owned();
    AuditError::Signature { file, why }
}

fn entry(file: &str, why: &dyn std::fmt::Display) -> AuditError {
    let (file, why) = (file.to_owned(), why.to_string());
    AuditError::Entry { file, why }
}

/// Every signed checkpoint anywhere in a document.
fn gather(value: &Value, found: &mut Vec<Signed>) {
    if let Ok(signed) = Signed::deserialize(value) {
        if [kind::CHECKPOINT, kind::LOG].contains(&signed.kind.as_str()) {
            found.push(signed);
        }
        return;
    }
    match value {
        Value::Array(all) => all.iter().for_each(|one| gather(one, found)),
        Value::Object(all) => all.values().for_each(|one| gather(one, found)),
        _ => {}
    }
}

/// More contradictions of one ledger need not be told.
const ENOUGH: usize = 20;

impl Ledger {
    /// What cannot be true of one ledger, each in a sentence; empty if all of it fits.
    #[must_use]
    pub fn contradictions(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (at, one) in self.sightings.iter().enumerate() {
            if found.len() > ENOUGH {
                break;
            }
            for other in self.sightings.iter().skip(at + 1) {
                found.extend(between(one, other));
            }
            found.extend(self.whole.as_ref().and_then(|whole| against(whole, one)));
        }
        let root = |size: u64| self.sightings.iter().find(|s| s.seen.size == size);
        for proof in &self.proofs {
            if let (Some(old), Some(new)) = (root(proof.from), root(proof.to))
                && proof.check(&old.seen.root, &new.seen.root).is_err()
            {
                found.push(format!(
                    "the ledger of {} records ({}) does not continue the one of {} ({}): it was rewritten",
                    proof.to, new.source, proof.from, old.source
                ));
            }
        }
        found
    }

    /// Answers that the ledger has and a result has not, each in a sentence: the network may have
    /// lost one, or whoever combined the result left it out.
    #[must_use]
    pub fn left_out(&self) -> Vec<String> {
        let one = |silence: &Silence| {
            let (seq, time) = self.answered.get(&silence.question)?;
            let status = silence.status;
            (*time <= silence.finished).then(|| {
                format!(
                    "record {seq} says that question {} was answered, {} s before {} was finished, which says that the node is {status}: \
                     its coordinator left the answer out, or the way to it was cut",
                    silence.question,
                    silence.finished.saturating_sub(*time),
                    silence.source
                )
            })
        };
        self.silences.iter().filter_map(one).collect()
    }

    /// Sizes that no proof and no whole ledger links to the next one seen.
    #[must_use]
    pub fn unlinked(&self) -> Vec<(u64, u64)> {
        if self.whole.is_some() {
            return Vec::new();
        }
        let mut sizes: Vec<u64> = self.sightings.iter().map(|s| s.seen.size).collect();
        sizes.sort_unstable();
        sizes.dedup();
        let linked = |from: u64, to: u64| {
            let mut proofs = self.proofs.iter();
            proofs.any(|proof| proof.from == from && proof.to == to)
        };
        let pairs = sizes.iter().zip(sizes.iter().skip(1));
        pairs
            .map(|(from, to)| (*from, *to))
            .filter(|(from, to)| !linked(*from, *to))
            .collect()
    }
}

/// Two places that cannot be of one ledger.
fn between(one: &Sighting, other: &Sighting) -> Option<String> {
    let (a, b) = (&one.seen, &other.seen);
    if a.size == b.size && a.root != b.root {
        return Some(format!(
            "two ledgers of {} records: {} in {}, {} in {}. Different parties were shown different ones, or it was rewritten",
            a.size, a.root, one.source, b.root, other.source
        ));
    }
    let (earlier, later) = if a.time <= b.time {
        (one, other)
    } else {
        (other, one)
    };
    let back = earlier.seen.time < later.seen.time && earlier.seen.size > later.seen.size;
    back.then(|| {
        format!(
            "{} records in {}, and later {} in {}: it was cut off or set back",
            earlier.seen.size, earlier.source, later.seen.size, later.source
        )
    })
}

fn against(whole: &Sound, sighting: &Sighting) -> Option<String> {
    let (seen, source) = (&sighting.seen, &sighting.source);
    match whole.tree.root(seen.size) {
        Some(root) if root == seen.root => None,
        Some(_) => Some(format!(
            "the first {} records of the ledger are not those that {source} shows: it was rewritten",
            seen.size
        )),
        None => Some(format!(
            "the ledger ends at record {}, {source} shows {}: it was cut off or set back",
            whole.head.seq, seen.size
        )),
    }
}
