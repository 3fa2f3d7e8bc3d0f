//! Records come back as they were put, and only with the key.

use std::collections::BTreeSet;

use proptest::prelude::*;
use quorate_disclosure::history::{
    Entry, Facet, Footprint, Form, ReleaseId, Shape, Spread, State, Traits,
};
use quorate_query::codebook::ColumnRef;
use quorate_query::number::Number;
use quorate_query::question::{Cohort, Predicate, Set, Values};
use roaring::RoaringBitmap;

use super::*;
use crate::store::STORE_FILE;

fn texts() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[a-zé]{0,4}", 0..4)
}

fn values() -> impl Strategy<Value = Values> {
    prop_oneof![
        Just(Values::All),
        prop::collection::vec(any::<(Option<i128>, Option<i128>)>(), 0..3).prop_map(Values::Ranges),
        texts().prop_map(Values::Texts),
        texts().prop_map(Values::NotTexts),
    ]
}

fn leaf() -> impl Strategy<Value = Predicate> {
    let boxed = |(column, (null, values)): (String, (bool, Values))| {
        let table = "t".to_owned();
        (ColumnRef { table, column }, Set { null, values })
    };
    let found = prop::collection::btree_map("[a-c]", (any::<bool>(), values()), 0..3);
    found.prop_map(move |found| Predicate {
        boxes: found.into_iter().map(boxed).collect(),
        cohorts: BTreeSet::new(),
    })
}

fn predicate() -> impl Strategy<Value = Predicate> {
    let cohort = prop::option::of((any::<bool>(), texts(), leaf()));
    (leaf(), cohort).prop_map(|(mut all, cohort)| {
        all.cohorts
            .extend(cohort.map(|(negated, joined, filter)| Cohort {
                negated,
                rows: "many".to_owned(),
                joined,
                filter,
            }));
        all
    })
}

fn shape() -> impl Strategy<Value = Shape> {
    (texts(), predicate()).prop_map(|(joined, predicate)| Shape {
        rows: "person".to_owned(),
        joined,
        predicate,
    })
}

fn form() -> impl Strategy<Value = Form> {
    prop_oneof![
        Just(Form::Persons),
        any::<u32>().prop_map(Form::Rows),
        any::<[u8; 32]>().prop_map(Form::Sum),
    ]
}

fn people() -> impl Strategy<Value = RoaringBitmap> {
    prop::collection::vec(any::<u32>(), 0..40).prop_map(|ids| ids.into_iter().collect())
}

/// Entries cannot be printed, so what a failing case prints is what they are made of.
type RawFacet = (
    [u8; 32],
    Form,
    Shape,
    RoaringBitmap,
    (i128, Vec<(u32, i128)>),
    Option<(Vec<i64>, bool, bool)>,
);
type Raw = ([u8; 32], Shape, State, bool, Vec<RawFacet>);

fn raw() -> impl Strategy<Value = Raw> {
    let parts = prop::collection::vec((any::<i128>(), -9..9_i32), 0..4);
    let parts = parts.prop_map(|all| all.into_iter().map(|(m, e)| Number::new(m, e)).collect());
    let state = prop_oneof![
        parts.prop_map(State::Released),
        Just(State::Sacrificed),
        any::<bool>().prop_map(|exact| State::Union { exact })
    ];
    let facet = (
        any::<[u8; 32]>(),
        form(),
        shape(),
        people(),
        (any::<i128>(), any::<Vec<(u32, i128)>>()),
        prop::option::of((
            prop::collection::vec(any::<i64>(), 256),
            any::<bool>(),
            any::<bool>(),
        )),
    );
    let facets = prop::collection::vec(facet, 0..3);
    (any::<[u8; 32]>(), shape(), state, any::<bool>(), facets)
}

fn entry((predicate, shape, state, core, facets): Raw) -> Entry {
    let facet = |(vec, form, shape, people, (abs, largest), spread): RawFacet| Facet {
        vec,
        form,
        shape,
        footprint: Footprint {
            people: people.into(),
            abs,
            sample: largest.iter().rev().copied().collect(),
            largest,
            spread: spread.map(|(sums, signed, limited)| {
                Spread::kept(sums, Traits { signed, limited }).unwrap()
            }),
        },
    };
    Entry {
        id: ReleaseId {
            predicate,
            vec: [3; 32],
            epoch: "sha256:e".to_owned(),
            protection: "round k=8 base=5".to_owned(),
        },
        shape,
        state,
        project: "heart-1".to_owned(),
        core,
        facets: facets.into_iter().map(facet).collect(),
    }
}

fn occasion(question: &str) -> Occasion {
    let text = |t: &str| t.to_owned();
    Occasion {
        time: 7,
        question: text(question),
        project: text("heart-1"),
        principal: text("alice"),
        codebook: text("sha256:c"),
        policy: text("sha256:p"),
    }
}

fn released(entry: Entry, question: &str) -> Record {
    Record::Release(Box::new((entry, occasion(question))))
}

fn all(store: &Store) -> Vec<Record> {
    let mut found = Vec::new();
    store.past("people", |record| found.push(record)).unwrap();
    found
}

#[test]
fn a_definition_is_read_as_it_was_written() {
    let name = |column: &str| quorate_query::codebook::ColumnRef {
        table: "person".to_owned(),
        column: column.to_owned(),
    };
    let year = quorate_query::derived::Derived::Year { of: name("born") };
    let record = Record::Derived(name("year:0"), year);
    let bytes = record.encode("people");
    assert!(Record::decode(&bytes) == Some(("people".to_owned(), record)));
    for cut in 0..bytes.len() {
        assert!(Record::decode(&bytes[..cut]).is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_entry_is_read_as_it_was_written(raw in raw()) {
        let record = released(entry(raw), "q");
        let bytes = record.encode("people");
        let (population, read) = Record::decode(&bytes).unwrap();
        prop_assert!(population == "people" && read == record);
        for cut in [0, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            prop_assert!(Record::decode(&bytes[..cut]).is_none());
        }
        let padded = pad(bytes.clone());
        prop_assert_eq!(unpad(&padded), Some(bytes.as_slice()));
        prop_assert!(padded.len() <= bytes.len() * 9 / 8 + 1024);
    }

    #[test]
    fn lengths_fall_into_few_classes(length in 0_usize..1_000_000) {
        let padded = pad(vec![0; length]).len();
        prop_assert!(padded > length);
        let step = (padded.next_power_of_two() / 32).max(1);
        prop_assert_eq!(padded % step, 0);
    }
}

#[test]
fn the_first_value_of_a_release_stays_and_order_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let some = |seed: u8, state| {
        let id = ReleaseId {
            predicate: [seed; 32],
            vec: [1; 32],
            epoch: "sha256:e".into(),
            protection: "k".into(),
        };
        Entry {
            id,
            shape: Shape {
                rows: "person".into(),
                joined: BTreeSet::new(),
                predicate: Predicate::default(),
            },
            state,
            project: String::new(),
            core: false,
            facets: Vec::new(),
        }
    };
    let value = |n| State::Released(vec![Number::new(n, 0)]);
    let first = released(some(1, value(10)), "q1");
    let other = released(some(2, State::Sacrificed), "q1");
    let again = released(some(1, value(99)), "q2");
    let seen = |epoch: &str| {
        Record::Protected(Protected {
            epoch: epoch.into(),
            protection: "k".into(),
            time: 1,
        })
    };
    assert_eq!(
        store
            .reserve("people", &[seen("a"), first.clone()])
            .unwrap(),
        2
    );
    assert_eq!(store.reserve("people", &[other.clone(), again]).unwrap(), 3);
    let strange = store.reserve("strangers", std::slice::from_ref(&first));
    assert_eq!(strange.unwrap(), 4, "another population's");
    drop(store);
    let store = Store::look(folder.path()).unwrap();
    assert!(all(&store) == vec![seen("a"), first, other]);
    let history = store.history("people", 9).unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].cells, history[0].given_up), (1, 1));
    assert_eq!(history[0].occasion, occasion("q1"));
}

#[test]
fn a_copied_file_tells_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let told = Told {
        occasion: occasion("canary-question"),
        epoch: "canary-epoch".into(),
        asked: "canary-text".into(),
        fresh: 1,
        repeated: 0,
        reasons: vec![Reason {
            cell: "canary-cell".into(),
            rule: "canary-rule".into(),
            why: "canary-why".into(),
        }],
    };
    store
        .reserve("canary-people", &[Record::Told(Box::new(told))])
        .unwrap();
    drop(store);
    for file in [STORE_FILE, "releases.sqlite-wal"] {
        let bytes = std::fs::read(folder.path().join(file)).unwrap_or_default();
        assert!(!bytes.windows(6).any(|w| w == b"canary"), "{file}");
    }
    std::fs::write(
        folder.path().join(crate::secrets::STORE_KEY_FILE),
        "ab".repeat(32),
    )
    .unwrap();
    let store = Store::look(folder.path()).unwrap();
    assert!(store.past("canary-people", |_| ()).is_err(), "another key");
}

#[test]
fn a_record_opens_only_in_its_own_row() {
    let mut store = Store::empty().unwrap();
    let seen = |epoch: &str| {
        Record::Protected(Protected {
            epoch: epoch.into(),
            protection: "k".into(),
            time: 1,
        })
    };
    store.reserve("people", &[seen("a"), seen("b")]).unwrap();
    let swap = "UPDATE record SET sealed = (SELECT sealed FROM record WHERE seq = 2) WHERE seq = 1";
    store.connection.execute(swap, []).unwrap();
    assert!(store.past("people", |_| ()).is_err());
}

#[test]
fn the_first_form_is_sealed_and_nothing_of_it_stays_readable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(STORE_FILE);
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection
        .execute_batch(include_str!("first_form.sql"))
        .unwrap();
    let value = [20_i128.to_be_bytes().as_slice(), &0_i32.to_be_bytes()].concat();
    connection
        .execute(
            "INSERT INTO release VALUES ('people', ?1, ?2, 'sha256:e', 'round k=8 base=5', ?3, ?4,
             7, 'q', 'heart-1', 'canary-alice', 'sha256:c', 'sha256:p')",
            rusqlite::params![[1_u8; 32], [2_u8; 32], b"canary".to_vec(), value],
        )
        .unwrap();
    let key = quorate_identity::SigningKey::from_seed(&[1; 32]).unwrap();
    let signed = quorate_identity::Signed::by(&key, "answer", b"canary".to_vec());
    connection
        .execute(
            "INSERT INTO message VALUES ('q', ?1, ?2, ?3, 1, 2, 'canary', 7)",
            rusqlite::params![
                [5_u8; 32],
                quorate_wire::signed_to_bytes(&signed),
                signed.digest()
            ],
        )
        .unwrap();
    drop(connection);
    let key = "ab".repeat(32);
    for name in [
        crate::secrets::STORE_KEY_FILE,
        crate::secrets::DOMAIN_KEY_FILE,
    ] {
        let path = folder.path().join(name);
        quorate_identity::keys::write_private(&path, key.as_bytes()).unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    let found = all(&store);
    let [Record::Release(release)] = found.as_slice() else {
        panic!("{}", found.len())
    };
    let (entry, when) = release.as_ref();
    assert_eq!(entry.state, State::Released(vec![Number::new(20, 0)]));
    assert_eq!((entry.id.predicate, entry.id.vec), ([1; 32], [2; 32]));
    assert_eq!((when.principal.as_str(), when.time), ("canary-alice", 7));
    let kept = store.kept("q").unwrap().unwrap();
    assert_eq!(
        (kept.message.signed, kept.message.close.as_str()),
        (signed, "canary")
    );
    drop(store);
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|w| w == b"canary"));
    }
}
