//! One cell against everything ever released: random questions over one to three columns, each
//! decided beside all that were released before it.

use std::collections::BTreeMap;
use std::time::Duration;

use quorate_disclosure::evidence::{
    CellEvidence, Contributions, Evidence, MeasureEvidence, Moments, Persons,
};
use quorate_disclosure::history::History;
use quorate_disclosure::{Sheet, decide};
use quorate_node::measure::{Counted, Part, nobody};
use quorate_query::answer::Cell;
use quorate_query::codebook::Codebook;
use roaring::RoaringBitmap;

use super::{Times, data, millis, question};
use crate::clock;
use crate::generate::rng::Rng;

/// Cells that are timed once the history is full.
const TIMED: u32 = 100;
/// Of so many questions, one is for a mean.
const MEANS: u32 = 4;

/// Who has which value, and everybody's income.
struct World {
    with: BTreeMap<(&'static str, i64), RoaringBitmap>,
    everybody: RoaringBitmap,
    income: Vec<i64>,
}

impl World {
    fn new(persons: u32) -> Self {
        let mut rng = Rng::new(&[33]);
        let mut with: BTreeMap<_, RoaringBitmap> = BTreeMap::new();
        let mut income = Vec::new();
        for id in 0..persons {
            for (name, value) in data::person(&mut rng) {
                if name == "income" {
                    income.push(value.min(200_000));
                } else {
                    with.entry((name, value)).or_default().insert(id);
                }
            }
        }
        Self {
            with,
            everybody: (0..persons).collect(),
            income,
        }
    }

    /// A random question as text, and who it is about.
    fn draw(&self, rng: &mut Rng, mean: bool) -> (String, RoaringBitmap) {
        let mut people = self.everybody.clone();
        let mut atoms = Vec::new();
        let mut names = vec!["age", "region", "sex", "year"];
        for _ in 0..rng.between(1, 3) {
            let last = i64::try_from(names.len()).unwrap_or(1) - 1;
            let at = usize::try_from(rng.between(0, last)).unwrap_or(0);
            let name = names.swap_remove(at.min(names.len() - 1));
            let (low, high) = match name {
                "age" => {
                    let low = rng.between(0, 18) * 5;
                    (low, (low + rng.between(1, 8) * 5).min(100) - 1)
                }
                "sex" => {
                    let sex = rng.between(0, 1);
                    (sex, sex)
                }
                "region" => {
                    let low = rng.between(0, 19);
                    (low, low)
                }
                _ => {
                    let low = rng.between(2000, 2019);
                    (low, low)
                }
            };
            atoms.push(match name {
                "age" => format!("age >= {low} AND age < {}", high + 1),
                _ => format!("{name} = {low}"),
            });
            let range = self.with.range((name, low)..=(name, high));
            let mut inside = RoaringBitmap::new();
            range.for_each(|(_, with)| inside |= with);
            people &= inside;
        }
        let what = if mean {
            "avg(income) AS m"
        } else {
            "count(*) AS n"
        };
        let filter = atoms.join(" AND ");
        (format!("SELECT {what} FROM person WHERE {filter}"), people)
    }

    fn cell(&self, people: RoaringBitmap, mean: bool) -> anyhow::Result<CellEvidence> {
        let people = Persons::from(people);
        let rows = people.len();
        let measure = if mean {
            let income = |person: u32| self.income.get(usize::try_from(person).ok()?).copied();
            let each: Vec<i64> = people.iter().filter_map(income).collect();
            MeasureEvidence::Moments(Moments {
                each: None,
                squares: each.iter().map(|x| i128::from(*x) * i128::from(*x)).sum(),
                totals: Contributions::in_order(people.clone(), each)?.digested(),
                rows,
                scale: 0,
            })
        } else {
            MeasureEvidence::Count(Contributions::ones(people.clone()).digested())
        };
        Ok(CellEvidence {
            each: None,
            people,
            rows,
            measures: vec![measure],
        })
    }
}

fn part(mean: bool) -> Part {
    match mean {
        false => Part::All {
            of: Counted::Persons,
        },
        true => Part::Moments {
            at: 1,
            scale: 0,
            low: 0,
            high: 200_000,
        },
    }
}

/// The table of times a cell.
///
/// # Errors
/// When a question is not understood.
pub fn table(book: &Codebook, persons: u32, releases: u32) -> anyhow::Result<String> {
    let world = World::new(persons);
    let mut history = History::new();
    let mut rng = Rng::new(&[34]);
    let mut times: BTreeMap<(bool, bool), Vec<Duration>> = BTreeMap::new();
    let (mut asked, mut full) = (0_u32, 0_u32);
    // a question may repeat an earlier one or be withheld: then history does not grow
    while full < TIMED && asked < 4 * releases + TIMED {
        let mean = asked % MEANS == 0;
        asked += 1;
        let (sql, people) = world.draw(&mut rng, mean);
        let question = question(&sql, book)?;
        let cells = BTreeMap::from([(Vec::new(), world.cell(people, mean)?)]);
        let evidence = Evidence { cells };
        let sheet = Sheet {
            question: &question,
            codebook: book,
            nobody: &nobody(&[part(mean)]),
            evidence: &evidence,
            params: &book.release,
            epoch: "bench",
            project: "bench",
            core: false,
            noise: None,
        };
        let is_full = history.entries().len() >= usize::try_from(releases)?;
        let start = clock::now();
        let outcome = decide(&sheet, &mut history);
        let time = start.elapsed();
        if outcome.repeated > 0 {
            continue;
        }
        let mut rows = outcome.table.rows.iter().flat_map(|row| &row.cells);
        let withheld = rows.all(|cell| *cell == Cell::Suppressed);
        if is_full {
            full += 1;
            times.entry((mean, withheld)).or_default().push(time);
        } else {
            outcome
                .fresh
                .into_iter()
                .for_each(|entry| history.add(entry));
        }
    }
    Ok(print(times, history.entries().len(), asked))
}

fn print(times: BTreeMap<(bool, bool), Vec<Duration>>, held: usize, asked: u32) -> String {
    let mut table = comfy_table::Table::new();
    table.set_header(["cell", "outcome", "times", "p50", "p95", "most"]);
    for ((mean, withheld), times) in times {
        let times = Times::of(times);
        table.add_row([
            if mean { "mean" } else { "count" }.to_owned(),
            if withheld { "withheld" } else { "released" }.to_owned(),
            times.runs().to_string(),
            millis(times.percentile(50)),
            millis(times.percentile(95)),
            millis(times.percentile(100)),
        ]);
    }
    format!("{table}\n{held} entries after {asked} questions.")
}
