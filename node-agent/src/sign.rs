//! Eighth step: the only place where something released becomes bytes, signed with the node's key.

use std::collections::{BTreeMap, BTreeSet};

use quorate_identity::digest_text;
use quorate_query::answer::{Cell, Mode, NodeTable};
use quorate_query::codebook::ColumnRef;
use quorate_query::measure::facts::facts;
use quorate_query::problem::Code;
use quorate_query::question::{Measure, Predicate, TableQuestion};
use quorate_wire::{AnswerPayload, LedgerRef, MAX_MESSAGE, Note, Payload, RefusalPayload};

use crate::airlock::Decided;
use crate::committed;
use crate::disclose::Checked;
use crate::ledger::{Close, Cost, Disclosure};
use crate::node::Node;
use crate::peers::UNWITNESSED;
use crate::receipt;
use crate::record::Recorded;
use crate::refusal::Refusal;
use crate::verify::Asked;

/// Room that the envelope and the stream need around a payload.
const ENVELOPE: usize = 64 * 1024;

/// A signed answer or refusal with what the ledger will say of it. Only this module can make one,
/// and only [`crate::record::close`] lets it go.
///
/// ```compile_fail,E0616
/// fn send(signed: quorate_node::sign::Signed) -> quorate_identity::Signed {
///     signed.message
/// }
/// ```
///
/// ```no_run
/// use quorate_node::{node::Node, record::{self, RecordError, Recorded}, sign::Signed};
/// fn send(n: &Node, r: &Recorded, s: Signed) -> Result<quorate_identity::Signed, RecordError> {
///     record::close(n, r, s, 0)
/// }
/// ```
pub struct Signed {
    message: quorate_identity::Signed,
    close: Close,
}

impl Signed {
    pub(crate) fn into_parts(self) -> (quorate_identity::Signed, Close) {
        (self.message, self.close)
    }
}

/// A trial has no ledger entry, so nothing of it can be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a question without a ledger entry cannot be answered")]
pub struct NotRecorded;

/// Records and signs what was decided to leave, or signs the refusal. `micros` is the time of each
/// step so far.
///
/// # Errors
/// If the question has no ledger entry.
pub fn sign(
    node: &Node,
    recorded: &Recorded,
    told: Result<Decided<'_>, Refusal>,
    micros: BTreeMap<String, u64>,
    now: i64,
) -> Result<Signed, NotRecorded> {
    let entry = recorded.entry().ok_or(NotRecorded)?;
    let asked = recorded.verified().asked();
    let told = told.and_then(|decided| answer(node, asked, &entry, &decided, now));
    let mut signed = told.unwrap_or_else(|refusal| refuse(node, recorded, &entry, &refusal));
    signed.close.result = digest_text(&signed.message.digest());
    signed.close.recipient = node.policy.node.coordinator.clone();
    let bytes_out = u64::try_from(signed.message.payload.len()).unwrap_or(u64::MAX);
    signed.close.cost = Cost { micros, bytes_out };
    Ok(signed)
}

/// A refusal of something that was not believed, and therefore not recorded. Of a question that was
/// recorded nothing unrecorded is said: `None`.
#[must_use]
pub fn turn_away(
    node: &Node,
    question: &crate::answer::Delivery,
    code: Code,
) -> Option<quorate_identity::Signed> {
    let stated = quorate_wire::QuestionPayload::decode(&question.question.payload).ok()?;
    let ours = ["E901", "L702"].contains(&code.0);
    if node.is_recorded(&stated.question_id, ours) {
        return None;
    }
    let refusal = RefusalPayload {
        network: node.roster().network().to_string(),
        node: node.policy.node.name.clone(),
        question_id: stated.question_id,
        question_digest: question.question.digest(),
        round: question.round,
        roster_head: node.roster().head().hash,
        codebook: stated.codebook,
        population: node.policy.population.name.clone(),
        epoch: String::new(),
        code: code.0.to_owned(),
        ticket: String::new(),
        ledger: None,
    };
    Some(quorate_wire::sign(&refusal, &node.key))
}

fn answer(
    node: &Node,
    asked: &Asked,
    entry: &LedgerRef,
    decided: &Decided<'_>,
    now: i64,
) -> Result<Signed, Refusal> {
    let checked = decided.checked();
    let receipt = receipt::decide(node, asked, entry, decided, now)?;
    let payload = AnswerPayload {
        network: asked.network.clone(),
        node: node.policy.node.name.clone(),
        question_id: asked.id,
        question_digest: asked.digest,
        round: asked.round,
        roster_head: node.roster().head().hash,
        codebook: asked.codebook.clone(),
        population: node.policy.population.name.clone(),
        epoch: node.secrets().label(checked.epoch()),
        policy: node.policy.digest.clone(),
        protection: checked.protection(),
        tables: decided.tables().to_vec(),
        notes: notes(checked.protection().mode, node.unwitnessed(now).is_some()),
        ledger: entry.clone(),
        receipt: Some(receipt),
        padding: 0,
    };
    let payload = payload.padded(&parts(checked));
    let message = quorate_wire::sign(&payload, &node.key);
    if message.payload.len().saturating_add(ENVELOPE) > MAX_MESSAGE {
        return Err(Refusal::new(
            Code("L701"),
            "the answer is larger than a message may be",
        ));
    }
    let mut close = account(node, asked, entry, checked);
    "answered".clone_into(&mut close.outcome);
    close.approval = receipt::approval_of(decided);
    close.disclosure.released = values(decided.tables());
    close.disclosure.near_earlier = near(decided.tables());
    Ok(Signed { message, close })
}

/// How many numbers a released cell of each measure has, table by table.
fn parts(released: &Checked<'_>) -> Vec<Vec<usize>> {
    let question = released.approved().question();
    let parts = |table: &TableQuestion, measure: &Measure| match measure {
        Measure::Persons { .. } | Measure::Events { .. } => 1,
        Measure::Moments { .. } => 4,
        Measure::Products { .. } => 2,
        Measure::ValueCounts { .. } => {
            facts(measure, table, question.book()).map_or(1, |facts| facts.domain.len())
        }
    };
    let tables = question.tables().into_iter();
    let of_table = |table: &TableQuestion| {
        let measures = table.measures.iter();
        measures.map(|measure| parts(table, measure)).collect()
    };
    tables.map(of_table).collect()
}

/// What the signed bytes say beside the cells: it depends on the population and on who was heard
/// of, not on data.
fn notes(mode: Mode, unwitnessed: bool) -> Vec<Note> {
    let note = |code: &str, text: &str| Note {
        code: code.to_owned(),
        text: text.to_owned(),
    };
    let exact = "the population is registered as synthetic: exact values, nothing withheld";
    let alone = "no other node's ledger was seen here for seven days: nobody but the coordinator \
                 witnesses this node's";
    let mode = match mode {
        Mode::Round | Mode::CellKey { .. } => None,
        Mode::None => Some(note("UNPROTECTED", exact)),
    };
    let alone = unwitnessed.then(|| note(UNWITNESSED, alone));
    mode.into_iter().chain(alone).collect()
}

/// What the ledger says of a core table, of which nothing is signed; `None` in a trial.
pub(crate) fn unsent(
    node: &Node,
    recorded: &Recorded,
    told: Result<Checked<'_>, Refusal>,
    micros: BTreeMap<String, u64>,
) -> Option<Close> {
    let entry = recorded.entry()?;
    let asked = recorded.verified().asked();
    let said = match told {
        Ok(released) => account(node, asked, &entry, &released),
        Err(refusal) => refused(node, recorded, &entry, &refusal),
    };
    Some(Close {
        outcome: "core".to_owned(),
        cost: Cost {
            micros,
            bytes_out: 0,
        },
        ..said
    })
}

fn refused(node: &Node, recorded: &Recorded, entry: &LedgerRef, refusal: &Refusal) -> Close {
    Close {
        opened: entry.seq,
        question: recorded.verified().asked().id.to_string(),
        outcome: "refused".to_owned(),
        code: refusal.code().0.to_owned(),
        hash: recorded.hash().unwrap_or_default().to_owned(),
        population: node.policy.population.name.clone(),
        ..Close::default()
    }
}

fn refuse(node: &Node, recorded: &Recorded, entry: &LedgerRef, refusal: &Refusal) -> Signed {
    let asked = recorded.verified().asked();
    let ticket = if refusal.is_fault() {
        ticket(node, entry)
    } else {
        String::new()
    };
    let payload = RefusalPayload {
        network: asked.network.clone(),
        node: node.policy.node.name.clone(),
        question_id: asked.id,
        question_digest: asked.digest,
        round: asked.round,
        roster_head: node.roster().head().hash,
        codebook: asked.codebook.clone(),
        population: node.policy.population.name.clone(),
        epoch: String::new(),
        code: refusal.code().0.to_owned(),
        ticket,
        ledger: Some(entry.clone()),
    };
    let close = refused(node, recorded, entry, refusal);
    Signed {
        message: quorate_wire::sign(&payload, &node.key),
        close,
    }
}

/// Names the custodian's own record of a fault.
pub(crate) fn ticket(node: &Node, entry: &LedgerRef) -> String {
    format!("{}-{}", node.policy.node.name, entry.seq)
}

/// What the ledger says of an answer: digests, codes, commitments and numbers of cells.
fn account(node: &Node, asked: &Asked, entry: &LedgerRef, released: &Checked<'_>) -> Close {
    let question = released.approved().question();
    let protection = released.protection();
    let tables = question.tables();
    let (params, filters) = (
        committed::params(&asked.params),
        committed::filters(&tables),
    );
    let commit = |field, value: &[u8]| {
        node.with_ledger(|ledger| Ok(ledger.commitment(Some(entry.seq), field, value)))
    };
    Close {
        opened: entry.seq,
        question: asked.id.to_string(),
        hash: question.hash(),
        params: commit("params", &params).unwrap_or_default(),
        filter: commit("filter", &filters).unwrap_or_default(),
        population: node.policy.population.name.clone(),
        epoch: released.epoch().to_owned(),
        columns: tables.iter().flat_map(|table| columns(table)).collect(),
        template: released
            .approved()
            .basis()
            .approval
            .clone()
            .unwrap_or_default(),
        approval: receipt::approval(released),
        disclosure: Disclosure {
            mode: mode(protection.mode).to_owned(),
            k: protection.k,
            round_base: protection.round_base,
            released: values(released.tables()),
            repeated: released.repeated(),
            near_earlier: near(released.tables()),
            given_up: released.given_up(),
            records: released.records(),
            withheld: released.withheld(),
            budget: String::new(),
        },
        ..Close::default()
    }
}

/// How a mode of protection is written.
pub(crate) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Round => "round",
        Mode::CellKey { .. } => "cell_key",
        Mode::None => "none",
    }
}

fn cells(tables: &[NodeTable]) -> impl Iterator<Item = &Cell> {
    let rows = tables.iter().flat_map(|table| &table.rows);
    rows.flat_map(|row| &row.cells)
}

fn values(tables: &[NodeTable]) -> u64 {
    let values = cells(tables)
        .filter(|cell| **cell != Cell::Suppressed)
        .count();
    u64::try_from(values).unwrap_or(u64::MAX)
}

/// Cells that show an earlier release in their place.
fn near(tables: &[NodeTable]) -> u64 {
    let near = cells(tables)
        .filter(|cell| matches!(cell, Cell::Near(_)))
        .count();
    u64::try_from(near).unwrap_or(u64::MAX)
}

/// Every column that a question touches.
pub(crate) fn columns(question: &TableQuestion) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    add_filter(&question.filter, &mut found);
    found.extend(question.keys.iter().map(|key| show(key.column())));
    let measured = question
        .measures
        .iter()
        .flat_map(quorate_query::measure::facts::columns_of);
    found.extend(measured.map(show));
    found
}

fn add_filter(filter: &Predicate, found: &mut BTreeSet<String>) {
    found.extend(filter.boxes.keys().map(show));
    for cohort in &filter.cohorts {
        add_filter(&cohort.filter, found);
    }
}

fn show(column: &ColumnRef) -> String {
    format!("{}.{}", column.table, column.column)
}
