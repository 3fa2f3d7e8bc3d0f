//! What a lying coordinator, a lying node and a tampered file run into.

use quorate_identity::roster::Change;
use quorate_identity::{Name, Role, Signed, SigningKey};
use quorate_query::codebook::Codebook;
use quorate_sdk::ask::{Asked, Draft};
use quorate_sdk::profile::{Profile, ProfileError, Settings};
use quorate_sdk::verify::{Standard, VerifiedResult, VerifyError, verify};
use quorate_wire::{NodeStatus, QuestionStatus, ResultPayload, sign};

use crate::world::{SEXES, World, absent, by_sex, names, outcome};

/// Three nodes answered, one cell is withheld at oslo.
fn honest(world: &World) -> (Asked, ResultPayload) {
    let asked = world.ask(SEXES);
    let q = &asked.signed;
    let nodes = vec![
        world.answered("bern", q, by_sex(Some(100), Some(205))),
        world.answered("cork", q, by_sex(Some(50), Some(245))),
        world.answered("oslo", q, by_sex(Some(10), None)),
    ];
    let result = world.result(q, nodes);
    (asked, result)
}

fn check(world: &World, asked: &Asked, signed: &Signed) -> Result<VerifiedResult, VerifyError> {
    let sent: Vec<String> = ["bern", "cork", "oslo"].map(str::to_owned).to_vec();
    let books: &[Codebook] = std::slice::from_ref(&world.codebook);
    let asked = Some((&asked.signed, sent.as_slice()));
    verify(
        signed,
        Standard {
            roster: &world.roster,
            codebooks: books,
            asked,
        },
    )
}

/// Lets a change loose on an honest result, signs it as the coordinator, and expects a refusal.
fn refused(change: impl FnOnce(&World, &Asked, &mut ResultPayload)) -> VerifyError {
    let world = World::new();
    let (asked, mut result) = honest(&world);
    change(&world, &asked, &mut result);
    check(&world, &asked, &world.signed(&result)).unwrap_err()
}

#[test]
fn an_honest_result_is_believed_and_recombined() {
    let world = World::new();
    let (asked, result) = honest(&world);
    let verified = check(&world, &asked, &world.signed(&result)).unwrap();
    let (_, combined) = &verified.combined().unwrap().tables[0];
    assert_eq!(combined.rows[1].cells[0].value.as_deref(), Some("450"));
    assert_eq!(combined.rows[1].cells[0].upper, None);
    assert_eq!(verified.status(), QuestionStatus::Answered);
}

#[test]
fn a_result_signed_by_anybody_else_is_refused() {
    let world = World::new();
    let (asked, result) = honest(&world);
    for forger in [
        &world.nodes["bern"],
        &world.alice,
        &SigningKey::from_seed(&[99; 32]).unwrap(),
    ] {
        let refused = check(&world, &asked, &sign(&result, forger)).unwrap_err();
        assert!(matches!(refused, VerifyError::Coordinator(_)), "{refused}");
    }
    let mut altered = world.signed(&result);
    *altered.payload.last_mut().unwrap() ^= 1;
    assert!(matches!(
        check(&world, &asked, &altered),
        Err(VerifyError::Coordinator(_))
    ));
}

#[test]
fn an_altered_table_is_refused() {
    let error = refused(|_, _, result| {
        let text = String::from_utf8(result.combined.clone()).unwrap();
        assert!(text.contains("\"450\""), "{text}");
        result.combined = text.replace("\"450\"", "\"455\"").into_bytes();
    });
    assert!(matches!(error, VerifyError::OtherTable), "{error}");
}

#[test]
fn an_altered_answer_is_refused() {
    let error = refused(|_, _, result| {
        let signed = result.nodes[0].signed.as_mut().unwrap();
        let at = signed.payload.len() / 2;
        signed.payload[at] ^= 1;
    });
    assert!(
        matches!(error, VerifyError::Node { ref node, .. } if node == "bern"),
        "{error}"
    );
}

#[test]
fn an_answer_in_a_nodes_name_by_another_key_is_refused() {
    let error = refused(|world, asked, result| {
        let answer = world.answer("bern", &asked.signed, by_sex(Some(500), Some(500)));
        result.nodes[0].signed = Some(sign(&answer, &world.nodes["cork"]));
        *result = world.result(&asked.signed, result.nodes.clone());
    });
    assert!(
        matches!(error, VerifyError::Node { ref node, .. } if node == "bern"),
        "{error}"
    );
}

#[test]
fn answers_swapped_between_nodes_are_refused() {
    let error = refused(|_, _, result| {
        let (a, b) = (
            result.nodes[0].signed.clone(),
            result.nodes[1].signed.clone(),
        );
        (result.nodes[0].signed, result.nodes[1].signed) = (b, a);
    });
    assert!(
        matches!(error, VerifyError::Elsewhere { what: "node", .. }),
        "{error}"
    );
}

#[test]
fn an_answer_to_an_earlier_question_is_refused() {
    let error = refused(|world, asked, result| {
        let earlier = world.ask(SEXES);
        result.nodes[0] = world.answered("bern", &earlier.signed, by_sex(Some(100), Some(205)));
        *result = world.result(&asked.signed, result.nodes.clone());
    });
    assert!(
        matches!(
            error,
            VerifyError::Elsewhere {
                what: "question",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_dropped_node_is_missed() {
    let error = refused(|world, asked, result| {
        result.nodes.remove(1);
        *result = world.result(&asked.signed, result.nodes.clone());
    });
    assert!(
        matches!(error, VerifyError::Dropped(ref node) if node == "cork"),
        "{error}"
    );
}

#[test]
fn a_node_that_was_named_is_missed_even_if_the_coordinator_never_mentioned_it() {
    let world = World::new();
    let draft = Draft {
        request: SEXES.into(),
        project: "heart-1".to_owned(),
        nodes: names(&["bern", "oslo"]),
        ..Draft::default()
    };
    let asked = world.sign(&draft);
    let bern = world.answered("bern", &asked.signed, by_sex(Some(10), Some(10)));
    let cork = world.answered("cork", &asked.signed, by_sex(Some(10), Some(10)));
    let believe = |nodes| {
        let signed = world.signed(&world.result(&asked.signed, nodes));
        let books: &[Codebook] = std::slice::from_ref(&world.codebook);
        let told = [];
        let standard = Standard {
            roster: &world.roster,
            codebooks: books,
            asked: Some((&asked.signed, &told)),
        };
        verify(&signed, standard)
    };
    let dropped = believe(vec![bern.clone()]).unwrap_err();
    assert!(
        matches!(dropped, VerifyError::Dropped(ref node) if node == "oslo"),
        "{dropped}"
    );
    let invented = believe(vec![bern, cork, absent("oslo")]).unwrap_err();
    assert!(
        matches!(invented, VerifyError::NotAsked(ref node) if node == "cork"),
        "{invented}"
    );
}

#[test]
fn an_answer_cannot_be_hidden_behind_a_status() {
    for status in [NodeStatus::Absent, NodeStatus::Late, NodeStatus::Refused] {
        let error = refused(|world, asked, result| {
            let mut nodes = result.nodes.clone();
            nodes[0].status = status;
            *result = world.result(&asked.signed, nodes);
        });
        let named = matches!(error, VerifyError::Words { .. } | VerifyError::Node { .. });
        assert!(named, "{status}: {error}");
    }
}

#[test]
fn a_refusal_cannot_be_invented() {
    let error = refused(|world, asked, result| {
        result.nodes[2] = outcome("oslo", NodeStatus::Refused, Some("G501"), None);
        *result = world.result(&asked.signed, result.nodes.clone());
    });
    assert!(matches!(error, VerifyError::Words { .. }), "{error}");
    let error = refused(|world, asked, result| {
        result.nodes[2] = world.refused("oslo", &asked.signed, "G502");
        result.nodes[2].code = Some("G501".to_owned());
        *result = world.result(&asked.signed, result.nodes.clone());
    });
    assert!(matches!(error, VerifyError::Words { .. }), "{error}");
}

#[test]
fn the_result_of_another_question_is_refused() {
    let world = World::new();
    let (asked, _) = honest(&world);
    let (_, other) = honest(&world);
    let error = check(&world, &asked, &world.signed(&other)).unwrap_err();
    assert!(matches!(error, VerifyError::OtherQuestion), "{error}");
}

#[test]
fn a_question_that_was_altered_on_the_way_is_refused() {
    let world = World::new();
    let (_, result) = honest(&world);
    let mut altered = result.clone();
    let at = altered.question.payload.len() / 2;
    altered.question.payload[at] ^= 1;
    let books: &[Codebook] = std::slice::from_ref(&world.codebook);
    let standard = Standard {
        roster: &world.roster,
        codebooks: books,
        asked: None,
    };
    let error = verify(&world.signed(&altered), standard).unwrap_err();
    assert!(matches!(error, VerifyError::Researcher(_)), "{error}");
}

#[test]
fn a_verdict_must_follow_from_the_nodes_words() {
    for status in [QuestionStatus::Refused, QuestionStatus::TooFewNodes] {
        let error = refused(|_, _, result| {
            result.status = status;
            result.combined.clear();
        });
        assert!(
            matches!(error, VerifyError::Verdict(s) if s == status),
            "{error}"
        );
    }
    let error = refused(|world, asked, result| {
        let combined = result.combined.clone();
        let nodes = ["bern", "cork", "oslo"].map(|node| world.refused(node, &asked.signed, "G501"));
        *result = world.result(&asked.signed, nodes.to_vec());
        (result.status, result.combined) = (QuestionStatus::Answered, combined);
    });
    assert!(
        matches!(error, VerifyError::Verdict(QuestionStatus::Answered)),
        "{error}"
    );
}

#[test]
fn a_quorum_is_held() {
    let world = World::new();
    let draft = Draft {
        request: SEXES.into(),
        project: "p".to_owned(),
        min_nodes: 3,
        ..Draft::default()
    };
    let asked = world.sign(&draft);
    let nodes = vec![
        world.answered("bern", &asked.signed, by_sex(Some(10), Some(10))),
        world.refused("cork", &asked.signed, "G501"),
        absent("oslo"),
    ];
    let honest = world.result(&asked.signed, nodes);
    let verified = check(&world, &asked, &world.signed(&honest)).unwrap();
    assert_eq!(verified.status(), QuestionStatus::TooFewNodes);
    assert!(verified.combined().is_none());
}

#[test]
fn a_codebook_that_is_not_at_hand_is_said() {
    let world = World::new();
    let (asked, result) = honest(&world);
    let standard = Standard {
        roster: &world.roster,
        codebooks: &[],
        asked: Some((&asked.signed, &[])),
    };
    let error = verify(&world.signed(&result), standard).unwrap_err();
    assert!(matches!(error, VerifyError::NoCodebook(_)), "{error}");
}

#[test]
fn a_revoked_node_is_not_believed() {
    let mut world = World::new();
    let (asked, result) = honest(&world);
    let change = Change::Revoke {
        role: Role::Node,
        name: Name::parse("cork").unwrap(),
        key: world.nodes["cork"].key_id().clone(),
    };
    world.change(change);
    let error = check(&world, &asked, &world.signed(&result)).unwrap_err();
    assert!(
        matches!(error, VerifyError::Node { ref node, .. } if node == "cork"),
        "{error}"
    );
}

#[test]
fn words_that_name_a_roster_entry_nobody_signed_are_refused() {
    let error = refused(|world, asked, result| {
        let mut answer = world.answer("bern", &asked.signed, by_sex(Some(100), Some(205)));
        answer.roster_head = crate::world::digest(b"another history");
        result.nodes[0].signed = Some(sign(&answer, &world.nodes["bern"]));
    });
    assert!(
        matches!(
            error,
            VerifyError::Elsewhere {
                what: "roster than ours",
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn a_roster_never_goes_back_and_never_forks() {
    let world = World::new();
    let home = tempfile::tempdir().unwrap();
    let settings = Settings {
        coordinator: "https://localhost:1".to_owned(),
        network: Name::parse("heart").unwrap(),
        name: Name::parse("alice").unwrap(),
        genesis: vec![world.custodian.key_id().clone()],
        project: None,
        codebook: None,
        extra_ca: Vec::new(),
    };
    let profile = Profile::create(home.path(), settings).unwrap();
    let log = world.roster.log();
    profile.advance_roster(log).unwrap();
    let shorter = profile.advance_roster(&log[..3]).unwrap_err();
    assert!(matches!(shorter, ProfileError::Roster(_)), "{shorter}");
    let mut fork = World::new();
    fork.add(
        Role::Node,
        "rome",
        &SigningKey::from_seed(&[50; 32]).unwrap(),
    );
    profile.advance_roster(fork.roster.log()).unwrap();
    let mut other = World::new();
    other.add(
        Role::Node,
        "nice",
        &SigningKey::from_seed(&[51; 32]).unwrap(),
    );
    let forked = profile.advance_roster(other.roster.log()).unwrap_err();
    assert!(matches!(forked, ProfileError::Roster(_)), "{forked}");
    assert_eq!(profile.roster().unwrap().head(), fork.roster.head());
}

/// The coordinator says that it finished before the question was there, or before its node decided.
#[test]
fn a_result_is_not_dated_back() {
    let error = refused(|_, _, result| result.finished -= 7200);
    assert!(matches!(error, VerifyError::BackDated { .. }), "{error}");
    let world = World::new();
    let (asked, mut result) = honest(&world);
    result.finished -= 200;
    check(&world, &asked, &world.signed(&result)).expect("clocks are right to minutes only");
}
