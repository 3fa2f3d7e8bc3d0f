//! The shape of a ledger record, final from the first day: digests, codes and salted commitments.
//!
//! What it must never hold: results, rows, literals, SQL text, secrets. Every field is always
//! there; one that does not apply is empty.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// One record, as it is hashed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Keyed to the record, so that nobody guesses its words from its hash; empty in ledgers begun
    /// before there was one.
    #[serde(default)]
    pub salt: String,
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
    /// What leaves and by which rules and permissions: before it is signed. All of it is public:
    /// an answer carries it as its receipt.
    Decided(Box<Decided>),
    /// What became of it: before anything leaves.
    Close(Box<Close>),
    /// The node stopped in the middle; nothing of the question left.
    Interrupted(Interrupted),
    /// A person was erased: who is not said.
    Erased(Erased),
    /// The words of old records were removed; their hashes and signatures stay.
    Retained(Retained),
    /// Somebody did something that is no question: read the ledger, registered data, changed a rule.
    Noted(Box<Noted>),
}

impl Default for Event {
    fn default() -> Self {
        Self::Begin(Begin::default())
    }
}

/// The ledger was begun.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

/// What leaves, decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decided {
    /// Number of the record that opened the question.
    pub opened: u64,
    /// What was decided.
    pub statement: Statement,
}

/// What a receipt says of an answer: nothing here that the answer, the question or public policy
/// does not say, and nothing that depends on withheld cells of open domains.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Which network.
    pub network: String,
    /// Id of the question.
    pub question: String,
    /// SHA-256 of its payload as carried.
    pub payload: String,
    /// Question hash: canonical form and codebook.
    pub hash: String,
    /// Who asked.
    pub researcher: String,
    /// Under which project.
    pub project: String,
    /// Digest of the project's record, where there is one.
    #[serde(default)]
    pub project_record: String,
    /// Digest of the codebook.
    pub codebook: String,
    /// Roster head that the question was verified against.
    pub roster: String,
    /// Policy of the node.
    pub policy: String,
    /// Population that the data are drawn from.
    pub population: String,
    /// Name of the state of the data, as answers tell it.
    pub snapshot: String,
    /// Digest of the custodian's registration of that state, where there is one.
    #[serde(default)]
    pub registration: String,
    /// Columns touched, as `table.column`.
    pub columns: BTreeSet<String>,
    /// Who or what approved, and how it is released.
    pub approval: Approval,
    /// The rules applied.
    pub rules: Rules,
    /// Cells released and withheld, where every key has a closed domain.
    pub cells: Option<Cells>,
    /// SHA-256 of the tables that leave.
    pub tables: String,
}

/// Rules of release, as public policy states them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// `round`, `cell_key` or `none`.
    pub mode: String,
    /// Threshold.
    pub k: u32,
    /// Rounding base.
    pub round_base: u32,
    /// Greatest size of the noise of a count.
    pub noise_bound: u32,
}

/// How many cells left, and how many did not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cells {
    /// Released.
    #[serde(with = "wide")]
    pub released: u64,
    /// Withheld.
    #[serde(with = "wide")]
    pub withheld: u64,
}

mod wide {
    //! Numbers of one width: the length of a receipt does not tell them.
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(number: &u64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{number:020}"))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// The words of old records were removed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retained {
    /// The last record whose words are gone, with all before it.
    pub through: u64,
    /// Why: the rule of retention.
    pub reason: String,
    /// The most records of the release store that the removed words told of.
    pub records: u64,
}

/// How a note begins that tells of a signed act of governance, before the kind of the act: `act.vote`.
pub const ACT: &str = "act.";

/// How the words of an acceptance begin that says yes, before its mode and the digest of the record.
pub const ACCEPTED: &str = "accepted";

/// That another policy is in force from here on: its digest is what the note concerns, the digest of
/// the one before is its document.
pub const POLICY_CHANGED: &str = "policy_changed";

/// Something that is no question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Noted {
    /// What, from a closed list: `ledger_read`, `data_registered`, `policy_changed`, `paused`,
    /// `resumed`, `question_listed`, `cohort_listed`, `answer_held_back`, `glass_read`, or [`ACT`] and the kind of a signed act.
    pub what: String,
    /// Who did it.
    pub actor: Actor,
    /// What it concerns: a dataset, a project, a period.
    pub concerns: String,
    /// Digests of the documents it rests on.
    pub documents: BTreeSet<String>,
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
    /// Keys of those who reviewed, where any did.
    pub reviewers: Vec<String>,
    /// Release mode: `auto`, `review` or `dual`.
    pub release: String,
    /// Digests of the signed documents that approval and release rest on.
    #[serde(default)]
    pub documents: BTreeSet<String>,
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
