//! Attacks on counts, one by one, each with what stops it.

use quorate_query::answer::Cell;
use quorate_query::number::Number;

use super::*;

fn count(n: i128) -> Cell {
    Cell::Value(vec![Number::new(n, 0)])
}

/// 40 persons of either sex in each of four towns, of all ages; 3 of town 3 are 92 years old.
fn clinic() -> People {
    let mut people = People::new();
    for id in 0..320_u32 {
        let (sex, town) = (i64::from(id % 2), i64::from(id / 2 % 4));
        let age = i64::from(id / 8 * 2 % 90);
        people.insert(
            id,
            [
                sex,
                town,
                age,
                i64::from(id % 3 == 0),
                20_000 + i64::from(id) * 7,
            ],
        );
    }
    for (id, person) in people
        .iter_mut()
        .filter(|(_, person)| person[1] == 3)
        .take(3)
    {
        *person = [person[0], 3, 92, i64::from(id % 2), person[4]];
    }
    people
}

const ALL: &str = "SELECT count(*) FROM person";

#[test]
fn a_total_without_a_few_is_the_total() {
    let mut node = Node::of(clinic());
    assert_eq!(node.one(ALL), count(320));
    // 3 persons are older than 90: the question shows the total in their place, marked.
    let without = "SELECT count(*) FROM person WHERE age < 90";
    assert_eq!(node.one(without), Cell::Near(vec![Number::new(320, 0)]));
    let again = node.ask(without);
    assert_eq!(
        again.table.rows[0].cells[0],
        Cell::Near(vec![Number::new(320, 0)])
    );
    assert_eq!((again.near_earlier, again.repeated), (1, 0));
    // To somebody else's project it is not shown, unless it belongs to the core.
    node.project = "other".to_owned();
    let other = node.look("SELECT count(*) FROM person WHERE age < 90 AND age >= 0");
    assert_eq!(pattern(&other), "n", "the same cell: it has left as it is");
    let other = node.look("SELECT count(*) FROM person WHERE age <= 89 AND town IN (0, 1, 2, 3)");
    assert_eq!(pattern(&other), "n");
}

/// The counter-example of `docs/disclosure/H4.md`.
#[test]
fn a_true_margin_of_one_table_is_not_safe_beside_history() {
    let mut people = alike(0, 40, [0, 0, 40, 0, 1]);
    for town in 1..4 {
        let first = 100 * u32::try_from(town).unwrap();
        people.extend(alike(first, 6, [0, town, 40, 0, 1]));
    }
    let table = "SELECT town, count(*) FROM person GROUP BY town";
    let mut alone = Node::of(people.clone());
    assert_eq!(alone.shows(table), "v---");
    assert_eq!(
        alone.one(ALL),
        count(60),
        "58 persons, and 18 of them withheld"
    );
    let mut node = Node::of(people);
    let three = "SELECT count(*) FROM person WHERE town IN (0, 1, 2)";
    assert_eq!(node.one(three), count(50));
    assert_eq!(node.shows(table), "v---");
    assert_ne!(
        node.shows(ALL),
        "v",
        "it would show the 6 persons of the last town"
    );
}

#[test]
fn near_answers_stay_in_their_project() {
    let mut node = Node::of(clinic());
    node.one(ALL);
    node.project = "other".to_owned();
    let found = node.ask("SELECT count(*) FROM person WHERE age < 90");
    assert_eq!((pattern(&found).as_str(), rules(&found)), ("-", vec!["H1"]));
    assert_eq!(found.findings[0].statistic.as_ref().unwrap().value, 3);
}

#[test]
fn a_sensitive_difference_is_withheld_not_answered_nearly() {
    let mut people = alike(0, 200, [0, 0, 40, 0, 1]);
    people.extend(alike(200, 3, [0, 0, 40, 1, 1]));
    let mut node = Node::of(people);
    assert_eq!(node.one(ALL), count(205));
    let healthy = node.ask("SELECT count(*) FROM person WHERE disease = 0");
    assert_eq!(pattern(&healthy), "-");
    assert!(rules(&healthy).contains(&"H1") || rules(&healthy).contains(&"R7"));
}

#[test]
fn nobody_differing_is_withheld_like_a_few() {
    let mut people = clinic();
    people.retain(|_, person| person[2] < 90);
    let mut node = Node::of(people);
    node.one(ALL);
    node.project = "other".to_owned();
    let found = node.ask("SELECT count(*) FROM person WHERE age < 90");
    assert_eq!((pattern(&found).as_str(), rules(&found)), ("-", vec!["H1"]));
}

#[test]
fn an_individual_tracker_is_stopped() {
    // C = town 3, T = town 3 and not (sex 0 and age 90+): C - T would be the few.
    let mut node = Node::of(clinic());
    assert_eq!(
        node.shows("SELECT count(*) FROM person WHERE town = 3"),
        "v"
    );
    node.project = "other".to_owned();
    let found = node.ask("SELECT count(*) FROM person WHERE town = 3 AND age < 90");
    assert_eq!((pattern(&found).as_str(), rules(&found)), ("-", vec!["H1"]));
}

#[test]
fn a_general_tracker_is_stopped() {
    // town IN (0, 1) and town IN (1, 2) and their parts: 0 + 1 + 1 + 2 - ... of three.
    let mut node = Node::of(clinic());
    assert_eq!(
        node.shows("SELECT count(*) FROM person WHERE town IN (0, 1)"),
        "v"
    );
    assert_eq!(
        node.shows("SELECT count(*) FROM person WHERE town = 0 AND age < 90"),
        "v"
    );
    // Town 1 together with the few of town 0 would follow; there are none such.
    let found = node.ask("SELECT count(*) FROM person WHERE town = 1");
    assert_eq!(pattern(&found), "-");
    assert!(
        rules(&found)
            .iter()
            .all(|rule| ["H2", "H2f"].contains(rule))
    );
}

#[test]
fn parts_of_a_total_are_shown_where_nothing_follows() {
    let mut node = Node::of(clinic());
    assert_eq!(node.shows(ALL), "v");
    assert_eq!(
        node.shows("SELECT sex, count(*) FROM person GROUP BY sex"),
        "vv"
    );
    assert_eq!(node.shows("SELECT count(*) FROM person WHERE sex = 1"), "v");
    assert_eq!(
        node.shows("SELECT town, count(*) FROM person GROUP BY town"),
        "vvvv"
    );
    assert_eq!(
        node.shows("SELECT town, sex, count(*) FROM person GROUP BY town, sex"),
        "vvvvvvvv"
    );
}

#[test]
fn the_complement_of_a_withheld_cell_is_withheld() {
    let mut people = clinic();
    people.extend(alike(1000, 4, [0, 0, 30, 0, 1]));
    for person in people.values_mut().filter(|person| person[1] == 2) {
        person[1] = 1;
    }
    for (_, person) in people.iter_mut().filter(|(id, _)| **id >= 1000) {
        person[1] = 2;
    }
    let mut node = Node::of(people);
    assert_eq!(node.shows(ALL), "v");
    assert_eq!(
        node.shows("SELECT count(*) FROM person WHERE town = 2"),
        "-"
    );
    node.project = "other".to_owned();
    assert_eq!(
        node.shows("SELECT count(*) FROM person WHERE town IN (0, 1, 3)"),
        "-"
    );
}

#[test]
fn overlapping_bands_do_not_show_their_seam() {
    // Ages 20 to 60; three persons of 40.
    let mut people = alike(0, 50, [0, 0, 25, 0, 1]);
    people.extend(alike(100, 50, [0, 0, 55, 0, 1]));
    people.extend(alike(200, 3, [0, 0, 40, 0, 1]));
    let mut node = Node::of(people);
    assert_eq!(
        node.shows("SELECT count(*) FROM person WHERE age >= 20 AND age < 45"),
        "v"
    );
    assert_eq!(
        node.shows("SELECT count(*) FROM person WHERE age >= 40 AND age < 60"),
        "v"
    );
    node.project = "other".to_owned();
    let all = node.ask("SELECT count(*) FROM person WHERE age >= 20 AND age < 60");
    assert_eq!(
        pattern(&all),
        "-",
        "both parts together count the three twice"
    );
}

#[test]
fn repetition_and_other_wordings_give_the_same_value() {
    let mut node = Node::of(clinic());
    let first = node.one("SELECT count(*) FROM person WHERE age >= 20");
    let before = node.history.entries().len();
    assert_eq!(
        node.one("SELECT count(*) FROM person WHERE age >= 20 AND age >= 10"),
        first
    );
    assert_eq!(
        node.one("SELECT count(*) FROM person WHERE age BETWEEN 20 AND 100"),
        first
    );
    assert_eq!(node.history.entries().len(), before);
}

#[test]
fn one_new_patient_is_not_seen_after_a_refresh() {
    let mut people = alike(0, 12, [0, 0, 40, 0, 1]);
    let mut node = Node::of(people.clone());
    assert_eq!(node.one(ALL), count(10));
    people.insert(500, [0, 0, 40, 0, 1]);
    node.refresh("e1", people.clone());
    assert_eq!(node.one(ALL), count(10), "13 persons would show as 15");
    assert_eq!(
        node.one("SELECT count(*) FROM person WHERE age < 90"),
        Cell::Suppressed,
        "beside so few a mark would tell how many there are"
    );
    people.extend(alike(600, 20, [0, 0, 40, 0, 1]));
    node.refresh("e2", people);
    assert_eq!(node.one(ALL), count(35), "21 persons are enough");
}

/// Each number and each change is large, and two changes differ by those of one town.
#[test]
fn changes_of_a_few_are_not_seen_as_what_two_changes_differ_by() {
    let ill = |town: i64, n: u32, of: u32| {
        (0..n)
            .map(move |id| (id, i64::from(id < of)))
            .map(move |(id, disease)| {
                let number = u32::try_from(town).unwrap() * 1000 + id;
                (number, [0, town, 40, disease, 1])
            })
    };
    for (fewer, shown) in [(1, false), (7, false), (12, true)] {
        let mut node = Node::of(ill(0, 90, 40).chain(ill(3, 60, 30)).collect());
        let all = "SELECT count(*) FROM person WHERE disease = 1";
        let some = "SELECT count(*) FROM person WHERE disease = 1 AND town IN (0, 1, 2)";
        assert_eq!((node.one(all), node.one(some)), (count(70), count(40)));
        node.refresh("e1", ill(0, 90, 60).chain(ill(3, 60, 30 - fewer)).collect());
        assert_ne!(node.one(all), Cell::Suppressed);
        assert_eq!(node.one(some) != Cell::Suppressed, shown, "{fewer} fewer");
    }
}

#[test]
fn a_cell_that_becomes_small_stays_as_it_was() {
    let mut people = alike(0, 8, [0, 0, 40, 0, 1]);
    let mut node = Node::of(people.clone());
    assert_eq!(node.one(ALL), count(10));
    people.remove(&3);
    node.refresh("e1", people);
    assert_eq!(node.one(ALL), count(10));
}

#[test]
fn epochs_in_turn_show_the_value_of_their_own_data() {
    let small = alike(0, 12, [0, 0, 40, 0, 1]);
    let mut large = small.clone();
    large.extend(alike(100, 30, [0, 0, 40, 0, 1]));
    let mut node = Node::of(small.clone());
    assert_eq!(node.one(ALL), count(10));
    node.refresh("e1", large.clone());
    assert_eq!(node.one(ALL), count(40));
    let mut nearly = small;
    nearly.insert(500, [0, 0, 40, 0, 1]);
    node.refresh("e2", nearly);
    assert_eq!(
        node.one(ALL),
        count(10),
        "compared with the oldest data too"
    );
    large.insert(501, [0, 0, 40, 0, 1]);
    node.refresh("e3", large);
    assert_eq!(node.one(ALL), count(40));
}

#[test]
fn a_small_cell_takes_another_with_it() {
    let mut people = clinic();
    people.retain(|id, person| person[1] != 3 || *id < 24);
    let small = people.values().filter(|person| person[1] == 3).count();
    assert!((1..8).contains(&small));
    let table = "SELECT town, count(*) FROM person GROUP BY town";
    // Nothing is known of the total: one withheld cell is enough.
    assert_eq!(Node::of(people.clone()).shows(table), "vvv-");
    // Beside a known total it is not, whichever rule sees it first.
    let mut node = Node::of(people);
    node.one(ALL);
    let outcome = node.ask(table);
    assert_eq!(pattern(&outcome).matches('v').count(), 2);
    assert_eq!(pattern(&node.ask(table)), pattern(&outcome));
}

#[test]
fn what_is_given_up_stays_withheld() {
    // The earlier release leaves out three persons, by two columns that the table does not have.
    let mut people = clinic();
    people.retain(|_, person| person[2] < 90);
    for person in people.values_mut() {
        person[3] = 0;
    }
    people.insert(900, [0, 0, 40, 1, 1]);
    people.extend(alike(901, 2, [1, 1, 97, 0, 1]));
    let mut node = Node::of(people);
    assert_eq!(
        node.shows("SELECT count(*) FROM person WHERE age < 95 AND disease = 0"),
        "v"
    );
    let table = "SELECT town, count(*) FROM person GROUP BY town";
    let outcome = node.ask(table);
    assert_eq!(pattern(&outcome).matches('v').count(), 3);
    assert_eq!(rules(&outcome), ["H3"]);
    let given_up = pattern(&outcome).find('-').unwrap();
    let smallest = outcome
        .table
        .rows
        .iter()
        .flat_map(|row| row.cells[0].parts());
    assert!(smallest.map(|parts| parts[0]).min() >= Some(Number::new(75, 0)));
    // Asked for alone, again, or in other data.
    let alone = format!("SELECT count(*) FROM person WHERE town = {given_up}");
    let again = node.ask(&alone);
    assert_eq!((pattern(&again).as_str(), rules(&again)), ("-", vec!["H3"]));
    assert_eq!(pattern(&node.ask(table)), pattern(&outcome));
    let people = node.people.clone();
    node.refresh("e1", people);
    assert_eq!(node.shows(&alone), "-");
}

#[test]
fn a_later_total_does_not_show_a_withheld_cell() {
    let mut people = clinic();
    people.retain(|id, person| person[1] != 3 || *id < 24);
    let mut node = Node::of(people);
    assert_eq!(
        node.shows("SELECT town, count(*) FROM person GROUP BY town"),
        "vvv-"
    );
    let total = node.ask(ALL);
    assert_eq!(pattern(&total), "-");
    assert!(
        rules(&total)
            .iter()
            .all(|rule| ["H1", "H2f"].contains(rule))
    );
}

#[test]
fn looking_changes_nothing() {
    let mut node = Node::of(clinic());
    node.one(ALL);
    let ids = |node: &Node| -> Vec<_> { node.history.entries().map(|e| e.id.clone()).collect() };
    let before = ids(&node);
    let table = "SELECT town, sex, count(*), avg(income) FROM person GROUP BY town, sex";
    let first = node.look(table);
    assert!(!first.fresh.is_empty());
    assert_eq!(ids(&node), before);
    let second = node.look(table);
    assert_eq!(first.table, second.table);
    assert!(first.fresh == second.fresh);
    assert_eq!(
        first.table,
        node.ask(table).table,
        "what was foreseen is what leaves"
    );
}

#[test]
fn the_order_of_rows_in_the_data_decides_nothing() {
    let table = "SELECT town, sex, count(*) FROM person GROUP BY town, sex";
    let mut people = clinic();
    people.retain(|id, person| person[1] != 3 || *id < 60);
    // The same persons under other numbers: everything is the same but the numbers.
    let renamed: People = people
        .iter()
        .map(|(id, person)| (5000 - id * 7, *person))
        .collect();
    let (mut node, mut other) = (Node::of(people), Node::of(renamed));
    for sql in [ALL, "SELECT count(*) FROM person WHERE age < 90", table] {
        assert_eq!(node.ask(sql).table, other.ask(sql).table, "{sql}");
    }
}

#[test]
fn a_share_across_two_questions_is_judged_like_one_in_a_table() {
    let mut people = alike(0, 10, [0, 0, 40, 0, 1]);
    people.extend(alike(100, 190, [0, 0, 40, 1, 1]));
    let mut node = Node::of(people);
    assert_eq!(node.shows(ALL), "v");
    let ill = node.ask("SELECT count(*) FROM person WHERE disease = 1");
    assert_eq!((pattern(&ill).as_str(), rules(&ill)[0]), ("-", "R7"));
}

#[test]
fn conditions_that_exclude_nobody_do_not_hide_a_share() {
    let mut people = alike(0, 15, [0, 0, 40, 0, 1]);
    people.extend(alike(100, 190, [0, 0, 40, 1, 1]));
    for beside in ["age < 95", "town IN (0, 1, 2)", "town = 0 AND age >= 10"] {
        let mut node = Node::of(people.clone());
        assert_eq!(node.shows(ALL), "v");
        let ill = node.ask(&format!(
            "SELECT count(*) FROM person WHERE disease = 1 AND {beside}"
        ));
        assert_eq!(
            (pattern(&ill).as_str(), rules(&ill)[0]),
            ("-", "R7"),
            "{beside}"
        );
    }
    // A smaller share of everybody says nothing, though all the others are left out.
    let mut node = Node::of(clinic());
    assert_eq!(node.shows(ALL), "v");
    let ill = node.shows("SELECT count(*) FROM person WHERE disease = 1 AND town = 0");
    assert_eq!(ill, "v");
}

/// Numbers of ill: all and those outside a town, before; the young and those outside again, after. What has
/// changed outside leaves the old, if few of the town have changed. A history that is built anew knows it too.
#[test]
fn a_difference_of_two_states_is_seen_by_a_history_that_is_built_anew() {
    let people = |of_town: u32| -> People {
        let person = |id: u32| {
            let town = if id.is_multiple_of(20) {
                3
            } else {
                i64::from(id % 3)
            };
            let changed = id % 10 == 1 || (id.is_multiple_of(20) && id < 20 * of_town);
            let ill = id.is_multiple_of(4) != (changed && of_town > 0);
            (
                id,
                [0, town, if id == 800 { 90 } else { 40 }, i64::from(ill), 1],
            )
        };
        (0..801).map(person).collect()
    };
    let ill = |more: &str| format!("SELECT count(*) FROM person WHERE disease = 1{more}");
    for (of_town, told, anew) in [
        (3, "-", false),
        (3, "-", true),
        (12, "v", false),
        (12, "v", true),
    ] {
        let mut node = Node::of(people(0));
        assert_eq!(node.shows(&ill("")), "v");
        assert_eq!(node.shows(&ill(" AND town <> 3")), "v");
        let before = std::mem::take(&mut node.history);
        let after = people(of_town);
        let changed = after
            .keys()
            .filter(|id| node.people.get(id) != after.get(id));
        let mut history = History::new();
        history.begin_epoch("e0".to_owned(), RoaringBitmap::new());
        // A node that starts knows all states before it reads what has left.
        let add = |history: &mut History| {
            before
                .entries()
                .for_each(|entry| history.add(entry.clone()))
        };
        if !anew {
            add(&mut history);
        }
        history.begin_epoch("e1".to_owned(), changed.copied().collect());
        if anew {
            add(&mut history);
        }
        (node.history, node.people, node.epoch) = (history, after, "e1".to_owned());
        assert_eq!(node.shows(&ill(" AND age < 80")), "v");
        assert_eq!(
            node.shows(&ill(" AND town <> 3")),
            told,
            "{of_town}, {anew}"
        );
    }
}

/// All of it is of one state of the data. That the state before was told whole must not hide it.
#[test]
fn a_whole_and_all_but_one_of_its_parts_in_a_later_state() {
    // Those left in the fourth town, and how many there are: ten have come.
    let people = |left: u32, all: u32| -> People {
        let person = |id: u32| {
            let moved = id >= 300 + left;
            let town = if moved { id % 3 } else { (id / 100).min(3) };
            (id, [0, i64::from(town), 40, 0, 1])
        };
        (0..all).map(person).collect()
    };
    let count = |more: &str| format!("SELECT count(*) FROM person{more}");
    let parts = [0, 1, 2].map(|town| count(&format!(" WHERE town = {town}")));
    for (left, told) in [(3, "-"), (12, "v")] {
        let mut node = Node::of(people(60, 360));
        for sql in parts.iter().chain([&count(" WHERE town = 3"), &count("")]) {
            assert_eq!(node.shows(sql), "v", "{sql}");
        }
        node.refresh("e1", people(left, 370));
        for sql in &parts {
            assert_eq!(node.shows(sql), "v", "{sql}");
        }
        assert_eq!(node.shows(&count("")), told, "{left} left");
        // Where the whole is the same persons, it need not be told again: the last part is the one too many.
        let mut node = Node::of(people(60, 360));
        for sql in parts.iter().chain([&count(" WHERE town = 3"), &count("")]) {
            assert_eq!(node.shows(sql), "v", "{sql}");
        }
        node.refresh("e1", people(left, 360));
        let shown = parts.each_ref().map(|sql| node.shows(sql));
        assert_eq!(shown, ["v", "v", told], "{left} left");
    }
}
