//! Problems cross the wire whole, and other people's statuses are not taken for ours.

use quorate_query::problem::{Code, Problem, Span, table};
use quorate_wire::{from_status, to_status};

#[test]
fn every_problem_of_the_table_crosses() {
    let mut seen = 0;
    for entry in table() {
        let problem = Problem::of(entry.code);
        let remote = from_status(&to_status(&problem)).unwrap();
        assert_eq!(remote.known(), Some(problem));
        assert_eq!(remote.code, entry.code.0);
        seen += 1;
    }
    assert!(seen > 20);
}

#[test]
fn span_and_suggestion_cross_too() {
    let problem = Problem::new(
        Code::parse("V402").unwrap(),
        "group by a band \u{2013} not a bare age",
    )
    .at(Some(Span { start: 17, end: 26 }))
    .write("floor(\"\u{e2}ge\"/5)*5");
    assert_eq!(
        from_status(&to_status(&problem)).unwrap().known(),
        Some(problem)
    );
}

#[test]
fn other_statuses_are_not_ours() {
    assert_eq!(
        from_status(&tonic::Status::unavailable("connection reset")),
        None
    );
    let mut odd = tonic::Status::internal("x");
    odd.metadata_mut()
        .insert("quorate-code", "V40".parse().unwrap());
    assert_eq!(from_status(&odd), None);
    odd.metadata_mut()
        .insert("quorate-code", "Z999".parse().unwrap());
    let newer = from_status(&odd).unwrap();
    assert_eq!((newer.code.as_str(), newer.known()), ("Z999", None));
}

#[test]
fn no_problem_looks_like_success() {
    for entry in table() {
        assert_ne!(to_status(&Problem::of(entry.code)).code(), tonic::Code::Ok);
    }
}
