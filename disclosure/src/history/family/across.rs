//! Releases of several states of the data, taken as they were told: of a box one that lies within it is
//! taken off, and of what is left, or put on it, what a third box says in one state more than in another.
//!
//! The basis shows one of the sums that a group follows by. With releases of several states there are others,
//! and what these say differs; so a few releases are put together here without the basis. What this file must
//! not know: boxes, persons beside what they add.

use std::collections::BTreeMap;

use super::Conflict;
use super::judge::{Judge, Member};
use crate::history::Spread;
use crate::history::spread::support;

/// What is put together: releases, each with its factor.
type Terms<'a> = Vec<(i64, &'a Spread)>;

/// Two releases: the second is taken off the first.
#[derive(Clone, Copy)]
struct Pair<'j> {
    more: &'j Member<'j>,
    less: &'j Member<'j>,
}

impl<'j> Pair<'j> {
    /// With a sign before it; nothing if what persons add is not known.
    fn terms(self, sign: i64) -> Option<[(i64, &'j Spread); 2]> {
        let spread = |member: &'j Member<'j>| member.facet.footprint.spread.as_ref();
        Some([(sign, spread(self.more)?), (-sign, spread(self.less)?)])
    }

    /// Which places are in the first only.
    fn left(self) -> Vec<bool> {
        let less = self.less.extent.places();
        let both = self.more.extent.places().iter().zip(less);
        both.map(|(more, less)| *more && !*less).collect()
    }
}

impl<'a> Judge<'a> {
    /// Why the new release may not be told, if it would leave a few with up to three others. `is_told` says of
    /// some places that how many are there is known without any release.
    pub(super) fn across(&self, is_told: impl Fn(&[bool]) -> bool) -> Option<Conflict> {
        let (own, others) = self.members.split_last()?;
        let (earlier, news) = drifts(own, others);
        let differences = nested(own, others);
        let all = || earlier.iter().chain(&news);
        let of_new = differences.iter().find_map(|difference| {
            let alone = self.leaves(*difference, None, &is_told);
            alone.or_else(|| {
                all().find_map(|drift| self.leaves(*difference, Some(*drift), &is_told))
            })
        });
        // What was told before was compared with what boxes had said twice then.
        of_new.or_else(|| {
            let between = |(at, one): (usize, &'_ Member<'a>)| {
                let later = others.get(at + 1..).unwrap_or_default();
                let differences = nested(one, later).into_iter();
                let mut both =
                    differences.flat_map(|one| news.iter().map(move |drift| (one, *drift)));
                both.find_map(|(one, drift)| self.leaves(one, Some(drift), &is_told))
            };
            let mut each = others.iter().enumerate().filter(|_| !news.is_empty());
            each.find_map(between)
        })
    }

    /// Whether a difference leaves a few, with what a box says in two states put on it or taken off it.
    fn leaves(
        &self,
        difference: Pair<'_>,
        drift: Option<Pair<'_>>,
        is_told: impl Fn(&[bool]) -> bool,
    ) -> Option<Conflict> {
        let signs: &[i64] = if drift.is_some() { &[1, -1] } else { &[1] };
        let found = signs.iter().find_map(|sign| {
            let drift = match drift {
                Some(drift) => drift.terms(*sign)?.to_vec(),
                None => Vec::new(),
            };
            let terms: Terms<'_> = difference.terms(1)?.into_iter().chain(drift).collect();
            self.rests_on_few(&terms)
        });
        found.filter(|_| !is_told(&difference.left()))
    }
}

/// The box of each pair was told in two states of the data, which do not say the same: pairs of releases
/// that were there before, and those of the new one.
fn drifts<'j>(own: &'j Member<'j>, others: &'j [Member<'j>]) -> (Vec<Pair<'j>>, Vec<Pair<'j>>) {
    let mut told: BTreeMap<[&[bool]; 2], Vec<&'j Member<'j>>> = BTreeMap::new();
    let (mut earlier, mut news) = (Vec::new(), Vec::new());
    for more in others {
        let same = told.entry(more.extent.key()).or_default();
        earlier.extend(same.iter().map(|less| Pair { more, less }));
        same.push(more);
    }
    let same = told.get(&own.extent.key());
    news.extend(
        same.into_iter()
            .flatten()
            .map(|less| Pair { more: own, less }),
    );
    for list in [&mut earlier, &mut news] {
        list.retain(|pair| pair.terms(1).is_some_and(|terms| support(&terms, 1) > 0));
    }
    (earlier, news)
}

/// One and each other, where one lies within the other and is not the same.
fn nested<'j>(one: &'j Member<'j>, others: &'j [Member<'j>]) -> Vec<Pair<'j>> {
    let pair = |other: &'j Member<'j>| {
        let (inner, outer) = (
            other.extent.is_within(&one.extent),
            one.extent.is_within(&other.extent),
        );
        match (inner, outer) {
            (true, false) => Some(Pair {
                more: one,
                less: other,
            }),
            (false, true) => Some(Pair {
                more: other,
                less: one,
            }),
            _ => None,
        }
    };
    others.iter().filter_map(pair).collect()
}
