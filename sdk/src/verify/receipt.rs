//! Receipts: each answer carries its node's ledger record of the decision, which must say what the
//! answer and the question say, and must be in the ledger whose root the node signed.

use std::collections::BTreeMap;

use quorate_evidence::receipt::Checked;
use quorate_evidence::record::{Cells, Rules};
use quorate_identity::digest_text;
use quorate_query::answer::{Cell, Mode};
use quorate_query::codebook::Codebook;
use quorate_query::domain;
use quorate_query::question::Question;
use quorate_wire::{AnswerPayload, Opened, QuestionPayload, tables_digest};

use super::{VerifyError, Words};

/// Checks every receipt there is.
pub(super) fn each_leads_to_its_ledger(
    words: &BTreeMap<String, Words>,
    question: &Opened<QuestionPayload>,
    meaning: &Question,
    codebook: &Codebook,
) -> Result<BTreeMap<String, Checked>, VerifyError> {
    let mut receipts = BTreeMap::new();
    for (node, words) in words {
        let Words::Answer(answer) = words else {
            continue;
        };
        let Some(receipt) = &answer.payload().receipt else {
            continue;
        };
        let checked = receipt.check().map_err(|why| VerifyError::Receipt {
            node: node.clone(),
            why,
        })?;
        let told = Told {
            answer: answer.payload(),
            question,
            meaning,
            codebook,
        };
        if let Some(what) = told.other(&checked) {
            let node = node.clone();
            return Err(VerifyError::OtherReceipt { node, what });
        }
        receipts.insert(node.clone(), checked);
    }
    Ok(receipts)
}

/// What a receipt must agree with.
struct Told<'a> {
    answer: &'a AnswerPayload,
    question: &'a Opened<QuestionPayload>,
    meaning: &'a Question,
    codebook: &'a Codebook,
}

impl Told<'_> {
    /// The first thing that the receipt says differently.
    fn other(&self, checked: &Checked) -> Option<&'static str> {
        let (said, asked) = (self.answer, self.question.payload());
        let (record, told) = (&checked.record, &checked.statement);
        let ledger = quorate_evidence::chain::opened_by(record);
        let pairs = [
            ("network", told.network == asked.network),
            ("node", record.node == said.node),
            ("question", told.question == asked.question_id.to_string()),
            (
                "question",
                told.payload == digest_text(&self.question.digest()),
            ),
            ("question", told.hash == digest_text(&self.meaning.digest())),
            ("researcher", told.researcher == asked.researcher),
            ("project", told.project == asked.project),
            ("codebook", told.codebook == said.codebook),
            ("roster", told.roster == said.roster_head),
            ("policy", told.policy == said.policy),
            ("population", told.population == said.population),
            ("state of the data", told.snapshot == said.epoch),
            ("place in the ledger", ledger == Some(said.ledger.seq)),
            ("place in the ledger", record.seq > said.ledger.seq),
            ("set of rules", told.rules == self.rules()),
            ("number of cells", told.cells == self.cells()),
            (
                "table",
                told.tables == digest_text(&tables_digest(&said.tables)),
            ),
        ];
        let found = pairs.into_iter().find(|(_, same)| !same);
        found.map(|(what, _)| what)
    }

    fn rules(&self) -> Rules {
        let protection = self.answer.protection;
        let (mode, noise_bound) = match protection.mode {
            Mode::Round => ("round", 0),
            Mode::CellKey { bound } => ("cell_key", bound),
            Mode::None => ("none", 0),
        };
        Rules {
            mode: mode.to_owned(),
            k: protection.k,
            round_base: protection.round_base,
            noise_bound,
        }
    }

    /// Counted again, where every table lists all of its cells.
    fn cells(&self) -> Option<Cells> {
        let book = self.meaning.book(self.codebook);
        let tables = self.meaning.tables();
        if tables
            .iter()
            .any(|(_, table)| domain::count(table, &book).is_none())
        {
            return None;
        }
        let rows = self.answer.tables.iter().flat_map(|table| &table.rows);
        let cells: Vec<&Cell> = rows.flat_map(|row| &row.cells).collect();
        let withheld = cells.iter().filter(|cell| ***cell == Cell::Suppressed);
        let withheld = withheld.count();
        let count = |cells: usize| u64::try_from(cells).unwrap_or(u64::MAX);
        Some(Cells {
            released: count(cells.len().saturating_sub(withheld)),
            withheld: count(withheld),
        })
    }
}
