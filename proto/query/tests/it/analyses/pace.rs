//! The log-rank test of several groups under protection: its limits hold the truth, and say something.

use super::*;

/// Persons of four arms, of whom enough end in every interval in either way.
fn people() -> impl Strategy<Value = Vec<Person>> {
    let one = (1_i64..5, 0_i64..48, 0_i64..100).prop_map(|(arm, months, chance)| -> Person {
        let died = i64::from(chance < 10 + 16 * arm);
        let known = [
            ("sex", 0),
            ("arm", arm),
            ("disease", 0),
            ("far", 1_000_000_500),
        ];
        let ended = [("months", months), ("died", died), ("falls", 0)];
        known.into_iter().chain(ended).collect()
    });
    prop::collection::vec(one, 1400..2000)
}

#[test]
fn limits_of_four_groups_hold_the_truth() {
    let by_arm = analysis(
        "survival/1",
        &[
            ("time", "months:12"),
            ("event", "died"),
            ("by", "arm"),
            ("where", "months < 48"),
        ],
    );
    let mut world = proptest::test_runner::TestRunner::deterministic();
    let mut shown = 0;
    for _ in 0..4 {
        let mut draw = || people().new_tree(&mut world).unwrap().current();
        let sites: Vec<Site> = vec![("a", draw()), ("b", draw())];
        shown += usize::from(holds_the_truth(&by_arm, &sites).unwrap());
        let report = report(&by_arm, &sites, true);
        for row in ["all", "stratified_by_node"] {
            let found = entry(&report, "logrank", &row.into(), "statistic");
            let [low, value, high] =
                [&found.lower, &found.value, &found.upper].map(|text| number(text.as_ref()));
            let (low, value, high) = (low.unwrap(), value.unwrap(), high.unwrap());
            assert!(0.0 < low && low < value && value < high, "{found:?}");
        }
    }
    assert_eq!(shown, 4);
}
