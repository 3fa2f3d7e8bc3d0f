//! The one reader of configuration files: codebook, node policy, test network spec.
//!
//! It reports every mistake of a file at once, as `file:line:col path: what is wrong, what to
//! write`, unknown keys included. Callers ask for typed values; a getter that finds a mistake
//! notes it and answers `None`, so that reading goes on. [`File::finish`] gives the verdict:
//!
//! ```
//! use quorate_query::toml_reader::{File, Mistakes};
//! use std::time::Duration;
//!
//! fn read(text: &str) -> Result<(String, Duration), Mistakes> {
//!     let file = File::parse(text, "node.toml")?;
//!     let node = file.root().need_section("node");
//!     let name = node.need::<String>("name");
//!     let slot = node.or("latency_slot", Duration::from_millis(250));
//!     file.finish(name.map(|name| (name, slot)))
//! }
//! assert!(read("[node]\nname = 'a'\nlatency_slot = '1 s'").is_ok());
//! let mistakes = read("[node]\nnam = 'a'").unwrap_err();
//! assert_eq!(mistakes.0.len(), 2);
//! ```
//!
//! What it must not know: what any key means, and files or the environment: text comes in.

mod section;
mod units;
mod value;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;

use toml_edit::{Document, Item};

pub use section::Section;
pub use units::ByteSize;
pub use value::{At, FromToml, Spanned, Value};

/// One mistake: where it is, what is wrong and what to write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mistake {
    /// Name of the file as the caller gave it.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Dotted path of the key, such as `table.person.column.age`; entries of lists count from 1.
    pub path: String,
    /// What is wrong and what to write.
    pub text: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            path,
            text,
        } = self;
        let gap = if path.is_empty() { "" } else { " " };
        write!(f, "{file}:{line}:{column}{gap}{path}: {text}")
    }
}

/// All mistakes of a file, in the order of the text, one a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistakes {
    /// A single mistake about a whole file, for instance that it cannot be opened.
    #[must_use]
    pub fn whole_file(path: &str, text: impl Into<String>) -> Self {
        let (file, text) = (path.to_owned(), text.into());
        Self(vec![Mistake {
            file,
            line: 1,
            column: 1,
            path: String::new(),
            text,
        }])
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{mistake}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// A file whose TOML syntax is sound, and the mistakes found in it so far.
pub struct File {
    name: String,
    text: String,
    document: Document<String>,
    mistakes: RefCell<Vec<(usize, String, String)>>,
    /// Keys that some getter asked for, by path of the table.
    known: RefCell<BTreeMap<String, BTreeSet<String>>>,
}

impl File {
    /// Parses the text of a file. A syntax error is the only mistake reported alone.
    pub fn parse(text: &str, name: &str) -> Result<Self, Mistakes> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match Document::parse(text.to_owned()) {
            Ok(document) => Ok(Self {
                name: name.to_owned(),
                text: text.to_owned(),
                document,
                mistakes: RefCell::default(),
                known: RefCell::default(),
            }),
            Err(error) => {
                let start = error.span().map_or(0, |span| span.start);
                let (line, column) = position(text, start);
                let text = format!("this is not TOML: {}", error.message().replace('\n', ", "));
                let file = name.to_owned();
                Err(Mistakes(vec![Mistake {
                    file,
                    line,
                    column,
                    path: String::new(),
                    text,
                }]))
            }
        }
    }

    /// The top of the file.
    #[must_use]
    pub fn root(&self) -> Section<'_> {
        Section::new(self, Some(self.document.as_table()), String::new(), At(0))
    }

    /// The value, unless there were mistakes. Call it once everything was asked for: a key that
    /// no getter named is a mistake.
    pub fn finish<T>(self, value: Option<T>) -> Result<T, Mistakes> {
        self.unknown_keys(self.document.as_item(), "");
        self.finish_part(value)
    }

    /// As [`File::finish`] for a caller that reads only a part of the file: keys that it did not
    /// ask for are not its business.
    pub fn finish_part<T>(self, value: Option<T>) -> Result<T, Mistakes> {
        let mut found = self.mistakes.take();
        found.sort();
        found.dedup();
        match value {
            Some(value) if found.is_empty() => Ok(value),
            _ if found.is_empty() => Err(Mistakes::whole_file(
                &self.name,
                "could not be read, write it anew",
            )),
            _ => Err(Mistakes(
                found.into_iter().map(|m| self.locate(m)).collect(),
            )),
        }
    }

    /// Adds a mistake at a place that a [`Spanned`] value or a section remembered.
    pub fn mistake(&self, at: At, path: impl Into<String>, text: impl Into<String>) {
        self.mistakes
            .borrow_mut()
            .push((at.0, path.into(), text.into()));
    }

    /// Whether any mistake was found so far.
    #[must_use]
    pub fn has_mistakes(&self) -> bool {
        !self.mistakes.borrow().is_empty()
    }

    fn locate(&self, (offset, path, text): (usize, String, String)) -> Mistake {
        let (line, column) = position(&self.text, offset);
        Mistake {
            file: self.name.clone(),
            line,
            column,
            path,
            text,
        }
    }

    fn note_known(&self, path: &str, key: &str) {
        let mut known = self.known.borrow_mut();
        known
            .entry(path.to_owned())
            .or_default()
            .insert(key.to_owned());
    }

    fn note_opened(&self, path: &str) {
        self.known.borrow_mut().entry(path.to_owned()).or_default();
    }

    fn slice(&self, span: Option<Range<usize>>) -> &str {
        span.and_then(|span| self.text.get(span)).unwrap_or("")
    }

    /// Walks every table that was opened and reports keys nobody asked for.
    fn unknown_keys(&self, item: &Item, path: &str) {
        if let Some(tables) = item.as_array_of_tables() {
            for (index, table) in tables.iter().enumerate() {
                self.unknown_in(table, &format!("{path}[{}]", index + 1));
            }
        } else if let Some(array) = item.as_array() {
            for (index, value) in array.iter().enumerate() {
                if let Some(table) = value.as_inline_table() {
                    self.unknown_in(table, &format!("{path}[{}]", index + 1));
                }
            }
        } else if let Some(table) = item.as_table_like() {
            self.unknown_in(table, path);
        }
    }

    fn unknown_in(&self, table: &dyn toml_edit::TableLike, path: &str) {
        let Some(known) = self.known.borrow().get(path).cloned() else {
            return;
        };
        for (key, item) in table.iter() {
            if known.contains(key) {
                self.unknown_keys(item, &join(path, key));
                continue;
            }
            let place = table
                .key(key)
                .and_then(toml_edit::Key::span)
                .or_else(|| item.span());
            let advice = match nearest(key, known.iter().map(String::as_str)) {
                Some(near) => format!("write `{near}`"),
                None if known.is_empty() => "remove it".to_owned(),
                None => format!("remove it; known here: {}", list(&known)),
            };
            let at = At(place.map_or(0, |span| span.start));
            self.mistake(at, join(path, key), format!("unknown key, {advice}"));
        }
    }
}

/// The known word that `word` most likely means, if one is close.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|candidate| {
            (
                edits(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Number of single-character insertions, deletions, changes and neighbour swaps between words.
fn edits(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=right.len()).collect();
    let mut last = None;
    for (i, a) in left.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let cell = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX - 1);
            let mut best = (cell(&row, j) + usize::from(a != *b))
                .min(cell(&row, j + 1) + 1)
                .min(cell(&next, j) + 1);
            let previous = j.checked_sub(1);
            if last == Some(*b) && previous.and_then(|j| right.get(j)) == Some(&a) {
                best = best.min(cell(&before, j.saturating_sub(1)) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(a);
    }
    row.last().copied().unwrap_or(0)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() {
        key.to_owned()
    } else {
        format!("{path}.{key}")
    }
}

fn list<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    words
        .into_iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Line and column, from 1, of a byte offset.
fn position(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests;
