//! Combination by hand: what a reader sees, and which tables are refused.

use super::*;

#[test]
fn unprotected_statistics_are_those_of_the_textbook() {
    let person = |chol, bp, score| Person {
        sex: 0,
        chol,
        bp,
        score,
    };
    let sites = [
        vec![
            person(Some(1000), Some(100), -1),
            person(Some(1500), None, 3),
        ],
        vec![person(None, Some(120), 3), person(Some(2000), Some(140), 0)],
    ];
    let combined = run(&question(), &nodes(&sites, NONE));
    let cell = |i: usize| combined.rows[0].cells[i].value.clone().unwrap();
    assert_eq!(cell(0), "4");
    // cholesterol 100, 150, 200: sum, mean, sd, population sd, variances
    assert_eq!(cell(1), "450");
    assert_eq!(cell(2), "150");
    assert_eq!(cell(3), "50");
    assert_eq!(cell(4), "40.8248290463863");
    assert_eq!(cell(5), "2500");
    assert_eq!(cell(6), "1666.66666666667");
    // score -1, 3, 3, 0
    assert_eq!(cell(13), "5");
    assert_eq!(cell(14), "1.25");
    assert_eq!(cell(17), "4.25");
    assert_eq!(combined.notes[0].code, "N100");
    assert!(combined.notes.iter().any(|note| note.code == "UNPROTECTED"));
    assert_eq!(combined.columns[4].unit.as_deref(), Some("mg/dL"));
    assert_eq!(combined.columns[6].unit.as_deref(), Some("(mg/dL)2"));
}

fn count_row(sex: i64, count: Option<u64>) -> NodeRow {
    let cell = count.map_or(Cell::Suppressed, |n| Cell::Value(vec![n.into()]));
    NodeRow {
        key: vec![Scalar::Number(sex.into())],
        cells: vec![cell],
    }
}

fn counts(output: Output) -> Question {
    let exprs = vec![Expr::Key(0), stat(0, Stat::Count)];
    let keys = vec![GroupKey::Column(column("sex"))];
    asks(keys, vec![Measure::Persons { of: None }], exprs, output)
}

#[test]
fn counts_add_up_and_say_what_is_missing() {
    let table = |f, m| NodeTable {
        rows: vec![count_row(0, f), count_row(1, m)],
    };
    let (a, b) = (table(Some(205), None), table(Some(100), Some(45)));
    let c = table(Some(145), None);
    let book = codebook::read(BOOK, "t.toml").unwrap();
    let sites = [
        SiteAnswer {
            node: "c",
            table: Some((&c, ROUND)),
        },
        SiteAnswer {
            node: "b",
            table: Some((&b, ROUND)),
        },
        SiteAnswer {
            node: "a",
            table: Some((&a, ROUND)),
        },
        SiteAnswer {
            node: "d",
            table: None,
        },
    ];
    let combined = combine(&counts(Output::default()), &book, &sites).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&combined.to_bytes()).unwrap();
    let text = String::from_utf8(combined.to_bytes()).unwrap();
    assert!(text.starts_with(
        r#"{"columns":[{"name":"c0","kind":"key","type":"int"},{"name":"c1","kind":"count","of":"persons"}],"rows":[{"key":{"c0":0},"cells":{"c1":{"value":"450","lower":"444","upper":"456","nodes":3,"eligible":4,"sites":{"a":"205","b":"100","c":"145"}}}},{"key":{"c0":1},"cells":{"c1":{"value":"45","lower":"43","upper":null,"nodes":1,"eligible":4,"sites":{"b":"45"}}}}],"protection":{"k":8,"round_base":5,"mode":"round"},"notes":["#
    ), "{text}");
    let codes: Vec<&str> = json["notes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|n| n["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["N100", "N103", "N110"]);
}

#[test]
fn a_cell_that_nobody_released_is_withheld() {
    let table = NodeTable {
        rows: vec![count_row(0, None), count_row(1, Some(10))],
    };
    let having = Condition::Compare {
        op: CompareOp::Ge,
        left: stat(0, Stat::Count),
        right: Expr::Literal(Number::ZERO),
    };
    let nodes = [("a".to_owned(), table, ROUND)];
    let all = run(&counts(Output::default()), &nodes);
    let cell = &all.rows[0].cells[0];
    assert!(cell.withheld && cell.value.is_none() && cell.lower.is_none() && cell.nodes == 0);
    let kept = run(
        &counts(Output {
            having: Some(having),
            ..Output::default()
        }),
        &nodes,
    );
    assert_eq!(kept.rows.len(), 1);
    assert!(kept.notes.iter().any(|note| note.code == "N111"));
}

#[test]
fn order_puts_withheld_last_in_both_directions_and_limit_comes_after() {
    let table = NodeTable {
        rows: vec![count_row(0, None), count_row(1, Some(10))],
    };
    let nodes = [("a".to_owned(), table, ROUND)];
    let keys = |order: Vec<OrderBy>, limit| -> Vec<String> {
        let combined = run(
            &counts(Output {
                order,
                limit,
                ..Output::default()
            }),
            &nodes,
        );
        combined
            .rows
            .iter()
            .map(|row| row.key[0].to_string())
            .collect()
    };
    let by = |descending| OrderBy {
        expr: stat(0, Stat::Count),
        descending,
    };
    assert_eq!(keys(vec![by(false)], None), ["1", "0"]);
    assert_eq!(keys(vec![by(true)], None), ["1", "0"]);
    assert_eq!(keys(vec![by(true)], Some(1)), ["1"]);
    assert_eq!(
        keys(
            vec![OrderBy {
                expr: Expr::Key(0),
                descending: true
            }],
            None
        ),
        ["1", "0"]
    );
    assert_eq!(keys(vec![], None), ["0", "1"]);
}

#[test]
fn groups_that_a_node_does_not_list() {
    let a = NodeTable {
        rows: vec![count_row(0, Some(3))],
    };
    let b = NodeTable {
        rows: vec![count_row(1, Some(7))],
    };
    let none = |t: &NodeTable| t.clone();
    let exact = run(
        &counts(Output::default()),
        &[("a".into(), none(&a), NONE), ("b".into(), none(&b), NONE)],
    );
    let cells: Vec<_> = exact.rows.iter().map(|row| row.cells[0].clone()).collect();
    assert_eq!(cells[0].value.as_deref(), Some("3"));
    assert_eq!(cells[0].nodes, 2);
    assert_eq!(cells[0].sites["b"], "0");
    let hidden = run(
        &counts(Output::default()),
        &[("a".into(), a, ROUND), ("b".into(), b, ROUND)],
    );
    assert_eq!(hidden.rows[0].cells[0].nodes, 1);
    assert_eq!(hidden.rows[0].cells[0].upper, None);
}

#[test]
fn a_table_without_keys_always_has_a_row() {
    let exprs = vec![stat(0, Stat::Count), stat(1, Stat::Mean)];
    let question = asks(vec![], measures()[..2].to_vec(), exprs, Output::default());
    let exact = run(&question, &[("a".into(), NodeTable::default(), NONE)]);
    assert_eq!(exact.rows[0].cells[0].value.as_deref(), Some("0"));
    assert_eq!(exact.rows[0].cells[1].value, None);
    assert!(!exact.rows[0].cells[1].withheld);
    let hidden = run(&question, &[("a".into(), NodeTable::default(), ROUND)]);
    assert!(hidden.rows[0].cells[0].withheld);
}

#[test]
fn ratios_speak_about_the_same_nodes() {
    let ratio = binary(BinaryOp::Div, stat(0, Stat::Count), stat(1, Stat::Count));
    let by_zero = binary(
        BinaryOp::Div,
        stat(0, Stat::Count),
        Expr::Literal(Number::ZERO),
    );
    let measures = vec![
        Measure::Persons {
            of: Some(column("chol")),
        },
        Measure::Persons { of: None },
    ];
    let question = asks(vec![], measures, vec![ratio, by_zero], Output::default());
    let table = |a: Option<u64>, b: u64| {
        let cell = |n: Option<u64>| n.map_or(Cell::Suppressed, |n| Cell::Value(vec![n.into()]));
        NodeTable {
            rows: vec![NodeRow {
                key: vec![],
                cells: vec![cell(a), cell(Some(b))],
            }],
        }
    };
    let nodes = [
        ("a".into(), table(Some(50), 100), ROUND),
        ("b".into(), table(None, 1000), ROUND),
    ];
    let combined = run(&question, &nodes);
    let ratio = &combined.rows[0].cells[0];
    assert_eq!((ratio.value.as_deref(), ratio.nodes), (Some("0.5"), 1));
    assert_eq!(ratio.lower.as_deref(), Some("0.47"));
    assert_eq!(ratio.upper, None);
    assert_eq!(combined.rows[0].cells[1].value, None);
    assert!(!combined.rows[0].cells[1].withheld);
}

#[test]
fn tables_that_do_not_fit_are_refused() {
    let book = codebook::read(BOOK, "t.toml").unwrap();
    let good = NodeTable {
        rows: vec![count_row(0, Some(10))],
    };
    let refuse = |sites: &[SiteAnswer<'_>]| {
        combine(&counts(Output::default()), &book, sites)
            .unwrap_err()
            .to_string()
    };
    fn site<'a>(node: &'a str, table: &'a NodeTable, protection: Protection) -> SiteAnswer<'a> {
        SiteAnswer {
            node,
            table: Some((table, protection)),
        }
    }
    assert_eq!(
        refuse(&[site("a", &good, ROUND), site("b", &good, NONE)]),
        "node `b` answered without protection and node `a` with it; ask them apart"
    );
    let perturbed = Protection {
        mode: Mode::CellKey { bound: 5 },
        ..ROUND
    };
    assert_eq!(
        refuse(&[site("a", &good, perturbed), site("b", &good, ROUND)]),
        "node `b` rounds its numbers and node `a` perturbs them; ask them apart"
    );
    assert_eq!(
        refuse(&[site("a", &good, perturbed), site("b", &good, NONE)]),
        "node `b` answered without protection and node `a` with it; ask them apart"
    );
    assert_eq!(
        refuse(&[site("a", &good, ROUND), site("a", &good, ROUND)]),
        "node `a` is in the list twice"
    );
    let bad = [
        vec![count_row(1, Some(10)), count_row(0, Some(10))],
        vec![count_row(0, Some(10)), count_row(0, Some(10))],
        vec![NodeRow {
            key: vec![],
            ..count_row(0, Some(10))
        }],
        vec![NodeRow {
            key: vec![Scalar::Text("x".into())],
            ..count_row(0, Some(10))
        }],
        vec![NodeRow {
            cells: vec![],
            ..count_row(0, Some(10))
        }],
        vec![NodeRow {
            cells: vec![Cell::Value(vec![])],
            ..count_row(0, None)
        }],
        vec![NodeRow {
            cells: vec![Cell::Value(vec![Number::new(5, -1)])],
            ..count_row(0, None)
        }],
        vec![NodeRow {
            cells: vec![Cell::Value(vec![Number::new(-5, 0)])],
            ..count_row(0, None)
        }],
    ];
    for rows in bad {
        let table = NodeTable { rows };
        let message = refuse(&[site("a", &table, ROUND)]);
        assert!(
            message.starts_with("node `a` sent a table that does not fit"),
            "{message}"
        );
    }
    let withheld = NodeTable {
        rows: vec![count_row(0, None)],
    };
    assert!(refuse(&[site("a", &withheld, NONE)]).contains("although the answer is unprotected"));
}

#[test]
fn nothing_answered_is_an_empty_table() {
    let book = codebook::read(BOOK, "t.toml").unwrap();
    let sites = [SiteAnswer {
        node: "a",
        table: None,
    }];
    let combined = combine(&counts(Output::default()), &book, &sites).unwrap();
    assert!(combined.rows.is_empty() && combined.protection.is_none());
    assert_eq!(k_eff(8, 5), 8);
}

#[test]
fn the_number_of_a_band_is_a_key() {
    let width = Number::new(10, 0);
    let band = GroupKey::Band {
        column: column("bp"),
        width,
    };
    let number = binary(BinaryOp::Div, Expr::Key(0), Expr::Literal(width));
    let persons = vec![Measure::Persons { of: None }];
    let exprs = vec![number, stat(0, Stat::Count)];
    let question = asks(vec![band], persons, exprs, Output::default());
    let row = NodeRow {
        key: vec![Scalar::Number(Number::new(120, 0))],
        cells: vec![Cell::Value(vec![Number::new(15, 0)])],
    };
    let protection = Protection {
        mode: Mode::Round,
        k: 8,
        round_base: 5,
    };
    let combined = run(
        &question,
        &[("a".into(), NodeTable { rows: vec![row] }, protection)],
    );
    assert_eq!(combined.columns[0].kind, Kind::Key);
    let first = combined.rows.first().unwrap();
    assert_eq!(first.key, vec![Scalar::Number(Number::new(12, 0))]);
    assert_eq!(first.cells.len(), 1);
}

#[test]
fn a_nearly_equal_earlier_answer_is_marked_and_has_a_wider_interval() {
    let near = |sex: i64, n: u64| NodeRow {
        key: vec![Scalar::Number(sex.into())],
        cells: vec![Cell::Near(vec![n.into()])],
    };
    let a = NodeTable {
        rows: vec![near(0, 205), count_row(1, Some(100))],
    };
    let b = NodeTable {
        rows: vec![count_row(0, Some(50)), count_row(1, Some(45))],
    };
    let question = counts(Output::default());
    let both = [("a".into(), a.clone(), ROUND), ("b".into(), b, ROUND)];
    let combined = run(&question, &both);
    let text = String::from_utf8(combined.to_bytes()).unwrap();
    // 205 is within 2 of its truth, and the persons differ by at most 7; 50 is within 2.
    let cells = r#""rows":[{"key":{"c0":0},"cells":{"c1":{"value":"255","lower":"244","upper":"266","nodes":2,"eligible":2,"near_earlier":true,"sites":{"a":"205","b":"50"}}}},{"key":{"c0":1},"cells":{"c1":{"value":"145","lower":"141","upper":"149","nodes":2,"eligible":2,"sites":{"a":"100","b":"45"}}}}]"#;
    assert!(text.contains(cells), "{text}");
    assert!(combined.notes.iter().any(|note| note.code == "N120"));
    let book = codebook::read(BOOK, "t.toml").unwrap();
    let unprotected = SiteAnswer {
        node: "a",
        table: Some((&a, NONE)),
    };
    let refused = combine(&question, &book, &[unprotected]).unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("stands for a cell where none can"),
        "{refused}"
    );
}

#[test]
fn noise_widens_the_interval_and_is_named() {
    let perturbed = |bound| Protection {
        mode: Mode::CellKey { bound },
        ..ROUND
    };
    let table = |n| NodeTable {
        rows: vec![count_row(0, Some(n))],
    };
    let nodes = [
        ("a".into(), table(203), perturbed(5)),
        ("b".into(), table(9), perturbed(3)),
    ];
    let text = run(&counts(Output::default()), &nodes).to_bytes();
    let text = String::from_utf8(text).unwrap();
    let cells = r#""value":"212","lower":"204","upper":"220","nodes":2"#;
    assert!(text.contains(cells), "{text}");
    let protection = r#""protection":{"k":8,"round_base":5,"noise_bound":5,"mode":"cell_key"}"#;
    assert!(text.contains(protection), "{text}");
}
