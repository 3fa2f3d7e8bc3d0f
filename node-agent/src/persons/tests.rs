//! The law of numbers: one key one number for ever, one number one key for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{ArrayRef, Decimal128Array, Int64Array, StringArray};
use proptest::prelude::*;
use quorate_query::number::Number;
use quorate_query::value::Scalar;

use super::{PersonsError, Registry, UnitKey};
use crate::store::Store;

const KEY: [u8; 32] = [3; 32];

fn ints(keys: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(keys.to_vec()))
}

fn ids(registry: &Registry, keys: &ArrayRef) -> Vec<u32> {
    registry.ids(keys).unwrap().values().to_vec()
}

fn int(key: i64) -> UnitKey {
    UnitKey::of(&Scalar::Number(Number::new(key.into(), 0))).unwrap()
}

#[test]
fn a_key_is_the_same_person_whatever_its_column() {
    let registry = Registry::open(&Store::empty().unwrap(), &KEY, true).unwrap();
    let first = ids(&registry, &ints(&[17, -4]));
    let decimals = Decimal128Array::from(vec![-400, 1700, 1750]);
    let decimals: ArrayRef = Arc::new(decimals.with_precision_and_scale(38, 2).unwrap());
    let again = ids(&registry, &decimals);
    assert_eq!(again[..2], [first[1], first[0]]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["17", "17", "x"]));
    let texts = ids(&registry, &texts);
    assert!(
        texts[0] == texts[1] && !first.contains(&texts[0]),
        "text 17 is no number"
    );
    let seen: BTreeSet<u32> = first.iter().chain(&again).chain(&texts).copied().collect();
    assert_eq!(seen, (0..5).collect(), "numbers are dense");
}

#[test]
fn a_typed_value_and_a_row_are_the_same_key() {
    let decimals: ArrayRef = Arc::new(
        Decimal128Array::from(vec![1700, 1750])
            .with_precision_and_scale(38, 2)
            .unwrap(),
    );
    for (row, value) in [(0, Number::new(17, 0)), (1, Number::new(175, -1))] {
        let typed = UnitKey::of(&Scalar::Number(value));
        assert!(typed == UnitKey::at(&decimals, row));
    }
    assert!(UnitKey::of(&Scalar::Number(Number::new(3, 2))) == Some(UnitKey::Int(300)));
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a-1"]));
    assert!(UnitKey::of(&Scalar::Text("a-1".into())) == UnitKey::at(&text, 0));
    assert!(UnitKey::of(&Scalar::Null).is_none());
}

#[test]
fn a_row_without_a_key_is_an_error() {
    let registry = Registry::open(&Store::empty().unwrap(), &KEY, true).unwrap();
    let keys: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None]));
    assert_eq!(registry.ids(&keys).unwrap_err(), PersonsError::NoKey);
}

#[test]
fn numbers_survive_a_restart_and_belong_to_their_domain_key() {
    let mut store = Store::empty().unwrap();
    let registry = Registry::open(&store, &KEY, true).unwrap();
    let first = ids(&registry, &ints(&[5, 900_000_000_000, 6]));
    registry.save(&mut store).unwrap();
    // never saved, so never decided with: the process is killed here
    ids(&registry, &ints(&[7]));
    let registry = Registry::open(&store, &KEY, true).unwrap();
    assert_eq!(
        ids(&registry, &ints(&[6, 900_000_000_000, 5])),
        [first[2], first[1], first[0]]
    );
    assert_eq!(ids(&registry, &ints(&[8])), [3]);
    let stranger = Registry::open(&store, &[4; 32], true).unwrap();
    assert!(
        ids(&stranger, &ints(&[5]))[0] >= 3,
        "another key knows nobody"
    );
}

#[test]
fn a_trial_stores_nothing() {
    let mut store = Store::empty().unwrap();
    let trial = Registry::open(&store, &KEY, false).unwrap();
    ids(&trial, &ints(&[1, 2]));
    trial.save(&mut store).unwrap();
    assert_eq!(Registry::open(&store, &KEY, true).unwrap().next(), 0);
}

#[test]
fn forgetting_leaves_the_number_used() {
    let mut store = Store::empty().unwrap();
    let registry = Registry::open(&store, &KEY, true).unwrap();
    let before = ids(&registry, &ints(&[1, 2, 3]));
    assert!(registry.forget(&mut store, &int(2)).unwrap());
    assert!(!registry.forget(&mut store, &int(2)).unwrap());
    let left: i64 = store
        .connection
        .query_row("SELECT count(*) FROM person", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 2);
    for registry in [registry, Registry::open(&store, &KEY, true).unwrap()] {
        let after = ids(&registry, &ints(&[1, 2, 3]));
        assert_eq!((after[0], after[2]), (before[0], before[2]));
        assert_eq!(after[1], 3, "somebody new");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Keys near and far, in any order, with restarts in between: a map that is one-to-one.
    #[test]
    fn one_key_one_number(
        batches in prop::collection::vec(
            prop::collection::vec(
                prop_oneof![-40_i64..40, any::<i64>(), Just(i64::MIN), Just(i64::MAX), 1_000_000..1_200_000_i64],
                0..60,
            ),
            0..12,
        ),
        restarts in prop::collection::vec(any::<bool>(), 12),
    ) {
        let mut store = Store::empty().unwrap();
        let mut registry = Registry::open(&store, &KEY, true).unwrap();
        let mut known: BTreeMap<i64, u32> = BTreeMap::new();
        for (batch, restart) in batches.iter().zip(restarts) {
            for (key, id) in batch.iter().zip(ids(&registry, &ints(batch))) {
                prop_assert_eq!(*known.entry(*key).or_insert(id), id);
            }
            registry.save(&mut store).unwrap();
            if restart {
                registry = Registry::open(&store, &KEY, true).unwrap();
            }
        }
        let numbers: BTreeSet<u32> = known.values().copied().collect();
        prop_assert_eq!(numbers.len(), known.len());
        prop_assert_eq!(registry.next(), u64::try_from(known.len()).unwrap());
    }
}
