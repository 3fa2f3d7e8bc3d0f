//! Correlations and linear models through a whole network of four hospitals.

use crate::analyses::{answer, number, real, row, start};
use crate::oracle::ask::Person;
use crate::oracle::heart::people;
use crate::support;

/// Values of two columns of the persons who have both.
fn both(people: &[Person], [one, other]: [&str; 2]) -> Vec<(f64, f64)> {
    let value = |person: &Person, column: &str| person.get(column).copied().map(real);
    let pair = |person: &Person| Some((value(person, one)?, value(person, other)?));
    people.iter().filter_map(pair).collect()
}

/// Sums of squares and products about the means: of the first, of both, of the second.
fn about_means(pairs: &[(f64, f64)]) -> [f64; 3] {
    let n = real(i128::try_from(pairs.len()).unwrap());
    let x = pairs.iter().map(|pair| pair.0).sum::<f64>() / n;
    let y = pairs.iter().map(|pair| pair.1).sum::<f64>() / n;
    let sum = |of: fn(f64, f64) -> f64| pairs.iter().map(|(a, b)| of(a - x, b - y)).sum();
    [sum(|a, _| a * a), sum(|a, b| a * b), sum(|_, b| b * b)]
}

fn near(ours: f64, theirs: f64) {
    assert!(
        (ours - theirs).abs() <= 1e-10 * theirs.abs(),
        "{ours} {theirs}"
    );
}

#[test]
fn a_model_over_four_hospitals_is_that_of_their_pooled_files() {
    let Some((network, people)) = start("heart-disease/spec-synthetic.toml") else {
        return;
    };
    let columns = ["--columns", "age,thalach"];
    let found = answer(&network, &[&["correlation"], &columns[..]].concat());
    let pairs = both(&people, ["age", "thalach"]);
    let [xx, xy, yy] = about_means(&pairs);
    let pair = row(&found, "pairs", "age and thalach");
    near(number(&pair["r"]["value"]), xy / (xx * yy).sqrt());

    let formula = ["lm", "--formula", "thalach ~ age"];
    let found = answer(&network, &formula);
    let slope = number(&row(&found, "coefficients", "age")["estimate"]["value"]);
    near(slope, xy / xx);
    let fit = row(&found, "model", "fit");
    near(number(&fit["r_squared"]["value"]), xy * xy / xx / yy);
    near(
        number(&fit["n"]["value"]),
        real(i128::try_from(pairs.len()).unwrap()),
    );

    // Groups take several tables, all in one question.
    let found = answer(&network, &["lm", "--formula", "thalach ~ age + C(disease)"]);
    let adjusted = row(&found, "coefficients", "disease 1 yes");
    assert!(number(&adjusted["estimate"]["value"]) < 0.0, "{adjusted}");
    assert_eq!(found["analysis"]["sites"].as_array().unwrap().len(), 4);

    for page in ["correlation.md", "lm.md"] {
        for command in commands(page) {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            let found = answer(&network, &words);
            let tables = found["analysis"]["tables"].as_array().unwrap();
            assert!(tables.len() > 2, "{command:?} {found:#}");
        }
    }
}

/// Commands of a page: lines that begin with `quorate analyse`, as words; in quotes a word has spaces.
fn commands(page: &str) -> Vec<Vec<String>> {
    let path = format!("{}/../docs/analyses/{page}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text
        .lines()
        .filter_map(|line| line.strip_prefix("quorate analyse "));
    let words = |line: &str| {
        let parts = line.split('"').zip([false, true].into_iter().cycle());
        let words = parts.flat_map(|(part, quoted)| match quoted {
            true => vec![part.to_owned()],
            false => part.split_whitespace().map(str::to_owned).collect(),
        });
        words.collect()
    };
    lines.map(words).collect()
}

#[test]
fn protected_coefficients_hold_those_of_the_hospitals_in_them() {
    let Some((network, _)) = start("heart-disease/spec.toml") else {
        return;
    };
    let folder = support::shared_data("heart-disease").unwrap();
    let found = answer(&network, &["lm", "--formula", "thalach ~ age"]);
    assert_eq!(found["protection"]["mode"], "round");
    // Where hardly anybody lacks a column, complete cases are too near to everybody, who were counted.
    let sites = found["analysis"]["sites"].as_array().unwrap();
    assert!(!sites.is_empty(), "{found:#}");
    let here: Vec<Person> = sites
        .iter()
        .flat_map(|site| people(&folder, site.as_str().unwrap()))
        .collect();
    let [xx, xy, _] = about_means(&both(&here, ["age", "thalach"]));
    let slope = &row(&found, "coefficients", "age")["estimate"];
    let (low, high) = (number(&slope["lower"]), number(&slope["upper"]));
    let truth = xy / xx;
    assert!(
        low <= truth && truth <= high && low < high,
        "{slope} {truth}"
    );
}
