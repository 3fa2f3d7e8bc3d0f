//! A result as a picture: SVG that our own code writes, from the document alone.
//!
//! Which picture is chosen by what the document holds, unless the reader names one. The same document
//! is the same bytes. Nothing is drawn as zero that was withheld, and what protection leaves open is
//! drawn beside what is known.

mod axis;
mod bars;
mod boxes;
mod coverage;
mod forest;
mod page;
mod survival;
mod svg;

use quorate_query::analyses::{Grid, Line};

use self::forest::{About, Item, Mark};
use self::page::Page;
use crate::document::{AnalysisInfo, Cell, Column, Document};
use crate::render::key_text;

/// Kinds of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Picture {
    /// Counts by one key.
    Bars,
    /// Boxes of quartiles.
    Boxes,
    /// Estimates with their intervals.
    Forest,
    /// Curves of survival.
    Survival,
    /// Who answered and what was withheld.
    Coverage,
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPicture {
    /// The question has no answer.
    #[error("there is no answer to draw")]
    NoAnswer,
    /// The document has no such picture.
    #[error("there is nothing to draw as {0}: {1}")]
    NotThis(&'static str, &'static str),
}

/// A number with the limits that protection leaves it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Value {
    value: f64,
    low: Option<f64>,
    high: Option<f64>,
}

impl Value {
    fn low(&self) -> f64 {
        self.low.unwrap_or(f64::NEG_INFINITY)
    }

    fn high(&self) -> f64 {
        self.high.unwrap_or(f64::INFINITY)
    }

    /// The upper limit; the value where there is none.
    fn high_or_value(&self) -> f64 {
        self.high.unwrap_or(self.value)
    }

    fn is_exact(&self) -> bool {
        let same = |end: Option<f64>| end.is_some_and(|end| end.total_cmp(&self.value).is_eq());
        same(self.low) && same(self.high)
    }

    /// Three digits, for a label.
    fn short(&self) -> String {
        short(self.value)
    }
}

/// A number with three digits, or its whole part.
fn short(value: f64) -> String {
    digits(value, 0)
}

/// A number with three digits and `more`.
fn digits(value: f64, more: usize) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "–" } else { "∞" }.to_owned();
    }
    let size = value.abs();
    let places = [100.0, 10.0, 1.0, 0.1, 0.01]
        .iter()
        .position(|limit| size >= *limit);
    let text = match places {
        Some(places) => format!("{value:.*}", places + more),
        None if size == 0.0 => "0".to_owned(),
        None => format!("{value:.1e}"),
    };
    text.replacen('-', "−", 1)
}

/// Numbers of a line of an analysis, by column.
fn values<const N: usize>(line: &Line, columns: [&str; N]) -> [Option<Value>; N] {
    let number = |text: Option<&String>| text.and_then(|text| text.parse::<f64>().ok());
    columns.map(|column| {
        let entry = line.values.get(column)?;
        Some(Value {
            value: number(entry.value.as_ref())?,
            low: number(entry.lower.as_ref()),
            high: number(entry.upper.as_ref()),
        })
    })
}

/// The number of a cell; none where it was withheld.
fn cell_value(cell: &Cell) -> Option<Value> {
    let number = cell.number.as_ref()?;
    let parse = |text: Option<&String>| text.and_then(|text| text.parse::<f64>().ok());
    Some(Value {
        value: parse(Some(&number.value))?,
        low: parse(number.lower.as_ref()),
        high: parse(number.upper.as_ref()),
    })
}

/// Draws a document; `wanted` is the kind of picture, `title` what to call it.
///
/// # Errors
/// If the document has no answer or nothing that can be drawn so.
pub fn draw(
    document: &Document,
    wanted: Option<Picture>,
    title: Option<&str>,
) -> Result<String, NoPicture> {
    if document.status != "answered" {
        return Err(NoPicture::NoAnswer);
    }
    match wanted {
        Some(Picture::Bars) => bins(document, title)
            .or_else(|| bars(document, title))
            .ok_or(NoPicture::NotThis(
                "bars",
                "it needs one key and a column of counts",
            )),
        Some(Picture::Boxes) => boxes(document, title).ok_or(NoPicture::NotThis(
            "boxes",
            "it needs the quartiles of the analysis `boxplot`",
        )),
        Some(Picture::Forest) => forest(document, title).ok_or(NoPicture::NotThis(
            "a forest plot",
            "it needs estimates with intervals, or means by one key",
        )),
        Some(Picture::Survival) => survival(document, title).ok_or(NoPicture::NotThis(
            "survival",
            "it needs the curves of the analysis `survival`",
        )),
        Some(Picture::Coverage) => coverage(document, title).ok_or(NoPicture::NotThis(
            "coverage",
            "no node was asked, or there are no cells",
        )),
        None => survival(document, title)
            .or_else(|| boxes(document, title))
            .or_else(|| bins(document, title))
            .or_else(|| {
                document
                    .analysis
                    .as_ref()
                    .and_then(|_| forest(document, title))
            })
            .or_else(|| bars(document, title))
            .or_else(|| forest(document, title))
            .or_else(|| coverage(document, title))
            .ok_or(NoPicture::NotThis("a picture", "there are no cells")),
    }
}

/// What an analysis is about, in its own words.
fn asked(analysis: &AnalysisInfo) -> String {
    let name = analysis.name.split('/').next().unwrap_or_default();
    let hidden = ["confidence", "table", "standard", "rates"];
    let arguments = analysis
        .arguments
        .iter()
        .filter(|(name, _)| !hidden.contains(&name.as_str()));
    let words: Vec<String> = arguments
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    format!("{name}: {}", words.join(", "))
}

fn survival(document: &Document, title: Option<&str>) -> Option<String> {
    let analysis = document.analysis.as_ref()?;
    survival::draw(
        document,
        analysis,
        Page::new(document, &asked(analysis), title),
    )
}

/// A table of an analysis.
fn table<'a>(document: &'a Document, name: &str) -> Option<&'a Grid> {
    let analysis = document.analysis.as_ref()?;
    let mut tables = analysis.report.tables.iter();
    tables.find(|grid| grid.name == name)
}

/// The column that an analysis is about.
fn value_of(analysis: &AnalysisInfo) -> &str {
    analysis
        .arguments
        .get("value")
        .map_or("value", String::as_str)
}

fn boxes(document: &Document, title: Option<&str>) -> Option<String> {
    let analysis = document.analysis.as_ref()?;
    let page = Page::new(document, &asked(analysis), title);
    boxes::draw(
        document,
        page,
        table(document, "boxes")?,
        value_of(analysis),
    )
}

fn bins(document: &Document, title: Option<&str>) -> Option<String> {
    let analysis = document.analysis.as_ref()?;
    let page = Page::new(document, &asked(analysis), title);
    bars::panels(document, page, table(document, "bins")?, value_of(analysis))
}

fn coverage(document: &Document, title: Option<&str>) -> Option<String> {
    coverage::draw(
        document,
        Page::new(document, "Who answered, and what was withheld", title),
    )
}

/// The only key of a table.
fn only_key(document: &Document) -> Option<&Column> {
    let mut keys = document.columns.iter().filter(|column| column.is_key());
    let key = keys.next()?;
    keys.next().is_none().then_some(key)
}

fn bars(document: &Document, title: Option<&str>) -> Option<String> {
    let key = only_key(document)?;
    let measure = document.columns.iter().find(|column| column.is_count())?;
    let name = format!("{} by {}", measure.name, key.name);
    bars::draw(document, key, measure, Page::new(document, &name, title))
}

/// The table of a model; its intercept is no difference and lies far from the others.
const COEFFICIENTS: &str = "coefficients";

/// Tables of analyses that are drawn as estimates, the first that an analysis has.
const ESTIMATES: [(&str, [&str; 3], Scale); 10] = [
    (COEFFICIENTS, ["estimate", "from", "to"], Scale::Difference),
    ("effects", ["estimate", "from", "to"], Scale::Ratio),
    ("shares", ["share", "from", "to"], Scale::Plain),
    ("tests", ["difference", "from", "to"], Scale::Difference),
    ("tukey", ["difference", "from", "to"], Scale::Difference),
    ("direct", ["standardised", "from", "to"], Scale::Plain),
    ("indirect", ["ratio", "from", "to"], Scale::Ratio),
    ("ratios", ["ratio", "from", "to"], Scale::Ratio),
    ("rates", ["rate", "from", "to"], Scale::Plain),
    ("groups", ["mean", "from", "to"], Scale::Plain),
];

/// What no effect is on the scale of an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scale {
    Ratio,
    Difference,
    Plain,
}

impl Scale {
    fn nothing(self) -> Option<f64> {
        match self {
            Self::Ratio => Some(1.0),
            Self::Difference => Some(0.0),
            Self::Plain => None,
        }
    }
}

const INTERVAL: &str = "confidence interval";

fn forest(document: &Document, title: Option<&str>) -> Option<String> {
    let Some(analysis) = &document.analysis else {
        return means(document, title);
    };
    let page = Page::new(document, &asked(analysis), title);
    let table = |name: &str| analysis.report.tables.iter().find(|grid| grid.name == name);
    if let (Some(nodes), Some(pooled)) = (table("nodes"), table("pooled")) {
        return meta(document, analysis, page, (nodes, pooled));
    }
    let (grid, columns, scale) = ESTIMATES.iter().find_map(|(name, columns, scale)| {
        let has = |grid: &&Grid| {
            columns
                .iter()
                .all(|column| grid.columns.iter().any(|known| known == column))
        };
        Some((table(name).filter(has)?, *columns, *scale))
    })?;
    let mut items = forest::items(grid, columns, |_| Mark::Square(0.1));
    // A risk difference does not lie on the scale of ratios.
    items.retain(|item| scale != Scale::Ratio || !item.name.contains("difference"));
    items.retain(|item| grid.name != COEFFICIENTS || item.name != "intercept");
    let about = About {
        title: columns[0],
        ratio: scale == Scale::Ratio,
        nothing: scale.nothing(),
        interval: Some(INTERVAL),
    };
    forest::draw(document, page, &items, about)
}

fn meta(
    document: &Document,
    analysis: &AnalysisInfo,
    mut page: Page,
    (nodes, pooled): (&Grid, &Grid),
) -> Option<String> {
    let columns = ["estimate", "from", "to"];
    let estimate = analysis
        .arguments
        .get("estimate")
        .map_or("estimate", String::as_str);
    let ratio = estimate.ends_with("_ratio");
    let nothing = if ratio {
        Scale::Ratio
    } else {
        Scale::Difference
    }
    .nothing();
    let mut items: Vec<Item> = forest::items(nodes, columns, |_| Mark::Square(0.1));
    let diamonds = forest::items(pooled, columns, |row| match row {
        "prediction" => Mark::Bar,
        _ => Mark::Diamond,
    });
    items.extend(diamonds.into_iter().map(|item| Item {
        name: item.name.replace('_', " "),
        ..item
    }));
    page.note("Squares grow with the weight of a node under random effects; diamonds are as wide as their intervals.");
    let about = About {
        title: &estimate.replace('_', " "),
        ratio,
        nothing: nothing.filter(|_| estimate != "mean"),
        interval: Some(INTERVAL),
    };
    forest::draw(document, page, &items, about)
}

/// A note names so many withheld rows.
const MOST_NAMES: usize = 8;

/// Means, sums or ratios of a question, by one key.
fn means(document: &Document, title: Option<&str>) -> Option<String> {
    let key = only_key(document)?;
    let measure = document
        .columns
        .iter()
        .find(|column| !column.is_key() && !column.is_count())?;
    let item = |row: &crate::document::Row| {
        let estimate = cell_value(row.cells.get(&measure.name)?)?;
        Some(Item {
            name: key_text(key, row.key.get(&key.name)?),
            estimate: Some(estimate),
            ends: None,
            mark: Mark::Square(0.1),
        })
    };
    let items: Vec<Item> = document.rows.iter().filter_map(item).collect();
    let name = format!("{} by {}", measure.name, key.name);
    let about = About {
        title: &measure.name,
        ratio: false,
        nothing: None,
        interval: None,
    };
    let mut page = Page::new(document, &name, title);
    let withheld = document.rows.iter().filter(|row| item(row).is_none());
    let names: Vec<String> = withheld
        .filter_map(|row| Some(key_text(key, row.key.get(&key.name)?)))
        .collect();
    if !names.is_empty() {
        let more = names.len().saturating_sub(MOST_NAMES);
        let listed = names.iter().take(MOST_NAMES).cloned().collect::<Vec<_>>();
        let more = (more > 0).then(|| format!(" and {more} more"));
        let listed = listed.join(", ") + more.as_deref().unwrap_or_default();
        page.note(format!("Withheld: {listed}."));
    }
    forest::draw(document, page, &items, about)
}
