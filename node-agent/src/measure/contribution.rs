//! What each person adds to a measure of a cell: rows in order of person become persons.
//!
//! On unit tables a row is a person. On event tables a person's rows count up to `max_rows`, and a
//! person's total is limited to what the counted rows can add up to: limits of `max_rows` rows would
//! lift the total of a person with few rows where the least value is above zero.

use std::borrow::Cow;

use quorate_disclosure::evidence::{
    CellEvidence, Contributions, MeasureEvidence, Moments, Persons, Products, ValueEvidence, Values,
};
use quorate_query::measure::moments;
use roaring::RoaringBitmap;

use super::fold::FoldError;
use super::group::Told;
use super::layout::{Counted, Part};

/// With more bytes of places to a person than this, persons are told one by one.
const APART: usize = 4;

/// The persons of one cell, and how many rows of each count: on a unit table, one each.
pub(super) struct People {
    each: Contributions,
    is_of_events: bool,
}

impl People {
    /// Of rows in order of person.
    pub(super) fn of(rows: &[u32], max_rows: Option<u64>) -> Result<Self, FoldError> {
        let Some(max_rows) = max_rows else {
            let people = bitmap(rows)?;
            // a row is a person
            let fits = usize::try_from(people.len()) == Ok(rows.len());
            return match fits {
                true => Ok(Self {
                    each: Contributions::ones(people),
                    is_of_events: false,
                }),
                false => Err(FoldError::Shape),
            };
        };
        let (mut persons, mut counted) = (Vec::new(), Vec::new());
        let mut limited = false;
        for person in rows.chunk_by(|a, b| a == b) {
            let all = many(person.len())?;
            let n = all.min(max_rows);
            limited |= n < all;
            persons.extend(person.first());
            counted.push(i64::try_from(n).map_err(|_| FoldError::TooMany)?);
        }
        Ok(Self {
            each: contributions(bitmap(&persons)?.into(), counted)?.limited(limited),
            is_of_events: true,
        })
    }

    fn people(&self) -> &Persons {
        self.each.people()
    }

    fn rows(&self) -> Result<u64, FoldError> {
        u64::try_from(self.each.sum()).map_err(|_| FoldError::TooMany)
    }

    fn evidence(&self, of: Counted) -> MeasureEvidence {
        MeasureEvidence::Count(match of {
            Counted::Persons if self.is_of_events => {
                Contributions::ones(self.people().clone()).digested()
            }
            Counted::Rows | Counted::Persons => self.each.clone().digested(),
        })
    }

    /// The cell, given its measures.
    pub(super) fn cell(self, measures: Vec<MeasureEvidence>) -> Result<CellEvidence, FoldError> {
        Ok(CellEvidence {
            people: self.people().clone(),
            rows: self.rows()?,
            each: self.is_of_events.then(|| self.each.digested()),
            measures,
        })
    }

    /// The evidence of one measure of this cell.
    pub(super) fn measure(
        &self,
        part: &Part,
        mut told: Told<'_>,
        max_rows: Option<u64>,
    ) -> Result<MeasureEvidence, FoldError> {
        let persons = told.persons.as_ref();
        match part {
            Part::All { of } => Ok(self.evidence(*of)),
            Part::Present { of, .. } => Ok(Self::of(persons, max_rows)?.evidence(*of)),
            Part::Moments {
                scale, low, high, ..
            } => {
                let values = told.values.pop().unwrap_or_default();
                let bounds = (*low.min(high), *low.max(high));
                let found = match max_rows {
                    None => self.of_values(persons, values, *scale)?,
                    Some(max_rows) => {
                        let own;
                        let rows = match &told.persons {
                            Cow::Borrowed(_) => self,
                            Cow::Owned(persons) => {
                                own = Self::of(persons, Some(max_rows))?;
                                &own
                            }
                        };
                        of_totals(rows, (persons, &values), *scale, (bounds, max_rows))?
                    }
                };
                Ok(MeasureEvidence::Moments(found))
            }
            Part::Values { domain, .. } => {
                let values = told.values.pop().unwrap_or_default();
                let found = of_domain(persons, &values, domain, max_rows.unwrap_or(1))?;
                Ok(MeasureEvidence::Values(found))
            }
            Part::Products { centres, scale, .. } => {
                let (right, left) = (told.values.pop(), told.values.pop());
                let both = left.iter().flatten().zip(right.iter().flatten());
                // only of tables with one row per person
                let one_each = max_rows.is_none() && persons.is_sorted_by(|a, b| a < b);
                let pairs = persons.iter().zip(both);
                let pairs: Vec<(u32, i128, i128)> = pairs
                    .map(|(person, (x, y))| (*person, (*x).into(), (*y).into()))
                    .collect();
                let found = Products::of(&pairs, (centres[0], centres[1]), *scale);
                match found {
                    Ok(found) if one_each => Ok(MeasureEvidence::Products(Box::new(found))),
                    _ => Err(FoldError::Shape),
                }
            }
        }
    }

    /// Unit tables: one value a person. Where as many have one as are in the cell, these are they.
    fn of_values(
        &self,
        persons: &[u32],
        values: Vec<i64>,
        scale: u32,
    ) -> Result<Moments, FoldError> {
        let everybody = !self.is_of_events && self.people().len() == many(persons.len())?;
        let people = match everybody {
            true => self.people().clone(),
            false => bitmap(persons)?.into(),
        };
        let squares = squares(&values);
        Ok(Moments {
            totals: contributions(people, values)?.digested(),
            rows: many(persons.len())?,
            each: None,
            squares,
            scale,
        })
    }
}

/// Numbers below this have squares of which [`AT_ONCE`] add up to less than 2^63.
const SMALL: u64 = 1 << 25;
/// So many squares are added up in 64 bits.
const AT_ONCE: usize = 1 << 12;

/// The sum of squares. Within the bounds that `fits` has checked, it does not leave its type.
fn squares(values: &[i64]) -> i128 {
    let each = |chunk: &[i64]| -> i128 {
        let large = |value: &i64| value.unsigned_abs() >= SMALL;
        if chunk.iter().any(large) {
            let squares = chunk.iter().map(|value| i128::from(*value));
            return squares.map(|value| value * value).sum();
        }
        let squares = chunk.iter().map(|value| value.wrapping_mul(*value));
        squares.fold(0_i64, i64::wrapping_add).into()
    };
    values.chunks(AT_ONCE).map(each).sum()
}

/// Event tables: a person's total over the rows with a value. `rows` are these.
fn of_totals(
    rows: &People,
    (persons, values): (&[u32], &[i64]),
    scale: u32,
    (bounds, max_rows): ((i128, i128), u64),
) -> Result<Moments, FoldError> {
    if persons.len() != values.len() {
        return Err(FoldError::Shape);
    }
    let square = |n: i128| n.checked_mul(n).ok_or(FoldError::TooMany);
    let most_square = square(bounds.0)?.max(square(bounds.1)?);
    let most = u32::try_from(max_rows).unwrap_or(u32::MAX);
    // A value beyond the bounds may be evened out by another row, and not in each part.
    let beyond = |value: &i64| !(bounds.0..=bounds.1).contains(&(*value).into());
    let (mut totals, mut squared, mut limited) = (Vec::new(), 0_i128, false);
    let mut rest = values;
    for person in persons.chunk_by(|a, b| a == b) {
        let own;
        (own, rest) = rest
            .split_at_checked(person.len())
            .ok_or(FoldError::Shape)?;
        let all = many(person.len())?;
        let n = all.min(max_rows);
        let (total, of_squares) = match small(own) {
            Some((sum, of_squares)) => (i128::from(sum), i128::from(of_squares)),
            None => sums(own),
        };
        let outside = own.iter().any(beyond);
        if n == all && !outside {
            // what counts is all there is
            totals.push(i64::try_from(total).map_err(|_| FoldError::TooMany)?);
            squared += of_squares;
            continue;
        }
        limited = true;
        let total = moments::clamp_total(total, n, most, bounds).ok_or(FoldError::TooMany)?;
        let limit = most_square.checked_mul(n.into());
        totals.push(i64::try_from(total).map_err(|_| FoldError::TooMany)?);
        squared += of_squares.min(limit.ok_or(FoldError::TooMany)?);
    }
    Ok(Moments {
        totals: contributions(rows.people().clone(), totals)?
            .limited(limited)
            .digested(),
        rows: rows.rows()?,
        each: Some(rows.each.clone().digested()),
        squares: squared,
        scale,
    })
}

/// The sum of some numbers and that of their squares.
fn sums(values: &[i64]) -> (i128, i128) {
    let (mut sum, mut squares) = (0_i128, 0_i128);
    for value in values {
        sum += i128::from(*value);
        squares += i128::from(*value) * i128::from(*value);
    }
    (sum, squares)
}

/// The same of not too many small numbers, in 64 bits.
fn small(values: &[i64]) -> Option<(i64, i64)> {
    let (mut sum, mut squares, mut sizes) = (0_i64, 0_i64, 0_u64);
    for value in values {
        sum = sum.wrapping_add(*value);
        squares = squares.wrapping_add(value.wrapping_mul(*value));
        sizes |= value.unsigned_abs();
    }
    (sizes < SMALL && values.len() <= AT_ONCE).then_some((sum, squares))
}

/// Rows at each value of a small domain. The first values count first, up to `max_rows` in all, so
/// that the order of rows does not matter.
fn of_domain(
    persons: &[u32],
    values: &[i64],
    domain: &[i128],
    max_rows: u64,
) -> Result<Values, FoldError> {
    if persons.len() != values.len() {
        return Err(FoldError::Shape);
    }
    let mut found = no_values(domain.len());
    let mut with: Vec<Vec<u32>> = vec![Vec::new(); domain.len()];
    let (mut any, mut nonzero) = (Vec::new(), Vec::new());
    let mut at: Vec<u64> = vec![0; domain.len()];
    let mut rest = values;
    for rows in persons.chunk_by(|a, b| a == b) {
        let own;
        (own, rest) = rest.split_at_checked(rows.len()).ok_or(FoldError::Shape)?;
        let Some(person) = rows.first() else {
            continue;
        };
        at.fill(0);
        for value in own {
            let place = domain.binary_search(&i128::from(*value)).ok();
            if let Some(n) = place.and_then(|place| at.get_mut(place)) {
                *n += 1;
            }
        }
        let mut left = max_rows;
        for n in &mut at {
            *n = (*n).min(left);
            left -= *n;
        }
        let counted = max_rows - left;
        if counted == 0 {
            continue;
        }
        any.push(*person);
        let mut pairs = at.iter().zip(domain);
        if pairs.any(|(n, value)| *n > 0 && *value != 0) {
            nonzero.push(*person);
        }
        for ((n, value), with) in at.iter().zip(&mut found.values).zip(&mut with) {
            if *n > 0 {
                with.push(*person);
            }
            value.rows += n;
            if *n > 0 {
                value.note(*n);
            }
            value.elsewhere += u64::from(counted > *n);
        }
    }
    found.any = bitmap(&any)?.into();
    found.nonzero = bitmap(&nonzero)?;
    for (value, with) in found.values.iter_mut().zip(with) {
        value.people = bitmap(&with)?.into();
        value.settle();
    }
    Ok(found)
}

/// The evidence of a cell that nobody is in.
#[must_use]
pub fn nobody(parts: &[Part]) -> CellEvidence {
    let measure = |part: &Part| match part {
        Part::All { .. } | Part::Present { .. } => MeasureEvidence::Count(Contributions::default()),
        Part::Moments { scale, .. } => MeasureEvidence::Moments(Moments {
            totals: Contributions::default(),
            rows: 0,
            each: None,
            squares: 0,
            scale: *scale,
        }),
        Part::Values { domain, .. } => MeasureEvidence::Values(no_values(domain.len())),
        Part::Products { scale, .. } => MeasureEvidence::Products(Box::new(Products {
            scale: *scale,
            ..Products::default()
        })),
    };
    CellEvidence {
        people: Persons::default(),
        rows: 0,
        each: None,
        measures: parts.iter().map(measure).collect(),
    }
}

fn no_values(domain: usize) -> Values {
    Values {
        any: Persons::default(),
        nonzero: RoaringBitmap::new(),
        values: vec![ValueEvidence::default(); domain],
    }
}

/// Persons in ascending order, each once: as bits in their places, where these are not far apart.
fn bitmap(rows: &[u32]) -> Result<RoaringBitmap, FoldError> {
    let (Some(first), Some(last)) = (rows.first().copied(), rows.last().copied()) else {
        return Ok(RoaringBitmap::new());
    };
    let start = first & !0xffff;
    let bytes = usize::try_from(last.saturating_sub(start) / 8).map_err(|_| FoldError::TooMany)?;
    if bytes / APART > rows.len() {
        return RoaringBitmap::from_sorted_iter(rows.iter().copied()).map_err(|_| FoldError::Shape);
    }
    let mut bits = vec![0_u8; bytes + 1];
    let mut next = Some(first);
    for person in rows.iter().copied() {
        let in_order = next.is_some_and(|next| next <= person);
        next = person.checked_add(1);
        let place = person.checked_sub(start).filter(|_| in_order);
        let place = place.and_then(|place| usize::try_from(place / 8).ok());
        let byte = place.and_then(|place| bits.get_mut(place));
        *byte.ok_or(FoldError::Shape)? |= 1 << (person % 8);
    }
    Ok(RoaringBitmap::from_lsb0_bytes(start, &bits))
}

fn contributions(people: Persons, each: Vec<i64>) -> Result<Contributions, FoldError> {
    let found = Contributions::in_order(people, each);
    found.map_err(|_| FoldError::Shape)
}

fn many(rows: usize) -> Result<u64, FoldError> {
    u64::try_from(rows).map_err(|_| FoldError::TooMany)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(rows: &[(u32, i64)]) -> Contributions {
        let (persons, values): (Vec<u32>, Vec<i64>) = rows.iter().copied().unzip();
        let people = People::of(&persons, Some(2)).unwrap();
        let found = of_totals(&people, (&persons, &values), 0, ((0, 100), 2));
        found.unwrap().totals
    }

    #[test]
    fn persons_are_the_same_however_they_are_told() {
        let near: Vec<u32> = (70_000..150_000).filter(|id| id % 3 != 1).collect();
        let ends = vec![0, 7, 8, 65_535, 65_536, 65_600];
        let far = vec![3, 1 << 20, u32::MAX - 1, u32::MAX];
        let last: Vec<u32> = (u32::MAX - 20..=u32::MAX).collect();
        for persons in [near, ends, far, last, Vec::new(), vec![9]] {
            let plain = RoaringBitmap::from_sorted_iter(persons.iter().copied()).unwrap();
            let found = bitmap(&persons).unwrap();
            assert!(found == plain, "{} persons", persons.len());
            assert_eq!(found.serialized_size(), plain.serialized_size());
        }
        for wrong in [vec![4, 4], vec![5, 4], vec![1, 3, 2, 9], vec![u32::MAX, 0]] {
            assert!(bitmap(&wrong).is_err());
        }
    }

    /// Parts of a cell add up to it only if nothing was taken off anybody.
    #[test]
    fn what_limits_take_off_somebody_is_noticed() {
        let counted = |rows: &[u32]| {
            let people = People::of(rows, Some(2)).unwrap();
            match people.evidence(Counted::Rows) {
                MeasureEvidence::Count(counted) => counted,
                _ => panic!("it is a count"),
            }
        };
        assert!(!counted(&[1, 1, 2]).is_limited());
        assert!(counted(&[1, 1, 1, 2]).is_limited());
        assert!(!totals(&[(1, 100), (1, 0), (2, 7)]).is_limited());
        assert!(
            totals(&[(1, 1), (1, 1), (1, 1)]).is_limited(),
            "a row too many"
        );
        let even = totals(&[(1, 150), (1, 10), (2, 7)]);
        assert_eq!(
            (even.sum(), even.is_limited()),
            (167, true),
            "a value beyond, evened out"
        );
    }
}
