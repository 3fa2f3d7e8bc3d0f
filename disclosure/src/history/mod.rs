//! What a population has ever shown, and what a new cell would show beside it.
//!
//! In memory and whole: every release of every epoch and dataset of the population. The rules are
//! one file each, applied as a table; every rule judges every cell, whatever the others say. What
//! this module must not know: where releases are stored, and who asked for them.

pub mod boxes;
mod candidate;
pub mod caps;
mod changes;
mod derived;
mod entry;
pub mod family;
mod few;
mod h1;
mod h1s;
mod h2;
mod h2s;
mod meaning;
mod near;
mod r7_pairs;
mod ratio;
mod recall;
mod same;
mod shown;
mod span;
mod spread;
mod states;
#[cfg(test)]
mod tests;
mod times;
mod view;
mod weights;

use std::collections::BTreeMap;

use quorate_query::codebook::Codebook;
use quorate_query::release::ReleaseParams;
use roaring::RoaringBitmap;

pub use candidate::{Across, Addends, FacetCandidate, Statement};
pub(crate) use derived::{DECIMALS, derived_vec, sources};
pub use entry::{Entry, Facet, Footprint, Form, ReleaseId, Shape, State};
pub(crate) use meaning::bound;
pub(crate) use recall::Recall;
pub(crate) use same::{by_event, in_form, same};
pub use spread::{Spread, Traits};
pub(crate) use view::{Hit, Near};

use family::{Conflict, FamilyAudit, Setting};
use shown::{Mark, Shown};
use times::{Changed, Times};
use view::{Rule, View};

/// The rules about earlier releases, in order; the first that finds something is the reason.
/// Beside them there is the family audit (H2f), which keeps state of its own.
const RULES: [Rule; 9] = [
    Rule {
        find: r7_pairs::find,
    },
    Rule { find: h1::find },
    Rule { find: h1s::find },
    Rule {
        find: derived::find,
    },
    Rule { find: span::find },
    Rule { find: h2::find },
    Rule { find: h2s::find },
    Rule {
        find: changes::find,
    },
    Rule { find: states::find },
];

/// With so many entries families are audited while the other rules look at releases.
const LONG: usize = 200;

/// How many releases of a family a finding names.
const NAMED: usize = 8;

/// Everything a population has shown, oldest first. A node builds it from its store when it starts
/// and adds what it has made durable.
#[derive(Default)]
pub struct History {
    shown: Shown,
    families: FamilyAudit,
    times: Times,
    /// Where the tables of the question begin that is being decided table by table.
    several: Option<Mark>,
}

/// From where a question looks at a history.
pub(crate) struct Standpoint<'a> {
    pub(crate) codebook: &'a Codebook,
    pub(crate) params: &'a ReleaseParams,
    pub(crate) epoch: &'a str,
    changed: BTreeMap<String, Changed>,
    start: Mark,
}

/// Where the tables of one question begin.
pub(crate) struct Several(Mark);

impl History {
    /// Nothing was ever shown.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A new state of the data, later than all that were begun before. `changed` are the persons
    /// whose data differ from the state before. Beginning an epoch again changes nothing.
    pub fn begin_epoch(&mut self, epoch: String, changed: RoaringBitmap) {
        if self.times.begin(epoch, changed.clone()) {
            self.families.begin_epoch(&changed);
        }
    }

    /// Adds what is durable. An entry that is there already changes nothing.
    pub fn add(&mut self, entry: Entry) {
        let audited = !entry.is_union();
        let begun = self.times.begun(&entry.id.epoch);
        let numbers = self.shown.add(entry).filter(|_| audited);
        for number in numbers.into_iter().flatten() {
            self.families.add(number, begun);
        }
    }

    /// All entries, oldest first.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = &Entry> {
        self.shown.entries().iter()
    }

    /// What an entry of each state of the data under each protection is known by.
    pub(crate) fn protections(&self) -> impl Iterator<Item = &ReleaseId> {
        self.shown.protections().map(|entry| &entry.id)
    }

    /// The entry with this identity.
    #[must_use]
    pub fn get(&self, id: &ReleaseId) -> Option<&Entry> {
        self.shown.entry(self.shown.find(id)?)
    }

    pub(crate) fn standpoint<'a>(
        &self,
        codebook: &'a Codebook,
        params: &'a ReleaseParams,
        epoch: &'a str,
    ) -> Standpoint<'a> {
        Standpoint {
            codebook,
            params,
            epoch,
            changed: self.times.against(epoch),
            start: self.shown.mark(),
        }
    }

    /// Takes in what would be released, until [`Self::roll_back`].
    pub(crate) fn hold(&mut self, entry: Entry) {
        let audited = !entry.is_union();
        let numbers = self.shown.add(entry).filter(|_| audited);
        for number in numbers.into_iter().flatten() {
            self.families.hold(number);
        }
    }

    /// Forgets everything that was held since.
    pub(crate) fn roll_back(&mut self, from: &Standpoint<'_>) {
        self.families.roll_back();
        self.shown.roll_back(from.start);
        // What earlier tables of the question hold stays.
        let earlier = self
            .several
            .iter()
            .flat_map(|begin| begin.facets_until(from.start));
        for number in earlier {
            let audited = |(_, entry, _): &(_, &Entry, _)| !entry.is_union();
            if self.shown.get(number).as_ref().is_some_and(audited) {
                self.families.hold(number);
            }
        }
    }

    /// From here on tables of one question are held beside each other, until [`Self::end_several`].
    pub(crate) fn begin_several(&mut self) -> Several {
        let begin = self.shown.mark();
        self.several = Some(begin);
        Several(begin)
    }

    /// Forgets all that was held since.
    pub(crate) fn end_several(&mut self, Several(begin): Several) {
        self.several = None;
        self.families.roll_back();
        self.shown.roll_back(begin);
    }

    /// Everything that a cell would show too much beside what is there. What is known already, as
    /// part of another measure or as a sum of cells, is no news.
    pub(crate) fn audit(
        &mut self,
        from: &Standpoint<'_>,
        facets: &[FacetCandidate<'_>],
    ) -> Vec<Hit> {
        let (shown, families) = (&self.shown, &mut self.families);
        families.stand_in(self.times.begun(from.epoch));
        let setting = Setting {
            codebook: from.codebook,
            params: from.params,
            releases: shown,
        };
        let news = news(shown, from, facets);
        let by_rules = || {
            news.iter()
                .map(|one| find(shown, from, one, None))
                .collect()
        };
        let in_families = || {
            let conflicts = news.iter().map(|one| families.audit(&one.facet, &setting));
            conflicts.collect()
        };
        let long = shown.entries().len() >= LONG && !news.is_empty();
        let (hits, conflicts): (Vec<Vec<Hit>>, Vec<Option<Conflict>>) =
            beside(long, by_rules, in_families);
        let hit = |conflict: Conflict| Hit {
            rule: "H2f",
            why: format!("{}; {}", conflict.why, named(shown, &conflict.among)),
            statistic: Some(conflict.statistic),
            near: Near::No,
        };
        let conflicts = conflicts.into_iter().map(|found| found.map(hit));
        let both = hits.into_iter().zip(conflicts);
        both.flat_map(|(hits, more)| hits.into_iter().chain(more))
            .collect()
    }

    /// As [`Self::audit`], of what cells of one measure of this question add up to.
    pub(crate) fn audit_union(
        &self,
        from: &Standpoint<'_>,
        facets: &[FacetCandidate<'_>],
        vec: [u8; 32],
    ) -> Vec<Hit> {
        let within = Some((from.start.entries, vec));
        let news = news(&self.shown, from, facets).into_iter();
        news.flat_map(|candidate| find(&self.shown, from, candidate, within))
            .collect()
    }

    /// The name of a release that showed what a facet counts of the rows of a shape, in any state of
    /// the data. Sums of a column within whatever bounds say nearly the same.
    pub(crate) fn total(&self, like: &Facet, shape: &Shape) -> Option<String> {
        let mut stated = self.shown.stated(like.vec, shape);
        stated.find_map(|number| {
            let (_, entry, facet) = self.shown.get(number)?;
            let says = facet.form == like.form || !like.form.is_count();
            says.then(|| entry.name())
        })
    }
}

/// Names of releases, the newest first and not more than a few.
fn named(shown: &Shown, facets: &[usize]) -> String {
    let mut names: Vec<String> = Vec::new();
    for number in facets.iter().rev() {
        let name = shown.get(*number).map(|(_, entry, _)| entry.name());
        names.extend(name.filter(|name| !names.contains(name)));
    }
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    match more {
        0 => format!("its family: {}", names.join(", ")),
        more => format!("its family: {} and {more} more", names.join(", ")),
    }
}

/// The facets that say something which is not known yet.
fn news<'f, 'a>(
    shown: &Shown,
    from: &Standpoint<'_>,
    facets: &'f [FacetCandidate<'a>],
) -> Vec<&'f FacetCandidate<'a>> {
    let news = |candidate: &&FacetCandidate<'_>| {
        let facet = &candidate.facet;
        let says = |also: &Statement| {
            let shape = same(&also.shape, also.form, from.codebook);
            let also = Statement {
                shape,
                ..also.clone()
            };
            shown.states(&also, from.epoch).is_some()
        };
        let also = candidate.across.also.iter().any(says);
        let known = candidate.exact && (also || shown.says(facet, from.epoch).is_some());
        !known && !facet.footprint.people.is_empty()
    };
    facets.iter().filter(news).collect()
}

/// What the rules find against a facet.
fn find(
    shown: &Shown,
    from: &Standpoint<'_>,
    candidate: &FacetCandidate<'_>,
    within: Option<(usize, [u8; 32])>,
) -> Vec<Hit> {
    let view = view(shown, from, within);
    let mut hits = Vec::new();
    for rule in &RULES {
        hits.extend((rule.find)(&view, candidate));
    }
    hits
}

fn view<'v>(
    shown: &'v Shown,
    from: &'v Standpoint<'_>,
    within: Option<(usize, [u8; 32])>,
) -> View<'v> {
    View {
        shown,
        changed: &from.changed,
        epoch: from.epoch,
        params: from.params,
        codebook: from.codebook,
        within,
    }
}

/// What two pieces of work come to, side by side if they are long and there is a thread to be had.
fn beside<A: Send, B>(long: bool, one: impl Fn() -> A + Sync, other: impl FnOnce() -> B) -> (A, B) {
    if !long {
        return (one(), other());
    }
    std::thread::scope(|scope| {
        let started = std::thread::Builder::new().spawn_scoped(scope, &one);
        let other = other();
        match started.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(found)) => (found, other),
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(_no_thread) => (one(), other),
        }
    })
}
