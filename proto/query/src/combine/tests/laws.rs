//! The law of combination and the honesty of intervals, for any persons and sites.

use super::*;

fn near(combined: &Combined) -> bool {
    let mut cells = combined.rows.iter().flat_map(|row| &row.cells);
    cells.any(|cell| cell.near_earlier)
}

/// Where no node withheld, the truth lies within the limits, the shown value too, and no digit is
/// finer than the interval supports.
fn holds_the_truth(truth: &Combined, shown: &Combined) -> Result<(), TestCaseError> {
    for (truth, shown) in truth.rows.iter().zip(&shown.rows) {
        prop_assert_eq!(&truth.key, &shown.key);
        for (column, (truth, cell)) in truth.cells.iter().zip(&shown.cells).enumerate() {
            let (Some(value), Some(lower), Some(upper)) = (&cell.value, &cell.lower, &cell.upper)
            else {
                continue;
            };
            let truth = rational(truth.value.as_ref().unwrap());
            let (value, low, high) = (rational(value), rational(lower), rational(upper));
            // Fifteen digits of the truth are known.
            let dust = power_of_ten(-11);
            prop_assert!(
                &low - &dust <= truth && truth <= &high + &dust,
                "column {}: {} not in {}..{}",
                column,
                truth,
                low,
                high
            );
            prop_assert!(low <= value && value <= high);
            let half = (&high - &low) / BigRational::from_integer(2.into());
            let place = crate::rational::decimal_order(&half);
            let Some(place) = place.filter(|_| column > 0) else {
                continue;
            };
            prop_assert!((value / power_of_ten(place - 1)).is_integer());
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 64, ..ProptestConfig::default() })]

    /// Split persons over sites in any way and any order: the combined table is the pooled one to
    /// the last digit.
    #[test]
    fn split_then_combine_equals_whole(
        people in proptest::collection::vec((person(), 0_usize..6), 0..80),
        order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let whole: Vec<Person> = people.iter().map(|(p, _)| *p).collect();
        let mut sites = vec![Vec::new(); 6];
        for (person, site) in &people {
            sites[*site].push(*person);
        }
        let question = question();
        let pooled = run(&question, &nodes(&[whole], NONE));
        let split = nodes(&sites, NONE);
        let combined = run(&question, &split);
        prop_assert_eq!(values(&pooled), values(&combined));
        let shuffled: Vec<_> = order.iter().map(|i| split[*i].clone()).collect();
        prop_assert_eq!(combined.to_bytes(), run(&question, &shuffled).to_bytes());
        for row in &combined.rows {
            for cell in &row.cells {
                prop_assert_eq!(cell.nodes, 6);
                prop_assert_eq!(&cell.value, &cell.lower);
                prop_assert_eq!(&cell.value, &cell.upper);
            }
        }
    }

    /// The honest interval: where no node withheld, the pooled truth lies within the limits, the
    /// shown value too, and no digit is finer than the interval supports.
    #[test]
    fn the_truth_lies_in_the_interval(
        sites in proptest::collection::vec(proptest::collection::vec(person(), 40..160), 1..5),
        (k, round_base) in prop_oneof![Just((8, 5)), Just((10, 5)), Just((4, 1)), Just((6, 4))],
    ) {
        let protection = Protection { mode: Mode::Round, k, round_base };
        let question = question();
        let whole: Vec<Person> = sites.concat();
        let truth = run(&question, &nodes(&[whole], NONE));
        let shown = run(&question, &nodes(&sites, protection));
        prop_assert_eq!(shown.rows.len(), 2);
        prop_assert!(!near(&shown));
        holds_the_truth(&truth, &shown)?;
    }

    /// The same where nodes perturb their numbers.
    #[test]
    fn the_truth_lies_in_the_interval_around_noise(
        sites in proptest::collection::vec(proptest::collection::vec(person(), 40..160), 1..5),
        (k, round_base, bound) in prop_oneof![Just((8, 5, 5)), Just((10, 5, 3)), Just((4, 1, 1))],
    ) {
        let protection = Protection { mode: Mode::CellKey { bound }, k, round_base };
        let question = question();
        let truth = run(&question, &nodes(&[sites.concat()], NONE));
        let shown = run(&question, &nodes(&sites, protection));
        prop_assert!(shown.notes.iter().any(|note| note.code == "N115"));
        holds_the_truth(&truth, &shown)?;
    }

    /// The same where nodes answer with earlier releases, whose persons differ from those of the
    /// cell by fewer than the threshold: some are gone, others are new.
    #[test]
    fn the_truth_lies_in_the_interval_of_a_nearly_equal_release(
        sites in proptest::collection::vec(proptest::collection::vec(person(), 30..120), 1..4),
        gone in 0_usize..8,
        more in proptest::collection::vec(person(), 7),
        marked in proptest::collection::vec(any::<bool>(), 4),
    ) {
        let question = question();
        let truth = run(&question, &nodes(&[sites.concat()], NONE));
        let earlier: Vec<Vec<Person>> = sites
            .iter()
            .map(|now| now[gone..].iter().chain(&more[gone..]).copied().collect())
            .collect();
        let mut answers = nodes(&earlier, ROUND);
        for (_, table, _) in &mut answers {
            for cell in table.rows.iter_mut().flat_map(|row| row.cells.iter_mut()) {
                if let Cell::Value(parts) = cell {
                    *cell = Cell::Near(parts.clone());
                }
            }
        }
        holds_the_truth(&truth, &run(&question, &answers))?;
        // One node answers so and the others do not.
        let mut some = nodes(&sites, ROUND);
        for ((slot, near), marked) in some.iter_mut().zip(&answers).zip(marked) {
            if marked {
                slot.1 = near.1.clone();
            }
        }
        holds_the_truth(&truth, &run(&question, &some))?;
    }

    /// With one site, mean and standard deviation are printed exactly as that node rounded them.
    #[test]
    fn one_site_is_printed_as_on_its_grid(people in proptest::collection::vec(person(), 60..200)) {
        let protection = Protection { mode: Mode::Round, k: 8, round_base: 5 };
        let sites = nodes(&[people], protection);
        let combined = run(&question(), &sites);
        for (row, released) in combined.rows.iter().zip(&sites[0].1.rows) {
            for (measure, mean) in [(1, 2), (2, 8)] {
                let Cell::Value(parts) = &released.cells[measure] else { continue };
                let printed = |cell: usize| row.cells[cell].value.clone().unwrap();
                prop_assert_eq!(printed(mean), parts[2].to_string());
                prop_assert_eq!(printed(mean + 1), parts[3].to_string());
                prop_assert_eq!(&row.cells[mean].sites["site0"], &parts[2].to_string());
            }
        }
    }
}
