//! The committed corpus, replayed on every run. The test writes what the files should be into the
//! target folder, from where a new sample is copied.
//!
//! Files named `valid-*` are one sample of every message of protocol version 1. They must decode
//! to the same samples for ever: a change that breaks this test breaks deployed nodes.

use std::fs;
use std::path::PathBuf;

use quorate_wire::{Payload, fuzz_wire, sign, sign_question, signed_to_bytes};

use crate::samples::{self, key};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn valid() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("valid-question", samples::question().encode()),
        ("valid-answer", samples::answer().encode()),
        ("valid-refusal", samples::refusal().encode()),
        ("valid-result", samples::result().encode()),
        ("valid-hello", samples::hello().encode()),
        ("valid-stamp", samples::stamp().encode()),
        ("valid-checkpoint", samples::checkpoint().encode()),
        (
            "valid-checkpoint-proof",
            samples::checkpoint_with_proof().encode(),
        ),
        (
            "valid-answer-receipt",
            samples::answer_with_receipt().encode(),
        ),
        ("valid-enrol", samples::enrol().encode()),
        (
            "valid-signed-question",
            signed_to_bytes(&sign_question(&samples::question(), &key(21))),
        ),
        (
            "valid-signed-answer",
            signed_to_bytes(&sign(&samples::answer(), &key(11))),
        ),
    ]
}

/// Broken in ways that decoders of length-prefixed formats get wrong.
fn broken() -> Vec<(String, Vec<u8>)> {
    let mut files = vec![
        ("broken-empty".to_owned(), Vec::new()),
        ("broken-endless-varint".to_owned(), vec![0xff; 64]),
        (
            "broken-length-beyond-end".to_owned(),
            vec![0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, b'x'],
        ),
        ("broken-group".to_owned(), vec![0x0b; 300]),
        ("broken-utf8".to_owned(), vec![0x0a, 2, 0xc3, 0x28]),
        ("broken-nesting".to_owned(), nested(200)),
    ];
    for (name, bytes) in valid() {
        let half = bytes[..bytes.len() / 2].to_vec();
        files.push((name.replace("valid", "broken-half"), half));
        let mut twice = bytes.clone();
        twice.extend_from_slice(&bytes);
        files.push((name.replace("valid", "broken-twice"), twice));
    }
    files
}

/// Length-delimited field 1 within itself.
fn nested(depth: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..depth {
        let length = bytes.len();
        let mut outer = vec![0x0a];
        if length >= 128 {
            outer.push(u8::try_from(length % 128).unwrap() | 0x80);
        }
        outer.push(u8::try_from(if length >= 128 { length / 128 } else { length }).unwrap());
        outer.append(&mut bytes);
        bytes = outer;
    }
    bytes
}

#[test]
fn the_corpus_is_replayed() {
    let mut files = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let accepted = fuzz_wire(&bytes);
        assert!(
            accepted.is_some(),
            "{}: a round trip changed the message",
            path.display()
        );
        let must = path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("valid-");
        assert!(
            !must || accepted >= Some(1),
            "{}: no decoder accepts it",
            path.display()
        );
        files += 1;
    }
    assert!(
        files >= valid().len() + broken().len(),
        "only {files} files"
    );
}

#[test]
fn protocol_1_keeps_its_bytes() {
    let fresh = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("corpus");
    fs::create_dir_all(&fresh).unwrap();
    let valid = valid()
        .into_iter()
        .map(|(name, bytes)| (name.to_owned(), bytes));
    let files: Vec<_> = valid.chain(broken()).collect();
    for (name, bytes) in &files {
        fs::write(fresh.join(format!("{name}.bin")), bytes).unwrap();
    }
    for (name, bytes) in files {
        let committed = fs::read(folder().join(format!("{name}.bin"))).unwrap_or_default();
        assert!(
            committed == bytes,
            "{name}: the bytes of protocol version 1 have changed, or a new sample is missing \
             (it lies in {})",
            fresh.display()
        );
    }
}
