//! The story of an answer: verify, record, read, approve, plan, execute, disclose, decide, sign, close.
//! What output checkers must see first waits after the check; the story is told again when they spoke.
//! A question beyond the caps ends before anything runs; one that is stopped ends where it stands (`halt`).
//! The first question about a state of the data finds its core tables released (`core`).
//!
//! One line and one verb a step. Each step returns a type that only its own module can build and
//! that the next one demands, so that a step cannot be left out. No step logs; time is taken
//! around them. What a caller learns of a failure is a code from the public table.

use quorate_query::problem::Code;

use crate::airlock::{self, Held, Outcome, decide};
use crate::approve::approve;
use crate::caps;
use crate::core;
use crate::disclose::{Checked, disclose};
use crate::execute::execute;
use crate::halt::unless_stopped;
use crate::node::Node;
use crate::plan::plan;
use crate::read::read;
use crate::record::{self, RecordError, Recorded};
use crate::refusal::{Coded, Refusal};
use crate::sign::{self, sign};
use crate::times::StepTimes;
use crate::verify::{Heard, verify};

/// A question as the coordinator delivered it.
pub struct Delivery {
    /// The researcher's signed bytes.
    pub question: quorate_identity::Signed,
    /// 0 for a question of one round.
    pub round: u32,
    /// Digest of the certificate of whoever delivered it, for the ledger.
    pub peer: String,
}

/// What became of a delivery.
pub enum Reply {
    /// Send this answer or refusal; its `kind` says which.
    Say(quorate_identity::Signed),
    /// Say only that it waits for a person.
    Waits,
    /// Say nothing: the same question is being answered right now, its answer could not be recorded
    /// yet, or the delivery cannot even be read.
    Nothing,
}

/// Answers a delivery, or refuses it. `now` is unix seconds.
pub async fn answer(node: &Node, delivery: Delivery, now: i64) -> Reply {
    let mut steps = StepTimes::start(&node.stopwatch);
    let verified = match steps.lap("verify", verify(node, &delivery, now)) {
        Ok(Heard::New(verified)) => *verified,
        Ok(Heard::Again(message)) => return Reply::Say(message),
        Ok(Heard::Running) => return Reply::Nothing,
        Ok(Heard::Waits) => return Reply::Waits,
        Err(error) => return turn_away(node, &delivery, error.code()),
    };
    let recorded = match steps.lap("record", record::open(node, verified, now)) {
        Ok(recorded) => recorded,
        Err(error) => {
            node.note_fault("", now, &error.to_string());
            return turn_away(node, &delivery, Code("E901"));
        }
    };
    said(
        node,
        tell_and_record(node, &recorded, &mut steps, now).await,
        now,
    )
}

/// Tells the story again of a question that waits in the airlock, because something happened to it.
pub(crate) async fn resume(node: &Node, held: &Held, now: i64) -> Reply {
    // A crash may have come between the answer and the note that it waits no more.
    match airlock::ended(node, held, now) {
        Ok(Some(message)) => return Reply::Say(message),
        Ok(None) => {}
        Err(error) => return said(node, Err(error), now),
    }
    let mut steps = StepTimes::start(&node.stopwatch);
    let (recorded, wrong) = match airlock::again(node, held, now) {
        Ok(Some(found)) => found,
        Ok(None) => return Reply::Nothing,
        Err(error) => return said(node, Err(error.into()), now),
    };
    let told = match wrong {
        None => tell_and_record(node, &recorded, &mut steps, now).await,
        Some(refusal) => record_refusal(node, &recorded, refusal, &mut steps, now),
    };
    said(node, told, now)
}

fn said(node: &Node, told: Result<Reply, RecordError>, now: i64) -> Reply {
    // From here on nothing unrecorded is said: the next delivery finds what was recorded.
    told.unwrap_or_else(|error| {
        node.note_fault("", now, &error.to_string());
        Reply::Nothing
    })
}

async fn tell_and_record(
    node: &Node,
    recorded: &Recorded,
    steps: &mut StepTimes,
    now: i64,
) -> Result<Reply, RecordError> {
    let told = tell(node, recorded, steps, now).await;
    let later = now.saturating_add(steps.seconds());
    let told = told.and_then(|checked| Ok(decide(node, recorded, checked, later)?));
    let told = match steps.lap("decide", told) {
        Ok(Outcome::Waits) => return Ok(Reply::Waits),
        Ok(Outcome::Leaves(decided)) => Ok(*decided),
        Err(refusal) => return record_refusal(node, recorded, refusal, steps, now),
    };
    let signed = steps.lap("sign", sign(node, recorded, told, steps.micros(), later))?;
    close(node, recorded, signed, steps, now)
}

/// Signs and closes a refusal, unless the question waits and the fault may pass: then it goes on
/// waiting.
fn record_refusal(
    node: &Node,
    recorded: &Recorded,
    refusal: Refusal,
    steps: &mut StepTimes,
    now: i64,
) -> Result<Reply, RecordError> {
    note(node, recorded, &refusal, now);
    let id = &recorded.verified().asked().id;
    if refusal.may_pass() && node.waiting(id)?.is_some() {
        return Ok(Reply::Waits);
    }
    let signed = steps.lap(
        "sign",
        sign(node, recorded, Err(refusal), steps.micros(), now),
    )?;
    close(node, recorded, signed, steps, now)
}

fn close(
    node: &Node,
    recorded: &Recorded,
    signed: sign::Signed,
    steps: &mut StepTimes,
    now: i64,
) -> Result<Reply, RecordError> {
    let message = steps.lap("close", record::close(node, recorded, signed, now))?;
    node.note_times(&recorded.verified().asked().id, steps);
    Ok(Reply::Say(message))
}

/// The middle of the story, the same for a delivered question and for a trial.
pub(crate) async fn tell<'a>(
    node: &Node,
    recorded: &'a Recorded,
    steps: &mut StepTimes,
    now: i64,
) -> Result<Checked<'a>, Refusal> {
    let question = steps.lap("read", read(node, recorded))?;
    let approved = steps.lap("approve", approve(node, question, now))?;
    let (asked, later) = (
        recorded.verified().asked(),
        now.saturating_add(steps.seconds()),
    );
    let planning = unless_stopped(node, asked, later, plan(node, approved));
    let planned = steps.lap("plan", planning.await)?;
    steps.lap("caps", caps::within(node, &planned, now).await)?;
    steps.lap("core", core::before(node, &planned, now).await)?;
    let later = now.saturating_add(steps.seconds());
    let running = unless_stopped(node, asked, later, execute(node, planned));
    let raw = steps.lap("execute", running.await)?;
    Ok(steps.lap("disclose", disclose(node, raw, now).await)?)
}

/// Refuses without a record: what is not believed is counted, not recorded one by one.
fn turn_away(node: &Node, delivery: &Delivery, code: Code) -> Reply {
    node.count_turned_away();
    sign::turn_away(node, delivery, code).map_or(Reply::Nothing, Reply::Say)
}

/// Keeps the reason where only the custodian looks. What is wrong with a text or its sender is
/// kept nowhere: it could quote the text.
fn note(node: &Node, recorded: &Recorded, refusal: &Refusal, now: i64) {
    if let (true, Some(entry)) = (refusal.concerns_custodian(), recorded.entry()) {
        let detail = format!("{}: {}", refusal.code(), refusal.detail());
        node.note_fault(&sign::ticket(node, &entry), now, &detail);
    }
}

#[cfg(test)]
mod asked;
#[cfg(test)]
mod canary;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod governed;
#[cfg(test)]
mod heart;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod perturbed;
#[cfg(test)]
mod several;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod waits;
