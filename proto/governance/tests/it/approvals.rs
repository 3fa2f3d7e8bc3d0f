//! An approval carries one question, cohort or template, by enough people who are not on the
//! project, here, now, and so many times.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_governance::approval::{
    Approval, ApprovalError, Approvers, Asked, NoApproval, OfCohort, Subject, check, choose,
};
use quorate_governance::parameter::{self, Domain, ParameterError};
use quorate_governance::people::Person;
use quorate_governance::{Artefact, Opened};
use quorate_query::number::Number;
use quorate_query::question::{ParamValue, Params};
use quorate_query::value::Scalar;

use crate::support::{DAY, NOW, digest, name, people, person, signed};

fn approval(subject: Subject) -> Approval {
    Approval {
        network: name("heart"),
        project: name("heart-1"),
        record: digest("record"),
        subject,
        shown: "SELECT count(*) FROM person".to_owned(),
        codebook: digest("codebook"),
        rules: BTreeMap::from([(name("north"), digest("rules"))]),
        serial: 1,
        issued: NOW,
        expires: NOW + DAY,
        runs: 2,
    }
}

fn question() -> Subject {
    let hash = digest("question");
    Subject::Question { hash }
}

struct World {
    node: &'static str,
    hash: String,
    text: String,
    cohort: Option<(String, &'static str)>,
    params: Params,
    rules: String,
    every_rule: String,
    record: String,
    asker: Person,
    approvers: Vec<Person>,
    recognise: bool,
    now: i64,
}

fn world() -> World {
    World {
        node: "north",
        hash: digest("question"),
        text: digest("text"),
        cohort: None,
        params: Params::new(),
        rules: digest("rules"),
        every_rule: digest("rules"),
        record: digest("record"),
        asker: person("alice"),
        approvers: people(&["paul", "petra", "piet"]),
        recognise: false,
        now: NOW,
    }
}

impl World {
    fn with<T>(&self, work: impl FnOnce(&Asked<'_>, &Approvers<'_>) -> T) -> T {
        let (codebook, project) = (digest("codebook"), people(&["alice", "mia"]));
        let asked = Asked {
            network: "heart",
            node: self.node,
            project: "heart-1",
            record: &self.record,
            hash: &self.hash,
            cohort: self.cohort.as_ref().map(|(hash, kind)| OfCohort {
                hash,
                kind,
                rules: &self.every_rule,
            }),
            text: Some(&self.text),
            params: &self.params,
            codebook: &codebook,
            rules: &self.rules,
            asker: Some(&self.asker),
        };
        let approvers = Approvers {
            persons: &self.approvers,
            needed: 2,
            project: &project,
            recognise: self.recognise,
        };
        work(&asked, &approvers)
    }

    fn check(&self, approval: &Opened<Approval>) -> Result<Vec<Person>, ApprovalError> {
        self.with(|asked, approvers| check(approval, asked, approvers, self.now))
    }
}

#[test]
fn two_of_three_approve_and_one_does_not() {
    let two = signed(&approval(question()), &["paul", "petra"]);
    assert_eq!(world().check(&two), Ok(people(&["paul", "petra"])));
    let (signed_by, needed) = (1, 2);
    let too_few = ApprovalError::TooFew {
        signed: signed_by,
        needed,
    };
    let one = signed(&approval(question()), &["paul", "zoe"]);
    assert_eq!(world().check(&one), Err(too_few.clone()));
    // Two keys of one name are one person.
    let mut doubled = world();
    let mut second = person("petra");
    second.name = name("paul");
    doubled.approvers = vec![person("paul"), second];
    assert_eq!(doubled.check(&two), Err(too_few));
}

#[test]
fn an_approver_on_the_project_or_asking_does_not_count() {
    let two = signed(&approval(question()), &["mia", "petra"]);
    let mut with_mia = world();
    with_mia.approvers.push(person("mia"));
    assert_eq!(
        with_mia.check(&two),
        Err(ApprovalError::OwnProject(name("mia")))
    );
    let mut asks = world();
    asks.asker = person("paul");
    let two = signed(&approval(question()), &["paul", "petra"]);
    assert_eq!(
        asks.check(&two),
        Err(ApprovalError::OwnProject(name("paul")))
    );
}

#[test]
fn an_approval_is_of_one_thing_here_and_now() {
    let two = signed(&approval(question()), &["paul", "petra"]);
    let wrong = |change: fn(&mut World)| {
        let mut world = world();
        change(&mut world);
        world.check(&two).unwrap_err()
    };
    assert_eq!(wrong(|w| w.hash = digest("age 17")), ApprovalError::Another);
    assert_eq!(
        wrong(|w| w.record = digest("version 2")),
        ApprovalError::Another
    );
    assert_eq!(
        wrong(|w| w.rules = digest("k = 5")),
        ApprovalError::RulesChanged
    );
    assert_eq!(wrong(|w| w.now += DAY + 1), ApprovalError::NotCurrent);
    assert_eq!(wrong(|w| w.now -= 1), ApprovalError::NotCurrent);
}

#[test]
fn rule_12_an_approval_travels_only_where_a_custodian_opted_in() {
    let two = signed(&approval(question()), &["paul", "petra"]);
    let mut south = world();
    south.node = "south";
    assert_eq!(south.check(&two), Err(ApprovalError::NotForThisNode));
    south.recognise = true;
    assert!(south.check(&two).is_ok());
}

#[test]
fn a_template_runs_with_approved_parameters_only() {
    let range = Domain::Range {
        from: "18".to_owned(),
        to: "65".to_owned(),
        scale: 0,
    };
    let subject = Subject::Template {
        text: digest("text"),
        parameters: BTreeMap::from([("age".to_owned(), range)]),
    };
    let two = signed(&approval(subject), &["paul", "petra"]);
    let ask = |text: &str, params: &[(&str, Scalar)]| {
        let mut world = world();
        world.text = digest(text);
        let one =
            |(name, value): &(&str, Scalar)| ((*name).to_owned(), ParamValue::One(value.clone()));
        world.params = params.iter().map(one).collect();
        world.check(&two)
    };
    let number = |text: &str| Scalar::Number(text.parse::<Number>().unwrap());
    assert!(ask("text", &[("age", number("18"))]).is_ok());
    assert!(ask("text", &[("age", number("65"))]).is_ok());
    let outside = Err(ApprovalError::Parameter(ParameterError::Outside(
        "age".to_owned(),
    )));
    assert_eq!(ask("text", &[("age", number("17"))]), outside);
    assert_eq!(ask("text", &[("age", number("18.5"))]), outside);
    assert_eq!(ask("text", &[("age", Scalar::Null)]), outside);
    let names = Err(ApprovalError::Parameter(ParameterError::Names));
    assert_eq!(ask("text", &[]), names);
    assert_eq!(
        ask("text", &[("age", number("20")), ("sex", number("1"))]),
        names
    );
    assert_eq!(
        ask("text ", &[("age", number("20"))]),
        Err(ApprovalError::Another)
    );
}

#[test]
fn a_cohort_is_approved_once_for_its_questions() {
    let (hash, kinds) = (digest("cohort"), ["table1/1".to_owned()].into());
    let subject = Subject::Cohort {
        hash: hash.clone(),
        kinds,
    };
    let two = signed(&approval(subject), &["paul", "petra"]);
    let mut world = world();
    assert_eq!(world.check(&two), Err(ApprovalError::Another));
    world.cohort = Some((hash.clone(), "table1/1"));
    assert!(world.check(&two).is_ok());
    world.every_rule = digest("another view of a table");
    let ended = world.check(&two);
    assert_eq!(ended, Err(ApprovalError::RulesChanged));
    world.every_rule = digest("rules");
    world.cohort = Some((hash, "sql"));
    assert_eq!(world.check(&two), Err(ApprovalError::Another), "any text");
    world.cohort = Some((digest("another"), "table1/1"));
    assert_eq!(world.check(&two), Err(ApprovalError::Another));
}

#[test]
fn runs_are_counted_and_the_highest_serial_speaks() {
    let first = signed(&approval(question()), &["paul", "petra"]);
    let mut next = approval(question());
    next.serial = 2;
    let second = signed(&next, &["piet", "petra"]);
    let both = [first.clone(), second.clone()];
    let world = world();
    world.with(|asked, approvers| {
        let (chosen, _) = choose(&both, asked, approvers, NOW, |_| 1).unwrap();
        assert_eq!(chosen.digest(), second.digest());
        let used = |digest: &str| if digest == second.digest() { 2 } else { 0 };
        let refused = choose(&both, asked, approvers, NOW, used);
        assert_eq!(
            refused,
            Err(NoApproval::UsedUp),
            "an older one does not come back"
        );
        assert_eq!(
            choose(&[], asked, approvers, NOW, |_| 0),
            Err(NoApproval::None)
        );
        let one = [signed(&approval(question()), &["paul"])];
        let refused = choose(&one, asked, approvers, NOW, |_| 0);
        assert!(matches!(
            refused,
            Err(NoApproval::Error(ApprovalError::TooFew { .. }))
        ));
    });
}

#[test]
fn an_approval_without_runs_end_or_domain_is_none() {
    let wrong = |change: fn(&mut Approval)| {
        let mut approval = approval(question());
        change(&mut approval);
        approval.mistakes().len()
    };
    assert_eq!(wrong(|a| a.runs = 0), 1);
    assert_eq!(wrong(|a| a.expires = a.issued), 1);
    assert_eq!(wrong(|a| a.codebook.clear()), 1);
    let empty = Domain::Range {
        from: "5".to_owned(),
        to: "4".to_owned(),
        scale: 0,
    };
    let subject = Subject::Template {
        text: digest("text"),
        parameters: BTreeMap::from([("age".to_owned(), empty)]),
    };
    assert_eq!(approval(subject).mistakes().len(), 1);
    assert_eq!(wrong(|_| {}), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A range holds exactly the numbers of its grid between its ends.
    #[test]
    fn a_range_is_a_grid(from in -50..50_i64, to in -50..50_i64, at in -600..600_i64) {
        let domain = Domain::Range { from: from.to_string(), to: to.to_string(), scale: 1 };
        let tenths = format!("{}{}.{}", if at < 0 { "-" } else { "" }, (at / 10).abs(), (at % 10).abs());
        let held = domain.holds(&Scalar::Number(tenths.parse().unwrap()));
        prop_assert_eq!(held, from * 10 <= at && at <= to * 10);
        let finer = format!("{tenths}5");
        prop_assert!(!domain.holds(&Scalar::Number(finer.parse().unwrap())));
        let params = Params::new();
        prop_assert!(parameter::check(&BTreeMap::new(), &params).is_ok());
    }
}
