//! The first minute: four made-up hospitals, three questions, three tables.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::Signals;
use crate::generate::{self, model::HOSPITALS, tables::tables, write};
use crate::network::{Network, Options};
use crate::print;

/// The shipped spec, codebook and template of a policy, so that the binary works anywhere.
const FILES: [(&str, &str); 3] = [
    ("spec.toml", include_str!("../specs/omop/spec.toml")),
    ("codebook.toml", include_str!("../specs/omop/codebook.toml")),
    ("node.toml", include_str!("../specs/omop/node.toml")),
];

/// What a researcher asks: in words, in SQL, and whether each hospital's value is shown.
pub const QUESTIONS: [(&str, &str, bool); 3] = [
    (
        "How many patients do the four hospitals have, by sex, and when were they born?",
        "SELECT gender_concept_id, count(*) AS patients, avg(year_of_birth) AS born\nFROM person\nGROUP BY gender_concept_id",
        false,
    ),
    (
        "How many patients had each condition? Rare ones are withheld by the hospital that has them.",
        "SELECT condition_concept_id, count(DISTINCT person_id) AS patients, count(*) AS records\nFROM condition_occurrence\nGROUP BY condition_concept_id\nORDER BY patients DESC",
        true,
    ),
    (
        "What is the systolic pressure of patients who took metformin, by sex?",
        "SELECT p.gender_concept_id, avg(m.value_as_number) AS systolic, stddev(m.value_as_number) AS sd,\n       count(DISTINCT m.person_id) AS patients\nFROM measurement m JOIN person p ON m.person_id = p.person_id\nWHERE m.measurement_concept_id IN set.sbp\n  AND m.person_id IN (SELECT person_id FROM drug_exposure WHERE drug_concept_id IN set.metformin)\nGROUP BY p.gender_concept_id",
        false,
    ),
];

/// Generates, starts, asks, shows; with `keep` stays up.
///
/// # Errors
/// When a party cannot be started or a question is not answered.
pub fn run(exe: &Path, keep: bool) -> anyhow::Result<ExitCode> {
    let signals = if keep { Some(Signals::listen()?) } else { None };
    let dir = tempfile::Builder::new()
        .prefix("quorate-hospitals-")
        .tempdir()?;
    print::note("generating four hospitals with different case mix ...");
    prepare(dir.path())?;
    print::note("keys, roster and certificates; starting a coordinator and four nodes ...");
    let options = Options::new(exe)
        .set("DATA", &dir.path().join("data").display().to_string())
        .folder(&dir.path().join("network"));
    let mut network = Network::start(&dir.path().join("spec/spec.toml"), &options)?;
    for (index, (words, sql, by_site)) in (1..).zip(QUESTIONS) {
        print::out(&format!("\n{index}. {words}\n\n{}\n", indent(sql)));
        let mut args = vec!["query", sql];
        if by_site {
            args.push("--by-site");
        }
        let done = network.quorate("alice", args)?;
        if done.code != Some(0) {
            anyhow::bail!(
                "question {index} was not answered:\n{}{}",
                done.stdout,
                done.stderr
            );
        }
        print::text(&done.stdout);
    }
    if let Some(signals) = signals {
        print::out(&how_to_go_on(exe, &network));
        signals.wait();
    } else {
        print::out(
            "\nThat was it; everything is stopped. Stay up and ask your own: add `-- --keep`.",
        );
    }
    network.stop();
    Ok(ExitCode::SUCCESS)
}

/// Spec files and data.
///
/// # Errors
/// When the folder cannot be written.
pub fn prepare(dir: &Path) -> anyhow::Result<()> {
    let spec = dir.join("spec");
    std::fs::create_dir_all(&spec)?;
    for (name, text) in FILES {
        std::fs::write(spec.join(name), text)?;
    }
    for (place, hospital) in (0..).zip(&HOSPITALS) {
        let people = generate::patients(1, place, hospital, 100);
        let folder = dir.join("data").join(hospital.name);
        write::write(&tables(&people), &folder, write::Format::Csv)?;
    }
    Ok(())
}

fn indent(text: &str) -> String {
    text.lines()
        .map(|line| format!("    {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn how_to_go_on(exe: &Path, network: &Network) -> String {
    let home = network
        .home("alice")
        .map(|home| home.display().to_string())
        .unwrap_or_default();
    let exe = exe.display();
    format!(
        "\nThe network stays up in {dir} until you press Ctrl-C. In another terminal:\n\n    \
         export QUORATE_HOME={home}\n    \
         {exe} role cli catalog\n    \
         {exe} role cli query \"SELECT count(*) FROM person WHERE year_of_birth < 1961\" --by-site\n    \
         {exe} role cli check \"SELECT year_of_birth, count(*) FROM person GROUP BY year_of_birth\"\n    \
         {exe} role cli analyse ttest --value year_of_birth --by gender_concept_id\n\n\
         As a custodian, and as the operator:\n\n    \
         {exe} role node history --dir {dir}/nodes/northfield\n    \
         {exe} role coordinator questions --dir {dir}/coordinator\n\n\
         `{exe} role cli` is the command `quorate` (cargo run -q -p quorate-sdk --bin quorate -- ...).\n\
         What each party wrote: {dir}/logs",
        dir = network.dir.display()
    )
}
