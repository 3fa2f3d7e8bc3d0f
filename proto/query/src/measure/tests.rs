//! Merging and finishing of measures, held against plain arithmetic.

use std::collections::BTreeSet;

use super::facts::{Facts, facts, implies, limits};
use super::moments::{CellSize, ExactMoments, clamp_total};
use super::*;
use crate::codebook::{self, Codebook, ColumnRef};
use crate::question::{GroupKey, Predicate, Set, TableQuestion, Values};
use crate::rational::to_decimal;
use crate::release::ReleaseParams;

fn params(k: u32, round_base: u32) -> ReleaseParams {
    ReleaseParams {
        k,
        round_base,
        ..ReleaseParams::default()
    }
}

fn texts(parts: Option<Vec<Number>>) -> Option<Vec<String>> {
    parts.map(|parts| parts.iter().map(Number::to_string).collect())
}

fn cvd() -> Codebook {
    codebook::read(include_str!("../../tests/codebooks/cvd.toml"), "cvd.toml").unwrap()
}

fn column(table: &str, name: &str) -> ColumnRef {
    ColumnRef {
        table: table.into(),
        column: name.into(),
    }
}

#[test]
fn counts_below_the_threshold_are_not_released() {
    let usual = params(8, 5);
    assert_eq!(persons::protect(7, &usual), None);
    assert_eq!(texts(persons::protect(8, &usual)).unwrap(), ["10"]);
    assert_eq!(persons::protect(0, &usual), None);
    let public = ReleaseParams {
        zeros_public: true,
        ..usual.clone()
    };
    assert_eq!(texts(persons::protect(0, &public)).unwrap(), ["0"]);
    assert_eq!(persons::protect(3, &public), None);
    assert_eq!(persons::protect(12, &params(10, 5)), None);
    assert_eq!(texts(persons::protect(13, &params(10, 5))).unwrap(), ["15"]);
    // Many rows of few persons stay inside.
    assert_eq!(events::protect(500, 7, &usual), None);
    assert_eq!(texts(events::protect(503, 8, &usual)).unwrap(), ["505"]);
}

#[test]
fn value_counts_are_released_together_or_not_at_all() {
    let usual = params(8, 5);
    assert_eq!(
        texts(value_counts::protect(&[8, 23], &[8, 23], &usual)).unwrap(),
        ["10", "25"]
    );
    assert_eq!(value_counts::protect(&[7, 23], &[7, 23], &usual), None);
    assert_eq!(value_counts::protect(&[0, 23], &[0, 23], &usual), None);
    assert_eq!(value_counts::protect(&[100, 23], &[7, 23], &usual), None);
    assert_eq!(value_counts::protect(&[100], &[8, 23], &usual), None);
}

#[test]
fn moments_lie_on_the_grid_of_bounds_and_rounded_persons() {
    // Ages 50, 51, .., 61: mean 55.5, sample sd sqrt(13) = 3.6056
    let ages = ExactMoments {
        persons: 12,
        rows: 12,
        sum: 666,
        sum_sq: 37_106,
        scale: 0,
    };
    let size = CellSize {
        persons: 12,
        rows: 12,
        complete: true,
    };
    let bounds = (Number::ZERO, Number::from(120_i64));
    // 120 / (10 * 10) = 1.2, so the grid is 2: 55.5 -> 56, 3.6 -> 4
    let parts = texts(moments::protect(&ages, bounds, size, &params(8, 5))).unwrap();
    assert_eq!(parts, ["10", "10", "56", "4"]);
    // A cell of 300 persons, 12 of them with a value: the size that is shown is the cell's.
    // The grid is that of the fewest persons, who are 8 and shown as 10, not that of 300.
    let all = CellSize {
        persons: 301,
        rows: 301,
        complete: false,
    };
    let parts = texts(moments::protect(&ages, bounds, all, &params(8, 5))).unwrap();
    assert_eq!(parts, ["300", "300", "56", "4"]);
    let few = ExactMoments {
        persons: 7,
        rows: 70,
        ..ages.clone()
    };
    assert_eq!(moments::protect(&few, bounds, all, &params(8, 5)), None);
    assert_eq!(
        texts(Some(moments::exact(&ages))).unwrap(),
        ["12", "12", "666", "37106"]
    );
    let tenths = ExactMoments { scale: 1, ..ages };
    assert_eq!(
        texts(Some(moments::exact(&tenths))).unwrap(),
        ["12", "12", "66.6", "371.06"]
    );
}

#[test]
fn totals_are_limited_to_what_max_rows_can_add_up_to() {
    assert_eq!(clamp_total(100, 1, 500, (40, 300)), Some(100));
    assert_eq!(clamp_total(1000, 10, 3, (40, 300)), Some(900));
    assert_eq!(clamp_total(-1000, 10, 3, (-40, 300)), Some(-120));
    assert_eq!(clamp_total(10, 1, 3, (40, 300)), Some(40));
    assert_eq!(clamp_total(i128::MAX, 3, 3, (i128::MIN, i128::MAX)), None);
}

fn site(parts: &[Number]) -> SiteParts<'_> {
    let protection = Protection {
        mode: Mode::Round,
        k: 8,
        round_base: 5,
    };
    SiteParts {
        parts,
        protection,
        near: false,
    }
}

fn shown(estimate: Estimate) -> [String; 3] {
    let Interval { value, low, high } = estimate.unwrap();
    [value, low, high].map(|end| to_decimal(&end))
}

#[test]
fn intervals_of_one_node() {
    let bounds = Some((Number::ZERO, Number::from(120_i64)));
    let complete = Facts {
        bounds,
        complete: true,
        ..Facts::default()
    };
    let parts = ["10", "10", "56", "4"].map(|text| text.parse().unwrap());
    let measure = Measure::Moments {
        column: column("person", "age"),
    };
    let of = |facts: &Facts, stat| shown(estimate(&measure, facts, stat, &[site(&parts)]));
    assert_eq!(of(&complete, Stat::Mean), ["56", "55", "57"]);
    assert_eq!(of(&complete, Stat::SdSample), ["4", "3", "5"]);
    assert_eq!(of(&complete, Stat::VarSample), ["16", "9", "25"]);
    assert_eq!(of(&complete, Stat::Sum), ["560", "440", "684"]);
    assert_eq!(of(&complete, Stat::Count), ["10", "8", "12"]);
    // Without knowing how many values are missing, only the threshold is sure.
    let parts = ["300", "300", "56", "4"].map(|text| text.parse().unwrap());
    let of = |facts: &Facts, stat| shown(estimate(&measure, facts, stat, &[site(&parts)]));
    let open = Facts {
        complete: false,
        ..complete
    };
    assert_eq!(of(&open, Stat::Mean), ["56", "55", "57"]);
    assert_eq!(of(&open, Stat::Sum), ["16800", "440", "17214"]);
}

#[test]
fn intervals_of_counts_per_value() {
    let domain = [-1_i64, 0, 3].map(Number::from).to_vec();
    let facts = Facts {
        domain,
        complete: true,
        ..Facts::default()
    };
    let parts = ["10", "20", "30"].map(|text| text.parse().unwrap());
    let measure = Measure::ValueCounts {
        column: column("person", "score"),
    };
    let of = |stat| {
        shown(estimate(
            &measure,
            &facts,
            stat,
            &[site(&parts), site(&parts)],
        ))
    };
    assert_eq!(of(Stat::Sum), ["160", "144", "176"]);
    assert_eq!(of(Stat::Count), ["120", "108", "132"]);
    let [mean, low, high] = of(Stat::Mean);
    assert_eq!(mean, "1.33333333333333");
    // At the ends: (-24 + 0 + 168) / (24 + 44 + 56) and (-16 + 0 + 192) / (16 + 36 + 64).
    assert_eq!(
        [low.as_str(), high.as_str()],
        ["1.16129032258065", "1.51724137931034"]
    );
}

#[test]
fn parts_of_the_wrong_shape_are_noticed() {
    let facts = Facts {
        domain: vec![Number::ZERO],
        ..Facts::default()
    };
    let of = |measure: &Measure, parts: &[&str]| {
        let parts: Vec<Number> = parts.iter().map(|text| text.parse().unwrap()).collect();
        check(measure, &facts, site(&parts)).is_ok()
    };
    let persons = Measure::Persons { of: None };
    assert!(of(&persons, &["10"]) && !of(&persons, &["10", "1"]) && !of(&persons, &["0.5"]));
    let moments = Measure::Moments {
        column: column("person", "age"),
    };
    assert!(of(&moments, &["10", "15", "-1", "0.5"]));
    for wrong in [
        vec!["10", "15", "1"],
        vec!["10", "15", "1", "-1"],
        vec!["0", "15", "1", "1"],
        vec!["15", "10", "1", "1"],
        vec!["0", "0", "0", "0"],
        vec!["1.5", "10", "1", "1"],
    ] {
        assert!(!of(&moments, &wrong), "{wrong:?}");
    }
    let counts = Measure::ValueCounts {
        column: column("person", "age"),
    };
    assert!(of(&counts, &["10"]) && !of(&counts, &[]) && !of(&counts, &["-5"]));
}

fn asks(filter: Predicate, keys: Vec<GroupKey>) -> TableQuestion {
    TableQuestion {
        rows: "measurement".into(),
        joined: BTreeSet::from(["person".to_owned()]),
        filter,
        keys,
        measures: Vec::new(),
        output: Default::default(),
    }
}

fn only(column: ColumnRef, null: bool, values: Values) -> Predicate {
    let mut filter = Predicate::default();
    filter.boxes.insert(column, Set { null, values });
    filter
}

#[test]
fn bounds_of_a_column_with_many_quantities() {
    let book = cvd();
    let value = column("measurement", "value_as_number");
    let concept = column("measurement", "measurement_concept_id");
    let codes = |ranges: &[(i128, i128)], null| {
        let ranges = ranges
            .iter()
            .map(|(low, high)| (Some(*low), Some(*high)))
            .collect();
        only(concept.clone(), null, Values::Ranges(ranges))
    };
    let sbp = codes(&[(3_004_249, 3_004_249)], false);
    let (bounds, unit) = limits(&value, &sbp, &book).unwrap();
    assert_eq!(bounds, (40_i64.into(), 300_i64.into()));
    assert_eq!(unit.as_deref(), Some("mm[Hg]"));
    for other in [
        Predicate::default(),
        codes(&[(3_004_249, 3_004_249)], true),
        codes(&[(3_004_249, 3_004_250)], false),
        codes(&[(1, 1), (3_004_249, 3_004_249)], false),
        only(concept.clone(), false, Values::All),
        only(
            concept.clone(),
            false,
            Values::Ranges(vec![(None, Some(3_004_249))]),
        ),
    ] {
        assert_eq!(limits(&value, &other, &book), None, "{other:?}");
    }
    assert!(implies(&codes(&[], false), &book.sets["sbp"], &book));
}

#[test]
fn sizes_are_of_rows_with_a_value_where_nothing_can_be_missing() {
    let book = cvd();
    let age = column("person", "age");
    let measure = Measure::Moments {
        column: age.clone(),
    };
    let complete = |q: &TableQuestion| facts(&measure, q, &book).unwrap().complete;
    assert!(!complete(&asks(Predicate::default(), Vec::new())));
    assert!(complete(&asks(
        only(age.clone(), false, Values::All),
        Vec::new()
    )));
    assert!(!complete(&asks(
        only(age.clone(), true, Values::All),
        Vec::new()
    )));
    let band = GroupKey::Band {
        column: age,
        width: 5_i64.into(),
    };
    assert!(complete(&asks(Predicate::default(), vec![band])));
    let chol = Measure::Moments {
        column: column("person", "chol"),
    };
    let chol = facts(&chol, &asks(Predicate::default(), Vec::new()), &book).unwrap();
    assert!(chol.complete && chol.max_rows == Some(500));
    let text = Measure::Moments {
        column: column("person", "person_id"),
    };
    assert_eq!(
        facts(&text, &asks(Predicate::default(), Vec::new()), &book),
        None
    );
}
