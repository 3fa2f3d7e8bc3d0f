//! Parquet files as a table that is scanned, never loaded.
//!
//! A file may be larger than memory: what this hands out is a plan over the files. Conversions to
//! the codebook's types are part of that plan.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::Schema;
use datafusion::catalog::TableProvider;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::execution::context::SessionContext;

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
        let unreadable = || SourceFault::Parquet { file: file.display().to_string() };
        let url = ListingTableUrl::parse(url_of(file)).map_err(|_| unreadable())?;
        let schema = options.infer_schema(&state, &url).await.map_err(|_| unreadable())?;
        schemas.push(schema.as_ref().clone().with_metadata(std::collections::HashMap::new()));
        urls.push(url);
    }
    let schema = Schema::try_merge(schemas).map_err(|_| SourceFault::Header {
        file: files.first().map(|file| file.display().to_string()).unwrap_or_default(),
        what: "the files of this source have columns of the same name but of different types".to_owned(),
    })?;
    let config = ListingTableConfig::new_with_multi_paths(urls)
        .with_listing_options(options)
        .with_schema(Arc::new(schema));
    let table = ListingTable::try_new(config).map_err(|_| SourceFault::Internal("listing"))?;
    Ok(Arc::new(table))
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
