//! Counts by one key: a histogram over bands, or bars by level. A withheld cell is hatched over the whole
//! height, because its height is unknown; it is never a bar of height zero.

use quorate_query::analyses::Grid;

use super::axis::{Scale, around, label, step, ticks};
use super::page::{MARGIN, Page, Sample, TOP, WIDTH, bottom_axis, left_axis};
use super::svg::{Anchor, Area, COLOURS, Drawing, INK, SOFT, Stroke, Type, cut, width_of};
use super::{Value, cell_value, values};
use crate::document::{Column, Document, Row};
use crate::render::{key_text, plain_key};

/// One bar.
struct Bar {
    name: String,
    /// Lower edge of a band.
    edge: Option<f64>,
    value: Option<Value>,
    /// Some node withheld its part.
    open: bool,
}

fn bars(document: &Document, key: &Column, measure: &Column) -> Vec<Bar> {
    let numeric = key.labels.is_empty()
        && key
            .ty
            .as_deref()
            .is_some_and(|ty| ty == "int" || ty.starts_with("decimal"));
    let bar = |row: &Row| {
        let level = row.key.get(&key.name)?;
        let cell = row.cells.get(&measure.name)?;
        let edge = numeric.then(|| plain_key(level).parse().ok()).flatten();
        Some(Bar {
            name: key_text(key, level),
            edge,
            value: cell_value(cell),
            open: cell
                .number
                .as_ref()
                .is_some_and(|number| number.upper.is_none())
                && cell.nodes > 0,
        })
    };
    document.rows.iter().filter_map(bar).collect()
}

/// The picture of a table with one key.
pub(super) fn draw(
    document: &Document,
    key: &Column,
    measure: &Column,
    mut page: Page,
) -> Option<String> {
    let bars = bars(document, key, measure);
    let heights = bars.iter().filter_map(|bar| bar.value);
    let most = heights
        .map(|value| value.high_or_value())
        .fold(0.0, f64::max);
    if bars.is_empty() {
        return None;
    }
    let most = if most > 0.0 { most } else { 1.0 };
    let bottom = match width_of_bands(&bars) {
        Some(width) => histogram(&mut page.drawing, &bars, (width, most), (key, measure)),
        None if bars.len() > 12 || longest(&bars) > 74.0 => {
            lying(&mut page.drawing, &bars, most, measure)
        }
        None => standing(&mut page.drawing, &bars, most, (key, measure)),
    };
    let bottom = legend(&mut page, &bars, bottom + 22.0);
    Some(page.finish(document, bottom))
}

/// Histograms of several groups, one below the other on one scale, from the table `bins`.
pub(super) fn panels(
    document: &Document,
    mut page: Page,
    grid: &Grid,
    title: &str,
) -> Option<String> {
    let mut groups: Vec<(&str, Vec<(Bar, f64)>)> = Vec::new();
    for line in &grid.rows {
        let name = line.row.rsplit_once(", from ");
        let name = name.map_or(line.row.as_str(), |(name, _)| name);
        let [Some(from), Some(to), n] = values(line, ["from", "to", "n"]) else {
            continue;
        };
        let bar = Bar {
            name: String::new(),
            edge: Some(from.value),
            value: n,
            open: false,
        };
        match groups.last_mut().filter(|(known, _)| *known == name) {
            Some((_, bars)) => bars.push((bar, to.value)),
            None => groups.push((name, vec![(bar, to.value)])),
        }
    }
    let all = || groups.iter().flat_map(|(_, bars)| bars);
    let heights = all().filter_map(|(bar, _)| bar.value);
    let most = heights
        .map(|value| value.high_or_value())
        .fold(0.0, f64::max);
    let low = all()
        .filter_map(|(bar, _)| bar.edge)
        .fold(f64::INFINITY, f64::min);
    let high = all().map(|(_, to)| *to).fold(f64::NEG_INFINITY, f64::max);
    if !low.is_finite() || most <= 0.0 {
        return None;
    }
    let height = if groups.len() > 1 { 130.0 } else { 280.0 };
    let unit = step(low, high, 10.0);
    let mut top = TOP;
    for (name, bars) in &groups {
        let named = groups.len() > 1;
        if named {
            page.drawing
                .text(paper().x, top + 12.0, name, Type::PLAIN.bold());
        }
        let area = Area {
            y: top + if named { 20.0 } else { 0.0 },
            height,
            ..paper()
        };
        let (least, greatest) = around(0.0, most, 4.0);
        let y = Scale::linear((least, greatest), (area.bottom(), area.y));
        let width = step(least, greatest, 4.0);
        let marks = ticks(least, greatest, 4.0).into_iter();
        let marks: Vec<(f64, String)> = marks.map(|t| (y.at(t), label(t, width))).collect();
        left_axis(&mut page.drawing, area, &marks, "persons");
        let x = Scale::linear((low, high), (area.x, area.right()));
        for (bar, to) in bars {
            let from = x.at(bar.edge.unwrap_or(low));
            let ends = (from + 0.6, x.at(*to) - 0.6);
            standing_bar(&mut page.drawing, bar, ends, (area, y));
        }
        let marks = ticks(low, high, 10.0).into_iter();
        let marks: Vec<(f64, String)> = marks.map(|t| (x.at(t), label(t, unit))).collect();
        bottom_axis(&mut page.drawing, area, &marks, (title, false));
        top = area.bottom() + 48.0;
    }
    let bars: Vec<Bar> = groups
        .into_iter()
        .flat_map(|(_, bars)| bars)
        .map(|(bar, _)| bar)
        .collect();
    let bottom = legend(&mut page, &bars, top + 10.0);
    Some(page.finish(document, bottom))
}

fn longest(bars: &[Bar]) -> f64 {
    bars.iter()
        .map(|bar| width_of(&bar.name, 11.0))
        .fold(0.0, f64::max)
}

fn legend(page: &mut Page, bars: &[Bar], y: f64) -> f64 {
    let mut entries: Vec<(Sample, &str)> = Vec::new();
    if bars
        .iter()
        .any(|bar| bar.value.is_some_and(|value| !value.is_exact()))
    {
        let whisker = Stroke::new(INK, 1.4);
        entries.push((Sample::Line(whisker), "between which the true number lies"));
    }
    if bars.iter().any(|bar| bar.value.is_none()) {
        entries.push((Sample::Hatched, "withheld: not zero, but unknown"));
    }
    if bars.iter().any(|bar| bar.open) {
        let arrow = Stroke::new(SOFT, 1.4);
        entries.push((Sample::Line(arrow), "arrow: some nodes withheld their part"));
    }
    if entries.is_empty() {
        return y - 22.0;
    }
    page.legend(y, &entries);
    y
}

/// The width of bands, if all bars with a number are bands of one width.
fn width_of_bands(bars: &[Bar]) -> Option<f64> {
    let mut edges: Vec<f64> = bars.iter().filter_map(|bar| bar.edge).collect();
    edges.sort_by(f64::total_cmp);
    let gaps = edges.windows(2).filter_map(|pair| match pair {
        [a, b] if b > a => Some(b - a),
        _ => None,
    });
    let least = gaps.fold(f64::INFINITY, f64::min);
    (edges.len() > 2 && least.is_finite()).then_some(least)
}

fn paper() -> Area {
    Area {
        x: MARGIN + 58.0,
        y: TOP,
        width: WIDTH - 2.0 * MARGIN - 58.0,
        height: 280.0,
    }
}

/// A scale of heights with its axis.
fn heights(drawing: &mut Drawing, area: Area, most: f64, measure: &Column) -> Scale {
    let (low, high) = around(0.0, most, 5.0);
    let scale = Scale::linear((low, high), (area.bottom(), area.y));
    let width = step(low, high, 5.0);
    let marks: Vec<(f64, String)> = ticks(low, high, 5.0)
        .into_iter()
        .map(|tick| (scale.at(tick), label(tick, width)))
        .collect();
    left_axis(drawing, area, &marks, &of(measure));
    scale
}

/// What a column counts, for an axis.
fn of(measure: &Column) -> String {
    match (&measure.of, &measure.unit) {
        (Some(of), _) if *of != measure.name => format!("{} ({of})", measure.name),
        (_, Some(unit)) => format!("{} ({unit})", measure.name),
        _ => measure.name.clone(),
    }
}

fn named(key: &Column) -> String {
    match &key.unit {
        Some(unit) => format!("{} ({unit})", key.name),
        None => key.name.clone(),
    }
}

fn histogram(
    drawing: &mut Drawing,
    bars: &[Bar],
    (width, most): (f64, f64),
    (key, measure): (&Column, &Column),
) -> f64 {
    let area = paper();
    let y = heights(drawing, area, most, measure);
    let edges = || bars.iter().filter_map(|bar| bar.edge);
    let (low, high) = (
        edges().fold(f64::INFINITY, f64::min),
        edges().fold(f64::NEG_INFINITY, f64::max) + width,
    );
    // Persons without a value stand apart, at the right.
    let missing: Vec<&Bar> = bars.iter().filter(|bar| bar.edge.is_none()).collect();
    let room = if missing.is_empty() { 0.0 } else { 76.0 };
    let x = Scale::linear((low, high), (area.x, area.right() - room));
    for bar in bars {
        if let Some(edge) = bar.edge {
            let (left, right) = (x.at(edge), x.at(edge + width));
            standing_bar(drawing, bar, (left + 0.6, right - 0.6), (area, y));
        }
    }
    for bar in missing {
        let left = area.right() - 52.0;
        standing_bar(drawing, bar, (left, left + 44.0), (area, y));
        let look = Type::SMALL.at(Anchor::Middle);
        drawing.text(left + 22.0, area.bottom() + 17.0, "missing", look);
    }
    let unit = step(low, high, 10.0).max(width);
    let marks = ticks(low, high, (high - low) / unit);
    let marks: Vec<(f64, String)> = marks
        .into_iter()
        .map(|t| (x.at(t), label(t, unit)))
        .collect();
    bottom_axis(drawing, area, &marks, (&named(key), false));
    area.bottom() + 36.0
}

fn standing(
    drawing: &mut Drawing,
    bars: &[Bar],
    most: f64,
    (key, measure): (&Column, &Column),
) -> f64 {
    let area = paper();
    let y = heights(drawing, area, most, measure);
    let count = f64::from(u32::try_from(bars.len()).unwrap_or(u32::MAX));
    let slot = area.width / count;
    let wide = (slot * 0.7).min(72.0);
    for (at, bar) in (0_u32..).zip(bars) {
        let middle = area.x + (f64::from(at) + 0.5) * slot;
        standing_bar(
            drawing,
            bar,
            (middle - wide / 2.0, middle + wide / 2.0),
            (area, y),
        );
        let text = cut(&bar.name, 11.0, slot - 2.0);
        drawing.text(
            middle,
            area.bottom() + 17.0,
            &text,
            Type::SMALL.at(Anchor::Middle),
        );
    }
    bottom_axis(drawing, area, &[], (&named(key), false));
    area.bottom() + 36.0
}

fn standing_bar(
    drawing: &mut Drawing,
    bar: &Bar,
    (left, right): (f64, f64),
    (area, y): (Area, Scale),
) {
    let column = |top: f64, bottom: f64| Area {
        x: left,
        y: top,
        width: right - left,
        height: bottom - top,
    };
    let Some(value) = bar.value else {
        drawing.hatched(column(area.y, area.bottom()));
        return;
    };
    let top = y.at(value.value);
    drawing.rect(column(top, area.bottom()), COLOURS[0]);
    let middle = f64::midpoint(left, right);
    if !value.is_exact() {
        let (low, high) = (y.at(value.low()), y.at(value.high_or_value()));
        let stroke = Stroke::new(INK, 1.4);
        drawing.line((middle, low), (middle, high), stroke);
        for end in [low, high] {
            drawing.line((middle - 4.0, end), (middle + 4.0, end), stroke);
        }
    }
    if bar.open {
        let stroke = Stroke::new(SOFT, 1.4);
        let up = y.at(value.value) - 12.0;
        drawing.path(
            &[
                (middle - 4.0, up + 5.0),
                (middle, up),
                (middle + 4.0, up + 5.0),
            ],
            stroke,
        );
    }
}

/// Bars that lie, for many levels or long names.
fn lying(drawing: &mut Drawing, bars: &[Bar], most: f64, measure: &Column) -> f64 {
    const ROW: f64 = 22.0;
    let names = longest(bars).clamp(60.0, 250.0);
    let count = f64::from(u32::try_from(bars.len()).unwrap_or(u32::MAX));
    let area = Area {
        x: MARGIN + names + 14.0,
        y: TOP,
        width: WIDTH - 2.0 * MARGIN - names - 14.0 - 64.0,
        height: count * ROW + 4.0,
    };
    let (low, high) = around(0.0, most, 6.0);
    let x = Scale::linear((low, high), (area.x, area.right()));
    let width = step(low, high, 6.0);
    let marks: Vec<(f64, String)> = ticks(low, high, 6.0)
        .into_iter()
        .map(|t| (x.at(t), label(t, width)))
        .collect();
    bottom_axis(drawing, area, &marks, (&of(measure), true));
    for (at, bar) in (0_u32..).zip(bars) {
        let top = area.y + f64::from(at) * ROW + 4.0;
        let row = |right: f64| Area {
            x: area.x,
            y: top,
            width: right - area.x,
            height: ROW - 6.0,
        };
        let middle = top + (ROW - 6.0) / 2.0;
        let name = cut(&bar.name, 11.0, names);
        drawing.text(
            area.x - 8.0,
            middle + 4.0,
            &name,
            Type::SMALL.colour(INK).at(Anchor::End),
        );
        let Some(value) = bar.value else {
            drawing.hatched(row(area.right()));
            continue;
        };
        drawing.rect(row(x.at(value.value)), COLOURS[0]);
        if !value.is_exact() {
            let (from, to) = (x.at(value.low()), x.at(value.high_or_value()));
            drawing.line((from, middle), (to, middle), Stroke::new(INK, 1.4));
        }
        let more = if bar.open { " or more" } else { "" };
        let text = format!("{}{more}", label(value.value, 1.0));
        drawing.text(area.right() + 8.0, middle + 4.0, &text, Type::SMALL);
    }
    area.bottom() + 36.0
}
