//! Derived columns in a codebook: names, metadata, order.

use std::collections::BTreeSet;

use super::*;
use crate::codebook::{Column, read};
use crate::number::Number;
use crate::question::{Set, Values};
use crate::value::ColumnType;

const BOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.id"

[table.person]
rows = "one-per-unit"
[table.person.column]
id = { type = "int", role = ["unit"] }
born = { type = "date", role = ["date"] }
age = { type = "int", role = ["filter", "group", "value"], bounds = [0, 120], bands = [5] }

[table.visit]
rows = "many"
unit_key = "id"
max_rows = 30
[table.visit.column]
id = { type = "int", role = ["key"] }
day = { type = "date", role = ["date"] }
kind = { type = "int", role = ["filter", "group"], domain = { 0 = "in", 1 = "out" }, sensitive = true }
cost = { type = "decimal", scale = 2, role = ["value", "filter"], bounds = [-1, 100], bands = [10] }
large = { type = "int", role = ["value"], bounds = [0, 1000000000000000] }
"#;

fn book() -> Codebook {
    read(BOOK, "test.toml").expect("the test's codebook")
}

fn column(table: &str, column: &str) -> ColumnRef {
    ColumnRef {
        table: table.into(),
        column: column.into(),
    }
}

fn visits(of: Aggregate) -> Derived {
    Derived::Frame {
        frame: Frame {
            rows: "visit".into(),
            joined: BTreeSet::new(),
            filter: Predicate::default(),
        },
        of,
    }
}

fn first_day() -> Derived {
    visits(Aggregate::Min(column("visit", "day")))
}

fn described(derived: &Derived) -> Column {
    derived.column(&book()).expect("it fits")
}

fn numbers(column: &Column) -> (i128, i128) {
    let (low, high) = column.bounds.expect("bounds");
    let at = |end: Number| end.at_scale(column.ty.scale().unwrap()).unwrap();
    (at(low), at(high))
}

#[test]
fn a_person_has_values_in_the_unit_table_and_an_event_in_its_own() {
    let book = book();
    let first = first_day().reference(&book);
    assert_eq!(first.table, "person");
    assert!(first.column.starts_with("min:"), "{first:?}");
    let known = book.with(&[(first.clone(), first_day())].into());
    let since = Derived::Days {
        from: first.clone(),
        to: column("visit", "day"),
    };
    assert_eq!(since.reference(&known).table, "visit");
    let age = Derived::Days {
        from: column("person", "born"),
        to: first,
    };
    assert_eq!(age.reference(&known).table, "person");
    assert_eq!(age.tables(), ["person"].into());
    assert_eq!(first_day().tables(), ["visit"].into());
}

#[test]
fn definitions_are_added_in_whatever_order_they_come() {
    let book = book();
    let first = first_day().reference(&book);
    let one = book.with(&[(first.clone(), first_day())].into());
    let year = Derived::Year { of: first.clone() };
    let days = Derived::Days {
        from: first.clone(),
        to: first.clone(),
    };
    let columns: Columns = [
        (year.reference(&one), year),
        (days.reference(&one), days),
        (first, first_day()),
    ]
    .into();
    let all = book.with(&columns);
    assert_eq!(all.derived, columns);
    assert!(columns.keys().all(|name| all.column(name).is_some()));
    assert_ne!(all.digest, book.digest);
    assert_ne!(all.digest, one.digest);
    assert_eq!(all.digest, book.with(&columns).digest);
    assert_eq!(book.with(&Columns::new()).digest, book.digest);
}

#[test]
fn what_does_not_fit_is_left_out() {
    let book = book();
    let misnamed = column("person", "min:00");
    let strange = Derived::Year {
        of: column("person", "age"),
    };
    let lost = Derived::Year {
        of: column("person", "gone"),
    };
    let columns: Columns = [
        (misnamed, first_day()),
        (strange.reference(&book), strange.clone()),
        (lost.reference(&book), lost),
    ]
    .into();
    let all = book.with(&columns);
    assert!(all.derived.is_empty());
    assert_eq!(all.digest, book.digest);
    assert!(strange.column(&book).is_none(), "an age is no date");
}

#[test]
fn values_keep_what_their_column_has() {
    let cost = column("visit", "cost");
    let most = described(&visits(Aggregate::Max(cost.clone())));
    let own = book().column(&cost).unwrap().clone();
    assert_eq!((most.ty, &most.bands), (own.ty, &own.bands));
    assert_eq!(most.roles, own.roles);
    assert_eq!(most.bounds, own.bounds);
    let sum = described(&visits(Aggregate::Sum(cost.clone())));
    assert_eq!(numbers(&sum), (-3000, 300_000));
    let mean = described(&visits(Aggregate::Mean(cost)));
    assert_eq!(mean.ty, ColumnType::Decimal { scale: 6 });
    assert_eq!(numbers(&mean), (-1_000_000, 100_000_000));
    let large = column("visit", "large");
    let mean = described(&visits(Aggregate::Mean(large.clone())));
    assert_eq!(
        mean.ty,
        ColumnType::Decimal { scale: 3 },
        "as far as it fits"
    );
    assert!(described(&visits(Aggregate::Sum(large))).domain.is_none());
    let rows = described(&visits(Aggregate::Rows));
    assert_eq!((numbers(&rows), rows.domain.is_none()), ((0, 30), true));
    assert_eq!(
        described(&first_day()).roles,
        [crate::codebook::Role::Date].into()
    );
}

#[test]
fn what_comes_from_the_sensitive_is_sensitive() {
    let kind = column("visit", "kind");
    let plain = described(&visits(Aggregate::Rows));
    assert!(!plain.sensitive);
    assert!(described(&visits(Aggregate::Distinct(kind.clone()))).sensitive);
    let boxes = [(kind, Set::of(Values::points([1])))];
    let filter = Predicate {
        boxes: boxes.into(),
        ..Predicate::default()
    };
    let inpatients = Derived::Frame {
        frame: Frame {
            rows: "visit".into(),
            joined: BTreeSet::new(),
            filter,
        },
        of: Aggregate::Rows,
    };
    assert!(described(&inpatients).sensitive);
    let book = book();
    let name = inpatients.reference(&book);
    let known = book.with(&[(name.clone(), inpatients)].into());
    let none = Derived::Coalesce {
        of: name,
        otherwise: Scalar::Number(Number::new(0, 0)),
    };
    let none = none.column(&known).unwrap();
    assert!(none.sensitive && none.required);
}

#[test]
fn cases_have_a_closed_domain() {
    let young = Predicate {
        boxes: [(
            column("person", "age"),
            Set::of(Values::from_ranges([(None, Some(49))])),
        )]
        .into(),
        ..Predicate::default()
    };
    let text = |text: &str| Scalar::Text(text.into());
    let case = |first: Scalar, otherwise: Scalar| Derived::Case {
        arms: vec![(young.clone(), first)],
        otherwise,
    };
    let words = described(&case(text("young"), text("old")));
    assert_eq!(words.ty, ColumnType::Text);
    assert!(words.required);
    assert_eq!(words.domain.unwrap().len(), 2);
    let number = |n| Scalar::Number(Number::new(n, 0));
    let flag = described(&case(number(1), Scalar::Null));
    assert!(!flag.required);
    assert_eq!(numbers(&flag), (1, 1));
    let mixed = case(number(1), text("old"));
    assert!(mixed.column(&book()).is_none());
    let nothing = case(Scalar::Null, Scalar::Null);
    assert!(nothing.column(&book()).is_none());
}
