//! What deciding costs beside a long history: invented persons, invented boxes, real decisions.
//!
//! For benches. It measures nothing itself: the caller wraps every decision in a clock.

use quorate_query::codebook::Codebook;
use quorate_query::question::{ColumnRef, Measure, Params, TableQuestion};
use quorate_query::release::ReleaseParams;
use quorate_query::value::{ColumnType, Scalar};
use roaring::RoaringBitmap;

use crate::evidence::{CellEvidence, Contributions, Evidence, MeasureEvidence, Moments, Persons};
use crate::history::History;
use crate::{Sheet, decide};

const BOOK: &str = r#"
[codebook]
format = 1
name = "cost"
version = 1
unit = "person.id"

[release]
k = 8
round_base = 5
max_cells = 1000

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
age = { type = "int", role = ["filter"], bounds = [0, 99], bands = [1], required = true }
region = { type = "int", role = ["filter"], bounds = [0, 19], bands = [1], required = true }
year = { type = "int", role = ["filter"], bounds = [0, 39], bands = [1], required = true }
income = { type = "int", role = ["value"], bounds = [0, 200000], required = true }
"#;

/// Column and number of its values.
const COLUMNS: [(&str, u32); 3] = [("age", 100), ("region", 20), ("year", 40)];

/// How large a trial is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Persons of the population.
    pub persons: u32,
    /// Releases in the history before anything is timed.
    pub releases: usize,
    /// Decisions that are timed.
    pub cells: usize,
    /// Persons whose data change when half of the releases are out; with none there is one state of the data.
    pub changed: u32,
    /// Where the invention starts from.
    pub seed: u64,
}

/// What came of a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Entries of the history when timing began.
    pub entries: usize,
    /// Timed decisions that released the cell.
    pub released: usize,
}

/// Fills a history with releases of one to three columns' ranges, one in four of them a mean, and
/// then has further cells decided, each within one call of `timed`.
pub fn history_cost(size: Size, mut timed: impl FnMut(&mut dyn FnMut())) -> Option<Tried> {
    let codebook = quorate_query::codebook::read(BOOK, "cost.toml").ok()?;
    let mut world = World::of(&codebook, size);
    let mut history = History::new();
    history.begin_epoch(world.epoch.to_owned(), RoaringBitmap::new());
    if size.changed > 0 {
        world.fill(&mut history, size.releases / 2)?;
        let changed = world.change(size.changed.min(size.persons));
        history.begin_epoch(world.epoch.to_owned(), changed);
    }
    world.fill(&mut history, size.releases)?;
    let mut tried = Tried {
        entries: history.entries().len(),
        released: 0,
    };
    for _ in 0..size.cells {
        let released = world.decide(&mut history, false, &mut timed)?;
        tried.released = tried.released.saturating_add(usize::from(released));
    }
    Some(tried)
}

struct World<'a> {
    codebook: &'a Codebook,
    state: u64,
    /// Persons by column and value.
    with: Vec<Vec<RoaringBitmap>>,
    incomes: Vec<i64>,
    epoch: &'static str,
}

impl<'a> World<'a> {
    fn of(codebook: &'a Codebook, size: Size) -> Self {
        let mut world = Self {
            codebook,
            state: size.seed.wrapping_mul(2).wrapping_add(1),
            with: Vec::new(),
            incomes: Vec::new(),
            epoch: "first",
        };
        for (_, values) in COLUMNS {
            let none = RoaringBitmap::new;
            let mut with: Vec<_> = std::iter::repeat_with(none)
                .take(usize::try_from(values).unwrap_or(0))
                .collect();
            for person in 0..size.persons {
                let value = usize::try_from(world.below(values)).unwrap_or(0);
                if let Some(set) = with.get_mut(value) {
                    set.insert(person);
                }
            }
            world.with.push(with);
        }
        for _ in 0..size.persons {
            let income = i64::from(world.below(450)).pow(2);
            world.incomes.push(income.min(200_000));
        }
        world
    }

    /// Decides until so many releases are in. Withheld cells do not count, and there may not be so many cells
    /// at all.
    fn fill(&mut self, history: &mut History, releases: usize) -> Option<()> {
        for _ in 0..releases.saturating_mul(4) {
            if history.entries().len() >= releases {
                break;
            }
            self.decide(history, true, &mut |work| work())?;
        }
        Some(())
    }

    /// Another state of the data, in which so many persons have other values.
    fn change(&mut self, persons: u32) -> RoaringBitmap {
        let everybody = u32::try_from(self.incomes.len()).unwrap_or(u32::MAX);
        let mut changed = RoaringBitmap::new();
        while changed.len() < persons.into() {
            changed.insert(self.below(everybody));
        }
        for (at, (_, values)) in COLUMNS.iter().enumerate() {
            let news: Vec<u32> = changed.iter().map(|_| self.below(*values)).collect();
            let with = self.with.get_mut(at).map(Vec::as_mut_slice);
            for (value, people) in (0..*values).zip(with.unwrap_or_default()) {
                *people -= &changed;
                let here = changed.iter().zip(&news).filter(|(_, new)| **new == value);
                people.extend(here.map(|(person, _)| person));
            }
        }
        self.epoch = "second";
        changed
    }

    /// The next number below a limit: xorshift, no secret.
    fn below(&mut self, limit: u32) -> u32 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        let drawn = (self.state >> 16) % u64::from(limit.max(1));
        u32::try_from(drawn).unwrap_or(0)
    }

    fn sql(&mut self) -> String {
        let what = match self.below(4) {
            0 => "avg(income)",
            _ => "count(*)",
        };
        let mut conditions = Vec::new();
        for (column, values) in COLUMNS {
            if conditions.is_empty() || self.below(2) == 0 {
                let width = self.below(values / 2).saturating_add(values / 4);
                let low = self.below(values.saturating_sub(width));
                let high = low.saturating_add(width);
                conditions.push(format!("{column} >= {low} AND {column} < {high}"));
            }
        }
        let conditions = conditions.join(" AND ");
        format!("SELECT {what} FROM person WHERE {conditions}")
    }

    /// Whether the cell was released.
    fn decide(
        &mut self,
        history: &mut History,
        keep: bool,
        timed: &mut impl FnMut(&mut dyn FnMut()),
    ) -> Option<bool> {
        let sql = self.sql();
        let read = quorate_query::sql::read(&sql, &Params::new(), self.codebook).ok()?;
        let question = read.into_sole()?;
        let cell = self.cell(&question)?;
        let nobody = CellEvidence {
            each: None,
            people: Persons::default(),
            rows: 0,
            measures: cell.measures.iter().map(empty).collect(),
        };
        let evidence = Evidence {
            cells: [(Vec::new(), cell)].into(),
        };
        let params = ReleaseParams::default();
        let sheet = Sheet {
            question: &question,
            codebook: self.codebook,
            nobody: &nobody,
            evidence: &evidence,
            params: &params,
            epoch: self.epoch,
            project: "p",
            core: false,
            noise: None,
        };
        let mut outcome = None;
        timed(&mut || outcome = Some(decide(&sheet, history)));
        let outcome = outcome?;
        let released = !outcome.fresh.is_empty();
        for entry in outcome.fresh.into_iter().filter(|_| keep) {
            history.add(entry);
        }
        Some(released)
    }

    fn cell(&self, question: &TableQuestion) -> Option<CellEvidence> {
        let people = Persons::from(self.people(question));
        let measure = match question.measures.first()? {
            Measure::Moments { .. } => {
                let income = |person: u32| {
                    let at = usize::try_from(person).ok()?;
                    self.incomes.get(at).copied()
                };
                let totals: Vec<i64> = people.iter().filter_map(income).collect();
                let square = |income: &i64| i128::from(*income) * i128::from(*income);
                MeasureEvidence::Moments(Moments {
                    each: None,
                    rows: people.len(),
                    squares: totals.iter().map(square).sum(),
                    totals: Contributions::in_order(people.clone(), totals)
                        .ok()?
                        .digested(),
                    scale: 0,
                })
            }
            _ => MeasureEvidence::Count(Contributions::ones(people.clone()).digested()),
        };
        Some(CellEvidence {
            each: None,
            rows: people.len(),
            measures: vec![measure],
            people,
        })
    }

    fn people(&self, question: &TableQuestion) -> RoaringBitmap {
        let mut all: Option<RoaringBitmap> = None;
        for ((column, values), with) in COLUMNS.iter().zip(&self.with) {
            let reference = ColumnRef {
                table: "person".to_owned(),
                column: (*column).to_owned(),
            };
            let Some(set) = question.filter.boxes.get(&reference) else {
                continue;
            };
            let mut some = RoaringBitmap::new();
            for (value, people) in (0..*values).zip(with) {
                let number = Scalar::Number(i64::from(value).into());
                if set.contains(&number, ColumnType::Int) {
                    some |= people;
                }
            }
            all = Some(match all {
                Some(all) => all & some,
                None => some,
            });
        }
        all.unwrap_or_default()
    }
}

fn empty(measure: &MeasureEvidence) -> MeasureEvidence {
    match measure {
        MeasureEvidence::Moments(found) => MeasureEvidence::Moments(Moments {
            each: None,
            totals: Contributions::default(),
            rows: 0,
            squares: 0,
            scale: found.scale,
        }),
        _ => MeasureEvidence::Count(Contributions::default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_trial_fills_its_history_and_leaves_it_alone() {
        let size = Size {
            persons: 3000,
            releases: 12,
            cells: 6,
            changed: 0,
            seed: 7,
        };
        let mut timed = 0;
        let tried = history_cost(size, |work| {
            timed += 1;
            work();
        });
        let tried = tried.unwrap();
        assert_eq!((timed, tried.entries), (6, 12));
        assert!(tried.released > 0);
    }
    #[test]
    fn a_trial_in_two_states_of_the_data_moves_whom_it_says() {
        let size = Size {
            persons: 3000,
            releases: 12,
            cells: 6,
            changed: 200,
            seed: 7,
        };
        let tried = history_cost(size, |work| work()).unwrap();
        assert_eq!(tried.entries, 12);
        let codebook = quorate_query::codebook::read(BOOK, "cost.toml").unwrap();
        let mut world = World::of(&codebook, size);
        let before = world.with.clone();
        let changed = world.change(200);
        assert_eq!(changed.len(), 200);
        for (column, earlier) in world.with.iter().zip(&before) {
            let everybody = column.iter().map(RoaringBitmap::len).sum::<u64>();
            assert_eq!(everybody, 3000, "everybody has one value");
            let mut moved = column.iter().zip(earlier).map(|(now, then)| now - then);
            assert!(moved.all(|moved| moved.is_subset(&changed)));
        }
        assert_ne!(world.with, before);
    }
}
