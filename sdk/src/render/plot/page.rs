//! What every picture has: a heading, who is in it, what protection did, which question it answers.
//!
//! What it must not know: what is drawn between heading and foot.

use super::svg::{Anchor, Area, Drawing, FAINT, SOFT, Stroke, Type, cut, width_of};
use crate::document::{Document, Protection};

/// Width of every picture, in units of 1/96 inch.
pub(super) const WIDTH: f64 = 760.0;
/// Left and right of everything.
pub(super) const MARGIN: f64 = 24.0;
/// Where what is drawn begins.
pub(super) const TOP: f64 = 78.0;
/// Height of a line of the foot.
const FOOT: f64 = 15.0;

/// A picture that is being drawn.
pub(super) struct Page {
    pub(super) drawing: Drawing,
    title: String,
    subtitle: String,
    notes: Vec<String>,
}

impl Page {
    /// A page about a document; `title` is what it shows, `other` what the reader wants it called.
    pub(super) fn new(document: &Document, title: &str, other: Option<&str>) -> Self {
        Self {
            drawing: Drawing::default(),
            title: other.unwrap_or(title).to_owned(),
            subtitle: who(document),
            notes: Vec::new(),
        }
    }

    /// Something that one must know to read the picture.
    pub(super) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Ends the picture below what was drawn down to `bottom`.
    pub(super) fn finish(mut self, document: &Document, bottom: f64) -> String {
        let room = WIDTH - 2.0 * MARGIN;
        let title = cut(&self.title, 18.0, room);
        let look = Type {
            size: 18.0,
            ..Type::PLAIN.bold()
        };
        self.drawing.text(MARGIN, 34.0, &title, look);
        let subtitle = cut(&self.subtitle, 12.0, room);
        let look = Type {
            size: 12.0,
            ..Type::SMALL
        };
        self.drawing.text(MARGIN, 54.0, &subtitle, look);
        let mut lines: Vec<String> = self
            .notes
            .iter()
            .flat_map(|note| wrapped(note, room))
            .collect();
        lines.extend(wrapped(&protection(document.protection.as_ref()), room));
        lines.extend(source(document));
        let mut y = bottom + 20.0;
        let rule = Stroke::new(FAINT, 1.0);
        self.drawing.line((MARGIN, y), (WIDTH - MARGIN, y), rule);
        y += 4.0;
        for line in &lines {
            y += FOOT;
            self.drawing.text(MARGIN, y, line, Type::SMALL);
        }
        let description = format!("{}. {}", self.subtitle, lines.join(" "));
        self.drawing
            .finish(WIDTH, y + 16.0, &self.title, &description)
    }

    /// A legend in one line: a sample and what it stands for.
    pub(super) fn legend(&mut self, y: f64, entries: &[(Sample, &str)]) {
        let mut x = MARGIN;
        for (sample, text) in entries {
            match sample {
                Sample::Filled(colour) => {
                    let area = Area {
                        x,
                        y: y - 9.0,
                        width: 18.0,
                        height: 10.0,
                    };
                    self.drawing.rect(area, colour);
                }
                Sample::Hatched => self.drawing.hatched(Area {
                    x,
                    y: y - 9.0,
                    width: 18.0,
                    height: 10.0,
                }),
                Sample::Line(stroke) => {
                    self.drawing
                        .line((x, y - 4.0), (x + 18.0, y - 4.0), *stroke);
                }
            }
            self.drawing.text(x + 24.0, y, text, Type::SMALL);
            x += 24.0 + width_of(text, 11.0) + 22.0;
        }
    }
}

/// A sample in a legend.
#[derive(Clone, Copy, Debug)]
pub(super) enum Sample {
    Filled(&'static str),
    Hatched,
    Line(Stroke<'static>),
}

/// An axis of values at the foot of an area: ticks, their numbers, faint lines upwards, a title.
pub(super) fn bottom_axis(
    drawing: &mut Drawing,
    area: Area,
    ticks: &[(f64, String)],
    (title, grid): (&str, bool),
) {
    let line = Stroke::new(FAINT, 1.0);
    for (x, text) in ticks {
        if grid {
            drawing.line((*x, area.y), (*x, area.bottom()), line);
        }
        let stroke = Stroke::new(SOFT, 1.0);
        drawing.line((*x, area.bottom()), (*x, area.bottom() + 4.0), stroke);
        drawing.text(
            *x,
            area.bottom() + 17.0,
            text,
            Type::SMALL.at(Anchor::Middle),
        );
    }
    let stroke = Stroke::new(SOFT, 1.0);
    drawing.line(
        (area.x, area.bottom()),
        (area.right(), area.bottom()),
        stroke,
    );
    let middle = area.x + area.width / 2.0;
    drawing.text(
        middle,
        area.bottom() + 34.0,
        title,
        Type::SMALL.at(Anchor::Middle),
    );
}

/// An axis of values at the left of an area, with faint lines across.
pub(super) fn left_axis(drawing: &mut Drawing, area: Area, ticks: &[(f64, String)], title: &str) {
    for (y, text) in ticks {
        drawing.line((area.x, *y), (area.right(), *y), Stroke::new(FAINT, 1.0));
        drawing.text(area.x - 7.0, y + 4.0, text, Type::SMALL.at(Anchor::End));
    }
    let middle = area.y + area.height / 2.0;
    drawing.upwards(MARGIN + 8.0, middle, title, Type::SMALL);
}

/// Which nodes are in it and which are not, and why.
fn who(document: &Document) -> String {
    let nodes = &document.nodes;
    let left_out = document
        .analysis
        .iter()
        .flat_map(|analysis| &analysis.report.left_out);
    let left_out: Vec<&str> = left_out.map(String::as_str).collect();
    let inside = |name: &str| !left_out.contains(&name);
    let answered = nodes
        .iter()
        .filter(|node| node.status == "answered" && inside(&node.name));
    let mut text = format!("{} of {} nodes", answered.count(), nodes.len());
    let missing: Vec<String> = nodes
        .iter()
        .filter_map(|node| match (node.status.as_str(), &node.code) {
            ("answered", _) if inside(&node.name) => None,
            ("answered", _) => Some(format!("{} withheld part", node.name)),
            (status, Some(code)) => Some(format!("{} {status} ({code})", node.name)),
            (status, None) => Some(format!("{} {status}", node.name)),
        })
        .collect();
    if !missing.is_empty() {
        text.push_str("; not in it: ");
        text.push_str(&missing.join(", "));
    }
    text
}

fn protection(protection: Option<&Protection>) -> String {
    let Some(protection) = protection else {
        return String::new();
    };
    let least = protection.k.map_or_else(String::new, |k| {
        format!(" Nothing is shown that rests on fewer than {k} persons of a node.")
    });
    match (protection.round_base, protection.noise_bound) {
        _ if protection.is_unprotected() => {
            "UNPROTECTED: exact values of synthetic populations, nothing is rounded or withheld."
                .to_owned()
        }
        (_, Some(bound)) => format!("Each node changes counts by at most {bound}.{least}"),
        (Some(base), None) => format!("Each node rounds counts to multiples of {base}.{least}"),
        (None, None) => least.trim().to_owned(),
    }
}

fn source(document: &Document) -> Option<String> {
    let question = document.question.as_ref()?;
    let hash: String = question.hash.chars().take(19).collect();
    Some(format!("Question {}  {hash}", question.id))
}

/// A text in lines of a width. Fonts differ from reader to reader: a twentieth is left free.
fn wrapped(text: &str, room: f64) -> Vec<String> {
    let room = room * 0.95;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width_of(line, 11.0) + width_of(word, 11.0) + 4.0 <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
