//! Codebooks that are read, refused, drafted and compared.

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

fn mistakes(text: &str) -> String {
    match read(text, "b.toml") {
        Ok(_) => "no mistakes".to_owned(),
        Err(found) => found.to_string(),
    }
}

/// The sample with one piece of text replaced.
fn spoilt(from: &str, to: &str) -> String {
    assert!(CVD.contains(from), "{from}");
    let text = CVD.replacen(from, to, 1);
    let found = mistakes(&text);
    let places: Vec<&str> = found
        .lines()
        .map(|line| line.splitn(3, ':').nth(2).unwrap())
        .collect();
    let words = |line: &&str| {
        line.split_once(' ')
            .map_or(String::new(), |(_, rest)| rest.to_owned())
    };
    places.iter().map(words).collect::<Vec<_>>().join("\n")
}

#[test]
fn many_mistakes_in_one_file() {
    let found = mistakes(include_str!("../../tests/codebooks/many-mistakes.toml"));
    assert_eq!(
        format!("{found}\n"),
        include_str!("../../tests/codebooks/many-mistakes.txt")
    );
}

#[test]
fn sensitive_means_every_value_or_those_listed() {
    let with = |written: &str| {
        let text = CVD.replace("sensitive = true", written);
        let book = read(&text, "b.toml").unwrap();
        let column = &book.tables["person"].columns["disease"];
        [0_i64, 1].map(|value| column.is_sensitive(&Scalar::Number(Number::from(value))))
    };
    assert_eq!(with("sensitive = true"), [true, true]);
    assert_eq!(with("sensitive = [1]"), [false, true]);
    assert_eq!(with("sensitive = false"), [false, false]);
}

#[test]
fn an_empty_file_says_what_is_needed() {
    assert_eq!(
        mistakes(""),
        "\
b.toml:1:1: the table is missing, write `[codebook]`
b.toml:1:1: there is no table, write `[table.person]` and so on"
    );
}

#[test]
fn one_mistake_each() {
    let cases = [
        ("format = 1", "format = 2", "codebook.format: format 2 is unknown, write `format = 1`"),
        ("unit = \"person.person_id\"", "unit = \"person_id\"", "codebook.unit: `person_id` names no column, write \"table.column\""),
        ("unit = \"person.person_id\"", "unit = \"persn.person_id\"", "codebook.unit: there is no table `persn`, write `person`"),
        ("role = [\"unit\"]", "role = [\"unit\", \"filter\"]", "table.person.column.person_id.role: an identifier is never compared or counted, write `role = [\"unit\"]` in the unit table or `role = [\"key\"]` elsewhere"),
        ("role = [\"unit\"]", "role = []", "codebook.unit: `person.person_id` is not marked, write `role = [\"unit\"]` at the column"),
        ("person_id = { type = \"int\", role = [\"unit\"] }", "person_id = { type = \"text\", role = [\"unit\"] }", "table.condition_occurrence.column.person_id: the unit has type text, write `type = \"text\"`
table.measurement.column.person_id: the unit has type text, write `type = \"text\"`
table.death.column.person_id: the unit has type text, write `type = \"text\"`"),
        ("max_rows = 200\n", "", "table.condition_occurrence: `max_rows` is missing, write `max_rows = 1`"),
        ("max_rows = 200", "max_rows = 0", "table.condition_occurrence.max_rows: write a value from 1 to 1000000"),
        ("rows = \"one-per-unit\"\n[", "rows = \"one-per-unit\"\nmax_rows = 3\n[", "table.person.max_rows: a table with one row per unit has no `max_rows`, remove it or write `rows = \"many\"`"),
        ("person_id = { type = \"int\", role = [\"key\"] }\n", "", "table.condition_occurrence.unit_key: the column is not declared, write `person_id = { type = \"int\", role = [\"key\"] }` under `[table.condition_occurrence.column]`"),
        ("unit_key = \"person_id\"\nmax_rows = 200", "max_rows = 200", "table.condition_occurrence: `unit_key` is missing, write `unit_key = \"person_id\"`: the column that holds the unit"),
        ("role = [\"key\"]", "role = []", "table.condition_occurrence.column.person_id: this column holds the unit, write `role = [\"key\"]`"),
        ("date = \"condition_start_date\"", "date = \"condition_start_dat\"", "table.condition_occurrence.date: there is no column `condition_start_dat`, write `condition_start_date`"),
        ("date = \"measurement_date\"", "date = \"measurement_concept_id\"", "table.measurement.date: `measurement_concept_id` is no date, name a column with `type = \"date\"`"),
        ("scale = 2\n", "", "table.measurement.column.value_as_number: `scale` is missing, write `scale = 1`"),
        ("scale = 2\n", "scale = 10\n", "table.measurement.column.value_as_number.scale: 10 is out of range, write a value from 0 to 9"),
        ("set = \"sbp\"", "set = \"spb\"", "table.measurement.column.value_as_number.when[1].set: there is no set `spb`, write `sbp`"),
        ("bounds = [40, 300]", "bounds = [300, 40]", "table.measurement.column.value_as_number.when[1].bounds: 300 is not below 40, write [least, greatest]"),
        ("bounds = [0, 120]", "bounds = [0, 120.5]", "table.person.column.age.bounds[2]: 120.5 is no value of type int, write a whole number"),
        ("bounds = [0, 120], bands = [5, 10, 20]", "bounds = [0, 120], bands = [0, 10, 200]", "table.person.column.age.bands: 200 is wider than the bounds, write a smaller width
table.person.column.age.bands: a band has a width above 0, write widths such as [5, 10]"),
        ("bounds = [80, 600]", "bounds = [80, 99]", "table.person.column.chol.bounds: the bounds leave 20 values, so that a mean would show how many have each: declare them, `domain = { ... }`"),
        ("bounds = [40, 300]", "bounds = [40, 40.19]", "table.measurement.column.value_as_number.bounds: the bounds leave 20 values, so that a mean would show how many have each: declare them, `domain = { ... }`"),
        ("cuts = [18, 65]", "cuts = [18, 165]", "table.person.column.age.cuts: 165 is outside the bounds, write values from 0 to 120"),
        ("bounds = [80, 600], ", "", "table.person.column.chol: an aggregated column needs limits, write `bounds = [least, greatest]`, a `domain`, or `when`"),
        ("0 = \"female\"", "female = \"female\"", "table.person.column.sex.domain.female: `female` is no value of type int, write a whole number as the key"),
        ("0 = \"female\"", "01 = \"female\"", "table.person.column.sex.domain.1: `1` is in the domain twice, remove one"),
        ("column = \"measurement.measurement_concept_id\"", "column = \"measurement.person_id\"", "set.sbp.column: an identifier is never compared, name another column"),
        ("values = [3004249]", "values = [\"x\", 3]", "set.sbp.values[1]: no value of type int, write a whole number"),
        ("chol = {", "chol = { period = [2020-01-01, 2021-12-31],", "table.person.column.chol.period: a column of type decimal(0) has no days, remove it"),
        ("death_date = {", "death_date = { period = [2020-01-01],", "table.death.column.death_date.period: write the first and the last day, such as [2020-01-01, 2024-12-31]"),
        ("death_date = {", "death_date = { period = [2020-01-01, 2019-12-31],", "table.death.column.death_date.period: the first day is not before the last, write [first, last]"),
        ("values = [3004249]", "values = []", "set.sbp.values: the set is empty, write at least one value"),
        ("values = [3004249]", "file = \"sbp.csv\"", "set.sbp.file: the members are in another file, so this text is not complete: publish it (publishing puts them in), or write `values = [...]` instead"),
        ("nk = [2, 0.90]", "nk = [2, 90]", "release.nk: write the number of contributors (1 to 10) and their share in hundredths, such as [2, 0.90]"),
        ("nk = [2, 0.90]", "nk = [2, 0.90]\ngroup_share = 0.5", "release.group_share: write a share from 0.51 to 1.00 in hundredths, such as 0.90"),
        ("nk = [2, 0.90]", "nk = [2, 0.90]\nsparse = 0", "release.sparse: 0 is out of range, write a value from 1 to 100"),
        ("sensitive = true", "sensitive = [2]", "table.person.column.disease.sensitive: 2 is not in the domain, write values of it"),
        ("sensitive = true", "sensitive = []", "table.person.column.disease.sensitive: no value is listed, write `true` for every value or remove it"),
        ("sensitive = true", "sensitive = [\"x\"]", "table.person.column.disease.sensitive[1]: no value of type int, write a whole number"),
        ("sensitive = true", "sensitive = 1", "table.person.column.disease.sensitive: this is a whole number, write true or false such as `true`"),
        ("chol = {", "chol = { required = true,", "table.person.column.chol.missing_public: a required column is never missing, remove `missing_public` or `required`"),
        ("chol = {", "Chol = {", "table.person.column.Chol: not a plain name, write lower-case letters, digits and _ only, at most 63, the first no digit"),
        ("sensitive = true", "sensitve = true", "table.person.column.disease.sensitve: unknown key, write `sensitive`"),
        ("sql = \"SELECT sex, count(*) FROM person GROUP BY sex\"", "query = 1", "core[1]: `sql` is missing, write `sql = \"...\"`
core[1].query: unknown key, remove it; known here: `sql`"),
    ];
    for (from, to, expected) in cases {
        assert_eq!(spoilt(from, to), expected, "{from} -> {to}");
    }
}

#[test]
fn set_files_are_put_into_the_text() {
    let text = CVD.replace(
        "values = [3004249]",
        "file = \"sbp.csv\" # read by the nurse",
    );
    let whole = inline_sets(&text, "b.toml", |path| {
        assert_eq!(path, "sbp.csv");
        Ok("concept_id,name\n3012888,b\n# comment\n\n\"3004249\",\"a, b\"\n3012888\n".to_owned())
    })
    .unwrap();
    assert!(whole.contains("values = [3004249, 3012888]") && !whole.contains("sbp.csv"));
    assert_eq!(read(&whole, "b.toml").unwrap().sets["sbp"].values.len(), 2);
    assert_eq!(
        inline_sets(CVD, "b.toml", |_| Err("not asked".into())).unwrap(),
        CVD
    );
}

#[test]
fn mistakes_of_set_files_name_file_and_line() {
    let text = CVD.replace("values = [3004249]", "file = \"sbp.csv\"");
    let refuse = |result: Result<String, String>| {
        inline_sets(&text, "b.toml", |_| result.clone())
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refuse(Ok("id\n1\nx\n2.5\n".into())),
        "sbp.csv:3:1: no value of type int, write a whole number\n\
         sbp.csv:4:1: no value of type int, write a whole number"
    );
    assert_eq!(
        refuse(Ok("id\n".into())),
        "sbp.csv:1:1: the file has no values, write one a line"
    );
    assert_eq!(
        refuse(Err("cannot be opened, check the path".into())),
        "b.toml:18:8 set.sbp.file: cannot be opened, check the path"
    );
}
