//! The published vectors of canonical form version 1, its page, and what explanations say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use quorate_query::analyses::{Analysis, Request};
use quorate_query::canonical::{VERSION, predicate_id, show_digest, vec_id};
use quorate_query::explain::explain;
use quorate_query::question::{Body, NamedTable, Params, Question};

use crate::common::{language, path, read, text};

/// Texts of the vectors: every variant of the typed question is in at least one of them.
const TEXTS: [&str; 11] = [
    "SELECT count(*) FROM person",
    "SELECT sex, count(*) FROM person GROUP BY sex",
    "SELECT floor(age/5)*5 AS band, count(chol), avg(chol), stddev_pop(chol), sum(disease) FROM person WHERE age >= 50 AND region IN ('n', 'nw') AND chol IS NOT NULL AND bmi < 30 GROUP BY band",
    "SELECT date_trunc('quarter', condition_start_date) AS q, count(*), count(DISTINCT person_id) FROM condition_occurrence WHERE condition_concept_id IN set.diabetes GROUP BY q HAVING q >= DATE '2019-01-01' AND count(*) > 20 ORDER BY q DESC LIMIT 12",
    "SELECT p.region, count(*) FROM condition_occurrence c JOIN person p ON c.person_id = p.person_id WHERE p.postcode <> '0150' AND p.person_id NOT IN (SELECT person_id FROM death WHERE death_date < DATE '2020-01-01') GROUP BY p.region HAVING p.region <> 's'",
    "SELECT smoker, 100.5 * sum(disease) / count(*) - 1 + avg(disease) AS x, var(chol), var_pop(chol), stddev(chol) FROM person WHERE smoker = true AND chol IS NULL GROUP BY smoker HAVING x <> 3 AND x < 9 AND x <= 9 AND x >= 1 AND count(*) = count(*)",
    "SELECT date_trunc('month', death_date), date_trunc('year', death_date), count(*) FROM death GROUP BY 1, 2",
    "SELECT smoker, avg(value_as_number), count(measurement_date) FROM measurement m JOIN person p ON m.person_id = p.person_id WHERE measurement_concept_id IN set.sbp GROUP BY smoker HAVING smoker = false",
    "WITH f AS (SELECT person_id, min(condition_start_date) AS a, max(condition_start_date) AS b, count(*) AS n FROM condition_occurrence WHERE condition_concept_id IN set.diabetes GROUP BY person_id), s AS (SELECT p.person_id, greatest(f.a, DATE '2015-01-01') - least(f.a, f.b) AS days, date_sub('year', f.a, f.b) AS years, year(f.b) AS y, coalesce(f.n, 0) AS n, CASE WHEN p.age < 50 THEN 'young' END AS band FROM person p LEFT JOIN f ON p.person_id = f.person_id) SELECT band, avg(days), avg(n) FROM s WHERE years >= 5 AND y < 2020 GROUP BY band",
    "WITH f AS (SELECT person_id, last(value_as_number ORDER BY measurement_date, value_as_number) AS sbp, max(measurement_date) AS d FROM measurement WHERE measurement_concept_id IN set.sbp GROUP BY person_id) SELECT count(*), avg(sbp) FROM condition_occurrence c JOIN f ON c.person_id = f.person_id WHERE c.condition_start_date <= f.d + 30",
    "SELECT sex, count(*), avg(2 * steps - age) FROM person WHERE (age >= 65 OR smoker = true) AND NOT (region = 's' AND bmi >= 30) AND age IS NOT NULL GROUP BY sex",
];

fn asked(sql: &str) -> Question {
    let book = language();
    let review = Request::Reviewed(Box::new(sql.into())).read(&Params::new(), &book);
    let mut question = review.expect("an accepted question");
    if let Ok(plain) = read(sql, &book) {
        assert_eq!(plain, question, "review changes what it does not add to");
    }
    // Vectors must not change with a comment in the sample codebook.
    question.codebook = format!("sha256:{}", "0".repeat(64));
    question
}

/// The first two texts as one question of two tables.
fn two() -> Question {
    let table = |sql: &&str| NamedTable {
        name: (*sql).to_owned(),
        table: asked(sql).into_sole().expect("one table"),
    };
    let tables = TEXTS.iter().take(2).map(table).collect();
    Question {
        body: Body::of(tables).expect("two tables"),
        ..asked(TEXTS[0])
    }
}

fn vectors() -> String {
    let codebook = language();
    let mut out = String::new();
    for sql in TEXTS {
        let question = asked(sql);
        let table = question.sole().expect("one table");
        let _ = writeln!(out, "sql {sql}");
        let _ = writeln!(out, "bytes {}", hex(&question.canonical_bytes()));
        let _ = writeln!(out, "question {}", show_digest(&question.digest()));
        let id = predicate_id(&table.rows, &table.joined, &table.filter);
        let _ = writeln!(out, "predicate {}", show_digest(&id));
        for measure in &table.measures {
            let _ = writeln!(
                out,
                "vec {}",
                show_digest(&vec_id(measure, table, &question.book(&codebook)))
            );
        }
        out.push('\n');
    }
    let _ = writeln!(out, "sql {}\nsql {}", TEXTS[0], TEXTS[1]);
    let _ = writeln!(out, "bytes {}", hex(&two().canonical_bytes()));
    let _ = writeln!(out, "question {}", show_digest(&two().digest()));
    out
}

#[test]
fn names_of_tables_mean_nothing_and_their_order_does() {
    let changed = |change: fn(&mut Vec<NamedTable>)| {
        let mut question = two();
        let Body::Tables(tables) = &mut question.body else {
            panic!("two tables");
        };
        change(tables);
        question.digest()
    };
    assert_eq!(changed(|tables| tables[0].name.push('x')), two().digest());
    assert_ne!(changed(|tables| tables.swap(0, 1)), two().digest());
    // One table among several is one table.
    let mut alone = two();
    let tables = alone.tables().into_iter().take(1);
    let named = tables.map(|(name, table)| NamedTable {
        name: name.to_owned(),
        table: table.clone(),
    });
    alone.body = Body::of(named.collect()).expect("one table");
    assert_eq!(alone.digest(), asked(TEXTS[0]).digest());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[test]
fn version_1_is_frozen() {
    assert_eq!(VERSION, 1);
    let file = path("tests/vectors/canonical-v1.txt");
    if std::env::var_os("FREEZE_NEW_CANONICAL_VERSION").is_some() {
        std::fs::write(&file, vectors()).expect("writing the vectors");
    }
    let published = std::fs::read_to_string(file).expect("the published vectors");
    for (want, have) in published.split("\n\n").zip(vectors().split("\n\n")) {
        assert_eq!(
            want, have,
            "bytes of version 1 never change; a change is version 2"
        );
    }
    assert_eq!(published, vectors());
}

/// Reads fields by the page's rule alone: tag, four bytes of length, content.
fn fields(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut fields = Vec::new();
    while let [tag, a, b, c, d, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).ok()?;
        fields.push((*tag, rest.get(..length)?));
        bytes = rest.get(length..)?;
    }
    bytes.is_empty().then_some(fields)
}

/// Rows `| 0x10 | name | content |` of the page; a container's content is "fields".
fn page_tags() -> Vec<(u8, bool)> {
    let page = std::fs::read_to_string(path("../../docs/canonical-form.md")).expect("the page");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `0x"));
    rows.map(|row| {
        let (tag, rest) = row.split_once('`').expect("a tag");
        let content = rest
            .trim_end_matches([' ', '|'])
            .rsplit('|')
            .next()
            .unwrap_or_default();
        (
            u8::from_str_radix(tag, 16).expect("a tag"),
            content.trim().starts_with("fields"),
        )
    })
    .collect()
}

fn walk(bytes: &[u8], tags: &[(u8, bool)], seen: &mut BTreeSet<u8>) {
    for (tag, content) in fields(bytes).expect("well-formed fields") {
        let container = tags.iter().find(|(known, _)| *known == tag);
        let (_, container) =
            container.unwrap_or_else(|| panic!("tag {tag:#04x} is not on the page"));
        seen.insert(tag);
        if *container {
            walk(content, tags, seen);
        }
    }
}

/// A question about a mean product, which only typed analyses ask.
fn product() -> Question {
    let book = quorate_query::codebook::read(include_str!("../codebooks/model.toml"), "model.toml");
    let arguments = [("columns".to_owned(), "z,far".to_owned())].into();
    let analysis = Analysis::named("correlation", arguments).expect("an analysis");
    let read = Request::Analysis(analysis).read(&BTreeMap::new(), &book.expect("a codebook"));
    read.expect("a question")
}

#[test]
fn the_bytes_of_a_mean_product_are_frozen() {
    let field = |tag: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).expect("a short field");
        [&[tag, 0, 0, 0, length], content].concat()
    };
    let column = |name: &str| {
        let inner = [field(0x31, b"person"), field(0x32, name.as_bytes())].concat();
        field(0x30, &inner)
    };
    let measure = field(0x74, &[column("far"), column("z")].concat());
    let bytes = product().canonical_bytes();
    assert!(bytes.windows(measure.len()).any(|found| found == measure));
}

#[test]
fn the_page_decodes_every_vector_and_every_tag_occurs() {
    let tags = page_tags();
    let mut seen = BTreeSet::new();
    for sql in TEXTS {
        walk(&asked(sql).canonical_bytes(), &tags, &mut seen);
    }
    walk(&two().canonical_bytes(), &tags, &mut seen);
    walk(&product().canonical_bytes(), &tags, &mut seen);
    // These occur in vec ids only, or in questions that no SQL text can make.
    let elsewhere = [0xB0, 0xB2, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6];
    let missing: Vec<u8> = tags
        .iter()
        .map(|(tag, _)| *tag)
        .filter(|t| !seen.contains(t) && !elsewhere.contains(t))
        .collect();
    assert!(missing.is_empty(), "no vector has the tags {missing:02x?}");
}

#[test]
fn the_example_on_the_page_is_the_first_vector() {
    let page = std::fs::read_to_string(path("../../docs/canonical-form.md")).expect("the page");
    let example = page
        .split("```text\n")
        .nth(1)
        .and_then(|t| t.split("```").next());
    let bytes: String = example
        .expect("an example")
        .lines()
        .flat_map(|line| {
            line.split('#')
                .next()
                .unwrap_or_default()
                .split_whitespace()
        })
        .collect();
    assert_eq!(bytes, hex(&asked(TEXTS[0]).canonical_bytes()));
}

#[test]
fn what_is_measured_has_one_identity_wherever_it_is_asked() {
    let codebook = language();
    let first = |sql: &str| {
        let table = asked(sql).into_sole().expect("one table");
        vec_id(&table.measures[0], &table, &codebook)
    };
    let persons = first("SELECT count(*) FROM person WHERE sex = 1");
    assert_eq!(
        persons,
        first("SELECT count(DISTINCT person_id) FROM condition_occurrence")
    );
    let events = first("SELECT count(*) FROM condition_occurrence");
    assert_ne!(persons, events);
    assert_ne!(events, first("SELECT count(*) FROM measurement"));
    assert_eq!(
        first("SELECT avg(age) FROM person"),
        first("SELECT stddev(age) FROM person")
    );
    assert_ne!(
        first("SELECT avg(age) FROM person"),
        first("SELECT avg(chol) FROM person")
    );
}

/// Beside a mean leaves the number of persons, or of those with a value: these are two things.
#[test]
fn codebooks_that_differ_in_what_is_missing_have_two_identities() {
    let hidden = language();
    let text = text("tests/codebooks/language.toml");
    let bmi = "bands = [2.5, 5] }";
    assert!(text.contains(bmi));
    let with = |tag: &str| {
        let text = text.replace(bmi, &format!("bands = [2.5, 5], {tag} = true }}"));
        quorate_query::codebook::read(&text, "b.toml").expect("a codebook")
    };
    let vec = |sql: &str, codebook: &quorate_query::codebook::Codebook| {
        let table = read(sql, codebook).expect("a question");
        let table = table.into_sole().expect("one table");
        vec_id(&table.measures[0], &table, codebook)
    };
    let mean = "SELECT avg(bmi) FROM person";
    let public = vec(mean, &with("missing_public"));
    assert_ne!(vec(mean, &hidden), public);
    assert_eq!(public, vec(mean, &with("required")));
    assert_eq!(
        public,
        vec("SELECT avg(bmi) FROM person WHERE bmi IS NOT NULL", &hidden)
    );
    let persons = "SELECT count(*) FROM person";
    assert_eq!(vec(persons, &hidden), vec(persons, &with("missing_public")));
}

#[test]
fn explanations_read_as_written_down() {
    let codebook = language();
    let mut now = String::new();
    for sql in TEXTS {
        let question = asked(sql);
        let _ = writeln!(now, "### {sql}\n{}", explain(&question, &codebook));
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path("tests/golden/explained.txt"), &now).expect("writing the golden file");
    }
    assert_eq!(text("tests/golden/explained.txt"), now);
}
