//! The roster under attack: forks, gaps, borrowed signatures, returning keys.

use quorate_identity::roster::{Change, Entry, Founder, genesis, parse_log, write_log};
use quorate_identity::{Head, Role, Roster, RosterError, SignatureError};

use crate::support::{
    DAY, NOW, add, founded, founded_by, key, name, push, revoke, signed, small, try_push,
};

#[test]
fn a_log_says_who_is_who() {
    let (log, pins) = small();
    let roster = Roster::verify(Some("heart"), &pins, &log).unwrap();
    assert_eq!(roster.head().seq, 4);
    assert_eq!(
        roster.head().hash,
        quorate_identity::digest_text(&log[3].digest())
    );
    assert_eq!(roster.log(), log.as_slice());
    let node = roster.member(Role::Node, "cleveland", NOW).unwrap();
    assert_eq!(&node.key, key(11).key_id());
    assert_eq!(roster.by_key(key(21).key_id(), NOW).unwrap().name, "alice");
    assert_eq!(roster.members(NOW).count(), 4);
    assert!(matches!(
        roster.member(Role::Researcher, "cleveland", NOW),
        Err(RosterError::NotAMember { .. })
    ));
    assert!(matches!(
        roster.by_key(key(99).key_id(), NOW),
        Err(RosterError::UnknownKey(_))
    ));
}

#[test]
fn the_founders_are_the_pinned_ones_and_the_network_is_fixed() {
    let (log, pins) = founded();
    assert!(Roster::verify(None, &pins, &log).is_ok());
    let stranger = vec![key(9).key_id().clone()];
    assert_eq!(
        Roster::verify(None, &stranger, &log),
        Err(RosterError::ForeignGenesis)
    );
    assert_eq!(
        Roster::verify(None, &[], &log),
        Err(RosterError::ForeignGenesis)
    );
    let more = vec![pins[0].clone(), key(9).key_id().clone()];
    assert_eq!(
        Roster::verify(None, &more, &log),
        Err(RosterError::ForeignGenesis)
    );
    assert!(matches!(
        Roster::verify(Some("lung"), &pins, &log),
        Err(RosterError::Network { .. })
    ));
    assert_eq!(Roster::verify(None, &pins, &[]), Err(RosterError::Empty));
}

#[test]
fn a_genesis_entry_needs_a_founder_and_stands_first() {
    let founder = Founder {
        name: name("north"),
        key: key(1).key_id().clone(),
        until: NOW + DAY,
    };
    let payload = genesis(&name("heart"), vec![founder], NOW);
    let pins = vec![key(1).key_id().clone()];
    let forged = signed(payload.clone(), &[&key(9)]);
    assert!(matches!(
        Roster::verify(None, &pins, &[forged]),
        Err(RosterError::NotACustodian { seq: 1, .. })
    ));
    let good = signed(payload, &[&key(1)]);
    assert_eq!(
        Roster::verify(None, &pins, &[good.clone(), good]),
        Err(RosterError::Gap { seq: 2 })
    );
    let (log, pins) = founded();
    let again = Change::Genesis {
        custodians: Vec::new(),
    };
    assert_eq!(
        try_push(&log, &pins, again, &[&key(1)]),
        Err(RosterError::Genesis { seq: 2 })
    );
}

#[test]
fn an_altered_entry_is_refused() {
    let (mut log, pins) = small();
    let payload = String::from_utf8(log[1].payload.clone()).unwrap();
    log[1].payload = payload.replace("cleveland", "clevelund").into_bytes();
    assert_eq!(
        Roster::verify(None, &pins, &log),
        Err(RosterError::Signature {
            seq: 2,
            source: SignatureError::Invalid(key(1).key_id().clone())
        })
    );
}

#[test]
fn a_gap_a_swap_and_a_foreign_network_are_refused() {
    let (log, pins) = small();
    let gap = vec![log[0].clone(), log[2].clone(), log[3].clone()];
    assert_eq!(
        Roster::verify(None, &pins, &gap),
        Err(RosterError::Gap { seq: 2 })
    );
    let swapped = vec![
        log[0].clone(),
        log[2].clone(),
        log[1].clone(),
        log[3].clone(),
    ];
    assert_eq!(
        Roster::verify(None, &pins, &swapped),
        Err(RosterError::Gap { seq: 2 })
    );
    let headless = log[1..].to_vec();
    assert_eq!(
        Roster::verify(None, &pins, &headless),
        Err(RosterError::Genesis { seq: 1 })
    );

    let head = Roster::verify(None, &pins, &log[..1]).unwrap().head();
    let change = add(Role::Node, "cleveland", &key(11), NOW + DAY);
    let foreign = Entry::after(&head, &name("lung"), change, NOW).to_bytes();
    let log = vec![log[0].clone(), signed(foreign, &[&key(1)])];
    assert!(matches!(
        Roster::verify(None, &pins, &log),
        Err(RosterError::Network { .. })
    ));
}

#[test]
fn an_entry_of_another_history_does_not_fit() {
    // Entries 3 of both histories are properly signed; entry 4 belongs to one of them only.
    let (log, pins) = small();
    let mut other = log[..2].to_vec();
    push(
        &mut other,
        &pins,
        add(Role::Researcher, "mallory", &key(66), NOW + DAY),
        &[&key(1)],
    );
    other.push(log[3].clone());
    assert_eq!(
        Roster::verify(None, &pins, &other),
        Err(RosterError::Gap { seq: 4 })
    );
}

#[test]
fn a_fork_is_noticed_and_heads_never_go_back() {
    let (log, pins) = small();
    let ours = Roster::verify(None, &pins, &log).unwrap();

    // The same custodian signs another entry 4: both logs verify, neither continues the other.
    let mut other = log[..3].to_vec();
    push(
        &mut other,
        &pins,
        add(Role::Researcher, "mallory", &key(66), NOW + DAY),
        &[&key(1)],
    );
    let theirs = Roster::verify(None, &pins, &other).unwrap();
    assert!(!theirs.extends(&ours.head()));
    assert_eq!(ours.advance(&other), Err(RosterError::Fork { seq: 4 }));
    push(
        &mut other,
        &pins,
        add(Role::Researcher, "bob", &key(22), NOW + DAY),
        &[&key(1)],
    );
    assert_eq!(ours.advance(&other), Err(RosterError::Fork { seq: 4 }));

    assert_eq!(
        ours.advance(&log[..3]),
        Err(RosterError::GoesBack { found: 3, known: 4 })
    );
    assert_eq!(ours.advance(&log).unwrap(), ours);
    let mut longer = log.clone();
    push(
        &mut longer,
        &pins,
        revoke(Role::Researcher, "alice", &key(21)),
        &[&key(1)],
    );
    let newer = ours.advance(&longer).unwrap();
    assert!(newer.extends(&ours.head()) && !ours.extends(&newer.head()));
    assert_eq!(newer.seq_of(&ours.head().hash), Some(4));
    assert!(!ours.extends(&Head {
        seq: 0,
        hash: String::new()
    }));
}

#[test]
fn from_the_third_custodian_on_two_must_sign() {
    let (mut log, pins) = founded();
    let far = NOW + 365 * DAY;
    push(
        &mut log,
        &pins,
        add(Role::Custodian, "south", &key(2), far),
        &[&key(1)],
    );
    push(
        &mut log,
        &pins,
        add(Role::Custodian, "east", &key(3), far),
        &[&key(2)],
    );
    assert_eq!(Roster::verify(None, &pins, &log).unwrap().quorum(), 2);

    let node = || add(Role::Node, "cleveland", &key(11), far);
    let too_few = RosterError::Quorum {
        seq: 4,
        have: 1,
        need: 2,
    };
    assert_eq!(
        try_push(&log, &pins, node(), &[&key(1)]),
        Err(too_few.clone())
    );
    try_push(&log, &pins, node(), &[&key(1), &key(3)]).unwrap();

    // A key that signs twice counts once, however the signatures got there.
    assert_eq!(
        try_push(&log, &pins, node(), &[&key(1), &key(1)]),
        Err(too_few.clone())
    );
    let mut roster = Roster::verify(None, &pins, &log).unwrap();
    let mut entry = signed(roster.propose(node(), NOW), &[&key(1)]);
    entry.signatures.push(entry.signatures[0].clone());
    assert_eq!(
        roster.append(&entry),
        Err(RosterError::Signature {
            seq: 4,
            source: SignatureError::Twice(key(1).key_id().clone())
        })
    );

    // A researcher needs one custodian, a stranger's signature spoils any entry.
    let alice = || add(Role::Researcher, "alice", &key(21), far);
    try_push(&log, &pins, alice(), &[&key(2)]).unwrap();
    assert!(matches!(
        try_push(&log, &pins, alice(), &[&key(2), &key(99)]),
        Err(RosterError::NotACustodian { .. })
    ));
}

#[test]
fn the_quorum_never_falls_and_custodians_never_run_out() {
    let (mut log, pins) = founded_by(&["north", "south", "east"]);
    assert_eq!(Roster::verify(None, &pins, &log).unwrap().quorum(), 2);
    let both = [&key(1), &key(2)];
    push(
        &mut log,
        &pins,
        revoke(Role::Custodian, "east", &key(3)),
        &both,
    );
    assert_eq!(Roster::verify(None, &pins, &log).unwrap().quorum(), 2);
    assert_eq!(
        try_push(
            &log,
            &pins,
            revoke(Role::Custodian, "south", &key(2)),
            &both
        ),
        Err(RosterError::TooFewCustodians { seq: 3 })
    );
    let (log, pins) = founded();
    assert_eq!(
        try_push(
            &log,
            &pins,
            revoke(Role::Custodian, "north", &key(1)),
            &[&key(1)]
        ),
        Err(RosterError::TooFewCustodians { seq: 2 })
    );
}

#[test]
fn three_founders_means_two_must_sign_the_genesis() {
    let (log, pins) = founded_by(&["north", "south", "east"]);
    let mut alone = log[0].clone();
    alone.signatures.truncate(1);
    assert_eq!(
        Roster::verify(None, &pins, &[alone]),
        Err(RosterError::Quorum {
            seq: 1,
            have: 1,
            need: 2
        })
    );
}

#[test]
fn revoked_custodians_expired_custodians_and_nodes_sign_nothing() {
    let (mut log, pins) = founded_by(&["north", "south"]);
    push(
        &mut log,
        &pins,
        revoke(Role::Custodian, "south", &key(2)),
        &[&key(1)],
    );
    push(
        &mut log,
        &pins,
        add(Role::Node, "cleveland", &key(11), NOW + DAY),
        &[&key(1)],
    );
    push(
        &mut log,
        &pins,
        add(Role::Custodian, "west", &key(4), NOW - DAY),
        &[&key(1)],
    );
    for (seed, when) in [(2, NOW - 5 * DAY), (11, NOW - 5 * DAY), (4, NOW)] {
        let mut roster = Roster::verify(None, &pins, &log).unwrap();
        let payload = roster.propose(add(Role::Researcher, "alice", &key(21), NOW + DAY), when);
        let refused = roster.append(&signed(payload, &[&key(seed)])).unwrap_err();
        assert!(
            matches!(refused, RosterError::NotACustodian { .. }),
            "{seed}: {refused}"
        );
    }
}

#[test]
fn expired_and_revoked_members_have_no_standing() {
    let (mut log, pins) = small();
    let roster = Roster::verify(None, &pins, &log).unwrap();
    let end = NOW + 30 * DAY;
    assert!(roster.member(Role::Researcher, "alice", end).is_ok());
    let expired = RosterError::Expired {
        role: Role::Researcher,
        name: name("alice"),
    };
    assert_eq!(
        roster.member(Role::Researcher, "alice", end + 1),
        Err(expired.clone())
    );
    assert_eq!(roster.by_key(key(21).key_id(), end + 1), Err(expired));

    push(
        &mut log,
        &pins,
        revoke(Role::Researcher, "alice", &key(21)),
        &[&key(1)],
    );
    let roster = Roster::verify(None, &pins, &log).unwrap();
    let revoked = RosterError::Revoked {
        role: Role::Researcher,
        name: name("alice"),
    };
    assert_eq!(roster.by_key(key(21).key_id(), NOW), Err(revoked.clone()));
    assert_eq!(roster.member(Role::Researcher, "alice", NOW), Err(revoked));

    // Revoked keys never come back; a new key takes the name.
    for (role, who) in [
        (Role::Researcher, "alice"),
        (Role::Researcher, "bob"),
        (Role::Node, "x"),
    ] {
        assert!(matches!(
            try_push(&log, &pins, add(role, who, &key(21), NOW + DAY), &[&key(1)]),
            Err(RosterError::KeyTaken { .. })
        ));
    }
    push(
        &mut log,
        &pins,
        add(Role::Researcher, "alice", &key(22), NOW + DAY),
        &[&key(1)],
    );
    let roster = Roster::verify(None, &pins, &log).unwrap();
    assert_eq!(
        &roster.member(Role::Researcher, "alice", NOW).unwrap().key,
        key(22).key_id()
    );
}

#[test]
fn names_and_keys_are_not_shared() {
    let (log, pins) = small();
    let by = [&key(1)];
    assert!(matches!(
        try_push(
            &log,
            &pins,
            add(Role::Node, "cleveland", &key(13), NOW + DAY),
            &by
        ),
        Err(RosterError::NameTaken { seq: 5, .. })
    ));
    // A custodian key is no node key; a node's key is no researcher's.
    for (role, who, seed) in [(Role::Node, "north", 1), (Role::Researcher, "eve", 11)] {
        assert!(matches!(
            try_push(&log, &pins, add(role, who, &key(seed), NOW + DAY), &by),
            Err(RosterError::KeyTaken { seq: 5, .. })
        ));
    }
    // The same key with a later end is a longer term.
    let mut longer = log.clone();
    push(
        &mut longer,
        &pins,
        add(Role::Node, "cleveland", &key(11), NOW + 400 * DAY),
        &by,
    );
    let roster = Roster::verify(None, &pins, &longer).unwrap();
    assert!(
        roster
            .member(Role::Node, "cleveland", NOW + 399 * DAY)
            .is_ok()
    );
}

#[test]
fn a_name_has_one_valid_key_at_a_time() {
    let (mut log, pins) = founded();
    let by = [&key(1)];
    let soon = NOW - 8 * DAY;
    push(
        &mut log,
        &pins,
        add(Role::Node, "cleveland", &key(11), soon),
        &by,
    );
    // Its time runs out, the name gets another key, and then the old key asks for more time.
    let mut roster = Roster::verify(None, &pins, &log).unwrap();
    let next = add(Role::Node, "cleveland", &key(12), NOW + DAY);
    let entry = signed(roster.propose(next, NOW - 7 * DAY), &by);
    roster.append(&entry).unwrap();
    let again = add(Role::Node, "cleveland", &key(11), NOW + DAY);
    let entry = signed(roster.propose(again, NOW - 7 * DAY), &by);
    assert_eq!(
        roster.append(&entry),
        Err(RosterError::NameTaken {
            seq: 4,
            role: Role::Node,
            name: name("cleveland")
        })
    );
    assert_eq!(
        &roster.member(Role::Node, "cleveland", NOW).unwrap().key,
        key(12).key_id()
    );
}

#[test]
fn an_entry_from_the_future_is_not_for_publishing() {
    let (log, pins) = small();
    let mut roster = Roster::verify(None, &pins, &log).unwrap();
    assert_eq!(roster.check_time(NOW), Ok(()));
    let change = add(Role::Researcher, "bob", &key(22), NOW + 300 * DAY);
    let entry = signed(roster.propose(change, NOW + 299), &[&key(1)]);
    roster.append(&entry).unwrap();
    assert_eq!(roster.check_time(NOW), Ok(()));
    assert_eq!(
        roster.check_time(NOW - 2),
        Err(RosterError::Future { seq: 5 })
    );
}

#[test]
fn nothing_to_revoke_and_bad_dates_are_refused() {
    let (log, pins) = small();
    let by = [&key(1)];
    for (role, who, seed) in [
        (Role::Researcher, "bob", 22),
        (Role::Researcher, "alice", 11),
        (Role::Node, "alice", 21),
    ] {
        assert!(matches!(
            try_push(&log, &pins, revoke(role, who, &key(seed)), &by),
            Err(RosterError::NothingToRevoke { .. })
        ));
    }
    assert_eq!(
        try_push(
            &log,
            &pins,
            add(Role::Node, "late", &key(13), NOW - 9 * DAY),
            &by
        ),
        Err(RosterError::Until { seq: 5 })
    );
    let mut roster = Roster::verify(None, &pins, &log).unwrap();
    let change = add(Role::Node, "early", &key(13), NOW + DAY);
    let early = Entry::after(&roster.head(), roster.network(), change, NOW - 100 * DAY).to_bytes();
    assert_eq!(
        roster.append(&signed(early, &by)),
        Err(RosterError::Time { seq: 5 })
    );
}

#[test]
fn an_entry_is_exactly_its_json() {
    let (log, _) = small();
    let text = String::from_utf8(log[1].payload.clone()).unwrap();
    assert!(Entry::parse(text.as_bytes()).is_ok());
    for bad in [
        text.replacen('{', "{\"extra\":1,", 1),
        text.replace("\"node\"", "\"king\""),
        text.replace("cleveland", "Cleve land"),
        format!("{text}{text}"),
        text.replacen("\"seq\":2", "\"seq\":2,\"seq\":3", 1),
        String::new(),
    ] {
        assert_eq!(
            Entry::parse(bad.as_bytes()),
            Err(RosterError::NotAnEntry),
            "{bad}"
        );
    }
}

#[test]
fn a_log_file_round_trips() {
    let (log, _) = small();
    assert_eq!(parse_log(&write_log(&log)).unwrap(), log);
    assert_eq!(parse_log("{}"), Err(RosterError::NotAnEntry));
}
