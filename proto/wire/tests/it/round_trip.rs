//! What is encoded is decoded, whatever it holds; what is altered is not believed.

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use quorate_evidence::{Hash, Receipt};
use quorate_query::analyses::{Analysis, Request};
use quorate_query::answer::{Cell, Mode, NodeRow, NodeTable, Protection};
use quorate_query::cohort::Cohort;
use quorate_query::number::Number;
use quorate_query::question::ParamValue;
use quorate_query::value::Scalar;
use quorate_wire::{
    AnswerPayload, LedgerRef, LogCheckpoint, Payload, QUESTION_LIFE, QuestionId, QuestionPayload,
    RefusalPayload, fuzz_wire, open, sign, signed_from_bytes, signed_to_bytes,
};

use crate::samples::{self, key};

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        (any::<i128>(), -64..=20_i32).prop_map(|(m, e)| Number::new(m, e)),
        (-1000..1000_i128, -3..=3_i32).prop_map(|(m, e)| Number::new(m, e)),
    ]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        Just(Scalar::Null),
        any::<bool>().prop_map(Scalar::Bool),
        number().prop_map(Scalar::Number),
        any::<i32>().prop_map(Scalar::Date),
        "\\PC{0,20}".prop_map(Scalar::Text),
    ]
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        Just(Cell::Suppressed),
        vec(number(), 1..20).prop_map(Cell::Value),
        vec(number(), 1..20).prop_map(Cell::Near)
    ]
}

fn table() -> impl Strategy<Value = NodeTable> {
    (1..4_usize, 0..4_usize).prop_flat_map(|(keys, cells)| {
        btree_map(vec(scalar(), keys), vec(cell(), cells), 0..8).prop_map(|rows| NodeTable {
            rows: rows
                .into_iter()
                .map(|(key, cells)| NodeRow { key, cells })
                .collect(),
        })
    })
}

fn name() -> impl Strategy<Value = String> {
    "[a-z0-9][a-z0-9._-]{0,20}"
}

fn digest() -> impl Strategy<Value = String> {
    any::<[u8; 32]>().prop_map(|bytes| quorate_identity::digest_text(&bytes))
}

fn id() -> impl Strategy<Value = QuestionId> {
    (0..1_u64 << 48, any::<[u8; 10]>())
        .prop_map(|(millis, random)| QuestionId::new(millis, &random))
}

fn request() -> impl Strategy<Value = Request> {
    let arguments = btree_map("[a-z]{1,8}", "\\PC{0,40}", 0..5);
    let analysis = ("[a-z]{1,8}/[1-9]", arguments);
    let plain = prop_oneof![
        "\\PC{1,200}".prop_map(Request::Sql),
        analysis.prop_map(|(name, arguments)| Request::Analysis(Analysis { name, arguments })),
    ];
    let cohort = ("\\PC{1,200}", vec("[a-z]{1,8}", 0..4));
    let cohort = cohort.prop_map(|(sql, complete)| Cohort { sql, complete });
    let all = (plain, proptest::option::of(cohort), any::<bool>());
    all.prop_map(|(request, cohort, reviewed)| {
        let request = match cohort {
            Some(cohort) => Request::Of(cohort, Box::new(request)),
            None => request,
        };
        match reviewed {
            true => Request::Reviewed(Box::new(request)),
            false => request,
        }
    })
}

prop_compose! {
    fn question()(
        (network, researcher, project) in (name(), name(), "[^\\pC]{1,40}"),
        purpose in "\\PC{0,80}",
        question_id in id(),
        nodes in btree_set(name(), 0..5),
        (codebook, roster_head, canonical_digest) in (digest(), digest(), any::<[u8; 32]>()),
        request in request(),
        (canonical_version, min_nodes) in (1..9_u32, any::<u32>()),
        params in btree_map("[a-z_]{1,8}", prop_oneof![
            scalar().prop_map(ParamValue::One),
            vec(scalar(), 0..6).prop_map(ParamValue::List),
        ], 0..5),
        (not_before, life) in (1..2_000_000_000_i64, 1..=QUESTION_LIFE),
        must_understand in btree_set("[a-z]{1,8}", 0..3),
    ) -> QuestionPayload {
        QuestionPayload {
            network, question_id, researcher, project, purpose, nodes, codebook, roster_head, request,
            canonical_version, canonical_digest, params, not_before, expires: not_before + life,
            must_understand, min_nodes,
        }
    }
}

prop_compose! {
    fn receipt()(
        record in "[ -~]{0,80}",
        path in proptest::collection::vec(any::<[u8; 32]>(), 0..5),
        root in any::<[u8; 32]>(),
    ) -> Receipt {
        Receipt { record, path: path.into_iter().map(Hash).collect(), root: Hash(root) }
    }
}

prop_compose! {
    fn answer()(
        (network, node, population) in (name(), name(), name()),
        question_id in id(),
        question_digest in any::<[u8; 32]>(),
        (roster_head, codebook, epoch, policy, head) in (digest(), digest(), digest(), digest(), digest()),
        (round, seq) in (any::<u32>(), any::<u64>()),
        protection in (0..3_u8, 1..99_u32, 1..99_u32),
        (tables, padding) in (proptest::collection::vec(table(), 1..4), 0..300_usize),
        receipt in proptest::option::of(receipt()),
    ) -> AnswerPayload {
        let mode = match protection.0 {
            0 => Mode::Round,
            1 => Mode::CellKey { bound: protection.2 },
            _ => Mode::None,
        };
        AnswerPayload {
            network, node, question_id, question_digest, round, roster_head, codebook, population,
            epoch, policy, tables, notes: Vec::new(), ledger: LedgerRef { seq, head }, receipt, padding,
            protection: Protection { mode, k: protection.1, round_base: protection.2 },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn questions_round_trip(question in question()) {
        let bytes = question.encode();
        prop_assert_eq!(QuestionPayload::decode(&bytes), Ok(question));
        prop_assert!(fuzz_wire(&bytes).is_some_and(|accepted| accepted >= 1));
    }

    /// The length of an answer depends on its keys and on how many numbers a cell has.
    #[test]
    fn what_is_withheld_does_not_show_in_the_length(
        answer in answer(),
        keys in 1..60_i128,
        columns in proptest::collection::vec(1..5_usize, 1..4),
        seed in proptest::collection::vec((0..3_u8, any::<i64>(), -9..9_i32), 1..40),
        many in 1..4_usize,
    ) {
        let cell = |at: usize, parts: usize| {
            let (kind, mantissa, exponent) = seed[at % seed.len()];
            let numbers = vec![Number::new(mantissa.into(), exponent); parts];
            match kind {
                0 => Cell::Suppressed,
                1 => Cell::Near(numbers),
                _ => Cell::Value(numbers),
            }
        };
        let table = |cell: &dyn Fn(usize, usize) -> Cell| NodeTable {
            rows: (0..keys)
                .map(|key| NodeRow {
                    key: vec![Scalar::Number(Number::new(key, 0))],
                    cells: columns
                        .iter()
                        .enumerate()
                        .map(|(column, parts)| cell(usize::try_from(key).unwrap() * 7 + column, *parts))
                        .collect(),
                })
                .collect(),
        };
        let with = |one: NodeTable| AnswerPayload { tables: vec![one; many], ..answer.clone() };
        let (withheld, shown) = (with(table(&|_, _| Cell::Suppressed)), with(table(&cell)));
        let columns = vec![columns.clone(); many];
        let (withheld, shown) = (withheld.padded(&columns), shown.padded(&columns));
        prop_assert_eq!(withheld.encode().len(), shown.encode().len());
        prop_assert_eq!(AnswerPayload::decode(&shown.encode()), Ok(shown));
    }

    #[test]
    fn answers_round_trip(answer in answer()) {
        let bytes = answer.encode();
        prop_assert_eq!(AnswerPayload::decode(&bytes), Ok(answer));
        prop_assert!(fuzz_wire(&bytes).is_some_and(|accepted| accepted >= 1));
    }

    #[test]
    fn refusals_round_trip(
        code in "[VAGCLXE][0-9]{3}",
        ticket in "[a-z0-9]{0,20}",
        epoch in option::of(digest()),
        recorded in any::<bool>(),
    ) {
        let refusal = RefusalPayload {
            code, ticket,
            epoch: epoch.unwrap_or_default(),
            ledger: recorded.then(samples::ledger),
            ..samples::refusal()
        };
        prop_assert_eq!(RefusalPayload::decode(&refusal.encode()), Ok(refusal));
    }

    #[test]
    fn any_flipped_bit_of_a_signed_answer_is_noticed(
        answer in answer(),
        at in any::<prop::sample::Index>(),
        bit in 0..8_u32,
    ) {
        let key = key(11);
        let mut bytes = signed_to_bytes(&sign(&answer, &key));
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let opened = signed_from_bytes(&bytes).ok().map(|signed| open::<AnswerPayload>(&signed, key.key_id()));
        prop_assert!(!matches!(opened, Some(Ok(_))));
    }

    #[test]
    fn arbitrary_bytes_never_crash_a_decoder(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(fuzz_wire(&bytes).is_some());
    }

    #[test]
    fn damaged_messages_never_crash_a_decoder(
        question in question(),
        cuts in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = question.encode();
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len() + 1));
        prop_assert!(fuzz_wire(&bytes).is_some());
    }
}

#[test]
fn everything_else_round_trips() {
    fn check<P: Payload + PartialEq + std::fmt::Debug>(payload: &P) {
        assert_eq!(P::decode(&payload.encode()).as_ref(), Ok(payload));
    }
    check(&samples::result());
    check(&samples::hello());
    check(&samples::stamp());
    check(&samples::checkpoint());
    check(&samples::checkpoint_with_proof());
    check(&LogCheckpoint(samples::checkpoint_with_proof()));
    let rootless = LogCheckpoint(samples::checkpoint()).encode();
    assert!(LogCheckpoint::decode(&rootless).is_err());
    check(&samples::answer_with_receipt());
    check(&samples::enrol());
}
