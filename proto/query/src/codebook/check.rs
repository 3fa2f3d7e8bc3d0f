//! What must hold across a codebook: unit and keys, sets, `when`, dates.

use std::collections::BTreeMap;

use super::{Column, ColumnRef, ConceptSet, Role, RowsPer, Table};
use crate::toml_reader::{Section, nearest};
use crate::value::ColumnType;

/// What was read so far, mistakes left out.
pub(super) struct Parts<'a> {
    pub(super) unit: Option<&'a ColumnRef>,
    pub(super) sets: &'a BTreeMap<String, ConceptSet>,
    pub(super) tables: &'a BTreeMap<String, Table>,
}

impl Parts<'_> {
    fn column(&self, column: &ColumnRef) -> Option<&Column> {
        self.tables.get(&column.table)?.columns.get(&column.column)
    }
}

/// Checks everything that needs more than one part of the codebook.
pub(super) fn whole(root: &Section<'_>, parts: &Parts<'_>) {
    let unit = parts
        .unit
        .and_then(|unit| Some((unit, unit_type(root, parts, unit)?)));
    // A set with a mistake of its own is there all the same.
    let written_sets = root.section_or_empty("set").keys();
    for (name, section) in root.named("table") {
        if let Some(table) = parts.tables.get(&name) {
            if let Some((unit, ty)) = unit {
                unit_key(&section, table, unit, ty, name == unit.table);
                strangers(&section, table, unit, &name);
            }
            date(&section, table);
            whens(&section, table, parts, &name, &written_sets);
        }
    }
    for (_, section) in root.named("set") {
        let column: Option<String> = section.get("column");
        let column = column.as_deref().and_then(|column| column.split_once('.'));
        if let Some((table, column)) = column
            && exists(&section, parts, root, (table, column), "column")
        {
            let column = ColumnRef {
                table: table.to_owned(),
                column: column.to_owned(),
            };
            set_members(&section, parts, &column);
        }
    }
}

/// The type of the privacy unit, if it names a column.
fn unit_type(root: &Section<'_>, parts: &Parts<'_>, unit: &ColumnRef) -> Option<ColumnType> {
    let head = root.section_or_empty("codebook");
    let ColumnRef {
        table: table_name,
        column: column_name,
    } = unit;
    if !exists(&head, parts, root, (table_name, column_name), "unit") {
        return None;
    }
    let table = parts.tables.get(table_name)?;
    let column = table.columns.get(column_name)?;
    if table.rows != RowsPer::Unit {
        let text = format!(
            "`{table_name}` has many rows per unit, name the key of a table with \
                            `rows = \"one-per-unit\"`"
        );
        head.mistake("unit", text);
    }
    if !column.roles.contains(&Role::Unit) {
        let text = format!(
            "`{table_name}.{column_name}` is not marked, write `role = [\"unit\"]` \
                            at the column"
        );
        head.mistake("unit", text);
    }
    if !matches!(column.ty, ColumnType::Int | ColumnType::Text) {
        head.mistake(
            "unit",
            "a key is an int or a text, change the column's type",
        );
    }
    Some(column.ty)
}

/// Whether a column exists; if not, a mistake at `key` that suggests the nearest name. A table or
/// column that is there but has a mistake of its own is not reported again.
fn exists(
    section: &Section<'_>,
    parts: &Parts<'_>,
    root: &Section<'_>,
    (table, column): (&str, &str),
    key: &str,
) -> bool {
    let written = root.section_or_empty("table");
    if !written.has(table) {
        let names = written.keys();
        section.mistake(key, unknown("table", table, "", &names));
        return false;
    }
    let columns = written.section_or_empty(table).section_or_empty("column");
    if !columns.has(column) {
        let names = columns.keys();
        let place = format!(" in `{table}`");
        section.mistake(key, unknown("column", column, &place, &names));
        return false;
    }
    parts
        .tables
        .get(table)
        .is_some_and(|table| table.columns.contains_key(column))
}

/// More names than this do not help a reader.
const LISTED: usize = 12;

fn unknown(what: &str, name: &str, place: &str, names: &[String]) -> String {
    let advice = match nearest(name, names.iter().map(String::as_str)) {
        Some(near) => format!("write `{near}`"),
        None if (1..=LISTED).contains(&names.len()) => {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            format!("declare it or write one of {}", names.join(", "))
        }
        None => "declare it or name another".to_owned(),
    };
    format!("there is no {what} `{name}`{place}, {advice}")
}

fn unit_key(
    section: &Section<'_>,
    table: &Table,
    unit: &ColumnRef,
    ty: ColumnType,
    is_unit_table: bool,
) {
    if is_unit_table {
        if section.has("unit_key") && table.unit_key != unit.column {
            let text = format!(
                "the unit table's key is the unit, write \"{}\" or remove it",
                unit.column
            );
            section.mistake("unit_key", text);
        }
        return;
    }
    if !section.has("unit_key") {
        let text = format!(
            "`unit_key` is missing, write `unit_key = \"{}\"`: the column that \
                            holds the unit",
            unit.column
        );
        section.mistake_here(text);
        return;
    }
    let columns = section.section_or_empty("column");
    if !columns.has(&table.unit_key) {
        let type_name = ty.name();
        let text = format!(
            "the column is not declared, write `{} = {{ type = \"{type_name}\", \
                            role = [\"key\"] }}` under `[{}]`",
            table.unit_key,
            columns.path()
        );
        section.mistake("unit_key", text);
        return;
    }
    let Some(column) = table.columns.get(&table.unit_key) else {
        return;
    };
    if !column.roles.contains(&Role::Key) {
        columns.mistake(
            &table.unit_key,
            "this column holds the unit, write `role = [\"key\"]`",
        );
    }
    if ty != column.ty {
        let text = format!("the unit has type {ty}, write `type = \"{}\"`", ty.name());
        columns.mistake(&table.unit_key, text);
    }
}

/// Identifier roles where they mean nothing.
fn strangers(section: &Section<'_>, table: &Table, unit: &ColumnRef, name: &str) {
    let columns = section.section_or_empty("column");
    for (column_name, column) in &table.columns {
        let is_unit = *name == unit.table && *column_name == unit.column;
        if column.roles.contains(&Role::Unit) && !is_unit {
            let text = format!(
                "the unit is `{}.{}`, write `role = [\"key\"]` or remove the role",
                unit.table, unit.column
            );
            columns.mistake(column_name, text);
        }
        let is_key = !is_unit && *column_name == table.unit_key;
        if column.roles.contains(&Role::Key) && !is_key && !is_unit && section.has("unit_key") {
            columns.mistake(
                column_name,
                "role \"key\" is for the table's `unit_key` only, remove it",
            );
        }
    }
}

fn date(section: &Section<'_>, table: &Table) {
    let Some(name) = &table.date else {
        return;
    };
    let columns = section.section_or_empty("column");
    if !columns.has(name) {
        let dates = columns.keys();
        section.mistake("date", unknown("column", name, "", &dates));
    } else if table
        .columns
        .get(name)
        .is_some_and(|column| column.ty != ColumnType::Date)
    {
        section.mistake(
            "date",
            format!("`{name}` is no date, name a column with `type = \"date\"`"),
        );
    }
}

/// Sets named by `when` exist and speak about a column of the same table.
fn whens(
    section: &Section<'_>,
    table: &Table,
    parts: &Parts<'_>,
    name: &str,
    written_sets: &[String],
) {
    let columns = section.section_or_empty("column");
    let whens = |(column_name, column): (&String, &Column)| {
        let whens = columns.section_or_empty(column_name).sections("when");
        for (when, written) in column.when.iter().zip(whens) {
            match parts.sets.get(&when.set) {
                None if written_sets.contains(&when.set) => {}
                None => {
                    written.mistake("set", unknown("set", &when.set, "", written_sets));
                }
                Some(set) if set.column.table != name => {
                    let text = format!(
                        "the set is about `{}.{}`, name a set about a column of \
                                        `{name}`",
                        set.column.table, set.column.column
                    );
                    written.mistake("set", text);
                }
                Some(_) => {}
            }
        }
    };
    table.columns.iter().for_each(whens);
    overlaps(&columns, table, parts);
}

/// Two `when` of a column with a common code would give that code two bounds.
fn overlaps(columns: &Section<'_>, table: &Table, parts: &Parts<'_>) {
    for (name, column) in &table.columns {
        for (index, first) in column.when.iter().enumerate() {
            for second in column.when.iter().skip(index + 1) {
                let sets = (parts.sets.get(&first.set), parts.sets.get(&second.set));
                let (Some(a), Some(b)) = sets else {
                    continue;
                };
                if a.column == b.column && !a.values.is_disjoint(&b.values) {
                    let text = format!(
                        "sets `{}` and `{}` have members in common, keep them apart",
                        first.set, second.set
                    );
                    columns.section_or_empty(name).mistake("when", text);
                }
            }
        }
    }
}

/// Members of a set over a closed domain are in the domain, and an identifier has no sets.
fn set_members(section: &Section<'_>, parts: &Parts<'_>, column: &ColumnRef) {
    let found = parts.column(column);
    let Some(found) = found else {
        return;
    };
    if found.roles.contains(&Role::Unit) || found.roles.contains(&Role::Key) {
        section.mistake(
            "column",
            "an identifier is never compared, name another column",
        );
    } else if !found.roles.contains(&Role::Filter) {
        section.mistake(
            "column",
            "the column cannot be filtered, add \"filter\" to its role",
        );
    }
    let (Some(domain), Some(values)) = (&found.domain, section.value("values")) else {
        return;
    };
    for entry in values.as_list().unwrap_or_default() {
        let scalar = super::column::scalar(&entry, found.ty);
        if let Some(scalar) = scalar.filter(|s| !domain.iter().any(|(value, _)| value == s)) {
            entry.mistake(format!(
                "`{scalar}` is not in the domain of the column, remove it"
            ));
        }
    }
}
