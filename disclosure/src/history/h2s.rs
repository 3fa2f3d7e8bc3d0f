//! H1s of three: no sum or difference of a new sum with two earlier ones of its column is dominated
//! by one or two, however many persons it rests on. Like H2 it crosses families.
//!
//! Of the new sum every contribution is known, of earlier ones the sums of sizes and the largest.
//! Sums whose sizes do not nearly cancel leave too much to be dominated. Only where a person adds
//! the same in every box: of rows of events less is known (H2, H2f). Page:
//! `docs/disclosure/H1s.md`.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use super::candidate::{Addends, FacetCandidate};
use super::entry::{Entry, Facet};
use super::h1s::{dominated_part, enough};
use super::view::{Hit, Near, View};
use super::weights::{weight_minus, weight_plus};
use crate::Statistic;
use crate::rules::dominance::Top;
use crate::rules::{r4_p_percent, r5_dominance};
use crate::signature::Signature;

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let Some(contributions) = &candidate.contributions else {
        return Vec::new();
    };
    if candidate.facet.form.is_count() || !candidate.same_in_every_box {
        return Vec::new();
    }
    let new = New {
        view,
        signature: candidate.facet.footprint.people.signature(),
        facet: &candidate.facet,
        contributions,
        clamp: candidate.clamp,
        // A person may count twice.
        enough: enough(view, candidate.clamp.saturating_mul(2)),
    };
    let others = view.others(candidate, (1, u64::MAX));
    let mut others: Vec<Other<'_>> = others
        .filter(|(number, _, _, other)| {
            view.shown.is_first(*number) && other.form == candidate.facet.form
        })
        .map(|(_, indexed, entry, facet)| Other {
            signature: &indexed.signature,
            facet,
            is_older: entry.id.epoch != view.epoch,
            is_within: view
                .within
                .is_some_and(|(first, vec)| indexed.entry >= first && entry.id.vec == vec),
            entry,
        })
        .collect();
    others.sort_by_key(|other| other.facet.footprint.abs);
    new.against(&others)
}

/// An earlier sum of the column.
struct Other<'a> {
    signature: &'a Signature,
    facet: &'a Facet,
    /// Whether it is of another state of the data.
    is_older: bool,
    /// Whether it is of the table that the candidate is a sum of.
    is_within: bool,
    entry: &'a Entry,
}

struct New<'a> {
    view: &'a View<'a>,
    signature: &'a Signature,
    facet: &'a Facet,
    contributions: &'a Addends<'a>,
    clamp: i128,
    /// From so much on nobody can dominate.
    enough: i128,
}

/// `q + a - b` or `q - a - b`.
#[derive(Clone, Copy)]
struct Legs<'a> {
    plus: bool,
    a: &'a Facet,
    b: &'a Facet,
    /// Whether one of the earlier ones is of another state of the data.
    older: bool,
}

impl New<'_> {
    fn against(&self, others: &[Other<'_>]) -> Vec<Hit> {
        let own = self.facet.footprint.abs;
        let k_diff = self.view.k_diff();
        let mut hits = Vec::new();
        for (at, a) in others.iter().enumerate() {
            let size = a.facet.footprint.abs;
            let later = others.get(at..).unwrap_or_default();
            let minus = self.near(later, own.saturating_sub(size));
            let plus = self.near(others, own.saturating_add(size));
            let minus = minus.iter().map(|b| (false, b));
            for (plus, b) in minus.chain(plus.iter().map(|b| (true, b))) {
                let legs = Legs {
                    plus,
                    a: a.facet,
                    b: b.facet,
                    older: a.is_older || b.is_older,
                };
                if (a.is_within && b.is_within) || std::ptr::eq(a.facet, b.facet) {
                    continue;
                }
                let (x, y) = (a.signature, b.signature);
                let sampled = match plus {
                    true => self.signature.plus([x, y], k_diff),
                    false => self.signature.minus([x, y], k_diff),
                };
                if let Some(statistic) = self.missed(legs, sampled) {
                    hits.push(hit(statistic, [&a.entry.name(), &b.entry.name()]));
                }
            }
        }
        hits
    }

    /// Those whose sizes come near enough to another sum of sizes. They ascend by it.
    fn near<'s, 'a>(&self, others: &'s [Other<'a>], size: i128) -> &'s [Other<'a>] {
        let (low, high) = (
            size.saturating_sub(self.enough),
            size.saturating_add(self.enough),
        );
        let from = others.partition_point(|other| other.facet.footprint.abs <= low);
        let to = others.partition_point(|other| other.facet.footprint.abs < high);
        others.get(from..to).unwrap_or_default()
    }

    /// The number that what remains misses. Few persons are the matter of H2, nobody is no news.
    fn missed(&self, legs: Legs<'_>, sampled: u64) -> Option<Statistic> {
        let (q, a, b) = (
            &self.facet.footprint.people,
            &legs.a.footprint.people,
            &legs.b.footprint.people,
        );
        // Bitmaps are not touched where a sample of them is enough.
        let weight = |enough: u64| match legs.plus {
            true => weight_plus(q, [a, b], enough),
            false => weight_minus(q, [a, b], enough),
        };
        let k_diff = self.view.k_diff();
        if sampled < k_diff && weight(k_diff) < k_diff {
            return None;
        }
        // Who is in sums that even out may have another value now.
        if let Some(statistic) = self.changed(legs) {
            return Some(statistic);
        }
        let mut rest = Rest::default();
        for (person, own) in self.contributions.iter() {
            let times = legs.coefficient(person, true);
            if times != 0 {
                rest.see(own.saturating_mul(times));
                if rest.differ && rest.abs >= self.enough {
                    return None;
                }
            }
        }
        let least = self.outside(legs, weight(u64::MAX), &mut rest);
        rest.abs = rest.abs.max(least);
        rest.judge(self.view)
    }

    /// Of several states of the data: what their parts miss.
    fn changed(&self, legs: Legs<'_>) -> Option<Statistic> {
        if !legs.older {
            return None;
        }
        let sign = if legs.plus { 1 } else { -1 };
        let facets = [(1, self.facet), (sign, legs.a), (-1, legs.b)];
        let terms = facets.into_iter().map(|(times, facet)| {
            let spread = facet.footprint.spread.as_ref();
            spread.map(|spread| (times, spread))
        });
        let terms: Option<Vec<_>> = terms.collect();
        dominated_part(self.view, &terms?)
    }

    /// What is known of who is in an earlier sum only; gives the least that all sizes add up to.
    fn outside(&self, legs: Legs<'_>, weight: u64, rest: &mut Rest) -> i128 {
        let own = &self.facet.footprint.people;
        let mut kept: BTreeMap<u32, i128> = BTreeMap::new();
        for facet in [legs.a, legs.b] {
            kept.extend(facet.footprint.largest.iter().copied());
        }
        for (person, addend) in kept {
            let times = legs.coefficient(person, false);
            if !own.contains(person) && times != 0 {
                rest.see(addend.saturating_mul(times));
            }
        }
        let unknown = weight.saturating_sub(rest.seen);
        if unknown > 0 {
            rest.differ = true;
            let bound = legs.bound(self.clamp);
            for _ in 0..unknown.min(2) {
                rest.sizes.push(bound);
            }
        }
        // The sizes of a sum are no more than the sum of sizes.
        let sizes = [self.facet, legs.a, legs.b].map(|facet| facet.footprint.abs);
        let [q, a, b] = sizes;
        let left = match legs.plus {
            true => q.saturating_add(a).saturating_sub(b),
            false => q.saturating_sub(a).saturating_sub(b),
        };
        left.saturating_abs()
    }
}

impl Legs<'_> {
    fn coefficient(self, person: u32, in_new: bool) -> i128 {
        let one = |people: &RoaringBitmap| i128::from(people.contains(person));
        let (a, b) = (one(&self.a.footprint.people), one(&self.b.footprint.people));
        let a = if self.plus { a } else { -a };
        i128::from(in_new) + a - b
    }

    /// No size is larger of who is in an earlier sum and not among its largest.
    fn bound(self, clamp: i128) -> i128 {
        let of = |facet: &Facet| {
            let largest = &facet.footprint.largest;
            let kept = u64::try_from(largest.len()).unwrap_or(u64::MAX);
            match largest.last() {
                Some((_, least)) if kept < facet.footprint.people.len() => least.saturating_abs(),
                _ => 0,
            }
        };
        let times = if self.plus { 1 } else { 2 };
        of(self.a).max(of(self.b)).min(clamp).saturating_mul(times)
    }
}

/// What remains of three sums.
#[derive(Default)]
struct Rest {
    /// At least the sum of sizes.
    abs: i128,
    /// At least the largest sizes.
    sizes: Vec<i128>,
    seen: u64,
    first: Option<i128>,
    differ: bool,
}

impl Rest {
    fn see(&mut self, addend: i128) {
        let size = addend.saturating_abs();
        self.seen = self.seen.saturating_add(1);
        self.abs = self.abs.saturating_add(size);
        self.sizes.push(size);
        self.differ |= *self.first.get_or_insert(addend) != addend;
    }

    fn judge(mut self, view: &View<'_>) -> Option<Statistic> {
        self.sizes
            .sort_unstable_by_key(|size| std::cmp::Reverse(*size));
        let (n, share) = view.params.nk;
        let top = |n: usize| Top {
            all: self.abs,
            largest: self.sizes.iter().take(n).copied().collect(),
        };
        let judged = [
            r4_p_percent::statistic(&top(2), view.params.p_pct),
            r5_dominance::statistic(&top(usize::try_from(n).unwrap_or(usize::MAX)), share),
            Some(Statistic::new("spread", i128::from(self.differ), 1)),
        ];
        judged.into_iter().flatten().find(Statistic::misses)
    }
}

fn hit(statistic: Statistic, [a, b]: [&String; 2]) -> Hit {
    Hit {
        rule: "H1s",
        why: format!(
            "what remains of it and two earlier sums is dominated by one or two, {a} and {b}"
        ),
        statistic: Some(statistic),
        near: Near::No,
    }
}
