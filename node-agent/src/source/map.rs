//! The custodian's own SQL over `source`, with the engine's usual functions.
//!
//! This is the one place where SQL text reaches the engine, and it is the custodian's, from the
//! policy file. A researcher's text never comes here.

use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::dataframe::DataFrame;
use datafusion::error::DataFusionError;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::prelude::SessionConfig;

use super::error::SourceFault;

/// A session for reading sources: one partition, so that reading is the same every time.
pub(crate) fn session() -> SessionContext {
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_information_schema(false);
    config
        .options_mut()
        .execution
        .parquet
        .schema_force_view_types = false;
    config.options_mut().execution.collect_statistics = false;
    config.options_mut().sql_parser.map_string_types_to_utf8view = false;
    SessionContext::new_with_config(config)
}

/// The rows that the map makes of the source; without a map, the source as it is.
pub(crate) async fn apply(
    session: &SessionContext,
    source: Arc<dyn TableProvider>,
    map: Option<&str>,
) -> Result<DataFrame, SourceFault> {
    session
        .register_table("source", source)
        .map_err(|_| SourceFault::Internal("source is there already"))?;
    let Some(sql) = map else {
        return session
            .table("source")
            .await
            .map_err(|_| SourceFault::Internal("source is not there"));
    };
    let options = SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false);
    session
        .sql_with_options(sql, options)
        .await
        .map_err(|error| SourceFault::Map(planning(&error)))
}

/// What the engine says of a map that it could not plan. No row was read by then, so that its text
/// holds nothing but the custodian's own SQL and column names.
fn planning(error: &DataFusionError) -> String {
    error
        .strip_backtrace()
        .lines()
        .next()
        .unwrap_or("not a query")
        .to_owned()
}
