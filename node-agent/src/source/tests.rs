//! Sources in every shape, good and bad.

use std::fs;

use ::parquet::arrow::ArrowWriter;
use arrow::array::{AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema};
use datafusion::prelude::SessionContext;

use super::*;
use crate::policy;

const CODEBOOK: &str = r#"
[codebook]
format = 1
name = "test"
version = 1
unit = "person.person_id"

[table.person]
rows = "one-per-unit"
[table.person.column]
person_id = { type = "int", role = ["unit"] }
sex = { type = "int", role = ["filter", "group"], domain = { 0 = "female", 1 = "male" } }
chol = { type = "decimal", scale = 1, role = ["value"], bounds = [80, 600] }
born = { type = "date", role = [] }
town = { type = "text", role = [] }
"#;

pub(crate) fn codebook(text: &str) -> Codebook {
    quorate_query::codebook::read(text, "codebook.toml").unwrap()
}

/// A policy over files of a temporary folder, with one source for each table.
pub(crate) fn policy_of(dir: &Path, sources: &str) -> Result<Policy, String> {
    let key = quorate_identity::SigningKey::from_seed(&[7; 32]).unwrap();
    let text = format!(
        "[node]\nformat = 1\nname = 'a'\ncoordinator = 'https://localhost:1'\ngenesis = ['{}']\ncodebooks = []\n[population]\nname = 'p'\n{sources}",
        key.key_id()
    );
    policy::read(&text, "node.toml", dir, &[]).map_err(|mistakes| mistakes.to_string())
}

async fn load_person(dir: &Path, source: &str) -> Result<Vec<RecordBatch>, String> {
    let policy = policy_of(dir, &format!("[source.person]\n{source}"))?;
    let codebook = codebook(CODEBOOK);
    let wanted = BTreeSet::from(["person".to_owned()]);
    let snapshot = snapshot(&policy, &codebook, &wanted, &Cache::default())
        .await
        .map_err(|e| e.to_string())?;
    rows(&snapshot).await
}

async fn rows(snapshot: &Snapshot) -> Result<Vec<RecordBatch>, String> {
    let session = SessionContext::new();
    let table = session
        .read_table(Arc::clone(&snapshot.tables["person"]))
        .unwrap();
    table.collect().await.map_err(|e| e.to_string())
}

fn text_of(batches: &[RecordBatch]) -> String {
    arrow::util::pretty::pretty_format_batches(batches)
        .unwrap()
        .to_string()
}

fn put(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    fs::write(dir.join(name), bytes).unwrap();
}

#[tokio::test]
async fn csv_types_come_from_the_codebook() {
    let dir = tempfile::tempdir().unwrap();
    put(
        dir.path(),
        "p.csv",
        "town,person_id,sex,chol,born,other\n007,1,0,233.05,1950-03-01,x\n,2,9,,NA,y\n",
    );
    let batches = load_person(
        dir.path(),
        "kind = 'csv'\npath = 'p.csv'\nnulls = ['', 'NA']",
    )
    .await
    .unwrap();
    let batch = &batches[0];
    let types: Vec<_> = batch
        .schema()
        .fields()
        .iter()
        .map(|f| (f.name().clone(), f.data_type().clone()))
        .collect();
    assert_eq!(
        types,
        [
            ("born".to_owned(), DataType::Date32),
            ("chol".to_owned(), DataType::Decimal128(38, 1)),
            ("person_id".to_owned(), DataType::Int64),
            ("sex".to_owned(), DataType::Int64),
            ("town".to_owned(), DataType::Utf8),
        ]
    );
    let text = text_of(&batches);
    assert!(
        text.contains("| 1950-03-01 | 233.0 | 1         | 0   | 007  |"),
        "{text}"
    );
    assert!(
        text.contains("|            |       | 2         |     |      |"),
        "sex 9 is outside its domain\n{text}"
    );
}

#[tokio::test]
async fn bad_rows_stop_the_source_with_file_and_line_and_no_value() {
    let dir = tempfile::tempdir().unwrap();
    put(
        dir.path(),
        "p.csv",
        "town,person_id,sex,chol,born\nA,1,0,secret1,1950-03-01\nA,2,0,1\nA,,0,1,1950-13-01\n",
    );
    let error = load_person(dir.path(), "kind = 'csv'\npath = 'p.csv'")
        .await
        .unwrap_err();
    assert!(
        error.contains("p.csv:2: column `chol` is not a number"),
        "{error}"
    );
    assert!(
        error.contains("p.csv:3: has 4 fields, the header has 5"),
        "{error}"
    );
    assert!(
        error.contains("p.csv:4: column `born` is not a day"),
        "{error}"
    );
    assert!(
        !error.contains("secret1") && !error.contains("1950"),
        "{error}"
    );
}

/// The sample codebook, in which no sex and no cholesterol is ever missing.
async fn load_required(dir: &Path, source: &str) -> Result<String, String> {
    let policy = policy_of(dir, &format!("[source.person]\n{source}"))?;
    let text = CODEBOOK
        .replace("1 = \"male\" } }", "1 = \"male\" }, required = true }")
        .replace(
            "bounds = [80, 600] }",
            "bounds = [80, 600], required = true }",
        );
    let wanted = BTreeSet::from(["person".to_owned()]);
    let snapshot = snapshot(&policy, &codebook(&text), &wanted, &Cache::default())
        .await
        .map_err(|e| e.to_string())?;
    rows(&snapshot).await.map(|batches| text_of(&batches))
}

#[tokio::test]
async fn a_missing_value_of_a_required_column_stops_the_source() {
    let dir = tempfile::tempdir().unwrap();
    let good = "town,person_id,sex,chol,born\nA,1,0,233,\n,2,1,180,1950-03-01\n";
    put(dir.path(), "p.csv", good);
    let csv = "kind = 'csv'\npath = 'p.csv'\nnulls = ['']";
    let loaded = load_required(dir.path(), csv).await.unwrap();
    assert!(loaded.contains("| 233.0 |"), "{loaded}");
    put(
        dir.path(),
        "p.csv",
        "town,person_id,sex,chol,born\nA,1,0,233,\nA,2,,233,\nA,3,9,233,\nA,4,1,,\n",
    );
    let error = load_required(dir.path(), csv).await.unwrap_err();
    assert!(error.starts_with("source.person: 3 bad values"), "{error}");
    for line in [
        "p.csv:3: column `sex` is missing, and the codebook says it never is",
        "p.csv:4: column `sex` is not in the domain, so it would be missing",
        "p.csv:5: column `chol` is missing",
    ] {
        assert!(error.contains(line), "{error}");
    }
    // Through a map, lines are rows; a value that cannot be converted is reported once.
    let map = format!(
        "{csv}\nmap = 'SELECT town, person_id, s AS sex, TRY_CAST(c AS DOUBLE) AS chol, born FROM source'"
    );
    put(
        dir.path(),
        "p.csv",
        "town,person_id,s,c,born\nA,1,0,233,\nA,2,x,much,\n",
    );
    let error = load_required(dir.path(), &map).await.unwrap_err();
    assert!(error.starts_with("source.person: 2 bad values"), "{error}");
    assert!(
        error.contains("row 2: column `sex` is not a whole number"),
        "{error}"
    );
    assert!(error.contains("row 2: column `chol` is missing"), "{error}");
}

#[tokio::test]
async fn a_row_without_its_person_and_a_person_with_two_rows_stop_the_source() {
    let dir = tempfile::tempdir().unwrap();
    put(
        dir.path(),
        "p.csv",
        "town,person_id,sex,chol,born\nA,,0,1,1950-03-01\n",
    );
    let error = load_person(dir.path(), "kind = 'csv'\npath = 'p.csv'")
        .await
        .unwrap_err();
    assert!(
        error.contains("p.csv:2: column `person_id` is missing: a row must belong to someone"),
        "{error}"
    );
    put(
        dir.path(),
        "p.csv",
        "town,person_id,sex,chol,born\nA,1,0,1,1950-03-01\nB,2,,,\nC,1,,,\n",
    );
    let error = load_person(dir.path(), "kind = 'csv'\npath = 'p.csv'")
        .await
        .unwrap_err();
    assert!(
        error.contains("1 persons have more than one row"),
        "{error}"
    );
}

#[tokio::test]
async fn missing_columns_are_named_all_at_once() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "p.csv", "person_id,sex,TOWN\n1,0,x\n");
    let error = load_person(dir.path(), "kind = 'csv'\npath = 'p.csv'")
        .await
        .unwrap_err();
    assert!(
        error.contains("no column `born`, `chol`, `town`; it has `person_id`, `sex`, `TOWN`"),
        "{error}"
    );
}

#[tokio::test]
async fn latin1_decimal_comma_and_other_days() {
    let dir = tempfile::tempdir().unwrap();
    put(
        dir.path(),
        "p.csv",
        b"town;person_id;sex;chol;born\nZ\xfcrich;1;1;233,5;01.03.1950\n",
    );
    let spec =
        "kind = 'csv'\npath = 'p.csv'\ndelimiter = ';'\ndecimal = ','\ndate_format = '%d.%m.%Y'";
    let text = text_of(
        &load_person(dir.path(), &format!("{spec}\nencoding = 'latin1'"))
            .await
            .unwrap(),
    );
    assert!(
        text.contains("| 1950-03-01 | 233.5 | 1         | 1   | Zürich |"),
        "{text}"
    );
    let error = load_person(dir.path(), spec).await.unwrap_err();
    assert!(
        error.contains("p.csv:2: column `town` is not UTF-8"),
        "{error}"
    );
}

#[tokio::test]
async fn a_map_sees_codebook_types_and_text_and_is_converted_strictly() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "a.csv", "id,sex,chol,num\n1,1,0,2\n2,0,233,0\n");
    put(dir.path(), "b.csv", "sex,id,num,chol\n0,3,,240\n");
    let map = "map = \"SELECT CAST(id AS INT) AS person_id, CASE WHEN CAST(num AS INT) > 0 THEN 1 ELSE 0 END AS sex, nullif(chol, 0) AS chol, NULL AS born, 'x' AS town FROM source\"";
    let batches = load_person(dir.path(), &format!("kind = 'csv'\npath = '*.csv'\n{map}"))
        .await
        .unwrap();
    let text = text_of(&batches);
    assert!(
        text.contains("|      |       | 1         | 1   | x    |"),
        "{text}"
    );
    assert!(
        text.contains("|      | 240.0 | 3         | 0   | x    |"),
        "{text}"
    );

    let wrong = map.replace("THEN 1 ELSE 0", "THEN true ELSE false");
    let error = load_person(
        dir.path(),
        &format!("kind = 'csv'\npath = '*.csv'\n{wrong}"),
    )
    .await
    .unwrap_err();
    assert!(
        error.contains("column `sex` is Boolean, the codebook says int"),
        "{error}"
    );
    let failing = map.replace("CAST(num AS INT)", "CAST(id || 'secret' AS INT)");
    let error = load_person(
        dir.path(),
        &format!("kind = 'csv'\npath = '*.csv'\n{failing}"),
    )
    .await
    .unwrap_err();
    assert!(
        error.contains("TRY_CAST") && !error.contains("secret"),
        "{error}"
    );
    let unknown = map.replace("nullif(chol, 0)", "nullif(cholesterol, 0)");
    let error = load_person(
        dir.path(),
        &format!("kind = 'csv'\npath = '*.csv'\n{unknown}"),
    )
    .await
    .unwrap_err();
    assert!(error.contains("cholesterol"), "{error}");
    let ddl = "map = 'DROP TABLE source'";
    let error = load_person(dir.path(), &format!("kind = 'csv'\npath = '*.csv'\n{ddl}"))
        .await
        .unwrap_err();
    assert!(error.contains("DDL"), "{error}");
}

fn write_parquet(path: &Path, ids: Vec<i32>, chol: Vec<f64>) {
    let rows = ids.len();
    let schema = Arc::new(Schema::new(vec![
        Field::new("person_id", DataType::Int32, true),
        Field::new("sex", DataType::Int64, true),
        Field::new("chol", DataType::Float64, true),
        Field::new("town", DataType::Utf8, true),
        Field::new("born", DataType::Utf8, true),
    ]));
    let arrays: Vec<arrow::array::ArrayRef> = vec![
        Arc::new(Int32Array::from(ids)),
        Arc::new(Int64Array::from(vec![2; rows])),
        Arc::new(Float64Array::from(chol)),
        Arc::new(StringArray::from(vec!["t"; rows])),
        Arc::new(StringArray::from(vec!["1950-03-01"; rows])),
    ];
    let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

#[tokio::test]
async fn parquet_is_a_plan_over_all_files_with_typed_columns() {
    let dir = tempfile::tempdir().unwrap();
    write_parquet(
        &dir.path().join("part 1 [a].parquet"),
        vec![1, 2],
        vec![1.25, f64::NAN],
    );
    write_parquet(&dir.path().join("part 2.parquet"), vec![3], vec![7.0]);
    let batches = load_person(dir.path(), "kind = 'parquet'\npath = '.'")
        .await
        .unwrap();
    let text = text_of(&batches);
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 3);
    assert!(
        text.contains("| 1950-03-01 | 1.2  | 1         |     | t    |"),
        "half to even, sex 2 outside\n{text}"
    );
    assert!(
        text.contains("| 1950-03-01 |      | 2         |     | t    |"),
        "NaN is missing\n{text}"
    );
    assert_eq!(
        batches[0].schema().field(1).data_type(),
        &DataType::Decimal128(38, 1)
    );

    let mapped = "kind = 'parquet'\npath = '.'\nmap = 'SELECT *, person_id + 1 AS next FROM source WHERE person_id < 3'";
    let batches = load_person(dir.path(), mapped).await.unwrap();
    let ids: Vec<i64> = batches
        .iter()
        .flat_map(|b| b.column(2).as_primitive::<Int64Type>().values().to_vec())
        .collect();
    assert_eq!(ids, [1, 2]);

    write_parquet(
        &dir.path().join("part 3.parquet"),
        vec![1, 9],
        vec![1.0, f64::INFINITY],
    );
    let error = load_person(dir.path(), "kind = 'parquet'\npath = '.'")
        .await
        .unwrap_err();
    assert!(
        error.contains("row 5: column `chol` is not a number"),
        "{error}"
    );
    put(dir.path(), "part 4.parquet", "not parquet");
    let error = load_person(dir.path(), "kind = 'parquet'\npath = '.'")
        .await
        .unwrap_err();
    assert!(
        error.contains("part 4.parquet: not a readable Parquet file"),
        "{error}"
    );
}

#[tokio::test]
async fn an_epoch_is_its_contents() {
    let dir = tempfile::tempdir().unwrap();
    let header = "town,person_id,sex,chol,born\n";
    put(dir.path(), "p.csv", format!("{header}A,1,0,1,1950-03-01\n"));
    let policy = policy_of(dir.path(), "[source.person]\nkind = 'csv'\npath = 'p.csv'").unwrap();
    let (codebook, cache) = (codebook(CODEBOOK), Cache::default());
    let wanted = BTreeSet::from(["person".to_owned()]);
    let first = snapshot(&policy, &codebook, &wanted, &cache).await.unwrap();
    let again = snapshot(&policy, &codebook, &wanted, &cache).await.unwrap();
    assert!(
        Arc::ptr_eq(&first.tables["person"], &again.tables["person"]),
        "kept between questions"
    );

    put(dir.path(), "p.csv", format!("{header}A,1,0,2,1950-03-01\n"));
    let changed = snapshot(&policy, &codebook, &wanted, &cache).await.unwrap();
    assert_ne!(first.epoch, changed.epoch);
    fs::remove_file(dir.path().join("p.csv")).unwrap();
    put(dir.path(), "p.csv", format!("{header}A,1,0,1,1950-03-01\n"));
    let back = snapshot(&policy, &codebook, &wanted, &cache).await.unwrap();
    assert_eq!(
        first.epoch, back.epoch,
        "the same contents are the same epoch"
    );

    let other = CODEBOOK.replace(
        "domain = { 0 = \"female\", 1 = \"male\" }",
        "domain = { 0 = \"female\" }",
    );
    let other = snapshot(&policy, &self::codebook(&other), &wanted, &cache)
        .await
        .unwrap();
    assert_ne!(back.epoch, other.epoch, "typing depends on the domain");
    fs::remove_file(dir.path().join("p.csv")).unwrap();
    let error = snapshot(&policy, &codebook, &wanted, &cache)
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("no such file"), "{error}");
}

#[tokio::test]
async fn a_held_source_is_sealed_until_it_is_accepted() {
    let dir = tempfile::tempdir().unwrap();
    let header = "town,person_id,sex,chol,born\n";
    put(dir.path(), "p.csv", format!("{header}A,1,0,1,1950-03-01\n"));
    let policy = policy_of(
        dir.path(),
        "[source.person]\nkind = 'csv'\npath = 'p.csv'\nrefresh = 'hold'",
    )
    .unwrap();
    let (codebook, wanted) = (codebook(CODEBOOK), BTreeSet::new());
    snapshot(&policy, &codebook, &wanted, &Cache::new(dir.path()))
        .await
        .unwrap();
    put(dir.path(), "p.csv", format!("{header}A,1,0,2,1950-03-01\n"));
    let cache = Cache::new(dir.path());
    let error = snapshot(&policy, &codebook, &wanted, &cache)
        .await
        .err()
        .unwrap();
    assert!(matches!(error.fault, SourceFault::Held));
    assert_eq!(accept(&policy, &cache).await.unwrap(), ["person"]);
    snapshot(&policy, &codebook, &wanted, &cache).await.unwrap();
}

#[tokio::test]
async fn an_unreadable_folder_is_said_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = load_person(dir.path(), "kind = 'csv'\npath = 'data/'")
        .await
        .unwrap_err();
    assert!(
        error.starts_with("node.toml:") && error.contains("no such file"),
        "{error}"
    );
    put(dir.path(), "data", "a file, not a folder");
    let error = load_person(dir.path(), "kind = 'csv'\npath = 'data/p.csv'")
        .await
        .unwrap_err();
    assert!(error.contains("cannot be read"), "{error}");
}
