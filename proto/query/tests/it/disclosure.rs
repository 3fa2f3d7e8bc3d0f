//! What `check --disclosure` says, as written down; and that what it proposes can be asked.

use std::fmt::Write as _;

use quorate_query::explain::disclosure;

use crate::common::{language, path, read, text};

const TEXTS: [&str; 6] = [
    "SELECT count(*) FROM person",
    "SELECT sex, floor(age/5)*5 AS band, count(*) FROM person GROUP BY sex, band",
    "SELECT sex, avg(chol), stddev(chol), avg(disease) FROM person WHERE age >= 50 AND disease = 1 GROUP BY sex",
    "SELECT date_trunc('month', death_date) AS month, count(*) FROM death GROUP BY month",
    "SELECT count(*), count(bmi) FROM person WHERE person_id NOT IN (SELECT person_id FROM death)",
    "SELECT condition_concept_id, count(*) FROM condition_occurrence GROUP BY condition_concept_id",
];

#[test]
fn disclosure_reads_as_written_down() {
    let codebook = language();
    let mut now = String::new();
    for sql in TEXTS {
        let question = read(sql, &codebook).expect("an accepted question");
        let _ = writeln!(now, "### {sql}{}", disclosure(&question, &codebook));
    }
    let file = "tests/golden/disclosure.txt";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path(file), &now).expect("writing the golden file");
    }
    assert_eq!(text(file), now);
}

/// Every coarser key that is proposed is one that the language accepts.
#[test]
fn what_is_proposed_can_be_asked() {
    let codebook = language();
    let mut tried = 0;
    for (table, key) in [
        ("person", "floor(age/5)*5"),
        ("person", "floor(age/10)*10"),
        ("person", "floor(steps/1000)*1000"),
        ("death", "date_trunc('month', death_date)"),
        ("death", "date_trunc('quarter', death_date)"),
    ] {
        let sql = |key: &str| format!("SELECT {key}, count(*) FROM {table} GROUP BY {key}");
        let question = read(&sql(key), &codebook).expect("an accepted question");
        let found = disclosure(&question, &codebook);
        let line = found.tables[0].instead.first().expect("a proposal");
        let proposed = line
            .strip_prefix("GROUP BY ")
            .and_then(|rest| rest.split_once(" instead of"))
            .map(|(key, _)| key)
            .expect("a coarser key");
        assert_ne!(proposed, key);
        assert!(read(&sql(proposed), &codebook).is_ok(), "{proposed}");
        tried += 1;
    }
    assert_eq!(tried, 5);
    let year = "SELECT date_trunc('year', death_date), count(*) FROM death GROUP BY 1";
    let question = read(year, &codebook).expect("an accepted question");
    let only = disclosure(&question, &codebook).tables.remove(0).instead;
    assert_eq!(only.len(), 1, "nothing is coarser than a year: {only:?}");
}
