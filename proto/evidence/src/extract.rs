//! What a node tells the public register: counted from its ledger and from nothing else, so that
//! the same ledger gives the same extract to the byte.
//!
//! No names of persons, no literals, nothing of withheld cells but where every cell is listed.

use std::collections::{BTreeMap, BTreeSet};

use quorate_identity::envelope::kind;
use serde::{Deserialize, Serialize};

use crate::line::{self, Line};
use crate::merkle::{Hash, Tree};
use crate::record::{ACCEPTED, ACT, Event, Noted, Record};

/// The schema that extracts name.
pub const SCHEMA: &str = "quorate.extract/1";

/// A node's part of the register, up to one record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// Which network.
    pub network: String,
    /// Which node.
    pub node: String,
    /// Records that it covers: all up to this one.
    pub size: u64,
    /// Root of the ledger over them.
    pub root: Hash,
    /// Time of the last of them, unix seconds.
    pub time: i64,
    /// Records of which retention left the hash only; what they told is not counted here.
    pub stubs: u64,
    /// By project.
    pub projects: BTreeMap<String, Use>,
    /// When each project record was accepted here last, unix seconds, by its digest.
    #[serde(default)]
    pub accepted: BTreeMap<String, i64>,
    /// Digests of break-glass acts (rule 8).
    #[serde(default)]
    pub glasses: BTreeSet<String>,
}

/// What a project did at a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Use {
    /// Questions that ran.
    pub questions_run: u64,
    /// Questions that were refused.
    pub questions_refused: u64,
    /// Cells withheld, of tables that list all of their cells.
    pub cells_withheld: u64,
    /// Tables and columns that answers touched.
    pub columns: BTreeSet<String>,
    /// Codebooks that questions were read against.
    pub codebooks: BTreeSet<String>,
    /// Policies in force.
    pub policies: BTreeSet<String>,
    /// Digests of the project's records in force.
    pub records: BTreeSet<String>,
    /// Legal bases stated.
    pub legal_bases: BTreeSet<String>,
    /// Organisations of those who asked.
    pub organisations: BTreeSet<String>,
    /// How answers were let out.
    pub release_modes: BTreeSet<String>,
    /// Time of the first question, unix seconds.
    pub first: i64,
    /// Time of the last question, unix seconds.
    pub last: i64,
    /// Every answer that left, in the order of the ledger.
    pub outputs: Vec<Output>,
}

/// An answer that left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    /// Number of the decision's record.
    pub record: u64,
    /// Its hash.
    pub hash: String,
    /// Id of the question.
    pub question: String,
    /// Question hash.
    pub question_hash: String,
    /// Digest of the tables that left.
    pub tables: String,
    /// Time of the decision, unix seconds.
    pub time: i64,
}

/// What is open while a ledger is read.
#[derive(Default)]
struct Reading {
    /// Project of each question, by the record that opened it.
    opened: BTreeMap<u64, String>,
    /// Decisions that have not left yet, by the record that opened the question.
    decided: BTreeMap<u64, Output>,
}

impl Extract {
    /// Counts a ledger whose chain was verified; its lines, without ends.
    #[must_use]
    pub fn of<'a>(network: &str, node: &str, lines: impl Iterator<Item = &'a str>) -> Self {
        let mut extract = Self {
            schema: SCHEMA.to_owned(),
            network: network.to_owned(),
            node: node.to_owned(),
            ..Self::default()
        };
        let (mut tree, mut reading) = (Tree::default(), Reading::default());
        for text in lines {
            let hash = match line::read(text, None) {
                Ok(Line::Whole(record, hash)) => {
                    extract.time = extract.time.max(record.time);
                    extract.take(*record, &hash, &mut reading);
                    hash
                }
                Ok(Line::Stub(hash)) => {
                    extract.stubs += 1;
                    hash
                }
                Err(_) => continue,
            };
            if let Ok(leaf) = line::leaf(&hash) {
                tree.push(&leaf);
            }
        }
        extract.size = tree.size();
        extract.root = tree.root(extract.size).unwrap_or_default();
        extract
    }

    fn take(&mut self, record: Record, hash: &str, reading: &mut Reading) {
        match record.event {
            Event::Open(open) if !open.project.is_empty() => {
                let used = self.projects.entry(open.project.clone()).or_default();
                used.first = if used.first == 0 {
                    record.time
                } else {
                    used.first
                };
                used.last = used.last.max(record.time);
                add(&mut used.legal_bases, &open.legal_basis);
                add(&mut used.organisations, &open.actor.organisation);
                add(&mut used.policies, &open.policy);
                add(&mut used.codebooks, &open.codebook);
                reading.opened.insert(record.seq, open.project);
            }
            Event::Decided(decided) => {
                let said = decided.statement;
                let output = Output {
                    record: record.seq,
                    hash: hash.to_owned(),
                    question: said.question,
                    question_hash: said.hash,
                    tables: said.tables,
                    time: record.time,
                };
                if let Some(used) = self.used(reading, decided.opened) {
                    used.columns.extend(said.columns);
                    add(&mut used.records, &said.project_record);
                    add(&mut used.release_modes, &said.approval.release);
                    used.cells_withheld += said.cells.map_or(0, |cells| cells.withheld);
                }
                // A question that was interrupted is decided anew; the last decision left.
                reading.decided.insert(decided.opened, output);
            }
            Event::Close(close) => {
                let output = reading.decided.remove(&close.opened);
                if let Some(used) = self.used(reading, close.opened) {
                    match close.outcome.as_str() {
                        "answered" => {
                            used.questions_run += 1;
                            used.outputs.extend(output);
                        }
                        _ => used.questions_refused += 1,
                    }
                }
                reading.opened.remove(&close.opened);
            }
            Event::Interrupted(event) => {
                reading.decided.remove(&event.opened);
            }
            Event::Noted(noted) if noted.what.strip_prefix(ACT) == Some(kind::GLASS) => {
                self.glasses.extend(noted.documents);
            }
            Event::Noted(noted) if noted.actor.role == "custodian" => {
                if let Some(record_digest) = accepted(&noted) {
                    self.accepted.insert(record_digest.to_owned(), record.time);
                }
            }
            _ => {}
        }
    }

    fn used(&mut self, reading: &Reading, opened: u64) -> Option<&mut Use> {
        let project = reading.opened.get(&opened)?;
        self.projects.get_mut(project)
    }
}

/// The project record that a custodian's act accepts.
fn accepted(noted: &Noted) -> Option<&str> {
    if noted.what.strip_prefix(ACT) != Some(kind::ACCEPTANCE) {
        return None;
    }
    let (word, record) = noted.concerns.rsplit_once(' ')?;
    word.starts_with(ACCEPTED).then_some(record)
}

fn add(to: &mut BTreeSet<String>, text: &str) {
    if !text.is_empty() {
        to.insert(text.to_owned());
    }
}
