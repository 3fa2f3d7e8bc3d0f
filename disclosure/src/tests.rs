//! Laws of the rules: nothing small is ever shown, whatever the cell looks like.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_query::answer::Cell;
use quorate_query::codebook::Codebook;
use quorate_query::number::Number;
use quorate_query::question::{Measure, TableQuestion};
use quorate_query::release::{ReleaseParams, k_eff};
use quorate_query::value::Scalar;
use roaring::RoaringBitmap;

use super::{Outcome, Sheet, decide};
use crate::NoiseKey;
use crate::evidence::{
    CellEvidence, Contributions, Evidence, MeasureEvidence, Moments, ValueEvidence, Values,
};
use crate::history::{Entry, History, ReleaseId, State};

const BOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.id"

[release]
k = 8
round_base = 5
max_cells = 4

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group", "value"], domain = { 0 = "f", 1 = "m" } }
town = { type = "int", role = ["filter", "group"] }
age = { type = "int", role = ["filter", "value"], bounds = [0, 120], cuts = [18] }
"#;

fn book() -> Codebook {
    quorate_query::codebook::read(BOOK, "codebook.toml").unwrap()
}

fn question(sql: &str) -> TableQuestion {
    let read = quorate_query::sql::read(sql, &BTreeMap::new(), &book());
    read.unwrap().into_sole().unwrap()
}

/// Persons without and with sex 1, persons with an age, of these with an age that is not zero.
type Counts = (u64, u64, u64, u64);

fn cell(at: i64, (zeros, ones, aged, contributing): Counts) -> CellEvidence {
    // Nobody is in two cells.
    let first = u32::try_from(at).unwrap() * 1000;
    let people = |n: u64| -> RoaringBitmap { (first..first + u32::try_from(n).unwrap()).collect() };
    let persons = zeros + ones;
    let aged = aged.min(persons);
    let contributing = contributing.min(aged);
    let value = |people: RoaringBitmap, elsewhere| ValueEvidence {
        rows: people.len(),
        people: people.into(),
        elsewhere,
        most: Vec::new(),
    };
    let age = |i: u64| match i {
        i if i >= contributing => 0,
        i => i128::from(40 + i % 2),
    };
    let ages: Vec<(u32, i128)> = (0..aged)
        .map(|i| (first + u32::try_from(i).unwrap(), age(i)))
        .collect();
    let squares = ages.iter().map(|(_, age)| age * age).sum();
    let totals = Contributions::of(ages).unwrap();
    CellEvidence {
        each: None,
        people: people(persons).into(),
        rows: persons,
        measures: vec![
            MeasureEvidence::Count(Contributions::ones(people(persons))),
            MeasureEvidence::Moments(Moments {
                each: None,
                rows: aged,
                squares,
                totals,
                scale: 0,
            }),
            MeasureEvidence::Values(Values {
                any: people(persons).into(),
                nonzero: people(ones),
                values: vec![
                    value(people(persons) - people(ones), ones),
                    value(people(ones), zeros),
                ],
            }),
        ],
    }
}

fn key(n: i64) -> Vec<Scalar> {
    vec![Scalar::Number(Number::new(i128::from(n), 0))]
}

fn judge(
    sql: &str,
    cells: &[(i64, Counts)],
    params: &ReleaseParams,
    stored: impl Fn(&ReleaseId) -> Option<Vec<Number>>,
) -> Outcome {
    let (question, codebook) = (question(sql), book());
    // Evidence of the measures that are asked for.
    let asked = |mut cell: CellEvidence| {
        let is_asked = |found: &MeasureEvidence| {
            question.measures.iter().any(|measure| match measure {
                Measure::Moments { .. } => matches!(found, MeasureEvidence::Moments(_)),
                Measure::ValueCounts { .. } => matches!(found, MeasureEvidence::Values(_)),
                _ => matches!(found, MeasureEvidence::Count(_)),
            })
        };
        cell.measures.retain(is_asked);
        cell
    };
    let cells = cells
        .iter()
        .map(|(k, counts)| (key(*k), asked(cell(*k, *counts))))
        .collect();
    let nobody = asked(cell(0, (0, 0, 0, 0)));
    let sheet = Sheet {
        question: &question,
        codebook: &codebook,
        nobody: &nobody,
        evidence: &Evidence { cells },
        params,
        epoch: "e",
        project: "p",
        core: false,
        noise: None,
    };
    let mut history = History::new();
    for id in sheet.ids() {
        if let Some(parts) = stored(&id) {
            history.add(Entry {
                id,
                shape: sheet.shape(&[]),
                state: State::Released(parts),
                project: "p".to_owned(),
                core: false,
                facets: Vec::new(),
            });
        }
    }
    decide(&sheet, &mut history)
}

const CLOSED: &str = "SELECT sex, count(*), avg(age), sum(sex) FROM person GROUP BY sex";
const OPEN: &str = "SELECT town, count(*), avg(age), sum(sex) FROM person GROUP BY town";

#[test]
fn thresholds_are_met_to_the_person() {
    let params = ReleaseParams::default();
    let shown = |counts| {
        let outcome = judge(CLOSED, &[(0, counts)], &params, |_| None);
        outcome.table.rows[0]
            .cells
            .iter()
            .map(|c| *c != Cell::Suppressed)
            .collect::<Vec<_>>()
    };
    assert_eq!(shown((4, 3, 7, 7)), [false, false, false]);
    assert_eq!(shown((4, 4, 8, 8)), [true, false, false]);
    assert_eq!(
        shown((6, 6, 12, 12)),
        [true, false, false],
        "a mean needs more persons"
    );
    assert_eq!(shown((6, 7, 13, 13)), [true, true, false]);
    assert_eq!(shown((8, 8, 13, 8)), [true, true, true]);
    assert_eq!(
        shown((8, 8, 7, 7)),
        [true, false, true],
        "too few with a value"
    );
    assert_eq!(
        shown((8, 8, 16, 7)),
        [true, false, true],
        "too few contribute"
    );
    assert_eq!(
        shown((20, 7, 27, 27)),
        [true, true, false],
        "one value is small"
    );
    assert_eq!(
        shown((20, 0, 20, 20)),
        [true, true, false],
        "everybody has the same value"
    );
}

#[test]
fn closed_tables_list_every_cell_and_reasons_stay_here() {
    let outcome = judge(
        CLOSED,
        &[(1, (30, 30, 60, 60))],
        &ReleaseParams::default(),
        |_| None,
    );
    let rows = &outcome.table.rows;
    assert_eq!(rows.len(), 2);
    assert!(rows[0].cells.iter().all(|cell| *cell == Cell::Suppressed));
    let rules: Vec<_> = outcome
        .findings
        .iter()
        .map(|f| (f.rule, f.measure))
        .collect();
    assert_eq!(rules, vec![("R2", 0), ("R2", 1), ("R2", 2)]);
    assert_eq!(outcome.fresh.len(), 3);
}

#[test]
fn public_zeros_are_shown_for_counts_only() {
    let params = ReleaseParams {
        zeros_public: true,
        ..ReleaseParams::default()
    };
    let outcome = judge(CLOSED, &[], &params, |_| None);
    let zero = Cell::Value(vec![Number::new(0, 0)]);
    assert_eq!(
        outcome.table.rows[0].cells,
        vec![zero, Cell::Suppressed, Cell::Suppressed]
    );
}

#[test]
fn a_large_open_table_leaves_no_row() {
    let params = book().release;
    let cells: Vec<_> = (0..4).map(|town| (town, (9, 9, 9, 9))).collect();
    assert_eq!(judge(OPEN, &cells, &params, |_| None).table.rows.len(), 4);
    let mut more = cells.clone();
    more.push((9, (1, 1, 1, 1)));
    assert_eq!(
        judge(OPEN, &more, &params, |_| None).table.rows.len(),
        4,
        "small ones do not count"
    );
    more.push((10, (9, 9, 9, 9)));
    let outcome = judge(OPEN, &more, &params, |_| None);
    assert!(outcome.table.rows.is_empty() && outcome.fresh.is_empty());
    assert_eq!(outcome.findings[0].rule, "R11");
}

#[test]
fn a_stored_value_is_shown_again() {
    let earlier = vec![Number::new(999, 0)];
    let outcome = judge(
        CLOSED,
        &[(0, (9, 9, 18, 18))],
        &ReleaseParams::default(),
        |_| Some(earlier.clone()),
    );
    assert_eq!(outcome.table.rows[0].cells, vec![Cell::Value(earlier); 3]);
    let first_time = |entry: &&Entry| matches!(entry.state, State::Released(_));
    let fresh = outcome.fresh.iter().filter(first_time).count();
    assert_eq!((outcome.repeated, fresh), (6, 0));
}

proptest! {
    /// No cell with fewer than `k_eff` persons is shown, none with too few contributors, and what
    /// is shown is a multiple of the base, at least the bin that `k` starts.
    #[test]
    fn nothing_small_is_shown(
        counts in prop::collection::vec((0_u64..40, 0_u64..40, 0_u64..80, 0_u64..80), 0..6),
        k in 1_u32..20,
        round_base in 1_u32..12,
        open in any::<bool>(),
    ) {
        let params = ReleaseParams { k, round_base, ..ReleaseParams::default() };
        let threshold = u64::from(k_eff(k, round_base));
        let limit = if open { counts.len() } else { counts.len().min(2) };
        let keyed: Vec<_> = (0_i64..).zip(counts.into_iter().take(limit)).collect();
        let column = if open { "town" } else { "sex" };
        for (measure, what) in ["count(*)", "avg(age)", "sum(sex)"].iter().enumerate() {
            let sql = format!("SELECT {column}, {what} FROM person GROUP BY {column}");
            let outcome = judge(&sql, &keyed, &params, |_| None);
            for row in &outcome.table.rows {
                let found = keyed.iter().find(|(k, _)| key(*k) == row.key);
                let (zeros, ones, aged, contributing) = found.map_or((0, 0, 0, 0), |c| c.1);
                let persons = zeros + ones;
                let Some(parts) = row.cells[0].parts() else {
                    // of two persons each knows the other (R4), whatever the threshold
                    prop_assert!(measure > 0 || persons < threshold.max(3));
                    continue;
                };
                prop_assert!(persons >= threshold);
                match measure {
                    0 => {
                        let shown = parts[0].at_scale(0).unwrap();
                        prop_assert_eq!(shown % i128::from(round_base), 0);
                        prop_assert!(shown + i128::from(round_base / 2) >= i128::from(k));
                    }
                    1 => prop_assert!(aged.min(persons).min(contributing) >= threshold),
                    _ => prop_assert!(zeros >= threshold && ones >= threshold),
                }
            }
        }
    }
}

/// R9 as an option: three cells a row, of two rows; the second row is empty.
#[test]
fn a_sparse_table_leaves_nothing_if_the_codebook_says_so() {
    let with = |sparse| ReleaseParams {
        sparse,
        ..ReleaseParams::default()
    };
    let cells = [(0, (30, 30, 60, 60))];
    let shown = |params: &ReleaseParams| {
        let outcome = judge(CLOSED, &cells, params, |_| None);
        let cells = outcome.table.rows.iter().flat_map(|row| &row.cells);
        let shown = cells.filter(|cell| **cell != Cell::Suppressed).count();
        let rules: Vec<&str> = outcome.findings.iter().map(|found| found.rule).collect();
        (outcome.table.rows.len(), shown, rules)
    };
    let holes = vec!["R2"; 3];
    assert_eq!(shown(&with(None)), (2, 3, holes.clone()));
    assert_eq!(shown(&with(Some(50))), (2, 3, holes));
    let (rows, none, rules) = shown(&with(Some(49)));
    assert_eq!((rows, none), (2, 0), "the rows are listed all the same");
    assert_eq!(rules.iter().filter(|rule| **rule == "R9").count(), 3);
}

/// What was released rounded is not released perturbed before the data change, nor the other way
/// round.
#[test]
fn no_state_of_the_data_leaves_under_two_protections() {
    let (question, codebook) = (question(CLOSED), book());
    let (params, key) = (ReleaseParams::default(), NoiseKey::new(b"of this test"));
    let cells = [0, 1].map(|sex| (self::key(sex), cell(sex, (30, 30, 60, 60))));
    let evidence = Evidence {
        cells: cells.into_iter().collect(),
    };
    let ask = |epoch: &str, noise, history: &mut History| {
        let sheet = Sheet {
            question: &question,
            codebook: &codebook,
            nobody: &cell(0, (0, 0, 0, 0)),
            evidence: &evidence,
            params: &params,
            epoch,
            project: "p",
            core: false,
            noise,
        };
        let outcome = decide(&sheet, history);
        for entry in outcome.fresh {
            history.add(entry);
        }
        let cells = outcome.table.rows.iter().flat_map(|row| &row.cells);
        let shown = cells.filter(|cell| **cell != Cell::Suppressed).count();
        let rules: Vec<&str> = outcome.findings.iter().map(|found| found.rule).collect();
        (
            outcome.table.rows.len(),
            shown,
            rules.contains(&"protection"),
        )
    };
    for (first, second) in [(None, Some(&key)), (Some(&key), None)] {
        let mut history = History::new();
        history.begin_epoch("1".to_owned(), RoaringBitmap::new());
        let (rows, shown, refused) = ask("1", first, &mut history);
        assert!(rows == 2 && shown > 0 && !refused);
        assert_eq!(ask("1", second, &mut history), (2, 0, true));
        assert_eq!(
            ask("1", first, &mut history),
            (2, shown, false),
            "as before"
        );
        history.begin_epoch("2".to_owned(), RoaringBitmap::new());
        let (_, shown, refused) = ask("2", second, &mut history);
        assert!(!refused, "new data may leave under the other one");
        assert_eq!(shown, 0, "but not of the same persons: that would be both");
    }
}
