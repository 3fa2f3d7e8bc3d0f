//! What a node says about a question: an answer or a refusal.

use prost::Message;
use quorate_evidence::{Hash, Receipt};
use quorate_identity::Role;
use quorate_identity::envelope::kind;
use quorate_query::answer::{NodeTable, Protection};
use quorate_query::problem::{Code, Problem};
use quorate_query::question::MAX_TABLES;

use crate::check::{self, MAX_SENTENCE, at_most, sentence, some, word};
use crate::convert::tables_digest;
use crate::error::WireError;
use crate::id::QuestionId;
use crate::open::{Payload, Spoken};
use crate::v1;

/// Where an answer stands in its node's ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerRef {
    /// Number of the entry.
    pub seq: u64,
    /// Hash of the entry, `sha256:...`.
    pub head: String,
}

/// Something the reader of a result must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// `N1xx`.
    pub code: String,
    /// The sentence.
    pub text: String,
}

/// Payload of a signed answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerPayload {
    /// Which network.
    pub network: String,
    /// Which node answers.
    pub node: String,
    /// Which question.
    pub question_id: QuestionId,
    /// SHA-256 of the question's payload as carried.
    pub question_digest: [u8; 32],
    /// 0 for a question of one round.
    pub round: u32,
    /// Hash of the newest roster entry that the node knew.
    pub roster_head: String,
    /// Digest of the codebook.
    pub codebook: String,
    /// Name of the population.
    pub population: String,
    /// Name of the state of the data, which tells nothing about them.
    pub epoch: String,
    /// Digest of the node's policy.
    pub policy: String,
    /// What every cell went through.
    pub protection: Protection,
    /// The released cells, one table for each of the question's; their digest travels along and is
    /// checked.
    pub tables: Vec<NodeTable>,
    /// Notes for the reader.
    pub notes: Vec<Note>,
    /// Where the answer stands in the ledger.
    pub ledger: LedgerRef,
    /// What was decided, shown to be in the node's ledger; nodes before receipts send none.
    pub receipt: Option<Receipt>,
    /// Zero bytes at the end, see [`AnswerPayload::padded`].
    pub padding: usize,
}

/// Payload of a signed refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalPayload {
    /// Which network.
    pub network: String,
    /// Which node refuses.
    pub node: String,
    /// Which question.
    pub question_id: QuestionId,
    /// SHA-256 of the question's payload as carried.
    pub question_digest: [u8; 32],
    /// 0 for a question of one round.
    pub round: u32,
    /// Hash of the newest roster entry that the node knew.
    pub roster_head: String,
    /// Digest of the codebook that the question named.
    pub codebook: String,
    /// Name of the population.
    pub population: String,
    /// Digest of the state of the data; empty where the node did not look at it.
    pub epoch: String,
    /// Stable problem code.
    pub code: String,
    /// Names the custodian's own record; only with E codes, else empty.
    pub ticket: String,
    /// Where the refusal stands in the ledger; `None` where nothing was recorded.
    pub ledger: Option<LedgerRef>,
}

impl RefusalPayload {
    /// The refusal as a problem, if this release knows the code.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        Code::parse(&self.code).map(Problem::of)
    }
}

impl Payload for AnswerPayload {
    const KIND: &'static str = kind::ANSWER;

    fn encode(&self) -> Vec<u8> {
        v1::AnswerPayload {
            network: self.network.clone(),
            node: self.node.clone(),
            question_id: self.question_id.to_string(),
            question_digest: self.question_digest.to_vec(),
            round: self.round,
            roster_head: self.roster_head.clone(),
            codebook: self.codebook.clone(),
            population: self.population.clone(),
            epoch: self.epoch.clone(),
            policy: self.policy.clone(),
            protection: Some((&self.protection).into()),
            tables: self.tables.iter().map(Into::into).collect(),
            notes: self
                .notes
                .iter()
                .map(|n| v1::Note {
                    code: n.code.clone(),
                    text: n.text.clone(),
                })
                .collect(),
            ledger: Some((&self.ledger).into()),
            table_digest: tables_digest(&self.tables).to_vec(),
            padding: vec![0; self.padding],
            receipt: self.receipt.as_ref().map(Into::into),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let wire = v1::AnswerPayload::decode(bytes).map_err(|_| WireError::Malformed)?;
        some(wire.tables.first(), "table")?;
        at_most(&wire.tables, "tables", MAX_TABLES)?;
        let tables = wire.tables.iter().map(NodeTable::try_from);
        let tables: Vec<NodeTable> = tables.collect::<Result<_, WireError>>()?;
        if check::hash(&wire.table_digest, "table_digest")? != tables_digest(&tables) {
            return Err(WireError::Invalid("table_digest"));
        }
        at_most(&wire.notes, "notes", 64)?;
        if wire.padding.iter().any(|byte| *byte != 0) {
            return Err(WireError::Invalid("padding"));
        }
        let note = |note: v1::Note| {
            Ok(Note {
                code: word(note.code, "note code")?,
                text: sentence(note.text, "note", MAX_SENTENCE)?,
            })
        };
        Ok(Self {
            network: check::name(wire.network, "network")?,
            node: check::name(wire.node, "node")?,
            question_id: check::id(&wire.question_id)?,
            question_digest: check::hash(&wire.question_digest, "question_digest")?,
            round: wire.round,
            roster_head: check::digest(wire.roster_head, "roster_head")?,
            codebook: check::digest(wire.codebook, "codebook")?,
            population: word(wire.population, "population")?,
            epoch: check::digest(wire.epoch, "epoch")?,
            policy: check::digest(wire.policy, "policy")?,
            protection: (&some(wire.protection, "protection")?).try_into()?,
            tables,
            notes: wire
                .notes
                .into_iter()
                .map(note)
                .collect::<Result<_, WireError>>()?,
            ledger: some(wire.ledger, "ledger")?.try_into()?,
            receipt: wire.receipt.map(TryInto::try_into).transpose()?,
            padding: wire.padding.len(),
        })
    }
}

impl Spoken for AnswerPayload {
    const SPEAKER: Role = Role::Node;

    fn network(&self) -> &str {
        &self.network
    }

    fn speaker(&self) -> Option<&str> {
        Some(&self.node)
    }
}

impl Payload for RefusalPayload {
    const KIND: &'static str = kind::REFUSAL;

    fn encode(&self) -> Vec<u8> {
        v1::RefusalPayload {
            network: self.network.clone(),
            node: self.node.clone(),
            question_id: self.question_id.to_string(),
            question_digest: self.question_digest.to_vec(),
            round: self.round,
            roster_head: self.roster_head.clone(),
            codebook: self.codebook.clone(),
            population: self.population.clone(),
            epoch: self.epoch.clone(),
            code: self.code.clone(),
            ticket: self.ticket.clone(),
            ledger: self.ledger.as_ref().map(Into::into),
        }
        .encode_to_vec()
    }

    fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        let wire = v1::RefusalPayload::decode(bytes).map_err(|_| WireError::Malformed)?;
        let epoch = if wire.epoch.is_empty() {
            wire.epoch
        } else {
            check::digest(wire.epoch, "epoch")?
        };
        Ok(Self {
            network: check::name(wire.network, "network")?,
            node: check::name(wire.node, "node")?,
            question_id: check::id(&wire.question_id)?,
            question_digest: check::hash(&wire.question_digest, "question_digest")?,
            round: wire.round,
            roster_head: check::digest(wire.roster_head, "roster_head")?,
            codebook: check::digest(wire.codebook, "codebook")?,
            population: word(wire.population, "population")?,
            epoch,
            code: check::code(wire.code)?,
            ticket: sentence(wire.ticket, "ticket", 64)?,
            ledger: wire.ledger.map(TryInto::try_into).transpose()?,
        })
    }
}

impl Spoken for RefusalPayload {
    const SPEAKER: Role = Role::Node;

    fn network(&self) -> &str {
        &self.network
    }

    fn speaker(&self) -> Option<&str> {
        Some(&self.node)
    }
}

impl From<&LedgerRef> for v1::LedgerRef {
    fn from(ledger: &LedgerRef) -> Self {
        Self {
            seq: ledger.seq,
            head: ledger.head.clone(),
        }
    }
}

impl TryFrom<v1::LedgerRef> for LedgerRef {
    type Error = WireError;
    fn try_from(wire: v1::LedgerRef) -> Result<Self, WireError> {
        Ok(Self {
            seq: wire.seq,
            head: check::digest(wire.head, "ledger head")?,
        })
    }
}

/// Longest record of a decision.
const MAX_RECORD: usize = 256 * 1024;
/// Most hashes of a proof.
pub(crate) const MAX_PATH: usize = 64;

impl From<&Receipt> for v1::Receipt {
    fn from(receipt: &Receipt) -> Self {
        Self {
            record: receipt.record.clone().into_bytes(),
            path: receipt.path.iter().map(|hash| hash.0.to_vec()).collect(),
            root: receipt.root.0.to_vec(),
        }
    }
}

impl TryFrom<v1::Receipt> for Receipt {
    type Error = WireError;
    fn try_from(wire: v1::Receipt) -> Result<Self, WireError> {
        at_most(&wire.record, "record of a receipt", MAX_RECORD)?;
        Ok(Self {
            record: String::from_utf8(wire.record)
                .map_err(|_| WireError::Invalid("record of a receipt"))?,
            path: path(&wire.path)?,
            root: Hash(check::hash(&wire.root, "root")?),
        })
    }
}

/// The hashes of a proof.
pub(crate) fn path(wire: &[Vec<u8>]) -> Result<Vec<Hash>, WireError> {
    at_most(wire, "path", MAX_PATH)?;
    let hashes = wire.iter();
    hashes
        .map(|bytes| check::hash(bytes, "path").map(Hash))
        .collect()
}
