//! Sums of products beside sums of derived columns: in one unit, and with the sums that both columns come
//! from, so that what is all but the same is seen. Page: `docs/disclosure/H1s.md`.
//!
//! What this file must not know: how sums are compared.

use std::borrow::Cow;

use num_rational::BigRational;
use num_traits::Zero;
use quorate_query::codebook::ColumnRef;
use quorate_query::measure::facts::limits;
use quorate_query::question::Set;

use crate::evidence::{Contributions, Products};
use crate::facets::Subject;
use crate::history::{
    Across, Addends, DECIMALS, FacetCandidate, Footprint, Shape, derived_vec, sources,
};
use crate::twins::numbers;

impl<'a> Subject<'_, 'a> {
    /// A plain sum of products as one that may be all but another: of a derived column in the unit of
    /// all of these.
    pub(crate) fn beside_derived(
        &self,
        plain: &mut FacetCandidate<'a>,
        (left, right): (&ColumnRef, &ColumnRef),
        found: &'a Products,
    ) {
        let short = DECIMALS.saturating_sub(found.scale);
        plain.across = Across {
            compared: true,
            short,
            ..Across::default()
        };
        if !self.is_derived(left) && !self.is_derived(right) {
            return;
        }
        plain.facet.vec = derived_vec(plain.facet.vec);
        let factor = 10_i128.checked_pow(short).unwrap_or(1);
        match scaled(&found.plain, factor) {
            Some(sum) => {
                plain.facet.footprint = signed(&sum);
                plain.contributions = Some(Addends::Of(Cow::Owned(sum)));
                plain.clamp = plain.clamp.saturating_mul(factor);
            }
            // What cannot be compared is not taken for different.
            None => plain.facet.footprint.spread = None,
        }
        plain.across.short = 0;
        plain.across.related = self.sources_of_product((left, right));
    }

    /// Sums of single columns, over the persons of a product, that the product comes near to: where one
    /// column is much the same for all, the product is all but a multiple of the other. They are compared
    /// as if they had left too.
    pub(crate) fn factors(
        &self,
        (left, right): (&ColumnRef, &ColumnRef),
        present: &Shape,
        found: &'a Products,
    ) -> Vec<FacetCandidate<'a>> {
        let [of_left, of_right] = &found.factors;
        let beside = |other: &ColumnRef, column: &ColumnRef, totals: &'a Contributions| {
            let much_the_same = self.is_narrow(other);
            much_the_same
                .then(|| self.factor(column, present, totals))
                .flatten()
        };
        let both = [beside(right, left, of_left), beside(left, right, of_right)];
        both.into_iter().flatten().collect()
    }

    /// The sum of one column of a product.
    fn factor(
        &self,
        column: &ColumnRef,
        present: &Shape,
        totals: &'a Contributions,
    ) -> Option<FacetCandidate<'a>> {
        let (bounds, _) = limits(column, &self.shape.predicate, self.codebook)?;
        let scale = self.codebook.column(column)?.ty.scale()?;
        let (column, totals) = match self.rows_of_frame(column, bounds) {
            Some((name, most)) => (name, Cow::Owned(numbers(totals, most)?)),
            None => (column, Cow::Borrowed(totals)),
        };
        Some(self.sum_over(column, present.clone(), totals, (bounds, scale)))
    }

    /// Whether by its bounds or a condition a column may be much the same for all: what the codebook and
    /// the question say decides, not the data.
    fn is_narrow(&self, column: &ColumnRef) -> bool {
        let boxed = self.shape.predicate.boxes.get(column);
        if boxed.is_some_and(|set| *set != Set::not_null()) {
            return true;
        }
        let Some(((low, high), _)) = limits(column, &self.shape.predicate, self.codebook) else {
            return true;
        };
        let (low, high) = (low.to_rational(), high.to_rational());
        // The least size is at least half of the largest.
        let twice = |x: &BigRational| x + x;
        (low > BigRational::zero() && twice(&low) >= high)
            || (high < BigRational::zero() && twice(&high) <= low)
    }

    /// Sums of the columns of the codebook that two columns are or come from, and of their products.
    fn sources_of_product(&self, (left, right): (&ColumnRef, &ColumnRef)) -> Vec<([u8; 32], u32)> {
        let of = |column: &ColumnRef| match self.is_derived(column) {
            true => sources(column, self.codebook),
            false => vec![(column.clone(), column.table.clone())],
        };
        let (left, right) = (of(left), of(right));
        let sums = left.iter().chain(&right);
        let mut related: Vec<([u8; 32], u32)> = sums
            .filter_map(|(column, rows)| self.sum_of(column, rows))
            .collect();
        for (a, _) in &left {
            for (b, _) in &right {
                let scale = |of| self.codebook.column(of)?.ty.scale();
                if let (Some(a_scale), Some(b_scale)) = (scale(a), scale(b)) {
                    let vec = self.product_vec(b"plain", (a.min(b), a.max(b)), false);
                    let together = a_scale.saturating_add(b_scale);
                    related.push((vec, DECIMALS.saturating_sub(together)));
                }
            }
        }
        related.sort_unstable();
        related.dedup();
        related
    }
}

/// What each adds, in smaller units; `None` if their sum does not fit.
pub(crate) fn scaled(totals: &Contributions, factor: i128) -> Option<Contributions> {
    let each = totals
        .iter()
        .map(|(person, add)| Some((person, add.checked_mul(factor)?)));
    let scaled = Contributions::of(each.collect::<Option<_>>()?).ok()?;
    Some(scaled.limited(totals.is_limited()))
}

/// The footprint of contributions that may be less than zero by their bounds.
pub(crate) fn signed(sum: &Contributions) -> Footprint {
    let mut footprint = Footprint::of(sum);
    let spread = footprint.spread.take();
    footprint.spread = spread.map(|spread| spread.signed(true));
    footprint
}
