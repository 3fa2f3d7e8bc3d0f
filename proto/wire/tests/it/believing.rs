//! A message is believed only as what it is, from whom it claims to be, in its own network.

use quorate_identity::envelope::kind;
use quorate_identity::roster::{Change, Founder, cosign, genesis, unsigned};
use quorate_identity::{KeyId, Name, Role, Roster, RosterError, SignatureError, Signed};
use quorate_wire::{
    AnswerPayload, OpenError, Opened, QuestionPayload, RefusalPayload, ResultPayload, Stamp,
    fresh_until, open, open_member, open_possession, open_question, sign, sign_question,
    signed_from_bytes, signed_to_bytes,
};

use crate::samples::{self, NOW, key};

const DAY: i64 = 24 * 3600;

/// Custodian 1; nodes cleveland 11 and hungary 12; alice 21; hub 31. `change` may add to it.
fn roster(more: &[Change]) -> Roster {
    let name = |text: &str| Name::parse(text).unwrap();
    let founder = Founder {
        name: name("north"),
        key: id(1),
        until: NOW + 99 * DAY,
    };
    let mut entry = unsigned(genesis(&name("heart"), vec![founder], NOW - 9 * DAY));
    cosign(&key(1), &mut entry);
    let mut roster = Roster::verify(None, &[id(1)], &[entry]).unwrap();
    let add = |role, who: &str, seed| Change::Add {
        role,
        name: name(who),
        key: id(seed),
        until: NOW + 30 * DAY,
    };
    let members = [
        add(Role::Node, "cleveland", 11),
        add(Role::Node, "hungary", 12),
        add(Role::Researcher, "alice", 21),
        add(Role::Coordinator, "hub", 31),
    ];
    for change in members.iter().chain(more) {
        let mut entry = unsigned(roster.propose(change.clone(), NOW - 8 * DAY));
        cosign(&key(1), &mut entry);
        roster.append(&entry).unwrap();
    }
    roster
}

fn id(seed: u8) -> KeyId {
    key(seed).key_id().clone()
}

fn code<P>(outcome: Result<Opened<P>, OpenError>) -> &'static str {
    outcome.map(|_| ()).unwrap_err().code().0
}

#[test]
fn every_party_is_believed_as_itself() {
    let roster = roster(&[]);
    let question = open_question(&sign_question(&samples::question(), &key(21)), &roster, NOW);
    let question = question.unwrap();
    assert_eq!(question.payload(), &samples::question());
    assert_eq!(question.signer(), key(21).key_id());
    assert_eq!(question.digest(), question.signed().digest());
    let answer = sign(&samples::answer(), &key(11));
    assert_eq!(
        open_member::<AnswerPayload>(&answer, &roster, NOW)
            .unwrap()
            .into_payload(),
        samples::answer()
    );
    let result = sign(&samples::result(), &key(31));
    assert!(open_member::<ResultPayload>(&result, &roster, NOW).is_ok());
    let stamp: Opened<Stamp> =
        open_member(&sign(&samples::stamp(), &key(11)), &roster, NOW).unwrap();
    assert_eq!(stamp.claim().head.seq, 4);
}

#[test]
fn an_altered_question_is_refused() {
    let roster = roster(&[]);
    let mut signed = sign_question(&samples::question(), &key(21));
    let at = signed
        .payload
        .windows(3)
        .position(|three| three == b"age")
        .unwrap();
    signed.payload[at] = b'e';
    assert_eq!(code(open_question(&signed, &roster, NOW)), "A406");
}

#[test]
fn bytes_signed_as_one_kind_are_nothing_as_another() {
    let roster = roster(&[]);
    let refusal = sign(&samples::refusal(), &key(12));
    let mut swapped: Signed = refusal.clone();
    swapped.kind = kind::ANSWER.to_owned();
    assert_eq!(
        code(open_member::<AnswerPayload>(&swapped, &roster, NOW)),
        "A406"
    );
    assert_eq!(
        open::<AnswerPayload>(&refusal, key(12).key_id()).unwrap_err(),
        OpenError::Signature(SignatureError::WrongKind {
            expected: kind::ANSWER.to_owned()
        })
    );
}

#[test]
fn nobody_speaks_for_another() {
    let roster = roster(&[]);
    // hungary answers as cleveland; the hub asks as alice; alice signs a result.
    assert_eq!(
        code(open_member::<AnswerPayload>(
            &sign(&samples::answer(), &key(12)),
            &roster,
            NOW
        )),
        "A401"
    );
    assert_eq!(
        code(open_question(
            &sign_question(&samples::question(), &key(31)),
            &roster,
            NOW
        )),
        "A401"
    );
    assert_eq!(
        code(open_member::<ResultPayload>(
            &sign(&samples::result(), &key(21)),
            &roster,
            NOW
        )),
        "A401"
    );
    // A stranger, and a second signature beside alice's.
    assert_eq!(
        code(open_question(
            &sign_question(&samples::question(), &key(99)),
            &roster,
            NOW
        )),
        "A401"
    );
    let mut two = sign_question(&samples::question(), &key(21));
    two.signatures
        .push(key(31).sign(kind::QUESTION, &two.payload));
    assert_eq!(code(open_question(&two, &roster, NOW)), "A406");
}

#[test]
fn a_revoked_an_expired_and_a_foreign_signer_are_refused() {
    let signed = sign_question(&samples::question(), &key(21));
    let name = Name::parse("alice").unwrap();
    let gone = Change::Revoke {
        role: Role::Researcher,
        name,
        key: id(21),
    };
    let refused = open_question(&signed, &roster(&[gone]), NOW).unwrap_err();
    assert!(matches!(
        refused,
        OpenError::Roster(RosterError::Revoked { .. })
    ));
    assert_eq!(refused.problem().code.0, "A410");
    assert_eq!(
        code(open_question(&signed, &roster(&[]), NOW + 31 * DAY)),
        "A402"
    );

    let elsewhere = QuestionPayload {
        network: "lung".to_owned(),
        ..samples::question()
    };
    assert_eq!(
        code(open_question(
            &sign_question(&elsewhere, &key(21)),
            &roster(&[]),
            NOW
        )),
        "A405"
    );
}

#[test]
fn signed_nonsense_is_malformed() {
    let nonsense = Signed::by(&key(12), kind::REFUSAL, b"\xff\xff".to_vec());
    assert_eq!(
        code(open_member::<RefusalPayload>(&nonsense, &roster(&[]), NOW)),
        "A414"
    );
}

#[test]
fn only_believed_stamps_make_a_roster_fresh() {
    let roster = roster(&[]);
    let head = roster.head();
    let stamp = |node: &str, seed, time| {
        let (roster_seq, roster_head) = (head.seq, head.hash.clone());
        let (network, node) = ("heart".to_owned(), node.to_owned());
        sign(
            &Stamp {
                network,
                node,
                roster_seq,
                roster_head,
                time,
            },
            &key(seed),
        )
    };
    let good = stamp("cleveland", 11, NOW - 60);
    let until = Ok(NOW - 60 + quorate_identity::roster::STAMP_LIFE);
    let own = Some("hungary");
    assert_eq!(
        fresh_until(&roster, std::slice::from_ref(&good), own, NOW),
        until
    );
    let forged = stamp("cleveland", 12, NOW);
    let stranger = stamp("cleveland", 99, NOW);
    let mut altered = stamp("cleveland", 11, NOW);
    altered.payload.push(0);
    let ours = stamp("hungary", 12, NOW);
    let useless = [forged, stranger, altered, ours];
    assert_eq!(
        fresh_until(&roster, &useless, own, NOW),
        Err(RosterError::NotFresh)
    );
    let late = NOW - 60 + quorate_identity::roster::STAMP_LIFE + 1;
    assert_eq!(
        fresh_until(&roster, &[good], own, late),
        Err(RosterError::NotFresh)
    );
}

#[test]
fn possession_proves_the_key_that_signed() {
    let signed = sign(&samples::enrol(), &key(11));
    assert_eq!(open_possession(&signed).unwrap().signer(), key(11).key_id());
    let mut stolen = signed;
    stolen.signatures[0].key_id = id(12);
    assert_eq!(code(open_possession(&stolen)), "A406");
}

#[test]
fn a_question_has_its_time_and_its_demands() {
    let question = samples::question();
    let code = |now, understood: &[&str]| question.check(now, understood).unwrap_err().code.0;
    assert_eq!(question.check(NOW, &["strict"]), Ok(()));
    assert_eq!(question.check(NOW + 3600, &["strict", "more"]), Ok(()));
    assert_eq!(code(NOW - 1, &["strict"]), "A407");
    assert_eq!(code(NOW + 3601, &["strict"]), "A402");
    assert_eq!(code(NOW, &[]), "A409");
    assert!(question.names("hungary") && !question.names("switzerland"));
    let all = QuestionPayload {
        nodes: std::collections::BTreeSet::new(),
        ..question
    };
    assert!(all.names("switzerland"));
}

#[test]
fn an_envelope_survives_storage_bit_for_bit() {
    let signed = sign(&samples::answer(), &key(11));
    let bytes = signed_to_bytes(&signed);
    assert_eq!(signed_from_bytes(&bytes).unwrap(), signed);
    assert!(signed_from_bytes(&bytes[..bytes.len() - 1]).is_err());
    assert!(open::<AnswerPayload>(&signed_from_bytes(&bytes).unwrap(), key(11).key_id()).is_ok());
}
