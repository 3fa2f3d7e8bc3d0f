//! What an operator may look at.

use std::collections::BTreeMap;
use std::path::Path;

use comfy_table::Table;
use quorate_identity::Role;

use crate::cli::ListArgs;
use crate::config::Config;
use crate::journal::{NodeRow, Outcome, Store};
use crate::server::is_running;
use crate::{codebooks as books, commands, roster_store, ui};

/// `nodes`: every node of the roster, and every node that was ever here.
pub(crate) fn nodes(dir: &Path, args: ListArgs, now: i64) -> anyhow::Result<()> {
    let config = Config::load(dir).map_err(anyhow::Error::msg)?;
    let store = Store::open_existing(dir)?;
    let roster = roster_store::load(&store, &config.network)?;
    let live: Vec<String> = roster
        .iter()
        .flat_map(|roster| roster.members(now))
        .filter(|m| m.role == Role::Node)
        .map(|m| m.name.to_string())
        .collect();
    let mut seen: BTreeMap<String, Option<NodeRow>> = BTreeMap::new();
    seen.extend(live.iter().map(|name| (name.clone(), None)));
    seen.extend(
        store
            .nodes()?
            .into_iter()
            .map(|row| (row.name.clone(), Some(row))),
    );
    let up = is_running(dir);
    let mut table = Table::new();
    table.set_header([
        "node",
        "state",
        "since",
        "roster",
        "build",
        "roster head",
        "turned away",
    ]);
    for (name, row) in seen.into_iter().take(usize::try_from(args.limit)?) {
        let state = match &row {
            Some(row) if row.connected && up => "connected",
            Some(_) => "away",
            None => "never seen",
        };
        let standing = if live.contains(&name) {
            "live"
        } else {
            "not in it"
        };
        let since = row.as_ref().map(|row| row.since);
        let (build, head, bad) = row
            .map(|r| (r.build, r.roster_head, r.turned_away))
            .unwrap_or_default();
        if args.json {
            let line = serde_json::json!({
                "node": name, "state": state, "since": since, "roster": standing == "live",
                "build": build, "roster_head": head, "turned_away": bad,
            });
            ui::say(&line.to_string());
        } else {
            let since = since.map(commands::time).unwrap_or_default();
            let head: String = head.chars().take(15).collect();
            table.add_row([
                name,
                state.to_owned(),
                since,
                standing.to_owned(),
                build,
                head,
                bad.to_string(),
            ]);
        }
    }
    if !args.json {
        ui::say(&table.to_string());
    }
    for (node, why, when) in store.contradictions()? {
        let when = commands::time(when);
        ui::note(&format!(
            "{node}: at {when} its ledger contradicted itself: {why}"
        ));
    }
    if !up {
        ui::note("the coordinator is not running");
    }
    Ok(())
}

/// `questions`: states, times and codes.
pub(crate) fn questions(dir: &Path, args: ListArgs) -> anyhow::Result<()> {
    let store = Store::open_existing(dir)?;
    let mut table = Table::new();
    table.set_header([
        "question",
        "researcher",
        "project",
        "status",
        "code",
        "submitted",
        "seconds",
        "nodes",
    ]);
    for row in store.questions(None, args.limit)? {
        let outcomes = store.outcomes(&row.id)?;
        let seconds = row.finished.map(|end| end.saturating_sub(row.submitted));
        if args.json {
            let nodes: Vec<_> = outcomes.iter().map(outcome_json).collect();
            let line = serde_json::json!({
                "question": row.id, "researcher": row.researcher, "project": row.project,
                "status": row.status.as_str(), "code": row.problem,
                "submitted": row.submitted, "finished": row.finished, "nodes": nodes,
            });
            ui::say(&line.to_string());
            continue;
        }
        table.add_row([
            row.id,
            row.researcher,
            row.project,
            row.status.as_str().to_owned(),
            row.problem.unwrap_or_default(),
            commands::time(row.submitted),
            seconds.map(|s| s.to_string()).unwrap_or_default(),
            outcomes
                .iter()
                .map(outcome_text)
                .collect::<Vec<_>>()
                .join("\n"),
        ]);
    }
    if !args.json {
        ui::say(&table.to_string());
    }
    Ok(())
}

fn outcome_json(outcome: &Outcome) -> serde_json::Value {
    let status = outcome.settled.map(|settled| settled.status().as_str());
    serde_json::json!({ "node": outcome.node, "status": status, "code": outcome.code })
}

fn outcome_text(outcome: &Outcome) -> String {
    let status = outcome
        .settled
        .map_or("open", |settled| settled.status().as_str());
    match &outcome.code {
        Some(code) => format!("{} {status} {code}", outcome.node),
        None => format!("{} {status}", outcome.node),
    }
}

/// `codebook publish`: prints the digest that nodes pin.
pub(crate) fn publish_codebook(dir: &Path, file: &Path, now: i64) -> anyhow::Result<()> {
    let mut store = Store::open_existing(dir)?;
    let (codebook, new) = books::publish(&mut store, file, now)?;
    ui::say(&codebook.digest);
    let state = if new {
        "published"
    } else {
        "was published before"
    };
    ui::note(&format!(
        "{} version {}: {state}",
        codebook.name, codebook.version
    ));
    Ok(())
}

/// `codebook list`: digest, name and version of every published codebook.
pub(crate) fn codebooks(dir: &Path) -> anyhow::Result<()> {
    for row in Store::open_existing(dir)?.codebooks()? {
        ui::say(&format!("{} {} {}", row.digest, row.name, row.version));
    }
    Ok(())
}
