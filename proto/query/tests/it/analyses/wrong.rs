//! Wrong arguments: what cannot come to anything is refused before anybody is asked, in words that say
//! what to write instead.

use quorate_query::analyses::Request;
use quorate_query::problem::Problem;
use quorate_query::question::Params;

use super::{analysis, codebook, entry, report};
use crate::cells::Person;

/// A command as it is typed, without `quorate analyse`.
fn ask(command: &[&str]) -> Result<(), Problem> {
    let (name, rest) = command.split_first().unwrap();
    let pairs: Vec<(&str, &str)> = rest.chunks(2).map(|pair| (pair[0], pair[1])).collect();
    let request = Request::Analysis(analysis(&format!("{name}/1"), &pairs));
    request.read(&Params::new(), &codebook()).map(drop)
}

/// Code, message and what to write of a refusal.
fn refused(command: &[&str]) -> (String, String, Option<String>) {
    let problem = ask(command).expect_err(&command.join(" "));
    (problem.code.0.to_owned(), problem.message, problem.write)
}

#[test]
fn a_comparison_of_two_has_two_groups() {
    let four = "`arm` has 4: `1` none, `2` low, `3` middle, `4` high";
    for command in [
        &["ttest", "value", "score", "by", "arm"][..],
        &[
            "meta",
            "estimate",
            "difference",
            "value",
            "score",
            "by",
            "arm",
        ],
        &[
            "meta",
            "estimate",
            "odds_ratio",
            "outcome",
            "disease",
            "by",
            "arm",
        ],
    ] {
        let (code, message, write) = refused(command);
        assert_eq!(code, "V900", "{command:?}");
        assert!(message.contains(four), "{message}");
        assert_eq!(write.as_deref(), Some("arm IN (1, 2)"));
    }
    let two = [
        "ttest",
        "value",
        "score",
        "by",
        "arm",
        "where",
        "arm IN (1, 2)",
    ];
    assert_eq!(ask(&two), Ok(()));
    // Bands that nobody is in are left out of the answer, so they may be asked for.
    assert_eq!(ask(&["ttest", "value", "score", "by", "months:12"]), Ok(()));
}

#[test]
fn groups_that_are_compared_are_more_than_one() {
    for command in [
        &["ttest", "value", "score", "by", "sex", "where", "sex = 1"][..],
        &["anova", "value", "score", "by", "sex", "where", "sex = 1"],
        &[
            "anova", "value", "score", "by", "arm", "and", "sex", "where", "sex = 1",
        ],
        &[
            "lm",
            "formula",
            "score ~ C(sex) + C(arm)",
            "where",
            "sex = 1",
        ],
    ] {
        let (code, message, _) = refused(command);
        assert_eq!(code, "V900");
        assert!(
            message.contains("of `sex` there is only `1` male"),
            "{message}"
        );
    }
    assert_eq!(ask(&["anova", "value", "score", "by", "arm"]), Ok(()));
}

#[test]
fn a_level_is_one_of_the_domain() {
    let (code, message, write) = refused(&["proportion", "outcome", "disease", "is", "2"]);
    let list = "`disease` has no level `2`; there is `0` no, `1` yes";
    assert_eq!((code.as_str(), write), ("V900", None));
    assert!(message.contains(list), "{message}");
    let yes = refused(&["proportion", "outcome", "disease", "is", "yes"]);
    assert_eq!(yes.2.as_deref(), Some("1"));
    let survival = ["survival", "time", "months:12", "event", "died", "is", "7"];
    assert!(refused(&survival).1.contains("`died` has no level `7`"));
    // Conditions may leave it out as well.
    let gone = [
        "proportion",
        "outcome",
        "disease",
        "is",
        "1",
        "where",
        "disease = 0",
    ];
    assert!(refused(&gone).1.contains("no level `1`"));
    let (_, message, _) = refused(&["lm", "formula", "score ~ C(arm, ref=9)"]);
    assert!(message.contains("no level `9`"), "{message}");
    assert_eq!(ask(&["lm", "formula", "score ~ C(arm, ref=4)"]), Ok(()));
}

#[test]
fn a_standard_population_has_levels_that_there_are() {
    let standard = |weights| {
        let of = [
            "standardise",
            "events",
            "died",
            "strata",
            "arm",
            "standard",
            weights,
        ];
        ask(&of).map_err(|problem| problem.message)
    };
    assert_eq!(standard("1=10,2=20"), Ok(()));
    let message = standard("1=10,7=20").unwrap_err();
    assert!(message.contains("`arm` has no level `7`"), "{message}");
    // A condition may ask of some of them only.
    let some = [
        "standardise",
        "events",
        "died",
        "strata",
        "arm",
        "standard",
        "1=10,2=20,3=5",
    ];
    let some = [&some[..], &["where", "arm < 3"]].concat();
    assert_eq!(ask(&some), Ok(()));
    let bands = [
        "standardise",
        "events",
        "died",
        "strata",
        "months:12",
        "rates",
        "0=0.1,13=0.2",
    ];
    assert!(refused(&bands).1.contains("no level `13`"));
}

#[test]
fn hints_are_written_as_arguments_are() {
    for (command, write) in [
        (
            &["describe", "value", "score", "by", "months"][..],
            "months:3",
        ),
        (
            &["describe", "value", "score", "by", "months:7"],
            "months:6",
        ),
        (&["describe", "value", "scroe"], "score"),
        (&["lm", "formula", "scroe ~ sex"], "score"),
        (&["table1", "variables", "sexx"], "sex"),
        (&["quantile", "value", "mnoths"], "months"),
        (&["ttest", "value", "score", "table", "persno"], "person"),
    ] {
        assert_eq!(refused(command).2.as_deref(), Some(write), "{command:?}");
    }
    let (_, message, write) = refused(&["describe", "value", "sex"]);
    assert!(
        message.contains("it allows `died`, `disease`, `falls`"),
        "{message}"
    );
    assert_eq!(write, None);
    let (code, message, _) = refused(&["describe", "value", "kind"]);
    assert_eq!(code, "V400");
    assert!(
        message.contains("`kind` is a column of `visit`"),
        "{message}"
    );
    let (_, message, _) = refused(&["correlation", "columns", "score,kind"]);
    assert!(message.contains("but `visit` has"), "{message}");
    let (_, message, _) = refused(&["describe", "value", "score", "confidence", "95%"]);
    assert!(message.contains("0.95"), "{message}");
}

/// Persons of the given sex and arm, every second of them ill.
fn persons(sex: i64, arm: i64, many: i64) -> impl Iterator<Item = Person> {
    (0..many).map(move |at| Person::from([("sex", sex), ("arm", arm), ("disease", at % 2)]))
}

#[test]
fn a_share_needs_no_groups() {
    let people: Vec<Person> = persons(0, 1, 30).chain(persons(1, 2, 10)).collect();
    let share = analysis("proportion/1", &[("outcome", "disease")]);
    let found = report(&share, &[("one", people)], false);
    let value = |column| {
        let entry = entry(&found, "shares", &"all".into(), column);
        entry.value.clone().unwrap()
    };
    assert_eq!(
        (value("with"), value("n"), value("share")),
        ("20".into(), "40".into(), "0.5".into())
    );
    assert_eq!(found.tables.len(), 1, "there is nothing to compare");
}

#[test]
fn a_stratum_that_nobody_released_is_named_once_and_has_no_test() {
    // Twelve of everybody in two strata, and too few in the other two.
    let full = |sex| {
        [1, 2]
            .into_iter()
            .flat_map(move |arm| persons(sex, arm, 48))
    };
    let few = |sex| [3, 4].into_iter().flat_map(move |arm| persons(sex, arm, 4));
    let people: Vec<Person> = [0, 1]
        .into_iter()
        .flat_map(|sex| full(sex).chain(few(sex)))
        .collect();
    let asked = [("rows", "sex"), ("columns", "disease"), ("strata", "arm")];
    let found = report(
        &analysis("crosstab/1", &asked),
        &[("one", people.clone())],
        true,
    );
    let tests = found
        .tables
        .iter()
        .find(|grid| grid.name == "tests")
        .unwrap();
    let rows: Vec<&str> = tests.rows.iter().map(|line| line.row.as_str()).collect();
    assert_eq!(rows.len(), 4, "{rows:?}");
    assert!(
        rows.iter()
            .all(|row| row.starts_with("arm 1") || row.starts_with("arm 2"))
    );
    let empty: Vec<&String> = found
        .remarks
        .iter()
        .filter(|text| text.contains("arm 3"))
        .collect();
    assert_eq!(
        empty,
        ["No node released anything of these strata: arm 3 middle; arm 4 high."]
    );
    // A node that released nothing of any stratum is not in the numbers.
    let small: Vec<Person> = [1, 2, 3, 4]
        .into_iter()
        .flat_map(|arm| persons(0, arm, 4))
        .collect();
    let both = [("one", people), ("small", small)];
    let found = report(&analysis("crosstab/1", &asked), &both, true);
    assert_eq!(
        (found.sites, found.left_out),
        (vec!["one".to_owned()], vec!["small".to_owned()])
    );
}

#[test]
fn a_cohort_that_was_not_sent_and_one_without_its_key_are_told_so() {
    let request = Request::Sql("SELECT sex, count(*) AS n FROM cohort GROUP BY sex".to_owned());
    let problem = request.read(&Params::new(), &codebook()).unwrap_err();
    assert_eq!(problem.code.0, "V200");
    assert!(problem.message.contains("--cohort FILE"), "{problem}");
    let cohort = quorate_query::cohort::Cohort {
        sql: "SELECT sex FROM person".to_owned(),
        complete: Vec::new(),
    };
    let problem = Request::Of(cohort, Box::new(request))
        .read(&Params::new(), &codebook())
        .unwrap_err();
    assert_eq!(problem.code.0, "V202");
    assert!(problem.message.contains("`person_id`"), "{problem}");
}
