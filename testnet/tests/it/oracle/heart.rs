//! The four hospitals' files, read by hand.

use std::path::Path;

use super::ask::{Column, Person};

/// Nodes, in the order of the spec; each file has the node's name.
pub(crate) const HOSPITALS: [&str; 4] = ["cleveland", "hungary", "switzerland", "va-long-beach"];

/// What `testnet/specs/heart-disease/codebook.toml` says, in this oracle's words.
pub(crate) fn columns() -> Vec<Column> {
    let bounded = |name, scale, low, high, missing_public| Column {
        name,
        scale,
        bounds: Some((low, high)),
        domain: Vec::new(),
        missing_public,
    };
    let closed = |name, domain: &[i128], missing_public| Column {
        name,
        scale: 0,
        bounds: None,
        domain: domain.to_vec(),
        missing_public,
    };
    vec![
        bounded("age", 0, 0, 120, false),
        closed("sex", &[0, 1], false),
        closed("disease", &[0, 1], false),
        closed("num", &[0, 1, 2, 3, 4], false),
        closed("cp", &[1, 2, 3, 4], false),
        bounded("trestbps", 0, 60, 240, true),
        bounded("chol", 0, 80, 620, true),
        closed("fbs", &[0, 1], true),
        closed("restecg", &[0, 1, 2], true),
        bounded("thalach", 0, 40, 240, true),
        closed("exang", &[0, 1], true),
        bounded("oldpeak", 1, -40, 80, true),
        closed("slope", &[1, 2, 3], true),
        closed("ca", &[0, 1, 2, 3], true),
        closed("thal", &[3, 6, 7], true),
    ]
}

/// One hospital's persons. Zero cholesterol and zero pressure mean "not measured"; disease means
/// any narrowing class above 0.
pub(crate) fn people(folder: &Path, hospital: &str) -> Vec<Person> {
    let mut reader = csv::Reader::from_path(folder.join(format!("{hospital}.csv"))).unwrap();
    let header = reader.headers().unwrap().clone();
    let mut people = Vec::new();
    for record in reader.records() {
        let record = record.unwrap();
        let mut person = Person::new();
        for column in columns() {
            let Some(index) = header.iter().position(|name| name == column.name) else {
                continue;
            };
            if let Some(value) = value(&record[index], column.scale) {
                person.insert(column.name, value);
            }
        }
        for zero_is_missing in ["trestbps", "chol"] {
            if person.get(zero_is_missing) == Some(&0) {
                person.remove(zero_is_missing);
            }
        }
        let disease = i128::from(person["num"] > 0);
        person.insert("disease", disease);
        people.push(person);
    }
    people
}

/// A decimal text as a whole number of its last digit.
fn value(text: &str, scale: u32) -> Option<i128> {
    if text.is_empty() {
        return None;
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    assert!(fraction.len() <= scale as usize, "{text}");
    let digits = format!("{whole}{fraction:0<width$}", width = scale as usize);
    Some(digits.parse().unwrap())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support;

    #[test]
    fn negative_and_short_decimals_keep_their_meaning() {
        assert_eq!(value("-0.5", 1), Some(-5));
        assert_eq!(value("2", 1), Some(20));
        assert_eq!(value("", 1), None);
    }

    #[test]
    fn the_files_are_those_that_their_readme_describes() {
        let Some(folder) = support::shared_data("heart-disease") else {
            return;
        };
        let sizes = HOSPITALS.map(|hospital| people(&folder, hospital).len());
        assert_eq!(sizes, [303, 294, 123, 200]);
        let swiss = people(&folder, "switzerland");
        assert!(swiss.iter().all(|person| !person.contains_key("chol")));
        let ill = HOSPITALS.map(|hospital| {
            people(&folder, hospital)
                .iter()
                .filter(|person| person["disease"] == 1)
                .count()
        });
        assert_eq!(ill, [139, 106, 115, 149]);
    }
}
