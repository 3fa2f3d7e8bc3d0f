//! What waits is told again when something happened: a checker spoke, somebody was stopped, the
//! project ended, the question's time ran out. The whole story is told, from the question as it was
//! delivered, so that everything counts as it is now.

use std::collections::BTreeMap;

use quorate_governance::airlock::{Judgement, Review, judge};
use quorate_governance::artefact::Opened;
use quorate_identity::Signed;
use quorate_wire::{Payload, QuestionId, QuestionPayload};

use super::{Bench, Held};
use crate::approve;
use crate::govern::{GovernError, Standing, reviews_on};
use crate::node::Node;
use crate::policy::Project;
use crate::record::{self, RecordError, Recorded};
use crate::refusal::Refusal;
use crate::store::StoreError;
use crate::verify::{self, Asker};

/// What waits and has something new to it: a checker spoke since it was last looked at, its project,
/// people or time have ended, or it could leave and something held it up. Everything else costs a
/// look at files. The memory of what was seen is the caller's, empty at a start.
///
/// # Errors
/// If store or acts cannot be read.
pub(crate) fn due(node: &Node, seen: &mut Seen, now: i64) -> Result<Vec<Held>, DueError> {
    let held = node.with_store(|store| store.held())?;
    if held.is_empty() {
        return Ok(held);
    }
    let standing = Standing::read(node, now)?;
    let said = reviews_on(&node.shelf, &node.govern_folder(), None)?;
    let mut due = Vec::new();
    for one in held {
        let of_this: Vec<_> = said
            .iter()
            .filter(|review| review.content().question == one.question)
            .cloned()
            .collect();
        let spoke = seen.spoke.insert(one.question.clone(), of_this.len());
        let new = spoke.unwrap_or(0) != of_this.len();
        let project = stands(&one, &standing, now);
        let again = seen
            .tried
            .get(&one.question)
            .is_none_or(|at| now >= at + AGAIN);
        let ripe = match &project {
            None => true,
            Some(project) => again && decided(node, project, &one, &of_this, now),
        };
        if new || ripe && again {
            seen.tried.insert(one.question.clone(), now);
            due.push(one);
        }
    }
    Ok(due)
}

/// The project, if project, person and question stand at this moment.
fn stands(held: &Held, standing: &Standing<'_>, now: i64) -> Option<Project> {
    let signed = held.signed().ok()?;
    let question = QuestionPayload::decode(&signed.payload).ok()?;
    let key = signed.signatures.first()?.key_id.clone();
    let name = question.researcher;
    let asker = Asker::Researcher { name, key };
    let project = approve::stands(standing, &held.project, &asker).ok()?;
    (now <= question.expires).then_some(project)
}

/// Whether checkers have said all that is needed about what was last shown to them.
fn decided(node: &Node, project: &Project, held: &Held, said: &[Opened<Review>], now: i64) -> bool {
    let mode = project.release.max(held.mode);
    let bench = Bench::of(node, mode, project.everybody(), &held.question, now);
    let judgement = judge(&bench.waiting(&held.outcome), said);
    !matches!(judgement, Judgement::Waits(_))
}

/// How often what could leave, or has ended, is tried again when something held it up.
const AGAIN: i64 = 60;

/// What was seen of the airlock so far.
#[derive(Default)]
pub(crate) struct Seen {
    spoke: BTreeMap<String, usize>,
    tried: BTreeMap<String, i64>,
}

/// The airlock cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DueError {
    /// What waits.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was said.
    #[error(transparent)]
    Govern(#[from] GovernError),
}

/// The stored message of a question that has ended, which is then let go.
///
/// # Errors
/// If it cannot be read or recorded.
pub(crate) fn ended(node: &Node, held: &Held, now: i64) -> Result<Option<Signed>, RecordError> {
    let Ok(id) = QuestionId::parse(&held.question) else {
        return Ok(None);
    };
    let Some((_, message)) = node.answered(&id, now)? else {
        return Ok(None);
    };
    node.with_store(|store| store.let_go(&held.question))?;
    Ok(Some(message))
}

/// The question with its ledger entry, as it was recorded when it came, and why it cannot be
/// believed any more, if so. `None` while it is being answered.
///
/// # Errors
/// If the stored bytes are damaged.
pub(crate) fn again(
    node: &Node,
    held: &Held,
    now: i64,
) -> Result<Option<(Recorded, Option<Refusal>)>, StoreError> {
    let recalled = verify::recall(node, held.signed()?, (held.round, &held.peer), now);
    let Some((verified, wrong)) = recalled else {
        return Ok(None);
    };
    let recorded = record::reopened(verified, held.entry());
    Ok(Some((recorded, wrong.map(Refusal::from))))
}
