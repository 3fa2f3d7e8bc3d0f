//! Samples of CSV and Parquet files, for the draft of a codebook. Only texts of cells leave this
//! file, and only into the draft, which names no rare value.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use ::arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use quorate_query::codebook::TableSample;

/// Rows that are looked at.
const ROWS: usize = 20_000;

/// Why a file could not be sampled.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The file system said no.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Neither a CSV nor a Parquet file.
    #[error("{0}: only .csv, .tsv, .txt and .parquet files can be drafted from")]
    Kind(PathBuf),
    /// A row of the CSV is broken.
    #[error("{path}:{line}: not a CSV row of the same shape as the heading")]
    Csv {
        /// The file.
        path: PathBuf,
        /// The line.
        line: u64,
    },
    /// The Parquet file cannot be read.
    #[error("{path}: not a readable Parquet file")]
    Parquet {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the heading and the first rows of a file; the table is named after the file.
///
/// # Errors
/// If the file cannot be read.
pub fn sample(path: &Path) -> Result<TableSample, SampleError> {
    let ending = path
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "csv" | "tsv" | "txt" => csv_sample(path),
        "parquet" => parquet_sample(path),
        _ => Err(SampleError::Kind(path.to_owned())),
    }
}

fn table_name(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}

fn open(path: &Path) -> Result<File, SampleError> {
    File::open(path).map_err(|source| SampleError::Io {
        path: path.to_owned(),
        source,
    })
}

fn csv_sample(path: &Path) -> Result<TableSample, SampleError> {
    let io = |source| SampleError::Io {
        path: path.to_owned(),
        source,
    };
    let mut heading = String::new();
    BufReader::new(open(path)?)
        .read_line(&mut heading)
        .map_err(io)?;
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(&heading))
        .from_reader(BufReader::new(open(path)?));
    let broken = |error: &csv::Error| SampleError::Csv {
        path: path.to_owned(),
        line: error.position().map_or(1, csv::Position::line),
    };
    let columns = reader.byte_headers().map_err(|error| broken(&error))?;
    let columns: Vec<String> = columns.iter().map(readable).collect();
    let columns: Vec<String> = columns
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').trim().to_owned())
        .collect();
    let mut sample = TableSample::new(&table_name(path), &columns);
    for record in reader.byte_records().take(ROWS) {
        let record = record.map_err(|error| broken(&error))?;
        let cells: Vec<String> = record.iter().map(readable).collect();
        sample.push(cells.iter().map(String::as_str));
    }
    Ok(sample)
}

/// The most frequent of the usual delimiters in the heading.
fn delimiter(heading: &str) -> u8 {
    let counted = |delimiter: &u8| heading.bytes().filter(|byte| byte == delimiter).count();
    [b'|', b'\t', b';', b',']
        .into_iter()
        .max_by_key(counted)
        .unwrap_or(b',')
}

/// UTF-8, else Latin-1.
fn readable(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

fn parquet_sample(path: &Path) -> Result<TableSample, SampleError> {
    let unreadable = || SampleError::Parquet {
        path: path.to_owned(),
    };
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(open(path)?).map_err(|_| unreadable())?;
    let columns: Vec<String> = builder
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let reader = builder.with_limit(ROWS).build().map_err(|_| unreadable())?;
    let mut sample = TableSample::new(&table_name(path), &columns);
    let options = FormatOptions::default().with_display_error(false);
    for batch in reader {
        let batch = batch.map_err(|_| unreadable())?;
        let formatters = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options).map_err(|_| unreadable()))
            .collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = formatters
                .iter()
                .map(|column| column.value(row).to_string())
                .collect();
            sample.push(cells.iter().map(String::as_str));
        }
    }
    Ok(sample)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ::arrow::array::{Int64Array, RecordBatch, StringArray};

    use super::*;

    #[test]
    fn csv_in_any_dress_is_read() {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            (
                "a.csv",
                b"\xef\xbb\xbfperson_id,city\n1,Z\xc3\xbcrich\n2,Bern\n".to_vec(),
            ),
            (
                "b.csv",
                b"person_id;city\r\n1;Z\xfcrich\r\n2;Bern\r\n".to_vec(),
            ),
            (
                "c.tsv",
                b"person_id\tcity\n1\tZ\xc3\xbcrich\n2\tBern\n".to_vec(),
            ),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            let text = quorate_query::codebook::draft("x", &[sample(&path).unwrap()]);
            assert!(text.contains("person_id"), "{name}: {text}");
            assert!(text.contains("city"), "{name}: {text}");
            assert!(
                !text.contains("rich"),
                "{name}: a rare value is in the draft"
            );
        }
    }

    #[test]
    fn parquet_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("person.parquet");
        let batch = RecordBatch::try_from_iter([
            ("person_id", Arc::new(Int64Array::from(vec![1, 2, 3])) as _),
            (
                "city",
                Arc::new(StringArray::from(vec![Some("a"), None, Some("b")])) as _,
            ),
        ])
        .unwrap();
        let file = File::create(&path).unwrap();
        let mut writer = parquet::arrow::ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let text = quorate_query::codebook::draft("x", &[sample(&path).unwrap()]);
        assert!(
            text.contains("[table.person") && text.contains("city"),
            "{text}"
        );
    }

    #[test]
    fn a_broken_row_is_named_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        std::fs::write(&path, "a,b\n1,2\n3,secret,4\n").unwrap();
        let error = sample(&path).unwrap_err().to_string();
        assert!(
            error.contains("a.csv:3") && !error.contains("secret"),
            "{error}"
        );
        assert!(matches!(
            sample(&folder.path().join("a.xls")),
            Err(SampleError::Kind(_))
        ));
    }
}
