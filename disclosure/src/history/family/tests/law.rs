//! Laws over random families, against an oracle of its own: elimination over fractions, on the
//! finest cells, with no atoms, no index and no modulus.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use num_rational::Ratio;
use num_traits::{One, Zero};
use proptest::prelude::*;
use quorate_query::codebook::ColumnRef;
use quorate_query::question::Values;

use super::*;
use crate::history::family::basis::Amounts;
use crate::history::family::field::Fp;
use crate::history::family::grid::{Cover, Covers, Dims, Grid};
use crate::history::family::place::{Dim, Part};

const TOWNS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Steps of ten years from 0 to 60; the last is open.
const AGES: usize = 6;
/// Towns and missing, by ages and missing.
const CELLS: (usize, usize) = (TOWNS.len() + 1, AGES + 1);

/// A box: which towns (and missing), which ages from and to (and missing); none is everything.
type Box2 = (Option<BTreeSet<usize>>, Option<(usize, usize, bool)>);

fn boxes() -> impl Strategy<Value = Box2> {
    let towns = prop::collection::btree_set(0..CELLS.0, 1..CELLS.0);
    let ages = (0..AGES, 0..AGES, prop::bool::weighted(0.1))
        .prop_map(|(a, b, missing)| (a.min(b), a.max(b), missing));
    (
        prop::option::weighted(0.7, towns),
        prop::option::weighted(0.7, ages),
    )
}

fn codebook() -> &'static Codebook {
    static BOOK: LazyLock<Codebook> = LazyLock::new(book);
    &BOOK
}

fn town_set(towns: &BTreeSet<usize>) -> Set {
    let names = towns.iter().filter_map(|at| TOWNS.get(*at));
    let column = column("town");
    let set = Set {
        null: towns.contains(&TOWNS.len()),
        values: Values::texts(names.map(|name| (*name).to_owned())),
    };
    set.within(codebook().column(&column).unwrap())
}

fn age_set((from, to, missing): (usize, usize, bool)) -> Set {
    let edge = |step: usize| i128::try_from(step * 10).unwrap();
    let end = (to + 1 < AGES).then(|| edge(to + 1) - 1);
    let set = Set {
        null: missing,
        values: Values::from_ranges([(Some(edge(from)), end)]),
    };
    set.within(codebook().column(&column("age")).unwrap())
}

fn column(name: &str) -> ColumnRef {
    ColumnRef {
        table: "person".to_owned(),
        column: name.to_owned(),
    }
}

fn shape((towns, ages): &Box2) -> Shape {
    let mut predicate = Predicate::default();
    let sets = [
        ("town", towns.as_ref().map(town_set)),
        ("age", ages.map(age_set)),
    ];
    for (name, set) in sets {
        if let Some(set) = set.filter(|set| !set.is_anything()) {
            predicate.boxes.insert(column(name), set);
        }
    }
    Shape {
        rows: "person".to_owned(),
        joined: BTreeSet::new(),
        predicate,
    }
}

/// The oracle's view of a box: its cells.
fn cells((towns, ages): &Box2) -> Vec<bool> {
    let mut cells = Vec::new();
    for town in 0..CELLS.0 {
        for age in 0..CELLS.1 {
            let there = towns.as_ref().is_none_or(|towns| towns.contains(&town));
            let then = ages.is_none_or(|(from, to, missing)| {
                (from..=to).contains(&age) || (missing && age == AGES)
            });
            cells.push(there && then);
        }
    }
    cells
}

type Fraction = Ratio<i128>;

/// Vectors in echelon form over fractions.
#[derive(Default)]
pub(super) struct Fractions(Vec<Vec<Fraction>>);

impl Fractions {
    fn rest(&self, cells: &[bool]) -> Vec<Fraction> {
        let number = |cell: &bool| Fraction::from(i128::from(*cell));
        let mut rest: Vec<Fraction> = cells.iter().map(number).collect();
        for row in &self.0 {
            let lead = row.iter().position(|x| !x.is_zero()).unwrap();
            let factor = rest[lead] / row[lead];
            if !factor.is_zero() {
                for (x, y) in rest.iter_mut().zip(row) {
                    *x -= factor * y;
                }
            }
        }
        rest
    }

    pub(super) fn take(&mut self, cells: &[bool]) {
        let rest = self.rest(cells);
        if rest.iter().any(|x| !x.is_zero()) {
            self.0.push(rest);
        }
    }

    pub(super) fn has(&self, cells: &[bool]) -> bool {
        self.rest(cells).iter().all(Zero::is_zero)
    }
}

/// Every rectangle of neighbours: ages from and to, missing, all; towns one, two, all but one, all
/// with a value, all.
fn rectangles() -> Vec<Box2> {
    let ages = (0..AGES).flat_map(|from| (from..AGES).map(move |to| Some((from, to, false))));
    let ages: Vec<_> = ages.chain([Some((1, 0, true)), None]).collect();
    let mut towns: Vec<Option<BTreeSet<usize>>> = vec![None, Some((0..TOWNS.len()).collect())];
    for a in 0..CELLS.0 {
        towns.extend((a..CELLS.0).map(|b| Some([a, b].into())));
        towns.push(Some((0..CELLS.0).filter(|other| *other != a).collect()));
    }
    towns
        .iter()
        .flat_map(|towns| ages.iter().map(move |ages| (towns.clone(), *ages)))
        .collect()
}

fn dims() -> Dims {
    Dims {
        first: Dim::Column(column("town")),
        second: Some(Dim::Column(column("age"))),
        may_be_absent: [false, false],
        cohorts: Vec::new(),
    }
}

fn covers(of: &Box2) -> Covers {
    let boxes = shape(of).predicate.boxes;
    ["town", "age"].map(|name| Cover {
        part: boxes.get(&column(name)).cloned().map(Part::Among),
        present: true,
    })
}

/// As many persons as the weights of the cells say.
fn amounts(of: &Box2, weights: &[u32]) -> Amounts {
    let inside = cells(of).into_iter().zip(weights);
    let persons: u32 = inside.filter(|(inside, _)| *inside).map(|(_, n)| n).sum();
    let persons = Fp::of(persons.into());
    Amounts {
        persons,
        size: persons.plus(persons),
    }
}

fn grid(releases: &[Box2], weights: &[u32]) -> Grid {
    let mut grid = Grid::new(dims(), codebook());
    for release in releases {
        grid.admit(&covers(release), amounts(release, weights))
            .unwrap();
    }
    grid
}

fn weights() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..15_u32, CELLS.0 * CELLS.1)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// What follows modulo the prime is what follows over fractions, with the same persons.
    #[test]
    fn the_basis_agrees_with_fractions(
        releases in prop::collection::vec(boxes(), 1..12),
        weights in weights(),
    ) {
        let mut oracle = Fractions::default();
        for release in &releases {
            oracle.take(&cells(release));
        }
        let mut grid = grid(&releases, &weights);
        prop_assert_eq!(grid.basis.rank(), oracle.0.len());
        // Cut to the finest, so that every rectangle is a union of atoms.
        for rectangle in rectangles() {
            grid.cut(&covers(&rectangle)).unwrap();
        }
        let prints = grid.basis.prints().clone();
        for rectangle in rectangles() {
            let region = grid.region(&covers(&rectangle));
            let inside = |at: &usize| region[*at];
            let places: Vec<usize> = (0..region.len()).filter(inside).collect();
            let print = places.iter().fold(Fp::ZERO, |sum, at| sum.plus(prints.follows[*at]));
            let follows = oracle.has(&cells(&rectangle));
            prop_assert_eq!(print == Fp::ZERO, follows, "{:?}", rectangle);
            if follows {
                let sum = |all: Amounts, at: &usize| all.plus(prints.amounts[*at]);
                let found = places.iter().fold(Amounts::default(), sum);
                prop_assert_eq!(found, amounts(&rectangle, &weights));
            }
        }
    }

    /// Atoms that are split as boundaries arrive give the same as all boundaries at the start.
    #[test]
    fn splitting_is_rebuilding(releases in prop::collection::vec(boxes(), 1..12)) {
        let weights = vec![1; CELLS.0 * CELLS.1];
        let mut split = grid(&releases, &weights);
        let mut built = Grid::new(dims(), codebook());
        for of in releases.iter().chain(&rectangles()) {
            built.cut(&covers(of)).unwrap();
            split.cut(&covers(of)).unwrap();
        }
        for release in &releases {
            built.admit(&covers(release), amounts(release, &weights)).unwrap();
        }
        prop_assert_eq!(split.basis.rank(), built.basis.rank());
        for rectangle in rectangles() {
            let [one, other] = [&split, &built].map(|grid| {
                let region = grid.region(&covers(&rectangle));
                grid.basis.residue(&region, amounts(&rectangle, &weights)).is_none()
            });
            prop_assert_eq!(one, other);
        }
    }

    /// Whatever is asked in whatever order: no small group ever follows from what left, unless it
    /// was itself released.
    #[test]
    fn no_small_group_ever_follows(
        questions in prop::collection::vec(boxes(), 1..16),
        weights in weights(),
    ) {
        let mut persons = Vec::new();
        for (cell, n) in weights.iter().enumerate() {
            let (town, age) = (cell / CELLS.1, cell % CELLS.1);
            let mut one = person(0, TOWNS.get(town).unwrap_or(&""), 0, None);
            let row = &mut one.get_mut("person").unwrap()[0];
            if town == TOWNS.len() {
                row.insert("person.town".to_owned(), Scalar::Null);
            }
            let age = if age == AGES { Scalar::Null } else { int(i128::try_from(age * 10).unwrap()) };
            row.insert("person.age".to_owned(), age);
            persons.extend(times(usize::try_from(*n).unwrap(), &one));
        }
        let mut world = World::new(persons);
        let mut oracle = Fractions::default();
        let (mut let_through, mut withheld) = (0, 0);
        for question in &questions {
            let facet = world.facet(shape(question), None);
            if facet.footprint.people.len() < 8 {
                continue;
            }
            match world.ask_for(facet) {
                None => {
                    let_through += 1;
                    oracle.take(&cells(question));
                }
                Some(conflict) => {
                    withheld += 1;
                    prop_assert!(conflict.statistic.value < conflict.statistic.threshold);
                }
            }
        }
        prop_assert!(let_through > 0 || withheld == 0, "the first question is always answered");
        for rectangle in rectangles() {
            let inside = cells(&rectangle).into_iter().zip(&weights);
            let n: u32 = inside.filter(|(inside, _)| *inside).map(|(_, n)| n).sum();
            if n < 8 && oracle.has(&cells(&rectangle)) {
                prop_assert!(false, "{n} persons follow: {rectangle:?}");
            }
        }
    }
}

#[test]
fn the_oracle_eliminates() {
    let mut oracle = Fractions::default();
    oracle.take(&[true, true, false]);
    oracle.take(&[false, true, true]);
    assert!(!oracle.has(&[true, false, false]));
    oracle.take(&[true, false, true]);
    // Half of the sum of the first and the last minus the second.
    assert!(oracle.has(&[true, false, false]));
    assert!(Fraction::one() > Fraction::zero());
}
