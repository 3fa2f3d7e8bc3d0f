//! Curves of survival with their confidence bands, what protection leaves open, and numbers at risk.

use quorate_query::analyses::Grid;

use super::axis::{Scale, label, plain};
use super::page::{MARGIN, Page, TOP, WIDTH, bottom_axis, left_axis};
use super::svg::{Anchor, Area, COLOURS, DASHES, Drawing, Stroke, Type, cut};
use super::{Value, values};
use crate::document::{AnalysisInfo, Document};

/// One group's curve.
struct Curve<'a> {
    name: &'a str,
    points: Vec<Point>,
}

/// What is known at the end of an interval.
struct Point {
    time: f64,
    at_risk: Option<Value>,
    survival: Value,
    from: Value,
    to: Value,
}

/// Curves from rows that are called `group, before 12`.
fn curves(grid: &Grid) -> Vec<Curve<'_>> {
    let mut curves: Vec<Curve<'_>> = Vec::new();
    for line in &grid.rows {
        let name = line
            .row
            .rsplit_once(", ")
            .map_or(line.row.as_str(), |(name, _)| name);
        let [Some(time), at_risk, Some(survival), from, to] =
            values(line, ["time", "at_risk", "survival", "from", "to"])
        else {
            continue;
        };
        let point = Point {
            time: time.value,
            at_risk,
            survival,
            from: from.unwrap_or(survival),
            to: to.unwrap_or(survival),
        };
        match curves.last_mut().filter(|curve| curve.name == name) {
            Some(curve) => curve.points.push(point),
            None => curves.push(Curve {
                name,
                points: vec![point],
            }),
        }
    }
    curves
}

/// Where the first interval begins: as long before its end as the others are wide.
fn beginning(curves: &[Curve<'_>]) -> f64 {
    let starts = curves
        .iter()
        .filter_map(|curve| match curve.points.as_slice() {
            [first, second, ..] => Some(2.0 * first.time - second.time),
            [only] => Some(only.time.min(0.0)),
            [] => None,
        });
    starts.fold(f64::INFINITY, f64::min)
}

/// Most ticks that numbers at risk have room under.
const TICKS: usize = 8;

/// Ends of intervals to write below the axis: every one, or every second, and so on.
fn edges(curves: &[Curve<'_>], start: f64) -> Vec<f64> {
    let longest = curves.iter().max_by_key(|curve| curve.points.len());
    let ends = longest.into_iter().flat_map(|curve| &curve.points);
    let all: Vec<f64> = std::iter::once(start)
        .chain(ends.map(|point| point.time))
        .collect();
    let every = all.len().div_ceil(TICKS).max(1);
    all.into_iter().step_by(every).collect()
}

/// How far the last level goes on, of the whole.
const STUB: f64 = 0.02;

/// A staircase: level until the end of an interval, then down; the last level goes on for a little, so
/// that it can be seen.
fn stairs(points: &[Point], start: f64, of: impl Fn(&Point) -> f64) -> Vec<(f64, f64)> {
    let mut stairs = vec![(start, 1.0)];
    let mut level = 1.0;
    for point in points {
        stairs.push((point.time, level));
        level = of(point);
        stairs.push((point.time, level));
    }
    let end = points.last().map_or(start, |point| point.time);
    stairs.push((end + (end - start) * STUB, level));
    stairs
}

/// The picture, if the analysis has curves.
pub(super) fn draw(document: &Document, analysis: &AnalysisInfo, mut page: Page) -> Option<String> {
    let grid = analysis
        .report
        .tables
        .iter()
        .find(|grid| grid.name == "curve")?;
    let curves = curves(grid);
    let (start, end) = (
        beginning(&curves),
        curves
            .iter()
            .flat_map(|curve| &curve.points)
            .map(|p| p.time)
            .fold(f64::NEG_INFINITY, f64::max),
    );
    if start.partial_cmp(&end) != Some(std::cmp::Ordering::Less) {
        return None;
    }
    let area = Area {
        x: MARGIN + 52.0,
        y: TOP,
        width: WIDTH - 2.0 * MARGIN - 52.0 - 130.0,
        height: 300.0,
    };
    let last = end + (end - start) * STUB;
    let x = Scale::linear((start, last), (area.x, area.right()));
    let y = Scale::linear((0.0, 1.0), (area.bottom(), area.y));
    let drawing = &mut page.drawing;
    let marks = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0].map(|at| (y.at(at), label(at * 100.0, 20.0) + " %"));
    left_axis(drawing, area, &marks, "Share without the event");
    let times = edges(&curves, start);
    let marks: Vec<(f64, String)> = times.iter().map(|t| (x.at(*t), plain(*t))).collect();
    let time = analysis
        .arguments
        .get("time")
        .map_or("time", String::as_str);
    let unit = time.split(':').next().unwrap_or(time);
    bottom_axis(drawing, area, &marks, (unit, false));
    let exact = lines(drawing, &curves, (start, x, y));
    names(drawing, &curves, (x, y));
    let bottom = at_risk(drawing, &curves, (start, &times, x), area.bottom() + 58.0);
    let level = analysis
        .arguments
        .get("confidence")
        .map_or("0.95", String::as_str);
    let mut note = format!(
        "Steps lie at the ends of the grid's intervals. Shaded: confidence intervals (log-log) at level {level}."
    );
    if !exact {
        note.push_str(" Thin lines: between them lies the curve of the true counts.");
    }
    page.note(note);
    Some(page.finish(document, bottom))
}

/// Bands first, lines above them. Whether everything is known exactly.
fn lines(drawing: &mut Drawing, curves: &[Curve<'_>], (start, x, y): (f64, Scale, Scale)) -> bool {
    let place = |stairs: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
        stairs
            .into_iter()
            .map(|(time, share)| (x.at(time), y.at(share)))
            .collect()
    };
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        let mut band = place(stairs(&curve.points, start, |point| point.to.value));
        band.extend(
            place(stairs(&curve.points, start, |point| point.from.value))
                .into_iter()
                .rev(),
        );
        drawing.filled(&band, colour, 0.14);
    }
    let mut exact = true;
    for ((curve, colour), dashes) in curves
        .iter()
        .zip(COLOURS.iter().cycle())
        .zip(DASHES.iter().cycle())
    {
        if curve.points.iter().any(|point| !point.survival.is_exact()) {
            exact = false;
            let thin = Stroke::new(colour, 0.7);
            drawing.path(
                &place(stairs(&curve.points, start, |point| point.survival.low())),
                thin,
            );
            drawing.path(
                &place(stairs(&curve.points, start, |point| point.survival.high())),
                thin,
            );
        }
        let stroke = Stroke {
            colour,
            width: 2.2,
            dashes,
        };
        drawing.path(
            &place(stairs(&curve.points, start, |point| point.survival.value)),
            stroke,
        );
    }
    exact
}

/// Names at the right ends of their lines, never on one another.
fn names(drawing: &mut Drawing, curves: &[Curve<'_>], (x, y): (Scale, Scale)) {
    let mut ends: Vec<(f64, f64, usize)> = curves
        .iter()
        .enumerate()
        .filter_map(|(at, curve)| {
            let last = curve.points.last()?;
            Some((y.at(last.survival.value), x.at(last.time) + 8.0, at))
        })
        .collect();
    ends.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut lowest = f64::NEG_INFINITY;
    for (y, x, at) in ends {
        let Some((curve, colour)) = curves.get(at).zip(COLOURS.iter().cycle().nth(at)) else {
            continue;
        };
        lowest = y.max(lowest + 15.0);
        let text = cut(curve.name, 12.0, 122.0);
        drawing.text(
            x + 8.0,
            lowest + 4.0,
            &text,
            Type::PLAIN.bold().colour(colour),
        );
    }
}

/// Numbers at risk under the ticks at which an interval begins.
fn at_risk(
    drawing: &mut Drawing,
    curves: &[Curve<'_>],
    (start, times, x): (f64, &[f64], Scale),
    top: f64,
) -> f64 {
    drawing.text(MARGIN, top, "At risk", Type::SMALL.bold());
    let mut y = top;
    for (curve, colour) in curves.iter().zip(COLOURS.iter().cycle()) {
        y += 16.0;
        if curves.len() > 1 {
            // The name stands in the colour of the line, and the number below its tick.
            drawing.rect(
                Area {
                    x: MARGIN,
                    y: y - 8.0,
                    width: 14.0,
                    height: 4.0,
                },
                colour,
            );
        }
        let begins = std::iter::once(start).chain(curve.points.iter().map(|point| point.time));
        for (begin, point) in begins.zip(&curve.points) {
            let ticked = times
                .iter()
                .any(|time| (time - begin).abs() < 1e-9 * begin.abs().max(1.0));
            if let (true, Some(number)) = (ticked, &point.at_risk) {
                let text = label(number.value, 1.0);
                drawing.text(x.at(begin), y, &text, Type::SMALL.at(Anchor::Middle));
            }
        }
    }
    y
}
