//! `data check` and `data accept`.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use quorate_query::codebook::{self, Codebook};

use super::args::{DataCheck, Place};
use super::{Done, runtime, ui};
use crate::data_check::{Report, check_all};
use crate::home::Home;
use crate::policy::Policy;
use crate::source::{self, Cache};

/// `data check`: every problem of every table at once.
pub(super) fn check(place: &Place, args: &DataCheck) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    let codebook = pick_codebook(&home, &policy, args.codebook.as_deref())?;
    let report = runtime()?.block_on(check_all(&policy, &codebook));
    if args.json {
        ui::say(&report.json().to_string());
    } else {
        show(&report);
    }
    Ok(if report.sound() {
        Done::Well
    } else {
        Done::Badly
    })
}

fn show(report: &Report) {
    for table in &report.tables {
        ui::say(&format!(
            "{}: {} rows, {} persons",
            table.name, table.rows, table.persons
        ));
        if let Some(orphans) = table.orphans.filter(|orphans| *orphans > 0) {
            ui::say(&format!(
                "  {orphans} rows of persons who are not in the unit table"
            ));
        }
        let mut grid = comfy_table::Table::new();
        grid.load_preset(comfy_table::presets::NOTHING);
        grid.set_header([
            "column",
            "type",
            "missing",
            "out of domain",
            "out of bounds",
        ]);
        for column in &table.columns {
            let count =
                |count: Option<u64>| count.map_or_else(String::new, |count| count.to_string());
            grid.add_row([
                column.name.clone(),
                column.ty.to_owned(),
                column.missing.to_string(),
                count(column.out_of_domain),
                count(column.out_of_bounds),
            ]);
        }
        ui::say(&grid.to_string());
    }
    for name in &report.not_held {
        ui::note(&format!(
            "{name}: the policy has no [source.{name}]; questions about it are refused"
        ));
    }
    for name in &report.unknown {
        ui::note(&format!("source.{name}: the codebook has no such table"));
    }
    for problem in &report.problems {
        ui::note(problem);
    }
    if report.sound() {
        ui::note("every source can be used");
    }
}

/// `data accept`.
pub(super) fn accept(place: &Place) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let cache = Cache::new(&policy.node.state);
    let names = runtime()?.block_on(source::accept(&policy, &cache))?;
    if names.is_empty() {
        ui::note("no source has `refresh = \"hold\"`");
    } else {
        ui::note(&format!("accepted: {}", names.join(", ")));
    }
    Ok(Done::Well)
}

/// The codebook that a command is about: a file, a digest, or the only one there is.
pub(super) fn pick_codebook(
    home: &Home,
    policy: &Policy,
    wanted: Option<&str>,
) -> anyhow::Result<Arc<Codebook>> {
    let known = home.codebooks(policy)?;
    match wanted {
        Some(file) if Path::new(file).is_file() => {
            let text = std::fs::read_to_string(file)?;
            let folder = Path::new(file).parent().unwrap_or(Path::new(""));
            let load = |name: &str| {
                std::fs::read_to_string(folder.join(name)).map_err(|error| error.kind().to_string())
            };
            let text = codebook::inline_sets(&text, file, load)?;
            Ok(Arc::new(codebook::read(&text, file)?))
        }
        Some(digest) => {
            let found = known.into_iter().find(|codebook| codebook.digest == digest);
            found.with_context(|| {
                format!(
                    "no codebook `{digest}` here: write a file or a digest that the policy pins"
                )
            })
        }
        None => match known.as_slice() {
            [one] => Ok(Arc::clone(one)),
            [] => bail!("no codebook here yet: enrol, or name a file with --codebook"),
            _ => bail!("several codebooks: name one with --codebook"),
        },
    }
}
