//! Parquet files as a table that is scanned, never loaded.
//!
//! A file may be larger than memory: what this hands out is a plan over the files. Conversions to
//! the codebook's types are part of that plan.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{
    ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl,
};
use datafusion::error::DataFusionError;
use datafusion::execution::context::SessionContext;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::error::SourceFault;

/// The files as one table with their own types.
pub(crate) async fn open(
    session: &SessionContext,
    files: &[PathBuf],
) -> Result<Arc<dyn TableProvider>, SourceFault> {
    let format = ParquetFormat::default().with_force_view_types(false);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension("");
    let state = session.state();
    let (mut urls, mut schemas) = (Vec::new(), Vec::new());
    for file in files {
        let unreadable = || SourceFault::Parquet {
            file: file.display().to_string(),
        };
        let url = ListingTableUrl::parse(url_of(file)).map_err(|_| unreadable())?;
        let schema = options
            .infer_schema(&state, &url)
            .await
            .map_err(|_| unreadable())?;
        schemas.push(
            schema
                .as_ref()
                .clone()
                .with_metadata(std::collections::HashMap::new()),
        );
        urls.push(url);
    }
    let schema = Schema::try_merge(schemas).map_err(|_| SourceFault::Header {
        file: files
            .first()
            .map(|file| file.display().to_string())
            .unwrap_or_default(),
        what: "the files of this source have columns of the same name but of different types"
            .to_owned(),
    })?;
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(Arc::new(schema));
    let table = ListingTable::try_new(config).map_err(|_| SourceFault::Internal("listing"))?;
    Ok(Arc::new(Files(table)))
}

/// Files that are always scanned without their statistics. The engine takes a column whose least
/// and greatest value are equal as constant, although NaN is in neither of them.
#[derive(Debug)]
struct Files(ListingTable);

#[async_trait]
impl TableProvider for Files {
    fn schema(&self) -> SchemaRef {
        self.0.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> Result<Vec<TableProviderFilterPushDown>, DataFusionError> {
        self.0.supports_filters_pushdown(filters)
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let state = session.as_any().downcast_ref::<SessionState>().cloned();
        let failed = || DataFusionError::Internal("a session of another kind".to_owned());
        let mut state = state.ok_or_else(failed)?;
        state
            .config_mut()
            .options_mut()
            .execution
            .collect_statistics = false;
        self.0.scan(&state, projection, filters, limit).await
    }
}

/// A path as a `file:` address, so that no character in it means a pattern.
fn url_of(path: &Path) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut url = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-' | b'_' | b'~') {
            url.push(char::from(*byte));
        } else {
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}
