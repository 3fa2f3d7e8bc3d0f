//! Notices that the data changed, before the first question that is planned over them.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::LogicalPlanBuilder;
use quorate_query::codebook::Codebook;

use super::epochs::{Part, Read};
use super::rows::Rows;
use crate::engine::{Engine, Fault};
use crate::node::Node;
use crate::source::{self, Snapshot, SourceError};
use crate::store::StoreError;

/// What changed cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The files of a source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The engine's threads failed.
    #[error(transparent)]
    Engine(#[from] Fault),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes sure that the snapshot's epoch is one that history knows. If the data changed, all tables
/// of the codebook are read to see whose; a table that cannot be read changes nobody.
///
/// # Errors
/// If files cannot be looked at or the store cannot be written.
pub(crate) async fn notice(
    node: &Node,
    codebook: &Arc<Codebook>,
    snapshot: &Snapshot,
) -> Result<(), NoticeError> {
    // nothing of an unprotected population is ever compared
    if node.policy.population.synthetic {
        return Ok(());
    }
    let _one_at_a_time = node.noticing.lock().await;
    let epochs = node.epochs.load_full();
    if epochs.knows(&snapshot.epoch, &snapshot.parts) {
        return Ok(());
    }
    let mut read = Vec::new();
    for part in snapshot.parts.iter().filter(|part| epochs.is_stale(part)) {
        read.push(sums(node, codebook, snapshot, part).await?);
    }
    let next = node.with_store(|store| {
        node.persons.save(store)?;
        let durable = node.persons.is_durable();
        epochs.begin(store, durable, &snapshot.epoch, &snapshot.parts, &read)
    })?;
    node.epochs.store(Arc::new(next));
    Ok(())
}

/// The sums of a part; none if its rows cannot be read, or are no longer those of the snapshot.
async fn sums(
    node: &Node,
    codebook: &Arc<Codebook>,
    snapshot: &Snapshot,
    part: &Part,
) -> Result<Read, NoticeError> {
    let provider = match snapshot.tables.get(&part.source) {
        Some(provider) => Some(Arc::clone(provider)),
        None => load(node, codebook, snapshot, &part.source).await?,
    };
    let unit = codebook.tables.get(&part.source).and_then(|table| {
        table
            .columns
            .keys()
            .position(|name| *name == table.unit_key)
    });
    let (Some(provider), Some(unit)) = (provider, unit) else {
        return Ok((part.clone(), None));
    };
    let rows = Rows::new(&node.persons, &part.part, unit);
    let sums = add_up(&node.engine, &part.source, provider, rows).await?;
    Ok((part.clone(), sums))
}

/// A table that the question does not need.
async fn load(
    node: &Node,
    codebook: &Arc<Codebook>,
    snapshot: &Snapshot,
    name: &str,
) -> Result<Option<Arc<dyn TableProvider>>, NoticeError> {
    let wanted = BTreeSet::from([name.to_owned()]);
    let (policy, book, cache) = (
        Arc::clone(&node.policy),
        Arc::clone(codebook),
        Arc::clone(&node.sources),
    );
    let loading = async move { source::snapshot(&policy, &book, &wanted, &cache).await };
    // a table that is not asked for may be broken
    let Ok(mut found) = node.engine.inside(loading).await? else {
        return Ok(None);
    };
    if found.epoch != snapshot.epoch {
        return Ok(None);
    }
    Ok(found.tables.remove(name))
}

async fn add_up(
    engine: &Engine,
    name: &str,
    provider: Arc<dyn TableProvider>,
    rows: Rows,
) -> Result<Option<Vec<u128>>, Fault> {
    let plan = LogicalPlanBuilder::scan(name, provider_as_source(provider), None);
    let plan = plan.and_then(LogicalPlanBuilder::build)?;
    let added = engine.scan(plan, rows, |rows, batch| rows.add(batch)).await;
    Ok(added.ok().map(Rows::finish))
}
