//! The index of all families, and the reduced bases that are kept between questions.

mod build;

use std::collections::{BTreeMap, BTreeSet};

use quorate_query::codebook::Codebook;
use roaring::RoaringBitmap;

use super::kept::Kept;
use super::known::{Known, States};
use super::place::{Dim, Place};
use super::shelf::{Base, DimNo, Names, Pair, Parts, allowed, pairs, removals};
use super::soft::{self, Other, unions};
use super::{Conflict, Setting};
use crate::history::{Facet, Form, by_event, same};
use build::{covers, is_present};

/// Bases of smaller families are quicker built than kept.
const WORTH_KEEPING: usize = 4;
/// When the kept bases have more numbers than this, all are forgotten and built again as needed.
const MOST_NUMBERS: usize = 1 << 24;

/// All families of everything released.
///
/// Call [`add`](Self::add) once for each facet of a durable release, in the order of release, and
/// [`begin_epoch`](Self::begin_epoch) once for each epoch, in their order and before any of its releases.
/// Only facets whose shape says exactly whose rows they are may be added. For a question: call [`audit`](Self::audit) for
/// each facet of a cell that passed the other rules; if none has a conflict, [`hold`](Self::hold)
/// them, so that the cells of one table are audited against each other; when the question is
/// decided, [`roll_back`](Self::roll_back) and `add` what became durable.
///
/// Every facet has a number by which [`Releases`](super::Releases) finds it again: the caller's
/// choice, never given twice among the facets that are in at a time (an index will do; held facets
/// free theirs with `roll_back`). Facets are looked up at the next `audit`, not before.
///
/// Reduced bases are built when a family is first asked about and kept across questions, for each codebook
/// and each state of the data that is asked about. `add` carries them on by one row; `hold` does so on a
/// copy that `roll_back` throws away, at the cost of copying the families of the held facets once a
/// question. `begin_epoch` forgets all bases.
#[derive(Default)]
pub struct FamilyAudit {
    names: Names,
    /// Where each facet lies, if in several places once for each.
    known: BTreeMap<usize, Vec<Known>>,
    shelves: BTreeMap<Base, Shelf>,
    /// For each epoch but the present one: whose data differ now.
    changed_since: Vec<RoaringBitmap>,
    /// How many epochs had begun with the one that is asked about.
    present: usize,
    /// Told of, not yet listed: number and epoch.
    waiting: Vec<(usize, usize)>,
    held: Vec<usize>,
    /// Families as they were before anything was held; `None` if not kept then.
    before: BTreeMap<(Base, Name), Option<Kept>>,
    numbers: usize,
    /// Digests of the codebooks that bases were cut by, and which of them is asked by.
    codebooks: Vec<String>,
    codebook: usize,
    /// Whether any release ever had alternatives: if none has, nothing is looked for.
    alternatives: bool,
}

/// Where a facet lies. Persons who have some event are looked at among all persons, and among those
/// with other events of the table. What was released before shapes had one form gets it here.
fn places(facet: &Facet, setting: &Setting<'_>) -> Vec<Place> {
    let shape = same(&facet.shape, facet.form, setting.codebook);
    let of_events = match facet.form {
        Form::Persons => by_event(&shape, setting.codebook),
        Form::Rows(_) | Form::Sum(_) => None,
    };
    let shapes = [Some(shape), of_events].into_iter().flatten();
    shapes
        .filter_map(|shape| Place::of(&shape, setting.codebook))
        .collect()
}

/// Releases with one base, by the dimensions taken away for it, and kept families of them.
#[derive(Default)]
struct Shelf {
    releases: BTreeMap<BTreeSet<DimNo>, Vec<usize>>,
    kept: BTreeMap<Name, Kept>,
}

/// A family on a shelf: of which state of the data it is asked, and by which codebook's domains it is cut. A
/// custodian's datasets take turns in both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Name {
    pair: Pair,
    states: States,
    present: usize,
    codebook: usize,
}

impl FamilyAudit {
    /// Nothing released yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a facet that has left for good, of the epoch with which so many had begun. What is held is
    /// forgotten.
    pub fn add(&mut self, number: usize, begun: usize) {
        self.roll_back();
        self.waiting.push((number, begun));
    }

    /// From here on the epoch with which so many had begun is asked about: the latest one, unless the data
    /// are again what they were.
    pub fn stand_in(&mut self, begun: usize) {
        self.present = begun;
    }

    /// Takes in a facet for the rest of this question.
    pub fn hold(&mut self, number: usize) {
        self.held.push(number);
    }

    /// Forgets what is held.
    pub fn roll_back(&mut self) {
        for number in std::mem::take(&mut self.held) {
            let all = self.known.remove(&number).unwrap_or_default();
            let removals: Vec<_> = all.iter().flat_map(|known| self.removals(known)).collect();
            for removal in removals {
                let Some(shelf) = self.shelves.get_mut(&removal.base) else {
                    continue;
                };
                if let Some(list) = shelf.releases.get_mut(&removal.removed) {
                    list.retain(|other| *other != number);
                    if list.is_empty() {
                        shelf.releases.remove(&removal.removed);
                    }
                }
                if shelf.releases.is_empty() {
                    self.shelves.remove(&removal.base);
                }
            }
        }
        for ((base, name), kept) in std::mem::take(&mut self.before) {
            let Some(shelf) = self.shelves.get_mut(&base) else {
                continue;
            };
            match kept {
                Some(kept) => shelf.kept.insert(name, kept),
                None => shelf.kept.remove(&name),
            };
        }
    }

    /// Begins an epoch: these persons' data differ from the epoch before. Nothing may be held.
    pub fn begin_epoch(&mut self, changed: &RoaringBitmap) {
        self.roll_back();
        for since in &mut self.changed_since {
            *since |= changed;
        }
        self.changed_since.push(changed.clone());
        self.present = self.changed_since.len();
        self.forget();
    }

    /// Why a facet of the present epoch may not leave beside what is in, if so.
    pub fn audit(&mut self, facet: &Facet, setting: &Setting<'_>) -> Option<Conflict> {
        self.catch_up(setting);
        let places = places(facet, setting).into_iter();
        let now = self.present;
        let book = setting.codebook;
        let candidates: Vec<Known> = places
            .map(|place| self.at(place, facet, now, book))
            .collect();
        let mut candidates = candidates.iter();
        candidates.find_map(|candidate| {
            let found = self.audit_at(candidate, facet, setting);
            found.or_else(|| self.audit_soft(candidate, facet, setting))
        })
    }

    fn at(&mut self, place: Place, facet: &Facet, epoch: usize, codebook: &Codebook) -> Known {
        let found = Known::of(place, facet.form, epoch, &mut self.names, codebook);
        self.alternatives |= found.has_alternatives();
        found
    }

    fn audit_at(
        &mut self,
        candidate: &Known,
        facet: &Facet,
        setting: &Setting<'_>,
    ) -> Option<Conflict> {
        for removal in self.removals(candidate) {
            let Some(shelf) = self.shelves.get(&removal.base) else {
                continue;
            };
            let others: BTreeSet<DimNo> = shelf.releases.keys().flatten().copied().collect();
            let mut done = BTreeSet::new();
            for pair in pairs(&removal.removed, &others, &self.names) {
                let Some(pair) = self.varying(&removal.base, pair, candidate) else {
                    continue;
                };
                if !done.insert(pair) {
                    continue;
                }
                let mut states = self.states(&removal.base, pair).into_iter();
                let conflict = states.find_map(|states| {
                    let name = self.name(pair, states);
                    self.audit_in(&removal.base, name, candidate, facet, setting)
                });
                if conflict.is_some() {
                    return conflict;
                }
            }
        }
        None
    }

    /// As [`Self::audit_at`], of releases with alternatives and those beside them, in as many dimensions as
    /// these are about.
    fn audit_soft(
        &self,
        candidate: &Known,
        facet: &Facet,
        setting: &Setting<'_>,
    ) -> Option<Conflict> {
        if !self.alternatives {
            return None;
        }
        let all = self.known.iter();
        let all = all.flat_map(|(number, all)| all.iter().map(move |known| (*number, known)));
        let alike: Vec<(usize, &Known)> = all
            .filter(|(_, known)| known.form == candidate.form && known.events == candidate.events)
            .collect();
        let everybody = alike.iter().map(|(_, known)| *known).chain([candidate]);
        let about = everybody.map(|known| known.about.clone());
        let sets: BTreeSet<_> = about.filter(|dims| !dims.is_empty()).collect();
        unions(&sets).into_iter().find_map(|dims| {
            let (base, own) = candidate.apart(&dims)?;
            let within = alike.iter().filter_map(|(number, known)| {
                let (other, inside) = known.apart(&dims)?;
                let other = (other == base).then_some(Other {
                    number: *number,
                    parts: self.named(&inside),
                    soft: known.has_alternatives(),
                })?;
                Some((known.epoch, other))
            });
            let within: Vec<(usize, Other)> = within.collect();
            let dims = dims.iter().filter_map(|dim| self.names.dim(*dim));
            let dims: BTreeSet<Dim> = dims.cloned().collect();
            let own = self.named(&own);
            [States::Present, States::All]
                .into_iter()
                .find_map(|states| {
                    let there = within.iter().filter(|(e, _)| states.has(*e, self.present));
                    let oldest = there.clone().map(|(epoch, _)| *epoch).min()?;
                    let others: Vec<Other> = there.map(|(_, other)| other.clone()).collect();
                    let soft =
                        candidate.has_alternatives() || others.iter().any(|other| other.soft);
                    let changed = self.changed(states, oldest);
                    let own = (&own, facet);
                    soft.then(|| soft::conflict(&dims, own, others, setting, &changed))?
                })
        })
    }

    fn named(&self, parts: &Parts) -> soft::Parts {
        let named = |(dim, part): (&DimNo, &u32)| {
            let dim = self.names.dim(*dim)?;
            Some((dim.clone(), self.names.part(*part)?.clone()))
        };
        parts.iter().filter_map(named).collect()
    }

    /// Lists everything that it was told of.
    fn catch_up(&mut self, setting: &Setting<'_>) {
        let digest = &setting.codebook.digest;
        let known = self.codebooks.iter().position(|known| known == digest);
        self.codebook = known.unwrap_or_else(|| {
            self.codebooks.push(digest.clone());
            self.codebooks.len().saturating_sub(1)
        });
        for (number, epoch) in std::mem::take(&mut self.waiting) {
            self.insert(number, epoch, false, setting);
        }
        if self.numbers > MOST_NUMBERS && self.before.is_empty() {
            self.forget();
        }
        let now = self.present;
        for number in self.held.clone() {
            if !self.known.contains_key(&number) {
                self.insert(number, now, true, setting);
            }
        }
    }

    fn insert(&mut self, number: usize, epoch: usize, holding: bool, setting: &Setting<'_>) {
        let Some(facet) = setting.releases.facet(number) else {
            return;
        };
        let places = places(facet, setting).into_iter();
        let book = setting.codebook;
        let all: Vec<Known> = places
            .map(|place| self.at(place, facet, epoch, book))
            .collect();
        for known in &all {
            self.list(number, known, facet, holding);
        }
        self.known.insert(number, all);
    }

    fn list(&mut self, number: usize, known: &Known, facet: &Facet, holding: bool) {
        for removal in self.removals(known) {
            let (names, base) = (&self.names, removal.base);
            let shelf = self.shelves.entry(base.clone()).or_default();
            let mut outdated = Vec::new();
            for (name, kept) in &mut shelf.kept {
                let belongs = removal.removed.is_subset(&allowed(name.pair, names));
                if !belongs || !name.states.has(known.epoch, name.present) {
                    continue;
                }
                if holding {
                    let key = (base.clone(), *name);
                    self.before.entry(key).or_insert_with(|| Some(kept.clone()));
                }
                let size = kept.size();
                if known.epoch < kept.oldest {
                    // Whose data have changed since the oldest is another matter now.
                    outdated.push(*name);
                    self.numbers = self.numbers.saturating_sub(size);
                    continue;
                }
                let covers = covers(known, &base, name.pair, names);
                kept.admit(number, covers, facet);
                self.numbers = self
                    .numbers
                    .saturating_add(kept.size())
                    .saturating_sub(size);
            }
            shelf.kept.retain(|name, _| !outdated.contains(name));
            shelf
                .releases
                .entry(removal.removed)
                .or_default()
                .push(number);
        }
    }

    /// Where a release lies among those of a base.
    fn known_in(&self, base: &Base, number: usize) -> Option<&Known> {
        let all = self.known.get(&number)?;
        all.iter().find(|known| known.events == base.events)
    }

    fn name(&self, pair: Pair, states: States) -> Name {
        Name {
            pair,
            states,
            present: self.present,
            codebook: self.codebook,
        }
    }

    fn forget(&mut self) {
        for shelf in self.shelves.values_mut() {
            shelf.kept.clear();
        }
        self.before.clear();
        self.numbers = 0;
    }

    fn removals(&self, known: &Known) -> Vec<super::shelf::Removal> {
        removals(known.form, known.events.as_ref(), &known.parts, &self.names)
    }

    /// The numbers of the releases in a family.
    fn members(&self, base: &Base, pair: Pair) -> Vec<usize> {
        let allowed = allowed(pair, &self.names);
        let lists = self.shelves.get(base).into_iter().flat_map(|s| &s.releases);
        let mut members: Vec<usize> = lists
            .filter(|(removed, _)| removed.is_subset(&allowed))
            .flat_map(|(_, list)| list)
            .copied()
            .collect();
        members.sort_unstable();
        members
    }

    /// The pair without a dimension in which nobody differs; `None` if the family is part of a
    /// larger one, or has nobody else in it.
    fn varying(&self, base: &Base, pair: Pair, candidate: &Known) -> Option<Pair> {
        let members = self.members(base, pair);
        let all = || {
            let known = members
                .iter()
                .filter_map(|number| self.known_in(base, *number));
            known.chain([candidate])
        };
        let differ = |dim: DimNo| {
            let covered = |known: &Known| {
                let part = known.parts.get(&dim).copied();
                (part, is_present(known, base, dim, &self.names))
            };
            let own = covered(candidate);
            all().any(|known| covered(known) != own)
        };
        let restricts = |dim: DimNo| candidate.parts.contains_key(&dim);
        match (pair, differ(pair.0), pair.1.is_some_and(differ)) {
            (_, true, true) | ((_, None), true, _) => Some(pair),
            ((a, Some(b)), true, false) if !restricts(b) => Some((a, None)),
            ((a, Some(b)), false, true) if !restricts(a) => Some((b, None)),
            _ => None,
        }
    }

    /// Which families of a pair there are: of releases of the present state, of this and the one before, of all.
    fn states(&self, base: &Base, pair: Pair) -> Vec<States> {
        let members = self.members(base, pair).into_iter();
        let known = members.filter_map(|number| self.known_in(base, number));
        let mut epochs: Vec<usize> = known.map(|known| known.epoch).collect();
        epochs.dedup();
        let epochs: BTreeSet<usize> = epochs.into_iter().collect();
        let mut earlier = epochs.range(..self.present).rev();
        let (before, more) = (earlier.next(), earlier.next().is_some());
        // Where the data are again what they were, others are of later states.
        let latest = epochs.range(self.present + 1..).next().is_none();
        let two = before.filter(|_| more && latest);
        let mixed = before.is_some() || !latest;
        let present = mixed.then_some(States::Present);
        let two = two.map(|first| States::Since(*first));
        present
            .into_iter()
            .chain(two)
            .chain([States::All])
            .collect()
    }

    fn audit_in(
        &mut self,
        base: &Base,
        name: Name,
        candidate: &Known,
        facet: &Facet,
        setting: &Setting<'_>,
    ) -> Option<Conflict> {
        let new = covers(candidate, base, name.pair, &self.names);
        let mut family = self.take(base, name, setting);
        let mut conflict = family.conflict(&new, facet, setting);
        if let Some(conflict) = &mut conflict {
            let members = family.members.iter().map(|(number, _)| *number);
            conflict.among = members.collect();
        }
        if family.members.len() >= WORTH_KEEPING {
            self.numbers = self.numbers.saturating_add(family.size());
            let shelf = self.shelves.entry(base.clone()).or_default();
            shelf.kept.insert(name, family);
        }
        conflict
    }

    /// A family, out of what is kept or built.
    fn take(&mut self, base: &Base, name: Name, setting: &Setting<'_>) -> Kept {
        let kept = self
            .shelves
            .get_mut(base)
            .and_then(|s| s.kept.remove(&name));
        if let Some(kept) = kept {
            self.numbers = self.numbers.saturating_sub(kept.size());
            return kept;
        }
        if !self.held.is_empty() {
            self.before.entry((base.clone(), name)).or_insert(None);
        }
        self.build(base, name, setting)
    }
}
