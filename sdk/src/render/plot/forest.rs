//! Estimates with their intervals, one below the other: forest plots, and means or shares by group.

use quorate_query::analyses::Grid;

use super::axis::{Scale, around, label, log_ticks, plain, step, ticks};
use super::page::{MARGIN, Page, Sample, TOP, WIDTH, bottom_axis};
use super::svg::{Anchor, Area, COLOURS, Drawing, INK, OPEN, SOFT, Stroke, Type, cut, width_of};
use super::{Value, values};
use crate::document::Document;

/// How an estimate is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mark {
    /// A square whose area grows with the weight, from 0 to 1.
    Square(f64),
    /// A diamond as wide as its interval.
    Diamond,
    /// Nothing but the interval.
    Bar,
}

/// One line of the plot.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) name: String,
    pub(super) estimate: Option<Value>,
    pub(super) ends: Option<(Value, Value)>,
    pub(super) mark: Mark,
}

/// What a plot is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    /// What the numbers are.
    pub(super) title: &'a str,
    /// Whether they are ratios, which are drawn on a scale of ratios.
    pub(super) ratio: bool,
    /// Where there is no effect.
    pub(super) nothing: Option<f64>,
    /// What the lines through the marks are; nothing if they are limits of protection only.
    pub(super) interval: Option<&'a str>,
}

/// Items of the rows of a table.
pub(super) fn items(
    grid: &Grid,
    [value, from, to]: [&str; 3],
    mark: impl Fn(&str) -> Mark,
) -> Vec<Item> {
    let item = |line: &quorate_query::analyses::Line| {
        let [estimate, from, to, weight] = values(line, [value, from, to, "weight_random"]);
        let ends = from.zip(to);
        let mark = match (mark(&line.row), weight) {
            (Mark::Square(_), Some(weight)) => Mark::Square(weight.value),
            (mark, _) => mark,
        };
        (estimate.is_some() || ends.is_some()).then(|| Item {
            name: line.row.clone(),
            estimate,
            ends,
            mark,
        })
    };
    grid.rows.iter().filter_map(item).collect()
}

/// Height of a line.
const ROW: f64 = 26.0;

/// The picture, if there is anything to draw.
pub(super) fn draw(
    document: &Document,
    mut page: Page,
    items: &[Item],
    about: About<'_>,
) -> Option<String> {
    let (low, high) = span(items, about)?;
    let names = items
        .iter()
        .map(|item| width_of(&item.name, 12.0))
        .fold(60.0, f64::max)
        .min(240.0);
    let numbers = 168.0;
    let rows = f64::from(u32::try_from(items.len()).ok()?);
    let area = Area {
        x: MARGIN + names + 16.0,
        y: TOP,
        width: WIDTH - 2.0 * MARGIN - names - 16.0 - numbers,
        height: rows * ROW + 8.0,
    };
    let (scale, marks) = scale(low, high, area, about.ratio);
    let drawing = &mut page.drawing;
    bottom_axis(drawing, area, &marks, (about.title, true));
    if let Some(nothing) = about.nothing.filter(|nothing| scale.holds(*nothing)) {
        let x = scale.at(nothing);
        drawing.line((x, area.y), (x, area.bottom()), Stroke::new(SOFT, 1.2));
    }
    for (at, item) in (0_u32..).zip(items) {
        let y = area.y + 8.0 + (f64::from(at) + 0.5) * ROW - 4.0;
        let pooled = !matches!(item.mark, Mark::Square(_));
        let look = if pooled {
            Type::PLAIN.bold()
        } else {
            Type::PLAIN
        };
        drawing.text(MARGIN, y + 4.0, &cut(&item.name, 12.0, names), look);
        line(drawing, item, (scale, y), about.interval.is_some());
        let text = words(item);
        drawing.text(WIDTH - MARGIN, y + 4.0, &text, Type::PLAIN.at(Anchor::End));
    }
    let blurred = items.iter().any(is_blurred);
    let bottom = legend(&mut page, about, blurred, area.bottom() + 56.0);
    Some(page.finish(document, bottom))
}

fn is_blurred(item: &Item) -> bool {
    let ends = item.ends.iter().flat_map(|(from, to)| [from, to]);
    item.estimate
        .iter()
        .chain(ends)
        .any(|value| !value.is_exact())
}

fn legend(page: &mut Page, about: About<'_>, blurred: bool, y: f64) -> f64 {
    let mut entries: Vec<(Sample, &str)> = Vec::new();
    if let Some(interval) = about.interval {
        entries.push((Sample::Line(Stroke::new(COLOURS[0], 1.6)), interval));
    }
    if blurred {
        let text = if about.interval.is_some() {
            "as far as protection lets its ends lie"
        } else {
            "between which the true number lies"
        };
        entries.push((Sample::Filled(OPEN), text));
    }
    if entries.is_empty() {
        return y - 20.0;
    }
    page.legend(y, &entries);
    y
}

/// Least and greatest number that is drawn. Limits of protection may be cut, estimates may not.
fn span(items: &[Item], about: About<'_>) -> Option<(f64, f64)> {
    let solid = |item: &Item| {
        let ends = item.ends.map(|(from, to)| [from.value, to.value]);
        let estimate = item.estimate.map(|estimate| estimate.value);
        let limits = item.estimate.filter(|_| item.ends.is_none());
        let limits = limits.map(|estimate| [estimate.low(), estimate.high()]);
        estimate
            .into_iter()
            .chain(ends.into_iter().flatten())
            .chain(limits.into_iter().flatten())
            .collect::<Vec<_>>()
    };
    let usable = |value: &f64| value.is_finite() && (!about.ratio || *value > 0.0);
    let all: Vec<f64> = items
        .iter()
        .flat_map(solid)
        .filter(usable)
        .chain(about.nothing)
        .collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !(low.is_finite() && high.is_finite()) {
        return None;
    }
    if about.ratio {
        return Some((low / 1.08, high * 1.08));
    }
    let room = ((high - low) * 0.05).max(high.abs() * 1e-6);
    Some((low - room, high + room))
}

fn scale(low: f64, high: f64, area: Area, ratio: bool) -> (Scale, Vec<(f64, String)>) {
    let paper = (area.x + 6.0, area.right() - 12.0);
    if ratio {
        let scale = Scale::log((low, high), paper);
        let marks = log_ticks(low, high)
            .into_iter()
            .map(|t| (scale.at(t), plain(t)));
        return (scale, marks.collect());
    }
    let (low, high) = around(low, high, 6.0);
    let scale = Scale::linear((low, high), paper);
    let width = step(low, high, 6.0);
    let marks = ticks(low, high, 6.0)
        .into_iter()
        .map(|t| (scale.at(t), label(t, width)));
    (scale, marks.collect())
}

fn line(drawing: &mut Drawing, item: &Item, (scale, y): (Scale, f64), has_interval: bool) {
    let thick = |from: f64, to: f64| Area {
        x: scale.at(from),
        y: y - 5.0,
        width: scale.at(to) - scale.at(from),
        height: 10.0,
    };
    match (&item.ends, item.estimate) {
        (Some((from, to)), _) if is_blurred(item) => {
            drawing.rect(thick(from.low(), from.high()), OPEN);
            drawing.rect(thick(to.low(), to.high()), OPEN);
        }
        (None, Some(estimate)) if !has_interval => {
            drawing.rect(thick(estimate.low(), estimate.high()), OPEN);
        }
        _ => {}
    }
    let colour = if matches!(item.mark, Mark::Square(_)) {
        COLOURS[0]
    } else {
        INK
    };
    if let (Some((from, to)), false) = (&item.ends, item.mark == Mark::Diamond) {
        let (a, b) = (scale.at(from.value), scale.at(to.value));
        drawing.line((a, y), (b, y), Stroke::new(colour, 1.6));
        for (x, value) in [(a, from.value), (b, to.value)] {
            // An end beyond the paper has no stop.
            if scale.holds(value) {
                drawing.line((x, y - 4.0), (x, y + 4.0), Stroke::new(colour, 1.6));
            }
        }
    }
    let Some(estimate) = item.estimate else {
        return;
    };
    let x = scale.at(estimate.value);
    match (item.mark, &item.ends) {
        (Mark::Diamond, Some((from, to))) => {
            let (a, b) = (scale.at(from.value), scale.at(to.value));
            drawing.filled(&[(a, y), (x, y - 7.0), (b, y), (x, y + 7.0)], INK, 1.0);
        }
        (Mark::Square(weight), _) => {
            let side = 6.0 + 8.0 * weight.clamp(0.0, 1.0).sqrt();
            let half = side / 2.0;
            let area = Area {
                x: x - half,
                y: y - half,
                width: side,
                height: side,
            };
            drawing.rect(area, COLOURS[0]);
        }
        (Mark::Diamond | Mark::Bar, _) => {}
    }
}

/// `1.62 (1.02 to 2.56)`
fn words(item: &Item) -> String {
    match (&item.ends, &item.estimate) {
        (Some((from, to)), estimate) => {
            let own = estimate.as_ref().map(Value::short).unwrap_or_default();
            let text = format!("{own} ({} to {})", from.short(), to.short());
            text.trim().to_owned()
        }
        (None, Some(value)) if value.is_exact() => value.short(),
        // Limits of protection are often close to the value.
        (None, Some(value)) => {
            let [own, low, high] =
                [value.value, value.low(), value.high()].map(|x| super::digits(x, 1));
            format!("{own} ({low} to {high})")
        }
        (None, None) => String::new(),
    }
}
