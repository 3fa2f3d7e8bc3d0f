//! Patients laid out as OMOP-named tables.

use super::patient::Patient;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Int,
    /// Numbers with one decimal.
    Tenths,
    /// Days.
    Day,
}

/// A table: columns, and rows of as many values. A missing value is `None`; tenths and days are
/// held as whole numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// OMOP name.
    pub name: &'static str,
    /// Columns.
    pub columns: Vec<(&'static str, Kind)>,
    /// Rows.
    pub rows: Vec<Vec<Option<i64>>>,
}

impl Table {
    fn new(name: &'static str, columns: &[(&'static str, Kind)]) -> Self {
        Self {
            name,
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row that starts with a number of its own, as OMOP's event tables do.
    fn event(&mut self, values: &[Option<i64>]) {
        let id = i64::try_from(self.rows.len())
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        let mut row = vec![Some(id)];
        row.extend_from_slice(values);
        self.rows.push(row);
    }
}

/// The seven tables of one hospital.
#[must_use]
pub fn tables(people: &[Patient]) -> Vec<Table> {
    vec![
        person(people),
        visits(people),
        conditions(people),
        drugs(people),
        measurements(people),
        deaths(people),
        follow_up(people),
    ]
}

fn person(people: &[Patient]) -> Table {
    let mut table = Table::new(
        "person",
        &[
            ("person_id", Kind::Int),
            ("gender_concept_id", Kind::Int),
            ("year_of_birth", Kind::Int),
        ],
    );
    table.rows = people
        .iter()
        .map(|p| vec![Some(p.id), Some(p.gender), Some(p.born)])
        .collect();
    table
}

fn visits(people: &[Patient]) -> Table {
    let mut table = Table::new(
        "visit_occurrence",
        &[
            ("visit_occurrence_id", Kind::Int),
            ("person_id", Kind::Int),
            ("visit_concept_id", Kind::Int),
            ("visit_start_date", Kind::Day),
            ("visit_end_date", Kind::Day),
        ],
    );
    for person in people {
        for visit in &person.visits {
            table.event(&[
                Some(person.id),
                Some(visit.concept),
                Some(visit.start),
                Some(visit.end),
            ]);
        }
    }
    table
}

fn conditions(people: &[Patient]) -> Table {
    let mut table = Table::new(
        "condition_occurrence",
        &[
            ("condition_occurrence_id", Kind::Int),
            ("person_id", Kind::Int),
            ("condition_concept_id", Kind::Int),
            ("condition_start_date", Kind::Day),
        ],
    );
    for person in people {
        for (concept, day) in &person.conditions {
            table.event(&[Some(person.id), Some(*concept), Some(*day)]);
        }
    }
    table
}

fn drugs(people: &[Patient]) -> Table {
    let mut table = Table::new(
        "drug_exposure",
        &[
            ("drug_exposure_id", Kind::Int),
            ("person_id", Kind::Int),
            ("drug_concept_id", Kind::Int),
            ("drug_exposure_start_date", Kind::Day),
            ("days_supply", Kind::Int),
        ],
    );
    for person in people {
        for (concept, day, supply) in &person.drugs {
            table.event(&[Some(person.id), Some(*concept), Some(*day), Some(*supply)]);
        }
    }
    table
}

fn measurements(people: &[Patient]) -> Table {
    let mut table = Table::new(
        "measurement",
        &[
            ("measurement_id", Kind::Int),
            ("person_id", Kind::Int),
            ("measurement_concept_id", Kind::Int),
            ("measurement_date", Kind::Day),
            ("value_as_number", Kind::Tenths),
        ],
    );
    for person in people {
        for (concept, day, value) in &person.measurements {
            table.event(&[Some(person.id), Some(*concept), Some(*day), *value]);
        }
    }
    table
}

fn deaths(people: &[Patient]) -> Table {
    let mut table = Table::new(
        "death",
        &[("person_id", Kind::Int), ("death_date", Kind::Day)],
    );
    let dead = people.iter().filter(|person| person.death.is_some());
    table.rows = dead
        .map(|person| vec![Some(person.id), person.death])
        .collect();
    table
}

fn follow_up(people: &[Patient]) -> Table {
    let columns = ["person_id", "treated", "months", "died"].map(|name| (name, Kind::Int));
    let mut table = Table::new("follow_up", &columns);
    let row = |person: &Patient| {
        let followed = person.follow_up?;
        let values = [person.id, followed.treated, followed.months, followed.died];
        Some(values.map(Some).to_vec())
    };
    table.rows = people.iter().filter_map(row).collect();
    table
}
