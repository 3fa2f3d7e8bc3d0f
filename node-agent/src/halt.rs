//! What runs stops when its person, its project or the node is stopped, its project ends, or the
//! custodian pauses the node: the work is dropped, the engine's task with it, and nothing is
//! released. An answer that was decided before and has not been sent stays here until it may go.
//!
//! It must not know what the work is, or what an answer says.

use std::future::Future;
use std::time::Duration;

use quorate_identity::envelope::kind;
use quorate_identity::{Role, Signed};
use quorate_wire::{AnswerPayload, Payload};

use crate::approve::{self, ApproveError};
use crate::govern::Standing;
use crate::ledger::{Event, LedgerError, Noted};
use crate::node::Node;
use crate::refusal::Refusal;
use crate::verify::{Asked, Asker};

/// How often the acts are looked at while something runs.
const LOOK: Duration = Duration::from_millis(250);

/// Does a step of a researcher's question, unless the question is stopped first; the step is then
/// dropped where it stands. `now` is the moment at which the step begins.
///
/// # Errors
/// Why the step failed, or why the question was stopped.
pub(crate) async fn unless_stopped<T, E: Into<Refusal>>(
    node: &Node,
    asked: &Asked,
    now: i64,
    step: impl Future<Output = Result<T, E>>,
) -> Result<T, Refusal> {
    let (Some(project), Asker::Researcher { .. }) = (&asked.project, &asked.asker) else {
        return step.await.map_err(Into::into);
    };
    tokio::select! {
        biased;
        done = step => done.map_err(Into::into),
        why = stopped(node, project, &asked.asker, now) => Err(why.into()),
    }
}

/// Waits until the question may not go on, and says why.
async fn stopped(node: &Node, project: &str, asker: &Asker, now: i64) -> ApproveError {
    let start = (node.stopwatch)();
    loop {
        tokio::time::sleep(LOOK).await;
        let passed = (node.stopwatch)().saturating_sub(start).as_secs();
        let later = now.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX));
        if let Err(why) = goes_on(node, project, asker, later) {
            return why;
        }
    }
}

fn goes_on(node: &Node, project: &str, asker: &Asker, now: i64) -> Result<(), ApproveError> {
    if node.paused() {
        return Err(ApproveError::Paused);
    }
    let standing = Standing::read(node, now)?;
    approve::stands(&standing, project, asker).map(drop)
}

/// Whether a signed message must not be sent now: an answer to somebody, or of a project, that was
/// stopped since it was decided. Refusals always go. While the acts cannot be read no answer goes.
pub(crate) fn holds_back(node: &Node, signed: &Signed, now: i64) -> bool {
    if signed.kind != kind::ANSWER {
        return false;
    }
    let Ok(standing) = Standing::read(node, now) else {
        return true;
    };
    let statement = AnswerPayload::decode(&signed.payload)
        .ok()
        .and_then(|answer| answer.receipt?.check().ok())
        .map(|checked| checked.statement)
        .unwrap_or_default();
    let roster = node.roster();
    let asker = roster.member(Role::Researcher, &statement.researcher, now);
    let key = asker.ok().map(|member| &member.key);
    standing.stopped(&statement.project, key).is_some()
}

/// Tells the ledger that an answer was decided and is not sent, because somebody stopped it.
///
/// # Errors
/// If the ledger cannot be written.
pub(crate) fn note_held_back(node: &Node, question: String, now: i64) -> Result<(), LedgerError> {
    let noted = Noted {
        what: "answer_held_back".to_owned(),
        concerns: question,
        ..Noted::default()
    };
    node.with_ledger(|ledger| ledger.append(Event::Noted(Box::new(noted)), &node.key, now))?;
    Ok(())
}

#[cfg(test)]
mod tests;
