//! Rule 8: the glass breaks for two persons, one question, some hours, and with somebody to tell.

use quorate_governance::duties::LONGEST_BREAK_GLASS;
use quorate_governance::glass::{Glass, GlassError, Place, lets};
use quorate_governance::{Artefact, Opened};

use crate::support::{NOW, key, name, people, person, signed};

fn glass() -> Glass {
    Glass {
        network: name("heart"),
        node: name("north"),
        who: person("olga"),
        question: "q1".to_owned(),
        reason: "it never ends".to_owned(),
        at: NOW,
        until: NOW + 3600,
    }
}

fn read(glass: &Opened<Glass>, question: &str, who: &str, now: i64) -> Result<(), GlassError> {
    let (operators, custodian) = (people(&["olga"]), people(&["carla", "olga"]));
    let auditors = people(&["anna"]);
    let place = Place {
        network: "heart",
        node: "north",
        operators: &operators,
        custodian: &custodian,
        auditors: &auditors,
    };
    lets(glass, &place, question, key(who).key_id(), now).map(drop)
}

#[test]
fn rule_8_two_persons_open_one_question_for_some_hours() {
    let both = signed(&glass(), &["olga", "carla"]);
    assert_eq!(read(&both, "q1", "olga", NOW), Ok(()));
    assert_eq!(read(&both, "q1", "olga", NOW + 3600), Ok(()));
    let late = read(&both, "q1", "olga", NOW + 3601);
    assert_eq!(late, Err(GlassError::NotCurrent));
    assert_eq!(
        read(&both, "q1", "olga", NOW - 1),
        Err(GlassError::NotCurrent)
    );
    assert_eq!(read(&both, "q2", "olga", NOW), Err(GlassError::Another));
    assert_eq!(read(&both, "q1", "carla", NOW), Err(GlassError::Another));
    for alone in [&["olga"][..], &["carla"], &["olga", "zoe"]] {
        let one = signed(&glass(), alone);
        assert_eq!(read(&one, "q1", "olga", NOW), Err(GlassError::OnePerson));
    }
}

#[test]
fn only_an_operator_reads_and_an_auditor_is_told() {
    let mut of_zoe = glass();
    of_zoe.who = person("zoe");
    let of_zoe = signed(&of_zoe, &["zoe", "carla"]);
    let refused = read(&of_zoe, "q1", "zoe", NOW);
    assert_eq!(refused, Err(GlassError::NotAnOperator(name("zoe"))));
    let both = signed(&glass(), &["olga", "carla"]);
    let (operators, custodian) = (people(&["olga"]), people(&["carla"]));
    let place = Place {
        network: "heart",
        node: "north",
        operators: &operators,
        custodian: &custodian,
        auditors: &[],
    };
    let untold = lets(&both, &place, "q1", key("olga").key_id(), NOW);
    assert_eq!(untold, Err(GlassError::NoAuditor));
}

#[test]
fn a_glass_without_a_reason_or_for_longer_is_none() {
    let mut silent = glass();
    silent.reason = " ".to_owned();
    assert!(!silent.mistakes().is_empty());
    let mut long = glass();
    long.until = NOW + LONGEST_BREAK_GLASS + 1;
    assert!(long.mistakes()[0].contains("four hours"));
    let mut past = glass();
    past.until = NOW;
    assert_eq!(past.mistakes().len(), 1);
}
