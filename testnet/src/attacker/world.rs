//! What is true of the persons: who adds how much to which place. It serves to choose groups that
//! the solver is tried on and to check its answers; the solver never sees it.

use super::learned::{Space, Statement};
use super::model::{COLUMNS, Group, KINDS, group};
use crate::arena::clinic::{Clinic, Person};

/// One state of the data.
#[derive(Clone, Debug)]
pub struct World {
    people: Vec<Place>,
}

/// A person: the value of each column, and rows and costs (in hundredths) of each kind of visit.
#[derive(Clone, Debug)]
struct Place {
    values: Vec<usize>,
    income: i64,
    rows: [i64; KINDS],
    costs: [i64; KINDS],
}

impl World {
    /// The persons of an extract, in their order.
    #[must_use]
    pub fn of(clinic: &Clinic) -> Self {
        Self {
            people: clinic.people.iter().filter_map(place).collect(),
        }
    }

    /// What each person adds to the sum over a group.
    #[must_use]
    pub fn adds(&self, space: Space, sides: &[Group]) -> Vec<i64> {
        let one = |person: &Place| person.adds(space, sides);
        self.people.iter().map(one).collect()
    }

    /// What each person adds to the sum that a statement is about.
    #[must_use]
    pub fn adds_of(&self, statement: &Statement) -> Vec<i64> {
        let adds = self.adds(statement.space, &statement.sides);
        if !statement.outside {
            return adds;
        }
        let mut all = statement.sides.clone();
        all.iter_mut().for_each(|side| side.fill(true));
        let all = self.adds(statement.space, &all);
        all.iter().zip(adds).map(|(all, add)| all - add).collect()
    }

    /// How many persons are in a group, if only with a zero.
    #[must_use]
    pub fn persons(&self, space: Space, sides: &[Group]) -> usize {
        let inside = |person: &&Place| match space {
            Space::Incomes => person.is_in(sides),
            Space::Costs => person.adds(Space::Rows, sides) != 0,
            _ => person.adds(space, sides) != 0,
        };
        self.people.iter().filter(inside).count()
    }
}

impl Place {
    fn is_in(&self, sides: &[Group]) -> bool {
        let mut both = self.values.iter().zip(sides);
        both.all(|(value, side)| side.get(*value) == Some(&true))
    }

    fn adds(&self, space: Space, sides: &[Group]) -> i64 {
        if !self.is_in(sides) {
            return 0;
        }
        let over = |amounts: &[i64; KINDS]| -> i64 {
            let kinds = sides.last().into_iter().flatten();
            let inside = amounts.iter().zip(kinds).filter(|(_, inside)| **inside);
            inside.map(|(amount, _)| amount).sum()
        };
        match space {
            Space::Persons => 1,
            Space::Incomes => self.income,
            Space::Visitors(_) => i64::from(over(&self.rows) > 0),
            Space::Rows => over(&self.rows),
            Space::Costs => over(&self.costs),
        }
    }
}

fn place(person: &Person) -> Option<Place> {
    let values: Option<Vec<usize>> = COLUMNS.iter().map(|column| column.of(person)).collect();
    let mut found = Place {
        values: values?,
        income: person.columns.get("income")?.parse().ok()?,
        rows: [0; KINDS],
        costs: [0; KINDS],
    };
    for visit in &person.visits {
        let kind = usize::try_from(visit.kind).ok()?.checked_sub(1)?;
        *found.rows.get_mut(kind)? += 1;
        *found.costs.get_mut(kind)? += visit.cost.replace('.', "").parse::<i64>().ok()?;
    }
    Some(found)
}

/// The places of a space that a group has.
#[must_use]
pub fn places(space: Space, sides: &[Group]) -> Group {
    match space {
        Space::Rows | Space::Costs => group(sides),
        _ => group(sides.get(..COLUMNS.len()).unwrap_or_default()),
    }
}
