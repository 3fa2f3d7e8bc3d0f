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
    /// and nobody after, also not by somebody else's questions. From there on the answers are the same whoever is ill.
    #[test]
    fn a_group_of_seven_gives_one_person_away(
        ill in prop::collection::btree_set(7..BANDS, 0..13),
        order in Just((7..BANDS).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let all = (0..7).chain(ill.iter().copied()).collect();
        let mut node = with_ill(&all);
        prop_assert_eq!(node.shows(&between(0, 7)), "-");
        let mut found = None;
        for (turn, band) in order.into_iter().enumerate() {
            node.project = ["one", "other"][turn % 2].to_owned();
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

    /// Groups that grow by a band at either end, in whatever order: who is found belongs to the group, and of one
    /// shown cell no more are found than groups within it were asked for before.
    #[test]
    fn nobody_is_found_without_a_cell_asked_for(
        ill in prop::collection::btree_set(0..BANDS, 6..BANDS),
        asked in prop::collection::vec((0..BANDS, 1..=BANDS), 8..40),
    ) {
        let mut node = with_ill(&ill);
        let mut withheld: BTreeSet<(usize, usize)> = BTreeSet::new();
        let mut found = BTreeSet::new();
        let asked: BTreeSet<_> = asked.into_iter().filter(|(from, to)| from < to).collect();
        for (from, to) in &asked {
            match node.shows(&between(*from, *to)).as_str() {
                "-" => {
                    withheld.insert((*from, *to));
                }
                "v" => {
                    let shorter = [((from + 1, *to), *from), ((*from, to - 1), to - 1)];
                    let of = shorter.into_iter().filter(|(group, _)| withheld.contains(group));
                    found.extend(of.map(|(_, band)| band));
                }
                _ => {}
            }
        }
        prop_assert!(found.is_subset(&ill));
        prop_assert!(found.is_empty() || found.len() < asked.len());
    }
}

/// The most that a walk was found to tell: of eight persons one cell without each, and one with all.
#[test]
fn nine_cells_tell_of_eight_persons_and_no_tenth_does() {
    let without = |band: usize| {
        let (from, to) = (band * 5, band * 5 + 4);
        format!(
            "SELECT count(*) FROM person WHERE disease = 1 AND age < 40 AND age NOT BETWEEN {from} AND {to}"
        )
    };
    let eight: BTreeSet<usize> = (0..8).collect();
    for well in std::iter::once(None).chain((0..8).map(Some)) {
        let ill = eight
            .iter()
            .copied()
            .filter(|band| Some(*band) != well)
            .collect();
        let mut node = with_ill(&ill);
        for band in 0..8 {
            assert_eq!(node.shows(&without(band)), "-");
        }
        let expected = if well.is_none() { "v" } else { "-" };
        assert_eq!(node.shows(&between(0, 8)), expected, "without {well:?}");
    }
    // Beside these eight nothing is told of a ninth, ill or not.
    for ninth in [true, false] {
        let mut node = with_ill(&(0..8 + usize::from(ninth)).collect());
        assert_eq!(node.shows(&between(0, 8)), "v");
        let all = (0..8).map(|from| node.shows(&between(from, 9)));
        assert!(
            all.collect::<Vec<_>>().iter().all(|shown| shown == "-"),
            "{ninth}"
        );
    }
}
