//! A first codebook from sampled tables: types are guessed, everything else is left to a person.
//!
//! Nothing in a draft has a role, so nothing can be asked with it as it is. It goes from a
//! custodian to a consortium, so it must not carry data: values are named only if many sampled
//! rows have them, and limits are rounded outwards to 1, 2 or 5 times a power of ten.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::column::SMALL_DOMAIN;
use crate::number::Number;
use crate::rational::one_two_five_up;
use crate::value::{ColumnType, Scalar};

/// A value is named in a draft if at least this many sampled rows have it.
const NAMED: u64 = 10;

/// Distinct values that a sample remembers per column.
const REMEMBERED: usize = 20_000;

/// Column names that usually hold the person.
const PERSONS: [&str; 6] = [
    "person_id",
    "patient_id",
    "subject_id",
    "participant_id",
    "patient",
    "pid",
];

/// A sample of one table.
#[derive(Clone, Debug)]
pub struct TableSample {
    name: String,
    columns: Vec<ColumnSample>,
}

#[derive(Clone, Debug)]
struct ColumnSample {
    name: String,
    missing: u64,
    /// Rows per value; values beyond the memory only count as `more`.
    values: BTreeMap<String, u64>,
    more: bool,
}

impl TableSample {
    /// A sample without rows.
    #[must_use]
    pub fn new(name: &str, columns: &[String]) -> Self {
        let column = |name: &String| ColumnSample {
            name: name.clone(),
            missing: 0,
            values: BTreeMap::new(),
            more: false,
        };
        Self {
            name: name.to_owned(),
            columns: columns.iter().map(column).collect(),
        }
    }

    /// Adds a row: one text per column; empty texts and the usual words for a missing value are
    /// missing.
    pub fn push<'a>(&mut self, row: impl IntoIterator<Item = &'a str>) {
        let mut cells = row.into_iter();
        for column in &mut self.columns {
            column.push(cells.next().unwrap_or("").trim());
        }
    }

    fn column(&self, name: &str) -> Option<&ColumnSample> {
        self.columns
            .iter()
            .find(|column| plain(&column.name) == name)
    }
}

impl ColumnSample {
    fn push(&mut self, cell: &str) {
        if matches!(
            cell,
            "" | "?" | "." | "NA" | "N/A" | "NULL" | "null" | "NaN" | "nan"
        ) {
            self.missing += 1;
        } else if let Some(rows) = self.values.get_mut(cell) {
            *rows += 1;
        } else if self.values.len() < REMEMBERED {
            self.values.insert(cell.to_owned(), 1);
        } else {
            self.more = true;
        }
    }

    fn all_are(&self, ty: ColumnType) -> bool {
        self.values
            .keys()
            .all(|value| Scalar::parse(value, ty).is_some())
    }

    /// The narrowest type that holds every sampled value; text if there is none.
    fn ty(&self) -> ColumnType {
        let decimals = |value: &String| value.split_once('.').map_or(0, |(_, rest)| rest.len());
        let scale = self.values.keys().map(decimals).max().unwrap_or(0);
        let decimal = ColumnType::Decimal {
            scale: u32::try_from(scale).unwrap_or(9).min(9),
        };
        let candidates = [ColumnType::Bool, ColumnType::Int, decimal, ColumnType::Date];
        let fitting = candidates.into_iter().find(|ty| self.all_are(*ty));
        fitting
            .filter(|_| !self.values.is_empty())
            .unwrap_or(ColumnType::Text)
    }

    /// No value occurs twice.
    fn is_unique(&self) -> bool {
        self.missing == 0 && !self.more && self.values.values().all(|rows| *rows == 1)
    }

    fn is_small(&self) -> bool {
        !self.more && self.values.len() <= SMALL_DOMAIN
    }

    fn named_values(&self, ty: ColumnType) -> Vec<Scalar> {
        let often = self.values.iter().filter(|(_, rows)| **rows >= NAMED);
        let mut values: Vec<Scalar> = often
            .filter_map(|(value, _)| Scalar::parse(value, ty))
            .collect();
        values.sort();
        values
    }
}

/// A commented codebook for tables that were sampled. The text is TOML, has no roles and is the
/// same for the same samples.
#[must_use]
pub fn draft(name: &str, tables: &[TableSample]) -> String {
    let unit = unit(tables);
    let mut text = String::from(
        "# Draft of a codebook. Types were guessed from a sample of rows; nothing can be asked\n\
         # before a person adds roles. The comments beside the columns are suggestions: take,\n\
         # change or delete them, then run `quorate codebook check` on this file.\n\n",
    );
    let (table, column) = unit.as_ref().map_or(("TABLE", "COLUMN"), |(t, c)| (t, c));
    let _ = write!(
        text,
        "[codebook]\nformat = 1\nname = {}\nversion = 1\nunit = \"{table}.{column}\"   # the \
         column that tells persons apart, in a table with one row per person\n\n\
         [release]   # the floor: a node may be stricter\nk = 8\nround_base = 5\n",
        quoted(name)
    );
    for sample in tables {
        table_text(&mut text, sample, unit.as_ref());
    }
    text
}

/// The first table in which a column that usually holds the person has no value twice.
fn unit(tables: &[TableSample]) -> Option<(String, String)> {
    let named = |name: &str| {
        let table = tables
            .iter()
            .find(|t| t.column(name).is_some_and(ColumnSample::is_unique))?;
        Some((plain(&table.name), name.to_owned()))
    };
    PERSONS.iter().find_map(|name| named(name))
}

fn table_text(text: &mut String, sample: &TableSample, unit: Option<&(String, String)>) {
    let name = plain(&sample.name);
    let _ = writeln!(
        text,
        "
[table.{name}]"
    );
    let key = unit.and_then(|(_, column)| Some((column, sample.column(column)?)));
    match (&unit, key) {
        (Some((table, _)), _) if *table == name => text.push_str("rows = \"one-per-unit\"\n"),
        (_, Some((column, found))) if found.is_unique() => {
            let _ = write!(text, "rows = \"one-per-unit\"\nunit_key = \"{column}\"\n");
        }
        (_, Some((column, _))) => {
            let _ = write!(
                text,
                "rows = \"many\"\nunit_key = \"{column}\"\nmax_rows = 100   # rows of one person \
                 that count: decide what is plausible\n"
            );
        }
        (_, None) => text.push_str(
            "rows = \"one-per-unit\"   # or \"many\" with max_rows\nunit_key = \"COLUMN\"   # the \
             column that holds the person\n",
        ),
    }
    let date = sample
        .columns
        .iter()
        .find(|column| column.ty() == ColumnType::Date);
    if let Some(date) = date {
        let _ = writeln!(
            text,
            "date = \"{}\"   # the day that dates a row",
            plain(&date.name)
        );
    }
    let _ = writeln!(text, "[table.{name}.column]");
    for column in &sample.columns {
        column_text(
            text,
            column,
            unit.map(|(table, key)| (*table == name, key.as_str())),
        );
    }
}

fn column_text(text: &mut String, column: &ColumnSample, unit: Option<(bool, &str)>) {
    let (name, ty) = (plain(&column.name), column.ty());
    let scale = match ty {
        ColumnType::Decimal { scale } => format!(", scale = {scale}"),
        ColumnType::Int | ColumnType::Text | ColumnType::Date | ColumnType::Bool => String::new(),
    };
    let _ = write!(text, "{name} = {{ type = \"{}\"{scale} }}   # ", ty.name());
    if name != column.name {
        let _ = write!(
            text,
            "{} in the source, rename it in the map; ",
            quoted(&column.name)
        );
    }
    match unit {
        Some((true, key)) if key == name => text.push_str("role = [\"unit\"]"),
        Some((false, key)) if key == name => text.push_str("role = [\"key\"]"),
        _ => suggestion(text, column, ty),
    }
    if column.missing > 0 && column.missing < NAMED {
        text.push_str("; few values are missing");
    } else if column.missing > 0 {
        text.push_str("; values are missing: missing_public = true if that many may be told");
    }
    text.push('\n');
}

fn suggestion(text: &mut String, column: &ColumnSample, ty: ColumnType) {
    let identifier = column.name.ends_with("_id") && !column.name.ends_with("concept_id");
    if column.values.is_empty() {
        text.push_str("no value sampled");
    } else if identifier || (column.is_unique() && matches!(ty, ColumnType::Text)) {
        text.push_str("looks like an identifier, leave it without a role");
    } else if ty == ColumnType::Date {
        text.push_str("role = [\"date\"]");
    } else if column.name.ends_with("concept_id") {
        text.push_str("role = [\"filter\", \"group\"]");
    } else if column.is_small() {
        domain(text, column, ty);
    } else if ty.is_numeric() {
        range(text, column);
    } else {
        text.push_str("many different texts, leave it without a role or map it to codes");
    }
}

fn domain(text: &mut String, column: &ColumnSample, ty: ColumnType) {
    text.push_str("role = [\"filter\", \"group\"]");
    let values = column.named_values(ty);
    if values.is_empty() || ty == ColumnType::Bool {
        return;
    }
    let entry = |value: &Scalar| format!("{} = \"\"", key(value));
    let entries: Vec<String> = values.iter().map(entry).collect();
    let _ = write!(text, ", domain = {{ {} }}", entries.join(", "));
    if values.len() < column.values.len() {
        text.push_str(" and rarer values");
    }
}

fn range(text: &mut String, column: &ColumnSample) {
    let numbers = || {
        column
            .values
            .keys()
            .filter_map(|value| value.parse::<Number>().ok())
    };
    let (Some(low), Some(high)) = (numbers().min(), numbers().max()) else {
        return;
    };
    let zero = Number::ZERO.to_rational();
    let (low, high) = (low.to_rational(), high.to_rational());
    let outwards = |value: num_rational::BigRational| one_two_five_up(&value);
    let low = if low < zero {
        -outwards(-low)
    } else {
        zero.clone()
    };
    let high = if high > zero { outwards(high) } else { zero };
    let band = one_two_five_up(&((&high - &low) / num_bigint::BigInt::from(10)));
    let shown = |value| Number::from_rational(value).unwrap_or(Number::ZERO);
    let _ = write!(
        text,
        "role = [\"filter\", \"group\", \"value\"], unit = \"\", bounds = [{}, {}], bands = [{}]; \
         bounds are what is plausible, not what was seen",
        shown(&low),
        shown(&high),
        shown(&band)
    );
}

/// A name that SQL and the codebook take without quotes.
fn plain(name: &str) -> String {
    let mut plain = String::new();
    for c in name.trim().chars() {
        match c {
            'a'..='z' | '0'..='9' | '_' => plain.push(c),
            'A'..='Z' => plain.push(c.to_ascii_lowercase()),
            _ if plain.ends_with('_') => {}
            _ => plain.push('_'),
        }
    }
    let plain: String = plain.trim_end_matches('_').chars().take(60).collect();
    let starts_well = plain.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    if starts_well {
        plain
    } else {
        format!("c_{plain}")
    }
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text)
        .to_string()
        .trim()
        .replace('\n', " ")
}

fn key(value: &Scalar) -> String {
    let text = value.to_string();
    let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !text.is_empty() && text.chars().all(bare) {
        text
    } else {
        quoted(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codebook::read;

    fn sample() -> Vec<TableSample> {
        let columns = ["person_id", "Age (y)", "sex", "chol", "name", "visit"].map(String::from);
        let mut person = TableSample::new("person", &columns);
        for i in 0..200_u32 {
            let (id, age) = (i.to_string(), (29 + i % 49).to_string());
            let (chol, name) = (format!("{}.5", 100 + i), format!("name {i}"));
            let sex = if i == 7 {
                "9"
            } else {
                ["0", "1"][i as usize % 2]
            };
            let chol = if i % 3 == 0 { "?" } else { &chol };
            person.push([id.as_str(), &age, sex, chol, &name, "2020-01-31"]);
        }
        let columns = ["measurement_id", "person_id", "measurement_concept_id"].map(String::from);
        let mut measurement = TableSample::new("measurement", &columns);
        for i in 0..50_u32 {
            measurement.push([
                i.to_string().as_str(),
                (i / 2).to_string().as_str(),
                "3004249",
            ]);
        }
        vec![person, measurement]
    }

    #[test]
    fn a_draft_is_toml_without_roles_and_without_rare_values() {
        let text = draft("my \"book\"", &sample());
        let expected = include_str!("../../tests/codebooks/draft.toml");
        assert_eq!(text, expected);
        let mistakes = read(&text, "d").unwrap_err().to_string();
        let lines: Vec<&str> = mistakes.lines().collect();
        assert_eq!(lines.len(), 2, "{mistakes}");
        assert!(
            lines.iter().all(|line| line.contains("write `role = ")),
            "{mistakes}"
        );
    }

    #[test]
    fn a_draft_becomes_a_codebook_by_adding_roles() {
        let text = draft("book", &sample());
        let text = text
            .replacen(
                "person_id = { type = \"int\" }",
                "person_id = { type = \"int\", role = [\"unit\"] }",
                1,
            )
            .replacen(
                "person_id = { type = \"int\" }",
                "person_id = { type = \"int\", role = [\"key\"] }",
                1,
            );
        let book = read(&text, "d").unwrap_or_else(|mistakes| panic!("{mistakes}"));
        assert_eq!(
            book.tables["person"].columns["chol"].ty,
            ColumnType::Decimal { scale: 1 }
        );
    }

    #[test]
    fn names_become_plain() {
        for (name, expected) in [
            ("Age (y)", "age_y"),
            ("2nd", "c_2nd"),
            ("", "c_"),
            ("Größe", "gr_e"),
        ] {
            assert_eq!(plain(name), expected);
        }
    }
}
