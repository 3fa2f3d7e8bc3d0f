//! A table of the file and its typed getters.

use std::fmt::Display;
use std::ops::RangeInclusive;

use toml_edit::{Item, TableLike};

use super::value::{At, FromToml, ItemRef, Value};
use super::{File, join};

/// A table: `[name]`, `[[name]]`, or `{ .. }` after a key.
///
/// A section that was needed but is missing is empty and silent: its absence is one mistake, not
/// one for each of its keys.
#[derive(Clone)]
pub struct Section<'f> {
    file: &'f File,
    table: Option<&'f dyn TableLike>,
    path: String,
    at: At,
}

impl<'f> Section<'f> {
    pub(super) fn new(
        file: &'f File,
        table: Option<&'f dyn TableLike>,
        path: String,
        at: At,
    ) -> Self {
        file.note_opened(&path);
        Self {
            file,
            table,
            path,
            at,
        }
    }

    /// The value of a key, or `None` if the key is absent or its value is a mistake.
    #[must_use]
    pub fn get<T: FromToml>(&self, key: &str) -> Option<T> {
        self.value(key).and_then(T::from_toml)
    }

    /// The value of a key that must be there.
    #[must_use]
    pub fn need<T: FromToml>(&self, key: &str) -> Option<T> {
        let value = self.value(key);
        if value.is_none() && self.table.is_some() {
            self.mistake_here(format!(
                "`{key}` is missing, write `{key} = {}`",
                T::EXAMPLE
            ));
        }
        value.and_then(T::from_toml)
    }

    /// The value of a key, or the default where the key is absent.
    #[must_use]
    pub fn or<T: FromToml>(&self, key: &str, default: T) -> T {
        self.get(key).unwrap_or(default)
    }

    /// One of a few words, each with its meaning; `None` if absent or another word.
    #[must_use]
    pub fn one_of<T: Clone>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        self.value(key)?.word(words)
    }

    /// As `one_of`, for a key that must be there.
    #[must_use]
    pub fn need_one_of<T: Clone>(&self, key: &str, words: &[(&str, T)]) -> Option<T> {
        if self.table.is_some() && !self.has(key) {
            let example = words.first().map_or("", |(name, _)| *name);
            self.mistake_here(format!("`{key}` is missing, write `{key} = \"{example}\"`"));
        }
        self.one_of(key, words)
    }

    /// A value in a range; `None` if absent or outside.
    #[must_use]
    pub fn within<T>(&self, key: &str, range: RangeInclusive<T>) -> Option<T>
    where
        T: FromToml + PartialOrd + Display,
    {
        let value: T = self.get(key)?;
        if range.contains(&value) {
            return Some(value);
        }
        let (low, high) = range.into_inner();
        self.mistake(
            key,
            format!("{value} is out of range, write a value from {low} to {high}"),
        );
        None
    }

    /// A table below this one, if it is there.
    #[must_use]
    pub fn section(&self, key: &str) -> Option<Section<'f>> {
        self.value(key).and_then(Value::section)
    }

    /// A table below this one that must be there.
    #[must_use]
    pub fn need_section(&self, key: &str) -> Section<'f> {
        let value = self.value(key);
        if value.is_none() && self.table.is_some() {
            self.mistake_here(format!(
                "the table is missing, write `[{}]`",
                join(&self.path, key)
            ));
        }
        value
            .and_then(Value::section)
            .unwrap_or_else(|| self.missing(key))
    }

    /// A table below this one; an empty one if it is not there.
    #[must_use]
    pub fn section_or_empty(&self, key: &str) -> Section<'f> {
        self.section(key).unwrap_or_else(|| self.missing(key))
    }

    /// The tables of `[[key]]`, in order; none if it is not there.
    #[must_use]
    pub fn sections(&self, key: &str) -> Vec<Section<'f>> {
        let Some(value) = self.value(key) else {
            return Vec::new();
        };
        let entries = value.entries_of_list("a list of tables", &format!("[[{}]]", value.path()));
        entries
            .unwrap_or_default()
            .into_iter()
            .filter_map(Value::section)
            .collect()
    }

    /// The tables of `[key.NAME]`, with their names, in order of the text.
    #[must_use]
    pub fn named(&self, key: &str) -> Vec<(String, Section<'f>)> {
        let Some(all) = self.section(key) else {
            return Vec::new();
        };
        let entries = all.entries().into_iter();
        entries
            .filter_map(|(name, value)| Some((name, value.section()?)))
            .collect()
    }

    /// Every key with its value; all of them count as known.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Value<'f>)> {
        let keys = self.keys();
        keys.into_iter()
            .filter_map(|key| Some((key.clone(), self.value(&key)?)))
            .collect()
    }

    /// The value of a key, untyped.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Value<'f>> {
        self.file.note_known(&self.path, key);
        let item = self.table?.get(key).filter(|item| !item.is_none())?;
        Some(Value::new(
            self.file,
            ItemRef::Item(item),
            join(&self.path, key),
            self.place_of(key),
        ))
    }

    /// Whether the key is there.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.file.note_known(&self.path, key);
        self.table
            .is_some_and(|table| table.get(key).is_some_and(|item| !item.is_none()))
    }

    /// Counts keys as known without reading them, where an earlier mistake makes them moot.
    pub fn skip(&self, keys: &[&str]) {
        keys.iter()
            .for_each(|key| self.file.note_known(&self.path, key));
    }

    /// The keys that are there, in order of the text.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let keys = |table: &'f dyn TableLike| table.iter().map(|(key, _)| key.to_owned()).collect();
        self.table.map(keys).unwrap_or_default()
    }

    /// Whether the table is missing from the file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        self.table.is_none()
    }

    /// Notes a mistake in the value of a key (or of the table, if the key is absent).
    pub fn mistake(&self, key: &str, text: impl Into<String>) {
        let item = self.table.and_then(|table| table.get(key));
        let span = item.and_then(Item::span).map(|span| At(span.start));
        self.file
            .mistake(span.unwrap_or(self.at), join(&self.path, key), text);
    }

    /// Notes a mistake about the table as a whole.
    pub fn mistake_here(&self, text: impl Into<String>) {
        self.file.mistake(self.at, self.path.clone(), text);
    }

    /// The file, for mistakes at remembered places.
    #[must_use]
    pub fn file(&self) -> &'f File {
        self.file
    }

    /// Dotted path of the table.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the table begins.
    #[must_use]
    pub fn at(&self) -> At {
        self.at
    }

    fn missing(&self, key: &str) -> Section<'f> {
        Section {
            file: self.file,
            table: None,
            path: join(&self.path, key),
            at: self.at,
        }
    }

    fn place_of(&self, key: &str) -> At {
        let key_span = self
            .table
            .and_then(|table| table.key(key))
            .and_then(toml_edit::Key::span);
        key_span.map_or(self.at, |span| At(span.start))
    }
}
