//! Believing a result: nothing that a coordinator says is shown before this story was read to the end.
//!
//! opened as the coordinator's → the question is mine, unaltered → read again against its codebook
//! → every node accounted for → each node's own words, by its own key → each receipt leads to the
//! ledger that its node signed → the same verdict → recombined, the same table → where an analysis was asked for, its statistics, computed here
//!
//! A coordinator can delay a question, lose it, or call a node absent. It cannot alter a question,
//! an answer or a total, swap two answers, or pass off an answer to another question, without this
//! file refusing the result and naming what is wrong.
//!
//! What it must not know: networks and files. Roster and codebook come in verified.

mod error;
mod moment;
mod receipt;

use std::collections::{BTreeMap, BTreeSet};

use quorate_evidence::receipt::Checked;
use quorate_identity::{Roster, Signed, digest_text};
use quorate_query::analyses::{Analysis, Report};
use quorate_query::answer::{NodeTable, Protection};
use quorate_query::canonical;
use quorate_query::codebook::Codebook;
use quorate_query::combine::{CombinedTables, ReleasedTables, SiteTables, combine_tables};
use quorate_query::question::Question;
use quorate_wire::{
    AnswerPayload, NodeOutcome, NodeStatus, Opened, QuestionPayload, QuestionStatus,
    RefusalPayload, ResultPayload, open_member,
};

pub use error::VerifyError;

/// What a result must fit: the roster, the codebooks, and what was asked if this machine asked it.
#[derive(Clone, Copy, Debug)]
pub struct Standard<'a> {
    /// Verified from the pinned founders.
    pub roster: &'a Roster,
    /// Those at hand, by their own digests.
    pub codebooks: &'a [Codebook],
    /// The question as it was signed here, and the nodes it was said to go to.
    pub asked: Option<(&'a Signed, &'a [String])>,
}

/// What a node said, believed.
#[derive(Clone, Debug)]
pub enum Words {
    /// It answered.
    Answer(Opened<AnswerPayload>),
    /// It refused.
    Refusal(Opened<RefusalPayload>),
    /// It said nothing in time.
    Silence,
}

/// A result that was verified from the founders' keys to the last cell. Only this module makes one:
///
/// ```compile_fail
/// fn forge(status: quorate_wire::QuestionStatus) -> quorate_sdk::verify::VerifiedResult {
///     quorate_sdk::verify::VerifiedResult { status }
/// }
/// ```
///
/// ```
/// use quorate_sdk::verify::{Standard, VerifiedResult, VerifyError, verify};
/// fn believe(signed: &quorate_identity::Signed, standard: Standard<'_>) -> Result<VerifiedResult, VerifyError> {
///     verify(signed, standard)
/// }
/// ```
#[derive(Clone, Debug)]
pub struct VerifiedResult {
    result: Opened<ResultPayload>,
    question: Opened<QuestionPayload>,
    meaning: Question,
    codebook: Codebook,
    words: BTreeMap<String, Words>,
    receipts: BTreeMap<String, Checked>,
    combined: Option<CombinedTables>,
    report: Option<Report>,
    roster: Vec<Signed>,
}

/// The story.
///
/// # Errors
/// At the first thing that is not as it should be.
pub fn verify(signed: &Signed, standard: Standard<'_>) -> Result<VerifiedResult, VerifyError> {
    let result = opened_as_the_coordinators(signed, standard.roster)?;
    let question = the_question_unaltered(&result, &standard)?;
    let codebook = its_codebook(&question, standard.codebooks)?;
    let meaning = read_again(&question, codebook)?;
    every_node_accounted_for(&result, &question, &standard)?;
    let words = each_nodes_own_words(&result, &question, standard.roster)?;
    let receipts = receipt::each_leads_to_its_ledger(&words, &question, &meaning, codebook)?;
    moment::not_dated_back(&result, &question, &receipts)?;
    the_same_verdict(&result, &question, codebook, &words)?;
    let combined = the_same_table(&result, &meaning, codebook, &words)?;
    let report = its_analysis(&result, &question, &meaning, codebook, &words)?;
    Ok(VerifiedResult {
        meaning,
        codebook: codebook.clone(),
        words,
        receipts,
        combined,
        report,
        roster: standard.roster.log().to_vec(),
        result,
        question,
    })
}

fn opened_as_the_coordinators(
    signed: &Signed,
    roster: &Roster,
) -> Result<Opened<ResultPayload>, VerifyError> {
    // Standing is judged at the time the result was finished, so that it can be read later; a
    // revoked key never counts.
    let claimed = finished(signed);
    open_member(signed, roster, claimed).map_err(VerifyError::Coordinator)
}

fn finished(signed: &Signed) -> i64 {
    use quorate_wire::Payload;
    ResultPayload::decode(&signed.payload).map_or(i64::MAX, |result| result.finished)
}

fn the_question_unaltered(
    result: &Opened<ResultPayload>,
    standard: &Standard<'_>,
) -> Result<Opened<QuestionPayload>, VerifyError> {
    let carried = result.payload();
    if standard
        .asked
        .is_some_and(|(asked, _)| *asked != carried.question)
    {
        return Err(VerifyError::OtherQuestion);
    }
    let question: Opened<QuestionPayload> =
        open_member(&carried.question, standard.roster, carried.finished)
            .map_err(VerifyError::Researcher)?;
    if question.payload().question_id != carried.question_id {
        return Err(VerifyError::OtherQuestion);
    }
    if let Some(demand) = question.payload().must_understand.first() {
        return Err(VerifyError::MustUnderstand(demand.clone()));
    }
    Ok(question)
}

fn its_codebook<'a>(
    question: &Opened<QuestionPayload>,
    codebooks: &'a [Codebook],
) -> Result<&'a Codebook, VerifyError> {
    let wanted = &question.payload().codebook;
    let found = codebooks.iter().find(|codebook| codebook.digest == *wanted);
    found.ok_or_else(|| VerifyError::NoCodebook(wanted.clone()))
}

fn read_again(
    question: &Opened<QuestionPayload>,
    codebook: &Codebook,
) -> Result<Question, VerifyError> {
    let asked = question.payload();
    let meaning = asked
        .request
        .read(&asked.params, codebook)
        .map_err(VerifyError::Unreadable)?;
    let same =
        asked.canonical_version == canonical::VERSION && asked.canonical_digest == meaning.digest();
    if same {
        Ok(meaning)
    } else {
        Err(VerifyError::OtherMeaning)
    }
}

fn every_node_accounted_for(
    result: &Opened<ResultPayload>,
    question: &Opened<QuestionPayload>,
    standard: &Standard<'_>,
) -> Result<(), VerifyError> {
    let told: BTreeSet<&str> = result
        .payload()
        .nodes
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    let sent = standard.asked.map_or(&[][..], |(_, nodes)| nodes);
    let named = question.payload().nodes.iter().chain(sent);
    if let Some(missing) = named.into_iter().find(|node| !told.contains(node.as_str())) {
        return Err(VerifyError::Dropped(missing.clone()));
    }
    if let Some(extra) = told
        .into_iter()
        .find(|node| !question.payload().names(node))
    {
        return Err(VerifyError::NotAsked(extra.to_owned()));
    }
    Ok(())
}

fn each_nodes_own_words(
    result: &Opened<ResultPayload>,
    question: &Opened<QuestionPayload>,
    roster: &Roster,
) -> Result<BTreeMap<String, Words>, VerifyError> {
    let mut words = BTreeMap::new();
    // A result that failed may be too large to carry what the nodes said.
    let failed = result.payload().status == QuestionStatus::Failed;
    for node in &result.payload().nodes {
        let said = match (node.status, &node.signed) {
            (NodeStatus::Answered, Some(signed)) => {
                Words::Answer(own_answer(node, signed, result, question, roster)?)
            }
            (NodeStatus::Refused, Some(signed)) => {
                Words::Refusal(own_refusal(node, signed, result, question, roster)?)
            }
            (NodeStatus::Late | NodeStatus::Absent | NodeStatus::Waiting, None) => Words::Silence,
            (NodeStatus::Answered | NodeStatus::Refused, None) if failed => Words::Silence,
            (status, _) => {
                return Err(VerifyError::Words {
                    node: node.name.clone(),
                    status,
                });
            }
        };
        if words.insert(node.name.clone(), said).is_some() {
            return Err(VerifyError::Words {
                node: node.name.clone(),
                status: node.status,
            });
        }
    }
    Ok(words)
}

fn own_answer(
    node: &NodeOutcome,
    signed: &Signed,
    result: &Opened<ResultPayload>,
    question: &Opened<QuestionPayload>,
    roster: &Roster,
) -> Result<Opened<AnswerPayload>, VerifyError> {
    let answer: Opened<AnswerPayload> = spoken(node, signed, result, roster)?;
    let said = answer.payload();
    let place = Place {
        node: &said.node,
        id: said.question_id.to_string(),
        question: said.question_digest,
        round: said.round,
        codebook: &said.codebook,
        roster: &said.roster_head,
    };
    belongs_here(node, &place, question, roster)?;
    Ok(answer)
}

fn own_refusal(
    node: &NodeOutcome,
    signed: &Signed,
    result: &Opened<ResultPayload>,
    question: &Opened<QuestionPayload>,
    roster: &Roster,
) -> Result<Opened<RefusalPayload>, VerifyError> {
    let refusal: Opened<RefusalPayload> = spoken(node, signed, result, roster)?;
    let said = refusal.payload();
    let place = Place {
        node: &said.node,
        id: said.question_id.to_string(),
        question: said.question_digest,
        round: said.round,
        codebook: &said.codebook,
        roster: &said.roster_head,
    };
    belongs_here(node, &place, question, roster)?;
    if node.code.as_deref() != Some(said.code.as_str()) {
        return Err(VerifyError::Words {
            node: node.name.clone(),
            status: node.status,
        });
    }
    Ok(refusal)
}

fn spoken<P: quorate_wire::Spoken>(
    node: &NodeOutcome,
    signed: &Signed,
    result: &Opened<ResultPayload>,
    roster: &Roster,
) -> Result<Opened<P>, VerifyError> {
    open_member(signed, roster, result.payload().finished).map_err(|source| VerifyError::Node {
        node: node.name.clone(),
        source,
    })
}

/// Where a node's words say they belong.
struct Place<'a> {
    node: &'a str,
    id: String,
    question: [u8; 32],
    round: u32,
    codebook: &'a str,
    roster: &'a str,
}

fn belongs_here(
    node: &NodeOutcome,
    place: &Place<'_>,
    question: &Opened<QuestionPayload>,
    roster: &Roster,
) -> Result<(), VerifyError> {
    let asked = question.payload();
    let wrong = if place.node != node.name {
        "node"
    } else if place.question != question.digest() || place.id != asked.question_id.to_string() {
        "question"
    } else if place.codebook != asked.codebook {
        "codebook"
    } else if place.round != 0 {
        "round"
    } else if roster.seq_of(place.roster).is_none() {
        "roster than ours"
    } else {
        return Ok(());
    };
    Err(VerifyError::Elsewhere {
        node: node.name.clone(),
        what: wrong,
    })
}

/// The coordinator's verdict must follow from what the nodes said.
fn the_same_verdict(
    result: &Opened<ResultPayload>,
    question: &Opened<QuestionPayload>,
    codebook: &Codebook,
    words: &BTreeMap<String, Words>,
) -> Result<(), VerifyError> {
    let told = result.payload();
    let answered = words
        .values()
        .filter(|words| answer_of(words).is_some())
        .count();
    let refused = words
        .values()
        .all(|words| matches!(words, Words::Refusal(_)));
    let quorum = question
        .payload()
        .min_nodes
        .max(codebook.release.min_nodes)
        .max(1);
    let enough = u32::try_from(answered).is_ok_and(|answered| answered >= quorum);
    let follows = match told.status {
        QuestionStatus::Answered => enough,
        QuestionStatus::Refused => refused,
        QuestionStatus::TooFewNodes => !enough && !refused,
        // Whatever the nodes said, there is no table to believe.
        QuestionStatus::Failed | QuestionStatus::Cancelled => true,
        QuestionStatus::Running | QuestionStatus::Waiting => false,
    };
    let has_table = told.status == QuestionStatus::Answered;
    if follows && told.combined.is_empty() != has_table {
        Ok(())
    } else {
        Err(VerifyError::Verdict(told.status))
    }
}

/// The tables are made again from the nodes' own cells and must be the coordinator's to the byte.
fn the_same_table(
    result: &Opened<ResultPayload>,
    meaning: &Question,
    codebook: &Codebook,
    words: &BTreeMap<String, Words>,
) -> Result<Option<CombinedTables>, VerifyError> {
    if result.payload().status != QuestionStatus::Answered {
        return Ok(None);
    }
    let combined = combine_tables(meaning, codebook, &sites(words))?;
    if combined.to_bytes() == result.payload().combined {
        Ok(Some(combined))
    } else {
        Err(VerifyError::OtherTable)
    }
}

/// Nobody else's statistics are taken: they are made of the nodes' own cells.
fn its_analysis(
    result: &Opened<ResultPayload>,
    question: &Opened<QuestionPayload>,
    meaning: &Question,
    codebook: &Codebook,
    words: &BTreeMap<String, Words>,
) -> Result<Option<Report>, VerifyError> {
    let request = &question.payload().request;
    if request.analysis().is_none() || result.payload().status != QuestionStatus::Answered {
        return Ok(None);
    }
    let book = request
        .book(meaning, codebook)
        .map_err(VerifyError::Unreadable)?;
    let released = ReleasedTables::new(meaning, &book, &sites(words))?;
    let report = request.finish(&released).transpose();
    report.map_err(VerifyError::Unreadable)
}

fn sites(words: &BTreeMap<String, Words>) -> Vec<SiteTables<'_>> {
    let all = words.iter();
    all.map(|(node, words)| SiteTables {
        node,
        tables: answer_of(words),
    })
    .collect()
}

fn answer_of(words: &Words) -> Option<(&[NodeTable], Protection)> {
    match words {
        Words::Answer(answer) => Some((&answer.payload().tables, answer.payload().protection)),
        Words::Refusal(_) | Words::Silence => None,
    }
}

impl VerifiedResult {
    /// How the question ended.
    #[must_use]
    pub fn status(&self) -> QuestionStatus {
        self.result.payload().status
    }

    /// The tables, if there are any.
    #[must_use]
    pub fn combined(&self) -> Option<&CombinedTables> {
        self.combined.as_ref()
    }

    /// The analysis that was asked for, if any, with its statistics if it was answered.
    #[must_use]
    pub fn analysis(&self) -> Option<(&Analysis, Option<&Report>)> {
        let asked = self.question.payload().request.analysis()?;
        Some((asked, self.report.as_ref()))
    }

    /// The question as it was signed.
    #[must_use]
    pub fn question(&self) -> &Opened<QuestionPayload> {
        &self.question
    }

    /// What the question means.
    #[must_use]
    pub fn meaning(&self) -> &Question {
        &self.meaning
    }

    /// The codebook it was read against.
    #[must_use]
    pub fn codebook(&self) -> &Codebook {
        &self.codebook
    }

    /// The result as the coordinator signed it.
    #[must_use]
    pub fn result(&self) -> &Opened<ResultPayload> {
        &self.result
    }

    /// What each node said, by name.
    #[must_use]
    pub fn words(&self) -> &BTreeMap<String, Words> {
        &self.words
    }

    /// What each node's ledger says of its decision, by node; nodes before receipts send none.
    #[must_use]
    pub fn receipts(&self) -> &BTreeMap<String, Checked> {
        &self.receipts
    }

    /// The roster log it was verified against.
    #[must_use]
    pub fn roster(&self) -> &[Signed] {
        &self.roster
    }

    /// The question hash, `sha256:...`.
    #[must_use]
    pub fn hash(&self) -> String {
        digest_text(&self.meaning.digest())
    }

    /// The table as an Arrow record batch with its provenance.
    ///
    /// # Errors
    /// As [`crate::render::arrow::batch`].
    pub fn to_batch(
        &self,
    ) -> Result<::arrow::array::RecordBatch, crate::render::arrow::ArrowFailure> {
        crate::render::arrow::batch(&crate::report::document(self, false))
    }
}

/// The codebook that a result's question names, unverified: only to have it at hand.
#[must_use]
pub fn codebook_of(signed: &Signed) -> Option<String> {
    use quorate_wire::Payload;
    let result = ResultPayload::decode(&signed.payload).ok()?;
    let question = QuestionPayload::decode(&result.question.payload).ok()?;
    Some(question.codebook)
}
