//! What a measure of a cell says about whom: its facets.
//!
//! Counts of persons and of rows are one family: who is in one and not in the other is what a
//! difference shows. Each summed column is another, whatever its bounds: sums of one column within
//! two bounds differ by what lies between these.

use std::borrow::Cow;
use std::cell::RefCell;

use quorate_query::codebook::{Codebook, ColumnRef, RowsPer};
use quorate_query::measure::facts::{Facts, limits};
use quorate_query::number::Number;
use quorate_query::question::{Measure, Predicate, Set, Values};
use quorate_query::release::ReleaseParams;
use quorate_query::set::ordinal;
use quorate_query::value::Scalar;
use sha2::{Digest, Sha256};

use crate::beside::{scaled, signed};
use crate::evidence::{
    CellEvidence, Contributions, MeasureEvidence, Moments, Persons, Products, ValueEvidence,
    Values as Counted,
};
use crate::history::{
    Across, Addends, DECIMALS, Facet, FacetCandidate, Footprint, Form, Shape, Statement,
    derived_vec, same, sources,
};
use crate::rules::protect::told_rows;

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
    /// Parameters of release.
    pub(crate) params: &'s ReleaseParams,
    /// The persons that were counted last.
    pub(crate) counted: &'s RefCell<Option<Footprint>>,
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
            (MeasureEvidence::Products(found), Measure::Products { left, right }) => {
                self.products((left, right), found)
            }
            // Evidence of another kind than the measure: compared as what it rests on.
            (evidence, _) => vec![self.persons(self.shape.clone(), evidence.people().clone())],
        }
    }

    pub(crate) fn max_rows(&self) -> Option<u32> {
        match self.codebook.tables.get(&self.shape.rows)?.rows {
            RowsPer::Unit => None,
            RowsPer::Many { max_rows } => Some(max_rows),
        }
    }

    fn moments(&self, column: &ColumnRef, found: &'a Moments) -> Vec<FacetCandidate<'a>> {
        let as_rows = self.as_rows(column, found);
        let sum = match &as_rows {
            Some((name, rows)) => self.sum(name, found, Some(rows)),
            None => self.sum(column, found, None),
        };
        let (shape, people) = if self.facts.complete {
            let present = self.narrowed(column, &Set::not_null());
            (present, found.totals.people())
        } else {
            (self.shape.clone(), &self.cell.people)
        };
        let count = self.persons(shape.clone(), people.clone());
        let Some(max) = self.max_rows() else {
            let rows = as_rows.map(|(_, rows)| rows);
            return [sum, count].into_iter().chain(rows).collect();
        };
        // A place for the rows in every cell, so that the facets of all cells go together.
        let rows = match told_rows(self.facts, self.cell, found, self.params) {
            Some(each) => self.rows_beside(shape, each, max),
            None => self.persons(shape, people.clone()),
        };
        vec![sum, rows, count]
    }

    /// The sum of a column, which may be a number of rows.
    fn sum(
        &self,
        column: &ColumnRef,
        found: &'a Moments,
        rows: Option<&FacetCandidate<'a>>,
    ) -> FacetCandidate<'a> {
        let present = self.narrowed(column, &Set::not_null());
        let (low, high) = self.facts.bounds.unwrap_or((Number::ZERO, Number::ZERO));
        // Who has no rows has no number of them.
        let numbers = rows.and_then(|rows| match rows.contributions.as_ref()? {
            Addends::Of(each) => Some(each.clone()),
            Addends::Apart(_) => None,
        });
        let totals = numbers.unwrap_or(Cow::Borrowed(&found.totals));
        let also = match rows {
            Some(rows) => vec![Statement {
                vec: rows.facet.vec,
                form: rows.facet.form,
                shape: rows.asked.clone(),
            }],
            None => self.twins(column, &present),
        };
        FacetCandidate {
            across: Across {
                also,
                ..self.across(column, found.scale)
            },
            ..self.sum_over(column, present, totals, ((low, high), found.scale))
        }
    }

    /// The sum of a column over the persons of a shape, within its bounds and at a scale.
    pub(crate) fn sum_over(
        &self,
        column: &ColumnRef,
        present: Shape,
        totals: Cow<'a, Contributions>,
        ((low, high), scale): ((Number, Number), u32),
    ) -> FacetCandidate<'a> {
        let at_scale = |n: &Number| n.at_scale(scale).map_or(i128::MAX, i128::saturating_abs);
        let clamp = at_scale(&low).max(at_scale(&high));
        let clamp = clamp.saturating_mul(self.max_rows().map_or(1, i128::from));
        let (totals, clamp) = self.in_units(column, scale, totals, clamp);
        let mut footprint = Footprint::of(&totals);
        let spread = footprint.spread.take();
        footprint.spread = spread.map(|spread| spread.signed(low < Number::ZERO));
        let form = Form::Sum(self.sum_vec(column, Some((low, high, scale))));
        let first_vec = self.first_sum_vec(column, (low, high));
        FacetCandidate {
            facet: Facet {
                vec: self.sum_vec(column, None),
                form,
                shape: same(&present, form, self.codebook),
                footprint,
            },
            asked: present,
            first_vec: (!self.is_derived(column)).then_some(first_vec),
            contributions: Some(Addends::Of(totals)),
            clamp,
            same_in_every_box: self.max_rows().is_none(),
            exact: true,
            across: self.across(column, scale),
        }
    }

    pub(crate) fn is_derived(&self, column: &ColumnRef) -> bool {
        self.codebook.derived.contains_key(column)
    }

    /// What each person adds and the most that one can, of a derived column in the unit that all of
    /// these are compared in.
    fn in_units(
        &self,
        column: &ColumnRef,
        scale: u32,
        totals: Cow<'a, Contributions>,
        clamp: i128,
    ) -> (Cow<'a, Contributions>, i128) {
        let short = DECIMALS.saturating_sub(scale);
        let factor = 10_i128
            .checked_pow(short)
            .filter(|_| self.is_derived(column));
        // Bounds keep mantissas within 62 bits: the sum of all persons fits.
        let scaled = factor.and_then(|factor| Some((scaled(&totals, factor)?, factor)));
        match scaled {
            Some((scaled, factor)) => (Cow::Owned(scaled), clamp.saturating_mul(factor)),
            None => (totals, clamp),
        }
    }

    fn across(&self, column: &ColumnRef, scale: u32) -> Across {
        if !self.is_derived(column) {
            return Across {
                compared: true,
                short: DECIMALS.saturating_sub(scale),
                ..Across::default()
            };
        }
        let related = sources(column, self.codebook).into_iter();
        let related = related.filter_map(|(column, rows)| self.sum_of(&column, &rows));
        Across {
            compared: true,
            short: 0,
            related: related.collect(),
            also: Vec::new(),
        }
    }

    /// By what sums of a column of the codebook over the rows of a table are known, and what their units
    /// have less.
    pub(crate) fn sum_of(&self, column: &ColumnRef, rows: &str) -> Option<([u8; 32], u32)> {
        let scale = self.codebook.column(column)?.ty.scale()?;
        let over = match self.codebook.tables.get(rows)?.rows {
            RowsPer::Unit => None,
            RowsPer::Many { max_rows } => Some((rows, max_rows)),
        };
        let mut hash = Sha256::new();
        hash.update(b"quorate/facet/sum/v2\0");
        summed(&mut hash, column, over);
        Some((hash.finalize().into(), DECIMALS.saturating_sub(scale)))
    }

    /// The rows that leave beside a mean.
    fn rows_beside(&self, shape: Shape, each: &'a Contributions, max: u32) -> FacetCandidate<'a> {
        FacetCandidate {
            facet: self.count_facet(Form::Rows(max), &shape, Footprint::of(each)),
            asked: shape,
            contributions: Some(Addends::Of(Cow::Borrowed(each))),
            first_vec: None,
            clamp: i128::from(max),
            same_in_every_box: false,
            exact: true,
            across: Across::default(),
        }
    }

    /// The sum about the centres, which is what leaves; the plain sum, which follows from it and the
    /// means of both columns; sums of single columns that these come near to; and how many persons have
    /// both.
    fn products(
        &self,
        (left, right): (&ColumnRef, &ColumnRef),
        found: &'a Products,
    ) -> Vec<FacetCandidate<'a>> {
        let one = self.narrowed(left, &Set::not_null());
        let mut present = one;
        narrow(
            &mut present.predicate,
            right,
            &Set::not_null(),
            self.codebook,
        );
        let centred = self.facts.bounds.and_then(|(low, high)| {
            let far = |end: Number| end.at_scale(found.scale)?.checked_abs();
            Some(far(low)?.max(far(high)?))
        });
        let plain = self.farthest(left).zip(self.farthest(right));
        let plain = plain.and_then(|(left, right)| left.checked_mul(right));
        let each = [
            (b"centred".as_slice(), &found.centred, centred),
            (b"plain".as_slice(), &found.plain, plain),
        ];
        let mut all: Vec<FacetCandidate<'a>> = each
            .into_iter()
            .map(|(kind, sum, most)| {
                let form = Form::Sum(self.product_vec(kind, (left, right), true));
                let vec = self.product_vec(kind, (left, right), false);
                self.product(&present, (vec, form), sum, most.unwrap_or(i128::MAX))
            })
            .collect();
        // The plain sum does not depend on bounds: it is what is compared with other columns.
        if let Some(plain) = all.last_mut() {
            self.beside_derived(plain, (left, right), found);
        }
        all.extend(self.factors((left, right), &present, found));
        all.push(self.persons(present, found.centred.people().clone()));
        all
    }

    fn product(
        &self,
        present: &Shape,
        (vec, form): ([u8; 32], Form),
        sum: &'a Contributions,
        clamp: i128,
    ) -> FacetCandidate<'a> {
        FacetCandidate {
            facet: Facet {
                vec,
                form,
                shape: same(present, form, self.codebook),
                footprint: signed(sum),
            },
            asked: present.clone(),
            first_vec: None,
            contributions: Some(Addends::Of(Cow::Borrowed(sum))),
            clamp,
            same_in_every_box: true,
            exact: true,
            across: Across::default(),
        }
    }

    /// The largest size that a value of a column may have; `None` if its bounds are not the column's own.
    fn farthest(&self, column: &ColumnRef) -> Option<i128> {
        let column = self.codebook.column(column)?;
        let ((low, high), scale) = (column.bounds?, column.ty.scale()?);
        let far = |end: Number| end.at_scale(scale)?.checked_abs();
        Some(far(low)?.max(far(high)?))
    }

    /// What sums of products of two columns have in common; with `within`, also the bounds, centres and
    /// scales that say what each person adds.
    pub(crate) fn product_vec(
        &self,
        kind: &[u8],
        (left, right): (&ColumnRef, &ColumnRef),
        within: bool,
    ) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(match within {
            false => b"quorate/facet/product/v1\0".as_slice(),
            true => b"quorate/facet/product form/v1\0".as_slice(),
        });
        hash.update(kind);
        for column in [left, right] {
            for text in [&column.table, &column.column] {
                hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
                hash.update(text);
            }
            let known = self.codebook.column(column);
            let scale = known.and_then(|column| column.ty.scale()).unwrap_or(0);
            let bounds = limits(column, &self.shape.predicate, self.codebook);
            if let (true, Some((bounds, _))) = (within, bounds) {
                update_bounds(&mut hash, bounds);
                hash.update(scale.to_be_bytes());
            }
        }
        // The centres are those of the bounds, but what is taken off says what each adds.
        let centres = self.facts.centres.filter(|_| kind == b"centred");
        if let Some(centres) = centres {
            update_bounds(&mut hash, centres);
        }
        hash.finalize().into()
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
                let shape = self.narrowed(column, &point(value));
                match self.max_rows() {
                    None => self.persons(shape, with.people.clone()),
                    Some(max) => self.rows_of(shape, with, max),
                }
            })
            .collect();
        all.push(self.persons(self.narrowed(column, &Set::not_null()), found.any.clone()));
        all
    }

    /// Rows at one value: how many each person has is not known here, and the limit of rows is one
    /// for all values together.
    fn rows_of(&self, shape: Shape, with: &ValueEvidence, max: u32) -> FacetCandidate<'a> {
        let mut found = self.persons(shape, with.people.clone());
        found.facet.form = Form::Rows(max);
        found.facet.shape = same(&found.asked, found.facet.form, self.codebook);
        found.facet.footprint.abs = with.rows.into();
        found.facet.footprint.largest.clear();
        found.facet.footprint.sample.clear();
        found.facet.footprint.spread = None;
        found.clamp = i128::from(max);
        found.same_in_every_box = false;
        found
    }

    fn counted(&self, shape: Shape, counted: &'a Contributions) -> FacetCandidate<'a> {
        let form = match (self.measure, self.max_rows()) {
            (Measure::Events { .. }, Some(max)) => Form::Rows(max),
            _ => Form::Persons,
        };
        let footprint = match counted.is_one_each() && !counted.is_limited() {
            true => self.footprint_of(counted),
            false => Footprint::of(counted),
        };
        FacetCandidate {
            facet: self.count_facet(form, &shape, footprint),
            asked: shape,
            contributions: Some(Addends::Of(Cow::Borrowed(counted))),
            first_vec: None,
            clamp: self.max_rows().map_or(1, i128::from),
            same_in_every_box: form == Form::Persons,
            exact: true,
            across: Across::default(),
        }
    }

    fn persons(&self, shape: Shape, people: Persons) -> FacetCandidate<'a> {
        FacetCandidate {
            facet: self.count_facet(Form::Persons, &shape, self.footprint(people)),
            asked: shape,
            contributions: None,
            first_vec: None,
            clamp: 1,
            same_in_every_box: true,
            exact: true,
            across: Across::default(),
        }
    }

    /// The footprint of one each, which others of the cell will mostly have too.
    fn footprint_of(&self, counted: &Contributions) -> Footprint {
        if counted.digest().is_none() {
            return self.footprint(counted.people().clone());
        }
        let found = Footprint::of(counted);
        self.counted.borrow_mut().insert(found).clone()
    }

    /// The footprint of one each, which is known if the same persons were counted just before.
    fn footprint(&self, people: Persons) -> Footprint {
        let mut counted = self.counted.borrow_mut();
        match counted.as_ref().filter(|known| known.people == people) {
            Some(known) => known.clone(),
            None => {
                let found = Footprint::of(&Contributions::ones(people));
                counted.insert(found).clone()
            }
        }
    }

    pub(crate) fn count_facet(&self, form: Form, asked: &Shape, footprint: Footprint) -> Facet {
        Facet {
            vec: count_vec(),
            form,
            shape: same(asked, form, self.codebook),
            footprint,
        }
    }

    /// The shape with one column narrowed further.
    fn narrowed(&self, column: &ColumnRef, set: &Set) -> Shape {
        let mut shape = self.shape.clone();
        narrow(&mut shape.predicate, column, set, self.codebook);
        shape
    }

    /// What sums of a column have in common; with `within`, also what each person adds.
    pub(crate) fn sum_vec(
        &self,
        column: &ColumnRef,
        within: Option<(Number, Number, u32)>,
    ) -> [u8; 32] {
        let over = self.max_rows().map(|max| (self.shape.rows.as_str(), max));
        sum_vec(self.codebook, column, over, within)
    }

    /// By what sums of a column were known before they met those within other bounds.
    fn first_sum_vec(&self, column: &ColumnRef, bounds: (Number, Number)) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"quorate/facet/sum/v1\0");
        let max = self.summed(&mut hash, column);
        hash.update(max.to_be_bytes());
        update_bounds(&mut hash, bounds);
        hash.finalize().into()
    }

    /// Hashes the column and the event table; gives the number of rows that count.
    fn summed(&self, hash: &mut Sha256, column: &ColumnRef) -> u32 {
        let over = self.max_rows().map(|max| (self.shape.rows.as_str(), max));
        summed(hash, column, over)
    }
}

/// What sums of a column have in common: which column, over which rows. With `within`, also its
/// bounds, its scale and how many rows count, which say what each person adds.
pub(crate) fn sum_vec(
    codebook: &Codebook,
    column: &ColumnRef,
    over: Option<(&str, u32)>,
    within: Option<(Number, Number, u32)>,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(match within {
        None => b"quorate/facet/sum/v2\0".as_slice(),
        Some(_) => b"quorate/facet/form/v2\0".as_slice(),
    });
    let max = summed(&mut hash, column, over);
    if let Some((low, high, scale)) = within {
        hash.update(max.to_be_bytes());
        update_bounds(&mut hash, (low, high));
        hash.update(scale.to_be_bytes());
    }
    let vec = hash.finalize().into();
    match within {
        None if codebook.derived.contains_key(column) => derived_vec(vec),
        _ => vec,
    }
}

fn summed(hash: &mut Sha256, column: &ColumnRef, over: Option<(&str, u32)>) -> u32 {
    let (rows, max) = over.unwrap_or(("", 0));
    let texts = [&column.table, &column.column, rows];
    for text in texts {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(text);
    }
    max
}

fn update_bounds(hash: &mut Sha256, (low, high): (Number, Number)) {
    for number in [low, high] {
        hash.update(number.mantissa().to_be_bytes());
        hash.update(number.exponent().to_be_bytes());
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
