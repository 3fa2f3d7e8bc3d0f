//! Families of conditions with alternatives, over as many dimensions as these are about.
//!
//! Whoever meets one of several conditions is everybody but those who meet none, so over the atoms of all
//! columns concerned such a release is a region like any, though not a rectangle. What follows is then
//! looked for among products of runs, and among the rows of the basis.
//!
//! What it must not know: which releases belong together, who asks.

use std::collections::{BTreeMap, BTreeSet};

use quorate_query::codebook::Codebook;
use roaring::RoaringBitmap;

use super::axis::{Atom, Axis};
use super::basis::{Amounts, Basis, Prints, Residue, Sums};
use super::extent::Extent;
use super::field::Fp;
use super::grid::TooLarge;
use super::judge::{Judge, Member, judge_count};
use super::kept::content;
use super::place::{Dim, Part, parts_of};
use super::search::Run;
use super::shelf::DimNo;
use super::{Conflict, Setting};
use crate::history::Facet;

/// A release with more places than this is not judged, so not told.
const MOST: usize = 4096;
/// Releases that would cut into more places than this are left out.
const ENOUGH: usize = 1024;
/// Products of runs that are looked at.
const MOST_PRODUCTS: usize = 1 << 16;
/// Families that one release is looked at in.
const MOST_FAMILIES: usize = 64;

/// No box of a family with alternatives is known by a newer release.
static NONE_NEWER: BTreeMap<usize, Sums> = BTreeMap::new();

/// What a release restricts in the dimensions of a family.
pub(super) type Parts = Vec<(Dim, Part)>;

/// One release beside the new one.
#[derive(Clone)]
pub(super) struct Other {
    pub(super) number: usize,
    pub(super) parts: Parts,
    /// Whether it has alternatives.
    pub(super) soft: bool,
}

/// The dimensions of families: those of one release with alternatives, of two or of three, larger ones
/// first.
pub(super) fn unions(sets: &BTreeSet<BTreeSet<DimNo>>) -> Vec<BTreeSet<DimNo>> {
    let mut found = sets.clone();
    for _ in 0..2 {
        let wider: Vec<_> = found
            .iter()
            .flat_map(|a| sets.iter().map(move |b| a | b))
            .take(MOST_FAMILIES * MOST_FAMILIES)
            .collect();
        found.extend(wider);
    }
    let mut all: Vec<_> = found.into_iter().collect();
    all.sort_by_key(|dims| std::cmp::Reverse(dims.len()));
    all.truncate(MOST_FAMILIES);
    all
}

/// The product of several dimensions, cut into atoms.
#[derive(Clone)]
struct Space<'a> {
    codebook: &'a Codebook,
    places: BTreeMap<Dim, usize>,
    axes: Vec<Axis>,
}

impl<'a> Space<'a> {
    fn of(dims: &BTreeSet<Dim>, codebook: &'a Codebook) -> Self {
        let axes = dims.iter().map(|dim| Axis::whole(dim, codebook, false));
        Self {
            codebook,
            places: dims.iter().cloned().zip(0..).collect(),
            axes: axes.collect(),
        }
    }

    fn width(&self) -> usize {
        let lengths = self.axes.iter().map(|axis| axis.atoms.len());
        lengths.fold(1, usize::saturating_mul)
    }

    fn cut(&mut self, parts: impl IntoIterator<Item = (Dim, Part)>) {
        for (dim, part) in parts {
            if let Some(condition) = dim.condition(self.codebook) {
                self.cut(parts_of(condition).collect::<Parts>());
                continue;
            }
            let at = self.places.get(&dim).copied();
            if let Some(axis) = at.and_then(|at| self.axes.get_mut(at))
                && let Some((cut, _)) = axis.cut(&part)
            {
                *axis = cut;
            }
        }
    }

    /// Cuts, unless it comes to more places.
    fn cut_within(&mut self, parts: &Parts, most: usize) -> bool {
        let mut cut = self.clone();
        cut.cut(parts.iter().cloned());
        let fits = cut.width() <= most.max(self.width());
        if fits {
            *self = cut;
        }
        fits
    }

    /// The places that meet all of these; what is not about the dimensions restricts nothing.
    fn region(&self, parts: impl IntoIterator<Item = (Dim, Part)>) -> Vec<bool> {
        let mut region = vec![true; self.width()];
        for (dim, part) in parts {
            let inside = self.inside(&dim, &part);
            for (place, inside) in region.iter_mut().zip(inside) {
                *place &= inside;
            }
        }
        region
    }

    fn inside(&self, dim: &Dim, part: &Part) -> Vec<bool> {
        if let Some(condition) = dim.condition(self.codebook) {
            let met = self.region(parts_of(condition)).into_iter();
            return met.map(|met| met == (*part == Part::In)).collect();
        }
        let axis = self.places.get(dim).and_then(|at| self.axes.get(*at));
        let atoms = axis.map(|axis| axis.inside(Some(part), true));
        let at = self.places.get(dim).copied().unwrap_or(usize::MAX);
        let covers = |atom: usize| atoms.as_ref().and_then(|a| a.get(atom)).copied();
        let each = (0..self.width()).map(|place| self.atom(place, at).and_then(covers));
        each.map(|covered| covered.unwrap_or(true)).collect()
    }

    /// The atom of one axis that a place lies in; the last axis counts fastest.
    fn atom(&self, place: usize, at: usize) -> Option<usize> {
        let later = self.axes.iter().skip(at.checked_add(1)?);
        let stride = later.fold(1, |all: usize, axis| all.saturating_mul(axis.atoms.len()));
        let length = self.axes.get(at)?.atoms.len();
        place.checked_div(stride)?.checked_rem(length)
    }

    /// The places of a product of runs.
    fn product(&self, runs: &[&Run]) -> Vec<bool> {
        let has = |place: usize| {
            let mut each = runs.iter().enumerate();
            each.all(|(at, run)| self.atom(place, at).is_some_and(|atom| run.has(atom)))
        };
        (0..self.width()).map(has).collect()
    }

    /// Whether a product of runs is what the codebook lets everybody know: how many values are missing.
    fn is_told(&self, runs: &[&Run]) -> bool {
        self.axes.iter().zip(runs).any(|(axis, run)| {
            let mut atoms = axis.atoms.iter().enumerate();
            axis.missing_public && atoms.all(|(at, atom)| run.has(at) == (*atom == Atom::Null))
        })
    }
}

/// Why a release may not leave beside others, if so. `dims` are all the dimensions that they may differ in.
pub(super) fn conflict(
    dims: &BTreeSet<Dim>,
    (own, facet): (&Parts, &Facet),
    mut others: Vec<Other>,
    setting: &Setting<'_>,
    changed: &RoaringBitmap,
) -> Option<Conflict> {
    let mut space = Space::of(dims, setting.codebook);
    if !space.cut_within(own, MOST) {
        let mut cut = space.clone();
        cut.cut(own.iter().cloned());
        return Some(TooLarge { atoms: cut.width() }.conflict());
    }
    // First what has alternatives, then what cuts nothing more, then the rest as far as it goes.
    others.sort_by_key(|other| !other.soft);
    let alternatives = others.iter().filter(|other| other.soft);
    let kept: BTreeSet<usize> = alternatives
        .filter(|other| space.cut_within(&other.parts, ENOUGH))
        .map(|other| other.number)
        .collect();
    others.retain(|other| !other.soft || kept.contains(&other.number));
    let now = space.width();
    others.sort_by_key(|other| {
        let mut cut = space.clone();
        cut.cut(other.parts.iter().cloned());
        cut.width() > now
    });
    others.retain(|other| space.cut_within(&other.parts, ENOUGH));
    Family::of(space, own, facet, &others, setting, changed).conflict()
}

/// A family with a new release beside it.
struct Family<'a> {
    space: Space<'a>,
    basis: Basis,
    own: Vec<bool>,
    facet: &'a Facet,
    numbers: Vec<usize>,
    judge: Judge<'a>,
    changed: &'a RoaringBitmap,
}

impl<'a> Family<'a> {
    fn of(
        space: Space<'a>,
        own: &Parts,
        facet: &'a Facet,
        others: &[Other],
        setting: &'a Setting<'a>,
        changed: &'a RoaringBitmap,
    ) -> Self {
        let mut basis = Basis::new(space.width());
        let mut members = Vec::new();
        for other in others {
            let Some(facet) = setting.releases.facet(other.number) else {
                continue;
            };
            let region = space.region(other.parts.iter().cloned());
            let content = content(facet, changed, !changed.is_empty());
            if let Some(residue) = basis.residue(&region, content) {
                basis.insert(residue);
            }
            let extent = Extent::Places(region);
            members.push(Member { facet, extent });
        }
        let own = space.region(own.iter().cloned());
        members.push(Member {
            facet,
            extent: Extent::Places(own.clone()),
        });
        let mut numbers: Vec<usize> = others.iter().map(|other| other.number).collect();
        numbers.sort_unstable();
        Self {
            judge: Judge {
                members,
                params: setting.params,
                form: facet.form,
                // the dimensions are of persons, who add up over them
                of_rows: false,
                adds_up: true,
                mixed: !changed.is_empty(),
                drifts: &[],
                newest: &NONE_NEWER,
                anew: Vec::new(),
            },
            space,
            basis,
            own,
            facet,
            numbers,
            changed,
        }
    }

    fn conflict(&self) -> Option<Conflict> {
        let content = content(self.facet, self.changed, !self.changed.is_empty());
        let found = match self.basis.residue(&self.own, content.clone()) {
            Some(residue) => self.news(&residue),
            // It says nothing more, unless its data are others than those of what it follows from.
            None if self.changed.is_empty() => None,
            None => {
                let surplus = self.basis.surplus(&self.own, content)?;
                let differs = surplus.nonzero().next().is_some();
                differs.then(|| self.judge.surplus(&surplus)).flatten()
            }
        };
        found.map(|conflict| Conflict {
            among: self.numbers.clone(),
            ..conflict
        })
    }

    /// What follows with it and did not before.
    fn news(&self, residue: &Residue) -> Option<Conflict> {
        let before = self.basis.prints();
        let after = self.basis.prints_with(residue);
        let shapes = self.basis.regions_with(residue).into_iter();
        let mut shapes = shapes.filter(|(region, _)| *region != self.own);
        let found = shapes.find_map(|(region, amounts)| self.verdict(amounts, &region, residue));
        found.or_else(|| {
            let axes = &self.space.axes;
            let runs: Vec<Vec<Run>> = axes.iter().map(Run::all).collect();
            let products = runs
                .iter()
                .fold(1, |all: usize, runs| all.saturating_mul(runs.len()));
            if products > MOST_PRODUCTS {
                return None;
            }
            self.products(&runs, &Sheet::of(before, &after), &mut Vec::new(), residue)
        })
    }

    /// Every product of runs, dimension by dimension.
    fn products<'r>(
        &self,
        runs: &'r [Vec<Run>],
        sheet: &Sheet,
        chosen: &mut Vec<&'r Run>,
        residue: &Residue,
    ) -> Option<Conflict> {
        let Some((first, later)) = runs.split_first() else {
            let amounts = sheet.news()?;
            let region = self.space.product(chosen);
            let skipped = region == self.own || self.space.is_told(chosen);
            return (!skipped).then(|| self.verdict(amounts, &region, residue))?;
        };
        let atoms = self.space.axes.get(chosen.len())?.atoms.len();
        first.iter().find_map(|run| {
            chosen.push(run);
            let found = self.products(later, &sheet.over(run, atoms), chosen, residue);
            chosen.pop();
            found
        })
    }

    fn verdict(&self, amounts: Amounts, region: &[bool], residue: &Residue) -> Option<Conflict> {
        if self.facet.form.is_count() && self.changed.is_empty() {
            return judge_count(amounts, self.judge.params);
        }
        let sums = |region: &[bool]| -> Option<Sums> { self.basis.sums_with(region, residue) };
        self.judge.judge(amounts, || region.to_vec(), sums)
    }
}

/// Fingerprints and amounts, summed over runs of the first dimensions.
struct Sheet {
    before: Vec<Fp>,
    after: Vec<Fp>,
    amounts: Vec<Amounts>,
}

impl Sheet {
    fn of(before: &Prints, after: &Prints) -> Self {
        Self {
            before: before.follows.clone(),
            after: after.follows.clone(),
            amounts: after.amounts.clone(),
        }
    }

    /// Summed over a run of the first dimension that is left, which has so many atoms.
    fn over(&self, run: &Run, atoms: usize) -> Self {
        fn sum<T: Copy + Default>(
            all: &[T],
            (run, atoms): (&Run, usize),
            plus: impl Fn(T, T) -> T,
        ) -> Vec<T> {
            let stride = all.len().checked_div(atoms).unwrap_or(0).max(1);
            let mut sums = vec![T::default(); stride];
            for (_, chunk) in all
                .chunks(stride)
                .enumerate()
                .filter(|(atom, _)| run.has(*atom))
            {
                for (sum, one) in sums.iter_mut().zip(chunk) {
                    *sum = plus(*sum, *one);
                }
            }
            sums
        }
        let which = (run, atoms);
        Self {
            before: sum(&self.before, which, Fp::plus),
            after: sum(&self.after, which, Fp::plus),
            amounts: sum(&self.amounts, which, Amounts::plus),
        }
    }

    /// What is in it, if it follows now and did not before.
    fn news(&self) -> Option<Amounts> {
        let follows = |prints: &[Fp]| prints.first() == Some(&Fp::ZERO);
        let is_new = follows(&self.after) && !follows(&self.before);
        self.amounts.first().copied().filter(|_| is_new)
    }
}
