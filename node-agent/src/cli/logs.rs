//! What a running node writes to its log: our own words. The engine quotes texts, plans and values
//! of data in its messages, so it is not heard, whatever level is asked for; of everybody else only
//! warnings are.

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Crates that see data or the texts of questions.
const SEE_DATA: [&str; 6] = [
    "datafusion",
    "sqlparser",
    "arrow",
    "parquet",
    "object_store",
    "rusqlite",
];

/// Logs to standard error as JSON, by a filter such as `quorate_node=debug`. A second start in one
/// process keeps the first one's log.
pub(crate) fn start(filter: EnvFilter) {
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .with_writer(std::io::stderr);
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(filter_fn(is_heard))
        .with(lines)
        .try_init();
}

fn is_heard(said: &Metadata<'_>) -> bool {
    let target = said.target();
    let sees_data = SEE_DATA.iter().any(|name| target.starts_with(name));
    target.starts_with("quorate") || (!sees_data && *said.level() <= Level::WARN)
}
