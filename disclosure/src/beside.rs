//! Sums of products beside sums of derived columns: in one unit, and with the sums that both columns come
//! from, so that what is all but the same is seen. Page: `docs/disclosure/H1s.md`.
//!
//! What this file must not know: how sums are compared.

use std::borrow::Cow;

use quorate_query::codebook::ColumnRef;

use crate::evidence::{Contributions, Products};
use crate::facets::Subject;
use crate::history::{Across, Addends, DECIMALS, FacetCandidate, Footprint, derived_vec, sources};

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
