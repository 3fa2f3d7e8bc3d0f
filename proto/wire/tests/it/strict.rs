//! Decoders take one spelling and refuse everything else, naming the field.

use prost::Message;
use quorate_wire::{
    AnswerPayload, Hello, Payload, QUESTION_LIFE, QuestionId, QuestionPayload, RefusalPayload,
    ResultPayload, Stamp, WireError, v1,
};

use crate::samples;

/// Decodes a sample's bytes, changes one thing, and decodes the result strictly.
fn after<P: Payload, W: Message + Default>(
    sample: &P,
    change: impl FnOnce(&mut W),
) -> Option<WireError> {
    let mut wire = W::decode(sample.encode().as_slice()).unwrap();
    change(&mut wire);
    P::decode(&wire.encode_to_vec()).err()
}

fn question(change: impl FnOnce(&mut v1::QuestionPayload)) -> Option<WireError> {
    after::<QuestionPayload, v1::QuestionPayload>(&samples::question(), change)
}

fn answer(change: impl FnOnce(&mut v1::AnswerPayload)) -> Option<WireError> {
    after::<AnswerPayload, v1::AnswerPayload>(&samples::answer(), change)
}

/// Changes the table and keeps its digest right, so that only the table can be the reason.
fn table(change: impl FnOnce(&mut v1::NodeTable)) -> Option<WireError> {
    answer(|wire| {
        let table = wire.tables.first_mut().unwrap();
        change(table);
        wire.table_digest = quorate_identity::sha256(&table.encode_to_vec()).to_vec();
    })
}

#[test]
fn samples_are_accepted_unchanged() {
    assert_eq!(question(|_| ()), None);
    assert_eq!(answer(|_| ()), None);
    assert_eq!(table(|_| ()), None);
}

#[test]
fn a_question_needs_every_field() {
    type Change = fn(&mut v1::QuestionPayload);
    let cases: [(&str, Change); 10] = [
        ("network", |q| q.network.clear()),
        ("question_id", |q| q.question_id.clear()),
        ("researcher", |q| q.researcher.clear()),
        ("project", |q| q.project.clear()),
        ("codebook", |q| q.codebook.clear()),
        ("roster_head", |q| q.roster_head.clear()),
        ("body", |q| q.body = None),
        ("canonical_version", |q| q.canonical_version = 0),
        ("canonical_digest", |q| q.canonical_digest.clear()),
        ("not_before", |q| q.not_before = 0),
    ];
    for (field, change) in cases {
        assert_eq!(question(change), Some(WireError::Missing(field)));
    }
    assert_eq!(
        QuestionPayload::decode(&[]),
        Err(WireError::Missing("body"))
    );
    assert_eq!(
        QuestionPayload::decode(b"\xff\xff\xff"),
        Err(WireError::Malformed)
    );
}

#[test]
fn a_question_has_one_spelling() {
    type Change = fn(&mut v1::QuestionPayload);
    let cases: [(&str, Change); 14] = [
        ("network", |q| q.network = "Heart".to_owned()),
        ("question_id", |q| {
            q.question_id = q.question_id.to_uppercase()
        }),
        ("question_id", |q| {
            q.question_id = q.question_id.replace('-', "")
        }),
        ("question_id", |q| {
            q.question_id = "67e55044-10b1-426f-9247-bb680e5fe0c8".to_owned()
        }),
        ("project", |q| q.project = "a\u{1b}[2J".to_owned()),
        ("codebook", |q| {
            q.codebook = q.codebook.replace("sha256", "sha512")
        }),
        ("codebook", |q| {
            q.codebook = format!("sha256:{}", "AB".repeat(32))
        }),
        ("canonical_digest", |q| q.canonical_digest.truncate(31)),
        ("nodes", |q| q.nodes.reverse()),
        ("nodes", |q| {
            q.nodes = vec!["cleveland".to_owned(), "cleveland".to_owned()]
        }),
        ("expires", |q| q.expires = q.not_before),
        ("expires", |q| q.expires = q.not_before + QUESTION_LIFE + 1),
        ("expires", |q| q.expires = i64::MAX),
        ("not_before", |q| q.not_before = i64::MIN),
    ];
    for (field, change) in cases {
        assert_eq!(question(change), Some(WireError::Invalid(field)));
    }
    assert_eq!(
        question(|q| q.params.reverse()),
        Some(WireError::Invalid("order of params"))
    );
    assert_eq!(
        question(|q| q.params.push(q.params[2].clone())),
        Some(WireError::Invalid("order of params"))
    );
}

#[test]
fn an_analysis_has_one_spelling() {
    let body = |name: &str, arguments: &[(&str, &str)]| {
        let argument = |(name, value): &(&str, &str)| v1::Argument {
            name: (*name).to_owned(),
            value: (*value).to_owned(),
        };
        let analysis = v1::Analysis {
            name: name.to_owned(),
            arguments: arguments.iter().map(argument).collect(),
        };
        question(|q| q.body = Some(v1::question_payload::Body::Analysis(analysis)))
    };
    let sorted = [("columns", "disease"), ("rows", "sex")];
    assert_eq!(body("crosstab/1", &sorted), None);
    assert_eq!(body("", &sorted), Some(WireError::Missing("analysis")));
    let turned = [sorted[1], sorted[0]];
    assert_eq!(
        body("crosstab/1", &turned),
        Some(WireError::Invalid("arguments"))
    );
    let twice = [sorted[0], sorted[0]];
    assert_eq!(
        body("crosstab/1", &twice),
        Some(WireError::Invalid("arguments"))
    );
    let long = "x".repeat(4097);
    let large = [("where", long.as_str())];
    assert_eq!(
        body("crosstab/1", &large),
        Some(WireError::TooLarge("argument"))
    );
}

#[test]
fn nothing_steers_the_terminal_that_shows_it() {
    let escape = "\u{1b}]0;owned\u{7}";
    let put = |purpose: &str| {
        let purpose = purpose.to_owned();
        question(|q| q.purpose = purpose)
    };
    assert_eq!(put(escape), Some(WireError::Invalid("purpose")));
    assert_eq!(put("two\nlines\tand a tab"), None);
    let note = v1::Note {
        code: "N100".to_owned(),
        text: escape.to_owned(),
    };
    assert_eq!(
        answer(|a| a.notes.push(note)),
        Some(WireError::Invalid("note"))
    );
}

#[test]
fn sizes_are_bounded() {
    let long = |n: usize| "x".repeat(n);
    assert_eq!(
        question(|q| q.purpose = long(4097)),
        Some(WireError::TooLarge("purpose"))
    );
    assert_eq!(
        question(|q| q.project = long(257)),
        Some(WireError::TooLarge("project"))
    );
    let sql = v1::question_payload::Body::Sql(long(256 * 1024 + 1));
    assert_eq!(
        question(|q| q.body = Some(sql)),
        Some(WireError::TooLarge("sql"))
    );
    let many: Vec<String> = (0..1025).map(|i| format!("n{i:05}")).collect();
    assert_eq!(
        question(|q| q.nodes = many),
        Some(WireError::TooLarge("nodes"))
    );
    let row = |key: i32| v1::Row {
        key: vec![v1::Scalar {
            value: Some(v1::scalar::Value::Date(key)),
        }],
        cells: Vec::new(),
    };
    assert_eq!(
        table(|t| t.rows = (0..65_537).map(row).collect()),
        Some(WireError::TooLarge("rows"))
    );
    assert_eq!(
        table(|t| {
            let cell = t.rows[0].cells[0].clone();
            t.rows[0].cells = vec![cell; 65];
        }),
        Some(WireError::TooLarge("cells"))
    );
    assert_eq!(
        table(|t| {
            let part = t.rows[0].cells[0].parts[0].clone();
            t.rows[0].cells[0].parts = vec![part; 33];
        }),
        Some(WireError::TooLarge("parts"))
    );
    let text = v1::scalar::Value::Text(long(1025));
    assert_eq!(
        table(|t| t.rows[0].key[0].value = Some(text)),
        Some(WireError::TooLarge("text"))
    );
}

#[test]
fn numbers_have_one_spelling() {
    let number = |change: fn(&mut v1::Number)| table(|t| change(&mut t.rows[0].cells[0].parts[0]));
    assert_eq!(
        number(|n| n.exponent = 65),
        Some(WireError::Invalid("exponent"))
    );
    assert_eq!(
        number(|n| n.exponent = -65),
        Some(WireError::Invalid("exponent"))
    );
    assert_eq!(
        number(|n| n.exponent = i32::MIN),
        Some(WireError::Invalid("exponent"))
    );
    assert_eq!(
        number(|n| n.mantissa.truncate(15)),
        Some(WireError::Invalid("mantissa"))
    );
    assert_eq!(
        number(|n| n.mantissa.push(0)),
        Some(WireError::Invalid("mantissa"))
    );
    assert_eq!(
        number(|n| n.mantissa.clear()),
        Some(WireError::Invalid("mantissa"))
    );
    // 2050 * 10^-1 is 205: the same number in another spelling would change the digest.
    assert_eq!(
        number(|n| {
            n.mantissa = 2050_i128.to_be_bytes().to_vec();
            n.exponent = -1;
        }),
        Some(WireError::Invalid("number"))
    );
    assert_eq!(
        number(|n| {
            n.mantissa = vec![0; 16];
            n.exponent = 3;
        }),
        Some(WireError::Invalid("number"))
    );
}

#[test]
fn a_cell_is_a_value_or_suppressed_and_nothing_else() {
    let cell = |change: fn(&mut v1::Cell)| table(|t| change(&mut t.rows[0].cells[0]));
    assert_eq!(
        cell(|c| c.suppressed = true),
        Some(WireError::Invalid("cell"))
    );
    assert_eq!(cell(|c| c.parts.clear()), Some(WireError::Invalid("cell")));
    let near = |c: &mut v1::Cell| (c.suppressed, c.near_earlier) = (true, true);
    assert_eq!(cell(near), Some(WireError::Invalid("cell")));
    let nothing = |c: &mut v1::Cell| {
        c.near_earlier = true;
        c.parts.clear();
    };
    assert_eq!(cell(nothing), Some(WireError::Invalid("cell")));
    assert_eq!(
        table(|t| t.rows[0].key[0].value = None),
        Some(WireError::Missing("value"))
    );
    assert_eq!(
        table(|t| t.rows[0].key[0].value = Some(v1::scalar::Value::Null(false))),
        Some(WireError::Invalid("null"))
    );
}

#[test]
fn rows_are_sorted_distinct_and_equally_long() {
    assert_eq!(
        table(|t| t.rows.reverse()),
        Some(WireError::Invalid("order of rows"))
    );
    assert_eq!(
        table(|t| t.rows[1].key = t.rows[0].key.clone()),
        Some(WireError::Invalid("order of rows"))
    );
    let uneven = Some(WireError::Invalid("rows of unequal length"));
    assert_eq!(table(|t| t.rows[1].cells.truncate(1)), uneven);
    assert_eq!(table(|t| t.rows[1].key.clear()), uneven);
}

#[test]
fn an_answer_carries_the_digest_of_its_table() {
    assert_eq!(
        answer(|a| a.tables[0].rows.truncate(1)),
        Some(WireError::Invalid("table_digest"))
    );
    // Two tables are not one, whatever is in them.
    assert_eq!(
        answer(|a| a.tables.push(a.tables[0].clone())),
        Some(WireError::Invalid("table_digest"))
    );
    assert_eq!(
        answer(|a| a.tables = vec![a.tables[0].clone(); 65]),
        Some(WireError::TooLarge("tables"))
    );
    assert_eq!(
        answer(|a| a.table_digest.clear()),
        Some(WireError::Missing("table_digest"))
    );
    assert_eq!(
        answer(|a| a.tables.clear()),
        Some(WireError::Missing("table"))
    );
    assert_eq!(
        answer(|a| a.protection = None),
        Some(WireError::Missing("protection"))
    );
    assert_eq!(
        answer(|a| a.ledger = None),
        Some(WireError::Missing("ledger"))
    );
    assert_eq!(
        answer(|a| a.epoch.clear()),
        Some(WireError::Missing("epoch"))
    );
    let mode = |text: &str, k| {
        let mode = text.to_owned();
        answer(|a| {
            a.protection = Some(v1::Protection {
                noise_bound: 0,
                mode,
                k,
                round_base: 5,
            })
        })
    };
    assert_eq!(mode("noise", 8), Some(WireError::Invalid("protection")));
    assert_eq!(mode("round", 0), Some(WireError::Invalid("protection")));
    assert_eq!(mode("none", 0), None);
}

#[test]
fn refusals_results_and_greetings_are_strict_too() {
    let code = |text: &str| {
        let text = text.to_owned();
        after::<RefusalPayload, v1::RefusalPayload>(&samples::refusal(), |r| r.code = text)
    };
    assert_eq!(code(""), Some(WireError::Missing("code")));
    for bad in ["G50", "g502", "G5020", "G50x", "502"] {
        assert_eq!(code(bad), Some(WireError::Invalid("code")), "{bad}");
    }
    assert_eq!(code("G999"), None, "a newer release may have more codes");

    let result = |change: fn(&mut v1::ResultPayload)| {
        after::<ResultPayload, v1::ResultPayload>(&samples::result(), change)
    };
    assert_eq!(
        result(|r| r.status = "running".to_owned()),
        Some(WireError::Invalid("status"))
    );
    assert_eq!(
        result(|r| r.nodes.reverse()),
        Some(WireError::Invalid("order of nodes"))
    );
    assert_eq!(
        result(|r| r.question = None),
        Some(WireError::Missing("question"))
    );
    assert_eq!(
        result(|r| r.nodes[0].signed.as_mut().unwrap().kind = "gossip".to_owned()),
        Some(WireError::Invalid("kind"))
    );
    assert_eq!(
        result(|r| r.nodes[0].signed.as_mut().unwrap().signatures[0]
            .signature
            .truncate(63)),
        Some(WireError::Invalid("signature"))
    );
    assert_eq!(
        result(|r| r.nodes[0].signed.as_mut().unwrap().signatures[0]
            .key_id
            .push('x')),
        Some(WireError::Invalid("key_id"))
    );

    let hello = |change: fn(&mut v1::Hello)| after::<Hello, v1::Hello>(&samples::hello(), change);
    assert_eq!(
        hello(|h| h.protocol_max = 0),
        Some(WireError::Invalid("protocol"))
    );
    assert_eq!(
        hello(|h| h.codebooks.reverse()),
        Some(WireError::Invalid("codebooks"))
    );
    assert_eq!(
        hello(|h| h.roster_head.clear()),
        None,
        "a new node knows no roster"
    );
    let stamp = |change: fn(&mut v1::Stamp)| after::<Stamp, v1::Stamp>(&samples::stamp(), change);
    assert_eq!(
        stamp(|s| s.roster_seq = 0),
        Some(WireError::Missing("roster_seq"))
    );
    assert_eq!(stamp(|s| s.time = -1), Some(WireError::Invalid("time")));
}

#[test]
fn an_id_holds_its_moment_and_sorts_by_it() {
    let early = QuestionId::new(1_000, &[0xff; 10]);
    let late = QuestionId::new(1_001, &[0; 10]);
    assert!(early < late);
    assert_eq!(QuestionId::parse(&early.to_string()), Ok(early));
    assert_ne!(
        QuestionId::generate(5).unwrap(),
        QuestionId::generate(5).unwrap()
    );
}
