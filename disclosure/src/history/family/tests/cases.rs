//! Known attacks, and questions that must be let through.

use super::*;

const TOTAL: &str = "SELECT count(*) FROM person WHERE town IS NOT NULL";

fn count(condition: &str) -> String {
    format!("SELECT count(*) FROM person WHERE {condition}")
}

/// `each` persons in every town but `e`, where there are `last`.
fn towns(each: usize, last: usize) -> World {
    let mut persons = Vec::new();
    for town in ["a", "b", "c", "d"] {
        persons.extend(times(each, &person(0, town, 40, Some(10))));
    }
    for (income, person) in (1000_i128..).zip(&mut persons) {
        person.get_mut("person").unwrap()[0].insert("person.income".to_owned(), int(income));
    }
    persons.extend(times(last, &person(0, "e", 40, Some(10))));
    World::new(persons)
}

/// Lets all but the last question leave and gives what stands against the last: name and value.
fn last(world: &mut World, questions: &[&str]) -> Option<(&'static str, i128)> {
    let (last, first) = questions.split_last().unwrap();
    for sql in first {
        assert_eq!(world.ask(sql), None, "{sql}");
    }
    let conflict = world.ask(last)?;
    assert!(conflict.statistic.value < conflict.statistic.threshold);
    Some((conflict.statistic.name, conflict.statistic.value))
}

#[test]
fn the_total_minus_all_other_cells() {
    let cells = ["a", "b", "c", "d"].map(|town| count(&format!("town = '{town}'")));
    let mut questions: Vec<&str> = cells.iter().map(String::as_str).collect();
    questions.push(TOTAL);
    let few = Some(("family_persons", 3));
    assert_eq!(last(&mut towns(20, 3), &questions), few);
    assert_eq!(
        last(&mut towns(20, 0), &questions),
        Some(("family_persons", 0))
    );
    assert_eq!(last(&mut towns(20, 8), &questions), None);
    // Whatever the order: the one that completes the sum is withheld.
    questions.rotate_right(2);
    assert_eq!(last(&mut towns(20, 3), &questions), few);
}

#[test]
fn what_follows_already_may_be_said() {
    let mut world = towns(20, 3);
    for sql in [TOTAL, &count("town IN ('a', 'b')")] {
        assert_eq!(world.ask(sql), None);
    }
    // The complement follows from both; saying it adds nothing.
    assert_eq!(world.ask(&count("town IN ('c', 'd', 'e')")), None);
}

/// Whoever is in no town and whoever is old are left together: no rectangle.
#[test]
fn what_several_parts_leave_of_a_whole() {
    let questions = [
        "SELECT count(*) FROM person".to_owned(),
        count("town = 'a' AND age < 80"),
        count("town IN ('b', 'c', 'd', 'e') AND age < 80"),
    ];
    let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
    let world = |old: usize| {
        let mut persons = times(30, &person(0, "a", 10, None));
        persons.extend(times(30, &person(0, "b", 10, None)));
        persons.extend(times(old, &person(0, "b", 90, None)));
        World::new(persons)
    };
    let few = Some(("family_persons", 3));
    assert_eq!(last(&mut world(3), &questions), few);
    assert_eq!(last(&mut world(8), &questions), None);
}

#[test]
fn a_column_that_is_never_missing_adds_up() {
    let mut persons = times(20, &person(0, "a", 40, None));
    persons.extend(times(20, &person(1, "a", 40, None)));
    let all = "SELECT count(*) FROM person";
    let (women, men) = (count("sex = 0"), count("sex = 1"));
    for questions in [[all, &women, &men], [&men, &women, all]] {
        assert_eq!(last(&mut World::new(persons.clone()), &questions), None);
    }
}

#[test]
fn prefix_corners() {
    let mut persons = Vec::new();
    for (age, height) in [(10, 5), (10, 15), (30, 5)] {
        persons.extend(times(30, &person(0, "a", age, Some(height))));
    }
    persons.extend(times(2, &person(0, "a", 30, Some(15))));
    let corner = |age: i32, height: i32| count(&format!("age < {age} AND height < {height}"));
    let corners = [
        corner(40, 20),
        corner(20, 20),
        corner(40, 10),
        corner(20, 10),
    ];
    let questions: Vec<&str> = corners.iter().map(String::as_str).collect();
    let found = last(&mut World::new(persons.clone()), &questions);
    assert_eq!(found, Some(("family_persons", 2)));
    persons.extend(times(6, &person(0, "a", 30, Some(15))));
    assert_eq!(last(&mut World::new(persons), &questions), None);
}

/// A grid of prefixes, ten by ten: 100 releases whose second differences are single cells.
#[test]
fn a_grid_of_prefixes_never_pins_a_corner() {
    let mut persons = Vec::new();
    for age in 0..10 {
        for height in 0..5 {
            let n = if (age, height) == (7, 3) { 4 } else { 9 };
            let one = person(0, "a", age * 10 + 1, Some(height * 10 + 1));
            persons.extend(times(n, &one));
        }
    }
    let mut world = World::new(persons);
    let mut withheld = Vec::new();
    for age in 1..=10 {
        for height in 1..=5 {
            let prefix = format!("age < {} AND height < {}", age * 10, height * 10);
            // A prefix that reaches a bound says only that the value is there.
            if world.ask(&count(&prefix)).is_some() {
                withheld.push((age, height));
            }
        }
    }
    assert_eq!(
        withheld,
        [(8, 4)],
        "the corner itself completes its cell, nothing else does"
    );
}

#[test]
fn refined_bands_and_cuts() {
    let mut persons = times(30, &person(0, "a", 10, None));
    persons.extend(times(3, &person(0, "a", 19, None)));
    persons.extend(times(30, &person(0, "a", 22, None)));
    let world = || World::new(persons.clone());
    let few = Some(("family_persons", 3));
    // 18 cuts the band of 20 years.
    let cut = [count("age < 20"), count("age < 18")];
    assert_eq!(last(&mut world(), &[&cut[0], &cut[1]]), few);
    // Bands of 5 years beside bands of 10.
    let bands = [
        count("age >= 15 AND age < 25"),
        count("age >= 20 AND age < 25"),
    ];
    assert_eq!(last(&mut world(), &[&bands[0], &bands[1]]), few);
    // Two steps: 0..25 is 0..15 and 15..20 and 20..25.
    let steps = [
        count("age < 25"),
        count("age < 15"),
        count("age >= 20 AND age < 25"),
    ];
    assert_eq!(last(&mut world(), &[&steps[0], &steps[1], &steps[2]]), few);
}

/// Persons of both sexes with and without a visit of kind 1; `few` men without.
fn cohorts(few: usize) -> World {
    let visited = |sex| {
        let one = person(sex, "a", 40, None);
        let visit = [("kind", int(1)), ("date", Scalar::Date(0))];
        with(&one, "visit", &visit)
    };
    let mut persons = times(20, &visited(0));
    persons.extend(times(20, &person(0, "a", 40, None)));
    persons.extend(times(20, &visited(1)));
    persons.extend(times(few, &person(1, "a", 40, None)));
    World::new(persons)
}

const IN: &str = "person.id IN (SELECT person_id FROM visit WHERE kind = 1)";

#[test]
fn inclusion_and_exclusion_with_a_cohort() {
    let questions = [
        "SELECT count(*) FROM person".to_owned(),
        count("sex = 0"),
        count(IN),
        count(&format!("sex = 0 AND {IN}")),
    ];
    let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
    let found = last(&mut cohorts(5), &questions);
    assert_eq!(found, Some(("family_persons", 5)));
    assert_eq!(last(&mut cohorts(9), &questions), None);
}

#[test]
fn a_cohort_within_a_cohort_leaves_nobody_to_be_found() {
    let mut world = cohorts(9);
    let wide = "person.id IN (SELECT person_id FROM visit WHERE kind IN (1, 2))";
    let both = count(&format!("{IN} AND {wide}"));
    assert_eq!(world.ask(&count(IN)), None);
    // Who visited for 1 has visited for 1 or 2: that the two are the same says nothing.
    assert_eq!(world.ask(&both), None);
}

/// Months of visits by 30 persons each; in the last month, of `few` others.
fn months(few: usize) -> World {
    let one = person(0, "a", 40, None);
    let visit = |day: i32| {
        with(
            &one,
            "visit",
            &[("kind", int(1)), ("date", Scalar::Date(day))],
        )
    };
    let days = [19723, 19754, 19783].map(|first: i32| first + 2);
    let mut persons: Vec<Rows> = days
        .iter()
        .flat_map(|day| times(30, &visit(*day)))
        .collect();
    persons.extend(times(few, &visit(19814 + 2)));
    World::new(persons)
}

#[test]
fn a_withheld_month_against_the_period() {
    let month = |from: &str, to: &str| {
        format!("SELECT count(*) FROM visit WHERE date >= DATE '{from}' AND date < DATE '{to}'")
    };
    let questions = [
        month("2024-01-01", "2024-02-01"),
        month("2024-02-01", "2024-03-01"),
        month("2024-03-01", "2024-04-01"),
        month("2024-01-01", "2024-05-01"),
    ];
    let questions: Vec<&str> = questions.iter().map(String::as_str).collect();
    let found = last(&mut months(5), &questions);
    assert_eq!(found, Some(("family_rows_persons", 5)));
    // Eight who have visits in no other month are surely enough.
    assert_eq!(last(&mut months(8), &questions), None);
}

#[test]
fn presence_in_a_joined_table() {
    let scanned = with(&person(0, "a", 40, None), "scan", &[("dose", int(5))]);
    let mut persons = times(30, &scanned);
    persons.extend(times(6, &person(0, "a", 40, None)));
    let join = "SELECT count(*) FROM person JOIN scan ON scan.person_id = person.id";
    let all = "SELECT count(*) FROM person";
    let questions = [all, join];
    let found = last(&mut World::new(persons.clone()), &questions);
    assert_eq!(found, Some(("family_persons", 6)));
    // Also if the scan is narrowed in the other release: not scanned is a value like any other.
    let narrowed = [
        format!("{join} WHERE scan.dose < 10"),
        format!("{join} WHERE scan.dose >= 10"),
    ];
    let mut world = World::new(persons.clone());
    persons.extend(times(
        20,
        &with(&person(0, "a", 40, None), "scan", &[("dose", int(15))]),
    ));
    let found = last(&mut world, &[&narrowed[0], all]);
    assert_eq!(found, Some(("family_persons", 6)));
    let mut world = World::new(persons);
    let found = last(&mut world, &[&narrowed[0], &narrowed[1], all]);
    assert_eq!(found, Some(("family_persons", 6)));
}

#[test]
fn a_sum_that_one_person_makes_up() {
    let rich = |income: i128| {
        let mut world = towns(20, 12);
        let row = world.persons.last_mut().unwrap().get_mut("person").unwrap();
        row[0].insert("person.income".to_owned(), int(income));
        world
    };
    for (income, dominated) in [(90_000, true), (2000, false)] {
        let mut world = rich(income);
        for town in ["a", "b", "c", "d"] {
            let sum = world.incomes(&count(&format!("town = '{town}'")));
            assert_eq!(world.ask_for(sum), None);
        }
        let total = world.incomes(TOTAL);
        let conflict = world.ask_for(total);
        let name = conflict.map(|conflict| conflict.statistic.name);
        assert_eq!(name, dominated.then_some("family_dominance"), "{income}");
    }
}

#[test]
fn a_difference_in_which_all_add_the_same() {
    let mut world = towns(20, 12);
    for town in ["a", "b", "c", "d"] {
        let sum = world.incomes(&count(&format!("town = '{town}'")));
        assert_eq!(world.ask_for(sum), None);
    }
    let total = world.incomes(TOTAL);
    let conflict = world.ask_for(total).unwrap();
    assert_eq!(conflict.statistic.name, "family_dominance");
}

#[test]
fn three_columns_are_for_another_rule() {
    let mut world = towns(20, 3);
    assert_eq!(world.ask(TOTAL), None);
    let apart = count("town = 'a' AND sex = 0 AND age < 60");
    assert_eq!(world.ask(&apart), None);
}

#[test]
fn more_atoms_than_can_be_audited() {
    let ages = (0..=100).flat_map(|age| times(8, &person(0, "a", age, Some(25))));
    let heights = (0..=50).flat_map(|height| times(8, &person(0, "a", 50, Some(height))));
    let mut world = World::new(ages.chain(heights).collect());
    // 100 ages by 50 heights are more than 4,096.
    for age in 1..100 {
        let wide = world.count(&count(&format!("age < {age} AND height < 50")));
        world.tell(wide);
    }
    for height in 1..50 {
        let wide = world.count(&count(&format!("age < 100 AND height < {height}")));
        world.tell(wide);
    }
    let conflict = world.ask(&count("age < 100 AND height < 50")).unwrap();
    assert_eq!(conflict.statistic.name, "family_atoms");
}

#[test]
fn what_is_held_counts_until_it_is_rolled_back() {
    let mut world = towns(20, 3);
    for town in ["a", "b", "c"] {
        assert_eq!(world.ask(&count(&format!("town = '{town}'"))), None);
    }
    let held = world.count(&count("town = 'd'"));
    let total = world.count(TOTAL);
    assert_eq!(world.audit(&total), None);
    for _ in 0..2 {
        world.told.push(held.clone());
        world.audit.hold(world.told.len() - 1);
        assert!(world.audit(&total).is_some());
        world.audit.roll_back();
        world.told.pop();
        assert_eq!(world.audit(&total), None);
    }
}

/// The same box in both states of the data takes off who has changed elsewhere, whatever the order.
#[test]
fn what_one_box_says_in_two_states_is_taken_off_others() {
    for (old, conflict) in [(3, true), (12, false)] {
        let (all, others) = (TOTAL.to_owned(), count("town <> 'd'"));
        let young = count("town IS NOT NULL AND age < 95");
        for same_last in [true, false] {
            let mut world = towns(40, 0);
            for person in world.persons.iter_mut().skip(120).take(old) {
                person.get_mut("person").unwrap()[0].insert("person.age".to_owned(), int(97));
            }
            assert_eq!(world.ask(&all), None);
            assert_eq!(world.ask(&others), None);
            // Twenty of town a have no town any more.
            for person in world.persons.iter_mut().take(20) {
                person.get_mut("person").unwrap()[0].insert("person.town".to_owned(), Scalar::Null);
            }
            world.begin_epoch(0..20);
            let mut two = [others.as_str(), young.as_str()];
            if same_last {
                two.reverse();
            }
            assert_eq!(world.ask(two[0]), None, "{}", two[0]);
            assert_eq!(
                world.ask(two[1]).is_some(),
                conflict,
                "{old} old, {}",
                two[1]
            );
        }
    }
}

#[test]
fn releases_of_an_earlier_epoch_count_while_few_persons_are_left_over() {
    let cells = ["a", "b", "c", "d"].map(|town| count(&format!("town = '{town}'")));
    // How many have other data, and how many are new: only these are in the total and in no town.
    for (changed, new, conflict) in [(3, 0, true), (70, 0, true), (3, 4, true), (70, 12, false)] {
        let mut world = towns(20, 3);
        for cell in &cells {
            assert_eq!(world.ask(cell), None);
        }
        let newcomers = vec![world.persons[0].clone(); new];
        world.persons.extend(newcomers);
        let all = u32::try_from(world.persons.len()).unwrap();
        let changed = (0..changed).chain(83..all).collect();
        world.begun += 1;
        world.audit.begin_epoch(&changed);
        assert_eq!(world.ask(TOTAL).is_some(), conflict, "{new} new");
    }
}

/// Two numbers of each state of the data: what they leave is a town of the first, less one person.
#[test]
fn four_legs_in_two_states_of_the_data_are_seen() {
    for (old, conflict) in [(3, true), (12, false)] {
        let mut world = towns(20, 3);
        // Twelve in town c, so that the old of other towns are no small group.
        let d = 60..60 + old;
        for id in (45..57).chain(d) {
            let person = &mut world.persons[id];
            person.get_mut("person").unwrap()[0].insert("person.age".to_owned(), int(97));
        }
        assert_eq!(world.ask(TOTAL), None);
        assert_eq!(world.ask(&count("town <> 'd'")), None);
        // Thirty of the towns a and b have changed, in whatever column.
        world.begin_epoch(0..30);
        assert_eq!(world.ask(&count("town <> 'd' AND age < 95")), None);
        let last = world.ask(&count("town IS NOT NULL AND age < 95"));
        assert_eq!(last.is_some(), conflict, "{old} old of town d follow");
    }
}

/// What was told of the first state says nothing of who is left over in the second.
#[test]
fn the_total_minus_all_other_cells_of_a_later_state() {
    let cells = ["a", "b", "c", "d"].map(|town| count(&format!("town = '{town}'")));
    for (left, conflict) in [(3, true), (12, false)] {
        let mut world = towns(20, 60);
        for sql in cells
            .iter()
            .chain([&count("town = 'e'"), &TOTAL.to_owned()])
        {
            assert_eq!(world.ask(sql), None, "{sql}");
        }
        // Most of town e have moved to all others.
        for (at, person) in world.persons.iter_mut().skip(80 + left).enumerate() {
            let town = Scalar::Text(["a", "b", "c", "d"][at % 4].to_owned());
            person.get_mut("person").unwrap()[0].insert("person.town".to_owned(), town);
        }
        let moved = u32::try_from(80 + left).unwrap();
        world.begin_epoch(moved..140);
        for sql in cells.iter().take(3) {
            assert_eq!(world.ask(sql), None, "{sql}");
        }
        // All are who they were, so the last town is one too many, and so is the total after it.
        let last = world.count(&cells[3]);
        assert_eq!(world.audit(&last).is_some(), conflict);
        world.tell(last);
        assert_eq!(world.ask(TOTAL).is_some(), conflict, "{left} left");
    }
}
