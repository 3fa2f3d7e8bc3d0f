//! Writing a result where it was wanted, in the format that was wanted.

use std::path::Path;

use super::args::{Format, Picture, ShowArgs};
use super::exit::{Exit, Failure};
use super::ui;
use crate::document::Document;
use crate::profile;
use crate::render::plot::{self, NoPicture};
use crate::render::{self, table::Look};

/// The format: as named, else as the file's ending says, else a table.
pub(crate) fn format(args: &ShowArgs) -> Format {
    let ending = args
        .out
        .as_deref()
        .and_then(Path::extension)
        .and_then(|ending| ending.to_str());
    args.format.unwrap_or(match ending {
        Some("json") => Format::Json,
        Some("csv") => Format::Csv,
        Some("arrow" | "ipc" | "feather") => Format::Arrow,
        Some("parquet") => Format::Parquet,
        _ => Format::Table,
    })
}

/// Refuses what cannot end well, before anything is asked.
pub(crate) fn check(args: &ShowArgs) -> Result<(), Failure> {
    let binary = matches!(format(args), Format::Arrow | Format::Parquet);
    if binary && args.out.is_none() && ui::stdout_is_terminal() {
        return Err(Failure::usage(
            "this format is binary: add --out FILE, or send it to another program",
        ));
    }
    for path in args.out.iter().chain(&args.plot) {
        writable(path)?;
    }
    if args.plot.is_some() && args.plot == args.out {
        return Err(Failure::usage(
            "--out and --plot name the same file: give each its own",
        ));
    }
    let is_svg = |path: &Path| path.extension().is_none_or(|ending| ending == "svg");
    if let Some(path) = args.plot.as_deref().filter(|path| !is_svg(path)) {
        return Err(Failure::usage(format!(
            "pictures are drawn as SVG: write --plot {}",
            path.with_extension("svg").display()
        )));
    }
    Ok(())
}

/// Whether a file could be written there: a question is not asked for an answer that has no place.
fn writable(path: &Path) -> Result<(), Failure> {
    let failed = |why: &str| {
        let message = format!("cannot write {}: {why}; nothing was asked", path.display());
        Err(Failure::new(Exit::Failed, message))
    };
    if path.is_dir() {
        return failed("it is a folder");
    }
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match folder.map(Path::is_dir) {
        Some(false) => failed("there is no such folder"),
        _ => Ok(()),
    }
}

/// Writes a result.
pub(crate) fn result(document: &Document, args: &ShowArgs) -> Result<(), Failure> {
    let format = format(args);
    let answered = document.status == "answered";
    let statistics = document.analysis.is_some() && !args.cells;
    let terminal = args.out.is_none() && ui::stdout_is_terminal();
    let table = |color| {
        render::table::render(
            document,
            Look {
                by_site: args.by_site,
                color,
            },
        )
    };
    let bytes = match format {
        Format::Table => table(terminal).into_bytes(),
        Format::Json => render::json(document)?.into_bytes(),
        // Without an answer there is no table to write; what there is to say goes to standard error.
        Format::Csv | Format::Arrow | Format::Parquet if !answered => {
            ui::say(table(ui::stderr_is_terminal()).trim_end());
            return Ok(());
        }
        Format::Csv if statistics => render::statistics::csv(document)?,
        Format::Arrow if statistics => render::statistics::ipc(document)?,
        Format::Parquet if statistics => render::statistics::parquet(document)?,
        Format::Csv => render::csv::render(document)?,
        Format::Arrow => render::arrow::ipc(document)?,
        Format::Parquet => render::arrow::parquet(document)?,
    };
    match &args.out {
        Some(path) => write(path, &bytes, document)?,
        None => ui::data(&bytes),
    }
    if format != Format::Table || args.out.is_some() {
        ui::say(render::table::footer(document).trim_end());
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8], document: &Document) -> Result<(), Failure> {
    let failed = |error: profile::ProfileError| {
        let question = document.question.as_ref();
        let kept =
            question.map(|question| format!("; the answer is kept: quorate fetch {}", question.id));
        let error = Failure::from(error);
        let message = format!("cannot write {error}{}", kept.unwrap_or_default());
        Failure::new(Exit::Failed, message)
    };
    profile::replace(path, bytes).map_err(failed)?;
    ui::say(&format!("written: {}", path.display()));
    Ok(())
}

/// Draws a result where that was wanted. The document holds each node's own values.
pub(crate) fn picture(document: &Document, args: &ShowArgs) -> Result<(), Failure> {
    let Some(path) = &args.plot else {
        return Ok(());
    };
    let wanted = args.picture.map(|picture| match picture {
        Picture::Bars => plot::Picture::Bars,
        Picture::Boxes => plot::Picture::Boxes,
        Picture::Forest => plot::Picture::Forest,
        Picture::Survival => plot::Picture::Survival,
        Picture::Coverage => plot::Picture::Coverage,
    });
    match plot::draw(document, wanted, args.title.as_deref()) {
        Ok(svg) => write(path, svg.as_bytes(), document),
        // Why there is no answer has been said.
        Err(NoPicture::NoAnswer) => Ok(()),
        Err(nothing) => Err(Failure::new(Exit::Failed, nothing.to_string())),
    }
}
