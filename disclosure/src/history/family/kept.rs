//! One family as it is kept between questions, and whether a new release may join it. What it must
//! not know: other families.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

use roaring::RoaringBitmap;

use super::axis::{Atom, Axis};
use super::basis::{Amounts, Content, Prints, Residue, Sums};
use super::extent::{Extent, Sides, product};
use super::field::Fp;
use super::grid::{Covers, Grid, TooLarge};
use super::judge::{Judge, Member, by_newest, is_many, is_plainly_safe, judge_count, largest};
use super::search;
use super::{Conflict, Setting};
use crate::Statistic;
use crate::history::{Facet, Form, Spread};

/// A family: its grid, its members and whose data have changed since the oldest of them.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) grid: Result<Grid, TooLarge>,
    pub(super) members: Vec<(usize, Covers)>,
    pub(super) changed: RoaringBitmap,
    /// No member is of an earlier state of the data.
    pub(super) oldest: usize,
    /// Whether one of the dimensions belongs to rows of events: persons do not add up over it.
    pub(super) of_rows: bool,
    /// What releases of one box say in one state of the data more than in another.
    pub(super) drifts: Vec<Sums>,
    /// As drifts, where there was no difference: with newer releases of other boxes there may be one. The newest
    /// of these, not more than a number.
    pub(super) even: Vec<Sums>,
    /// What the newest release of a member's box says more than that member, which the basis rests on.
    pub(super) newest: BTreeMap<usize, Sums>,
    /// What the release would add that was asked about last: mostly it is the next to be admitted.
    pub(super) asked: Option<Asked>,
}

/// A release, and what it would add to a family as it is.
#[derive(Clone)]
pub(super) struct Asked {
    covers: Covers,
    content: Content,
    residue: Residue,
}

/// With more drifts than this nothing is told that would need comparing with them.
const MOST_DRIFTS: usize = 256;

impl Kept {
    pub(super) fn size(&self) -> usize {
        let sums = match (self.by_sums(), &self.grid) {
            (true, Ok(grid)) => Spread::PLACES.saturating_add(grid.basis.rank()),
            _ => 0,
        };
        let numbers = |grid: &Grid| {
            let of_row = grid.basis.width().saturating_add(sums);
            grid.basis.rank().saturating_mul(of_row)
        };
        let asked = self.asked.as_ref().map_or(0, |asked| asked.residue.width());
        let asked = asked.saturating_add(sums);
        self.grid.as_ref().map_or(0, numbers).saturating_add(asked)
    }

    /// Whether what persons add must be looked at: where they do not add up over a dimension, and
    /// where some have other data now.
    fn by_sums(&self) -> bool {
        self.of_rows || !self.changed.is_empty()
    }

    /// What a release holds. What persons add is looked at only where persons do not add up.
    fn content(&self, facet: &Facet) -> Content {
        let mut found = content(facet, &self.changed, self.by_sums());
        if !self.changed.is_empty() {
            let number = self.members.len();
            found.sums = found.sums.map(|sums| sums.by(number));
        }
        found
    }

    pub(super) fn admit(&mut self, number: usize, covers: Covers, facet: &Facet) {
        let content = self.content(facet);
        let mixed = !self.changed.is_empty();
        let asked = self.asked.take();
        let asked = asked.filter(|asked| asked.covers == covers && asked.content == content);
        if let Ok(grid) = &mut self.grid {
            let admitted = match asked {
                Some(asked) => grid.admit_known(&covers, asked.residue),
                None => grid.admit(&covers, content.clone()),
            };
            match admitted {
                Err(too_large) => self.grid = Err(too_large),
                Ok(true) => {}
                Ok(false) => {
                    let drift = grid.basis.surplus(&grid.region(&covers), content);
                    if let Some(drift) = drift.filter(|_| mixed) {
                        let number = self.members.len();
                        if let Some(known) = twin(&drift, number) {
                            self.newest.insert(known, drift.clone().alone());
                        }
                        let differs = drift.nonzero().next().is_some();
                        let list = if differs {
                            &mut self.drifts
                        } else {
                            &mut self.even
                        };
                        list.push(drift);
                        let most = self.even.len().saturating_sub(MOST_DRIFTS);
                        self.even.drain(..most);
                    }
                }
            }
        }
        self.members.push((number, covers));
    }

    /// Why a new release may not join the family, if so.
    pub(super) fn conflict(
        &mut self,
        new: &Covers,
        facet: &Facet,
        setting: &Setting<'_>,
    ) -> Option<Conflict> {
        let content = self.content(facet);
        let grid = match &mut self.grid {
            Ok(grid) => grid,
            Err(too_large) => return Some(too_large.conflict()),
        };
        let mut cut;
        let fits = grid.fits(new);
        let grid = if fits {
            grid
        } else {
            // Only what leaves cuts for good.
            cut = grid.clone();
            if let Err(too_large) = cut.cut(new) {
                return Some(too_large.conflict());
            }
            &mut cut
        };
        let residue = grid.residue(new, content.clone());
        let prints = residue
            .as_ref()
            .map(|residue| grid.basis.prints_with(residue));
        let grid = &*grid;
        let own_sides = grid.sides(new);
        let own = product(&own_sides);
        let follows = residue.is_none();
        let drift = follows.then(|| grid.basis.surplus(&own, content.clone()));
        let drift = drift.flatten();
        let known = drift
            .as_ref()
            .and_then(|drift| Some((twin(drift, self.members.len())?, drift)));
        let newest = known.and_then(|(known, drift)| newer(&self.newest, known, drift));
        let family = Family {
            grid,
            own,
            own_sides: &own_sides,
            members: &self.members,
            facet,
            setting,
            of_rows: self.of_rows,
            mixed: !self.changed.is_empty(),
            drifts: &self.drifts,
            even: &self.even,
            newest: newest.as_ref().unwrap_or(&self.newest),
            moves: newest.is_some(),
            drift: drift.as_ref(),
            judge: OnceCell::new(),
            largest: OnceCell::new(),
        };
        let (Some(residue), Some(after)) = (residue, prints) else {
            let drifts = || family.drifts(drift.as_ref()?);
            let found = family.repeats(content).or_else(drifts);
            return found.or_else(|| family.across());
        };
        let found = family.follows(&residue, &after);
        self.asked = (fits && found.is_none()).then(|| Asked {
            covers: new.clone(),
            content,
            residue,
        });
        found
    }
}

/// What a release holds; what its persons add only if asked for.
pub(super) fn content(facet: &Facet, changed: &RoaringBitmap, by_sums: bool) -> Content {
    let footprint = &facet.footprint;
    let persons = footprint.people.difference_len(changed);
    let spread = footprint.spread.as_ref().filter(|_| by_sums);
    Content {
        amounts: Amounts {
            persons: Fp::of(persons.into()),
            size: Fp::of(footprint.abs),
        },
        sums: spread.map(Sums::of),
    }
}

/// A family with a new release beside it.
struct Family<'a> {
    grid: &'a Grid,
    /// What the new release covers.
    own: Vec<bool>,
    own_sides: &'a Sides,
    members: &'a [(usize, Covers)],
    facet: &'a Facet,
    setting: &'a Setting<'a>,
    of_rows: bool,
    mixed: bool,
    drifts: &'a [Sums],
    even: &'a [Sums],
    newest: &'a BTreeMap<usize, Sums>,
    /// Whether the new release says of its box what the newest one did not.
    moves: bool,
    /// What the new release says more than follows, where its box does.
    drift: Option<&'a Sums>,
    /// Made when something follows that must be judged: most releases add nothing of the kind.
    judge: OnceCell<Judge<'a>>,
    largest: OnceCell<i128>,
}

impl<'a> Family<'a> {
    /// What would follow with a new release that does not, by what it adds and the fingerprints with it.
    fn follows(&self, residue: &Residue, after: &Prints) -> Option<Conflict> {
        let grid = self.grid;
        let found = search::search(&grid.axes, grid.basis.prints(), after, |found| {
            let runs = [found.first, found.second];
            if is_told(&grid.axes, &runs) || is_exactly(self.own_sides, &runs) {
                return ControlFlow::Continue(());
            }
            let region = || rectangle(&grid.axes, &runs);
            let sums = |region: &[bool]| grid.basis.sums_with(region, residue);
            match self.verdict(found.amounts, region, sums) {
                Some(conflict) => ControlFlow::Break(conflict),
                None => ControlFlow::Continue(()),
            }
        });
        found
            .break_value()
            .or_else(|| self.what_is_left(residue))
            .or_else(|| self.across())
    }

    fn judge(&self) -> &Judge<'a> {
        self.judge.get_or_init(|| {
            let own = Member {
                facet: self.facet,
                extent: Extent::of(self.own_sides),
            };
            let members: Vec<Member<'a>> = self.others().chain([own]).collect();
            Judge {
                adds_up: self.adds_up(),
                members,
                params: self.setting.params,
                form: self.facet.form,
                of_rows: self.of_rows,
                mixed: self.mixed,
                drifts: self.drifts,
                anew: self.drifts_anew(),
                newest: self.newest,
            }
        })
    }

    /// The drifts, by the newest release of every box that they rest on.
    fn drifts_anew(&self) -> Vec<Sums> {
        let all = self.drifts.iter().chain(self.even).chain(self.drift);
        let anew = all.map(|drift| by_newest(drift, self.newest));
        let some = |drift: &Sums| drift.nonzero().next().is_some();
        anew.filter(some).collect()
    }

    /// Why a run may not follow, if so.
    fn verdict(
        &self,
        amounts: Amounts,
        region: impl Fn() -> Vec<bool>,
        sums: impl Fn(&[bool]) -> Option<Sums>,
    ) -> Option<Conflict> {
        let params = self.setting.params;
        match self.facet.form.is_count() {
            _ if self.is_surely_many(amounts) => None,
            _ if self.of_rows || self.mixed => self.judge().judge(amounts, region, sums),
            true => judge_count(amounts, params),
            false if is_plainly_safe(amounts, self.largest(), params) => None,
            false => self.judge().judge(amounts, region, sums),
        }
    }

    /// Whether enough persons are counted who are surely where they were, whatever else changed.
    fn is_surely_many(&self, amounts: Amounts) -> bool {
        let counted = self.mixed && !self.of_rows && self.facet.form == Form::Persons;
        counted && is_many(amounts, self.setting.params)
    }

    /// The largest size of what anybody adds to a release of the family.
    fn largest(&self) -> i128 {
        *self.largest.get_or_init(|| {
            let numbers = self.members.iter().map(|member| member.0);
            let others = numbers.filter_map(|number| self.setting.releases.facet(number));
            largest(others.chain([self.facet]))
        })
    }

    fn others(&self) -> impl Iterator<Item = Member<'a>> {
        let taken = self.members.iter().zip(self.grid.taken());
        taken.filter_map(|((number, _), sides)| {
            let facet = self.setting.releases.facet(*number)?;
            let extent = Extent::of(sides);
            Some(Member { facet, extent })
        })
    }

    /// Whether what a person adds to a region is what they add to its parts.
    fn adds_up(&self) -> bool {
        let unlimited = |facet: &Facet| {
            let spread = facet.footprint.spread.as_ref();
            spread.is_some_and(|spread| !spread.traits().limited)
        };
        let numbers = self.members.iter().map(|member| member.0);
        let mut others = numbers.filter_map(|number| self.setting.releases.facet(number));
        !self.of_rows
            || (self.facet.form != Form::Persons && unlimited(self.facet) && others.all(unlimited))
    }

    /// The region of a new release follows already. Where parts do not add up to their whole, or are
    /// of other states of the data, what it says more than what follows must not rest on a few either.
    fn repeats(&self, content: Content) -> Option<Conflict> {
        let adds_up = self.adds_up() && !self.mixed;
        if adds_up || self.grid.taken().contains(self.own_sides) {
            return None;
        }
        let surplus = self.grid.basis.surplus(&self.own, content)?;
        self.judge().surplus(&surplus)
    }

    /// The region of a new release is known of other data: what it says more than these must leave no
    /// group that follows to a few whose data have changed.
    fn drifts(&self, drift: &Sums) -> Option<Conflict> {
        if !self.mixed || (drift.nonzero().next().is_none() && !self.moves) {
            return None;
        }
        if self.drifts.len() >= MOST_DRIFTS {
            return Some(full());
        }
        let (nothing, all) = self.grid.prints_of_all();
        let sides = self.grid.axes.clone();
        let found = search::search(&sides, &nothing, &all, |found| {
            let runs = [found.first, found.second];
            if is_told(&sides, &runs) || self.judge().is_safe(found.amounts) {
                return ControlFlow::Continue(());
            }
            let region = rectangle(&sides, &runs);
            if region == self.own {
                return ControlFlow::Continue(());
            }
            let sums = self.grid.basis.sums_of(&region);
            match self.judge().with_drift(found.amounts, sums.as_ref(), drift) {
                Some(conflict) => ControlFlow::Break(conflict),
                None => ControlFlow::Continue(()),
            }
        });
        let of_rows = || self.drifts_of_rows(&nothing, drift);
        found.break_value().or_else(of_rows)
    }

    /// As [`Self::drifts`], of groups of any shape, as far as the basis shows them. What is known without
    /// any release is left out.
    fn drifts_of_rows(&self, nothing: &Prints, drift: &Sums) -> Option<Conflict> {
        let grid = self.grid;
        grid.basis.regions().find_map(|(region, amounts, sums)| {
            let told = || is_all_told(&grid.axes, &region) || nothing.has(&region);
            if self.judge().is_safe(amounts) || region == self.own || told() {
                return None;
            }
            self.judge().with_drift(amounts, sums, drift)
        })
    }

    /// As [`Self::drifts`], of releases as they were told.
    fn across(&self) -> Option<Conflict> {
        let axes = &self.grid.axes;
        let known = |region: &[bool]| self.grid.prints_of_all().0.has(region);
        let is_told = |region: &[bool]| is_all_told(axes, region) || known(region);
        self.mixed.then(|| self.judge().across(is_told)).flatten()
    }

    /// What is left when parts are taken from a whole need not be a rectangle: whoever is in no
    /// part, because of one dimension or of the other.
    fn what_is_left(&self, residue: &Residue) -> Option<Conflict> {
        let grid = self.grid;
        let regions = grid.regions_with(residue).into_iter();
        let mut news =
            regions.filter(|(region, _)| *region != self.own && !is_all_told(&grid.axes, region));
        news.find_map(|(region, amounts)| {
            let sums = |region: &[bool]| grid.basis.sums_with(region, residue);
            self.verdict(amounts, || region.clone(), sums)
        })
    }
}

/// Why a family with as many drifts as it can compare tells nothing that would need comparing.
fn full() -> Conflict {
    let most = i128::try_from(MOST_DRIFTS).unwrap_or(i128::MAX);
    Conflict {
        among: Vec::new(),
        statistic: Statistic {
            name: "family_drifts",
            value: -most,
            threshold: 1 - most,
        },
        why:
            "so many boxes of this family were told anew in later data that no more can be compared"
                .to_owned(),
    }
}

/// What the newest releases say with one more of them; nothing if it says what the one before did.
fn newer(
    newest: &BTreeMap<usize, Sums>,
    known: usize,
    drift: &Sums,
) -> Option<BTreeMap<usize, Sums>> {
    let drift = drift.clone().alone();
    let same = match newest.get(&known) {
        Some(before) => *before == drift,
        None => drift.nonzero().next().is_none(),
    };
    let mut newest = (!same).then(|| newest.clone())?;
    newest.insert(known, drift);
    Some(newest)
}

/// The member whose box a new release has, by what it says more than what follows, which is the one less the
/// other.
fn twin(drift: &Sums, number: usize) -> Option<usize> {
    let mut others = drift.releases().filter(|(release, _)| *release != number);
    let (known, times) = others.next()?;
    (others.next().is_none() && times.plus(Fp::ONE) == Fp::ZERO).then_some(known)
}

impl TooLarge {
    pub(super) fn conflict(self) -> Conflict {
        let atoms = i128::try_from(self.atoms).unwrap_or(i128::MAX);
        Conflict {
            among: Vec::new(),
            statistic: Statistic {
                name: "family_atoms",
                value: -atoms,
                threshold: -4096,
            },
            why: "earlier answers cut these columns into more parts than can be audited".to_owned(),
        }
    }
}

/// Whether a run is what the codebook lets everybody know: how many values are missing.
fn is_told(axes: &[Axis; 2], runs: &[&search::Run; 2]) -> bool {
    axes.iter().zip(runs).any(|(axis, run)| {
        let missing = |(at, atom): (usize, &Atom)| run.has(at) == (*atom == Atom::Null);
        axis.missing_public && axis.atoms.iter().enumerate().all(missing)
    })
}

/// Whether everybody in a region has no value where the codebook lets everybody know how many.
fn is_all_told(axes: &[Axis; 2], region: &[bool]) -> bool {
    let [first, second] = axes;
    let told = |axis: &Axis, at: usize| {
        axis.missing_public && axis.atoms.get(at).is_some_and(|atom| *atom == Atom::Null)
    };
    let width = second.atoms.len().max(1);
    let mut inside = region.iter().enumerate().filter(|(_, inside)| **inside);
    inside.all(|(place, _)| told(first, place / width) || told(second, place % width))
}

fn is_exactly(sides: &[Vec<bool>; 2], runs: &[&search::Run; 2]) -> bool {
    sides.iter().zip(runs).all(|(side, run)| {
        let mut atoms = side.iter().enumerate();
        atoms.all(|(at, inside)| run.has(at) == *inside)
    })
}

fn rectangle(axes: &[Axis; 2], runs: &[&search::Run; 2]) -> Vec<bool> {
    let ([first, second], [a, b]) = (axes, runs);
    let line = |at: usize| (0..second.atoms.len()).map(move |other| a.has(at) && b.has(other));
    (0..first.atoms.len()).flat_map(line).collect()
}
