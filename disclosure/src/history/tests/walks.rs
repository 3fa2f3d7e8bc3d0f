//! Walks to the threshold: what being shown or withheld tells of somebody who is in one group and not in
//! another, and how many persons it can be told of. The bound stands in `docs/disclosure/H6.md`.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Bands of five years, in each of which at most one person is ill.
const BANDS: usize = 20;
/// One ill person in each of these bands, and many healthy ones everywhere.
fn with_ill(ill: &BTreeSet<usize>) -> Node {
    let age = |band: usize| i64::try_from(band * 5).unwrap();
    let id = |band: usize| u32::try_from(band).unwrap();
    let healthy =
        (0..BANDS).flat_map(|band| alike(1000 + 50 * id(band), 40, [0, 0, age(band), 0, 1]));
    let ill = ill.iter().map(|band| (id(*band), [0, 0, age(*band), 1, 1]));
    Node::of(healthy.chain(ill).collect())
}

fn between(from: usize, to: usize) -> String {
    format!(
        "SELECT count(*) FROM person WHERE disease = 1 AND age >= {} AND age < {}",
        from * 5,
        to * 5
    )
}

/// The first seven bands, and one more.
fn seven_and(band: usize) -> String {
    let age = band * 5;
    let before = match age {
        35 => String::new(),
        _ => format!(" AND age NOT BETWEEN 35 AND {}", age - 1),
    };
    let after = match band + 1 {
        BANDS => String::new(),
        _ => format!(" AND age NOT BETWEEN {} AND 100", age + 5),
    };
    format!("SELECT count(*) FROM person WHERE disease = 1{before}{after}")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Seven of a group are ill, nobody else is asked about but with these seven: the first who is ill is found,
    /// and nobody after. From there on the answers are the same whoever is ill.
    #[test]
    fn a_group_of_seven_gives_one_person_away(
        ill in prop::collection::btree_set(7..BANDS, 0..13),
        order in Just((7..BANDS).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let all = (0..7).chain(ill.iter().copied()).collect();
        let mut node = with_ill(&all);
        prop_assert_eq!(node.shows(&between(0, 7)), "-");
        let mut found = None;
        for band in order {
            let shown = node.shows(&seven_and(band));
            let expected = match found {
                None if ill.contains(&band) => "v",
                None => "-",
                Some(_) => "-",
            };
            prop_assert_eq!(shown.as_str(), expected, "{} after {:?}", band, found);
            found = found.or(ill.contains(&band).then_some(band));
        }
    }
}
