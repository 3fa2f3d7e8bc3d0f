//! Means of a column that a few persons lack: their number would show how many do, the mean itself
//! does not.

use std::collections::BTreeMap;

use quorate_query::answer::Cell;
use quorate_query::codebook::Codebook;
use quorate_query::number::Number;
use quorate_query::question::{Measure, TableQuestion};
use quorate_query::release::ReleaseParams;
use roaring::RoaringBitmap;

use super::{pattern, rules};
use crate::evidence::{CellEvidence, Contributions, Evidence, MeasureEvidence, Moments};
use crate::history::{History, State};
use crate::{Outcome, Sheet, decide};

const BOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.id"

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
ill = { type = "int", role = ["filter"], domain = { 0 = "no", 1 = "yes" }, sensitive = true, required = true }
chol = { type = "int", role = ["filter", "value"], bounds = [100, 300], bands = [100], missing_public = true }
"#;

const COUNT: &str = "SELECT count(*) FROM person";
const PRESENT: &str = "SELECT count(chol) FROM person";
const MEAN: &str = "SELECT avg(chol) FROM person";

/// Persons 0 to `all`; every value is there but those of the first `lacking`.
struct Clinic {
    history: History,
    epoch: String,
    book: Codebook,
    all: u32,
    lacking: u32,
}

impl Clinic {
    fn of(all: u32, lacking: u32) -> Self {
        let mut history = History::new();
        history.begin_epoch("e0".to_owned(), RoaringBitmap::new());
        Self {
            history,
            epoch: "e0".to_owned(),
            book: quorate_query::codebook::read(BOOK, "codebook.toml").unwrap(),
            all,
            lacking,
        }
    }

    fn sensitive(mut self) -> Self {
        let text = BOOK.replace(
            "missing_public = true",
            "missing_public = true, sensitive = true",
        );
        self.book = quorate_query::codebook::read(&text, "codebook.toml").unwrap();
        self
    }

    fn question(&self, sql: &str) -> TableQuestion {
        let read = quorate_query::sql::read(sql, &BTreeMap::new(), &self.book);
        let read = read.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        read.into_sole().unwrap()
    }

    fn cell(&self, question: &TableQuestion, nobody: bool) -> CellEvidence {
        let people: RoaringBitmap = (0..if nobody { 0 } else { self.all }).collect();
        let present: RoaringBitmap = people.iter().filter(|id| *id >= self.lacking).collect();
        let measures = question.measures.iter().map(|measure| match measure {
            Measure::Moments { .. } => {
                let value = |id: u32| 150 + i128::from(id % 100);
                let totals: Vec<(u32, i128)> = present.iter().map(|id| (id, value(id))).collect();
                MeasureEvidence::Moments(Moments {
                    each: None,
                    rows: present.len(),
                    squares: totals.iter().map(|(_, value)| value * value).sum(),
                    totals: Contributions::of(totals).unwrap(),
                    scale: 0,
                })
            }
            Measure::Persons { of: Some(_) } => {
                MeasureEvidence::Count(Contributions::ones(present.clone()))
            }
            _ => MeasureEvidence::Count(Contributions::ones(people.clone())),
        });
        CellEvidence {
            each: None,
            rows: people.len(),
            measures: measures.collect(),
            people: people.clone().into(),
        }
    }

    fn ask(&mut self, sql: &str) -> Outcome {
        let question = self.question(sql);
        let cells = BTreeMap::from([(Vec::new(), self.cell(&question, false))]);
        let sheet = Sheet {
            question: &question,
            codebook: &self.book,
            nobody: &self.cell(&question, true),
            evidence: &Evidence { cells },
            params: &ReleaseParams::default(),
            epoch: &self.epoch,
            project: "p",
            core: false,
            noise: None,
        };
        let outcome = decide(&sheet, &mut self.history);
        for entry in &outcome.fresh {
            self.history.add(entry.clone());
        }
        outcome
    }

    /// Size and mean of a cell that is near an earlier answer.
    fn near(&mut self, sql: &str) -> (i128, Number) {
        let outcome = self.ask(sql);
        match &outcome.table.rows[0].cells[0] {
            Cell::Near(parts) => (parts[0].to_integer().unwrap(), parts[2]),
            other => panic!("{other:?}: {}", pattern(&outcome)),
        }
    }
}

#[test]
fn a_mean_beside_the_persons_that_were_counted_before() {
    let mut clinic = Clinic::of(203, 3);
    assert_eq!(pattern(&clinic.ask(COUNT)), "v");
    let (size, mean) = clinic.near(MEAN);
    assert_eq!(size, 205, "of the earlier answer, rounded");
    // 39900 over 200 persons, on a grid of 0.1
    assert_eq!(mean, Number::new(1995, -1));
    assert_eq!(clinic.near(MEAN), (size, mean), "and so again");
    let counted = clinic.ask(PRESENT);
    assert_eq!(pattern(&counted), "-", "how many lack it is not told later");
}

#[test]
fn the_other_way_round_the_mean_has_its_own_size() {
    let mut clinic = Clinic::of(203, 3);
    assert_eq!(pattern(&clinic.ask(MEAN)), "v");
    assert_eq!(
        rules(&clinic.ask(COUNT)),
        ["H1"],
        "a count of another measure is no stand-in"
    );
}

#[test]
fn many_who_lack_it_leave_the_size_as_it_is() {
    let mut clinic = Clinic::of(203, 8);
    assert_eq!(pattern(&clinic.ask(COUNT)), "v");
    assert_eq!(pattern(&clinic.ask(MEAN)), "v");
}

#[test]
fn no_near_size_where_lacking_it_is_sensitive_or_the_grid_would_be_fine() {
    let mut clinic = Clinic::of(203, 3).sensitive();
    assert_eq!(pattern(&clinic.ask(COUNT)), "v");
    assert_eq!(pattern(&clinic.ask(MEAN)), "-");
    let mut few = Clinic::of(27, 3);
    assert_eq!(pattern(&few.ask(COUNT)), "v");
    assert_eq!(rules(&few.ask(MEAN)), ["H1"]);
}

#[test]
fn new_data_in_which_few_changed_show_the_same_mean() {
    let mut clinic = Clinic::of(203, 3);
    clinic.ask(COUNT);
    let before = clinic.near(MEAN);
    let stated = clinic.history.entries().last().unwrap().clone();
    assert!(matches!(stated.state, State::Near(_)));
    assert_eq!(stated.facets.len(), 1, "the mean is said, the size is not");
    clinic
        .history
        .begin_epoch("e1".to_owned(), (0..2).collect());
    (clinic.epoch, clinic.lacking) = ("e1".to_owned(), 1);
    assert_eq!(clinic.near(MEAN), before);
    assert_eq!(clinic.near(MEAN), before, "and it is durable");
}
