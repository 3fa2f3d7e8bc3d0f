//! Who answered, and which cells each node released or withheld. Needs each node's own values.

use super::page::{MARGIN, Page, Sample, TOP, WIDTH};
use super::svg::{Anchor, Area, COLOURS, Drawing, FAINT, Type, cut};
use crate::document::{Column, Document, Node, Row, TableInfo};
use crate::render::key_text;

/// Height of a node's strip.
const ROW: f64 = 30.0;

/// Cells of a table in its order, and where they are drawn.
struct Cells<'a> {
    parts: &'a [TableInfo],
    all: Vec<(&'a TableInfo, &'a Row, &'a Column)>,
    left: f64,
    slot: f64,
}

/// The picture; a document without nodes or cells has none.
pub(super) fn draw(document: &Document, mut page: Page) -> Option<String> {
    let parts = document.parts();
    let cells = Cells::of(&parts, MARGIN + 150.0, WIDTH - MARGIN - 110.0)?;
    if document.nodes.is_empty() {
        return None;
    }
    let mut y = TOP;
    for node in &document.nodes {
        cells.strip(&mut page.drawing, node, y);
        y += ROW;
    }
    // Names of cells where there is room for them.
    if cells.slot > 46.0 {
        cells.names(&mut page.drawing, y + 12.0);
        y += 16.0;
    }
    let entries = [
        (Sample::Filled(COLOURS[0]), "released"),
        (Sample::Hatched, "withheld, or not listed"),
        (Sample::Filled(FAINT), "no answer"),
    ];
    page.legend(y + 22.0, &entries);
    page.note("Cells in the order of the tables.");
    Some(page.finish(document, y + 24.0))
}

impl<'a> Cells<'a> {
    fn of(parts: &'a [TableInfo], left: f64, right: f64) -> Option<Self> {
        let mut all = Vec::new();
        for part in parts {
            let measures = || part.columns.iter().filter(|column| !column.is_key());
            for row in &part.rows {
                all.extend(measures().map(|column| (part, row, column)));
            }
        }
        let count = u32::try_from(all.len()).ok().filter(|count| *count > 0)?;
        Some(Self {
            parts,
            all,
            left,
            slot: (right - left) / f64::from(count),
        })
    }

    /// One node: its name, a box for every cell, and how many it released.
    fn strip(&self, drawing: &mut Drawing, node: &Node, y: f64) {
        drawing.text(MARGIN, y + 18.0, &cut(&node.name, 12.0, 140.0), Type::PLAIN);
        let area = |x: f64, width: f64| Area {
            x,
            y: y + 4.0,
            width,
            height: ROW - 10.0,
        };
        if node.status != "answered" {
            let count = f64::from(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
            drawing.rect(area(self.left, self.slot * count), FAINT);
            let code = node.code.as_deref().unwrap_or_default();
            let text = format!("{} {code}", node.status);
            drawing.text(self.left + 8.0, y + 18.0, text.trim(), Type::SMALL);
            return;
        }
        let gap = if self.slot > 4.0 { 1.0 } else { 0.0 };
        let mut released = 0_u32;
        for (at, (_, row, column)) in (0_u32..).zip(&self.all) {
            let place = area(self.left + f64::from(at) * self.slot, self.slot - gap);
            let cell = row.cells.get(&column.name);
            let has = cell.is_some_and(|cell| cell.sites.contains_key(&node.name));
            released += u32::from(has);
            if has {
                drawing.rect(place, COLOURS[0]);
            } else {
                drawing.hatched(place);
            }
        }
        let text = format!("{released} of {} cells", self.all.len());
        let look = Type::SMALL.at(Anchor::End);
        drawing.text(WIDTH - MARGIN, y + 18.0, &text, look);
    }

    fn names(&self, drawing: &mut Drawing, y: f64) {
        for (at, (part, row, column)) in (0_u32..).zip(&self.all) {
            let columns = part.columns.iter();
            let (keys, measures): (Vec<&Column>, Vec<&Column>) =
                columns.partition(|key| key.is_key());
            let levels = keys
                .iter()
                .filter_map(|key| Some(key_text(key, row.key.get(&key.name)?)));
            let mut name: Vec<String> = levels.collect();
            if measures.len() > 1 || self.parts.len() > 1 || name.is_empty() {
                name.push(column.name.clone());
            }
            let text = cut(&name.join(", "), 10.0, self.slot - 4.0);
            let look = Type {
                size: 10.0,
                ..Type::SMALL
            };
            let middle = self.left + (f64::from(at) + 0.5) * self.slot;
            drawing.text(middle, y, &text, look.at(Anchor::Middle));
        }
    }
}
