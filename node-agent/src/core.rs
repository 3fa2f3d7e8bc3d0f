//! Core tables: what every state of the data begins with.
//!
//! The codebook lists a few plain tables: the total, by sex, by age band. Before anybody asks
//! anything about a state of the data, the node releases them to its history, so that nobody's
//! first question can stand in their way. They go the way of every question, except that nobody is
//! sent anything; cells that do not pass the rules are withheld like any other. Once for each state
//! of the data and its protection.

use quorate_query::codebook::Codebook;
use quorate_wire::QuestionId;

use crate::approve::approve;
use crate::disclose::{Checked, disclose, protection, words};
use crate::execute::execute;
use crate::halt::unless_stopped;
use crate::node::Node;
use crate::plan::{Planned, plan};
use crate::read::read;
use crate::record::{self, Recorded};
use crate::refusal::Refusal;
use crate::releases::{CoreDone, Record};
use crate::sign;
use crate::store::StoreError;
use crate::times::StepTimes;
use crate::verify::{self, Asked};

/// Releases the core tables of a question's codebook, unless that has happened.
///
/// # Errors
/// If they cannot be recorded, or the question that wanted them was stopped meanwhile. A core table
/// that runs into a fault or was stopped is tried again later.
pub(crate) async fn before(node: &Node, planned: &Planned<'_>, now: i64) -> Result<(), Refusal> {
    let question = planned.approved().question();
    begin(
        node,
        question.asked(),
        question.codebook(),
        planned.epoch(),
        now,
    )
    .await
}

async fn begin(
    node: &Node,
    wanted_by: &Asked,
    codebook: &Codebook,
    epoch: &str,
    now: i64,
) -> Result<(), Refusal> {
    if node.policy.population.synthetic || missing(node, codebook, epoch).await.is_empty() {
        return Ok(());
    }
    let turn = async { Ok::<_, Refusal>(node.opening_epoch.lock().await) };
    let _one_at_a_time = unless_stopped(node, wanted_by, now, turn).await?;
    for statement in missing(node, codebook, epoch).await {
        let verified = verify::core(node, id(codebook, epoch, statement), codebook, statement);
        let recorded = match node.is_durable() {
            true => record::open(node, verified, now)?,
            false => record::rehearse(verified),
        };
        let mut steps = StepTimes::start(&node.stopwatch);
        let told = release(node, wanted_by, &recorded, &mut steps, now).await;
        let stopped = match &told {
            Err(refusal) if refusal.code().0.starts_with('G') => {
                Some(Refusal::new(refusal.code(), refusal.detail()))
            }
            _ => None,
        };
        if let (Err(refusal), None) = (&told, &stopped) {
            let why = format!("{}: {}", refusal.code(), refusal.detail());
            node.note_fault("core", now, &why);
            // A table that is not held here never will be of this state; a fault may pass.
            if !refusal.code().0.starts_with(['E', 'L']) {
                skip(node, done(node, codebook, epoch, statement)).await?;
            }
        }
        if let Some(close) = sign::unsent(node, &recorded, told, steps.micros()) {
            record::close_unsent(node, close, now)?;
        }
        if let Some(refusal) = stopped {
            return Err(refusal);
        }
    }
    Ok(())
}

/// The statements that have not been released, by number.
async fn missing(node: &Node, codebook: &Codebook, epoch: &str) -> Vec<u32> {
    let past = node.past.lock().await;
    let all = 0..u32::try_from(codebook.core.len()).unwrap_or(0);
    let is_done = |statement: &u32| past.core_done(&done(node, codebook, epoch, *statement));
    all.filter(|statement| !is_done(statement)).collect()
}

fn done(node: &Node, codebook: &Codebook, epoch: &str, statement: u32) -> CoreDone {
    let params = node.policy.release_for(codebook);
    CoreDone {
        epoch: epoch.to_owned(),
        protection: words(protection(node, &params).mode, &params),
        codebook: codebook.digest.clone(),
        statement,
    }
}

/// Notes that there is nothing to release of a statement.
async fn skip(node: &Node, done: CoreDone) -> Result<(), StoreError> {
    let record = Record::Core(done);
    let mut past = node.past.lock().await;
    if node.is_durable() {
        let population = &node.policy.population.name;
        node.with_store(|store| store.reserve(population, std::slice::from_ref(&record)))?;
    }
    past.take(record);
    Ok(())
}

/// The way of every question, but for the core tables before it.
async fn release<'a>(
    node: &Node,
    wanted_by: &Asked,
    recorded: &'a Recorded,
    steps: &mut StepTimes,
    now: i64,
) -> Result<Checked<'a>, Refusal> {
    let question = steps.lap("read", read(node, recorded))?;
    let approved = steps.lap("approve", approve(node, question, now))?;
    let planning = unless_stopped(node, wanted_by, now, plan(node, approved));
    let planned = steps.lap("plan", planning.await)?;
    let running = unless_stopped(node, wanted_by, now, execute(node, planned));
    let raw = steps.lap("execute", running.await)?;
    Ok(steps.lap("disclose", disclose(node, raw, now).await)?)
}

/// An id of its own for the ledger: always the same for the same table of the same state.
fn id(codebook: &Codebook, epoch: &str, statement: u32) -> QuestionId {
    let text = format!("core table {statement}\n{}\n{epoch}", codebook.digest);
    let digest = quorate_identity::sha256(text.as_bytes());
    let mut random = [0; 10];
    random
        .iter_mut()
        .zip(digest)
        .for_each(|(to, from)| *to = from);
    QuestionId::new(0, &random)
}
