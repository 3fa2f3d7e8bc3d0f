//! Laws of `changed`: exact where nobody comes back, and never too large.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::epochs::{Epochs, Part};
use super::key::UnitKey;
use super::registry::Registry;
use super::rows::Rows;
use crate::store::{STORE_FILE, Store};
use crate::testing::House;

const TYPED: [u8; 32] = [1; 32];

/// The state in which persons 0, 1, ... have these sums; 0 is nobody.
fn state(sums: &[u128]) -> (Part, Vec<u128>) {
    let bytes: Vec<u8> = sums.iter().flat_map(|sum| sum.to_be_bytes()).collect();
    let part = Part {
        source: "visit".into(),
        part: TYPED,
        content: quorate_identity::sha256(&bytes),
    };
    (part, sums.to_vec())
}

fn name(part: &Part) -> String {
    hex::encode(part.content)
}

/// The node notices a state, as `notice` does.
fn see(epochs: Epochs, store: &mut Store, sums: &[u128]) -> Epochs {
    let (part, sums) = state(sums);
    let (name, parts) = (name(&part), [part.clone()]);
    if epochs.knows(&name, &parts) {
        return epochs;
    }
    let read: Vec<_> = parts
        .iter()
        .filter(|part| epochs.is_stale(part))
        .map(|part| (part.clone(), Some(sums.clone())))
        .collect();
    let next = epochs.begin(store, true, &name, &parts, &read).unwrap();
    assert!(next.knows(&name, &parts));
    next
}

fn changed(epochs: &Epochs) -> Vec<Vec<u32>> {
    let list = epochs.list();
    list.iter().map(|e| e.changed.iter().collect()).collect()
}

#[test]
fn whoever_differs_is_changed() {
    let mut store = Store::empty().unwrap();
    let mut epochs = Epochs::default();
    for sums in [&[5, 6, 7, 0][..], &[5, 9, 7, 0], &[5, 9, 0, 8, 1]] {
        epochs = see(epochs, &mut store, sums);
    }
    assert_eq!(changed(&epochs), [vec![], vec![1], vec![2, 3, 4]]);
    assert_eq!(changed(&Epochs::open(&store).unwrap()), changed(&epochs));
}

#[test]
fn whoever_comes_back_changed_nowhere() {
    let mut store = Store::empty().unwrap();
    let mut epochs = Epochs::default();
    for sums in [&[5, 6, 7][..], &[5, 9, 8], &[5, 6, 1]] {
        epochs = see(epochs, &mut store, sums);
    }
    assert_eq!(changed(&epochs), [vec![], vec![2], vec![2]]);
    let names: BTreeSet<String> = epochs.list().iter().map(|e| e.name.clone()).collect();
    assert_eq!(names.len(), 3);
    epochs = see(epochs, &mut store, &[5, 6, 7]);
    assert_eq!(changed(&epochs), vec![Vec::<u32>::new(); 4]);
    assert_eq!(epochs.list()[0].name, epochs.list()[3].name);
    assert_eq!(changed(&Epochs::open(&store).unwrap()), changed(&epochs));
}

#[test]
fn another_codebook_over_the_same_data_changes_nobody() {
    let mut store = Store::empty().unwrap();
    let epochs = see(Epochs::default(), &mut store, &[5, 6]);
    let (first, _) = state(&[5, 6]);
    let other = |part: &Part| Part {
        part: [2; 32],
        ..part.clone()
    };
    let read = [(other(&first), Some(vec![50, 60]))];
    let epochs = epochs
        .begin(&mut store, true, "other", &[other(&first)], &read)
        .unwrap();
    assert!(epochs.knows("other", &[other(&first)]) && epochs.knows(&name(&first), &[first]));
    // the first codebook sees the change, and it is the state of both
    let epochs = see(epochs, &mut store, &[5, 7]);
    let (second, _) = state(&[5, 7]);
    let read = [(other(&second), Some(vec![50, 70]))];
    let epochs = epochs
        .begin(&mut store, true, "other 2", &[other(&second)], &read)
        .unwrap();
    assert_eq!(changed(&epochs), [vec![], vec![], vec![1], vec![]]);
}

#[test]
fn what_cannot_be_compared_changes_nobody() {
    let mut store = Store::empty().unwrap();
    let epochs = see(Epochs::default(), &mut store, &[5, 6]);
    let (broken, _) = state(&[1, 1]);
    let read = [(broken.clone(), None)];
    let epochs = epochs
        .begin(
            &mut store,
            true,
            "broken",
            std::slice::from_ref(&broken),
            &read,
        )
        .unwrap();
    assert!(
        !epochs.is_stale(&broken),
        "it is not read at every question"
    );
    let epochs = see(epochs, &mut store, &[5, 9]);
    assert_eq!(changed(&epochs), vec![Vec::<u32>::new(); 3]);
    let epochs = see(epochs, &mut store, &[5, 8]);
    assert_eq!(changed(&epochs)[3], [1]);
}

#[test]
fn a_trial_sees_the_change_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let epochs = see(Epochs::default(), &mut store, &[5, 6]);
    let mut look = Store::look(folder.path()).unwrap();
    let (part, sums) = state(&[5, 7]);
    let tried = epochs
        .begin(
            &mut look,
            false,
            "new",
            std::slice::from_ref(&part),
            &[(part.clone(), Some(sums))],
        )
        .unwrap();
    assert_eq!(changed(&tried), [vec![], vec![1]]);
    assert_eq!(
        changed(&Epochs::open(&store).unwrap()),
        [vec![]; 1] as [Vec<u32>; 1]
    );
}

const BOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.id"

[release]
k = 8
round_base = 5

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group"], domain = { 0 = "f", 1 = "m" } }

[table.visit]
rows = "many"
unit_key = "id"
max_rows = 3
date = "day"
[table.visit.column]
id = { type = "int", role = ["key"] }
day = { type = "date", role = ["date"] }
"#;

/// A node sees the extracts change: of a table that no question names, and of one that is broken.
#[test]
fn a_node_notices_before_it_plans() {
    let people = |men: i64| {
        let row = |id: i64| format!("{id},{}\n", i64::from(id < men));
        format!("id,sex\n{}", (0..40).map(row).collect::<String>())
    };
    let visits = |id: i64| format!("id,day\n{id},2024-02-03\n5,2024-02-04\n5,2024-02-04\n");
    let sources = "[source.person]\nkind = \"csv\"\npath = \"people.csv\"\n\
                   [source.visit]\nkind = \"csv\"\npath = \"visits.csv\"\n";
    let files = [("people.csv", &*people(20)), ("visits.csv", &*visits(3))];
    let house = House::new(BOOK, sources, false, &files);
    let write = |name: &str, text: &str| {
        std::fs::write(house.folder.path().join(name), text).unwrap();
    };
    let ask = |node: &crate::node::Node| {
        let sql = "SELECT sex, count(*) FROM person GROUP BY sex";
        house.ask(node, sql).epoch
    };
    let persons = |node: &crate::node::Node, keys: &[i64]| -> Vec<u32> {
        let keys: ArrayRef = Arc::new(Int64Array::from(keys.to_vec()));
        let mut ids = node.persons.ids(&keys).unwrap().values().to_vec();
        ids.sort_unstable();
        ids
    };
    let last = |node: &crate::node::Node| node.epochs().last().unwrap().clone();
    let node = house.open();
    let first = ask(&node);
    ask(&node);
    assert!(node.epochs().len() == 1 && last(&node).changed.is_empty());
    write("visits.csv", &visits(4));
    let second = ask(&node);
    assert!(first != second && node.epochs().len() == 2);
    let changed: Vec<u32> = last(&node).changed.iter().collect();
    assert_eq!(changed, persons(&node, &[3, 4]));
    write("visits.csv", "nothing of the kind\n");
    write("people.csv", &people(22));
    ask(&node);
    let changed: Vec<u32> = last(&node).changed.iter().collect();
    assert_eq!(changed, persons(&node, &[20, 21]));
    let before = node.epochs();
    drop(node);
    let node = house.open();
    assert!(*node.epochs() == *before, "a restart knows the same");
    ask(&node);
    assert_eq!(node.epochs().len(), 3);
}

fn batch(rows: &[(i64, &str, Option<i64>)]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.0)));
    let kinds: ArrayRef = Arc::new(StringArray::from_iter_values(rows.iter().map(|r| r.1)));
    let costs: ArrayRef = Arc::new(Int64Array::from_iter(rows.iter().map(|r| r.2)));
    let columns = [
        ("kind", kinds, true),
        ("id", ids, true),
        ("cost", costs, true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn sums(batches: &[Vec<(i64, &str, Option<i64>)>], registry: &Arc<Registry>) -> Vec<u128> {
    let mut rows = Rows::new(registry, &TYPED, 1);
    for rows_of_batch in batches {
        rows.add(&batch(rows_of_batch)).unwrap();
    }
    rows.finish()
}

#[test]
fn every_value_and_every_row_counts() {
    let registry = Registry::open(&Store::empty().unwrap(), &[3; 32], true).unwrap();
    let registry = Arc::new(registry);
    let base = vec![(7, "a", Some(1)), (8, "b", None), (7, "a", Some(1))];
    let first = sums(std::slice::from_ref(&base), &registry);
    let mut others = vec![base.clone(), base.clone(), base.clone(), base.clone()];
    others[0][0].1 = "c";
    others[1][2].2 = None;
    others[2].pop();
    others[3].push((7, "a", Some(1)));
    for other in others {
        let other = sums(&[other], &registry);
        assert!(other[0] != first[0] && other[1] == first[1]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The order of rows and the borders of batches do not matter.
    #[test]
    fn sums_do_not_depend_on_order(
        rows in prop::collection::vec((0_i64..6, prop::option::of(-2_i64..3)), 0..40),
        cut in 0_usize..40,
    ) {
        let registry = Registry::open(&Store::empty().unwrap(), &[3; 32], true).unwrap();
        let registry = Arc::new(registry);
        let rows: Vec<_> = rows.into_iter().map(|(id, cost)| (id, "x", cost)).collect();
        let whole = sums(std::slice::from_ref(&rows), &registry);
        let mut turned = rows.clone();
        turned.reverse();
        let at = cut.min(turned.len());
        let parts = [turned[at..].to_vec(), turned[..at].to_vec()];
        prop_assert_eq!(sums(&parts, &registry), whole);
    }

    /// Between any two epochs, nobody counts as changed whose data are the same in both; and
    /// whoever never comes back to an earlier state counts wherever he differs.
    #[test]
    fn changed_is_never_too_large(
        states in prop::collection::vec(prop::collection::vec(0_u128..4, 6), 1..7),
        restart in any::<bool>(),
    ) {
        let mut store = Store::empty().unwrap();
        let mut epochs = Epochs::default();
        let mut seen: Vec<Vec<u128>> = Vec::new();
        for sums in states {
            if seen.last() != Some(&sums) {
                seen.push(sums.clone());
            }
            epochs = see(epochs, &mut store, &sums);
            if restart {
                epochs = Epochs::open(&store).unwrap();
            }
        }
        let list = epochs.list();
        prop_assert_eq!(list.len(), seen.len());
        for first in 0..seen.len() {
            for last in first + 1..seen.len() {
                let mut union = RoaringBitmap::new();
                list[first + 1..=last].iter().for_each(|e| union |= &e.changed);
                for person in 0..6_usize {
                    let at = |i: usize| seen[i][person];
                    let counts = union.contains(u32::try_from(person).unwrap());
                    prop_assert!(!counts || at(first) != at(last) || at(first) == 0);
                    let comes_back = (0..seen.len()).any(|i| {
                        (i + 1..seen.len()).any(|j| at(i) == at(j) && at(i) != 0
                            && (i..j).any(|k| at(k) != at(i)))
                    });
                    if !comes_back && at(first) != at(last) {
                        prop_assert!(counts);
                    }
                }
            }
        }
    }
}

fn raw(folder: &std::path::Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let names = files.filter(|file| file.file_name().to_string_lossy().starts_with(STORE_FILE));
    names
        .flat_map(|file| std::fs::read(file.path()).unwrap())
        .collect()
}

fn holds(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|window| window == what)
}

/// What a state's digest, the persons' sums and the changed persons look like in the clear.
fn tales(sums: &[u128], changed: &[u32]) -> Vec<Vec<u8>> {
    let (part, _) = state(sums);
    let mut bitmap = Vec::new();
    let changed: RoaringBitmap = changed.iter().copied().collect();
    changed.serialize_into(&mut bitmap).unwrap();
    let each = sums.iter().map(|sum| sum.to_be_bytes().to_vec());
    each.chain([part.content.to_vec(), name(&part).into_bytes(), bitmap])
        .collect()
}

/// Sums as hashes are: no zeros that other bytes could be taken for.
fn hashed(seeds: &[u64]) -> Vec<u128> {
    let sum = |seed: &u64| {
        let digest = quorate_identity::sha256(&seed.to_be_bytes());
        u128::from_be_bytes(*digest.first_chunk().unwrap())
    };
    seeds.iter().map(sum).collect()
}

#[test]
fn a_copied_store_tells_nothing_of_states_and_changes() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (hashed(&[1, 2, 3, 4]), hashed(&[1, 7, 8, 4]));
    let mut store = Store::open(folder.path()).unwrap();
    let epochs = see(Epochs::default(), &mut store, &first);
    let epochs = see(epochs, &mut store, &second);
    assert_eq!(changed(&epochs), [vec![], vec![1, 2]]);
    drop(store);
    let bytes = raw(folder.path());
    for told in [tales(&first, &[1, 2]), tales(&second, &[1, 2])].concat() {
        assert!(!holds(&bytes, &told), "{told:02x?}");
    }
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(changed(&Epochs::open(&store).unwrap()), changed(&epochs));
    // a value moved to another row does not open
    let swap = "UPDATE epoch SET sealed_changed =
        (SELECT sealed_changed FROM epoch WHERE seq = 0) WHERE seq = 1";
    store.connection.execute(swap, []).unwrap();
    assert!(Epochs::open(&store).is_err());
}

#[test]
fn what_an_earlier_form_kept_in_the_clear_is_sealed_and_means_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (hashed(&[1, 2]), hashed(&[1, 9]));
    let (before, now) = (state(&first).0, state(&second).0);
    let store = Store::with_epochs_in_the_clear(folder.path()).unwrap();
    let bytes = |sums: &[u128]| -> Vec<u8> { sums.iter().flat_map(|s| s.to_be_bytes()).collect() };
    let mut bitmap = Vec::new();
    RoaringBitmap::from([1])
        .serialize_into(&mut bitmap)
        .unwrap();
    let mut nobody = Vec::new();
    RoaringBitmap::new().serialize_into(&mut nobody).unwrap();
    let was = [&1_u32.to_be_bytes()[..], &first[1].to_be_bytes()].concat();
    let execute = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        store.connection.execute(sql, values).unwrap();
    };
    let sql = "INSERT INTO epoch (seq, name, changed, present) VALUES (?1, ?2, ?3, ?4)";
    execute(sql, &[&0, &name(&before), &nobody, &true]);
    execute(sql, &[&1, &name(&now), &bitmap, &true]);
    let sql = "INSERT INTO source_state (name, content) VALUES (?1, ?2)";
    execute(sql, &[&now.source, &now.content]);
    let sql = "INSERT INTO part_state (part, content) VALUES (?1, ?2)";
    execute(sql, &[&now.part, &now.content]);
    let sql = "INSERT INTO person_sum (part, chunk, sums) VALUES (?1, 0, ?2)";
    execute(sql, &[&now.part, &bytes(&second)]);
    let sql = "INSERT INTO person_was (part, chunk, sums) VALUES (?1, 0, ?2)";
    execute(sql, &[&now.part, &was]);
    assert!(holds(&raw(folder.path()), &now.content));
    drop(store);

    let mut store = Store::open(folder.path()).unwrap();
    let epochs = Epochs::open(&store).unwrap();
    assert_eq!(changed(&epochs), [vec![], vec![1]]);
    assert!(epochs.knows(&name(&now), std::slice::from_ref(&now)));
    let third = see(epochs, &mut store, &first);
    assert_eq!(
        changed(&third),
        vec![Vec::<u32>::new(); 3],
        "and who came back"
    );
    drop(store);
    let bytes = raw(folder.path());
    for told in [tales(&first, &[1]), tales(&second, &[1])].concat() {
        assert!(!holds(&bytes, &told), "{told:02x?}");
    }
}

#[test]
fn a_forgotten_person_is_in_no_sum() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let registry = Registry::open(&store, &[7; 32], true).unwrap();
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![50, 51, 52]));
    assert_eq!(registry.ids(&keys).unwrap().values().to_vec(), [0, 1, 2]);
    let states = [hashed(&[1, 2, 3]), hashed(&[1, 5, 6]), hashed(&[1, 9, 10])];
    let mut epochs = Epochs::default();
    for state in &states {
        epochs = see(epochs, &mut store, state);
    }
    assert!(registry.forget(&mut store, &UnitKey::Int(51)).unwrap());
    let held = all_sums(&store);
    let own: Vec<u128> = states.iter().map(|state| state[1]).collect();
    assert!(own.iter().all(|sum| !held.contains(sum)), "nothing of hers");
    let others = states.iter().flat_map(|state| [state[0], state[2]]);
    assert!(others.into_iter().all(|sum| held.contains(&sum)));
    // out of the data, as the custodian was told
    let mut next = states[2].clone();
    next[1] = 0;
    let epochs = see(Epochs::open(&store).unwrap(), &mut store, &next);
    let last = epochs.list().last().unwrap().changed.clone();
    assert!(last.is_empty(), "the number says nothing any more");
}

/// Every sum that the store holds, of the present and of earlier states.
fn all_sums(store: &Store) -> BTreeSet<u128> {
    let mut found = BTreeSet::new();
    let place = |kind: &[u8]| [kind, &TYPED, &0_i64.to_be_bytes()].concat();
    for (table, kind, skip) in [
        ("person_sum", &b"epoch sums\0"[..], 0),
        ("person_was", b"epoch was\0", 4),
    ] {
        let sql = format!("SELECT sealed FROM {table}");
        let mut select = store.connection.prepare(&sql).unwrap();
        let rows = select
            .query_map([], |row| row.get::<_, Vec<u8>>(0))
            .unwrap();
        for sealed in rows {
            let padded = store.key.open(&place(kind), &sealed.unwrap()).unwrap();
            let plain = crate::releases::unpad(&padded).unwrap();
            let each = plain.chunks_exact(16 + skip);
            found.extend(each.map(|each| u128::from_be_bytes(each[skip..].try_into().unwrap())));
        }
    }
    found
}
