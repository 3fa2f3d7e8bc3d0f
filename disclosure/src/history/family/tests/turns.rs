//! A custodian's datasets take turns: other codebooks, other states of the data. What is kept between
//! questions must say what an audit says that begins anew.

use proptest::prelude::*;
use quorate_query::codebook::Codebook;
use roaring::RoaringBitmap;

use super::{BOOK, Conflict, FamilyAudit, Rows, Setting, World, person};
use crate::history::Facet;

const TOWNS: [&str; 3] = ["a", "b", "c"];

/// One question: by which of two codebooks, of which of three states, whose rows.
#[derive(Clone, Debug)]
struct Asked {
    book: usize,
    begun: usize,
    condition: String,
}

fn asked() -> impl Strategy<Value = Asked> {
    let town = prop::option::of(0..TOWNS.len());
    let ages = prop::option::of((0_usize..4, 1_usize..4));
    // Mostly of the later states and one sex, so that families grow before older releases join them.
    let begun = prop_oneof![1 => Just(1_usize), 3 => Just(2), 2 => Just(3)];
    let what = (
        0_usize..2,
        begun,
        prop_oneof![6 => Just(None), 1 => (0..2).prop_map(Some)],
        town,
        ages,
    );
    what.prop_map(|(book, begun, sex, town, ages)| {
        let mut conditions = vec!["age IS NOT NULL".to_owned()];
        conditions.extend(sex.map(|sex| format!("sex = {sex}")));
        conditions.extend(town.map(|town| format!("town = '{}'", TOWNS[town])));
        conditions.extend(ages.map(|(from, more)| {
            let (low, high) = (from * 20, (from + more).min(5) * 20);
            format!("age >= {low} AND age < {high}")
        }));
        let condition = conditions.join(" AND ");
        Asked {
            book,
            begun,
            condition,
        }
    })
}

/// Persons by sex, town and age, the same number for each combination but for some.
fn persons(fewer: &[usize]) -> Vec<Rows> {
    let kinds = (0..2).flat_map(|sex| TOWNS.map(|town| (sex, town)));
    let kinds = kinds.flat_map(|(sex, town)| (0..5).map(move |age| (sex, town, age * 20 + 5)));
    let each = kinds.zip(fewer).map(|((sex, town, age), fewer)| {
        vec![person(sex, town, age, None); 12_usize.saturating_sub(*fewer)]
    });
    each.flatten().collect()
}

/// Some persons swap their data with others.
fn moved(persons: &[Rows], by: usize) -> (Vec<Rows>, RoaringBitmap) {
    let mut news = persons.to_vec();
    let many = 40.min(news.len());
    if let Some(part) = news.get_mut(..many) {
        part.rotate_left(by.min(many));
    }
    let ids = (0_u32..).zip(persons.iter().zip(&news));
    let changed = ids.filter(|(_, (before, after))| before != after);
    let changed = changed.map(|(id, _)| id).collect();
    (news, changed)
}

/// What an audit says that is told everything now.
fn anew(
    told: &Vec<Facet>,
    begun: &[usize],
    changed: &[RoaringBitmap],
    (facet, book, present): (&Facet, &Codebook, usize),
) -> Option<Conflict> {
    let mut audit = FamilyAudit::new();
    changed
        .iter()
        .for_each(|changed| audit.begin_epoch(changed));
    (0..)
        .zip(begun)
        .for_each(|(number, begun)| audit.add(number, *begun));
    audit.stand_in(present);
    let params = &book.release;
    audit.audit(
        facet,
        &Setting {
            codebook: book,
            params,
            releases: told,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]

    #[test]
    fn what_is_kept_says_what_an_audit_says_that_begins_anew(
        fewer in prop::collection::vec(prop_oneof![3 => Just(0_usize), 1 => 1_usize..12], 30),
        by in (0_usize..3, 0_usize..30),
        all in prop::collection::vec(asked(), 8..26),
    ) {
        let books = ["version = 1", "version = 2"].map(|version| {
            let text = BOOK.replace("version = 1", version);
            quorate_query::codebook::read(&text, "codebook.toml").unwrap()
        });
        let first = persons(&fewer);
        let (second, moved_first) = moved(&first, by.0);
        let (third, moved_then) = moved(&second, by.1);
        let states = [first, second, third];
        let changed = [RoaringBitmap::new(), moved_first, moved_then];
        let mut world = World::new(Vec::new());
        changed.iter().for_each(|changed| world.audit.begin_epoch(changed));
        let mut begun = Vec::new();
        for Asked { book, begun: present, condition } in all {
            world.book = books[book].clone();
            world.persons = states[present - 1].clone();
            let facet = world.count(&format!("SELECT count(*) FROM person WHERE {condition}"));
            world.audit.stand_in(present);
            let found = world.audit(&facet);
            let fresh = anew(&world.told, &begun, &changed, (&facet, &books[book], present));
            prop_assert_eq!(found.is_some(), fresh.is_some(), "{:?} {:?}", found, fresh);
            if found.is_none() && facet.footprint.people.len() >= 8 {
                world.begun = present;
                world.tell(facet);
                begun.push(present);
            }
        }
    }
}

#[test]
fn a_release_of_an_earlier_state_joins_a_family_that_is_kept() {
    let towns = ["a", "b", "c", "d", "e"];
    let each = towns.map(|town| vec![person(0, town, 40, None); 20]);
    let first: Vec<Rows> = each.into_iter().flatten().collect();
    // Two persons move from the first town to the last.
    let mut second = first.clone();
    second[18..20].fill(person(0, "e", 40, None));
    let states = [first, second];
    let mut world = World::new(Vec::new());
    world.audit.begin_epoch(&RoaringBitmap::new());
    world.audit.begin_epoch(&(18..20).collect());
    let mut ask = |present: usize, condition: &str| {
        world.persons = states[present - 1].clone();
        world.begun = present;
        world.audit.stand_in(present);
        let sql = format!("SELECT count(*) FROM person WHERE town {condition}");
        world.ask(&sql).is_some()
    };
    for town in ["b", "c", "d", "e"] {
        assert!(!ask(2, &format!("= '{town}'")), "{town}");
    }
    // The family of the later state is kept by now; it must know that this one is older.
    assert!(!ask(2, "= 'e'"));
    assert!(!ask(1, "IN ('a', 'b')"));
    assert!(ask(2, "= 'a'"), "both less b were two persons more");
}
