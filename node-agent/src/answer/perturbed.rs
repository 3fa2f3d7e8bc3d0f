//! `cell_key` at a whole node: noise that is the same for the same people, limits that the truth lies
//! in, and never both protections of one state of the data.

use std::sync::Arc;

use quorate_disclosure::NOISE_BOUND;
use quorate_query::answer::{Cell, Mode};
use quorate_query::combine::{CombinedCell, SiteAnswer, combine};
use quorate_query::number::Number;
use quorate_query::question::Params;
use quorate_query::value::Scalar;

use crate::node::Node;
use crate::testing::{BOOK, House, alice, people, refused, tell};

/// The same book with noise instead of rounding.
fn noisy() -> String {
    let rounded = "round_base = 5";
    assert!(BOOK.contains(rounded));
    BOOK.replace(rounded, "round_base = 5\nmode = \"cell_key\"")
}

fn counts(house: &House, node: &Node, sql: &str) -> Vec<(Vec<Scalar>, Cell)> {
    let answer = house.ask(node, sql);
    let bound = NOISE_BOUND;
    assert_eq!(answer.protection.mode, Mode::CellKey { bound });
    let rows = answer.tables[0].rows.clone().into_iter();
    rows.map(|row| (row.key, row.cells[0].clone())).collect()
}

#[test]
fn noise_is_bounded_and_the_same_in_other_words_and_after_a_restart() {
    let house = people(&noisy(), "");
    let node = house.open();
    let by_sex = counts(
        &house,
        &node,
        "SELECT sex, count(*) AS n FROM person GROUP BY sex",
    );
    let bound = i128::from(NOISE_BOUND);
    for ((_, cell), truth) in by_sex.iter().zip([60, 40]) {
        let [shown] = cell.parts().unwrap() else {
            panic!("one part")
        };
        let shown = shown.to_integer().unwrap();
        assert!((shown - truth).abs() <= bound, "{shown} of {truth}");
    }
    let men = "SELECT count(DISTINCT id) AS n FROM person WHERE sex IN (1)";
    assert_eq!(counts(&house, &node, men)[0].1, by_sex[1].1);
    drop(node);
    let node = house.open();
    assert_eq!(counts(&house, &node, men)[0].1, by_sex[1].1);
    let none = counts(
        &house,
        &node,
        "SELECT count(*) AS n FROM person WHERE town = 'c'",
    );
    assert_eq!(
        none[0].1,
        Cell::Suppressed,
        "no noise makes three persons a cell"
    );
}

/// What a researcher makes of a question's only row.
fn combined(house: &House, node: &Node, sql: &str) -> Vec<CombinedCell> {
    let answer = house.ask(node, sql);
    let question = quorate_query::sql::read(sql, &Params::new(), &house.codebook).unwrap();
    let site = SiteAnswer {
        node: "cleveland",
        table: Some((&answer.tables[0], answer.protection)),
    };
    let combined = combine(&question, &house.codebook, &[site]).unwrap();
    combined.rows[0].cells.clone()
}

#[test]
fn means_and_spreads_lie_in_their_limits() {
    let house = people(&noisy(), "");
    let node = house.open();
    let sql = "SELECT avg(weight) AS m, stddev(weight) AS s FROM person WHERE sex = 0";
    let weights = (0..100)
        .filter(|i| i % 5 >= 2)
        .map(|i| f64::from(40 + i * 7 % 60));
    let weights: Vec<f64> = weights.collect();
    let n = f64::from(u32::try_from(weights.len()).unwrap());
    let mean = weights.iter().sum::<f64>() / n;
    let squares: f64 = weights.iter().map(|w| (w - mean).powi(2)).sum();
    let truths = [mean, (squares / (n - 1.0)).sqrt()];
    for (cell, truth) in combined(&house, &node, sql).iter().zip(truths) {
        let limit = |text: &Option<String>| {
            let number: Number = text.as_ref().unwrap().parse().unwrap();
            number.to_string().parse::<f64>().unwrap()
        };
        assert!(!cell.withheld);
        let (low, high) = (limit(&cell.lower), limit(&cell.upper));
        assert!(low <= truth && truth <= high, "{truth} in {low} to {high}");
        assert!(high > low, "protected");
    }
}

#[test]
fn a_state_of_the_data_never_leaves_under_both() {
    for (first, second) in [(BOOK.to_owned(), noisy()), (noisy(), BOOK.to_owned())] {
        let mut house = people(&first, "");
        let sql = "SELECT sex, count(*) AS n FROM person GROUP BY sex";
        house.ask(&house.open(), sql);
        let other = quorate_query::codebook::read(&second, "second.toml").unwrap();
        house.policy = house.policy.replace(&house.codebook.digest, &other.digest);
        house.codebook = Arc::new(other);
        let node = house.open();
        let said = tell(&node, house.deliver(&house.question(sql), &alice()));
        assert_eq!(refused(&said).code, "G508");
        // other data may leave so
        let file = house.folder.path().join("people.csv");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace(",a,", ",d,")).unwrap();
        house.ask(&node, sql);
    }
}
