//! `run`: connect and answer until told to stop.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

use super::args::{Place, Run};
use super::{Done, logs, runtime, ui};
use crate::govern::change;
use crate::home::Home;
use crate::link::{Clock, Link};
use crate::node::{Node, Opening, Stopwatch};
use crate::source;

/// Opens the node and stays connected. Prints one line of JSON when it is open; from then on it
/// connects by itself, now or when the coordinator is there.
pub(super) fn run(place: &Place, args: &Run, clock: Clock) -> anyhow::Result<Done> {
    let filter = EnvFilter::try_from_env("QUORATE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,quorate_node=info"));
    logs::start(filter);
    // Whatever this process writes is for its owner only, the engine's and the database's files too.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    home.enrolment()?;
    let text = std::fs::read_to_string(place.policy_path())?;
    let codebooks = home.codebooks(&policy)?;
    let known: Vec<_> = codebooks.iter().map(Arc::as_ref).collect();
    change::enforce(&policy, &text, &known, clock())?;
    let timings = args.timings.as_ref().map(|path| {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        file.with_context(|| format!("{} cannot be written", path.display()))
    });
    let node = Node::open(Opening {
        roster: home.roster(&policy)?,
        codebooks: home.codebooks(&policy)?,
        key: home.node_key()?,
        stopwatch: stopwatch(),
        timings: timings.transpose()?,
        now: clock(),
        policy,
    })?;
    let name = node.policy.node.name.clone();
    if let Some(reason) = home.paused() {
        tracing::warn!(reason, "the node is paused and refuses every question");
    }
    let runtime = runtime().context("the runtime cannot be started")?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let (stop, stopped) = watch::channel(false);
        let node = Arc::new(node);
        tokio::spawn(warm_up(Arc::clone(&node)));
        let link = Link::new(node, home, clock);
        ui::say(&serde_json::json!({ "ready": 1, "node": name }).to_string());
        tokio::select! {
            () = link.run(stopped, fastrand::Rng::new()) => {}
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = stop.send(true);
        anyhow::Ok(())
    })?;
    tracing::info!("stopped");
    runtime.shutdown_timeout(Duration::from_secs(2));
    Ok(Done::Well)
}

/// Reads every source before the first question does, so that it does not wait for them and the
/// custodian learns at once of a source that cannot be used.
async fn warm_up(node: Arc<Node>) {
    for codebook in node.codebooks().values() {
        let tables = codebook.tables.keys();
        for table in tables.filter(|table| node.policy.sources.contains_key(*table)) {
            let wanted = std::collections::BTreeSet::from([table.clone()]);
            let read = source::snapshot(&node.policy, codebook, &wanted, &node.sources).await;
            if let Err(error) = read {
                tracing::error!(%error, "a source cannot be used");
            }
        }
    }
}

/// Time since now.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: the stopwatch is passed inwards"
)]
pub(super) fn stopwatch() -> Stopwatch {
    let start = std::time::Instant::now();
    Arc::new(move || start.elapsed())
}
