//! What follows from some releases: the space of their regions, as a reduced basis.
//!
//! A region is a vector of zeros and ones over the places of a grid. The basis is kept in reduced
//! row echelon form. A place that is split in two is a column that is written twice, so the form
//! survives splitting. Every row carries amounts (persons, sizes) and what persons add to it, in the
//! places of a spread: where a region follows from the releases, these follow too.
//!
//! What it must not know: columns of tables, boxes, persons.

use super::field::Fp;
use crate::history::Spread;

/// What a region holds: persons, and the sum of the sizes of what they add.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) persons: Fp,
    pub(super) size: Fp,
}

impl Amounts {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            persons: self.persons.plus(other.persons),
            size: self.size.plus(other.size),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        Self {
            persons: self.persons.minus(other.persons),
            size: self.size.minus(other.size),
        }
    }

    fn times(self, factor: Fp) -> Self {
        Self {
            persons: self.persons.times(factor),
            size: self.size.times(factor),
        }
    }
}

/// What persons add, in the places of a spread. Empty if nobody adds anything. Behind these it may say of
/// which releases, and how many times each, it is the sum.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sums(Vec<Fp>);

impl Sums {
    pub(super) fn of(spread: &Spread) -> Self {
        let sums = spread.sums().iter();
        Self(sums.map(|sum| Fp::of(i128::from(*sum))).collect())
    }

    fn add(&mut self, other: &Self, factor: Fp) {
        if factor == Fp::ZERO {
            return;
        }
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), Fp::ZERO);
        }
        for (sum, more) in self.0.iter_mut().zip(&other.0) {
            *sum = sum.plus(more.times(factor));
        }
    }

    /// These and so many times others.
    pub(super) fn with(&self, other: &Self, times: Fp) -> Self {
        let mut sum = self.clone();
        sum.add(other, times);
        sum
    }

    /// The places where they do not even out.
    pub(super) fn nonzero(&self) -> impl Iterator<Item = (usize, Fp)> + '_ {
        let places = self.0.iter().copied().enumerate().take(Spread::PLACES);
        places.filter(|(_, sum)| *sum != Fp::ZERO)
    }

    /// The same, known as what one release says.
    pub(super) fn by(mut self, release: usize) -> Self {
        self.0.resize(Spread::PLACES + release, Fp::ZERO);
        self.0.push(Fp::ONE);
        self
    }

    /// Of which releases it is the sum, and how many times each.
    pub(super) fn releases(&self) -> impl Iterator<Item = (usize, Fp)> + '_ {
        let releases = self.0.iter().copied().skip(Spread::PLACES).enumerate();
        releases.filter(|(_, times)| *times != Fp::ZERO)
    }

    /// The same, of whatever releases.
    pub(super) fn alone(mut self) -> Self {
        self.0.truncate(Spread::PLACES);
        self
    }
}

/// What a region holds, and what persons add to it, where that is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Content {
    pub(super) amounts: Amounts,
    pub(super) sums: Option<Sums>,
}

impl From<Amounts> for Content {
    fn from(amounts: Amounts) -> Self {
        let sums = None;
        Self { amounts, sums }
    }
}

impl Content {
    /// Nobody, and that is certain.
    pub(super) fn nobody() -> Self {
        Self {
            amounts: Amounts::default(),
            sums: Some(Sums::default()),
        }
    }

    fn add(&mut self, other: &Self, factor: Fp) {
        self.amounts = self.amounts.plus(other.amounts.times(factor));
        self.sums = match (self.sums.take(), &other.sums) {
            (Some(mut sums), Some(more)) => {
                sums.add(more, factor);
                Some(sums)
            }
            (sums, None) if factor == Fp::ZERO => sums,
            _ => None,
        };
    }

    fn times(&self, factor: Fp) -> Self {
        let mut all = Self::nobody();
        all.add(self, factor);
        all
    }
}

/// One row: one at its pivot, where every other row is zero.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    pivot: usize,
    coefs: Vec<Fp>,
    content: Content,
}

impl Row {
    /// The region that a row stands for once a multiple of another is taken off; `None` if it is
    /// no region.
    fn region(&self, less: Option<(&Self, Fp)>) -> Option<Vec<bool>> {
        let coef = |(place, coef): (usize, &Fp)| {
            let coef = match less.and_then(|(other, by)| Some((other.coefs.get(place)?, by))) {
                Some((other, by)) if *other != Fp::ZERO => coef.minus(other.times(by)),
                _ => *coef,
            };
            match coef {
                Fp::ZERO => Some(false),
                Fp::ONE => Some(true),
                _ => None,
            }
        };
        self.coefs.iter().enumerate().map(coef).collect()
    }
}

/// What a new region adds to a basis: one at its pivot, zero at every pivot of the basis.
#[derive(Clone)]
pub(super) struct Residue(Row);

impl Residue {
    /// How many places it is over.
    pub(super) fn width(&self) -> usize {
        self.0.coefs.len()
    }
}

/// A reduced basis over some places.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Basis {
    rows: Vec<Row>,
    /// One for each place. Of places that were one, the first keeps it.
    weights: Vec<Fp>,
    /// Always those of the rows.
    prints: Prints,
}

/// A fingerprint per place: the sum over a region is zero if and, but for a chance of 2^-61, only
/// if the region follows. The sum of the amounts over a region that follows are its amounts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Prints {
    pub(super) follows: Vec<Fp>,
    pub(super) amounts: Vec<Amounts>,
}

impl Prints {
    /// Whether a region follows.
    pub(super) fn has(&self, region: &[bool]) -> bool {
        let inside = self.follows.iter().zip(region);
        let inside = inside.filter(|(_, inside)| **inside);
        inside.fold(Fp::ZERO, |sum, (print, _)| sum.plus(*print)) == Fp::ZERO
    }
}

impl Basis {
    pub(super) fn new(width: usize) -> Self {
        let weights: Vec<Fp> = (0..width).map(Fp::weight).collect();
        let prints = Prints {
            follows: weights.clone(),
            amounts: vec![Amounts::default(); width],
        };
        Self {
            rows: Vec::new(),
            weights,
            prints,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn rank(&self) -> usize {
        self.rows.len()
    }

    /// What a region adds; `None` if it follows already.
    pub(super) fn residue(&self, region: &[bool], content: impl Into<Content>) -> Option<Residue> {
        let one = |inside: &bool| if *inside { Fp::ONE } else { Fp::ZERO };
        let mut coefs: Vec<Fp> = region.iter().map(one).collect();
        let mut rest = content.into();
        let known = |row: &&Row| region.get(row.pivot) == Some(&true);
        let known: Vec<&Row> = self.rows.iter().filter(known).collect();
        let mut gathered = vec![0_u64; coefs.len()];
        // A few rows at a time are added up and then taken off: most of an audit is spent here.
        for few in known.chunks(Fp::ADDED) {
            gathered.fill(0);
            for row in few {
                for (sum, known) in gathered.iter_mut().zip(&row.coefs) {
                    Fp::gather(sum, *known);
                }
                rest.add(&row.content, Fp::ZERO.minus(Fp::ONE));
            }
            for (coef, sum) in coefs.iter_mut().zip(&gathered) {
                *coef = coef.minus(Fp::settled(*sum));
            }
        }
        let (pivot, lead) = coefs
            .iter()
            .enumerate()
            .find(|(_, coef)| **coef != Fp::ZERO)?;
        let scale = lead.inverse();
        let coefs = coefs.iter().map(|coef| coef.times(scale)).collect();
        Some(Residue(Row {
            pivot,
            coefs,
            content: rest.times(scale),
        }))
    }

    /// What persons add to a region more than what follows from the basis already. The region must
    /// follow.
    pub(super) fn surplus(&self, region: &[bool], content: Content) -> Option<Sums> {
        let mut rest = content;
        for row in &self.rows {
            if region.get(row.pivot) == Some(&true) {
                rest.add(&row.content, Fp::ZERO.minus(Fp::ONE));
            }
        }
        rest.sums
    }

    /// What persons add to a region that follows.
    pub(super) fn sums_of(&self, region: &[bool]) -> Option<Sums> {
        let mut all = Content::nobody();
        for row in &self.rows {
            if region.get(row.pivot) == Some(&true) {
                all.add(&row.content, Fp::ONE);
            }
        }
        all.sums
    }

    /// What persons add to a region that follows with what a residue adds.
    pub(super) fn sums_with(&self, region: &[bool], Residue(new): &Residue) -> Option<Sums> {
        let is_in = |row: &Row| region.get(row.pivot) == Some(&true);
        let mut all = Content::nobody();
        let mut times = if is_in(new) { Fp::ONE } else { Fp::ZERO };
        for row in self.rows.iter().filter(|row| is_in(row)) {
            all.add(&row.content, Fp::ONE);
            times = times.minus(row.coefs.get(new.pivot).copied().unwrap_or(Fp::ZERO));
        }
        all.add(&new.content, times);
        all.sums
    }

    /// Takes in what a region adds.
    pub(super) fn insert(&mut self, new: Residue) {
        self.prints = self.prints_with(&new);
        let Residue(new) = new;
        for row in &mut self.rows {
            let factor = row.coefs.get(new.pivot).copied().unwrap_or(Fp::ZERO);
            if factor == Fp::ZERO {
                continue;
            }
            for (coef, known) in row.coefs.iter_mut().zip(&new.coefs) {
                if *known != Fp::ZERO {
                    *coef = coef.minus(known.times(factor));
                }
            }
            row.content.add(&new.content, Fp::ZERO.minus(factor));
        }
        self.rows.push(new);
    }

    /// The regions among the rows that a residue adds or changes, with their amounts. They follow
    /// with it and did not before, whatever their shape.
    pub(super) fn regions_with(&self, Residue(new): &Residue) -> Vec<(Vec<bool>, Amounts)> {
        let own = new.region(None).map(|region| (region, new.content.amounts));
        let changed = self.rows.iter().filter_map(|row| {
            let factor = row.coefs.get(new.pivot).copied().unwrap_or(Fp::ZERO);
            if factor == Fp::ZERO {
                return None;
            }
            let region = row.region(Some((new, factor)))?;
            let amounts = row.content.amounts;
            Some((region, amounts.minus(new.content.amounts.times(factor))))
        });
        own.into_iter().chain(changed).collect()
    }

    /// The regions among the rows, with their amounts and what persons add. They follow, whatever
    /// their shape.
    pub(super) fn regions(&self) -> impl Iterator<Item = (Vec<bool>, Amounts, Option<&Sums>)> {
        self.rows.iter().filter_map(|row| {
            let region = row.region(None)?;
            Some((region, row.content.amounts, row.content.sums.as_ref()))
        })
    }

    /// Splits places: `origin` says for each new place in which old one it lay.
    pub(super) fn split(&mut self, origin: &[usize]) {
        let mut seen = vec![false; self.width()];
        let mut fresh = self.width();
        let mut weights = Vec::with_capacity(origin.len());
        let mut news = Vec::new();
        let mut amounts = vec![Amounts::default(); origin.len()];
        let mut follows = Vec::with_capacity(origin.len());
        for (place, old) in origin.iter().enumerate() {
            let again = seen
                .get_mut(*old)
                .is_none_or(|seen| std::mem::replace(seen, true));
            if again {
                news.push(place);
                weights.push(Fp::weight(fresh));
                follows.push(Fp::weight(fresh));
                fresh += 1;
                continue;
            }
            let known = |list: &[Fp]| list.get(*old).copied().unwrap_or(Fp::ZERO);
            weights.push(known(&self.weights));
            follows.push(known(&self.prints.follows));
            let held = self.prints.amounts.get(*old).copied();
            set(&mut amounts, place, held.unwrap_or_default());
        }
        for row in &mut self.rows {
            let old = |place: &usize| row.coefs.get(*place).copied().unwrap_or(Fp::ZERO);
            row.coefs = origin.iter().map(old).collect();
            row.pivot = origin
                .iter()
                .position(|place| *place == row.pivot)
                .unwrap_or(0);
            // The rest of its row is longer by these.
            let at = |list: &[Fp], place: usize| list.get(place).copied().unwrap_or(Fp::ZERO);
            let more = news.iter().fold(Fp::ZERO, |sum, place| {
                sum.plus(at(&row.coefs, *place).times(at(&weights, *place)))
            });
            if let Some(print) = follows.get_mut(row.pivot) {
                *print = print.minus(more);
            }
        }
        self.weights = weights;
        self.prints = Prints { follows, amounts };
    }

    /// Fingerprints of all places.
    pub(super) fn prints(&self) -> &Prints {
        &self.prints
    }

    /// Fingerprints as they would be with what a region adds.
    pub(super) fn prints_with(&self, Residue(new): &Residue) -> Prints {
        let mut after = self.prints.clone();
        let weight = weigh(&new.coefs, &self.weights);
        for row in &self.rows {
            let factor = row.coefs.get(new.pivot).copied().unwrap_or(Fp::ZERO);
            if factor == Fp::ZERO {
                continue;
            }
            if let Some(print) = after.follows.get_mut(row.pivot) {
                *print = print.plus(weight.times(factor));
            }
            if let Some(amounts) = after.amounts.get_mut(row.pivot) {
                *amounts = amounts.minus(new.content.amounts.times(factor));
            }
        }
        // A pivot place is, up to what follows, minus the rest of its row.
        if let Some(print) = after.follows.get_mut(new.pivot) {
            *print = print.minus(weight);
        }
        set(&mut after.amounts, new.pivot, new.content.amounts);
        after
    }
}

fn weigh(coefs: &[Fp], weights: &[Fp]) -> Fp {
    let both = coefs
        .iter()
        .zip(weights)
        .filter(|(coef, _)| **coef != Fp::ZERO);
    both.fold(Fp::ZERO, |sum, (coef, weight)| {
        sum.plus(coef.times(*weight))
    })
}

fn set<T>(list: &mut [T], at: usize, value: T) {
    if let Some(place) = list.get_mut(at) {
        *place = value;
    }
}
