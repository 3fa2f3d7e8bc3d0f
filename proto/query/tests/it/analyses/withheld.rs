//! Analyses where a node withholds something: who is left out, and what stands in.

use super::*;

#[test]
fn wide_intervals_stand_in_where_part_of_the_grid_is_withheld() {
    let plain = |width: &str| analysis("survival/1", &[("time", width), ("event", "died")]);
    let merged = analysis(
        "survival/1",
        &[("time", "months:3"), ("event", "died"), ("merge", "12")],
    );
    let person = |months, died| -> Person {
        let known = [
            ("sex", 0),
            ("arm", 1),
            ("disease", 0),
            ("far", 1_000_000_500),
        ];
        let ended = [("months", months), ("died", died), ("falls", 0)];
        known.into_iter().chain(ended).collect()
    };
    // Enough persons of either kind end in every quarter, but for the third: few die there.
    let people = |few: usize| -> Vec<Person> {
        let quarters = (0..20_i64).flat_map(|quarter| {
            let deaths = if quarter == 2 { few } else { 20 };
            let dead = vec![person(3 * quarter, 1); deaths];
            dead.into_iter().chain(vec![person(3 * quarter + 1, 0); 15])
        });
        quarters.collect()
    };
    let whole = vec![("a", people(20)), ("b", people(20))];
    let tables = |analysis: &Analysis, sites: &[Site]| {
        let report = report(analysis, sites, true);
        (report.tables, report.remarks)
    };
    let (found, remarks) = tables(&merged, &whole);
    assert_eq!(found, tables(&plain("months:3"), &whole).0);
    assert!(!remarks.iter().any(|remark| remark.starts_with("Merged")));

    let part = vec![("a", people(20)), ("b", people(3))];
    let (found, remarks) = tables(&merged, &part);
    assert!(
        remarks.iter().any(|r| r.ends_with("withheld: 0 to 12.")),
        "{remarks:?}"
    );
    let rows = |tables: &[Grid]| tables[0].rows.clone();
    let wide = rows(&tables(&plain("months:12"), &part).0);
    // The first year is that of the wide grid, the rest goes on by quarters.
    for column in ["time", "events", "censored"] {
        assert_eq!(rows(&found)[0].values[column], wide[0].values[column]);
    }
    assert_eq!(rows(&found).len(), 1 + 16);
    assert_eq!(rows(&found)[1].row, "all, before 15");
    // Without it the node is left out.
    assert_eq!(report(&plain("months:3"), &part, true).left_out, ["b"]);
    assert!(report(&merged, &part, true).left_out.is_empty());
    for wrong in ["3", "10", "x", "-12"] {
        let refused = analysis(
            "survival/1",
            &[("time", "months:3"), ("event", "died"), ("merge", wrong)],
        );
        let problem = refused.sql(&codebook()).unwrap_err();
        assert_eq!(problem.code.0, "V900", "{wrong}");
    }
}

#[test]
fn a_node_that_withholds_a_cell_is_left_out_by_name() {
    let person = |sex, disease| -> Person {
        [
            ("sex", sex),
            ("arm", 1),
            ("disease", disease),
            ("far", 1_000_000_500),
            ("months", 12),
            ("died", 0),
            ("falls", 0),
        ]
        .into()
    };
    let people = |numbers: [usize; 4]| -> Vec<Person> {
        let cells = [(0, 0), (0, 1), (1, 0), (1, 1)].into_iter().zip(numbers);
        cells
            .flat_map(|((sex, disease), n)| vec![person(sex, disease); n])
            .collect()
    };
    let sites = vec![
        ("a", people([40, 30, 20, 50])),
        ("b", people([40, 3, 20, 50])),
    ];
    let table = analysis("crosstab/1", &[("rows", "sex"), ("columns", "disease")]);
    let shown = report(&table, &sites, true);
    assert_eq!(
        (shown.sites, shown.left_out),
        (vec!["a".to_owned()], vec!["b".to_owned()])
    );
    let alone = report(&table, &sites[1..], true);
    assert!(alone.tables.is_empty() && alone.sites.is_empty());
    assert!(alone.remarks[0].starts_with("No node released"));
}

/// Persons of one sex with these months of follow-up.
fn followed(months: &[(i64, usize)]) -> Vec<Person> {
    let person = |months: i64| -> Person { [("sex", 1), ("arm", 1), ("months", months)].into() };
    let all = months.iter();
    all.flat_map(|(months, n)| vec![person(*months); *n])
        .collect()
}

#[test]
fn a_thin_tail_that_is_withheld_costs_precision_only_there() {
    let sites = vec![
        ("a", followed(&[(1, 40), (14, 60), (26, 50), (50, 3)])),
        ("b", followed(&[(1, 30), (14, 70), (26, 40)])),
    ];
    let given = [("value", "months"), ("width", "12"), ("at", "0.5,0.995")];
    let shown = report(&analysis("quantile/1", &given), &sites, true);
    assert_eq!(shown.sites, ["a", "b"], "nobody is left out");
    let limits = |row: &str| {
        let found = entry(&shown, "quantiles", &row.into(), "quantile");
        [&found.lower, &found.upper].map(|text| number(text.as_ref()))
    };
    assert_eq!(limits("all, 0.5"), [Some(12.0), Some(24.0)]);
    let [low, high] = limits("all, 0.995");
    assert!(low <= Some(50.0) && high >= Some(50.0), "{low:?} {high:?}");
    let bins = report(&analysis("histogram/1", &given[..2]), &sites, true);
    let withheld = &bins.tables[0].rows[4];
    assert_eq!(withheld.row, "all, from 48");
    assert!(!withheld.values.contains_key("n"), "{withheld:?}");
}

#[test]
fn another_level_does_not_stand_in_for_an_outcome_that_nobody_released() {
    let person = |sex: i64, died: i64, months: i64| -> Person {
        let known = [("sex", sex), ("disease", died), ("died", died)];
        known
            .into_iter()
            .chain([("months", months), ("arm", 1)])
            .collect()
    };
    // Many are lost in every year, and three die.
    let people: Vec<Person> = (0..240)
        .map(|n| person(n % 2, i64::from(n < 3), 12 * (n / 2 % 4)))
        .collect();
    let sites = vec![("a", people)];
    let curve = analysis("survival/1", &[("time", "months:12"), ("event", "died")]);
    let share = analysis("proportion/1", &[("outcome", "disease"), ("by", "sex")]);
    for asked in [&curve, &share] {
        let shown = report(asked, &sites, true);
        assert!(shown.tables.is_empty(), "{shown:#?}");
        assert!(
            shown
                .remarks
                .iter()
                .any(|r| r.starts_with("No node released"))
        );
        assert!(!report(asked, &sites, false).tables.is_empty());
    }
    let named = [("outcome", "disease"), ("by", "sex"), ("is", "0")];
    assert!(
        !report(&analysis("proportion/1", &named), &sites, true)
            .tables
            .is_empty()
    );
}

/// Whoever is followed beyond the end is at risk until then: the curve is the beginning of the whole one.
#[test]
fn a_curve_that_ends_early_is_the_beginning_of_the_whole_one() {
    let mut world = proptest::test_runner::TestRunner::deterministic();
    let people = prop::collection::vec(person(), 300..301);
    let people = people.new_tree(&mut world).unwrap().current();
    let (first, second) = people.split_at(120);
    let sites = vec![("a", first.to_vec()), ("b", second.to_vec())];
    let until = |until: Option<&str>| {
        let all = [
            ("time", Some("months:12")),
            ("event", Some("died")),
            ("by", Some("sex")),
            ("until", until),
        ];
        let given = all
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)));
        let asked = analysis("survival/1", &given.collect::<Vec<_>>());
        let report = report(&asked, &sites, false);
        let curve = report.tables.into_iter().find(|grid| grid.name == "curve");
        curve.unwrap().rows
    };
    let (whole, early) = (until(None), until(Some("24")));
    assert_eq!(early.len(), 4, "{early:#?}");
    for line in &early {
        let same = whole.iter().find(|other| other.row == line.row);
        assert_eq!(Some(line), same);
    }
    for wrong in ["18", "0", "-12", "x", ""] {
        let given = [("time", "months:12"), ("event", "died"), ("until", wrong)];
        let problem = analysis("survival/1", &given).sql(&codebook()).unwrap_err();
        assert_eq!(problem.code.0, "V900", "{wrong}");
    }
}
