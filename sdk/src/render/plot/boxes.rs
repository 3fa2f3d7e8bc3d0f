//! Box plots: the middle half of the values as a box, the median in it, whiskers to the 5th and 95th per
//! cent. Quantiles are known to the precision of bands, which stands below each box.

use quorate_query::analyses::Grid;

use super::axis::{Scale, around, label, step, ticks};
use super::page::{MARGIN, Page, Sample, TOP, WIDTH, bottom_axis};
use super::svg::{Anchor, Area, COLOURS, Drawing, INK, OPEN, Stroke, Type, cut, width_of};
use super::{Value, values};
use crate::document::Document;

/// Height of a group.
const ROW: f64 = 44.0;

/// One group: 5th per cent, first quartile, median, third quartile, 95th per cent.
struct Quartiles<'a> {
    name: &'a str,
    at: [Option<Value>; 5],
    n: Option<Value>,
}

/// The picture of the table `boxes`, if there is anything in it.
pub(super) fn draw(
    document: &Document,
    mut page: Page,
    grid: &Grid,
    title: &str,
) -> Option<String> {
    let boxes: Vec<Quartiles<'_>> = grid
        .rows
        .iter()
        .map(|line| Quartiles {
            name: &line.row,
            at: values(line, ["p5", "q1", "median", "q3", "p95"]),
            n: values(line, ["n"])[0],
        })
        .collect();
    let known = || boxes.iter().flat_map(|item| item.at.iter().flatten());
    let ends = known().flat_map(|value| [value.value, value.low(), value.high()]);
    let ends: Vec<f64> = ends.filter(|end| end.is_finite()).collect();
    let low = ends.iter().copied().fold(f64::INFINITY, f64::min);
    let high = ends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !low.is_finite() {
        return None;
    }
    let widths = boxes.iter().map(|item| width_of(item.name, 12.0));
    let names = widths.fold(60.0, f64::max).min(220.0);
    let rows = f64::from(u32::try_from(boxes.len()).ok()?);
    let area = Area {
        x: MARGIN + names + 16.0,
        y: TOP,
        width: WIDTH - 2.0 * MARGIN - names - 96.0,
        height: rows * ROW + 6.0,
    };
    let (low, high) = around(low, high, 8.0);
    let scale = Scale::linear((low, high), (area.x, area.right()));
    let width = step(low, high, 8.0);
    let marks: Vec<(f64, String)> = ticks(low, high, 8.0)
        .into_iter()
        .map(|tick| (scale.at(tick), label(tick, width)))
        .collect();
    bottom_axis(&mut page.drawing, area, &marks, (title, true));
    for (at, item) in (0_u32..).zip(&boxes) {
        let y = area.y + (f64::from(at) + 0.5) * ROW;
        let name = cut(item.name, 12.0, names);
        page.drawing.text(MARGIN, y + 4.0, &name, Type::PLAIN);
        one(&mut page.drawing, item, scale, y);
        if item.at.iter().all(Option::is_none) {
            page.drawing
                .text(area.x + 8.0, y + 4.0, "withheld, or nobody", Type::SMALL);
        }
        if let Some(n) = &item.n {
            let text = format!("n {}", label(n.value, 1.0));
            let look = Type::SMALL.at(Anchor::End);
            page.drawing.text(WIDTH - MARGIN, y + 4.0, &text, look);
        }
    }
    let bottom = area.bottom() + 56.0;
    let blurred = known().any(|value| !value.is_exact());
    if blurred {
        let entry = (Sample::Filled(OPEN), "between which a quantile lies");
        page.legend(bottom, &[entry]);
    }
    page.note("Box: first to third quartile with the median; whiskers: 5th and 95th per cent.");
    let bottom = if blurred { bottom } else { bottom - 20.0 };
    Some(page.finish(document, bottom))
}

fn one(drawing: &mut Drawing, item: &Quartiles<'_>, scale: Scale, y: f64) {
    let half = 10.0;
    for value in item.at.iter().flatten().filter(|value| !value.is_exact()) {
        let (from, to) = (scale.at(value.low()), scale.at(value.high()));
        drawing.rect(
            Area {
                x: from + 0.5,
                y: y + half + 3.0,
                width: to - from - 1.0,
                height: 4.0,
            },
            OPEN,
        );
    }
    let places = item
        .at
        .map(|value| value.map(|value| scale.at(value.value)));
    let [least, first, middle, third, most] = places;
    let thin = Stroke::new(INK, 1.3);
    for (from, to, end) in [(least, first, least), (third, most, most)] {
        if let (Some(from), Some(to), Some(end)) = (from, to, end) {
            drawing.line((from, y), (to, y), thin);
            drawing.line((end, y - 5.0), (end, y + 5.0), thin);
        }
    }
    if let (Some(first), Some(third)) = (first, third) {
        let corners = [
            (first, y - half),
            (third, y - half),
            (third, y + half),
            (first, y + half),
        ];
        drawing.filled(&corners, COLOURS[0], 0.25);
        let [a, b, c, d] = corners;
        drawing.path(&[a, b, c, d, a], Stroke::new(COLOURS[0], 1.4));
    }
    if let Some(middle) = middle {
        let stroke = Stroke::new(INK, 2.6);
        drawing.line((middle, y - half), (middle, y + half), stroke);
    }
}
