//! The worked study: every command of `docs/guides/study.md`, in its order, on the networks that it names.
//! What the page shows must be what the command says, but for the digits of numbers.

use std::path::Path;
use std::process::Command;

use quorate_testnet::demo;
use quorate_testnet::network::{Network, Options};

use crate::support;

/// A command of the page, the network that it is asked of, and the lines that it shows.
struct Step {
    network: String,
    command: String,
    shown: Vec<String>,
}

/// Files that the page tells to write, and its commands.
struct Page {
    files: Vec<(String, String)>,
    steps: Vec<Step>,
}

fn page() -> Page {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guides/study.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut files, mut steps) = (Vec::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let marker = line
            .strip_prefix("<!-- ")
            .and_then(|l| l.strip_suffix(" -->"));
        let Some((what, name)) = marker.and_then(|marker| marker.split_once(' ')) else {
            assert!(!line.starts_with("```"), "a block without a marker: {line}");
            continue;
        };
        assert!(lines.next().unwrap().starts_with("```"), "{line}");
        let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        match what {
            "file" => files.push((name.to_owned(), body.join("\n") + "\n")),
            "on" => commands(name, &body, &mut steps),
            _ => panic!("{line}"),
        }
    }
    Page { files, steps }
}

fn commands(network: &str, body: &[&str], steps: &mut Vec<Step>) {
    for line in body {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                network: network.to_owned(),
                command: command.to_owned(),
                shown: Vec::new(),
            });
        } else if *line != "…" {
            steps.last_mut().unwrap().shown.push((*line).to_owned());
        }
    }
}

/// The same words; where one has a digit, the other has one.
fn reads_like(line: &str, shown: &str) -> bool {
    let words =
        |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    let has_digit = |word: &str| word.chars().any(|c| c.is_ascii_digit());
    let (line, shown) = (words(line), words(shown));
    line.len() == shown.len()
        && line
            .iter()
            .zip(&shown)
            .all(|(a, b)| a == b || has_digit(a) && has_digit(b))
}

fn run(step: &Step, network: &Network, folder: &Path) {
    let exe = support::exe().display();
    let script = format!("quorate() {{ '{exe}' role cli \"$@\"; }}\n{}", step.command);
    let done = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder)
        .env("QUORATE_HOME", network.home("alice").unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    let place = format!(
        "$ {}\n{said}{}",
        step.command,
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(done.status.success(), "{place}");
    let mut lines = said.lines();
    for shown in &step.shown {
        assert!(
            lines.any(|line| reads_like(line, shown)),
            "`{shown}` is not in {place}"
        );
    }
}

/// Runs the steps of one network.
fn run_all(name: &str, network: &Network, folder: &Path, page: &Page) -> usize {
    for (file, text) in &page.files {
        std::fs::write(folder.join(file), text).unwrap();
    }
    let steps = page.steps.iter().filter(|step| step.network == name);
    steps.map(|step| run(step, network, folder)).count()
}

fn is_picture(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    text.starts_with("<svg") && text.ends_with("</svg>\n")
}

#[test]
fn the_worked_study_reads_as_its_page_says() {
    let page = page();
    let Some(data) = support::shared_data("heart-disease") else {
        return;
    };
    let network = support::start("heart-disease/spec.toml", &data);
    let folder = support::scratch();
    assert_eq!(run_all("heart", &network, &folder, &page), 7);
    assert!(is_picture(&folder.join("forest.svg")));
    for reader in READERS {
        read_in(&reader, &folder);
    }
}

/// Another language, and how `docs/analyses/reading.md` reads `ttest.arrow` in it.
struct Reader {
    language: &'static str,
    program: &'static str,
    flag: &'static str,
    /// What must be there for it.
    needs: &'static str,
    /// What the page says in its text.
    also: &'static str,
}

const READERS: [Reader; 2] = [
    Reader {
        language: "python",
        program: "python3",
        flag: "-c",
        needs: "import pandas, pyarrow",
        also: "print(statistics.pivot(index=['table', 'row'], columns='statistic', values='value').to_string())",
    },
    Reader {
        language: "r",
        program: "Rscript",
        flag: "-e",
        needs: "library(arrow)",
        also: "print(wide)",
    },
];

/// Runs the page's block over the file that the study has just written, if the language is here.
fn read_in(reader: &Reader, folder: &Path) {
    let run = |script: &str| {
        let named = format!("QUORATE_{}", reader.language.to_uppercase());
        let program = support::wish(&named).unwrap_or_else(|| reader.program.to_owned());
        let mut command = Command::new(program);
        command
            .args([reader.flag, script])
            .current_dir(folder)
            .output()
    };
    if !run(reader.needs).is_ok_and(|done| done.status.success()) {
        println!(
            "skipped: {} does not know `{}`",
            reader.program, reader.needs
        );
        return;
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/analyses/reading.md");
    let page = std::fs::read_to_string(path).unwrap();
    let fence = format!("```{}\n", reader.language);
    let block = page.split_once(&fence).unwrap().1;
    let block = block.split_once("```").unwrap().0;
    let done = run(&format!("{block}\n{}", reader.also)).unwrap();
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    let failed = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{said}{failed}");
    for word in ["value", "lower", "welch", "standard_error"] {
        assert!(
            said.contains(word),
            "{} says no {word}: {said}",
            reader.language
        );
    }
}

#[test]
fn the_curves_of_the_worked_study_are_those_of_its_page() {
    let place = support::scratch();
    demo::prepare(&place).unwrap();
    let options = Options::new(support::exe())
        .set("DATA", &place.join("data").display().to_string())
        .folder(&support::scratch());
    let network = Network::start(&place.join("spec/spec.toml"), &options).unwrap();
    let folder = support::scratch();
    assert_eq!(run_all("hospitals", &network, &folder, &page()), 1);
    assert!(is_picture(&folder.join("survival.svg")));
}
