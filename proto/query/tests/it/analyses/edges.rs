//! Nodes at the edge of having anything: no rows, one row, one value in every column, every value missing
//! that may be. No analysis minds: together with others such a node changes nothing but what its persons
//! say, and alone it says nothing that is not a number.

use super::*;
use crate::models;

/// Columns that may be missing.
const OPTIONAL: [&str; 4] = ["score", "hidden", "x", "y"];

/// What a node at the edge has, made of what others have.
fn edges(people: &[Person]) -> [(&'static str, Vec<Person>); 4] {
    let one = people[0].clone();
    let without = people.iter().take(40).map(|person| -> Person {
        let known = person
            .iter()
            .filter(|(column, _)| !OPTIONAL.contains(column));
        known.map(|(column, value)| (*column, *value)).collect()
    });
    [
        ("no rows", Vec::new()),
        ("one row", vec![one.clone()]),
        ("constant columns", vec![one; 40]),
        ("all missing", without.collect()),
    ]
}

/// Tables that do not depend on where persons are.
fn tables(analysis: &Analysis, sites: &[Site], book: &Codebook) -> Vec<Grid> {
    let mut tables = released_report(analysis, sites, false, book).tables;
    tables.retain(|grid| !grid.name.starts_with("stratified") && grid.name != "nodes");
    for grid in &mut tables {
        grid.rows.retain(|line| !line.row.starts_with("stratified"));
    }
    tables
}

/// Numbers are numbers, within their limits.
fn is_sound(report: &Report) -> bool {
    let lines = report.tables.iter().flat_map(|grid| &grid.rows);
    let beyond = |text: &String| text.parse::<f64>().unwrap() > 1.0;
    if lines.clone().any(|line| {
        let p = line.values.get("p").and_then(|entry| entry.upper.as_ref());
        p.is_some_and(beyond)
    }) {
        return false;
    }
    lines.flat_map(|line| line.values.values()).all(|entry| {
        let [low, value, high] =
            [&entry.lower, &entry.value, &entry.upper].map(|text| number(text.as_ref()));
        let finite = [low, value, high].into_iter().flatten().all(f64::is_finite);
        let above = |a: Option<f64>, b: Option<f64>| a.zip(b).is_none_or(|(a, b)| a <= b);
        finite && above(low, value) && above(value, high)
    })
}

fn check(analyses: &[Analysis], people: &[Person], book: &Codebook) {
    for analysis in analyses {
        for (edge, few) in edges(people) {
            let beside = [("a", people.to_vec()), ("b", few.clone())];
            let together = [("a", [people, &few].concat())];
            if !is_about_nodes(analysis) {
                let (found, expected) = (
                    tables(analysis, &beside, book),
                    tables(analysis, &together, book),
                );
                assert_eq!(found, expected, "{edge}: {analysis:?}");
            }
            for sites in [
                beside.to_vec(),
                vec![("a", few.clone())],
                vec![("a", few.clone()), ("b", few)],
            ] {
                for round in [false, true] {
                    let report = released_report(analysis, &sites, round, book);
                    assert!(is_sound(&report), "{edge}: {analysis:?} {report:#?}");
                }
            }
        }
    }
}

#[test]
fn no_analysis_minds_a_node_at_the_edge() {
    let mut world = proptest::test_runner::TestRunner::deterministic();
    let people = prop::collection::vec(person(), 150..151);
    let people = people.new_tree(&mut world).unwrap().current();
    let mut analyses = all();
    analyses.extend(first_tables());
    analyses.push(analysis("anova/1", &[("value", "score"), ("by", "arm")]));
    let by_arm = [("time", "months:12"), ("event", "died"), ("by", "arm")];
    analyses.push(analysis("survival/1", &by_arm));
    check(&analyses, &people, &codebook());
}

#[test]
fn no_model_minds_a_node_at_the_edge() {
    let mut world = proptest::test_runner::TestRunner::deterministic();
    let people = prop::collection::vec(models::person(), 150..151);
    let people = people.new_tree(&mut world).unwrap().current();
    check(&models::all(), &people, &models::codebook());
}
