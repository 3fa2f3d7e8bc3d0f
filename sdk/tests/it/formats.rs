//! Golden outputs of every format, from one document with every kind of cell.

use arrow::array::{Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use arrow::ipc::reader::FileReader;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use quorate_sdk::document::Document;
use quorate_sdk::render::table::{Look, render};
use quorate_sdk::render::{arrow as batches, csv, json};
use serde_json::json;

/// Sex by mean age: a complete row, a row that a node withheld its part of, one withheld and
/// undefined, and a missing key.
fn document() -> Document {
    let cell = |value: &str, lower: &str, upper: Option<&str>, nodes: u32| json!({"value": value, "lower": lower, "upper": upper, "nodes": nodes, "eligible": 4});
    let mut women = cell("205", "199", Some("211"), 3);
    women["sites"] = json!({"bern": "100", "cork": "50", "oslo": "55"});
    let mut men = cell("450", "446", None, 2);
    men["sites"] = json!({"cork": "205", "oslo": "245"});
    let document = json!({
        "schema": "quorate.result/1",
        "status": "answered",
        "question": {
            "id": "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000", "hash": "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "project": "heart-1", "text": "SELECT ...", "params": {"age": 50}, "codebook": "sha256:aa"
        },
        "columns": [
            {"name": "sex", "kind": "key", "type": "int", "labels": {"0": "female", "1": "male"}},
            {"name": "n", "kind": "count", "of": "persons"},
            {"name": "mean_age", "kind": "mean", "unit": "a"},
            {"name": "share", "kind": "ratio"}
        ],
        "rows": [
            {"key": {"sex": 0}, "cells": {"n": women, "mean_age": cell("54.2", "54.13", Some("54.27"), 3), "share": cell("0.5", "0.5", Some("0.5"), 3)}},
            {"key": {"sex": 1}, "cells": {"n": men, "mean_age": {"withheld": true, "nodes": 0, "eligible": 4},
                "share": {"value": null, "lower": null, "upper": null, "nodes": 2, "eligible": 4}}},
            {"key": {"sex": null}, "cells": {"n": {"withheld": true, "nodes": 0, "eligible": 4}, "mean_age": {"withheld": true, "nodes": 0, "eligible": 4}, "share": {"withheld": true, "nodes": 0, "eligible": 4}}}
        ],
        "nodes": [
            {"name": "bern", "status": "answered", "code": null, "policy": "sha256:bb", "epoch": "sha256:cc", "ledger": {"seq": 41, "head": "sha256:dd"}, "signed": "AAAA"},
            {"name": "cork", "status": "answered", "code": null},
            {"name": "oslo", "status": "answered", "code": null},
            {"name": "rome", "status": "refused", "code": "G501"},
            {"name": "wien", "status": "absent", "code": null}
        ],
        "protection": {"k": 8, "round_base": 5, "mode": "round"},
        "notes": [{"code": "N110", "text": "Where a node withheld a cell, there is no upper limit."}],
        "roster": ["AAAA"],
        "signed": "BBBB"
    });
    serde_json::from_value(document).unwrap()
}

/// Compares with a committed file; `QUORATE_BLESS=1` writes it anew.
fn golden(name: &str, found: &str) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden")
        .join(name);
    if std::env::var_os("QUORATE_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert!(found == expected, "{} differs:\n{found}", path.display());
}

#[test]
fn tables() {
    golden("table.txt", &render(&document(), Look::default()));
    golden(
        "by_site.txt",
        &render(
            &document(),
            Look {
                by_site: true,
                color: false,
            },
        ),
    );
}

#[test]
fn an_unprotected_table_says_so_first() {
    let mut bare = document();
    bare.protection.as_mut().unwrap().mode = "none".into();
    bare.columns.remove(0);
    bare.rows.truncate(1);
    let text = render(
        &bare,
        Look {
            by_site: true,
            color: false,
        },
    );
    assert!(text.starts_with("*** UNPROTECTED"), "{text}");
    golden("unprotected.txt", &text);
}

#[test]
fn a_refused_question_has_no_table_but_its_reasons() {
    let mut refused = document();
    refused.status = "refused".into();
    refused.columns.clear();
    refused.rows.clear();
    refused.protection = None;
    refused.nodes.retain(|node| node.name == "rome");
    golden("refused.txt", &render(&refused, Look::default()));
}

#[test]
fn a_withheld_value_is_never_shown_as_a_number() {
    let text = render(&document(), Look::default());
    let row = text
        .lines()
        .find(|line| line.contains("(missing)"))
        .unwrap();
    assert_eq!(row.matches('·').count(), 3, "{row}");
    assert!(!row.replace("0 of 4", "").contains('0'), "{row}");
}

#[test]
fn json_is_the_contract_and_reads_back() {
    let text = json(&document()).unwrap();
    golden("result.json", &text);
    let back: Document = serde_json::from_str(&text).unwrap();
    assert_eq!(back, document());
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let withheld = &value["rows"][2]["cells"]["n"];
    assert_eq!(
        *withheld,
        json!({"withheld": true, "nodes": 0, "eligible": 4})
    );
    assert!(value["rows"][1]["cells"]["n"]["upper"].is_null());
    assert!(value["nodes"][0].as_object().unwrap().contains_key("code"));
}

#[test]
fn csv_leaves_withheld_fields_empty() {
    golden(
        "result.csv",
        &String::from_utf8(csv::render(&document()).unwrap()).unwrap(),
    );
}

fn check_batch(batch: &RecordBatch, schema: &Schema) {
    let column = |name: &str| batch.column_by_name(name).unwrap();
    let whole = |name: &str| {
        column(name)
            .as_any()
            .downcast_ref::<Int64Array>()
            .unwrap()
            .clone()
    };
    let real = |name: &str| {
        column(name)
            .as_any()
            .downcast_ref::<Float64Array>()
            .unwrap()
            .clone()
    };
    assert_eq!(whole("sex"), Int64Array::from(vec![Some(0), Some(1), None]));
    assert_eq!(
        whole("n"),
        Int64Array::from(vec![Some(205), Some(450), None])
    );
    assert_eq!(
        whole("n__upper"),
        Int64Array::from(vec![Some(211), None, None])
    );
    assert_eq!(whole("n__nodes"), Int64Array::from(vec![3, 2, 0]));
    assert_eq!(
        whole("n__site_cork"),
        Int64Array::from(vec![Some(50), Some(205), None])
    );
    assert_eq!(
        real("mean_age__lower"),
        Float64Array::from(vec![Some(54.13), None, None])
    );
    let status = column("share__status")
        .as_any()
        .downcast_ref::<StringArray>()
        .unwrap();
    assert_eq!(
        *status,
        StringArray::from(vec!["released", "undefined", "withheld"])
    );
    let metadata = schema.metadata();
    assert_eq!(
        metadata["quorate.question.id"],
        "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000"
    );
    assert_eq!(metadata["quorate.signed"], "BBBB");
    let provenance: Document = serde_json::from_str(&metadata["quorate.result"]).unwrap();
    assert_eq!(provenance.nodes, document().nodes);
    assert!(provenance.rows.is_empty());
    assert_eq!(
        schema.field_with_name("sex").unwrap().metadata()["quorate.labels"],
        r#"{"0":"female","1":"male"}"#
    );
}

#[test]
fn arrow_has_types_and_provenance() {
    let bytes = batches::ipc(&document()).unwrap();
    let mut reader = FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
    let schema = reader.schema();
    check_batch(&reader.next().unwrap().unwrap(), &schema);
}

#[test]
fn parquet_has_types_and_provenance() {
    let bytes = batches::parquet(&document()).unwrap();
    let builder = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(bytes)).unwrap();
    let file = builder
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .unwrap()
        .clone();
    assert!(file.iter().any(|pair| pair.key == "quorate.signed"));
    let schema = builder.schema().clone();
    check_batch(&builder.build().unwrap().next().unwrap().unwrap(), &schema);
}

#[test]
fn keys_of_every_type_become_arrow_values() {
    let mut document = document();
    document.columns.truncate(1);
    let keys = [
        ("bool", json!(true)),
        ("date", json!("2024-02-29")),
        ("decimal", json!(1.5)),
        ("text", json!("BE")),
    ];
    for (ty, value) in keys {
        document.columns[0].ty = Some(ty.to_owned());
        document.columns[0].labels.clear();
        document.rows.truncate(1);
        document.rows[0].key.insert("sex".to_owned(), value);
        let batch = batches::batch(&document).unwrap();
        assert_eq!(batch.num_rows(), 1);
        assert!(!batch.column(0).is_null(0), "{ty}");
    }
    document.columns[0].ty = Some("int".to_owned());
    assert!(batches::batch(&document).is_err(), "text is no int");
}

#[test]
fn names_from_elsewhere_cannot_steer_the_terminal() {
    let mut document = document();
    document.columns[0]
        .labels
        .insert("0".into(), "\u{1b}[2Jfemale".into());
    document.notes[0].text = "a\u{202e}b".into();
    document.nodes[0].name = "be\u{7}rn".into();
    let text = render(
        &document,
        Look {
            by_site: true,
            color: false,
        },
    );
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\u{7}']), "{text}");
}

#[test]
fn one_row_too_wide_to_read_stands_upright() {
    let mut narrow = document();
    narrow.columns.retain(|column| !column.is_key());
    narrow.rows.truncate(2);
    narrow.rows.remove(0);
    narrow.rows[0].key.clear();
    let text = render(&narrow, Look::default());
    assert!(text.contains(" n "), "{text}");
    assert!(!text.contains(" column "), "{text}");
    let mut wide = narrow;
    for column in &mut wide.columns {
        let long = format!("avg((column_{0} - 350) * (column_{0} - 60))", column.name);
        let cell = wide.rows[0].cells.remove(&column.name).unwrap();
        wide.rows[0].cells.insert(long.clone(), cell);
        column.name = long;
    }
    let text = render(&wide, Look::default());
    let line = |word: &str| text.lines().find(|line| line.contains(word)).unwrap();
    assert!(
        line("column_n ").contains("450  (446–)") || line("column_n ").contains("450 (446–)"),
        "{text}"
    );
    assert!(line("column_n ").ends_with("2 of 4"), "{text}");
    assert!(line("column_mean_age ").contains('·'), "{text}");
    assert!(line("column_share ").contains("n/a"), "{text}");
    let table = text.lines().take(5);
    assert!(
        table.into_iter().all(|line| line.chars().count() <= 100),
        "{text}"
    );
}

#[test]
fn rows_that_every_node_withheld_are_counted_before_statistics() {
    let query = render(&document(), Look::default());
    assert!(query.contains("(missing)"), "{query}");
    let mut analysis = serde_json::to_value(document()).unwrap();
    analysis["analysis"] = json!({"name": "describe/1", "arguments": {}, "sites": ["bern"], "tables": [
        {"name": "groups", "columns": ["n"], "rows": [{"row": "all", "values": {"n": {"value": "5", "lower": "-4", "upper": "-3"}}}]},
        {"name": "tests", "columns": ["t"], "rows": []}
    ]});
    let analysis: Document = serde_json::from_value(analysis).unwrap();
    let text = render(&analysis, Look::default());
    assert!(!text.contains("(missing)"), "{text}");
    assert!(
        text.contains("· in every cell of 1 row more; --by-site shows it"),
        "{text}"
    );
    assert!(
        text.contains("describe: groups") && !text.contains("tests"),
        "{text}"
    );
    assert!(text.contains("5 (-4 to -3)"), "{text}");
    let by_site = Look {
        by_site: true,
        color: false,
    };
    assert!(render(&analysis, by_site).contains("(missing)"));
}
