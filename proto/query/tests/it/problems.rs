//! Walks the problem table: shape of every code and sentence, the page, and the sources.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use quorate_query::problem::{Code, Family, table};

use crate::common::path;

#[test]
fn every_line_of_the_table_is_complete() {
    let mut seen = BTreeSet::new();
    let mut last: Option<(Family, Code)> = None;
    for entry in table() {
        let code = entry.code.0;
        assert!(seen.insert(code), "{code} is there twice");
        assert_eq!(Code::parse(code), Some(entry.code));
        assert_eq!(entry.code.entry(), Some(entry));
        let family = entry
            .code
            .family()
            .unwrap_or_else(|| panic!("{code} has no family"));
        let digits = code.strip_prefix(family.letter()).expect("a letter");
        assert!(
            digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()),
            "{code}"
        );
        assert!(last < Some((family, entry.code)), "{code} is out of order");
        last = Some((family, entry.code));
        for sentence in [entry.caller, entry.custodian] {
            assert!(
                sentence.len() > 15 && sentence.len() < 160,
                "{code}: {sentence}"
            );
            let plain = !sentence.ends_with('.') && !sentence.contains(['\n', '{', '}', '|']);
            assert!(plain, "{code}: {sentence}");
            assert!(
                !sentence.starts_with(char::is_uppercase),
                "{code}: {sentence}"
            );
        }
        assert!(entry.title.len() < 30 && !entry.title.is_empty(), "{code}");
    }
    for family in Family::ALL {
        assert!(
            seen.iter().any(|code| code.starts_with(family.letter())),
            "{family:?}"
        );
    }
    assert_eq!(Code::parse("V999"), None);
    assert_eq!(Code::parse(""), None);
}

#[test]
fn the_page_is_the_table() {
    let page = path("../../docs/problems.md");
    let want = page_text();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&page, &want).expect("writing the page");
    }
    let have = std::fs::read_to_string(&page).expect("docs/problems.md");
    assert_eq!(
        have, want,
        "docs/problems.md differs; run with UPDATE_GOLDEN=1"
    );
}

fn page_text() -> String {
    let mut page = String::from(
        "# Problem codes\n\n\
         <!-- Written from proto/query/src/problem_table.rs: UPDATE_GOLDEN=1 cargo test -p quorate-query --test it problems -->\n\n\
         Whatever is refused has a code that never changes its meaning. A code depends on the question, on signed\n\
         standing and on public policy, never on data; why a *cell* is withheld has no code at all. The caller sees\n\
         the first sentence (a V code comes with a more exact one, the place in the text and what to write\n\
         instead); the custodian's own log has the second.\n",
    );
    let mut family = None;
    for entry in table() {
        if entry.code.family() != family {
            family = entry.code.family();
            let title = family.map_or("", heading);
            let _ = write!(
                page,
                "\n## {title}\n\n| Code | What | The caller reads | The custodian's log says | Whose turn |\n|---|---|---|---|---|\n"
            );
        }
        let turn = entry.turn.word();
        let _ = writeln!(
            page,
            "| {} | {} | {} | {} | {turn} |",
            entry.code, entry.title, entry.caller, entry.custodian
        );
    }
    page
}

fn heading(family: Family) -> &'static str {
    match family {
        Family::Question => "V: the question as written",
        Family::Identity => "A: identity, freshness, roster",
        Family::Approval => "G: approval and project",
        Family::Codebook => "C: codebook and tables held",
        Family::Limits => "L: limits of a node",
        Family::Quorum => "X: quorum and fate of a question",
        Family::Internal => "E: our own fault",
    }
}

/// A code that some source makes must be in the table: `Code("...")` can hold anything.
#[test]
fn every_code_that_a_source_makes_is_in_the_table() {
    let root = path("../..");
    let mut found = 0;
    for folder in [
        "proto",
        "node-agent/src",
        "coordinator/src",
        "sdk/src",
        "testnet/src",
    ] {
        for file in sources(&root.join(folder)) {
            if file.components().any(|part| part.as_os_str() == "tests") {
                continue;
            }
            let text = std::fs::read_to_string(&file).expect("a source");
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            for made in text.split("Code(\"").skip(1) {
                let code = made.split('"').next().unwrap_or_default();
                let unknown = format!("{}: {code} is not in the table", file.display());
                assert!(Code::parse(code).is_some(), "{unknown}");
                found += 1;
            }
        }
    }
    assert!(
        found > 0,
        "no source makes a code: does this test look in the right place?"
    );
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
    files
}
