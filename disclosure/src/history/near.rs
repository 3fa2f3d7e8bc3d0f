//! Near an earlier answer: a cell that differs from an earlier release in a few persons, and not by
//! anything sensitive, shows that release in its place. Nothing new leaves.
//!
//! Page: `docs/disclosure/near_earlier.md`.

use quorate_query::number::Number;

use super::boxes::differ_harmlessly;
use super::candidate::FacetCandidate;
use super::entry::{Entry, State};
use super::view::{Hit, Near};
use super::{History, Standpoint};

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

    fn may_stand_for(
        &self,
        from: &Standpoint<'_>,
        entry: &Entry,
        asked: &Entry,
        facets: &[FacetCandidate<'_>],
    ) -> bool {
        let view = self.view(from, None);
        let mut pairs = facets.iter().zip(&entry.facets);
        entry.id.vec == asked.id.vec
            && entry.id.protection == asked.id.protection
            && (entry.core || entry.project == asked.project)
            && differ_harmlessly(&entry.shape, &asked.shape, from.codebook)
            && facets.len() == entry.facets.len()
            && pairs.all(|(now, then)| view.difference(&now.facet, entry, then) < view.k_diff())
    }
}
