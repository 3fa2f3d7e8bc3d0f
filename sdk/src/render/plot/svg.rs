//! A drawing as SVG text: a few shapes, numbers with two decimals, text as text. The same calls give the
//! same bytes everywhere.
//!
//! What it must not know: what is drawn.

use std::fmt::Write as _;

use crate::render::clean;

/// Fonts of any machine, none of them embedded.
const FONTS: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif";

/// Ink of text, of what stands behind, and of faint lines.
pub(super) const INK: &str = "#1a1a1a";
pub(super) const SOFT: &str = "#5f6670";
pub(super) const FAINT: &str = "#d9dde2";
/// What protection leaves open.
pub(super) const OPEN: &str = "#c3cad3";

/// Colours that people with any sight tell apart (Okabe and Ito), in an order in which they also differ
/// in grey.
pub(super) const COLOURS: [&str; 6] = [
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#8A6D00",
];
/// Dashes that tell lines apart without colour.
pub(super) const DASHES: [&str; 6] = ["", "7 3", "2 3", "10 3 2 3", "5 2 1 2 1 2", "1 4"];

/// Where a text stands against its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Type {
    pub(super) size: f64,
    pub(super) colour: &'static str,
    pub(super) bold: bool,
    pub(super) anchor: Anchor,
}

impl Type {
    /// Plain text that begins at its point.
    pub(super) const PLAIN: Self = Self {
        size: 12.0,
        colour: INK,
        bold: false,
        anchor: Anchor::Start,
    };
    /// Small, soft text.
    pub(super) const SMALL: Self = Self {
        size: 11.0,
        colour: SOFT,
        ..Self::PLAIN
    };

    pub(super) fn at(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub(super) fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) fn colour(self, colour: &'static str) -> Self {
        Self { colour, ..self }
    }
}

/// A stroke.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stroke<'a> {
    pub(super) colour: &'a str,
    pub(super) width: f64,
    pub(super) dashes: &'a str,
}

impl<'a> Stroke<'a> {
    pub(super) const fn new(colour: &'a str, width: f64) -> Self {
        Self {
            colour,
            width,
            dashes: "",
        }
    }
}

/// A rectangle: left, top, width, height.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn right(self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> f64 {
        self.y + self.height
    }
}

/// The drawing.
#[derive(Debug, Default)]
pub(super) struct Drawing {
    body: String,
}

/// A coordinate: two decimals at most.
pub(super) fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" || text.is_empty() {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}

/// Text of a document, which may come from anybody.
fn escape(text: &str) -> String {
    let mut safe = String::new();
    for c in clean(text).chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            other => safe.push(other),
        }
    }
    safe
}

/// About how wide a text is.
pub(super) fn width_of(text: &str, size: f64) -> f64 {
    let wide = |c: char| match c {
        'i' | 'l' | 'j' | '.' | ',' | ':' | ';' | '|' | '(' | ')' | ' ' | 't' | 'f' | 'r' => 0.34,
        'm' | 'w' | 'M' | 'W' => 0.85,
        c if c.is_uppercase() => 0.67,
        _ => 0.56,
    };
    text.chars().map(wide).sum::<f64>() * size
}

/// A text cut to a width.
pub(super) fn cut(text: &str, size: f64, width: f64) -> String {
    if width_of(text, size) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width_of(&kept, size) > width - size {
            break;
        }
    }
    format!("{}…", kept.trim_end())
}

impl Drawing {
    pub(super) fn text(&mut self, x: f64, y: f64, text: &str, look: Type) {
        let anchor = match look.anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let weight = if look.bold {
            " font-weight=\"600\""
        } else {
            ""
        };
        let _ = writeln!(
            self.body,
            "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}{weight}>{}</text>",
            number(x),
            number(y),
            number(look.size),
            look.colour,
            escape(text)
        );
    }

    /// A text that reads upwards, centred on its point.
    pub(super) fn upwards(&mut self, x: f64, y: f64, text: &str, look: Type) {
        let _ = writeln!(
            self.body,
            "<text transform=\"translate({} {}) rotate(-90)\" font-size=\"{}\" fill=\"{}\" text-anchor=\"middle\">{}</text>",
            number(x),
            number(y),
            number(look.size),
            look.colour,
            escape(text)
        );
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke<'_>) {
        self.path(&[from, to], stroke);
    }

    pub(super) fn path(&mut self, points: &[(f64, f64)], stroke: Stroke<'_>) {
        let dashes = if stroke.dashes.is_empty() {
            String::new()
        } else {
            format!(" stroke-dasharray=\"{}\"", stroke.dashes)
        };
        let _ = writeln!(
            self.body,
            "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{dashes}/>",
            shape(points),
            stroke.colour,
            number(stroke.width)
        );
    }

    pub(super) fn filled(&mut self, points: &[(f64, f64)], colour: &str, opacity: f64) {
        let _ = writeln!(
            self.body,
            "<path d=\"{}Z\" fill=\"{colour}\" fill-opacity=\"{}\"/>",
            shape(points),
            number(opacity)
        );
    }

    pub(super) fn rect(&mut self, area: Area, colour: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{colour}\"/>",
            number(area.x),
            number(area.y),
            number(area.width.max(0.0)),
            number(area.height.max(0.0))
        );
    }

    /// Hatched: something is there, or nothing, and nobody outside knows.
    pub(super) fn hatched(&mut self, area: Area) {
        self.rect(area, "url(#withheld)");
        let Area {
            x,
            y,
            width,
            height,
        } = area;
        let _ = writeln!(
            self.body,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"{OPEN}\"/>",
            number(x),
            number(y),
            number(width.max(0.0)),
            number(height.max(0.0))
        );
    }

    /// The whole file. `title` and `description` are what a screen reader says.
    pub(super) fn finish(self, width: f64, height: f64, title: &str, description: &str) -> String {
        let (w, h) = (number(width), number(height));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" \
             role=\"img\" aria-labelledby=\"title description\" font-family=\"{FONTS}\">\n\
             <title id=\"title\">{}</title>\n<desc id=\"description\">{}</desc>\n\
             <defs><pattern id=\"withheld\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
             patternTransform=\"rotate(45)\"><rect width=\"6\" height=\"6\" fill=\"#f6f7f9\"/>\
             <line x1=\"0\" y1=\"0\" x2=\"0\" y2=\"6\" stroke=\"{OPEN}\" stroke-width=\"2.4\"/></pattern></defs>\n\
             <rect width=\"{w}\" height=\"{h}\" fill=\"#ffffff\"/>\n{}</svg>\n",
            escape(title),
            escape(description),
            self.body
        )
    }
}

fn shape(points: &[(f64, f64)]) -> String {
    let mut text = String::new();
    for (at, (x, y)) in points.iter().enumerate() {
        let command = if at == 0 { 'M' } else { 'L' };
        let _ = write!(text, "{command}{} {}", number(*x), number(*y));
    }
    text
}
