//! A value of the file and its conversion to types.

use std::time::Duration;

use toml_edit::{Item, TableLike};

use super::section::Section;
use super::units::{self, ByteSize};
use super::{File, nearest};
use crate::number::Number;

/// A place in a file, for mistakes that are only found after reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At(pub(super) usize);

/// A type that a getter can read.
pub trait FromToml: Sized {
    /// How such a value is written, for the message about a missing key.
    const EXAMPLE: &'static str;

    /// The value, or `None` after noting the mistake.
    fn from_toml(value: Value<'_>) -> Option<Self>;
}

/// A value together with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it is written.
    pub at: At,
    /// Dotted path of its key.
    pub path: String,
}

#[derive(Clone, Copy)]
pub(super) enum ItemRef<'f> {
    Item(&'f Item),
    Value(&'f toml_edit::Value),
    Table(&'f toml_edit::Table),
}

/// Any value: what follows a key, an entry of a list, or a table.
#[derive(Clone)]
pub struct Value<'f> {
    file: &'f File,
    item: ItemRef<'f>,
    path: String,
    key_at: At,
}

impl<'f> Value<'f> {
    pub(super) fn new(file: &'f File, item: ItemRef<'f>, path: String, key_at: At) -> Self {
        Self {
            file,
            item,
            path,
            key_at,
        }
    }

    /// Converts to a type, noting a mistake if it does not fit.
    #[must_use]
    pub fn read<T: FromToml>(self) -> Option<T> {
        T::from_toml(self)
    }

    /// The text of a string, if this is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&'f str> {
        self.plain()?.as_str()
    }

    /// True or false, if this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        self.plain()?.as_bool()
    }

    /// A whole number, if this is one.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        self.plain()?.as_integer()
    }

    /// The exact decimal number as written, if this is one.
    #[must_use]
    pub fn as_number(&self) -> Option<Number> {
        let plain = self.plain()?;
        if let Some(whole) = plain.as_integer() {
            return Some(Number::from(whole));
        }
        plain.as_float()?;
        self.file.slice(plain.span()).replace('_', "").parse().ok()
    }

    /// Days since 1970-01-01 of a date without time, if this is one.
    #[must_use]
    pub fn as_date(&self) -> Option<jiff::civil::Date> {
        let moment = self.plain()?.as_datetime()?;
        let (date, None, None) = (moment.date?, moment.time, moment.offset) else {
            return None;
        };
        let year = i16::try_from(date.year).ok()?;
        let (month, day) = (i8::try_from(date.month).ok()?, i8::try_from(date.day).ok()?);
        jiff::civil::Date::new(year, month, day).ok()
    }

    /// The entries of a list, if this is one.
    #[must_use]
    pub fn as_list(&self) -> Option<Vec<Value<'f>>> {
        let path = |index: usize| format!("{}[{}]", self.path, index + 1);
        let entry = |(index, item): (usize, ItemRef<'f>)| {
            Value::new(self.file, item, path(index), self.key_at)
        };
        if let ItemRef::Item(Item::ArrayOfTables(tables)) = self.item {
            return Some(
                tables
                    .iter()
                    .map(ItemRef::Table)
                    .enumerate()
                    .map(entry)
                    .collect(),
            );
        }
        let array = self.plain()?.as_array()?;
        Some(
            array
                .iter()
                .map(ItemRef::Value)
                .enumerate()
                .map(entry)
                .collect(),
        )
    }

    /// The table, or a mistake.
    #[must_use]
    pub fn section(self) -> Option<Section<'f>> {
        let table: Option<&'f dyn TableLike> = match self.item {
            ItemRef::Item(item) => item.as_table_like(),
            ItemRef::Value(value) => value.as_inline_table().map(|table| table as &dyn TableLike),
            ItemRef::Table(table) => Some(table),
        };
        if table.is_none() {
            self.expected("a table", &format!("[{}]", self.path));
        }
        let at = self.at();
        Some(Section::new(self.file, Some(table?), self.path, at))
    }

    /// Notes a mistake at this value.
    pub fn mistake(&self, text: impl Into<String>) {
        self.file.mistake(self.at(), self.path.clone(), text);
    }

    /// Notes that another kind of value was expected, with an example of it.
    pub fn expected(&self, what: &str, example: &str) {
        self.mistake(format!(
            "this is {}, write {what} such as {example}",
            self.kind()
        ));
    }

    /// Where the value is written.
    #[must_use]
    pub fn at(&self) -> At {
        let span = match self.item {
            ItemRef::Item(item) => item.span(),
            ItemRef::Value(value) => value.span(),
            ItemRef::Table(table) => table.span(),
        };
        span.map_or(self.key_at, |span| At(span.start))
    }

    /// Dotted path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The entries of a list, or a mistake.
    #[must_use]
    pub fn need_list(&self) -> Option<Vec<Value<'f>>> {
        self.entries_of_list("a list", "[...]")
    }

    pub(super) fn entries_of_list(&self, what: &str, example: &str) -> Option<Vec<Value<'f>>> {
        let entries = self.as_list();
        if entries.is_none() {
            self.expected(what, example);
        }
        entries
    }

    fn plain(&self) -> Option<&'f toml_edit::Value> {
        match self.item {
            ItemRef::Item(item) => item.as_value(),
            ItemRef::Value(value) => Some(value),
            ItemRef::Table(_) => None,
        }
    }

    fn kind(&self) -> &'static str {
        match self.plain().map(toml_edit::Value::type_name) {
            Some("string") => "a string",
            Some("integer") => "a whole number",
            Some("float") => "a number with decimals",
            Some("boolean") => "true or false",
            Some("datetime") => "a date or time",
            Some("array") => "a list",
            _ => "a table",
        }
    }
}

/// The value that `pick` finds, or a mistake.
fn pick<T>(value: &Value<'_>, found: Option<T>, what: &str, example: &str) -> Option<T> {
    if found.is_none() {
        value.expected(what, example);
    }
    found
}

impl FromToml for String {
    const EXAMPLE: &'static str = "\"...\"";

    fn from_toml(value: Value<'_>) -> Option<Self> {
        pick(
            &value,
            value.as_str().map(str::to_owned),
            "a string",
            "\"text\"",
        )
    }
}

impl FromToml for bool {
    const EXAMPLE: &'static str = "true";

    fn from_toml(value: Value<'_>) -> Option<Self> {
        pick(&value, value.as_bool(), "true or false", "`true`")
    }
}

impl FromToml for Number {
    const EXAMPLE: &'static str = "0";

    fn from_toml(value: Value<'_>) -> Option<Self> {
        pick(&value, value.as_number(), "a number", "`12` or `0.5`")
    }
}

impl FromToml for jiff::civil::Date {
    const EXAMPLE: &'static str = "2027-06-30";

    fn from_toml(value: Value<'_>) -> Option<Self> {
        pick(
            &value,
            value.as_date(),
            "a date",
            "`2027-06-30` (without quotes)",
        )
    }
}

impl FromToml for i64 {
    const EXAMPLE: &'static str = "1";

    fn from_toml(value: Value<'_>) -> Option<Self> {
        pick(&value, value.as_int(), "a whole number", "`12`")
    }
}

/// Whole numbers of other widths: the same reading, then a range check.
macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl FromToml for $type {
            const EXAMPLE: &'static str = "1";

            fn from_toml(value: Value<'_>) -> Option<Self> {
                let whole = i64::from_toml(value.clone())?;
                let fitting = <$type>::try_from(whole).ok();
                if fitting.is_none() {
                    let (low, high) = (<$type>::MIN, <$type>::MAX);
                    let text = format!("{whole} is out of range, write a value from {low} to {high}");
                    value.mistake(text);
                }
                fitting
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32, u64, usize, i32);

impl FromToml for Duration {
    const EXAMPLE: &'static str = "\"30 s\"";

    fn from_toml(value: Value<'_>) -> Option<Self> {
        let found = value.as_str().and_then(units::duration);
        pick(
            &value,
            found,
            "a number and a unit (ms, s, min, h, d)",
            "\"30 s\" or \"250 ms\"",
        )
    }
}

impl FromToml for ByteSize {
    const EXAMPLE: &'static str = "\"1 GiB\"";

    fn from_toml(value: Value<'_>) -> Option<Self> {
        let found = value.as_str().and_then(units::bytes).map(ByteSize);
        let what = "a number and a unit (B, kB, MB, GB, KiB, MiB, GiB)";
        pick(&value, found, what, "\"1 GiB\" or \"512 MiB\"")
    }
}

impl<T: FromToml> FromToml for Vec<T> {
    const EXAMPLE: &'static str = "[...]";

    /// Reads every entry even after a mistake, so that all mistakes are reported.
    fn from_toml(value: Value<'_>) -> Option<Self> {
        let entries = value.entries_of_list("a list", &format!("[{}]", T::EXAMPLE))?;
        let read: Vec<Option<T>> = entries.into_iter().map(T::from_toml).collect();
        read.into_iter().collect()
    }
}

impl<T: FromToml> FromToml for Spanned<T> {
    const EXAMPLE: &'static str = T::EXAMPLE;

    fn from_toml(value: Value<'_>) -> Option<Self> {
        let (at, path) = (value.at(), value.path().to_owned());
        T::from_toml(value).map(|value| Self { value, at, path })
    }
}

impl<'f> Value<'f> {
    /// One of a few words, each with its meaning, or a mistake.
    #[must_use]
    pub fn word<T: Clone>(&self, words: &[(&str, T)]) -> Option<T> {
        let word = String::from_toml(self.clone())?;
        let found = words.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            let names: Vec<String> = words.iter().map(|(name, _)| (*name).to_owned()).collect();
            let advice = match nearest(&word, words.iter().map(|(name, _)| *name)) {
                Some(near) => format!("\"{near}\""),
                None => format!("one of {}", super::list(&names)),
            };
            self.mistake(format!("unknown word `{word}`, write {advice}"));
        }
        found.map(|(_, meaning)| meaning.clone())
    }
}
