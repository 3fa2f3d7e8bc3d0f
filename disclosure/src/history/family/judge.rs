//! Whether a run that would follow says too much: of too few persons, or dominated by one or two.
//!
//! What it must not know: how it was found that the run follows.

use std::collections::BTreeMap;

use quorate_query::release::{ReleaseParams, k_eff};
use roaring::RoaringBitmap;

use super::Conflict;
use super::basis::{Amounts, Sums};
use super::extent::{Extent, covers};
use super::field::Fp;
use crate::Statistic;
use crate::history::spread::support;
use crate::history::{Facet, Form, Spread};

/// A release of the family: its persons and the places it covers.
#[derive(Clone)]
pub(super) struct Member<'a> {
    pub(super) facet: &'a Facet,
    pub(super) extent: Extent<'a>,
}

/// Which places a run covers.
type Region = Vec<bool>;

/// All that is needed to judge a run.
pub(super) struct Judge<'a> {
    /// Everything released in the family, the new one last.
    pub(super) members: Vec<Member<'a>>,
    pub(super) params: &'a ReleaseParams,
    /// What each person adds to these releases.
    pub(super) form: Form,
    /// Whether one of the dimensions belongs to rows of events: persons do not add up over it.
    pub(super) of_rows: bool,
    /// Whether what a person adds to a region is what they add to its parts.
    pub(super) adds_up: bool,
    /// Whether some of it is from other states of the data.
    pub(super) mixed: bool,
    /// What releases of one box say in one state of the data more than in another.
    pub(super) drifts: &'a [Sums],
    /// What the newest release of a member's box says more than that member.
    pub(super) newest: &'a BTreeMap<usize, Sums>,
    /// The drifts by the newest release of every box that they rest on.
    pub(super) anew: Vec<Sums>,
}

impl Judge<'_> {
    /// Why a run may not follow, if so. Its amounts follow with it, unless they are of rows: then
    /// what persons add in the places of a spread does.
    pub(super) fn judge(
        &self,
        amounts: Amounts,
        region: impl Fn() -> Region,
        sums: impl Fn(&[bool]) -> Option<Sums>,
    ) -> Option<Conflict> {
        let threshold = self.threshold();
        if self.mixed && self.is_safe(amounts) {
            return None;
        }
        if self.mixed {
            let sums = sums(&region());
            let found = self.judge_changed(self.unchanged(amounts), sums.as_ref());
            let found = found.or_else(|| self.anew(amounts, sums.as_ref()));
            let mut drifts = self.drifts.iter();
            return found.or_else(|| drifts.find_map(|d| self.drifted(amounts, sums.as_ref(), d)));
        }
        if self.of_rows {
            let run = region();
            return self.judge_rows(&run, sums(&run).as_ref());
        }
        if self.form.is_count() {
            return judge_count(amounts, self.params);
        }
        let persons = amounts.persons.least();
        if persons < threshold {
            return Some(too_few("family_persons", persons, threshold));
        }
        self.judge_sum(amounts.size, persons, region)
    }

    fn threshold(&self) -> u64 {
        threshold(self.params)
    }

    /// How many persons of a region are surely where they were: who has not changed.
    fn unchanged(&self, amounts: Amounts) -> u64 {
        match self.of_rows {
            true => 0,
            false => amounts.persons.least(),
        }
    }

    /// Whether enough persons are counted who are surely where they were, whatever else changed.
    pub(super) fn is_safe(&self, amounts: Amounts) -> bool {
        self.form == Form::Persons && self.unchanged(amounts) >= self.threshold()
    }

    /// Why a region that follows may not be told by the newest release of every box that it rests on, with or
    /// without a drift by these.
    fn anew(&self, amounts: Amounts, sums: Option<&Sums>) -> Option<Conflict> {
        if self.newest.is_empty() {
            return None;
        }
        let all = by_newest(sums?, self.newest);
        let alone = self.judge_changed(self.unchanged(amounts), Some(&all));
        let mut drifts = self.anew.iter();
        alone.or_else(|| drifts.find_map(|drift| self.drifted(amounts, Some(&all), drift)))
    }

    /// Why a region that follows may not be told beside what a new release of a known box says.
    pub(super) fn with_drift(
        &self,
        amounts: Amounts,
        sums: Option<&Sums>,
        drift: &Sums,
    ) -> Option<Conflict> {
        let anew = || self.anew(amounts, sums);
        self.drifted(amounts, sums, drift).or_else(anew)
    }

    /// Why a region that follows may not be told with a drift taken off it, or put on it.
    fn drifted(&self, amounts: Amounts, sums: Option<&Sums>, drift: &Sums) -> Option<Conflict> {
        let unchanged = self.unchanged(amounts);
        let signs = [Fp::ONE, Fp::ZERO.minus(Fp::ONE)];
        signs.into_iter().find_map(|sign| {
            let both = sums.map(|sums| sums.with(drift, sign));
            self.judge_changed(unchanged, both.as_ref())
        })
    }

    /// Why a sum of releases, each with its factor, may not be told.
    pub(super) fn rests_on_few(&self, terms: &[(i64, &Spread)]) -> Option<Conflict> {
        let enough = support(terms, self.threshold()) >= self.threshold();
        if enough && self.form == Form::Persons {
            return None;
        }
        let nobody = Sums::default();
        let sum = terms.iter().fold(nobody, |sum, (factor, spread)| {
            sum.with(&Sums::of(spread), Fp::of(i128::from(*factor)))
        });
        self.judge_changed(0, Some(&sum))
    }

    /// Of several states of the data: whoever has changed may be left over or not, so what follows rests
    /// on those who have not and on as many as its spread proves. R4 and R5 are asked of its parts,
    /// because one person who makes up a sum makes up a part of it.
    fn judge_changed(&self, unchanged: u64, sums: Option<&Sums>) -> Option<Conflict> {
        let threshold = self.threshold();
        let persons = unchanged.max(sums.map_or(0, proven));
        if persons < threshold {
            return Some(too_few("family_persons", persons, threshold));
        }
        let Some(sums) = sums.filter(|_| self.form != Form::Persons) else {
            return (self.form != Form::Persons).then(|| dominated(0, 1));
        };
        let members = self.members.iter().map(|member| member.facet.footprint.abs);
        let all = members.fold(0_i128, i128::saturating_add);
        // Beyond, a residue may stand for another number.
        if all >= i128::from(1_u64 << 59) {
            return Some(dominated(0, 1));
        }
        let mut places: Vec<i128> = sums.nonzero().map(|(_, sum)| sum.size().into()).collect();
        places.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
        let mut largest = places.iter().copied();
        let (first, second) = (largest.next().unwrap_or(0), largest.next().unwrap_or(0));
        let size = places
            .iter()
            .fold(0, |all: i128, place| all.saturating_add(*place));
        let left = size.saturating_sub(first).saturating_sub(second);
        self.dominates(size, first, second)
            .then(|| dominated(left, size.saturating_sub(left)))
    }

    /// Why a release may not say more than what follows, if what it says more rests on a few.
    pub(super) fn surplus(&self, sums: &Sums) -> Option<Conflict> {
        let (persons, threshold) = (proven(sums), self.threshold());
        (persons < threshold).then(|| too_few("family_surplus", persons, threshold))
    }

    /// Rows of events: how many persons have rows in a run does not follow from anything, so lower
    /// bounds must do: the spread of what follows, and who is in which release.
    fn judge_rows(&self, run: &Region, sums: Option<&Sums>) -> Option<Conflict> {
        let threshold = self.threshold();
        let counts = self.form.is_count();
        let rows = self.adds_up && counts;
        let nobody = sums.is_some_and(|sums| sums.nonzero().next().is_none());
        if rows && nobody && self.params.zeros_public {
            return None;
        }
        let by_spread = sums.map_or(0, proven);
        // Without spreads nothing better is known.
        let by_sets = (rows || (counts && sums.is_none())) && by_spread < threshold;
        let by_sets = if by_sets { self.surely_in(run) } else { 0 };
        let bound = by_spread.max(by_sets);
        if bound < threshold {
            return Some(too_few("family_rows_persons", bound, threshold));
        }
        match sums {
            Some(sums) if rows || !counts => self.judge_totals(sums),
            _ => None,
        }
    }

    /// R4 and R5 on rows, with R6 on totals of rows. Nobody adds less than zero, so no person adds more than all who
    /// share a place, and no two more than two places.
    fn judge_totals(&self, sums: &Sums) -> Option<Conflict> {
        let members = || self.members.iter().map(|member| &member.facet.footprint);
        let positive = members().all(|footprint| {
            let spread = footprint.spread.as_ref();
            spread.is_some_and(|spread| !spread.traits().signed)
        });
        let all = members().fold(0_i128, |all, one| all.saturating_add(one.abs));
        // Beyond, a residue may stand for another number.
        if !positive || !self.adds_up || all >= i128::from(1_u64 << 60) {
            return Some(dominated(0, 1));
        }
        let mut places: Vec<i128> = sums.nonzero().map(|(_, sum)| sum.least().into()).collect();
        places.sort_unstable_by_key(|sum| std::cmp::Reverse(*sum));
        let mut largest = places.iter().copied();
        let (first, second) = (largest.next().unwrap_or(0), largest.next().unwrap_or(0));
        let size = places.iter().sum();
        if self.dominates(size, first, second) {
            let left = size - first - second;
            return Some(dominated(left, size - left));
        }
        let alike = !self.form.is_count() && self.may_be_alike(sums);
        alike.then(|| dominated(0, 1))
    }

    /// R6: whether all may add the same. That would divide what is added in every place, and be at
    /// least what the persons there add on average.
    fn may_be_alike(&self, sums: &Sums) -> bool {
        let people = self.members.iter().map(|m| &m.facet.footprint.people);
        let everybody = people.fold(RoaringBitmap::new(), |all, some| all | some.as_ref());
        let persons = Spread::of_persons(&everybody);
        let (mut common, mut least) = (0_u64, 0_u64);
        for (place, sum) in sums.nonzero() {
            let persons = persons.sums().get(place).copied().unwrap_or(0);
            let persons = u64::try_from(persons).unwrap_or(0).max(1);
            common = gcd(common, sum.least());
            least = least.max(sum.least().div_ceil(persons));
        }
        common >= least
    }

    /// At least so many persons have rows in a run: those of a release within it, or those of a
    /// release around it who are in no release beside it, if what is beside it is covered.
    fn surely_in(&self, run: &Region) -> u64 {
        let within = self
            .members
            .iter()
            .filter(|m| covers(run, m.extent.places()));
        let within = within.map(|m| m.facet.footprint.people.len()).max();
        let beside: Vec<&Member<'_>> = self
            .members
            .iter()
            .filter(|m| !meet(m.extent.places(), run))
            .collect();
        let mut covered = run.clone();
        let mut people = RoaringBitmap::new();
        for member in beside {
            people |= member.facet.footprint.people.as_ref();
            for (place, inside) in covered.iter_mut().zip(member.extent.places()) {
                *place |= inside;
            }
        }
        let around = self
            .members
            .iter()
            .filter(|m| covers(m.extent.places(), run) && covers(&covered, m.extent.places()));
        let around = around.map(|m| {
            let all = &m.facet.footprint.people;
            all.len() - all.intersection_len(&people)
        });
        within.max(around.max()).unwrap_or(0)
    }

    /// R4 to R6 on what the persons of a run add.
    fn judge_sum(&self, size: Fp, persons: u64, region: impl Fn() -> Region) -> Option<Conflict> {
        let largest = largest(self.members.iter().map(|member| member.facet));
        let size = i128::from(size.least());
        let one_each = i128::from(persons);
        match first_sight(size, one_each, largest, self.params) {
            Sight::Nothing => return None,
            Sight::Unknown => return Some(dominated(0, 1)),
            Sight::Closer => {}
        }
        let alike = are_alike(size, one_each, largest);
        let top = Top::of(self.persons_of(&region()), &self.members);
        let (first, second) = top.two();
        if self.dominates(size, first, second) {
            let left = size - first - second;
            return Some(dominated(left, size - left));
        }
        (alike && top.may_all_be(size / one_each)).then(|| dominated(0, 1))
    }

    fn dominates(&self, size: i128, first: i128, second: i128) -> bool {
        dominates(self.params, size, first, second)
    }

    /// The persons of a run that follows: those whose releases are those of a place in it.
    fn persons_of(&self, run: &Region) -> RoaringBitmap {
        let mut around = self
            .members
            .iter()
            .filter(|m| covers(m.extent.places(), run));
        let everybody = || {
            let people = self.members.iter().map(|m| &m.facet.footprint.people);
            people.fold(RoaringBitmap::new(), |all, some| all | some.as_ref())
        };
        let (people, places) = match around.next() {
            Some(one) => (
                one.facet.footprint.people.as_ref().clone(),
                one.extent.places().to_vec(),
            ),
            None => (everybody(), vec![true; run.len()]),
        };
        let mut found = RoaringBitmap::new();
        let mut open = vec![(people, places, 0)];
        while let Some((people, places, next)) = open.pop() {
            if people.is_empty() || !meet(&places, run) {
                continue;
            }
            if covers(run, &places) {
                found |= people;
                continue;
            }
            let Some(member) = self.members.get(next) else {
                continue;
            };
            let split = |wanted: bool| -> Vec<bool> {
                let both = places.iter().zip(member.extent.places());
                both.map(|(place, inside)| *place && *inside == wanted)
                    .collect()
            };
            let theirs = member.facet.footprint.people.as_ref();
            open.push((&people & theirs, split(true), next + 1));
            open.push((&people - theirs, split(false), next + 1));
        }
        found
    }
}

/// What some releases say together, each told anew by the newest one of its box.
pub(super) fn by_newest(sums: &Sums, newest: &BTreeMap<usize, Sums>) -> Sums {
    let newer = |(known, times): (usize, Fp)| Some((newest.get(&known)?, times));
    let newer = sums.releases().filter_map(newer);
    newer.fold(sums.clone(), |all, (more, times)| all.with(more, times))
}

/// Whether a run has enough persons.
pub(super) fn is_many(amounts: Amounts, params: &ReleaseParams) -> bool {
    amounts.persons.least() >= threshold(params)
}

/// The largest size of what anybody adds to these.
pub(super) fn largest<'a>(facets: impl Iterator<Item = &'a Facet>) -> i128 {
    let each = facets.filter_map(|facet| facet.footprint.largest.first());
    each.map(|one| one.1.saturating_abs()).max().unwrap_or(0)
}

/// Whether a sum over a run that follows may be told, whoever of the family is in it and whatever its
/// shape: neither of few, nor dominated by two who add the largest number, nor perhaps of one number each.
pub(super) fn is_plainly_safe(amounts: Amounts, largest: i128, params: &ReleaseParams) -> bool {
    let (persons, size) = (amounts.persons.least(), amounts.size.least());
    let seen = || first_sight(size.into(), persons.into(), largest, params);
    persons >= threshold(params) && seen() == Sight::Nothing
}

/// What a sum of sizes says at first sight.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// Nobody can dominate it, and its persons do not add the same.
    Nothing,
    /// A residue that stands for more than it can hold says nothing about sizes.
    Unknown,
    /// It depends on who is in it.
    Closer,
}

fn first_sight(size: i128, persons: i128, largest: i128, params: &ReleaseParams) -> Sight {
    if largest >= i128::from(1_u64 << 56) {
        return Sight::Unknown;
    }
    let closer = are_alike(size, persons, largest) || dominates(params, size, largest, largest);
    if closer {
        Sight::Closer
    } else {
        Sight::Nothing
    }
}

/// Whether so many persons may all add the same, which is at most so large.
fn are_alike(size: i128, persons: i128, largest: i128) -> bool {
    let even = size.checked_rem(persons) == Some(0);
    even && size
        .checked_div(persons)
        .is_some_and(|each| each <= largest)
}

/// R4 (p%) and R5 (n, k) with the two largest, or bounds above them.
fn dominates(params: &ReleaseParams, size: i128, first: i128, second: i128) -> bool {
    let (p, share) = (i128::from(params.p_pct), i128::from(params.nk.1));
    let two = first.saturating_add(second);
    let hundred = |x: i128| x.saturating_mul(100);
    hundred(size.saturating_sub(two)) < p.saturating_mul(first)
        || hundred(two) >= share.saturating_mul(size)
}

fn threshold(params: &ReleaseParams) -> u64 {
    k_eff(params.k, params.round_base).into()
}

/// Why a run that holds so many may not follow where numbers are counted that add up: nothing else
/// of the family matters then.
pub(super) fn judge_count(amounts: Amounts, params: &ReleaseParams) -> Option<Conflict> {
    let (persons, threshold) = (amounts.persons.least(), threshold(params));
    let public = persons == 0 && params.zeros_public;
    (persons < threshold && !public).then(|| too_few("family_persons", persons, threshold))
}

/// At least so many persons add something.
fn proven(sums: &Sums) -> u64 {
    u64::try_from(sums.nonzero().count()).unwrap_or(u64::MAX)
}

/// The greatest common divisor.
fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// What is known of the largest contributions in a run.
struct Top {
    persons: u64,
    /// Known contributions of persons in the run.
    known: BTreeMap<u32, i128>,
    /// No other contribution is larger.
    others: i128,
}

impl Top {
    fn of(people: RoaringBitmap, members: &[Member<'_>]) -> Self {
        let mut known = BTreeMap::new();
        let mut others: Option<i128> = None;
        for member in members {
            let footprint = &member.facet.footprint;
            let kept = footprint.largest.iter();
            known.extend(kept.filter(|one| people.contains(one.0)).copied());
            if people.is_subset(&footprint.people) {
                let complete = u64::try_from(footprint.largest.len())
                    .is_ok_and(|kept| kept == footprint.people.len());
                let least = footprint
                    .largest
                    .last()
                    .map_or(0, |one| one.1.saturating_abs());
                let bound = if complete { 0 } else { least };
                others = Some(others.map_or(bound, |known| known.min(bound)));
            }
        }
        let largest = known.values().map(|x: &i128| x.saturating_abs()).max();
        Self {
            persons: people.len(),
            known,
            others: others.or(largest).unwrap_or(0),
        }
    }

    fn unknown(&self) -> u64 {
        let known = u64::try_from(self.known.len()).unwrap_or(u64::MAX);
        self.persons.saturating_sub(known)
    }

    /// The two largest sizes, or bounds above them.
    fn two(&self) -> (i128, i128) {
        let known = self.known.values().map(|x| x.saturating_abs());
        let others = (0..self.unknown().min(2)).map(|_| self.others);
        let mut all: Vec<i128> = known.chain(others).collect();
        all.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
        let mut all = all.into_iter();
        (all.next().unwrap_or(0), all.next().unwrap_or(0))
    }

    /// R6: whether all of them may be of this size.
    fn may_all_be(&self, size: i128) -> bool {
        self.known.values().all(|x| x.saturating_abs() == size)
            && (self.unknown() == 0 || self.others >= size)
    }
}

fn too_few(name: &'static str, value: u64, threshold: u64) -> Conflict {
    Conflict {
        among: Vec::new(),
        statistic: Statistic {
            name,
            value: value.into(),
            threshold: threshold.into(),
        },
        why: format!(
            "with earlier answers it would show a group of {value} persons, the threshold is {threshold}"
        ),
    }
}

fn dominated(value: i128, threshold: i128) -> Conflict {
    Conflict {
        among: Vec::new(),
        statistic: Statistic {
            name: "family_dominance",
            value,
            threshold,
        },
        why: "with earlier answers it would show a group whose sum one or two persons make up"
            .to_owned(),
    }
}

fn meet(a: &[bool], b: &[bool]) -> bool {
    a.iter().zip(b).any(|(a, b)| *a && *b)
}
