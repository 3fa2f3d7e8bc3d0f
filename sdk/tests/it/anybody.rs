//! Results in the hands of somebody who has no profile: the founders' keys are enough.

use std::path::Path;

use quorate_identity::SigningKey;
use serde_json::Value;

use crate::cli::{err, expect, joined, out, quorate};
use crate::world::SEXES;

/// Whoever is handed a result needs nothing but the founders' keys: no profile, no network, no codebook.
#[test]
fn anybody_verifies_who_knows_the_founders() {
    let network = joined();
    let file = network.file("result.json");
    let path = file.to_str().unwrap();
    let ask = ["query", SEXES, "--out", path];
    expect(&quorate(network.home(), &ask), 0);
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = |args: &[&str]| quorate(elsewhere.path(), args);
    let genesis = network.genesis.as_str();

    let told = stranger(&["verify", path, "--genesis", genesis]);
    expect(&told, 0);
    for words in [
        "founders you named",
        "equal to the byte",
        "revoked since are not known",
    ] {
        assert!(out(&told).contains(words), "{words}: {}", out(&told));
    }
    let left = std::fs::read_dir(elsewhere.path()).unwrap().count();
    assert_eq!(left, 0, "nothing is kept");

    let unnamed = stranger(&["verify", path]);
    expect(&unnamed, 1);
    assert!(err(&unnamed).contains("--genesis"), "{}", err(&unnamed));
    let others = SigningKey::from_seed(&[77; 32]).unwrap();
    let foreign = stranger(&["verify", path, "--genesis", others.key_id().as_str()]);
    expect(&foreign, 5);
    assert_eq!(out(&foreign), "");
    expect(&stranger(&["verify", path, "--genesis", "ed25519:no"]), 64);

    // The codebook in the file is believed for its digest only.
    let text = std::fs::read_to_string(&file).unwrap();
    let mut document: Value = serde_json::from_str(&text).unwrap();
    let codebook = document["codebook"].as_str().unwrap().to_owned();
    document["codebook"] = format!("{codebook}# altered\n").into();
    std::fs::write(&file, document.to_string()).unwrap();
    let altered = stranger(&["verify", path, "--genesis", genesis]);
    assert_ne!(altered.status.code(), Some(0));
    assert_eq!(out(&altered), "");
    document.as_object_mut().unwrap().remove("codebook");
    std::fs::write(&file, document.to_string()).unwrap();
    let lacking = stranger(&["verify", path, "--genesis", genesis]);
    expect(&lacking, 1);
    assert!(err(&lacking).contains("codebook"), "{}", err(&lacking));
    let book = network.file("book.toml");
    std::fs::write(&book, codebook).unwrap();
    let book = book.to_str().unwrap();
    let given = stranger(&["verify", path, "--genesis", genesis, "--codebook", book]);
    expect(&given, 0);
}

/// The roster that somebody else holds shows what was revoked since, and must be the same history.
#[test]
fn a_roster_beside_the_result_is_the_same_history() {
    let network = joined();
    let file = network.file("result.json");
    let path = file.to_str().unwrap();
    expect(
        &quorate(network.home(), &["query", SEXES, "--out", path]),
        0,
    );
    network.grow();
    expect(&quorate(network.home(), &["query", SEXES]), 0);
    let elsewhere = tempfile::tempdir().unwrap();
    let log = network.home().join("roster.log");
    let with = |log: &Path| {
        let log = log.to_str().unwrap();
        let args = [
            "verify",
            path,
            "--genesis",
            &network.genesis,
            "--roster",
            log,
        ];
        quorate(elsewhere.path(), &args)
    };
    let newer = with(&log);
    expect(&newer, 0);
    assert!(!out(&newer).contains("not known"), "{}", out(&newer));
    let text = std::fs::read_to_string(&log).unwrap();
    let forged = network.file("forged.log");
    let lines: Vec<&str> = text.lines().collect();
    std::fs::write(&forged, lines[1..].join("\n")).unwrap();
    expect(&with(&forged), 5);
    expect(&with(&network.file("absent.log")), 1);
}

/// Files from elsewhere are held in memory only if they can be what they are said to be.
#[test]
fn files_that_are_too_long_are_refused_by_name() {
    let elsewhere = tempfile::tempdir().unwrap();
    let stranger = |args: &[&str]| quorate(elsewhere.path(), args);
    let key = SigningKey::from_seed(&[7; 32]).unwrap();
    let genesis = ["--genesis", key.key_id().as_str()];
    // A file with nothing in it takes no room, however long it is.
    let long = |name: &str, bytes: u64| {
        let path = elsewhere.path().join(name);
        std::fs::File::create(&path)
            .unwrap()
            .set_len(bytes)
            .unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (result, short) = (long("result.json", (64 << 20) + 1), long("short.json", 10));
    for args in [
        vec!["verify", result.as_str()],
        vec!["lineage", result.as_str()],
        vec!["audit", result.as_str()],
        vec!["audit", "--roster", result.as_str(), short.as_str()],
    ] {
        let told = stranger(&[args.as_slice(), &genesis].concat());
        expect(&told, 1);
        let named = err(&told).contains("result.json: it has more than 67108864 bytes");
        assert!(named, "{args:?}: {}", err(&told));
        assert_eq!(out(&told), "");
    }
    #[cfg(unix)]
    {
        let told = stranger(&[["verify", "/dev/zero"].as_slice(), &genesis].concat());
        assert!(
            err(&told).contains("/dev/zero: it has more than"),
            "{}",
            err(&told)
        );
    }
}
