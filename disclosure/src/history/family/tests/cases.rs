//! Known attacks, and questions that must be let through.

use super::*;

fn count(condition: &str) -> String {
    format!("SELECT count(*) FROM person WHERE {condition}")
}

/// Twenty persons in every town but `e`, where there are three.
fn towns() -> World {
    let mut persons = Vec::new();
    for town in ["a", "b", "c", "d"] {
        persons.extend(times(20, &person(0, town, 40, Some(10))));
    }
    persons.extend(times(3, &person(0, "e", 40, Some(10))));
    World::new(persons)
}

#[test]
fn the_total_minus_all_other_cells() {
    let mut world = towns();
    for town in ["a", "b", "c", "d"] {
        assert_eq!(world.ask(&count(&format!("town = '{town}'"))), None);
    }
    // Now the total would show the three of town e, or that nobody's town is missing.
    let conflict = world.ask("SELECT count(*) FROM person").unwrap();
    assert_eq!(conflict.statistic.name, "family_persons");
    assert_eq!(
        (conflict.statistic.value, conflict.statistic.threshold),
        (3, 8)
    );
}
