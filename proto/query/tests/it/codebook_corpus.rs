//! The committed corpus of codebook texts, and small changes to it, through the fuzz entry point.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use quorate_query::codebook::fuzz;

fn corpus() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/codebook");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn the_corpus_keeps_every_promise() {
    let corpus = corpus();
    assert!(corpus.len() >= 12, "the corpus is gone");
    for (path, bytes) in corpus {
        fuzz(&bytes).unwrap_or_else(|broken| panic!("{}: {broken}", path.display()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Cut a piece out of one file and put a piece of another in its place.
    #[test]
    fn spliced_files_keep_every_promise(
        (a, b) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        cuts in (0..1000_usize, 0..200_usize, 0..1000_usize, 0..200_usize),
        junk in prop_oneof![Just(Vec::new()), prop::collection::vec(any::<u8>(), 0..8)],
    ) {
        let corpus = corpus();
        let (a, b) = (&a.get(&corpus).1, &b.get(&corpus).1);
        // Places and lengths in thousandths of a file.
        let piece = |bytes: &[u8], from: usize, length: usize| {
            let start = bytes.len() * from / 1000;
            (start, (start + bytes.len() * length / 1000).min(bytes.len()))
        };
        let (start, end) = piece(a, cuts.0, cuts.1);
        let (from, to) = piece(b, cuts.2, cuts.3);
        let spliced = [&a[..start], &junk, &b[from..to], &a[end..]].concat();
        if let Err(broken) = fuzz(&spliced) {
            prop_assert!(false, "{}", broken);
        }
    }
}
