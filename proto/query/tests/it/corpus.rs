//! Replays the committed corpus of hostile and odd texts through the fuzz entry point.

use crate::common::{language, path};
use quorate_query::sql;

#[test]
fn every_text_of_the_corpus_is_read_or_refused_properly() {
    let codebook = language();
    let mut replayed = 0;
    for entry in std::fs::read_dir(path("tests/corpus/sql")).expect("the corpus") {
        let file = entry.expect("a file").path();
        let bytes = std::fs::read(&file).expect("a readable file");
        assert_eq!(sql::fuzz(&bytes, &codebook), Ok(()), "{}", file.display());
        replayed += 1;
    }
    assert!(replayed >= 40, "only {replayed} texts in the corpus");
}

#[test]
fn long_chains_within_the_limits_do_not_exhaust_a_small_stack() {
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    let thread = small.spawn(|| {
        let codebook = language();
        for (unit, times) in [
            (" + 1", 700),
            (" IS NULL", 600),
            (" AND sex = 1", 350),
            (" -", 1400),
            ("::int", 700),
        ] {
            for head in [
                "SELECT count(*)",
                "SELECT count(*) FROM person WHERE sex = 1",
            ] {
                let text = format!("{head}{}", unit.repeat(times));
                assert_eq!(
                    sql::fuzz(text.as_bytes(), &codebook),
                    Ok(()),
                    "{unit} {times}"
                );
            }
        }
    });
    assert!(thread.expect("a thread").join().is_ok());
}
