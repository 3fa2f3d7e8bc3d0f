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
    Ok(())
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
        Some(path) => write(path, &bytes)?,
        None => ui::data(&bytes),
    }
    if format != Format::Table || args.out.is_some() {
        ui::say(render::table::footer(document).trim_end());
    }
    Ok(())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failed = |error: profile::ProfileError| Failure::new(Exit::Failed, error.to_string());
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
        Ok(svg) => write(path, svg.as_bytes()),
        // Why there is no answer has been said.
        Err(NoPicture::NoAnswer) => Ok(()),
        Err(nothing) => Err(Failure::new(Exit::Failed, nothing.to_string())),
    }
}
