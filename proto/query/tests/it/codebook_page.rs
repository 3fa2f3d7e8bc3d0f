//! The page about codebooks: its samples are one valid codebook, and it explains every key.

use std::collections::BTreeSet;
use std::path::Path;

use quorate_query::codebook::{inline_sets, read};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/codebook.md");
    std::fs::read_to_string(path).unwrap()
}

fn samples(page: &str) -> String {
    let blocks = page.split("```toml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap())
        .collect()
}

fn whole() -> String {
    let load = |path: &str| match path {
        "hba1c.csv" => Ok("measurement_concept_id,name\n3004410,HbA1c\n".to_owned()),
        other => Err(format!("there is no {other}")),
    };
    inline_sets(&samples(&page()), "codebook.md", load)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

#[test]
fn the_samples_are_one_valid_codebook() {
    let book = read(&whole(), "docs/codebook.md").unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(book.tables.len(), 3);
    assert_eq!(book.sets.len(), 2);
    assert_eq!(
        book.tables["measurement"].columns["value_as_number"]
            .when
            .len(),
        2
    );
    assert_eq!(
        book.release,
        quorate_query::release::ReleaseParams::default()
    );
}

/// Puts an unknown key into every kind of table; the messages list the keys that are known there.
#[test]
fn every_key_is_explained() {
    let mut text = whole();
    for header in [
        "[codebook]\n",
        "[release]\n",
        "[table.measurement]\n",
        "[set.sbp]\n",
        "[[core]]\n",
        "[table.measurement.column.value_as_number]\n",
    ] {
        assert!(text.contains(header), "{header}");
        text = text.replacen(header, &format!("{header}zzzzzzzz = 1\n"), 1);
    }
    text = text.replacen("{ set = \"sbp\",", "{ zzzzzzzz = 1, set = \"sbp\",", 1);
    let mistakes = read(&text, "page").unwrap_err().to_string();
    assert_eq!(mistakes.lines().count(), 7, "{mistakes}");
    let listed = mistakes
        .lines()
        .filter_map(|line| line.split_once("known here: "));
    let keys: BTreeSet<&str> = listed
        .flat_map(|(_, keys)| keys.split(", "))
        .map(|key| key.trim_matches('`'))
        .collect();
    assert!(keys.len() > 25, "{keys:?}");
    let page = page();
    for key in keys {
        assert!(
            page.contains(&format!("`{key}`")),
            "docs/codebook.md does not explain `{key}`"
        );
    }
}
