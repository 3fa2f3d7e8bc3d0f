//! From SQL text to a combined table: the language and the combine part agree about measures,
//! statistics and output columns.

use quorate_query::answer::{Mode, NodeTable, Protection};
use quorate_query::codebook::{Codebook, read};
use quorate_query::combine::{Combined, SiteAnswer, combine};
use quorate_query::question::Params;
use quorate_query::sql;
use quorate_query::value::Scalar;

use crate::cells::{Person, node};

fn codebook() -> Codebook {
    read(include_str!("../codebooks/cvd.toml"), "cvd.toml").unwrap()
}

fn person(sex: i64, age: i64, disease: i64, chol: Option<i64>) -> Person {
    let known = [("sex", sex), ("age", age), ("disease", disease)];
    known
        .into_iter()
        .chain(chol.map(|chol| ("chol", chol)))
        .collect()
}

/// Three hospitals; the second has few women with the disease.
fn hospitals() -> Vec<(&'static str, Vec<Person>)> {
    let people = |n: i64, women: i64, shift: i64| -> Vec<Person> {
        let one = |i: i64| {
            let chol = (i % 4 != 0).then_some(180 + i % 60 + shift);
            person(
                i64::from(i % 100 >= women),
                40 + i % 40,
                i64::from(i % 3 == 0),
                chol,
            )
        };
        (0..n).map(one).collect()
    };
    vec![
        ("a", people(200, 50, 0)),
        ("b", people(120, 10, 30)),
        ("c", people(300, 40, -20)),
    ]
}

fn ask(text: &str, round: bool) -> Combined {
    let book = codebook();
    let question = sql::read(text, &Params::new(), &book).unwrap_or_else(|p| panic!("{p:?}"));
    let table = question.sole().unwrap();
    let mode = if round { Mode::Round } else { Mode::None };
    let protection = Protection {
        mode,
        k: 8,
        round_base: 5,
    };
    let tables: Vec<(&str, NodeTable)> = hospitals()
        .iter()
        .map(|(name, people)| (*name, node(people, table, &book, round)))
        .collect();
    let sites: Vec<SiteAnswer<'_>> = tables
        .iter()
        .map(|(node, table)| SiteAnswer {
            node,
            table: Some((table, protection)),
        })
        .collect();
    combine(&question, &book, &sites).unwrap()
}

/// One line per row: keys, then `value [lower..upper] nodes/eligible`, `·` for a withheld cell.
fn show(combined: &Combined) -> Vec<String> {
    let row = |row: &quorate_query::combine::CombinedRow| {
        let keys = row.key.iter().map(Scalar::to_string);
        let cells = row
            .cells
            .iter()
            .map(|cell| match (&cell.value, &cell.lower) {
                (Some(value), Some(low)) => {
                    let high = cell.upper.as_deref().unwrap_or("");
                    format!("{value} [{low}..{high}] {}/{}", cell.nodes, cell.eligible)
                }
                _ if cell.withheld => "·".to_owned(),
                _ => "NULL".to_owned(),
            });
        keys.chain(cells).collect::<Vec<_>>().join(" | ")
    };
    combined.rows.iter().map(row).collect()
}

#[test]
fn pooled_values_without_protection() {
    let shown = ask(
        "SELECT sex, count(*) AS n, count(chol) AS measured, avg(chol) AS chol, sum(disease) AS ill, \
         sum(disease) / count(*) AS share FROM person GROUP BY sex ORDER BY n DESC",
        false,
    );
    let mut expected: Vec<(i64, usize, usize, f64, i64)> = Vec::new();
    let everyone: Vec<Person> = hospitals()
        .into_iter()
        .flat_map(|(_, people)| people)
        .collect();
    for sex in [1, 0] {
        let group: Vec<&Person> = everyone.iter().filter(|p| p["sex"] == sex).collect();
        let chol: Vec<i64> = group
            .iter()
            .filter_map(|p| p.get("chol").copied())
            .collect();
        let total: i64 = chol.iter().sum();
        let ill = group.iter().map(|p| p["disease"]).sum();
        let mean = f64::from(i32::try_from(total).unwrap())
            / f64::from(u32::try_from(chol.len()).unwrap());
        expected.push((sex, group.len(), chol.len(), mean, ill));
    }
    assert_eq!(shown.rows.len(), 2);
    for (row, (sex, n, measured, mean, ill)) in shown.rows.iter().zip(expected) {
        let cell = |i: usize| row.cells[i].value.clone().unwrap();
        assert_eq!(row.key, [Scalar::Number(sex.into())]);
        assert_eq!(
            [cell(0), cell(1), cell(3)],
            [n.to_string(), measured.to_string(), ill.to_string()]
        );
        assert!((cell(2).parse::<f64>().unwrap() - mean).abs() < 1e-10);
        let share = f64::from(i32::try_from(ill).unwrap()) / f64::from(u32::try_from(n).unwrap());
        assert!((cell(4).parse::<f64>().unwrap() - share).abs() < 1e-14);
    }
}

#[test]
fn protected_values_with_their_intervals() {
    let shown = show(&ask(
        "SELECT sex, disease, count(*) AS n, avg(chol) AS chol FROM person GROUP BY sex, disease",
        true,
    ));
    assert_eq!(
        shown,
        [
            "0 | 0 | 160 [154..166] 3/3 | 202 [199.7..203.8] 3/3",
            "0 | 1 | 75 [71..] 2/3 | 197 [194.6..] 2/3",
            "1 | 0 | 250 [244..256] 3/3 | 208 [206.6..209.2] 3/3",
            "1 | 1 | 130 [124..136] 3/3 | 208 [205.5..211.4] 3/3",
        ]
    );
    let ungrouped = show(&ask(
        "SELECT count(*), count(DISTINCT person_id) FROM person",
        true,
    ));
    assert_eq!(ungrouped, ["620 [614..626] 3/3 | 620 [614..626] 3/3"]);
}

#[test]
fn having_order_and_limit_work_on_released_values() {
    let text = "SELECT floor(age/10)*10 AS decade, count(*) AS n FROM person \
                GROUP BY floor(age/10)*10 HAVING count(*) >= 155 ORDER BY decade DESC LIMIT 1";
    assert_eq!(show(&ask(text, true)), ["50 | 160 [154..166] 3/3"]);
}
