//! H1s, dominated differences: two sums show the sum over those who are in one of them only. That
//! is judged like a sum of its own (R4, R5, R6), for every pair, of any size, nested or not.
//!
//! Of the new sum every contribution is known. Of an earlier one only the sum of sizes and the
//! largest are: what these do not prove is not assumed. Page: `docs/disclosure/H1s.md`.

use std::cell::OnceCell;

use super::boxes::are_disjoint;
use super::candidate::{Addends, Dense, FacetCandidate};
use super::entry::{Entry, Facet, Footprint};
use super::spread::Spread;
use super::view::{Hit, Near, View};
use crate::Statistic;
use crate::rules::dominance::Top;
use crate::rules::{r4_p_percent, r5_dominance};
use crate::signature::Signature;

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let counts = candidate.facet.form.is_count();
    let (Some(contributions), false) = (&candidate.contributions, counts) else {
        return Vec::new();
    };
    let new = New {
        view,
        candidate,
        contributions,
        enough: enough(view, candidate.clamp),
        kept: view.kept(),
        dense: OnceCell::new(),
    };
    let others = view.others(candidate, (0, u64::MAX));
    others
        .filter_map(|(_, indexed, entry, other)| {
            let hit = new.against(&indexed.signature, entry, other);
            let mut hit = hit.or_else(|| new.of_another_state(entry, other))?;
            hit.why = format!("{}, {}", hit.why, entry.name());
            Some(hit)
        })
        .collect()
}

/// R4 and R5 of what releases of several states of the data come to, each with its factor, by the parts of
/// their spreads: who is in all of them may have another value now, and one person who makes up a sum makes
/// up a part of it. Nothing if no part is other than zero.
pub(super) fn dominated_part(view: &View<'_>, terms: &[(i64, &Spread)]) -> Option<Statistic> {
    let sum = |at: usize| {
        terms.iter().fold(0_i128, |sum, (times, spread)| {
            let here = spread.sums().get(at).copied().unwrap_or(0);
            sum.saturating_add(i128::from(here).saturating_mul(i128::from(*times)))
        })
    };
    let mut sizes: Vec<i128> = (0..Spread::PLACES)
        .map(|at| sum(at).saturating_abs())
        .collect();
    sizes.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
    let all = sizes
        .iter()
        .fold(0_i128, |all, size| all.saturating_add(*size));
    let top = |n: usize| Top {
        all,
        largest: sizes.iter().take(n).copied().collect(),
    };
    let (n, share) = view.params.nk;
    let judged = [
        r4_p_percent::statistic(&top(2), view.params.p_pct),
        r5_dominance::statistic(&top(usize::try_from(n).unwrap_or(usize::MAX)), share),
    ];
    let missed = judged.into_iter().flatten().find(Statistic::misses);
    missed.filter(|_| all > 0)
}

/// A sum of sizes from which on nobody can dominate, whoever they are.
pub(super) fn enough(view: &View<'_>, clamp: i128) -> i128 {
    let (n, share) = view.params.nk;
    let hundredth = |times: u32| clamp.saturating_mul(times.into());
    let by_share = hundredth(n.saturating_mul(100)) / i128::from(share.max(1));
    let by_rest = hundredth(view.params.p_pct.saturating_add(200)) / 100;
    by_share.max(by_rest).saturating_add(1)
}

impl View<'_> {
    /// How many of the largest the rules look at.
    fn kept(&self) -> usize {
        usize::try_from(self.params.nk.0).map_or(Footprint::KEPT, |n| n.max(2))
    }
}

/// What is known of some contributions.
#[derive(Default)]
struct Known {
    /// At least their sum of sizes.
    abs: i128,
    /// At least the largest sizes, largest first.
    largest: Vec<i128>,
    /// Whether two of them differ.
    differ: bool,
    first: Option<i128>,
    /// How many were looked at.
    seen: u64,
    /// Whether everybody was looked at.
    whole: bool,
}

impl Known {
    fn see(&mut self, addend: i128, kept: usize) {
        let size = addend.saturating_abs();
        self.seen = self.seen.saturating_add(1);
        self.abs = self.abs.saturating_add(size);
        self.compare(addend);
        if self.largest.len() >= kept && self.largest.last().is_none_or(|least| *least >= size) {
            return;
        }
        let at = self.largest.partition_point(|known| *known >= size);
        if at < kept {
            self.largest.insert(at, size);
            self.largest.truncate(kept);
        }
    }

    /// Takes notice of what others add, without adding it up.
    fn compare(&mut self, addend: i128) {
        self.differ |= *self.first.get_or_insert(addend) != addend;
    }

    fn is_enough(&self, enough: i128) -> bool {
        self.differ && self.abs >= enough
    }
}

/// What is kept of those who are in one and not in the other.
fn kept_outside(one: &Footprint, other: &Footprint, kept: usize) -> Known {
    let mut known = Known::default();
    let outside = |(person, _): &&(u32, i128)| !other.people.contains(*person);
    for (_, addend) in one.largest.iter().filter(outside) {
        known.see(*addend, kept);
    }
    let least = one
        .largest
        .last()
        .map_or(0, |(_, addend)| addend.saturating_abs());
    for (person, addend) in one.sample.iter().filter(outside) {
        known.compare(*addend);
        // who is among the largest is not added up twice
        let smaller = addend.saturating_abs() < least;
        if smaller || one.largest.iter().all(|(known, _)| known != person) {
            known.abs = known.abs.saturating_add(addend.saturating_abs());
        }
    }
    known
}

/// One of so many of the sample is looked at first.
const AT_FIRST: usize = 8;

/// Whether some of what is kept of those who are in one and not in the other shows already that nobody
/// dominates what they add.
fn is_kept_enough(one: &Footprint, other: &Footprint, enough: i128) -> bool {
    let mut known = Known::default();
    let outside = |(person, _): &&(u32, i128)| !other.people.contains(*person);
    let mut largest = one.largest.iter().filter(outside);
    let mut more = one.sample.iter().step_by(AT_FIRST).filter(outside);
    // who is among the largest is not added up twice
    largest.any(|(_, addend)| {
        known.see(*addend, 0);
        known.is_enough(enough)
    }) || more.any(|(_, addend)| {
        known.compare(*addend);
        known.is_enough(enough)
    })
}

struct New<'a> {
    view: &'a View<'a>,
    candidate: &'a FacetCandidate<'a>,
    contributions: &'a Addends<'a>,
    enough: i128,
    kept: usize,
    dense: OnceCell<Option<Dense>>,
}

impl New<'_> {
    fn footprint(&self) -> &Footprint {
        &self.candidate.facet.footprint
    }

    fn against(&self, sample: &Signature, entry: &Entry, other: &Facet) -> Option<Hit> {
        if self.candidate.facet.form != other.form {
            return self.between_bounds(other);
        }
        let (own, theirs) = (self.footprint(), &other.footprint);
        // Where nobody of the sample of persons is outside, what is kept of them shows nothing either.
        let mine = own.people.signature();
        let [inside, around] = [sample.outside(mine, 1) == 0, mine.outside(sample, 1) == 0];
        if inside && theirs.people.is_subset(&own.people) {
            return self.judge_more(other);
        }
        let kept_enough =
            || is_kept_enough(own, theirs, self.enough) && is_kept_enough(theirs, own, self.enough);
        if !inside && !around && kept_enough() {
            return None;
        }
        let mut left = self.kept_of_new(other);
        let mut right = self.kept_of_other(other);
        let moved = self.moved(entry, other);
        if let Some((only_new, only_other)) = self.by_parts(moved, other) {
            left.abs = left.abs.max(only_new);
            right.abs = right.abs.max(only_other);
        }
        let done = left.is_enough(self.enough) && right.is_enough(self.enough);
        if done {
            return None;
        }
        let stop = self.stop(&right, moved, other);
        if !left.is_enough(stop) {
            left = self.only_in_new(other, stop);
        }
        if left.whole && left.first.is_none() {
            // Nobody is in the new sum only.
        } else if let Some(hit) = self.judge(&left) {
            return Some(hit);
        }
        if right.is_enough(self.enough) {
            return None;
        }
        self.judge(&self.only_in_other(moved, other, right, &left))
    }

    /// How much of who is in the new sum only must be seen. How much is in the new sum alone also says how much is
    /// in the earlier one alone.
    fn stop(&self, right: &Known, moved: Option<i128>, other: &Facet) -> i128 {
        match (right.differ, moved) {
            (true, Some(moved)) if !right.is_enough(self.enough) && self.may_show(moved, other) => {
                let more = self.footprint().abs.saturating_sub(other.footprint.abs);
                let unsure = self.candidate.clamp.saturating_mul(moved);
                let more = more.saturating_add(unsure).max(0);
                self.enough.saturating_add(more)
            }
            // whether two differ is known of everybody only
            (false, Some(0)) => i128::MAX,
            _ => self.enough,
        }
    }

    /// Whether who is in the earlier sum only can be shown to add enough, where so many in both may add something
    /// else now.
    fn may_show(&self, moved: i128, other: &Facet) -> bool {
        let only = other
            .footprint
            .people
            .difference_len(&self.footprint().people);
        let most = i128::from(only)
            .saturating_sub(moved)
            .saturating_mul(self.candidate.clamp);
        moved == 0 || most >= self.enough
    }

    /// A sum of another state of the data: of those who are in both the values may have changed.
    fn of_another_state(&self, entry: &Entry, other: &Facet) -> Option<Hit> {
        if entry.id.epoch == self.view.epoch || self.candidate.facet.form != other.form {
            return None;
        }
        let (own, theirs) = (self.footprint(), &other.footprint);
        let apart = own.abs.saturating_sub(theirs.abs).saturating_abs();
        // One person may change from one bound to the other.
        if apart >= enough(self.view, self.candidate.clamp.saturating_mul(2)) {
            return None;
        }
        let spreads = own.spread.as_ref().zip(theirs.spread.as_ref());
        let (now, then) = spreads?;
        dominated_part(self.view, &[(1, now), (-1, then)]).map(|found| hit(Some(found)))
    }

    /// Sums of one column within two bounds differ by what lies between these, of the few who have
    /// so much: only where nobody can be in both does it not matter.
    fn between_bounds(&self, other: &Facet) -> Option<Hit> {
        let (own, theirs) = (&self.candidate.facet.shape, &other.shape);
        let apart = are_disjoint(&own.predicate, &theirs.predicate);
        (!apart).then(|| Hit {
            rule: "H1s",
            why: "an earlier sum of this column counts values within other bounds".to_owned(),
            statistic: None,
            near: Near::No,
        })
    }

    /// Everybody of the other sum is in the new one: only who is more matters.
    fn judge_more(&self, other: &Facet) -> Option<Hit> {
        let kept = self.kept_of_new(other);
        if kept.is_enough(self.enough) {
            return None;
        }
        let left = self.only_in_new(other, self.enough);
        left.first.and_then(|_| self.judge(&left))
    }

    /// The largest contributions of the new sum that the other does not have.
    fn kept_of_new(&self, other: &Facet) -> Known {
        kept_outside(self.footprint(), &other.footprint, self.kept)
    }

    /// The largest contributions of the other sum that the new one does not have.
    fn kept_of_other(&self, other: &Facet) -> Known {
        let mut known = kept_outside(&other.footprint, self.footprint(), self.kept);
        let kept = u64::try_from(other.footprint.largest.len()).unwrap_or(0);
        known.whole = kept == other.footprint.people.len();
        known
    }

    /// What those who are in one only certainly add, first of the new sum, then of the other: whoever is in
    /// both adds the same to both, but for those whose data have changed, so of each part of what is added the
    /// difference is theirs. `None` where that is not so.
    fn by_parts(&self, moved: Option<i128>, other: &Facet) -> Option<(i128, i128)> {
        let unsure = self.candidate.clamp.saturating_mul(moved?);
        let own = self.footprint().spread.as_ref()?;
        let (more, less) = own.differences(other.footprint.spread.as_ref()?)?;
        Some((more.saturating_sub(unsure), less.saturating_sub(unsure)))
    }

    /// The contributions of who is in the new sum only, until they are enough.
    fn only_in_new(&self, other: &Facet, stop: i128) -> Known {
        let mut known = Known::default();
        let (own, theirs) = (&self.footprint().people, &other.footprint.people);
        let only = own.as_ref() - theirs.as_ref();
        for person in &only {
            known.see(self.adds(person), self.kept);
            if known.is_enough(stop) {
                return known;
            }
        }
        known.whole = true;
        known
    }

    /// What a person of the new sum adds to it.
    fn adds(&self, person: u32) -> i128 {
        let dense = self.dense.get_or_init(|| Dense::of(self.contributions));
        match dense {
            Some(dense) => dense.get(person).into(),
            None => self.contributions.of_person(person).unwrap_or(0),
        }
    }

    /// What is certain of who is in the other sum only.
    fn only_in_other(
        &self,
        moved: Option<i128>,
        other: &Facet,
        kept: Known,
        left: &Known,
    ) -> Known {
        let least = other.footprint.largest.last();
        let least = least.map_or(0, |(_, addend)| addend.saturating_abs());
        let (theirs, own) = (&other.footprint.people, &self.footprint().people);
        let persons = theirs.difference_len(own);
        let mut known = kept;
        known.whole |= known.seen == persons;
        if known.whole {
            return known;
        }
        let persons = i128::from(persons);
        if let Some(moved) = moved {
            // A person in both adds the same to both, unless their data have changed.
            let in_both = self.footprint().abs.saturating_sub(left.abs);
            let rest = other.footprint.abs.saturating_sub(in_both);
            let rest = rest.saturating_sub(self.candidate.clamp.saturating_mul(moved));
            known.abs = known.abs.max(rest);
            if moved == 0 && left.whole && !known.differ {
                // All the same, and not larger than the least that was kept?
                let same = rest / persons.max(1);
                let even = same.saturating_mul(persons) == rest && same <= least;
                let fits = known.first.is_none_or(|v| v.saturating_abs() == same);
                known.differ = !(even && fits);
            }
        }
        // Who is not among the largest adds no more than the least of these.
        let mut others = persons.saturating_sub(i128::from(known.seen));
        while known.largest.len() < self.kept && others > 0 {
            known.largest.push(least);
            others = others.saturating_sub(1);
        }
        known
    }

    /// How many in both may add something else now; `None` if contributions depend on boxes.
    fn moved(&self, entry: &Entry, other: &Facet) -> Option<i128> {
        if !self.candidate.same_in_every_box {
            return None;
        }
        if entry.id.epoch == self.view.epoch {
            return Some(0);
        }
        let (own, theirs) = (&self.footprint().people, &other.footprint.people);
        let changed = self.view.changed.get(&entry.id.epoch);
        let moved = match changed.and_then(|changed| changed.perhaps.as_ref()) {
            Some(perhaps) => (perhaps & own.as_ref()).intersection_len(theirs),
            None => own.intersection_len(theirs),
        };
        Some(i128::from(moved))
    }

    fn judge(&self, known: &Known) -> Option<Hit> {
        let params = self.view.params;
        let top = |n: usize| Top {
            all: known.abs,
            largest: known.largest.iter().take(n).copied().collect(),
        };
        let n = usize::try_from(params.nk.0).unwrap_or(usize::MAX);
        let spread = Statistic::new("spread", i128::from(known.differ), 1);
        let judged = [
            r4_p_percent::statistic(&top(2), params.p_pct),
            r5_dominance::statistic(&top(n), params.nk.1),
            Some(spread),
        ];
        let missed = judged
            .into_iter()
            .find(|found| found.as_ref().is_none_or(Statistic::misses))?;
        Some(hit(missed))
    }
}

fn hit(statistic: Option<Statistic>) -> Hit {
    Hit {
        rule: "H1s",
        why: "the difference from an earlier sum is dominated by one or two".to_owned(),
        statistic,
        near: Near::No,
    }
}
