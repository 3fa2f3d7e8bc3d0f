//! Where results are written: a place that cannot be is told before anything is asked, and the file that
//! was wanted is the one that errors name.

use std::path::Path;

use crate::cli::{command, err, expect, joined, out, quorate};
use crate::world::SEXES;

/// What `quorate list` shows of questions that were asked.
fn asked(home: &Path) -> usize {
    let listed = quorate(home, &["list"]);
    expect(&listed, 0);
    out(&listed).lines().skip(1).count()
}

#[test]
fn nothing_is_asked_for_an_answer_that_has_no_place() {
    let network = joined();
    let home = network.home();
    let folder = network.file("nowhere");
    let inside = folder.join("result.json");
    let inside = inside.to_str().unwrap();
    for (option, word) in [("--out", "no such folder"), ("--plot", "no such folder")] {
        let failed = quorate(home, &["query", SEXES, option, inside]);
        expect(&failed, 1);
        let said = err(&failed);
        assert!(said.contains(word) && said.contains(inside), "{said}");
        assert!(said.contains("nothing was asked"), "{said}");
    }
    std::fs::create_dir(&folder).unwrap();
    let failed = quorate(home, &["query", SEXES, "--out", folder.to_str().unwrap()]);
    expect(&failed, 1);
    assert!(err(&failed).contains("it is a folder"), "{}", err(&failed));

    let picture = network.file("bars.png");
    let failed = quorate(home, &["query", SEXES, "--plot", picture.to_str().unwrap()]);
    expect(&failed, 64);
    assert!(err(&failed).contains("bars.svg"), "{}", err(&failed));
    let both = network.file("both.svg");
    let both = both.to_str().unwrap();
    expect(
        &quorate(home, &["query", SEXES, "--plot", both, "--out", both]),
        64,
    );
    assert_eq!(asked(home), 0);

    let written = network.file("result.json");
    let written = written.to_str().unwrap();
    expect(&quorate(home, &["query", SEXES, "--out", written]), 0);
    assert_eq!(asked(home), 1);
    // A file that is there is replaced whole.
    expect(&quorate(home, &["query", SEXES, "--out", written]), 0);
    expect(&quorate(home, &["verify", written]), 0);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_written_to_and_stays_what_it_is() {
    let network = joined();
    let home = network.home();
    let shown = quorate(
        home,
        &["query", SEXES, "--format", "csv", "--out", "/dev/stdout"],
    );
    expect(&shown, 0);
    assert!(out(&shown).starts_with("sex,"), "{}", out(&shown));
    let is_device = |path: &str| !std::fs::metadata(path).unwrap().is_file();
    let shown = quorate(home, &["query", SEXES, "--out", "/dev/null"]);
    expect(&shown, 0);
    assert!(is_device("/dev/null"));
    // A link still points where it did.
    let (real, link) = (network.file("real.json"), network.file("link.json"));
    std::fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    expect(
        &quorate(home, &["query", SEXES, "--out", link.to_str().unwrap()]),
        0,
    );
    assert!(link.symlink_metadata().unwrap().is_symlink());
    expect(&quorate(home, &["verify", real.to_str().unwrap()]), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure_and_the_answer_is_kept() {
    let network = joined();
    let home = network.home();
    let failed = quorate(home, &["query", SEXES, "--out", "/dev/full"]);
    expect(&failed, 1);
    let said = err(&failed);
    assert!(said.contains("cannot write /dev/full"), "{said}");
    let id = said.split("quorate fetch ").nth(1).unwrap().trim();
    let fetched = quorate(home, &["fetch", id]);
    expect(&fetched, 0);
    assert!(out(&fetched).contains("0 female"), "{}", out(&fetched));
    assert!(!std::fs::metadata("/dev/full").unwrap().is_file());
    // So it is where standard output leads to such a place.
    let full = || std::fs::File::options().write(true).open("/dev/full");
    for arguments in [&["catalog"][..], &["fetch", id], &["list"]] {
        let mut command = command(home, arguments);
        let failed = command.stdout(full().unwrap()).output().unwrap();
        expect(&failed, 1);
        let said = err(&failed);
        assert!(said.contains("standard output cannot be written"), "{said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_told_without_numbers_of_the_system() {
    let network = joined();
    let home = network.home();
    for arguments in [
        &["verify", "gone.json"][..],
        &["query", "--file", "gone.sql"],
        &[
            "query",
            "SELECT count(*) AS n FROM cohort",
            "--cohort",
            "gone.sql",
        ],
        &["codebook", "check", "gone.toml"],
    ] {
        let failed = quorate(home, arguments);
        expect(&failed, 1);
        let said = err(&failed);
        assert!(said.contains("there is no such file"), "{said}");
        assert!(
            said.contains("gone.") && !said.contains("os error"),
            "{said}"
        );
    }
    let wrong = network.file("mine.toml");
    std::fs::write(&wrong, "{").unwrap();
    let failed = quorate(home, &["codebook", "check", wrong.to_str().unwrap()]);
    expect(&failed, 1);
    assert!(err(&failed).contains("mine.toml:1:1"), "{}", err(&failed));
}

#[test]
fn a_command_that_cannot_end_well_asks_nobody() {
    let network = joined();
    let home = network.home();
    for (arguments, word) in [
        (
            &["query", SEXES, "--nodes", "brn"][..],
            "it has bern, cork, oslo",
        ),
        (&["query", SEXES, "--min-nodes", "9"], "more than the 3"),
        (
            &["query", SEXES, "--nodes", "bern", "--min-nodes", "2"],
            "more than the 1",
        ),
        (&["query", "study.sql"], "--file study.sql"),
        (&["query", "@study.sql"], "--file study.sql"),
    ] {
        let failed = quorate(home, arguments);
        expect(&failed, 64);
        assert!(err(&failed).contains(word), "{}", err(&failed));
    }
    assert_eq!(asked(home), 0);
}
