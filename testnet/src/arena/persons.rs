//! What each person adds to a cell, worked out from the persons of a world one by one: the arithmetic of
//! whoever compares neighbouring databases, on no path of a node.
//!
//! It knows questions whose rows are persons, their conditions, cohorts, alternatives and what is derived
//! from numbers of rows and their totals; of anything else it says that it does not know. It must not know any rule of
//! release.

use std::collections::{BTreeMap, BTreeSet};

use quorate_query::codebook::{Codebook, ColumnRef, RowsPer};
use quorate_query::derived::{Aggregate, Derived, Frame};
use quorate_query::measure::facts::{Facts, facts};
use quorate_query::number::Number;
use quorate_query::question::{Cohort, GroupKey, Measure, Predicate, TableQuestion};
use quorate_query::set::number_ordinal;
use quorate_query::value::{ColumnType, Scalar};

use super::clinic::{Clinic, Person};

/// Values of one row by column of its table.
type Row = BTreeMap<&'static str, String>;

/// The persons of a world, as a question about persons looks at them.
pub struct Persons<'a> {
    world: &'a Clinic,
    codebook: &'a Codebook,
}

impl<'a> Persons<'a> {
    /// These persons, read by this codebook (with the columns that the question derives).
    #[must_use]
    pub fn of(world: &'a Clinic, codebook: &'a Codebook) -> Self {
        Self { world, codebook }
    }

    /// What each person of a cell adds to the sums that a measure tells of, by person: one sum of means, of
    /// products one about the centres, one of plain products and one about the middle values. `None` if that
    /// is not known here.
    #[must_use]
    pub fn contributions(
        &self,
        question: &TableQuestion,
        measure: usize,
        key: &[Scalar],
    ) -> Option<Vec<BTreeMap<i64, i128>>> {
        let per = self.codebook.tables.get(&question.rows)?.rows;
        if per != RowsPer::Unit || question.rows != self.codebook.unit.table {
            return None;
        }
        let spec = question.measures.get(measure)?;
        let known = facts(spec, question, self.codebook)?;
        let mut inside = Vec::new();
        for person in &self.world.people {
            let at = self.key(person, &question.keys)?;
            if at == key && self.meets(person, &question.filter)? {
                inside.push(person);
            }
        }
        match spec {
            Measure::Moments { column } => Some(vec![self.totals(&inside, column, &known)?]),
            Measure::Products { left, right } => self.products(&inside, (left, right), &known),
            _ => None,
        }
    }

    fn totals(
        &self,
        inside: &[&Person],
        column: &ColumnRef,
        known: &Facts,
    ) -> Option<BTreeMap<i64, i128>> {
        let ty = self.codebook.column(column)?.ty;
        let (low, high) = known.bounds?;
        let (low, high) = (number_ordinal(&low, ty)?, number_ordinal(&high, ty)?);
        let mut each = BTreeMap::new();
        for person in inside {
            if let Some(value) = self.number(person, column)? {
                each.insert(person.id, value.clamp(low, high));
            }
        }
        Some(each)
    }

    fn products(
        &self,
        inside: &[&Person],
        (left, right): (&ColumnRef, &ColumnRef),
        known: &Facts,
    ) -> Option<Vec<BTreeMap<i64, i128>>> {
        let one = |column: &ColumnRef| {
            let bounds = self.codebook.column(column)?.bounds;
            let known = Facts {
                bounds,
                ..Facts::default()
            };
            self.totals(inside, column, &known)
        };
        let (left_each, right_each) = (one(left)?, one(right)?);
        let both: BTreeMap<i64, (i128, i128)> = left_each
            .iter()
            .filter_map(|(id, x)| Some((*id, (*x, *right_each.get(id)?))))
            .collect();
        let centre = |number: &Number, column: &ColumnRef| {
            number_ordinal(number, self.codebook.column(column)?.ty)
        };
        let (first, second) = known.centres?;
        let centres = (centre(&first, left)?, centre(&second, right)?);
        let middle = |of: fn(&(i128, i128)) -> i128| {
            let mut all: Vec<i128> = both.values().map(of).collect();
            all.sort_unstable();
            let at = all.len().saturating_sub(1) / 2;
            all.get(at).copied().unwrap_or(0)
        };
        let middles = (middle(|pair| pair.0), middle(|pair| pair.1));
        let about = |(a, b): (i128, i128)| {
            let product = |(id, (x, y)): (&i64, &(i128, i128))| (*id, (x - a) * (y - b));
            both.iter().map(product).collect()
        };
        Some(vec![about(centres), about((0, 0)), about(middles)])
    }

    fn key(&self, person: &Person, keys: &[GroupKey]) -> Option<Vec<Scalar>> {
        let each = keys.iter().map(|key| match key {
            GroupKey::Column(column) => self.value(person, column),
            GroupKey::Band { column, width } => {
                let ty = self.codebook.column(column)?.ty;
                let width = number_ordinal(width, ty)?;
                let low = |value: i128| value.div_euclid(width) * width;
                let scale = i32::try_from(ty.scale()?).ok()?;
                let band = self.number(person, column)?.map(low);
                Some(band.map_or(Scalar::Null, |band| {
                    Scalar::Number(Number::new(band, -scale))
                }))
            }
            GroupKey::Period { .. } => None,
        });
        each.collect()
    }

    fn number(&self, person: &Person, column: &ColumnRef) -> Option<Option<i128>> {
        let ty = self.codebook.column(column)?.ty;
        match self.value(person, column)? {
            Scalar::Null => Some(None),
            Scalar::Number(number) => Some(Some(number_ordinal(&number, ty)?)),
            _ => None,
        }
    }

    fn meets(&self, person: &Person, condition: &Predicate) -> Option<bool> {
        let mut all = true;
        for (column, set) in &condition.boxes {
            let ty = self.codebook.column(column)?.ty;
            all &= set.contains(&self.value(person, column)?, ty);
        }
        for cohort in &condition.cohorts {
            all &= self.is_in(person, cohort)? != cohort.negated;
        }
        Some(all)
    }

    fn is_in(&self, person: &Person, cohort: &Cohort) -> Option<bool> {
        if cohort.rows == self.codebook.unit.table {
            return self.meets(person, &cohort.filter);
        }
        Some(!self.rows(person, &cohort.rows, &cohort.filter)?.is_empty())
    }

    /// A person's rows of an event table that meet a condition.
    fn rows(&self, person: &Person, table: &str, condition: &Predicate) -> Option<Vec<Row>> {
        let mut found = rows_of(person, table)?;
        let (own, others): (BTreeSet<_>, BTreeSet<_>) =
            condition.boxes.keys().partition(|c| c.table == table);
        for column in own {
            let (ty, set) = (
                self.codebook.column(column)?.ty,
                condition.boxes.get(column)?,
            );
            if self.codebook.derived.contains_key(column) {
                return None;
            }
            found.retain(|row| set.contains(&read(row.get(column.column.as_str()), ty), ty));
        }
        for column in others {
            let (ty, set) = (
                self.codebook.column(column)?.ty,
                condition.boxes.get(column)?,
            );
            if !set.contains(&self.value(person, column)?, ty) {
                found.clear();
            }
        }
        for cohort in &condition.cohorts {
            if self.is_in(person, cohort)? == cohort.negated {
                found.clear();
            }
        }
        Some(found)
    }

    fn value(&self, person: &Person, column: &ColumnRef) -> Option<Scalar> {
        let ty = self.codebook.column(column)?.ty;
        let Some(derived) = self.codebook.derived.get(column) else {
            let own = column.table == self.codebook.unit.table;
            return own.then(|| read(person.columns.get(&column.column), ty));
        };
        let whole = |n: i128| Scalar::Number(Number::new(n, 0));
        match derived {
            Derived::Any(conditions) => {
                let mut any = false;
                for condition in conditions {
                    any |= self.meets(person, condition)?;
                }
                Some(whole(i128::from(any)))
            }
            Derived::Case { arms, otherwise } => {
                for (condition, result) in arms {
                    if self.meets(person, condition)? {
                        return Some(result.clone());
                    }
                }
                Some(otherwise.clone())
            }
            Derived::Coalesce { of, otherwise } => match self.value(person, of)? {
                Scalar::Null => Some(otherwise.clone()),
                value => Some(value),
            },
            Derived::Frame { frame, of } => self.framed(person, frame, of),
            _ => None,
        }
    }

    /// Numbers of rows, totals, and first and last days of as many rows as count.
    fn framed(&self, person: &Person, frame: &Frame, of: &Aggregate) -> Option<Scalar> {
        let rows = self.rows(person, &frame.rows, &frame.filter)?;
        let most = usize::try_from(frame.most_rows(self.codebook)).ok()?;
        if rows.len() > most {
            return None;
        }
        let values = |column: &ColumnRef| -> Option<Vec<Scalar>> {
            let ty = self.codebook.column(column)?.ty;
            let each = rows
                .iter()
                .map(|row| read(row.get(column.column.as_str()), ty));
            Some(each.filter(|value| *value != Scalar::Null).collect())
        };
        let found = match of {
            Aggregate::Rows if rows.is_empty() => None,
            Aggregate::Rows => Some(Scalar::Number(Number::new(
                i128::try_from(rows.len()).ok()?,
                0,
            ))),
            Aggregate::Min(column) => values(column)?.into_iter().min(),
            Aggregate::Max(column) => values(column)?.into_iter().max(),
            Aggregate::Sum(column) => self.summed(column, &values(column)?)?,
            _ => return None,
        };
        Some(found.unwrap_or(Scalar::Null))
    }

    fn summed(&self, column: &ColumnRef, values: &[Scalar]) -> Option<Option<Scalar>> {
        let column = self.codebook.column(column)?;
        let (low, high) = column.bounds?;
        let end = |number: &Number| number_ordinal(number, column.ty);
        let (low, high) = (end(&low)?, end(&high)?);
        let scale = i32::try_from(column.ty.scale()?).ok()?;
        let mut sum = None;
        for value in values {
            let one = end(&value.as_number()?)?.clamp(low, high);
            sum = Some(sum.unwrap_or(0) + one);
        }
        Some(sum.map(|sum| Scalar::Number(Number::new(sum, -scale))))
    }
}

/// A person's rows of one of the event tables, as they are written.
fn rows_of(person: &Person, table: &str) -> Option<Vec<Row>> {
    match table {
        "visit" => {
            let visits = person.visits.iter();
            let row = |visit: &super::clinic::Visit| {
                let kind = visit.kind.to_string();
                BTreeMap::from([
                    ("date", visit.date.clone()),
                    ("kind", kind),
                    ("cost", visit.cost.clone()),
                ])
            };
            Some(visits.map(row).collect())
        }
        "drug" => {
            let drugs = person.drugs.iter();
            let row = |drug: &super::clinic::Drug| {
                let code = drug.code.to_string();
                BTreeMap::from([("date", drug.date.clone()), ("code", code)])
            };
            Some(drugs.map(row).collect())
        }
        _ => None,
    }
}

fn read(text: Option<&String>, ty: ColumnType) -> Scalar {
    text.and_then(|text| Scalar::parse(text, ty))
        .unwrap_or(Scalar::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::clinic::{CODEBOOK, VICTIM};
    use crate::arena::house::Ask;

    /// What a question adds up to of a cell, in the units of its column.
    fn asked(sql: &str, key: &[Scalar]) -> Vec<BTreeMap<i64, i128>> {
        let victim = BTreeMap::from([("gp".to_owned(), "1018".to_owned())]);
        let world = Clinic::generate(1).with(&Some(victim));
        let codebook = quorate_query::codebook::read(CODEBOOK, "codebook.toml").unwrap();
        let ask = Ask {
            reviewed: true,
            ..Ask::plain(sql)
        };
        let read = ask.read(&codebook).unwrap_or_else(|why| panic!("{why}"));
        let book = read.book(&codebook);
        let persons = Persons::of(&world, &book);
        persons
            .contributions(read.tables()[0].1, 0, key)
            .unwrap_or_else(|| panic!("{sql}"))
    }

    #[test]
    fn a_sum_is_what_the_file_says() {
        let world = Clinic::generate(1);
        let text = |person: &Person, name: &str| person.columns.get(name).cloned();
        let students = world.people.iter();
        let students = students.filter(|person| text(person, "gp").as_deref() == Some("1018"));
        let mut incomes: BTreeMap<i64, i128> = students
            .map(|person| (person.id, text(person, "income").unwrap().parse().unwrap()))
            .collect();
        incomes.insert(VICTIM, 41_000);
        let at = |n: i128| Scalar::Number(Number::new(n, 0));
        let found = asked(
            "SELECT gp, avg(income) AS m FROM person GROUP BY gp",
            &[at(1018)],
        );
        assert_eq!(found, [incomes.clone()]);
        let found = asked(
            "SELECT avg(income) AS m FROM person WHERE gp = 1018 OR gp = 1018 AND town = 'c'",
            &[],
        );
        assert_eq!(found, [incomes]);
    }

    #[test]
    fn cohorts_alternatives_and_frames_are_worked_out() {
        let world = Clinic::generate(1);
        let many = world.people.iter().filter(|p| p.visits.len() >= 3);
        let of_many: BTreeSet<i64> = many.map(|person| person.id).collect();
        let found = asked(
            "SELECT avg(income) AS m FROM person WHERE id IN (SELECT person_id FROM (SELECT person_id, count(*) AS n FROM visit GROUP BY person_id) AS f WHERE n >= 3)",
            &[],
        );
        assert_eq!(found[0].keys().copied().collect::<BTreeSet<_>>(), of_many);
        let found = asked(
            "SELECT avg(chol) AS m FROM person WHERE NOT (age >= 40) OR id IN (SELECT person_id FROM drug WHERE code IN set.statins)",
            &[],
        );
        let expected = world.people.iter().filter(|person| {
            let young = person.columns["age"].parse::<i64>().unwrap() < 40;
            young
                || person
                    .drugs
                    .iter()
                    .any(|drug| (11..=13).contains(&drug.code))
        });
        let tenths = |person: &Person| {
            let text = person.columns.get("chol")?.replace('.', "");
            Some((person.id, text.parse::<i128>().unwrap()))
        };
        assert_eq!(found[0], expected.filter_map(tenths).collect());
    }
}
