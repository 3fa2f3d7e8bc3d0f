//! The tables of an analysis as text: a number with its limits beside it, as everywhere.

use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};
use quorate_query::analyses::{Entry, Grid};

use super::clean;
use super::table::UNDEFINED;
use crate::document::AnalysisInfo;

/// Significant digits of a number that has more.
const DIGITS: i32 = 6;

/// Every table of an analysis under its name.
#[must_use]
pub fn render(analysis: &AnalysisInfo) -> String {
    let name = clean(&analysis.name);
    let name = name.split('/').next().unwrap_or(&name);
    let tables = analysis.report.tables.iter();
    let tables = tables.filter(|grid| !grid.rows.is_empty());
    tables
        .map(|grid| format!("{name}: {}\n{}\n", clean(&grid.name), lines(grid)))
        .collect()
}

/// The lines of a table without blanks at their ends.
fn lines(grid: &Grid) -> String {
    let mut text = String::new();
    for line in table(grid).lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn table(grid: &Grid) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_style(TableComponent::HeaderLines, '─');
    table.set_style(TableComponent::MiddleHeaderIntersections, '─');
    table.set_content_arrangement(ContentArrangement::Disabled);
    let names = grid.columns.iter().map(|name| clean(name));
    table.set_header(std::iter::once(String::new()).chain(names));
    for line in &grid.rows {
        let cell = |column: &String| line.values.get(column).map(text).unwrap_or_default();
        let cells = grid.columns.iter().map(cell);
        table.add_row(std::iter::once(clean(&line.row)).chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn text(entry: &Entry) -> String {
    let Some(value) = &entry.value else {
        return UNDEFINED.to_owned();
    };
    let limit = |text: &Option<String>| text.as_deref().map(short).unwrap_or_default();
    let (shown, lower, upper) = (short(value), limit(&entry.lower), limit(&entry.upper));
    if entry.lower.as_ref() == Some(value) && entry.upper.as_ref() == Some(value) {
        return shown;
    }
    // `-5–-1` cannot be read.
    let between = if lower.starts_with('-') && !upper.is_empty() {
        " to "
    } else {
        "–"
    };
    format!("{shown} ({lower}{between}{upper})")
}

/// A number with at most [`DIGITS`] significant digits.
fn short(text: &str) -> String {
    let mantissa = text.split('e').next().unwrap_or(text);
    let digits = mantissa
        .chars()
        .filter(char::is_ascii_digit)
        .skip_while(|c| *c == '0')
        .count();
    let whole = !text.contains(['.', 'e']);
    let Some(number) = text.parse::<f64>().ok().filter(|_| digits > 6 && !whole) else {
        return clean(text);
    };
    let written = format!("{number:.*e}", 5);
    let order = written
        .split_once('e')
        .and_then(|(_, order)| order.parse::<i32>().ok());
    let places = order.map(|order| DIGITS - 1 - order);
    match places.map(usize::try_from) {
        Some(Ok(places)) if places <= 12 => format!("{number:.places$}"),
        _ => written,
    }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn long_numbers_are_cut_for_people_only() {
        for (text, shown) in [
            ("140", "140"),
            ("0.0000037", "0.0000037"),
            ("1.92e-8", "1.92e-8"),
            ("-16.7182818284590", "-16.7183"),
            ("0.000123456789", "0.000123457"),
            ("2.63612345678901e-12", "2.63612e-12"),
            ("1234567", "1234567"),
        ] {
            assert_eq!(short(text), shown);
        }
    }
}
