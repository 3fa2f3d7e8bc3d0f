//! The shape of a ledger record, final from the first day: digests, codes and salted commitments.
//!
//! What it must never hold: results, rows, literals, SQL text, secrets. Every field is always
//! there; one that does not apply is empty.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// One record, as it is hashed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Number, from 1.
    pub seq: u64,
    /// Hash of the record before; empty for the first.
    pub previous: String,
    /// Unix seconds, by the node's own clock.
    pub time: i64,
    /// How far the coordinator's clock was ahead of ours when last heard, in seconds.
    pub clock_ahead: Option<i64>,
    /// Which node.
    pub node: String,
    /// Release of the software.
    pub software: String,
    /// What happened.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Event {
    /// The ledger was begun.
    Begin(Begin),
    /// A question was verified: before anything is read or run.
    Open(Box<Open>),
    /// What became of it: before anything leaves.
    Close(Box<Close>),
    /// The node stopped in the middle; nothing of the question left.
    Interrupted(Interrupted),
    /// A person was erased: who is not said.
    Erased(Erased),
}

/// The ledger was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Begin {
    /// The key that signs every record.
    pub key: String,
}

/// Who asked, under which project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// Name in the roster.
    pub subject: String,
    /// Key that signed.
    pub key: String,
    /// Role in use.
    pub role: String,
    /// Organisation, as the policy names it beside this member and key: the roster knows none.
    pub organisation: String,
}

/// A verified question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// Id of the question.
    pub question: String,
    /// SHA-256 of its payload as carried.
    pub payload: String,
    /// 0 for a question of one round.
    pub round: u32,
    /// Who asked.
    pub actor: Actor,
    /// Under which project.
    pub project: String,
    /// Salted commitment to the stated purpose.
    pub purpose: String,
    /// Legal basis, where the project of the policy states one.
    pub legal_basis: String,
    /// Digest of the codebook.
    pub codebook: String,
    /// Roster head that the question was verified against.
    pub roster: String,
    /// Policy of the node.
    pub policy: String,
    /// SHA-256 of the certificate of the peer that delivered it; empty for core tables.
    pub peer: String,
}

/// What became of a question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Close {
    /// Number of the record that opened it.
    pub opened: u64,
    /// Id of the question.
    pub question: String,
    /// `answered`, `refused`, or `core` for a core table that nobody was sent.
    pub outcome: String,
    /// Stable problem code of a refusal.
    pub code: String,
    /// Question hash, once it was read.
    pub hash: String,
    /// Approved template, where one was used.
    pub template: String,
    /// Salted commitment to the parameters.
    pub params: String,
    /// Salted commitment to the row filter.
    pub filter: String,
    /// Population and epoch of the data.
    pub population: String,
    /// Digest of the state of the data.
    pub epoch: String,
    /// Columns touched, as `table.column`.
    pub columns: BTreeSet<String>,
    /// Who or what approved, and how it is released.
    pub approval: Approval,
    /// What disclosure control did.
    pub disclosure: Disclosure,
    /// SHA-256 of the signed payload that leaves.
    pub result: String,
    /// To whom it goes.
    pub recipient: String,
    /// What it cost.
    pub cost: Cost,
}

/// How the question was approved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// `auto` or `listed`.
    pub by: String,
    /// Persons who reviewed, where any did.
    pub reviewers: Vec<String>,
    /// Release mode: `auto`, later also `review` and `dual`.
    pub release: String,
}

/// What disclosure control did: thresholds and how many cells, never which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disclosure {
    /// `round` or `none`.
    pub mode: String,
    /// Threshold.
    pub k: u32,
    /// Rounding base.
    pub round_base: u32,
    /// Cells released.
    pub released: u64,
    /// Of those, cells that repeat an earlier release.
    pub repeated: u64,
    /// Of those, cells that show an earlier, nearly equal release in their place.
    #[serde(default)]
    pub near_earlier: u64,
    /// Cells given up so that others could be released.
    #[serde(default)]
    pub given_up: u64,
    /// Records of the release store with this question's: it never holds fewer again.
    #[serde(default)]
    pub records: u64,
    /// Cells withheld, by rule.
    pub withheld: BTreeMap<String, u64>,
    /// Budget spent, where there is one.
    pub budget: String,
}

/// What a question cost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// Time of each step of the story, in microseconds.
    pub micros: BTreeMap<String, u64>,
    /// Bytes that leave.
    pub bytes_out: u64,
}

/// The node stopped in the middle.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interrupted {
    /// Number of the record that opened the question.
    pub opened: u64,
    /// Id of the question.
    pub question: String,
}

/// A person was erased: nothing here knows any more who that number was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    /// Name of the population.
    pub population: String,
    /// Whether the person was known.
    pub known: bool,
}
