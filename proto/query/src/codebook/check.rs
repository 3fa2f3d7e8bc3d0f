//! What must hold across a codebook: unit and keys, sets, `when`, dates.

use super::{Codebook, Column, ColumnRef, Role, RowsPer, Table};
use crate::toml_reader::{Section, nearest};
use crate::value::ColumnType;

/// Checks everything that needs more than one part of the codebook.
pub(super) fn whole(root: &Section<'_>, codebook: &Codebook) {
    let unit = unit_type(root, codebook);
    for (name, section) in root.named("table") {
        if let Some(table) = codebook.tables.get(&name) {
            let is_unit_table = name == codebook.unit.table;
            unit_key(&section, table, codebook, is_unit_table, unit);
            strangers(&section, table, codebook, &name);
            date(&section, table);
            whens(&section, table, codebook, &name);
        }
    }
    for (name, section) in root.named("set") {
        let column: Option<String> = section.get("column");
        let column = column.as_deref().and_then(|column| column.split_once('.'));
        if let Some((table, column)) = column
            && exists(&section, codebook, root, (table, column), "column")
            && let Some(set) = codebook.sets.get(&name)
        {
            set_members(&section, codebook, &set.column);
        }
    }
}

/// The type of the privacy unit, if it is as it must be.
fn unit_type(root: &Section<'_>, codebook: &Codebook) -> Option<ColumnType> {
    let head = root.section_or_empty("codebook");
    let ColumnRef {
        table: table_name,
        column: column_name,
    } = &codebook.unit;
    if !exists(&head, codebook, root, (table_name, column_name), "unit") {
        return None;
    }
    let table = codebook.tables.get(table_name)?;
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
    codebook: &Codebook,
    root: &Section<'_>,
    (table, column): (&str, &str),
    key: &str,
) -> bool {
    let written = root.section_or_empty("table");
    if !written.has(table) {
        let names = written.keys();
        section.mistake(
            key,
            unknown("table", table, names.iter().map(String::as_str)),
        );
        return false;
    }
    let columns = written.section_or_empty(table).section_or_empty("column");
    if !columns.has(column) {
        let names = columns.keys();
        let what = format!("column of `{table}`");
        section.mistake(
            key,
            unknown(&what, column, names.iter().map(String::as_str)),
        );
        return false;
    }
    codebook
        .tables
        .get(table)
        .is_some_and(|table| table.columns.contains_key(column))
}

fn unknown<'a>(what: &str, name: &str, names: impl Iterator<Item = &'a str>) -> String {
    match nearest(name, names) {
        Some(near) => format!("there is no {what} `{name}`, write `{near}`"),
        None => format!("there is no {what} `{name}`, declare it or name another"),
    }
}

fn unit_key(
    section: &Section<'_>,
    table: &Table,
    codebook: &Codebook,
    is_unit_table: bool,
    unit: Option<ColumnType>,
) {
    if is_unit_table {
        if section.has("unit_key") && table.unit_key != codebook.unit.column {
            let text = format!(
                "the unit table's key is the unit, write \"{}\" or remove it",
                codebook.unit.column
            );
            section.mistake("unit_key", text);
        }
        return;
    }
    if !section.has("unit_key") {
        let text = format!(
            "`unit_key` is missing, write `unit_key = \"{}\"`: the column that \
                            holds the unit",
            codebook.unit.column
        );
        section.mistake_here(text);
        return;
    }
    let columns = section.section_or_empty("column");
    if !columns.has(&table.unit_key) {
        let type_name = unit.map_or("int", ColumnType::name);
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
    if let Some(unit) = unit.filter(|unit| *unit != column.ty) {
        columns.mistake(
            &table.unit_key,
            format!(
                "the unit has type {unit}, write `type = \"{}\"`",
                unit.name()
            ),
        );
    }
}

/// Identifier roles where they mean nothing.
fn strangers(section: &Section<'_>, table: &Table, codebook: &Codebook, name: &str) {
    let columns = section.section_or_empty("column");
    for (column_name, column) in &table.columns {
        let is_unit = *name == codebook.unit.table && *column_name == codebook.unit.column;
        if column.roles.contains(&Role::Unit) && !is_unit {
            let text = format!(
                "the unit is `{}.{}`, write `role = [\"key\"]` or remove the role",
                codebook.unit.table, codebook.unit.column
            );
            columns.mistake(column_name, text);
        }
        let is_key = !is_unit && *column_name == table.unit_key;
        if column.roles.contains(&Role::Key) && !is_key && !is_unit {
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
        section.mistake(
            "date",
            unknown("column", name, dates.iter().map(String::as_str)),
        );
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
fn whens(section: &Section<'_>, table: &Table, codebook: &Codebook, name: &str) {
    let columns = section.section_or_empty("column");
    let whens = |(column_name, column): (&String, &Column)| {
        let whens = columns.section_or_empty(column_name).sections("when");
        for (when, written) in column.when.iter().zip(whens) {
            match codebook.sets.get(&when.set) {
                None => {
                    let names = codebook.sets.keys().map(String::as_str);
                    written.mistake("set", unknown("set", &when.set, names));
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
    overlaps(&columns, table, codebook);
}

/// Two `when` of a column with a common code would give that code two bounds.
fn overlaps(columns: &Section<'_>, table: &Table, codebook: &Codebook) {
    for (name, column) in &table.columns {
        for (index, first) in column.when.iter().enumerate() {
            for second in column.when.iter().skip(index + 1) {
                let sets = (
                    codebook.sets.get(&first.set),
                    codebook.sets.get(&second.set),
                );
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
fn set_members(section: &Section<'_>, codebook: &Codebook, column: &ColumnRef) {
    let found = codebook
        .tables
        .get(&column.table)
        .and_then(|t| t.columns.get(&column.column));
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
