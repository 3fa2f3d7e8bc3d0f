//! The corpus of attacks, played against protected and unprotected nodes.

use quorate_testnet::arena::clinic::Clinic;
use quorate_testnet::arena::house::{Ask, House, Plan};

#[test]
fn the_arena_answers_tries_restarts_and_restores() {
    let clock = quorate_testnet::clock::now();
    let lap = |what: &str| println!("{what}: {:?}", clock.elapsed());
    let world = Clinic::generate(1).with(&Some([].into()));
    let mut house = House::open(Plan::clinic(world.files())).unwrap();
    lap("open");
    let ask = Ask::plain("SELECT town, count(*) AS n, avg(chol) AS m FROM person GROUP BY town");
    let first = house.ask(&ask).unwrap();
    lap("ask");
    let first = first.told().expect("an answer").clone();
    println!("{:#?}", first.combined.rows);
    let again = house.ask(&ask).unwrap();
    lap("again");
    assert_eq!(again.told().unwrap().payload.table, first.payload.table);
    let shown = house.try_out(&ask).unwrap().ok().expect("tried");
    lap("try");
    assert_eq!(shown.table, first.payload.table);
    house.keep_copy(1).unwrap();
    house.restart().unwrap();
    lap("restart");
    assert!(house.ask(&ask).unwrap().told().is_some());
    lap("ask");
    let visits = Ask::plain("SELECT kind, count(*) AS n FROM visit GROUP BY kind");
    assert!(house.ask(&visits).unwrap().told().is_some());
    lap("visits");
    assert!(house.ask(&visits).unwrap().told().is_some());
    lap("visits");
    let refused = house
        .ask(&Ask::plain("SELECT max(age) FROM person"))
        .unwrap();
    assert_eq!(refused.code(), Some("V500"));
    house
        .refresh(world.with_changes(20, 1).next().files())
        .unwrap();
    let later = house.ask(&ask).unwrap();
    assert_ne!(later.told().unwrap().payload.epoch, first.payload.epoch);
    house.restore(1).unwrap();
    lap("restore");
}
