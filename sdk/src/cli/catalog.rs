//! `quorate catalog`: what can be asked about, in the words one has to write.

use std::fmt::Write as _;
use std::path::Path;

use comfy_table::{Table as Grid, presets};
use quorate_query::codebook::{Codebook, Column, Role, RowsPer, Table};
use quorate_query::value::Scalar;

use super::args::CatalogArgs;
use super::exit::{Exit, Failure};
use super::{text, ui};
use crate::client::Catalogue;
use crate::diff::{roles, type_name};
use crate::profile::Profile;
use crate::render::clean;

/// Runs the command.
pub(crate) async fn run(home: &Path, args: &CatalogArgs) -> Result<Exit, Failure> {
    let wanted = args.codebook.codebook.as_deref();
    let file = wanted.filter(|wanted| Path::new(wanted).is_file());
    let catalogue = match file {
        Some(_) => None,
        None => network(home).await?,
    };
    let codebook = text::choose_codebook(home, wanted)?;
    let search = args.search.as_deref().map(str::to_lowercase);
    let page = match &args.table {
        Some(name) => {
            let table = codebook
                .tables
                .get(name)
                .ok_or_else(|| no_table(&codebook, name))?;
            one_table(&codebook, name, table, search.as_deref())
        }
        None => overview(&codebook, catalogue.as_ref(), search.as_deref()),
    };
    ui::data(page.as_bytes());
    Ok(Exit::Answered)
}

/// What the network offers now; without a connection the cache has to do.
async fn network(home: &Path) -> Result<Option<Catalogue>, Failure> {
    let profile = Profile::open(home)?;
    let cached = !profile.codebooks()?.is_empty();
    match super::client(profile).await?.catalogue().await {
        Ok(catalogue) => Ok(Some(catalogue)),
        Err(error) if cached => {
            ui::say(&format!("{error}; showing what was known last"));
            Ok(None)
        }
        Err(error) => Err(Failure::client(error)),
    }
}

fn no_table(codebook: &Codebook, name: &str) -> Failure {
    let known: Vec<&str> = codebook.tables.keys().map(String::as_str).collect();
    let message = format!(
        "there is no table `{}`; the codebook has {}",
        clean(name),
        known.join(", ")
    );
    Failure::new(Exit::Failed, message)
}

fn overview(codebook: &Codebook, catalogue: Option<&Catalogue>, search: Option<&str>) -> String {
    let mut page = format!(
        "{} version {}  (unit: {}.{})\n{}\n\n",
        clean(&codebook.name),
        codebook.version,
        codebook.unit.table,
        codebook.unit.column,
        codebook.digest
    );
    let mut grid = grid(["table", "rows", "columns"]);
    for (name, table) in &codebook.tables {
        let columns: Vec<&str> = usable(table)
            .filter(|(column, about)| {
                search.is_none_or(|word| {
                    name.to_lowercase().contains(word) || mentions(column, about, word)
                })
            })
            .map(|(column, _)| column.as_str())
            .collect();
        if !columns.is_empty() {
            grid.add_row([name.clone(), rows(table), columns.join(", ")]);
        }
    }
    let found = grid.row_count() > 0;
    if found {
        page.push_str(&lines(&grid));
    }
    let named = codebook.sets.keys().map(|name| name.chars().count());
    let wide = named.max().unwrap_or(0) + "set.".len();
    let sets: Vec<String> = codebook
        .sets
        .iter()
        .filter(|(name, _)| search.is_none_or(|word| name.to_lowercase().contains(word)))
        .map(|(name, set)| {
            format!(
                "{:wide$}  {} of {}.{}",
                format!("set.{name}"),
                values_of(set.values.len()),
                set.column.table,
                set.column.column
            )
        })
        .collect();
    if !sets.is_empty() {
        let gap = if found { "\n" } else { "" };
        let _ = writeln!(page, "{gap}{}", sets.join("\n"));
    }
    if let (Some(catalogue), None) = (catalogue, search) {
        page.push('\n');
        for (name, connected, codebooks) in &catalogue.nodes {
            let state = if *connected {
                "connected"
            } else {
                "not connected"
            };
            let holds = if codebooks.contains(&codebook.digest) {
                ""
            } else {
                ", does not answer to this codebook"
            };
            let _ = writeln!(page, "node {}  {state}{holds}", clean(name));
        }
    }
    if !found && sets.is_empty() {
        page.push_str("nothing fits\n");
    }
    page
}

fn one_table(codebook: &Codebook, name: &str, table: &Table, search: Option<&str>) -> String {
    let mut page = format!("{name}: {}, joined on {}\n\n", rows(table), table.unit_key);
    let mut grid = grid(["column", "type", "role", "values"]);
    for (column, about) in usable(table) {
        if search.is_none_or(|word| mentions(column, about, word)) {
            grid.add_row([
                column.clone(),
                with_unit(about),
                roles(about),
                values(about),
            ]);
        }
    }
    page.push_str(&lines(&grid));
    let here = codebook
        .sets
        .iter()
        .filter(|(_, set)| set.column.table == name);
    for (set, about) in here {
        let _ = writeln!(
            page,
            "\n{} IN set.{set}  ({})",
            about.column.column,
            values_of(about.values.len())
        );
    }
    page
}

fn values_of(count: usize) -> String {
    if count == 1 {
        "1 value".to_owned()
    } else {
        format!("{count} values")
    }
}

/// Columns that have a role, by name.
fn usable(table: &Table) -> impl Iterator<Item = (&String, &Column)> {
    table
        .columns
        .iter()
        .filter(|(_, column)| !column.roles.is_empty())
}

fn mentions(name: &str, column: &Column, word: &str) -> bool {
    let labels = column
        .domain
        .iter()
        .flatten()
        .map(|(_, label)| label.to_lowercase());
    name.to_lowercase().contains(word) || labels.into_iter().any(|label| label.contains(word))
}

fn rows(table: &Table) -> String {
    match table.rows {
        RowsPer::Unit => "one per person".to_owned(),
        RowsPer::Many { max_rows } => format!("many per person, {max_rows} count"),
    }
}

fn with_unit(column: &Column) -> String {
    match &column.unit {
        Some(unit) => format!("{} [{}]", type_name(column), clean(unit)),
        None => type_name(column),
    }
}

/// What may be written for a column: its labels, or bounds, bands and cuts.
fn values(column: &Column) -> String {
    let mut parts = Vec::new();
    if let Some(domain) = &column.domain {
        let each = domain.iter().map(|(value, label)| {
            let value = value.to_string();
            if *label == value {
                clean(label)
            } else {
                format!("{} {}", clean(&value), clean(label))
            }
        });
        parts.push(each.collect::<Vec<_>>().join(", "));
    }
    // A closed domain has said its ends.
    if let Some((low, high)) = column.bounds.as_ref().filter(|_| column.domain.is_none()) {
        parts.push(format!("{low} to {high}"));
    }
    if let Some((first, last)) = column.period {
        parts.push(format!("{} to {}", Scalar::Date(first), Scalar::Date(last)));
    }
    let list = |numbers: &[quorate_query::number::Number]| {
        numbers
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !column.bands.is_empty() {
        parts.push(format!("bands of {}", list(&column.bands)));
    }
    if !column.cuts.is_empty() {
        parts.push(format!("cuts at {}", list(&column.cuts)));
    }
    for when in &column.when {
        let unit = when.unit.as_deref().unwrap_or("");
        parts.push(format!(
            "in set.{}: {} to {} {}",
            when.set,
            when.bounds.0,
            when.bounds.1,
            clean(unit)
        ));
    }
    if column.has(Role::Date) {
        parts.push("grouped by month, quarter, year".to_owned());
    }
    if column.required {
        parts.push("never missing".to_owned());
    }
    if column.missing_public {
        parts.push("missing is counted".to_owned());
    }
    if column.sensitive {
        parts.push("sensitive".to_owned());
    }
    parts.join("; ")
}

fn grid<const N: usize>(header: [&str; N]) -> Grid {
    let mut grid = Grid::new();
    grid.load_preset(presets::NOTHING);
    grid.set_header(header);
    grid
}

fn lines(grid: &Grid) -> String {
    grid.lines()
        .map(|line| format!("{}\n", line.trim_end()))
        .collect()
}
