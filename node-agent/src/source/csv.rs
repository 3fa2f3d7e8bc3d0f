//! Text files with a header line, as Arrow columns.
//!
//! Types come from the codebook; a column it does not know is text. Every bad row is reported with
//! file and line; the caller decides that one is enough to stop the source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use csv::{ByteRecord, ReaderBuilder};
use quorate_query::value::ColumnType;

use super::convert::{Builder, arrow_type};
use super::error::{Problems, SourceFault};
use super::files::unreadable;
use super::value::Spelling;
use crate::policy::{CsvOptions, Encoding};

/// Rows of one Arrow batch.
const BATCH: usize = 1 << 16;

/// Which columns of the file are wanted, and as what.
pub(crate) enum Wanted {
    /// Exactly these.
    Only(BTreeMap<String, ColumnType>),
    /// All; these as given, the others as text.
    All(BTreeMap<String, ColumnType>),
}

/// The rows of all files.
pub(crate) struct Rows {
    pub(crate) schema: SchemaRef,
    pub(crate) batches: Vec<RecordBatch>,
    /// File and line of every row of every batch.
    pub(crate) origins: Vec<Vec<(usize, u64)>>,
}

/// Reads all files. Bad rows go to `problems`.
pub(crate) fn read(
    files: &[PathBuf],
    options: &CsvOptions,
    wanted: &Wanted,
    problems: &mut Problems,
) -> Result<Rows, SourceFault> {
    let mut rows: Option<Rows> = None;
    for (index, path) in files.iter().enumerate() {
        let mut reader = ReaderBuilder::new()
            .delimiter(options.delimiter)
            .has_headers(false)
            .flexible(true)
            .from_path(path)
            .map_err(|error| broken(path, &error))?;
        let header = header(&mut reader, path, options.encoding)?;
        let columns = choose(&header, wanted, path)?;
        let schema = schema(&columns);
        let rows = rows.get_or_insert_with(|| Rows {
            schema: Arc::clone(&schema),
            batches: Vec::new(),
            origins: Vec::new(),
        });
        if rows.schema != schema {
            let what = "its columns differ from those of the first file".to_owned();
            return Err(SourceFault::Header {
                file: path.display().to_string(),
                what,
            });
        }
        let builders = columns
            .iter()
            .map(|column| Builder::new(column.ty))
            .collect();
        let file = OneFile {
            index,
            path,
            width: header.len(),
            columns,
            options,
            builders,
            origin: Vec::new(),
        };
        file.read(&mut reader, rows, problems)?;
    }
    rows.ok_or_else(|| SourceFault::Header {
        file: String::new(),
        what: "no file".to_owned(),
    })
}

/// A column that is read: its place in the file, its name and its type.
struct Column {
    at: usize,
    name: String,
    ty: ColumnType,
}

/// One file in the course of being read.
struct OneFile<'a> {
    index: usize,
    path: &'a Path,
    width: usize,
    columns: Vec<Column>,
    options: &'a CsvOptions,
    builders: Vec<Builder>,
    origin: Vec<(usize, u64)>,
}

impl OneFile<'_> {
    fn read(
        mut self,
        reader: &mut csv::Reader<std::fs::File>,
        rows: &mut Rows,
        problems: &mut Problems,
    ) -> Result<(), SourceFault> {
        let mut record = ByteRecord::new();
        while reader
            .read_byte_record(&mut record)
            .map_err(|error| broken(self.path, &error))?
        {
            let line = record.position().map_or(0, csv::Position::line);
            if record.len() != self.width {
                let what = format!("has {} fields, the header has {}", record.len(), self.width);
                problems.add(|| place(self.path, line), None, what);
                continue;
            }
            self.row(&record, line, problems);
            if self.origin.len() == BATCH {
                self.flush(rows)?;
            }
        }
        self.flush(rows)
    }

    fn row(&mut self, record: &ByteRecord, line: u64, problems: &mut Problems) {
        let spelling = Spelling {
            decimal: self.options.decimal,
            date_format: &self.options.date_format,
        };
        for (column, builder) in self.columns.iter().zip(&mut self.builders) {
            let bytes = record.get(column.at).unwrap_or_default();
            let outcome = match decode(bytes, self.options.encoding) {
                Some(text) => {
                    let missing = self.options.nulls.contains(text.as_ref());
                    builder
                        .push((!missing).then_some(&text), &spelling)
                        .map_err(|bad| bad.to_string())
                }
                None => {
                    let added = builder.push(None, &spelling).map_err(|bad| bad.to_string());
                    added.and(Err(
                        "is not UTF-8: write `encoding = \"latin1\"` if it is that".to_owned(),
                    ))
                }
            };
            if let Err(what) = outcome {
                problems.add(|| place(self.path, line), Some(&column.name), what);
            }
        }
        self.origin.push((self.index, line));
    }

    fn flush(&mut self, rows: &mut Rows) -> Result<(), SourceFault> {
        if self.origin.is_empty() {
            return Ok(());
        }
        let arrays = self.builders.iter_mut().map(Builder::finish).collect();
        let batch = RecordBatch::try_new(Arc::clone(&rows.schema), arrays)
            .map_err(|_| SourceFault::Internal("columns of unequal length"))?;
        rows.batches.push(batch);
        rows.origins.push(std::mem::take(&mut self.origin));
        Ok(())
    }
}

/// `file:line`.
pub(crate) fn place(path: &Path, line: u64) -> String {
    format!("{}:{line}", path.display())
}

fn header(
    reader: &mut csv::Reader<std::fs::File>,
    path: &Path,
    encoding: Encoding,
) -> Result<Vec<String>, SourceFault> {
    let wrong = |what: String| SourceFault::Header {
        file: path.display().to_string(),
        what,
    };
    let mut record = ByteRecord::new();
    if !reader
        .read_byte_record(&mut record)
        .map_err(|error| broken(path, &error))?
    {
        return Err(wrong(
            "it is empty; the first line names the columns".to_owned(),
        ));
    }
    let mut names = Vec::new();
    for bytes in &record {
        let name =
            decode(bytes, encoding).ok_or_else(|| wrong("the header is not UTF-8".to_owned()))?;
        let name = name.trim_start_matches('\u{feff}').trim().to_owned();
        if names.contains(&name) {
            return Err(wrong(format!("two columns are called `{name}`")));
        }
        names.push(name);
    }
    Ok(names)
}

fn choose(header: &[String], wanted: &Wanted, path: &Path) -> Result<Vec<Column>, SourceFault> {
    match wanted {
        Wanted::Only(types) => {
            let find = |name: &String| header.iter().position(|column| column == name);
            let missing: Vec<_> = types
                .keys()
                .filter(|name| find(name).is_none())
                .cloned()
                .collect();
            if !missing.is_empty() {
                return Err(SourceFault::Columns {
                    missing,
                    found: header.to_vec(),
                    file: path.display().to_string(),
                });
            }
            let columns = types.iter();
            Ok(columns
                .filter_map(|(name, ty)| {
                    Some(Column {
                        at: find(name)?,
                        name: name.clone(),
                        ty: *ty,
                    })
                })
                .collect())
        }
        Wanted::All(types) => {
            let mut columns: Vec<Column> = header
                .iter()
                .enumerate()
                .map(|(at, name)| {
                    let ty = types.get(name).copied().unwrap_or(ColumnType::Text);
                    Column {
                        at,
                        name: name.clone(),
                        ty,
                    }
                })
                .collect();
            columns.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(columns)
        }
    }
}

fn schema(columns: &[Column]) -> SchemaRef {
    let field = |column: &Column| Field::new(&column.name, arrow_type(column.ty), true);
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Bytes to text; `None` if they are not what the encoding allows.
fn decode(bytes: &[u8], encoding: Encoding) -> Option<std::borrow::Cow<'_, str>> {
    match encoding {
        Encoding::Utf8 => std::str::from_utf8(bytes).ok().map(Into::into),
        Encoding::Latin1 if bytes.is_ascii() => std::str::from_utf8(bytes).ok().map(Into::into),
        Encoding::Latin1 => Some(
            bytes
                .iter()
                .map(|byte| char::from(*byte))
                .collect::<String>()
                .into(),
        ),
    }
}

/// A file that cannot be read at all. Errors of the reader never hold a value: rows are read as bytes.
fn broken(path: &Path, error: &csv::Error) -> SourceFault {
    match error.kind() {
        csv::ErrorKind::Io(io) => SourceFault::File(unreadable(path, io)),
        _ => SourceFault::Header {
            file: path.display().to_string(),
            what: "it is not a text table".to_owned(),
        },
    }
}
