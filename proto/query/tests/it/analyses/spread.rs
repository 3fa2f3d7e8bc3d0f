//! Where persons are, in which order a node has them and in which order nodes answer says nothing about
//! the persons, so no analysis may mind: any number of nodes, some of them with nobody.

use super::*;
use crate::models;

/// Persons, the same in another order, the node of each, and the order in which nodes answer.
type Spread = (Vec<Person>, Vec<Person>, Vec<usize>, Vec<&'static str>);

const NODES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

fn spread(one: impl Strategy<Value = Person>) -> impl Strategy<Value = Spread> {
    let people = (prop::collection::vec(one, 80..140), 1..=NODES.len());
    people.prop_flat_map(|(people, nodes)| {
        let places = prop::collection::vec(0..nodes, people.len());
        let named = Just(NODES[..nodes].to_vec()).prop_shuffle();
        (
            Just(people.clone()),
            Just(people).prop_shuffle(),
            places,
            named,
        )
    })
}

fn check(analyses: &[Analysis], spread: &Spread, book: &Codebook) -> Result<(), TestCaseError> {
    let (people, shuffled, places, named) = spread;
    let at = |name: &str| -> Vec<Person> {
        let node = NODES.iter().position(|node| *node == name);
        let here = shuffled.iter().zip(places);
        here.filter(|(_, place)| Some(**place) == node)
            .map(|(person, _)| person.clone())
            .collect()
    };
    let apart: Vec<Site> = named.iter().map(|name| (*name, at(name))).collect();
    let together = [("a", people.clone())];
    let mut sorted = apart.clone();
    sorted.sort_by_key(|(name, _)| *name);
    let tables = |analysis: &Analysis, sites: &[Site]| {
        let mut tables = released_report(analysis, sites, false, book).tables;
        tables.retain(|grid| !grid.name.starts_with("stratified") && grid.name != "nodes");
        for grid in &mut tables {
            grid.rows.retain(|line| !line.row.starts_with("stratified"));
        }
        tables
    };
    for analysis in analyses {
        if !is_about_nodes(analysis) {
            let (found, expected) = (tables(analysis, &apart), tables(analysis, &together));
            prop_assert_eq!(found, expected, "{:?}", analysis);
        }
        // What is told of nodes does not depend on who answers first.
        let round = !is_about_nodes(analysis);
        let [found, expected] =
            [&apart, &sorted].map(|sites| released_report(analysis, sites, round, book));
        prop_assert_eq!(found, expected, "{:?}", analysis);
    }
    Ok(())
}

/// The analyses whose tests integrate.
fn slow() -> Vec<Analysis> {
    vec![
        analysis("anova/1", &[("value", "score"), ("by", "arm")]),
        analysis("anova/1", &[("value", "far"), ("by", "arm")]),
    ]
}

fn several() -> Vec<Analysis> {
    let by = |name: &str, more: &[(&str, &str)]| analysis(name, more);
    vec![
        by(
            "survival/1",
            &[("time", "months:12"), ("event", "died"), ("by", "arm")],
        ),
        by(
            "standardise/1",
            &[
                ("events", "disease"),
                ("strata", "arm"),
                ("by", "sex"),
                ("standard", "1=4,2=3,3=2,4=1"),
            ],
        ),
        by("meta/1", &[("estimate", "mean"), ("value", "far")]),
        by(
            "meta/1",
            &[
                ("estimate", "risk_difference"),
                ("outcome", "disease"),
                ("by", "sex"),
            ],
        ),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, max_shrink_time: 60_000, ..ProptestConfig::default() })]

    #[test]
    fn no_analysis_minds_where_persons_are(spread in spread(person())) {
        let analyses: Vec<Analysis> = all().into_iter().chain(first_tables()).chain(several()).collect();
        check(&analyses, &spread, &codebook())?;
    }

    #[test]
    fn no_model_minds_where_persons_are(spread in spread(models::person())) {
        check(&models::all(), &spread, &models::codebook())?;
    }
}

#[test]
fn no_analysis_of_variance_minds_where_persons_are() {
    let mut world = proptest::test_runner::TestRunner::deterministic();
    let spread = spread(person()).new_tree(&mut world).unwrap().current();
    check(&slow(), &spread, &codebook()).unwrap();
}
