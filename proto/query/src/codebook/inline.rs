//! Set files become values, so that the published text says everything and its hash covers it.

use std::collections::BTreeSet;

use toml_edit::{Array, DocumentMut, Item, Value};

use crate::toml_reader::{File, Mistake, Mistakes, Section, Spanned};
use crate::value::{ColumnType, Scalar};

/// Replaces `file = "x.csv"` of every set by `values = [...]`; all else stays as written. `load`
/// gives the text of a file, or says in words why it cannot.
///
/// A set file has one value per line, or is a CSV file whose first column holds the values. Empty
/// lines, lines that begin with `#` and a heading are skipped; a heading is a first line that is
/// no value of the column's type or is the column's name.
///
/// `name` is what the codebook is called in mistakes.
///
/// # Errors
/// Every mistake at once.
pub fn inline_sets(
    text: &str,
    name: &str,
    mut load: impl FnMut(&str) -> Result<String, String>,
) -> Result<String, Mistakes> {
    let file = File::parse(text, name)?;
    let mut loaded = Vec::new();
    let mut mistakes = Vec::new();
    for (name, section) in file.root().named("set") {
        let Some((column, ty, path)) = wanted(&file.root(), &section) else {
            continue;
        };
        match load(&path.value) {
            Ok(members) => match members_of(&members, &column, ty, &path.value) {
                Ok(values) => loaded.push((name, values)),
                Err(found) => mistakes.extend(found.0),
            },
            Err(reason) => section.file().mistake(path.at, path.path, reason),
        }
    }
    let verdict = file.finish_part(Some(()));
    if let Err(found) = verdict {
        mistakes.extend(found.0);
    }
    if mistakes.is_empty() {
        Ok(replace(text, loaded))
    } else {
        Err(Mistakes(mistakes))
    }
}

/// The file of a set and the type of its values; a set without a file needs nothing.
fn wanted(
    root: &Section<'_>,
    section: &Section<'_>,
) -> Option<(String, ColumnType, Spanned<String>)> {
    let path: Spanned<String> = section.get("file")?;
    if section.has("values") {
        section.mistake("file", "a set has `values` or a `file`, remove one");
        return None;
    }
    let column: String = section.need("column")?;
    let ty = column.split_once('.').and_then(|(table, column)| {
        let tables = root.section("table")?;
        let column = tables.section(table)?.section("column")?.section(column)?;
        let scale = column.get("scale").unwrap_or(9);
        let decimal = ColumnType::Decimal { scale };
        let words = [
            ("int", ColumnType::Int),
            ("decimal", decimal),
            ("text", ColumnType::Text),
            ("date", ColumnType::Date),
            ("bool", ColumnType::Bool),
        ];
        column.one_of("type", &words)
    });
    if ty.is_none() {
        let text = format!(
            "no column `{column}` with a type, write \"table.column\" of a declared column"
        );
        section.mistake("column", text);
    }
    let name = column.split('.').next_back().unwrap_or_default().to_owned();
    Some((name, ty?, path))
}

fn members_of(
    text: &str,
    column: &str,
    ty: ColumnType,
    path: &str,
) -> Result<BTreeSet<Scalar>, Mistakes> {
    let mut values = BTreeSet::new();
    let mut mistakes = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let cell = first_cell(line);
        let heading = index == 0 && cell.eq_ignore_ascii_case(column);
        if heading || cell.is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        match Scalar::parse(&cell, ty) {
            Some(value) => drop(values.insert(value)),
            None if index == 0 => {}
            None => mistakes.push(Mistake {
                file: path.to_owned(),
                line: index + 1,
                column: 1,
                path: String::new(),
                text: format!("no value of type {ty}, write {}", ty.description()),
            }),
        }
    }
    if values.is_empty() && mistakes.is_empty() {
        return Err(Mistakes::whole_file(
            path,
            "the file has no values, write one a line",
        ));
    }
    if mistakes.is_empty() {
        Ok(values)
    } else {
        Err(Mistakes(mistakes))
    }
}

/// The first cell of a CSV line, without quotes.
fn first_cell(line: &str) -> String {
    let line = line.trim();
    match line.strip_prefix('"') {
        Some(rest) => rest.split('"').next().unwrap_or("").to_owned(),
        None => line
            .split([',', ';', '\t'])
            .next()
            .unwrap_or("")
            .trim()
            .to_owned(),
    }
}

fn replace(text: &str, loaded: Vec<(String, BTreeSet<Scalar>)>) -> String {
    // The text was parsed before: this cannot fail, and an unchanged text would be refused later.
    let Ok(mut document) = text.parse::<DocumentMut>() else {
        return text.to_owned();
    };
    for (name, values) in loaded {
        let set = document.get_mut("set").and_then(Item::as_table_like_mut);
        let set = set
            .and_then(|sets| sets.get_mut(&name))
            .and_then(Item::as_table_like_mut);
        if let Some(set) = set {
            set.remove("file");
            set.insert("values", Item::Value(Value::Array(array(&values))));
        }
    }
    document.to_string()
}

fn array(values: &BTreeSet<Scalar>) -> Array {
    let toml = |value: &Scalar| match value {
        Scalar::Text(text) => Some(Value::from(text.as_str())),
        Scalar::Null => None,
        Scalar::Bool(_) | Scalar::Number(_) | Scalar::Date(_) => value.to_string().parse().ok(),
    };
    values.iter().filter_map(toml).collect()
}
