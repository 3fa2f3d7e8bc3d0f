//! What a node knows exactly about each cell. It never leaves the node.
//!
//! Persons are dense numbers of the custodian's population, the same in every table, dataset and
//! epoch. No `Debug`, no `Serialize` on what holds them: evidence cannot be printed or sent by
//! accident.

use std::collections::BTreeMap;

use quorate_query::value::Scalar;
use roaring::RoaringBitmap;

pub use crate::contributions::{Contributions, Overflow};
pub use crate::persons::Persons;

/// Exact evidence per cell.
#[derive(Clone, Default)]
pub struct Evidence {
    /// Cells by key.
    pub cells: BTreeMap<Vec<Scalar>, CellEvidence>,
}

/// One cell.
#[derive(Clone, PartialEq)]
pub struct CellEvidence {
    /// The persons in it.
    pub people: Persons,
    /// Rows that count: at most `max_rows` of each person; the persons themselves on a unit table.
    pub rows: u64,
    /// The rows of each person, on an event table.
    pub each: Option<Contributions>,
    /// One per measure.
    pub measures: Vec<MeasureEvidence>,
}

/// Evidence for one measure of a cell.
#[derive(Clone, PartialEq)]
pub enum MeasureEvidence {
    /// Persons with at least one counted row, and their rows; one each where persons are counted.
    Count(Contributions),
    /// Sums over the persons that have a value.
    Moments(Moments),
    /// Counts per value of a small domain.
    Values(Values),
    /// Products of two numbers of each person.
    Products(Box<Products>),
}

/// Evidence for a mean and a standard deviation.
#[derive(Clone, PartialEq)]
pub struct Moments {
    /// Persons with a value, and their clamped totals at `scale`.
    pub totals: Contributions,
    /// Counted rows with a value.
    pub rows: u64,
    /// The counted rows with a value of each person, on an event table.
    pub each: Option<Contributions>,
    /// Sum of the clamped totals of squares, at twice `scale`.
    pub squares: i128,
    /// Digits after the point.
    pub scale: u32,
}

/// Evidence for a mean of products.
///
/// What leaves is about the centres of bounds. Together with the means of both columns it says the same
/// of products about any other two numbers, so what few persons make up is looked for in three places.
#[derive(Clone, Default, PartialEq)]
pub struct Products {
    /// Persons with both values, and their products about the centres, at `scale`.
    pub centred: Contributions,
    /// Their plain products.
    pub plain: Contributions,
    /// Their products about the middle values of these persons (the lower, of an even number).
    pub middle: Contributions,
    /// Their values of either column, each at its own scale.
    pub factors: [Contributions; 2],
    /// Digits after the point of both columns together.
    pub scale: u32,
}

impl Products {
    /// Of persons with both values, each at its column's scale; centres too.
    ///
    /// # Errors
    /// If a sum does not fit.
    pub fn of(
        pairs: &[(u32, i128, i128)],
        centres: (i128, i128),
        scale: u32,
    ) -> Result<Self, Overflow> {
        let about = |(a, b): (i128, i128)| {
            let product = |(person, x, y): &(u32, i128, i128)| {
                let product = x.checked_sub(a)?.checked_mul(y.checked_sub(b)?)?;
                Some((*person, product))
            };
            let each: Option<Vec<_>> = pairs.iter().map(product).collect();
            Contributions::of(each.ok_or(Overflow)?)
        };
        let middles = (
            middle(pairs.iter().map(|pair| pair.1).collect()),
            middle(pairs.iter().map(|pair| pair.2).collect()),
        );
        Ok(Self {
            centred: about(centres)?,
            plain: about((0, 0))?,
            middle: about(middles)?,
            factors: [
                Contributions::of(pairs.iter().map(|pair| (pair.0, pair.1)).collect())?,
                Contributions::of(pairs.iter().map(|pair| (pair.0, pair.2)).collect())?,
            ],
            scale,
        })
    }

    /// The three sums that rules look at.
    #[must_use]
    pub fn sums(&self) -> [&Contributions; 3] {
        [&self.centred, &self.plain, &self.middle]
    }
}

/// The middle of some numbers, the lower of two.
fn middle(mut all: Vec<i128>) -> i128 {
    let at = all.len().saturating_sub(1) / 2;
    if all.is_empty() {
        return 0;
    }
    *all.select_nth_unstable(at).1
}

/// Evidence for a column of few values.
#[derive(Clone, PartialEq)]
pub struct Values {
    /// Persons with a value.
    pub any: Persons,
    /// Persons with a value that is not zero.
    pub nonzero: RoaringBitmap,
    /// One per value of the domain, ascending.
    pub values: Vec<ValueEvidence>,
}

/// Evidence for one value of a small domain.
#[derive(Clone, Default, PartialEq)]
pub struct ValueEvidence {
    /// Persons with this value.
    pub people: Persons,
    /// Counted rows with this value.
    pub rows: u64,
    /// Persons with another value (also, on an event table).
    pub elsewhere: u64,
    /// The largest numbers of counted rows with this value that one person has, largest first, at
    /// most [`ValueEvidence::KEPT`]. Empty where nobody has more than one.
    pub most: Vec<u64>,
}

impl ValueEvidence {
    /// How many numbers of rows are kept: no rule about the largest contributors looks at more.
    pub const KEPT: usize = 100;

    /// Keeps the number of rows of one more person, if it is among the largest.
    pub fn note(&mut self, rows: u64) {
        let at = self.most.partition_point(|known| *known >= rows);
        if at < Self::KEPT {
            self.most.insert(at, rows);
            self.most.truncate(Self::KEPT);
        }
    }

    /// Makes evidence of the same rows the same: numbers that are all one are not kept.
    pub fn settle(&mut self) {
        if self.most.first().is_none_or(|most| *most <= 1) {
            self.most.clear();
        }
    }
}

impl MeasureEvidence {
    /// The persons that the measure rests on.
    #[must_use]
    pub fn people(&self) -> &Persons {
        match self {
            Self::Count(counted) => counted.people(),
            Self::Moments(moments) => moments.totals.people(),
            Self::Values(values) => &values.any,
            Self::Products(products) => products.centred.people(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_rows_of_a_value_are_kept_largest_first() {
        let mut value = ValueEvidence::default();
        for rows in [1, 3, 1, 2, 3] {
            value.note(rows);
        }
        value.settle();
        assert_eq!(value.most, [3, 3, 2, 1, 1]);
        (0..500).for_each(|rows| value.note(rows));
        assert_eq!(
            (value.most.len(), value.most[0], value.most[99]),
            (100, 499, 400)
        );
        let mut ones = ValueEvidence::default();
        (0..500).for_each(|_| ones.note(1));
        ones.settle();
        assert!(ones.most.is_empty());
    }

    #[test]
    fn products_are_taken_about_three_points() {
        let pairs = [(4, 1, 10), (2, 3, 30), (7, 8, 20), (9, 2, 0)];
        let found = Products::of(&pairs, (5, 15), 0).unwrap();
        let each = |of: &Contributions| of.iter().map(|pair| pair.1).collect::<Vec<_>>();
        assert_eq!(each(&found.centred), [-30, 20, 15, 45]);
        assert_eq!(each(&found.plain), [90, 10, 160, 0]);
        // the middle values are 2 and 10
        assert_eq!(each(&found.middle), [20, 0, 60, 0]);
        assert!(Products::of(&[], (5, 15), 0).is_ok());
        assert!(Products::of(&[(1, i128::MAX, 2)], (0, 0), 0).is_err());
    }
}
