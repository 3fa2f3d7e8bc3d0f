//! A small network of keys and logs that tests build up and then abuse.

use quorate_identity::roster::{Change, Founder, cosign, genesis, unsigned};
use quorate_identity::{KeyId, Name, Role, Roster, Signed, SigningKey};

/// The moment all tests play in.
pub(crate) const NOW: i64 = 1_790_000_000;
/// A day.
pub(crate) const DAY: i64 = 24 * 3600;

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

pub(crate) fn signed(payload: Vec<u8>, by: &[&SigningKey]) -> Signed {
    let mut entry = unsigned(payload);
    for key in by {
        cosign(key, &mut entry);
    }
    entry
}

pub(crate) fn add(role: Role, who: &str, key: &SigningKey, until: i64) -> Change {
    Change::Add {
        role,
        name: name(who),
        key: key.key_id().clone(),
        until,
    }
}

pub(crate) fn revoke(role: Role, who: &str, key: &SigningKey) -> Change {
    Change::Revoke {
        role,
        name: name(who),
        key: key.key_id().clone(),
    }
}

/// A genesis entry with one custodian, `north`, whose key is `key(1)`.
pub(crate) fn founded() -> (Vec<Signed>, Vec<KeyId>) {
    founded_by(&["north"])
}

/// A genesis entry whose custodians have `key(1)`, `key(2)` and so on, signed by all.
pub(crate) fn founded_by(names: &[&str]) -> (Vec<Signed>, Vec<KeyId>) {
    let keys: Vec<SigningKey> = (1..).take(names.len()).map(key).collect();
    let founders = names.iter().zip(&keys);
    let founders = founders
        .map(|(who, key)| Founder {
            name: name(who),
            key: key.key_id().clone(),
            until: NOW + 365 * DAY,
        })
        .collect();
    let payload = genesis(&name("heart"), founders, NOW - 10 * DAY);
    let entry = signed(payload, &keys.iter().collect::<Vec<_>>());
    (
        vec![entry],
        keys.iter().map(|key| key.key_id().clone()).collect(),
    )
}

/// A log with a custodian (`key(1)`), a node (`key(11)`) and a researcher (`key(21)`).
pub(crate) fn small() -> (Vec<Signed>, Vec<KeyId>) {
    let (mut log, pins) = founded();
    let changes = [
        add(Role::Node, "cleveland", &key(11), NOW + 90 * DAY),
        add(Role::Node, "hungary", &key(12), NOW + 90 * DAY),
        add(Role::Researcher, "alice", &key(21), NOW + 30 * DAY),
    ];
    for change in changes {
        push(&mut log, &pins, change, &[&key(1)]);
    }
    (log, pins)
}

/// Appends a change, signed by `by`, that must be accepted.
pub(crate) fn push(log: &mut Vec<Signed>, pins: &[KeyId], change: Change, by: &[&SigningKey]) {
    let mut roster = Roster::verify(None, pins, log).unwrap();
    let entry = signed(roster.propose(change, NOW - 9 * DAY), by);
    roster.append(&entry).unwrap();
    log.push(entry);
}

/// Tries to append a change, signed by `by`.
pub(crate) fn try_push(
    log: &[Signed],
    pins: &[KeyId],
    change: Change,
    by: &[&SigningKey],
) -> Result<(), quorate_identity::RosterError> {
    let mut roster = Roster::verify(None, pins, log).unwrap();
    let before = roster.clone();
    let entry = signed(roster.propose(change, NOW - 9 * DAY), by);
    let outcome = roster.append(&entry);
    if outcome.is_err() {
        assert_eq!(roster, before, "a refused entry must leave no trace");
    }
    outcome
}
