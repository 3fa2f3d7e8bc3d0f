//! `run`: serve until told to stop.

use std::path::Path;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::clock::Clock;
use crate::server::start;
use crate::ui;

/// Serves; prints one line of JSON with the bound address when it listens.
pub(crate) fn run(dir: &Path, clock: Clock) -> anyhow::Result<()> {
    let filter = EnvFilter::try_from_env("QUORATE_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,quorate_coordinator=info"));
    let logs = tracing_subscriber::fmt().json().with_env_filter(filter);
    // A second run in one process keeps the first one's log.
    let _ = logs.with_writer(std::io::stderr).try_init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(async {
        let (mut stop, mut interrupt) = (
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
        );
        let running = start(dir, clock).await?;
        let (url, listen) = (running.url(), running.address().to_string());
        ui::say(&serde_json::json!({ "ready": 1, "url": url, "listen": listen }).to_string());
        running
            .serve(async move {
                tokio::select! {
                    _ = stop.recv() => {}
                    _ = interrupt.recv() => {}
                }
            })
            .await?;
        tracing::info!("stopped");
        anyhow::Ok(())
    })?;
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    Ok(())
}
