//! A result for people: the table, and below it everything one must know to read it.
//!
//! A withheld value is `·`, never 0. A value whose exact number is known only within an interval
//! carries the interval beside it: `450 (442–458)`, or `450 (442–)` where a node withheld its part,
//! so that the whole may be larger.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use comfy_table::{CellAlignment, ContentArrangement, Table, TableComponent, presets};

use super::{clean, key_text};
use crate::document::{Cell, Column, Document, Interval, Protection, Row};
use crate::problems;

/// What stands for a withheld value.
pub const WITHHELD: &str = "·";

/// What stands for a value that does not exist, such as x/0.
pub const UNDEFINED: &str = "n/a";

/// Lines below the table are broken here.
const WIDTH: usize = 100;

/// How to show the table.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    /// Show each node's own value below the combined one.
    pub by_site: bool,
    /// Use bold and colour.
    pub color: bool,
}

/// The whole text, newline at the end.
#[must_use]
pub fn render(document: &Document, look: Look) -> String {
    let mut text = String::new();
    if unprotected(document) {
        let banner =
            " UNPROTECTED  exact values of synthetic populations: nothing is rounded or withheld ";
        let banner = if look.color {
            format!("\u{1b}[1;30;43m{banner}\u{1b}[0m")
        } else {
            format!("***{banner}***")
        };
        text.push_str(&banner);
        text.push_str("\n\n");
    }
    for table in document.parts() {
        one(&mut text, &table.name, &document.only(table.clone()), look);
    }
    if let Some(analysis) = &document.analysis {
        text.push_str(&super::analysis::render(analysis));
    }
    text.push_str(&footer(document));
    text
}

/// One table under its name, if it has one.
fn one(text: &mut String, name: &str, document: &Document, look: Look) {
    if document.columns.is_empty() {
        return;
    }
    if !name.is_empty() {
        let _ = writeln!(text, "{}", clean(name));
    }
    // Statistics follow: rows that say nothing do not stand before them.
    let known = document.analysis.is_some() && !look.by_site;
    let mut shown = document.clone();
    if known {
        shown.rows.retain(|row| !is_withheld(row));
    }
    let hidden = document.rows.len() - shown.rows.len();
    text.push_str(&grid(&shown, look.by_site));
    if document.rows.is_empty() {
        text.push_str(" (no rows)\n");
    }
    if hidden > 0 {
        let (rows, them) = match hidden {
            1 => ("row", "it"),
            _ => ("rows", "them"),
        };
        let _ = writeln!(
            text,
            " {WITHHELD} in every cell of {hidden} {rows} more; --by-site shows {them}"
        );
    }
    text.push('\n');
    legend(text, document);
}

/// Whether nothing of a row is known.
fn is_withheld(row: &Row) -> bool {
    !row.key.is_empty() && row.cells.values().all(|cell| value_text(cell) == WITHHELD)
}

/// What stands below the table: who answered, who did not and why, rules, notes, the question.
#[must_use]
pub fn footer(document: &Document) -> String {
    let mut text = String::new();
    let said = |code: &str| {
        document
            .nodes
            .iter()
            .any(|node| node.code.as_deref() == Some(code))
    };
    if let Some(problem) = document
        .problem
        .as_ref()
        .filter(|problem| !said(&problem.code))
    {
        let words = format!("{} {}", problem.code, clean(&problem.message));
        say(&mut text, headline(&document.status), &words);
    }
    who(&mut text, document);
    rules(&mut text, document);
    for note in document
        .notes
        .iter()
        .filter(|note| note.code != "UNPROTECTED")
    {
        say(
            &mut text,
            "Note",
            &format!("{} {}", note.code, clean(&note.text)),
        );
    }
    for remark in document
        .analysis
        .iter()
        .flat_map(|found| &found.report.remarks)
    {
        say(&mut text, "Analysis", &clean(remark));
    }
    if let Some(question) = &document.question {
        let hash = short_hash(&question.hash);
        say(&mut text, "Question", &format!("{}  {hash}", question.id));
        if let Some(cohort) = &question.cohort {
            say(&mut text, "Cohort", &short_hash(&cohort.hash));
        }
    }
    text
}

fn unprotected(document: &Document) -> bool {
    document
        .protection
        .as_ref()
        .is_some_and(Protection::is_unprotected)
}

/// The rows and columns.
fn grid(document: &Document, by_site: bool) -> String {
    let shown: Vec<(&Column, bool)> = document
        .columns
        .iter()
        .map(|column| (column, has_interval(document, column)))
        .collect();
    let coverage = document.columns.iter().any(|column| !column.is_key());
    let lead = by_site && !document.columns.first().is_some_and(Column::is_key);

    let mut header = Vec::new();
    if lead {
        header.push("site".to_owned());
    }
    for (column, interval) in &shown {
        header.push(title(column));
        if *interval {
            header.push(String::new());
        }
    }
    if coverage {
        header.push("nodes".to_owned());
    }

    let mut table = plain();
    table.set_header(header);
    for row in &document.rows {
        let mut line = combined_line(&shown, row, coverage);
        if lead {
            line.insert(0, "all".to_owned());
        }
        table.add_row(line);
        if by_site {
            for line in site_lines(document, &shown, row, lead) {
                table.add_row(line);
            }
        }
    }
    align(&mut table, &shown, usize::from(lead));
    let text = trimmed(&table);
    let wide = text.lines().any(|line| line.chars().count() > WIDTH);
    match document.rows.as_slice() {
        [row] if wide && row.key.is_empty() && !by_site => trimmed(&upright(&shown, row)),
        _ => text,
    }
}

/// The lines of a table without blanks at their ends.
fn trimmed(table: &Table) -> String {
    let mut text = String::new();
    for line in table.lines() {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_style(TableComponent::HeaderLines, '─');
    table.set_style(TableComponent::MiddleHeaderIntersections, '─');
    table.set_content_arrangement(ContentArrangement::Disabled);
    table
}

/// The only row of a table that is too wide to be read, one line a column.
fn upright(shown: &[(&Column, bool)], row: &Row) -> Table {
    let mut table = plain();
    table.set_header(["column", "value", "", "nodes"]);
    for (column, _) in shown {
        let cell = row.cells.get(&column.name);
        let value = cell.map_or_else(|| WITHHELD.to_owned(), value_text);
        let interval = cell.map(interval_text).unwrap_or_default();
        let nodes = cell.map(|cell| format!("{} of {}", cell.nodes, cell.eligible));
        table.add_row([title(column), value, interval, nodes.unwrap_or_default()]);
    }
    if let Some(values) = table.column_mut(1) {
        values.set_cell_alignment(CellAlignment::Right);
        values.set_padding((2, 0));
    }
    table
}

fn title(column: &Column) -> String {
    match &column.unit {
        Some(unit) => format!("{} ({})", clean(&column.name), clean(unit)),
        None => clean(&column.name),
    }
}

fn align(table: &mut Table, shown: &[(&Column, bool)], first: usize) {
    let mut at = first;
    for (column, interval) in shown {
        if !column.is_key()
            && let Some(values) = table.column_mut(at)
        {
            values.set_cell_alignment(CellAlignment::Right);
            values.set_padding(if *interval { (2, 0) } else { (2, 1) });
        }
        at += 1;
        if *interval {
            at += 1;
        }
    }
    if let Some(nodes) = table.column_mut(at) {
        nodes.set_padding((2, 1));
    }
}

fn combined_line(shown: &[(&Column, bool)], row: &Row, coverage: bool) -> Vec<String> {
    let mut line = Vec::new();
    for (column, interval) in shown {
        if column.is_key() {
            line.push(
                row.key
                    .get(&column.name)
                    .map_or_else(String::new, |value| key_text(column, value)),
            );
            continue;
        }
        let cell = row.cells.get(&column.name);
        line.push(cell.map_or_else(|| WITHHELD.to_owned(), value_text));
        if *interval {
            line.push(cell.map(interval_text).unwrap_or_default());
        }
    }
    if coverage {
        line.push(coverage_text(shown, row));
    }
    line
}

/// One line for each node that answered: its own values, `·` where it withheld.
fn site_lines(
    document: &Document,
    shown: &[(&Column, bool)],
    row: &Row,
    lead: bool,
) -> Vec<Vec<String>> {
    let answered = document
        .nodes
        .iter()
        .filter(|node| node.status == "answered");
    let mut lines = Vec::new();
    for node in answered {
        let name = format!("  {}", clean(&node.name));
        let mut line = if lead { vec![name.clone()] } else { Vec::new() };
        for (column, interval) in shown {
            if column.is_key() {
                line.push(if line.is_empty() {
                    name.clone()
                } else {
                    String::new()
                });
                continue;
            }
            let own = row
                .cells
                .get(&column.name)
                .and_then(|cell| cell.sites.get(&node.name));
            line.push(own.map_or(WITHHELD, String::as_str).to_owned());
            if *interval {
                line.push(String::new());
            }
        }
        lines.push(line);
    }
    lines
}

fn value_text(cell: &Cell) -> String {
    match &cell.number {
        Some(number) => number.value.clone(),
        None if cell.is_undefined() => UNDEFINED.to_owned(),
        None => WITHHELD.to_owned(),
    }
}

fn interval_text(cell: &Cell) -> String {
    let Some(number) = &cell.number else {
        return String::new();
    };
    let mark = if cell.near_earlier { "*" } else { "" };
    if is_exact(number) {
        return mark.to_owned();
    }
    let side = |bound: &Option<String>| bound.clone().unwrap_or_default();
    let (lower, upper) = (side(&number.lower), side(&number.upper));
    // `-5–-1` cannot be read.
    let between = if lower.starts_with('-') && !upper.is_empty() {
        " to "
    } else {
        "–"
    };
    format!("({lower}{between}{upper}){mark}")
}

fn is_exact(number: &Interval) -> bool {
    let value = Some(&number.value);
    number.lower.as_ref() == value && number.upper.as_ref() == value
}

fn has_interval(document: &Document, column: &Column) -> bool {
    let cells = document
        .rows
        .iter()
        .filter_map(|row| row.cells.get(&column.name));
    cells
        .into_iter()
        .any(|cell| !interval_text(cell).is_empty())
}

/// `3 of 4`; where the cells of a row differ, one number per column: `4, 3 of 4`.
fn coverage_text(shown: &[(&Column, bool)], row: &Row) -> String {
    let cells: Vec<&Cell> = shown
        .iter()
        .filter_map(|(column, _)| row.cells.get(&column.name))
        .collect();
    let Some(first) = cells.first() else {
        return String::new();
    };
    let distinct: BTreeSet<u64> = cells.iter().map(|cell| cell.nodes).collect();
    let counts = if distinct.len() == 1 {
        first.nodes.to_string()
    } else {
        let each: Vec<String> = cells.iter().map(|cell| cell.nodes.to_string()).collect();
        each.join(", ")
    };
    format!("{counts} of {}", first.eligible)
}

/// What the signs in the table mean, for those that occur in it.
fn legend(text: &mut String, document: &Document) {
    let cells = || document.rows.iter().flat_map(|row| row.cells.values());
    let withheld = cells().any(|cell| cell.withheld)
        || document.rows.iter().any(|row| {
            row.cells
                .values()
                .any(|cell| !cell.sites.is_empty() && answered(document) > cell.sites.len())
        });
    let open = cells().any(|cell| cell.number.as_ref().is_some_and(|n| n.upper.is_none()));
    let closed = cells().any(|cell| {
        cell.number
            .as_ref()
            .is_some_and(|n| n.upper.is_some() && !is_exact(n))
    });
    if withheld {
        text.push_str(" ·        withheld: too few persons, none, or another rule of release; never read it as 0\n");
    }
    if closed {
        text.push_str(" (a–b)    the exact number of the nodes in the cell lies between a and b\n");
    }
    if open {
        text.push_str(
            " (a–)     a node withheld its part: value and a speak for the other nodes, nothing bounds the whole\n",
        );
    }
    if cells().any(|cell| cell.is_undefined()) {
        let _ = writeln!(
            text,
            " {UNDEFINED}      no such number, such as a division by zero"
        );
    }
    if cells().any(|cell| cell.near_earlier) {
        text.push_str(
            " *        a node answered with an earlier release that is nearly the same\n",
        );
    }
    if withheld || open || closed {
        text.push('\n');
    }
}

fn answered(document: &Document) -> usize {
    document
        .nodes
        .iter()
        .filter(|node| node.status == "answered")
        .count()
}

fn headline(status: &str) -> &str {
    match status {
        "refused" => "Refused",
        "too_few_nodes" => "Too few",
        _ => "Failed",
    }
}

/// Who answered, who refused and why, who was late or absent.
fn who(text: &mut String, document: &Document) {
    let with = |status: &str| {
        let names = document.nodes.iter().filter(|node| node.status == status);
        names
            .map(|node| clean(&node.name))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let answered = with("answered");
    if !answered.is_empty() {
        say(text, "Answered", &answered);
    }
    let mut refused: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for node in document
        .nodes
        .iter()
        .filter(|node| node.status == "refused")
    {
        let code = node.code.as_deref().unwrap_or_default();
        refused.entry(code).or_default().push(clean(&node.name));
    }
    for (code, names) in refused {
        let reason = problems::sentence(code);
        say(
            text,
            "Refused",
            &format!("{}: {code} {reason}", names.join(", ")),
        );
    }
    for (status, label, why) in [
        ("waiting", "Waiting", "its custodian has not decided yet"),
        (
            "late",
            "Late",
            "received the question, did not answer in time",
        ),
        ("absent", "Absent", "was not connected"),
    ] {
        let names = with(status);
        if !names.is_empty() {
            say(text, label, &format!("{names} ({why})"));
        }
    }
}

/// Which rules of release were in force.
fn rules(text: &mut String, document: &Document) {
    let Some(protection) = &document.protection else {
        return;
    };
    if protection.is_unprotected() {
        say(text, "Released", "UNPROTECTED, to 15 significant digits");
        return;
    }
    if let (Some(k), Some(bound)) = (protection.k, protection.noise_bound) {
        say(
            text,
            "Released",
            &format!(
                "each node by its own rules: cells of at least {k} persons, counts with noise of at most {bound}"
            ),
        );
        return;
    }
    if let (Some(k), Some(base)) = (protection.k, protection.round_base) {
        let threshold = quorate_query::release::k_eff(k, base);
        say(
            text,
            "Released",
            &format!(
                "each node by its own rules: cells of at least {threshold} persons, counts rounded to {base}"
            ),
        );
    }
}

/// A label and what is said under it, in lines of readable length.
fn say(text: &mut String, label: &str, words: &str) {
    let mut line = format!(" {label:<9} ");
    let indent = " ".repeat(line.chars().count());
    let mut used = line.chars().count();
    for (at, word) in words.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 && used + 1 + length > WIDTH {
            text.push_str(line.trim_end());
            text.push('\n');
            line.clone_from(&indent);
            used = indent.len();
        } else if at > 0 {
            line.push(' ');
            used += 1;
        }
        line.push_str(word);
        used += length;
    }
    text.push_str(line.trim_end());
    text.push('\n');
}

fn short_hash(hash: &str) -> String {
    hash.chars().take("sha256:".len() + 12).collect()
}
