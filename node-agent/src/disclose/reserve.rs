//! What a decision leaves behind: durable first, then in memory, and nothing at all of a trial.

use quorate_disclosure::Outcome;
use quorate_disclosure::history::State;
use quorate_disclosure::history::caps::Asked;
use quorate_query::answer::{Mode, Protection};
use quorate_query::release::ReleaseParams;

use super::{DiscloseError, protection};
use crate::caps;
use crate::execute::Parts;
use crate::node::Node;
use crate::past::Past;
use crate::record::occasion;
use crate::releases::{CoreDone, Protected, Reason, Record, Told};
use crate::store::StoreError;

/// How much was kept.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) fresh: u64,
    pub(super) given_up: u64,
    pub(super) repeated: u64,
    pub(super) records: u64,
}

/// Holds a state of the data to the protection under which its first cell left.
pub(super) fn one_protection(
    node: &Node,
    past: &mut Past,
    parts: &Parts<'_>,
    protection: Protection,
    now: i64,
) -> Result<(), DiscloseError> {
    let words = words(protection.mode, &parts.params);
    match past.protection(&parts.epoch) {
        Some(first) if first == words => Ok(()),
        Some(first) => Err(DiscloseError::Protection {
            first: first.to_owned(),
            now: words,
        }),
        None => {
            let seen = Protected {
                epoch: parts.epoch.clone(),
                protection: words,
                time: now,
            };
            commit(node, past, parts, vec![Record::Protected(seen)])?;
            Ok(())
        }
    }
}

/// Everything that decides what passes and how it is shown, in words: one change is another
/// protection, because a choice of thresholds would show what lies between them.
pub(crate) fn words(mode: Mode, params: &ReleaseParams) -> String {
    let ReleaseParams {
        k,
        round_base,
        p_pct,
        nk: (n, share),
        dof,
        ..
    } = params;
    let shown = match mode {
        Mode::None => return "none".to_owned(),
        Mode::Round => "round".to_owned(),
        Mode::CellKey { bound } => format!("cell_key bound={bound}"),
    };
    format!("{shown} k={k} base={round_base} p={p_pct} nk={n},{share} dof={dof}")
}

/// Makes the cells that leave, and those given up, durable; then takes them into memory.
pub(super) fn keep(
    node: &Node,
    past: &mut Past,
    parts: &Parts<'_>,
    outcomes: &[Outcome],
    now: i64,
) -> Result<Kept, StoreError> {
    let asked = parts.approved.question().asked();
    let occasion = occasion(node, asked, now);
    let release = |entry: &_| Record::Release(Box::new((Clone::clone(entry), occasion.clone())));
    let entries = || outcomes.iter().flat_map(|outcome| &outcome.fresh);
    let mut records: Vec<Record> = entries().map(release).collect();
    let states = |wanted: fn(&State) -> bool| {
        let states = entries().map(|entry| &entry.state);
        count(states.filter(|state| wanted(state)).count())
    };
    let repeated = outcomes.iter().map(|outcome| outcome.repeated).sum();
    let findings = outcomes.iter().flat_map(|outcome| &outcome.findings);
    let given_up = states(|state| matches!(state, State::Sacrificed));
    let fresh = states(|state| matches!(state, State::Released(_) | State::Near(_)));
    if entries().next().is_some() {
        let columns = parts.approved.question().typed().derived.iter();
        let new = columns.filter(|(name, _)| !past.derived().contains_key(*name));
        records.extend(new.map(|(name, how)| Record::Derived(name.clone(), how.clone())));
    }
    records.push(Record::Told(Box::new(Told {
        occasion,
        epoch: parts.epoch.clone(),
        asked: parts.approved.question().typed().canonical_text(),
        fresh: u32::try_from(fresh).unwrap_or(u32::MAX),
        repeated: u32::try_from(repeated).unwrap_or(u32::MAX),
        reasons: findings.map(Reason::of).collect(),
    })));
    let asking = caps::asked(node, &parts.approved, &parts.epoch, now);
    records.extend(asking.map(|asked| {
        let tables = outcomes.iter().map(|outcome| &outcome.table);
        let shown = caps::listed(&parts.approved, tables);
        Record::Asked(Asked {
            cells: asked.cells.max(shown),
            ..asked
        })
    }));
    records.extend(asked.core().map(|statement| {
        Record::Core(CoreDone {
            epoch: parts.epoch.clone(),
            protection: words(protection(node, &parts.params).mode, &parts.params),
            codebook: asked.codebook.clone(),
            statement,
        })
    }));
    let records = commit(node, past, parts, records)?;
    Ok(Kept {
        fresh,
        given_up,
        repeated,
        records,
    })
}

/// First the disk, then memory: how many records there are now. A trial leaves nothing in either;
/// only a core table of a trial stays in the memory of its own process, for the question after it.
fn commit(
    node: &Node,
    past: &mut Past,
    parts: &Parts<'_>,
    records: Vec<Record>,
) -> Result<u64, StoreError> {
    let asked = parts.approved.question().asked();
    if asked.is_trial() {
        return Ok(0);
    }
    let population = &node.policy.population.name;
    let count = match node.is_durable() {
        true => node.with_store(|store| store.reserve(population, &records))?,
        false => 0,
    };
    records.into_iter().for_each(|record| past.take(record));
    node.books.learn(past.derived());
    Ok(count)
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
