//! Four real hospitals: every released cell against a plain computation on the files, which uses
//! neither the language crate's arithmetic nor the engine.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use quorate_query::answer::Cell;
use quorate_query::number::Number;
use quorate_query::value::Scalar;

use crate::testing::House;

const K: i128 = 8;
const BASE: i128 = 5;
/// Ten degrees of freedom, and the start of a rounding bin.
const FOR_A_MEAN: i128 = 13;
/// Fine units of a plain computation: 12 digits after the point.
const FINE: u32 = 12;

type Patient = BTreeMap<String, Option<i128>>;

fn shared_data() -> Option<PathBuf> {
    let named = std::env::var_os("QUORATE_SHARED_DATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|a| a.join("shared/data"));
    named
        .into_iter()
        .chain(beside)
        .map(|d| d.join("heart-disease"))
        .find(|d| d.is_dir())
}

/// Whole numbers as they are, `oldpeak` in tenths; 0 means missing for pressure and cholesterol.
fn patients(file: &Path) -> Vec<Patient> {
    let text = fs::read_to_string(file).unwrap();
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let read = |line: &str| {
        let mut patient = Patient::new();
        for (name, field) in header.iter().zip(line.split(',')).skip(1) {
            let tenths = *name == "oldpeak";
            let value = (!field.is_empty()).then(|| {
                let (whole, part) = field.split_once('.').unwrap_or((field, "0"));
                let sign = if field.starts_with('-') { -1 } else { 1 };
                let whole: i128 = whole.parse().unwrap();
                let part: i128 = part.parse().unwrap();
                if tenths {
                    whole * 10 + sign * part
                } else {
                    whole
                }
            });
            let unmeasured = matches!(*name, "chol" | "trestbps") && value == Some(0);
            patient.insert((*name).to_owned(), if unmeasured { None } else { value });
        }
        let disease = patient["num"].map(|num| i128::from(num > 0));
        patient.insert("disease".to_owned(), disease);
        patient
    };
    lines.map(read).collect()
}

fn rounded(n: i128) -> i128 {
    (n + BASE / 2) / BASE * BASE
}

fn half_even(numerator: i128, denominator: i128) -> i128 {
    let floor = numerator.div_euclid(denominator);
    let twice = numerator.rem_euclid(denominator) * 2;
    floor + i128::from(twice > denominator || (twice == denominator && floor % 2 != 0))
}

/// The least 1, 2 or 5 times a power of ten that is at least width / (10 n), all in fine units.
fn grid(width: i128, n: i128) -> i128 {
    let wide_enough = |g: &i128| g * 10 * n >= width;
    (0..20)
        .flat_map(|j| [1, 2, 5].map(|d| d * 10_i128.pow(j)))
        .find(wide_enough)
        .unwrap()
}

/// `[persons', rows', mean', sd']` of values at a scale, or nothing.
fn moments(values: &[i128], scale: u32, bounds: (i128, i128), shown: i128) -> Option<Vec<Number>> {
    let n = i128::try_from(values.len()).unwrap();
    let contributing = values.iter().filter(|v| **v != 0).count();
    if n < FOR_A_MEAN || i128::try_from(contributing).unwrap() < K {
        return None;
    }
    let shown = rounded(shown);
    let fine = 10_i128.pow(FINE - scale);
    let g = grid((bounds.1 - bounds.0) * fine, shown);
    let sum: i128 = values.iter().sum();
    let mean = half_even(sum * fine, n * g) * g;
    // sd/g = sqrt(spread / room); the nearest whole number r has (2r-1)^2 <= 4 spread/room
    let spread = (n * values.iter().map(|v| v * v).sum::<i128>() - sum * sum) * fine * fine;
    let room = n * (n - 1) * g * g;
    let mut r = 0_i128;
    while (2 * r + 1) * (2 * r + 1) * room < 4 * spread {
        r += 1;
    }
    let fine_number = |m| Number::new(m, -i32::try_from(FINE).unwrap());
    Some(vec![
        Number::new(shown, 0),
        Number::new(shown, 0),
        fine_number(mean),
        fine_number(r * g),
    ])
}

fn count(n: usize) -> Option<Vec<Number>> {
    let n = i128::try_from(n).unwrap();
    (n >= K).then(|| vec![Number::new(rounded(n), 0)])
}

struct Hospital {
    house: House,
    patients: Vec<Patient>,
}

fn hospitals() -> Option<Vec<Hospital>> {
    let Some(data) = shared_data() else {
        println!("skipped: no shared/data/heart-disease; set QUORATE_SHARED_DATA");
        return None;
    };
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testnet/specs/heart-disease");
    let codebook = fs::read_to_string(specs.join("codebook.toml")).unwrap();
    let open = |name: &str| {
        let file = data.join(format!("{name}.csv"));
        let source = format!(
            "[source.person]\nkind = \"csv\"\npath = \"{}\"\nmap = \"\"\"SELECT patient_id, age, sex, \
             cp, nullif(trestbps, 0) AS trestbps, nullif(chol, 0) AS chol, fbs, restecg, thalach, \
             exang, oldpeak, slope, ca, thal, num, CASE WHEN num > 0 THEN 1 ELSE 0 END AS disease \
             FROM source\"\"\"\n",
            file.display()
        );
        let patients = patients(&file);
        Hospital {
            house: House::new(&codebook, &source, false, &[]),
            patients,
        }
    };
    Some(
        ["cleveland", "hungary", "switzerland", "va-long-beach"]
            .map(open)
            .into(),
    )
}

/// Nearly everybody of a group is ill, or hardly anybody is.
fn tells_who_is_ill(patients: &[&Patient]) -> bool {
    let ill = patients.iter().filter(|p| p["disease"] == Some(1)).count();
    ill * 10 >= patients.len() * 9 || ill < 8
}

/// Keys, and parts or nothing per measure.
type PlainRow = (Vec<Option<i128>>, Vec<Option<Vec<Number>>>);

/// Rows of an answer as plain numbers and parts.
fn rows(answer: &quorate_wire::AnswerPayload) -> Vec<PlainRow> {
    let key = |scalar: &Scalar| scalar.as_number().map(|n| n.at_scale(0).unwrap());
    let parts = |cell: &Cell| cell.parts().map(<[Number]>::to_vec);
    let row = |row: &quorate_query::answer::NodeRow| {
        (
            row.key.iter().map(key).collect(),
            row.cells.iter().map(parts).collect(),
        )
    };
    answer.tables[0].rows.iter().map(row).collect()
}

fn group<'p>(patients: &'p [Patient], key: &[(&str, i128)]) -> Vec<&'p Patient> {
    let inside = |p: &&Patient| key.iter().all(|(name, value)| p[*name] == Some(*value));
    patients.iter().filter(inside).collect()
}

fn present(patients: &[&Patient], name: &str) -> Vec<i128> {
    patients.iter().filter_map(|p| p[name]).collect()
}

/// Every value that left is the expected one, and what its own rules withhold did not leave. Cells
/// that only their neighbours or the core tables withhold are counted.
fn compare(found: &[PlainRow], expected: &[PlainRow]) -> (usize, usize) {
    let (mut shown, mut by_history) = (0, 0);
    assert_eq!(found.len(), expected.len());
    for ((key, cells), (expected_key, expected)) in found.iter().zip(expected) {
        assert_eq!((key, cells.len()), (expected_key, expected.len()));
        for (cell, expected) in cells.iter().zip(expected) {
            match cell {
                Some(_) => assert_eq!(cell, expected, "{key:?}"),
                None => by_history += usize::from(expected.is_some()),
            }
            shown += usize::from(cell.is_some());
        }
    }
    (shown, by_history)
}

/// Asked of a node that has not been asked before.
fn first(house: &House, sql: &str) -> quorate_wire::AnswerPayload {
    if house.state().exists() {
        std::fs::remove_dir_all(house.state()).unwrap();
    }
    house.ask(&house.open(), sql)
}

#[test]
fn every_released_cell_equals_a_plain_computation() {
    let Some(hospitals) = hospitals() else { return };
    let (mut shown, mut by_history) = (0, 0);
    for Hospital { house, patients } in &hospitals {
        let mut check = |answer: &quorate_wire::AnswerPayload, expected: &[PlainRow]| {
            let (more, fewer) = compare(&rows(answer), expected);
            shown += more;
            by_history += fewer;
        };
        let answer = first(
            house,
            "SELECT disease, count(*), avg(age) FROM person GROUP BY disease",
        );
        let mut expected = Vec::new();
        for disease in [0, 1] {
            let of = group(patients, &[("disease", disease)]);
            let ages = present(&of, "age");
            let n = i128::try_from(of.len()).unwrap();
            let mut cells = vec![count(of.len()), moments(&ages, 0, (0, 120), n)];
            if tells_who_is_ill(&group(patients, &[])) {
                cells = vec![None, None];
            }
            expected.push((vec![Some(disease)], cells));
        }
        check(&answer, &expected);

        let sql =
            "SELECT sex, disease, avg(trestbps), stddev(oldpeak) FROM person GROUP BY sex, disease";
        let answer = first(house, sql);
        let mut expected = Vec::new();
        for (sex, disease) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let of = group(patients, &[("sex", sex), ("disease", disease)]);
            let (bps, peaks) = (present(&of, "trestbps"), present(&of, "oldpeak"));
            let (n, m) = (
                i128::try_from(bps.len()).unwrap(),
                i128::try_from(peaks.len()).unwrap(),
            );
            // measures come in canonical order, by column
            let cells = vec![
                moments(&peaks, 1, (-40, 80), m),
                moments(&bps, 0, (60, 240), n),
            ];
            let cells = match tells_who_is_ill(&group(patients, &[("sex", sex)])) {
                true => vec![None, None],
                false => cells,
            };
            expected.push((vec![Some(sex), Some(disease)], cells));
        }
        check(&answer, &expected);

        let sql = "SELECT floor(age/10)*10, count(chol), sum(num) FROM person WHERE sex = 1 GROUP BY floor(age/10)*10";
        let answer = first(house, sql);
        let mut expected = Vec::new();
        for band in 0..=12 {
            let males = group(patients, &[("sex", 1)]);
            let of: Vec<&Patient> = males
                .into_iter()
                .filter(|p| p["age"].unwrap().div_euclid(10) == band)
                .collect();
            let nums = present(&of, "num");
            let counts = (0..5).map(|v| nums.iter().filter(|n| **n == v).count());
            let counts: Option<Vec<Number>> = counts.map(|c| Some(count(c)?[0])).collect();
            expected.push((
                vec![Some(band * 10)],
                vec![count(present(&of, "chol").len()), counts],
            ));
        }
        check(&answer, &expected);
    }
    println!("{shown} shown, {by_history} withheld beside others");
    assert!(
        shown > 20 && by_history < shown,
        "{shown} shown, {by_history} not"
    );
}
