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

    /// The runs of an axis that are worth hiding.
    pub(super) fn all(axis: &Axis) -> Vec<Self> {
        if !axis.ordered {
            return axis.lists().into_iter().map(Self::List).collect();
        }
        let all = axis.atoms.len();
        let spans = (0..all).flat_map(|from| (from + 1..=all).map(move |to| (from, to)));
        let around = |&(from, to): &(usize, usize)| from > 0 && to < all;
        let (spans, arounds) = (spans.clone(), spans.filter(around));
        let spans = spans.map(|(from, to)| Self::Span(from, to));
        let arounds = arounds.map(|(from, to)| Self::Around(from, to));
        spans.chain(arounds).collect()
    }
}

/// A rectangle that follows now and did not before.
pub(super) struct Found<'a> {
    pub(super) first: &'a Run,
    pub(super) second: &'a Run,
    pub(super) amounts: Amounts,
}

/// Calls `each` with every rectangle that follows after and not before, until it breaks.
pub(super) fn search<B>(
    axes: &[Axis; 2],
    before: &Prints,
    after: &Prints,
    mut each: impl FnMut(&Found<'_>) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let [first, second] = axes;
    let turned = is_better_turned(first, second);
    let (outer, inner) = if turned {
        (second, first)
    } else {
        (first, second)
    };
    let size = Size {
        outer: outer.atoms.len(),
        inner: inner.atoms.len(),
        turned,
    };
    let both = before.follows.iter().zip(&after.follows);
    let moved: Vec<Fp> = both.map(|(before, after)| before.minus(*after)).collect();
    let sheets = Sheets {
        after: Sheet::of(&size, &after.follows, Fp::plus),
        moved: Sheet::of(&size, &moved, Fp::plus),
        amounts: Sheet::of(&size, &after.amounts, Amounts::plus),
        inner: size.inner,
    };
    let lists = if inner.ordered {
        Vec::new()
    } else {
        Run::all(inner)
    };
    let mut scratch = Scratch::new(size.inner);
    for run in Run::all(outer) {
        let mut found = |other: &Run, amounts: Amounts| {
            let (first, second) = if turned { (other, &run) } else { (&run, other) };
            each(&Found {
                first,
                second,
                amounts,
            })
        };
        let line = Line {
            sheets: &sheets,
            run: &run,
        };
        if inner.ordered {
            in_order(&line, &mut scratch, &mut found)?;
        } else {
            among(&line, &lists, &mut scratch, &mut found)?;
        }
    }
    ControlFlow::Continue(())
}

/// The inner axis takes a step an atom if it is ordered, the outer one a step for every two atoms.
fn is_better_turned(first: &Axis, second: &Axis) -> bool {
    match (first.ordered, second.ordered) {
        (true, true) => first.atoms.len() > second.atoms.len(),
        (ordered, _) => ordered,
    }
}

struct Size {
    outer: usize,
    inner: usize,
    turned: bool,
}

/// Sums over every rectangle of atoms that starts at the corner.
struct Sheet<T> {
    sums: Vec<T>,
    width: usize,
}

impl<T: Copy + Default> Sheet<T> {
    /// Of values that stand line by line of the first axis.
    fn of(size: &Size, values: &[T], plus: impl Fn(T, T) -> T) -> Self {
        let width = size.inner + 1;
        let mut sums = vec![T::default(); width];
        let mut above = sums.clone();
        for line in 0..size.outer {
            let mut sum = T::default();
            sums.push(sum);
            for at in 0..size.inner {
                let place = if size.turned {
                    at * size.outer + line
                } else {
                    line * size.inner + at
                };
                sum = plus(sum, values.get(place).copied().unwrap_or_default());
                let total = plus(above.get(at + 1).copied().unwrap_or_default(), sum);
                if let Some(above) = above.get_mut(at + 1) {
                    *above = total;
                }
                sums.push(total);
            }
        }
        Self { sums, width }
    }

    /// The prefixes over the first lines.
    fn line(&self, lines: usize) -> &[T] {
        let from = lines * self.width;
        self.sums.get(from..from + self.width).unwrap_or_default()
    }

    fn lines(&self) -> usize {
        self.sums.len() / self.width - 1
    }

    /// The sum over the lines of a run and the first `to` atoms of the other axis.
    fn prefix(&self, run: &Run, to: usize, plus: fn(T, T) -> T, minus: fn(T, T) -> T) -> T {
        let at = |lines: usize| self.line(lines).get(to).copied().unwrap_or_default();
        let span = |from: usize, to: usize| minus(at(to), at(from));
        match run {
            Run::Span(from, to) => span(*from, *to),
            Run::Around(from, to) => minus(at(self.lines()), span(*from, *to)),
            Run::List(atoms) => {
                let each = atoms.iter().map(|atom| span(*atom, *atom + 1));
                each.fold(T::default(), plus)
            }
        }
    }
}

impl Sheet<Fp> {
    /// All prefixes of a run at once.
    fn prefixes(&self, run: &Run, into: &mut Vec<Fp>) {
        into.clear();
        let between = |(high, low): (&Fp, &Fp)| high.minus(*low);
        match run {
            Run::Span(from, to) => {
                into.extend(self.line(*to).iter().zip(self.line(*from)).map(between));
            }
            Run::Around(from, to) => {
                let all = self.line(self.lines()).iter();
                let inside = self.line(*to).iter().zip(self.line(*from)).map(between);
                into.extend(all.zip(inside).map(|(all, inside)| all.minus(inside)));
            }
            Run::List(atoms) if atoms.len() * 2 > self.lines() => {
                into.extend(self.line(self.lines()));
                for atom in (0..self.lines()).filter(|atom| atoms.binary_search(atom).is_err()) {
                    let line = self.line(atom + 1).iter().zip(self.line(atom)).map(between);
                    for (sum, less) in into.iter_mut().zip(line) {
                        *sum = sum.minus(less);
                    }
                }
            }
            Run::List(atoms) => {
                into.resize(self.width, Fp::ZERO);
                for atom in atoms {
                    let line = self.line(*atom + 1).iter();
                    let line = line.zip(self.line(*atom)).map(between);
                    for (sum, more) in into.iter_mut().zip(line) {
                        *sum = sum.plus(more);
                    }
                }
            }
        }
    }
}

struct Sheets {
    after: Sheet<Fp>,
    /// Before less after: what follows now did not before if this is not zero over it.
    moved: Sheet<Fp>,
    amounts: Sheet<Amounts>,
    inner: usize,
}

/// The atoms of the inner axis, summed over a run of the outer one.
struct Line<'a> {
    sheets: &'a Sheets,
    run: &'a Run,
}

impl Line<'_> {
    fn amounts(&self, to: usize) -> Amounts {
        let sheet = &self.sheets.amounts;
        sheet.prefix(self.run, to, Amounts::plus, Amounts::minus)
    }

    /// What an interval of it holds.
    fn span(&self, from: usize, to: usize) -> Amounts {
        self.amounts(to).minus(self.amounts(from))
    }
}

/// An axis without order: every run of it is tried.
fn among<B>(
    line: &Line<'_>,
    lists: &[Run],
    scratch: &mut Scratch,
    found: &mut impl FnMut(&Run, Amounts) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if !scratch.look_at(line) {
        return ControlFlow::Continue(());
    }
    let each = |prefix: &[Fp]| -> Vec<Fp> {
        let pairs = prefix.iter().zip(prefix.iter().skip(1));
        pairs.map(|(low, high)| high.minus(*low)).collect()
    };
    let (after, moved) = (each(&scratch.prefix), each(&scratch.moved));
    let last = |prefix: &[Fp]| prefix.last().copied().unwrap_or_default();
    let (all, all_moved) = (last(&scratch.prefix), last(&scratch.moved));
    for run in lists {
        let Run::List(atoms) = run else { continue };
        if sum(&after, all, atoms) == Fp::ZERO && sum(&moved, all_moved, atoms) != Fp::ZERO {
            let amounts = atoms.iter().map(|at| line.span(*at, *at + 1));
            found(run, amounts.fold(Amounts::default(), Amounts::plus))?;
        }
    }
    ControlFlow::Continue(())
}

/// The sum over some atoms, by what is left of all where these are most.
fn sum(atoms: &[Fp], all: Fp, listed: &[usize]) -> Fp {
    let at = |at: usize| atoms.get(at).copied().unwrap_or_default();
    if listed.len() * 2 <= atoms.len() {
        return listed.iter().fold(Fp::ZERO, |sum, one| sum.plus(at(*one)));
    }
    let others = (0..atoms.len()).filter(|at| listed.binary_search(at).is_err());
    others.fold(all, |sum, one| sum.minus(at(one)))
}

/// Memory that is used again for every line.
struct Scratch {
    prefix: Vec<Fp>,
    moved: Vec<Fp>,
    groups: Groups,
    sieve: Sieve,
}

impl Scratch {
    fn new(inner: usize) -> Self {
        Self {
            prefix: Vec::with_capacity(inner + 1),
            moved: Vec::with_capacity(inner + 1),
            groups: Groups::new(inner + 1),
            sieve: Sieve::new(inner + 1),
        }
    }

    /// Adds up a line, unless nothing of it is new.
    fn look_at(&mut self, line: &Line<'_>) -> bool {
        line.sheets.moved.prefixes(line.run, &mut self.moved);
        let some = self.moved.iter().any(|moved| *moved != Fp::ZERO);
        if some {
            line.sheets.after.prefixes(line.run, &mut self.prefix);
        }
        some
    }
}

/// A bit for every print of a line: by far the most lines have no two prints that enclose anything, which
/// is seen by bits that were never set.
struct Sieve {
    bits: Vec<u64>,
    shift: u32,
}

impl Sieve {
    fn new(places: usize) -> Self {
        // so many bits that two prints seldom share one
        let size = (places * places * 2).next_power_of_two().clamp(64, 1 << 16);
        Self {
            bits: vec![0; size / 64],
            shift: 64 - size.trailing_zeros(),
        }
    }

    fn bit(&self, print: Fp) -> (usize, u64) {
        let hash = spread(print) >> self.shift;
        (usize::try_from(hash / 64).unwrap_or(0), 1 << (hash % 64))
    }

    fn has(&self, print: Fp) -> bool {
        let (at, bit) = self.bit(print);
        self.bits.get(at).is_some_and(|word| word & bit != 0)
    }

    /// Whether two of these may be the same, or differ by the last; if not, it is certain.
    fn may_pair(&mut self, prefix: &[Fp]) -> bool {
        self.bits.fill(0);
        for print in prefix {
            let (at, bit) = self.bit(*print);
            let Some(word) = self.bits.get_mut(at) else {
                return true;
            };
            if *word & bit != 0 {
                return true;
            }
            *word |= bit;
        }
        let all = prefix.last().copied().unwrap_or_default();
        let inner = prefix.iter().skip(1);
        let mut inner = inner.take(prefix.len().saturating_sub(2));
        inner.any(|print| self.has(print.plus(all)))
    }
}

/// Fibonacci hashing spreads neighbouring numbers over the first bits.
fn spread(print: Fp) -> u64 {
    print.least().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Places of a line by their prefix: a small hash table, and a chain through each group.
struct Groups {
    /// Round in which a slot was filled, and the latest place of the group.
    slots: Vec<(u32, usize)>,
    round: u32,
    shift: u32,
    /// The place before in the same group.
    earlier: Vec<Option<usize>>,
    /// Whether all of the group up to here had the same print before the new release.
    alike: Vec<bool>,
}

impl Groups {
    fn new(places: usize) -> Self {
        // a power of two, so that the next slot is found without a division
        let size = (places * 2).next_power_of_two().max(2);
        Self {
            slots: vec![(0, 0); size],
            round: 0,
            shift: 64 - size.trailing_zeros(),
            earlier: vec![None; places],
            alike: vec![true; places],
        }
    }

    fn clear(&mut self) {
        self.round = self.round.wrapping_add(1);
        if self.round == 0 {
            self.slots.fill((0, 0));
            self.round = 1;
        }
    }

    /// The slot of a print: that of its group, or a free one.
    fn slot(&self, prefix: &[Fp], print: Fp) -> (usize, Option<usize>) {
        let hash = spread(print) >> self.shift;
        let mut slot = usize::try_from(hash).unwrap_or(0);
        loop {
            match self.slots.get(slot) {
                Some((round, place)) if *round == self.round => {
                    if prefix.get(*place) == Some(&print) {
                        return (slot, Some(*place));
                    }
                }
                _ => return (slot, None),
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        }
    }

    /// The latest place with this print.
    fn latest(&self, prefix: &[Fp], print: Fp) -> Option<usize> {
        self.slot(prefix, print).1
    }

    /// The places of a group, from one back.
    fn back(&self, from: Option<usize>) -> impl Iterator<Item = usize> + '_ {
        let earlier = |place: &usize| self.earlier.get(*place).copied().flatten();
        std::iter::successors(from, earlier)
    }

    fn are_alike(&self, up_to: usize) -> bool {
        self.alike.get(up_to) == Some(&true)
    }

    /// Adds a place to its group; gives the one before.
    fn add(&mut self, prefix: &[Fp], place: usize, print: Fp, moved: &[Fp]) -> Option<usize> {
        let (slot, before) = self.slot(prefix, print);
        let alike = before
            .is_none_or(|before| self.are_alike(before) && moved.get(before) == moved.get(place));
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = (self.round, place);
        }
        if let Some(earlier) = self.earlier.get_mut(place) {
            *earlier = before;
        }
        if let Some(known) = self.alike.get_mut(place) {
            *known = alike;
        }
        before
    }
}

/// Intervals, and all but an interval: two prefixes with the same print enclose one that follows;
/// two whose prints differ by that of everything leave out one that does.
fn in_order<B>(
    line: &Line<'_>,
    scratch: &mut Scratch,
    found: &mut impl FnMut(&Run, Amounts) -> ControlFlow<B>,
) -> ControlFlow<B> {
    if !scratch.look_at(line) {
        return ControlFlow::Continue(());
    }
    let Scratch {
        prefix,
        moved,
        groups,
        sieve,
    } = scratch;
    if !sieve.may_pair(prefix) {
        return ControlFlow::Continue(());
    }
    groups.clear();
    for (place, print) in prefix.iter().enumerate() {
        let before = groups.add(prefix, place, *print, moved);
        if before.is_none() || groups.are_alike(place) {
            continue;
        }
        for from in groups.back(before) {
            if moved.get(from) != moved.get(place) {
                found(&Run::Span(from, place), line.span(from, place))?;
            }
        }
    }
    all_but_an_interval(line, (prefix, moved), groups, found)
}

fn all_but_an_interval<B>(
    line: &Line<'_>,
    (prefix, moved): (&[Fp], &[Fp]),
    groups: &Groups,
    found: &mut impl FnMut(&Run, Amounts) -> ControlFlow<B>,
) -> ControlFlow<B> {
    let whole = line.sheets.inner;
    let all = prefix.last().copied().unwrap_or_default();
    let inner = prefix.iter().enumerate().take(whole).skip(1);
    for (from, print) in inner {
        let Some(latest) = groups.latest(prefix, print.plus(all)) else {
            continue;
        };
        let is_new = |to: usize| {
            let at = |to: usize| moved.get(to).copied().unwrap_or_default();
            at(whole) != at(to).minus(at(from))
        };
        if groups.are_alike(latest) && !is_new(latest) {
            continue;
        }
        for to in groups.back(Some(latest)) {
            if from < to && to < whole && is_new(to) {
                let amounts = line.amounts(whole).minus(line.span(from, to));
                found(&Run::Around(from, to), amounts)?;
            }
        }
    }
    ControlFlow::Continue(())
}
