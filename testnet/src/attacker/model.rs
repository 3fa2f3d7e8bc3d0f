//! The world as the attacker sees it: a table of counts over the values of a few columns, and
//! questions about it. It must not know what was answered.

use crate::arena::clinic::{Clinic, Person};
use crate::generate::rng::Rng;

/// A group of places of the table.
pub type Group = Vec<bool>;

/// One column of the table: how it is written in a question, and what its values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// A closed domain: name, values, and whether they are texts.
    Closed(&'static str, &'static [&'static str], bool),
    /// Ages from each edge to before the next.
    Ages(&'static [i64]),
    /// Who has had a statin.
    Statins,
}

/// The columns of the table.
pub const COLUMNS: [Column; 4] = [
    Column::Closed("town", &["a", "b", "c", "d", "e", "f"], true),
    Column::Ages(&[0, 20, 40, 60, 65, 80, 100]),
    Column::Closed("disease", &["0", "1"], false),
    Column::Statins,
];
/// Where the disease is among them.
pub const DISEASE: usize = 2;
/// Width of the age bands that tables are grouped by.
const BAND: i64 = 20;
const STATIN_CODES: [i64; 3] = [11, 12, 13];
const STATINS: &str = "IN (SELECT person_id FROM drug WHERE code IN set.statins)";

impl Column {
    /// How many values it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Closed(_, values, _) => values.len(),
            Self::Ages(edges) => edges.len(),
            Self::Statins => 2,
        }
    }

    /// Never: every column has values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which of its values a person has.
    #[must_use]
    pub fn of(&self, person: &Person) -> Option<usize> {
        match self {
            Self::Closed(name, values, _) => {
                let value = person.columns.get(*name)?;
                values.iter().position(|known| known == value)
            }
            Self::Ages(edges) => {
                let age: i64 = person.columns.get("age")?.parse().ok()?;
                edges.iter().rposition(|edge| *edge <= age)
            }
            Self::Statins => {
                let mut drugs = person.drugs.iter();
                Some(usize::from(
                    drugs.any(|drug| STATIN_CODES.contains(&drug.code)),
                ))
            }
        }
    }

    /// The group key of a table grouped by it, if it can be grouped by.
    fn key(&self) -> Option<String> {
        match self {
            Self::Closed(name, ..) => Some((*name).to_owned()),
            Self::Ages(_) => Some(format!("floor(age / {BAND}) * {BAND}")),
            Self::Statins => None,
        }
    }

    /// The values that a group key stands for.
    #[must_use]
    pub fn of_key(&self, key: &str) -> Option<Group> {
        match self {
            Self::Closed(_, values, _) => {
                let at = values.iter().position(|value| *value == key)?;
                Some((0..values.len()).map(|other| other == at).collect())
            }
            Self::Ages(edges) => {
                let low: i64 = key.parse().ok()?;
                let inside = |edge: &i64| (low..low.saturating_add(BAND)).contains(edge);
                Some(edges.iter().map(inside).collect())
            }
            Self::Statins => None,
        }
    }

    /// A condition that holds for these values; none if it holds for all.
    fn condition(&self, values: &Group) -> Option<String> {
        let chosen = || {
            (0..)
                .zip(values)
                .filter(|(_, inside)| **inside)
                .map(|(at, _)| at)
        };
        let (first, last): (usize, usize) = (chosen().next()?, chosen().last()?);
        if values.iter().all(|inside| *inside) {
            return None;
        }
        match self {
            Self::Closed(name, known, text) => {
                let quote = if *text { "'" } else { "" };
                let written = chosen().filter_map(|at| known.get(at));
                let list: Vec<String> = written.map(|v| format!("{quote}{v}{quote}")).collect();
                Some(format!("{name} IN ({})", list.join(", ")))
            }
            Self::Ages(edges) => {
                let low = edges.get(first).filter(|_| first > 0);
                let high = edges.get(last.saturating_add(1));
                let low = low.map(|low| format!("age >= {low}"));
                let high = high.map(|high| format!("age < {high}"));
                let both: Vec<String> = low.into_iter().chain(high).collect();
                Some(both.join(" AND "))
            }
            Self::Statins => Some(if first == 0 {
                format!("id NOT {STATINS}")
            } else {
                format!("id {STATINS}")
            }),
        }
    }

    /// Some of its values that a question may ask for: never none.
    fn some(&self, rng: &mut Rng) -> Group {
        let size = i64::try_from(self.len()).unwrap_or(1);
        let mut draw = || usize::try_from(rng.between(0, size - 1)).unwrap_or(0);
        let (a, b) = (draw(), draw());
        let inside = |at: usize| match self {
            // Neighbours; one value, or all but one.
            Self::Ages(_) => (a.min(b)..=a.max(b)).contains(&at),
            Self::Closed(..) if b % 2 == 0 => at != a,
            Self::Closed(..) | Self::Statins => at == a,
        };
        (0..self.len()).map(inside).collect()
    }
}

/// What is asked of every cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// How many persons.
    Count,
    /// How many with and without the disease.
    Disease,
    /// Their mean income.
    Income,
}

/// A question: values of each column, columns to group by, and what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Values of each column.
    pub filter: Vec<Group>,
    /// Columns to group by.
    pub keys: Vec<usize>,
    /// What is asked.
    pub measure: Measure,
    /// Who asks.
    pub who: &'static str,
}

impl Question {
    /// A question that nobody thought of.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let mut filter: Vec<Group> = COLUMNS.iter().map(|c| vec![true; c.len()]).collect();
        for (values, column) in filter.iter_mut().zip(&COLUMNS) {
            if rng.chance(380) {
                *values = column.some(rng);
            }
        }
        let keyed = (0..COLUMNS.len()).filter(|at| {
            let can_be = COLUMNS
                .get(*at)
                .is_some_and(|column| column.key().is_some());
            can_be && rng.chance(330)
        });
        let keys: Vec<usize> = keyed.collect();
        let measure = match rng.between(0, 5) {
            0 => Measure::Disease,
            1 => Measure::Income,
            _ => Measure::Count,
        };
        let who = match rng.between(0, 3) {
            0 => "alice",
            1 => "bob",
            2 => "carol",
            _ => "dave",
        };
        Self {
            filter,
            keys,
            measure,
            who,
        }
    }

    /// The question as text.
    #[must_use]
    pub fn sql(&self) -> String {
        let keys = self.keys.iter().filter_map(|at| COLUMNS.get(*at)?.key());
        let named: Vec<String> = (0..)
            .zip(keys)
            .map(|(n, key)| format!("{key} AS k{n}, "))
            .collect();
        let measure = match self.measure {
            Measure::Count => "count(*)",
            Measure::Disease => "avg(disease)",
            Measure::Income => "avg(income)",
        };
        let columns = COLUMNS.iter().zip(&self.filter);
        let conditions: Vec<String> = columns
            .filter_map(|(c, values)| c.condition(values))
            .collect();
        let mut sql = format!("SELECT {}{measure} AS v FROM person", named.concat());
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&conditions.join(" AND "));
        }
        if !self.keys.is_empty() {
            let names: Vec<String> = (0..self.keys.len()).map(|n| format!("k{n}")).collect();
            sql.push_str(" GROUP BY ");
            sql.push_str(&names.join(", "));
        }
        sql
    }

    /// The group that one row of its answer is about.
    #[must_use]
    pub fn group(&self, key: &[String]) -> Option<Group> {
        let mut values = self.filter.clone();
        for (at, key) in self.keys.iter().zip(key) {
            let of_key = COLUMNS.get(*at)?.of_key(key)?;
            let own = values.get_mut(*at)?;
            for (inside, also) in own.iter_mut().zip(of_key) {
                *inside = *inside && also;
            }
        }
        Some(group(&values))
    }
}

/// The places of the table that have one of the given values in every column.
#[must_use]
pub fn group(values: &[Group]) -> Group {
    values.iter().fold(vec![true], |all, values| {
        let each = |place: &bool| {
            let place = *place;
            values
                .iter()
                .map(move |inside| place && *inside)
                .collect::<Group>()
        };
        all.iter().flat_map(each).collect()
    })
}

/// How many places the table has.
#[must_use]
pub fn places() -> usize {
    COLUMNS.iter().map(Column::len).product()
}

/// The place of a person in the table.
#[must_use]
pub fn place(person: &Person) -> Option<usize> {
    COLUMNS.iter().try_fold(0_usize, |place, column| {
        place
            .checked_mul(column.len())?
            .checked_add(column.of(person)?)
    })
}

/// How many persons are in each place.
#[must_use]
pub fn truth(clinic: &Clinic) -> Vec<u32> {
    let mut counts = vec![0_u32; places()];
    for at in clinic.people.iter().filter_map(place) {
        if let Some(count) = counts.get_mut(at) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

/// How many of the counts lie in a group.
#[must_use]
pub fn count(truth: &[u32], group: &[bool]) -> u32 {
    let inside = truth.iter().zip(group).filter(|(_, inside)| **inside);
    inside.map(|(n, _)| n).sum()
}

/// Every group of one value in two or three columns.
#[must_use]
pub fn corners() -> Vec<Group> {
    let mut all: Vec<(usize, Vec<Group>)> = vec![(0, Vec::new())];
    for column in &COLUMNS {
        let mut next = Vec::new();
        for (fixed, values) in &all {
            let with = |more: Group| [values.clone(), vec![more]].concat();
            next.push((*fixed, with(vec![true; column.len()])));
            for at in 0..column.len() {
                let one = (0..column.len()).map(|other| other == at).collect();
                next.push((fixed.saturating_add(1), with(one)));
            }
        }
        all = next;
    }
    let few = all.into_iter().filter(|(fixed, _)| (2..=3).contains(fixed));
    few.map(|(_, values)| group(&values)).collect()
}

/// Questions whose differences are about whoever is from town f and eighty or older.
#[must_use]
pub fn about_the_secret() -> Vec<Question> {
    let town: Group = (0..6).map(|at| at == 5).collect();
    let young: Group = (0..7).map(|at| at < 5).collect();
    let all = |size: usize| vec![true; size];
    let asked = [all(7), young];
    let question = |ages: Group, who| Question {
        filter: vec![town.clone(), ages, all(2), all(2)],
        keys: Vec::new(),
        measure: Measure::Disease,
        who,
    };
    let each = asked.into_iter().zip(["alice", "dave"]);
    each.map(|(ages, who)| question(ages, who)).collect()
}
