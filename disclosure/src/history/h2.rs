//! H2, combinations of three: no sum or difference of a release with two others rests on a few
//! persons. It stops trackers that cross families; within a family H2f sees combinations of any
//! length.
//!
//! Where each person adds the same to all three (persons; values of a table with one row a person),
//! who is in how many of them says exactly on whom the sum rests. What else is added (rows, totals
//! of rows) may even out within a person: there only those count who certainly do not, by who is in
//! which or by the spread of the sum.
//!
//! Nobody outside `b` may be in `q + a - b` without counting, and nobody outside `q` in
//! `q - a - b`: so either side alone excludes most pairs. Page: `docs/disclosure/H2.md`.

use quorate_query::codebook::RowsPer;
use roaring::RoaringBitmap;

use super::boxes::{differing_columns, is_inside, partition};
use super::candidate::FacetCandidate;
use super::entry::{Entry, Facet, Form, Shape};
use super::shown::Indexed;
use super::spread::support;
use super::view::{Hit, Near, View, persons};
use super::weights::{lack, weight_minus, weight_plus};
use crate::signature::Signature;

/// Another facet of the family.
struct Other<'a> {
    persons: u64,
    indexed: &'a Indexed,
    entry: &'a Entry,
    facet: &'a Facet,
    /// Whether each person adds the same to it and to the candidate.
    alike: bool,
}

impl Other<'_> {
    fn people(&self) -> &RoaringBitmap {
        &self.facet.footprint.people
    }
}

pub(super) fn find(view: &View<'_>, candidate: &FacetCandidate<'_>) -> Vec<Hit> {
    let facet = &candidate.facet;
    let uniform = facet.form == Form::Persons || candidate.same_in_every_box;
    let all = view.others(candidate, (1, u64::MAX));
    let first = all.filter(|(number, ..)| view.shown.is_first(*number));
    let others: Vec<Other<'_>> = first
        .map(|(_, indexed, entry, other)| Other {
            persons: indexed.persons,
            indexed,
            entry,
            facet: other,
            alike: uniform && other.form == facet.form,
        })
        .collect();
    let positive = is_positive(facet) && others.iter().all(|other| is_positive(other.facet));
    let new = New {
        view,
        facet,
        exact: candidate.exact,
        signature: facet.footprint.people.signature(),
        positive,
        plain: positive || others.iter().all(|other| other.alike),
    };
    let mut hits = new.minus(&others);
    hits.extend(new.plus(&others));
    hits
}

/// Whether nobody adds less than zero.
fn is_positive(facet: &Facet) -> bool {
    let spread = facet.footprint.spread.as_ref();
    facet.form.is_count() || spread.is_some_and(|spread| !spread.traits().signed)
}

/// Two others, the first with a sign; the second is taken off.
struct Legs<'s, 'a> {
    sign: i64,
    a: &'s Other<'a>,
    b: &'s Other<'a>,
}

struct New<'a> {
    view: &'a View<'a>,
    facet: &'a Facet,
    exact: bool,
    signature: &'a Signature,
    /// Whether nobody adds less than zero to any of all these.
    positive: bool,
    /// Whether what a person adds to two of them cannot even out.
    plain: bool,
}

impl New<'_> {
    fn people(&self) -> &RoaringBitmap {
        &self.facet.footprint.people
    }

    fn persons(&self) -> u64 {
        self.facet.footprint.people.len()
    }

    /// `q - a - b`: everybody of `a` and `b` outside `q` counts.
    fn minus(&self, others: &[Other<'_>]) -> Vec<Hit> {
        let k_diff = self.view.k_diff();
        let inside = |other: &&Other<'_>| {
            let lacks = || {
                other.indexed.signature.outside(self.signature, k_diff) >= k_diff
                    || (!self.is_boxed(other, [&other.facet.shape, &self.facet.shape])
                        && lack(other.people(), self.people(), k_diff))
            };
            !self.plain || !lacks()
        };
        let parts: Vec<&Other<'_>> = others.iter().filter(inside).collect();
        let mut hits = Vec::new();
        for (at, a) in parts.iter().enumerate() {
            let later = parts.get(at..).unwrap_or_default();
            let rest = self.persons().saturating_sub(a.persons);
            for b in candidates(a.alike, later, rest, k_diff) {
                hits.extend(self.judge(&Legs { sign: -1, a, b }));
            }
        }
        hits
    }

    /// `q + a - b`: everybody of `q` and `a` outside `b` counts.
    fn plus(&self, others: &[Other<'_>]) -> Vec<Hit> {
        let k_diff = self.view.k_diff();
        let all: Vec<&Other<'_>> = others.iter().collect();
        let mut hits = Vec::new();
        for b in &all {
            let lacks = || {
                self.signature.outside(&b.indexed.signature, k_diff) >= k_diff
                    || (!self.is_boxed(b, [&self.facet.shape, &b.facet.shape])
                        && lack(self.people(), b.people(), k_diff))
            };
            if self.plain && lacks() {
                continue;
            }
            let rest = b.persons.saturating_sub(self.persons());
            for a in candidates(b.alike, &all, rest, k_diff) {
                hits.extend(self.judge(&Legs { sign: 1, a, b }));
            }
        }
        hits
    }

    /// Whether everybody of the first shape is in the second by their boxes alone. One is the candidate's, the
    /// other that of another facet. Sets need not be compared then.
    fn is_boxed(&self, other: &Other<'_>, [inner, outer]: [&Shape; 2]) -> bool {
        let exact = self.exact && other.indexed.exact;
        exact
            && other.entry.id.epoch == self.view.epoch
            && inner.rows == outer.rows
            && inner.joined.is_superset(&outer.joined)
            && is_inside(&inner.predicate, &outer.predicate)
    }

    fn judge(&self, legs: &Legs<'_, '_>) -> Option<Hit> {
        let k_diff = self.view.k_diff();
        if self.is_within(legs.a, legs.b) {
            return None;
        }
        let weight = match legs.a.alike && legs.b.alike {
            true => self.weight(legs),
            false => self.certain(legs),
        };
        if weight >= k_diff || self.is_structural(legs, weight) {
            return None;
        }
        let (a, b) = (legs.a.entry.name(), legs.b.entry.name());
        Some(Hit {
            rule: "H2",
            why: format!("{weight} persons remain of it and two earlier releases, {a} and {b}"),
            statistic: persons("weight", weight, k_diff),
            near: Near::No,
        })
    }

    /// On how many persons the sum rests, where each adds the same to all three.
    fn weight(&self, legs: &Legs<'_, '_>) -> u64 {
        let k_diff = self.view.k_diff();
        let (x, y) = (&legs.a.indexed.signature, &legs.b.indexed.signature);
        let (q, a, b) = (self.people(), legs.a.people(), legs.b.people());
        let plus = legs.sign > 0;
        let sampled = match plus {
            true => self.signature.plus([x, y], k_diff),
            false => self.signature.minus([x, y], k_diff),
        };
        match plus {
            _ if sampled >= k_diff => sampled,
            true => weight_plus(q, [a, b], k_diff),
            false => weight_minus(q, [a, b], k_diff),
        }
    }

    /// On how many persons the sum certainly rests.
    fn certain(&self, legs: &Legs<'_, '_>) -> u64 {
        let k_diff = self.view.k_diff();
        let (x, y) = (&legs.a.indexed.signature, &legs.b.indexed.signature);
        let plus = legs.sign > 0;
        let sampled = match (self.positive, plus) {
            (false, _) => self.signature.alone([x, y], k_diff),
            (true, true) => self.signature.either_xor([x, y], k_diff),
            (true, false) => x.either_xor([y, self.signature], k_diff),
        };
        if sampled >= k_diff {
            return sampled;
        }
        let proven = self.proven(legs);
        if proven >= k_diff {
            return proven;
        }
        let (q, a, b) = (self.people(), legs.a.people(), legs.b.people());
        let counted = match (self.positive, plus) {
            (false, _) => alone(q, a, b),
            (true, true) => (q | a).symmetric_difference_len(b),
            (true, false) => (a | b).symmetric_difference_len(q),
        };
        proven.max(counted)
    }

    /// As many as the spread of the sum proves.
    fn proven(&self, legs: &Legs<'_, '_>) -> u64 {
        let (a, b) = (legs.a.facet, legs.b.facet);
        let form = self.facet.form;
        let spreads = [self.facet, a, b].map(|facet| facet.footprint.spread.as_ref());
        match spreads {
            [Some(q), Some(x), Some(y)]
                if form.adds_up_with(a.form) && form.adds_up_with(b.form) =>
            {
                support(&[(1, q), (legs.sign, x), (-1, y)], self.view.k_diff())
            }
            _ => 0,
        }
    }

    /// Whether it is so whatever the data, by the boxes alone.
    fn is_structural(&self, legs: &Legs<'_, '_>, weight: u64) -> bool {
        let (a, b) = (legs.a.facet, legs.b.facet);
        let same = a.form == self.facet.form && b.form == self.facet.form;
        if !same || !self.all_exact_now(legs.a, legs.b) {
            return false;
        }
        let (whole, one, other) = match legs.sign > 0 {
            true => (&b.shape, &self.facet.shape, &a.shape),
            false => (&self.facet.shape, &a.shape, &b.shape),
        };
        let adds_up = match self.facet.form {
            // Somebody may have rows in both parts.
            Form::Persons => weight == 0 && !self.parts_rows(whole, one, other),
            _ if legs.a.alike && legs.b.alike => weight == 0,
            _ => [self.facet, a, b].into_iter().all(is_unlimited),
        };
        adds_up && partition(whole, one, other, self.view.codebook)
    }

    /// Whether boxes share out rows of events, not persons.
    fn parts_rows(&self, whole: &Shape, a: &Shape, b: &Shape) -> bool {
        let table = self.view.codebook.tables.get(&whole.rows);
        let events = table.is_some_and(|table| matches!(table.rows, RowsPer::Many { .. }));
        let mut columns = differing_columns(&whole.predicate, &a.predicate);
        columns.extend(differing_columns(&whole.predicate, &b.predicate));
        events && columns.iter().any(|column| column.table == whole.rows)
    }

    /// Whether both are of the table that the candidate is a sum of.
    fn is_within(&self, a: &Other<'_>, b: &Other<'_>) -> bool {
        self.view.within.is_some_and(|(first, vec)| {
            [a, b]
                .iter()
                .all(|o| o.indexed.entry >= first && o.entry.id.vec == vec)
        })
    }

    fn all_exact_now(&self, a: &Other<'_>, b: &Other<'_>) -> bool {
        self.exact
            && [a, b]
                .iter()
                .all(|o| o.indexed.exact && o.entry.id.epoch == self.view.epoch)
    }
}

/// Whether it is known that limits took nothing off anybody.
fn is_unlimited(facet: &Facet) -> bool {
    let spread = facet.footprint.spread.as_ref();
    spread.is_some_and(|spread| !spread.traits().limited)
}

/// Persons in exactly one of them.
fn alone(q: &RoaringBitmap, a: &RoaringBitmap, b: &RoaringBitmap) -> u64 {
    let (once, twice) = (q ^ a ^ b, (q & a) & b);
    once.difference_len(&twice)
}

/// Those that come in question beside one: by number of persons, where that says something.
fn candidates<'s, 'a>(
    alike: bool,
    others: &'s [&'a Other<'a>],
    persons: u64,
    k_diff: u64,
) -> impl Iterator<Item = &'s &'a Other<'a>> {
    let near = if alike {
        window(others, persons, k_diff)
    } else {
        others
    };
    let first = near.iter().filter(move |other| !alike || other.alike);
    let unlike = others.iter().filter(move |other| alike && !other.alike);
    first.chain(unlike)
}

/// Those whose number of persons makes a small weight possible at all: coefficients lie between
/// -2 and 2. `others` are ascending by number of persons.
fn window<'s, 'a>(others: &'s [&'a Other<'a>], persons: u64, k_diff: u64) -> &'s [&'a Other<'a>] {
    let slack = k_diff.saturating_sub(1).saturating_mul(2);
    let (low, high) = (persons.saturating_sub(slack), persons.saturating_add(slack));
    let from = others.partition_point(|other| other.persons < low);
    let to = others.partition_point(|other| other.persons <= high);
    others.get(from..to).unwrap_or_default()
}
