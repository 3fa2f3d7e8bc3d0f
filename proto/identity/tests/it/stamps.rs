//! Stamps under attack: withheld news, silence, and forks that a stamp betrays.

use quorate_identity::roster::{STAMP_LIFE, StampClaim};
use quorate_identity::{Head, Role, Roster, RosterError, Signed};

use crate::support::{NOW, key, name, push, revoke, small};

fn stamp(node: &str, head: Head, time: i64) -> StampClaim {
    StampClaim {
        network: "heart".to_owned(),
        node: node.to_owned(),
        head,
        time,
    }
}

#[test]
fn stamps_bound_how_long_news_can_be_withheld() {
    let (log, pins) = small();
    let roster = Roster::verify(None, &pins, &log).unwrap();
    let (us, them) = ("hungary", key(11).key_id().clone());
    let good = stamp("cleveland", roster.head(), NOW - 3600);
    let fresh = |stamps: &[_]| roster.fresh_until(stamps, Some(us), NOW);
    assert_eq!(
        fresh(&[(good.clone(), them.clone())]),
        Ok(NOW - 3600 + STAMP_LIFE)
    );

    // Our own word proves nothing, an old stamp nothing, a stamp under another key nothing.
    let own = stamp(us, roster.head(), NOW);
    assert_eq!(
        fresh(&[(own.clone(), key(12).key_id().clone())]),
        Err(RosterError::NotFresh)
    );
    assert!(
        roster
            .fresh_until(&[(own, key(12).key_id().clone())], None, NOW)
            .is_ok()
    );
    let old = stamp("cleveland", roster.head(), NOW - STAMP_LIFE - 1);
    assert_eq!(
        fresh(&[(old.clone(), them.clone())]),
        Err(RosterError::NotFresh)
    );
    assert!(matches!(
        roster.check_stamp(&old, &them, NOW),
        Err(RosterError::StaleStamp { .. })
    ));
    let early = stamp("cleveland", roster.head(), NOW + 301);
    assert!(matches!(
        roster.check_stamp(&early, &them, NOW),
        Err(RosterError::StaleStamp { .. })
    ));
    assert!(matches!(
        roster.check_stamp(&good, key(12).key_id(), NOW),
        Err(RosterError::WrongKey { .. })
    ));
    let foreign = StampClaim {
        network: "lung".to_owned(),
        ..good.clone()
    };
    assert!(matches!(
        roster.check_stamp(&foreign, &them, NOW),
        Err(RosterError::Network { .. })
    ));
    assert_eq!(fresh(&[]), Err(RosterError::NotFresh));
}

#[test]
fn a_roster_nobody_speaks_for_is_not_acted_on() {
    let (log, pins) = small();
    let roster = Roster::verify(None, &pins, &log).unwrap();
    let quiet = roster.last_at() + STAMP_LIFE;
    assert_eq!(roster.check_fresh(0, "hungary", quiet), Ok(()));
    assert_eq!(
        roster.check_fresh(0, "hungary", quiet + 1),
        Err(RosterError::NotFresh)
    );
    assert_eq!(roster.check_fresh(quiet + 1, "hungary", quiet + 1), Ok(()));
    assert_eq!(
        roster.check_fresh(quiet + 1, "hungary", quiet + 2),
        Err(RosterError::NotFresh)
    );
    // The only node has nobody to ask.
    let alone = Roster::verify(None, &pins, &log[..2]).unwrap();
    assert_eq!(alone.check_fresh(0, "cleveland", NOW), Ok(()));
    assert_eq!(
        alone.check_fresh(0, "hungary", NOW),
        Err(RosterError::NotFresh)
    );
}

#[test]
fn a_stamp_betrays_a_withheld_entry_and_a_fork() {
    let (log, pins) = small();
    let ours = Roster::verify(None, &pins, &log).unwrap();
    let mut longer: Vec<Signed> = log.clone();
    push(
        &mut longer,
        &pins,
        revoke(Role::Researcher, "alice", &key(21)),
        &[&key(1)],
    );
    let theirs = Roster::verify(None, &pins, &longer).unwrap();
    let good = (
        stamp("cleveland", ours.head(), NOW),
        key(11).key_id().clone(),
    );
    let ahead = (
        stamp("cleveland", theirs.head(), NOW),
        key(11).key_id().clone(),
    );
    assert_eq!(
        ours.fresh_until(&[good, ahead], None, NOW),
        Err(RosterError::Behind {
            node: name("cleveland"),
            theirs: 5,
            ours: 4
        })
    );
    let mut forked = ours.head();
    forked.hash = quorate_identity::digest_text(&[7; 32]);
    let forked = (stamp("cleveland", forked, NOW), key(11).key_id().clone());
    assert_eq!(
        ours.fresh_until(&[forked], None, NOW),
        Err(RosterError::Fork { seq: 4 })
    );
}
