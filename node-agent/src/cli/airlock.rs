//! `airlock`: what waits, exactly what would leave, and what a checker says of it. A review is a
//! signed act of its own; the running node acts on it within seconds.

use std::collections::BTreeSet;
use std::fmt::Write;

use anyhow::{Context, bail};
use quorate_governance::Person;
use quorate_governance::airlock::{Mode, Place as Cell, Reason, Review, Verdict};
use quorate_governance::artefact::Artefact;
use quorate_identity::{Name, SigningKey};

use super::args::{
    AirlockCommand, AirlockList, AirlockReturn, AirlockSay, AirlockShow, AirlockSuppress, Place,
};
use super::{Done, roster, ui};
use crate::airlock::{Held, Table};
use crate::govern;
use crate::home::Home;
use crate::link::Clock;
use crate::store::Store;

/// One of the commands.
pub(super) fn airlock(
    place: &Place,
    command: AirlockCommand,
    clock: &Clock,
) -> anyhow::Result<Done> {
    match command {
        AirlockCommand::List(args) => list(place, &args),
        AirlockCommand::Show(args) => show(place, &args),
        AirlockCommand::Approve(args) => say(place, &args, Verdict::Approve, clock),
        AirlockCommand::Return(args) => back(place, &args, clock),
        AirlockCommand::Suppress(args) => suppress(place, &args, clock),
    }
}

fn list(place: &Place, args: &AirlockList) -> anyhow::Result<Done> {
    let held = Store::look(&place.state())?.held()?;
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header([
        "checked", "question", "project", "who", "release", "withheld",
    ]);
    for one in &held {
        let withheld = one.findings.len().to_string();
        let mode = one.mode.as_str();
        if args.json {
            let line = serde_json::json!({
                "checked": roster::time(one.checked), "question": one.question,
                "project": one.project, "who": one.asker, "release": mode,
                "outcome": one.outcome, "withheld": one.findings.len(),
            });
            ui::say(&line.to_string());
        } else {
            let (time, question) = (roster::time(one.checked), one.question.clone());
            let (project, who) = (one.project.clone(), one.asker.clone());
            table.add_row([time, question, project, who, mode.to_owned(), withheld]);
        }
    }
    match (args.json, held.is_empty()) {
        (true, _) => {}
        (false, true) => ui::note("nothing waits"),
        (false, false) => ui::say(&table.to_string()),
    }
    Ok(Done::Well)
}

fn show(place: &Place, args: &AirlockShow) -> anyhow::Result<Done> {
    let (store, held) = waiting(place, &args.question)?;
    let mut text = String::new();
    let _ = writeln!(text, "question {}", held.question);
    let _ = writeln!(text, "asked by {} for project {}", held.asker, held.project);
    if let Some(record) = record(place, &held)? {
        let _ = writeln!(
            text,
            "project: {} ({})",
            record.title,
            record.purpose.as_str()
        );
    }
    let _ = writeln!(text, "stated purpose: {}", held.purpose);
    let _ = writeln!(
        text,
        "release mode {}, outcome {}",
        held.mode.as_str(),
        held.outcome
    );
    let _ = writeln!(text, "\n{}", held.canonical.trim_end());
    for (number, table) in held.tables.iter().enumerate() {
        text.push_str(&render(number, table));
    }
    text.push_str(&findings(&held));
    let said = govern::reviews(&place.state(), Some(&held.question))?;
    for review in &said {
        let review = review.content();
        let of_this = match review.outcome == held.outcome {
            true => "of this outcome",
            false => "of an earlier outcome",
        };
        let (who, what) = (&review.checker.name, word(&review.verdict));
        let _ = writeln!(text, "{who} said {what} {of_this} {}", review.comment);
    }
    let population = place.policy()?.population.name;
    let history = store.history(&population, u32::MAX)?;
    let of_project = history
        .iter()
        .filter(|line| line.occasion.project == held.project);
    let _ = writeln!(
        text,
        "earlier releases of this project: {}",
        of_project.count()
    );
    ui::say(text.trim_end());
    Ok(Done::Well)
}

fn record(place: &Place, held: &Held) -> anyhow::Result<Option<quorate_governance::Project>> {
    let acts = govern::Acts::load(&place.state())?;
    let found = acts.projects.iter().find(|one| one.digest() == held.record);
    Ok(found.map(|one| one.content().clone()))
}

/// A table with the numbers by which its cells are named.
fn render(number: usize, table: &Table) -> String {
    let mut grid = comfy_table::Table::new();
    grid.load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    for (number_of, row) in table.rows.iter().enumerate() {
        let shown = row.cells.iter().map(|cell| match cell {
            None => "\u{b7}".to_owned(),
            Some(parts) => parts.join(", "),
        });
        let first = [format!("{number}:{number_of}"), row.key.join(", ")];
        grid.add_row(first.into_iter().chain(shown));
    }
    format!("\ntable {number} {}\n{grid}\n", table.name)
}

/// What the rules found, and what they suggest.
fn findings(held: &Held) -> String {
    let mut text = String::new();
    for finding in &held.findings {
        let _ = writeln!(text, "withheld (\u{b7}) {}", finding.text);
    }
    text.push_str(match held.findings.is_empty() {
        true => "every cell passed all rules: the rules suggest to let it out\n",
        false => "what is shown passed all rules: the rules suggest to let that out\n",
    });
    text
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Approve => "approve",
        Verdict::Return { .. } => "return",
        Verdict::Suppress { .. } => "suppress",
    }
}

fn back(place: &Place, args: &AirlockReturn, clock: &Clock) -> anyhow::Result<Done> {
    let mut reasons = Reason::WORDS.into_iter();
    let found = reasons.find(|(word, _)| *word == args.reason);
    let Some((_, reason)) = found else {
        bail!(
            "`{}`: write outside-purpose, too-detailed or unclear",
            args.reason
        );
    };
    say(place, &args.say, Verdict::Return { reason }, clock)
}

fn suppress(place: &Place, args: &AirlockSuppress, clock: &Clock) -> anyhow::Result<Done> {
    let (_, held) = waiting(place, &args.say.question)?;
    let cells: BTreeSet<Cell> = args
        .cells
        .iter()
        .map(|text| cell(text, &held))
        .collect::<anyhow::Result<_>>()?;
    say(place, &args.say, Verdict::Suppress { cells }, clock)
}

/// A cell that is shown: hiding one that there is not would be a slip of the pen.
fn cell(text: &str, held: &Held) -> anyhow::Result<Cell> {
    let parts: Result<Vec<u32>, _> = text.split(':').map(str::parse).collect();
    let Ok([table, row, cell]) = parts.as_deref() else {
        bail!("`{text}`: write TABLE:ROW:CELL, counted from 0");
    };
    let at = |n: &u32| usize::try_from(*n).unwrap_or(usize::MAX);
    let rows = held.tables.get(at(table)).map(|table| &table.rows);
    let row_there = rows.and_then(|rows| rows.get(at(row)));
    if row_there.and_then(|row| row.cells.get(at(cell))).is_none() {
        bail!("`{text}`: there is no such cell, see `airlock show`");
    }
    Ok(Cell {
        table: *table,
        row: *row,
        cell: *cell,
    })
}

fn waiting(place: &Place, question: &str) -> anyhow::Result<(Store, Held)> {
    let store = Store::look(&place.state())?;
    let held = store.held_of(question)?;
    let held = held.with_context(|| format!("no question `{question}` waits here"))?;
    Ok((store, held))
}

/// Signs a review of exactly what waits now and puts it where the node finds it.
fn say(place: &Place, args: &AirlockSay, verdict: Verdict, clock: &Clock) -> anyhow::Result<Done> {
    let (_, held) = waiting(place, &args.question)?;
    if held.mode == Mode::None {
        bail!("nothing of this project leaves");
    }
    let policy = place.policy()?;
    let home = Home::open(&policy.node.state)?;
    let key = SigningKey::load(&args.key)?;
    let Some(checker) = crate::airlock::checker(&policy, key.key_id()) else {
        bail!("this key is not one of the policy's `governance.checkers`");
    };
    let review = Review {
        network: home.roster(&policy)?.network().clone(),
        node: Name::parse(&policy.node.name)?,
        question: held.question.clone(),
        outcome: held.outcome.clone(),
        verdict,
        checker: Person::clone(checker),
        comment: args.comment.clone(),
        at: clock(),
    };
    let mistakes = review.mistakes();
    if let Some(mistake) = mistakes.first() {
        bail!("{mistake}");
    }
    let digest = govern::keep(&policy.node.state, &review.sign(&key))?;
    ui::say(&digest);
    ui::note("signed; the running node acts on it within seconds");
    Ok(Done::Well)
}
