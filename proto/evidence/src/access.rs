//! Who touched which data: a ledger read for an auditor, by person or by dataset.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::line::{self, Line};
use crate::record::{Event, Open};

/// One question, as far as an auditor asks who did what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Number of the record that opened it.
    pub record: u64,
    /// When it came, unix seconds.
    pub time: i64,
    /// Who asked.
    pub person: String,
    /// With which key.
    pub key: String,
    /// Organisation, as the policy names it.
    pub organisation: String,
    /// Under which project.
    pub project: String,
    /// Id of the question.
    pub question: String,
    /// Tables that were read; none of a refusal.
    pub tables: BTreeSet<String>,
    /// Columns that were read, as `table.column`.
    pub columns: BTreeSet<String>,
    /// `answered`, `refused`, `interrupted`, or `open`.
    pub outcome: String,
    /// Code of a refusal.
    pub code: String,
}

/// Every question of a researcher in a ledger whose chain was verified, oldest first.
#[must_use]
pub fn accesses<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Access> {
    let mut found: BTreeMap<u64, Access> = BTreeMap::new();
    for text in lines {
        let Ok(Line::Whole(record, _)) = line::read(text, None) else {
            continue;
        };
        match record.event {
            Event::Open(open) if open.actor.role == "researcher" => {
                found.insert(record.seq, opened(record.seq, record.time, *open));
            }
            Event::Close(close) => {
                if let Some(access) = found.get_mut(&close.opened) {
                    let table = |column: &String| column.split('.').next().map(str::to_owned);
                    access.tables = close.columns.iter().filter_map(table).collect();
                    access.columns = close.columns;
                    access.outcome = close.outcome;
                    access.code = close.code;
                }
            }
            Event::Interrupted(event) => {
                if let Some(access) = found.get_mut(&event.opened) {
                    "interrupted".clone_into(&mut access.outcome);
                }
            }
            _ => {}
        }
    }
    found.into_values().collect()
}

fn opened(record: u64, time: i64, open: Open) -> Access {
    Access {
        record,
        time,
        person: open.actor.subject,
        key: open.actor.key,
        organisation: open.actor.organisation,
        project: open.project,
        question: open.question,
        outcome: "open".to_owned(),
        ..Access::default()
    }
}

/// What one person did, or what was done with one dataset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// Questions answered.
    pub answered: u64,
    /// Questions refused, interrupted or still open.
    pub otherwise: u64,
    /// Under which projects.
    pub projects: BTreeSet<String>,
    /// By whom.
    pub persons: BTreeSet<String>,
    /// Columns that were read.
    pub columns: BTreeSet<String>,
    /// Time of the first question, unix seconds.
    pub first: i64,
    /// Time of the last question, unix seconds.
    pub last: i64,
}

/// By person.
#[must_use]
pub fn by_person(accesses: &[Access]) -> BTreeMap<String, Summary> {
    let mut all = BTreeMap::new();
    for access in accesses {
        add(&mut all, &access.person, access, |_| true);
    }
    all
}

/// By dataset: a table of the codebook.
#[must_use]
pub fn by_dataset(accesses: &[Access]) -> BTreeMap<String, Summary> {
    let mut all = BTreeMap::new();
    for access in accesses {
        for table in &access.tables {
            let of = |column: &str| column.split('.').next() == Some(table);
            add(&mut all, table, access, of);
        }
    }
    all
}

fn add(
    all: &mut BTreeMap<String, Summary>,
    name: &str,
    access: &Access,
    counts: impl Fn(&str) -> bool,
) {
    let summary = all.entry(name.to_owned()).or_default();
    match access.outcome.as_str() {
        "answered" => summary.answered += 1,
        _ => summary.otherwise += 1,
    }
    summary.projects.insert(access.project.clone());
    summary.persons.insert(access.person.clone());
    let columns = access.columns.iter().filter(|column| counts(column));
    summary.columns.extend(columns.cloned());
    if summary.first == 0 {
        summary.first = access.time;
    }
    summary.last = summary.last.max(access.time);
}

#[cfg(test)]
mod tests {
    use quorate_identity::SigningKey;

    use super::*;
    use crate::record::{Actor, Close, Interrupted, Record};

    #[test]
    fn the_report_is_what_was_done() {
        let key = SigningKey::from_seed(&[4; 32]).unwrap();
        let open = |who: &str, role: &str| {
            Event::Open(Box::new(Open {
                question: format!("of {who}"),
                project: "one".to_owned(),
                actor: Actor {
                    subject: who.to_owned(),
                    role: role.to_owned(),
                    ..Actor::default()
                },
                ..Open::default()
            }))
        };
        let close = |opened, outcome: &str, columns: &[&str]| {
            Event::Close(Box::new(Close {
                opened,
                outcome: outcome.to_owned(),
                columns: columns.iter().map(|c| (*c).to_owned()).collect(),
                ..Close::default()
            }))
        };
        let events = [
            open("alice", "researcher"),
            close(1, "answered", &["person.sex", "visit.kind"]),
            open("bob", "researcher"),
            close(3, "refused", &[]),
            open("core", "core"),
            close(5, "core", &["person.sex"]),
            open("bob", "researcher"),
            Event::Interrupted(Interrupted {
                opened: 7,
                question: "of bob".to_owned(),
            }),
            open("alice", "researcher"),
            close(9, "answered", &["person.age"]),
        ];
        let line = |(seq, event)| {
            let record = Record {
                seq,
                time: i64::try_from(seq).unwrap() * 10,
                event,
                ..Record::default()
            };
            crate::line::write(&record, &key).unwrap().0
        };
        let lines: Vec<String> = (1..).zip(events).map(line).collect();
        let found = accesses(lines.iter().map(String::as_str));
        let outcomes: Vec<&str> = found.iter().map(|a| a.outcome.as_str()).collect();
        assert_eq!(outcomes, ["answered", "refused", "interrupted", "answered"]);
        let people = by_person(&found);
        assert_eq!(people.len(), 2, "core tables are nobody's access");
        assert_eq!((people["alice"].answered, people["bob"].otherwise), (2, 2));
        assert_eq!((people["alice"].first, people["alice"].last), (10, 90));
        let data = by_dataset(&found);
        assert_eq!((data["person"].answered, data["visit"].answered), (2, 1));
        assert_eq!(data["visit"].columns, ["visit.kind".to_owned()].into());
    }
}
