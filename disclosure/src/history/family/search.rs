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
    /// These, ascending.
    List(Vec<usize>),
}

impl Run {
    /// Whether an atom is in it.
    pub(super) fn has(&self, atom: usize) -> bool {
        match self {
            Self::Span(from, to) => (*from..*to).contains(&atom),
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
        ordered: second.in_order(),
        other: second.other_runs().into_iter().map(Run::List).collect(),
    };
    let empty = vec![Sum::default(); second.atoms.len()];
    for from in 0..first.in_order() {
        let mut line = empty.clone();
        for (to, next) in lines.iter().enumerate().take(first.in_order()).skip(from) {
            add(&mut line, next);
            columns.search(&Run::Span(from, to + 1), &line, &mut each)?;
        }
    }
    for run in first.other_runs() {
        let mut line = empty.clone();
        for next in run.iter().filter_map(|at| lines.get(*at)) {
            add(&mut line, next);
        }
        columns.search(&Run::List(run), &line, &mut each)?;
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
    ordered: usize,
    other: Vec<Run>,
}

impl Columns {
    fn search<B>(
        &self,
        first: &Run,
        line: &[Sum],
        each: &mut impl FnMut(&Found<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        self.spans(first, line, each)?;
        for run in &self.other {
            let Run::List(atoms) = run else { continue };
            let sum = atoms
                .iter()
                .filter_map(|at| line.get(*at))
                .fold(Sum::default(), |sum, next| sum.plus(*next));
            if sum.is_new() {
                each(&Found {
                    first,
                    second: run,
                    amounts: sum.amounts,
                })?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Intervals: two prefixes with the same print enclose one that follows.
    fn spans<B>(
        &self,
        first: &Run,
        line: &[Sum],
        each: &mut impl FnMut(&Found<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let mut prefix = Sum::default();
        let mut prefixes = Vec::with_capacity(self.ordered + 1);
        prefixes.push((Fp::ZERO, 0, Fp::ZERO));
        for (at, next) in line.iter().enumerate().take(self.ordered) {
            prefix = prefix.plus(*next);
            prefixes.push((prefix.after, at + 1, prefix.before));
        }
        prefixes.sort_unstable();
        for group in prefixes.chunk_by(|a, b| a.0 == b.0) {
            if group
                .windows(2)
                .all(|two| two.first().map(|x| x.2) == two.last().map(|x| x.2))
            {
                continue;
            }
            for (index, (_, from, low)) in group.iter().enumerate() {
                for (_, to, _) in group.iter().skip(index + 1).filter(|end| end.2 != *low) {
                    let within = line.iter().take(*to).skip(*from);
                    let amounts =
                        within.fold(Amounts::default(), |all, next| all.plus(next.amounts));
                    each(&Found {
                        first,
                        second: &Run::Span(*from, *to),
                        amounts,
                    })?;
                }
            }
        }
        ControlFlow::Continue(())
    }
}
