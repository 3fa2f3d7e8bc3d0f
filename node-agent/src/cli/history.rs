//! `history`: what has left, why something did not, and carrying it over to a restored backup. For
//! the custodian's eyes: reasons name groups and numbers of persons.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustix::fs::Mode;

use super::args::{HistoryFile, HistoryList, HistoryUsed, HistoryWhy, Place, Try};
use super::custodian::{run_alone, would_be_refused};
use super::{Done, roster, ui};
use crate::link::Clock;
use crate::past::Past;
use crate::persons::Epochs;
use crate::releases::{HistoryLine, Occasion, Reason, Record, Told};
use crate::store::Store;
use crate::transfer;

/// `history`: one line a question, newest first.
pub(super) fn list(place: &Place, args: &HistoryList) -> anyhow::Result<Done> {
    let population = place.policy()?.population.name;
    let mut lines = Store::look(&place.state())?.history(&population, u32::MAX)?;
    lines.retain(|line| is_wanted(line, args));
    lines.truncate(usize::try_from(args.limit).unwrap_or(usize::MAX));
    if lines.is_empty() && !args.json {
        ui::note("nothing of that has left");
        return Ok(Done::Well);
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header([
        "time",
        "project",
        "who",
        "question",
        "new cells",
        "given up",
        "epoch",
    ]);
    for line in lines {
        let (time, on) = (roster::time(line.occasion.time), &line.occasion);
        if args.json {
            let line = serde_json::json!({
                "time": time, "project": on.project, "who": on.principal, "question": on.question,
                "codebook": on.codebook, "policy": on.policy, "cells": line.cells,
                "given_up": line.given_up, "epoch": line.epoch,
            });
            ui::say(&line.to_string());
        } else {
            let epoch: String = line.epoch.chars().take(15).collect();
            table.add_row([
                time,
                on.project.clone(),
                on.principal.clone(),
                on.question.clone(),
                line.cells.to_string(),
                line.given_up.to_string(),
                epoch,
            ]);
        }
    }
    if !args.json {
        ui::say(&table.to_string());
    }
    Ok(Done::Well)
}

fn is_wanted(line: &HistoryLine, args: &HistoryList) -> bool {
    let project = args.project.as_ref();
    let of_day = |day: jiff::civil::Date| {
        let time = jiff::Timestamp::from_second(line.occasion.time);
        time.is_ok_and(|time| time.to_zoned(jiff::tz::TimeZone::UTC).date() == day)
    };
    project.is_none_or(|project| *project == line.occasion.project) && args.day.is_none_or(of_day)
}

/// `history why`: what a question was told.
pub(super) fn why(place: &Place, args: &HistoryWhy) -> anyhow::Result<Done> {
    let population = place.policy()?.population.name;
    let store = Store::look(&place.state())?;
    let (mut told, mut when) = (Vec::new(), BTreeMap::new());
    store.past(&population, |record| match record {
        Record::Told(found) if found.occasion.question == args.question => told.push(*found),
        Record::Release(release) => drop(when.insert(release.0.name(), release.1)),
        _ => {}
    })?;
    if told.is_empty() {
        bail!("no question `{}` was decided here", args.question);
    }
    for told in &told {
        ui::say(&render(told, &when));
    }
    Ok(Done::Well)
}

fn render(told: &Told, when: &BTreeMap<String, Occasion>) -> String {
    let on = &told.occasion;
    let mut lines = vec![
        format!(
            "{} by {} for {}",
            roster::time(on.time),
            on.principal,
            or_none(&on.project)
        ),
        told.asked.trim_end().to_owned(),
        format!(
            "{} cells left for the first time, {} repeat an earlier release, {} were withheld",
            told.fresh,
            told.repeated,
            told.reasons.len()
        ),
    ];
    for reason in &told.reasons {
        lines.push(format!("  {}", reason_line(reason, when)));
    }
    lines.join("\n")
}

fn reason_line(reason: &Reason, when: &BTreeMap<String, Occasion>) -> String {
    let Reason { cell, rule, why } = reason;
    let words = why.split(|letter: char| !letter.is_ascii_alphanumeric());
    let others = words.filter_map(|word| Some((word, when.get(word)?)));
    let told = others.map(|(name, on)| {
        let (time, project) = (roster::time(on.time), or_none(&on.project));
        let question = match on.question.as_str() {
            "" => "a core table".to_owned(),
            question => format!("question {question}"),
        };
        format!("\n    {name}: {question}, {time}, {project}")
    });
    format!("{cell}: {rule}: {why}{}", told.collect::<String>())
}

fn or_none(project: &str) -> String {
    match project {
        "" => "no project".to_owned(),
        project => format!("project `{project}`"),
    }
}

/// `history collide`: what a question would collide with.
pub(super) fn collide(place: &Place, args: Try, clock: &Clock) -> anyhow::Result<Done> {
    let shown = match run_alone(place, args, clock)? {
        Ok(shown) => shown,
        Err(refusal) => return Ok(would_be_refused(&refusal)),
    };
    let population = place.policy()?.population.name;
    let mut when = BTreeMap::new();
    Store::look(&place.state())?.past(&population, |record| {
        if let Record::Release(release) = record {
            when.insert(release.0.name(), release.1);
        }
    })?;
    let reasons = shown.findings.iter().map(Reason::of);
    let of_history: Vec<Reason> = reasons
        .filter(|reason| reason.rule.starts_with('H'))
        .collect();
    for reason in &of_history {
        ui::say(&reason_line(reason, &when));
    }
    let rows = shown.tables.iter().flat_map(|shown| &shown.table.rows);
    let cells = rows.flat_map(|row| &row.cells);
    let near = cells.filter(|cell| matches!(cell, quorate_query::answer::Cell::Near(_)));
    ui::say(&format!(
        "{} cells collide with earlier releases, {} would show a nearly equal earlier one, {} repeat one",
        of_history.len(),
        near.count(),
        shown.repeated
    ));
    ui::note("nothing was sent and nothing was recorded");
    Ok(Done::Well)
}

/// `history used`: what was asked for, beside the caps.
pub(super) fn used(place: &Place, args: &HistoryUsed, clock: &Clock) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let store = Store::look(&place.state())?;
    let epochs = Epochs::open(&store)?.list();
    let past = Past::rebuild(&store, &policy.population.name, Arc::clone(&epochs))?;
    let (asks, caps, now) = (past.asks(), policy.caps, clock());
    let states = epochs.iter().map(|epoch| epoch.name.as_str());
    let of_data = states.filter_map(|epoch| match asks.of_epoch(epoch) {
        0 => None,
        cells => Some((epoch, cells, caps.per_epoch)),
    });
    let principals = asks.principals().into_iter();
    let of_people = principals.map(|who| (who, asks.of_principal(who, now), caps.per_principal));
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header(["cap", "of", "asked cells", "at most"]);
    let all = of_data
        .map(|line| ("cells_per_epoch", line))
        .chain(of_people.map(|line| ("cells_per_principal", line)));
    for (cap, (of, asked, most)) in all {
        if args.json {
            let line = serde_json::json!({ "cap": cap, "of": of, "asked": asked, "most": most });
            ui::say(&line.to_string());
        } else {
            let of: String = of.chars().take(40).collect();
            table.add_row([cap.to_owned(), of, asked.to_string(), most.to_string()]);
        }
    }
    if !args.json {
        ui::say(&table.to_string());
    }
    Ok(Done::Well)
}

/// `history export`.
pub(super) fn export(place: &Place, args: &HistoryFile) -> anyhow::Result<Done> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    let bytes = transfer::export(&place.state())?;
    std::fs::write(&args.file, &bytes)
        .with_context(|| format!("{} cannot be written", args.file.display()))?;
    ui::note(&format!(
        "{}: {} bytes, sealed with store.key; keep the key apart from it",
        args.file.display(),
        bytes.len()
    ));
    Ok(Done::Well)
}

/// `history import`.
pub(super) fn import(place: &Place, args: &HistoryFile) -> anyhow::Result<Done> {
    let bytes = std::fs::read(&args.file)
        .with_context(|| format!("{} cannot be read", args.file.display()))?;
    let key = place.home()?.node_key()?;
    let done = transfer::import(&place.state(), key.key_id(), &bytes)?;
    let (continued, head) = match done.ledger {
        crate::ledger::Adopted::Continued(head) => ("continued", head),
        crate::ledger::Adopted::Nothing(head) => ("as it was", head),
    };
    ui::say(&format!(
        "{} records of releases were missing; the ledger is {continued} and ends at record {}",
        done.records, head.seq
    ));
    Ok(Done::Well)
}
