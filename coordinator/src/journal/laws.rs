//! Whatever happens in whatever order, restarts included: the first answer of a node stays, an
//! acknowledged question is there, and a finished one does not change.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quorate_wire::QuestionStatus;

use super::{Accept, Kept, NewQuestion, Settled, Store};

const NODES: [&str; 3] = ["north", "south", "west"];

#[derive(Clone, Debug)]
enum Step {
    Submit {
        bytes: u8,
    },
    Answer {
        node: usize,
        bytes: u8,
        refuses: bool,
    },
    Close {
        late: usize,
    },
    Finish {
        bytes: u8,
    },
    Cancel,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (0..2u8).prop_map(|bytes| Step::Submit { bytes }),
        6 => (0..4usize, 0..3u8, any::<bool>())
            .prop_map(|(node, bytes, refuses)| Step::Answer { node, bytes, refuses }),
        1 => (0..3usize).prop_map(|late| Step::Close { late }),
        2 => (0..3u8).prop_map(|bytes| Step::Finish { bytes }),
        1 => Just(Step::Cancel),
        2 => Just(Step::Restart),
    ]
}

/// What must be true, kept beside the file.
#[derive(Default)]
struct Model {
    signed: Option<u8>,
    answers: BTreeMap<usize, u8>,
    counted: BTreeMap<usize, u8>,
    closed: bool,
    result: Option<u8>,
    finished: bool,
}

impl Model {
    fn submit(&mut self, store: &mut Store, bytes: u8) {
        let question = NewQuestion {
            id: "q".to_owned(),
            researcher: "alice".to_owned(),
            project: "p".to_owned(),
            codebook: "c".to_owned(),
            signed: vec![bytes],
            nodes: NODES.map(str::to_owned).to_vec(),
            submitted: 1,
            deadline: 2,
        };
        let expected = match self.signed {
            None => Accept::New,
            Some(known) if known == bytes => Accept::Again(NODES.map(str::to_owned).to_vec()),
            Some(_) => Accept::Taken,
        };
        assert_eq!(store.accept(&question, 8).unwrap(), expected);
        self.signed.get_or_insert(bytes);
    }

    fn answer(&mut self, store: &mut Store, node: usize, bytes: u8, refuses: bool) {
        let name = NODES.get(node).copied().unwrap_or("stranger");
        let code = refuses.then_some("G501");
        let kept = store.keep_answer(("q", name), code, &[bytes], 3).unwrap();
        let expected = match self.answers.get(&node) {
            _ if self.signed.is_none() || node >= NODES.len() => Kept::NotAsked,
            Some(known) if *known == bytes => Kept::Again,
            Some(_) => Kept::Other,
            None if self.closed => Kept::Late,
            None => Kept::Counted,
        };
        assert_eq!(kept, expected);
        if matches!(kept, Kept::Counted | Kept::Late) {
            self.answers.insert(node, bytes);
        }
        if kept == Kept::Counted {
            self.counted.insert(node, bytes);
        }
    }

    fn check(&self, store: &Store) {
        let question = store.question("q").unwrap();
        assert_eq!(question.is_some(), self.signed.is_some());
        let Some(question) = question else { return };
        assert_eq!(question.status.is_final(), self.finished);
        assert_eq!(
            store.unfinished().unwrap().len(),
            usize::from(!self.finished)
        );
        assert_eq!(
            store.result("q").unwrap(),
            self.result.map(|bytes| vec![bytes])
        );
        for (index, outcome) in store.outcomes("q").unwrap().into_iter().enumerate() {
            let counted = self.counted.get(&index).map(|bytes| vec![*bytes]);
            assert_eq!(outcome.signed, counted);
            let spoke = matches!(outcome.settled, Some(Settled::Answered | Settled::Refused));
            assert_eq!(spoke, self.counted.contains_key(&index));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_order_of_events_breaks_a_promise(steps in prop::collection::vec(step(), 1..24)) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        // What is tested is order, not the disk.
        store.connection.pragma_update(None, "synchronous", "OFF").unwrap();
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Submit { bytes } => model.submit(&mut store, bytes),
                Step::Answer { node, bytes, refuses } => {
                    model.answer(&mut store, node, bytes, refuses);
                }
                Step::Close { late } => {
                    store.close("q", &[(NODES[late].to_owned(), Settled::Late)], 4).unwrap();
                    model.closed |= model.signed.is_some();
                }
                Step::Finish { bytes } => {
                    let verdict = (QuestionStatus::Answered, None);
                    let done = store.finish("q", verdict, &[], &[bytes], 5).unwrap();
                    assert_eq!(done, model.closed && !model.finished);
                    if done {
                        (model.finished, model.result) = (true, Some(bytes));
                    }
                }
                Step::Cancel => {
                    let done = store.cancel("q", 6).unwrap();
                    assert_eq!(done, model.signed.is_some() && !model.finished);
                    if done {
                        (model.finished, model.closed) = (true, true);
                    }
                }
                Step::Restart => {
                    drop(store);
                    store = Store::open_existing(dir.path()).unwrap();
                    store.connection.pragma_update(None, "synchronous", "OFF").unwrap();
                }
            }
            model.check(&store);
        }
    }
}
