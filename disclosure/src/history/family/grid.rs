//! One family: two dimensions, cut into atoms by the releases in it, and what follows from these.
//!
//! What it must not know: which releases belong to it, and which runs are too small.

use quorate_query::codebook::Codebook;

use super::axis::{Atom, Axis};
use super::basis::{Amounts, Basis, Content, Prints, Residue};
use super::extent::{Sides, product};
use super::place::{Dim, Part};
use crate::history::{bound, in_form};

/// More atoms than this are not judged: the family answers nothing new.
const MOST: usize = 4096;

/// Part of a dimension that one release covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cover {
    /// `None` covers everything.
    pub(super) part: Option<Part>,
    /// Only persons that are in the column's table.
    pub(super) present: bool,
}

/// A release within a family: what it covers of either dimension.
pub(super) type Covers = [Cover; 2];

/// The two dimensions of a family; one that differs in a single column has no second.
#[derive(Clone, Debug)]
pub(super) struct Dims {
    pub(super) first: Dim,
    pub(super) second: Option<Dim>,
    /// Whether persons without the column's table belong to the family.
    pub(super) may_be_absent: [bool; 2],
    /// Cohorts that all members are in, or out of.
    pub(super) cohorts: Vec<(Dim, Part)>,
}

/// Atoms of two dimensions, and the reduced basis of the releases over their product.
#[derive(Clone)]
pub(super) struct Grid {
    pub(super) axes: [Axis; 2],
    pub(super) basis: Basis,
    dims: Dims,
    /// What the definition of a derived column says of who has a value.
    ties: [Option<Tie>; 2],
    /// What each release that was taken in covers: not to be worked out again.
    taken: Vec<Sides>,
}

/// A column that has a value of nobody outside a cohort.
#[derive(Clone, Debug)]
struct Tie {
    cohort: Dim,
    /// Everybody in the cohort has one.
    exact: bool,
}

impl Tie {
    fn of(dim: &Dim, codebook: &Codebook) -> Option<Self> {
        let Dim::Column(name) = dim else {
            return None;
        };
        let bound = bound(name, codebook)?;
        Some(Self {
            cohort: Dim::Cohort(Box::new(in_form(&bound.cohort, codebook)?)),
            exact: bound.exact,
        })
    }

    /// Whether who is in a cohort, or out of it, cannot be in this atom of the column.
    fn contradicts(&self, atom: &Atom, cohort: &Dim, is_in: bool) -> bool {
        match atom {
            Atom::Values(_) => !is_in && self.cohort.is_within(cohort),
            Atom::Null => is_in && self.exact && cohort.is_within(&self.cohort),
            Atom::In | Atom::Out | Atom::Absent => false,
        }
    }

    /// Whether nobody can have a value of one column and none of the other.
    fn excludes(&self, atom: &Atom, other: &Self, theirs: &Atom) -> bool {
        let without = |a: &Atom, b: &Atom, own: &Self, other: &Self| {
            matches!((a, b), (Atom::Null, Atom::Values(_)))
                && own.contradicts(&Atom::Null, &other.cohort, true)
        };
        without(atom, theirs, self, other) || without(theirs, atom, other, self)
    }
}

/// A family with more atoms than can be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooLarge {
    pub(super) atoms: usize,
}

impl Grid {
    /// A family without releases.
    pub(super) fn new(dims: Dims, codebook: &Codebook) -> Self {
        let [first_absent, second_absent] = dims.may_be_absent;
        let second = dims.second.as_ref();
        let axes = [
            Axis::whole(&dims.first, codebook, first_absent),
            second.map_or_else(Axis::single, |dim| {
                Axis::whole(dim, codebook, second_absent)
            }),
        ];
        let width = axes[0].atoms.len() * axes[1].atoms.len();
        let ties = [
            Tie::of(&dims.first, codebook),
            second.and_then(|dim| Tie::of(dim, codebook)),
        ];
        let mut grid = Self {
            axes,
            basis: Basis::new(width),
            dims,
            ties,
            taken: Vec::new(),
        };
        grid.know_the_impossible();
        grid
    }

    /// Cuts atoms until a release is a union of them.
    pub(super) fn cut(&mut self, covers: &Covers) -> Result<(), TooLarge> {
        let [first, second] = covers;
        if let Some((axis, origin)) = first.part.as_ref().and_then(|p| self.axes[0].cut(p)) {
            let width = self.axes[1].atoms.len();
            check(origin.len(), width)?;
            let places = origin
                .iter()
                .flat_map(|old| (0..width).map(move |at| old * width + at));
            self.basis.split(&places.collect::<Vec<_>>());
            self.axes[0] = axis;
            self.taken
                .iter_mut()
                .for_each(|sides| widen(&mut sides[0], &origin));
            self.know_the_impossible();
        }
        if let Some((axis, origin)) = second.part.as_ref().and_then(|p| self.axes[1].cut(p)) {
            let (height, width) = (self.axes[0].atoms.len(), self.axes[1].atoms.len());
            check(height, origin.len())?;
            let places =
                (0..height).flat_map(|line| origin.iter().map(move |old| line * width + old));
            self.basis.split(&places.collect::<Vec<_>>());
            self.axes[1] = axis;
            self.taken
                .iter_mut()
                .for_each(|sides| widen(&mut sides[1], &origin));
            self.know_the_impossible();
        }
        Ok(())
    }

    /// Whether a release is a union of atoms already.
    pub(super) fn fits(&self, covers: &Covers) -> bool {
        let cuts = |(axis, cover): (&Axis, &Cover)| {
            let part = cover.part.as_ref();
            part.is_some_and(|part| axis.is_cut_by(part))
        };
        !self.axes.iter().zip(covers).any(cuts)
    }

    /// The places that a release covers.
    pub(super) fn region(&self, covers: &Covers) -> Vec<bool> {
        product(&self.sides(covers))
    }

    /// The atoms of either dimension that a release covers.
    pub(super) fn sides(&self, covers: &Covers) -> Sides {
        let ([a, b], [x, y]) = (&self.axes, covers);
        [
            a.inside(x.part.as_ref(), x.present),
            b.inside(y.part.as_ref(), y.present),
        ]
    }

    /// What each release that was taken in covers, in their order.
    pub(super) fn taken(&self) -> &[Sides] {
        &self.taken
    }

    /// Takes in a release; cuts where it must. Whether its region did not follow before.
    pub(super) fn admit(
        &mut self,
        covers: &Covers,
        content: impl Into<Content>,
    ) -> Result<bool, TooLarge> {
        self.cut(covers)?;
        let sides = self.sides(covers);
        let residue = self.basis.residue(&product(&sides), content);
        self.taken.push(sides);
        let is_new = residue.is_some();
        if let Some(residue) = residue {
            self.basis.insert(residue);
        }
        Ok(is_new)
    }

    /// Takes in a release that fits, and of which it is known what it adds.
    pub(super) fn admit_known(&mut self, covers: &Covers, adds: Residue) -> Result<bool, TooLarge> {
        self.taken.push(self.sides(covers));
        self.basis.insert(adds);
        Ok(true)
    }

    /// What a release would add. It must fit.
    pub(super) fn residue(&self, covers: &Covers, content: impl Into<Content>) -> Option<Residue> {
        self.basis.residue(&self.region(covers), content)
    }

    /// Fingerprints of a grid of which nothing is known but where nobody can be, and of this one.
    pub(super) fn prints_of_all(&self) -> (Prints, Prints) {
        let mut nothing = Self {
            axes: self.axes.clone(),
            basis: Basis::new(self.basis.width()),
            dims: self.dims.clone(),
            ties: self.ties.clone(),
            taken: Vec::new(),
        };
        nothing.know_the_impossible();
        (nothing.basis.prints().clone(), self.basis.prints().clone())
    }

    /// Regions of any shape that follow with what a release would add, as far as the basis shows
    /// them.
    pub(super) fn regions_with(&self, new: &Residue) -> Vec<(Vec<bool>, Amounts)> {
        self.basis.regions_with(new)
    }

    /// Places where nobody can be, whatever the data: that they are empty is known.
    fn know_the_impossible(&mut self) {
        let width = self.axes[1].atoms.len();
        for place in self.impossible() {
            let all = self.axes[0].atoms.len() * width;
            let region: Vec<bool> = (0..all).map(|at| at == place).collect();
            if let Some(residue) = self.basis.residue(&region, Content::nobody()) {
                self.basis.insert(residue);
            }
        }
    }

    /// Places where nobody can be: without the table in one dimension and with it in the other, in a
    /// cohort and not in a wider one, or with a value of a derived column and without the rows that it is
    /// made of.
    fn impossible(&self) -> Vec<usize> {
        let dims = &self.dims;
        let of_table = |dim: &Dim| dim.table().is_some();
        let second = dims.second.as_ref();
        let same_table =
            second.is_some_and(|second| of_table(second) && second.table() == dims.first.table());
        let width = self.axes[1].atoms.len();
        let mut places = Vec::new();
        for (line, a) in self.axes[0].atoms.iter().enumerate() {
            for (at, b) in self.axes[1].atoms.iter().enumerate() {
                let torn = same_table && (*a == Atom::Absent) != (*b == Atom::Absent);
                let contradicts = |dim: &Dim, atom: &Atom| {
                    let fixed = dims.cohorts.iter();
                    let mut fixed = fixed.map(|(cohort, part)| (cohort, *part == Part::In));
                    let own = *atom == Atom::In;
                    fixed.any(|(cohort, is_in)| torn_apart(dim, own, cohort, is_in))
                };
                let escaped = second.is_some_and(|second| {
                    torn_apart(&dims.first, *a == Atom::In, second, *b == Atom::In)
                        || contradicts(second, b)
                });
                let impossible =
                    torn || escaped || contradicts(&dims.first, a) || self.is_untied([a, b]);
                places.extend(impossible.then_some(line * width + at));
            }
        }
        places
    }
}

impl Grid {
    /// Whether the definition of a derived column says that nobody can be in a place.
    fn is_untied(&self, atoms: [&Atom; 2]) -> bool {
        let ([first, second], [a, b]) = (&self.ties, atoms);
        let of = |tie: &Option<Tie>, atom: &Atom, other: Option<(&Dim, &Atom)>| {
            let fixed = self.dims.cohorts.iter();
            let fixed = fixed.map(|(dim, part)| (dim, *part == Part::In));
            let other = other.map(|(dim, atom)| (dim, *atom == Atom::In));
            let mut all = fixed.chain(other);
            let tie = tie.as_ref();
            tie.is_some_and(|tie| all.any(|(dim, is_in)| tie.contradicts(atom, dim, is_in)))
        };
        let both = first.as_ref().zip(second.as_ref());
        of(first, a, self.dims.second.as_ref().map(|dim| (dim, b)))
            || of(second, b, Some((&self.dims.first, a)))
            || both.is_some_and(|(first, second)| first.excludes(a, second, b))
    }
}

/// Whether nobody can be in one cohort and not in the other, because one lies within the other.
fn torn_apart(a: &Dim, in_a: bool, b: &Dim, in_b: bool) -> bool {
    (in_a && !in_b && a.is_within(b)) || (in_b && !in_a && b.is_within(a))
}

/// What is covered of atoms that were cut: `origin` says of which one each is a part.
fn widen(side: &mut Vec<bool>, origin: &[usize]) {
    let inside = |old: &usize| side.get(*old) == Some(&true);
    *side = origin.iter().map(inside).collect();
}

fn check(height: usize, width: usize) -> Result<(), TooLarge> {
    let atoms = height.saturating_mul(width);
    if atoms <= MOST {
        Ok(())
    } else {
        Err(TooLarge { atoms })
    }
}
