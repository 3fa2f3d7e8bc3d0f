//! What an epoch is: one digest over everything that the typed tables are made of.

use quorate_query::codebook::{RowsPer, Table};
use quorate_query::value::Scalar;
use ring::digest::{Context, SHA256};

use crate::policy::{Encoding, SourceKind, SourceSpec};

/// SHA-256 over the contents of a table's files, how they are read and mapped, and what the codebook
/// says that typing depends on. Bounds and bands are not in it: they change no value.
pub(crate) fn of_table(contents: &[u8; 32], spec: &SourceSpec, table: &Table) -> [u8; 32] {
    let mut text = Parts(Context::new(&SHA256));
    text.add("quorate epoch 1");
    text.0.update(contents);
    match &spec.kind {
        SourceKind::Parquet => text.add("parquet"),
        SourceKind::Csv(options) => {
            text.add("csv");
            text.add(&format!("{} {}", options.delimiter, options.decimal));
            text.add(match options.encoding {
                Encoding::Utf8 => "utf-8",
                Encoding::Latin1 => "latin1",
            });
            text.add(&options.date_format);
            text.list(options.nulls.iter().map(String::as_str));
        }
    }
    text.list(spec.map.as_deref());
    text.add(&table.unit_key);
    text.add(if table.rows == RowsPer::Unit {
        "unit"
    } else {
        "many"
    });
    for (name, column) in &table.columns {
        text.add(name);
        text.add(&super::convert::arrow_type(column.ty).to_string());
        let domain = column.domain.iter().flatten();
        text.list(
            domain
                .map(|(value, _)| scalar(value))
                .collect::<Vec<_>>()
                .iter()
                .map(String::as_str),
        );
        text.add(if column.domain.is_some() {
            "closed"
        } else {
            "open"
        });
        if let Some((first, last)) = column.period {
            text.add(&format!("{first} to {last}"));
        }
        if column.required {
            text.add("required");
        }
    }
    text.finish()
}

/// One table as one codebook types it, whatever its contents. Rows of equal parts can be compared
/// as bytes, which another release of the engine may write otherwise.
pub(crate) fn of_part(name: &str, spec: &SourceSpec, table: &Table) -> [u8; 32] {
    let mut text = Parts(Context::new(&SHA256));
    text.add("quorate part 1");
    text.add(arrow::ARROW_VERSION);
    text.add(name);
    text.0.update(&of_table(&[0; 32], spec, table));
    text.finish()
}

/// The epoch of all tables together, by name; a table whose files are not there counts as such.
pub(crate) fn of_all<'a>(tables: impl IntoIterator<Item = (&'a str, &'a [u8; 32])>) -> String {
    let mut all = Parts(Context::new(&SHA256));
    for (name, digest) in tables {
        all.add(name);
        all.0.update(digest);
    }
    quorate_identity::digest_text(&all.finish())
}

/// Texts with their lengths, so that borders count.
struct Parts(Context);

impl Parts {
    fn add(&mut self, text: &str) {
        self.0
            .update(&u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn list<'a>(&mut self, texts: impl IntoIterator<Item = &'a str>) {
        let texts: Vec<&str> = texts.into_iter().collect();
        self.add(&texts.len().to_string());
        texts.iter().for_each(|text| self.add(text));
    }

    fn finish(self) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(self.0.finish().as_ref());
        digest
    }
}

/// One spelling for each value; a letter keeps types apart.
fn scalar(value: &Scalar) -> String {
    match value {
        Scalar::Null => "-".to_owned(),
        Scalar::Bool(truth) => format!("b{truth}"),
        Scalar::Number(number) => format!("n{}e{}", number.mantissa(), number.exponent()),
        Scalar::Date(days) => format!("d{days}"),
        Scalar::Text(text) => format!("t{text}"),
    }
}
