//! What one box says in two states of the data, taken off what follows from others: laws over small
//! populations, against sums over their rows, with no basis of the audit's making, no atoms, no spread.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use proptest::prelude::*;
use quorate_query::codebook::ColumnRef;
use quorate_query::question::Values;
use roaring::RoaringBitmap;

use super::*;
use crate::history::Spread;
use crate::history::family::basis::Sums;
use crate::history::family::field::Fp;
use crate::history::family::grid::{Cover, Covers, Dims, Grid};
use crate::history::family::kept::Kept;
use crate::history::family::place::{Dim, Part};

const TOWNS: [&str; 5] = ["a", "b", "c", "d", "e"];
/// Towns and missing.
const WIDTH: usize = TOWNS.len() + 1;
/// Two sexes by towns and missing.
const CELLS: usize = 2 * WIDTH;
/// The threshold of the codebook.
const ENOUGH: usize = 8;

/// Which sex, and which towns (and missing); none is everything.
type Box2 = (Option<usize>, Option<BTreeSet<usize>>);

/// The cell that each person is in, before and after the data changed.
type States = [Vec<usize>; 2];

fn boxes() -> impl Strategy<Value = Box2> {
    let towns = prop::collection::btree_set(0..WIDTH, 1..WIDTH);
    let sex = prop::option::weighted(0.4, 0..2_usize);
    (sex, prop::option::weighted(0.7, towns))
}

/// As many persons in each cell as drawn, some of whom move to another.
fn states() -> impl Strategy<Value = States> {
    let counts = prop::collection::vec(0..6_usize, CELLS);
    let moves = prop::collection::vec((any::<prop::sample::Index>(), 0..CELLS), 0..24);
    (counts, moves).prop_map(|(counts, moves)| {
        let each = counts.iter().enumerate();
        let before: Vec<usize> = each.flat_map(|(cell, n)| vec![cell; *n]).collect();
        let mut after = before.clone();
        for (who, cell) in moves.iter().filter(|_| !before.is_empty()) {
            let who = who.index(before.len());
            after[who] = *cell;
        }
        [before, after]
    })
}

/// Boxes, and which of them are asked for before and after: some of them twice.
fn questions() -> impl Strategy<Value = Vec<(Box2, usize)>> {
    let pool = prop::collection::vec(boxes(), 3..7);
    let drawn = prop::collection::vec((any::<prop::sample::Index>(), 0..2_usize), 6..14);
    (pool, drawn).prop_map(|(pool, drawn)| {
        let named = drawn
            .into_iter()
            .map(|(at, state)| (at.get(&pool).clone(), state));
        let mut all: Vec<_> = named.collect();
        all.sort_by_key(|(_, state)| *state);
        all
    })
}

fn has((sex, towns): &Box2, cell: usize) -> bool {
    let there = towns
        .as_ref()
        .is_none_or(|towns| towns.contains(&(cell % WIDTH)));
    there && sex.is_none_or(|sex| sex == cell / WIDTH)
}

fn cells(of: &Box2) -> Vec<bool> {
    (0..CELLS).map(|cell| has(of, cell)).collect()
}

fn column(name: &str) -> ColumnRef {
    ColumnRef {
        table: "person".to_owned(),
        column: name.to_owned(),
    }
}

fn codebook() -> &'static Codebook {
    static BOOK: LazyLock<Codebook> = LazyLock::new(book);
    &BOOK
}

fn shape((sex, towns): &Box2) -> Shape {
    let named = |towns: &BTreeSet<usize>| {
        let names = towns.iter().filter_map(|at| TOWNS.get(*at));
        Set {
            null: towns.contains(&TOWNS.len()),
            values: Values::texts(names.map(|name| (*name).to_owned())),
        }
    };
    let of_sex = |sex: usize| Set {
        null: false,
        values: Values::points([i128::try_from(sex).unwrap()]),
    };
    let sets = [
        ("sex", sex.map(of_sex)),
        ("town", towns.as_ref().map(named)),
    ];
    let mut predicate = Predicate::default();
    for (name, set) in sets {
        let known = codebook().column(&column(name)).unwrap();
        let set = set.map(|set| set.within(known));
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

fn persons(cells: &[usize]) -> Vec<Rows> {
    let in_cell = |cell: &usize| {
        let sex = i128::try_from(cell / WIDTH).unwrap();
        let town = TOWNS.get(cell % WIDTH);
        let mut one = person(sex, town.unwrap_or(&""), 40, None);
        if town.is_none() {
            let row = &mut one.get_mut("person").unwrap()[0];
            row.insert("person.town".to_owned(), Scalar::Null);
        }
        one
    };
    cells.iter().map(in_cell).collect()
}

fn changed([before, after]: &States) -> RoaringBitmap {
    let ids = (0_u32..).zip(before.iter().zip(after));
    let moved = ids.filter(|(_, (before, after))| before != after);
    moved.map(|(id, _)| id).collect()
}

/// The groups of cells that must not follow: one or two values of a dimension, all but these, all that have a
/// value, all; of both dimensions.
fn runs() -> Vec<Box2> {
    let few = (0..WIDTH).flat_map(|a| (a..WIDTH).map(move |b| BTreeSet::from([a, b])));
    let few: Vec<BTreeSet<usize>> = few.collect();
    let but = |few: &BTreeSet<usize>| (0..WIDTH).filter(|at| !few.contains(at)).collect();
    let mut towns: Vec<Option<BTreeSet<usize>>> = few.iter().map(|few| Some(but(few))).collect();
    towns.extend(few.into_iter().map(Some));
    towns.extend([Some((0..TOWNS.len()).collect()), None]);
    let sexes = [None, Some(0), Some(1)];
    let of = |towns: &Option<BTreeSet<usize>>| sexes.map(|sex| (sex, towns.clone()));
    towns.iter().flat_map(of).collect()
}

/// A world in its second state is one with the same audit and other rows.
fn pass(world: &mut World, states: &States) {
    world.persons = persons(&states[1]);
    world.begun += 1;
    world.audit.begin_epoch(&changed(states));
}

/// What a release says of each person: one or nothing.
fn said(of: &Box2, state: &[usize]) -> Vec<i64> {
    state.iter().map(|cell| i64::from(has(of, *cell))).collect()
}

/// What left: its box and what it says of each person.
struct Told {
    of: Box2,
    state: usize,
    said: Vec<i64>,
}

/// Asks everything in its order; what passes R1 and the audit is told.
fn play(states: &States, questions: &[(Box2, usize)]) -> (Vec<Told>, usize) {
    let mut world = World::new(persons(&states[0]));
    let (mut told, mut withheld) = (Vec::new(), 0);
    for (of, state) in questions {
        if world.begun < *state {
            pass(&mut world, states);
        }
        let facet = world.facet(shape(of), None);
        if facet.footprint.people.len() < 8 {
            continue;
        }
        if world.ask_for(facet).is_some() {
            withheld += 1;
            continue;
        }
        told.push(Told {
            of: of.clone(),
            state: *state,
            said: said(of, &states[*state]),
        });
    }
    (told, withheld)
}

fn plus(one: &[i64], times: i64, other: &[i64]) -> Vec<i64> {
    let both = one.iter().zip(other);
    both.map(|(one, other)| one + times * other).collect()
}

fn support(sum: &[i64]) -> usize {
    sum.iter().filter(|x| **x != 0).count()
}

/// What boxes told in both states say in the second and not in the first.
fn drifts(told: &[Told]) -> Vec<Vec<i64>> {
    let pairs = told
        .iter()
        .flat_map(|one| told.iter().map(move |other| (one, other)));
    let twice = pairs.filter(|(one, other)| one.state < other.state && one.of == other.of);
    let all = twice.map(|(one, other)| plus(&other.said, -1, &one.said));
    all.filter(|drift| support(drift) > 0).collect()
}

/// A box that lies within another, taken off it: what that says, of whichever states.
fn differences(told: &[Told]) -> Vec<(String, Vec<i64>)> {
    let mut all = Vec::new();
    for whole in told {
        for part in told {
            let (outer, inner) = (cells(&whole.of), cells(&part.of));
            let within = outer
                .iter()
                .zip(&inner)
                .all(|(outer, inner)| *outer || !*inner);
            if within && outer != inner {
                let name = format!(
                    "{:?} of {} less {:?} of {}",
                    whole.of, whole.state, part.of, part.state
                );
                all.push((name, plus(&whole.said, -1, &part.said)));
            }
        }
    }
    all
}

/// Vectors over cells and persons modulo the prime, in echelon form; and what of them is left of persons
/// where nothing is left of cells.
#[derive(Default)]
struct Space {
    rows: Vec<Vec<Fp>>,
}

impl Space {
    fn rest(&self, mut vector: Vec<Fp>) -> Vec<Fp> {
        for row in &self.rows {
            let lead = row.iter().position(|x| *x != Fp::ZERO).unwrap();
            let factor = vector[lead].times(row[lead].inverse());
            for (x, y) in vector.iter_mut().zip(row) {
                *x = x.minus(y.times(factor));
            }
        }
        vector
    }

    fn take(&mut self, vector: Vec<Fp>) {
        let rest = self.rest(vector);
        if rest.iter().any(|x| *x != Fp::ZERO) {
            self.rows.push(rest);
            self.rows
                .sort_by_key(|row| row.iter().position(|x| *x != Fp::ZERO));
        }
    }

    /// What follows of persons, if that of these cells does.
    fn sum_of(&self, cells: &[bool], persons: usize) -> Option<Vec<Fp>> {
        let nobody = std::iter::repeat_n(Fp::ZERO, persons);
        let mut rest = self.rest(vector(cells, nobody));
        let said = rest.split_off(CELLS);
        rest.iter().all(|x| *x == Fp::ZERO).then_some(said)
    }

    fn implies(&self, vector: Vec<Fp>) -> bool {
        self.rest(vector).iter().all(|x| *x == Fp::ZERO)
    }

    /// How many of the rows say nothing of cells.
    fn of_persons(&self) -> usize {
        let blank = |row: &&Vec<Fp>| row.iter().take(CELLS).all(|x| *x == Fp::ZERO);
        self.rows.iter().filter(blank).count()
    }
}

fn vector(cells: &[bool], said: impl IntoIterator<Item = Fp>) -> Vec<Fp> {
    let cells = cells.iter().map(|inside| Fp::of(i128::from(*inside)));
    cells.chain(said).collect()
}

fn covers(of: &Box2) -> Covers {
    let boxes = shape(of).predicate.boxes;
    ["sex", "town"].map(|name| Cover {
        part: boxes.get(&column(name)).cloned().map(Part::Among),
        present: true,
    })
}

fn one_cell(cell: usize) -> Box2 {
    (Some(cell / WIDTH), Some([cell % WIDTH].into()))
}

/// A family cut to the cells.
fn family(changed: RoaringBitmap) -> Kept {
    let dims = Dims {
        first: Dim::Column(column("sex")),
        second: Some(Dim::Column(column("town"))),
        may_be_absent: [false, false],
        cohorts: Vec::new(),
    };
    let mut grid = Grid::new(dims, codebook());
    for cell in 0..CELLS {
        grid.cut(&covers(&one_cell(cell))).unwrap();
    }
    Kept {
        grid: Ok(grid),
        members: Vec::new(),
        oldest: 0,
        changed,
        of_rows: false,
        drifts: Vec::new(),
        newest: BTreeMap::new(),
        even: Vec::new(),
        asked: None,
    }
}

/// Of each person what stands in their place of a spread: there is one to a place.
fn by_person(sums: &crate::history::family::basis::Sums, persons: usize) -> Vec<Fp> {
    let mut all = vec![Fp::ZERO; persons];
    for (place, sum) in sums.nonzero() {
        all[place] = sum;
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Every drift that a family keeps, and what it says of every group that its basis shows, is a sum of
    /// multiples of what was told; and no drift that there is misses.
    #[test]
    fn drifts_are_what_releases_say(states in states(), questions in questions()) {
        let all = states[0].len();
        let moved = changed(&states);
        prop_assume!(all <= crate::history::Spread::PLACES && !moved.is_empty());
        let mut family = family(moved);
        let mut space = Space::default();
        let worlds = states.each_ref().map(|state| World::new(persons(state)));
        for (number, (of, state)) in questions.iter().enumerate() {
            let facet = worlds[*state].facet(shape(of), None);
            family.admit(number, covers(of), &facet);
            let said = said(of, &states[*state]).into_iter().map(|x| Fp::of(x.into()));
            space.take(vector(&cells(of), said));
        }
        let mut kept = Space::default();
        for drift in &family.drifts {
            let drift = by_person(drift, all);
            prop_assert!(drift.iter().any(|x| *x != Fp::ZERO));
            let drift = vector(&[false; CELLS], drift);
            prop_assert!(space.implies(drift.clone()));
            kept.take(drift);
        }
        prop_assert_eq!(kept.rows.len(), space.of_persons());
        let grid = family.grid.as_ref().unwrap();
        let places: Vec<usize> = (0..CELLS)
            .map(|cell| grid.region(&covers(&one_cell(cell))).iter().position(|x| *x).unwrap())
            .collect();
        for (region, amounts, sums) in grid.basis.regions() {
            let inside: Vec<bool> = places.iter().map(|place| region[*place]).collect();
            let said = by_person(sums.unwrap(), all);
            prop_assert!(space.implies(vector(&inside, said)));
            let stayed = states[0].iter().zip(&states[1]).filter(|(a, b)| a == b && inside[**a]);
            prop_assert_eq!(amounts.persons.least(), u64::try_from(stayed.count()).unwrap());
        }
    }

    /// Whatever is asked before and after: two boxes one of which lies within the other, and a box that
    /// was told in both states, never leave a few.
    #[test]
    fn what_a_box_says_twice_never_leaves_a_few(states in states(), questions in questions()) {
        let (told, _) = play(&states, &questions);
        let nothing = vec![0; states[0].len()];
        for (name, difference) in differences(&told) {
            for drift in drifts(&told).iter().chain([&nothing]) {
                for sign in [1, -1] {
                    let left = support(&plus(&difference, sign, drift));
                    prop_assert!(left >= ENOUGH, "{left} persons: {name}, {sign} times {drift:?}");
                }
            }
        }
    }

    /// Nor does one follow from the newest release of each box, whatever states these are of.
    #[test]
    fn no_small_group_follows_from_the_newest_releases(
        states in states(),
        questions in questions(),
    ) {
        let (told, _) = play(&states, &questions);
        let persons = states[0].len();
        let mut independent = Space::default();
        let mut newest = Space::default();
        for (at, one) in told.iter().enumerate() {
            let bare = vector(&cells(&one.of), []);
            if independent.implies(bare.clone()) {
                continue;
            }
            independent.take(bare);
            let mut later = told.iter().skip(at).filter(|other| other.of == one.of);
            let last = later.next_back().unwrap();
            let said = last.said.iter().map(|x| Fp::of(i128::from(*x)));
            newest.take(vector(&cells(&one.of), said));
        }
        for run in runs() {
            let Some(sum) = newest.sum_of(&cells(&run), persons) else {
                continue;
            };
            let left = sum.iter().filter(|x| **x != Fp::ZERO).count();
            prop_assert!(left >= ENOUGH, "{left} persons: {run:?}");
        }
    }

    /// Whatever was told of the first state: no small group of the second follows from what was told of it.
    #[test]
    fn no_small_group_of_one_state_follows(states in states(), questions in questions()) {
        let (told, _) = play(&states, &questions);
        for (number, state) in states.iter().enumerate() {
            let mut space = Space::default();
            for one in told.iter().filter(|one| one.state == number) {
                space.take(vector(&cells(&one.of), []));
            }
            for run in runs() {
                let persons = support(&said(&run, state));
                let follows = space.implies(vector(&cells(&run), []));
                prop_assert!(persons >= ENOUGH || !follows, "{persons} persons of {number}: {run:?}");
            }
        }
    }
}

/// The laws above are not true for want of anything that is told, told twice, or withheld.
#[test]
fn games_tell_boxes_twice_and_withhold() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let (mut twice, mut within, mut not) = (0, 0, 0);
    for _ in 0..100 {
        let game = (states(), questions()).new_tree(&mut runner).unwrap();
        let (states, questions) = game.current();
        let (told, withheld) = play(&states, &questions);
        twice += drifts(&told).len();
        within += differences(&told).len();
        not += withheld;
    }
    assert!(
        twice > 50 && within > 50 && not > 10,
        "{twice} {within} {not}"
    );
}

/// A family that holds as many drifts as it can compare tells a box anew only if nothing has changed in it; a
/// box that does not follow is told.
#[test]
fn a_family_that_is_full_tells_no_box_anew() {
    let before: Vec<usize> = (0..60).map(|id| id / 30).collect();
    let mut after = before.clone();
    after[..12].fill(2);
    let states = [before, after];
    let worlds = states.each_ref().map(|state| World::new(persons(state)));
    let facet = |of: &Box2, state: usize| worlds[state].facet(shape(of), None);
    let (town, other) = (one_cell(0), one_cell(1));
    let told = vec![facet(&town, 0)];
    let setting = Setting {
        codebook: codebook(),
        params: &codebook().release,
        releases: &told,
    };
    let mut family = family(changed(&states));
    family.admit(0, covers(&town), &told[0]);
    let mut asks = |of: &Box2, state: usize, drifts: usize| {
        let elsewhere = Spread::of_persons(&(100..140).collect());
        family.drifts = vec![Sums::of(&elsewhere); drifts];
        let found = family.conflict(&covers(of), &facet(of, state), &setting);
        found.map(|conflict| conflict.statistic.name)
    };
    for (drifts, full) in [(255, None), (256, Some("family_drifts"))] {
        assert_eq!(asks(&town, 1, drifts), full, "{drifts}");
        assert_eq!(asks(&town, 0, drifts), None);
        assert_eq!(asks(&other, 1, drifts), None);
    }
}
