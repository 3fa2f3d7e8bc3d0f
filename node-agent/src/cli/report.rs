//! `ledger report`: who touched which data, and who did what else, for an auditor. That it was read is recorded.

use std::collections::BTreeMap;

use quorate_evidence::access::{Summary, accesses, by_dataset, by_person};
use quorate_evidence::deeds::{Deed, deeds};
use quorate_evidence::record::ACT;

use super::args::{LedgerReport, Place, ReportBy};
use super::{Done, roster, ui};
use crate::home::Home;
use crate::ledger::{self, Actor, Noted};
use crate::link::Clock;
use crate::notes;

/// Prints the report after its reading is recorded, or left for the running node to record.
pub(super) fn report(place: &Place, args: &LedgerReport, clock: &Clock) -> anyhow::Result<Done> {
    let policy = place.policy()?;
    let key = Home::open(&policy.node.state)?.node_key()?;
    let sound = ledger::verify(&policy.node.state, Some(key.key_id()), None)?;
    let text = String::from_utf8(ledger::read(&policy.node.state)?)?;
    let found = accesses(text.lines().take(usize::try_from(sound.head.seq)?));
    let noted = Noted {
        what: "ledger_read".to_owned(),
        actor: Actor {
            subject: args.reader.clone(),
            role: "auditor".to_owned(),
            ..Actor::default()
        },
        concerns: format!("accesses by {}", args.by.word()),
        ..Noted::default()
    };
    notes::note(&policy, &key, noted, clock())?;
    let summaries = match args.by {
        ReportBy::Person => by_person(&found),
        ReportBy::Dataset => by_dataset(&found),
        ReportBy::Act => BTreeMap::new(),
    };
    let done = match args.by {
        ReportBy::Act => deeds(text.lines().take(usize::try_from(sound.head.seq)?)),
        ReportBy::Person | ReportBy::Dataset => Vec::new(),
    };
    if args.json {
        let all = serde_json::json!({
            "schema": "quorate.access/1", "by": args.by.word(), "records": sound.head.seq,
            "summaries": summaries, "accesses": found, "acts": done,
        });
        ui::say(&all.to_string());
    } else if matches!(args.by, ReportBy::Act) {
        ui::say(&table_of_acts(&done));
    } else {
        ui::say(&table(args.by, &summaries));
    }
    ui::note(&format!("the reading by {} is recorded", args.reader));
    Ok(Done::Well)
}

fn table(by: ReportBy, summaries: &BTreeMap<String, Summary>) -> String {
    let mut table = comfy_table::Table::new();
    table.set_header([
        by.word(),
        "answered",
        "otherwise",
        "projects",
        "persons",
        "columns",
        "first",
        "last",
    ]);
    let list = |set: &std::collections::BTreeSet<String>| {
        set.iter().cloned().collect::<Vec<_>>().join("\n")
    };
    for (name, said) in summaries {
        table.add_row([
            name.clone(),
            said.answered.to_string(),
            said.otherwise.to_string(),
            list(&said.projects),
            list(&said.persons),
            list(&said.columns),
            roster::time(said.first),
            roster::time(said.last),
        ]);
    }
    table.to_string()
}

fn table_of_acts(done: &[Deed]) -> String {
    let mut table = comfy_table::Table::new();
    table.set_header(["record", "time", "what", "who", "role", "concerns"]);
    for deed in done {
        let who = match deed.person.as_str() {
            "" => &deed.key,
            name => name,
        };
        table.add_row([
            deed.record.to_string(),
            roster::time(deed.time),
            deed.what.trim_start_matches(ACT).to_owned(),
            who.to_owned(),
            deed.role.clone(),
            deed.concerns.clone(),
        ]);
    }
    table.to_string()
}
