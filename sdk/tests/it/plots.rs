//! Pictures, byte by byte, of documents with everything that can be uncertain, withheld or missing; and
//! statistics of analyses as tables for programs.

use arrow::array::{Array, Float64Array, StringArray};
use arrow::ipc::reader::FileReader;
use quorate_sdk::document::Document;
use quorate_sdk::render::plot::{NoPicture, Picture, draw};
use quorate_sdk::render::statistics;
use serde_json::{Value, json};

/// A document of four nodes, one of which refused.
fn document(parts: &Value) -> Document {
    let mut document = json!({
        "schema": "quorate.result/1",
        "status": "answered",
        "question": {
            "id": "0199aaaa-bbbb-7ccc-8ddd-eeeeffff0000",
            "hash": "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "project": "heart-1", "text": "SELECT ...", "params": {}, "codebook": "sha256:aa"
        },
        "nodes": [
            {"name": "bern", "status": "answered", "code": null},
            {"name": "cork", "status": "answered", "code": null},
            {"name": "oslo", "status": "answered", "code": null},
            {"name": "rome", "status": "refused", "code": "G501"}
        ],
        "protection": {"k": 8, "round_base": 5, "mode": "round"},
    });
    for (name, part) in parts.as_object().unwrap() {
        document[name] = part.clone();
    }
    serde_json::from_value(document).unwrap()
}

/// A number within limits.
fn entry(value: f64, around: f64) -> Value {
    let text = |x: f64| format!("{x:.4}");
    json!({"value": text(value), "lower": text(value - around), "upper": text(value + around)})
}

fn line(row: &str, values: &[(&str, Value)]) -> Value {
    let values: serde_json::Map<String, Value> = values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.clone()))
        .collect();
    json!({"row": row, "values": values})
}

fn analysis(name: &str, arguments: &Value, tables: &Value) -> Document {
    document(&json!({
        "analysis": {"name": name, "arguments": arguments, "sites": ["bern", "cork"], "left_out": ["oslo"], "tables": tables}
    }))
}

fn survival() -> Document {
    let mut rows = Vec::new();
    for (group, pace, spread) in [
        ("arm 0 usual care", 0.08, 0.02),
        ("arm 1 <new> & old", 0.045, 0.015),
    ] {
        let (mut share, mut at_risk) = (1.0_f64, 400.0_f64);
        for step in 1..=10_i32 {
            let events = (at_risk * pace).round();
            let before = at_risk;
            share *= 1.0 - events / at_risk;
            at_risk -= events + 12.0;
            let time = f64::from(step * 6);
            let wide = spread * f64::from(step) / 5.0;
            rows.push(line(
                &format!("{group}, before {time}"),
                &[
                    ("time", entry(time, 0.0)),
                    ("at_risk", entry(before, 12.0)),
                    ("events", entry(events, 2.0)),
                    ("survival", entry(share, wide / 2.0)),
                    ("from", entry(share - wide * 2.0, wide / 2.0)),
                    ("to", entry(share + wide * 2.0, wide / 2.0)),
                ],
            ));
        }
    }
    let columns = ["time", "at_risk", "events", "survival", "from", "to"];
    let curve = json!({"name": "curve", "columns": columns, "rows": rows});
    let arguments = json!({"time": "months:6", "event": "died", "by": "arm"});
    analysis("survival/1", &arguments, &json!([curve]))
}

fn meta() -> Document {
    let rows: Vec<Value> = [
        ("bern", 0.3, 0.4, 0.5),
        ("cork", 0.9, 0.7, 0.2),
        ("a hospital with quite a long name", -0.2, 0.5, 0.3),
    ]
    .iter()
    .map(|(name, middle, reach, weight): &(&str, f64, f64, f64)| {
        line(
            name,
            &[
                ("estimate", entry(middle.exp(), 0.05)),
                ("from", entry((middle - reach).exp(), 0.05)),
                ("to", entry((middle + reach).exp(), 0.2)),
                ("weight_random", entry(*weight, 0.0)),
            ],
        )
    })
    .collect();
    let pooled: Vec<Value> = [
        ("fixed", 0.25),
        ("random", 0.35),
        ("random_hartung_knapp", 0.7),
    ]
    .iter()
    .map(|(name, reach): &(&str, f64)| {
        line(
            name,
            &[
                ("estimate", entry(0.3_f64.exp(), 0.0)),
                ("from", entry((0.3 - reach).exp(), 0.0)),
                ("to", entry((0.3 + reach).exp(), 0.0)),
            ],
        )
    })
    .collect();
    let columns = ["estimate", "from", "to", "weight_random"];
    let tables = json!([
        {"name": "nodes", "columns": columns, "rows": rows},
        {"name": "pooled", "columns": ["estimate", "from", "to"], "rows": pooled},
    ]);
    let arguments = json!({"estimate": "odds_ratio", "outcome": "disease", "by": "sex"});
    analysis("meta/1", &arguments, &tables)
}

/// Persons by band of age: rounded, withheld, withheld by one node, and without an age.
fn ages() -> Document {
    let cell = |value: i64, upper: Option<i64>| {
        let upper = upper.map(|x| x.to_string());
        json!({"value": value.to_string(), "lower": (value - 6).to_string(), "upper": upper, "nodes": 3, "eligible": 4,
            "sites": {"bern": "10", "oslo": "25"}})
    };
    let withheld = json!({"withheld": true, "nodes": 0, "eligible": 4});
    let row = |age: Value, cell: Value| json!({"key": {"age": age}, "cells": {"n": cell}});
    let counts = [40, 75, 130, 205, 240, 180, 95];
    let mut rows: Vec<Value> = counts
        .iter()
        .zip(0_i64..)
        .map(|(n, at)| row((20 + 10 * at).into(), cell(*n, (at != 2).then_some(n + 6))))
        .collect();
    rows.push(row(90.into(), withheld));
    rows.push(row(Value::Null, cell(35, Some(41))));
    document(&json!({
        "columns": [{"name": "age", "kind": "key", "type": "int", "unit": "a"}, {"name": "n", "kind": "count", "of": "persons"}],
        "rows": rows
    }))
}

fn levels() -> Document {
    let cell = |value: &str, lower: &str, upper: &str| json!({"value": value, "lower": lower, "upper": upper, "nodes": 4, "eligible": 4});
    let row = |level: i64, n: Value, mean: Value| json!({"key": {"cp": level}, "cells": {"n": n, "mean": mean}});
    document(&json!({
        "columns": [
            {"name": "cp", "kind": "key", "type": "int", "labels": {"1": "typical angina", "2": "atypical angina", "3": "non-anginal pain", "4": "asymptomatic"}},
            {"name": "n", "kind": "count", "of": "persons"},
            {"name": "mean", "kind": "mean", "unit": "mg/dL"}
        ],
        "rows": [
            row(1, cell("45", "43", "47"), cell("231.5", "229.1", "234.0")),
            row(2, cell("170", "166", "174"), cell("238", "236", "240")),
            row(3, cell("200", "196", "204"), json!({"withheld": true, "nodes": 0, "eligible": 4})),
            row(4, json!({"withheld": true, "nodes": 0, "eligible": 4}), cell("249.2", "248", "250.5")),
        ]
    }))
}

/// Quartiles to the precision of bands, of two groups; nothing is known of a third.
fn boxes() -> Document {
    let row = |name: &str, n: f64, at: [f64; 5], reach: f64| {
        let names = ["p5", "q1", "median", "q3", "p95"];
        let values: Vec<(&str, Value)> = names
            .into_iter()
            .zip(at.map(|x| entry(x, reach)))
            .chain([("n", entry(n, 4.0))])
            .collect();
        line(name, &values)
    };
    let rows = [
        row(
            "sex 0 female",
            190.0,
            [150.0, 205.0, 240.0, 285.0, 380.0],
            10.0,
        ),
        row(
            "sex 1 male",
            725.0,
            [140.0, 190.0, 222.0, 262.0, 330.0],
            10.0,
        ),
        line("sex 2 other", &[]),
    ];
    let columns = ["n", "p5", "q1", "median", "q3", "p95"];
    let table = json!({"name": "boxes", "columns": columns, "rows": rows});
    let arguments = json!({"value": "chol", "by": "sex"});
    analysis("boxplot/1", &arguments, &json!([table]))
}

/// Bins of two groups; one of them was withheld.
fn bins() -> Document {
    let mut rows = Vec::new();
    for (group, counts) in [
        ("sex 0 female", [20, 55, 60, 25]),
        ("sex 1 male", [90, 250, 0, 40]),
    ] {
        for (n, at) in counts.into_iter().zip(0_i32..) {
            let from = f64::from(100 + 100 * at);
            let mut values = vec![("from", entry(from, 0.0)), ("to", entry(from + 100.0, 0.0))];
            if n > 0 {
                values.push(("n", entry(f64::from(n), 4.0)));
            }
            rows.push(line(&format!("{group}, from {from}"), &values));
        }
    }
    let table = json!({"name": "bins", "columns": ["from", "to", "n"], "rows": rows});
    let arguments = json!({"value": "chol", "by": "sex"});
    analysis("histogram/1", &arguments, &json!([table]))
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
    assert!(found == expected, "{} differs", path.display());
}

#[test]
fn pictures_are_the_same_bytes() {
    golden(
        "survival.svg",
        &draw(&survival(), None, Some("Survival by treatment")).unwrap(),
    );
    golden("meta.svg", &draw(&meta(), None, None).unwrap());
    golden("histogram.svg", &draw(&ages(), None, None).unwrap());
    golden(
        "bars.svg",
        &draw(&levels(), Some(Picture::Bars), None).unwrap(),
    );
    golden(
        "means.svg",
        &draw(&levels(), Some(Picture::Forest), None).unwrap(),
    );
    golden("boxes.svg", &draw(&boxes(), None, None).unwrap());
    golden("bins.svg", &draw(&bins(), None, None).unwrap());
    golden(
        "coverage.svg",
        &draw(&ages(), Some(Picture::Coverage), None).unwrap(),
    );
}

#[test]
fn a_withheld_cell_is_hatched_and_never_a_bar() {
    let hatched = |svg: &str| svg.matches("url(#withheld)").count();
    let svg = draw(&ages(), None, None).unwrap();
    // The cell, and its sample in the legend.
    assert_eq!(hatched(&svg), 2);
    assert!(svg.contains("withheld: not zero, but unknown"));
    assert!(svg.contains("some nodes withheld their part"));
    let mut all = ages();
    all.rows.retain(|row| {
        row.cells["n"]
            .number
            .as_ref()
            .is_some_and(|n| n.upper.is_some())
    });
    let svg = draw(&all, None, None).unwrap();
    assert_eq!(hatched(&svg), 0);
    assert!(!svg.contains("withheld: not zero"));
}

#[test]
fn text_from_elsewhere_stays_text() {
    let svg = draw(&survival(), None, Some("<script>alert(1)</script>\u{202e}")).unwrap();
    assert!(!svg.contains("<script") && !svg.contains('\u{202e}'));
    assert!(svg.contains("&lt;new&gt; &amp; old"));
}

#[test]
fn what_cannot_be_drawn_is_said() {
    let mut refused = ages();
    refused.status = "refused".to_owned();
    assert_eq!(draw(&refused, None, None), Err(NoPicture::NoAnswer));
    for (wanted, document) in [
        (Picture::Survival, ages()),
        (Picture::Bars, meta()),
        (Picture::Forest, ages()),
    ] {
        assert!(
            matches!(
                draw(&document, Some(wanted), None),
                Err(NoPicture::NotThis(..))
            ),
            "{wanted:?}"
        );
    }
}

#[test]
fn a_model_is_drawn_without_its_intercept() {
    let ends = |estimate: f64| {
        [
            ("estimate", entry(estimate, 0.2)),
            ("from", entry(estimate - 1.0, 0.1)),
            ("to", entry(estimate + 1.0, 0.1)),
        ]
    };
    let rows = [
        line("intercept", &ends(180.0)),
        line("sex 1 male", &ends(-2.5)),
        line("age", &ends(0.5)),
    ];
    let columns = ["estimate", "from", "to"];
    let tables = json!([{"name": "coefficients", "columns": columns, "rows": rows}]);
    let model = analysis("lm/1", &json!({"formula": "chol ~ sex + age"}), &tables);
    let drawn = draw(&model, Some(Picture::Forest), None).unwrap();
    assert!(drawn.contains("sex 1 male") && drawn.contains("0.5"));
    assert!(!drawn.contains("intercept") && !drawn.contains("180"));
    assert_eq!(draw(&model, None, None).unwrap(), drawn);
}

#[test]
fn statistics_are_a_table_of_numbers() {
    let text = String::from_utf8(statistics::csv(&meta()).unwrap()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "table,row,statistic,value,lower,upper");
    assert_eq!(lines[1], "nodes,bern,estimate,1.3499,1.2999,1.3999");
    assert_eq!(lines.len(), 1 + 3 * 4 + 3 * 3);
    let file = statistics::ipc(&meta()).unwrap();
    let reader = FileReader::try_new(std::io::Cursor::new(file), None).unwrap();
    let schema = reader.schema();
    assert!(schema.metadata()["quorate.result"].contains("meta/1"));
    let batches: Vec<_> = reader.map(Result::unwrap).collect();
    assert_eq!(batches[0].num_rows(), lines.len() - 1);
    let rows = batches[0]
        .column(1)
        .as_any()
        .downcast_ref::<StringArray>()
        .unwrap();
    let upper = batches[0]
        .column(5)
        .as_any()
        .downcast_ref::<Float64Array>()
        .unwrap();
    assert_eq!(rows.value(0), "bern");
    assert!((upper.value(0) - 1.3999).abs() < 1e-12 && !upper.is_null(0));
}
