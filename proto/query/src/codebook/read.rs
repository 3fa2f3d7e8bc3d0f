//! From text to [`Codebook`]: every key of the format, every mistake at once.
//!
//! Columns are read first, because sets need their types; what needs the whole picture (units,
//! keys, sets named by `when`) is checked in `check`.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Codebook, ColumnRef, ConceptSet, RowsPer, Table, check, column};
use crate::derived::{Called, Columns};
use crate::number::Number;
use crate::problem::Code;
use crate::question::Params;
use crate::release::{Output, ReleaseParams};
use crate::toml_reader::{File, Mistakes, Section, Spanned, Value};
use crate::value::Scalar;

/// Format that this crate reads.
const FORMAT: i64 = 1;

/// Reads a codebook. `path` is only used in messages. Set files must be in the text already, see
/// [`super::inline_sets`].
pub fn read(text: &str, path: &str) -> Result<Codebook, Mistakes> {
    let file = File::parse(text, path)?;
    let codebook = read_root(&file.root(), text);
    file.finish(codebook)
}

/// `sha256:` + hex of a published codebook text.
#[must_use]
pub fn digest(text: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(text.as_bytes())))
}

fn read_root(root: &Section<'_>, text: &str) -> Option<Codebook> {
    let head = root.need_section("codebook");
    if let Some(format) = head.need::<i64>("format")
        && format != FORMAT
    {
        head.mistake(
            "format",
            format!("format {format} is unknown, write `format = {FORMAT}`"),
        );
    }
    let name = head.need::<String>("name");
    let version = head.need::<u64>("version");
    let unit = head
        .need::<Spanned<String>>("unit")
        .and_then(|unit| column_ref(&head, unit));
    let release = release_params(&root.section_or_empty("release"));
    let tables = tables(root);
    let sets = sets(root, &tables);
    let core = root
        .sections("core")
        .iter()
        .filter_map(|core| core.need("sql"))
        .collect();
    // Every check runs whatever is wrong above: all mistakes are reported at once.
    check::whole(
        root,
        &check::Parts {
            unit: unit.as_ref(),
            sets: &sets,
            tables: &tables,
        },
    );
    let codebook = with_unit_key(Codebook {
        digest: digest(text),
        text: text.into(),
        name: name?,
        version: version?,
        unit: unit?,
        release,
        sets,
        tables,
        core,
        derived: Columns::new(),
        called: Called::new(),
    });
    core_questions(root, &codebook);
    Some(codebook)
}

/// Core tables are asked at every node: a question that would be refused is a mistake here.
fn core_questions(root: &Section<'_>, codebook: &Codebook) {
    if root.file().has_mistakes() {
        return;
    }
    for (section, sql) in root.sections("core").iter().zip(&codebook.core) {
        if let Err(problem) = crate::sql::read(sql, &Params::new(), codebook) {
            let write = problem
                .write
                .map(|write| format!(", write `{write}`"))
                .unwrap_or_default();
            let Code(code) = problem.code;
            section.mistake("sql", format!("{code}: {}{write}", problem.message));
        }
    }
}

/// The unit table's key is the unit; saying so again is not needed.
fn with_unit_key(mut codebook: Codebook) -> Codebook {
    if let Some(table) = codebook.tables.get_mut(&codebook.unit.table) {
        table.unit_key.clone_from(&codebook.unit.column);
    }
    codebook
}

fn release_params(section: &Section<'_>) -> ReleaseParams {
    let default = ReleaseParams::default();
    let number = |key: &str, low: u32, high: u32, default: u32| {
        section.within(key, low..=high).unwrap_or(default)
    };
    let modes = [("round", Output::Round), ("cell_key", Output::CellKey)];
    let mode = section.value("mode").and_then(|mode| mode.word(&modes));
    ReleaseParams {
        mode: mode.unwrap_or(default.mode),
        k: number("k", 1, 1000, default.k),
        round_base: number("round_base", 1, 100, default.round_base),
        p_pct: number("p_pct", 0, 100, default.p_pct),
        nk: section
            .value("nk")
            .and_then(|nk| dominance(&nk))
            .unwrap_or(default.nk),
        dof: number("dof", 1, 1000, default.dof),
        group_share: section
            .value("group_share")
            .and_then(|share| hundredths(&share))
            .unwrap_or(default.group_share),
        sparse: section.has("sparse").then(|| number("sparse", 1, 100, 100)),
        max_cells: number("max_cells", 1, 100_000, default.max_cells),
        min_nodes: number("min_nodes", 1, 1000, default.min_nodes),
        zeros_public: section.or("zeros_public", default.zeros_public),
    }
}

/// `[2, 0.90]`: number of contributors and their share, in hundredths.
fn dominance(value: &Value<'_>) -> Option<(u32, u32)> {
    let numbers: Vec<Number> = value.clone().read()?;
    let share = |number: &Number| u32::try_from(number.at_scale(2)?).ok();
    let found = match numbers.as_slice() {
        [n, part] => Option::zip(
            n.to_integer().and_then(|n| u32::try_from(n).ok()),
            share(part),
        ),
        _ => None,
    };
    let found = found.filter(|(n, part)| (1..=10).contains(n) && (1..=100).contains(part));
    if found.is_none() {
        let text = "write the number of contributors (1 to 10) and their share in hundredths, \
                    such as [2, 0.90]";
        value.mistake(text);
    }
    found
}

/// `0.90`: above one half, so that at most one value of a group can reach it.
fn hundredths(share: &Value<'_>) -> Option<u32> {
    let found = share
        .as_number()
        .and_then(|number| u32::try_from(number.at_scale(2)?).ok())
        .filter(|share| (51..=100).contains(share));
    if found.is_none() {
        share.mistake("write a share from 0.51 to 1.00 in hundredths, such as 0.90");
    }
    found
}

fn tables(root: &Section<'_>) -> BTreeMap<String, Table> {
    let sections = root.named("table");
    if sections.is_empty() {
        root.mistake_here("there is no table, write `[table.person]` and so on");
    }
    let read = sections.into_iter().map(|(name, section)| {
        check_name(&section, &name);
        let table = table(&section);
        (name, table)
    });
    read.collect()
}

/// A table whose `rows` is a mistake is kept as one row per unit, so that its columns are checked.
fn table(section: &Section<'_>) -> Table {
    let kinds = [("one-per-unit", false), ("many", true)];
    let many = section.need_one_of("rows", &kinds);
    let rows = match many {
        Some(true) => {
            let max = section.need::<Spanned<u32>>("max_rows");
            if let Some(max) = &max
                && !(1..=1_000_000).contains(&max.value)
            {
                section.mistake("max_rows", "write a value from 1 to 1000000");
            }
            max.map(|max| RowsPer::Many {
                max_rows: max.value,
            })
        }
        Some(false) if section.has("max_rows") => {
            let text = "a table with one row per unit has no `max_rows`, remove it or write \
                        `rows = \"many\"`";
            section.mistake("max_rows", text);
            None
        }
        Some(false) => Some(RowsPer::Unit),
        None => {
            section.skip(&["max_rows"]);
            None
        }
    };
    let unit_key = section.get::<String>("unit_key");
    let date = section.get::<String>("date");
    let columns = column::columns(section);
    Table {
        rows: rows.unwrap_or(RowsPer::Unit),
        unit_key: unit_key.unwrap_or_default(),
        date,
        columns,
    }
}

fn sets(root: &Section<'_>, tables: &BTreeMap<String, Table>) -> BTreeMap<String, ConceptSet> {
    let read = root.named("set").into_iter().filter_map(|(name, section)| {
        check_name(&section, &name);
        Some((name, set(&section, tables)?))
    });
    read.collect()
}

fn set(section: &Section<'_>, tables: &BTreeMap<String, Table>) -> Option<ConceptSet> {
    let column = section.need::<Spanned<String>>("column");
    if section.has("file") {
        let text = "the members are in another file, so this text is not complete: publish it \
                    (publishing puts them in), or write `values = [...]` instead";
        section.mistake("file", text);
        section.skip(&["values"]);
        return None;
    }
    let values = section.value("values");
    if values.is_none() {
        section.mistake_here("`values` is missing, write `values = [...]` or `file = \"...\"`");
    }
    let column = column.and_then(|column| column_ref(section, column))?;
    // A column that does not exist is reported once, by `check`.
    let ty = tables.get(&column.table)?.columns.get(&column.column)?.ty;
    let entries = values?.need_list()?;
    if entries.is_empty() {
        section.mistake("values", "the set is empty, write at least one value");
    }
    let values: Vec<Option<Scalar>> = entries
        .iter()
        .map(|entry| column::scalar(entry, ty))
        .collect();
    let values: Option<BTreeSet<Scalar>> = values.into_iter().collect();
    Some(ConceptSet {
        column,
        values: values?,
    })
}

/// `table.column`.
fn column_ref(section: &Section<'_>, text: Spanned<String>) -> Option<ColumnRef> {
    let parts: Vec<&str> = text.value.split('.').collect();
    if let [table, column] = parts.as_slice()
        && !table.is_empty()
        && !column.is_empty()
    {
        return Some(ColumnRef {
            table: (*table).to_owned(),
            column: (*column).to_owned(),
        });
    }
    let wrong = format!("`{}` names no column, write \"table.column\"", text.value);
    section.file().mistake(text.at, text.path, wrong);
    None
}

/// Names appear in SQL without quotes, so they must be what SQL reads as a plain name.
pub(super) fn check_name(section: &Section<'_>, name: &str) {
    let mut chars = name.chars();
    let first = chars
        .next()
        .is_some_and(|c| c.is_ascii_lowercase() || c == '_');
    let rest = chars.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if !(first && rest && name.len() <= 63) {
        let text = "not a plain name, write lower-case letters, digits and _ only, at most 63, \
                    the first no digit";
        section.mistake_here(text);
    }
}
