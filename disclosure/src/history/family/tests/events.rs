//! Rows of events: what follows is judged by the persons who have such rows.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::law::Fractions;
use super::*;
use crate::history::{Spread, Traits};

const KINDS: [i128; 3] = [1, 2, 3];
/// First days of the periods, and of the one after the last.
const DAYS: [(i32, &str); 5] = [
    (19723, "2024-01-01"),
    (19754, "2024-02-01"),
    (19783, "2024-03-01"),
    (19814, "2024-04-01"),
    (19844, "2024-05-01"),
];
const PERIODS: usize = DAYS.len() - 1;
const CELLS: usize = KINDS.len() * PERIODS;

/// Kinds, and the first and the last period.
type Box2 = (BTreeSet<usize>, (usize, usize));

fn boxes() -> impl Strategy<Value = Box2> {
    let kinds = prop::collection::btree_set(0..KINDS.len(), 1..=KINDS.len());
    let periods = (0..PERIODS, 0..PERIODS).prop_map(|(a, b)| (a.min(b), a.max(b)));
    (kinds, periods)
}

fn sql((kinds, (from, to)): &Box2) -> String {
    let kinds: Vec<String> = kinds.iter().map(|at| KINDS[*at].to_string()).collect();
    format!(
        "SELECT count(*) FROM visit WHERE kind IN ({}) AND date >= DATE '{}' AND date < DATE '{}'",
        kinds.join(", "),
        DAYS[*from].1,
        DAYS[to + 1].1,
    )
}

fn cells((kinds, (from, to)): &Box2) -> Vec<bool> {
    let cell =
        |at: usize| kinds.contains(&(at / PERIODS)) && (*from..=*to).contains(&(at % PERIODS));
    (0..CELLS).map(cell).collect()
}

fn all_boxes() -> Vec<Box2> {
    let kinds = (1..1_usize << KINDS.len()).map(|bits| {
        (0..KINDS.len())
            .filter(|at| bits >> at & 1 == 1)
            .collect::<BTreeSet<_>>()
    });
    let periods = || (0..PERIODS).flat_map(|from| (from..PERIODS).map(move |to| (from, to)));
    kinds
        .flat_map(|kinds| periods().map(move |periods| (kinds.clone(), periods)))
        .collect()
}

/// Costs of one person's visits, by cell.
type Visits = Vec<(usize, u16)>;

fn world(persons: &[Visits], step: u32) -> World {
    let one = person(0, "a", 40, None);
    let visited = |visits: &Visits| {
        visits.iter().fold(one.clone(), |person, (cell, cost)| {
            let day = DAYS[cell % PERIODS].0 + 2;
            let values = [
                ("kind", int(KINDS[cell / PERIODS])),
                ("date", Scalar::Date(day)),
                ("cost", int((*cost).into())),
            ];
            with(&person, "visit", &values)
        })
    };
    let mut world = World::new(persons.iter().map(visited).collect());
    world.step = step;
    world
}

fn persons() -> impl Strategy<Value = Vec<Visits>> {
    let cost = prop_oneof![6 => 1_u16..40, 1 => 500_u16..1000];
    // Some cells have few visits.
    let cell = prop_oneof![8 => 0..CELLS - 3, 1 => CELLS - 3..CELLS];
    prop::collection::vec(prop::collection::vec((cell, cost), 0..5), 10..60)
}

/// What every person adds to a box.
fn totals(persons: &[Visits], of: &Box2) -> Vec<i128> {
    let inside = cells(of);
    let total = |visits: &Visits| {
        let there = visits.iter().filter(|(cell, _)| inside[*cell]);
        there.map(|(_, cost)| i128::from(*cost)).sum()
    };
    let mut totals: Vec<i128> = persons
        .iter()
        .map(total)
        .filter(|total| *total > 0)
        .collect();
    totals.sort_unstable_by_key(|total| std::cmp::Reverse(*total));
    totals
}

/// R4 and R5 with the default limits.
fn is_dominated(totals: &[i128]) -> bool {
    let [first, second, ..] = totals else {
        return true;
    };
    let all: i128 = totals.iter().sum();
    100 * (all - first - second) < 10 * first || 100 * (first + second) >= 90 * all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is asked in whatever order: visits of a few never follow, however many persons
    /// share a place of the spread.
    #[test]
    fn visits_of_a_few_never_follow(
        persons in persons(),
        questions in prop::collection::vec(boxes(), 1..12),
        far in any::<bool>(),
    ) {
        let mut world = world(&persons, if far { 1 } else { 64 });
        let mut oracle = Fractions::default();
        for question in &questions {
            let facet = world.count(&sql(question));
            if facet.footprint.people.len() >= 8 && world.ask_for(facet).is_none() {
                oracle.take(&cells(question));
            }
        }
        for of in all_boxes() {
            let n = totals(&persons, &of).len();
            prop_assert!(n >= 8 || !oracle.has(&cells(&of)), "{n} persons follow: {of:?}");
        }
    }

    /// Nor do totals that one or two persons make up.
    #[test]
    fn dominated_totals_never_follow(
        persons in persons(),
        questions in prop::collection::vec(boxes(), 1..10),
        far in any::<bool>(),
    ) {
        let mut world = world(&persons, if far { 1 } else { 64 });
        let mut oracle = Fractions::default();
        for question in &questions {
            let own = totals(&persons, question);
            let facet = world.costs(&sql(question));
            if own.len() >= 8 && !is_dominated(&own) && world.ask_for(facet).is_none() {
                oracle.take(&cells(question));
            }
        }
        for of in all_boxes().iter().filter(|of| oracle.has(&cells(of))) {
            let own = totals(&persons, of);
            prop_assert!(own.len() >= 8 && !is_dominated(&own), "{own:?} follow: {of:?}");
        }
    }
}

impl World {
    /// The costs of the visits that a question counts.
    fn costs(&self, sql: &str) -> Facet {
        let shape = self.count(sql).shape;
        self.facet(shape, Some("visit.cost"))
    }

    /// The persons who have a row that a question counts.
    fn visitors(&self, sql: &str) -> Facet {
        let mut facet = self.count(sql);
        facet.form = Form::Persons;
        let people = facet.footprint.people.clone();
        facet.footprint = Footprint::of(&Contributions::ones(people));
        facet
    }
}

/// Everybody has visits of different cost in each period; of kind 3 only some have.
fn regular(kind_3: usize) -> World {
    let visits = |at: usize| -> Visits {
        let regular =
            (0..2 * PERIODS).map(|cell| (cell, u16::try_from(10 + at % 7 + cell).unwrap()));
        let rare = (at < kind_3).then(|| (2 * PERIODS, u16::try_from(20 + at).unwrap()));
        regular.chain(rare).collect()
    };
    world(&(0..60).map(visits).collect::<Vec<_>>(), 1)
}

fn periods() -> Vec<String> {
    let kinds: BTreeSet<usize> = (0..KINDS.len()).collect();
    let one = |at| sql(&(kinds.clone(), (at, at)));
    let all = sql(&(kinds.clone(), (0, PERIODS - 1)));
    (0..PERIODS).map(one).chain([all]).collect()
}

/// What was denied while nothing was known of a period but who is in the others.
#[test]
fn visits_by_period_and_their_total_may_all_be_told() {
    for order in 0..=PERIODS {
        let mut sqls = periods();
        sqls.rotate_left(order);
        let mut world = regular(20);
        for sql in &sqls {
            assert_eq!(world.ask(sql), None, "{sql}");
            let costs = world.costs(sql);
            assert_eq!(world.ask_for(costs), None, "{sql}");
        }
    }
}

#[test]
fn a_kind_that_few_have_does_not_follow_from_the_others() {
    let kinds = [[0_usize].as_slice(), &[1], &[0, 1, 2]];
    let sqls = kinds.map(|kinds| sql(&(kinds.iter().copied().collect(), (0, PERIODS - 1))));
    for (few, denied) in [(3, true), (20, false)] {
        let mut world = regular(few);
        let ask = |world: &mut World, facet| world.ask_for(facet).map(|c| c.statistic.name);
        for sql in sqls.iter().take(2) {
            assert_eq!(world.ask(sql), None);
        }
        let rows = world.count(&sqls[2]);
        let found = ask(&mut world, rows);
        assert_eq!(found, denied.then_some("family_rows_persons"), "{few}");
        for sql in sqls.iter().take(2) {
            let costs = world.costs(sql);
            assert_eq!(world.ask_for(costs), None);
        }
        let costs = world.costs(&sqls[2]);
        let found = ask(&mut world, costs);
        assert_eq!(found, denied.then_some("family_rows_persons"), "{few}");
    }
}

/// One person's costs are most of a period that follows from the others.
#[test]
fn a_total_that_one_person_makes_up_does_not_follow() {
    for (most, denied) in [(1000, true), (20, false)] {
        let visits = |at: usize| -> Visits {
            let cost = |cell: usize| match (at, cell) {
                (0, 0) => most,
                (_, 0) => u16::try_from(1 + at % 3).unwrap(),
                _ => u16::try_from(900 + at).unwrap(),
            };
            (0..PERIODS).map(|cell| (cell, cost(cell))).collect()
        };
        let mut world = world(&(0..40).map(visits).collect::<Vec<_>>(), 1);
        let mut conflict = None;
        for sql in periods().iter().skip(1) {
            assert_eq!(conflict, None);
            let costs = world.costs(sql);
            conflict = world.ask_for(costs);
        }
        let found = conflict.map(|conflict| conflict.statistic.name);
        assert_eq!(found, denied.then_some("family_dominance"), "{most}");
    }
}

/// One person has most of the visits of a period that follows from the others.
#[test]
fn rows_that_one_person_has_do_not_follow() {
    for (most, denied) in [(200, true), (2, false)] {
        let visits = |at: usize| -> Visits {
            let first = if at == 0 { most } else { 1 };
            let regular = (1..PERIODS).map(|cell| (cell, 5));
            std::iter::repeat_n((0, 5), first).chain(regular).collect()
        };
        let mut world = world(&(0..20).map(visits).collect::<Vec<_>>(), 1);
        let mut conflict = None;
        for sql in periods().iter().skip(1) {
            assert_eq!(conflict, None);
            conflict = world.ask(sql);
        }
        let found = conflict.map(|conflict| conflict.statistic.name);
        assert_eq!(found, denied.then_some("family_dominance"), "{most}");
    }
}

/// Where limits took something off, or persons are counted, a whole is not what its parts add up
/// to: what it says more must not be of a few.
#[test]
fn a_whole_that_says_a_little_more_than_its_parts() {
    let kinds = [[0_usize].as_slice(), &[1], &[0, 1]];
    let sqls = kinds.map(|kinds| sql(&(kinds.iter().copied().collect(), (0, PERIODS - 1))));
    for (both, denied) in [(2, true), (20, false)] {
        let visits = |at: usize| -> Visits {
            let first = (at.is_multiple_of(2) || at < both).then_some((0, 5));
            let second = (at % 2 == 1 || at < both).then_some((PERIODS, 5));
            first.into_iter().chain(second).collect()
        };
        let persons: Vec<Visits> = (0..60).map(visits).collect();
        let mut counted = world(&persons, 1);
        let mut limited = world(&persons, 1);
        let mut found = [None, None];
        for sql in &sqls {
            let visitors = counted.visitors(sql);
            found[0] = counted
                .ask_for(visitors)
                .map(|conflict| conflict.statistic.name);
            // At most one row of each counts.
            let mut rows = limited.visitors(sql);
            rows.form = Form::Rows(1);
            let sums = rows.footprint.spread.take().unwrap().sums().to_vec();
            let (signed, limits) = (false, true);
            rows.footprint.spread = Spread::kept(
                sums,
                Traits {
                    signed,
                    limited: limits,
                },
            );
            found[1] = limited
                .ask_for(rows)
                .map(|conflict| conflict.statistic.name);
        }
        assert_eq!(found, [denied.then_some("family_surplus"); 2], "{both}");
    }
}

#[test]
fn without_spreads_who_is_in_which_release_must_do() {
    let mut world = regular(20);
    let mut denied = 0;
    let mut sqls = periods();
    sqls.rotate_right(1);
    for sql in sqls {
        let mut facet = world.count(&sql);
        facet.footprint.spread = None;
        denied += usize::from(world.ask_for(facet).is_some());
    }
    assert_eq!(
        denied, 4,
        "beside the total nothing would be known of the periods that are left"
    );
}
