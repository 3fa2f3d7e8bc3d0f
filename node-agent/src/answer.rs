//! The story of an answer: verify, record, read, approve, plan, execute, disclose, sign, close.
//! A question beyond the caps ends before anything runs.
//! The first question about a state of the data finds its core tables released (`core`).
//!
//! One line and one verb a step. Each step returns a type that only its own module can build and
//! that the next one demands, so that a step cannot be left out. No step logs; time is taken
//! around them. What a caller learns of a failure is a code from the public table.

use quorate_query::problem::Code;

use crate::approve::approve;
use crate::caps;
use crate::core;
use crate::disclose::{Released, disclose};
use crate::execute::execute;
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
        Err(error) => return turn_away(node, &delivery, error.code()),
    };
    let recorded = match steps.lap("record", record::open(node, verified, now)) {
        Ok(recorded) => recorded,
        Err(error) => {
            node.note_fault("", now, &error.to_string());
            return turn_away(node, &delivery, Code("E901"));
        }
    };
    match tell_and_record(node, &recorded, &mut steps, now).await {
        Ok(message) => Reply::Say(message),
        // From here on nothing unrecorded is said: the next delivery finds what was recorded.
        Err(error) => {
            node.note_fault("", now, &error.to_string());
            Reply::Nothing
        }
    }
}

async fn tell_and_record(
    node: &Node,
    recorded: &Recorded,
    steps: &mut StepTimes,
    now: i64,
) -> Result<quorate_identity::Signed, RecordError> {
    let told = tell(node, recorded, steps, now).await;
    let told = told.inspect_err(|refusal| note(node, recorded, refusal, now));
    let signed = steps.lap("sign", sign(node, recorded, told, steps.micros(), now))?;
    let message = steps.lap("close", record::close(node, recorded, signed, now))?;
    node.note_times(&recorded.verified().asked().id, steps);
    Ok(message)
}

/// The middle of the story, the same for a delivered question and for a trial.
pub(crate) async fn tell<'a>(
    node: &Node,
    recorded: &'a Recorded,
    steps: &mut StepTimes,
    now: i64,
) -> Result<Released<'a>, Refusal> {
    let question = steps.lap("read", read(node, recorded))?;
    let approved = steps.lap("approve", approve(node, question, now))?;
    let planned = steps.lap("plan", plan(node, approved).await)?;
    steps.lap("caps", caps::within(node, &planned, now).await)?;
    steps.lap("core", core::before(node, &planned, now).await)?;
    let raw = steps.lap("execute", execute(node, planned).await)?;
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
mod heart;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod perturbed;
#[cfg(test)]
mod several;
#[cfg(test)]
mod tests;
