//! `quorate codebook`: check, draft and compare codebooks.

use std::path::{Path, PathBuf};

use quorate_query::codebook::{self, Codebook};

use super::args::CodebookCommand;
use super::exit::{Exit, Failure};
use super::{text, ui};
use crate::profile;
use crate::sample::sample;

/// Runs the command.
pub(crate) fn run(command: &CodebookCommand) -> Result<Exit, Failure> {
    match command {
        CodebookCommand::Check { file } => check(file),
        CodebookCommand::Draft { files, name, out } => draft(files, name, out.as_deref()),
        CodebookCommand::Diff { old, new } => diff(old, new),
    }
}

fn check(file: &Path) -> Result<Exit, Failure> {
    let (_, codebook) = text::codebook_file(file)?;
    ui::data(summary(&codebook).as_bytes());
    Ok(Exit::Answered)
}

fn draft(files: &[PathBuf], name: &str, out: Option<&Path>) -> Result<Exit, Failure> {
    let samples = files
        .iter()
        .map(|file| sample(file))
        .collect::<Result<Vec<_>, _>>()?;
    let text = codebook::draft(name, &samples);
    match out {
        Some(path) => {
            profile::replace(path, text.as_bytes())?;
            ui::say(&format!(
                "written: {}; add roles, then quorate codebook check {0}",
                path.display()
            ));
        }
        None => ui::data(text.as_bytes()),
    }
    Ok(Exit::Answered)
}

fn summary(codebook: &Codebook) -> String {
    let columns: usize = codebook
        .tables
        .values()
        .map(|table| table.columns.len())
        .sum();
    format!(
        "{} version {}: {} tables, {columns} columns, {} sets\n{}\n",
        codebook.name,
        codebook.version,
        codebook.tables.len(),
        codebook.sets.len(),
        codebook.digest
    )
}

fn diff(old: &Path, new: &Path) -> Result<Exit, Failure> {
    let (_, old) = text::codebook_file(old)?;
    let (_, new) = text::codebook_file(new)?;
    let changes = crate::diff::compare(&old, &new);
    ui::data(changes.as_bytes());
    Ok(Exit::Answered)
}
