//! What a measure of a cell says about whom: its facets.
//!
//! Counts of persons and of rows are one family: who is in one and not in the other is what a
//! difference shows. Each summed column with its bounds is a family of its own.

use std::borrow::Cow;

use quorate_query::codebook::{Codebook, ColumnRef, RowsPer};
use quorate_query::measure::facts::Facts;
use quorate_query::number::Number;
use quorate_query::question::{Measure, Predicate, Set, Values};
use quorate_query::set::ordinal;
use quorate_query::value::Scalar;
use roaring::RoaringBitmap;
use sha2::{Digest, Sha256};

use crate::evidence::{CellEvidence, Contributions, MeasureEvidence, Moments, Values as Counted};
use crate::history::{Facet, FacetCandidate, Footprint, Shape};

/// A measure of a cell, about to be taken apart.
pub(crate) struct Subject<'s, 'a> {
    /// The codebook.
    pub(crate) codebook: &'s Codebook,
    /// Tables and boxes of the cell.
    pub(crate) shape: &'s Shape,
    /// The measure.
    pub(crate) measure: &'s Measure,
    /// What the codebook says about it.
    pub(crate) facts: &'s Facts,
    /// The cell.
    pub(crate) cell: &'a CellEvidence,
    /// What the node knows of the measure.
    pub(crate) evidence: &'a MeasureEvidence,
}

/// The family of counts: `1` and numbers of rows.
pub(crate) fn count_vec() -> [u8; 32] {
    Sha256::digest(b"quorate/facet/count/v1\0").into()
}

impl<'a> Subject<'_, 'a> {
    /// What would be released about whom.
    pub(crate) fn facets(&self) -> Vec<FacetCandidate<'a>> {
        match (self.evidence, self.measure) {
            (MeasureEvidence::Count(counted), Measure::Persons { of } | Measure::Events { of }) => {
                let shape = of.as_ref().map_or_else(
                    || self.shape.clone(),
                    |column| self.narrowed(column, &Set::not_null()),
                );
                vec![self.counted(shape, counted)]
            }
            (MeasureEvidence::Moments(found), Measure::Moments { column }) => {
                self.moments(column, found)
            }
            (MeasureEvidence::Values(found), Measure::ValueCounts { column }) => {
                self.values(column, found)
            }
            // Evidence of another kind than the measure: compared as what it rests on.
            (evidence, _) => vec![self.persons(self.shape.clone(), evidence.people().clone())],
        }
    }

    fn max_rows(&self) -> Option<u32> {
        match self.codebook.tables.get(&self.shape.rows)?.rows {
            RowsPer::Unit => None,
            RowsPer::Many { max_rows } => Some(max_rows),
        }
    }

    fn moments(&self, column: &ColumnRef, found: &'a Moments) -> Vec<FacetCandidate<'a>> {
        let present = self.narrowed(column, &Set::not_null());
        let (low, high) = self.facts.bounds.unwrap_or((Number::ZERO, Number::ZERO));
        let at_scale = |n: &Number| {
            n.at_scale(found.scale)
                .map_or(i128::MAX, i128::saturating_abs)
        };
        let clamp = at_scale(&low).max(at_scale(&high));
        let sum = FacetCandidate {
            facet: Facet {
                vec: self.sum_vec(column, (low, high)),
                counts: false,
                shape: present.clone(),
                footprint: Footprint::of(&found.totals),
            },
            contributions: Some(Cow::Borrowed(&found.totals)),
            clamp: clamp.saturating_mul(self.max_rows().map_or(1, i128::from)),
            same_in_every_box: self.max_rows().is_none(),
            exact: true,
        };
        let count = if self.facts.complete {
            self.persons(present, found.totals.people().clone())
        } else {
            self.persons(self.shape.clone(), self.cell.people.clone())
        };
        vec![sum, count]
    }

    /// One count a value, and their sum: everybody who has one.
    fn values(&self, column: &ColumnRef, found: &Counted) -> Vec<FacetCandidate<'a>> {
        let ty = self.codebook.column(column).map(|column| column.ty);
        let point = |value: &Number| {
            let ordinal = ty.and_then(|ty| ordinal(&Scalar::Number(*value), ty));
            Set::of(Values::points(ordinal))
        };
        let each = self.facts.domain.iter().zip(&found.values);
        let mut all: Vec<_> = each
            .map(|(value, with)| {
                self.persons(self.narrowed(column, &point(value)), with.people.clone())
            })
            .collect();
        all.push(self.persons(self.narrowed(column, &Set::not_null()), found.any.clone()));
        all
    }

    fn counted(&self, shape: Shape, counted: &'a Contributions) -> FacetCandidate<'a> {
        FacetCandidate {
            facet: count_facet(shape, Footprint::of(counted)),
            contributions: Some(Cow::Borrowed(counted)),
            clamp: self.max_rows().map_or(1, i128::from),
            same_in_every_box: matches!(self.measure, Measure::Persons { .. })
                || self.max_rows().is_none(),
            exact: true,
        }
    }

    fn persons(&self, shape: Shape, people: RoaringBitmap) -> FacetCandidate<'a> {
        FacetCandidate {
            facet: count_facet(shape, Footprint::of(&Contributions::ones(people))),
            contributions: None,
            clamp: 1,
            same_in_every_box: true,
            exact: true,
        }
    }

    /// The shape with one column narrowed further.
    fn narrowed(&self, column: &ColumnRef, set: &Set) -> Shape {
        let mut shape = self.shape.clone();
        narrow(&mut shape.predicate, column, set, self.codebook);
        shape
    }

    /// The family of a summed column: whose, within which bounds, over which rows.
    fn sum_vec(&self, column: &ColumnRef, (low, high): (Number, Number)) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"quorate/facet/sum/v1\0");
        let over = self.max_rows().map(|max| (self.shape.rows.as_str(), max));
        let (rows, max) = over.unwrap_or(("", 0));
        let texts = [&column.table, &column.column, rows];
        for text in texts {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text);
        }
        hash.update(max.to_be_bytes());
        for number in [low, high] {
            hash.update(number.mantissa().to_be_bytes());
            hash.update(number.exponent().to_be_bytes());
        }
        hash.finalize().into()
    }
}

fn count_facet(shape: Shape, footprint: Footprint) -> Facet {
    Facet {
        vec: count_vec(),
        counts: true,
        shape,
        footprint,
    }
}

/// Restricts one column further, in normal form.
pub(crate) fn narrow(
    predicate: &mut Predicate,
    column: &ColumnRef,
    set: &Set,
    codebook: &Codebook,
) {
    let old = predicate.boxes.get(column);
    let both = old.map_or_else(|| set.clone(), |old| old.intersect(set));
    let both = codebook
        .column(column)
        .map_or_else(|| both.clone(), |column| both.within(column));
    if both.is_anything() {
        predicate.boxes.remove(column);
    } else {
        predicate.boxes.insert(column.clone(), both);
    }
}
