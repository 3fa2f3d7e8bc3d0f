//! Laws: sets behave like sets, equal questions have equal bytes, cells partition a table,
//! and no text whatsoever breaks the reader.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_query::canonical::{cell_predicate, predicate_id};
use quorate_query::codebook::Codebook;
use quorate_query::domain::{cells, count};
use quorate_query::question::{Set, TableQuestion, Values};
use quorate_query::set::{Range, ordinal};
use quorate_query::sql;
use quorate_query::value::{ColumnType, Scalar};

use crate::common::{language, read};

const EDGE: i128 = 12;

fn range() -> impl Strategy<Value = Range> {
    let end = || prop::option::of(-EDGE..EDGE);
    (end(), end())
}

fn values() -> impl Strategy<Value = Values> {
    prop_oneof![
        4 => prop::collection::vec(range(), 0..5).prop_map(Values::from_ranges),
        1 => Just(Values::All),
        2 => prop::collection::vec(-EDGE..EDGE, 0..6).prop_map(Values::points),
    ]
}

fn text_values() -> impl Strategy<Value = Values> {
    let texts = prop::collection::vec("[a-d]", 0..5);
    (texts, any::<bool>()).prop_map(|(texts, negated)| {
        let values = Values::texts(texts);
        if negated { values.complement() } else { values }
    })
}

/// Membership of every ordinal beyond all ends that the strategies make.
fn members(values: &Values) -> Vec<bool> {
    let int = |n: i128| Scalar::Number(quorate_query::number::Number::new(n, 0));
    (-2 * EDGE..2 * EDGE)
        .map(|n| values.contains(&int(n), ColumnType::Int))
        .collect()
}

fn text_members(values: &Values) -> Vec<bool> {
    let text = |t: &str| Scalar::Text(t.to_owned());
    ["a", "b", "c", "d", "e"]
        .map(|t| values.contains(&text(t), ColumnType::Text))
        .to_vec()
}

fn check_algebra(a: &Values, b: &Values, members: impl Fn(&Values) -> Vec<bool>) {
    let both: Vec<bool> = members(a)
        .iter()
        .zip(members(b))
        .map(|(x, y)| *x && y)
        .collect();
    let either: Vec<bool> = members(a)
        .iter()
        .zip(members(b))
        .map(|(x, y)| *x || y)
        .collect();
    let neither: Vec<bool> = members(a).iter().map(|x| !x).collect();
    assert_eq!(members(&a.intersect(b)), both);
    assert_eq!(members(&a.union(b)), either);
    assert_eq!(members(&a.complement()), neither);
    assert_eq!(a.intersect(b), b.intersect(a));
    assert_eq!(a.union(b), b.union(a));
    assert_eq!(&a.complement().complement(), a);
    assert_eq!(a.intersect(&a.complement()), Values::none());
    assert_eq!(a.union(&a.complement()), Values::All);
    assert_eq!(
        members(a) == members(b),
        a == b,
        "equal sets are equal values"
    );
}

proptest! {
    #[test]
    fn sets_of_numbers_obey_set_algebra(a in values(), b in values()) {
        check_algebra(&a, &b, members);
    }

    #[test]
    fn sets_of_texts_obey_set_algebra(a in text_values(), b in text_values()) {
        check_algebra(&a, &b, text_members);
    }

    #[test]
    fn bounds_clamp(a in values(), value in -20_i64..150) {
        let codebook = language();
        let age = &codebook.tables["person"].columns["age"];
        let clamped = Scalar::Number(i128::from(value.clamp(0, 120)).into());
        let raw = Scalar::Number(i128::from(value).into());
        let set = Set::of(a);
        prop_assert_eq!(set.within(age).contains(&raw, age.ty), set.contains(&clamped, age.ty));
    }
}

/// A condition in several spellings; the first is as good as any other.
#[derive(Clone, Debug)]
struct Term {
    spellings: Vec<String>,
}

fn age_term() -> impl Strategy<Value = Term> {
    (0_i32..22, 1_i32..5).prop_map(|(start, length)| {
        let (from, to) = (start * 5, (start + length) * 5);
        let all = (from..to)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(", ");
        Term {
            spellings: vec![
                format!("T.age >= {from} AND T.age < {to}"),
                format!("T.age BETWEEN {from} AND {}", to - 1),
                format!("{to} > T.age AND T.age > {}", from - 1),
                format!("T.age < {to} AND ({from} <= T.age)"),
                format!("T.age IN ({all})"),
            ],
        }
    })
}

fn sex_term() -> impl Strategy<Value = Term> {
    let spellings = [
        "T.sex = 1",
        "T.sex <> 0",
        "T.sex IN (1, 1)",
        "T.sex NOT IN (0)",
        "0 < T.sex",
    ];
    Just(Term {
        spellings: spellings.map(str::to_owned).to_vec(),
    })
}

fn region_term() -> impl Strategy<Value = Term> {
    let all = ["e", "n", "nw", "s"];
    let chosen = prop::sample::subsequence(all.to_vec(), 1..4);
    chosen.prop_map(move |chosen| {
        let quoted = |list: Vec<&str>| {
            list.iter()
                .map(|t| format!("'{t}'"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let others: Vec<&str> = all
            .iter()
            .filter(|t| !chosen.contains(t))
            .copied()
            .collect();
        let twice: Vec<&str> = chosen.iter().rev().chain(&chosen).copied().collect();
        Term {
            spellings: vec![
                format!("T.region IN ({})", quoted(chosen)),
                format!("T.region IN ({})", quoted(twice)),
                format!("T.region NOT IN ({})", quoted(others)),
            ],
        }
    })
}

fn cohort_term() -> impl Strategy<Value = Term> {
    let key = "T.person_id IN";
    Just(Term {
        spellings: vec![
            format!(
                "{key} (SELECT person_id FROM condition_occurrence WHERE condition_concept_id IN set.diabetes)"
            ),
            format!(
                "{key} (SELECT c.person_id FROM condition_occurrence AS c WHERE c.condition_concept_id IN (443238, 201820, 201826, 201820))"
            ),
            format!(
                "{key} (SELECT p FROM (SELECT person_id AS p, condition_concept_id AS c FROM condition_occurrence) x WHERE c IN set.diabetes)"
            ),
        ],
    })
}

/// Spells the chosen terms: which spelling, in which order, how often, under which table name.
fn spelled(terms: &[Term], picks: &[(usize, u32, bool)], alias: &str) -> String {
    let mut parts: Vec<(u32, String)> = Vec::new();
    for (term, (spelling, rank, again)) in terms.iter().zip(picks) {
        let text = |nth: usize| {
            term.spellings[nth % term.spellings.len()].replace("T.", &format!("{alias}."))
        };
        parts.push((*rank, text(*spelling)));
        if *again {
            parts.push((rank.wrapping_mul(7919), text(spelling + 1)));
        }
    }
    parts.sort();
    let conditions: Vec<String> = parts.into_iter().map(|(_, text)| text).collect();
    format!(
        "SELECT {alias}.sex AS {alias}_s, count(*) FROM person {alias} WHERE {} GROUP BY {alias}.sex",
        conditions.join(" AND ")
    )
}

proptest! {
    #[test]
    fn the_canonical_form_does_not_depend_on_spelling(
        terms in (age_term(), sex_term(), region_term(), cohort_term()),
        one in prop::collection::vec((0_usize..5, any::<u32>(), any::<bool>()), 4),
        other in prop::collection::vec((0_usize..5, any::<u32>(), any::<bool>()), 4),
    ) {
        let codebook = language();
        let terms = [terms.0, terms.1, terms.2, terms.3];
        let (one, other) = (spelled(&terms, &one, "a"), spelled(&terms, &other, "person"));
        let a = read(&one, &codebook).map_err(|p| TestCaseError::fail(format!("{p}: {one}")))?;
        let b = read(&other, &codebook).map_err(|p| TestCaseError::fail(format!("{p}: {other}")))?;
        prop_assert_eq!(a.canonical_bytes(), b.canonical_bytes(), "{}\n{}", one, other);
        prop_assert_eq!(a.digest(), b.digest());
    }

    #[test]
    fn no_text_breaks_the_reader(text in ".{0,200}") {
        prop_assert_eq!(sql::fuzz(text.as_bytes(), &language()), Ok(()));
    }

    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(sql::fuzz(&bytes, &language()), Ok(()));
    }

    #[test]
    fn no_mixture_of_words_breaks_the_reader(
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..40),
        whole in any::<bool>(),
    ) {
        let soup = words.join(" ");
        let text = if whole { soup } else { format!("SELECT count(*) FROM person WHERE {soup}") };
        prop_assert_eq!(sql::fuzz(text.as_bytes(), &language()), Ok(()));
    }
}

const WORDS: [&str; 61] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "HAVING",
    "ORDER BY",
    "LIMIT",
    "WITH a AS (",
    "AS",
    "JOIN",
    "ON",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "IS NULL",
    "IS NOT NULL",
    "CASE WHEN",
    "THEN",
    "END",
    "(",
    ")",
    ",",
    ".",
    "*",
    "+",
    "-",
    "/",
    "=",
    "<>",
    "<",
    ">=",
    "::",
    "[",
    "]",
    "person",
    "death",
    "condition_occurrence",
    "person_id",
    "age",
    "sex",
    "region",
    "chol",
    "set.diabetes",
    "set",
    "$x",
    "1",
    "50",
    "'n'",
    "''",
    "1.5",
    "NULL",
    "true",
    "count(*)",
    "avg(age)",
    "floor(age/5)*5",
    "date_trunc('month', death_date)",
    "DISTINCT",
    "INTERVAL '1 day'",
    "DATE '2020-01-01'",
];

fn table(sql: &str, codebook: &Codebook) -> TableQuestion {
    let question = read(sql, codebook).expect("an accepted question");
    question.into_sole().expect("one table")
}

#[test]
fn cells_partition_a_closed_table() {
    let codebook = language();
    let q = table(
        "SELECT floor(age/20)*20, sex, count(*) FROM person GROUP BY 1, 2",
        &codebook,
    );
    let cells = cells(&q, &codebook).expect("a closed table");
    assert_eq!(cells.len(), 7 * 2);
    assert!(cells.is_sorted());
    let age = &codebook.tables["person"].columns["age"];
    let predicates: Vec<_> = cells
        .iter()
        .map(|key| cell_predicate(&q, key, &codebook))
        .collect();
    let ids: BTreeSet<[u8; 32]> = predicates
        .iter()
        .map(|p| predicate_id(&q.rows, &q.joined, p))
        .collect();
    assert_eq!(ids.len(), cells.len(), "every cell has its own identity");
    for value in -5_i64..130 {
        let value = Scalar::Number(i128::from(value).into());
        assert!(ordinal(&value, age.ty).is_some());
        let holding = predicates.iter().filter(|p| {
            p.boxes
                .iter()
                .all(|(name, set)| name.column != "age" || set.contains(&value, age.ty))
        });
        assert_eq!(
            holding.count(),
            2,
            "an age lies in one band, for either sex"
        );
    }
}

#[test]
fn a_cell_is_the_same_as_its_condition() {
    let codebook = language();
    let id = |q: &TableQuestion, key: &[Scalar]| {
        predicate_id(&q.rows, &q.joined, &cell_predicate(q, key, &codebook))
    };
    let one = Scalar::Number(1_i128.into());
    let grouped = table("SELECT sex, count(*) FROM person GROUP BY sex", &codebook);
    let filtered = table("SELECT count(*) FROM person WHERE sex = 1", &codebook);
    assert_eq!(id(&grouped, &[one]), id(&filtered, &[]));

    let month = Scalar::parse("2020-02-01", ColumnType::Date).expect("a date");
    let grouped = table(
        "SELECT date_trunc('month', death_date), count(*) FROM death GROUP BY 1",
        &codebook,
    );
    let filtered = table(
        "SELECT count(*) FROM death WHERE death_date BETWEEN DATE '2020-02-01' AND DATE '2020-02-29'",
        &codebook,
    );
    assert_eq!(id(&grouped, &[month]), id(&filtered, &[]));

    // Never missing: a condition that leaves nothing out is no condition.
    let all = table("SELECT count(*) FROM person", &codebook);
    for known in [
        "steps IS NOT NULL",
        "steps >= 0",
        "steps < 40000 AND steps IS NOT NULL",
    ] {
        let sql = format!("SELECT count(*) FROM person WHERE {known}");
        assert_eq!(id(&all, &[]), id(&table(&sql, &codebook), &[]), "{known}");
    }
    let filtered = table(
        "SELECT count(*) FROM person WHERE bmi IS NOT NULL",
        &codebook,
    );
    assert_ne!(id(&all, &[]), id(&filtered, &[]));

    let last = Scalar::Number(120_i128.into());
    let grouped = table(
        "SELECT floor(age/5)*5, count(*) FROM person GROUP BY 1",
        &codebook,
    );
    let filtered = table("SELECT count(*) FROM person WHERE age >= 120", &codebook);
    assert_eq!(id(&grouped, &[last]), id(&filtered, &[]));
}

#[test]
fn missing_values_are_a_key_only_where_public() {
    let codebook = language();
    let keys = |sql: &str| {
        let table = table(sql, &codebook);
        let keys = cells(&table, &codebook).expect("a closed table");
        assert_eq!(count(&table, &codebook), u64::try_from(keys.len()).ok());
        keys
    };
    assert_eq!(
        keys("SELECT region, count(*) FROM person GROUP BY region")[0],
        [Scalar::Null]
    );
    let filtered = "SELECT region, count(*) FROM person WHERE region <> 's' GROUP BY region";
    assert_eq!(keys(filtered).len(), 3, "a filter leaves its own keys only");
    assert_eq!(
        keys("SELECT sex, count(*) FROM person GROUP BY sex").len(),
        2
    );
    assert_eq!(keys("SELECT count(*) FROM person"), [Vec::<Scalar>::new()]);
    let banded = "SELECT floor(steps/5000)*5000, count(*) FROM person GROUP BY 1";
    assert_eq!(
        keys(banded).len(),
        7,
        "never missing: 0 to 30000 and no NULL"
    );
    let open = "SELECT condition_concept_id, count(*) FROM condition_occurrence GROUP BY 1";
    assert_eq!(cells(&table(open, &codebook), &codebook), None);
}
