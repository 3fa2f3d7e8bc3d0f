//! One sample of every payload, the same each time.

use std::collections::{BTreeMap, BTreeSet};

use quorate_evidence::{Consistency, Hash, Receipt};
use quorate_identity::{Role, SigningKey, digest_text};
use quorate_query::answer::{Cell, Mode, NodeRow, NodeTable, Protection};
use quorate_query::number::Number;
use quorate_query::question::ParamValue;
use quorate_query::value::Scalar;
use quorate_wire::{
    AnswerPayload, Checkpoint, EnrolPayload, Hello, LedgerRef, NodeOutcome, NodeStatus, Note,
    QuestionId, QuestionPayload, QuestionStatus, RefusalPayload, ResultPayload, Stamp, sign,
    sign_question,
};

/// The moment all tests play in.
pub(crate) const NOW: i64 = 1_790_000_000;

pub(crate) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

pub(crate) fn digest(byte: u8) -> String {
    digest_text(&[byte; 32])
}

pub(crate) fn id() -> QuestionId {
    QuestionId::new(1_790_000_000_000, &[9; 10])
}

pub(crate) fn number(mantissa: i128, exponent: i32) -> Number {
    Number::new(mantissa, exponent)
}

fn words(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

pub(crate) fn question() -> QuestionPayload {
    let list = vec![
        Scalar::Null,
        Scalar::Date(-3),
        Scalar::Text("M\u{fc}ller".to_owned()),
    ];
    QuestionPayload {
        network: "heart".to_owned(),
        question_id: id(),
        researcher: "alice".to_owned(),
        project: "heart-1".to_owned(),
        purpose: "how many have it".to_owned(),
        nodes: words(&["cleveland", "hungary"]),
        codebook: digest(1),
        roster_head: digest(2),
        request: "SELECT count(*) FROM person WHERE age > $age".into(),
        canonical_version: 1,
        canonical_digest: [3; 32],
        params: BTreeMap::from([
            (
                "age".to_owned(),
                ParamValue::One(Scalar::Number(number(5, 1))),
            ),
            ("list".to_owned(), ParamValue::List(list)),
            ("smoker".to_owned(), ParamValue::One(Scalar::Bool(true))),
        ]),
        not_before: NOW,
        expires: NOW + 3600,
        must_understand: words(&["strict"]),
        min_nodes: 2,
    }
}

pub(crate) fn table() -> NodeTable {
    let row = |key: i128, cells| NodeRow {
        key: vec![Scalar::Number(number(key, 0))],
        cells,
    };
    let mean = vec![
        number(45, 0),
        number(45, 0),
        number(5_444, -2),
        number(-91, -1),
    ];
    NodeTable {
        rows: vec![
            row(
                0,
                vec![Cell::Value(vec![number(205, 0)]), Cell::Value(mean)],
            ),
            row(1, vec![Cell::Value(vec![number(95, 0)]), Cell::Suppressed]),
        ],
    }
}

pub(crate) fn ledger() -> LedgerRef {
    LedgerRef {
        seq: 41,
        head: digest(7),
    }
}

pub(crate) fn answer() -> AnswerPayload {
    AnswerPayload {
        network: "heart".to_owned(),
        node: "cleveland".to_owned(),
        question_id: id(),
        question_digest: [4; 32],
        round: 0,
        roster_head: digest(2),
        codebook: digest(1),
        population: "cleveland-heart".to_owned(),
        epoch: digest(5),
        policy: digest(6),
        protection: Protection {
            mode: Mode::Round,
            k: 8,
            round_base: 5,
        },
        tables: vec![table()],
        notes: vec![Note {
            code: "N120".to_owned(),
            text: "near an earlier answer".to_owned(),
        }],
        ledger: ledger(),
        receipt: None,
        padding: 0,
    }
}

pub(crate) fn refusal() -> RefusalPayload {
    RefusalPayload {
        network: "heart".to_owned(),
        node: "hungary".to_owned(),
        question_id: id(),
        question_digest: [4; 32],
        round: 0,
        roster_head: digest(2),
        codebook: digest(1),
        population: "hungary-heart".to_owned(),
        epoch: String::new(),
        code: "G502".to_owned(),
        ticket: String::new(),
        ledger: Some(ledger()),
    }
}

pub(crate) fn result() -> ResultPayload {
    let outcome = |name: &str, status, code: Option<&str>, signed| NodeOutcome {
        name: name.to_owned(),
        status,
        code: code.map(str::to_owned),
        signed,
    };
    ResultPayload {
        network: "heart".to_owned(),
        question_id: id(),
        question: sign_question(&question(), &key(21)),
        nodes: vec![
            outcome(
                "cleveland",
                NodeStatus::Answered,
                None,
                Some(sign(&answer(), &key(11))),
            ),
            outcome(
                "hungary",
                NodeStatus::Refused,
                Some("G502"),
                Some(sign(&refusal(), &key(12))),
            ),
            outcome("switzerland", NodeStatus::Absent, None, None),
        ],
        status: QuestionStatus::Answered,
        combined: b"{}".to_vec(),
        finished: NOW + 2,
        problem: None,
    }
}

pub(crate) fn hello() -> Hello {
    Hello {
        network: "heart".to_owned(),
        node: "cleveland".to_owned(),
        protocol_min: 1,
        protocol_max: 1,
        build: "quorate-node 0.1.0".to_owned(),
        features: words(&["strict"]),
        certificate_sha256: [8; 32],
        roster_head: digest(2),
        codebooks: BTreeSet::from([digest(1), digest(9)]),
        time: NOW,
    }
}

pub(crate) fn stamp() -> Stamp {
    Stamp {
        network: "heart".to_owned(),
        node: "cleveland".to_owned(),
        roster_seq: 4,
        roster_head: digest(2),
        time: NOW,
    }
}

pub(crate) fn checkpoint() -> Checkpoint {
    Checkpoint {
        network: "heart".to_owned(),
        node: "cleveland".to_owned(),
        seq: 41,
        head: digest(7),
        time: NOW,
        root: None,
        proof: None,
    }
}

/// As nodes say it since ledgers have a tree.
pub(crate) fn checkpoint_with_proof() -> Checkpoint {
    Checkpoint {
        root: Some(Hash([5; 32])),
        proof: Some(Consistency {
            from: 17,
            to: 41,
            path: vec![Hash([6; 32]), Hash([7; 32])],
        }),
        ..checkpoint()
    }
}

/// As nodes say it since answers carry receipts.
pub(crate) fn answer_with_receipt() -> AnswerPayload {
    AnswerPayload {
        receipt: Some(Receipt {
            record: "{\"seq\":3}".to_owned(),
            path: vec![Hash([8; 32])],
            root: Hash([9; 32]),
        }),
        ..answer()
    }
}

pub(crate) fn enrol() -> EnrolPayload {
    EnrolPayload {
        role: Role::Node,
        name: "cleveland".to_owned(),
        csr_sha256: [10; 32],
    }
}
