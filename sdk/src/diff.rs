//! What changed from one codebook to another, in words that tell what it means for questions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use quorate_query::codebook::{Codebook, Column, RowsPer, Table};
use quorate_query::value::Scalar;

/// One line per change, sorted by place; a single line if nothing changed.
#[must_use]
pub fn compare(old: &Codebook, new: &Codebook) -> String {
    if old.digest == new.digest {
        return format!("the same codebook: {}\n", new.digest);
    }
    let mut lines = Vec::new();
    let head = |book: &Codebook| format!("{} version {}", book.name, book.version);
    changed(&mut lines, "codebook", &head(old), &head(new));
    changed(
        &mut lines,
        "unit",
        &show_ref(&old.unit),
        &show_ref(&new.unit),
    );
    release(&mut lines, old, new);
    for (name, before, after) in pairs(&old.sets, &new.sets) {
        let place = format!("set.{name}");
        match (before, after) {
            (Some(before), Some(after)) => {
                let gone = before.values.difference(&after.values).count();
                let come = after.values.difference(&before.values).count();
                if gone + come > 0 {
                    lines.push(format!("~ {place}: {come} values added, {gone} removed"));
                }
                changed(
                    &mut lines,
                    &place,
                    &show_ref(&before.column),
                    &show_ref(&after.column),
                );
            }
            (None, Some(after)) => lines.push(format!("+ {place}: {} values", after.values.len())),
            (Some(_), None) => lines.push(format!("- {place}: questions that name it are refused")),
            (None, None) => {}
        }
    }
    for (name, before, after) in pairs(&old.tables, &new.tables) {
        match (before, after) {
            (Some(before), Some(after)) => table(&mut lines, name, before, after),
            (None, Some(after)) => {
                lines.push(format!("+ table.{name}: {} columns", after.columns.len()));
            }
            (Some(_), None) => {
                lines.push(format!(
                    "- table.{name}: questions that name it are refused"
                ));
            }
            (None, None) => {}
        }
    }
    if old.core != new.core {
        lines.push(format!(
            "~ core: {} core tables, before {}",
            new.core.len(),
            old.core.len()
        ));
    }
    if lines.is_empty() {
        lines.push("nothing but comments and layout changed".to_owned());
    }
    let mut text = lines.join("\n");
    let _ = write!(text, "\n{}\n{}\n", old.digest, new.digest);
    text
}

fn show_ref(column: &quorate_query::codebook::ColumnRef) -> String {
    format!("{}.{}", column.table, column.column)
}

fn pairs<'a, V>(
    old: &'a BTreeMap<String, V>,
    new: &'a BTreeMap<String, V>,
) -> Vec<(&'a str, Option<&'a V>, Option<&'a V>)> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names
        .into_iter()
        .map(|name| (name.as_str(), old.get(name), new.get(name)))
        .collect()
}

fn changed(lines: &mut Vec<String>, place: &str, before: &str, after: &str) {
    if before != after {
        lines.push(format!("~ {place}: {after}, before {before}"));
    }
}

fn release(lines: &mut Vec<String>, old: &Codebook, new: &Codebook) {
    let (a, b) = (&old.release, &new.release);
    let mut line = |key: &str, before: String, after: String| {
        changed(lines, &format!("release.{key}"), &before, &after);
    };
    line("mode", a.mode.name().to_owned(), b.mode.name().to_owned());
    line("k", a.k.to_string(), b.k.to_string());
    line(
        "round_base",
        a.round_base.to_string(),
        b.round_base.to_string(),
    );
    line("p_pct", a.p_pct.to_string(), b.p_pct.to_string());
    line("nk", format!("{:?}", a.nk), format!("{:?}", b.nk));
    line("dof", a.dof.to_string(), b.dof.to_string());
    line(
        "group_share",
        a.group_share.to_string(),
        b.group_share.to_string(),
    );
    let sparse = |p: &quorate_query::release::ReleaseParams| {
        p.sparse.map_or("off".to_owned(), |s| s.to_string())
    };
    line("sparse", sparse(a), sparse(b));
    line(
        "max_cells",
        a.max_cells.to_string(),
        b.max_cells.to_string(),
    );
    line(
        "min_nodes",
        a.min_nodes.to_string(),
        b.min_nodes.to_string(),
    );
    line(
        "zeros_public",
        a.zeros_public.to_string(),
        b.zeros_public.to_string(),
    );
}

fn table(lines: &mut Vec<String>, name: &str, old: &Table, new: &Table) {
    let place = format!("table.{name}");
    let rows = |table: &Table| match table.rows {
        RowsPer::Unit => "one row per unit".to_owned(),
        RowsPer::Many { max_rows } => format!("many rows per unit, {max_rows} count"),
    };
    changed(lines, &place, &rows(old), &rows(new));
    changed(
        lines,
        &format!("{place}.unit_key"),
        &old.unit_key,
        &new.unit_key,
    );
    let date = |table: &Table| table.date.clone().unwrap_or_else(|| "none".to_owned());
    changed(lines, &format!("{place}.date"), &date(old), &date(new));
    for (column, before, after) in pairs(&old.columns, &new.columns) {
        let place = format!("{place}.column.{column}");
        match (before, after) {
            (Some(before), Some(after)) => compare_columns(lines, &place, before, after),
            (None, Some(_)) => lines.push(format!("+ {place}")),
            (Some(_), None) => lines.push(format!("- {place}: questions that name it are refused")),
            (None, None) => {}
        }
    }
}

fn compare_columns(lines: &mut Vec<String>, place: &str, old: &Column, new: &Column) {
    let mut line = |key: &str, before: String, after: String| {
        changed(lines, &format!("{place}.{key}"), &before, &after);
    };
    line("type", type_name(old), type_name(new));
    let unit = |column: &Column| column.unit.clone().unwrap_or_else(|| "none".to_owned());
    line("unit", unit(old), unit(new));
    line("role", roles(old), roles(new));
    let domain = |column: &Column| match &column.domain {
        Some(values) => {
            let each = values.iter().map(|(value, label)| {
                format!("{} {label}", crate::render::plain_key(&value.to_json()))
            });
            each.collect::<Vec<_>>().join(", ")
        }
        None => "open".to_owned(),
    };
    line("domain", domain(old), domain(new));
    let bounds = |column: &Column| match &column.bounds {
        Some((low, high)) => format!("{low} to {high}"),
        None => "none".to_owned(),
    };
    line("bounds", bounds(old), bounds(new));
    let period = |column: &Column| match column.period {
        Some((first, last)) => format!("{} to {}", Scalar::Date(first), Scalar::Date(last)),
        None => "none".to_owned(),
    };
    line("period", period(old), period(new));
    let list = |numbers: &[quorate_query::number::Number]| {
        let each: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        format!("[{}]", each.join(", "))
    };
    line("bands", list(&old.bands), list(&new.bands));
    line("cuts", list(&old.cuts), list(&new.cuts));
    let sensitive = |column: &Column| match column.sensitive_values.as_slice() {
        [] => column.sensitive.to_string(),
        values => {
            let each: Vec<String> = values.iter().map(ToString::to_string).collect();
            format!("[{}]", each.join(", "))
        }
    };
    line("sensitive", sensitive(old), sensitive(new));
    line(
        "missing_public",
        old.missing_public.to_string(),
        new.missing_public.to_string(),
    );
    line(
        "required",
        old.required.to_string(),
        new.required.to_string(),
    );
    let when = |column: &Column| {
        let each = column.when.iter().map(|when| {
            let unit = when.unit.as_deref().unwrap_or("no unit");
            format!(
                "{}: {unit}, {} to {}",
                when.set, when.bounds.0, when.bounds.1
            )
        });
        each.collect::<Vec<_>>().join("; ")
    };
    line("when", when(old), when(new));
}

/// A column's type as the codebook writes it.
#[must_use]
pub fn type_name(column: &Column) -> String {
    use quorate_query::value::ColumnType;
    match column.ty {
        ColumnType::Int => "int".to_owned(),
        ColumnType::Decimal { scale } => format!("decimal({scale})"),
        ColumnType::Text => "text".to_owned(),
        ColumnType::Date => "date".to_owned(),
        ColumnType::Bool => "bool".to_owned(),
    }
}

/// A column's roles as the codebook writes them.
#[must_use]
pub fn roles(column: &Column) -> String {
    use quorate_query::codebook::Role;
    let word = |role: &Role| match role {
        Role::Unit => "unit",
        Role::Key => "key",
        Role::Filter => "filter",
        Role::Group => "group",
        Role::Value => "value",
        Role::Date => "date",
    };
    let words: Vec<&str> = column.roles.iter().map(word).collect();
    if words.is_empty() {
        "none".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = r#"
[codebook]
format = 1
name = "t"
version = 1
unit = "person.person_id"
[set.young]
column = "person.age"
values = [1, 2]
[table.person]
rows = "one-per-unit"
[table.person.column]
person_id = { type = "int", role = ["unit"] }
age = { type = "int", role = ["filter", "value"], bounds = [0, 120], bands = [5] }
sex = { type = "int", role = ["group"], domain = { 0 = "f", 1 = "m" } }
"#;

    fn book(text: &str) -> Codebook {
        quorate_query::codebook::read(text, "t").unwrap()
    }

    #[test]
    fn every_change_is_told_once() {
        let new = OLD
            .replace("version = 1", "version = 2")
            .replace("bounds = [0, 120]", "bounds = [0, 110]")
            .replace("1 = \"m\"", "1 = \"m\", 2 = \"x\"")
            .replace("values = [1, 2]", "values = [2, 3, 4]");
        let text = compare(&book(OLD), &book(&new));
        let changes: Vec<&str> = text.lines().filter(|line| line.starts_with('~')).collect();
        assert_eq!(
            changes,
            [
                "~ codebook: t version 2, before t version 1",
                "~ set.young: 2 values added, 1 removed",
                "~ table.person.column.age.bounds: 0 to 110, before 0 to 120",
                "~ table.person.column.sex.domain: 0 f, 1 m, 2 x, before 0 f, 1 m",
                "~ table.person.column.sex.bounds: 0 to 2, before 0 to 1",
            ]
        );
    }

    #[test]
    fn what_goes_is_said_with_its_consequence() {
        let new: String = OLD
            .lines()
            .filter(|line| !line.starts_with("sex"))
            .map(|l| format!("{l}\n"))
            .collect();
        let text = compare(&book(OLD), &book(&new));
        assert!(
            text.contains("- table.person.column.sex: questions that name it are refused"),
            "{text}"
        );
        let back = compare(&book(&new), &book(OLD));
        assert!(back.contains("+ table.person.column.sex"), "{back}");
    }

    #[test]
    fn comments_change_nothing() {
        let text = compare(&book(OLD), &book(&format!("# a remark\n{OLD}")));
        assert!(text.starts_with("nothing but comments"), "{text}");
        assert!(compare(&book(OLD), &book(OLD)).starts_with("the same codebook"));
    }
}
