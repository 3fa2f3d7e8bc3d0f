//! Who did what that is no question: acts of governance, commands of the custodian, readings of the
//! ledger, in the order in which the ledger was told of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::line::{self, Line};
use crate::record::{Event, Noted};

/// Something that was done, as the ledger tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deed {
    /// Number of its record.
    pub record: u64,
    /// When the ledger was told, unix seconds.
    pub time: i64,
    /// What was done.
    pub what: String,
    /// By whom, as the policy lists them; empty for a key that it does not list.
    pub person: String,
    /// With which key.
    pub key: String,
    /// In which role.
    pub role: String,
    /// What it concerns.
    pub concerns: String,
    /// Digests of the documents that it rests on.
    pub documents: BTreeSet<String>,
}

/// Every note of a ledger whose chain was verified, oldest first.
#[must_use]
pub fn deeds<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Deed> {
    let deed = |text| match line::read(text, None) {
        Ok(Line::Whole(record, _)) => match record.event {
            Event::Noted(noted) => Some(deed(record.seq, record.time, *noted)),
            _ => None,
        },
        _ => None,
    };
    lines.filter_map(deed).collect()
}

fn deed(record: u64, time: i64, noted: Noted) -> Deed {
    Deed {
        record,
        time,
        what: noted.what,
        person: noted.actor.subject,
        key: noted.actor.key,
        role: noted.actor.role,
        concerns: noted.concerns,
        documents: noted.documents,
    }
}

#[cfg(test)]
mod tests {
    use quorate_identity::SigningKey;

    use super::deeds;
    use crate::record::{Actor, Event, Noted, Record};

    #[test]
    fn notes_are_told_in_their_order_and_questions_are_not() {
        let key = SigningKey::from_seed(&[4; 32]).unwrap();
        let noted = |what: &str, who: &str| {
            Event::Noted(Box::new(Noted {
                what: what.to_owned(),
                actor: Actor {
                    subject: who.to_owned(),
                    role: "custodian".to_owned(),
                    ..Actor::default()
                },
                ..Noted::default()
            }))
        };
        let events = [
            noted("act.suspension", "carla"),
            Event::Open(Box::default()),
            noted("act.lift", "dana"),
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
        let found = deeds(lines.iter().map(String::as_str));
        let told: Vec<_> = found
            .iter()
            .map(|deed| {
                (
                    deed.record,
                    deed.time,
                    deed.what.as_str(),
                    deed.person.as_str(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                (1, 10, "act.suspension", "carla"),
                (3, 30, "act.lift", "dana")
            ]
        );
    }
}
