//! Near an earlier answer: a cell that differs from an earlier release in a few persons, and not by
//! anything sensitive, shows that release in its place. Nothing new leaves.
//!
//! Page: `docs/disclosure/near_earlier.md`.

use quorate_query::number::Number;
use quorate_query::release::{ReleaseParams, k_eff};

use super::boxes::differ_harmlessly;
use super::candidate::FacetCandidate;
use super::derived::is_derived;
use super::entry::{Entry, Facet, State};
use super::view::{Hit, Near};
use super::{History, Standpoint};

/// A mean's grid follows the number of persons beside it. One that may be too high by less than the
/// threshold makes it finer: by little, where it is so many times the threshold.
const FINER: u64 = 4;

impl History {
    /// The parts of the earliest release that may be shown in the place of `asked`.
    pub(crate) fn near(
        &self,
        from: &Standpoint<'_>,
        asked: &Entry,
        facets: &[FacetCandidate<'_>],
        hits: &[Hit],
    ) -> Option<Vec<Number>> {
        if hits.iter().any(|hit| hit.near == Near::Never)
            || facets.iter().any(|facet| !facet.same_in_every_box)
        {
            return None;
        }
        let entries = hits.iter().filter_map(|hit| match hit.near {
            Near::Entry(number) => Some(number),
            Near::No | Near::Never => None,
        });
        let mut entries: Vec<usize> = entries.collect();
        entries.sort_unstable();
        entries.into_iter().find_map(|number| {
            let entry = self.shown.entry(number)?;
            let may = self.may_stand_for(from, entry, asked, facets);
            match &entry.state {
                State::Released(parts) if may => Some(parts.clone()),
                _ => None,
            }
        })
    }

    /// How many persons an earlier release showed that may be shown beside a mean in the place of
    /// those it rests on, and whose number would conflict. Nothing is said then of how many these
    /// are, but that they are nearly the same.
    pub(crate) fn near_size(
        &self,
        from: &Standpoint<'_>,
        asked: &Entry,
        size: &FacetCandidate<'_>,
        hits: &[Hit],
    ) -> Option<Number> {
        if hits.iter().any(|hit| hit.near == Near::Never) {
            return None;
        }
        let entries = hits.iter().filter_map(|hit| match hit.near {
            Near::Entry(number) => Some(number),
            Near::No | Near::Never => None,
        });
        let mut entries: Vec<usize> = entries.collect();
        entries.sort_unstable();
        // Sums of derived columns may say of other persons what this one says of these.
        let mut all = entries.iter().filter_map(|at| self.shown.entry(*at));
        if all.any(is_derived) {
            return None;
        }
        let shown = entries.into_iter().find_map(|number| {
            let entry = self.shown.entry(number)?;
            self.size_shown(from, entry, asked, size)
        })?;
        let least = super::view(&self.shown, from, None)
            .k_diff()
            .saturating_mul(FINER);
        let enough = shown.to_integer()? >= i128::from(least);
        enough.then_some(shown)
    }

    /// The number of persons that an entry showed, if it may be shown in this place.
    fn size_shown(
        &self,
        from: &Standpoint<'_>,
        entry: &Entry,
        asked: &Entry,
        size: &FacetCandidate<'_>,
    ) -> Option<Number> {
        let view = super::view(&self.shown, from, None);
        let State::Released(parts) = &entry.state else {
            return None;
        };
        let stated = match (parts.as_slice(), entry.facets.as_slice()) {
            ([_], [only]) => only,
            // a mean with the persons it rests on
            ([_, _, _, _], [sum, .., count]) if !sum.form.is_count() => count,
            _ => return None,
        };
        let may = entry.id.protection == asked.id.protection
            && (entry.core || entry.project == asked.project)
            && stated.vec == size.facet.vec
            && differ_harmlessly(&stated.shape, &size.facet.shape, from.codebook)
            && view.difference(&size.facet, entry, stated) < view.k_diff();
        parts.first().copied().filter(|_| may)
    }

    fn may_stand_for(
        &self,
        from: &Standpoint<'_>,
        entry: &Entry,
        asked: &Entry,
        facets: &[FacetCandidate<'_>],
    ) -> bool {
        let view = super::view(&self.shown, from, None);
        let mut pairs = facets.iter().zip(&entry.facets);
        is_ample(&entry.facets, from.params)
            && entry.id.vec == asked.id.vec
            && entry.id.protection == asked.id.protection
            && (entry.core || entry.project == asked.project)
            && differ_harmlessly(&entry.shape, &asked.shape, from.codebook)
            && facets.len() == entry.facets.len()
            && pairs.all(|(now, then)| view.difference(&now.facet, entry, then) < view.k_diff())
    }
}

/// Whether whatever is near a release has enough persons for every rule about their number. Else a mark
/// would say that just so many are there, of one group after the other beside the same release. What
/// its rounded number stands for decides, so that the mark says no more than that number.
fn is_ample(facets: &[Facet], params: &ReleaseParams) -> bool {
    let enough = k_eff(params.k, params.round_base);
    let free = k_eff(params.dof.saturating_add(1), params.round_base);
    let sums = facets.iter().any(|facet| !facet.form.is_count());
    let least = u64::from(if sums { enough.max(free) } else { enough });
    let base = u64::from(params.round_base.max(1));
    facets.iter().all(|facet| {
        let persons = facet.footprint.people.len();
        let shown = persons.saturating_add(base / 2) / base * base;
        let fewest = shown.saturating_sub(base / 2);
        fewest >= least.saturating_add(u64::from(enough)).saturating_sub(1)
    })
}
