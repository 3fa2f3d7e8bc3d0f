//! A result as CSV: a column `x` for a key; `x`, `x__status`, `x__lower`, `x__upper`, `x__nodes`
//! for everything else, and with `--by-site` one more, `x__site_NAME`, for each node.
//!
//! A withheld value is an empty field whose status says so; it can never be read as 0.

use super::plain_key;
use crate::document::{Cell, Column, Document};

/// Status of a cell that has a value.
pub const RELEASED: &str = "released";
/// Status of a cell that no node released.
pub const WITHHELD: &str = "withheld";
/// Status of a cell whose value does not exist, such as x/0.
pub const UNDEFINED: &str = "undefined";

/// The status of a cell in CSV, Arrow and Parquet.
#[must_use]
pub fn status(cell: Option<&Cell>) -> &'static str {
    match cell {
        Some(cell) if cell.number.is_some() => RELEASED,
        Some(cell) if cell.is_undefined() => UNDEFINED,
        _ => WITHHELD,
    }
}

/// Names of the nodes whose own values the document carries.
#[must_use]
pub fn sites(document: &Document) -> Vec<&str> {
    let carried = document
        .all_rows()
        .flat_map(|row| row.cells.values())
        .any(|cell| !cell.sites.is_empty());
    let answered = document
        .nodes
        .iter()
        .filter(|node| node.status == "answered");
    if carried {
        answered.map(|node| node.name.as_str()).collect()
    } else {
        Vec::new()
    }
}

/// The document's table as CSV, header first. Several stand one after the other, each under a line
/// `# NAME`, with an empty line between them.
///
/// # Errors
/// Only if the writer fails, which it does not in memory.
pub fn render(document: &Document) -> Result<Vec<u8>, csv::Error> {
    let mut bytes = Vec::new();
    for table in document.parts() {
        if !document.tables.is_empty() {
            let between = if bytes.is_empty() { "" } else { "\n" };
            bytes.extend(format!("{between}# {}\n", super::clean(&table.name)).into_bytes());
        }
        bytes.extend(one(&document.only(table))?);
    }
    Ok(bytes)
}

fn one(document: &Document) -> Result<Vec<u8>, csv::Error> {
    let sites = sites(document);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(
        document
            .columns
            .iter()
            .flat_map(|column| header(column, &sites)),
    )?;
    for row in &document.rows {
        let fields = document.columns.iter().flat_map(|column| {
            if column.is_key() {
                vec![row.key.get(&column.name).map(plain_key).unwrap_or_default()]
            } else {
                fields(row.cells.get(&column.name), &sites)
            }
        });
        writer.write_record(fields)?;
    }
    writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))
}

fn header(column: &Column, sites: &[&str]) -> Vec<String> {
    let name = &column.name;
    let mut names = vec![name.clone()];
    if !column.is_key() {
        names.extend(["status", "lower", "upper", "nodes"].map(|part| format!("{name}__{part}")));
        names.extend(sites.iter().map(|site| format!("{name}__site_{site}")));
    }
    names
}

fn fields(cell: Option<&Cell>, sites: &[&str]) -> Vec<String> {
    let number = cell.and_then(|cell| cell.number.as_ref());
    let mut fields = vec![
        number.map(|n| n.value.clone()).unwrap_or_default(),
        status(cell).to_owned(),
        number.and_then(|n| n.lower.clone()).unwrap_or_default(),
        number.and_then(|n| n.upper.clone()).unwrap_or_default(),
        cell.map(|cell| cell.nodes.to_string()).unwrap_or_default(),
    ];
    let own = |site: &&str| {
        cell.and_then(|cell| cell.sites.get(*site))
            .cloned()
            .unwrap_or_default()
    };
    fields.extend(sites.iter().map(own));
    fields
}
