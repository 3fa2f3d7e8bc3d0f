//! Which runs follow from some releases only because of a new one. Rectangles are sums of
//! fingerprints: of those over a row of atoms, equal prefixes show an interval that follows.
//! What it must not know: what a place stands for, and which runs are too small.

use std::ops::ControlFlow;

use super::axis::Axis;
use super::basis::{Amounts, Prints};
use super::field::Fp;

/// Some atoms of one axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Run {
    /// From the first to before the second.
    Span(usize, usize),
    /// All but those.
    Around(usize, usize),
    /// These, ascending.
    List(Vec<usize>),
}

impl Run {
    /// Whether an atom is in it.
    pub(super) fn has(&self, atom: usize) -> bool {
        match self {
            Self::Span(from, to) => (*from..*to).contains(&atom),
            Self::Around(from, to) => !(*from..*to).contains(&atom),
            Self::List(atoms) => atoms.binary_search(&atom).is_ok(),
        }
    }
}

/// A rectangle that follows now and did not before.
pub(super) struct Found<'a> {
    pub(super) first: &'a Run,
    pub(super) second: &'a Run,
    pub(super) amounts: Amounts,
}

/// Sums of a place, or of several.
#[derive(Clone, Copy, Default)]
struct Sum {
    after: Fp,
    before: Fp,
    amounts: Amounts,
}

impl Sum {
    fn plus(self, other: Self) -> Self {
        Self {
            after: self.after.plus(other.after),
            before: self.before.plus(other.before),
            amounts: self.amounts.plus(other.amounts),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            after: self.after.minus(other.after),
            before: self.before.minus(other.before),
            amounts: self.amounts.minus(other.amounts),
        }
    }

    fn is_new(&self) -> bool {
        self.after == Fp::ZERO && self.before != Fp::ZERO
    }
}

/// Calls `each` with every rectangle that follows after and not before, until it breaks.
pub(super) fn search<B>(
    axes: &[Axis; 2],
    before: &Prints,
    after: &Prints,
    mut each: impl FnMut(&Found<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let [first, second] = axes;
    let sums = sums(before, after);
    let lines: Vec<&[Sum]> = sums.chunks(second.atoms.len().max(1)).collect();
    let columns = Columns {
        ordered: second.ordered,
        other: second.lists().into_iter().map(Run::List).collect(),
    };
    let empty = vec![Sum::default(); second.atoms.len()];
    if !first.ordered {
        for run in first.lists() {
            let mut line = empty.clone();
            for next in run.iter().filter_map(|at| lines.get(*at)) {
                add(&mut line, next);
            }
            columns.search(&Run::List(run), &line, &mut each)?;
        }
        return ControlFlow::Continue(());
    }
    let mut all = empty.clone();
    for line in &lines {
        add(&mut all, line);
    }
    for from in 0..lines.len() {
        let mut line = empty.clone();
        for (to, next) in (1..).zip(&lines).skip(from) {
            add(&mut line, next);
            columns.search(&Run::Span(from, to), &line, &mut each)?;
            if from > 0 && to < lines.len() {
                let rest = all.iter().zip(&line).map(|(all, line)| all.minus(*line));
                let rest: Vec<Sum> = rest.collect();
                columns.search(&Run::Around(from, to), &rest, &mut each)?;
            }
        }
    }
    ControlFlow::Continue(())
}

fn sums(before: &Prints, after: &Prints) -> Vec<Sum> {
    let pairs = after.follows.iter().zip(&before.follows);
    let sum = |((after, before), amounts): ((&Fp, &Fp), &Amounts)| Sum {
        after: *after,
        before: *before,
        amounts: *amounts,
    };
    pairs.zip(&after.amounts).map(sum).collect()
}

fn add(line: &mut [Sum], next: &[Sum]) {
    for (sum, next) in line.iter_mut().zip(next) {
        *sum = sum.plus(*next);
    }
}

struct Columns {
    ordered: bool,
    other: Vec<Run>,
}

/// The sum before an atom.
struct Prefix {
    sum: Sum,
    at: usize,
}

impl Columns {
    fn search<B>(
        &self,
        first: &Run,
        line: &[Sum],
        each: &mut impl FnMut(&Found<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        if self.ordered {
            return in_order(first, line, each);
        }
        for second in &self.other {
            let Run::List(atoms) = second else { continue };
            let sum = atoms
                .iter()
                .filter_map(|at| line.get(*at))
                .fold(Sum::default(), |sum, next| sum.plus(*next));
            if sum.is_new() {
                let amounts = sum.amounts;
                each(&Found {
                    first,
                    second,
                    amounts,
                })?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// Intervals, and all but an interval: two prefixes with the same print enclose one that follows;
/// two whose prints differ by that of everything leave out one that does.
fn in_order<B>(
    first: &Run,
    line: &[Sum],
    each: &mut impl FnMut(&Found<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let mut sum = Sum::default();
    let mut prefixes = vec![Prefix { sum, at: 0 }];
    for (at, next) in (1..).zip(line) {
        sum = sum.plus(*next);
        prefixes.push(Prefix { sum, at });
    }
    let (all, whole) = (sum, line.len());
    prefixes.sort_unstable_by_key(|prefix| (prefix.sum.after, prefix.at));
    let differ = |group: &[Prefix]| {
        let low = group.first().map(|one| one.sum.before);
        group.iter().any(|one| Some(one.sum.before) != low)
    };
    let groups: Vec<&[Prefix]> = prefixes
        .chunk_by(|a, b| a.sum.after == b.sum.after)
        .collect();
    for group in groups.iter().filter(|group| differ(group)) {
        for (index, low) in group.iter().enumerate() {
            for high in group.iter().skip(index + 1) {
                let sum = high.sum.minus(low.sum);
                if sum.is_new() {
                    let (second, amounts) = (&Run::Span(low.at, high.at), sum.amounts);
                    each(&Found {
                        first,
                        second,
                        amounts,
                    })?;
                }
            }
        }
    }
    for low in prefixes.iter().filter(|low| low.at > 0) {
        let wanted = low.sum.after.plus(all.after);
        let group = groups.partition_point(|g| g.first().is_some_and(|one| one.sum.after < wanted));
        let group = groups.get(group).copied().unwrap_or_default();
        for high in group
            .iter()
            .filter(|high| low.at < high.at && high.at < whole)
        {
            let sum = all.minus(high.sum.minus(low.sum));
            if sum.is_new() {
                let (second, amounts) = (&Run::Around(low.at, high.at), sum.amounts);
                each(&Found {
                    first,
                    second,
                    amounts,
                })?;
            }
        }
    }
    ControlFlow::Continue(())
}
