//! H0 and H5: a cell that was released before is shown as it was, in the same state of the data
//! and in a later one as long as too few persons make the difference.
//!
//! Pages: `docs/disclosure/H0.md`, `docs/disclosure/H5.md`.

use quorate_query::number::Number;

use super::candidate::FacetCandidate;
use super::entry::{Entry, ReleaseId, State};
use super::view::persons;
use super::{History, Standpoint};
use crate::Statistic;

/// What is remembered of a cell.
pub(crate) enum Recall {
    /// It was shown like this.
    Again(Vec<Number>),
    /// A nearly equal release was shown in its place.
    NearAgain(Vec<Number>),
    /// It was shown like this of other data, from which too few persons differ.
    Refreshed(Vec<Number>),
    /// A mean was shown like this of other data, from which too few persons differ, beside the size
    /// of a nearly equal release.
    NearRefreshed(Vec<Number>),
    /// It was given up for others.
    GivenUp,
    /// It was shown of the same or nearly the same data, protected otherwise.
    OtherProtection(Vec<Number>, Statistic),
}

impl History {
    /// What is remembered of a cell, if that decides what it shows.
    pub(crate) fn recall(
        &self,
        from: &Standpoint<'_>,
        id: &ReleaseId,
        facets: &[FacetCandidate<'_>],
    ) -> Option<Recall> {
        if let Some(entry) = self.get(id) {
            return Some(match &entry.state {
                State::Released(parts) => Recall::Again(parts.clone()),
                State::Near(parts) => Recall::NearAgain(parts.clone()),
                State::Sacrificed | State::Union { .. } => Recall::GivenUp,
            });
        }
        let given_up = |(_, entry): (usize, &Entry)| entry.state == State::Sacrificed;
        if self.shown.of_cell(id).any(given_up) {
            return Some(Recall::GivenUp);
        }
        let mut newest_first = self.shown.of_cell(id).rev();
        newest_first.find_map(|(_, entry)| self.refreshed(from, id, facets, entry))
    }

    fn refreshed(
        &self,
        from: &Standpoint<'_>,
        id: &ReleaseId,
        facets: &[FacetCandidate<'_>],
        entry: &Entry,
    ) -> Option<Recall> {
        // What only repeats an older release has no facets: the older one is compared.
        let (parts, near) = match &entry.state {
            State::Released(parts) => (parts, false),
            State::Near(parts) => (parts, true),
            State::Sacrificed | State::Union { .. } => return None,
        };
        let view = super::view(&self.shown, from, None);
        let pairs = facets.iter().zip(&entry.facets);
        let moved = pairs.map(|(now, then)| view.difference(&now.facet, entry, then));
        let statistic = persons("changed", moved.min()?, view.k_diff())?;
        statistic
            .misses()
            .then(|| match (entry.id.protection == id.protection, near) {
                (true, false) => Recall::Refreshed(parts.clone()),
                (true, true) => Recall::NearRefreshed(parts.clone()),
                (false, _) => Recall::OtherProtection(parts.clone(), statistic),
            })
    }
}
