//! The twelve rules of separation, one refusal each. Rules 2, 3, 5, 7, 11 and 12 are refused where
//! they live: in the tests of votes, changes, reviews, suspensions and approvals.

use std::collections::BTreeMap;

use quorate_governance::duties::{
    Act, BreakGlass, BreakGlassError, Conflict, Grant, GrantError, Role, at_one_node, may,
    on_project,
};

use crate::support::{DAY, NOW, name, people, person};

#[test]
fn rule_1_author_approver_and_checker_are_three_persons() {
    let members = people(&["alice"]);
    let check = |approvers: &[&str], checkers: &[&str]| {
        on_project(members.iter(), &people(approvers), &people(checkers))
    };
    assert_eq!(check(&["paul"], &["cleo"]), Ok(()));
    assert!(matches!(
        check(&["alice"], &["cleo"]),
        Err(Conflict::Project { .. })
    ));
    assert!(matches!(
        check(&["paul"], &["alice"]),
        Err(Conflict::Project { .. })
    ));
    assert!(matches!(
        check(&["paul"], &["paul"]),
        Err(Conflict::Project { .. })
    ));
    // Another name with the same key, and another key under the same name, are the same person.
    let mut renamed = person("alice");
    renamed.name = name("alicia");
    assert!(on_project(members.iter(), &[renamed], &[]).is_err());
    let mut rekeyed = person("zoe");
    rekeyed.name = name("alice");
    assert!(on_project(members.iter(), &[], &[rekeyed]).is_err());
}

#[test]
fn rule_4_an_operator_touches_no_data_result_or_release() {
    let allowed: Vec<Act> = Act::ALL
        .into_iter()
        .filter(|act| may(Role::Operator, *act))
        .collect();
    assert_eq!(allowed, [Act::Pause, Act::Operate]);
    let duties = BTreeMap::from([
        ("operator", people(&["olga"])),
        ("output checker", people(&["olga"])),
    ]);
    assert!(matches!(
        at_one_node(&duties),
        Err(Conflict::OperatorDecides { .. })
    ));
}

#[test]
fn rule_6_a_coordinator_decides_nothing() {
    let allowed: Vec<Act> = Act::ALL
        .into_iter()
        .filter(|act| may(Role::Coordinator, *act))
        .collect();
    assert_eq!(allowed, [Act::Carry]);
}

#[test]
fn rule_8_break_glass_is_short_reasoned_and_told() {
    let (who, custodian, auditor) = (person("olga"), person("carla"), person("anna"));
    let open =
        |reason: &str, until, told| BreakGlass::open(who.clone(), reason, (NOW, until), told);
    let both = (&custodian, &auditor);
    assert_eq!(open(" ", NOW + 60, both), Err(BreakGlassError::NoReason));
    assert_eq!(
        open("fire", NOW + 5 * 3600, both),
        Err(BreakGlassError::TooLong)
    );
    assert_eq!(open("fire", NOW, both), Err(BreakGlassError::TooLong));
    assert_eq!(
        open("fire", NOW + 60, (&who, &auditor)),
        Err(BreakGlassError::NotTold)
    );
    assert_eq!(
        open("fire", NOW + 60, (&custodian, &custodian)),
        Err(BreakGlassError::NotTold)
    );
    let open = open("fire", NOW + 60, both).unwrap();
    assert!(open.lets(&who, NOW + 60) && !open.lets(&who, NOW + 61));
    assert!(!open.lets(&auditor, NOW));
    assert_eq!(open.told().len(), 2);
}

#[test]
fn rule_9_an_auditor_only_reads_and_operates_nothing_here() {
    let allowed: Vec<Act> = Act::ALL
        .into_iter()
        .filter(|act| may(Role::Auditor, *act))
        .collect();
    assert_eq!(allowed, [Act::ReadLedger]);
    let both = BTreeMap::from([
        ("operator", people(&["olga"])),
        ("auditor", people(&["anna", "olga"])),
    ]);
    assert_eq!(
        at_one_node(&both),
        Err(Conflict::AuditorOperates(name("olga")))
    );
    let acts = BTreeMap::from([
        ("auditor", people(&["anna"])),
        ("query approver", people(&["anna"])),
    ]);
    assert!(matches!(
        at_one_node(&acts),
        Err(Conflict::AuditorActs { .. })
    ));
    let apart = BTreeMap::from([
        ("operator", people(&["olga"])),
        ("auditor", people(&["anna"])),
        ("output checker", people(&["cleo"])),
    ]);
    assert_eq!(at_one_node(&apart), Ok(()));
}

#[test]
fn rule_10_a_grant_ends() {
    assert_eq!(
        Grant::new(Role::Checker, NOW, NOW + 400 * DAY),
        Err(GrantError)
    );
    assert_eq!(Grant::new(Role::Checker, NOW, NOW), Err(GrantError));
    let grant = Grant::new(Role::Checker, NOW, NOW + DAY).unwrap();
    assert!(grant.allows(Act::Review, NOW + DAY));
    assert!(!grant.allows(Act::Review, NOW + DAY + 1));
    assert!(!grant.allows(Act::Ask, NOW));
}
