//! The world as the attacker sees it: a table of counts over the values of a few columns, and
//! questions about it. It must not know what was answered.

use crate::arena::clinic::Person;
use crate::generate::rng::Rng;

/// A group of places of the table.
pub type Group = Vec<bool>;

/// One column of the table: how it is written in a question, and what its values are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// A closed domain: name, values, and whether they are texts.
    Closed(&'static str, &'static [&'static str], bool),
    /// A closed domain of numbers that may be missing: that comes last.
    Missing(&'static str, &'static [&'static str]),
    /// Ages from each edge to before the next.
    Ages(&'static [i64]),
    /// Who has had a statin.
    Statins,
    /// Who has so many visits, by a person frame.
    Frequent,
}

/// The columns of the table.
pub const COLUMNS: [Column; 6] = [
    Column::Closed("town", &["a", "b", "c", "d", "e", "f"], true),
    Column::Ages(&[0, 20, 40, 60, 65, 80, 100]),
    Column::Closed("disease", &["0", "1"], false),
    Column::Statins,
    Column::Missing("smoker", &["0", "1"]),
    Column::Frequent,
];
/// Kinds of visits: one more column, of rows.
pub const KINDS: usize = 3;
/// Where the disease is among them.
pub const DISEASE: usize = 2;
/// Width of the age bands that tables are grouped by.
const BAND: i64 = 20;
const STATIN_CODES: [i64; 3] = [11, 12, 13];
const STATINS: &str = "IN (SELECT person_id FROM drug WHERE code IN set.statins)";
/// So many visits are many.
const MANY: usize = 3;
const FREQUENT: &str = "(SELECT person_id FROM (SELECT person_id, count(*) AS n FROM visit GROUP BY person_id) AS f \
     WHERE n >= 3)";
const PERSON: &str = "person";
const VISITS: &str = "visit v JOIN person p ON v.person_id = p.id";

impl Column {
    /// How many values it has.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Closed(_, values, _) => values.len(),
            Self::Missing(_, values) => values.len().saturating_add(1),
            Self::Ages(edges) => edges.len(),
            Self::Statins | Self::Frequent => 2,
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
            Self::Missing(name, values) => match person.columns.get(*name) {
                Some(value) => values.iter().position(|known| known == value),
                None => Some(values.len()),
            },
            Self::Ages(edges) => {
                let age: i64 = person.columns.get("age")?.parse().ok()?;
                edges.iter().rposition(|edge| *edge <= age)
            }
            Self::Frequent => Some(usize::from(person.visits.len() >= MANY)),
            Self::Statins => {
                let mut drugs = person.drugs.iter();
                Some(usize::from(
                    drugs.any(|drug| STATIN_CODES.contains(&drug.code)),
                ))
            }
        }
    }

    /// The group key of a table grouped by it, if it can be grouped by.
    fn key(&self, of: &str) -> Option<String> {
        match self {
            Self::Closed(name, ..) | Self::Missing(name, _) => Some(format!("{of}{name}")),
            Self::Ages(_) => Some(format!("floor({of}age / {BAND}) * {BAND}")),
            Self::Statins | Self::Frequent => None,
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
            Self::Missing(_, values) => {
                let at = values.iter().position(|value| *value == key);
                let at = at.or((key == "null").then_some(values.len()))?;
                Some((0..self.len()).map(|other| other == at).collect())
            }
            Self::Ages(edges) => {
                let low: i64 = key.parse().ok()?;
                let inside = |edge: &i64| (low..low.saturating_add(BAND)).contains(edge);
                Some(edges.iter().map(inside).collect())
            }
            Self::Statins | Self::Frequent => None,
        }
    }

    /// A condition that holds for these values; none if it holds for all.
    fn condition(&self, values: &Group, of: &str) -> Option<String> {
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
                Some(format!("{of}{name} IN ({})", list.join(", ")))
            }
            Self::Missing(name, known) => Some(match (known.get(first), first == last) {
                (Some(value), true) => format!("{of}{name} = {value}"),
                (Some(_), false) => format!("{of}{name} IS NOT NULL"),
                (None, _) => format!("{of}{name} IS NULL"),
            }),
            Self::Ages(edges) => {
                let low = edges.get(first).filter(|_| first > 0);
                let high = edges.get(last.saturating_add(1));
                let low = low.map(|low| format!("{of}age >= {low}"));
                let high = high.map(|high| format!("{of}age < {high}"));
                let both: Vec<String> = low.into_iter().chain(high).collect();
                Some(both.join(" AND "))
            }
            Self::Frequent => Some(match first {
                0 => format!("{of}id NOT IN {FREQUENT}"),
                _ => format!("{of}id IN {FREQUENT}"),
            }),
            Self::Statins => Some(if first == 0 {
                format!("{of}id NOT {STATINS}")
            } else {
                format!("{of}id {STATINS}")
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
            // One value, those without one, or all that have one.
            Self::Missing(_, values) if b == 0 => at < values.len(),
            Self::Closed(..) if b % 2 == 0 => at != a,
            Self::Closed(..) | Self::Missing(..) | Self::Statins | Self::Frequent => at == a,
        };
        (0..self.len()).map(inside).collect()
    }
}

/// What is asked of every cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// How many persons.
    Count,
    /// How many with and without the disease.
    Disease,
    /// Their mean income.
    Income,
    /// The spread of their incomes, which is one release with the mean.
    Spread,
    /// How many rows of visits.
    Rows,
    /// How many persons have such a visit.
    Visitors,
    /// What their visits cost.
    Costs,
    /// How many rows of visits, as a column of persons.
    Numbers,
    /// What their visits cost, as a column of persons.
    Totals,
}

impl Measure {
    const ALL: [Self; 12] = [
        Self::Count,
        Self::Count,
        Self::Count,
        Self::Count,
        Self::Disease,
        Self::Income,
        Self::Spread,
        Self::Rows,
        Self::Visitors,
        Self::Costs,
        Self::Numbers,
        Self::Totals,
    ];

    /// Whether it is of the rows of visits.
    #[must_use]
    pub fn is_of_visits(self) -> bool {
        matches!(self, Self::Rows | Self::Visitors | Self::Costs)
    }

    /// What is made of a person's visits, if it is of a column of persons.
    fn of_frame(self) -> Option<&'static str> {
        match self {
            Self::Numbers => Some("count(*)"),
            Self::Totals => Some("sum(cost)"),
            _ => None,
        }
    }

    /// Whether it is about visits of some kinds.
    #[must_use]
    pub fn has_kinds(self) -> bool {
        self.is_of_visits() || self.of_frame().is_some()
    }

    fn text(self) -> &'static str {
        match self {
            Self::Count | Self::Rows => "count(*)",
            Self::Disease => "avg(disease)",
            Self::Income => "avg(income)",
            Self::Spread => "stddev(income)",
            Self::Visitors => "count(DISTINCT v.person_id)",
            Self::Costs => "avg(v.cost)",
            Self::Numbers | Self::Totals => "avg(made)",
        }
    }
}

/// A question: values of each column, columns to group by, and what is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Values of each column.
    pub filter: Vec<Group>,
    /// Kinds of visits, if it is about visits.
    pub kinds: Group,
    /// Columns to group by.
    pub keys: Vec<usize>,
    /// What is asked.
    pub measure: Measure,
    /// Who asks.
    pub who: &'static str,
    /// Whether one of the columns is enough: OR, in a question for review without keys.
    pub any: bool,
}

impl Question {
    /// A question for review that nobody thought of: persons with one of several properties.
    #[must_use]
    pub fn draw_for_review(rng: &mut Rng) -> Self {
        let whole = |side: &Group| side.iter().all(|inside| *inside);
        loop {
            let mut drawn = Self::draw(rng);
            // What is made of a person's rows is no alternative.
            for (side, column) in drawn.filter.iter_mut().zip(&COLUMNS) {
                if *column == Column::Frequent {
                    side.fill(true);
                }
            }
            if drawn.filter.iter().filter(|side| !whole(side)).count() > 1 {
                let income = rng.chance(250);
                return Self {
                    kinds: vec![true; KINDS],
                    keys: Vec::new(),
                    measure: if income {
                        Measure::Income
                    } else {
                        Measure::Count
                    },
                    any: true,
                    ..drawn
                };
            }
        }
    }

    /// A question that nobody thought of.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let mut filter: Vec<Group> = COLUMNS.iter().map(|c| vec![true; c.len()]).collect();
        for (values, column) in filter.iter_mut().zip(&COLUMNS) {
            if rng.chance(330) {
                *values = column.some(rng);
            }
        }
        let keyed = (0..COLUMNS.len()).filter(|at| {
            let can_be = COLUMNS
                .get(*at)
                .is_some_and(|column| column.key("").is_some());
            can_be && rng.chance(270)
        });
        let keys: Vec<usize> = keyed.collect();
        let one_of = |rng: &mut Rng, number: usize| {
            let last = i64::try_from(number).unwrap_or(1).saturating_sub(1);
            usize::try_from(rng.between(0, last)).unwrap_or(0)
        };
        let measure = one_of(rng, Measure::ALL.len());
        let measure = Measure::ALL.get(measure).copied();
        let measure = measure.unwrap_or(Measure::Count);
        let kinds = match one_of(rng, 2) {
            _ if !measure.has_kinds() => vec![true; KINDS],
            0 => {
                let only = one_of(rng, KINDS);
                (0..KINDS).map(|kind| kind == only).collect()
            }
            _ => {
                let without = one_of(rng, KINDS.saturating_add(1));
                (0..KINDS).map(|kind| kind != without).collect()
            }
        };
        let askers = ["alice", "bob", "carol", "dave"];
        let who = askers.get(one_of(rng, askers.len())).copied();
        Self {
            filter,
            kinds,
            keys,
            measure,
            who: who.unwrap_or("alice"),
            any: false,
        }
    }

    /// The question as text.
    #[must_use]
    pub fn sql(&self) -> String {
        let (of, tables) = match self.measure.is_of_visits() {
            true => ("p.", VISITS),
            false => ("", PERSON),
        };
        let keys = self.keys.iter().filter_map(|at| COLUMNS.get(*at)?.key(of));
        let named: Vec<String> = (0..)
            .zip(keys)
            .map(|(n, key)| format!("{key} AS k{n}, "))
            .collect();
        let columns = COLUMNS.iter().zip(&self.filter);
        let mut conditions: Vec<String> = columns
            .filter_map(|(c, values)| c.condition(values, of))
            .collect();
        let kinds = self.some_kinds();
        if let (true, Some(kinds)) = (self.measure.is_of_visits(), &kinds) {
            conditions.push(format!("v.{kinds}"));
        }
        let measure = self.measure.text();
        let (with, tables) = match self.measure.of_frame() {
            Some(made) => (frame(made, kinds.as_deref()), "s"),
            None => (String::new(), tables),
        };
        let mut sql = format!(
            "{with}SELECT {}{measure} AS v FROM {tables}",
            named.concat()
        );
        if !conditions.is_empty() {
            sql.push_str(" WHERE ");
            sql.push_str(&match self.any {
                true => format!("({})", conditions.join(") OR (")),
                false => conditions.join(" AND "),
            });
        }
        if !self.keys.is_empty() {
            let names: Vec<String> = (0..self.keys.len()).map(|n| format!("k{n}")).collect();
            sql.push_str(" GROUP BY ");
            sql.push_str(&names.join(", "));
        }
        sql
    }

    /// The condition on kinds of visits, if not all are meant.
    fn some_kinds(&self) -> Option<String> {
        let kinds = (1..).zip(&self.kinds).filter(|(_, inside)| **inside);
        let kinds: Vec<String> = kinds.map(|(kind, _): (u8, _)| kind.to_string()).collect();
        let some = self.kinds.contains(&false);
        some.then(|| format!("kind IN ({})", kinds.join(", ")))
    }

    /// The values of each column that one row of its answer is about; kinds of visits last. Where one
    /// column is enough, those that it is not about: everybody else is.
    #[must_use]
    pub fn sides(&self, key: &[String]) -> Option<Vec<Group>> {
        let mut values = self.filter.clone();
        for side in values
            .iter_mut()
            .filter(|side| self.any && side.contains(&false))
        {
            side.iter_mut().for_each(|inside| *inside = !*inside);
        }
        for (at, key) in self.keys.iter().zip(key) {
            let of_key = COLUMNS.get(*at)?.of_key(key)?;
            let own = values.get_mut(*at)?;
            for (inside, also) in own.iter_mut().zip(of_key) {
                *inside = *inside && also;
            }
        }
        values.push(self.kinds.clone());
        Some(values)
    }
}

/// Persons with a column made of their visits, nothing where there is none.
fn frame(made: &str, kinds: Option<&str>) -> String {
    let condition = kinds.map_or(String::new(), |kinds| format!(" WHERE {kinds}"));
    format!(
        "WITH m AS (SELECT person_id, {made} AS made FROM visit{condition} GROUP BY person_id), \
         s AS (SELECT p.id, p.town, p.age, p.disease, p.smoker, coalesce(m.made, 0) AS made \
         FROM person p LEFT JOIN m ON p.id = m.person_id) "
    )
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

/// Every group of one value in two or three columns; with `kinds`, kinds of visits are one more.
#[must_use]
pub fn corners(kinds: bool) -> Vec<Vec<Group>> {
    let sizes = COLUMNS.iter().map(Column::len);
    let mut all: Vec<(usize, Vec<Group>)> = vec![(0, Vec::new())];
    for size in sizes.chain([KINDS]) {
        let mut next = Vec::new();
        for (fixed, values) in &all {
            let with = |more: Group| [values.clone(), vec![more]].concat();
            next.push((*fixed, with(vec![true; size])));
            for at in 0..size {
                let one = (0..size).map(|other| other == at).collect();
                next.push((fixed.saturating_add(1), with(one)));
            }
        }
        all = next;
    }
    let any_kind = |values: &Vec<Group>| values.last().is_some_and(|v| !v.contains(&false));
    let few = all
        .into_iter()
        .filter(|(fixed, values)| (2..=3).contains(fixed) && (kinds || any_kind(values)));
    few.map(|(_, values)| values).collect()
}

/// Questions whose differences are about whoever is from town f and eighty or older.
#[must_use]
pub fn about_the_secret() -> Vec<Question> {
    let town: Group = (0..6).map(|at| at == 5).collect();
    let young: Group = (0..7).map(|at| at < 5).collect();
    let all = |size: usize| vec![true; size];
    let asked = [all(7), young];
    let question = |ages: Group, who| Question {
        filter: vec![town.clone(), ages, all(2), all(2), all(3), all(2)],
        kinds: all(KINDS),
        keys: Vec::new(),
        measure: Measure::Disease,
        who,
        any: false,
    };
    let each = asked.into_iter().zip(["alice", "dave"]);
    each.map(|(ages, who)| question(ages, who)).collect()
}
