//! Every analysis under protection: whatever it says, the same statistic of the exact data of the nodes that
//! are in it lies within the limits beside it. Each set of data is asked of two networks, one protected and
//! one whose patients count as made up, and of the second only the nodes that the first answer is about.

use std::collections::BTreeMap;
use std::path::Path;

use quorate_testnet::demo;
use quorate_testnet::network::{Network, Options};
use serde_json::Value;

use crate::support;

/// The shipped specs in a folder of their own, with another word on whether populations are made up.
fn copied(synthetic: bool) -> std::path::PathBuf {
    let target = support::scratch();
    let policies = |text: &str| {
        let (yes, no) = ("synthetic = true", "synthetic = false");
        let (from, to) = if synthetic { (no, yes) } else { (yes, no) };
        text.replace(from, to)
    };
    for folder in std::fs::read_dir(support::specs()).unwrap() {
        let folder = folder.unwrap();
        let own = target.join(folder.file_name());
        std::fs::create_dir(&own).unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let file = file.unwrap();
            let text = std::fs::read_to_string(file.path()).unwrap();
            std::fs::write(own.join(file.file_name()), policies(&text)).unwrap();
        }
    }
    target
}

struct Pair {
    protected: Network,
    exact: Network,
    cohort: Option<String>,
}

fn start(spec: &str, data: &Path, cohort: Option<&str>) -> Pair {
    let network = |synthetic: bool| {
        let options = Options::new(support::exe())
            .set("DATA", &data.display().to_string())
            .folder(&support::scratch());
        Network::start(&copied(synthetic).join(spec), &options).unwrap()
    };
    let cohort = cohort.map(|text| {
        let file = support::scratch().join("cohort.sql");
        std::fs::write(&file, text).unwrap();
        file.display().to_string()
    });
    Pair {
        protected: network(false),
        exact: network(true),
        cohort,
    }
}

impl Pair {
    fn ask(&self, network: &Network, words: &[&str], nodes: Option<&str>) -> Value {
        let mut all = vec!["analyse"];
        all.extend(words);
        all.extend(["--format", "json"]);
        if let Some(cohort) = &self.cohort {
            all.extend(["--cohort", cohort]);
        }
        if let Some(nodes) = nodes {
            all.extend(["--nodes", nodes]);
        }
        let done = network.quorate("alice", all).unwrap();
        assert_eq!(
            done.code,
            Some(0),
            "{words:?}\n{}{}",
            done.stdout,
            done.stderr
        );
        let answer: Value = serde_json::from_str(&done.stdout).unwrap();
        answer["analysis"].clone()
    }

    /// How many numbers of an analysis were compared. None where the answer says that it is about other
    /// persons or intervals than were asked for.
    fn compare(&self, words: &[&str]) -> Option<usize> {
        let shown = self.ask(&self.protected, words, None);
        let remarks = shown["remarks"].as_array();
        let other = ["Left out", "Merged", "Not in `", "No node released `"];
        let is_other = |remark: &Value| {
            other
                .iter()
                .any(|begin| remark.as_str().unwrap().starts_with(begin))
        };
        if remarks.is_some_and(|all| all.iter().any(is_other)) {
            return None;
        }
        let sites = shown["sites"].as_array().unwrap().iter();
        let sites: Vec<&str> = sites.map(|site| site.as_str().unwrap()).collect();
        if sites.is_empty() {
            return Some(0);
        }
        let exact = self.ask(&self.exact, words, Some(&sites.join(",")));
        let truth = numbers(&exact);
        let compared = numbers(&shown).into_iter().filter_map(|(place, entry)| {
            let truth = part(truth.get(&place)?, "value")?;
            let slack = 1e-9 * truth.abs();
            let inside = part(entry, "lower").is_none_or(|low| low <= truth + slack)
                && part(entry, "upper").is_none_or(|high| truth - slack <= high);
            assert!(
                inside,
                "{words:?} of {sites:?}: {place:?} is {truth}, shown {entry}"
            );
            Some(())
        });
        Some(compared.count())
    }

    /// Asks them all; each says a word in time that is compared, but for those that few nodes can answer.
    fn compare_all(&self, analyses: &[&str]) -> BTreeMap<String, usize> {
        let words = |text: &&str| -> Vec<String> {
            let parts = text.split('\'').zip([false, true].into_iter().cycle());
            let words = parts.flat_map(|(part, quoted)| match quoted {
                true => vec![part.to_owned()],
                false => part.split_whitespace().map(str::to_owned).collect(),
            });
            words.collect()
        };
        let compared = analyses.iter().filter_map(|text| {
            let words = words(text);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            Some(((*text).to_owned(), self.compare(&words)?))
        });
        let compared: BTreeMap<String, usize> = compared.collect();
        println!("{compared:#?}");
        compared
    }
}

fn part(entry: &Value, name: &str) -> Option<f64> {
    entry[name].as_str().map(|text| text.parse().unwrap())
}

/// Every number by table, row and column.
fn numbers(report: &Value) -> BTreeMap<[String; 3], &Value> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut found = BTreeMap::new();
    for table in report["tables"].as_array().unwrap() {
        for row in table["rows"].as_array().unwrap() {
            for (column, entry) in row["values"].as_object().unwrap() {
                let place = [text(&table["name"]), text(&row["row"]), column.clone()];
                found.insert(place, entry);
            }
        }
    }
    found
}

#[test]
fn limits_explain_every_difference_at_the_heart_hospitals() {
    let Some(data) = support::shared_data("heart-disease") else {
        return;
    };
    let pair = start("heart-disease/spec.toml", &data, None);
    let compared = pair.compare_all(&[
        "crosstab --rows sex --columns disease",
        "proportion --outcome disease --by sex",
        "standardise --events disease --strata sex --standard 0=1,1=1",
        "ttest --value age --by disease",
        "describe --value age --by sex",
        "anova --value age --by disease",
        "anova --value age --by sex --and disease",
        "meta --estimate difference --value age --by disease",
        "meta --estimate odds_ratio --outcome disease --by sex",
        "lm --formula 'age ~ C(disease)'",
        "quantile --value age --by sex --width 20",
        "boxplot --value age",
        "histogram --value age --width 20",
        "table1 --variables age,disease --by sex",
        "describe --value cp --shape yes",
        "ttest --value trestbps --mu 130",
        "correlation --columns age,thalach",
        "lm --formula 'thalach ~ age'",
        "crosstab --rows sex --columns disease --strata age:20",
    ]);
    assert!(compared.values().filter(|count| **count > 0).count() >= 12);
    assert!(compared.values().sum::<usize>() > 250);
}

#[test]
fn limits_explain_every_difference_at_the_made_up_hospitals() {
    let place = support::scratch();
    demo::prepare(&place).unwrap();
    let pair = start("omop/spec.toml", &place.join("data"), None);
    let compared = pair.compare_all(&[
        "survival --table follow_up --time months:12 --event died --by treated",
        "crosstab --table follow_up --rows treated --columns died",
        "rate --table follow_up --events died --time months --by treated --per 1200",
        "standardise --table follow_up --events died --time months --strata treated --standard 0=3000,1=1000 --per 1200",
        "meta --table follow_up --estimate rate_ratio --events died --time months --by treated",
        "meta --table follow_up --estimate risk_difference --outcome died --by treated",
        "ttest --table follow_up --value months --by treated",
        "lm --table follow_up --formula 'months ~ C(treated)'",
        "survival --table follow_up --time months:6 --event died --merge 12",
        "describe --value year_of_birth --by gender_concept_id",
        "table1 --variables year_of_birth --by gender_concept_id",
        "quantile --value year_of_birth --width 10",
        "histogram --value year_of_birth --width 20 --by gender_concept_id",
    ]);
    assert!(compared.values().filter(|count| **count > 0).count() >= 9);
    assert!(compared.values().sum::<usize>() > 200);
}

/// Of every person the year of birth, and whether they ever had an illness.
const COHORT: &str = "WITH s AS (SELECT person_id, min(condition_start_date) AS dx FROM condition_occurrence \
     WHERE condition_concept_id IN set.ILLNESS GROUP BY person_id)\n\
     SELECT p.person_id, p.gender_concept_id AS sex, p.year_of_birth AS born, \
     CAST(s.dx IS NOT NULL AS INTEGER) AS ill\n\
     FROM person p LEFT JOIN s ON p.person_id = s.person_id\n";

#[test]
fn limits_explain_every_difference_of_the_omop_sets() {
    let Some(data) = support::shared_data("omop-synthetic") else {
        return;
    };
    for (set, illness) in [("gibleed", "gi_bleed"), ("synthea-1k", "sinusitis")] {
        let cohort = COHORT.replace("ILLNESS", illness);
        let pair = start(&format!("omop-synthetic/{set}.toml"), &data, Some(&cohort));
        let compared = pair.compare_all(&[
            "crosstab --rows sex --columns ill",
            "proportion --outcome ill --by sex",
            "describe --value born --by sex",
            "ttest --value born --by ill",
            "meta --estimate odds_ratio --outcome ill --by sex",
            "quantile --value born --by sex --width 20",
            "histogram --value born --width 20",
            "table1 --variables born,ill --by sex",
        ]);
        assert!(
            compared.values().filter(|count| **count > 0).count() >= 4,
            "{set}"
        );
        assert!(compared.values().sum::<usize>() > 60, "{set}");
    }
}
