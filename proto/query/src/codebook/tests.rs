use super::*;

const CVD: &str = include_str!("../../tests/codebooks/cvd.toml");

#[test]
fn the_sample_is_read_in_full() {
    let book = read(CVD, "cvd.toml").unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!((book.name.as_str(), book.version), ("cvd", 3));
    assert_eq!(book.digest, digest(CVD));
    assert_eq!(book.release, ReleaseParams::default());
    assert_eq!(book.tables["person"].unit_key, "person_id");
    assert_eq!(
        book.tables["measurement"].rows,
        RowsPer::Many { max_rows: 500 }
    );
    assert_eq!(
        book.tables["measurement"].date.as_deref(),
        Some("measurement_date")
    );
    let age = &book.tables["person"].columns["age"];
    assert_eq!(age.bounds, Some((Number::ZERO, Number::from(120_i64))));
    assert_eq!(age.bands, [5_i64, 10, 20].map(Number::from));
    assert!(age.has(Role::Group) && !age.has(Role::Date));
    let sex = &book.tables["person"].columns["sex"];
    assert_eq!(
        sex.label(&Scalar::Number(Number::from(1_i64))),
        Some("male")
    );
    let value = &book.tables["measurement"].columns["value_as_number"];
    assert_eq!(value.when[0].unit.as_deref(), Some("mm[Hg]"));
    assert_eq!(book.sets["sbp"].values.len(), 1);
    assert_eq!(book.core, ["SELECT sex, count(*) FROM person GROUP BY sex"]);
}
